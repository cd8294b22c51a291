"""SORT and SORT_RO: every option, ties, what counts as a number, STORE, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core.errors import NotADouble, WrongType
from spoold.datatypes.hashes import store as hashes
from spoold.datatypes.keys.sort import _score, _sort_keys
from support.reachable import assert_nothing_is_left_over
from support.room import Room

NO_NUMBER = b"ERR value is not an integer or out of range"
SYNTAX = b"ERR syntax error"
NO_DOUBLE = b"ERR One or more scores can't be converted into double"


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    yield
    assert_nothing_is_left_over(room)


def words(text: str) -> list[bytes]:
    """The words of a line, as replies hold them."""
    return [word.encode() for word in text.split()]


@pytest.mark.parametrize("word", ["SORT", "SORT_RO"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", "-5 0 1 1.5 2 3 10 1e2"),
        ("ASC", "-5 0 1 1.5 2 3 10 1e2"),
        ("DESC", "1e2 10 3 2 1.5 1 0 -5"),
        ("desc asc", "-5 0 1 1.5 2 3 10 1e2"),
        ("ASC DESC", "1e2 10 3 2 1.5 1 0 -5"),
        ("ALPHA", "-5 0 1 1.5 10 1e2 2 3"),
        ("alpha desc", "3 2 1e2 10 1.5 1 0 -5"),
        ("LIMIT 0 3", "-5 0 1"),
        ("LIMIT 2 2", "1 1.5"),
        ("LIMIT 2 2 DESC", "3 2"),
        ("LIMIT 5 100", "3 10 1e2"),
        ("LIMIT 8 1", ""),
        ("LIMIT 100 5", ""),
        ("LIMIT -1 2", "-5 0"),
        ("LIMIT 2 -1", "1 1.5 2 3 10 1e2"),
        ("LIMIT 2 -100", "1 1.5 2 3 10 1e2"),
        ("LIMIT 0 0", ""),
        ("LIMIT 0 1 LIMIT 1 1", "0"),
        ("LIMIT -9223372036854775808 9223372036854775807", "-5 0 1 1.5 2 3 10 1e2"),
        ("LIMIT 9223372036854775807 9223372036854775807", ""),
    ],
)
def test_a_list_is_sorted_as_asked(room: Room, word: str, options: str, expected: str) -> None:
    room("RPUSH", "l", *words("3 1 2 10 -5 1.5 1e2 0"))
    assert room(word, "l", *options.split()) == words(expected)
    assert room(word, "missing", *options.split()) == []
    assert room("LLEN", "l") == 8


def test_equal_numbers_are_ordered_by_their_text(room: Room) -> None:
    room("RPUSH", "l", *words("1 1.0 01 1e0 +1 0.5 5e-1 -0 0"))
    assert room("SORT", "l") == words("-0 0 0.5 5e-1 +1 01 1 1.0 1e0")
    assert room("SORT", "l", "DESC") == words("1e0 1.0 1 01 +1 5e-1 0.5 0 -0")


def test_texts_are_ordered_by_their_bytes(room: Room) -> None:
    room("RPUSH", "l", "b", "a", "", "B", b"\xff", b"a\0", b"\0", "a b")
    assert room("SORT", "l", "ALPHA") == [b"", b"\0", b"B", b"a", b"a\0", b"a b", b"b", b"\xff"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("BY w_*", "2 3 1"),
        ("BY w_* DESC", "1 3 2"),
        ("BY w_* LIMIT 0 2", "2 3"),
        ("BY nosort", "1 2 3"),
        ("BY nosort DESC", "3 2 1"),
        ("BY nosort LIMIT 1 1", "2"),
        ("BY nosort DESC LIMIT 0 2", "3 2"),
        ("BY nosort ALPHA", "1 2 3"),
        ("BY nosort BY w_*", "1 2 3"),
        ("BY w_* BY nosort", "1 2 3"),
        ("BY missing_* BY w_*", "2 3 1"),
        ("BY missing_*", "1 2 3"),
        ("BY missing_* DESC", "3 2 1"),
        ("BY a_* ALPHA", "3 2 1"),
        ("BY a_* ALPHA DESC", "1 2 3"),
        ("BY missing_* ALPHA DESC", "1 2 3"),
        ("BY part_* ALPHA", "1 3 2"),
        ("BY part_*", "1 3 2"),
        ("BY l_*", "1 2 3"),
        ("BY w_*->f", "1 2 3"),
        ("BY *", "1 2 3"),
        ("BY # DESC", "3 2 1"),
    ],
)
def test_other_keys_may_hold_the_order(room: Room, options: str, expected: str) -> None:
    room("RPUSH", "l", 1, 2, 3)
    for name, value in {"w_1": 3, "w_2": 1, "w_3": 2, "a_1": "z", "a_2": "y", "a_3": "x", "part_2": 7}.items():
        room("SET", name, value)
    room("RPUSH", "l_2", "a list is no value")
    assert room("SORT", "l", *options.split()) == words(expected)


def test_a_weight_that_is_no_number_is_refused_unless_texts_are_sorted(room: Room) -> None:
    room("RPUSH", "l", 1, 2)
    room("SET", "w_2", "abc")
    assert room("SORT", "l", "BY", "w_*").message == NO_DOUBLE
    assert room("SORT", "l", "BY", "w_*", "ALPHA") == words("1 2")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("GET o_*", [b"one", b"two", None]),
        ("GET #", [b"1", b"2", b"3"]),
        ("GET # GET o_*", [b"1", b"one", b"2", b"two", b"3", None]),
        ("GET o_* GET constant DESC LIMIT 1 1", [b"two", None]),
        ("GET o_*->f", [None, None, None]),
        ("GET o_*->", [None, b"arrow", None]),
        ("GET ##", [None, None, None]),
        ("GET l*", [None, None, None]),
        ("GET * LIMIT 2 1", [b"self"]),
        ("BY nosort GET o_*", [b"one", b"two", None]),
    ],
)
def test_get_names_what_is_returned(room: Room, options: str, expected: list[bytes | None]) -> None:
    room("RPUSH", "l", 1, 2, 3)
    room("RPUSH", "l3", "a list")
    for name, value in {"o_1": "one", "o_2": "two", "o_2->": "arrow", "3": "self", "constant": "never"}.items():
        room("SET", name, value)
    assert room("SORT", "l", *options.split()) == expected


def test_only_the_first_star_of_a_pattern_is_replaced(room: Room) -> None:
    room("RPUSH", "l", "x")
    room("SET", "a_x_*", "first")
    assert room("SORT", "l", "ALPHA", "GET", "a_*_*") == [b"first"]


def test_keys_that_are_due_hold_no_weight(room: Room) -> None:
    room("RPUSH", "l", 1, 2)
    room("SET", "w_1", 9)
    room("PEXPIRE", "w_1", 5)
    assert room("SORT", "l", "BY", "w_*") == words("2 1")
    room.clock.advance_ms(5)
    assert room("SORT", "l", "BY", "w_*") == words("1 2")
    assert room("SORT", "l", "GET", "w_*") == [None, None]


def test_store_puts_the_result_into_a_list(room: Room) -> None:
    room("RPUSH", "l", 3, 1, 2)
    room("SET", "d", "something else")
    room("EXPIRE", "d", 100)
    assert room("SORT", "l", "DESC", "STORE", "d") == 3
    assert room("TTL", "d") == -1
    assert room("LRANGE", "d", 0, -1) == words("3 2 1")
    assert room("LRANGE", "l", 0, -1) == words("3 1 2")


def test_store_may_name_the_list_itself(room: Room) -> None:
    room("RPUSH", "l", 3, 1, 2)
    room("EXPIRE", "l", 100)
    assert room("SORT", "l", "STORE", "l") == 3
    assert room("LRANGE", "l", 0, -1) == words("1 2 3")
    assert room("TTL", "l") == -1


def test_store_keeps_a_place_for_what_get_does_not_find(room: Room) -> None:
    room("RPUSH", "l", 1, 2)
    room("SET", "o_2", "two")
    assert room("SORT", "l", "GET", "o_*", "GET", "#", "STORE", "d") == 4
    assert room("LRANGE", "d", 0, -1) == [b"", b"1", b"two", b"2"]


@pytest.mark.parametrize("source", ["missing", "l"])
def test_storing_nothing_drops_the_destination(room: Room, source: str) -> None:
    room("RPUSH", "l", 1, 2)
    room("RPUSH", "d", "old")
    assert room("SORT", source, "LIMIT", 10, 10, "STORE", "d") == 0
    assert room("EXISTS", "d") == 0


def test_the_last_destination_counts(room: Room) -> None:
    room("RPUSH", "l", 1, 2)
    assert room("SORT", "l", "STORE", "d", "STORE", "e") == 2
    assert room("KEYS", "?") == words("e l")


@pytest.mark.parametrize(
    ("key", "options", "error"),
    [
        ("l", "", NO_DOUBLE),
        ("l", "DESC LIMIT 0 1", NO_DOUBLE),
        ("l", "STORE d", NO_DOUBLE),
        ("l", "BY", SYNTAX),
        ("l", "GET", SYNTAX),
        ("l", "LIMIT", SYNTAX),
        ("l", "LIMIT 1", SYNTAX),
        ("l", "LIMIT a", SYNTAX),
        ("l", "LIMIT a b", NO_NUMBER),
        ("l", "LIMIT 0 b", NO_NUMBER),
        ("l", "STORE", SYNTAX),
        ("l", "FOO", SYNTAX),
        ("missing", "FOO", SYNTAX),
        ("k", "FOO", SYNTAX),
        ("k", "", b"WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("k", "BY nosort", b"WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("k", "STORE d", b"WRONGTYPE Operation against a key holding the wrong kind of value"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(room: Room, key: str, options: str, error: bytes) -> None:
    room("RPUSH", "l", 3, "a", 2)
    room("SET", "k", "v")
    room("SET", "d", "kept")
    assert room("SORT", key, *options.split()).message == error
    assert room("GET", "d") == b"kept"


def test_sort_ro_stores_nothing(room: Room) -> None:
    room("RPUSH", "l", 3, 1, 2)
    assert room("SORT_RO", "l", "STORE", "d").message == SYNTAX
    assert isinstance(room("SET", "k", "v") and room("SORT_RO", "k"), WrongType)
    assert room("EXISTS", "d") == 0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"", 0.0),
        (b" 2", 2.0),
        (b"\t\n\v\f\r2", 2.0),
        (b"1\0abc", 1.0),
        (b"\0abc", 0.0),
        (b"+inf", float("inf")),
        (b"-INF", float("-inf")),
        (b"infinity", float("inf")),
        (b"0X1P3", 8.0),
        (b"1.", 1.0),
        (b".5", 0.5),
        (b"2.2250738585072014e-308", 2.2250738585072014e-308),
        (None, 0.0),
    ],
)
def test_a_score_is_read_as_strtod_reads_it(text: bytes | None, number: float) -> None:
    assert _score(text) == number


@pytest.mark.parametrize(
    "text", [b" ", b"1 ", b"abc", b"1e", b"nan", b"1_0", b"0x", b"1e400", b"1e-400", b"1e-310", b"\xd9\xa3", b"--1"]
)
def test_what_strtod_does_not_take_is_no_score(text: bytes) -> None:
    with pytest.raises(NotADouble):
        _score(text)


@pytest.mark.parametrize(
    ("request_", "positions"),
    [
        ("SORT l", [1]),
        ("SORT l BY store LIMIT 1 2 STORE d GET store STORE e", [1, 12]),
        ("SORT l STORE", [1]),
        ("SORT l LIMIT store x STORE z", [1, 6]),
        ("SORT l store d ALPHA", [1, 3]),
    ],
)
def test_the_destination_is_a_key_of_the_request(request_: str, positions: list[int]) -> None:
    assert _sort_keys(words(request_)) == positions


@given(
    values=st.lists(st.integers(-5, 5) | st.floats(-3, 3, allow_subnormal=False), max_size=20),
    start=st.integers(-3, 25),
    count=st.integers(-3, 25),
    descending=st.booleans(),
)
def test_numbers_sort_as_in_python(values: list[float], start: int, count: int, descending: bool) -> None:
    with TemporaryDirectory() as home, Room(Path(home)) as room:
        elements = [str(value).encode() for value in values]
        if elements:
            room("RPUSH", "l", *elements)
        expected = sorted(elements, key=lambda element: (float(element), element), reverse=descending)
        begin = max(start, 0)
        expected = expected[begin : len(expected) if count < 0 else begin + count]
        assert room("SORT", "l", "LIMIT", start, count, "DESC" if descending else "ASC") == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", "1 2 3 10"),
        ("DESC LIMIT 1 2", "3 2"),
        ("ALPHA", "1 10 2 3"),
        ("BY w_*", "10 2 3 1"),
        ("BY nosort", "3 10 1 2"),
        ("BY nosort DESC", "3 10 1 2"),
        ("BY nosort LIMIT 1 2", "10 1"),
        ("BY nosort GET #", "3 10 1 2"),
    ],
)
def test_a_set_is_sorted_from_the_order_in_which_it_grew(room: Room, options: str, expected: str) -> None:
    room("SADD", "s", 3, 10, 1, 2)
    room("SET", "w_1", 7)
    assert room("SORT", "s", *options.split()) == words(expected)


@pytest.mark.parametrize(
    ("options", "expected"), [("", "a b c"), ("DESC", "c b a"), ("LIMIT 0 2", "a b"), ("BY w_* BY none DESC", "c b a")]
)
def test_what_is_stored_of_an_unsorted_set_is_sorted_by_bytes(room: Room, options: str, expected: str) -> None:
    room("SADD", "s", "b", "c", "a")
    assert room("SORT", "s", "BY", "nosort", *options.split(), "STORE", "d") == len(expected.split())
    assert room("LRANGE", "d", 0, -1) == words(expected)


def test_members_of_any_length_are_sorted(room: Room) -> None:
    members = [b"m" * 600, b"a", b"m" * 480, b"m" * 601]
    room("SADD", "s", *members)
    assert room("SORT", "s", "ALPHA") == sorted(members)


def test_weights_and_results_may_stand_in_fields_of_hashes(room: Room) -> None:
    room("RPUSH", "l", 1, 2, 3)
    room.turn.begin()
    for element, weight in ((1, b"9"), (2, b"7")):
        hashes.put_many(room.dbs[0], b"h_%d!" % element, [(b"w", weight), (b"a->b", b"arrow")])
    room.turn.end()
    room("SET", "h_3!", "a string has no fields")
    assert room("SORT", "l", "BY", "h_*!->w") == words("3 2 1")
    assert room("SORT", "l", "GET", "h_*!->w", "GET", "h_*!->a->b") == [b"9", b"arrow", b"7", b"arrow", None, None]
    assert room("SORT", "l", "GET", "h_*!->missing", "GET", "h_*!") == [None] * 5 + [b"a string has no fields"]
