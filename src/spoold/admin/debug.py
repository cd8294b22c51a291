"""DEBUG: what test suites of Redis use. It is one command whose subcommands are no entries of the table, as in Redis.

To add a subcommand: a function with the number of its arguments in `_SUBCOMMANDS`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from spoold.admin.host import Host
from spoold.admin.persistence import wait_for_checkpoint
from spoold.command.context import Context, Wait
from spoold.command.spec import ADMIN, LOADING, NOSCRIPT, STALE, command
from spoold.core.errors import BadSubcommand, CommandError, NoSuchKey
from spoold.core.numerals import parse_float
from spoold.core.reply import OK, Attributed, BigNumber, Push, Reply, SetReply, Simple, Verbatim
from spoold.datatypes.keys import digest
from spoold.datatypes.keys.objects import object_encoding
from spoold.dispatch.session import session_of
from spoold.scripting.libraries import Libraries
from spoold.scripting.runner import Runner
from spoold.settings import parse_bytes

log = logging.getLogger("spoold.debug")

_PACKED_LIMIT_BYTES: Final = 1 << 32

_PUSH: Final = Push([b"server-cpu-usage", 42])
# DEBUG PROTOCOL: a reply of each shape, so that the authors of clients can try theirs. Values as in Redis.
_SHAPES: Final[dict[bytes, Reply]] = {
    b"string": b"Hello World",
    b"integer": 12345,
    b"double": 3.141,
    b"null": None,
    b"array": [0, 1, 2],
    b"set": SetReply([0, 1, 2]),
    b"map": {0: False, 1: True, 2: False},
    b"attrib": Attributed({b"key-popularity": [b"key:123", 90]}, b"Some real reply following the attribute"),
    b"push": b"Some real reply following the push reply",
    b"bignum": BigNumber(b"1234567999999999999999999999999999999"),
    b"verbatim": Verbatim(b"This is a verbatim\nstring"),
    b"true": True,
    b"false": False,
}


@command(
    "DEBUG",
    flags=ADMIN | NOSCRIPT | LOADING | STALE,
    since="1.0.0",
    syntax="DEBUG subcommand [argument [argument ...]]",
    group="server",
)
def debug(ctx: Context, sub: bytes, *arguments: bytes) -> Reply | Wait:
    """Does what tests need: sleeps, stops active expiry, shows how a key is kept, drops caches; DEBUG HELP lists it.

    raises: BadSubcommand: there is none of that name, or not with so many arguments.
    differs: of Redis's subcommands those that test suites need.
    """
    counts, run = _SUBCOMMANDS.get(sub.upper(), (range(0), _help))
    if len(arguments) not in counts:
        raise BadSubcommand.of("DEBUG", sub)
    reply: Reply | Wait = run(ctx, *arguments)
    return reply


def _sleep(ctx: Context, seconds: bytes) -> Reply:
    """SLEEP <seconds>
    Stop the whole server for so long."""
    time.sleep(min(max(parse_float(seconds), 0.0), 1e6))
    return OK


def _set_active_expire(ctx: Context, on: bytes) -> Reply:
    """SET-ACTIVE-EXPIRE <0|1>
    Leave keys that are due to whoever looks at them, or drop them in the background again."""
    ctx.parts.get(Host).duties.active_expire = on != b"0"
    return OK


def _pause_cron(ctx: Context, on: bytes) -> Reply:
    """PAUSE-CRON <0|1>
    The same as SET-ACTIVE-EXPIRE the other way round: nothing else that the server does by itself can be noticed."""
    return _set_active_expire(ctx, b"1" if on == b"0" else b"0")


def _set_disable_deny_scripts(ctx: Context, on: bytes) -> Reply:
    """SET-DISABLE-DENY-SCRIPTS <0|1>
    Let scripts run also what is denied them, so that tests see from inside a script what others do, or not any more."""
    ctx.parts.get(Runner).all_allowed = on != b"0"
    return OK


def _object(ctx: Context, key: bytes) -> Reply:
    """OBJECT <key>
    Show how a key is kept."""
    if 0 < (ctx.ks.expires_at(key) or 0) <= ctx.now_ms:
        # It is there until someone looks at it, and this is no look.
        return Simple(b"Value at:0x0 refcount:1 encoding:due serializedlength:0 lru:0 lru_seconds_idle:0")
    record = ctx.ks.find(key)
    if record is None:
        raise NoSuchKey
    encoding = object_encoding(ctx, key) or b""
    size = len(record.encode(key))
    return Simple(
        b"Value at:%#x refcount:1 encoding:%b serializedlength:%d lru:0 lru_seconds_idle:0"
        % (record.object_id, encoding, size)
    )


def _digest(ctx: Context) -> Reply:
    """DIGEST
    Show a digest of everything, which is the same for the same data, in Redis too."""
    return Simple(digest.of_all(ctx.dbs).hex().encode())


def _digest_value(ctx: Context, *keys: bytes) -> Reply:
    """DIGEST-VALUE [<key> ...]
    Show the digest of what each key holds."""
    return [Simple(digest.of_value(ctx.ks, key).hex().encode()) for key in keys]


def _reload(ctx: Context, *options: bytes) -> Wait:
    """RELOAD [option ...]
    Make a checkpoint and read everything anew. NOFLUSH without MERGE is refused where there are functions."""
    words = {option.upper() for option in options}
    if not words <= {b"MERGE", b"NOFLUSH", b"NOSAVE"}:
        raise CommandError("DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
    if b"NOFLUSH" in words and b"MERGE" not in words and len(ctx.parts.get(Libraries)):
        raise CommandError("Error trying to load the RDB dump: a library of functions would be there twice.")
    ctx.dbs.write()
    for keyspace in ctx.dbs.all:
        keyspace.cache.clear()
    return wait_for_checkpoint(ctx)


def _load_journal(ctx: Context) -> Wait:
    """LOADAOF
    The same as RELOAD: journal and data are one."""
    return _reload(ctx)


def _packed_threshold(ctx: Context, size: bytes) -> Reply:
    """QUICKLIST-PACKED-THRESHOLD <size>
    Accepted for test suites; lists of spoold have no packed nodes."""
    try:
        number = parse_bytes(size.decode("latin-1"))
    except ValueError:
        number = -1
    if not 0 <= number < _PACKED_LIMIT_BYTES:
        raise CommandError("argument must be a memory value bigger than 1 and smaller than 4gb")
    return OK


def _error(ctx: Context, text: bytes) -> Reply:
    """ERROR <string>
    Answer with this error."""
    raise CommandError(text.partition(b" ")[2], text.partition(b" ")[0].decode("latin-1"))


def _log(ctx: Context, text: bytes) -> Reply:
    """LOG <message>
    Write a line into the server's log."""
    log.warning("DEBUG LOG: %s", text.decode("utf-8", "backslashreplace"))
    return OK


def _protocol(ctx: Context, shape: bytes) -> Reply:
    """PROTOCOL <string|integer|double|null|array|set|map|attrib|push|bignum|verbatim|true|false>
    Answer with a value of this shape."""
    if shape.lower() == b"push":
        if ctx.peer.protocol < 3:
            raise CommandError("RESP2 is not supported by this command")
        session = session_of(ctx)
        session.push(session.encode(_PUSH))
    try:
        return _SHAPES[shape.lower()]
    except KeyError:
        raise CommandError(
            "Wrong protocol type name. Please use one of the following: " + b"|".join(_SHAPES).decode()
        ) from None


def _help(ctx: Context) -> Reply:
    """HELP
    Show this text."""
    lines = ["DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for _, run in _SUBCOMMANDS.values():
        usage, _, text = (run.__doc__ or "").partition("\n")
        lines += [usage, f"    {text.strip()}"]
    return [Simple(line.encode()) for line in lines]


# How many arguments each may have.
_ONE: Final = range(1, 2)
_NONE: Final = range(1)
_ANY: Final = range(1 << 20)
_SUBCOMMANDS: Final[dict[bytes, tuple[range, Callable[..., Any]]]] = {
    b"DIGEST": (_NONE, _digest),
    b"DIGEST-VALUE": (_ANY, _digest_value),
    b"ERROR": (_ONE, _error),
    b"LOADAOF": (_NONE, _load_journal),
    b"LOG": (_ONE, _log),
    b"OBJECT": (_ONE, _object),
    b"PROTOCOL": (_ONE, _protocol),
    b"QUICKLIST-PACKED-THRESHOLD": (_ONE, _packed_threshold),
    b"PAUSE-CRON": (_ONE, _pause_cron),
    b"RELOAD": (_ANY, _reload),
    b"SET-ACTIVE-EXPIRE": (_ONE, _set_active_expire),
    b"SET-DISABLE-DENY-SCRIPTS": (_ONE, _set_disable_deny_scripts),
    b"SLEEP": (_ONE, _sleep),
    b"HELP": (_NONE, _help),
}
