"""INCR and its kin: borders of 64 bits, what is no number, floats as Redis prints them."""

from __future__ import annotations

import pytest

from spoold.core.errors import NotAFloat, NotAnInteger, Overflow
from support.room import Room

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)


def test_counting_starts_at_zero_and_is_stored_as_text(room: Room) -> None:
    assert room("INCR", "n") == 1
    assert room("INCRBY", "n", 10) == 11
    assert room("DECRBY", "n", 15) == -4
    assert room("DECR", "n") == -5
    assert room("DECRBY", "n", -5) == 0
    assert room("GET", "n") == b"0"
    assert room("DECR", "m") == -1
    assert room("GET", "m") == b"-1"


@pytest.mark.parametrize("words", ["INCR n", "DECR n", "INCRBY n 3", "DECRBY n 3", "INCRBYFLOAT n .5"])
def test_counting_keeps_the_expiry(room: Room, words: str) -> None:
    room("SET", "n", 5, "EX", 100)
    room(*words.split())
    assert room("TTL", "n") == 100


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (INT64_MAX, "INCR n"),
        (INT64_MIN, "DECR n"),
        (1, f"INCRBY n {INT64_MAX}"),
        (-1, f"INCRBY n {INT64_MIN}"),
        (-2, f"DECRBY n {INT64_MAX}"),
    ],
)
def test_a_sum_beyond_64_bits_is_refused(room: Room, value: int, words: str) -> None:
    room("SET", "n", value)
    reply = room(*words.split())
    assert isinstance(reply, Overflow)
    assert reply.message == b"ERR increment or decrement would overflow"
    assert room("GET", "n") == b"%d" % value


def test_the_borders_themselves_are_reached(room: Room) -> None:
    assert room("INCRBY", "n", INT64_MAX) == INT64_MAX
    assert room("INCRBY", "m", INT64_MIN) == INT64_MIN
    assert room("INCRBY", "n", INT64_MIN) == -1
    assert room("DECRBY", "m", -INT64_MAX) == -1


def test_the_lowest_number_can_not_be_taken_away(room: Room) -> None:
    assert room("DECRBY", "n", INT64_MIN).message == b"ERR decrement would overflow"
    assert room("EXISTS", "n") == 0


@pytest.mark.parametrize(
    "text", [b"", b"abc", b" 1", b"1 ", b"1.0", b"+1", b"01", b"-0", b"1e3", b"1_0", b"1\0", b"9" * 30]
)
def test_what_is_no_integer_is_neither_counted_nor_added(room: Room, text: bytes) -> None:
    room("SET", "k", text)
    for word in ("INCR", "DECR"):
        assert isinstance(room(word, "k"), NotAnInteger)
    for word in ("INCRBY", "DECRBY"):
        assert isinstance(room(word, "k", 1), NotAnInteger)
        assert isinstance(room(word, "n", text), NotAnInteger)
    assert room("GET", "k") == text
    assert room("EXISTS", "n") == 0


@pytest.mark.parametrize(
    ("value", "increment", "total"),
    [
        (None, "1.5", b"1.5"),
        ("10.50", "0.1", b"10.6"),
        ("5.0e3", "2.0e2", b"5200"),
        ("0.1", "0.2", b"0.3"),
        ("3.0", "0", b"3"),
        ("1", "-1", b"0"),
        ("1e17", "1", b"100000000000000001"),
        ("5", "0x10", b"21"),
        ("-0.1", "0.1", b"0"),
    ],
)
def test_floats_are_added_and_printed_as_redis_does(
    room: Room, value: str | None, increment: str, total: bytes
) -> None:
    if value is not None:
        room("SET", "f", value)
    assert room("INCRBYFLOAT", "f", increment) == total
    assert room("GET", "f") == total


@pytest.mark.parametrize("text", ["", "abc", " 1", "1 ", "nan", "1e5000", "1_0"])
def test_what_is_no_float_is_neither_counted_nor_added(room: Room, text: str) -> None:
    room("SET", "k", text)
    assert isinstance(room("INCRBYFLOAT", "k", 1), NotAFloat)
    assert isinstance(room("INCRBYFLOAT", "f", text), NotAFloat)
    assert room("GET", "k") == text.encode()
    assert room("EXISTS", "f") == 0


@pytest.mark.parametrize("increment", ["inf", "-inf", "+inf"])
def test_a_sum_that_is_not_finite_is_refused(room: Room, increment: str) -> None:
    assert room("INCRBYFLOAT", "f", increment).message == b"ERR increment would produce NaN or Infinity"
    assert room("EXISTS", "f") == 0
