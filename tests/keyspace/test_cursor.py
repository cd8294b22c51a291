"""Cursors: how they are read, and that the place behind one is kept as long as it has to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core.errors import BadCursor
from spoold.keyspace.cursor import TABLE_ENTRIES, CursorTable, parse_cursor


def test_a_fast_scan_does_not_drive_out_the_cursor_of_a_slow_one() -> None:
    table = CursorTable()
    slow = table.open("db", b"slow")
    fast = table.open("db", b"fast")
    for _ in range(TABLE_ENTRIES + 10):
        assert table.place("db", fast) == b"fast"
        fast = table.open("db", b"fast")
    assert table.place("db", slow) == b"slow"


def test_scans_that_are_given_up_do_not_pile_up() -> None:
    table = CursorTable()
    first = table.open("db", b"place")
    for _ in range(TABLE_ENTRIES):
        last = table.open("db", b"place")
    assert table.place("db", first) == b""
    assert table.place("db", last) == b"place"


def test_cursors_of_before_a_restart_mean_nothing_after_it() -> None:
    assert len({CursorTable().open("db", b"place") for _ in range(20)}) == 20


@given(st.integers(0, 2**64 - 1), st.sampled_from([b"", b"+", b"0", b"+000"]))
def test_a_cursor_is_read_back_as_it_was_given(number: int, before: bytes) -> None:
    assert parse_cursor(before + b"%d" % number) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [(b"", 0), (b"-0", 0), (b"-1", 2**64 - 1), (b"-18446744073709551615", 1), (b"5\0x", 5), (b"0" * 6000 + b"7", 7)],
)
def test_a_cursor_is_read_as_strtoul_reads_it(text: bytes, number: int) -> None:
    assert parse_cursor(text) == number


@pytest.mark.parametrize(
    "text", [b" 0", b"0 ", b"+", b"-", b"+-0", b"5-", b"0x1", b"1e3", b"18446744073709551616", b"9" * 6000]
)
def test_what_strtoul_does_not_take_is_no_cursor(text: bytes) -> None:
    with pytest.raises(BadCursor):
        parse_cursor(text)


def test_a_place_is_given_only_to_its_owner() -> None:
    table = CursorTable()
    number = table.open("one", b"place")
    assert table.place("other", number) == b""
    assert table.place("one", number) == b"place"
    assert table.place("one", number) == b"place"
    assert table.place("one", 0) == b""
