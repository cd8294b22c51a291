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
from spoold.core.reply import OK, Push, Reply, SetReply, Simple, Verbatim
from spoold.datatypes.keys.objects import object_encoding
from spoold.settings import parse_bytes

log = logging.getLogger("spoold.debug")

_PACKED_LIMIT_BYTES: Final = 1 << 32

# DEBUG PROTOCOL: a reply of each shape, so that the authors of clients can try theirs. Values as in Redis.
_SHAPES: Final[dict[bytes, Reply]] = {
    b"string": b"Hello World",
    b"integer": 12345,
    b"double": 3.141,
    b"null": None,
    b"array": [0, 1, 2],
    b"set": SetReply([0, 1, 2]),
    b"map": {0: False, 1: True, 2: False},
    b"push": Push([b"server-cpu-usage", 42]),
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
    """
    count, run = _SUBCOMMANDS.get(sub.upper(), (-1, _help))
    if count != len(arguments):
        raise BadSubcommand("DEBUG", sub)
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


def _object(ctx: Context, key: bytes) -> Reply:
    """OBJECT <key>
    Show how a key is kept."""
    record = ctx.ks.find(key)
    if record is None:
        raise NoSuchKey
    encoding = object_encoding(ctx, key) or b""
    size = len(record.encode(key))
    return Simple(
        b"Value at:%#x refcount:1 encoding:%b serializedlength:%d lru:0 lru_seconds_idle:0"
        % (record.object_id, encoding, size)
    )


def _reload(ctx: Context) -> Wait:
    """RELOAD
    Make a checkpoint and drop what is cached, so that everything is read anew."""
    ctx.dbs.write()
    for keyspace in ctx.dbs.all:
        keyspace.cache.clear()
    return wait_for_checkpoint(ctx)


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
    """PROTOCOL <string|integer|double|null|array|set|map|push|verbatim|true|false>
    Answer with a value of this shape."""
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


_SUBCOMMANDS: Final[dict[bytes, tuple[int, Callable[..., Any]]]] = {
    b"ERROR": (1, _error),
    b"LOG": (1, _log),
    b"OBJECT": (1, _object),
    b"PROTOCOL": (1, _protocol),
    b"QUICKLIST-PACKED-THRESHOLD": (1, _packed_threshold),
    b"RELOAD": (0, _reload),
    b"SET-ACTIVE-EXPIRE": (1, _set_active_expire),
    b"SLEEP": (1, _sleep),
    b"HELP": (0, _help),
}
