"""Sorted sets: members in the order of their scores.

    record    object id, members (how many)
    member    prefix, `m`, packed member -> score 8, behind it a long member's bytes
    index     prefix, `s`, score 8, packed member -> empty; read through order.py

Equal scores are in the order of the members' bytes, as memcmp orders them. -0 is stored as 0.

All functions on names take the database and the key's name first; a missing key is an empty set, and a set that loses
its last member is no key any more. They raise WrongType where the key holds something else. `put`, `pop_lowest`,
`remove` and `score` are the hot path of a queue.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from spoold.core.errors import EngineError, ScoreIsNaN, WrongType
from spoold.datatypes.zsets import order
from spoold.datatypes.zsets.order import MEMBER_AT, member_at, score_at
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import PLAIN_BYTES, after, pack_double, pack_name, unpack_double
from spoold.keyspace.record import ZsetRecord

# Conditions under which a member is given a score.
IF_NEW: Final = 1
IF_THERE: Final = 2
IF_GREATER: Final = 4
IF_LESS: Final = 8

# What became of a member.
LEFT: Final = 0
ADDED: Final = 1
UPDATED: Final = 2


def find(ks: Keyspace, name: bytes) -> ZsetRecord | None:
    """The sorted set's record, or None. raises: WrongType."""
    record = ks.find(name)
    if record is None:
        return None
    if record.__class__ is not ZsetRecord:
        raise WrongType
    return record


def holds_zset(ks: Keyspace, name: bytes) -> bool:
    """Whether there is a sorted set of this name."""
    return ks.find(name).__class__ is ZsetRecord


def find_or_make(ks: Keyspace, name: bytes) -> ZsetRecord:
    """The sorted set's record, or that of a new one, which the caller fills. raises: WrongType."""
    record = find(ks, name)
    if record is None:
        record = ks.new_collection(name, ZsetRecord)
        record.low_stop = record.prefix + b"t"  # all its keys are known
    return record


def size(ks: Keyspace, name: bytes) -> int:
    """How many members there are. cost: O(1)."""
    record = find(ks, name)
    return 0 if record is None else record.members


def score(ks: Keyspace, record: ZsetRecord, member: bytes) -> float | None:
    """The score of a member; None if it is not there. cost: O(1)."""
    if len(member) <= PLAIN_BYTES:
        known = ks.batch.get(record.prefix + b"m" + member)
        return None if known is None else unpack_double(known)
    known = ks.batch.get(record.prefix + b"m" + pack_name(member))
    return None if known is None or known[8:] != member else unpack_double(known[:8])


def place(ks: Keyspace, record: ZsetRecord, member: bytes) -> bytes | None:
    """The index key of a member; None if it is not there. cost: O(1)."""
    stem = pack_name(member)
    known = ks.batch.get(record.prefix + b"m" + stem)
    if known is None or (len(known) > 8 and known[8:] != member):
        return None
    return record.prefix + b"s" + known[:8] + stem


def put(ks: Keyspace, name: bytes, member: bytes, number: float) -> int:
    """Give a member a score, creating the set if needed; the change is noted.

    returns: ADDED, UPDATED, or LEFT if it has this score already.
    cost: O(1).
    """
    record = ks.young.get(name)
    if record.__class__ is not ZsetRecord or record.expire_ms:
        record = find_or_make(ks, name)
    done = write(ks, record, member, number)
    if done:
        ks.dirty[name] = record
        if name in ks.observed:
            ks.tell(name)
    return done


def write(ks: Keyspace, record: ZsetRecord, member: bytes, number: float) -> int:
    """Give a member a score; the caller notes the change of the record.

    returns: ADDED, UPDATED, or LEFT if it has this score already.
    raises: EngineError: two long members have one digest; the turn is rolled back.
    """
    batch = ks.batch
    prefix = record.prefix
    packed = pack_double(number)
    if len(member) <= PLAIN_BYTES:
        stem = member
        value = packed
    else:
        stem = pack_name(member)
        value = packed + member
    slot = prefix + b"m" + stem
    known = batch.get(slot)
    fresh = batch.fresh
    if known is None:
        record.members += 1
        done = ADDED
    elif known == value:
        return LEFT
    else:
        if len(known) > 8 and known[8:] != member:
            raise EngineError(f"two members of a sorted set have the digest {slot[-16:].hex()}")
        old = prefix + b"s" + known[:8] + stem
        fresh[old] = None
        if old < record.low_stop or record.mark_keys:
            order.removed(record, old)
        done = UPDATED
    fresh[slot] = value
    key = prefix + b"s" + packed + stem
    fresh[key] = b""
    if key < record.low_stop or record.mark_keys:
        order.added(ks, record, key)
    return done


def change(
    ks: Keyspace, name: bytes, pairs: Sequence[tuple[float, bytes]], rule: int, *, by: bool = False
) -> list[tuple[int, float | None]]:
    """Give members scores, or (by) add to those that they have, where `rule` allows it; all or, at an error, nothing.

    The set is created if a member is added. Several pairs are done one after the other; with `by` there is one.
    returns: for each pair what became of it, and the member's score now: None where the rule did not allow it.
    raises: ScoreIsNaN: the sum of two infinities.
    cost: O(len(pairs)).
    """
    record = find(ks, name)
    if record is None:
        if rule & IF_THERE:
            return [(LEFT, None)] * len(pairs)
        record = find_or_make(ks, name)
    done = [_change(ks, record, number, member, rule, by) for number, member in pairs]
    if any(what for what, _ in done):
        ks.changed(name, record)
    return done


def _change(
    ks: Keyspace, record: ZsetRecord, number: float, member: bytes, rule: int, by: bool
) -> tuple[int, float | None]:
    had = score(ks, record, member)
    if had is None:
        return (LEFT, None) if rule & IF_THERE else (write(ks, record, member, number), number)
    if rule & IF_NEW:
        return LEFT, None
    if by:
        number += had
        if math.isnan(number):
            raise ScoreIsNaN
    if (rule & IF_GREATER and number <= had) or (rule & IF_LESS and number >= had):
        return LEFT, None
    return write(ks, record, member, number), number


def remove(ks: Keyspace, name: bytes, members: Iterable[bytes]) -> int:
    """Remove members. returns: how many there were. cost: O(len(members))."""
    record = find(ks, name)
    if record is None:
        return 0
    fresh = ks.batch.fresh
    before = record.members
    for member in members:
        key = place(ks, record, member)
        if key is not None:
            fresh[key] = None
            fresh[record.prefix + b"m" + key[MEMBER_AT:]] = None
            order.removed(record, key)
            record.members -= 1
    if record.members != before:
        _settle(ks, name, record)
    return before - record.members


def remove_keys(ks: Keyspace, name: bytes, record: ZsetRecord, keys: list[bytes]) -> None:
    """Remove the members of these index keys. cost: O(len(keys)); O(1) if they are all that there are."""
    if not keys:
        return
    if len(keys) == record.members:
        ks.delete(name)
        return
    fresh = ks.batch.fresh
    slots = record.prefix + b"m"
    for key in keys:
        fresh[key] = None
        fresh[slots + key[MEMBER_AT:]] = None
    order.removed_many(record, keys)
    record.members -= len(keys)
    ks.changed(name, record)


def pop_lowest(ks: Keyspace, name: bytes) -> tuple[bytes, float] | None:
    """Take the member with the lowest score; None if there is none. cost: O(1), see order.lowest."""
    record = ks.young.get(name)
    if record.__class__ is not ZsetRecord or record.expire_ms:
        record = find(ks, name)
        if record is None:
            return None
    key = order.lowest(ks, record)
    member = member_at(ks, record, key)
    fresh = ks.batch.fresh
    fresh[key] = None
    fresh[record.prefix + b"m" + key[MEMBER_AT:]] = None
    order.removed(record, key)
    record.members -= 1
    _settle(ks, name, record)
    return member, score_at(key)


def pop(ks: Keyspace, name: bytes, count: int, *, highest: bool = False) -> list[tuple[bytes, float]]:
    """Take up to `count` members, those with the lowest scores or (highest) the highest first. cost: O(count)."""
    record = find(ks, name)
    if record is None or not count:
        return []
    keys = order.take(ks, record, *order.whole(record), 0, min(count, record.members), reverse=highest)
    taken = pairs(ks, record, keys)
    remove_keys(ks, name, record, keys)
    return taken


def replace(ks: Keyspace, name: bytes, scores: Iterable[tuple[bytes, float]]) -> int:
    """Make `name` a sorted set of distinct members with scores, whatever it was before; without any it is no key.

    returns: how many members it has. cost: O(members).
    """
    record = ZsetRecord(ks.dbs.new_id())
    batch, prefix = ks.batch, record.prefix
    for member, number in scores:
        packed, stem = pack_double(number), pack_name(member)
        fresh = batch.fresh  # `scores` may read ranges
        fresh[prefix + b"m" + stem] = packed if len(member) <= PLAIN_BYTES else packed + member
        fresh[prefix + b"s" + packed + stem] = b""
        record.members += 1
    if not record.members:
        ks.delete(name)
        return 0
    ks.replace(name, record)
    return record.members


def members(ks: Keyspace, record: ZsetRecord, keys: list[bytes]) -> list[bytes]:
    """The members of index keys."""
    return [member_at(ks, record, key) for key in keys]


def pairs(ks: Keyspace, record: ZsetRecord, keys: list[bytes]) -> list[tuple[bytes, float]]:
    """The members of index keys with their scores."""
    return [(member_at(ks, record, key), score_at(key)) for key in keys]


def each(ks: Keyspace, record: ZsetRecord) -> Iterator[tuple[bytes, float]]:
    """All members with their scores in order, in bounded memory; nothing may be written to the set meanwhile."""
    for keys in order.blocks(ks, record, *order.whole(record)):
        yield from pairs(ks, record, keys)


def between(ks: Keyspace, record: ZsetRecord, low: float, stop: float) -> Iterator[tuple[bytes, float]]:
    """Members with low <= score < stop, and their scores; nothing may be written to the set meanwhile.

    cost: O(members taken).
    """
    for keys in order.blocks(ks, record, order.from_score(record, low), order.from_score(record, stop)):
        yield from pairs(ks, record, keys)


def scan(ks: Keyspace, record: ZsetRecord, at: bytes, limit: int) -> tuple[list[tuple[bytes, float]], bytes]:
    """Up to `limit` members with their scores in the order of their packed bytes, from the place `at` on (b"": first).

    returns: the pairs, and the place where the next call goes on, b"" at the end. A member that is there during a whole
        walk is returned exactly once, whatever becomes of its score.
    cost: O(limit), and the pending mutations are applied first.
    """
    prefix = record.prefix + b"m"
    found = ks.batch.scan(prefix + at, after(prefix), limit)
    cut = len(prefix)
    listed = [(value[8:] or key[cut:], unpack_double(value[:8])) for key, value in found]
    return listed, found[-1][0][cut:] + b"\0" if len(found) == limit else b""


def _settle(ks: Keyspace, name: bytes, record: ZsetRecord) -> None:
    if record.members:
        ks.changed(name, record)
    else:
        ks.emptied(name, record)
