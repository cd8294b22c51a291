"""Ids as Redis reads them: two unsigned 64-bit numbers, in whatever spelling C takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core.errors import BadIntervalEnd, BadIntervalStart, BadStreamId
from spoold.datatypes.streams import ids
from spoold.datatypes.streams.ids import LAST, U64_MAX, ZERO, pack

numbers = st.integers(0, U64_MAX)


@given(numbers, numbers)
def test_an_id_reads_back(ms: int, sequence: int) -> None:
    assert ids.parse(ids.show(pack(ms, sequence))) == pack(ms, sequence)


@given(st.tuples(numbers, numbers), st.tuples(numbers, numbers))
def test_ids_order_as_their_bytes(left: tuple[int, int], right: tuple[int, int]) -> None:
    assert (pack(*left) < pack(*right)) == (left < right)


@given(st.binary(max_size=200))
def test_any_bytes_give_an_id_or_the_error(text: bytes) -> None:
    for read in (ids.parse, ids.parse_wide, ids.parse_new, ids.parse_start, ids.parse_end):
        try:
            read(text)
        except (BadStreamId, BadIntervalStart, BadIntervalEnd):
            continue


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"5", (5, 0)),
        (b"5-", None),
        (b"-5", None),
        (b"", None),
        (b"-", None),
        (b"+", None),
        (b"5-x", None),
        (b"5-1-1", None),
        (b"007-08", (7, 8)),
        (b" 7-\t8", (7, 8)),
        (b"+7-+8", (7, 8)),
        (b"7 -8", None),
        (b"1--1", None),
        (b"1--01", (1, U64_MAX)),
        (b"1\x00junk", (1, 0)),
        (b"18446744073709551615-18446744073709551615", (U64_MAX, U64_MAX)),
        (b"18446744073709551616", None),
        (b"0" * 127, (0, 0)),
        (b"0" * 128, None),
    ],
)
def test_spellings(text: bytes, expected: tuple[int, int] | None) -> None:
    if expected is None:
        with pytest.raises(BadStreamId):
            ids.parse(text)
    else:
        assert ids.parse(text) == pack(*expected)


def test_a_missing_sequence_is_the_least_at_the_start_and_the_greatest_at_the_end() -> None:
    assert ids.parse_start(b"5") == pack(5, 0)
    assert ids.parse_end(b"5") == pack(5, U64_MAX)


def test_an_id_may_be_left_out_of_its_range() -> None:
    assert ids.parse_start(b"(5-3") == pack(5, 4)
    assert ids.parse_end(b"(5-0") == pack(4, U64_MAX)
    assert ids.parse_start(b"-") == ids.parse_end(b"-") == ZERO
    assert ids.parse_start(b"+") == ids.parse_end(b"+") == LAST


@pytest.mark.parametrize("text", [b"(-", b"(+", b"(", b"((1"])
def test_only_an_id_can_be_left_out(text: bytes) -> None:
    with pytest.raises(BadStreamId):
        ids.parse_start(text)


def test_nothing_lies_outside_the_greatest_and_the_least_id() -> None:
    with pytest.raises(BadIntervalStart):
        ids.parse_start(b"(18446744073709551615-18446744073709551615")
    with pytest.raises(BadIntervalEnd):
        ids.parse_end(b"(0-0")


def test_the_sequence_may_be_left_to_the_server() -> None:
    assert ids.parse_new(b"5-*") == (pack(5, 0), False)
    assert ids.parse_new(b"5-1") == (pack(5, 1), True)
    assert ids.parse_new(b"5") == (pack(5, 0), True)


def test_a_new_id_exceeds_the_last_one_whatever_the_clock_says() -> None:
    assert ids.next_after(pack(5, 7), 6) == pack(6, 0)
    assert ids.next_after(pack(5, 7), 5) == pack(5, 8)
    assert ids.next_after(pack(5, U64_MAX), 3) == pack(6, 0)
