"""Lists: find elements by value, insert and remove in the middle.

Elements stand at contiguous positions, so whoever opens or closes a gap has to shift elements. Of all ways to do it
the one that shifts fewest is taken: with one gap that is the shorter side of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, cast

from spoold.datatypes.lists import tags
from spoold.datatypes.lists.store import HEAD, MANY, TAIL, cut, find, read, shift
from spoold.keyspace import events
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import ListRecord, TaggedListRecord

# A search reads so many elements first: what is searched for often stands near the end where the search begins.
_FIRST: Final = 64


def insert(ks: Keyspace, name: bytes, pivot: bytes, value: bytes, *, behind: bool) -> int:
    """Put `value` before or behind the first element that equals `pivot`.

    returns: the new length; -1 if no element does, 0 if there is no list.
    cost: O(elements up to the pivot) reads, O(elements on the shorter side of it) moves.
    """
    record = find(ks, name)
    if record is None:
        return 0
    found = next(_matches(ks, record, pivot, HEAD, record.count()), None)
    if found is None:
        return -1
    at = found + behind
    if at - record.head < record.tail - at:
        shift(ks, record, record.head, at, -1)
        record.head -= 1
        at -= 1
    else:
        shift(ks, record, at, record.tail, 1)
        record.tail += 1
    ks.batch.put(record.prefix + at.to_bytes(8, "big"), value)
    ks.changed(name, record)
    if ks.notify:
        ks.notify(events.LIST, b"linsert", name)
    return record.count()


def remove(ks: Keyspace, name: bytes, value: bytes, count: int) -> int:
    """Remove elements that equal `value`: the first `count`, the last `-count` if it is negative, all if it is 0.

    returns: how many were removed.
    cost: O(elements up to the last one that is removed) reads; moves: all that stand outside the longest stretch
        without a removal.
    """
    record = find(ks, name)
    if record is None:
        return 0
    found = []
    for at in _matches(ks, record, value, TAIL if count < 0 else HEAD, record.count()):
        found.append(at)
        if len(found) == abs(count):
            break
    all_go = len(found) == record.count()
    if all_go:
        ks.delete(name)
    elif found:
        _close_gaps(ks, record, sorted(found))
        ks.changed(name, record)
    if found and ks.notify:
        ks.notify(events.LIST, b"lrem", name)
        if all_go:
            ks.notify(events.GENERIC, b"del", name)
    return len(found)


def indexes(ks: Keyspace, name: bytes, value: bytes, rank: int, count: int, most: int) -> list[int]:
    """Where elements that equal `value` stand, counted from the head.

    rank: the first match to list, from 1; a negative one counts, and lists, from the tail.
    count: list so many, 0 = all. most: look at so many elements only, 0 = all.
    cost: O(elements looked at).
    """
    record = find(ks, name)
    if record is None:
        return []
    listed: list[int] = []
    skip = abs(rank) - 1
    for at in _matches(ks, record, value, TAIL if rank < 0 else HEAD, min(most or record.count(), record.count())):
        if skip:
            skip -= 1
            continue
        listed.append(at - record.head)
        if len(listed) == count:
            break
    return listed


def _matches(ks: Keyspace, record: ListRecord, value: bytes, side: int, most: int) -> Iterator[int]:
    """Positions of elements that equal `value` among the `most` that are nearest to `side`, from there inwards.

    Nothing may be written to the list before the last one is taken.
    """
    done, size = 0, _FIRST
    while done < most:
        size = min(size, most - done)
        first = record.tail - done - size if side else record.head + done
        values = read(ks, record, first, first + size)
        if value in values:
            found = [first + offset for offset, element in enumerate(values) if element == value]
            yield from reversed(found) if side else found
        done += size
        size = MANY


def _close_gaps(ks: Keyspace, record: ListRecord, gaps: list[int]) -> None:
    """Remove the elements at the positions `gaps` (ascending); the longest run between them stays where it is."""
    if record.second_id:
        for at in gaps:
            tags.take(ks, cast("TaggedListRecord", record), at)
    edges = [record.head - 1, *gaps, record.tail]
    runs = [(left + 1, right) for left, right in pairwise(edges)]
    staying = max(range(len(runs)), key=lambda number: runs[number][1] - runs[number][0])
    for number in range(staying - 1, -1, -1):
        shift(ks, record, *runs[number], staying - number)
    for number in range(staying + 1, len(runs)):
        shift(ks, record, *runs[number], staying - number)
    cut(ks, record, record.head + staying, record.tail - (len(gaps) - staying))
