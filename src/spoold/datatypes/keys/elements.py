"""The elements of a collection, whatever its type, for SORT, DUMP and OBJECT; and the way back, for RESTORE.

To add a type whose elements are single byte strings, give it a line in `_READERS` and in `_WRITERS`; one of another
kind, which can't be sorted, a line in `_PARTS` instead of the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from spoold.datatypes.hashes import store as hashes
from spoold.datatypes.lists import store as lists
from spoold.datatypes.sets import store as sets
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import HashRecord, ListRecord, Record, SetRecord, TaggedListRecord


def read(ks: Keyspace, record: Record) -> list[bytes] | None:
    """The elements in their order; None where the record is of a type that has none. cost: O(elements)."""
    reader = _READERS.get(type(record))
    return None if reader is None else reader(ks, record)


def parts(ks: Keyspace, record: Record) -> list[bytes] | None:
    """What DUMP writes of a collection: its elements; of a hash its fields and values by turns. cost: O(elements)."""
    reader = _PARTS.get(type(record))
    return read(ks, record) if reader is None else reader(ks, record)


def write(ks: Keyspace, name: bytes, kind: bytes, elements: list[bytes]) -> None:
    """Make a collection of `kind` under `name`, which must not exist, of its `parts`. cost: O(elements)."""
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


_READERS: Final[dict[type[Record], Callable[..., list[bytes]]]] = {
    ListRecord: _read_list,
    TaggedListRecord: _read_list,
    SetRecord: _read_set,
}
_PARTS: Final[dict[type[Record], Callable[..., list[bytes]]]] = {HashRecord: _hash_parts}
_WRITERS: Final[dict[bytes, Callable[[Keyspace, bytes, list[bytes]], None]]] = {
    ListRecord.kind: _write_list,
    SetRecord.kind: _write_set,
    HashRecord.kind: _write_hash,
}
