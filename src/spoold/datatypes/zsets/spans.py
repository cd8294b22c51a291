"""What lies between two ranks, scores or members: index keys in order, for whoever reads, counts, stores or removes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import dropwhile, islice, takewhile

from spoold.datatypes.zsets import order, ranks
from spoold.datatypes.zsets.bounds import Members, Scores
from spoold.datatypes.zsets.order import MEMBER_AT, member_at
from spoold.datatypes.zsets.ranks import FAR
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import ZsetRecord


def cut_ranks(start: int, stop: int, members: int) -> tuple[int, int]:
    """(first rank, how many) of a range of ranks as clients write it: both included, negative from the end."""
    first = max(start + members, 0) if start < 0 else start
    last = stop + members if stop < 0 else min(stop, members - 1)
    return first, max(last - first + 1, 0)


def by_rank(ks: Keyspace, record: ZsetRecord, start: int, stop: int, *, reverse: bool = False) -> list[bytes]:
    """The keys between two ranks, both included, negative from the end.

    cost: O(keys found, and up to them from the nearer end; in sets of many thousand members see ranks.py).
    """
    first, count = cut_ranks(start, stop, record.members)
    if not count:
        return []
    behind = record.members - first - count
    if min(first, behind) > FAR:
        place, skip = ranks.locate(ks, record, behind if reverse else first)
        found = order.take(ks, record, place, order.whole(record)[1], skip, count)
        return found[::-1] if reverse else found
    if first <= behind:
        return order.take(ks, record, *order.whole(record), first, count, reverse=reverse)
    found = order.take(ks, record, *order.whole(record), behind, count, reverse=not reverse)
    found.reverse()
    return found


def by_score(
    ks: Keyspace,
    record: ZsetRecord,
    wanted: Scores,
    skip: int = 0,
    count: int = -1,
    *,
    reverse: bool = False,
) -> list[bytes]:
    """The keys in a range of scores.

    skip: leave out so many; negative: all. count: so many at most; negative: any number.
    cost: O(skip + count), whatever the size of the set.
    """
    if skip < 0 or not count:
        return []
    return order.take(ks, record, *wanted.keys(record), skip, count, reverse=reverse)


def by_member(
    ks: Keyspace,
    record: ZsetRecord,
    wanted: Members,
    skip: int = 0,
    count: int = -1,
    *,
    reverse: bool = False,
) -> list[bytes]:
    """The keys in a range of members; meant for sets whose members have one score. skip, count: as above.

    cost: O(skip + count) where all have one score, else O(members).
    """
    if skip < 0 or not count or wanted.is_empty:
        return []
    keys = _by_member(ks, record, wanted, reverse=reverse)
    # islice takes no number of 64 bits.
    skip = min(skip, record.members)
    return list(islice(keys, skip, None if count < 0 else skip + min(count, record.members)))


def _by_member(ks: Keyspace, record: ZsetRecord, wanted: Members, *, reverse: bool) -> Iterator[bytes]:
    first, stop = order.whole(record)
    lowest = order.lowest(ks, record)[:MEMBER_AT]
    (highest,) = order.take(ks, record, first, stop, 0, 1, reverse=True)
    if highest.startswith(lowest):
        first, stop = wanted.keys(lowest)
    # With several scores: from the first member in the range to the first behind it, in the order of the scores.
    keys = (key for block in order.blocks(ks, record, first, stop, reverse=reverse) for key in block)
    begins, goes_on = (wanted.ends, wanted.starts) if reverse else (wanted.starts, wanted.ends)
    begun = dropwhile(lambda key: not begins(member_at(ks, record, key)), keys)
    return takewhile(lambda key: goes_on(member_at(ks, record, key)), begun)
