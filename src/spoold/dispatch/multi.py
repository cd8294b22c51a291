"""MULTI, EXEC, DISCARD, WATCH, UNWATCH: a transaction is one command of the turn, so it needs no lock."""

from __future__ import annotations

from typing import Any

from spoold.command.context import Context
from spoold.command.spec import ALLOW_BUSY, FAST, LOADING, NOSCRIPT, STALE, Flag, Keys, command
from spoold.core.errors import CommandError
from spoold.core.reply import NULL_ARRAY, OK, Reply
from spoold.dispatch.session import session_of
from spoold.keyspace.watchers import Watch

_FLAGS = NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY


@command("MULTI", flags=_FLAGS, since="1.2.0", syntax="MULTI", group="transactions")
def multi(ctx: Context) -> Reply:
    """Starts a transaction."""
    session = session_of(ctx)
    if session.transaction is not None:
        raise CommandError("MULTI calls can not be nested")
    session.begin_transaction()
    return OK


@command("DISCARD", flags=_FLAGS, since="2.0.0", syntax="DISCARD", group="transactions")
def discard(ctx: Context) -> Reply:
    """Discards a transaction."""
    session = session_of(ctx)
    if session.transaction is None:
        raise CommandError("DISCARD without MULTI")
    session.end_transaction()
    return OK


@command(
    "EXEC", flags=NOSCRIPT | LOADING | STALE | Flag.SKIP_SLOWLOG, since="1.2.0", syntax="EXEC", group="transactions"
)
def exec_(ctx: Context) -> Any:
    """Executes all commands in a transaction.

    returns: the replies in order, errors in their places; NULL_ARRAY if a watched key changed.
    raises: EXECABORT: a command was refused while it was queued.
    atomic: the commands run in one turn, and nothing else runs between them.
    """
    session = session_of(ctx)
    transaction = session.transaction
    if transaction is None:
        raise CommandError("EXEC without MULTI")
    watch = session.watch
    unchanged = watch is None or not (watch.broken or _expired(ctx, watch))
    session.end_transaction()
    if transaction.broken:
        raise CommandError("Transaction discarded because of previous errors.", "EXECABORT")
    if not unchanged:
        return NULL_ARRAY
    call = ctx.call
    refusal = session.dispatcher.check_queued
    return [
        # One of the requests may be an AUTH.
        (None if session.user.unrestricted else refusal(session, request)) or call(ctx, request)
        for request in transaction.requests
    ]


@command(
    "WATCH",
    flags=_FLAGS,
    keys=Keys(1, -1, access="RO"),
    since="2.2.0",
    syntax="WATCH key [key ...]",
    group="transactions",
)
def watch(ctx: Context, key: bytes, *keys: bytes) -> Reply:
    """Monitors changes to keys to determine the execution of a transaction."""
    session = session_of(ctx)
    if session.transaction is not None:
        raise CommandError("WATCH inside MULTI is not allowed")
    if session.watch is None:
        session.watch = Watch()
    keyspace = ctx.ks
    for name in (key, *keys):
        place = (keyspace.index, name)
        if place in session.watch.keys:
            continue
        session.watch.keys[place] = keyspace.find(name) is not None
        keyspace.watches.setdefault(name, {})[session.watch] = None
        keyspace.observe(name)
    return OK


@command("UNWATCH", flags=_FLAGS, since="2.2.0", syntax="UNWATCH", group="transactions")
def unwatch(ctx: Context) -> Reply:
    """Forgets about watched keys of a transaction."""
    session = session_of(ctx)
    session.dispatcher.unwatch(session)
    return OK


def _expired(ctx: Context, watch: Watch) -> bool:
    """Whether a watched key that existed fell due meanwhile, even if nothing has looked at it yet."""
    return any(existed and ctx.dbs[index].find(name) is None for (index, name), existed in watch.keys.items())
