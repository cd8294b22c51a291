"""Hashes: values by field.

    record   object id, fields (how many)
    element  prefix, packed field -> value; for a field longer than 480 bytes: its length 4, the field, the value

Fields stand in the order of their packed bytes; those of a small hash are told as they were added (names.py). All
functions on names take the database and the key's name first; a missing key is an empty hash, and a hash that loses its
last field is no key any more. They raise WrongType where the key holds something else. `get`, `put` and `delete` are
the hot path. A scan replaces `batch.fresh`: take it from the batch again after each read of a range.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final, cast

from spoold.core.errors import EngineError, WrongType
from spoold.datatypes.hashes import names
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import PLAIN_BYTES, after, pack_name
from spoold.keyspace.record import HashRecord

# Fields that are read in one go by whoever walks over all.
MANY: Final = 1000
_LENGTH_BYTES: Final = 4


def find(ks: Keyspace, name: bytes) -> HashRecord | None:
    """The hash's record, or None. raises: WrongType."""
    record = ks.young.get(name)
    if record.__class__ is HashRecord and not record.expire_ms:
        return record
    record = ks.find(name)
    if record is None:
        return None
    if record.__class__ is not HashRecord:
        raise WrongType
    return record


# -- one or several fields ------------------------------------------------------------------------------------------


def get(ks: Keyspace, name: bytes, field: bytes) -> bytes | None:
    """The value of a field; None if there is none. cost: O(1)."""
    record = ks.young.get(name)
    if record.__class__ is not HashRecord or record.expire_ms:
        record = find(ks, name)
        if record is None:
            return None
    if len(field) <= PLAIN_BYTES:
        return ks.batch.get(record.prefix + field)
    return _read_long(ks, record, field)


def get_many(ks: Keyspace, name: bytes, fields: Iterable[bytes]) -> list[bytes | None]:
    """The value of each field, None where there is none. cost: O(fields asked for)."""
    record = find(ks, name)
    if record is None:
        return [None for _ in fields]
    fields = list(fields)
    if not fields or max(map(len, fields)) <= PLAIN_BYTES:
        return ks.batch.get_many(record.prefix, fields)
    return [get(ks, name, field) for field in fields]


def exists(ks: Keyspace, name: bytes, field: bytes) -> bool:
    """Whether there is such a field. cost: O(1)."""
    return get(ks, name, field) is not None


def length(ks: Keyspace, name: bytes) -> int:
    """How many fields there are. cost: O(1)."""
    record = find(ks, name)
    return 0 if record is None else record.fields


def put(ks: Keyspace, name: bytes, field: bytes, value: bytes, *, is_new: bool | None = None) -> bool:
    """Give a field a value, creating the hash if needed.

    is_new: whether the field is, where the caller has looked already.
    returns: whether the field is new.
    raises: EngineError: two long fields have one digest; the turn is rolled back.
    cost: O(1).
    """
    record = ks.young.get(name)
    if record.__class__ is not HashRecord or record.expire_ms:
        record = find(ks, name) or ks.new_collection(name, HashRecord)
    batch = ks.batch
    if len(field) <= PLAIN_BYTES:
        key = record.prefix + field
        if is_new is None:
            is_new = not record.fields or batch.get(key) is None
    else:
        key, value, is_new = _long(ks, record, field, value)
    batch.fresh[key] = value
    if is_new:
        record.fields += 1
        if record.names is not None or record.order:
            names.added(ks, record, key[len(record.prefix) :])
        ks.dirty[name] = record
    if name in ks.observed:
        ks.tell(name)
    return is_new


def put_many(ks: Keyspace, name: bytes, pairs: Iterable[tuple[bytes, bytes]]) -> int:
    """Give fields values one after the other, creating the hash if needed.

    returns: how many fields are new.
    raises: EngineError: two long fields have one digest; the turn is rolled back.
    cost: O(len(pairs)); in a new hash nothing has to be looked up.
    """
    given = dict(pairs)
    record = find(ks, name)
    if not given:
        return 0
    if record is None:
        record = ks.new_collection(name, HashRecord)
    batch = ks.batch
    fresh, prefix = batch.fresh, record.prefix
    read = batch.get if record.fields else _nothing
    added: list[bytes] = []
    for field, value in given.items():
        if len(field) <= PLAIN_BYTES:
            key, stored = prefix + field, value
            is_new = read(key) is None
        else:
            key, stored, is_new = _long(ks, record, field, value)
        fresh[key] = stored
        if is_new:
            added.append(key[len(prefix) :])
    record.fields += len(added)
    if added and (record.names is not None or record.order):
        names.added_all(ks, record, added)
    ks.changed(name, record)
    return len(added)


def put_new(ks: Keyspace, name: bytes, field: bytes, value: bytes) -> bool:
    """Give a field a value unless it has one. returns: whether it was given. cost: O(1)."""
    return get(ks, name, field) is None and put(ks, name, field, value, is_new=True)


def take(ks: Keyspace, name: bytes, field: bytes) -> bytes | None:
    """Remove a field. returns: its value; None if there was none. cost: O(1)."""
    value = get(ks, name, field)
    if value is not None:
        delete(ks, name, (field,))
    return value


def take_many(ks: Keyspace, name: bytes, fields: Iterable[bytes]) -> list[bytes | None]:
    """Remove fields one after the other. returns: the value that each had, None where there was none."""
    return [take(ks, name, field) for field in fields]


def delete(ks: Keyspace, name: bytes, fields: Iterable[bytes]) -> int:
    """Remove fields. returns: how many there were. cost: O(fields given)."""
    record = ks.young.get(name)
    if record.__class__ is not HashRecord or record.expire_ms:
        record = find(ks, name)
        if record is None:
            return 0
    batch = ks.batch
    removed = 0
    for field in fields:
        if len(field) <= PLAIN_BYTES:
            key = record.prefix + field
            there = batch.get(key) is not None
        else:
            key = record.prefix + pack_name(field)
            there = _read_long(ks, record, field) is not None
        if there:
            batch.fresh[key] = None
            names.removed(record, key[len(record.prefix) :])
            removed += 1
    if removed:
        record.fields = left = record.fields - removed
        if left:
            ks.changed(name, record)
        else:
            ks.emptied(name, record)
    return removed


def clear(ks: Keyspace, name: bytes) -> int:
    """Remove all fields. returns: how many there were. cost: O(1), elements are reclaimed later."""
    record = find(ks, name)
    if record is None:
        return 0
    ks.delete(name)
    return record.fields


# -- all fields -----------------------------------------------------------------------------------------------------


def scan(ks: Keyspace, name: bytes, place: bytes, limit: int) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Up to `limit` fields with their values, from `place` on (b"" is the beginning).

    returns: (field, value) pairs, and the place where the next call goes on, b"" at the end. What is there during a
        whole walk is returned exactly once, whatever else changes meanwhile.
    cost: O(limit), and the pending mutations are applied first.
    """
    record = find(ks, name)
    return ([], b"") if record is None else _slice(ks, record, place, limit)


def fields(ks: Keyspace, name: bytes) -> list[bytes]:
    """All fields in their order. cost: O(fields); no value is read but those of long fields."""
    record = find(ks, name)
    if record is None:
        return []
    return [field_of(ks, record, key) for some in keys(ks, record) for key in some]


def items(ks: Keyspace, name: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All fields with their values; nothing may change before the last one is taken."""
    record = find(ks, name)
    return iter(()) if record is None else each(ks, record)


def each(ks: Keyspace, record: HashRecord) -> Iterator[tuple[bytes, bytes]]:
    """All fields of a hash with their values, in bounded memory; nothing may change before the last one is taken."""
    if record.fields < MANY:
        return iter(names.as_added(record, _slice(ks, record, b"", record.fields)[0]))
    return _walk(ks, record)


def keys(ks: Keyspace, record: HashRecord) -> Iterator[list[bytes]]:
    """The engine keys of all fields, `MANY` at a time, in the order of `each`; values are not read."""
    start, stop = record.prefix, after(record.prefix)
    left = record.fields
    if record.names is not None:
        yield [start + packed for packed in names.as_added(record, record.names)]
        return
    while left:
        # No key more than there is: those behind the hash would be read in vain.
        found = ks.batch.scan_keys(start, stop, min(left, MANY))
        yield names.as_added(record, found)
        left -= len(found)
        start = found[-1] + b"\0"


def open_key(ks: Keyspace, record: HashRecord, key: bytes) -> tuple[bytes, bytes]:
    """The field and the value under an engine key. cost: O(1)."""
    return _open(key[len(record.prefix) :], ks.batch.get(key) or b"")


def field_of(ks: Keyspace, record: HashRecord, key: bytes) -> bytes:
    """The field under an engine key; a value is read only where a long field stands in it. cost: O(1)."""
    field = key[len(record.prefix) :]
    return field if len(field) <= PLAIN_BYTES else open_key(ks, record, key)[0]


def _walk(ks: Keyspace, record: HashRecord) -> Iterator[tuple[bytes, bytes]]:
    place = b""
    while True:
        found, place = _slice(ks, record, place, MANY)
        yield from found
        if not place:
            return


def _slice(ks: Keyspace, record: HashRecord, place: bytes, limit: int) -> tuple[list[tuple[bytes, bytes]], bytes]:
    prefix = record.prefix
    cut = len(prefix)
    if record.names is not None and (len(record.names) <= names.FEW_NAMES or not ks.batch.settled):
        at = bisect_left(record.names, place) if place else 0
        known = record.names[at : at + limit]
        values = cast("list[bytes]", ks.batch.get_many(prefix, known))
        found = list(zip(known, values, strict=True))
        return found, known[-1] + b"\0" if len(known) == limit else b""
    longest = cut + PLAIN_BYTES
    pairs = ks.batch.scan(prefix + place, after(prefix), limit)
    found = [(key[cut:], stored) if len(key) <= longest else _open(key[cut:], stored) for key, stored in pairs]
    if record.names is None and not place and len(pairs) == record.fields:
        names.learn(ks, record, [key[cut:] for key, _ in pairs])
    return found, pairs[-1][0][cut:] + b"\0" if len(pairs) == limit else b""


# -- long fields ----------------------------------------------------------------------------------------------------


def _read_long(ks: Keyspace, record: HashRecord, field: bytes) -> bytes | None:
    """The value of a field of any length."""
    packed = pack_name(field)
    stored = ks.batch.get(record.prefix + packed)
    if stored is None:
        return None
    full, value = _open(packed, stored)
    return value if full == field else None


def _nothing(key: bytes) -> None:
    """What is under any key of a new hash."""


def _long(ks: Keyspace, record: HashRecord, field: bytes, value: bytes) -> tuple[bytes, bytes, bool]:
    """Where and how a long field is stored, and whether it is new."""
    packed = pack_name(field)
    key = record.prefix + packed
    known = ks.batch.get(key)
    if known is not None and _open(packed, known)[0] != field:
        raise EngineError(f"two fields of a hash have the digest {packed[-16:].hex()}")
    return key, len(field).to_bytes(_LENGTH_BYTES, "big") + field + value, known is None


def _open(packed: bytes, stored: bytes) -> tuple[bytes, bytes]:
    """The field and the value that are stored under a packed field."""
    if len(packed) <= PLAIN_BYTES:
        return packed, stored
    start = _LENGTH_BYTES + int.from_bytes(stored[:_LENGTH_BYTES], "big")
    return stored[_LENGTH_BYTES:start], stored[start:]
