"""DBSIZE, FLUSHDB, FLUSHALL, SWAPDB: whole databases, all in O(1)."""

from __future__ import annotations

from spoold.command.context import Context
from spoold.command.spec import DANGEROUS, FAST, READONLY, WRITE, command
from spoold.core.errors import CommandError, SyntaxFault
from spoold.core.numerals import parse_int32
from spoold.core.reply import OK, Reply
from spoold.datatypes.jobs import store as jobs
from spoold.keyspace.layout import DATABASES


@command("DBSIZE", flags=READONLY | FAST, since="1.0.0", syntax="DBSIZE", group="server")
def dbsize(ctx: Context) -> int:
    """Counts the keys of the selected database, those included that are due and not dropped yet."""
    return ctx.ks.count


@command("FLUSHDB", flags=WRITE | DANGEROUS, since="1.0.0", syntax="FLUSHDB [ASYNC|SYNC]", group="server")
def flushdb(ctx: Context, *mode: bytes) -> Reply:
    """Drops all keys of the selected database; their space is given back in the background either way."""
    _check_mode(mode)
    ctx.ks.flush()
    jobs.drop_database(ctx.dbs, ctx.ks.index)
    return OK


@command("FLUSHALL", flags=WRITE | DANGEROUS, since="1.0.0", syntax="FLUSHALL [ASYNC|SYNC]", group="server")
def flushall(ctx: Context, *mode: bytes) -> Reply:
    """Drops all keys of all databases; their space is given back in the background either way."""
    _check_mode(mode)
    for index in range(DATABASES):
        ctx.dbs[index].flush()
    jobs.drop_all(ctx.dbs)
    return OK


@command("SWAPDB", flags=WRITE | FAST | DANGEROUS, since="4.0.0", syntax="SWAPDB index1 index2", group="server")
def swapdb(ctx: Context, index1: bytes, index2: bytes) -> Reply:
    """Swaps two databases, so that the clients of each see the other's keys."""
    first = _index(index1, "invalid first DB index")
    second = _index(index2, "invalid second DB index")
    ctx.database(first)
    ctx.database(second)
    if first != second:
        ctx.dbs.swap(first, second)
    return OK


def _check_mode(mode: tuple[bytes, ...]) -> None:
    if len(mode) > 1 or (mode and mode[0].upper() not in {b"ASYNC", b"SYNC"}):
        raise SyntaxFault


def _index(text: bytes, refusal: str) -> int:
    try:
        return parse_int32(text)
    except CommandError:
        raise CommandError(refusal) from None
