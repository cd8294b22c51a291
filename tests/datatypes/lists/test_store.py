"""Long lists: what is read, moved and deleted in pieces, and what is left to the reclaimer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spoold.datatypes.lists.store import MANY, MOVE_FACTOR
from spoold.keyspace import layout
from spoold.keyspace.record import ListRecord
from support.reachable import assert_nothing_is_left_over
from support.room import Room

LENGTH = 3 * MANY + 17


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    yield
    assert_nothing_is_left_over(room)


def fill(room: Room, length: int = LENGTH) -> list[bytes]:
    """A list `l` of numbers, half of it in LMDB."""
    given = [b"%d" % number for number in range(length)]
    room("RPUSH", "l", *given[: length // 2])
    room.commit.checkpoint()
    room("RPUSH", "l", *given[length // 2 :])
    return given


def record(room: Room) -> ListRecord:
    """The record of `l`."""
    found = room.dbs[0].find(b"l")
    assert isinstance(found, ListRecord)
    return found


def mutations(room: Room, *words: object) -> int:
    """How many mutations a command makes."""
    room.turn.begin()
    request = [str(word).encode() for word in words]
    entry = room.table.find(request[0])
    assert entry is not None
    entry.handler(room.session.ctx, *request[1:])
    sections = room.commit.batch.sections()
    count = sum(len(section) if isinstance(section, dict) else 1 for section in sections)
    room.turn.end()
    return count


def test_a_long_list_is_read_and_popped_whole(room: Room) -> None:
    given = fill(room)
    assert room("LRANGE", "l", 0, -1) == given
    assert room("LRANGE", "l", 100, -101) == given[100:-100]
    assert room("RPOP", "l", LENGTH) == given[::-1]
    assert room("EXISTS", "l") == 0


@pytest.mark.parametrize("word", ["LPOP", "RPOP"])
def test_many_elements_are_popped_as_a_range(room: Room, word: str) -> None:
    given = fill(room)
    count = 2 * MANY
    expected = given[:count] if word == "LPOP" else given[::-1][:count]
    assert room(word, "l", count) == expected
    assert room("LRANGE", "l", 0, -1) == (given[count:] if word == "LPOP" else given[: LENGTH - count])
    room("RPUSH", "l", *given)
    assert mutations(room, word, "l", count) < 10


def test_popping_all_deletes_no_single_element(room: Room) -> None:
    fill(room)
    assert mutations(room, "LPOP", "l", LENGTH) < 10
    room.reclaim()


def test_a_trim_that_keeps_little_leaves_the_rest_to_the_reclaimer(room: Room) -> None:
    given = fill(room)
    old = record(room).object_id
    kept = MANY // MOVE_FACTOR
    assert mutations(room, "LTRIM", "l", 50, 50 + kept - 1) < kept + 10
    assert record(room).object_id != old
    assert room.state()[layout.garbage_key(old)] == layout.DROPPED_OBJECT
    assert room("LRANGE", "l", 0, -1) == given[50 : 50 + kept]
    assert room("LPUSH", "l", "new") == kept + 1
    assert room("LINDEX", "l", 1) == given[50]
    room.reclaim()
    assert room("LRANGE", "l", 0, -1) == [b"new", *given[50 : 50 + kept]]


def test_a_trim_that_keeps_much_deletes_ranges(room: Room) -> None:
    given = fill(room)
    old = record(room).object_id
    assert mutations(room, "LTRIM", "l", MANY, -MANY) < 10
    assert record(room).object_id == old
    assert room("LRANGE", "l", 0, -1) == given[MANY : LENGTH - MANY + 1]


def test_a_trim_of_a_capped_list_deletes_single_elements(room: Room) -> None:
    fill(room, 1000)
    room("LPUSH", "l", "new")
    assert mutations(room, "LTRIM", "l", 0, 999) <= 3
    assert room("LLEN", "l") == 1000


@pytest.mark.parametrize("index", [0, 1, 70, MANY - 1, MANY, LENGTH // 2, LENGTH - MANY, LENGTH - 70, LENGTH - 1])
def test_a_long_list_is_edited_at_any_place(room: Room, index: int) -> None:
    given = fill(room)
    assert room("LINSERT", "l", "BEFORE", given[index], "before") == LENGTH + 1
    assert room("LINSERT", "l", "AFTER", given[index], "after") == LENGTH + 2
    expected = [*given[:index], b"before", given[index], b"after", *given[index + 1 :]]
    assert room("LRANGE", "l", 0, -1) == expected
    assert room("LPOS", "l", "after") == index + 2
    assert room("LREM", "l", -1, "before") == 1
    assert room("LREM", "l", 1, "after") == 1
    assert room("LRANGE", "l", 0, -1) == given


def test_removing_near_an_end_moves_few_elements(room: Room) -> None:
    given = fill(room)
    assert mutations(room, "LREM", "l", 1, given[30].decode()) < 40
    assert mutations(room, "LREM", "l", -1, given[-30].decode()) < 40
    assert mutations(room, "LINSERT", "l", "BEFORE", given[20].decode(), "x") < 30


def test_many_removals_leave_the_longest_stretch_where_it_is(room: Room) -> None:
    room("RPUSH", "l", *["a", "x"] * 50, *[str(number) for number in range(5000)], *["x", "b"] * 50)
    tail = record(room).tail
    assert mutations(room, "LREM", "l", 0, "x") <= 250
    assert record(room).tail == tail - 50
    assert room("LRANGE", "l", 0, -1) == [b"a"] * 50 + [b"%d" % number for number in range(5000)] + [b"b"] * 50


def test_every_second_element_is_removed(room: Room) -> None:
    given = fill(room, 3000)
    room("DEL", "l")
    room("RPUSH", "l", *[element for pair in zip(given, [b"x"] * 3000, strict=True) for element in pair])
    assert room("LREM", "l", 2990, "x") == 2990
    assert room("LREM", "l", -5, "x") == 5
    assert room("LREM", "l", 0, "x") == 5
    assert room("LRANGE", "l", 0, -1) == given


def test_a_rolled_back_edit_leaves_the_list_as_it_was(room: Room) -> None:
    given = fill(room)
    room.turn.begin()
    for words in (b"LTRIM l 5 -5", b"LREM l 0 77", b"LINSERT l AFTER 6000 new", b"LPOP l 500", b"LTRIM l 0 9"):
        request = words.split()
        entry = room.table.find(request[0])
        assert entry is not None
        entry.handler(room.session.ctx, *request[1:])
    room.commit.abort_turn()
    room.dbs.rollback()
    room.turn.end()
    assert room("LRANGE", "l", 0, -1) == given
