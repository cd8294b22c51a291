"""The schedule: what is due comes earliest first, equal times in the order of adding, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from spoold.core.errors import WrongType
from spoold.datatypes.jobs import schedule
from spoold.keyspace.keyspace import Keyspace
from support.machine import RoomMachine
from support.reachable import assert_nothing_is_left_over
from support.room import Room

NAME = b"schedule"
times_us = st.one_of(st.integers(-3, 12), st.sampled_from([-(2**62), 2**62, -1, 0]))


def in_turn(room: Room, work: Callable[..., Any], *arguments: Any) -> Any:
    """Run `work` on database 0 in a turn of its own."""
    room.turn.begin()
    result = work(room.dbs[0], *arguments)
    room.turn.end()
    return result


def add(room: Room, *items: tuple[int, bytes]) -> None:
    """Add items in turns of their own."""
    for due_us, value in items:
        in_turn(room, schedule.add, NAME, due_us, value)


def test_what_is_due_comes_earliest_first(room: Room) -> None:
    add(room, (30, b"c"), (10, b"a"), (20, b"b"), (-5, b"long ago"))
    assert in_turn(room, schedule.take_due, NAME, -6) == []
    assert in_turn(room, schedule.take_due, NAME, 20) == [b"long ago", b"a", b"b"]
    assert in_turn(room, schedule.take_due, NAME, 20) == []
    assert in_turn(room, schedule.length, NAME) == 1
    assert in_turn(room, schedule.take_due, NAME, 30) == [b"c"]
    assert room("EXISTS", NAME) == 0
    assert_nothing_is_left_over(room)


def test_equal_times_come_in_the_order_of_adding(room: Room) -> None:
    values = [b"%d" % number for number in range(300)]
    add(room, (6, b"later"), *((5, value) for value in values))
    assert in_turn(room, schedule.take_due, NAME, 5) == values
    add(room, (6, b"last"))
    assert in_turn(room, schedule.take_due, NAME, 6) == [b"later", b"last"]


def test_equal_values_are_kept_apart(room: Room) -> None:
    add(room, (5, b"x"), (5, b"x"), (4, b"x"))
    assert in_turn(room, schedule.length, NAME) == 3
    assert in_turn(room, schedule.take_due, NAME, 9) == [b"x"] * 3


def test_what_is_added_for_the_past_after_a_read_is_due(room: Room) -> None:
    add(room, (5, b"a"), (100, b"z"))
    assert in_turn(room, schedule.take_due, NAME, 50) == [b"a"]
    add(room, (3, b"b"))
    assert in_turn(room, schedule.take_due, NAME, 50) == [b"b"]


def test_a_turn_sees_what_it_added_itself(room: Room) -> None:
    def work(ks: Keyspace) -> list[bytes]:
        schedule.add(ks, NAME, 2, b"b")
        schedule.add(ks, NAME, 1, b"a")
        return schedule.take_due(ks, NAME, 1)

    assert in_turn(room, work) == [b"a"]
    assert in_turn(room, schedule.length, NAME) == 1


@pytest.mark.parametrize("count", [127, 128, 129, 4095, 4096, 4097, 9000])
def test_any_number_may_be_due_at_once(room: Room, count: int) -> None:
    def fill(ks: Keyspace) -> None:
        schedule.add(ks, NAME, 10**6, b"not yet")
        for number in range(count):
            schedule.add(ks, NAME, count - number, b"%d" % number)

    in_turn(room, fill)
    assert in_turn(room, schedule.take_due, NAME, count) == [b"%d" % number for number in reversed(range(count))]
    assert in_turn(room, schedule.length, NAME) == 1
    assert_nothing_is_left_over(room)
    assert in_turn(room, schedule.take_due, NAME, 10**6) == [b"not yet"]


def test_clear_tells_how_many_there_were(room: Room) -> None:
    assert in_turn(room, schedule.clear, NAME) == 0
    add(room, (1, b"a"), (1, b"b"))
    assert in_turn(room, schedule.clear, NAME) == 2
    assert in_turn(room, schedule.length, NAME) == 0
    assert_nothing_is_left_over(room)


def test_a_key_of_another_type_is_refused(room: Room) -> None:
    room("SET", NAME, "v")
    for call, arguments in [
        (schedule.add, (1, b"v")),
        (schedule.take_due, (1,)),
        (schedule.length, ()),
        (schedule.clear, ()),
    ]:
        room.turn.begin()
        with pytest.raises(WrongType):
            call(room.dbs[0], NAME, *arguments)  # type: ignore[operator]
        room.turn.end()


def test_commands_on_any_key_know_schedules(room: Room) -> None:
    add(room, (1, b"a"), (2, b"b"))
    assert room("TYPE", NAME).text == b"schedule"
    assert room("COPY", NAME, "copy") == 1
    room("RENAME", NAME, "renamed")
    assert in_turn(room, schedule.take_due, b"renamed", 1) == [b"a"]
    assert in_turn(room, schedule.take_due, b"copy", 9) == [b"a", b"b"]
    assert_nothing_is_left_over(room)


def test_a_schedule_survives_a_restart(tmp_path: Path) -> None:
    with Room(tmp_path / "data", "always") as room:
        add(room, (2, b"b"), (1, b"a"), (2, b"c"))
        in_turn(room, schedule.take_due, NAME, 1)
    with Room(tmp_path / "data", "always") as room:
        add(room, (2, b"d"), (0, b"e"))
        assert in_turn(room, schedule.take_due, NAME, 2) == [b"e", b"b", b"c", b"d"]


class Schedules(RoomMachine):
    """A schedule against a sorted list; each rule is a turn."""

    def __init__(self) -> None:
        super().__init__()
        self.model: list[tuple[int, int, bytes]] = []
        self.added = 0

    @rule(due_us=times_us, value=st.binary(max_size=3))
    def add(self, due_us: int, value: bytes) -> None:
        """One item."""
        in_turn(self.room, schedule.add, NAME, due_us, value)
        self.added += 1
        self.model.append((due_us, self.added, value))

    @rule(now_us=times_us)
    def take(self, now_us: int) -> None:
        """All that is due."""
        due = sorted(item for item in self.model if item[0] <= now_us)
        assert in_turn(self.room, schedule.take_due, NAME, now_us) == [value for _, _, value in due]
        self.model = [item for item in self.model if item[0] > now_us]

    @rule()
    def clear(self) -> None:
        """All."""
        assert in_turn(self.room, schedule.clear, NAME) == len(self.model)
        self.model = []

    @rule(due_us=times_us)
    def fail(self, due_us: int) -> None:
        """A turn that is rolled back leaves no trace."""

        def fail(ks: Keyspace) -> None:
            schedule.add(ks, NAME, due_us, b"planted")
            schedule.take_due(ks, NAME, 5)
            raise ZeroDivisionError

        self.room.turn.begin()
        self.room.turn.guard(fail, self.room.dbs[0])

    @rule()
    def reclaim(self) -> None:
        """Give back what was dropped."""
        self.room.reclaim()

    @invariant()
    def agree(self) -> None:
        """Count and existence."""
        assert in_turn(self.room, schedule.length, NAME) == len(self.model)
        assert self.room("EXISTS", NAME) == bool(self.model)


TestSchedules = Schedules.TestCase
TestSchedules.settings = settings(stateful_step_count=40)
