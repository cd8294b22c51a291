"""LPUSH, LRANGE and the other list commands that never block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from spoold.command.args import Args, parse_at_least
from spoold.command.context import Context
from spoold.command.spec import DENYOOM, FAST, MOVABLEKEYS, READONLY, WRITE, Keys, command
from spoold.core.errors import (
    CountNotPositive,
    IndexOutOfRange,
    NegativeCount,
    NegativeMaxlen,
    NoSuchKey,
    NotPositive,
    NumkeysNotPositive,
    RankIsZero,
    SyntaxFault,
)
from spoold.core.numerals import INT64_MIN, parse_int
from spoold.core.reply import NULL_ARRAY, OK, Reply
from spoold.datatypes.lists import editing, store
from spoold.datatypes.lists.store import HEAD, TAIL

_PUSH: Final = WRITE | DENYOOM | FAST


@command(
    "LPUSH",
    flags=_PUSH,
    keys=Keys(1, access="RW insert"),
    since="1.0.0",
    syntax="LPUSH key element [element ...]",
    arity=-3,
)
def lpush(ctx: Context, key: bytes, *elements: bytes) -> int:
    """Adds elements at the head of a list, one after the other; creates the list if there is none."""
    return store.push(ctx.ks, key, HEAD, elements)


@command(
    "RPUSH",
    flags=_PUSH,
    keys=Keys(1, access="RW insert"),
    since="1.0.0",
    syntax="RPUSH key element [element ...]",
    arity=-3,
)
def rpush(ctx: Context, key: bytes, *elements: bytes) -> int:
    """Adds elements at the tail of a list; creates the list if there is none."""
    return store.push(ctx.ks, key, TAIL, elements)


@command(
    "LPUSHX",
    flags=_PUSH,
    keys=Keys(1, access="RW insert"),
    since="2.2.0",
    syntax="LPUSHX key element [element ...]",
    arity=-3,
)
def lpushx(ctx: Context, key: bytes, *elements: bytes) -> int:
    """Adds elements at the head of a list that exists already."""
    return store.push(ctx.ks, key, HEAD, elements) if store.find(ctx.ks, key) else 0


@command(
    "RPUSHX",
    flags=_PUSH,
    keys=Keys(1, access="RW insert"),
    since="2.2.0",
    syntax="RPUSHX key element [element ...]",
    arity=-3,
)
def rpushx(ctx: Context, key: bytes, *elements: bytes) -> int:
    """Adds elements at the tail of a list that exists already."""
    return store.push(ctx.ks, key, TAIL, elements) if store.find(ctx.ks, key) else 0


@command("LPOP", flags=WRITE | FAST, keys=Keys(1, access="RW access delete"), since="1.0.0", syntax="LPOP key [count]")
def lpop(ctx: Context, key: bytes, count: bytes | None = None) -> Reply:
    """Takes one or more elements from the head of a list; a list that loses its last element is no key any more."""
    return store.pop(ctx.ks, key, HEAD) if count is None else _pop_many(ctx, key, HEAD, count)


@command("RPOP", flags=WRITE | FAST, keys=Keys(1, access="RW access delete"), since="1.0.0", syntax="RPOP key [count]")
def rpop(ctx: Context, key: bytes, count: bytes | None = None) -> Reply:
    """Takes one or more elements from the tail of a list; a list that loses its last element is no key any more."""
    return store.pop(ctx.ks, key, TAIL) if count is None else _pop_many(ctx, key, TAIL, count)


def _pop_many(ctx: Context, key: bytes, side: int, count: bytes) -> Reply:
    """returns: the elements; NULL_ARRAY if there is no list. raises: NotPositive, also if `count` is no number."""
    elements = store.pop_many(ctx.ks, key, side, parse_at_least(count, 0, NotPositive))
    return NULL_ARRAY if elements is None else elements


@command("LLEN", flags=READONLY | FAST, keys=Keys(1, access="RO"), since="1.0.0", syntax="LLEN key")
def llen(ctx: Context, key: bytes) -> int:
    """Counts the elements of a list."""
    return store.length(ctx.ks, key)


@command("LINDEX", flags=READONLY, keys=Keys(1), since="1.0.0", syntax="LINDEX key index")
def lindex(ctx: Context, key: bytes, index: bytes) -> bytes | None:
    """Shows the element at an index.

    returns: the element; None if there is no list or no such index.
    raises: WrongType, NotAnInteger (only if there is a list).
    cost: O(1).
    """
    record = store.find(ctx.ks, key)
    if record is None:
        return None
    at = store.position(record, parse_int(index))
    return None if at is None else store.read(ctx.ks, record, at, at + 1)[0]


@command("LSET", flags=WRITE | DENYOOM, keys=Keys(1), since="1.0.0", syntax="LSET key index element")
def lset(ctx: Context, key: bytes, index: bytes, element: bytes) -> Reply:
    """Replaces the element at an index.

    raises: NoSuchKey, WrongType, NotAnInteger, IndexOutOfRange.
    cost: O(1).
    """
    record = store.find(ctx.ks, key)
    if record is None:
        raise NoSuchKey
    at = store.position(record, parse_int(index))
    if at is None:
        raise IndexOutOfRange
    store.write(ctx.ks, key, record, at, element)
    return OK


@command("LRANGE", flags=READONLY, keys=Keys(1), since="1.0.0", syntax="LRANGE key start stop")
def lrange(ctx: Context, key: bytes, start: bytes, stop: bytes) -> list[bytes]:
    """Lists the elements from one index to another, both included."""
    return store.between(ctx.ks, key, parse_int(start), parse_int(stop))


@command("LTRIM", flags=WRITE, keys=Keys(1, access="RW delete"), since="1.0.0", syntax="LTRIM key start stop")
def ltrim(ctx: Context, key: bytes, start: bytes, stop: bytes) -> Reply:
    """Removes the elements that lie outside a range of indexes."""
    store.trim(ctx.ks, key, parse_int(start), parse_int(stop))
    return OK


@command("LREM", flags=WRITE, keys=Keys(1, access="RW delete"), since="1.0.0", syntax="LREM key count element")
def lrem(ctx: Context, key: bytes, count: bytes, element: bytes) -> int:
    """Removes elements of a value: the first count, the last if count is negative, all if it is 0."""
    return editing.remove(ctx.ks, key, element, parse_int(count))


@command(
    "LINSERT",
    flags=WRITE | DENYOOM,
    keys=Keys(1, access="RW insert"),
    since="2.2.0",
    syntax="LINSERT key BEFORE|AFTER pivot element",
)
def linsert(ctx: Context, key: bytes, where: bytes, pivot: bytes, element: bytes) -> int:
    """Inserts an element before or behind the first one of a value."""
    match where.upper():
        case b"BEFORE":
            return editing.insert(ctx.ks, key, pivot, element, behind=False)
        case b"AFTER":
            return editing.insert(ctx.ks, key, pivot, element, behind=True)
    raise SyntaxFault


@command(
    "LPOS",
    flags=READONLY,
    keys=Keys(1),
    since="6.0.6",
    syntax="LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
)
def lpos(ctx: Context, key: bytes, element: bytes, *options: bytes) -> Reply:
    """Finds the indexes of elements of a value.

    options: RANK: the first match to list, negative from the tail. COUNT: how many, 0 = all. MAXLEN: look at so many
        elements, 0 = all.
    returns: an index or None; with COUNT the list of indexes.
    raises: SyntaxFault, NotAnInteger, RankIsZero, NegativeCount, NegativeMaxlen, WrongType.
    """
    rank, count, most = 1, None, 0
    args = Args(options)
    while args:
        match args.word():
            case b"RANK":
                rank = args.int()
                if rank == 0:
                    raise RankIsZero
            case b"COUNT":
                count = parse_at_least(args.take(), 0, NegativeCount)
            case b"MAXLEN":
                most = parse_at_least(args.take(), 0, NegativeMaxlen)
            case _:
                raise SyntaxFault
    if rank == INT64_MIN:
        rank = -1  # as Redis: there its absolute value overflows, and any match is enough
    indexes = editing.indexes(ctx.ks, key, element, rank, 1 if count is None else count, most)
    if count is not None:
        return indexes
    return indexes[0] if indexes else None


@command(
    "LMOVE",
    flags=WRITE | DENYOOM,
    keys=Keys(1, 2, access="RW access delete|RW insert"),
    since="6.2.0",
    syntax="LMOVE source destination LEFT|RIGHT LEFT|RIGHT",
)
def lmove(ctx: Context, source: bytes, destination: bytes, where_from: bytes, where_to: bytes) -> bytes | None:
    """Takes an element from one list and adds it to another, at the ends that are named."""
    return store.move(ctx.ks, source, destination, parse_side(where_from), parse_side(where_to))


@command(
    "RPOPLPUSH",
    flags=WRITE | DENYOOM,
    keys=Keys(1, 2, access="RW access delete|RW insert"),
    since="1.2.0",
    syntax="RPOPLPUSH source destination",
)
def rpoplpush(ctx: Context, source: bytes, destination: bytes) -> bytes | None:
    """Takes the last element of a list and adds it at the head of another."""
    return store.move(ctx.ks, source, destination, TAIL, HEAD)


@command(
    "LMPOP",
    flags=WRITE | MOVABLEKEYS,
    keys=Keys(numkeys=1, access="RW access delete"),
    since="7.0.0",
    syntax="LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count]",
    arity=-4,
)
def lmpop(ctx: Context, numkeys: bytes, *keys_and_options: bytes) -> Reply:
    """Takes elements from the first of several lists that exists."""
    taken = parse_lmpop(numkeys, keys_and_options)
    popped = pop_first(ctx, taken)
    return NULL_ARRAY if popped is None else popped


class Lmpop(NamedTuple):
    """What LMPOP and BLMPOP ask for: up to `most` elements from a `side` of the first of `keys` that is there."""

    keys: Sequence[bytes]
    side: int
    most: int


def parse_lmpop(numkeys: bytes, arguments: Sequence[bytes]) -> Lmpop:
    """Read `numkeys` and what follows it. raises: NumkeysNotPositive, CountNotPositive, SyntaxFault."""
    number = parse_at_least(numkeys, 1, NumkeysNotPositive)
    if number >= len(arguments):
        raise SyntaxFault
    side = parse_side(arguments[number])
    options = Args(arguments[number + 1 :])
    count = parse_at_least(options.take(), 1, CountNotPositive) if options.skip(b"COUNT") else 1
    options.end()
    return Lmpop(arguments[:number], side, count)


def pop_first(ctx: Context, wanted: Lmpop) -> list[object] | None:
    """The key and the elements taken from it; None if no list is there. raises: WrongType."""
    for key in wanted.keys:
        elements = store.pop_many(ctx.ks, key, wanted.side, wanted.most)
        if elements is not None:
            return [key, elements]
    return None


def parse_side(word: bytes) -> int:
    """Read LEFT or RIGHT. raises: SyntaxFault."""
    match word.upper():
        case b"LEFT":
            return HEAD
        case b"RIGHT":
            return TAIL
    raise SyntaxFault
