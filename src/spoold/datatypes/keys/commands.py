"""DEL, EXISTS, TYPE, RENAME and the other commands on keys of any type; all are O(1) a key, whatever it holds."""

from __future__ import annotations

from functools import cache

from spoold.command.context import Context
from spoold.command.spec import FAST, READONLY, WRITE, Keys, command
from spoold.core.errors import NoSuchKey
from spoold.core.reply import OK, Reply, Simple
from spoold.keyspace import events
from spoold.keyspace.keyspace import Keyspace

_status = cache(Simple)


@command(
    "DEL", flags=WRITE, keys=Keys(1, -1, access="RM delete"), since="1.0.0", syntax="DEL key [key ...]", group="generic"
)
def del_(ctx: Context, key: bytes, *keys: bytes) -> int:
    """Deletes one or more keys."""
    return _delete(ctx.ks, key, keys)


@command(
    "UNLINK",
    flags=WRITE | FAST,
    keys=Keys(1, -1, access="RM delete"),
    since="4.0.0",
    syntax="UNLINK key [key ...]",
    group="generic",
)
def unlink(ctx: Context, key: bytes, *keys: bytes) -> int:
    """Deletes one or more keys; the same as DEL, which does not wait for the space to be given back either."""
    return _delete(ctx.ks, key, keys)


@command(
    "EXISTS",
    flags=READONLY | FAST,
    keys=Keys(1, -1, access="RO"),
    since="1.0.0",
    syntax="EXISTS key [key ...]",
    group="generic",
)
def exists(ctx: Context, key: bytes, *keys: bytes) -> int:
    """Counts how many of the given keys exist; one that is given twice counts twice."""
    return _count(ctx.ks, key, keys)


@command(
    "TOUCH",
    flags=READONLY | FAST,
    keys=Keys(1, -1, access="RO"),
    since="3.2.1",
    syntax="TOUCH key [key ...]",
    group="generic",
)
def touch(ctx: Context, key: bytes, *keys: bytes) -> int:
    """Counts how many of the given keys exist, as if they were used; no time of last use is kept."""
    return _count(ctx.ks, key, keys)


@command("TYPE", flags=READONLY | FAST, keys=Keys(1, access="RO"), since="1.0.0", syntax="TYPE key", group="generic")
def type_(ctx: Context, key: bytes) -> Reply:
    """Tells the type of value that a key holds."""
    record = ctx.ks.find(key)
    return _status(b"none" if record is None else record.kind)


@command(
    "RENAME",
    flags=WRITE,
    keys=Keys(1, 2, access="RW access delete|OW update"),
    since="1.0.0",
    syntax="RENAME key newkey",
    group="generic",
)
def rename(ctx: Context, key: bytes, newkey: bytes) -> Reply:
    """Renames a key, and drops what stood under the new name.

    raises: NoSuchKey.
    """
    ks = ctx.ks
    if ks.find(key) is None:
        raise NoSuchKey
    if key != newkey:
        ks.delete(newkey)
        _rename(ks, key, newkey)
    return OK


@command(
    "RENAMENX",
    flags=WRITE | FAST,
    keys=Keys(1, 2, access="RW access delete|OW insert"),
    since="1.0.0",
    syntax="RENAMENX key newkey",
    group="generic",
)
def renamenx(ctx: Context, key: bytes, newkey: bytes) -> int:
    """Renames a key unless the new name is taken.

    returns: 1 if it was renamed, 0 if the new name exists (as it does where both are the same).
    raises: NoSuchKey.
    """
    ks = ctx.ks
    if ks.find(key) is None:
        raise NoSuchKey
    if ks.find(newkey) is not None:
        return 0
    _rename(ks, key, newkey)
    return 1


def _rename(ks: Keyspace, key: bytes, newkey: bytes) -> None:
    """The new name must not exist."""
    ks.add(newkey, ks.detach(key))
    if ks.notify:
        ks.notify(events.GENERIC, b"rename_from", key)
        ks.notify(events.GENERIC, b"rename_to", newkey)


def _delete(ks: Keyspace, key: bytes, keys: tuple[bytes, ...]) -> int:
    delete = ks.delete
    notify = ks.notify
    deleted = 0
    for name in (key, *keys):
        if delete(name):
            deleted += 1
            if notify:
                notify(events.GENERIC, b"del", name)
    return deleted


def _count(ks: Keyspace, key: bytes, keys: tuple[bytes, ...]) -> int:
    find = ks.find
    found = 0 if find(key) is None else 1
    for name in keys:
        if find(name) is not None:
            found += 1
    return found
