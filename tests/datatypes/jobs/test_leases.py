"""Leases: what is granted, how it ends, what outlives what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from spoold.core.errors import WrongType
from spoold.datatypes.jobs import leases, store
from spoold.datatypes.jobs.leases import Recovery
from spoold.datatypes.jobs.states import Event, State, after
from spoold.datatypes.jobs.store import Handle, Lease
from spoold.datatypes.lists import store as lists
from spoold.datatypes.lists.store import Tag
from support.reachable import assert_nothing_is_left_over
from support.room import Room

Q = b"q"
T = TypeVar("T")


def turn(room: Room, work: Callable[[], T]) -> T:
    """Do something in a turn of its own."""
    room.turn.begin()
    done = work()
    room.turn.end()
    return done


def grant(room: Room, queue: bytes = Q, *, bound: bool = False, deadline_ms: int = 0) -> Lease:
    """Lease the head of a queue."""
    ks = room.session.ctx.ks
    lease = turn(room, lambda: leases.grant(ks, queue, b"tester", bound=bound, deadline_ms=deadline_ms))
    assert lease is not None
    return lease


def count(room: Room, queue: bytes = Q) -> int:
    return store.count(room.dbs, 0, queue)


def lease_keys(room: Room) -> list[bytes]:
    return [key for key in room.state() if key[:1] == b"l"]


def expire(room: Room, limit: int = 100) -> int:
    return turn(room, lambda: leases.expire_due(room.dbs, limit))


def test_a_lease_takes_the_head_and_says_what_it_holds(room: Room) -> None:
    room("RPUSH", "q", "a", "b")
    lease = grant(room, bound=True)
    assert (lease.item, lease.attempts, lease.owner, lease.bound, lease.deadline_ms) == (b"a", 1, b"tester", True, 0)
    assert lease.handle == Handle(0, Q, int.from_bytes(lease.token[:8], "big"), lease.handle.id)
    assert len(lease.token) == 16
    assert room("LRANGE", "q", 0, -1) == [b"b"]
    assert store.get(room.dbs, lease.handle) == lease
    assert list(store.of_queue(room.dbs, 0, Q)) == [lease]
    assert count(room) == 1


def test_nothing_is_granted_where_nothing_waits(room: Room) -> None:
    ks = room.session.ctx.ks
    assert turn(room, lambda: leases.grant(ks, Q, b"")) is None
    room("SET", "q", "v")
    room.turn.begin()
    with pytest.raises(WrongType):
        leases.grant(ks, Q, b"")
    room.turn.end()
    assert lease_keys(room) == []


def test_confirm_ends_it_for_good(room: Room) -> None:
    room("RPUSH", "q", "a")
    lease = grant(room, deadline_ms=room.clock.unix_ms() + 5)
    assert turn(room, lambda: leases.confirm(room.dbs, lease.handle))
    assert not turn(room, lambda: leases.confirm(room.dbs, lease.handle))
    assert turn(room, lambda: leases.give_back(room.dbs, [lease.handle])) == 0
    assert turn(room, lambda: leases.extend(room.dbs, lease.handle, 9)) is None
    assert lease_keys(room) == []
    assert room("DBSIZE") == 0


def test_what_is_given_back_stands_at_the_head_with_its_flags_and_one_attempt_more(room: Room) -> None:
    ks = room.session.ctx.ks
    turn(room, lambda: lists.put(ks, Q, lists.TAIL, b"a", Tag(flags=7, added_ms=1)))
    room("RPUSH", "q", "b")
    first = grant(room)
    turn(room, lambda: leases.give_back(room.dbs, [first.handle]))
    assert room("LRANGE", "q", 0, -1) == [b"a", b"b"]
    again = grant(room)
    assert (again.item, again.tag.flags, again.tag.added_ms, again.attempts) == (b"a", 7, 1, 2)
    assert again.handle.rank == first.handle.rank != again.handle.id
    assert again.token != first.token


def test_items_come_back_in_their_order_whoever_fails_when(room: Room) -> None:
    room("RPUSH", "q", *"abcdef")
    held = [grant(room) for _ in range(5)]
    for number in (2, 0, 4):
        turn(room, lambda number=number: leases.give_back(room.dbs, [held[number].handle]))
    assert room("LRANGE", "q", 0, -1) == [b"a", b"c", b"e", b"f"]
    taken = grant(room)
    assert taken.item == b"a"
    turn(room, lambda: leases.give_back(room.dbs, [held[1].handle, held[3].handle, taken.handle]))
    assert room("LRANGE", "q", 0, -1) == [b"a", b"b", b"c", b"d", b"e", b"f"]
    for value in (b"a", b"b", b"c", b"d", b"e", b"f"):
        assert room("LPOP", "q") == value
    assert_nothing_is_left_over(room)


def test_a_token_finds_its_lease_and_no_other(room: Room) -> None:
    room("RPUSH", "q", "a", "b")
    ks = room.session.ctx.ks
    one, other = grant(room), grant(room)
    assert leases.find(ks, Q, one.token) == one
    assert leases.find(ks, Q, one.token[:8] + other.token[8:]) is None
    assert leases.find(ks, b"r", one.token) is None
    assert leases.find(ks, Q, b"") is None


def test_a_deadline_brings_the_item_back_and_extending_it_puts_that_off(room: Room) -> None:
    now_ms = room.clock.unix_ms()
    room("RPUSH", "q", "a", "b", "c")
    one, two = grant(room, deadline_ms=now_ms + 10), grant(room, deadline_ms=now_ms + 10)
    extended = turn(room, lambda: leases.extend(room.dbs, two.handle, now_ms + 30))
    assert extended is not None
    assert extended.deadline_ms == now_ms + 30
    assert store.get(room.dbs, two.handle) == extended
    assert expire(room) == 0
    assert room.dbs.next_deadline_ms == now_ms + 10
    room.clock.advance_ms(10)
    assert expire(room) == 1
    assert room("LRANGE", "q", 0, -1) == [b"a", b"c"]
    assert room.dbs.next_deadline_ms == now_ms + 30
    assert store.get(room.dbs, one.handle) is None
    turn(room, lambda: leases.extend(room.dbs, two.handle, 0))
    room.clock.advance_ms(100)
    assert expire(room) == 0
    assert count(room) == 1
    assert turn(room, lambda: leases.confirm(room.dbs, two.handle))
    assert lease_keys(room) == []


def test_leases_expire_in_slices_and_come_back_in_order(room: Room) -> None:
    room("RPUSH", "q", *map(str, range(20)))
    for number in range(20):
        grant(room, deadline_ms=room.clock.unix_ms() + 1 + number % 3)
    room.clock.advance_ms(10)
    while expire(room, 6):
        pass
    assert room("LRANGE", "q", 0, -1) == [b"%d" % number for number in range(20)]
    assert lease_keys(room) == []


def test_an_item_whose_time_is_over_comes_back_and_is_dropped_then(room: Room) -> None:
    ks = room.session.ctx.ks
    turn(room, lambda: lists.put(ks, Q, lists.TAIL, b"a", Tag(due_ms=room.clock.unix_ms() + 5)))
    lease = grant(room)
    room.clock.advance_ms(5)
    turn(room, lambda: leases.give_back(room.dbs, [lease.handle]))
    assert room("LPOP", "q") is None
    assert_nothing_is_left_over(room)


def test_an_item_that_cannot_come_back_is_kept_until_it_can(room: Room) -> None:
    room("RPUSH", "q", "a")
    lease = grant(room, bound=True)
    room("SET", "q", "in the way")
    turn(room, lambda: leases.give_back(room.dbs, [lease.handle]))
    assert count(room) == 1
    room("DEL", "q")
    assert expire(room) == 0
    room.clock.advance_ms(leases.RETRY_MS)
    assert expire(room) == 1
    assert room("LRANGE", "q", 0, -1) == [b"a"]
    assert lease_keys(room) == []


@pytest.mark.parametrize("words", ["DEL q", "RENAME q r", "SWAPDB 0 1", "UNLINK q", "MOVE q 1"])
def test_leases_do_not_care_what_becomes_of_the_list(room: Room, words: str) -> None:
    room("RPUSH", "q", "a", "b")
    lease = grant(room)
    room(*words.split())
    assert store.get(room.dbs, lease.handle) == lease
    turn(room, lambda: leases.give_back(room.dbs, [lease.handle]))
    assert room("LRANGE", "q", 0, -1) == [b"a"]


@pytest.mark.parametrize("words", ["FLUSHALL", "FLUSHDB"])
def test_a_flushed_database_has_no_leases(room: Room, words: str) -> None:
    room("RPUSH", "q", "a")
    lease = grant(room, deadline_ms=room.clock.unix_ms() + 1)
    room("SELECT", 1)
    room("RPUSH", "q", "other")
    other = grant(room)
    room("SELECT", 0)
    room(words)
    assert store.get(room.dbs, lease.handle) is None
    assert (store.get(room.dbs, other.handle) is None) == (words == "FLUSHALL")
    room.clock.advance_ms(1)
    expire(room)
    assert turn(room, lambda: leases.give_back(room.dbs, [lease.handle])) == 0
    assert room("DBSIZE") == 0


def test_a_dropped_queue_forgets_its_leases_only(room: Room) -> None:
    for queue in ("q", "q2", "p"):
        room("RPUSH", queue, *"ab")
    for queue in (b"q", b"q", b"q2", b"p"):
        grant(room, queue)
    assert turn(room, lambda: store.drop_queue(room.dbs, 0, Q)) == 2
    assert turn(room, lambda: store.drop_queue(room.dbs, 0, Q)) == 0
    assert dict(store.counts(room.dbs, 0)) == {b"q2": 1, b"p": 1}
    assert [lease.handle.queue for lease in store.everyone(room.dbs)] == [b"p", b"q2"]


def test_names_and_items_of_any_bytes(room: Room) -> None:
    for queue in (b"", b"\0\xff", b"n" * 480, b"n" * 481, b"n" * 600):
        room("RPUSH", queue, b"", b"\xff" * 3000)
        one, two = grant(room, queue), grant(room, queue)
        assert (one.item, two.item) == (b"", b"\xff" * 3000)
        assert list(store.of_queue(room.dbs, 0, queue)) == [one, two]
        assert count(room, queue) == 2
        turn(room, lambda: leases.give_back(room.dbs, [one.handle, two.handle]))  # noqa: B023
        assert room("LRANGE", queue, 0, -1) == [b"", b"\xff" * 3000]
    assert lease_keys(room) == []


def test_large_items_come_back_a_few_in_a_turn(room: Room) -> None:
    room("RPUSH", "q", *[b"%d" % number + b"x" * 5_000_000 for number in range(5)])
    for _ in range(5):
        grant(room, bound=True, deadline_ms=room.clock.unix_ms() + 1)
    room.clock.advance_ms(1)
    assert [expire(room), expire(room), expire(room), expire(room)] == [2, 2, 1, 0]
    assert [value[:1] for value in room("LRANGE", "q", 0, -1)] == [b"0", b"1", b"2", b"3", b"4"]
    for _ in range(5):
        grant(room, bound=True)
    assert recover(room) == 5
    assert [value[:1] for value in room("LRANGE", "q", 0, -1)] == [b"0", b"1", b"2", b"3", b"4"]


def test_a_rolled_back_turn_granted_nothing(room: Room) -> None:
    room("RPUSH", "q", "a")
    before = room.state()
    room.turn.begin()
    leases.grant(room.session.ctx.ks, Q, b"")
    room.commit.abort_turn()
    room.dbs.rollback()
    room.turn.end()
    assert room.state() == before
    assert room("LRANGE", "q", 0, -1) == [b"a"]


# -- the next start ---------------------------------------------------------------------------------------------------


def recover(room: Room, limit: int = 7) -> int:
    """Give back what an earlier run left, a few at a time."""
    recovery = Recovery(room.dbs)
    found = recovery.left
    while recovery.left:
        recovery.done(turn(room, lambda: recovery.step(limit)))
    return found


def test_bound_leases_are_back_in_their_queues_at_the_next_start(tmp_path: Path) -> None:
    with Room(tmp_path, "always") as room:
        for queue in ("q", "r"):
            room("RPUSH", queue, *map(str, range(30)))
        for number in range(40):
            grant(room, b"qr"[number % 2 : number % 2 + 1], bound=True)
        kept = grant(room, deadline_ms=1 << 50)
    with Room(tmp_path, "always") as room:
        assert recover(room) == 40
        assert room("LRANGE", "q", 0, -1) == [b"%d" % number for number in range(30) if number != 20]
        assert room("LRANGE", "r", 0, -1) == [b"%d" % number for number in range(30)]
        assert list(store.everyone(room.dbs)) == [kept]
        assert recover(room) == 0
        assert grant(room).attempts == 2


def test_the_order_holds_where_items_had_come_back_before(tmp_path: Path) -> None:
    with Room(tmp_path, "always") as room:
        room("RPUSH", "q", *"abcdefg")
        held = [grant(room, bound=True) for _ in range(6)]
        turn(room, lambda: leases.give_back(room.dbs, [held[0].handle, held[3].handle]))
        assert grant(room, bound=True).item == b"a"
    with Room(tmp_path, "always") as room:
        assert recover(room, 2) == 5
        assert room("LRANGE", "q", 0, -1) == [b"a", b"b", b"c", b"d", b"e", b"f", b"g"]


# -- states -----------------------------------------------------------------------------------------------------------


def test_every_event_leads_somewhere_from_exactly_one_state() -> None:
    for event in Event:
        starts = [state for state in State if after(state, event) is not None]
        assert len(starts) == 1
    assert all(after(State.GONE, event) is None for event in Event)
