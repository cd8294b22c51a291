"""PING, ECHO, SELECT, QUIT, HELLO, AUTH, RESET: the commands about one's own connection. CLIENT is in clients.py."""

from __future__ import annotations

from spoold.acl.users import DEFAULT, Users
from spoold.admin.access import Access
from spoold.admin.info import REDIS_VERSION
from spoold.admin.monitor import Monitor
from spoold.command.context import Context
from spoold.command.spec import ALLOW_BUSY, FAST, LOADING, NO_AUTH, NOSCRIPT, STALE, command
from spoold.core.errors import (
    BadClientName,
    BadProtocolVersion,
    CommandError,
    HelloNeedsAuth,
    NoPasswordSet,
    NoSuchProtocol,
    NotAnInteger,
    SyntaxFault,
)
from spoold.core.numerals import parse_int, parse_int32
from spoold.core.reply import OK, PONG, Reply, Simple
from spoold.dispatch.session import session_of
from spoold.pubsub.hub import Hub
from spoold.pubsub.tracking import Tracking

_FLAGS = NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY
_RESET = Simple(b"RESET")


@command("PING", flags=FAST, since="1.0.0", syntax="PING [message]", group="connection")
def ping(ctx: Context, message: bytes | None = None) -> Reply:
    """Answers PONG, or the given message: shows that the server is alive.

    returns: for a connection that listens to channels in RESP2, [pong, message].
    """
    if ctx.owner.subscriptions is not None and ctx.peer.protocol == 2:
        return [b"pong", message or b""]
    return PONG if message is None else message


@command("ECHO", flags=LOADING | STALE | FAST, since="1.0.0", syntax="ECHO message", group="connection")
def echo(ctx: Context, message: bytes) -> bytes:
    """Answers with the given message."""
    return message


@command("SELECT", flags=LOADING | STALE | FAST, since="1.0.0", syntax="SELECT index", group="connection")
def select(ctx: Context, index: bytes) -> Reply:
    """Chooses the database that the connection's further commands use.

    index: 0 to 15.
    raises: BadDbIndex; NotAnInteger; OutOfInt32.
    """
    ctx.select(parse_int32(index))
    return OK


@command("QUIT", flags=_FLAGS, since="1.0.0", syntax="QUIT", group="connection", arity=-1)
def quit_(ctx: Context, *ignored: bytes) -> Reply:
    """Closes the connection behind the replies that are due."""
    session_of(ctx).closing = True
    return OK


@command("AUTH", flags=_FLAGS, since="1.0.0", syntax="AUTH [username] password", group="connection", arity=-2)
def auth(ctx: Context, first: bytes, second: bytes | None = None, *more: bytes) -> Reply:
    """Logs the connection in.

    args: the password, of the user `default`; or the user's name and the password.
    raises: NoPasswordSet, WrongPassword.
    source: Redis's AUTH page; tried with redis 7.0.15.
    """
    if more:
        raise SyntaxFault
    if second is None and ctx.parts.get(Users).default.nopass:
        raise NoPasswordSet
    name, password = (DEFAULT, first) if second is None else (first, second)
    ctx.parts.get(Access).log_in(session_of(ctx), name, password, b"AUTH")
    return OK


@command(
    "HELLO",
    flags=_FLAGS,
    since="6.0.0",
    syntax="HELLO [protover [AUTH username password] [SETNAME clientname]]",
    group="connection",
)
def hello(ctx: Context, protover: bytes | None = None, *options: bytes) -> Reply:
    """Chooses the protocol version, logs in and names the connection in one go; tells what server this is.

    protover: 2 or 3; the version stays as it is without.
    raises: BadProtocolVersion, NoSuchProtocol, WrongPassword, HelloNeedsAuth, BadClientName; CommandError: bad option.
    atomic: nothing changes if it fails, but for a login that was right.
    source: Redis's HELLO page; tried with redis 7.0.15.
    """
    version = None if protover is None else _version(protover)
    login: tuple[bytes, bytes] | None = None
    name: bytes | None = None
    at = 0
    while at < len(options):
        option, left = options[at].upper(), len(options) - at - 1
        if option == b"AUTH" and left >= 2:
            login = (options[at + 1], options[at + 2])
            at += 3
        elif option == b"SETNAME" and left:
            name = options[at + 1]
            at += 2
        else:
            raise CommandError(b"Syntax error in HELLO option '" + options[at] + b"'")
    if login is not None:
        ctx.parts.get(Access).log_in(session_of(ctx), *login, b"HELLO")
    session = session_of(ctx)
    if not session.authenticated:
        raise HelloNeedsAuth
    if name is not None:
        ctx.peer.name = checked_name(name)
    if version is not None:
        ctx.parts.get(Tracking).tell()
        session.on_version(version)
    return {
        b"server": b"redis",
        b"version": REDIS_VERSION.encode(),
        b"proto": ctx.peer.protocol,
        b"id": ctx.peer.id,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }


@command("RESET", flags=_FLAGS, since="6.2.0", syntax="RESET", group="connection")
def reset(ctx: Context) -> Reply:
    """Puts the connection back into the state of a fresh one.

    Ends MULTI, WATCH, MONITOR, subscriptions, tracking and CLIENT REPLY; database 0, RESP2, no name; a password must be
    given again.
    source: Redis's RESET page; tried with redis 7.0.15.
    """
    session = session_of(ctx)
    ctx.parts.get(Monitor).forget(session)
    ctx.parts.get(Hub).forget(session)
    ctx.parts.get(Tracking).end(session)
    session.special.clear()
    session.mute = False
    session.skip_reply = 0
    ctx.peer.name = b""
    ctx.peer.no_evict = ctx.peer.no_touch = False
    ctx.select(0)
    users = ctx.parts.get(Users)
    session.log_in(users.default)
    session.authenticated = users.open
    session.end_transaction()
    session.settle()
    session.on_version(2)
    return _RESET


def checked_name(name: bytes) -> bytes:
    """`name` if a connection may be called so. raises: BadClientName."""
    if all(0x21 <= byte <= 0x7E for byte in name):
        return name
    raise BadClientName


def _version(text: bytes) -> int:
    try:
        version = parse_int(text)
    except NotAnInteger:
        raise BadProtocolVersion from None
    if version not in (2, 3):
        raise NoSuchProtocol
    return version
