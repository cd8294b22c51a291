"""SET, GET and the other commands on whole strings and on ranges of their bytes.

Whoever adds an option to SET or GETEX: the order of checks is Redis's (the words, then the expiry, then the type), so
that a request with two faults gets the same answer.
"""

from __future__ import annotations

from typing import Final

from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import DENYOOM, FAST, READONLY, WRITE, Keys, command
from spoold.core.errors import InvalidExpire, OffsetOutOfRange, SyntaxFault, WrongArity
from spoold.core.numerals import INT64_MAX, parse_int
from spoold.core.reply import OK, Reply
from spoold.datatypes.strings import store
from spoold.keyspace import events

# The words that set an expiry: milliseconds in one unit, and whether it counts from now.
_EXPIRIES: Final = {b"EX": (1000, True), b"PX": (1, True), b"EXAT": (1000, False), b"PXAT": (1, False)}

_EXPIRY_SYNTAX: Final = "EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds"


@command("GET", flags=READONLY | FAST, keys=Keys(1), since="1.0.0", syntax="GET key")
def get(ctx: Context, key: bytes) -> bytes | None:
    """Read the string of a key.

    returns: the value, None if the key is missing.
    raises: WrongType.
    """
    return store.get(ctx.ks, key)


@command(
    "SET",
    flags=WRITE | DENYOOM,
    keys=Keys(1, access="RW access update variable_flags"),
    since="1.0.0",
    syntax=f"SET key value [NX | XX] [GET] [{_EXPIRY_SYNTAX} | KEEPTTL]",
)
def set_(ctx: Context, key: bytes, value: bytes, *options: bytes) -> Reply:
    """Make a key hold a string, whatever it held before, and forget its expiry unless told otherwise.

    NX, XX: only if the key is missing, or exists. GET: answer what it held. KEEPTTL: leave the expiry as it is.
    returns: OK, or None where NX or XX kept the key from being set; with GET the old value in both cases.
    raises: SyntaxFault; NotAnInteger, InvalidExpire; WrongType (with GET only).
    """
    if options:
        return _set_with_options(ctx, key, value, options)
    ks = ctx.ks
    store.put(ks, key, value)
    if ks.notify:
        ks.notify(events.STRING, b"set", key)
    return OK


def _set_with_options(ctx: Context, key: bytes, value: bytes, options: tuple[bytes, ...]) -> Reply:
    args = Args(options)
    condition = expiry = amount = b""
    wants_old = keeps_expiry = False
    while args:
        word = args.word()
        if word in _EXPIRIES and expiry in (b"", word) and not keeps_expiry:
            expiry, amount = word, args.take()
        elif word in (b"NX", b"XX") and condition in (b"", word):
            condition = word
        elif word == b"GET":
            wants_old = True
        elif word == b"KEEPTTL" and not expiry:
            keeps_expiry = True
        else:
            raise SyntaxFault
    expire_ms = _deadline_ms(ctx, "set", expiry, amount) if expiry else 0
    ks = ctx.ks
    old = store.get(ks, key) if wants_old else None
    record = ks.find(key)
    if condition and (condition == b"NX") != (record is None):
        return old
    if keeps_expiry and record is not None:
        expire_ms = record.expire_ms
    store.put(ks, key, value, expire_ms)
    if ks.notify:
        store.tell_put(ks, key, expire_ms if expiry else 0)
    return old if wants_old else OK


@command(
    "SETNX", flags=WRITE | DENYOOM | FAST, keys=Keys(1, access="OW insert"), since="1.0.0", syntax="SETNX key value"
)
def setnx(ctx: Context, key: bytes, value: bytes) -> int:
    """Make a missing key hold a string; leave one that exists alone.

    returns: 1 if it was set, 0 if not.
    """
    if ctx.ks.find(key) is not None:
        return 0
    set_(ctx, key, value)
    return 1


@command(
    "SETEX", flags=WRITE | DENYOOM, keys=Keys(1, access="OW update"), since="2.0.0", syntax="SETEX key seconds value"
)
def setex(ctx: Context, key: bytes, seconds: bytes, value: bytes) -> Reply:
    """Make a key hold a string for a number of seconds.

    raises: NotAnInteger, InvalidExpire.
    """
    return _set_until(ctx, key, value, _deadline_ms(ctx, "setex", b"EX", seconds))


@command(
    "PSETEX",
    flags=WRITE | DENYOOM,
    keys=Keys(1, access="OW update"),
    since="2.6.0",
    syntax="PSETEX key milliseconds value",
)
def psetex(ctx: Context, key: bytes, milliseconds: bytes, value: bytes) -> Reply:
    """Make a key hold a string for a number of milliseconds.

    raises: NotAnInteger, InvalidExpire.
    """
    return _set_until(ctx, key, value, _deadline_ms(ctx, "psetex", b"PX", milliseconds))


def _set_until(ctx: Context, key: bytes, value: bytes, expire_ms: int) -> Reply:
    ks = ctx.ks
    store.put(ks, key, value, expire_ms)
    if ks.notify:
        store.tell_put(ks, key, expire_ms)
    return OK


@command(
    "GETEX",
    flags=WRITE | FAST,
    keys=Keys(1, access="RW access update"),
    since="6.2.0",
    syntax=f"GETEX key [{_EXPIRY_SYNTAX} | PERSIST]",
)
def getex(ctx: Context, key: bytes, *options: bytes) -> bytes | None:
    """Read the string of a key, and set or drop its expiry.

    returns: the value, None if the key is missing; with an expiry in the past it is gone afterwards.
    raises: SyntaxFault; then, for a key that exists: WrongType; NotAnInteger, InvalidExpire.
    """
    args = Args(options)
    expiry = amount = b""
    persists = False
    while args:
        word = args.word()
        if word in _EXPIRIES and expiry in (b"", word) and not persists:
            expiry, amount = word, args.take()
        elif word == b"PERSIST" and not expiry:
            persists = True
        else:
            raise SyntaxFault
    ks = ctx.ks
    record = store.find(ks, key)
    if record is None:
        return None
    value = record.value
    if expiry:
        store.set_expiry(ks, key, record, _deadline_ms(ctx, "getex", expiry, amount))
    elif persists and record.expire_ms:
        store.set_expiry(ks, key, record, 0)
    return value


@command("GETDEL", flags=WRITE | FAST, keys=Keys(1, access="RW access delete"), since="6.2.0", syntax="GETDEL key")
def getdel(ctx: Context, key: bytes) -> bytes | None:
    """Read the string of a key and delete the key.

    returns: the value, None if the key is missing.
    raises: WrongType.
    """
    ks = ctx.ks
    value = store.get(ks, key)
    if value is not None:
        ks.remove(key)
    return value


@command(
    "GETSET",
    flags=WRITE | DENYOOM | FAST,
    keys=Keys(1, access="RW access update"),
    since="1.0.0",
    syntax="GETSET key value",
)
def getset(ctx: Context, key: bytes, value: bytes) -> bytes | None:
    """Make a key hold a string and read what it held before; its expiry is forgotten.

    returns: the old value, None if the key was missing.
    raises: WrongType.
    """
    old = store.get(ctx.ks, key)
    set_(ctx, key, value)
    return old


@command("MGET", flags=READONLY | FAST, keys=Keys(1, -1), since="1.0.0", syntax="MGET key [key ...]")
def mget(ctx: Context, key: bytes, *keys: bytes) -> Reply:
    """Read the strings of several keys.

    returns: the values in order, None for a key that is missing or holds something else.
    """
    return store.get_many(ctx.ks, (key, *keys))


@command(
    "MSET",
    flags=WRITE | DENYOOM,
    keys=Keys(1, -1, 2, access="OW update"),
    since="1.0.1",
    syntax="MSET key value [key value ...]",
)
def mset(ctx: Context, key: bytes, value: bytes, *more: bytes) -> Reply:
    """Make several keys hold strings, all at once; for a key that is named twice the last value counts.

    raises: WrongArity: a key without a value.
    """
    if len(more) & 1:
        raise WrongArity("mset")
    put = store.put
    ks = ctx.ks
    put(ks, key, value)
    if ks.notify:
        ks.notify(events.STRING, b"set", key)
    for name, data in zip(more[::2], more[1::2], strict=True):
        put(ks, name, data)
        if ks.notify:
            ks.notify(events.STRING, b"set", name)
    return OK


@command(
    "MSETNX",
    flags=WRITE | DENYOOM,
    keys=Keys(1, -1, 2, access="OW insert"),
    since="1.0.1",
    syntax="MSETNX key value [key value ...]",
)
def msetnx(ctx: Context, key: bytes, value: bytes, *more: bytes) -> int:
    """Make several keys hold strings if all of them are missing, else change none.

    returns: 1 if they were set, 0 if not.
    raises: WrongArity: a key without a value.
    """
    if len(more) & 1:
        raise WrongArity("msetnx")
    find = ctx.ks.find
    if find(key) is not None or any(find(name) is not None for name in more[::2]):
        return 0
    mset(ctx, key, value, *more)
    return 1


@command(
    "APPEND", flags=WRITE | DENYOOM | FAST, keys=Keys(1, access="RW insert"), since="2.0.0", syntax="APPEND key value"
)
def append(ctx: Context, key: bytes, value: bytes) -> int:
    """Add bytes at the end of a string, which may be missing.

    returns: the new length in bytes.
    raises: WrongType, StringTooLong.
    """
    ks = ctx.ks
    length = store.append(ks, key, value)
    if ks.notify:
        ks.notify(events.STRING, b"append", key)
    return length


@command("STRLEN", flags=READONLY | FAST, keys=Keys(1, access="RO"), since="2.2.0", syntax="STRLEN key")
def strlen(ctx: Context, key: bytes) -> int:
    """Count the bytes of a string.

    returns: the length, 0 if the key is missing.
    raises: WrongType.
    """
    return len(store.get(ctx.ks, key) or b"")


@command("SETRANGE", flags=WRITE | DENYOOM, keys=Keys(1), since="2.2.0", syntax="SETRANGE key offset value")
def setrange(ctx: Context, key: bytes, offset: bytes, value: bytes) -> int:
    """Write over the bytes of a string from an offset on, padding a shorter one with zero bytes.

    returns: the new length in bytes. An empty value changes nothing.
    raises: NotAnInteger, OffsetOutOfRange; WrongType; StringTooLong.
    """
    start = parse_int(offset)
    if start < 0:
        raise OffsetOutOfRange
    ks = ctx.ks
    length = store.overwrite(ks, key, start, value)
    if value and ks.notify:
        ks.notify(events.STRING, b"setrange", key)
    return length


@command("SUBSTR", flags=READONLY, keys=Keys(1), since="1.0.0", syntax="SUBSTR key start end")
@command("GETRANGE", flags=READONLY, keys=Keys(1), since="2.4.0", syntax="GETRANGE key start end")
def getrange(ctx: Context, key: bytes, start: bytes, end: bytes) -> bytes:
    """Read a range of the bytes of a string.

    start, end: the first and the last byte; negative ones count from the end.
    returns: the bytes, none of them where nothing lies in the range or the key is missing.
    raises: NotAnInteger; WrongType.
    """
    return store.get_range(ctx.ks, key, parse_int(start), parse_int(end))


def _deadline_ms(ctx: Context, name: str, expiry: bytes, amount: bytes) -> int:
    """When a key with the option `expiry` `amount` falls due, Unix ms.

    raises: NotAnInteger; InvalidExpire in the name of command `name`: not above zero, or beyond 63 bits.
    """
    unit_ms, relative = _EXPIRIES[expiry]
    when_ms = parse_int(amount) * unit_ms
    if when_ms > 0 and relative:
        when_ms += ctx.dbs.now_ms
    if not 0 < when_ms <= INT64_MAX:
        raise InvalidExpire(name)
    return when_ms
