"""Dropping all strings of a database, at once or at a time to come: what stays, what a restart remembers, what is left.

The keyspace's model test drops strings too, among everything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from spoold.core.reply import OK
from spoold.datatypes.strings import store
from spoold.keyspace.keyspace import NEVER_MS
from spoold.keyspace.record import StringRecord, is_string_until
from support.room import Room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with Room(tmp_path, "interval") as made:
        yield made


def flush(room: Room, index: int = 0) -> None:
    room.turn.begin()
    room.dbs[index].flush_strings()
    room.turn.end()


def flush_at(room: Room, flush_ms: int) -> None:
    room.turn.begin()
    room.dbs.set_flush_time(flush_ms)
    room.turn.end()


def stored_keys(room: Room) -> list[bytes]:
    return [key for key in room.state() if key[:1] in b"kxg"]


def test_strings_are_gone_at_once_and_other_types_stay(room: Room) -> None:
    room("SET", "s", "1")
    room("RPUSH", "l", "1")
    room("SADD", "u", "1")
    flush(room)
    assert [room("GET", "s"), room("EXISTS", "s"), room("LRANGE", "l", 0, -1)] == [None, 0, [b"1"]]
    assert sorted(room("KEYS", "*")) == [b"l", b"u"]
    assert room("SCAN", "0")[1] == [b"l", b"u"]
    assert {room("RANDOMKEY") for _ in range(20)} <= {b"l", b"u"}


def test_a_string_set_afterwards_lives_even_in_the_same_turn(room: Room) -> None:
    room("SET", "before", "1")
    room.turn.begin()
    ks = room.dbs[0]
    store.put(ks, b"same turn", b"1")
    ks.flush_strings()
    store.put(ks, b"after", b"2")
    assert store.get(ks, b"same turn") is None
    room.turn.end()
    room.reclaim()
    assert room("KEYS", "*") == [b"after"]
    assert room("DBSIZE") == 1


def test_other_databases_are_not_touched(room: Room) -> None:
    room("SET", "k", "0")
    other = room.connect()
    room("SELECT", 1, session=other)
    room("SET", "k", "1", session=other)
    flush(room)
    assert room("GET", "k", session=other) == b"1"


def test_what_is_moved_into_the_database_lives(room: Room) -> None:
    other = room.connect()
    room("SELECT", 1, session=other)
    room("SET", "moved", "1", session=other)
    room("SET", "k", "1")
    flush(room)
    assert room("MOVE", "moved", 0, session=other) == 1
    room.dbs[0].cache.clear()
    assert room("GET", "moved") == b"1"
    room.reclaim()
    assert room("GET", "moved") == b"1"


def test_databases_that_are_swapped_take_the_flush_with_them(room: Room) -> None:
    room("SET", "k", "1")
    flush(room)
    room("SWAPDB", 0, 1)
    room("SET", "new", "1")
    other = room.connect()
    room("SELECT", 1, session=other)
    assert [room("GET", "k", session=other), room("GET", "new")] == [None, b"1"]
    room.reclaim()
    assert [room("DBSIZE", session=other), room("DBSIZE")] == [0, 1]


def test_the_reclaimer_leaves_nothing_of_them(room: Room) -> None:
    for number in range(500):
        room("SET", f"k{number}", "v", "EX", 1000)
    room("RPUSH", "l", "1")
    room("SET", "n" * 500, "long name")
    kept = {key for key in stored_keys(room) if key.endswith(b"l")}
    flush(room)
    room("SET", "k7", "new")
    room.reclaim()
    assert room("DBSIZE") == 2
    assert {key for key in stored_keys(room) if not key.endswith(b"k7")} == kept
    assert room.dbs[0].flushed == 0


def test_a_database_that_is_dropped_before_its_strings_are_reclaimed_is_reclaimed_whole(room: Room) -> None:
    room("SET", "k", "v", "EX", 1000)
    flush(room)
    assert room("FLUSHDB") is OK
    room("SET", "new", "1")
    room.reclaim()
    assert len(stored_keys(room)) == 1


@pytest.mark.parametrize("reclaimed", [False, True])
def test_a_restart_remembers_the_flush(tmp_path: Path, reclaimed: bool) -> None:
    with Room(tmp_path, "interval") as room:
        room("SET", "k", "1")
        flush(room)
        room("SET", "new", "1")
        if reclaimed:
            room.reclaim()
    with Room(tmp_path, "interval") as room:
        assert [room("GET", "k"), room("GET", "new")] == [None, b"1"]
        room.reclaim()
        assert room("DBSIZE") == 1


def test_a_turn_that_is_rolled_back_has_flushed_nothing(room: Room) -> None:
    room("SET", "k", "1")
    room.turn.begin()

    def work() -> None:
        room.dbs[0].flush_strings()
        room.dbs.set_flush_time(1)
        raise ValueError

    room.turn.guard(work)
    assert room("GET", "k") == b"1"
    assert [room.dbs[0].flushed, room.dbs.flush_ms] == [0, NEVER_MS]


def test_whoever_watches_a_string_is_told(room: Room) -> None:
    room("SET", "k", "1")
    room("RPUSH", "l", "1")
    on_string, on_list, on_nothing = room.connect(), room.connect(), room.connect()
    for session, name in ((on_string, "k"), (on_list, "l"), (on_nothing, "none")):
        room("WATCH", name, session=session)
    flush(room)
    assert [session.watch.broken for session in (on_string, on_list, on_nothing) if session.watch] == [
        True,
        False,
        False,
    ]


def test_a_flush_to_come_drops_what_is_there_when_its_time_has_come(room: Room) -> None:
    room("SET", "before", "1")
    flush_at(room, room.clock.unix_ms() + 1000)
    room("SET", "meanwhile", "1")
    room.clock.advance_ms(999)
    assert room("MGET", "before", "meanwhile") == [b"1", b"1"]
    room.clock.advance_ms(1)
    # Whoever comes first at that time, nothing else has to run before.
    room("SET", "after", "1")
    assert room("MGET", "before", "meanwhile", "after") == [None, None, b"1"]
    assert room.dbs.flush_ms == NEVER_MS


def test_a_flush_to_come_survives_a_restart_and_is_late_rather_than_lost(tmp_path: Path) -> None:
    with Room(tmp_path, "interval") as room:
        room("SET", "k", "1")
        flush_at(room, room.clock.unix_ms() + 1000)
        now_ms = room.clock.unix_ms()
    with Room(tmp_path, "interval") as room:
        room.clock.advance_ms(now_ms + 5000 - room.clock.unix_ms())
        assert room("GET", "k") is None
        assert room("SET", "k", "2") is OK
        assert room("GET", "k") == b"2"


def test_a_flush_to_come_can_be_called_off(room: Room) -> None:
    room("SET", "k", "1")
    flush_at(room, room.clock.unix_ms() + 10)
    flush_at(room, NEVER_MS)
    room.clock.advance_ms(100)
    assert room("GET", "k") == b"1"
    assert b"sflush" not in room.state()


@pytest.mark.parametrize("name", [b"short", b"l" * 1000])
def test_a_stored_record_is_judged_by_type_and_stamp(name: bytes) -> None:
    raw = StringRecord(b"v", 7).encode(name)
    assert [is_string_until(raw, stamp) for stamp in (6, 7, 8)] == [False, True, True]
    marked = StringRecord(b"v", 7 | 3 << 62).encode(name)
    assert [is_string_until(marked, stamp) for stamp in (6, 7)] == [False, True]
