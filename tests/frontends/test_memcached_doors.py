"""One value, two doors: what Redis clients and memcached clients see of each other's work."""

from __future__ import annotations

import pytest

from spoold.core.errors import WrongType
from spoold.core.reply import OK
from support.memcached import Client
from support.room import Room

NOT_NUMERIC = "CLIENT_ERROR cannot increment or decrement non-numeric value"


def test_a_value_is_the_same_string_on_both_sides(client: Client, room: Room) -> None:
    assert client.ask("set k 7 0 5", "hello") == "STORED"
    assert room("GET", "k") == b"hello"
    assert room("APPEND", "k", "!") == 6
    assert client.ask("get k") == "VALUE k 7 6\r\nhello!\r\nEND"
    assert room("SET", "k", "new") is OK
    assert client.ask("get k") == "VALUE k 0 3\r\nnew\r\nEND"
    assert client.ask("delete k") == "DELETED"
    assert room("EXISTS", "k") == 0


def test_a_number_is_counted_on_both_sides(client: Client, room: Room) -> None:
    client.ask("set n 0 0 2", "10")
    assert [room("INCR", "n"), client.ask("incr n 5"), room("DECRBY", "n", 6), client.ask("ma n v")] == [
        11,
        "16",
        10,
        "VA 2\r\n11",
    ]
    room("SET", "n", "-5")
    assert client.ask("incr n 1") == NOT_NUMERIC


def test_an_expiry_is_the_same_on_both_sides(client: Client, room: Room) -> None:
    client.ask("set k 0 100 1", "v")
    assert room("TTL", "k") == 100
    room("EXPIRE", "k", 50)
    assert client.ask("mg k t") == "HD t50"
    room("PERSIST", "k")
    assert client.ask("mg k t") == "HD t-1"
    room("PEXPIRE", "k", 10)
    room.clock.advance_ms(10)
    assert client.ask("get k") == "END"


def test_a_change_from_redis_defeats_cas(client: Client, room: Room) -> None:
    client.ask("set k 0 0 1", "1")
    cas = client.ask("gets k").split("\r\n")[0].split()[4]
    room("INCR", "k")
    assert client.ask(f"cas k 0 0 1 {cas}", "x", "get k") == "EXISTS\r\nVALUE k 0 1\r\n2\r\nEND"


def test_a_change_from_memcached_breaks_a_watch(client: Client, room: Room) -> None:
    room("WATCH", "k")
    client.ask("set k 0 0 1", "1")
    assert room.session.watch is not None
    assert room.session.watch.broken


def test_keys_that_memcached_can_not_name_are_out_of_its_reach(client: Client, room: Room) -> None:
    room("SET", "k" * 300, "v")
    room("SET", "two words", "v")
    assert client.ask(f"get {'k' * 300}") == "CLIENT_ERROR bad command line format"
    assert client.ask("get two words") == "END"
    assert client.ask("mg dHdvIHdvcmRz b v") == "VA 1\r\nv"


def test_memcached_sees_database_0_only(client: Client, room: Room) -> None:
    other = room.connect()
    room("SELECT", 1, session=other)
    room("SET", "k", "1", session=other)
    assert client.ask("get k") == "END"
    room("SWAPDB", 0, 1)
    assert client.ask("get k") == "VALUE k 0 1\r\n1\r\nEND"


@pytest.mark.parametrize("fill", [("RPUSH", "k", "a"), ("SADD", "k", "a")])
def test_what_is_no_value_is_not_found_and_not_harmed(client: Client, room: Room, fill: tuple[str, ...]) -> None:
    room(*fill)
    dump = room("DUMP", "k")
    asked = {
        "get k": "END",
        "gets k": "END",
        "gat 5 k": "END",
        "touch k 5": "NOT_FOUND",
        "delete k": "NOT_FOUND",
        "incr k 1": NOT_NUMERIC,
        "decr k 1": NOT_NUMERIC,
        "add k 0 0 1\r\nx": "NOT_STORED",
        "replace k 0 0 1\r\nx": "NOT_STORED",
        "append k 0 0 1\r\nx": "NOT_STORED",
        "prepend k 0 0 1\r\nx": "NOT_STORED",
        "cas k 0 0 1 1\r\nx": "NOT_FOUND",
        "set k 0 0 99999999\r\n" + "x" * 99_999_999: "SERVER_ERROR object too large for cache",
        "mg k v": "EN",
        "mg k N30 v": "EN",
        "me k": "EN",
        "md k": "NF",
        "md k I": "NF",
        "ma k": NOT_NUMERIC,
        "ma k N0": NOT_NUMERIC,
        "ms k 1 ME\r\nx": "NS",
        "ms k 1 MR\r\nx": "NS",
        "ms k 1 MA\r\nx": "NS",
        "ms k 1 C1\r\nx": "NF",
        "flush_all": "OK",
    }
    assert {lines: client.ask(lines) for lines in asked} == asked
    assert room("DUMP", "k") == dump
    assert room("TTL", "k") == -1


@pytest.mark.parametrize("lines", ["set k 0 0 1\r\nx", "ms k 1\r\nx"])
def test_set_takes_the_place_of_anything(client: Client, room: Room, lines: str) -> None:
    room("RPUSH", "k", "a")
    assert client.ask(lines) in {"STORED", "HD"}
    assert room("GET", "k") == b"x"
    room.reclaim()
    assert [key for key in room.state() if key.startswith(b"e")] == []


def test_a_value_is_no_list(client: Client, room: Room) -> None:
    client.ask("set k 0 0 1", "x")
    assert isinstance(room("RPUSH", "k", "a"), WrongType)
