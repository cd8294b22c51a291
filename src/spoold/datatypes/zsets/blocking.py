"""BZPOPMIN and the other sorted set commands that wait where there is nothing to take.

Each does what its sister in `commands.py` does if it can, else it returns a `Wait` whose `serve` takes from the one key
that has become ready. A ready key of another type leaves the caller waiting, as in Redis 7.0.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from spoold.command.context import STILL_WAITING, Context, Wait
from spoold.command.spec import BLOCKING, FAST, MOVABLEKEYS, NOSCRIPT, WRITE, Keys, command
from spoold.core.numerals import parse_timeout_s
from spoold.core.reply import NULL_ARRAY
from spoold.datatypes.zsets import store
from spoold.datatypes.zsets.commands import Zmpop, parse_zmpop, pop_first, take, tell


@command(
    "BZPOPMIN",
    flags=WRITE | NOSCRIPT | BLOCKING | FAST,
    keys=Keys(1, -2, access="RW access delete"),
    since="5.0.0",
    syntax="BZPOPMIN key [key ...] timeout",
    arity=-3,
)
def bzpopmin(ctx: Context, *keys_then_timeout: bytes) -> list[object] | Wait:
    """Takes the member with the lowest score of the first sorted set that exists, or waits for one.

    returns: [key, member, score]; NULL_ARRAY at the deadline.
    raises: BadTimeout, NegativeTimeout; WrongType: a key before the first sorted set holds something else.
    """
    return _pop(ctx, keys_then_timeout, highest=False)


@command(
    "BZPOPMAX",
    flags=WRITE | NOSCRIPT | BLOCKING | FAST,
    keys=Keys(1, -2, access="RW access delete"),
    since="5.0.0",
    syntax="BZPOPMAX key [key ...] timeout",
    arity=-3,
)
def bzpopmax(ctx: Context, *keys_then_timeout: bytes) -> list[object] | Wait:
    """Takes the member with the highest score of the first sorted set that exists, or waits for one.

    returns: [key, member, score]; NULL_ARRAY at the deadline.
    raises: BadTimeout, NegativeTimeout; WrongType: a key before the first sorted set holds something else.
    """
    return _pop(ctx, keys_then_timeout, highest=True)


def _pop(ctx: Context, keys_then_timeout: tuple[bytes, ...], *, highest: bool) -> list[object] | Wait:
    *keys, timeout = keys_then_timeout
    timeout_s = parse_timeout_s(timeout)
    for key in keys:
        popped = _pop_one(ctx, key, highest=highest)
        if popped is not None:
            return popped
    return Wait(keys, timeout_s, NULL_ARRAY, partial(_serve_pop, ctx, highest))


def _pop_one(ctx: Context, key: bytes, *, highest: bool) -> list[object] | None:
    if highest:
        taken = take(ctx.ks, key, 1, highest=True)
        return [key, *taken[0]] if taken else None
    pair = store.pop_lowest(ctx.ks, key)
    if pair is None:
        return None
    tell(ctx.ks, b"zpopmin", key)
    return [key, *pair]


def _serve_pop(ctx: Context, highest: bool, key: bytes) -> Any:
    popped = _pop_one(ctx, key, highest=highest) if store.holds_zset(ctx.ks, key) else None
    return STILL_WAITING if popped is None else popped


@command(
    "BZMPOP",
    flags=WRITE | BLOCKING | MOVABLEKEYS,
    keys=Keys(numkeys=2, access="RW access delete"),
    since="7.0.0",
    syntax="BZMPOP timeout numkeys key [key ...] MIN|MAX [COUNT count]",
    arity=-5,
)
def bzmpop(ctx: Context, timeout: bytes, numkeys: bytes, *keys_and_options: bytes) -> list[object] | Wait:
    """Takes members from the first of several sorted sets that exists, or waits for one.

    returns: [key, pairs of member and score]; NULL_ARRAY at the deadline.
    raises: NumkeysNotPositive, CountNotPositive, SyntaxFault, then BadTimeout, NegativeTimeout, then WrongType.
    """
    wanted = parse_zmpop(numkeys, keys_and_options)
    timeout_s = parse_timeout_s(timeout)
    popped = pop_first(ctx.ks, wanted)
    if popped is not None:
        return popped
    return Wait(wanted.keys, timeout_s, NULL_ARRAY, partial(_serve_zmpop, ctx, wanted))


def _serve_zmpop(ctx: Context, wanted: Zmpop, key: bytes) -> Any:
    popped = pop_first(ctx.ks, wanted._replace(keys=(key,))) if store.holds_zset(ctx.ks, key) else None
    return STILL_WAITING if popped is None else popped
