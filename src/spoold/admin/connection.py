"""PING, ECHO, SELECT, QUIT and the other commands about one's own connection."""

from __future__ import annotations

from spoold.command.context import Context
from spoold.command.spec import ALLOW_BUSY, FAST, LOADING, NO_AUTH, NOSCRIPT, STALE, command
from spoold.core.errors import CommandError, NotAnInteger
from spoold.core.numerals import parse_int
from spoold.core.reply import OK, PONG, Reply
from spoold.dispatch.session import session_of


@command("PING", flags=FAST, since="1.0.0", syntax="PING [message]", group="connection")
def ping(ctx: Context, message: bytes | None = None) -> Reply:
    """Returns the server's liveliness response."""
    return PONG if message is None else message


@command("ECHO", flags=LOADING | STALE | FAST, since="1.0.0", syntax="ECHO message", group="connection")
def echo(ctx: Context, message: bytes) -> bytes:
    """Returns the given string."""
    return message


@command("SELECT", flags=LOADING | STALE | FAST, since="1.0.0", syntax="SELECT index", group="connection")
def select(ctx: Context, index: bytes) -> Reply:
    """Changes the selected database."""
    try:
        number = parse_int(index)
    except NotAnInteger:
        raise CommandError("invalid DB index") from None
    ctx.select(number)
    return OK


@command(
    "QUIT",
    flags=NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY,
    since="1.0.0",
    syntax="QUIT",
    group="connection",
    arity=-1,
)
def quit_(ctx: Context) -> Reply:
    """Closes the connection."""
    session_of(ctx).closing = True
    return OK
