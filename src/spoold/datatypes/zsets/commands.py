"""ZADD, ZPOPMIN and the other commands on single members of a sorted set; ranges are in `ranges.py`."""

from __future__ import annotations

from typing import Final, NamedTuple

from spoold.command.args import Args, parse_at_least
from spoold.command.context import Context
from spoold.command.spec import DENYOOM, FAST, MOVABLEKEYS, READONLY, WRITE, Keys, command
from spoold.core.errors import (
    CountNotPositive,
    GreaterLessOrNew,
    NewOrThere,
    NotPositive,
    NumkeysNotPositive,
    OneIncrement,
    SyntaxFault,
)
from spoold.core.numerals import parse_float
from spoold.core.reply import NULL_ARRAY, Pairs, Reply
from spoold.datatypes.zsets import store
from spoold.datatypes.zsets.store import ADDED, IF_GREATER, IF_LESS, IF_NEW, IF_THERE, LEFT
from spoold.keyspace import events
from spoold.keyspace.keyspace import Keyspace

# Whole numbers of fewer digits are the quicker to read, and what most scores are.
_EXACT_DIGITS: Final = 16

_CHANGED: Final = 16
_INCREMENT: Final = 32
_OPTIONS: Final = {
    b"NX": IF_NEW,
    b"XX": IF_THERE,
    b"GT": IF_GREATER,
    b"LT": IF_LESS,
    b"CH": _CHANGED,
    b"INCR": _INCREMENT,
}


@command(
    "ZADD",
    flags=WRITE | DENYOOM | FAST,
    keys=Keys(1, access="RW update"),
    since="1.2.0",
    syntax="ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]",
)
def zadd(ctx: Context, key: bytes, first: bytes, second: bytes, *more: bytes) -> Reply:
    """Gives members scores, and counts those that are new; creates the sorted set if there is none.

    options: NX: new members only. XX: no new ones. GT, LT: where the score grows, or falls, or the member is new. CH:
        count what has changed. INCR: add to the score, of one member, and reply with it.
    returns: a number; with INCR the score, or None where the options did not allow it.
    raises: SyntaxFault, NewOrThere, GreaterLessOrNew, OneIncrement, NotAFloat, WrongType, ScoreIsNaN.
    cost: O(members given), whatever the size of the set.
    """
    ks = ctx.ks
    if not more and first.upper() not in _OPTIONS:
        number = float(first) if len(first) < _EXACT_DIGITS and first.isdigit() else parse_float(first)
        done = store.put(ks, key, second, number)
        if done and ks.notify:
            ks.notify(events.SORTED_SET, b"zadd", key)
        return int(done == ADDED)
    return _zadd(ks, key, (first, second, *more))


def _zadd(ks: Keyspace, key: bytes, words: tuple[bytes, ...]) -> Reply:
    rule = at = 0
    while at < len(words) and (flag := _OPTIONS.get(words[at].upper())):
        rule |= flag
        at += 1
    if at == len(words) or (len(words) - at) % 2:
        raise SyntaxFault
    if rule & IF_NEW and rule & IF_THERE:
        raise NewOrThere
    # Each of the three excludes the other two.
    if (rule & (IF_GREATER | IF_LESS | IF_NEW)).bit_count() > 1:
        raise GreaterLessOrNew
    increment = bool(rule & _INCREMENT)
    if increment and len(words) - at > 2:
        raise OneIncrement
    pairs = list(zip(map(parse_float, words[at::2]), words[at + 1 :: 2], strict=True))
    done = store.change(ks, key, pairs, rule, by=increment)
    changed = sum(what != LEFT for what, _ in done)
    if changed and ks.notify:
        ks.notify(events.SORTED_SET, b"zincr" if increment else b"zadd", key)
    if increment:
        return done[0][1]
    return changed if rule & _CHANGED else sum(what == ADDED for what, _ in done)


@command(
    "ZINCRBY",
    flags=WRITE | DENYOOM | FAST,
    keys=Keys(1, access="RW access update"),
    since="1.2.0",
    syntax="ZINCRBY key increment member",
)
def zincrby(ctx: Context, key: bytes, increment: bytes, member: bytes) -> float | None:
    """Adds to the score of a member, which is 0 before if it is new.

    returns: the new score.
    raises: NotAFloat, WrongType, ScoreIsNaN.
    cost: O(1).
    """
    ((what, score),) = store.change(ctx.ks, key, [(parse_float(increment), member)], 0, by=True)
    if what and ctx.ks.notify:
        ctx.ks.notify(events.SORTED_SET, b"zincr", key)
    return score


@command(
    "ZREM",
    flags=WRITE | FAST,
    keys=Keys(1, access="RW delete"),
    since="1.2.0",
    syntax="ZREM key member [member ...]",
    arity=-3,
)
def zrem(ctx: Context, key: bytes, *members: bytes) -> int:
    """Removes members from a sorted set, and counts those that were in it.

    cost: O(members given), whatever the size of the set.
    """
    removed = store.remove(ctx.ks, key, members)
    if removed:
        tell(ctx.ks, b"zrem", key)
    return removed


@command("ZCARD", flags=READONLY | FAST, keys=Keys(1, access="RO"), since="1.2.0", syntax="ZCARD key")
def zcard(ctx: Context, key: bytes) -> int:
    """Counts the members of a sorted set."""
    return store.size(ctx.ks, key)


@command("ZSCORE", flags=READONLY | FAST, keys=Keys(1), since="1.2.0", syntax="ZSCORE key member")
def zscore(ctx: Context, key: bytes, member: bytes) -> float | None:
    """Tells the score of a member; nothing if it is not in the sorted set."""
    record = store.find(ctx.ks, key)
    return None if record is None else store.score(ctx.ks, record, member)


@command(
    "ZMSCORE",
    flags=READONLY | FAST,
    keys=Keys(1),
    since="6.2.0",
    syntax="ZMSCORE key member [member ...]",
    arity=-3,
)
def zmscore(ctx: Context, key: bytes, *members: bytes) -> list[float | None]:
    """Tells the score of each of several members; nothing for those that are not in the sorted set."""
    ks = ctx.ks
    record = store.find(ks, key)
    return [None if record is None else store.score(ks, record, member) for member in members]


@command(
    "ZPOPMIN",
    flags=WRITE | FAST,
    keys=Keys(1, access="RW access delete"),
    since="5.0.0",
    syntax="ZPOPMIN key [count]",
)
def zpopmin(ctx: Context, key: bytes, count: bytes | None = None, *more: bytes) -> Reply:
    """Takes the members with the lowest scores, one if there is no count.

    returns: [member, score], nothing in it if there is no set; with a count such pairs.
    raises: SyntaxFault, NotPositive, WrongType.
    cost: O(count), whatever the size of the set.
    """
    if count is None:
        taken = store.pop_lowest(ctx.ks, key)
        if taken is None:
            return []
        tell(ctx.ks, b"zpopmin", key)
        return list(taken)
    return _zpop(ctx.ks, key, count, more, highest=False)


@command(
    "ZPOPMAX",
    flags=WRITE | FAST,
    keys=Keys(1, access="RW access delete"),
    since="5.0.0",
    syntax="ZPOPMAX key [count]",
)
def zpopmax(ctx: Context, key: bytes, count: bytes | None = None, *more: bytes) -> Reply:
    """Takes the members with the highest scores, one if there is no count.

    returns: [member, score], nothing in it if there is no set; with a count such pairs.
    raises: SyntaxFault, NotPositive, WrongType.
    cost: O(count), whatever the size of the set.
    """
    if count is None:
        taken = take(ctx.ks, key, 1, highest=True)
        return list(taken[0]) if taken else []
    return _zpop(ctx.ks, key, count, more, highest=True)


def _zpop(ks: Keyspace, key: bytes, count: bytes, more: tuple[bytes, ...], *, highest: bool) -> Reply:
    if more:
        raise SyntaxFault  # not the error of a wrong number of arguments, as in Redis
    return Pairs(take(ks, key, parse_at_least(count, 0, NotPositive), highest=highest))


class Zmpop(NamedTuple):
    """What ZMPOP and BZMPOP were asked for."""

    keys: tuple[bytes, ...]
    highest: bool
    most: int


def parse_zmpop(numkeys: bytes, keys_and_options: tuple[bytes, ...]) -> Zmpop:
    """Read what stands from `numkeys` on. raises: NumkeysNotPositive, CountNotPositive, SyntaxFault."""
    number = parse_at_least(numkeys, 1, NumkeysNotPositive)
    if number >= len(keys_and_options):
        raise SyntaxFault
    args = Args(keys_and_options[number:])
    where = args.word()
    if where not in {b"MIN", b"MAX"}:
        raise SyntaxFault
    most = 0
    while args:
        if most or not args.skip(b"COUNT"):
            raise SyntaxFault
        most = parse_at_least(args.take(), 1, CountNotPositive)
    return Zmpop(keys_and_options[:number], where == b"MAX", most or 1)


@command(
    "ZMPOP",
    flags=WRITE | MOVABLEKEYS,
    keys=Keys(numkeys=1, access="RW access delete"),
    since="7.0.0",
    syntax="ZMPOP numkeys key [key ...] MIN|MAX [COUNT count]",
    arity=-4,
)
def zmpop(ctx: Context, numkeys: bytes, *keys_and_options: bytes) -> Reply:
    """Takes members with the lowest or highest scores from the first of several sorted sets that exists.

    returns: [key, pairs of member and score]; NULL_ARRAY if there is no such set.
    raises: NumkeysNotPositive, CountNotPositive, SyntaxFault, then WrongType.
    """
    popped = pop_first(ctx.ks, parse_zmpop(numkeys, keys_and_options))
    return NULL_ARRAY if popped is None else popped


def pop_first(ks: Keyspace, wanted: Zmpop) -> list[object] | None:
    """[key, pairs] of the first set that exists, None if there is none. raises: WrongType."""
    for key in wanted.keys:
        taken = take(ks, key, wanted.most, highest=wanted.highest)
        if taken:
            return [key, list(map(list, taken))]
    return None


def take(ks: Keyspace, key: bytes, count: int, *, highest: bool) -> list[tuple[bytes, float]]:
    """Pop up to `count` members, and tell of it."""
    taken = store.pop(ks, key, count, highest=highest)
    if taken:
        tell(ks, b"zpopmax" if highest else b"zpopmin", key)
    return taken


def tell(ks: Keyspace, event: bytes, key: bytes) -> None:
    """Tell of members that were removed, and of the key where they were the last."""
    if ks.notify:
        ks.notify(events.SORTED_SET, event, key)
        if ks.find(key) is None:
            ks.notify(events.GENERIC, b"del", key)
