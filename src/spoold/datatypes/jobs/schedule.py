"""A schedule: values that fall due at a time, taken earliest first.

    record   object id, items (how many), first (no item is due before it), next (the sequence of the next item)
    element  prefix, time 8 (µs since 1970, biased by 2**63), sequence 8 -> value

Equal times come in the order of adding. `first` is a lower bound: asking a schedule of which nothing is due, as
schedulers do all the time, reads no range. A missing key is an empty schedule, and one that loses its last item is no
key any more. All functions raise WrongType where the key holds something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, takewhile
from typing import Final

from spoold.core.errors import WrongType
from spoold.engine.batch import walk
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import BIAS, after, pack_u64, unpack_u64
from spoold.keyspace.record import ScheduleRecord

# Items that are read or deleted in one go, some milliseconds.
MANY: Final = 4096
# Up to so many are deleted one by one: that is not worth a range delete.
_FEW: Final = 128


def find(ks: Keyspace, name: bytes) -> ScheduleRecord | None:
    """The schedule's record, or None. raises: WrongType."""
    record = ks.find(name)
    if record is None:
        return None
    if record.__class__ is not ScheduleRecord:
        raise WrongType
    return record


def add(ks: Keyspace, name: bytes, due_us: int, value: bytes) -> None:
    """Add an item, creating the schedule if needed.

    due_us: µs since 1970, from -2**63 to 2**63 - 1.
    cost: O(1).
    """
    due = due_us + BIAS
    record = find(ks, name)
    if record is None:
        record = ks.new_collection(name, ScheduleRecord)
        record.first = due
    record.first = min(record.first, due)
    ks.batch.fresh[record.prefix + pack_u64(due) + pack_u64(record.next)] = value
    record.next += 1
    record.items += 1
    ks.changed(name, record)


def take_due(ks: Keyspace, name: bytes, now_us: int) -> list[bytes]:
    """Remove all items that are due at or before `now_us`; returns their values, the earliest first.

    cost: O(items returned), and the pending mutations are applied first; O(1) where nothing can be due.
    """
    record = find(ks, name)
    now = now_us + BIAS
    if record is None or now < record.first:
        return []
    prefix = record.prefix
    start, stop = prefix + pack_u64(record.first), prefix + pack_u64(now + 1)
    pairs = list(walk(ks.batch, start, stop, MANY))
    values = [value for _, value in pairs]
    keys = [key for key, _ in pairs]
    if len(values) == record.items:
        ks.delete(name)
        return values
    if len(keys) <= _FEW:
        for key in keys:
            ks.batch.delete(key)
    else:
        while ks.batch.delete_range(keys[0], stop, MANY) == MANY:
            pass
    record.first = now + 1
    record.items -= len(values)
    ks.changed(name, record)
    return values


def take_first(ks: Keyspace, name: bytes, until_us: int) -> bytes | None:
    """Remove the earliest item if it is due at or before `until_us`; returns its value, or None.

    cost: O(1), and the pending mutations are applied first; nothing is read where nothing can be due.
    """
    record = find(ks, name)
    until = until_us + BIAS
    if record is None or until < record.first:
        return None
    prefix = record.prefix
    pairs = ks.batch.scan(prefix + pack_u64(record.first), prefix + pack_u64(until + 1), 2)
    if not pairs:
        return None
    key, value = pairs[0]
    ks.batch.delete(key)
    record.items -= 1
    if not record.items:
        ks.emptied(name, record)
        return value
    record.first = unpack_u64(pairs[1][0][-16:-8]) if len(pairs) > 1 else until + 1
    ks.changed(name, record)
    return value


def take_equal(ks: Keyspace, name: bytes, value: bytes) -> bool:
    """Remove the earliest item whose value is `value`. returns: whether there was one. cost: O(items before it)."""
    record = find(ks, name)
    if record is None:
        return False
    for key, found in _pairs(ks, record):
        if found == value:
            ks.batch.delete(key)
            record.items -= 1
            if record.items:
                ks.changed(name, record)
            else:
                ks.emptied(name, record)
            return True
    return False


def values(ks: Keyspace, name: bytes, limit: int | None = None) -> list[bytes]:
    """The values of all items, the earliest first, or of the first `limit`. cost: O(values returned)."""
    record = find(ks, name)
    return [] if record is None else [value for _, value in islice(_pairs(ks, record), limit)]


def count_until(ks: Keyspace, name: bytes, until_us: int) -> int:
    """How many items are due at or before `until_us`. cost: O(them); O(1) where nothing can be due."""
    record = find(ks, name)
    until = until_us + BIAS
    if record is None or until < record.first:
        return 0
    stop = record.prefix + pack_u64(until + 1)
    return sum(1 for _ in takewhile(lambda pair: pair[0] < stop, _pairs(ks, record)))


def length(ks: Keyspace, name: bytes) -> int:
    """How many items there are. cost: O(1)."""
    record = find(ks, name)
    return 0 if record is None else record.items


def clear(ks: Keyspace, name: bytes) -> int:
    """Remove all items. returns: how many there were. cost: O(1), elements are reclaimed later."""
    record = find(ks, name)
    if record is None:
        return 0
    ks.delete(name)
    return record.items


def items(ks: Keyspace, record: ScheduleRecord) -> Iterator[tuple[int, bytes]]:
    """When each item is due (µs since 1970), and its value, the earliest first; nothing may change meanwhile."""
    for key, value in _pairs(ks, record):
        yield unpack_u64(key[-16:-8]) - BIAS, value


def _pairs(ks: Keyspace, record: ScheduleRecord) -> Iterator[tuple[bytes, bytes]]:
    """Engine keys and values of all items in order; nothing may change before the last one is taken."""
    return walk(ks.batch, record.prefix, after(record.prefix), MANY)
