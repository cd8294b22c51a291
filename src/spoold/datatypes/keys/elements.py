"""The elements of a collection, whatever its type, for SORT, DUMP and OBJECT; and the way back, for RESTORE.

To add a type, give it a line in `_WRITERS`; in `_READERS` if SORT takes its elements; in `_PARTS` if an element is more
than one byte string.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from spoold.datatypes.hashes import store as hashes
from spoold.datatypes.lists import store as lists
from spoold.datatypes.sets import store as sets
from spoold.datatypes.streams import store as streams
from spoold.datatypes.zsets import store as zsets
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import HashRecord, ListRecord, Record, SetRecord, StreamRecord, TaggedListRecord, ZsetRecord

_DOUBLE: Final = struct.Struct("<d")


def read(ks: Keyspace, record: Record) -> list[bytes] | None:
    """The elements in their order; None where the record is of a type that has none. cost: O(elements)."""
    reader = _READERS.get(type(record))
    return None if reader is None else reader(ks, record)


def parts(ks: Keyspace, record: Record) -> list[bytes] | None:
    """What DUMP writes of a collection: its elements; of a hash its fields and values by turns.

    Of a sorted set its members and their scores by turns, as payload.py has them. cost: O(elements).
    """
    reader = _PARTS.get(type(record))
    return read(ks, record) if reader is None else reader(ks, record)


def write(ks: Keyspace, name: bytes, kind: bytes, elements: list[bytes]) -> None:
    """Make a collection of `kind` under `name`, which must not exist, of its `parts`. cost: O(elements).

    No event is told of it: the caller knows what it is for.
    """
    with ks.untold():
        _WRITERS[kind](ks, name, elements)


def _read_list(ks: Keyspace, record: ListRecord) -> list[bytes]:
    return lists.read(ks, record, record.head, record.tail)


def _write_list(ks: Keyspace, name: bytes, elements: list[bytes]) -> None:
    lists.push(ks, name, lists.TAIL, elements)


def _read_set(ks: Keyspace, record: SetRecord) -> list[bytes]:
    return list(sets.each(ks, record))


def _write_set(ks: Keyspace, name: bytes, elements: list[bytes]) -> None:
    sets.add(ks, name, elements)


def _hash_parts(ks: Keyspace, record: HashRecord) -> list[bytes]:
    return [part for pair in hashes.each(ks, record) for part in pair]


def _write_hash(ks: Keyspace, name: bytes, elements: list[bytes]) -> None:
    hashes.put_many(ks, name, list(zip(elements[::2], elements[1::2], strict=True)))


def _read_zset(ks: Keyspace, record: ZsetRecord) -> list[bytes]:
    return [member for member, _ in zsets.each(ks, record)]


def _zset_parts(ks: Keyspace, record: ZsetRecord) -> list[bytes]:
    return [part for member, score in zsets.each(ks, record) for part in (member, _DOUBLE.pack(score))]


def _write_zset(ks: Keyspace, name: bytes, elements: list[bytes]) -> None:
    scores = (number for (number,) in map(_DOUBLE.unpack, elements[1::2]))
    zsets.replace(ks, name, zip(elements[::2], scores, strict=True))


_READERS: Final[dict[type[Record], Callable[..., list[bytes]]]] = {
    ListRecord: _read_list,
    TaggedListRecord: _read_list,
    SetRecord: _read_set,
    ZsetRecord: _read_zset,
}
_PARTS: Final[dict[type[Record], Callable[..., list[bytes]]]] = {
    HashRecord: _hash_parts,
    ZsetRecord: _zset_parts,
    StreamRecord: streams.parts,
}
_WRITERS: Final[dict[bytes, Callable[[Keyspace, bytes, list[bytes]], None]]] = {
    ListRecord.kind: _write_list,
    SetRecord.kind: _write_set,
    HashRecord.kind: _write_hash,
    ZsetRecord.kind: _write_zset,
    StreamRecord.kind: streams.restore,
}
