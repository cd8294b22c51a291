"""MOVE, COPY, DUMP, RESTORE: everything of a key goes along, and a copy is a key of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spoold.core.crc64 import crc64
from spoold.core.reply import OK
from spoold.datatypes.keys import transfer
from spoold.keyspace.record import StringRecord
from support.reachable import assert_nothing_is_left_over
from support.room import Room

LONG = b"n" * 600
NOW_MS = 1_700_000_000_000
SAME = b"ERR source and destination objects are the same"
OUT_OF_INT = b"ERR value is out of range, value must between -2147483648 and 2147483647"
NO_NUMBER = b"ERR value is not an integer or out of range"
NO_DB = b"ERR DB index is out of range"
SYNTAX = b"ERR syntax error"


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    yield
    assert_nothing_is_left_over(room)


def elements(room: Room, name: bytes | str) -> list[bytes]:
    """Empty a list."""
    return room("LPOP", name, 10_000_000)


@pytest.mark.parametrize("name", [b"k", LONG])
def test_a_key_moves_with_value_and_expiry(room: Room, name: bytes) -> None:
    room("RPUSH", name, "a", "b")
    room("EXPIRE", name, 100)
    assert room("MOVE", name, 3) == 1
    assert room("EXISTS", name) == 0
    assert room("DBSIZE") == 0
    room("SELECT", 3)
    assert room("TTL", name) == 100
    assert room("LLEN", name) == 2
    room.clock.advance_ms(100_000)
    assert room.expire() == 1
    assert room("DBSIZE") == 0


def test_a_key_does_not_move_onto_another(room: Room) -> None:
    room("SET", "k", "one")
    room("MOVE", "k", 1)
    room("SET", "k", "zero")
    assert room("MOVE", "k", 1) == 0
    assert room("MOVE", "missing", 1) == 0
    assert room("GET", "k") == b"zero"
    room("SELECT", 1)
    assert room("GET", "k") == b"one"


def test_a_key_moves_onto_one_that_is_due(room: Room) -> None:
    room("SELECT", 1)
    room("SET", "k", "old")
    room("PEXPIRE", "k", 1)
    room("SELECT", 0)
    room("SET", "k", "new")
    room.clock.advance_ms(1)
    assert room("MOVE", "k", 1) == 1
    room("SELECT", 1)
    assert room("GET", "k") == b"new"
    assert room("TTL", "k") == -1


@pytest.mark.parametrize("key", ["k", "missing"])
@pytest.mark.parametrize(
    ("db", "error"),
    [
        (0, SAME),
        (16, NO_DB),
        (-1, NO_DB),
        ("abc", NO_NUMBER),
        (2**31, OUT_OF_INT),
        (-(2**31) - 1, OUT_OF_INT),
        (2**63, NO_NUMBER),
    ],
)
def test_a_key_does_not_move_nowhere(room: Room, key: str, db: int | str, error: bytes) -> None:
    room("SET", "k", "v")
    assert room("MOVE", key, db).message == error
    assert room("GET", "k") == b"v"


def test_a_copied_string_has_value_flags_and_expiry_and_a_change_counter_of_its_own(room: Room) -> None:
    room("SET", "a", "1")
    room("EXPIRE", "a", 100)
    source = room.dbs[0].find(b"a")
    assert isinstance(source, StringRecord)
    source.flags = 77
    assert room("COPY", "a", "b") == 1
    copied = room.dbs[0].find(b"b")
    assert isinstance(copied, StringRecord)
    assert (copied.value, copied.flags, copied.expire_ms) == (b"1", 77, source.expire_ms)
    assert copied.stamp > source.stamp
    assert room("TTL", "a") == room("TTL", "b") == 100
    room("PERSIST", "a")
    assert room("TTL", "b") == 100
    room.clock.advance_ms(100_000)
    assert room.expire() == 1
    assert room("KEYS", "*") == [b"a"]


@pytest.mark.parametrize("count", [1, transfer._SLICE_ELEMENTS, transfer._SLICE_ELEMENTS + 1, 3500])
def test_a_copied_list_has_elements_of_its_own(room: Room, count: int) -> None:
    values = [b"%d" % number for number in range(count)]
    room("RPUSH", "a", *values)
    room("EXPIRE", "a", 100)
    assert room("COPY", "a", LONG) == 1
    room("RPUSH", LONG, "more")
    room("LPUSH", "a", "less")
    assert room("TTL", LONG) == 100
    assert elements(room, LONG) == [*values, b"more"]
    assert elements(room, "a") == [b"less", *values]


def test_a_copied_set_keeps_its_order_and_goes_its_own_way(room: Room) -> None:
    members = [b"%d" % number for number in range(2500)] + [b"m" * 600]
    room("SADD", "a", *members)
    assert room("COPY", "a", "b") == 1
    room("SREM", "a", "0", b"m" * 600)
    assert room("SISMEMBER", "b", b"m" * 600) == 1
    assert room("SPOP", "b", 10_000).items == members
    assert room("SCARD", "a") == 2499


def test_a_list_is_copied_as_the_same_turn_left_it(room: Room) -> None:
    room.turn.begin()
    room.dbs[0].batch.put(b"e" + b"\xff" * 9, b"a neighbour")
    for request in (["RPUSH", "a", "1", "2", "3"], ["LPOP", "a"], ["COPY", "a", "b"], ["RPUSH", "a", "4"]):
        entry = room.table.find(request[0].encode())
        assert entry is not None
        entry.handler(room.session.ctx, *(word.encode() for word in request[1:]))
    room.turn.end()
    assert elements(room, "a") == [b"2", b"3", b"4"]
    assert elements(room, "b") == [b"2", b"3"]
    room.turn.begin()
    room.dbs[0].batch.delete(b"e" + b"\xff" * 9)
    room.turn.end()


def test_a_copy_replaces_only_where_that_is_asked_for(room: Room) -> None:
    room("RPUSH", "a", "1")
    room("RPUSH", "b", "2", "3")
    room("EXPIRE", "b", 100)
    assert room("COPY", "a", "b") == 0
    assert room("LLEN", "b") == 2
    assert room("COPY", "missing", "b", "REPLACE") == 0
    assert room("LLEN", "b") == 2
    assert room("COPY", "a", "b", "REPLACE") == 1
    assert room("TTL", "b") == -1
    assert elements(room, "b") == [b"1"]
    assert elements(room, "a") == [b"1"]


def test_a_copy_may_go_to_another_database_under_the_same_name(room: Room) -> None:
    room("RPUSH", "a", "1", "2")
    assert room("COPY", "a", "a", "db", 1) == 1
    assert room("COPY", "a", "a", "DB", 1) == 0
    assert room("COPY", "a", "a", "DB", 0, "replace", "DB", 1) == 1
    assert room("DBSIZE") == 1
    room("DEL", "a")
    room("SELECT", 1)
    assert elements(room, "a") == [b"1", b"2"]


def test_a_copy_takes_the_place_of_a_key_that_is_due(room: Room) -> None:
    room("SET", "a", "1")
    room("SET", "b", "2")
    room("PEXPIRE", "b", 1)
    room.clock.advance_ms(1)
    assert room("COPY", "a", "b") == 1
    assert room("GET", "b") == b"1"


@pytest.mark.parametrize("source", ["k", "missing"])
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["{}"], SAME),
        (["{}", "DB", 0], SAME),
        (["{}", "REPLACE"], SAME),
        (["b", "FOO"], SYNTAX),
        (["b", "DB"], SYNTAX),
        (["b", "DB", "abc"], NO_NUMBER),
        (["b", "DB", 16], NO_DB),
        (["b", "DB", -1], NO_DB),
        (["b", "DB", 2**31], OUT_OF_INT),
        (["b", "DB", 99, "FOO"], NO_DB),
        (["b", "FOO", "DB", 99], SYNTAX),
    ],
)
def test_a_copy_that_makes_no_sense_is_refused(
    room: Room, source: str, arguments: list[str | int], error: bytes
) -> None:
    room("SET", "k", "v")
    destination, *options = arguments
    assert room("COPY", source, str(destination).format(source), *options).message == error
    assert room("DBSIZE") == 1


@pytest.mark.parametrize(
    "request_", [["SET", "a", "hello"], ["RPUSH", "a", "1", "two", ""], ["SADD", "a", "7", "m" * 600, ""]]
)
@pytest.mark.parametrize(
    ("ttl", "options", "left_ms"), [(0, [], -1), (5000, [], 5000), (NOW_MS + 7000, ["absttl"], 7000)]
)
def test_a_restored_key_is_what_was_dumped(
    room: Room, request_: list[str], ttl: int, options: list[str], left_ms: int
) -> None:
    room(*request_)
    room("EXPIRE", "a", 100)
    dumped = room("DUMP", "a")
    assert room("RESTORE", LONG, ttl, dumped, *options) is OK
    assert room("DUMP", LONG) == dumped
    assert room("PTTL", LONG) == left_ms
    assert room("TYPE", LONG).text == room("TYPE", "a").text
    room("DEL", "a")
    assert room("EXISTS", LONG) == 1


def test_a_missing_key_has_no_dump(room: Room) -> None:
    assert room("DUMP", "missing") is None


def test_restoring_replaces_only_where_that_is_asked_for(room: Room) -> None:
    room("SET", "a", "new")
    dumped = room("DUMP", "a")
    room("RPUSH", "b", "old")
    room("EXPIRE", "b", 100)
    assert room("RESTORE", "b", 0, dumped).message == b"BUSYKEY Target key name already exists."
    assert room("RESTORE", "b", 0, dumped, "REPLACE") is OK
    assert room("GET", "b") == b"new"
    assert room("TTL", "b") == -1


def test_restoring_what_is_past_leaves_no_key(room: Room) -> None:
    room("SET", "a", "v")
    dumped = room("DUMP", "a")
    assert room("RESTORE", "b", NOW_MS, dumped, "ABSTTL") is OK
    assert room("EXISTS", "b") == 0
    assert room("RESTORE", "a", 1, dumped, "ABSTTL", "REPLACE") is OK
    assert room("DBSIZE") == 0


@pytest.mark.parametrize(
    ("key", "ttl", "serialized", "options", "error"),
    [
        ("b", 0, "x", ["FOO"], SYNTAX),
        ("a", -1, "x", ["IDLETIME"], SYNTAX),
        ("b", 0, "x", ["IDLETIME", 1, "FREQ", 1], SYNTAX),
        ("b", 0, "x", ["FREQ", 1, "IDLETIME", 1], SYNTAX),
        ("b", 0, "x", ["IDLETIME", -1], b"ERR Invalid IDLETIME value, must be >= 0"),
        ("b", 0, "x", ["FREQ", 256], b"ERR Invalid FREQ value, must be >= 0 and <= 255"),
        ("b", 0, "x", ["FREQ", "abc"], NO_NUMBER),
        ("a", "abc", "x", [], b"BUSYKEY Target key name already exists."),
        ("b", "abc", "x", [], NO_NUMBER),
        ("b", -1, "x", ["FREQ", 1, "FREQ", 2], b"ERR Invalid TTL value, must be >= 0"),
        ("b", 0, "x", ["IDLETIME", 5, "IDLETIME", 6], b"ERR DUMP payload version or checksum are wrong"),
        ("a", 0, "x", ["REPLACE"], b"ERR DUMP payload version or checksum are wrong"),
        (
            "a",
            0,
            bytes.fromhex("630a00") + (0).to_bytes(8),
            ["REPLACE"],
            b"ERR DUMP payload version or checksum are wrong",
        ),
        ("b", 2**63 - 1, None, [], b"ERR invalid expire time in 'restore' command"),
    ],
)
def test_a_restore_that_makes_no_sense_is_refused(
    room: Room, key: str, ttl: int | str, serialized: str | bytes | None, options: list[str | int], error: bytes
) -> None:
    room("SET", "a", "v")
    reply = room("RESTORE", key, ttl, serialized if serialized is not None else room("DUMP", "a"), *options)
    assert reply.message == error
    assert room("KEYS", "*") == [b"a"]


def test_a_value_of_a_type_that_is_not_known_is_refused(room: Room) -> None:
    body = b"\x63\x01a\x0a\x00"
    reply = room("RESTORE", "b", 0, body + crc64(body).to_bytes(8, "little"))
    assert reply.message == b"ERR Bad data format"


def test_a_copied_stream_tells_the_same_of_its_consumers(room: Room) -> None:
    room("XADD", "s", "1-0", "f", "v")
    room("XGROUP", "CREATE", "s", "g", "0")
    room("XREADGROUP", "GROUP", "g", "bob", "STREAMS", "s", ">")
    room.clock.advance_ms(5)
    room("XREADGROUP", "GROUP", "g", "bob", "STREAMS", "s", ">")  # in vain: he was seen, nothing is written
    assert room("COPY", "s", "t") == 1
    assert room("XINFO", "STREAM", "t", "FULL") == room("XINFO", "STREAM", "s", "FULL")
