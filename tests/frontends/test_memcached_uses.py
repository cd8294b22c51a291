"""What `h` and `l` tell of a value's reads, beyond what the model knows (test_memcached_model.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.memcached import Client, Doorway
from support.room import Room


@pytest.mark.parametrize("read", ["get k", "get x k", "gets k", "gat 9 k", "touch k 9", "mg k"])
def test_a_read_is_noted_with_its_time(client: Client, room: Room, read: str) -> None:
    client.ask("set k 0 0 1", "v")
    room.clock.advance_ms(3_999)
    assert client.ask("mg k h l u") == "HD h0 l3"
    client.ask(read)
    room.clock.advance_ms(2_000)
    assert client.ask("mg k l h", "mg k l h u") == "HD l2 h1\r\nHD l0 h1"


@pytest.mark.parametrize("look", ["mg k v u", "me k", "stats cachedump 1 0", "lru_crawler metadump all", "mg k u T9"])
def test_who_only_looks_is_no_reader(client: Client, room: Room, look: str) -> None:
    client.ask("set k 0 0 1", "v")
    room.clock.advance_ms(2_000)
    client.ask(look)
    assert client.ask("mg k h l") == "HD h0 l2"


@pytest.mark.parametrize(
    "store",
    [
        ("set k 0 0 1", "5"),
        ("ms k 1", "5"),
        ("ms k 1 MA", "5"),
        ("append k 0 0 1", "5"),
        ("incr k 3",),
        ("delete k", "mg k N0 u"),
        ("delete k", "ma k N0"),
    ],
)
def test_what_is_stored_is_used_but_not_read(client: Client, room: Room, store: tuple[str, ...]) -> None:
    client.ask("set k 0 0 1", "7", "get k")
    room.clock.advance_ms(2_000)
    client.ask(*store)
    assert client.ask("mg k h l u").startswith("HD h0 l0")


def test_a_change_from_redis_makes_a_value_an_unread_one(client: Client, room: Room) -> None:
    client.ask("set k 0 0 1", "v", "get k")
    room("GET", "k")
    assert client.ask("mg k h u") == "HD h1"
    room("SET", "k", "w")
    assert client.ask("mg k h u") == "HD h0"


def test_a_value_that_is_renewed_or_made_stale_stays_a_read_one(client: Client) -> None:
    client.ask("set k 0 9 1", "5", "get k")
    assert client.ask("mg k R90 h", "mg k h u") == "HD h1 W\r\nHD h1 Z"
    assert client.ask("md k I", "mg k h u", "mg k h u") == "HD\r\nHD h1 X W\r\nHD h1 Z X"


def test_after_a_restart_a_value_is_unread_and_unused_since_then(tmp_path: Path) -> None:
    with Room(tmp_path, "always") as room:
        Doorway(room).client().ask("set k 0 0 1", "v", "get k")
    with Room(tmp_path, "always") as room:
        client = Doorway(room).client()
        room.clock.advance_ms(4_000)
        assert " la=4 " in client.ask("me k")
        assert client.ask("mg k h l", "mg k h l") == "HD h0 l4\r\nHD h1 l0"


def test_a_dump_tells_when_a_value_was_used(client: Client, room: Room) -> None:
    client.ask("set k 0 0 1", "v", "get k")
    used_s = room.clock.unix_ms() // 1000
    room.clock.advance_ms(9_000)
    assert f" la={used_s} " in client.ask("lru_crawler metadump all")
    assert " fetch=yes " in client.ask("lru_crawler metadump all")
    assert " la=9 " in client.ask("me k")
