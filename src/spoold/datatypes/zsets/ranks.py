"""Ranks in large sorted sets: how many members stand before a key of the index, and which stands at a rank.

An ordered engine knows no n-th key. In sets of some thousand members keys are counted from the nearer end. For a larger
one, at the first question that would count further than that, all its keys are counted once, and **marks** are kept in
the record: `mark_keys`, in order, the first being the start of the index, and `mark_counts`, how many keys stand from
each mark to the next. `order.added` and `order.removed` keep the counts exact, and a part that has grown is divided
when it is counted in. So a rank costs a sum over members / 512 and a count within one part.

Marks are never stored: they go with the cached record. No mark stands among members that may tie (order.py).
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, chain
from typing import Final

from spoold.datatypes.zsets import order
from spoold.datatypes.zsets.order import DECIDED_KEY
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import ZsetRecord

# Keys that are counted one by one, some 1 ms, before marks are made.
FAR: Final = 4096
# Keys of a part when it is made, and when it is divided.
_PART: Final = 512
_MOST_IN_PART: Final = 2048


def rank(ks: Keyspace, record: ZsetRecord, key: bytes) -> int:
    """How many members stand before that of `key`, which is a key of the index. cost: see the module."""
    if not record.mark_keys:
        found = _near_rank(ks, record, key)
        if found is not None:
            return found
        _mark(ks, record)
    at, start, stop = _part(ks, record, key)
    return sum(record.mark_counts[:at]) + _keys(ks, record, start, stop).index(key)


def locate(ks: Keyspace, record: ZsetRecord, rank: int) -> tuple[bytes, int]:
    """Where to begin to read for the member at `rank`, 0 to members - 1.

    returns: the start of a range, and how many of its first members to skip.
    """
    if rank <= FAR:
        return order.whole(record)[0], rank
    if not record.mark_keys:
        _mark(ks, record)
    before = list(accumulate(record.mark_counts))
    at = bisect_right(before, rank)
    return record.mark_keys[at], rank - (before[at - 1] if at else 0)


def count(ks: Keyspace, record: ZsetRecord, start: bytes, stop: bytes) -> int:
    """How many keys stand in start <= key < stop, which are no keys among members that tie. cost: see the module."""
    if stop <= start:
        return 0
    if not record.mark_keys:
        found = 0
        for keys in order.blocks(ks, record, start, stop):
            found += len(keys)
            if found > FAR:
                break
        else:
            return found
        _mark(ks, record)
    return _count_before(ks, record, stop) - _count_before(ks, record, start)


def _near_rank(ks: Keyspace, record: ZsetRecord, key: bytes) -> int | None:
    """The rank of a key that is near to one of the ends, else None."""
    start, stop = order.whole(record)
    upwards = order.blocks(ks, record, start, stop)
    downwards = order.blocks(ks, record, start, stop, reverse=True)
    below = above = 0
    while below <= FAR:
        keys = next(upwards)
        if key in keys:
            return below + keys.index(key)
        below += len(keys)
        keys = next(downwards)
        if key in keys:
            return record.members - 1 - above - keys.index(key)
        above += len(keys)
    return None


def _count_before(ks: Keyspace, record: ZsetRecord, key: bytes) -> int:
    if key <= record.mark_keys[0]:
        return 0
    at, start, _ = _part(ks, record, key)
    return sum(record.mark_counts[:at]) + len(_keys(ks, record, start, key))


def _keys(ks: Keyspace, record: ZsetRecord, start: bytes, stop: bytes) -> list[bytes]:
    return list(chain.from_iterable(order.blocks(ks, record, start, stop)))


def _part(ks: Keyspace, record: ZsetRecord, key: bytes) -> tuple[int, bytes, bytes]:
    """The part that `key` belongs to, divided if it was large: its place among the marks, its start and stop."""
    at = bisect_right(record.mark_keys, key) - 1
    if record.mark_counts[at] > _MOST_IN_PART:
        _divide(ks, record, at)
        at = bisect_right(record.mark_keys, key) - 1
    marks = record.mark_keys
    return at, marks[at], marks[at + 1] if at + 1 < len(marks) else order.whole(record)[1]


def _mark(ks: Keyspace, record: ZsetRecord) -> None:
    """Count all keys. cost: O(members), some 0.2 s a million."""
    record.mark_keys, record.mark_counts = [order.whole(record)[0]], [record.members]
    _divide(ks, record, 0)
    ks.cache.grew(record.size())


def _divide(ks: Keyspace, record: ZsetRecord, at: int) -> None:
    """Make parts of one, and drop those that are empty."""
    marks, counts = record.mark_keys, record.mark_counts
    start, stop = marks[at], marks[at + 1] if at + 1 < len(marks) else order.whole(record)[1]
    keys: list[bytes] = []
    counted: list[int] = []
    for block in order.blocks(ks, record, start, stop):
        for first in range(0, len(block), _PART):
            members = len(block[first : first + _PART])
            # The head of a long member: all that may tie with it stand behind it, but for those that it follows here.
            mark = block[first][:DECIDED_KEY]
            if first and block[first - 1].startswith(mark):
                counted[-1] += members
            else:
                keys.append(mark)
                counted.append(members)
    marks[at : at + 1] = keys
    counts[at : at + 1] = counted
    record.mark_keys = [mark for mark, members in zip(marks, counts, strict=True) if members]
    record.mark_counts = [members for members in counts if members]
    record.mark_keys[0] = order.whole(record)[0]
