"""BLPOP and the other list commands that wait where there is nothing to take.

Each does what its sister in `commands.py` does if it can, else it returns a `Wait` whose `serve` takes from the one key
that has become ready. A ready key of another type leaves the caller waiting, as in Redis 7.0; a destination of another
type is an error for who is served, and the element stays where it is for the next.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from spoold.command.context import STILL_WAITING, Context, Wait
from spoold.command.spec import BLOCKING, DENYOOM, MOVABLEKEYS, NOSCRIPT, WRITE, Keys, command
from spoold.core.numerals import parse_timeout_s
from spoold.core.reply import NULL_ARRAY
from spoold.datatypes.lists import store
from spoold.datatypes.lists.commands import Lmpop, parse_lmpop, parse_side, pop_first
from spoold.datatypes.lists.store import HEAD, TAIL


@command(
    "BLPOP",
    flags=WRITE | NOSCRIPT | BLOCKING,
    keys=Keys(1, -2, access="RW access delete"),
    since="2.0.0",
    syntax="BLPOP key [key ...] timeout",
    arity=-3,
)
def blpop(ctx: Context, *keys_then_timeout: bytes) -> list[bytes] | Wait:
    """Takes the first element of the first list that exists, or waits for one.

    returns: [key, element]; NULL_ARRAY at the deadline.
    raises: BadTimeout, NegativeTimeout; WrongType: a key before the first list holds something else.
    """
    return _pop(ctx, keys_then_timeout, HEAD)


@command(
    "BRPOP",
    flags=WRITE | NOSCRIPT | BLOCKING,
    keys=Keys(1, -2, access="RW access delete"),
    since="2.0.0",
    syntax="BRPOP key [key ...] timeout",
    arity=-3,
)
def brpop(ctx: Context, *keys_then_timeout: bytes) -> list[bytes] | Wait:
    """Takes the last element of the first list that exists, or waits for one.

    returns: [key, element]; NULL_ARRAY at the deadline.
    raises: BadTimeout, NegativeTimeout; WrongType: a key before the first list holds something else.
    """
    return _pop(ctx, keys_then_timeout, TAIL)


def _pop(ctx: Context, keys_then_timeout: tuple[bytes, ...], side: int) -> list[bytes] | Wait:
    *keys, timeout = keys_then_timeout
    timeout_s = parse_timeout_s(timeout)
    for key in keys:
        element = store.pop(ctx.ks, key, side)
        if element is not None:
            return [key, element]
    return Wait(keys, timeout_s, NULL_ARRAY, partial(_serve_pop, ctx, side))


def _serve_pop(ctx: Context, side: int, key: bytes) -> Any:
    element = store.pop(ctx.ks, key, side) if store.holds_list(ctx.ks, key) else None
    return STILL_WAITING if element is None else [key, element]


@command(
    "BLMPOP",
    flags=WRITE | BLOCKING | MOVABLEKEYS,
    keys=Keys(numkeys=2, access="RW access delete"),
    since="7.0.0",
    syntax="BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]",
    arity=-5,
)
def blmpop(ctx: Context, timeout: bytes, numkeys: bytes, *keys_and_options: bytes) -> list[object] | Wait:
    """Takes elements from the first of several lists that exists, or waits for one.

    returns: [key, elements]; NULL_ARRAY at the deadline.
    raises: NumkeysNotPositive, CountNotPositive, SyntaxFault, then BadTimeout, NegativeTimeout, then WrongType.
    """
    wanted = parse_lmpop(numkeys, keys_and_options)
    timeout_s = parse_timeout_s(timeout)
    popped = pop_first(ctx, wanted)
    if popped is not None:
        return popped
    return Wait(wanted.keys, timeout_s, NULL_ARRAY, partial(_serve_pop_many, ctx, wanted))


def _serve_pop_many(ctx: Context, wanted: Lmpop, key: bytes) -> Any:
    elements = store.pop_many(ctx.ks, key, wanted.side, wanted.most) if store.holds_list(ctx.ks, key) else None
    return STILL_WAITING if elements is None else [key, elements]


@command(
    "BLMOVE",
    flags=WRITE | DENYOOM | NOSCRIPT | BLOCKING,
    keys=Keys(1, 2, access="RW access delete|RW insert"),
    since="6.2.0",
    syntax="BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout",
)
def blmove(
    ctx: Context, source: bytes, destination: bytes, where_from: bytes, where_to: bytes, timeout: bytes
) -> bytes | Wait:
    """Takes an element from one list, or waits for one, and adds it to another.

    returns: the element; at the deadline NULL_ARRAY as Redis 7.0 does, but None inside a transaction.
    raises: SyntaxFault, then BadTimeout, NegativeTimeout, then WrongType.
    """
    from_side, to_side = parse_side(where_from), parse_side(where_to)
    return _move(ctx, source, destination, from_side, to_side, timeout)


@command(
    "BRPOPLPUSH",
    flags=WRITE | DENYOOM | NOSCRIPT | BLOCKING,
    keys=Keys(1, 2, access="RW access delete|RW insert"),
    since="2.2.0",
    syntax="BRPOPLPUSH source destination timeout",
)
def brpoplpush(ctx: Context, source: bytes, destination: bytes, timeout: bytes) -> bytes | Wait:
    """Takes the last element of a list, or waits for one, and adds it at the head of another.

    returns: the element; at the deadline NULL_ARRAY as Redis 7.0 does, but None inside a transaction.
    raises: BadTimeout, NegativeTimeout, then WrongType.
    """
    return _move(ctx, source, destination, TAIL, HEAD, timeout)


def _move(
    ctx: Context, source: bytes, destination: bytes, from_side: int, to_side: int, timeout: bytes
) -> bytes | Wait:
    timeout_s = parse_timeout_s(timeout)
    element = store.move(ctx.ks, source, destination, from_side, to_side)
    if element is not None:
        return element
    serve = partial(_serve_move, ctx, destination, from_side, to_side)
    return Wait((source,), timeout_s, NULL_ARRAY, serve, denied_reply=None)


def _serve_move(ctx: Context, destination: bytes, from_side: int, to_side: int, source: bytes) -> Any:
    if not store.holds_list(ctx.ks, source):
        return STILL_WAITING
    element = store.move(ctx.ks, source, destination, from_side, to_side)
    return STILL_WAITING if element is None else element
