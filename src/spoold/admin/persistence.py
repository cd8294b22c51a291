"""SAVE and its kin, SHUTDOWN: what is on the disk, and how the server ends.

Every reply to a write is already a promise that it is saved (`--durability`), so these have little to do: a save is a
checkpoint, which moves what the journal holds into the data file.
"""

from __future__ import annotations

from collections.abc import Callable

from spoold.admin.host import Host
from spoold.command.context import STILL_WAITING, Context, Wait
from spoold.command.spec import ADMIN, ALLOW_BUSY, FAST, LOADING, NO_ASYNC_LOADING, NO_MULTI, NOSCRIPT, STALE, command
from spoold.core.errors import CommandError, Misconf, NoShutdown, ShutdownFailed, SyntaxFault, WritesRefused
from spoold.core.reply import NO_REPLY, OK, Reply, Simple
from spoold.core.script_errors import BusyFunction, BusyScript
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.session import session_of
from spoold.engine.commit import Commit, Lost
from spoold.metrics.registry import Metrics
from spoold.scripting.runner import Runner

_FLAGS = ADMIN | NOSCRIPT | NO_ASYNC_LOADING
_SAVE_STARTED = Simple(b"Background saving started")
_REWRITE_STARTED = Simple(b"Background append only file rewriting started")


@command("SAVE", flags=_FLAGS | NO_MULTI, since="1.0.0", syntax="SAVE", group="server")
def save(ctx: Context) -> Reply | Wait:
    """Makes a checkpoint: all that was written so far stands in the data file when this answers.

    raises: CommandError: the server runs with `--memory`. The reply is MISCONF if the disk fails.
    differs: there is no file of this kind; what is acknowledged is on the disk already.
    """
    _refuse_in_memory(ctx)
    return wait_for_checkpoint(ctx)


@command("BGSAVE", flags=_FLAGS, since="1.0.0", syntax="BGSAVE [SCHEDULE]", group="server")
def bgsave(ctx: Context, *schedule: bytes) -> Reply:
    """Makes a checkpoint without waiting for it; LASTSAVE tells when it is done.

    raises: SyntaxFault; CommandError: the server runs with `--memory`.
    differs: there is no file of this kind; what is acknowledged is on the disk already.
    """
    if schedule and (len(schedule) > 1 or schedule[0].upper() != b"SCHEDULE"):
        raise SyntaxFault
    _refuse_in_memory(ctx)
    checkpoint_after_turn(ctx, lambda reply: None)
    return _SAVE_STARTED


@command("BGREWRITEAOF", flags=_FLAGS, since="1.0.0", syntax="BGREWRITEAOF", group="server")
def bgrewriteaof(ctx: Context) -> Reply:
    """Makes a checkpoint without waiting for it, behind which the journal begins anew.

    raises: CommandError: the server runs with `--memory`.
    differs: there is no file of this kind; what is acknowledged is on the disk already.
    """
    _refuse_in_memory(ctx)
    checkpoint_after_turn(ctx, lambda reply: None)
    return _REWRITE_STARTED


@command("LASTSAVE", flags=LOADING | STALE | FAST, since="1.0.0", syntax="LASTSAVE", group="server")
def lastsave(ctx: Context) -> int:
    """Returns the Unix time of the last checkpoint, in seconds; that of the start before the first one."""
    return ctx.parts.get(Metrics).saved_ms // 1000


@command(
    "SHUTDOWN",
    flags=ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY,
    since="1.0.0",
    syntax="SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]",
    group="server",
)
def shutdown(ctx: Context, *options: bytes) -> Reply:
    """Ends the server behind the open turn; nothing that was acknowledged is lost either way.

    options: NOSAVE leaves the last checkpoint to the next start; FORCE ends it though the disk refuses writes.
    returns: nothing, the connection is closed.
    raises: SyntaxFault; NoShutdown: ABORT, as an end once begun is not called off; ShutdownFailed.
    source: Redis's SHUTDOWN page.
    """
    words = [word.upper() for word in options]
    if not set(words) <= {b"NOSAVE", b"SAVE", b"NOW", b"FORCE", b"ABORT"}:
        raise SyntaxFault
    if (b"NOSAVE" in words and b"SAVE" in words) or (b"ABORT" in words and len(words) > 1):
        raise SyntaxFault
    if b"ABORT" in words:
        raise NoShutdown
    runner = ctx.parts.get(Runner)
    saves = b"NOSAVE" not in words
    if runner.busy:
        if saves:
            raise BusyFunction if runner.is_function else BusyScript
        runner.abandon()
    commit = ctx.parts.get(Commit)
    if saves and commit.refusing and b"FORCE" not in words:
        raise ShutdownFailed
    lifecycle = ctx.parts.get(Host).lifecycle
    lifecycle.save_at_exit = saves
    lifecycle.stop()
    return NO_REPLY


def _refuse_in_memory(ctx: Context) -> None:
    if ctx.parts.get(Host).directory is None:
        raise CommandError("nothing can be saved: the server runs with --memory")


def wait_for_checkpoint(ctx: Context) -> Wait:
    """Make a checkpoint behind the open turn; the caller waits for it."""
    session = session_of(ctx)

    def never(name: bytes) -> Wait:
        return STILL_WAITING

    def answer(reply: Reply) -> None:
        waiter = session.waiter
        # Meanwhile it may have been unblocked, and wait for something else by now.
        if waiter is not None and waiter.serve is never:
            session.dispatcher.turn.guard(session.dispatcher.answer, waiter, reply)

    checkpoint_after_turn(ctx, answer)
    return Wait((), 0.0, OK, never)


def checkpoint_after_turn(ctx: Context, answer: Callable[[Reply], None]) -> None:
    """Make a checkpoint as soon as no turn is open, and tell `answer` how it went."""
    turn = ctx.parts.get(Dispatcher).turn
    commit = ctx.parts.get(Commit)
    metrics = ctx.parts.get(Metrics)

    def attempt() -> None:
        if turn.open:
            turn.schedule(attempt)
            return
        try:
            commit.checkpoint()
        except WritesRefused as error:
            answer(Misconf(error))
        except Lost as error:
            answer(Misconf(error))
            turn.on_lost(error)
        else:
            metrics.saved_ms = turn.clock.unix_ms()
            answer(OK)

    turn.schedule(attempt)
