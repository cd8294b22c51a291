"""SADD, SPOP and the other commands on one set, and SMOVE. Members come in the order in which they were added."""

from __future__ import annotations

from spoold.command.args import parse_at_least
from spoold.command.context import Context
from spoold.command.spec import DENYOOM, FAST, READONLY, WRITE, Keys, command
from spoold.core.errors import NotPositive, SyntaxFault
from spoold.core.reply import Reply, SetReply
from spoold.datatypes.sets import store


@command(
    "SADD",
    flags=WRITE | DENYOOM | FAST,
    keys=Keys(1, access="RW insert"),
    since="1.0.0",
    syntax="SADD key member [member ...]",
    arity=-3,
)
def sadd(ctx: Context, key: bytes, *members: bytes) -> int:
    """Adds members to a set, and counts those that are new; creates the set if there is none."""
    return store.add(ctx.ks, key, members)


@command(
    "SREM",
    flags=WRITE | FAST,
    keys=Keys(1, access="RW delete"),
    since="1.0.0",
    syntax="SREM key member [member ...]",
    arity=-3,
)
def srem(ctx: Context, key: bytes, *members: bytes) -> int:
    """Removes members from a set, and counts those that were in it."""
    return store.remove(ctx.ks, key, members)


@command("SPOP", flags=WRITE | FAST, keys=Keys(1, access="RW access delete"), since="1.0.0", syntax="SPOP key [count]")
def spop(ctx: Context, key: bytes, count: bytes | None = None, *more: bytes) -> Reply:
    """Takes one or more members from a set, the oldest first.

    returns: a member or None; with a count, what there is of so many.
    raises: SyntaxFault; NotPositive, also if `count` is no number; WrongType.
    differs: Redis takes members at random.
    source: shared design, section 4: Redis pops at random; here a set is a queue of unique items.
    """
    if count is None:
        return store.pop(ctx.ks, key)
    if more:
        raise SyntaxFault  # not the error of a wrong number of arguments, as in Redis
    return SetReply(store.pop_many(ctx.ks, key, parse_at_least(count, 0, NotPositive)))


@command("SCARD", flags=READONLY | FAST, keys=Keys(1, access="RO"), since="1.0.0", syntax="SCARD key")
def scard(ctx: Context, key: bytes) -> int:
    """Counts the members of a set."""
    return store.size(ctx.ks, key)


@command("SISMEMBER", flags=READONLY | FAST, keys=Keys(1, access="RO"), since="1.0.0", syntax="SISMEMBER key member")
def sismember(ctx: Context, key: bytes, member: bytes) -> int:
    """Tells whether a set has a member."""
    record = store.find(ctx.ks, key)
    return int(record is not None and store.holds(ctx.ks, record, member))


@command(
    "SMISMEMBER",
    flags=READONLY | FAST,
    keys=Keys(1),
    since="6.2.0",
    syntax="SMISMEMBER key member [member ...]",
    arity=-3,
)
def smismember(ctx: Context, key: bytes, *members: bytes) -> list[int]:
    """Tells of each of several members whether a set has it."""
    ks = ctx.ks
    record = store.find(ks, key)
    return [int(record is not None and store.holds(ks, record, member)) for member in members]


@command("SMEMBERS", flags=READONLY, keys=Keys(1), since="1.0.0", syntax="SMEMBERS key")
def smembers(ctx: Context, key: bytes) -> SetReply:
    """Lists all members of a set, the oldest first.

    differs: members come in the order in which they were added, in Redis in none.
    """
    return SetReply(store.members(ctx.ks, key))


@command(
    "SMOVE",
    flags=WRITE | FAST,
    keys=Keys(1, 2, access="RW access delete|RW insert"),
    since="1.0.0",
    syntax="SMOVE source destination member",
)
def smove(ctx: Context, source: bytes, destination: bytes, member: bytes) -> int:
    """Moves a member from one set to another."""
    return int(store.move(ctx.ks, source, destination, member))
