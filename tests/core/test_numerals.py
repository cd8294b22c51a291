"""Numbers are read and printed as Redis does; the last tests ask a real one."""

from __future__ import annotations

import contextlib
import math
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spoold.core.errors import BadTimeout, CommandError, NegativeTimeout, NotAFloat, NotAnInteger, NotPositive
from spoold.core.numerals import (
    INT64_MAX,
    INT64_MIN,
    Dyadic,
    add_long_double,
    format_float,
    format_long_double,
    parse_float,
    parse_int,
    parse_long_double,
    parse_timeout_s,
    parse_uint,
)
from spoold.testing.process import LOOPBACK, RealRedis

NO_INTEGERS = [
    b"", b"-", b"+1", b" 1", b"1 ", b"1\n", b"01", b"-0", b"-01", b"00", b"1_0", b"1.0", b"1e3", b"0x10", b"x",
    b"\xd9\xa1", b"1\x00", b"9223372036854775808", b"-9223372036854775809", b"9" * 100, b"1" * 10_000,
]  # fmt: skip

FLOATS = [
    (b"0", 0.0), (b"1", 1.0), (b"+1", 1.0), (b"-1.5", -1.5), (b"1.", 1.0), (b".5", 0.5), (b"3.0e3", 3000.0),
    (b"1E-2", 0.01), (b"007", 7.0), (b"0x10", 16.0), (b"0X1p3", 8.0), (b"-0x.8p0", -0.5), (b"inf", math.inf),
    (b"+INF", math.inf), (b"-Infinity", -math.inf), (b"4e-324", 5e-324), (b"0e-999", 0.0), (b"0x0p-9999", 0.0),
    (b"1.7976931348623157e308", 1.7976931348623157e308), (b"0." + b"0" * 400 + b"1e401", 1.0),
]  # fmt: skip

NO_FLOATS = [
    b"", b" ", b".", b"-", b"e5", b"1e", b"1e+", b"1 ", b" 1", b"\t1", b"1\n", b"1\x00", b"1_0", b"1,5", b"5d", b"0x",
    b"0xg", b"--1", b"+-1", b"nan", b"-NaN", b"nan(1)", b"in", b"infin", b"\xb2",
]  # fmt: skip

# Too large or too small for a double; a long double holds them.
BEYOND_DOUBLES = [b"1e400", b"-1e400", b"1e-400", b"0x1p2000", b"0x1p-2000"]
BEYOND_LONG_DOUBLES = [
    b"1e5000", b"1e-5000", b"0x1p17000", b"0x1p-17000", b"1e99999999999", b"1e-99999999999", b"1" * 5120,
    b"1e" + b"9" * 4000,
]  # fmt: skip

SUMS = [
    (b"10.5", b"0.1", b"10.6"),
    (b"5.0e3", b"200", b"5200"),
    (b"0", b"3.0e3", b"3000"),
    (b"0.1", b"0.2", b"0.3"),
    (b"3", b"1.1", b"4.1"),
    (b"-1", b"1", b"0"),
    (b"1", b"0x10", b"17"),
    (b"0", b"-1e-30", b"0"),
    (b"0", b"1e-17", b"0.00000000000000001"),
    (b"0", b"3.14159265358979323846", b"3.14159265358979324"),
    (b"0", b"18446744073709551617", b"18446744073709551616"),
    (b"0", b"-100", b"-100"),
    (b"1", b"1.0000000000000000005", b"2"),
    (b"5", b"-10.25", b"-5.25"),
]


@given(st.integers(INT64_MIN, INT64_MAX))
@example(INT64_MIN)
@example(INT64_MAX)
def test_an_integer_reads_back_as_printed(number: int) -> None:
    assert parse_int(b"%d" % number) == number


@pytest.mark.parametrize("text", NO_INTEGERS)
def test_an_integer_has_one_spelling(text: bytes) -> None:
    with pytest.raises(NotAnInteger):
        parse_int(text)


@given(st.binary(max_size=25))
def test_any_bytes_are_the_printed_form_of_an_integer_or_refused(text: bytes) -> None:
    try:
        number = parse_int(text)
    except NotAnInteger:
        return
    assert b"%d" % number == text


def test_a_count_is_not_negative() -> None:
    assert parse_uint(b"0") == 0
    assert parse_uint(b"%d" % INT64_MAX) == INT64_MAX
    with pytest.raises(NotPositive):
        parse_uint(b"-1")
    with pytest.raises(NotAnInteger):
        parse_uint(b"many")


@pytest.mark.parametrize(("text", "number"), FLOATS)
def test_a_float_is_read_as_c_reads_it(text: bytes, number: float) -> None:
    assert parse_float(text) == number


@pytest.mark.parametrize("text", NO_FLOATS + BEYOND_DOUBLES)
def test_what_is_no_float_is_refused(text: bytes) -> None:
    with pytest.raises(NotAFloat):
        parse_float(text)


@given(st.floats(allow_nan=False))
def test_a_float_reads_back_as_printed(number: float) -> None:
    assert parse_float(format_float(number)) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, b"0"),
        (1.0, b"1"),
        (-3.5, b"-3.5"),
        (0.1, b"0.10000000000000001"),
        (1e16, b"10000000000000000"),
        (1e17, b"1e+17"),
        (1e21, b"1e+21"),
        (5e-324, b"4.9406564584124654e-324"),
        (math.inf, b"inf"),
        (-math.inf, b"-inf"),
        (math.nan, b"nan"),
    ],
)
def test_a_score_is_printed_with_17_digits(number: float, text: bytes) -> None:
    assert format_float(number) == text


@pytest.mark.parametrize(("left", "right", "total"), SUMS)
def test_long_doubles_add_up_as_people_expect(left: bytes, right: bytes, total: bytes) -> None:
    assert format_long_double(add_long_double(parse_long_double(left), parse_long_double(right))) == total


@pytest.mark.parametrize("text", NO_FLOATS + BEYOND_LONG_DOUBLES)
def test_what_is_no_long_double_is_refused(text: bytes) -> None:
    with pytest.raises(NotAFloat):
        parse_long_double(text)


@pytest.mark.parametrize("text", [*BEYOND_DOUBLES, b"1e4932", b"3e-4951", b"1" * 4932, b"0" * 5000 + b"1"])
def test_a_long_double_has_a_wide_range(text: bytes) -> None:
    assert isinstance(parse_long_double(text), Dyadic)


@pytest.mark.parametrize(
    ("left", "right"), [(b"inf", b"1"), (b"1", b"-inf"), (b"inf", b"-inf"), (b"1e4932", b"1e4932")]
)
def test_a_sum_that_is_no_number_is_an_error(left: bytes, right: bytes) -> None:
    with pytest.raises(CommandError, match=r"^ERR increment would produce NaN or Infinity$"):
        add_long_double(parse_long_double(left), parse_long_double(right))


def test_infinite_long_doubles_print_as_words() -> None:
    assert format_long_double(parse_long_double(b"INFINITY")) == b"inf"
    assert format_long_double(parse_long_double(b"-inf")) == b"-inf"


def test_the_largest_long_double_prints_all_its_digits() -> None:
    text = format_long_double(parse_long_double(b"1.18973149535723176502e+4932"))
    assert len(text) == 4933
    assert text.startswith(b"1189731495357231765021")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b"0", 0),
        (b"1", 1),
        (b"0.5", 0.5),
        (b"1e1", 10),
        (b"0x10", 16),
        (b"0.0001", 0.001),
        (b"1.0005", 1.001),
        (b"-0", 0),
    ],
)
def test_a_timeout_is_rounded_up_to_milliseconds(text: bytes, seconds: float) -> None:
    assert parse_timeout_s(text) == seconds


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (b"x", BadTimeout, "ERR timeout is not a float or out of range"),
        (b"", BadTimeout, "ERR timeout is not a float or out of range"),
        (b"nan", BadTimeout, "ERR timeout is not a float or out of range"),
        (b"1e5000", BadTimeout, "ERR timeout is not a float or out of range"),
        (b"inf", NegativeTimeout, "ERR timeout is negative"),
        (b"1e300", NegativeTimeout, "ERR timeout is negative"),
        (b"9223372036854775.808", NegativeTimeout, "ERR timeout is negative"),
        (b"-1", NegativeTimeout, "ERR timeout is negative"),
        (b"-inf", NegativeTimeout, "ERR timeout is negative"),
        (b"-1e300", NegativeTimeout, "ERR timeout is negative"),
    ],
)
def test_a_bad_timeout_says_why(text: bytes, error: type[CommandError], message: str) -> None:
    with pytest.raises(error) as caught:
        parse_timeout_s(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("parse", [parse_int, parse_float, parse_long_double, parse_timeout_s])
@given(text=st.one_of(st.binary(max_size=40), st.text("0123456789.eEpPxX+-inf_ ", max_size=40).map(str.encode)))
def test_any_bytes_are_a_number_or_refused(parse: Callable[[bytes], object], text: bytes) -> None:
    with contextlib.suppress(CommandError):
        assert isinstance(parse(text), (int, float, Dyadic))


@pytest.mark.parametrize("parse", [parse_int, parse_float, parse_long_double, parse_timeout_s])
@pytest.mark.parametrize(
    "text",
    [b"7" * 5_000_000, b"0." + b"0" * 5_000_000 + b"1e5000000", b"1e" + b"9" * 1_000_000, b"0x" + b"f" * 5_000_000],
    ids=["digits", "zeros", "exponent", "hex"],
)
def test_megabytes_of_digits_take_no_time(parse: Callable[[bytes], object], text: bytes) -> None:
    started_s = time.perf_counter()
    with contextlib.suppress(CommandError):
        parse(text)
    assert time.perf_counter() - started_s < 2


class Incrementer:
    """Asks a Redis for sums and scores."""

    def __init__(self, server: RealRedis) -> None:
        self._socket = socket.create_connection((LOOPBACK, server.port))
        self._file = self._socket.makefile("rb")

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._socket.close()

    def ask(self, *args: bytes) -> bytes:
        """Send one command; returns the text of its reply."""
        self._socket.sendall(b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args))
        line = self._file.readline()
        if line[:1] == b"$":
            return self._file.read(int(line[1:]) + 2)[:-2]
        return line[1:-2]


@pytest.fixture(scope="module")
def redis(redis_server: RealRedis) -> Iterator[Incrementer]:
    incrementer = Incrementer(redis_server)
    yield incrementer
    incrementer.close()


decimals = st.builds(
    lambda sign, whole, fraction, exponent: f"{sign}{whole}.{fraction:d}{exponent}".encode(),
    st.sampled_from(["", "-", "+"]),
    st.integers(0, 10**25),
    st.integers(0, 10**25),
    st.one_of(st.just(""), st.integers(-4990, 4960).map("e{}".format), st.integers(-30, 30).map("E{:+d}".format)),
)
hexes = st.builds(
    lambda whole, fraction, exponent: f"0x{whole:x}.{fraction:x}p{exponent}".encode(),
    st.integers(0, 2**70),
    st.integers(0, 2**70),
    st.integers(-16500, 16500),
)
numbers = st.one_of(
    decimals,
    hexes,
    st.floats().map(lambda number: repr(number).encode()),
    st.integers(-(2**70), 2**70).map(lambda number: b"%d" % number),
    st.sampled_from([text for text, _ in FLOATS] + NO_FLOATS + BEYOND_DOUBLES + BEYOND_LONG_DOUBLES),
)


@pytest.mark.needs_redis
@given(left=st.one_of(st.just(b"0"), numbers), right=numbers)
def test_sums_are_those_of_redis(redis: Incrementer, left: bytes, right: bytes) -> None:
    redis.ask(b"SET", b"sum", left)
    try:
        total = format_long_double(add_long_double(parse_long_double(left), parse_long_double(right)))
    except CommandError as refused:
        total = refused.message
    assert redis.ask(b"INCRBYFLOAT", b"sum", right) == total


@pytest.mark.needs_redis
@given(text=numbers)
def test_scores_are_those_of_redis(redis: Incrementer, text: bytes) -> None:
    redis.ask(b"DEL", b"scores")
    # A large member keeps the set out of the compact encoding, in which Redis 7.0 loses the sign of zero.
    answer = redis.ask(b"ZADD", b"scores", text, b"m" * 1000)
    try:
        score = format_float(parse_float(text))
    except CommandError as refused:
        score = refused.message
    else:
        answer = redis.ask(b"ZSCORE", b"scores", b"m" * 1000)
    assert answer == score


@pytest.mark.needs_redis
@given(text=st.one_of(numbers, st.integers().map(lambda number: b"%d" % number), st.sampled_from(NO_INTEGERS)))
def test_integers_are_those_of_redis(redis: Incrementer, text: bytes) -> None:
    redis.ask(b"SET", b"integer", b"0")
    try:
        expected = b"%d" % parse_int(text)
    except CommandError as refused:
        expected = refused.message
    assert redis.ask(b"INCRBY", b"integer", text) == expected
