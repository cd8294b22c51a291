"""BITFIELD: all types, offsets, overflow rules and refusals, and a model of numbers in text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core.errors import CommandError, NotAnInteger, SyntaxFault
from support.room import Room

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
BAD_TYPE = b"ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
BAD_OFFSET = b"ERR bit offset is not an integer or out of range"


def run(room: Room, words: str) -> Any:
    """Run one command whose words stand in one line."""
    return room(*words.split())


def test_numbers_are_read_set_and_counted_at_any_bit(room: Room) -> None:
    assert run(room, "BITFIELD k INCRBY i5 100 1 GET u4 0") == [1, 0]
    assert run(room, "BITFIELD k set u8 0 255 GET u8 0 get i8 0") == [0, 255, -1]
    assert run(room, "BITFIELD k SET u8 #2 97 GET u8 #2 GET u8 16") == [0, 97, 97]
    assert room("GET", "k") == b"\xff\0a" + bytes(10) + b"\x80"


@pytest.mark.parametrize(
    ("type_", "lowest", "highest"),
    [
        ("u1", 0, 1),
        ("i1", -1, 0),
        ("u8", 0, 255),
        ("i8", -128, 127),
        ("u63", 0, INT64_MAX),
        ("i63", -(2**62), 2**62 - 1),
        ("i64", INT64_MIN, INT64_MAX),
    ],
)
def test_numbers_wrap_saturate_or_fail_at_their_borders(room: Room, type_: str, lowest: int, highest: int) -> None:
    for border, step, other in ((highest, 1, lowest), (lowest, -1, highest)):
        assert room("BITFIELD", "k", "SET", type_, 3, border, "INCRBY", type_, 3, step)[1] == other
        sat = room("BITFIELD", "k", "SET", type_, 3, border, "OVERFLOW", "SAT", "INCRBY", type_, 3, step)
        assert sat[1] == border
        fail = room("BITFIELD", "k", "OVERFLOW", "fail", "INCRBY", type_, 3, step, "GET", type_, 3)
        assert fail == [None, border]


def test_a_rule_holds_for_what_follows_until_the_next_one(room: Room) -> None:
    words = "BITFIELD k INCRBY u2 0 5 OVERFLOW SAT INCRBY u2 0 5 INCRBY u2 0 5 OVERFLOW WRAP INCRBY u2 0 1"
    assert room(*words.split()) == [1, 3, 3, 0]


@pytest.mark.parametrize(
    ("type_", "number", "wrapped", "saturated"),
    [
        ("u8", 256, 0, 255),
        ("u8", 257, 1, 255),
        ("u8", -1, 255, 255),
        ("u63", -1, INT64_MAX, INT64_MAX),
        ("i8", 128, -128, 127),
        ("i8", -129, 127, -128),
        ("i8", INT64_MAX, -1, 127),
        ("i8", INT64_MIN, 0, 127),  # Redis's own overflow: see bitfield.py
        ("i8", INT64_MIN + 128, -128, -128),
    ],
)
def test_set_fits_its_number_by_the_same_rules(
    room: Room, type_: str, number: int, wrapped: int, saturated: int
) -> None:
    assert room("BITFIELD", "k", "SET", type_, 0, number, "GET", type_, 0) == [0, wrapped]
    words = ["OVERFLOW", "SAT", "SET", type_, 0, number, "GET", type_, 0]
    assert room("BITFIELD", "k", *words) == [wrapped, saturated]
    words = ["OVERFLOW", "FAIL", "SET", type_, 0, number, "GET", type_, 0]
    assert room("BITFIELD", "k", *words) == [None, saturated]


def test_what_lies_behind_the_end_reads_as_zero_and_stays_unwritten(room: Room) -> None:
    room("SET", "k", b"\xff")
    assert room("BITFIELD", "k", "GET", "u8", 4, "GET", "i8", 4, "GET", "u8", 2**32 - 1) == [0xF0, -16, 0]
    assert room("STRLEN", "k") == 1
    assert room("BITFIELD", "missing", "GET", "u8", 0) == [0]
    assert room("BITFIELD", "missing") == []
    assert room("EXISTS", "missing") == 0


def test_a_write_grows_the_string_even_if_it_fails(room: Room) -> None:
    room("SET", "k", "", "EX", 100)
    assert room("BITFIELD", "k", "SET", "u8", 41, 0) == [0]
    assert room("STRLEN", "k") == 7
    assert room("TTL", "k") == 100
    assert room("BITFIELD", "f", "OVERFLOW", "FAIL", "SET", "u8", 0, 300) == [None]
    assert room("GET", "f") == b"\0"


@pytest.mark.parametrize("type_", ["u64", "i65", "i0", "u0", "x8", "i", "8", "", "U8", "u08", "u+8", "u8 ", "i-1"])
def test_types_are_signed_up_to_64_and_unsigned_up_to_63_bits(room: Room, type_: str) -> None:
    assert room("BITFIELD", "k", "GET", type_, 0).message == BAD_TYPE
    assert room("BITFIELD_RO", "k", "GET", type_, 0).message == BAD_TYPE


@pytest.mark.parametrize(
    "offset", ["-1", "#-1", "abc", "", "#", "##1", "#+1", "4294967296", "#536870912", f"#{INT64_MAX}"]
)
def test_offsets_lie_below_the_bits_that_a_string_may_have(room: Room, offset: str) -> None:
    assert room("BITFIELD", "k", "GET", "u8", offset).message == BAD_OFFSET
    assert room("BITFIELD", "k", "SET", "u8", offset, 1).message == BAD_OFFSET
    assert room("EXISTS", "k") == 0


@pytest.mark.parametrize(
    "words",
    ["FOO u8 0", "GET", "GET u8", "GET x8", "SET u8 0", "INCRBY u8 0", "OVERFLOW", "SET u8 0 1 GET u8", "GET u8 0 1"],
)
def test_what_is_no_subcommand_is_a_syntax_error_and_writes_nothing(room: Room, words: str) -> None:
    assert isinstance(room("BITFIELD", "k", *words.split()), SyntaxFault)
    assert room("EXISTS", "k") == 0


def test_rules_and_amounts_are_checked_before_anything_is_written(room: Room) -> None:
    reply = room("BITFIELD", "k", "SET", "u8", 0, 1, "OVERFLOW", "FOO")
    assert reply.message == b"ERR Invalid OVERFLOW type specified"
    for amount in ("abc", "", "01", 2**63):
        assert isinstance(room("BITFIELD", "k", "SET", "u8", 0, 1, "INCRBY", "u8", 0, amount), NotAnInteger)
    assert room("EXISTS", "k") == 0


def test_a_number_may_not_reach_beyond_the_longest_string(room: Room) -> None:
    reply = room("BITFIELD", "k", "SET", "u8", 2**32 - 1, 1)
    assert isinstance(reply, CommandError)
    assert reply.message == b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"
    assert room("EXISTS", "k") == 0


def test_the_read_only_form_only_reads(room: Room) -> None:
    room("SET", "k", b"\x01\x02\xff")
    assert run(room, "BITFIELD_RO k GET u8 0 GET i8 16 overflow sat GET u8 #1") == [1, -1, 2]
    assert room("BITFIELD_RO", "k") == []
    room("RPUSH", "l", "x")
    for words in ("k SET u8 0 1", "k INCRBY u8 0 1", "k GET u8 0 SET u8 0 1", "l SET u8 0 1"):
        assert room("BITFIELD_RO", *words.split()).message == b"ERR BITFIELD_RO only supports the GET subcommand"
    assert isinstance(room("BITFIELD_RO", "k", "SET", "u8", "0"), SyntaxFault)
    assert room("GET", "k") == b"\x01\x02\xff"


# -- against text ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """One room for all examples; each begins with its own value."""
    path: Path = tmp_path_factory.mktemp("bitfield")
    with Room(path) as made:
        yield made


types = st.one_of(st.tuples(st.just("i"), st.integers(1, 64)), st.tuples(st.just("u"), st.integers(1, 63)))


@given(value=st.binary(max_size=20), type_=types, offset=st.integers(0, 200), number=st.integers(INT64_MIN, INT64_MAX))
def test_a_field_is_those_bits_and_no_others(
    shared: Room, value: bytes, type_: tuple[str, int], offset: int, number: int
) -> None:
    sign, bits = type_
    end = offset + bits
    text = "".join(f"{byte:08b}" for byte in value)
    old = int(text[offset:end].ljust(bits, "0"), 2)
    new = number % 2**bits
    signed = [each - 2**bits if sign == "i" and each >= 2 ** (bits - 1) else each for each in (old, new)]
    shared("SET", "k", value)
    assert shared("BITFIELD", "k", "GET", f"{sign}{bits}", offset) == signed[:1]
    assert shared("BITFIELD", "k", "SET", f"{sign}{bits}", offset, number, "GET", f"{sign}{bits}", offset) == signed
    padded = text.ljust(-(-end // 8) * 8, "0")
    after = padded[:offset] + f"{new:0{bits}b}" + padded[end:]
    assert "".join(f"{byte:08b}" for byte in shared("GET", "k")) == after
