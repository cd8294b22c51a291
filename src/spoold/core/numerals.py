"""Numbers as clients write them and as Redis reads and prints them: strict in, canonical out, bytes both ways.

Three kinds of number go over the wire:

- integers, signed 64-bit, only in the one spelling that printing them gives;
- doubles, for scores: what C's strtod reads, as hexadecimal and infinities too, but never nan;
- long doubles, for INCRBYFLOAT: x86's 80-bit format with its 64-bit mantissa. Python has no such type, so a value is a
  mantissa and a power of two (`Dyadic`), or `math.inf` / `-math.inf`.

Every parser takes bytes of any length and content and either returns a number or raises a `CommandError`; the cost is
bounded whatever the exponent says. To read a new kind of number, build it on `parse_int` or `parse_float`, so that all
of them agree about what a number is.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from spoold.core.errors import (
    BadTimeout,
    CommandError,
    NegativeTimeout,
    NotAFloat,
    NotAnInteger,
    NotPositive,
    OutOfInt32,
)

INT64_MIN: Final = -(1 << 63)
INT64_MAX: Final = (1 << 63) - 1

# Characters of the longest 64-bit integer, "-9223372036854775808".
_INT64_CHARS: Final = 20

# Redis copies a long double into a buffer of this many characters, one of them for the closing NUL.
_LONG_DOUBLE_CHARS: Final = 5 * 1024

# x86 extended precision: bits of the mantissa, exponent of the smallest subnormal, exponent of the first overflow.
_MANTISSA_BITS: Final = 64
_MIN_EXPONENT: Final = -16445
_MAX_EXPONENT: Final = 16384

# int() refuses more digits than this by default (sys.int_info.default_max_str_digits is 4300).
_INT_DIGITS: Final = 4000
_INT_DIGITS_LIMIT: Final = 10**_INT_DIGITS

# A decimal exponent with this many digits is far outside every format; computing 10 ** it is what must not happen.
_EXPONENT_DIGITS: Final = 7

# Where "%.17Lf" puts the last digit.
_HUMAN_SCALE: Final = 10**17

_DECIMAL: Final = re.compile(rb"([+-]?)(?:([0-9]+)\.?([0-9]*)|\.([0-9]+))(?:[eE]([+-]?)([0-9]+))?")
_HEX: Final = re.compile(rb"([+-]?)0[xX](?:([0-9a-fA-F]+)\.?([0-9a-fA-F]*)|\.([0-9a-fA-F]+))(?:[pP]([+-]?)([0-9]+))?")
_INFINITIES: Final = frozenset({b"inf", b"infinity"})


class Dyadic(NamedTuple):
    """The finite number mantissa * 2**exponent; not normalised, so compare what `format_long_double` prints."""

    mantissa: int
    exponent: int


LongDouble: TypeAlias = Dyadic | float
"""A `float` here is `math.inf` or `-math.inf`, nothing else."""

_ZERO: Final = Dyadic(0, 0)


def parse_int(text: bytes) -> int:
    """Read a signed 64-bit integer in its canonical spelling: no plus, blank, leading zero or minus zero.

    returns: the number.
    raises: NotAnInteger.
    cost: about 0.25 µs; it is on the path of INCR.
    source: redis: src/util.c, string2ll.
    """
    if len(text) <= _INT64_CHARS:
        try:
            number = int(text)
        except ValueError:
            raise NotAnInteger from None
        # int() also takes blanks, underscores and a plus; printing the number again shows them all.
        if b"%d" % number == text and INT64_MIN <= number <= INT64_MAX:
            return number
    raise NotAnInteger


def parse_uint(text: bytes) -> int:
    """Read a count: a canonical integer from 0 to 2**63 - 1.

    raises: NotAnInteger; NotPositive if it is a negative one.
    source: redis: src/object.c, getPositiveLongFromObjectOrReply.
    """
    number = parse_int(text)
    if number < 0:
        raise NotPositive
    return number


def parse_int32(text: bytes) -> int:
    """Read a number that Redis keeps in a C int, such as a database's.

    raises: NotAnInteger; OutOfInt32.
    source: redis: src/object.c, getIntFromObjectOrReply.
    """
    number = parse_int(text)
    if not -(1 << 31) <= number < 1 << 31:
        raise OutOfInt32
    return number


def parse_float(text: bytes) -> float:
    """Read a double as strtod does, and the whole of `text` with no blank before or after.

    returns: the number, infinities included.
    raises: NotAFloat, also for nan and for a value that overflows, or that vanishes to zero.
    source: redis: src/util.c, string2d; src/object.c, getDoubleFromObject.
    """
    if _DECIMAL.fullmatch(text):
        number = float(text)
        if math.isinf(number) or (number == 0.0 and _has_digits(text, b"123456789", b"eE")):
            raise NotAFloat
        return number
    if _HEX.fullmatch(text):
        try:
            number = float.fromhex(text.decode("ascii"))
        except (OverflowError, ValueError):
            raise NotAFloat from None
        if number == 0.0 and _has_digits(text[text.lower().index(b"x") :], b"123456789abcdefABCDEF", b"pP"):
            raise NotAFloat
        return number
    return _parse_infinity(text)


def parse_long_double(text: bytes) -> LongDouble:
    """Read an 80-bit long double as strtold does: the nearest value with a mantissa of 64 bits.

    returns: a Dyadic, or math.inf / -math.inf if the text says so.
    raises: NotAFloat, also for nan, for overflow, for a value that vanishes, and from 5120 characters on.
    cost: about 2 µs for a short decimal.
    source: redis: src/util.c, string2ld.
    """
    if len(text) >= _LONG_DOUBLE_CHARS:
        raise NotAFloat
    if match := _DECIMAL.fullmatch(text):
        number = _round_parsed(match.groups(b""), 10, 10, 1)
    elif match := _HEX.fullmatch(text):
        number = _round_parsed(match.groups(b""), 16, 2, 4)
    else:
        return _parse_infinity(text)
    if isinstance(number, float):
        raise NotAFloat
    return number


def add_long_double(left: LongDouble, right: LongDouble) -> LongDouble:
    """Add two long doubles and round the sum to 64 bits.

    raises: CommandError in INCRBYFLOAT's words if the sum is infinite or nan.
    source: redis: src/t_string.c, incrbyfloatCommand.
    """
    if isinstance(left, Dyadic) and isinstance(right, Dyadic):
        exponent = min(left.exponent, right.exponent)
        mantissa = (left.mantissa << left.exponent - exponent) + (right.mantissa << right.exponent - exponent)
        total = _round_to_long_double(mantissa, 1, exponent)
        if isinstance(total, Dyadic):
            return total
    raise CommandError("increment would produce NaN or Infinity")


def format_float(number: float) -> bytes:
    """Print a double as ZSCORE does in Redis 7.0: 17 significant digits, no trailing zeros, `inf`, `-inf`, `nan`.

    returns: text that reads back as the same double; whole numbers below 1e17 without a fraction or an exponent.
    source: redis 7.0: src/networking.c, addReplyDouble; src/util.c, d2string.
    """
    return b"%.17g" % number


def format_decimals(number: float) -> bytes:
    """Print a finite double as GEOPOS does: 17 decimals of its exact value, trailing zeros cut, never an exponent.

    source: redis: src/networking.c, addReplyHumanLongDouble.
    """
    mantissa, exponent = math.frexp(number)
    return format_long_double(Dyadic(int(mantissa * (1 << 53)), exponent - 53))


def format_long_double(number: LongDouble) -> bytes:
    """Print a long double as INCRBYFLOAT stores it: 17 decimals, trailing zeros cut, never an exponent.

    source: redis: src/util.c, ld2string with LD_STR_HUMAN.
    """
    if not isinstance(number, Dyadic):
        return b"inf" if number > 0 else b"-inf"
    mantissa, exponent = abs(number.mantissa), number.exponent
    scaled = mantissa * _HUMAN_SCALE
    scaled = scaled << exponent if exponent >= 0 else _half_even(scaled, 1 << -exponent)
    if not scaled:
        return b"0"
    whole, decimals = divmod(scaled, _HUMAN_SCALE)
    text = _digits(whole)
    if decimals:
        text = f"{text}.{decimals:017d}".rstrip("0")
    return (f"-{text}" if number.mantissa < 0 else text).encode()


@lru_cache(maxsize=256)
def parse_timeout_s(text: bytes) -> float:
    """Read how long a command may block, in seconds; 0 is for ever.

    returns: seconds, rounded up to a whole millisecond, so a tiny time-out never turns into "for ever".
    raises: BadTimeout (no number); NegativeTimeout (also for more milliseconds than 63 bits hold).
    cost: 0.1 µs for one of the last few that were asked for (workers repeat theirs), else about 3 µs.
    source: redis: src/timeout.c, getTimeoutFromObjectOrReply; an overflow counts as negative there.
    """
    try:
        number = parse_long_double(text)
    except NotAFloat:
        raise BadTimeout from None
    if isinstance(number, float):
        raise NegativeTimeout
    thousand_fold, exponent = number.mantissa * 1000, number.exponent
    timeout_ms = thousand_fold << exponent if exponent >= 0 else -(-thousand_fold >> -exponent)
    if not 0 <= timeout_ms <= INT64_MAX:
        raise NegativeTimeout
    return timeout_ms / 1000


def _has_digits(text: bytes, digits: bytes, exponent_marks: bytes) -> bool:
    """True if one of `digits` stands before the exponent."""
    mantissa = re.split(b"[" + exponent_marks + b"]", text, maxsplit=1)[0]
    return mantissa.translate(None, digits) != mantissa


def _parse_infinity(text: bytes) -> float:
    unsigned = text[1:] if text[:1] in (b"+", b"-") else text
    if unsigned.lower() not in _INFINITIES:
        raise NotAFloat
    return -math.inf if text[:1] == b"-" else math.inf


def _round_parsed(groups: tuple[bytes, ...], digit_base: int, exponent_base: int, exponent_step: int) -> LongDouble:
    """Turn the groups of a matched number into the nearest long double.

    exponent_step: how much one digit after the point takes off the exponent.
    raises: NotAFloat if the value vanishes, or if the exponent alone puts it outside the format.
    """
    sign, whole, decimals, bare_decimals, exponent_sign, exponent_text = groups
    decimals = decimals or bare_decimals
    digits = (whole + decimals).lstrip(b"0")
    if not digits:
        return _ZERO
    exponent_text = exponent_text.lstrip(b"0") or b"0"
    if len(exponent_text) > _EXPONENT_DIGITS:
        raise NotAFloat
    exponent = int(exponent_sign + exponent_text) - exponent_step * len(decimals)
    if len(digits) > _INT_DIGITS:
        # What is cut off can only tip a tie, and a single one in its place tips it the same way.
        sticky = b"1" if digits[_INT_DIGITS:].strip(b"0") else b"0"
        exponent += exponent_step * (len(digits) - _INT_DIGITS - 1)
        digits = digits[:_INT_DIGITS] + sticky
    # Twice the range of the format in powers of two, far more in powers of ten: no digits bring it back from there.
    if abs(exponent + exponent_step * len(digits)) > 2 * _MAX_EXPONENT:
        raise NotAFloat
    mantissa = int(sign + digits, digit_base)
    if exponent_base == 2:
        rounded = _round_to_long_double(mantissa, 1, exponent)
    elif exponent >= 0:
        rounded = _round_to_long_double(mantissa * 10**exponent, 1, 0)
    else:
        rounded = _round_to_long_double(mantissa, 10**-exponent, 0)
    if rounded == _ZERO:
        raise NotAFloat
    return rounded


def _round_to_long_double(numerator: int, denominator: int, exponent: int) -> LongDouble:
    """Round numerator / denominator * 2**exponent to 64 bits, ties to even; an infinity beyond the largest value."""
    magnitude = abs(numerator)
    # The quotient has this many bits before the point, or one less; a bit too many would be rounded away twice.
    bits = magnitude.bit_length() - denominator.bit_length() + 1
    if (magnitude << max(1 - bits, 0)) < (denominator << max(bits - 1, 0)):
        bits -= 1
    shift = max(bits - _MANTISSA_BITS, _MIN_EXPONENT - exponent)
    mantissa = _half_even(magnitude << max(-shift, 0), denominator << max(shift, 0))
    if not mantissa:
        return _ZERO
    exponent += shift
    if mantissa.bit_length() + exponent > _MAX_EXPONENT:
        return math.inf if numerator > 0 else -math.inf
    return Dyadic(mantissa if numerator > 0 else -mantissa, exponent)


def _half_even(numerator: int, denominator: int) -> int:
    """Divide two natural numbers and round to the nearest, ties to even."""
    quotient, rest = divmod(numerator, denominator)
    twice = rest << 1
    return quotient + 1 if twice > denominator or (twice == denominator and quotient & 1) else quotient


def _digits(number: int) -> str:
    """Print a natural number of any size."""
    if number < _INT_DIGITS_LIMIT:
        return str(number)
    high, low = divmod(number, _INT_DIGITS_LIMIT)
    return _digits(high) + str(low).zfill(_INT_DIGITS)
