"""`maxmemory` at the doors beside Redis's: nothing may be added while there is too much, all else goes on."""

from __future__ import annotations

import pytest

from spoold.admin.data_limit import DataLimit
from support.memcached import Client, Doorway
from support.queue_server import QueueClient
from support.room import Room
from support.server import Client as RedisClient
from support.simple_link import SimpleLink

TOO_MUCH = "OOM command not allowed when used memory > 'maxmemory'."


@pytest.fixture
def limit(room: Room) -> DataLimit:
    """The room's limit, none yet."""
    return DataLimit(room.dispatcher)


def test_values_can_be_read_and_taken_away(client: Client, limit: DataLimit) -> None:
    client.ask("set k 0 0 1", "5")
    limit.set_limit(1)
    error = f"SERVER_ERROR {TOO_MUCH}"
    for verb in ("set", "add", "replace", "append", "prepend", "cas"):
        assert client.ask(f"{verb} k 0 0 1" + " 1" * (verb == "cas"), "x") == error
    for lines in (["incr k 1"], ["decr k 1"], ["ms k 1", "x"], ["ma k"], ["mg new N9"]):
        assert client.ask(*lines) == error
    assert client.ask("get k", "touch k 9", "mg k v") == "VALUE k 0 1\r\n5\r\nEND\r\nTOUCHED\r\nVA 1\r\n5"
    assert client.ask("delete k", "flush_all") == "DELETED\r\nOK"
    limit.set_limit(0)
    assert client.ask("set k 0 0 1", "x") == "STORED"


def test_who_wants_no_reply_gets_no_refusal_either(client: Client, room: Room, limit: DataLimit) -> None:
    limit.set_limit(1)
    assert client.ask("set k 0 0 1 noreply", "x", "incr k 1 noreply", "get k") == "END"
    limit.set_limit(0)
    room.turn.commit.refusing = True
    assert client.ask("set k 0 0 1 noreply", "x", "delete k noreply", "get k") == "END"


@pytest.mark.parametrize(
    ("words", "reply", "limit_mib"),
    [
        ("8", "OK", 8),
        ("64 x", "OK", 64),
        ("7", "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m", 0),
        ("1000000001", "MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes", 0),
        ("x", "ERROR", 0),
        ("-1", "ERROR", 0),
        ("", "ERROR", 0),
        ("8 noreply x", "ERROR", 0),
        ("9 noreply", "", 9),
        ("7 noreply", "", 0),
    ],
)
def test_memcached_clients_set_the_limit_in_mebibytes(room: Room, words: str, reply: str, limit_mib: int) -> None:
    doorway = Doorway(room)
    assert doorway.client().ask(f"cache_memlimit {words}") == reply
    assert doorway.limit.limit_bytes == limit_mib * 1024 * 1024


def test_a_limit_that_the_data_is_above_is_not_taken(room: Room) -> None:
    doorway = Doorway(room)
    client = doorway.client()
    for number in range(3):
        client.ask(f"set {number} 0 0 3000000", "v" * 3_000_000)
    assert client.ask("cache_memlimit 8") == "MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust"
    assert doorway.limit.limit_bytes == 0
    assert client.ask("cache_memlimit 10", "set k 0 0 1", "v") == "OK\r\nSTORED"


def test_items_can_be_taken(queue: QueueClient, redis: RedisClient) -> None:
    redis("RPUSH", "q", "a", "b", "c")
    redis("CONFIG", "SET", "maxmemory", 1)
    assert queue("set q 0 0 1", "x") == f"SERVER_ERROR {TOO_MUCH}"
    assert queue("add q 0 0 1", "x") == f"SERVER_ERROR {TOO_MUCH}"
    assert queue("set q 0 0 1 noreply", "x") == ""
    assert queue("get q") == "VALUE q 0 1 a END"
    assert queue("get q/open") == "VALUE q/open 0 1 b END"
    assert queue("get q/close") == "END"
    assert queue("delete q") == "DELETED"
    redis("CONFIG", "SET", "maxmemory", 0)
    assert queue("set q 0 0 1", "x") == "STORED"


def test_simple_clients_take_and_read(link: SimpleLink, limit: DataLimit) -> None:
    link("ENQUEUE", "q", "x")
    link("SET", "k", "v")
    limit.set_limit(1)
    at = "2030-01-01 00:00:00"
    for request in (
        ("ENQUEUE", "q", "y"),
        ("ADD", at, "y"),
        ("SET", "k", "w"),
        ("SETNX", "n", "w"),
        ("MSET", "n", "w"),
        ("INCR", "c"),
    ):
        assert link.error([*request]) == TOO_MUCH
    assert [link("GET", "k"), link("DEQUEUE", "q"), link("POP", "k"), link("FLUSHALL")] == [
        b"v",
        b"x",
        b"v",
        1,
    ]
