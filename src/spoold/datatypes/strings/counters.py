"""INCR and the other commands that read a string as a number, add to it and write it back; its expiry stays."""

from __future__ import annotations

from spoold.command.context import Context
from spoold.command.spec import DENYOOM, FAST, WRITE, Keys, command
from spoold.core.errors import DecrementOverflow, Overflow
from spoold.core.numerals import INT64_MAX, INT64_MIN, add_long_double, format_long_double, parse_int, parse_long_double
from spoold.datatypes.strings import store
from spoold.keyspace import events
from spoold.keyspace.keyspace import Keyspace

_FLAGS = WRITE | DENYOOM | FAST


@command("INCR", flags=_FLAGS, keys=Keys(1, access="RW access update"), since="1.0.0", syntax="INCR key")
def incr(ctx: Context, key: bytes) -> int:
    """Add one to the integer in a key; a missing key counts as 0.

    returns: the sum.
    raises: WrongType, NotAnInteger, Overflow.
    """
    return _add(ctx.ks, key, 1)


@command("DECR", flags=_FLAGS, keys=Keys(1, access="RW access update"), since="1.0.0", syntax="DECR key")
def decr(ctx: Context, key: bytes) -> int:
    """Take one from the integer in a key; a missing key counts as 0.

    returns: the difference.
    raises: WrongType, NotAnInteger, Overflow.
    """
    return _add(ctx.ks, key, -1)


@command("INCRBY", flags=_FLAGS, keys=Keys(1, access="RW access update"), since="1.0.0", syntax="INCRBY key increment")
def incrby(ctx: Context, key: bytes, increment: bytes) -> int:
    """Add a number to the integer in a key; a missing key counts as 0.

    returns: the sum.
    raises: NotAnInteger; WrongType; Overflow.
    """
    return _add(ctx.ks, key, parse_int(increment))


@command("DECRBY", flags=_FLAGS, keys=Keys(1, access="RW access update"), since="1.0.0", syntax="DECRBY key decrement")
def decrby(ctx: Context, key: bytes, decrement: bytes) -> int:
    """Take a number from the integer in a key; a missing key counts as 0.

    returns: the difference.
    raises: NotAnInteger; DecrementOverflow (the number can't be negated in 64 bits); WrongType; Overflow.
    """
    amount = parse_int(decrement)
    if amount == INT64_MIN:
        raise DecrementOverflow
    return _add(ctx.ks, key, -amount)


@command(
    "INCRBYFLOAT",
    flags=_FLAGS,
    keys=Keys(1, access="RW access update"),
    since="2.6.0",
    syntax="INCRBYFLOAT key increment",
)
def incrbyfloat(ctx: Context, key: bytes, increment: bytes) -> bytes:
    """Add a floating point number to the one in a key; a missing key counts as 0.

    returns: the sum as it is stored: up to 17 decimals, no exponent.
    raises: WrongType; NotAFloat; CommandError (the sum is no finite number).
    source: 80-bit long doubles, as Redis on x86 has them: core/numerals.py.
    """
    record = store.find(ctx.ks, key)
    number = parse_long_double(b"0" if record is None else record.value)
    text = format_long_double(add_long_double(number, parse_long_double(increment)))
    ks = ctx.ks
    store.edit(ks, key, record, text)
    if ks.notify:
        ks.notify(events.STRING, b"incrbyfloat", key)
    return text


def _add(ks: Keyspace, key: bytes, amount: int) -> int:
    record = store.find(ks, key)
    number = amount if record is None else parse_int(record.value) + amount
    if not INT64_MIN <= number <= INT64_MAX:
        raise Overflow
    store.edit(ks, key, record, b"%d" % number)
    if ks.notify:
        ks.notify(events.STRING, b"incrby", key)
    return number
