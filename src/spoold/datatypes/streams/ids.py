"""Ids of entries: milliseconds and a sequence, 64 bits each.

Inside spoold an id is 16 big-endian bytes, so that ids order as bytes; on the wire it is `ms-sequence`. All readers
take any bytes and return an id or raise a CommandError.
"""

from __future__ import annotations

import re
import struct
from typing import Final

from spoold.core.errors import BadIntervalEnd, BadIntervalStart, BadStreamId, NotAnInteger
from spoold.core.numerals import parse_int

ZERO: Final = bytes(16)
LAST: Final = b"\xff" * 16

U64_MAX: Final = (1 << 64) - 1

_PAIR: Final = struct.Struct(">QQ")
pack = _PAIR.pack
unpack = _PAIR.unpack

# Digits that are a number of 64 bits whatever they are, so that no more has to be checked.
_SAFE_DIGITS: Final = 18
# Redis copies an id into a buffer of this many bytes, one of them for the closing NUL.
_MOST_BYTES: Final = 127
# What C's strtoull takes.
_NUMBER: Final = re.compile(rb"[ \t\n\v\f\r]*([+-]?)0*([0-9]+)")


def show(id_: bytes) -> bytes:
    """The id as clients read it."""
    return b"%d-%d" % unpack(id_)


def parse(text: bytes, missing: int = 0) -> bytes:
    """Read an id that stands for one entry.

    missing: the sequence of an id that has none.
    raises: BadStreamId, also for `-` and `+`.
    cost: about 0.7 µs.
    """
    ms, dash, sequence = text.partition(b"-")
    if ms.isdigit() and sequence.isdigit() and len(ms) <= _SAFE_DIGITS and len(sequence) <= _SAFE_DIGITS:
        return pack(int(ms), int(sequence))
    if len(text) > _MOST_BYTES:
        raise BadStreamId
    ms, dash, sequence = text.partition(b"\0")[0].partition(b"-")
    return pack(_number(ms), _number(sequence) if dash else missing)


def parse_wide(text: bytes, missing: int = 0) -> bytes:
    """Read an id, or `-` and `+` for the least and the greatest. raises: BadStreamId."""
    bare = text.partition(b"\0")[0]
    if bare == b"-":
        return ZERO
    if bare == b"+":
        return LAST
    return parse(text, missing)


def parse_new(text: bytes) -> tuple[bytes, bool]:
    """Read the id of an entry that is to be added: `ms-sequence`, `ms`, or `ms-*`.

    returns: the id, and whether its sequence was given.
    raises: BadStreamId.
    """
    if text.partition(b"\0")[0].endswith(b"-*"):
        return parse(text.partition(b"\0")[0][:-2] + b"-0"), False
    return parse(text), True


def parse_start(text: bytes) -> bytes:
    """Read where a range begins: `-`, `+`, an id, or `(` and an id that is left out itself.

    raises: BadStreamId; BadIntervalStart: nothing lies behind the id that is left out.
    """
    if text[:1] != b"(" or len(text) == 1:
        return parse_wide(text)
    id_ = parse(text[1:])
    if id_ == LAST:
        raise BadIntervalStart
    return following(id_)


def parse_end(text: bytes) -> bytes:
    """Read where a range ends: `-`, `+`, an id, or `(` and an id that is left out itself.

    raises: BadStreamId; BadIntervalEnd: nothing lies before the id that is left out.
    """
    if text[:1] != b"(" or len(text) == 1:
        return parse_wide(text, U64_MAX)
    id_ = parse(text[1:], U64_MAX)
    if id_ == ZERO:
        raise BadIntervalEnd
    return preceding(id_)


def following(id_: bytes) -> bytes:
    """The next id; zero behind the greatest."""
    return (int.from_bytes(id_, "big") + 1 & (1 << 128) - 1).to_bytes(16, "big")


def preceding(id_: bytes) -> bytes:
    """The id before; the greatest before zero."""
    return (int.from_bytes(id_, "big") - 1 & (1 << 128) - 1).to_bytes(16, "big")


def next_after(last: bytes, now_ms: int) -> bytes:
    """The id of an entry that is added now: the time, or one more than the last id if the clock is behind that."""
    id_ = pack(now_ms, 0)
    return id_ if id_ > last else following(last)


def _number(text: bytes) -> int:
    """An unsigned 64-bit number, as Redis reads it: a canonical one, or what strtoull makes of the text.

    source: redis: src/util.c, string2ull.
    """
    try:
        number = parse_int(text)
    except NotAnInteger:
        match = _NUMBER.fullmatch(text)
        if match is None or int(match[2]) > U64_MAX:
            raise BadStreamId from None
        number = int(match[2])
        return -number & U64_MAX if match[1] == b"-" else number
    if number < 0:
        raise BadStreamId
    return number
