"""Strings: the value stands in the record itself.

All functions take the database and the key's name first and raise WrongType where the key holds something else; a
missing key is an empty string to those that read or change a part of it.

Invariants: a value is never longer than the server's value limit; whoever changes a value gives the record a new
stamp, which is memcached's cas id. To add a way of changing a value, compute the new bytes and hand them to `edit`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from spoold.core.errors import StringTooLong, WrongType
from spoold.keyspace import events
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import StringRecord

# The cache counts a record when it comes in. A value from this length on is counted again when it is replaced in
# place; smaller ones can't add up to more than 8 MiB unseen (8,192 records in a generation).
_COUNTED_BYTES: Final = 1024


def find(ks: Keyspace, name: bytes) -> StringRecord | None:
    """The string's record, or None. raises: WrongType."""
    record = ks.find(name)
    if record is None:
        return None
    if record.__class__ is not StringRecord:
        raise WrongType
    return record


def get(ks: Keyspace, name: bytes) -> bytes | None:
    """The value, or None. cost: O(1)."""
    record = ks.young.get(name)
    if record.__class__ is StringRecord and not record.expire_ms:
        return record.value
    record = ks.find(name)
    if record is None:
        return None
    if record.__class__ is not StringRecord:
        raise WrongType
    return record.value


def get_many(ks: Keyspace, names: Iterable[bytes]) -> list[bytes | None]:
    """The values in the order of `names`; None for a missing key and for one of another type."""
    values: list[bytes | None] = []
    for name in names:
        record = ks.find(name)
        values.append(record.value if isinstance(record, StringRecord) else None)
    return values


def get_range(ks: Keyspace, name: bytes, first: int, last: int) -> bytes:
    """The bytes from `first` to `last`, both included, negative counted from the end; b"" where there are none."""
    value = get(ks, name)
    if value is None or (first < 0 and last < 0 and first > last):
        return b""
    first, last = clip(first, last, len(value))
    return value[first : last + 1]


def put(ks: Keyspace, name: bytes, value: bytes, expire_ms: int = 0, flags: int = 0) -> StringRecord:
    """Set the value, whatever the key held before.

    expire_ms: Unix ms, 0 = never; with one that is not ahead the key is gone at once. flags: memcached's.
    returns: the value's record, also of one that is gone.
    cost: O(1).
    """
    record = ks.young.get(name)
    if record.__class__ is not StringRecord or record.expire_ms:
        record = ks.find(name)
    if record.__class__ is StringRecord:
        dbs = ks.dbs
        dbs.stamp = record.stamp = dbs.stamp + 1
        record.value = value
        record.flags = flags
        record.expire_ms = expire_ms
        if len(value) >= _COUNTED_BYTES:
            ks.cache.add(name, record)
        ks.changed(name, record)
        stored = record
    else:
        stored = StringRecord(value, ks.dbs.new_stamp(), flags)
        stored.expire_ms = expire_ms
        if record is None:
            ks.add(name, stored)
        else:
            ks.replace(name, stored)
    if expire_ms and expire_ms <= ks.dbs.now_ms and not ks.notify:
        ks.find(name)  # drops it; where someone is told, that comes after the event of its being set
    return stored


def tell_put(ks: Keyspace, name: bytes, expire_ms: int = 0) -> None:
    """Tell that a value was `put`, as SET does. The hot paths ask first whether anyone is told."""
    if ks.notify:
        ks.notify(events.STRING, b"set", name)
        if expire_ms:
            ks.notify(events.GENERIC, b"expire", name)


def edit(ks: Keyspace, name: bytes, record: StringRecord | None, value: bytes) -> None:
    """Give an existing string (`record`, from `find`) or a new one a value, keeping its expiry and flags."""
    if record is None:
        ks.add(name, StringRecord(value, ks.dbs.new_stamp()))
    else:
        record.value = value
        record.stamp = ks.dbs.new_stamp()
        if len(value) >= _COUNTED_BYTES:
            ks.cache.add(name, record)
        ks.changed(name, record)


def append(ks: Keyspace, name: bytes, data: bytes) -> int:
    """Add `data` at the end, creating the key if needed.

    returns: the new length.
    raises: StringTooLong.
    cost: O(length): a value is written as a whole.
    """
    record = find(ks, name)
    value = data if record is None else record.value + data
    check_length(ks, len(value))
    edit(ks, name, record, value)
    return len(value)


def overwrite(ks: Keyspace, name: bytes, offset: int, data: bytes) -> int:
    """Put `data` over the bytes from `offset` on, filling a gap before it with zeros; nothing happens if it is empty.

    returns: the new length.
    raises: StringTooLong.
    cost: O(length).
    """
    record = find(ks, name)
    value = b"" if record is None else record.value
    if not data:
        return len(value)
    check_length(ks, offset + len(data))
    value = splice(value, offset, data)
    edit(ks, name, record, value)
    return len(value)


def set_expiry(ks: Keyspace, name: bytes, record: StringRecord, expire_ms: int) -> None:
    """Let an existing string fall due at `expire_ms` (Unix ms, 0 = never); if that is past, the key is gone at once."""
    if 0 < expire_ms <= ks.dbs.now_ms:
        ks.remove(name)
        return
    was_ms = record.expire_ms
    record.expire_ms = expire_ms
    ks.changed(name, record)
    if ks.notify and (expire_ms or was_ms):
        ks.notify(events.GENERIC, b"expire" if expire_ms else b"persist", name)


def splice(value: bytes, offset: int, data: bytes) -> bytes:
    """`value` with `data` over the bytes from `offset` on, zeros between its end and an offset behind it."""
    old = memoryview(value)
    return b"".join((old[:offset], bytes(max(offset - len(value), 0)), data, old[offset + len(data) :]))


def clip(first: int, last: int, length: int) -> tuple[int, int]:
    """A range of positions as clients give it, both ends included, brought into 0 to length - 1.

    returns: (first, last), with first > last if nothing lies between them.
    source: Redis counts a negative position from the end, and one before the beginning as 0, the last one too.
    """
    if first < 0:
        first = max(first + length, 0)
    if last < 0:
        last = max(last + length, 0)
    return first, min(last, length - 1)


def check_length(ks: Keyspace, length: int) -> None:
    """raises: StringTooLong: `length` bytes are more than a string may have."""
    if length > ks.dbs.value_limit_bytes:
        raise StringTooLong
