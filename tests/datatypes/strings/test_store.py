"""What holds for every string, whichever command changed it: its limit, its stamp, its place in the cache."""

from __future__ import annotations

import pytest

from spoold.core.errors import CommandError, StringTooLong
from spoold.keyspace.record import StringRecord
from support.room import Room


def record(room: Room, name: bytes = b"k") -> StringRecord:
    """The record behind a string."""
    found = room.dbs[0].find(name)
    assert isinstance(found, StringRecord)
    return found


def test_no_value_grows_beyond_the_limit(room: Room) -> None:
    room.dbs.value_limit_bytes = 10
    assert room("APPEND", "k", "12345") == 5
    assert room("APPEND", "k", "67890") == 10
    assert isinstance(room("APPEND", "k", "1"), StringTooLong)
    assert isinstance(room("SETRANGE", "k", 10, "1"), StringTooLong)
    assert room("SETRANGE", "k", 9, "!") == 10
    assert isinstance(room("BITFIELD", "k", "SET", "u8", 73, 1), StringTooLong)
    assert room("GET", "k") == b"123456789!"


@pytest.mark.parametrize(
    "words",
    [
        "SET k v",
        "SET k 5 KEEPTTL",
        "GETSET k 5",
        "MSET k 5",
        "SETEX k 10 5",
        "APPEND k 1",
        "SETRANGE k 0 6",
        "INCR k",
        "INCRBY k 0",
        "INCRBYFLOAT k 1",
        "SETBIT k 0 1",
        "BITFIELD k SET u8 0 1",
        "BITOP NOT k k",
    ],
)
def test_every_write_gives_the_value_a_new_stamp(room: Room, words: str) -> None:
    room("SET", "k", "5")
    before = record(room).stamp
    assert not isinstance(room(*words.split()), CommandError)
    assert record(room).stamp > before


@pytest.mark.parametrize(
    "words", ["GET k", "GETEX k EX 10", "EXPIRE k 10", "SET k v NX", "SETBIT k 0 0", "BITFIELD k SET u8 0 53"]
)
def test_what_leaves_the_value_alone_leaves_its_stamp(room: Room, words: str) -> None:
    room("SET", "k", "5")
    before = record(room).stamp
    room(*words.split())
    assert record(room).stamp == before


def test_stamps_are_never_given_twice_even_after_the_key_is_gone(room: Room) -> None:
    room("SET", "k", "v")
    first = record(room).stamp
    room("DEL", "k")
    room("SET", "k", "v")
    assert record(room).stamp > first


@pytest.mark.parametrize("word", ["SET", "APPEND"])
def test_large_values_replaced_in_place_do_not_fill_the_cache(room: Room, word: str) -> None:
    names = [b"k%d" % number for number in range(64)]
    for name in names:
        room("SET", name, "")
    for name in names:
        room(word, name, b"x" * 1_000_000)
    ks = room.dbs[0]
    cached = {id(held): held for held in (*ks.cache.young.values(), *ks.cache._old.values())}
    assert sum(held.size() for held in cached.values()) < 12_000_000
    assert all(room("STRLEN", name) == 1_000_000 for name in names)
