"""HINCRBY and HINCRBYFLOAT: read a field as a number, add to it, write it back."""

from __future__ import annotations

from spoold.command.context import Context
from spoold.command.spec import DENYOOM, FAST, WRITE, Keys, command
from spoold.core.errors import FieldNotAFloat, FieldNotAnInteger, NotAFloat, NotAnInteger, NotFinite, Overflow
from spoold.core.numerals import (
    INT64_MAX,
    INT64_MIN,
    add_long_double,
    format_long_double,
    parse_int,
    parse_long_double,
)
from spoold.datatypes.hashes import store
from spoold.keyspace import events

_FLAGS = WRITE | DENYOOM | FAST


@command(
    "HINCRBY",
    flags=_FLAGS,
    keys=Keys(1, access="RW access update"),
    since="2.0.0",
    syntax="HINCRBY key field increment",
)
def hincrby(ctx: Context, key: bytes, field: bytes, increment: bytes) -> int:
    """Adds a number to the integer in a field; a missing field counts as 0.

    returns: the sum.
    raises: NotAnInteger; WrongType; FieldNotAnInteger; Overflow.
    """
    number = parse_int(increment)
    ks = ctx.ks
    value = store.get(ks, key, field)
    if value is not None:
        try:
            number += parse_int(value)
        except NotAnInteger:
            raise FieldNotAnInteger from None
        if not INT64_MIN <= number <= INT64_MAX:
            raise Overflow
    store.put(ks, key, field, b"%d" % number, is_new=value is None)
    if ks.notify:
        ks.notify(events.HASH, b"hincrby", key)
    return number


@command(
    "HINCRBYFLOAT",
    flags=_FLAGS,
    keys=Keys(1, access="RW access update"),
    since="2.6.0",
    syntax="HINCRBYFLOAT key field increment",
)
def hincrbyfloat(ctx: Context, key: bytes, field: bytes, increment: bytes) -> bytes:
    """Adds a floating point number to the one in a field; a missing field counts as 0.

    returns: the sum as it is stored: up to 17 decimals, no exponent.
    raises: NotAFloat; NotFinite (an infinity is added); WrongType; FieldNotAFloat; CommandError (the sum is no finite
        number).
    source: 80-bit long doubles, as Redis on x86 has them: core/numerals.py.
    """
    amount = parse_long_double(increment)
    if isinstance(amount, float):
        raise NotFinite
    ks = ctx.ks
    value = store.get(ks, key, field)
    try:
        number = parse_long_double(b"0" if value is None else value)
    except NotAFloat:
        raise FieldNotAFloat from None
    text = format_long_double(add_long_double(number, amount))
    store.put(ks, key, field, text, is_new=value is None)
    if ks.notify:
        ks.notify(events.HASH, b"hincrbyfloat", key)
    return text
