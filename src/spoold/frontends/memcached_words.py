"""How memcached reads the words of a request, and the lines that it answers: shared by its verbs.

Reply lines are bytes as they go out; numbers are read as memcached reads them, except that what does not fit is
refused where memcached cuts off the upper bits.

source: memcached 1.6.18, doc/protocol.txt, and its behaviour as measured.
"""

from __future__ import annotations

import re
from typing import Final

MAX_KEY_BYTES: Final = 250
MAX_FLAGS: Final = 2**32 - 1
MAX_UINT64: Final = 2**64 - 1
# Up to so many seconds an expiry counts from now; above it is a Unix time.
MAX_RELATIVE_S: Final = 60 * 60 * 24 * 30
# An expiry in milliseconds must stay far below 64 bits; this is some 285 million years.
_MAX_EXPTIME_S: Final = 2**53

ERROR: Final = b"ERROR\r\n"
BAD_FORMAT: Final = b"CLIENT_ERROR bad command line format\r\n"
BAD_CHUNK_LINE: Final = b"CLIENT_ERROR bad data chunk\r\n"
BAD_EXPTIME: Final = b"CLIENT_ERROR invalid exptime argument\r\n"
BAD_DELTA: Final = b"CLIENT_ERROR invalid numeric delta argument\r\n"
NOT_NUMERIC: Final = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
TOO_LARGE_LINE: Final = b"SERVER_ERROR object too large for cache\r\n"
OK: Final = b"OK\r\n"
END: Final = b"END\r\n"
STORED: Final = b"STORED\r\n"
NOT_STORED: Final = b"NOT_STORED\r\n"
EXISTS: Final = b"EXISTS\r\n"
NOT_FOUND: Final = b"NOT_FOUND\r\n"
DELETED: Final = b"DELETED\r\n"
TOUCHED: Final = b"TOUCHED\r\n"

_SMALL: Final = {b"%d" % number: number for number in range(1024)}
_INTEGER: Final = re.compile(rb"[+-]?[0-9]{1,20}")
# A stored number may have blanks on both sides: memcached pads what gets shorter. What memcached takes for a number,
# too, is one with a blank and more behind it; that would be lost.
_NUMBER: Final = re.compile(rb"\s*\+?([0-9]+)\s*")
_MAX_NUMBER_BYTES: Final = 64


def parse_unsigned(word: bytes, limit: int) -> int:
    """Read a decimal number from 0 to `limit`; -1 if it is none."""
    number = _SMALL.get(word)
    if number is not None:
        return number
    if not 0 < len(word) <= 20:
        return -1
    digits = word[1:] if word[0] == 0x2B else word
    if not digits.isdigit():
        return -1
    found = int(digits)
    return found if found <= limit else -1


def parse_exptime(word: bytes) -> int | None:
    """Read a time in seconds, which may be negative; None if it is no number."""
    if not _INTEGER.fullmatch(word):
        return None
    seconds = int(word)
    return seconds if abs(seconds) < _MAX_EXPTIME_S else None


def expire_ms(exptime_s: int, now_ms: int) -> int:
    """When a value with this exptime falls due, in Unix ms: 0 = never; a negative one is due at once."""
    if exptime_s == 0:
        return 0
    if exptime_s < 0:
        return 1
    return now_ms + exptime_s * 1000 if exptime_s <= MAX_RELATIVE_S else exptime_s * 1000


def seconds_left(due_ms: int, now_ms: int) -> int:
    """The rest of a value's time as memcached shows it: whole seconds, begun ones counted; -1 = for ever.

    Of one that has just been made to fall due 0 seconds are left, where memcached shows a number that wrapped around.
    """
    return max(-((now_ms - due_ms) // 1000), 0) if due_ms else -1


def parse_number(value: bytes) -> int | None:
    """The unsigned 64-bit number that a value holds; None if it holds none."""
    number = _SMALL.get(value)
    if number is not None:
        return number
    if len(value) > _MAX_NUMBER_BYTES or (found := _NUMBER.fullmatch(value)) is None:
        return None
    number = int(found[1])
    return number if number <= MAX_UINT64 else None


def add_delta(number: int, delta: int, up: bool) -> int:
    """Increment, which wraps around at 64 bits, or decrement, which stops at 0."""
    return number + delta & MAX_UINT64 if up else max(number - delta, 0)
