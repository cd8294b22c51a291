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
    record = ks.young.get(name)
    if record.__class__ is not ListRecord or record.expire_ms:
        record = find(ks, name) or ks.new_collection(name, ListRecord)
    fresh = ks.batch.fresh
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
    ks.dirty[name] = record
    if name in ks.observed:
        ks.tell(name)
    return record.tail - record.head


def pop(ks: Keyspace, name: bytes, side: int) -> bytes | None:
    """Take one element from one side; None if there is none. cost: O(1)."""
    record = ks.young.get(name)
    if record.__class__ is not ListRecord or record.expire_ms:
        record = find(ks, name)
        if record is None:
            return None
    batch = ks.batch
    head, tail = record.head, record.tail
    if side:
        record.tail = tail = position = tail - 1
    else:
        position = head
        record.head = head = head + 1
    key = record.prefix + position.to_bytes(8, "big")
    value = batch.take(key)
    if head == tail:
        ks.emptied(name, record)
    else:
        ks.dirty[name] = record
        if name in ks.observed:
            ks.tell(name)
    return value


def length(ks: Keyspace, name: bytes) -> int:
    """How many elements there are. cost: O(1)."""
    record = find(ks, name)
    return 0 if record is None else record.tail - record.head
