"""Items with tags: what each command on lists does to the tags, and to items whose time is over."""

from __future__ import annotations

import pytest

from spoold.core.reply import NULL_ARRAY
from spoold.datatypes.lists import store, tags
from spoold.datatypes.lists.overdue import drop_overdue
from spoold.datatypes.lists.store import HEAD, TAIL, Tag
from spoold.keyspace.record import ListRecord, TaggedListRecord
from support.reachable import assert_nothing_is_left_over
from support.room import Room

Q = b"q"


def put(room: Room, value: bytes, tag: Tag, side: int = TAIL, name: bytes = Q) -> None:
    room.turn.begin()
    store.put(room.session.ctx.ks, name, side, value, tag)
    room.turn.end()


def shown(room: Room, name: bytes = Q) -> list[tuple[bytes, int]]:
    """Items with their flags, 0 for no tag."""
    ks = room.session.ctx.ks
    record = store.find(ks, name)
    if record is None:
        return []
    values = store.read(ks, record, record.head, record.tail)
    if not isinstance(record, TaggedListRecord):
        return [(value, 0) for value in values]
    found = [tags.get(ks, record, at) for at in range(record.head, record.tail)]
    return [(value, 0 if tag is None else tag.flags) for value, tag in zip(values, found, strict=True)]


def overdue(room: Room, limit: int = 1000) -> int:
    """Run the duty once."""
    room.turn.begin()
    dropped = drop_overdue(room.dbs, limit)
    room.turn.end()
    return dropped


@pytest.fixture
def five(room: Room) -> Room:
    """A queue `q` with items a to e and flags 1 to 5."""
    for flags, value in enumerate((b"a", b"b", b"c", b"d", b"e"), 1):
        put(room, value, Tag(flags=flags))
    return room


def test_a_list_without_tags_stays_a_plain_one(room: Room) -> None:
    room("RPUSH", "q", "a")
    assert type(store.find(room.session.ctx.ks, Q)) is ListRecord
    assert not [key for key in room.state() if key[:1] == b"a"]


def test_a_tag_turns_a_list_into_one_with_tags_which_redis_does_not_see(room: Room) -> None:
    room("RPUSH", "q", "a")
    room("PEXPIRE", "q", 5000)
    put(room, b"b", Tag(flags=7))
    assert shown(room) == [(b"a", 0), (b"b", 7)]
    assert room("TYPE", "q").text == b"list"
    assert room("OBJECT", "ENCODING", "q") == b"quicklist" or room("OBJECT", "ENCODING", "q") == b"listpack"
    assert room("LRANGE", "q", 0, -1) == [b"a", b"b"]
    assert room("PTTL", "q") == 5000
    assert room("SORT", "q", "ALPHA", "DESC") == [b"b", b"a"]
    assert room("LPOP", "q") == b"a"
    assert room("LPOP", "q") == b"b"
    assert_nothing_is_left_over(room)


def test_take_gives_the_tag_and_pop_drops_it(five: Room) -> None:
    room = five
    room.turn.begin()
    assert store.take(room.session.ctx.ks, Q, HEAD) == (b"a", Tag(flags=1))
    assert store.take(room.session.ctx.ks, Q, TAIL) == (b"e", Tag(flags=5))
    room.turn.end()
    assert room("LPOP", "q") == b"b"
    room("LPUSH", "q", "new")
    assert shown(room) == [(b"new", 0), (b"c", 3), (b"d", 4)]


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("LINSERT q BEFORE b x", "a1 x0 b2 c3 d4 e5"),
        ("LINSERT q AFTER d x", "a1 b2 c3 d4 x0 e5"),
        ("LINSERT q BEFORE a x", "x0 a1 b2 c3 d4 e5"),
        ("LREM q 0 c", "a1 b2 d4 e5"),
        ("LREM q 0 a", "b2 c3 d4 e5"),
        ("LREM q -1 e", "a1 b2 c3 d4"),
        ("LSET q 1 x", "a1 x0 c3 d4 e5"),
        ("LTRIM q 1 3", "b2 c3 d4"),
        ("LTRIM q 5 9", ""),
        ("LMOVE q q LEFT RIGHT", "b2 c3 d4 e5 a0"),
        ("LMOVE q q LEFT LEFT", "a0 b2 c3 d4 e5"),
        ("RPOPLPUSH q q", "e0 a1 b2 c3 d4"),
        ("LPOP q 2", "c3 d4 e5"),
        ("RPOP q 2", "a1 b2 c3"),
        ("LPOP q 9", ""),
        ("LPUSH q x y", "y0 x0 a1 b2 c3 d4 e5"),
        ("RPUSH q x", "a1 b2 c3 d4 e5 x0"),
        ("LMPOP 1 q RIGHT COUNT 4", "a1"),
        ("DEL q", ""),
    ],
)
def test_tags_stay_with_their_items(five: Room, words: str, left: str) -> None:
    five(*words.split())
    expected = [(item[:1].encode(), int(item[1:])) for item in left.split()]
    assert shown(five) == expected
    assert_nothing_is_left_over(five)


def test_a_renamed_moved_or_copied_queue_has_its_tags(five: Room) -> None:
    five("RENAME", "q", "r")
    assert shown(five, b"r")[4] == (b"e", 5)
    five("COPY", "r", "s")
    assert shown(five, b"s") == shown(five, b"r")
    five("LPOP", "s")
    assert shown(five, b"r")[0] == (b"a", 1)
    five("MOVE", "r", 1)
    five("SELECT", 1)
    assert shown(five, b"r")[4] == (b"e", 5)
    assert_nothing_is_left_over(five)


def test_no_one_gets_an_item_whose_time_is_over(room: Room) -> None:
    now_ms = room.clock.unix_ms()
    put(room, b"a", Tag(due_ms=now_ms + 100))
    put(room, b"b", Tag())
    put(room, b"c", Tag(due_ms=now_ms + 100))
    put(room, b"d", Tag(due_ms=now_ms + 200))
    room.clock.advance_ms(99)
    assert room("LLEN", "q") == 4
    room.clock.advance_ms(1)
    assert room("LPOP", "q") == b"b"
    assert room("RPOP", "q") == b"d"
    assert room("RPOP", "q") is None
    assert room("EXISTS", "q") == 0
    assert room.dbs.expired_items == 2
    assert_nothing_is_left_over(room)


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("LPOP q", None),
        ("RPOP q", None),
        ("LPOP q 3", NULL_ARRAY),
        ("LMPOP 1 q LEFT", NULL_ARRAY),
        ("LMOVE q r LEFT RIGHT", None),
        ("LMOVE q q LEFT RIGHT", None),
        ("RPOPLPUSH q r", None),
    ],
)
def test_a_queue_of_overdue_items_is_an_empty_one(room: Room, words: str, reply: object) -> None:
    for value in (b"a", b"b"):
        put(room, value, Tag(due_ms=room.clock.unix_ms() + 10))
    room.clock.advance_ms(10)
    assert room(*words.split()) is reply
    assert room("DBSIZE") == 0
    assert_nothing_is_left_over(room)


def test_the_duty_drops_what_is_due_at_the_head_and_knows_when_to_come_again(room: Room) -> None:
    now_ms = room.clock.unix_ms()
    for number, after_ms in enumerate((100, 200, 0, 100)):
        put(room, b"%d" % number, Tag(due_ms=after_ms and now_ms + after_ms))
    assert room.dbs.next_alarm_ms <= now_ms + 100
    assert overdue(room) == 0
    assert room.dbs.next_alarm_ms == now_ms + 100
    room.clock.advance_ms(100)
    assert overdue(room) == 1
    assert room("LRANGE", "q", 0, -1) == [b"1", b"2", b"3"]
    assert overdue(room) == 0
    assert room.dbs.next_alarm_ms == now_ms + 200
    room.clock.advance_ms(100)
    assert overdue(room) == 1
    assert room("LRANGE", "q", 0, -1) == [b"2", b"3"]  # 3 is overdue, and stands behind 2
    assert overdue(room) == 0
    assert room.dbs.next_alarm_ms > now_ms + 1_000_000
    assert room("LPOP", "q") == b"2"
    assert overdue(room) == 1
    assert room("EXISTS", "q") == 0
    assert_nothing_is_left_over(room)


def test_the_duty_works_in_slices(room: Room) -> None:
    for number in range(10):
        put(room, b"%d" % number, Tag(due_ms=room.clock.unix_ms() + 1), name=b"n%d" % (number % 2))
    room.clock.advance_ms(1)
    dropped = 0
    while step := overdue(room, 3):
        assert step <= 3
        dropped += step
    assert dropped == 10
    assert room("DBSIZE") == 0


def test_alarms_of_a_flushed_database_come_to_nothing(room: Room) -> None:
    put(room, b"a", Tag(due_ms=room.clock.unix_ms() + 1))
    room("FLUSHALL")
    room.clock.advance_ms(1)
    assert overdue(room) == 0
    assert_nothing_is_left_over(room)


def test_an_alarm_follows_its_queue_through_rename_and_swapdb(room: Room) -> None:
    put(room, b"a", Tag(due_ms=room.clock.unix_ms() + 1))
    room("RENAME", "q", "x" * 500)
    room("SWAPDB", 0, 3)
    room.clock.advance_ms(1)
    assert overdue(room) == 1
    room("SELECT", 3)
    assert room("DBSIZE") == 0
    assert_nothing_is_left_over(room)


def test_items_that_come_back_stand_in_the_order_of_their_ranks(room: Room) -> None:
    room("RPUSH", "q", "new")
    ks = room.session.ctx.ks
    for rank in (3, 5, 1, 4, 2):
        room.turn.begin()
        store.put_back(ks, Q, b"%d" % rank, Tag(rank=rank))
        room.turn.end()
    assert room("LRANGE", "q", 0, -1) == [b"1", b"2", b"3", b"4", b"5", b"new"]
    room("LPUSH", "q", "first")
    room.turn.begin()
    store.put_back(ks, Q, b"9", Tag(rank=9))
    room.turn.end()
    assert room("LRANGE", "q", 0, 1) == [b"9", b"first"]
    assert [flags for _, flags in shown(room)] == [0] * 8
    assert_nothing_is_left_over(room)


def test_a_long_list_is_trimmed_with_its_tags(room: Room) -> None:
    ks = room.session.ctx.ks
    room.turn.begin()
    for number in range(6000):
        store.put(ks, Q, TAIL, b"%d" % number, Tag(flags=number + 1))
    room.turn.end()
    room("LTRIM", "q", 100, 5899)
    assert shown(room)[0] == (b"100", 101)
    room("LTRIM", "q", 5000, 5009)
    assert shown(room) == [(b"%d" % number, number + 1) for number in range(5100, 5110)]
    assert_nothing_is_left_over(room)


def test_removals_in_a_long_list_shift_tags_in_range(room: Room) -> None:
    ks = room.session.ctx.ks
    room.turn.begin()
    for number in range(1000):
        store.put(ks, Q, TAIL, b"%d" % (number % 10), Tag(flags=number + 1))
    room.turn.end()
    assert room("LREM", "q", 0, "3") == 100
    left = [(b"%d" % (number % 10), number + 1) for number in range(1000) if number % 10 != 3]
    assert shown(room) == left
    assert_nothing_is_left_over(room)


def test_tags_are_gone_after_a_rollback(room: Room) -> None:
    put(room, b"a", Tag(flags=1))
    before = room.state()
    room.turn.begin()
    store.put(room.session.ctx.ks, Q, TAIL, b"b", Tag(flags=2, due_ms=5))
    store.take(room.session.ctx.ks, Q, HEAD)
    room.commit.abort_turn()
    room.dbs.rollback()
    room.turn.end()
    assert room.state() == before
    assert shown(room) == [(b"a", 1)]
