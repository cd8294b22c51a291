"""Lists: elements by position.

    record   object id, head, tail: the elements stand at head <= position < tail (biased by 2**63)
    element  prefix, position 8 (big-endian) -> value

Positions are contiguous, so the element at an index is one get; removing or inserting in the middle shifts the
shorter side. All functions take the database and the key's name first; a missing key is an empty list, and a list
that loses its last element is no key any more. They raise WrongType where the key holds something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from spoold.core.errors import WrongType
from spoold.engine.batch import MISSING
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import ListRecord

HEAD: Final = 0
TAIL: Final = 1


def find(ks: Keyspace, name: bytes) -> ListRecord | None:
    """The list's record, or None. raises: WrongType."""
    record = ks.find(name)
    if record is None:
        return None
    if record.__class__ is not ListRecord:
        raise WrongType
    return record


def push(ks: Keyspace, name: bytes, side: int, values: Sequence[bytes]) -> int:
    """Add values one after the other at one side, creating the list if needed.

    returns: the new length.
    cost: O(len(values)); nothing is read but the record.
    """
    record = find(ks, name)
    if record is None:
        record = ks.new_collection(name, ListRecord)
    fresh = ks.dbs.batch.fresh
    prefix = record.prefix
    if side:
        position = record.tail
        for value in values:
            fresh[prefix + position.to_bytes(8, "big")] = value
            position += 1
        record.tail = position
    else:
        position = record.head
        for value in values:
            position -= 1
            fresh[prefix + position.to_bytes(8, "big")] = value
        record.head = position
    ks.changed(name, record)
    return record.tail - record.head


def pop(ks: Keyspace, name: bytes, side: int) -> bytes | None:
    """Take one element from one side; None if there is none. cost: O(1)."""
    record = find(ks, name)
    if record is None:
        return None
    batch = ks.dbs.batch
    if side:
        record.tail = position = record.tail - 1
    else:
        position = record.head
        record.head = position + 1
    key = record.prefix + position.to_bytes(8, "big")
    value = batch.fresh.get(key, MISSING)
    if value is MISSING:
        value = batch.get(key)
    batch.fresh[key] = None
    if record.head == record.tail:
        ks.emptied(name, record)
    else:
        ks.changed(name, record)
    return value  # type: ignore[return-value]


def length(ks: Keyspace, name: bytes) -> int:
    """How many elements there are. cost: O(1)."""
    record = find(ks, name)
    return 0 if record is None else record.tail - record.head
