"""The way from scripts to the commands: a client of their own, and what their commands must pass.

Scripts know nothing of sessions; what they call runs as `Dispatcher.run_inside`, after the checks that hold for their
caller too. A slow script sets `Admission.busy` and takes every client off the hot path, so that each request of others
is looked at.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from spoold.command.context import Context
from spoold.command.peer import Peer
from spoold.command.table import Entry
from spoold.core.errors import CommandError
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.session import Session
from spoold.scripting.libraries import Libraries
from spoold.scripting.runner import Runner
from spoold.scripting.scripts import Scripts

# As SLOWLOG names who runs the commands of scripts; MONITOR says "lua".
SCRIPT_ADDRESS: Final = "?:0"


class _NoWire:
    """What a client without a connection is sent goes nowhere."""

    def write(self, data: bytes) -> None:
        """Drop."""

    def close(self) -> None:
        """Nothing to close."""

    def abort(self) -> None:
        """Nothing to close."""

    def overflows(self) -> bool:
        """Nothing gathers."""
        return False

    def hold_reading(self, hold: bool) -> None:
        """Nothing is read."""


def install_scripts(dispatcher: Dispatcher) -> Runner:
    """Add what runs scripts and functions to the dispatcher's parts; returns it."""
    admission = dispatcher.admission
    session = Session(dispatcher, _NoWire(), Peer(0, SCRIPT_ADDRESS, "", 0.0), _no_encoding, authenticated=True)

    session.ctx.in_script = True

    def guarded() -> bool:
        caller = dispatcher.turn.running or session
        admission.lenient = runner.allow_oom
        dispatcher.noted_inside = False
        return dispatcher.dbs.read_only or admission.over_limit or not caller.user.unrestricted

    def refusal(ctx: Context, entry: Entry, request: list[bytes]) -> CommandError | None:
        # A script may do what its caller may.
        return admission.refusal_inside(dispatcher.turn.running or session, entry, request)

    def count_refusal(entry: Entry | None, error: CommandError) -> None:
        if entry is not None:
            entry.rejected += 1
        dispatcher.note_error(error)
        dispatcher.noted_inside = True

    runner = Runner(dispatcher.table, session.ctx, dispatcher.run_inside, refusal)
    runner.on_refused = count_refusal
    runner.refuses_writes = admission.refuses_writes
    runner.guarded = guarded
    runner.over_limit = lambda: admission.over_limit
    runner.on_busy.append(partial(_set_busy, dispatcher))
    scripts, libraries = Scripts(dispatcher.dbs, runner), Libraries(dispatcher.dbs, runner)

    def may_write(request: list[bytes]) -> bool:
        if request[0].upper() == b"FCALL":
            return libraries.may_write(request[1])
        return scripts.may_write(request[0], request[1])

    admission.script_writes = may_write
    for part in (runner, scripts, libraries):
        dispatcher.parts.add(part)
    return runner


def _set_busy(dispatcher: Dispatcher, error: CommandError | None) -> None:
    dispatcher.admission.busy = error
    dispatcher.set_alert("busy", error is not None)


def _no_encoding(reply: object) -> bytes:
    """No one reads it."""
    return b""
