"""DBSIZE, FLUSHDB, FLUSHALL, SWAPDB."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spoold.core.reply import OK
from spoold.keyspace.layout import DATABASES
from support.reachable import assert_nothing_is_left_over
from support.room import Room

SYNTAX = b"ERR syntax error"


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    yield
    assert_nothing_is_left_over(room)


def fill(room: Room, *databases: int) -> None:
    """A string, a list and a key that will fall due, in each."""
    for index in databases:
        room("SELECT", index)
        room("SET", "k", f"of {index}")
        room("RPUSH", "l", *range(50))
        room("SET", "due", "v")
        room("PEXPIRE", "due", 1000)


def sizes(room: Room) -> dict[int, int]:
    """Keys in each database that has some."""
    return {ks.index: ks.count for ks in room.dbs.all if ks.count}


def test_the_size_counts_keys_that_are_due_until_they_are_dropped(room: Room) -> None:
    assert room("DBSIZE") == 0
    fill(room, 0)
    assert room("DBSIZE") == 3
    room.clock.advance_ms(1000)
    assert room("DBSIZE") == 3
    room.expire()
    assert room("DBSIZE") == 2


@pytest.mark.parametrize("mode", [[], ["ASYNC"], ["sync"]])
def test_flushdb_empties_the_selected_database_only(room: Room, mode: list[str]) -> None:
    fill(room, 0, 5)
    assert room("FLUSHDB", *mode) is OK
    assert sizes(room) == {0: 3}
    assert room("EXISTS", "k", "l", "due") == 0
    assert room("KEYS", "*") == []
    room("RPUSH", "l", "new")
    assert room("LPOP", "l", 10) == [b"new"]


@pytest.mark.parametrize("mode", [[], ["async"], ["SYNC"]])
def test_flushall_empties_all_databases(room: Room, mode: list[str]) -> None:
    fill(room, *range(DATABASES))
    assert len(sizes(room)) == DATABASES
    assert room("FLUSHALL", *mode) is OK
    assert sizes(room) == {}
    fill(room, 3)
    assert sizes(room) == {3: 3}


@pytest.mark.parametrize("word", ["FLUSHDB", "FLUSHALL"])
@pytest.mark.parametrize("mode", [["FOO"], ["ASYNC", "SYNC"], ["SYNC", "SYNC"], [""]])
def test_a_flush_of_another_mode_is_refused(room: Room, word: str, mode: list[str]) -> None:
    fill(room, 0)
    assert room(word, *mode).message == SYNTAX
    assert sizes(room) == {0: 3}


def test_what_is_flushed_is_given_back_in_slices(room: Room) -> None:
    fill(room, 0, 1)
    before = len(room.state())
    room("FLUSHALL")
    assert len(room.state()) >= before
    room.reclaim()
    assert not [key for key in room.state() if key[:1] != b"s"]


def test_swapped_databases_show_each_others_keys(room: Room) -> None:
    fill(room, 0, 1)
    room("SELECT", 1)
    room("DEL", "l", "due")
    other = room.connect()
    assert room("SWAPDB", 0, 1) is OK
    assert sizes(room) == {0: 1, 1: 3}
    assert room("GET", "k") == b"of 0"
    assert room("GET", "k", session=other) == b"of 1"
    assert room("SWAPDB", 1, 0) is OK
    assert room("GET", "k") == b"of 1"
    assert room("LPOP", "l", session=other) == b"0"


def test_expiry_goes_on_in_a_swapped_database(room: Room) -> None:
    fill(room, 0)
    room("SWAPDB", 0, 1)
    room.clock.advance_ms(1000)
    assert room.expire() == 1
    assert sizes(room) == {1: 2}


def test_swapping_a_database_with_itself_does_nothing(room: Room) -> None:
    fill(room, 2)
    assert room("SWAPDB", 2, 2) is OK
    assert room("GET", "k") == b"of 2"


@pytest.mark.parametrize(
    ("first", "second", "error"),
    [
        ("abc", "0", b"ERR invalid first DB index"),
        (2**31, "abc", b"ERR invalid first DB index"),
        ("0", "abc", b"ERR invalid second DB index"),
        ("0", "", b"ERR invalid second DB index"),
        (99, 2**31, b"ERR invalid second DB index"),
        (0, 16, b"ERR DB index is out of range"),
        (16, 0, b"ERR DB index is out of range"),
        (-1, -1, b"ERR DB index is out of range"),
        (16, 16, b"ERR DB index is out of range"),
    ],
)
def test_databases_that_do_not_exist_are_not_swapped(
    room: Room, first: int | str, second: int | str, error: bytes
) -> None:
    fill(room, 0)
    assert room("SWAPDB", first, second).message == error
    assert sizes(room) == {0: 3}
