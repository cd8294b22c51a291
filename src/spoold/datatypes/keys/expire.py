"""EXPIRE, TTL, PERSIST: when a key falls due, in seconds or milliseconds, counted from now or from 1970."""

from __future__ import annotations

from typing import Final

from spoold.command.context import Context
from spoold.command.spec import FAST, READONLY, WRITE, Keys, command
from spoold.core.errors import CommandError, ConflictingConditions, GreaterAndLess, InvalidExpire
from spoold.core.numerals import INT64_MAX, INT64_MIN, parse_int
from spoold.keyspace import events

_SECOND_MS: Final = 1000
_MISSING: Final = -2
_PERSISTENT: Final = -1

_CONDITIONS: Final = frozenset({b"NX", b"XX", b"GT", b"LT"})


@command(
    "EXPIRE",
    flags=WRITE | FAST,
    keys=Keys(1),
    since="1.0.0",
    syntax="EXPIRE key seconds [NX|XX|GT|LT]",
    group="generic",
)
def expire(ctx: Context, key: bytes, seconds: bytes, *conditions: bytes) -> int:
    """Sets how many seconds a key will live."""
    return _expire(ctx, "expire", key, seconds, _SECOND_MS, ctx.now_ms, conditions)


@command(
    "PEXPIRE",
    flags=WRITE | FAST,
    keys=Keys(1),
    since="2.6.0",
    syntax="PEXPIRE key milliseconds [NX|XX|GT|LT]",
    group="generic",
)
def pexpire(ctx: Context, key: bytes, milliseconds: bytes, *conditions: bytes) -> int:
    """Sets how many milliseconds a key will live."""
    return _expire(ctx, "pexpire", key, milliseconds, 1, ctx.now_ms, conditions)


@command(
    "EXPIREAT",
    flags=WRITE | FAST,
    keys=Keys(1),
    since="1.2.0",
    syntax="EXPIREAT key unix-time-seconds [NX|XX|GT|LT]",
    group="generic",
)
def expireat(ctx: Context, key: bytes, unix_s: bytes, *conditions: bytes) -> int:
    """Sets the Unix time in seconds at which a key falls due."""
    return _expire(ctx, "expireat", key, unix_s, _SECOND_MS, 0, conditions)


@command(
    "PEXPIREAT",
    flags=WRITE | FAST,
    keys=Keys(1),
    since="2.6.0",
    syntax="PEXPIREAT key unix-time-milliseconds [NX|XX|GT|LT]",
    group="generic",
)
def pexpireat(ctx: Context, key: bytes, unix_ms: bytes, *conditions: bytes) -> int:
    """Sets the Unix time in milliseconds at which a key falls due."""
    return _expire(ctx, "pexpireat", key, unix_ms, 1, 0, conditions)


@command("TTL", flags=READONLY | FAST, keys=Keys(1), since="1.0.0", syntax="TTL key", group="generic")
def ttl(ctx: Context, key: bytes) -> int:
    """Tells how many seconds a key has to live: -1 if for ever, -2 if there is no such key."""
    expire_ms = _expire_ms(ctx, key)
    return _rounded_s(expire_ms - ctx.now_ms) if expire_ms > 0 else expire_ms


@command("PTTL", flags=READONLY | FAST, keys=Keys(1), since="2.6.0", syntax="PTTL key", group="generic")
def pttl(ctx: Context, key: bytes) -> int:
    """Tells how many milliseconds a key has to live: -1 if for ever, -2 if there is no such key."""
    expire_ms = _expire_ms(ctx, key)
    return expire_ms - ctx.now_ms if expire_ms > 0 else expire_ms


@command("EXPIRETIME", flags=READONLY | FAST, keys=Keys(1), since="7.0.0", syntax="EXPIRETIME key", group="generic")
def expiretime(ctx: Context, key: bytes) -> int:
    """Tells at which Unix time in seconds a key falls due: -1 if never, -2 if there is no such key."""
    expire_ms = _expire_ms(ctx, key)
    return _rounded_s(expire_ms) if expire_ms > 0 else expire_ms


@command("PEXPIRETIME", flags=READONLY | FAST, keys=Keys(1), since="7.0.0", syntax="PEXPIRETIME key", group="generic")
def pexpiretime(ctx: Context, key: bytes) -> int:
    """Tells at which Unix time in milliseconds a key falls due: -1 if never, -2 if there is no such key."""
    return _expire_ms(ctx, key)


@command("PERSIST", flags=WRITE | FAST, keys=Keys(1), since="2.2.0", syntax="PERSIST key", group="generic")
def persist(ctx: Context, key: bytes) -> int:
    """Lets a key live for ever. Returns 1 if it would have fallen due, else 0."""
    ks = ctx.ks
    record = ks.find(key)
    if record is None or not record.expire_ms:
        return 0
    record.expire_ms = 0
    ks.changed(key, record)
    if ks.notify:
        ks.notify(events.GENERIC, b"persist", key)
    return 1


def _expire(
    ctx: Context, name: str, key: bytes, when: bytes, unit_ms: int, base_ms: int, options: tuple[bytes, ...]
) -> int:
    """Set the expiry of `key` to base_ms + when * unit_ms if the conditions hold; a time that is past deletes the key.

    returns: 1 if it was set, or the key deleted; 0 if there is no such key, or a condition does not hold.
    raises: CommandError (conditions), NotAnInteger, InvalidExpire (beyond 64 bits of milliseconds).
    source: redis: src/expire.c, expireGenericCommand.
    """
    conditions = _parse_conditions(options) if options else ()
    expire_ms = parse_int(when) * unit_ms
    if not INT64_MIN <= expire_ms <= INT64_MAX - base_ms:
        raise InvalidExpire(name)
    expire_ms += base_ms
    ks = ctx.ks
    record = ks.find(key)
    if record is None or (conditions and not _holds(conditions, record.expire_ms, expire_ms)):
        return 0
    past = expire_ms <= ctx.now_ms
    if past:
        ks.delete(key)
    else:
        record.expire_ms = expire_ms
        ks.changed(key, record)
    if ks.notify:
        ks.notify(events.GENERIC, b"del" if past else b"expire", key)
    return 1


def _parse_conditions(options: tuple[bytes, ...]) -> set[bytes]:
    """raises: CommandError: an unknown word, or words that exclude each other."""
    conditions = {option.upper() for option in options}
    if not conditions <= _CONDITIONS:
        unknown = next(option for option in options if option.upper() not in _CONDITIONS)
        raise CommandError(b"Unsupported option " + unknown.partition(b"\0")[0])
    if b"NX" in conditions and len(conditions) > 1:
        raise ConflictingConditions
    if {b"GT", b"LT"} <= conditions:
        raise GreaterAndLess
    return conditions


def _holds(conditions: set[bytes] | tuple[()], current_ms: int, wanted_ms: int) -> bool:
    """Whether all conditions allow the change; a key that lives for ever (0) has the greatest expiry of all."""
    if b"NX" in conditions and current_ms:
        return False
    if b"XX" in conditions and not current_ms:
        return False
    if b"GT" in conditions and (not current_ms or wanted_ms <= current_ms):
        return False
    return not (b"LT" in conditions and current_ms and wanted_ms >= current_ms)


def _expire_ms(ctx: Context, key: bytes) -> int:
    """When `key` falls due, Unix ms, or the reply for one that never does or does not exist."""
    record = ctx.ks.find(key)
    if record is None:
        return _MISSING
    return record.expire_ms or _PERSISTENT


def _rounded_s(ms: int) -> int:
    return (ms + 500) // 1000
