"""How far a group has come: how many entries were read, and how many are left, as Redis 7.0 reckons both.

A stream counts every entry that was ever added, and a group every entry that it has read; the difference is the lag. A
deleted entry in between makes both guesses, which are then given up rather than told wrong.

source: https://redis.io/docs/latest/commands/xinfo-groups/, consumer group lag; redis 7.0: src/t_stream.c.
"""

from __future__ import annotations

from typing import Final

from spoold.datatypes.streams.groups import UNKNOWN, Group
from spoold.datatypes.streams.ids import ZERO
from spoold.keyspace.record import StreamRecord

_SIGN: Final = 1 << 63
_ALL: Final = (1 << 64) - 1


def position(record: StreamRecord, id_: bytes) -> int:
    """How many entries were ever added up to `id_`; UNKNOWN where deletions, or an id to come, make it a guess."""
    if not record.added:
        return 0
    if not record.length and id_ <= record.last:
        return record.added
    if id_ == record.last:
        return record.added
    if id_ > record.last:
        return UNKNOWN
    if record.max_deleted == ZERO or record.max_deleted < record.first:
        if id_ < record.first:
            return record.added - record.length
        if id_ == record.first:
            return record.added - record.length + 1
    return UNKNOWN


def lag(record: StreamRecord, group: Group) -> int | None:
    """How many entries a group has still to read; None where that can't be told."""
    if not record.added:
        return 0
    read = group.read
    if read == UNKNOWN or _has_gaps(record, group.last):
        read = position(record, group.last)
    return None if read == UNKNOWN else signed(record.added - read)


def advance(record: StreamRecord, group: Group, ids: list[bytes]) -> None:
    """The group has read the entries `ids`, in their order; those that it had passed already do not count."""
    if group.read != UNKNOWN and ids[0] > group.last and not _has_gaps(record, ids[0]):
        group.read = signed(group.read + len(ids))
        group.last = ids[-1]
        return
    for id_ in ids:
        if id_ <= group.last:
            continue
        if group.read != UNKNOWN and not _has_gaps(record, id_):
            group.read = signed(group.read + 1)
        elif record.added:
            group.read = signed(position(record, id_))
        group.last = id_


def signed(count: int) -> int:
    """A number in 64 bits with a sign, as Redis tells and stores it.

    Counters that clients set (ENTRIESREAD, ENTRIESADDED) may lead over the edge, and so do differences of ids.
    """
    return (count + _SIGN & _ALL) - _SIGN


def _has_gaps(record: StreamRecord, start: bytes) -> bool:
    """Whether an entry from `start` on was deleted; what was deleted before the first entry leaves no gap."""
    deleted = record.max_deleted
    return bool(record.length) and deleted != ZERO and record.first <= deleted and start <= deleted
