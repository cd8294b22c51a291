"""LPUSH, LRANGE and the other list commands that never block."""

from __future__ import annotations

from spoold.command.context import Context
from spoold.command.spec import DENYOOM, FAST, READONLY, WRITE, Keys, command
from spoold.core.errors import NotPositive
from spoold.core.numerals import parse_int
from spoold.core.reply import NULL_ARRAY, Reply
from spoold.datatypes.lists import store
from spoold.datatypes.lists.store import HEAD, TAIL


@command(
    "LPUSH",
    flags=WRITE | DENYOOM | FAST,
    keys=Keys(1),
    since="1.0.0",
    syntax="LPUSH key element [element ...]",
    arity=-3,
)
def lpush(ctx: Context, key: bytes, *elements: bytes) -> int:
    """Prepends one or more elements to a list. Creates the key if it doesn't exist."""
    return store.push(ctx.ks, key, HEAD, elements)


@command(
    "RPUSH",
    flags=WRITE | DENYOOM | FAST,
    keys=Keys(1),
    since="1.0.0",
    syntax="RPUSH key element [element ...]",
    arity=-3,
)
def rpush(ctx: Context, key: bytes, *elements: bytes) -> int:
    """Appends one or more elements to a list. Creates the key if it doesn't exist."""
    return store.push(ctx.ks, key, TAIL, elements)


@command("LPOP", flags=WRITE | FAST, keys=Keys(1), since="1.0.0", syntax="LPOP key [count]")
def lpop(ctx: Context, key: bytes, count: bytes | None = None) -> Reply:
    """Returns the first elements in a list after removing it. Deletes the list if the last element was popped."""
    return store.pop(ctx.ks, key, HEAD) if count is None else _pop_many(ctx, key, HEAD, count)


@command("RPOP", flags=WRITE | FAST, keys=Keys(1), since="1.0.0", syntax="RPOP key [count]")
def rpop(ctx: Context, key: bytes, count: bytes | None = None) -> Reply:
    """Returns and removes the last elements of a list. Deletes the list if the last element was popped."""
    return store.pop(ctx.ks, key, TAIL) if count is None else _pop_many(ctx, key, TAIL, count)


@command("LLEN", flags=READONLY | FAST, keys=Keys(1), since="1.0.0", syntax="LLEN key")
def llen(ctx: Context, key: bytes) -> int:
    """Returns the length of a list."""
    return store.length(ctx.ks, key)


def _pop_many(ctx: Context, key: bytes, side: int, count: bytes) -> Reply:
    number = parse_int(count)
    if number < 0:
        raise NotPositive
    length = store.length(ctx.ks, key)
    if not length:
        return NULL_ARRAY
    return [store.pop(ctx.ks, key, side) for _ in range(min(number, length))]
