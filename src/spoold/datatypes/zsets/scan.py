"""ZSCAN and ZRANDMEMBER: some of a sorted set's members."""

from __future__ import annotations

import random
from typing import Final

from spoold.command.context import Context
from spoold.command.selection import check_repeated, parse_draw, parse_slice
from spoold.command.spec import READONLY, Keys, command
from spoold.core.numerals import format_float
from spoold.core.patterns import compile_pattern
from spoold.core.reply import Pairs, Reply
from spoold.datatypes.zsets import order, ranks, store
from spoold.keyspace.cursor import parse_cursor
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import ZsetRecord

# A set of so few members is returned whole, as Redis does with its small encoding.
_WHOLE: Final = 128
# Up to so many members all are read, for an even choice among them.
_LISTED: Final = 1000
# Where more than one in so many is wanted, all are passed by.
_SHARE: Final = 100

_chance: Final = random.Random()


@command(
    "ZSCAN",
    flags=READONLY,
    keys=Keys(1),
    since="2.8.0",
    syntax="ZSCAN key cursor [MATCH pattern] [COUNT count]",
)
def zscan(ctx: Context, key: bytes, cursor: bytes, *options: bytes) -> list[object]:
    """Lists a sorted set's members and their scores in slices, as a cursor goes on.

    A member that stays from the first call to the last is returned exactly once, whatever becomes of its score; up to
    128 members are returned at once, whatever the cursor.
    options: COUNT members are looked at, 10 by default, 100,000 at most; MATCH chooses among them.
    returns: the cursor for the next call, 0 at the end, and members and scores by turns.
    raises: BadCursor, WrongType, then NotAnInteger, SyntaxFault (only if there is a set).
    cost: O(COUNT).
    """
    number = parse_cursor(cursor)
    record = store.find(ctx.ks, key)
    if record is None:
        return [b"0", []]
    wanted = parse_slice(options)
    matches = compile_pattern(wanted.pattern)
    ks, cursors = ctx.ks, ctx.dbs.cursors
    if record.members <= _WHOLE:
        found, place = store.pairs(ks, record, order.take(ks, record, *order.whole(record))), b""
    else:
        place = cursors.place(record.object_id, number)
        found, place = store.scan(ks, record, place, wanted.count)
    listed = [part for member, score in found if matches(member) for part in (member, format_float(score))]
    return [b"%d" % (cursors.open(record.object_id, place) if place else 0), listed]


@command("ZRANDMEMBER", flags=READONLY, keys=Keys(1), since="6.2.0", syntax="ZRANDMEMBER key [count [WITHSCORES]]")
def zrandmember(ctx: Context, key: bytes, count: bytes | None = None, *options: bytes) -> Reply:
    """Picks members at random: one, some different ones, or (a negative count) some that may repeat.

    Every member is as likely as the others.
    returns: a member or None; with a count a list; WITHSCORES: pairs.
    raises: NotAnInteger, OutOfLong, SyntaxFault, WrongType; OutOfRange: over a million repetitions are asked for.
    cost: O(count) ranks as with ZRANK, at most O(members).
    """
    number, with_scores = parse_draw(count, options, word=b"WITHSCORES")
    ks = ctx.ks
    record = store.find(ks, key)
    if record is None:
        return None if count is None else []
    check_repeated(number)
    keys = _draw_different(ks, record, number) if number >= 0 else _draw(ks, record, -number)
    if count is None:
        return order.member_at(ks, record, keys[0])
    return Pairs(store.pairs(ks, record, keys)) if with_scores else store.members(ks, record, keys)


def _draw(ks: Keyspace, record: ZsetRecord, count: int) -> list[bytes]:
    """Draw `count` keys of the index, each anew from all."""
    if record.members <= _LISTED or count * _SHARE >= record.members:
        return _chance.choices(order.take(ks, record, *order.whole(record)), k=count)
    return [_at(ks, record, _chance.randrange(record.members)) for _ in range(count)]


def _draw_different(ks: Keyspace, record: ZsetRecord, count: int) -> list[bytes]:
    """Draw `count` different keys of the index, or all that there are."""
    if record.members <= _LISTED or count * _SHARE >= record.members:
        keys = order.take(ks, record, *order.whole(record))
        return keys if count >= len(keys) else _chance.sample(keys, count)
    return [_at(ks, record, rank) for rank in _chance.sample(range(record.members), count)]


def _at(ks: Keyspace, record: ZsetRecord, rank: int) -> bytes:
    start, skip = ranks.locate(ks, record, rank)
    return order.take(ks, record, start, order.whole(record)[1], skip, 1)[0]
