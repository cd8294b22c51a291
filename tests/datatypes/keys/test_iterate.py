"""KEYS, SCAN with its guarantee, RANDOMKEY."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core.patterns import compile_pattern
from spoold.keyspace.packing import pack_name
from support.room import Room

LONG = b"n" * 470
NAMES = [b"", b"a", b"a*b", b"aa", b"ab", b"b", b"\xff", b"\xff\xff", LONG, LONG + b"x" * 50, LONG + b"y" * 50]


def fill(room: Room, names: list[bytes]) -> None:
    """A string under each name."""
    room.turn.begin()
    for name in names:
        room("SET", name, "v")


def scan_all(room: Room, *options: str | bytes | int) -> list[bytes]:
    """A whole scan; the cursor must come to its end."""
    cursor, names = b"0", []
    while True:
        cursor, found = room("SCAN", cursor, *options)
        names += found
        if cursor == b"0":
            return names


@pytest.mark.parametrize(
    "pattern",
    [
        *(b"*", b"a*", b"a", b"a\\*b", b"", b"?", b"??", b"[ab]*", b"\\a", b"\xff*", b"missing", b"**", b"*b", b"["),
        *(LONG + b"*", LONG + b"x*", LONG + b"?", LONG + b"x" * 50),
    ],
)
def test_keys_and_scan_find_what_the_pattern_fits(room: Room, pattern: bytes) -> None:
    fill(room, NAMES)
    matches = compile_pattern(pattern)
    expected = sorted(name for name in NAMES if matches(name))
    assert sorted(room("KEYS", pattern)) == expected
    for count in (1, 3, 1000):
        assert sorted(scan_all(room, "MATCH", pattern, "COUNT", count)) == expected


def test_the_whole_name_decides_where_only_its_head_is_stored(room: Room) -> None:
    fill(room, NAMES)
    tail = b"x" * 50
    assert room("KEYS", LONG + tail) == [LONG + tail]
    assert room("KEYS", LONG + b"x" * 49) == []
    assert room("KEYS", LONG + b"*x") == [LONG + tail]
    assert scan_all(room, "MATCH", LONG + b"[xy]*y") == [LONG + b"y" * 50]


def test_keys_that_are_due_are_neither_listed_nor_counted_as_found(room: Room) -> None:
    fill(room, [b"a", b"b"])
    room("PEXPIRE", "a", 5)
    room.clock.advance_ms(5)
    assert room("KEYS", "*") == [b"b"]
    assert room("KEYS", "a") == []
    assert scan_all(room, "COUNT", 1) == [b"b"]
    assert room("RANDOMKEY") == b"b"


def test_each_database_lists_its_own_keys(room: Room) -> None:
    fill(room, [b"a", b"b"])
    room("MOVE", "a", 1)
    assert room("KEYS", "*") == [b"b"]
    assert scan_all(room) == [b"b"]
    room("SELECT", 1)
    assert room("KEYS", "*") == [b"a"]
    assert scan_all(room) == [b"a"]
    room("SELECT", 2)
    assert room("KEYS", "*") == []
    assert room("SCAN", 0) == [b"0", []]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("string", [b"s1", b"s2"]), ("LIST", [b"l1"]), ("zset", []), ("nonsense", []), ("", [b"l1", b"s1", b"s2"])],
)
def test_scan_chooses_by_type(room: Room, kind: str, expected: list[bytes]) -> None:
    room("SET", "s1", "v")
    room("SET", "s2", "v")
    room("RPUSH", "l1", "v")
    if kind:
        assert scan_all(room, "TYPE", kind, "COUNT", 1) == expected
    assert scan_all(room, "COUNT", 1) == [b"l1", b"s1", b"s2"]


def test_scan_takes_its_options_in_any_order_and_the_last_of_each(room: Room) -> None:
    fill(room, [b"a1", b"a2", b"b1"])
    assert scan_all(room, "count", 1, "type", "list", "match", "b*", "TYPE", "string", "MATCH", "a*") == [b"a1", b"a2"]


def test_scan_looks_at_ten_records_unless_told_otherwise(room: Room) -> None:
    fill(room, [b"%02d" % number for number in range(25)])
    cursor, names = room("SCAN", 0)
    assert len(names) == 10
    cursor, names = room("SCAN", cursor, "COUNT", 14)
    assert len(names) == 14
    assert room("SCAN", cursor) == [b"0", [b"24"]]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["abc"], b"ERR invalid cursor"),
        (["1.5"], b"ERR invalid cursor"),
        ([" 0"], b"ERR invalid cursor"),
        (["0 "], b"ERR invalid cursor"),
        (["-"], b"ERR invalid cursor"),
        ([2**64], b"ERR invalid cursor"),
        ([-(2**64)], b"ERR invalid cursor"),
        (["9" * 5000], b"ERR invalid cursor"),
        (["abc", "COUNT", 0], b"ERR invalid cursor"),
        ([0, "COUNT"], b"ERR syntax error"),
        ([0, "COUNT", 0], b"ERR syntax error"),
        ([0, "COUNT", -1], b"ERR syntax error"),
        ([0, "COUNT", "abc"], b"ERR value is not an integer or out of range"),
        ([0, "COUNT", "abc", "MATCH"], b"ERR value is not an integer or out of range"),
        ([0, "COUNT", 2**63], b"ERR value is not an integer or out of range"),
        ([0, "MATCH"], b"ERR syntax error"),
        ([0, "TYPE"], b"ERR syntax error"),
        ([0, "FOO"], b"ERR syntax error"),
        ([0, "FOO", "COUNT", 0], b"ERR syntax error"),
    ],
)
def test_scan_refuses_what_makes_no_sense(room: Room, arguments: list[str | int], error: bytes) -> None:
    assert room("SCAN", *arguments).message == error


@pytest.mark.parametrize("cursor", ["", "-0", "+0", "000", b"\0", b"0\0x", -1, 2**64 - 1, "123456", "0" * 6000])
def test_a_cursor_that_means_nothing_begins_at_the_beginning(room: Room, cursor: str | bytes | int) -> None:
    fill(room, [b"a"])
    assert room("SCAN", cursor) == [b"0", [b"a"]]


def test_a_huge_count_gives_all(room: Room) -> None:
    fill(room, NAMES)
    assert room("SCAN", 0, "COUNT", 2**63 - 1) == [b"0", sorted(NAMES, key=pack_name)]


def test_a_cursor_can_be_used_again(room: Room) -> None:
    fill(room, [b"a", b"b", b"c"])
    cursor, _ = room("SCAN", 0, "COUNT", 1)
    first = room("SCAN", cursor, "COUNT", 1)
    second = room("SCAN", cursor, "COUNT", 1)
    assert first[1] == second[1] == [b"b"]
    assert room("SCAN", first[0]) == room("SCAN", second[0]) == [b"0", [b"c"]]


def test_a_cursor_of_one_database_begins_anew_in_another(room: Room) -> None:
    fill(room, [b"a", b"b"])
    cursor, _ = room("SCAN", 0, "COUNT", 1)
    room("SELECT", 1)
    fill(room, [b"a", b"b"])
    assert room("SCAN", cursor) == [b"0", [b"a", b"b"]]


def test_a_cursor_of_a_flushed_database_begins_anew(room: Room) -> None:
    fill(room, [b"a", b"z"])
    cursor, _ = room("SCAN", 0, "COUNT", 1)
    room("FLUSHDB")
    fill(room, [b"a", b"z"])
    assert room("SCAN", cursor) == [b"0", [b"a", b"z"]]


names = st.sampled_from([b"%c%c" % pair for pair in [(a, b) for a in b"abcd" for b in b"wxyz"]] + NAMES)
changes = st.lists(st.tuples(st.sampled_from(["SET", "DEL", "RENAME", "EXPIRE"]), names, names), max_size=4)


@given(there=st.sets(names, min_size=1), between=st.lists(changes, max_size=30), count=st.integers(1, 5))
def test_a_scan_returns_once_what_is_there_all_the_time(
    there: set[bytes], between: list[list[tuple[str, bytes, bytes]]], count: int
) -> None:
    with TemporaryDirectory() as home, Room(Path(home)) as room:
        fill(room, sorted(there))
        steady, ever = set(there), set(there)
        cursor, got = b"0", []
        steps = iter(between)
        while True:
            cursor, found = room("SCAN", cursor, "COUNT", count)
            got += found
            if cursor == b"0":
                break
            for word, name, other in next(steps, []):
                match word:
                    case "SET":
                        room("SET", name, "v")
                        ever.add(name)
                    case "DEL":
                        room("DEL", name)
                        steady.discard(name)
                    case "RENAME" if room("EXISTS", name) and name != other:
                        room("RENAME", name, other)
                        steady -= {name, other}
                        ever.add(other)
                    case "EXPIRE":
                        room("EXPIRE", name, 1000)
        counted = Counter(got)
        assert all(counted[name] == 1 for name in steady)
        assert counted.keys() <= ever


def test_randomkey_of_an_empty_database_is_nothing(room: Room) -> None:
    assert room("RANDOMKEY") is None
    room("SET", "k", "v")
    assert room("RANDOMKEY") == b"k"


def test_randomkey_does_not_loop_where_all_keys_are_due(room: Room) -> None:
    room.turn.begin()
    for number in range(1500):
        room("SET", number, "v")
        room("PEXPIRE", number, 10)
    room("SET", "10000", "v")
    room.clock.advance_ms(10)
    assert room("RANDOMKEY") in {None, b"10000"}
    room.expire()
    room.expire()
    assert room("RANDOMKEY") == b"10000"
    room("DEL", "10000")
    assert room("RANDOMKEY") is None
