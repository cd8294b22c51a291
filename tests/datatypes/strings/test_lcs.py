"""LCS: every option and refusal, and the very subsequence that Redis's table would give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core.errors import CommandError, NotAnInteger, SyntaxFault
from spoold.datatypes.strings.lcs import common_length, common_ranges
from support.room import Room

ONLY_STRINGS = b"ERR The specified keys must contain string values"

letters = st.binary(max_size=40).map(lambda data: bytes(b"abc"[byte % 3] for byte in data))
anything = st.binary(max_size=40)
texts = letters | anything


@pytest.fixture(autouse=True)
def _two_texts(room: Room) -> None:
    room("MSET", "a", "ohmytext", "b", "mynewtext")


def test_the_subsequence_its_length_and_its_ranges(room: Room) -> None:
    assert room("LCS", "a", "b") == b"mytext"
    assert room("LCS", "a", "b", "len") == 6
    ranges = [[[4, 7], [5, 8]], [[2, 3], [0, 1]]]
    assert room("LCS", "a", "b", "IDX") == {b"matches": ranges, b"len": 6}


def test_ranges_may_show_their_length_and_leave_out_short_ones(room: Room) -> None:
    with_lengths = [[[4, 7], [5, 8], 4], [[2, 3], [0, 1], 2]]
    assert room("LCS", "a", "b", "IDX", "WITHMATCHLEN") == {b"matches": with_lengths, b"len": 6}
    assert room("LCS", "a", "b", "IDX", "MINMATCHLEN", 4) == {b"matches": [[[4, 7], [5, 8]]], b"len": 6}
    assert room("LCS", "a", "b", "IDX", "MINMATCHLEN", 5) == {b"matches": [], b"len": 6}
    for least in (0, -5, 2):
        found = room("LCS", "a", "b", "withmatchlen", "MINMATCHLEN", least, "IDX")
        assert found == {b"matches": with_lengths, b"len": 6}


def test_options_about_ranges_change_nothing_else(room: Room) -> None:
    assert room("LCS", "a", "b", "WITHMATCHLEN", "MINMATCHLEN", 100) == b"mytext"
    assert room("LCS", "a", "b", "LEN", "LEN", "WITHMATCHLEN") == 6


@pytest.mark.parametrize("second", ["missing", "empty"])
def test_a_missing_key_is_an_empty_string(room: Room, second: str) -> None:
    room("SET", "empty", "")
    for keys in (("a", second), (second, "a"), (second, second)):
        assert room("LCS", *keys) == b""
        assert room("LCS", *keys, "LEN") == 0
        assert room("LCS", *keys, "IDX") == {b"matches": [], b"len": 0}


def test_another_type_is_refused_before_the_options_are_read(room: Room) -> None:
    room("RPUSH", "l", "a")
    for keys in (("l", "a"), ("a", "l"), ("missing", "l")):
        assert room("LCS", *keys, "FOO").message == ONLY_STRINGS


@pytest.mark.parametrize("options", ["FOO", "MINMATCHLEN", "IDX LEN FOO"])
def test_unknown_options_are_a_syntax_error(room: Room, options: str) -> None:
    assert isinstance(room("LCS", "a", "b", *options.split()), SyntaxFault)


def test_length_and_ranges_are_not_answered_together(room: Room) -> None:
    assert isinstance(room("LCS", "a", "b", "MINMATCHLEN", "abc", "LEN", "IDX"), NotAnInteger)
    reply = room("LCS", "a", "b", "LEN", "IDX")
    assert reply.message == b"ERR If you want both the length and indexes, please just use IDX."


def test_strings_whose_table_would_be_too_large_are_refused(room: Room) -> None:
    room("SETRANGE", "long", 20_000, "x")
    room("SETRANGE", "short", 6707, "x")
    assert room("LCS", "long", "short", "LEN") == 6708
    room("SETRANGE", "short", 6709, "x")
    reply = room("LCS", "long", "short", "LEN")
    assert isinstance(reply, CommandError)
    assert reply.message == b"ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"


def by_table(a: bytes, b: bytes) -> list[tuple[int, int, int]]:
    """The ranges found by the walk through the whole table, as Redis makes it."""
    table = [[0] * (len(b) + 1)]
    for byte in a:
        above, row = table[-1], [0]
        for column, other in enumerate(b, 1):
            row.append(above[column - 1] + 1 if byte == other else max(above[column], row[-1]))
        table.append(row)
    found = []
    i, j, length = len(a), len(b), 0
    while i and j:
        if a[i - 1] == b[j - 1]:
            i, j, length = i - 1, j - 1, length + 1
            continue
        if length:
            found.append((i, j, length))
            length = 0
        if table[i - 1][j] > table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return [*found, (i, j, length)] if length else found


@given(a=texts, b=texts)
def test_the_rows_of_bits_say_what_the_table_says(a: bytes, b: bytes) -> None:
    expected = by_table(a, b)
    assert common_ranges(a, b) == expected
    assert common_length(a, b) == sum(length for _, _, length in expected)


@pytest.mark.parametrize("sizes", [(11_000, 11_000), (1_000_000, 120), (120, 1_000_000), (40_000_000, 2)])
def test_strings_up_to_the_bound_are_compared_without_a_step_for_each_pair(sizes: tuple[int, int]) -> None:
    # A step of Python for each of 120 million pairs would outlast the test's time limit.
    a, b = ((b"abcd" * (size // 4 + 1))[:size] for size in sizes)
    assert common_length(a, b) == min(sizes)
    assert sum(match.length for match in common_ranges(a, b)) == min(sizes)
