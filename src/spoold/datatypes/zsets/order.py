"""The score index of a sorted set: its keys in order, the first of them kept in memory.

    index key    prefix, `s`, score 8 (order-preserving), packed member

A range is two index keys, start <= key < stop. `whole` and `from_score` make them, and bounds.py.

**The low end.** Queues poll and pop the lowest scores, and a scan of the engine applies all pending mutations first.
So a record keeps the first keys of its index: `low` holds, in order, all keys before `low_stop`. A record that was read
from the engine knows nothing (`low_stop` is empty), a new set everything. Whoever adds or removes an index key tells
`added` or `removed`, for this and for the marks of ranks.py; on the hot path only if the key is below `low_stop` or
there are marks. A rollback drops the record, and both with it.

**Ties.** A member longer than 480 bytes stands under its first 465 bytes and a digest, so among members of one score
that share these 465 bytes the keys' order may not be that of the full bytes. `blocks` hands such members out together
and sorted by their full bytes: it reads all that tie with the last one, however many they are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import HEAD_BYTES, PLAIN_BYTES, after, pack_double, unpack_double
from spoold.keyspace.record import ZsetRecord

# Kind of entry 1 and object id 8, `s` 1, score 8.
MEMBER_AT: Final = 18
_SCORE_AT: Final = 10
# Index keys from the first length on may tie; those longer than the second hold a digest.
DECIDED_KEY: Final = MEMBER_AT + HEAD_BYTES
_PLAIN_KEY: Final = MEMBER_AT + PLAIN_BYTES

# Keys that are read ahead for the low end, and kept of it at most and after it was cut: a look-up among them costs
# less than a microsecond, and they take some 10 KiB.
_AHEAD: Final = 128
_MOST_KEPT: Final = 512
_LEFT_KEPT: Final = 256
# Keys in the first block of a walk, and in the largest.
_FIRST_BLOCK: Final = 32
_LARGEST_BLOCK: Final = 4096


def index_key(record: ZsetRecord, packed_score: bytes, packed_member: bytes) -> bytes:
    """The key of one entry."""
    return record.prefix + b"s" + packed_score + packed_member


def whole(record: ZsetRecord) -> tuple[bytes, bytes]:
    """The range of all entries."""
    return record.prefix + b"s", record.prefix + b"t"


def from_score(record: ZsetRecord, score: float) -> bytes:
    """Where the entries of `score` start."""
    return record.prefix + b"s" + pack_double(score)


def score_at(key: bytes) -> float:
    """The score in an index key."""
    return unpack_double(key[_SCORE_AT:MEMBER_AT])


def member_at(ks: Keyspace, record: ZsetRecord, key: bytes) -> bytes:
    """The member of an index key."""
    if len(key) <= _PLAIN_KEY:
        return key[MEMBER_AT:]
    return (ks.batch.get(record.prefix + b"m" + key[MEMBER_AT:]) or b"")[8:]


# -- the low end ----------------------------------------------------------------------------------------------------


def added(ks: Keyspace, record: ZsetRecord, key: bytes) -> None:
    """An index key is new."""
    if record.mark_keys:
        record.mark_counts[bisect_right(record.mark_keys, key) - 1] += 1
    if key >= record.low_stop:
        return
    low = record.low
    insort(low, key)
    count = len(low)
    if count & (count - 1) == 0 and count >= _FIRST_BLOCK:
        ks.cache.grew(record.size())
    if count > _MOST_KEPT:
        record.low_stop = low[_LEFT_KEPT]
        del low[_LEFT_KEPT:]


def removed(record: ZsetRecord, key: bytes) -> None:
    """An index key is gone."""
    if record.mark_keys:
        record.mark_counts[bisect_right(record.mark_keys, key) - 1] -= 1
    if key < record.low_stop:
        low = record.low
        del low[bisect_left(low, key)]


def removed_many(record: ZsetRecord, keys: list[bytes]) -> None:
    """Index keys are gone, wherever they were."""
    if record.mark_keys:
        for key in keys:
            record.mark_counts[bisect_right(record.mark_keys, key) - 1] -= 1
    if min(keys) < record.low_stop:
        gone = set(keys)
        record.low = [key for key in record.low if key not in gone]


def lowest(ks: Keyspace, record: ZsetRecord) -> bytes:
    """The key of the first entry, of which there must be one. cost: O(1), and a scan for every 128 that were taken."""
    if not record.low:
        _read_ahead(ks, record)
    key = record.low[0]
    if len(key) <= DECIDED_KEY:
        return key
    return next(blocks(ks, record, *whole(record)))[0]


def _read_ahead(ks: Keyspace, record: ZsetRecord) -> None:
    start, stop = whole(record)
    keys = ks.batch.scan_keys(record.low_stop or start, stop, _AHEAD)
    record.low += keys
    record.low_stop = keys[-1] + b"\0" if len(keys) == _AHEAD else stop
    ks.cache.grew(record.size())


# -- ranges ---------------------------------------------------------------------------------------------------------


def blocks(
    ks: Keyspace,
    record: ZsetRecord,
    start: bytes,
    stop: bytes,
    *,
    reverse: bool = False,
    size: int = 0,
) -> Iterator[list[bytes]]:
    """The keys of a range in the order of scores and members, in blocks of which none is empty.

    size: how many keys the first block has, 0 if it is not known how many are wanted.
    Nothing may be written to the set before the last block is taken.
    cost: O(keys taken), and (but for the low end) the pending mutations are applied first. A block of members that tie
        holds all of them.
    """
    size = size or _FIRST_BLOCK
    read = _descending if reverse else _ascending
    while keys := read(ks, record, start, stop, size):
        last = keys[-1]
        if len(last) >= DECIDED_KEY and len(keys) == size:
            # All that tie with the last one, piece by piece: a read may go far beyond its end.
            head = last[:DECIDED_KEY]
            low, high = max(start, head), min(stop, after(head))
            while tied := read(ks, record, *((low, keys[-1]) if reverse else (keys[-1] + b"\0", high)), _FIRST_BLOCK):
                keys += tied
            last = keys[-1]
        ended = len(keys) < size
        yield _in_order(ks, record, keys, reverse=reverse)
        if ended:
            return
        if reverse:
            stop = last
        else:
            start = last + b"\0"
        size = min(size * 8, _LARGEST_BLOCK)


def take(
    ks: Keyspace,
    record: ZsetRecord,
    start: bytes,
    stop: bytes,
    skip: int = 0,
    count: int = -1,
    *,
    reverse: bool = False,
) -> list[bytes]:
    """The keys of a range in order, without the first `skip`, at most `count` (negative: all).

    cost: O(skip + count), some 0.2 µs a key that is skipped.
    """
    found: list[bytes] = []
    size = min(skip + count, _FIRST_BLOCK) if count > 0 else 0
    for keys in blocks(ks, record, start, stop, reverse=reverse, size=size):
        if skip >= len(keys):
            skip -= len(keys)
            continue
        found += keys[skip : skip + count - len(found)] if count >= 0 else keys[skip:]
        skip = 0
        if len(found) == count:
            break
    return found


def _ascending(ks: Keyspace, record: ZsetRecord, start: bytes, stop: bytes, limit: int) -> list[bytes]:
    """Up to `limit` keys of a range in the keys' order, from the low end as far as that goes."""
    if not record.low and record.low_stop < stop:
        _read_ahead(ks, record)
    while start < record.low_stop:
        low = record.low
        at = bisect_left(low, start)
        found = low[at : at + limit]
        if found and found[-1] >= stop:
            del found[bisect_left(found, stop) :]
            return found
        missing = limit - len(found)
        if not missing or stop <= record.low_stop:
            return found
        if missing > _AHEAD or len(low) > _LEFT_KEPT:
            return found + ks.batch.scan_keys(record.low_stop, stop, missing)
        _read_ahead(ks, record)
    return ks.batch.scan_keys(start, stop, limit)


def _descending(ks: Keyspace, record: ZsetRecord, start: bytes, stop: bytes, limit: int) -> list[bytes]:
    """Up to `limit` keys of a range against the keys' order."""
    if record.members <= _AHEAD and not record.low:
        _read_ahead(ks, record)
    if stop > record.low_stop:
        return ks.batch.scan_keys(start, stop, limit, reverse=True)
    low = record.low
    end = bisect_left(low, stop)
    found = low[max(bisect_left(low, start), end - limit) : end]
    found.reverse()
    return found


def _in_order(ks: Keyspace, record: ZsetRecord, keys: list[bytes], *, reverse: bool) -> list[bytes]:
    """The keys, which hold all that tie with one of them, in the order of the members' full bytes."""
    if max(map(len, keys)) <= _PLAIN_KEY:
        return keys
    ordered: list[bytes] = []
    for _, group in groupby(keys, lambda key: key[:DECIDED_KEY]):
        tied = list(group)
        if len(tied) > 1:
            tied.sort(key=lambda key: member_at(ks, record, key), reverse=reverse)
        ordered += tied
    return ordered
