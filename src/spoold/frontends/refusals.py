"""What stands in the way of a request that writes, at doors whose verbs do not go through the command table."""

from __future__ import annotations

from spoold.command.context import Context
from spoold.core.errors import Misconf, TooMuchData
from spoold.dispatch.session import session_of


def refuse_write(ctx: Context, *, adds: bool = False, quiet: bool = False) -> bool:
    """Refuse a request that writes, where the disk takes no writes or there is as much data as there may be.

    adds: it may make the data larger, so that `maxmemory` counts. quiet: the client takes no reply to it, and an error
    would put it out of step.
    returns: whether it is refused without a word.
    raises: Misconf, TooMuchData: it is refused.
    """
    dispatcher = session_of(ctx).dispatcher
    if not ctx.dbs.read_only and not (adds and dispatcher.admission.over_limit):
        return False
    if quiet:
        return True
    raise Misconf(dispatcher.turn.commit.failing) if ctx.dbs.read_only else TooMuchData()
