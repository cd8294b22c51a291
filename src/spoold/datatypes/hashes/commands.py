"""HSET, HGET and the other commands on the fields of a hash. Fields come in the order of their bytes."""

from __future__ import annotations

from spoold.command.context import Context
from spoold.command.spec import DENYOOM, FAST, READONLY, WRITE, Keys, command
from spoold.core.errors import WrongArity
from spoold.core.reply import OK, Reply
from spoold.datatypes.hashes import store
from spoold.keyspace import events
from spoold.keyspace.keyspace import Keyspace


@command(
    "HSET",
    flags=WRITE | DENYOOM | FAST,
    keys=Keys(1, access="RW update"),
    since="2.0.0",
    syntax="HSET key field value [field value ...]",
)
def hset(ctx: Context, key: bytes, field: bytes, value: bytes, *more: bytes) -> int:
    """Gives fields of a hash values; creates the hash if there is none.

    returns: how many fields are new.
    raises: WrongArity (a field without a value); WrongType.
    cost: O(fields given).
    """
    ks = ctx.ks
    if more:
        return _put_many(ks, "hset", key, (field, value, *more))
    is_new = store.put(ks, key, field, value)
    if ks.notify:
        ks.notify(events.HASH, b"hset", key)
    return 1 if is_new else 0


@command(
    "HMSET",
    flags=WRITE | DENYOOM | FAST,
    keys=Keys(1, access="RW update"),
    since="2.0.0",
    syntax="HMSET key field value [field value ...]",
)
def hmset(ctx: Context, key: bytes, field: bytes, value: bytes, *more: bytes) -> Reply:
    """Gives fields of a hash values; HSET with an older reply.

    raises: WrongArity (a field without a value); WrongType.
    cost: O(fields given).
    """
    _put_many(ctx.ks, "hmset", key, (field, value, *more))
    return OK


@command(
    "HSETNX",
    flags=WRITE | DENYOOM | FAST,
    keys=Keys(1, access="RW insert"),
    since="2.0.0",
    syntax="HSETNX key field value",
)
def hsetnx(ctx: Context, key: bytes, field: bytes, value: bytes) -> int:
    """Gives a field of a hash a value unless it has one; creates the hash if there is none.

    returns: 1 if the value was given, else 0.
    raises: WrongType.
    """
    ks = ctx.ks
    if not store.put_new(ks, key, field, value):
        return 0
    if ks.notify:
        ks.notify(events.HASH, b"hset", key)
    return 1


@command("HGET", flags=READONLY | FAST, keys=Keys(1), since="2.0.0", syntax="HGET key field")
def hget(ctx: Context, key: bytes, field: bytes) -> bytes | None:
    """Returns the value of a field.

    returns: the value; nothing if there is no such field, or no hash.
    raises: WrongType.
    """
    return store.get(ctx.ks, key, field)


@command("HMGET", flags=READONLY | FAST, keys=Keys(1), since="2.0.0", syntax="HMGET key field [field ...]", arity=-3)
def hmget(ctx: Context, key: bytes, *fields: bytes) -> list[bytes | None]:
    """Returns the values of several fields.

    returns: a value a field, nothing where there is none.
    raises: WrongType.
    cost: O(fields asked for).
    """
    return store.get_many(ctx.ks, key, fields)


@command("HGETALL", flags=READONLY, keys=Keys(1), since="2.0.0", syntax="HGETALL key")
def hgetall(ctx: Context, key: bytes) -> dict[bytes, bytes]:
    """Returns all fields of a hash with their values.

    returns: field → value.
    raises: WrongType.
    cost: O(fields).
    differs: fields of a hash of more than 128 come in the order of their bytes, in Redis in none; so do those of a
        smaller one that was changed after a restart and before it was read.
    """
    return dict(store.items(ctx.ks, key))


@command("HKEYS", flags=READONLY, keys=Keys(1), since="2.0.0", syntax="HKEYS key")
def hkeys(ctx: Context, key: bytes) -> list[bytes]:
    """Lists the fields of a hash.

    raises: WrongType.
    cost: O(fields); their values are not read.
    differs: the order of fields, as HGETALL.
    """
    return store.fields(ctx.ks, key)


@command("HVALS", flags=READONLY, keys=Keys(1), since="2.0.0", syntax="HVALS key")
def hvals(ctx: Context, key: bytes) -> list[bytes]:
    """Lists the values in a hash, in the order of their fields.

    raises: WrongType.
    cost: O(fields).
    differs: the order of fields, as HGETALL.
    """
    return [value for _, value in store.items(ctx.ks, key)]


@command(
    "HDEL",
    flags=WRITE | FAST,
    keys=Keys(1, access="RW delete"),
    since="2.0.0",
    syntax="HDEL key field [field ...]",
    arity=-3,
)
def hdel(ctx: Context, key: bytes, *fields: bytes) -> int:
    """Removes fields from a hash, and the hash with its last one.

    returns: how many of the fields there were.
    raises: WrongType.
    cost: O(fields given).
    """
    ks = ctx.ks
    removed = store.delete(ks, key, fields)
    if removed and ks.notify:
        ks.notify(events.HASH, b"hdel", key)
        if ks.find(key) is None:
            ks.notify(events.GENERIC, b"del", key)
    return removed


@command("HEXISTS", flags=READONLY | FAST, keys=Keys(1, access="RO"), since="2.0.0", syntax="HEXISTS key field")
def hexists(ctx: Context, key: bytes, field: bytes) -> int:
    """Tells whether a hash has a field."""
    return 0 if store.get(ctx.ks, key, field) is None else 1


@command("HLEN", flags=READONLY | FAST, keys=Keys(1, access="RO"), since="2.0.0", syntax="HLEN key")
def hlen(ctx: Context, key: bytes) -> int:
    """Counts the fields of a hash. It never counts: the number is kept."""
    return store.length(ctx.ks, key)


@command("HSTRLEN", flags=READONLY | FAST, keys=Keys(1, access="RO"), since="3.2.0", syntax="HSTRLEN key field")
def hstrlen(ctx: Context, key: bytes, field: bytes) -> int:
    """Tells how many bytes the value of a field has; 0 if there is none."""
    return len(store.get(ctx.ks, key, field) or b"")


def _put_many(ks: Keyspace, name: str, key: bytes, words: tuple[bytes, ...]) -> int:
    """Put fields and values, which stand by turns; returns how many fields are new. raises: WrongArity."""
    if len(words) % 2:
        raise WrongArity(name)
    added = store.put_many(ks, key, zip(words[::2], words[1::2], strict=True))
    if ks.notify:
        ks.notify(events.HASH, b"hset", key)
    return added
