"""DEL, EXISTS, TYPE, RENAME and their kin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spoold.core.errors import CommandError, NoSuchKey
from spoold.core.reply import OK, Simple
from support.reachable import assert_nothing_is_left_over
from support.room import Room

LONG = b"n" * 600


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    yield
    assert_nothing_is_left_over(room)


def text(reply: object) -> bytes:
    """The words of a status line or an error."""
    assert isinstance(reply, Simple | CommandError)
    return reply.text if isinstance(reply, Simple) else reply.message


@pytest.mark.parametrize("word", ["DEL", "UNLINK"])
def test_deleting_counts_the_keys_that_were_there(room: Room, word: str) -> None:
    room("SET", "a", "1")
    room("RPUSH", "l", "x", "y")
    room("SET", LONG, "2")
    assert room(word, "a", "missing", "l", "a", LONG) == 3
    assert room("EXISTS", "a", "l", LONG) == 0
    assert room("DBSIZE") == 0


def test_a_deleted_list_starts_empty_when_it_is_made_again(room: Room) -> None:
    room("RPUSH", "l", "x", "y", "z")
    assert room("DEL", "l") == 1
    assert room("RPUSH", "l", "new") == 1
    assert room("RPOP", "l") == b"new"
    assert room("EXISTS", "l") == 0


@pytest.mark.parametrize("word", ["EXISTS", "TOUCH"])
def test_a_key_that_is_named_twice_counts_twice(room: Room, word: str) -> None:
    room("SET", "a", "1")
    room("RPUSH", "l", "x")
    assert room(word, "a") == 1
    assert room(word, "missing") == 0
    assert room(word, "a", "a", "missing", "l") == 3


@pytest.mark.parametrize("word", ["DEL", "UNLINK", "EXISTS", "TOUCH"])
def test_a_key_that_is_due_is_not_there(room: Room, word: str) -> None:
    room("SET", "a", "1")
    room("PEXPIRE", "a", 10)
    room.clock.advance_ms(9)
    assert room("EXISTS", "a") == 1
    room.clock.advance_ms(1)
    assert room(word, "a", "a") == 0


def test_the_type_of_a_key_is_a_status_line(room: Room) -> None:
    room("SET", "s", "1")
    room("RPUSH", "l", "x")
    assert text(room("TYPE", "s")) == b"string"
    assert text(room("TYPE", "l")) == b"list"
    assert text(room("TYPE", "missing")) == b"none"


def test_renaming_takes_value_and_expiry_along(room: Room) -> None:
    room("SET", "a", "1")
    room("EXPIRE", "a", 100)
    assert room("RENAME", "a", "b") is OK
    assert room("EXISTS", "a") == 0
    assert room("GET", "b") == b"1"
    assert room("TTL", "b") == 100
    room.clock.advance_ms(100_000)
    assert room.expire() == 1
    assert room("EXISTS", "b") == 0


def test_renaming_drops_what_stood_under_the_new_name_with_its_expiry(room: Room) -> None:
    room("SET", "a", "1")
    room("RPUSH", "b", "x", "y")
    room("EXPIRE", "b", 100)
    assert room("RENAME", "a", "b") is OK
    assert room("GET", "b") == b"1"
    assert room("TTL", "b") == -1
    assert room("DBSIZE") == 1


def test_renaming_moves_a_list_of_any_length_without_touching_its_elements(room: Room) -> None:
    room("RPUSH", "l", *range(2000))
    before = {key: value for key, value in room.state().items() if key[:1] == b"e"}
    assert room("RENAME", "l", LONG) is OK
    assert {key: value for key, value in room.state().items() if key[:1] == b"e"} == before
    assert room("RENAME", LONG, "m") is OK
    assert room("LLEN", "m") == 2000
    assert room("LPOP", "m") == b"0"


def test_renaming_to_the_same_name_changes_nothing(room: Room) -> None:
    room("SET", "a", "1")
    room("EXPIRE", "a", 100)
    assert room("RENAME", "a", "a") is OK
    assert room("GET", "a") == b"1"
    assert room("TTL", "a") == 100
    assert room("RENAMENX", "a", "a") == 0
    assert room("GET", "a") == b"1"


@pytest.mark.parametrize("word", ["RENAME", "RENAMENX"])
@pytest.mark.parametrize("newkey", ["b", "missing"])
def test_renaming_what_is_not_there_is_refused(room: Room, word: str, newkey: str) -> None:
    room("SET", "b", "2")
    reply = room(word, "missing", newkey)
    assert isinstance(reply, NoSuchKey)
    assert text(reply) == b"ERR no such key"
    assert room("GET", "b") == b"2"


def test_renamenx_leaves_a_name_that_is_taken(room: Room) -> None:
    room("SET", "a", "1")
    room("SET", "b", "2")
    room("EXPIRE", "a", 100)
    assert room("RENAMENX", "a", "b") == 0
    assert room("GET", "b") == b"2"
    assert room("RENAMENX", "a", "c") == 1
    assert room("EXISTS", "a") == 0
    assert room("TTL", "c") == 100


def test_renamenx_takes_a_name_whose_key_is_due(room: Room) -> None:
    room("SET", "a", "1")
    room("SET", "b", "2")
    room("PEXPIRE", "b", 1)
    room.clock.advance_ms(1)
    assert room("RENAMENX", "a", "b") == 1
    assert room("GET", "b") == b"1"
    assert room("TTL", "b") == -1


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("del", ["DEL"]),
        ("unlink", ["UNLINK"]),
        ("exists", ["EXISTS"]),
        ("touch", ["TOUCH"]),
        ("type", ["TYPE"]),
        ("type", ["TYPE", "a", "b"]),
        ("rename", ["RENAME", "a"]),
        ("rename", ["RENAME", "a", "b", "c"]),
        ("renamenx", ["RENAMENX", "a"]),
        ("expire", ["EXPIRE", "a"]),
        ("ttl", ["TTL"]),
        ("pttl", ["PTTL", "a", "b"]),
        ("persist", ["PERSIST"]),
        ("expiretime", ["EXPIRETIME"]),
        ("pexpiretime", ["PEXPIRETIME", "a", "b"]),
        ("keys", ["KEYS"]),
        ("scan", ["SCAN"]),
        ("randomkey", ["RANDOMKEY", "a"]),
        ("dbsize", ["DBSIZE", "a"]),
        ("swapdb", ["SWAPDB", "0"]),
        ("move", ["MOVE", "a"]),
        ("copy", ["COPY", "a"]),
    ],
)
def test_a_wrong_number_of_arguments_is_refused(room: Room, name: str, request_: list[str]) -> None:
    assert text(room(*request_)) == b"ERR wrong number of arguments for '%b' command" % name.encode()
