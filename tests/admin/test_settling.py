"""SPOOLD QUEUE, RETURN and DROP: one queue, and what was taken from it and is not settled."""

from __future__ import annotations

import pytest

from spoold.core.errors import NotAnInteger
from spoold.datatypes.jobs import leases
from support.room import Room


def grant(room: Room, queue: bytes) -> int:
    room.turn.begin()
    lease = leases.grant(room.dbs[0], queue, b"worker", bound=True)
    room.turn.end()
    assert lease is not None
    return lease.handle.id


def test_one_queue_is_told_as_in_the_list(room: Room) -> None:
    room("RPUSH", "q", "a", "b")
    room("RPUSH", "other", "a")
    listed = {queue[b"name"]: queue for queue in room("SPOOLD", "QUEUES", 0)[1]}
    assert room("SPOOLD", "QUEUE", "q") == listed[b"q"]
    assert room("SPOOLD", "QUEUE", "q")[b"length"] == 2


@pytest.mark.parametrize("make", [(), ("SET", "k", "v"), ("HSET", "k", "f", "v")], ids=["missing", "string", "hash"])
def test_what_is_no_queue_has_no_type(room: Room, make: tuple[str, ...]) -> None:
    if make:
        room(*make)
    told = room("SPOOLD", "QUEUE", "k")
    assert (told[b"name"], told[b"type"], told[b"length"]) == (b"k", b"none", 0)


def test_items_that_are_returned_are_at_the_head_in_their_old_order(room: Room) -> None:
    room("RPUSH", "q", "a", "b", "c")
    first, second = grant(room, b"q"), grant(room, b"q")
    assert room("SPOOLD", "RETURN", "q", second, first, first, 999, -1) == 2
    assert room("LRANGE", "q", 0, -1) == [b"a", b"b", b"c"]
    assert room("SPOOLD", "LEASES", 0)[1] == []
    assert room("SPOOLD", "RETURN", "q", first) == 0


def test_items_that_are_dropped_are_gone(room: Room) -> None:
    room("RPUSH", "q", "a", "b")
    first, second = grant(room, b"q"), grant(room, b"q")
    assert room("SPOOLD", "DROP", "q", first, first, -7) == 1
    assert [lease[b"id"] for lease in room("SPOOLD", "LEASES", 0)[1]] == [second]
    assert room("EXISTS", "q") == 0


def test_a_lease_of_another_queue_is_left_alone(room: Room) -> None:
    room("RPUSH", "q", "a")
    lease = grant(room, b"q")
    assert room("SPOOLD", "RETURN", "other", lease) == 0
    assert room("SPOOLD", "DROP", "other", lease) == 0
    assert len(room("SPOOLD", "LEASES", 0)[1]) == 1


@pytest.mark.parametrize("word", ["RETURN", "DROP"])
def test_ids_are_numbers(room: Room, word: str) -> None:
    assert isinstance(room("SPOOLD", word, "q", "x"), NotAnInteger)
