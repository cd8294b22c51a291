"""CLIENT: the connections, one's own and the others'."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from spoold.acl.users import User, Users
from spoold.admin.client_line import client_line
from spoold.admin.connection import checked_name
from spoold.command.args import Args, parse_at_least
from spoold.command.context import Context
from spoold.command.spec import ADMIN, LOADING, NOSCRIPT, STALE, command
from spoold.core.errors import (
    BadClientId,
    BadIntegerTimeout,
    BadPauseMode,
    BadTimeout,
    BadUnblockReason,
    ClientIdNotPositive,
    CommandError,
    NegativeTimeout,
    NoSuchClient,
    NotAnInteger,
    SyntaxFault,
    Unblocked,
)
from spoold.core.numerals import INT64_MAX, parse_int
from spoold.core.reply import NO_REPLY, OK, Reply, Verbatim
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.session import Session, session_of

_FLAGS: Final = NOSCRIPT | LOADING | STALE
_ADMIN: Final = ADMIN | _FLAGS
_GROUP: Final = "connection"

# Every connection is `normal`, or `pubsub` while it is subscribed; there are no replicas and no master.
_TYPES: Final = frozenset({b"normal", b"pubsub", b"master", b"replica", b"slave"})

Filter = Callable[[Session], bool]


# -- one's own connection ---------------------------------------------------------------------------------------------


@command("CLIENT|ID", flags=_FLAGS, since="5.0.0", syntax="CLIENT ID", group=_GROUP)
def client_id(ctx: Context) -> int:
    """Returns the connection's number; they rise from 1 and are never used again."""
    return ctx.peer.id


@command("CLIENT|GETNAME", flags=_FLAGS, since="2.6.9", syntax="CLIENT GETNAME", group=_GROUP)
def client_getname(ctx: Context) -> Reply:
    """Returns the connection's name, nothing if it has none."""
    return ctx.peer.name or None


@command("CLIENT|SETNAME", flags=_FLAGS, since="2.6.9", syntax="CLIENT SETNAME connection-name", group=_GROUP)
def client_setname(ctx: Context, name: bytes) -> Reply:
    """Names the connection; an empty name takes it away.

    raises: BadClientName: a blank, line break or other byte that is no visible ASCII.
    """
    ctx.peer.name = checked_name(name)
    return OK


@command(
    "CLIENT|SETINFO",
    flags=_FLAGS,
    since="7.2.0",
    syntax="CLIENT SETINFO LIB-NAME libname | LIB-VER libver",
    group=_GROUP,
)
def client_setinfo(ctx: Context, attribute: bytes, value: bytes) -> Reply:
    """Notes which client library, or which version of it, uses the connection.

    raises: CommandError: another attribute, or a value with blanks or unprintable bytes.
    source: Redis's CLIENT SETINFO page; it is newer than 7.0, but clients send it whatever the version.
    """
    word = attribute.upper()
    if word not in (b"LIB-NAME", b"LIB-VER"):
        raise CommandError(b"Unrecognized option '" + attribute + b"'")
    if not all(0x21 <= byte <= 0x7E for byte in value):
        shown = word.lower().decode()
        raise CommandError(f"{shown} cannot contain spaces, newlines or special characters.")
    if word == b"LIB-NAME":
        ctx.peer.lib_name = value
    else:
        ctx.peer.lib_version = value
    return OK


@command("CLIENT|INFO", flags=_FLAGS, since="6.2.0", syntax="CLIENT INFO", group=_GROUP)
def client_info(ctx: Context) -> Reply:
    """Returns the connection's line of CLIENT LIST."""
    return Verbatim(client_line(session_of(ctx), _now_s(ctx), asking=(b"CLIENT", b"INFO")))


@command("CLIENT|REPLY", flags=_FLAGS, since="3.2.0", syntax="CLIENT REPLY ON | OFF | SKIP", group=_GROUP)
def client_reply(ctx: Context, mode: bytes) -> Reply:
    """Chooses whether the connection is sent replies.

    mode: ON; OFF: none until ON; SKIP: not that of the next command. OFF and SKIP themselves are not answered.
    """
    session = session_of(ctx)
    word = mode.upper()
    reply: Reply = NO_REPLY
    if word == b"ON":
        session.mute = False
        session.skip_reply = 0
        reply = OK
    elif word == b"OFF":
        session.mute = True
    elif word == b"SKIP":
        if not session.mute:
            # Off the hot path the dispatcher counts this command too.
            session.skip_reply = 1 if session.plain else 2
    else:
        raise SyntaxFault
    session.settle()
    return reply


@command("CLIENT|NO-EVICT", flags=_ADMIN, since="7.0.0", syntax="CLIENT NO-EVICT ON | OFF", group=_GROUP)
def client_no_evict(ctx: Context, mode: bytes) -> Reply:
    """Notes whether the connection may be evicted; nothing depends on it in spoold."""
    ctx.peer.no_evict = _on_or_off(mode)
    return OK


@command("CLIENT|NO-TOUCH", flags=_FLAGS, since="7.2.0", syntax="CLIENT NO-TOUCH ON | OFF", group=_GROUP)
def client_no_touch(ctx: Context, mode: bytes) -> Reply:
    """Notes whether the connection's reads count as use of a key; nothing depends on it in spoold."""
    ctx.peer.no_touch = _on_or_off(mode)
    return OK


# -- all connections --------------------------------------------------------------------------------------------------


@command(
    "CLIENT|LIST",
    flags=_ADMIN,
    since="2.4.0",
    syntax="CLIENT LIST [TYPE normal | master | replica | pubsub] [ID client-id [client-id ...]]",
    group=_GROUP,
)
def client_list(ctx: Context, *options: bytes) -> Reply:
    """Returns one line for each connection.

    options: TYPE and a type, or ID and numbers.
    returns: `name=value` pairs, a connection a line, in the order in which they came.
    raises: SyntaxFault, BadClientId; CommandError: no such type.
    source: Redis's CLIENT LIST page; lib-name and lib-ver only for clients that told theirs.
    """
    args = Args(options)
    wanted: Filter = _any
    if args.skip(b"TYPE"):
        wanted = _of_type(args.take())
        args.end()
    elif args.skip(b"ID"):
        if not args:
            raise SyntaxFault
        ids = {parse_at_least(word, 0, BadClientId) for word in args.rest()}
        wanted = lambda session: session.peer.id in ids  # noqa: E731
    elif args:
        raise SyntaxFault
    now_s = _now_s(ctx)
    me = session_of(ctx)
    sessions = ctx.parts.get(Dispatcher).sessions
    mine = (b"CLIENT", b"LIST", *options)
    lines = [
        client_line(session, now_s, asking=mine if session is me else ()) for session in sessions if wanted(session)
    ]
    return Verbatim(b"".join(lines))


@command(
    "CLIENT|KILL",
    flags=_ADMIN,
    since="2.4.0",
    syntax="CLIENT KILL ip:port | [ID client-id] [TYPE type] [USER username] [ADDR ip:port] [LADDR ip:port]"
    " [SKIPME yes | no]",
    group=_GROUP,
    arity=-3,
)
def client_kill(ctx: Context, first: bytes, *options: bytes) -> Reply:
    """Closes connections: the one with the given address, or all that fit every filter.

    options: pairs of filter and value. SKIPME no lets the caller's own connection be closed too.
    returns: OK for an address; how many were closed for filters.
    raises: SyntaxFault, NoSuchClient, ClientIdNotPositive; CommandError: no such type or user.
    source: Redis's CLIENT KILL page; tried with redis 7.0.15.
    """
    dispatcher = ctx.parts.get(Dispatcher)
    me = session_of(ctx)
    if not options:
        address = first.decode("utf-8", "replace")
        for session in list(dispatcher.sessions):
            if session.peer.address == address:
                _close(dispatcher, session, me)
                return OK
        raise NoSuchClient
    filters, skip_me = _filters((first, *options), dispatcher.users)
    killed = [
        session
        for session in dispatcher.sessions
        if not (skip_me and session is me) and all(fits(session) for fits in filters)
    ]
    for session in killed:
        _close(dispatcher, session, me)
    return len(killed)


@command("CLIENT|PAUSE", flags=_ADMIN, since="3.0.0", syntax="CLIENT PAUSE timeout [WRITE | ALL]", group=_GROUP)
def client_pause(ctx: Context, timeout: bytes, mode: bytes = b"ALL") -> Reply:
    """Lets the commands of all clients wait for a while.

    timeout: milliseconds. mode: ALL, or WRITE to hold only commands that write.
    raises: BadIntegerTimeout, BadTimeout, NegativeTimeout, BadPauseMode.
    """
    word = mode.upper()
    if word not in (b"WRITE", b"ALL"):
        raise BadPauseMode
    try:
        timeout_ms = parse_int(timeout)
    except NotAnInteger:
        raise BadIntegerTimeout from None
    if timeout_ms < 0:
        raise NegativeTimeout
    if timeout_ms > INT64_MAX - ctx.now_ms:
        raise BadTimeout("timeout is out of range")
    ctx.parts.get(Dispatcher).pause.start(timeout_ms / 1000, everything=word == b"ALL")
    return OK


@command("CLIENT|UNPAUSE", flags=_ADMIN, since="6.2.0", syntax="CLIENT UNPAUSE", group=_GROUP)
def client_unpause(ctx: Context) -> Reply:
    """Lets the commands that CLIENT PAUSE holds go on."""
    ctx.parts.get(Dispatcher).pause.end()
    return OK


@command(
    "CLIENT|UNBLOCK",
    flags=_ADMIN,
    since="5.0.0",
    syntax="CLIENT UNBLOCK client-id [TIMEOUT | ERROR]",
    group=_GROUP,
)
def client_unblock(ctx: Context, number: bytes, reason: bytes = b"TIMEOUT") -> int:
    """Ends the waiting of a client in a blocking command, as if its time were up, or with an error.

    returns: 1; 0 if that client does not wait.
    raises: NotAnInteger, BadUnblockReason.
    """
    word = reason.upper()
    if word not in (b"TIMEOUT", b"ERROR"):
        raise BadUnblockReason
    wanted = parse_int(number)
    dispatcher = ctx.parts.get(Dispatcher)
    for session in dispatcher.sessions:
        waiter = session.waiter
        if session.peer.id == wanted and waiter is not None:
            dispatcher.answer(waiter, waiter.timeout_reply if word == b"TIMEOUT" else Unblocked())
            return 1
    return 0


# -- inside -----------------------------------------------------------------------------------------------------------


def _now_s(ctx: Context) -> float:
    return ctx.parts.get(Dispatcher).turn.now_s


def _on_or_off(mode: bytes) -> bool:
    word = mode.upper()
    if word not in (b"ON", b"OFF"):
        raise SyntaxFault
    return word == b"ON"


def _any(session: Session) -> bool:
    return True


def _of_type(text: bytes) -> Filter:
    word = text.lower()
    if word not in _TYPES:
        raise CommandError(b"Unknown client type '" + text + b"'")
    return lambda session: word == (b"pubsub" if session.subscriptions is not None else b"normal")


def _filters(options: Sequence[bytes], users: Users) -> tuple[list[Filter], bool]:
    """What CLIENT KILL's pairs ask for, and whether the caller is spared."""
    args = Args(options)
    filters: list[Filter] = []
    skip_me = True
    while args:
        word, value = args.word(), args.take()
        if word == b"ID":
            filters.append(_by_id(parse_at_least(value, 1, ClientIdNotPositive)))
        elif word == b"TYPE":
            filters.append(_of_type(value))
        elif word in (b"ADDR", b"LADDR"):
            filters.append(_by_address(value, local=word == b"LADDR"))
        elif word == b"USER":
            user = users.find(value)
            if user is None:
                raise CommandError(b"No such user '" + value + b"'")
            filters.append(_of_user(user))
        elif word == b"SKIPME" and value.lower() in (b"yes", b"no"):
            skip_me = value.lower() == b"yes"
        else:
            raise SyntaxFault
    return filters, skip_me


def _of_user(user: User) -> Filter:
    return lambda session: session.user is user


def _by_id(number: int) -> Filter:
    return lambda session: session.peer.id == number


def _by_address(text: bytes, *, local: bool) -> Filter:
    address = text.decode("utf-8", "replace")
    return lambda session: (session.peer.local_address if local else session.peer.address) == address


def _close(dispatcher: Dispatcher, session: Session, me: Session) -> None:
    """Close one's own connection behind its replies, another one at once."""
    if session is me:
        session.closing = True
        return
    # It leaves here and now, not when the loop gets to it: nothing of this turn may go to it any more.
    dispatcher.leave(session)
    session.out.clear()
    session.wire.abort()
