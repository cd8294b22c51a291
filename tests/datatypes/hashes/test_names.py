"""What is kept of a small hash's fields is what the engine holds, and spares it the scan; so is their order."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

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


def fields(room: Room, key: str = "h") -> list[bytes]:
    """As all commands tell them that tell all."""
    told: list[bytes] = room("HKEYS", key)
    assert list(room("HGETALL", key)) == told
    assert room("HRANDFIELD", key, 1000) == told
    assert room("HSCAN", key, 0)[1][::2] == told
    assert room("HVALS", key) == room("HMGET", key, *told)
    return told


def test_fields_come_as_they_were_added(room: Room) -> None:
    room("HSET", "h", "z", "1", "a", "2", "k", "3")
    assert fields(room) == [b"z", b"a", b"k"]
    room("HSET", "h", "b", "4", "z", "5")
    assert fields(room) == [b"z", b"a", b"k", b"b"]
    room("HDEL", "h", "z", "k")
    room("HINCRBY", "h", "z", 7)
    assert fields(room) == [b"a", b"b", b"z"]
    assert room("HSCAN", "h", 0, "MATCH", "[za]") == [b"0", [b"a", b"2", b"z", b"7"]]


def test_the_order_is_stored(room: Room) -> None:
    room("HSET", "h", "z", "1", "a", "2", "k", "3")
    room("COPY", "h", "copy")
    room("RESTORE", "restored", 0, room("DUMP", "h"))
    forget(room)
    for key in ("h", "copy", "restored"):
        assert fields(room, key) == [b"z", b"a", b"k"]
        room("HSET", key, "b", "4")
        room("HDEL", key, "a")
        forget(room)
        assert fields(room, key) == [b"z", b"k", b"b"]


def test_the_order_is_lost_where_the_fields_are_not_known(room: Room) -> None:
    for key in ("added", "several", "removed"):
        room("HSET", key, "z", "1", "a", "2", "k", "3")
    forget(room)
    room("HSET", "added", "b", "4")
    room("HSET", "several", "b", "4", "z", "5")
    room("HDEL", "removed", "k")
    assert fields(room, "added") == fields(room, "several") == [b"a", b"b", b"k", b"z"]
    assert fields(room, "removed") == [b"a", b"z"]


def test_a_large_hash_has_the_order_of_the_bytes(room: Room) -> None:
    backwards = [b"%03d" % number for number in reversed(range(MOST_NAMES))]
    for name in backwards:
        room("HSET", "h", name, "v")
    assert fields(room) == backwards
    room("HSET", "h", "zzz", "v")
    assert room("HKEYS", "h") == [*sorted(backwards), b"zzz"]
    room("HDEL", "h", "zzz")
    room("HSET", "both", *[word for name in (*backwards, b"zzz") for word in (name, "v")])
    assert room("HKEYS", "both") == [*sorted(backwards), b"zzz"]


@given(
    st.lists(st.tuples(st.sampled_from(["HSET", "HSET", "HMSET", "HDEL", "read"]), st.lists(st.binary(max_size=2)))),
)
def test_the_order_is_that_of_a_dict(steps: list[tuple[str, list[bytes]]]) -> None:
    expected: dict[bytes, bytes] = {}
    with TemporaryDirectory() as home, Room(Path(home)) as room:
        for number, (step, names_) in enumerate(steps):
            value = b"%d" % number
            if step == "read":
                forget(room)
            elif step == "HDEL":
                room("HDEL", "h", "none", *names_)
                for name in names_:
                    expected.pop(name, None)
            elif step == "HMSET" and names_:
                room("HMSET", "h", *[word for name in names_ for word in (name, value)])
                expected |= dict.fromkeys(names_, value)
            else:
                for name in names_:
                    room("HSET", "h", name, value)
                    expected[name] = value
            assert list(room("HGETALL", "h").items()) == list(expected.items())
