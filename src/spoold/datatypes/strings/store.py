"""Strings: the value stands in the record itself.

All functions take the database and the key's name first and raise WrongType where the key holds something else.
"""

from __future__ import annotations

from spoold.core.errors import WrongType
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import StringRecord


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
    record = ks.find(name)
    if record is None:
        return None
    if record.__class__ is not StringRecord:
        raise WrongType
    return record.value


def put(ks: Keyspace, name: bytes, value: bytes, expire_ms: int = 0, flags: int = 0) -> None:
    """Set the value, whatever the key held before. expire_ms: Unix ms, 0 = never. flags: memcached's. cost: O(1)."""
    record = ks.find(name)
    if record.__class__ is StringRecord:
        record.value = value
        record.stamp = ks.dbs.new_stamp()
        record.flags = flags
        record.expire_ms = expire_ms
        ks.changed(name, record)
        return
    made = StringRecord(value, ks.dbs.new_stamp(), flags)
    made.expire_ms = expire_ms
    ks.replace(name, made)


def edit(ks: Keyspace, name: bytes, record: StringRecord | None, value: bytes) -> None:
    """Give an existing string (`record`, from `find`) or a new one a value, keeping its expiry and flags."""
    if record is None:
        ks.add(name, StringRecord(value, ks.dbs.new_stamp()))
    else:
        record.value = value
        record.stamp = ks.dbs.new_stamp()
        ks.changed(name, record)
