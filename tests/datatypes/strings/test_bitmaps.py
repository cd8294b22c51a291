"""SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP: examples of every option, and all of them against strings of 0 and 1."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core.errors import BadBitOffset, BadBitValue, NotAnInteger, NotZeroOrOne, SyntaxFault
from spoold.datatypes.strings import bitmaps
from support.room import Room

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)

# Long enough for several slices, with long runs of one kind.
runs = st.tuples(st.sampled_from([b"\0", b"\xff", b"\x10", b"\xf7", b"a"]), st.integers(0, 40))
values = st.lists(runs, max_size=6).map(lambda parts: b"".join(byte * times for byte, times in parts))


def digits(value: bytes) -> str:
    """The bits of a value, in order, as text."""
    return "".join(f"{byte:08b}" for byte in value)


# -- SETBIT GETBIT --------------------------------------------------------------------------------------------------


def test_a_bit_is_set_and_cleared_and_its_old_state_answered(room: Room) -> None:
    assert room("SETBIT", "k", 7, 1) == 0
    assert room("GET", "k") == b"\x01"
    assert room("SETBIT", "k", 0, 1) == 0
    assert room("GET", "k") == b"\x81"
    assert room("SETBIT", "k", 7, 0) == 1
    assert room("GET", "k") == b"\x80"
    assert [room("GETBIT", "k", position) for position in (0, 1, 7, 8, 100)] == [1, 0, 0, 0, 0]
    assert room("GETBIT", "missing", 0) == 0


def test_a_string_grows_to_hold_the_bit_even_where_it_is_zero(room: Room) -> None:
    room("SET", "k", "a", "EX", 100)
    assert room("SETBIT", "k", 100, 0) == 0
    assert room("GET", "k") == b"a" + bytes(12)
    assert room("TTL", "k") == 100
    assert room("SETBIT", "fresh", 0, 0) == 0
    assert room("GET", "fresh") == b"\0"


@pytest.mark.parametrize("offset", [-1, "abc", "", "01", 2**32, INT64_MAX, 2**64])
def test_an_offset_is_a_number_below_the_bits_that_a_string_may_have(room: Room, offset: int | str) -> None:
    for reply in (room("SETBIT", "k", offset, 1), room("GETBIT", "k", offset)):
        assert isinstance(reply, BadBitOffset)
        assert reply.message == b"ERR bit offset is not an integer or out of range"
    assert room("GETBIT", "k", 2**32 - 1) == 0
    assert room("EXISTS", "k") == 0


@pytest.mark.parametrize("bit", [2, -1, "abc", "", "01", 2**64])
def test_a_bit_is_zero_or_one(room: Room, bit: int | str) -> None:
    reply = room("SETBIT", "k", 1, bit)
    assert isinstance(reply, BadBitValue)
    assert reply.message == b"ERR bit is not an integer or out of range"
    assert room("EXISTS", "k") == 0


# -- BITCOUNT -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("range_", "count"),
    [
        ("", 26),
        ("0 0", 4),
        ("1 1", 6),
        ("1 1 BYTE", 6),
        ("5 30 BIT", 17),
        ("5 30 bit", 17),
        ("-2 -1", 7),
        ("-100 -50", 4),
        ("-50 -100", 0),
        ("3 1", 0),
        ("100 200", 0),
        ("-1 -1 BIT", 0),
        ("1 1 BIT", 1),
        (f"{INT64_MIN} {INT64_MAX} BIT", 26),
    ],
)
def test_bits_are_counted_in_a_range_of_bytes_or_bits(room: Room, range_: str, count: int) -> None:
    room("SET", "k", "foobar")
    assert room("BITCOUNT", "k", *range_.split()) == count


def test_a_missing_key_has_no_bits_whatever_the_range_says(room: Room) -> None:
    for range_ in ("", "0", "a b", "0 1 FOO", "0 1 BIT x"):
        assert room("BITCOUNT", "missing", *range_.split()) == 0
    room("SET", "empty", "")
    assert room("BITCOUNT", "empty") == 0
    assert room("BITCOUNT", "empty", 0, -1) == 0


@pytest.mark.parametrize(
    ("range_", "error"),
    [
        ("0", SyntaxFault),
        ("0 1 FOO", SyntaxFault),
        ("0 1 BIT x", SyntaxFault),
        ("a 1", NotAnInteger),
        ("0 b FOO", NotAnInteger),
    ],
)
def test_a_count_refuses_ranges_that_are_none(room: Room, range_: str, error: type[Exception]) -> None:
    room("SET", "k", "foobar")
    assert isinstance(room("BITCOUNT", "k", *range_.split()), error)


def test_a_range_that_is_backwards_from_the_end_is_empty_before_its_unit_is_read(room: Room) -> None:
    room("SET", "k", "foobar")
    assert room("BITCOUNT", "k", -1, -5, "FOO") == 0


# -- BITPOS ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "arguments", "position"),
    [
        (b"\xff\xf0\x00", "0", 12),
        (b"\x00\xff\xf0", "1", 8),
        (b"\x00\xff\xf0", "1 2", 16),
        (b"\x00\xff\xf0", "1 0 0", -1),
        (b"\x00\xff\xf0", "1 -1", 16),
        (b"\x00\xff\xf0", "1 7 15 BIT", 8),
        (b"\x00\xff\xf0", "1 7 -3 bit", 8),
        (b"\x00\xff\xf0", "0 8 -1 BIT", 20),
        (b"\x00\xff\xf0", "0 8 15 BIT", -1),
        (b"\x00\xff\xf0", "1 5 3 BIT", -1),
        (b"\x00\xff\xf0", "1 10 10 BYTE", -1),
        (b"\x00\x00\x00", "1", -1),
        (b"\x00\x00\x00", "0", 0),
        (b"\xff\xff\xff", "0", 24),
        (b"\xff\xff\xff", "0 0", 24),
        (b"\xff\xff\xff", "0 2", 24),
        (b"\xff\xff\xff", "0 3", -1),
        (b"\xff\xff\xff", "0 0 -1", -1),
        (b"\xff\xff\xff", "0 0 23 BIT", -1),
        (b"\x81", "1 -100 -200", 0),
        (b"\x81", "0 -100 -200 BIT", -1),
        (b"", "0", -1),
        (b"", "1", -1),
        (b"", "0 0 -1", -1),
    ],
)
def test_the_first_bit_of_a_kind_is_found(room: Room, value: bytes, arguments: str, position: int) -> None:
    room("SET", "k", value)
    assert room("BITPOS", "k", *arguments.split()) == position


def test_a_missing_key_is_all_zeros_whatever_the_range_says(room: Room) -> None:
    for range_ in ("", "0", "a b", "0 1 FOO", "0 1 BIT x y"):
        assert room("BITPOS", "missing", 0, *range_.split()) == 0
        assert room("BITPOS", "missing", 1, *range_.split()) == -1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("2", NotZeroOrOne),
        ("-1", NotZeroOrOne),
        ("abc", NotAnInteger),
        ("1 a", NotAnInteger),
        ("1 a b FOO", NotAnInteger),
        ("1 0 b", NotAnInteger),
        ("1 0 b FOO", SyntaxFault),
        ("1 0 1 FOO", SyntaxFault),
        ("1 a 1 BIT x", SyntaxFault),
        ("1 -1 -5 FOO", SyntaxFault),
    ],
)
def test_a_search_refuses_what_is_no_bit_and_no_range(room: Room, arguments: str, error: type[Exception]) -> None:
    room("SET", "k", "foobar")
    assert isinstance(room("BITPOS", "k", *arguments.split()), error)


def test_the_bit_is_checked_before_the_key(room: Room) -> None:
    room("RPUSH", "l", "a")
    for key in ("l", "missing"):
        assert room("BITPOS", key, 2).message == b"ERR The bit argument must be 1 or 0."


# -- BITOP ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "result"),
    [
        ("AND d a b", b"`bc`ab"),
        ("or d a b", b"goofev"),
        ("Xor d a b", b"\x07\x0d\x0c\x06\x04\x14"),
        ("NOT d a", b"\x99\x90\x90\x9d\x9e\x8d"),
        ("AND d a c", b"`\0\0\0\0\0"),
        ("OR d a c", b"\xf6oobar"),
        ("XOR d a b c", b"\xf7\x0d\x0c\x06\x04\x14"),
        ("AND d a", b"foobar"),
        ("OR d missing a", b"foobar"),
        ("AND d a missing", bytes(6)),
        ("XOR a a a", bytes(6)),
    ],
)
def test_strings_are_combined_bit_by_bit(room: Room, words: str, result: bytes) -> None:
    room("MSET", "a", "foobar", "b", "abcdef", "c", b"\xf0")
    room("SET", words.split()[1], room("GET", words.split()[1]) or "", "EX", 100)
    assert room("BITOP", *words.split()) == len(result)
    assert room("GET", words.split()[1]) == result
    assert room("TTL", words.split()[1]) == -1


@pytest.mark.parametrize("words", ["AND d missing gone", "OR d empty", "NOT d missing", "XOR d empty missing"])
def test_an_empty_result_deletes_the_destination(room: Room, words: str) -> None:
    room("SET", "empty", "")
    assert room("BITOP", *words.split()) == 0
    room("RPUSH", "d", "v")
    assert room("BITOP", *words.split()) == 0
    assert room("EXISTS", "d") == 0


def test_the_destination_may_be_of_any_type(room: Room) -> None:
    room("SET", "a", "foobar")
    room("RPUSH", "l", "x")
    assert room("BITOP", "OR", "l", "a") == 6
    assert room("GET", "l") == b"foobar"


def test_operations_that_there_are_not_are_refused_before_the_keys_are_looked_at(room: Room) -> None:
    room("RPUSH", "l", "x")
    assert isinstance(room("BITOP", "FOO", "d", "l"), SyntaxFault)
    assert room("BITOP", "NOT", "d", "l", "l").message == b"ERR BITOP NOT must be called with a single source key."


# -- against text ---------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several slices in every value."""
    monkeypatch.setattr(bitmaps, "_SLICE_BYTES", 7)
    monkeypatch.setattr(bitmaps, "_EMPTY_SLICES", (b"\xff" * 7, b"\0" * 7))


@given(value=values, edges=st.tuples(st.integers(0, 400), st.integers(0, 400)))
def test_counting_and_finding_agree_with_text(value: bytes, edges: tuple[int, int]) -> None:
    text = digits(value)
    first, last = edges[0], min(edges[1], len(text) - 1)
    inside = text[first : last + 1]
    assert bitmaps._count_ones(value, first, last) == inside.count("1")
    for bit in (0, 1):
        at = inside.find(str(bit))
        assert bitmaps._find_bit(value, bit, first, last) == (-1 if at < 0 else first + at)


@given(sources=st.lists(values, min_size=1, max_size=4), name=st.sampled_from([b"AND", b"OR", b"XOR"]))
def test_combining_agrees_with_text(sources: list[bytes], name: bytes) -> None:
    length = max(map(len, sources))
    columns = zip(*(digits(source.ljust(length, b"\0")) for source in sources), strict=True)
    want = {
        b"AND": lambda bits: "0" not in bits,
        b"OR": lambda bits: "1" in bits,
        b"XOR": lambda bits: bits.count("1") % 2,
    }
    expected = "".join(str(int(want[name]("".join(column)))) for column in columns)
    assert digits(bitmaps._combine(bitmaps._OPERATIONS[name], sources)) == expected


def test_no_bit_of_a_long_value_is_looked_at_twice(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    # 64 MiB: a Python loop over its bytes would outlast the test's time limit.
    room("SETBIT", "k", 64 * 2**23 - 1, 1)
    for _ in range(5):
        assert room("BITCOUNT", "k") == 1
        assert room("BITPOS", "k", 1) == 64 * 2**23 - 1
    assert room("BITOP", "NOT", "d", "k") == 64 * 2**20
    assert room("BITPOS", "d", 0) == 64 * 2**23 - 1
    assert re.fullmatch(rb"\0{3}", room("GETRANGE", "k", 10, 12))
