"""What stands in the way of a request that writes, at doors whose verbs do not go through the command table."""

from __future__ import annotations

from spoold.command.context import Context
from spoold.core.errors import CommandError, Misconf, TooMuchData
from spoold.dispatch.session import session_of


def obstacle(ctx: Context, *, adds: bool) -> CommandError | None:
    """The disk takes no writes, or there is as much data as there may be (`maxmemory`); None if nothing is in the way.

    adds: the request may make the data larger.
    """
    dispatcher = session_of(ctx).dispatcher
    if ctx.dbs.read_only:
        return Misconf(dispatcher.turn.commit.failing)
    return TooMuchData() if adds and dispatcher.admission.over_limit else None


def refuse_write(ctx: Context, *, adds: bool = False) -> None:
    """raises: Misconf, TooMuchData."""
    if (error := obstacle(ctx, adds=adds)) is not None:
        raise error
