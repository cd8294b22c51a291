"""ZRANGE and its older sisters, ZCOUNT, ZRANK, ZREMRANGEBY…: what lies between two ranks, scores or members."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import DENYOOM, FAST, READONLY, WRITE, Keys, command
from spoold.core.errors import LimitOfRanks, ScoresOfLex, SyntaxFault, WrongArity
from spoold.core.numerals import parse_int
from spoold.core.reply import NULL_ARRAY, Pairs, Reply
from spoold.datatypes.zsets import ranks, spans, store
from spoold.datatypes.zsets.bounds import parse_members, parse_scores
from spoold.datatypes.zsets.commands import tell
from spoold.datatypes.zsets.order import score_at
from spoold.keyspace import events
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import ZsetRecord

RANK: Final = b""
SCORE: Final = b"BYSCORE"
LEX: Final = b"BYLEX"

Find = Callable[[Keyspace, ZsetRecord], list[bytes]]
"""Gives the index keys of a range of one set."""


class _Options(NamedTuple):
    by: bytes
    reverse: bool
    skip: int
    most: int
    with_scores: bool


@lru_cache(256)  # what is right is short
def _parse_options(
    options: tuple[bytes, ...], by: bytes | None, reverse: bool | None, *, storing: bool = False
) -> _Options:
    """Read what stands behind the ends of a range; by, reverse: as the command's name says it, None if it does not.

    raises: SyntaxFault, NotAnInteger, LimitOfRanks, ScoresOfLex.
    """
    skip, most, with_scores = 0, -1, False
    args = Args(options)
    while args:
        word = args.word()
        if word == b"WITHSCORES" and not storing:
            with_scores = True
        elif word == b"LIMIT" and len(args) >= 2:
            skip, most = args.int(), args.int()
        elif word == b"REV" and reverse is None:
            reverse = True
        elif word in {SCORE, LEX} and by is None:
            by = word
        else:
            raise SyntaxFault
    by = by or RANK
    if most != -1 and by == RANK:
        raise LimitOfRanks
    if with_scores and by == LEX:
        raise ScoresOfLex
    return _Options(by, bool(reverse), skip, most, with_scores)


def _finder(start: bytes, stop: bytes, options: _Options) -> Find:
    """Read the ends of a range. raises: NotAnInteger, BadScoreBound, BadLexBound."""
    by, reverse, skip, most, _ = options
    if by == RANK:
        first, last = parse_int(start), parse_int(stop)
        return lambda ks, record: spans.by_rank(ks, record, first, last, reverse=reverse)
    low, high = (stop, start) if reverse else (start, stop)
    if by == SCORE:
        scores = parse_scores(low, high)
        return lambda ks, record: spans.by_score(ks, record, scores, skip, most, reverse=reverse)
    members = parse_members(low, high)
    return lambda ks, record: spans.by_member(ks, record, members, skip, most, reverse=reverse)


def _range(ctx: Context, key: bytes, start: bytes, stop: bytes, options: _Options) -> Reply:
    find = _finder(start, stop, options)
    ks = ctx.ks
    record = store.find(ks, key)
    if record is None:
        return []
    found = find(ks, record)
    return Pairs(store.pairs(ks, record, found)) if options.with_scores else store.members(ks, record, found)


@command(
    "ZRANGE",
    flags=READONLY,
    keys=Keys(1),
    since="1.2.0",
    syntax="ZRANGE key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
)
def zrange(ctx: Context, key: bytes, start: bytes, stop: bytes, *options: bytes) -> Reply:
    """Lists the members between two ranks, scores or members, both included, in order.

    options: BYSCORE: the ends are scores, `(1.5` leaves 1.5 out. BYLEX: they are members as `[a`, `(a`, `-`, `+`; for
        sets whose members have one score. REV: the highest first; the ends by score or member then change places.
    returns: members; WITHSCORES: pairs.
    raises: SyntaxFault, NotAnInteger, LimitOfRanks, ScoresOfLex, BadScoreBound, BadLexBound, WrongType.
    cost: O(members listed, and passed by before them: ranks as with ZRANK).
    """
    return _range(ctx, key, start, stop, _parse_options(options, None, None))


@command("ZREVRANGE", flags=READONLY, keys=Keys(1), since="1.2.0", syntax="ZREVRANGE key start stop [WITHSCORES]")
def zrevrange(ctx: Context, key: bytes, start: bytes, stop: bytes, *options: bytes) -> Reply:
    """Lists the members between two ranks, the highest first; ZRANGE with REV.

    cost: O(members listed), and two ranks as with ZRANK.
    """
    return _range(ctx, key, start, stop, _parse_options(options, RANK, True))


@command(
    "ZRANGEBYSCORE",
    flags=READONLY,
    keys=Keys(1),
    since="1.0.5",
    syntax="ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]",
)
def zrangebyscore(ctx: Context, key: bytes, low: bytes, high: bytes, *options: bytes) -> Reply:
    """Lists the members whose scores lie in a range; ZRANGE with BYSCORE.

    cost: O(members listed, and passed by for the offset), whatever the size of the set.
    """
    return _range(ctx, key, low, high, _parse_options(options, SCORE, False))


@command(
    "ZREVRANGEBYSCORE",
    flags=READONLY,
    keys=Keys(1),
    since="2.2.0",
    syntax="ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]",
)
def zrevrangebyscore(ctx: Context, key: bytes, high: bytes, low: bytes, *options: bytes) -> Reply:
    """Lists the members whose scores lie in a range, the highest first; ZRANGE with BYSCORE and REV.

    cost: O(members listed, and passed by for the offset), whatever the size of the set.
    """
    return _range(ctx, key, high, low, _parse_options(options, SCORE, True))


@command(
    "ZRANGEBYLEX",
    flags=READONLY,
    keys=Keys(1),
    since="2.8.9",
    syntax="ZRANGEBYLEX key min max [LIMIT offset count]",
)
def zrangebylex(ctx: Context, key: bytes, low: bytes, high: bytes, *options: bytes) -> Reply:
    """Lists the members that lie between two members; ZRANGE with BYLEX.

    cost: O(members listed, and passed by for the offset), whatever the size of the set.
    """
    return _range(ctx, key, low, high, _parse_options(options, LEX, False))


@command(
    "ZREVRANGEBYLEX",
    flags=READONLY,
    keys=Keys(1),
    since="2.8.9",
    syntax="ZREVRANGEBYLEX key max min [LIMIT offset count]",
)
def zrevrangebylex(ctx: Context, key: bytes, high: bytes, low: bytes, *options: bytes) -> Reply:
    """Lists the members that lie between two members, the highest first; ZRANGE with BYLEX and REV.

    cost: O(members listed, and passed by for the offset), whatever the size of the set.
    """
    return _range(ctx, key, high, low, _parse_options(options, LEX, True))


@command(
    "ZRANGESTORE",
    flags=WRITE | DENYOOM,
    keys=Keys(1, 2, access="OW update|RO access"),
    since="6.2.0",
    syntax="ZRANGESTORE dst src min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]",
)
def zrangestore(ctx: Context, destination: bytes, source: bytes, start: bytes, stop: bytes, *options: bytes) -> int:
    """Makes a key the sorted set of the members that ZRANGE would list, and counts them.

    raises, cost: as ZRANGE.
    """
    find = _finder(start, stop, _parse_options(options, None, None, storing=True))
    ks = ctx.ks
    record = store.find(ks, source)
    found = [] if record is None else store.pairs(ks, record, find(ks, record))
    return store_result(ks, destination, found, b"zrangestore")


def store_result(ks: Keyspace, destination: bytes, found: list[tuple[bytes, float]], event: bytes) -> int:
    """Make `destination` a sorted set of these, or no key if there are none, and tell of it."""
    there = ks.notify is not None and ks.find(destination) is not None
    count = store.replace(ks, destination, found)
    if ks.notify and count:
        ks.notify(events.SORTED_SET, event, destination)
    elif ks.notify and there:
        ks.notify(events.GENERIC, b"del", destination)
    return count


@command("ZCOUNT", flags=READONLY | FAST, keys=Keys(1), since="2.0.0", syntax="ZCOUNT key min max")
def zcount(ctx: Context, key: bytes, low: bytes, high: bytes) -> int:
    """Counts the members whose scores lie in a range.

    cost: O(members counted), some 0.2 µs each; from 4,096 on O(members / 512), once all were counted.
    """
    wanted = parse_scores(low, high)
    record = store.find(ctx.ks, key)
    return 0 if record is None else ranks.count(ctx.ks, record, *wanted.keys(record))


@command("ZLEXCOUNT", flags=READONLY | FAST, keys=Keys(1), since="2.8.9", syntax="ZLEXCOUNT key min max")
def zlexcount(ctx: Context, key: bytes, low: bytes, high: bytes) -> int:
    """Counts the members that lie between two members.

    cost: O(members counted), some 0.5 µs each.
    """
    wanted = parse_members(low, high)
    record = store.find(ctx.ks, key)
    return 0 if record is None else len(spans.by_member(ctx.ks, record, wanted))


@command("ZRANK", flags=READONLY | FAST, keys=Keys(1), since="2.0.0", syntax="ZRANK key member [WITHSCORE]")
def zrank(ctx: Context, key: bytes, member: bytes, *options: bytes) -> Reply:
    """Tells how many members stand before one.

    options: WITHSCORE: its score too; Redis has this since 7.2.
    returns: the rank, or [rank, score]; nothing if there is no such member.
    raises: WrongArity, WrongType.
    cost: O(members up to it from the nearer end), some 0.2 µs each; from 4,096 on O(members / 512), once all
        were counted.
    """
    return _rank(ctx, key, member, options, reverse=False)


@command("ZREVRANK", flags=READONLY | FAST, keys=Keys(1), since="2.0.0", syntax="ZREVRANK key member [WITHSCORE]")
def zrevrank(ctx: Context, key: bytes, member: bytes, *options: bytes) -> Reply:
    """Tells how many members stand behind one.

    options: WITHSCORE: its score too; Redis has this since 7.2.
    returns: the rank, or [rank, score]; nothing if there is no such member.
    raises: WrongArity, WrongType.
    cost: O(members up to it from the nearer end), some 0.2 µs each; from 4,096 on O(members / 512), once all
        were counted.
    """
    return _rank(ctx, key, member, options, reverse=True)


def _rank(ctx: Context, key: bytes, member: bytes, options: tuple[bytes, ...], *, reverse: bool) -> Reply:
    if options and (len(options) > 1 or options[0].upper() != b"WITHSCORE"):
        raise WrongArity("zrevrank" if reverse else "zrank")  # what Redis 7.0 says to any option
    ks = ctx.ks
    record = store.find(ks, key)
    place = None if record is None else store.place(ks, record, member)
    if record is None or place is None:
        return NULL_ARRAY if options else None
    rank = ranks.rank(ks, record, place)
    if reverse:
        rank = record.members - 1 - rank
    return [rank, score_at(place)] if options else rank


@command(
    "ZREMRANGEBYRANK",
    flags=WRITE,
    keys=Keys(1, access="RW delete"),
    since="2.0.0",
    syntax="ZREMRANGEBYRANK key start stop",
)
def zremrangebyrank(ctx: Context, key: bytes, start: bytes, stop: bytes) -> int:
    """Removes the members between two ranks, and counts them.

    cost: O(members removed), and two ranks as with ZRANK.
    """
    return _remove(ctx.ks, key, start, stop, RANK, b"zremrangebyrank")


@command(
    "ZREMRANGEBYSCORE",
    flags=WRITE,
    keys=Keys(1, access="RW delete"),
    since="1.2.0",
    syntax="ZREMRANGEBYSCORE key min max",
)
def zremrangebyscore(ctx: Context, key: bytes, low: bytes, high: bytes) -> int:
    """Removes the members whose scores lie in a range, and counts them.

    cost: O(members removed).
    """
    return _remove(ctx.ks, key, low, high, SCORE, b"zremrangebyscore")


@command(
    "ZREMRANGEBYLEX",
    flags=WRITE,
    keys=Keys(1, access="RW delete"),
    since="2.8.9",
    syntax="ZREMRANGEBYLEX key min max",
)
def zremrangebylex(ctx: Context, key: bytes, low: bytes, high: bytes) -> int:
    """Removes the members that lie between two members, and counts them.

    cost: O(members removed).
    """
    return _remove(ctx.ks, key, low, high, LEX, b"zremrangebylex")


def _remove(ks: Keyspace, key: bytes, start: bytes, stop: bytes, by: bytes, event: bytes) -> int:
    find = _finder(start, stop, _Options(by, False, 0, -1, False))
    record = store.find(ks, key)
    if record is None:
        return 0
    found = find(ks, record)
    store.remove_keys(ks, key, record, found)
    if found:
        tell(ks, event, key)
    return len(found)
