"""SINTER, SUNION, SDIFF, their STORE forms, SINTERCARD.

All keys are looked up first, so one that is no set is an error whatever the others are. Results are in the order of
age: that of the smallest set for an intersection, that of the sets as they are named for the rest. A STORE form works
out the whole result before it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from spoold.command.args import Args, parse_at_least
from spoold.command.context import Context
from spoold.command.spec import DENYOOM, MOVABLEKEYS, READONLY, WRITE, Keys, command
from spoold.core.errors import MoreKeysThanArguments, NegativeLimit, NumkeysNotPositive
from spoold.core.reply import SetReply
from spoold.datatypes.sets import store
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import SetRecord

# Looking up a member costs as much as reading this many in order.
_LOOKUP: Final = 4


@command("SINTER", flags=READONLY, keys=Keys(1, -1), since="1.0.0", syntax="SINTER key [key ...]", arity=-2)
def sinter(ctx: Context, *keys: bytes) -> SetReply:
    """Lists the members that all of several sets have."""
    return SetReply(list(_intersection(ctx.ks, keys)))


@command("SUNION", flags=READONLY, keys=Keys(1, -1), since="1.0.0", syntax="SUNION key [key ...]", arity=-2)
def sunion(ctx: Context, *keys: bytes) -> SetReply:
    """Lists the members that at least one of several sets has."""
    return SetReply(_union(ctx.ks, keys))


@command("SDIFF", flags=READONLY, keys=Keys(1, -1), since="1.0.0", syntax="SDIFF key [key ...]", arity=-2)
def sdiff(ctx: Context, *keys: bytes) -> SetReply:
    """Lists the members of the first set that none of the others has."""
    return SetReply(_difference(ctx.ks, keys))


@command(
    "SINTERSTORE",
    flags=WRITE | DENYOOM,
    keys=Keys(1, -1, access="RW update|RO access"),
    since="1.0.0",
    syntax="SINTERSTORE destination key [key ...]",
    arity=-3,
)
def sinterstore(ctx: Context, destination: bytes, *keys: bytes) -> int:
    """Makes a key the set of the members that all of several sets have, and counts them."""
    return store.replace(ctx.ks, destination, list(_intersection(ctx.ks, keys)), b"sinterstore")


@command(
    "SUNIONSTORE",
    flags=WRITE | DENYOOM,
    keys=Keys(1, -1, access="OW update|RO access"),
    since="1.0.0",
    syntax="SUNIONSTORE destination key [key ...]",
    arity=-3,
)
def sunionstore(ctx: Context, destination: bytes, *keys: bytes) -> int:
    """Makes a key the set of the members that at least one of several sets has, and counts them."""
    return store.replace(ctx.ks, destination, _union(ctx.ks, keys), b"sunionstore")


@command(
    "SDIFFSTORE",
    flags=WRITE | DENYOOM,
    keys=Keys(1, -1, access="OW update|RO access"),
    since="1.0.0",
    syntax="SDIFFSTORE destination key [key ...]",
    arity=-3,
)
def sdiffstore(ctx: Context, destination: bytes, *keys: bytes) -> int:
    """Makes a key the set of the members of the first set that none of the others has, and counts them."""
    return store.replace(ctx.ks, destination, _difference(ctx.ks, keys), b"sdiffstore")


@command(
    "SINTERCARD",
    flags=READONLY | MOVABLEKEYS,
    keys=Keys(numkeys=1),
    since="7.0.0",
    syntax="SINTERCARD numkeys key [key ...] [LIMIT limit]",
    arity=-3,
)
def sintercard(ctx: Context, numkeys: bytes, *keys_and_options: bytes) -> int:
    """Counts the members that all of several sets have, up to a limit; 0 is no limit.

    raises: NumkeysNotPositive, MoreKeysThanArguments, SyntaxFault, NegativeLimit; WrongType.
    cost: O(members of the smallest set, times sets), less if the limit is reached before.
    """
    number = parse_at_least(numkeys, 1, NumkeysNotPositive)
    if number > len(keys_and_options):
        raise MoreKeysThanArguments
    limit = 0
    options = Args(keys_and_options[number:])
    while options.skip(b"LIMIT"):
        limit = parse_at_least(options.take(), 0, NegativeLimit)
    options.end()
    return sum(1 for _ in islice(_intersection(ctx.ks, keys_and_options[:number]), limit or None))


def _intersection(ks: Keyspace, names: Iterable[bytes]) -> Iterator[bytes]:
    records = [store.find(ks, name) for name in names]
    present = [record for record in records if record is not None]
    if len(present) < len(records):
        return iter(())
    smallest, *others = sorted({record.object_id: record for record in present}.values(), key=SetRecord.count)
    members = store.each(ks, smallest)
    for other in others:
        members = filter(_membership(ks, other, smallest.members), members)
    return members


def _union(ks: Keyspace, names: Iterable[bytes]) -> list[bytes]:
    union: dict[bytes, None] = {}
    for record in [store.find(ks, name) for name in names]:
        if record is not None:
            union.update(dict.fromkeys(store.each(ks, record)))
    return list(union)


def _difference(ks: Keyspace, names: Iterable[bytes]) -> list[bytes]:
    first, *others = [store.find(ks, name) for name in names]
    if first is None:
        return []
    left = list(store.each(ks, first))
    for other in others:
        if other is not None and left:
            has = _membership(ks, other, len(left))
            left = [member for member in left if not has(member)]
    return left


def _membership(ks: Keyspace, record: SetRecord, questions: int) -> Callable[[bytes], bool]:
    """A function that tells whether the set has a member, the cheapest for so many `questions`."""
    if record.members <= _LOOKUP * questions:
        return frozenset(store.each(ks, record)).__contains__
    return lambda member: store.holds(ks, record, member)
