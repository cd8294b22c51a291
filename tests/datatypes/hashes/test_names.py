"""What is kept in memory of a small hash's fields is what the engine holds, and spares it the scan."""

from __future__ import annotations

from spoold.datatypes.hashes.names import MOST_NAMES
from spoold.keyspace.record import HashRecord
from support.room import Room


def names(room: Room, key: bytes = b"h") -> list[bytes] | None:
    record = room.dbs[0].find(key)
    assert isinstance(record, HashRecord)
    return record.names


def forget(room: Room) -> None:
    """As after a restart: records come from the engine."""
    room.dbs[0].cache.clear()


def test_a_small_hash_is_read_whole_without_applying_what_is_pending(room: Room) -> None:
    room("HSET", "h", "b", "2", "a", "1", "c", "3")
    room("HDEL", "h", "b")
    room("SET", "k", "v")
    for command, reply in (("HGETALL", {b"a": b"1", b"c": b"3"}), ("HKEYS", [b"a", b"c"]), ("HVALS", [b"1", b"3"])):
        assert room(command, "h") == reply
    assert not room.commit.batch.settled


def test_a_hash_that_was_read_whole_is_known_from_then_on(room: Room) -> None:
    room("HSET", "h", "b", "2", "a", "1")
    forget(room)
    assert names(room) is None
    assert room("HGETALL", "h") == {b"a": b"1", b"b": b"2"}
    assert names(room) == [b"a", b"b"]
    room("HSET", "h", "ab", "3")
    assert room("HGETALL", "h") == {b"a": b"1", b"ab": b"3", b"b": b"2"}
    assert not room.commit.batch.settled


def test_a_part_of_a_hash_teaches_nothing(room: Room) -> None:
    room("HSET", "h", *[word for number in range(20) for word in (f"f{number:02}", "v")])
    forget(room)
    room.dbs[0].find(b"h")
    room("HSCAN", "h", "0", "COUNT", "5")
    room("HDEL", "h", "f03")
    assert names(room) is None
    assert len(room("HGETALL", "h")) == 19


def test_large_hashes_and_long_fields_are_not_kept(room: Room) -> None:
    for number in range(MOST_NAMES + 1):
        room("HSET", "h", f"f{number:03}", "v")
    assert names(room) is None
    room("HSET", "long", "x" * 600, "v", "a", "b")
    assert names(room, b"long") is None
    assert room("HGETALL", "long") == {b"a": b"b", b"x" * 600: b"v"}
    room("HDEL", "long", "x" * 600)
    assert room("HGETALL", "long") == {b"a": b"b"}
    assert names(room, b"long") == [b"a"]


def test_a_turn_that_is_rolled_back_leaves_no_name(room: Room) -> None:
    room("HSET", "h", "a", "1")
    room.turn.begin()
    room.table.by_name[b"HSET"].handler(room.session.ctx, b"h", b"b", b"2")
    room.commit.abort_turn()
    room.dbs.rollback()
    room.turn.end()
    assert room("HGETALL", "h") == {b"a": b"1"}
