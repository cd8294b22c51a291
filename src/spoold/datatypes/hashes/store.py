"""Hashes: values by field.

    record   object id, fields (how many)
    element  prefix, packed field -> value; for a field longer than 480 bytes: its length 4, the field, the value

Fields stand in the order of their packed bytes. All functions on names take the database and the key's name first; a
missing key is an empty hash, and a hash that loses its last field is no key any more. They raise WrongType where the
key holds something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from spoold.core.errors import WrongType
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import PLAIN_BYTES, after, pack_name
from spoold.keyspace.record import HashRecord

# Fields that are read in one go by whoever walks over all.
MANY: Final = 1000
_LENGTH_BYTES: Final = 4


def find(ks: Keyspace, name: bytes) -> HashRecord | None:
    """The hash's record, or None. raises: WrongType."""
    record = ks.find(name)
    if record is None:
        return None
    if record.__class__ is not HashRecord:
        raise WrongType
    return record


def get(ks: Keyspace, name: bytes, field: bytes) -> bytes | None:
    """The value of a field; None if there is none. cost: O(1)."""
    record = find(ks, name)
    return None if record is None else _read(ks, record, field)


def get_many(ks: Keyspace, name: bytes, fields: Iterable[bytes]) -> list[bytes | None]:
    """The value of each field, None where there is none. cost: O(fields asked for)."""
    record = find(ks, name)
    return [None if record is None else _read(ks, record, field) for field in fields]


def exists(ks: Keyspace, name: bytes, field: bytes) -> bool:
    """Whether there is such a field. cost: O(1)."""
    return get(ks, name, field) is not None


def length(ks: Keyspace, name: bytes) -> int:
    """How many fields there are. cost: O(1)."""
    record = find(ks, name)
    return 0 if record is None else record.fields


def put(ks: Keyspace, name: bytes, field: bytes, value: bytes) -> bool:
    """Give a field a value, creating the hash if needed.

    returns: whether the field is new.
    cost: O(1).
    """
    record = find(ks, name) or ks.new_collection(name, HashRecord)
    is_new = _write(ks, record, field, value)
    ks.changed(name, record)
    return is_new


def put_many(ks: Keyspace, name: bytes, pairs: Sequence[tuple[bytes, bytes]]) -> int:
    """Give fields values one after the other, creating the hash if needed.

    returns: how many fields are new.
    cost: O(len(pairs)).
    """
    if not pairs:
        find(ks, name)
        return 0
    record = find(ks, name) or ks.new_collection(name, HashRecord)
    added = sum(_write(ks, record, field, value) for field, value in pairs)
    ks.changed(name, record)
    return added


def put_new(ks: Keyspace, name: bytes, field: bytes, value: bytes) -> bool:
    """Give a field a value unless it has one. returns: whether it was given. cost: O(1)."""
    if exists(ks, name, field):
        return False
    return put(ks, name, field, value)


def take(ks: Keyspace, name: bytes, field: bytes) -> bytes | None:
    """Remove a field. returns: its value; None if there was none. cost: O(1)."""
    record = find(ks, name)
    if record is None:
        return None
    value = _read(ks, record, field)
    if value is not None:
        _remove(ks, name, record, (field,))
    return value


def take_many(ks: Keyspace, name: bytes, fields: Iterable[bytes]) -> list[bytes | None]:
    """Remove fields one after the other. returns: the value that each had, None where there was none."""
    return [take(ks, name, field) for field in fields]


def delete(ks: Keyspace, name: bytes, fields: Iterable[bytes]) -> int:
    """Remove fields. returns: how many there were. cost: O(fields given)."""
    record = find(ks, name)
    if record is None:
        return 0
    there = [field for field in dict.fromkeys(fields) if _read(ks, record, field) is not None]
    if there:
        _remove(ks, name, record, there)
    return len(there)


def clear(ks: Keyspace, name: bytes) -> int:
    """Remove all fields. returns: how many there were. cost: O(1), elements are reclaimed later."""
    record = find(ks, name)
    if record is None:
        return 0
    ks.delete(name)
    return record.fields


def scan(ks: Keyspace, name: bytes, place: bytes, limit: int) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Up to `limit` fields with their values, from `place` on (b"" is the beginning).

    returns: (field, value) pairs, and the place where the next call goes on, b"" at the end. What is there during a
        whole walk is returned exactly once, whatever else changes meanwhile.
    cost: O(limit), and the pending mutations are applied first.
    """
    record = find(ks, name)
    if record is None:
        return [], b""
    prefix = record.prefix
    pairs = ks.batch.scan(prefix + place, after(prefix), limit)
    cut = len(prefix)
    found = []
    for key, stored in pairs:
        packed = key[cut:]
        found.append(_open(stored) if len(packed) > PLAIN_BYTES else (packed, stored))
    return found, pairs[-1][0][cut:] + b"\0" if len(pairs) == limit else b""


def items(ks: Keyspace, name: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All fields with their values; nothing may change before the last one is taken."""
    place = b""
    while True:
        found, place = scan(ks, name, place, MANY)
        yield from found
        if not place:
            return


def _read(ks: Keyspace, record: HashRecord, field: bytes) -> bytes | None:
    if len(field) <= PLAIN_BYTES:
        return ks.batch.get(record.prefix + field)
    stored = ks.batch.get(record.prefix + pack_name(field))
    if stored is None:
        return None
    full, value = _open(stored)
    return value if full == field else None


def _write(ks: Keyspace, record: HashRecord, field: bytes, value: bytes) -> bool:
    """Store a field; returns whether it is new. The caller notes the change."""
    if len(field) <= PLAIN_BYTES:
        key = record.prefix + field
    else:
        key = record.prefix + pack_name(field)
        value = len(field).to_bytes(_LENGTH_BYTES, "big") + field + value
    is_new = ks.batch.get(key) is None
    ks.batch.fresh[key] = value
    record.fields += is_new
    return is_new


def _remove(ks: Keyspace, name: bytes, record: HashRecord, there: Sequence[bytes]) -> None:
    """Remove fields that exist, and the hash with the last of them."""
    fresh = ks.batch.fresh
    for field in there:
        fresh[record.prefix + pack_name(field)] = None
    record.fields -= len(there)
    if record.fields:
        ks.changed(name, record)
    else:
        ks.emptied(name, record)


def _open(stored: bytes) -> tuple[bytes, bytes]:
    """The field and the value in what is stored for a long field."""
    start = _LENGTH_BYTES + int.from_bytes(stored[:_LENGTH_BYTES], "big")
    return stored[_LENGTH_BYTES:start], stored[start:]
