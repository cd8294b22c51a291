"""Listing keys at the memcached door: `stats cachedump`, `lru_crawler metadump`."""

from __future__ import annotations

import pytest

from support.memcached import Client
from support.room import Room


@pytest.fixture
def stocked(client: Client, room: Room) -> Client:
    """Two values, one that expires; a list; a key that only Redis clients can name."""
    at_s = room.clock.unix_ms() // 1000
    client.ask("set a 0 0 3", "abc", f"set b 0 {at_s + 100} 1", "x")
    room("RPUSH", "list", "1")
    room("SET", "c d", "%")
    return client


def test_a_dump_of_the_class_of_items_lists_the_values(stocked: Client, room: Room) -> None:
    due_s = room.clock.unix_ms() // 1000 + 100
    assert stocked.ask("stats cachedump 1 0") == f"ITEM a [3 b; 0 s]\r\nITEM b [1 b; {due_s} s]\r\nEND"
    assert stocked.ask("stats cachedump 1 1") == "ITEM a [3 b; 0 s]\r\nEND"


def test_a_dump_of_metadata_lists_every_value_by_its_escaped_name(stocked: Client, room: Room) -> None:
    due_s = room.clock.unix_ms() // 1000 + 100
    *lines, end = stocked.ask("lru_crawler metadump all").split("\n")
    now = f"la={room.clock.unix_ms() // 1000}"
    assert [line.split(" ")[:3] for line in lines] == [
        ["key=a", "exp=-1", now],
        ["key=b", f"exp={due_s}", now],
        ["key=c%20d", "exp=-1", now],
    ]
    assert all(" cas=" in line and " fetch=no cls=1 size=" in line for line in lines)
    assert end == "END"


def test_what_is_gone_is_in_no_dump(stocked: Client, room: Room) -> None:
    room.clock.advance_ms(101_000)
    assert "ITEM b" not in stocked.ask("stats cachedump 1 0")
    stocked.ask("flush_all")
    assert stocked.ask("stats cachedump 1 0", "lru_crawler metadump hash") == "END\r\nEND"


def test_a_long_dump_takes_several_turns_and_keeps_its_place_among_replies(client: Client, room: Room) -> None:
    for number in range(2500):
        room("SET", f"k{number:04}", "v")
    lines = client.ask("stats cachedump 1 0", "version").split("\r\n")
    assert lines == [*(f"ITEM k{number:04} [1 b; 0 s]" for number in range(2500)), "END", "VERSION 1.6.18"]
    assert client.ask("stats cachedump 1 2200").count("ITEM") == 2200


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("stats cachedump 2 0", "END"),
        ("stats cachedump", "CLIENT_ERROR bad command line"),
        ("stats cachedump 1", "CLIENT_ERROR bad command line"),
        ("stats cachedump x 1", "CLIENT_ERROR bad command line format"),
        ("stats cachedump 1 -1", "CLIENT_ERROR bad command line format"),
        ("stats cachedump 64 1", "CLIENT_ERROR Illegal slab id"),
        ("lru_crawler metadump 2", "END"),
        ("lru_crawler metadump x", "BADCLASS invalid class id"),
        ("lru_crawler metadump", "ERROR"),
        ("lru_crawler enable", "ERROR"),
    ],
)
def test_words_of_a_dump_are_read_as_memcached_reads_them(stocked: Client, line: str, reply: str) -> None:
    assert stocked.ask(line) == reply
