"""The elements of a collection, whatever its type, for SORT, DUMP and OBJECT; and the way back, for RESTORE.

To add a type whose elements are single byte strings, give it a line in both tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from spoold.datatypes.lists import store as lists
from spoold.datatypes.sets import store as sets
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import ListRecord, Record, SetRecord, TaggedListRecord


def read(ks: Keyspace, record: Record) -> list[bytes] | None:
    """The elements in their order; None where the record is of a type that has none. cost: O(elements)."""
    reader = _READERS.get(type(record))
    return None if reader is None else reader(ks, record)


def write(ks: Keyspace, name: bytes, kind: bytes, elements: list[bytes]) -> None:
    """Make a collection of `kind` under `name`, which must not exist. cost: O(elements)."""
    _WRITERS[kind](ks, name, elements)


def _read_list(ks: Keyspace, record: ListRecord) -> list[bytes]:
    return lists.read(ks, record, record.head, record.tail)


def _write_list(ks: Keyspace, name: bytes, elements: list[bytes]) -> None:
    lists.push(ks, name, lists.TAIL, elements)


def _read_set(ks: Keyspace, record: SetRecord) -> list[bytes]:
    return list(sets.each(ks, record))


def _write_set(ks: Keyspace, name: bytes, elements: list[bytes]) -> None:
    sets.add(ks, name, elements)


_READERS: Final[dict[type[Record], Callable[..., list[bytes]]]] = {
    ListRecord: _read_list,
    TaggedListRecord: _read_list,
    SetRecord: _read_set,
}
_WRITERS: Final[dict[bytes, Callable[[Keyspace, bytes, list[bytes]], None]]] = {
    ListRecord.kind: _write_list,
    SetRecord.kind: _write_set,
}
