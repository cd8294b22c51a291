"""HSET, HGET and the other commands on fields: replies, errors, events; what they leave behind (nothing)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spoold.core.reply import OK
from support.reachable import assert_nothing_is_left_over
from support.room import Room, message

LONG = "f" * 600
WRONG_TYPE = b"WRONGTYPE Operation against a key holding the wrong kind of value"


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    yield
    assert_nothing_is_left_over(room)


@pytest.fixture
def told(room: Room) -> list[tuple[str, bytes, bytes]]:
    """The events of database 0, as they come."""
    seen: list[tuple[str, bytes, bytes]] = []
    room.dbs[0].notify = lambda kind, event, name: seen.append((chr(kind), event, name))
    return seen


# -- HSET, HMSET, HSETNX --------------------------------------------------------------------------------------------


def test_hset_counts_the_fields_that_are_new(room: Room) -> None:
    assert room("HSET", "h", "f", "1") == 1
    assert room("HSET", "h", "f", "2") == 0
    assert room("HSET", "h", "f", "3", "g", "4", LONG, "5", "g", "6") == 2
    assert room("HGETALL", "h") == {b"f": b"3", LONG.encode(): b"5", b"g": b"6"}
    assert room("HLEN", "h") == 3


def test_hmset_says_ok(room: Room) -> None:
    assert room("HMSET", "h", "f", "1") is OK
    assert room("HMSET", "h", "f", "2", "g", "") is OK
    assert room("HMGET", "h", "f", "g", "x") == [b"2", b"", None]


@pytest.mark.parametrize("name", ["HSET", "HMSET"])
def test_a_field_without_a_value_is_refused_before_anything_is_written(room: Room, name: str) -> None:
    said = b"ERR wrong number of arguments for '%b' command" % name.lower().encode()
    for words in ((), ("h",), ("h", "f"), ("h", "f", "1", "g"), ("h", "f", "1", "g", "2", "i")):
        assert message(room(name, *words)) == said
    assert room("EXISTS", "h") == 0


def test_hsetnx_keeps_what_is_there(room: Room) -> None:
    assert room("HSETNX", "h", "f", "") == 1
    assert room("HSETNX", "h", "f", "2") == 0
    assert room("HSETNX", "h", LONG, "2") == 1
    assert room("HSETNX", "h", LONG, "3") == 0
    assert room("HMGET", "h", "f", LONG) == [b"", b"2"]


def test_a_field_that_is_overwritten_keeps_the_expiry_of_the_key(room: Room) -> None:
    room("HSET", "h", "f", "1")
    room("EXPIRE", "h", 100)
    room("HSET", "h", "f", "2")
    room("HSET", "h", "g", "2", "i", "3")
    assert room("TTL", "h") == 100
    room.clock.advance_ms(100_000)
    assert room("HGET", "h", "f") is None
    assert room("HSET", "h", "f", "3") == 1
    assert room("TTL", "h") == -1


# -- reading --------------------------------------------------------------------------------------------------------


def test_a_missing_hash_is_an_empty_one(room: Room) -> None:
    assert room("HGET", "h", "f") is None
    assert room("HMGET", "h", "f", "g") == [None, None]
    assert room("HGETALL", "h") == {}
    assert room("HKEYS", "h") == []
    assert room("HVALS", "h") == []
    assert room("HLEN", "h") == 0
    assert room("HEXISTS", "h", "f") == 0
    assert room("HSTRLEN", "h", "f") == 0
    assert room("HDEL", "h", "f") == 0
    assert room("EXISTS", "h") == 0


def test_fields_come_in_the_order_of_their_bytes(room: Room) -> None:
    room("HSET", "h", "b", "2", "", "0", "a", "1", LONG, "5", "f", "4")
    assert room("HKEYS", "h") == [b"", b"a", b"b", b"f", LONG.encode()]
    assert room("HVALS", "h") == [b"0", b"1", b"2", b"4", b"5"]
    assert list(room("HGETALL", "h")) == room("HKEYS", "h")


@pytest.mark.parametrize("count", [999, 1000, 1001, 2500])
def test_a_hash_of_any_size_is_read_whole(room: Room, count: int) -> None:
    given = {b"%05d" % number: b"v%d" % number for number in range(count)}
    assert room("HSET", "h", *[word for pair in given.items() for word in pair]) == count
    assert room("HGETALL", "h") == given
    assert room("HKEYS", "h") == list(given)
    assert room("HVALS", "h") == list(given.values())


def test_lengths_and_existence(room: Room) -> None:
    room("HSET", "h", "f", "abc", "e", "", LONG, "12345")
    assert [room("HSTRLEN", "h", field) for field in ("f", "e", LONG, "x")] == [3, 0, 5, 0]
    assert [room("HEXISTS", "h", field) for field in ("f", "e", LONG, "x", LONG + "x")] == [1, 1, 1, 0, 0]


# -- HDEL -----------------------------------------------------------------------------------------------------------


def test_hdel_counts_what_there_was(room: Room) -> None:
    room("HSET", "h", "a", "1", "b", "2", "c", "3", LONG, "4")
    assert room("HDEL", "h", "a", "a", "x") == 1
    assert room("HDEL", "h", LONG, LONG + "x") == 1
    assert room("HLEN", "h") == 2
    assert room("HDEL", "h", "b", "c", "d") == 2
    assert room("EXISTS", "h") == 0


# -- numbers --------------------------------------------------------------------------------------------------------


def test_hincrby_counts_from_nothing(room: Room) -> None:
    assert room("HINCRBY", "h", "n", "5") == 5
    assert room("HINCRBY", "h", "n", "-7") == -2
    assert room("HGET", "h", "n") == b"-2"
    assert room("HINCRBY", "h", LONG, "1") == 1
    assert room("HINCRBY", "h", LONG, "1") == 2
    assert room("HLEN", "h") == 2


@pytest.mark.parametrize(
    ("start", "amount", "said"),
    [
        ("9223372036854775807", "1", b"ERR increment or decrement would overflow"),
        ("-9223372036854775808", "-1", b"ERR increment or decrement would overflow"),
        (" 1", "1", b"ERR hash value is not an integer"),
        ("1.0", "1", b"ERR hash value is not an integer"),
        ("", "1", b"ERR hash value is not an integer"),
        ("1", "x", b"ERR value is not an integer or out of range"),
        ("x", "9223372036854775808", b"ERR value is not an integer or out of range"),
    ],
)
def test_hincrby_refuses(room: Room, start: str, amount: str, said: bytes) -> None:
    room("HSET", "h", "n", start)
    assert message(room("HINCRBY", "h", "n", amount)) == said
    assert room("HGET", "h", "n") == start.encode()


def test_hincrbyfloat_counts_from_nothing(room: Room) -> None:
    assert room("HINCRBYFLOAT", "h", "n", "2.5") == b"2.5"
    assert room("HINCRBYFLOAT", "h", "n", "5.0e3") == b"5002.5"
    assert room("HINCRBYFLOAT", "h", "n", "-5002.5") == b"0"
    assert room("HINCRBY", "h", "n", "1") == 1


@pytest.mark.parametrize(
    ("start", "amount", "said"),
    [
        ("inf", "1", b"ERR increment would produce NaN or Infinity"),
        ("1", "inf", b"ERR value is NaN or Infinity"),
        ("x", "-inf", b"ERR value is NaN or Infinity"),
        ("1", "nan", b"ERR value is not a valid float"),
        ("1", "x", b"ERR value is not a valid float"),
        ("x", "1", b"ERR hash value is not a float"),
        ("", "1", b"ERR hash value is not a float"),
        ("1 ", "1", b"ERR hash value is not a float"),
    ],
)
def test_hincrbyfloat_refuses(room: Room, start: str, amount: str, said: bytes) -> None:
    room("HSET", "h", "n", start)
    assert message(room("HINCRBYFLOAT", "h", "n", amount)) == said
    assert room("HGET", "h", "n") == start.encode()


# -- other types, watchers, events ----------------------------------------------------------------------------------

ON_ONE_KEY = [
    ("HSET", "f", "v"),
    ("HSET", "f", "v", "g", "w"),
    ("HMSET", "f", "v"),
    ("HSETNX", "f", "v"),
    ("HGET", "f"),
    ("HMGET", "f"),
    ("HGETALL",),
    ("HKEYS",),
    ("HVALS",),
    ("HDEL", "f"),
    ("HEXISTS", "f"),
    ("HLEN",),
    ("HSTRLEN", "f"),
    ("HINCRBY", "f", "1"),
    ("HINCRBYFLOAT", "f", "1"),
]


@pytest.mark.parametrize("words", ON_ONE_KEY, ids=lambda words: words[0] + str(len(words)))
def test_a_key_of_another_type_is_refused(room: Room, words: tuple[str, ...]) -> None:
    room("SET", "k", "v")
    assert message(room(words[0], "k", *words[1:])) == WRONG_TYPE
    assert room("GET", "k") == b"v"


def test_commands_of_other_types_refuse_a_hash(room: Room) -> None:
    room("HSET", "h", "f", "v")
    for words in (("GET", "h"), ("LPUSH", "h", "x"), ("SADD", "h", "x"), ("SORT", "h"), ("INCR", "h")):
        assert message(room(*words)) == WRONG_TYPE


@pytest.mark.parametrize(
    ("words", "breaks"),
    [
        (("HSET", "h", "f", "other"), True),
        (("HSET", "h", "f", "v"), True),
        (("HSET", "h", "g", "1"), True),
        (("HSETNX", "h", "f", "x"), False),
        (("HSETNX", "h", "g", "x"), True),
        (("HINCRBY", "h", "n", "0"), True),
        (("HDEL", "h", "f"), True),
        (("HDEL", "h", "x"), False),
        (("HGET", "h", "f"), False),
    ],
)
def test_a_change_breaks_a_watch(room: Room, words: tuple[str, ...], breaks: bool) -> None:
    room("HSET", "h", "f", "v")
    watcher = room.connect()
    room("WATCH", "h", session=watcher)
    room(*words)
    assert watcher.watch is not None
    assert watcher.watch.broken == breaks
    room("UNWATCH", session=watcher)


def test_events_are_those_of_redis(room: Room, told: list[tuple[str, bytes, bytes]]) -> None:
    for words, events in (
        (("HSET", "h", "f", "1"), ["hset"]),
        (("HSET", "h", "f", "1", "g", "2"), ["hset"]),
        (("HMSET", "h", "f", "1"), ["hset"]),
        (("HSETNX", "h", "f", "1"), []),
        (("HSETNX", "h", "i", "1"), ["hset"]),
        (("HINCRBY", "h", "i", "1"), ["hincrby"]),
        (("HINCRBYFLOAT", "h", "i", "1"), ["hincrbyfloat"]),
        (("HINCRBY", "h", "i", "x"), []),
        (("HDEL", "h", "x"), []),
        (("HDEL", "h", "f", "g"), ["hdel"]),
        (("HDEL", "h", "i"), ["hdel", "del"]),
        (("HDEL", "h", "i"), []),
        (("HGETALL", "h"), []),
    ):
        told.clear()
        room(*words)
        kinds = {"del": "g"}
        mine = [each for each in told if each[1] != b"new"]
        assert mine == [(kinds.get(event, "h"), event.encode(), b"h") for event in events], words


def test_fields_and_values_are_binary_safe(room: Room) -> None:
    room("HSET", "h", "f", b"\x00\r\n\xff", b"\x00\r\n\xff", "v")
    assert room("HGETALL", "h") == {b"\x00\r\n\xff": b"v", b"f": b"\x00\r\n\xff"}


# -- commands on any key --------------------------------------------------------------------------------------------


def test_a_hash_goes_through_dump_and_restore(room: Room) -> None:
    given = {b"": b"", b"f": b"1", b"g": b"x" * 70, LONG.encode(): b"\xff" * 5000}
    room("HSET", "h", *[word for pair in given.items() for word in pair])
    payload = room("DUMP", "h")
    assert room("RESTORE", "copy", 5000, payload) is OK
    assert room("HGETALL", "copy") == given
    assert room("HLEN", "copy") == 4
    assert room("PTTL", "copy") == 5000
    assert room("RESTORE", "h", 0, payload, "REPLACE") is OK
    assert room("HGETALL", "h") == given


def test_sort_reads_fields(room: Room) -> None:
    room("RPUSH", "l", "1", "2", "3")
    for number, weight in ((1, 30), (2, 10), (3, 20)):
        room("HSET", f"h_{number}", "weight", weight, "name", f"n{number}")
    reply = room("SORT", "l", "BY", "h_*->weight", "GET", "#", "GET", "h_*->name", "GET", "h_*->none")
    assert reply == [b"2", b"n2", None, b"3", b"n3", None, b"1", b"n1", None]


def test_memory_usage_counts_fields_and_values(room: Room) -> None:
    room("HSET", "h", "f", "v")
    small = room("MEMORY", "USAGE", "h")
    room("HSET", "h", "f", b"v" * 10_000)
    assert room("MEMORY", "USAGE", "h") - small == 9_999
