"""SSCAN and SRANDMEMBER: some of a set's members.

SSCAN goes from the youngest member to the oldest, and its cursor is the sequence below which it goes on. So it needs
no memory, survives a restart, and ends even while members are added: those are younger than where it began.
"""

from __future__ import annotations

import random
from typing import Final

from spoold.command.context import Context
from spoold.command.selection import check_repeated, parse_draw, parse_slice
from spoold.command.spec import READONLY, Keys, command
from spoold.core.errors import SyntaxFault
from spoold.core.patterns import compile_pattern
from spoold.core.reply import Reply
from spoold.datatypes.sets import store
from spoold.keyspace.cursor import parse_cursor
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import SetRecord

# A set of so few members is returned whole, as Redis does with its small encodings.
_WHOLE: Final = 128
# Random sequences that are tried for one member. Where a hit is this unlikely the choice is made otherwise.
_TRIES: Final = 64
_LIKELY: Final = 8
# Up to so many members all are read, for an even choice among them.
_LISTED: Final = 1000
# The window of neighbours from which a member is drawn where there are many members and many more holes.
_WINDOW: Final = 64

_chance: Final = random.Random()


@command(
    "SSCAN",
    flags=READONLY,
    keys=Keys(1),
    since="2.8.0",
    syntax="SSCAN key cursor [MATCH pattern] [COUNT count]",
)
def sscan(ctx: Context, key: bytes, cursor: bytes, *options: bytes) -> list[object]:
    """Lists a set's members in slices, as a cursor goes on.

    A member that stays from the first call to the last is returned exactly once; up to 128 members are returned at
    once, whatever the cursor.
    options: COUNT members are looked at, 10 by default, 100,000 at most; MATCH chooses among them.
    returns: the cursor for the next call, 0 at the end, and the members.
    raises: BadCursor, WrongType, then NotAnInteger, SyntaxFault (only if there is a set).
    cost: O(COUNT).
    """
    before = parse_cursor(cursor)
    record = store.find(ctx.ks, key)
    if record is None:
        return [b"0", []]
    wanted = parse_slice(options)
    matches = compile_pattern(wanted.pattern)
    if record.members <= _WHOLE:
        return [b"0", [member for _, member in store.oldest(ctx.ks, record, record.members) if matches(member)]]
    stop = min(before, record.next) if before else record.next
    found = store.between(ctx.ks, record, record.head, stop, wanted.count, reverse=True)
    goes_on = found[-1][0] if len(found) == wanted.count else 0
    return [b"%d" % goes_on, [member for _, member in found if matches(member)]]


@command("SRANDMEMBER", flags=READONLY, keys=Keys(1), since="1.0.0", syntax="SRANDMEMBER key [count]")
def srandmember(ctx: Context, key: bytes, count: bytes | None = None, *more: bytes) -> Reply:
    """Picks members at random: one, some different ones, or (a negative count) some that may repeat.

    Every member is as likely as the others, but for a set of over 1,000 of which seven of eight were removed: there
    the neighbours of large holes are somewhat more likely.
    returns: a member or None; with a count a list.
    raises: SyntaxFault, NotAnInteger, OutOfLong, WrongType; OutOfRange: over a million repetitions are asked for.
    cost: O(count), at most O(members) for different ones.
    """
    if more:
        raise SyntaxFault  # not the error of a wrong number of arguments, as in Redis
    number, _ = parse_draw(count)
    record = store.find(ctx.ks, key)
    if record is None:
        return None if count is None else []
    if count is None:
        return _draw(ctx.ks, record, 1)[0]
    if number >= 0:
        return _draw_different(ctx.ks, record, number)
    check_repeated(number)
    return _draw(ctx.ks, record, -number)


def _draw_different(ks: Keyspace, record: SetRecord, count: int) -> list[bytes]:
    """Draw `count` different members, or all that there are."""
    if count >= record.members:
        return [member for _, member in store.oldest(ks, record, record.members)]
    if record.members <= _LISTED or count * _LIKELY >= record.members:
        # Only this many are kept at a time, however large the set is.
        return _sample(ks, record, count)
    drawn: dict[bytes, None] = {}
    while len(drawn) < count:
        drawn.update(dict.fromkeys(_draw(ks, record, count - len(drawn))))
    return list(drawn)


def _sample(ks: Keyspace, record: SetRecord, count: int) -> list[bytes]:
    """Pass all members and keep each with the likelihood that makes the choice of `count` even."""
    wanted, left = count, record.members
    sample = []
    for member in store.each(ks, record):
        if _chance.random() * left < wanted:
            sample.append(member)
            wanted -= 1
        left -= 1
    return sample


def _draw(ks: Keyspace, record: SetRecord, count: int) -> list[bytes]:
    """Draw `count` members, each anew from all."""
    if record.members <= _LISTED and (count > 1 or _is_sparse(record)):
        return _chance.choices([member for _, member in store.oldest(ks, record, record.members)], k=count)
    return [_draw_one(ks, record) for _ in range(count)]


def _draw_one(ks: Keyspace, record: SetRecord) -> bytes:
    if not _is_sparse(record):
        for _ in range(_TRIES):
            member = store.at_sequence(ks, record, _chance.randrange(record.head, record.next))
            if member is not None:
                return member
    start = _chance.randrange(record.head, record.next)
    window = store.between(ks, record, start, record.next, _WINDOW)
    if len(window) < _WINDOW:
        window += store.between(ks, record, record.head, start, _WINDOW - len(window))
    return _chance.choice(window)[1]


def _is_sparse(record: SetRecord) -> bool:
    return record.members * _LIKELY < record.next - record.head
