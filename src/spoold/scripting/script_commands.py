"""SCRIPT: the scripts that the server knows, and the one that runs."""

from __future__ import annotations

from typing import Final

from spoold.command.context import Context
from spoold.command.spec import ALLOW_BUSY, NOSCRIPT, STALE, command
from spoold.core.errors import CommandError
from spoold.core.reply import OK, Reply
from spoold.scripting.scripts import Scripts

_GROUP: Final = "scripting"


@command("SCRIPT|LOAD", flags=NOSCRIPT | STALE, since="2.6.0", syntax="SCRIPT LOAD script", group=_GROUP)
def script_load(ctx: Context, script: bytes) -> bytes:
    """Keeps a script without running it, across restarts, until SCRIPT FLUSH.

    returns: its SHA-1, for EVALSHA.
    raises: CommandError: it can't be compiled; Misconf: the disk refuses writes.
    source: Redis's SCRIPT LOAD page; Redis forgets scripts when it ends, spoold does not.
    """
    return ctx.parts.get(Scripts).load(script)


@command("SCRIPT|EXISTS", flags=NOSCRIPT, since="2.6.0", syntax="SCRIPT EXISTS sha1 [sha1 ...]", group=_GROUP)
def script_exists(ctx: Context, sha1: bytes, *sha1s: bytes) -> list[int]:
    """Tells which scripts the server knows.

    returns: 1 or 0 for each.
    """
    scripts = ctx.parts.get(Scripts)
    return [int(scripts.exists(sha)) for sha in (sha1, *sha1s)]


@command("SCRIPT|FLUSH", flags=NOSCRIPT, since="2.6.0", syntax="SCRIPT FLUSH [ASYNC | SYNC]", group=_GROUP)
def script_flush(ctx: Context, *mode: bytes) -> Reply:
    """Forgets all scripts.

    mode: makes no difference.
    raises: CommandError: another word, or several.
    """
    if len(mode) > 1 or (mode and mode[0].upper() not in (b"ASYNC", b"SYNC")):
        raise CommandError("SCRIPT FLUSH only support SYNC|ASYNC option")
    ctx.parts.get(Scripts).flush()
    return OK


@command("SCRIPT|KILL", flags=NOSCRIPT | ALLOW_BUSY, since="2.6.0", syntax="SCRIPT KILL", group=_GROUP)
def script_kill(ctx: Context) -> Reply:
    """Ends the script that keeps the server busy, unless it has written.

    raises: NothingRuns; Unkillable; BusyFunction: it is a function, see FUNCTION KILL.
    """
    ctx.parts.get(Scripts).runner.kill(function=False)
    return OK


@command("SCRIPT|DEBUG", flags=NOSCRIPT, since="3.2.0", syntax="SCRIPT DEBUG YES | SYNC | NO", group=_GROUP)
def script_debug(ctx: Context, mode: bytes) -> Reply:
    """Answers as if it set the debugging mode; there is no debugger.

    raises: CommandError: another mode than NO: clients of the debugger must not wait for it.
    """
    word = mode.upper()
    if word in (b"YES", b"SYNC"):
        raise CommandError("spoold has no Lua debugger")
    if word != b"NO":
        raise CommandError("Use SCRIPT DEBUG YES/SYNC/NO")
    return OK
