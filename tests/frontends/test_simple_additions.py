"""What spoold adds to the simple protocol: priorities, waiting, counters, name spaces; on a server without sockets."""

from __future__ import annotations

import math

import pytest

from spoold.core.errors import WrongType
from spoold.frontends.simple_verbs import BadAmount, BadLimit, BadPriority, BadTimeout, NotACounter
from spoold.protocol.simple import Value, ValueReader, encode
from support.reachable import assert_nothing_is_left_over
from support.room import Room
from support.simple_link import SimpleLink, refusal


class Parked:
    """A further client that has sent one request and waits."""

    def __init__(self, room: Room, *words: Value) -> None:
        self.link = SimpleLink(room)
        assert self.link.send(encode([*words])) == b""

    @property
    def reply(self) -> Value:
        """What was answered; fails if nothing was."""
        reader = ValueReader()
        (reply,) = reader.feed(self.link._written)
        self.link._written = b""
        return reply

    @property
    def waits(self) -> bool:
        """Whether nothing was answered."""
        return not self.link._written


# -- priorities -------------------------------------------------------------------------------------------------------


def test_higher_priorities_come_first_and_equal_ones_in_order(link: SimpleLink) -> None:
    for at, priority in enumerate([0, 5, None, -1, 5, 2.5, -0.0, -1, 1e308, 5e-324, -5e-324]):
        assert link("ENQUEUE", "q", at, priority) == 1
    link("ENQUEUE", "q", "plain")
    order = [8, 1, 4, 5, 9, 0, 2, 6, b"plain", 10, 3, 7]
    assert link("ITEMS", "q") == order
    for limit in range(14):
        assert link("ITEMS", "q", limit) == order[:limit]
    assert link("LENGTH", "q") == 12
    assert [link("DEQUEUE", "q") for _ in range(13)] == [*order, None]


def test_a_queue_of_priorities_leaves_nothing_behind(link: SimpleLink, room: Room) -> None:
    for at in range(300):
        link("ENQUEUE", "q", at, at % 7 - 3)
    for _ in range(300):
        link("DEQUEUE", "q")
    link("ENQUEUE", "q", "x", 1)
    assert link("FLUSH", "q") == 1
    assert link("LENGTH", "q") == 0
    link("FLUSHALL")
    assert room("DBSIZE") == 0
    room.reclaim()
    assert_nothing_is_left_over(room)


def test_remove_looks_among_values_without_a_priority_first(link: SimpleLink) -> None:
    for priority in (1, None, -1):
        link("ENQUEUE", "q", [1, 2.0], priority)
        link("ENQUEUE", "q", b"x", priority)
    for value in ([1.0, 2], b"x"):
        assert [link("REMOVE", "q", value) for _ in range(4)] == [1, 1, 1, 0]
    assert link("LENGTH", "q") == 0


def test_a_list_that_another_door_pushes_to_stands_between_the_priorities(link: SimpleLink, room: Room) -> None:
    link("ENQUEUE", "q", "urgent", 1)
    link("ENQUEUE", "q", "late", -1)
    room("RPUSH", "q", "pushed")
    assert [link("DEQUEUE", "q") for _ in range(4)] == [b"urgent", b"pushed", b"late", None]


@pytest.mark.parametrize("priority", ["1", [1], {}, 10**400], ids=lambda value: repr(value)[:9])
def test_a_priority_is_a_number(link: SimpleLink, priority: Value) -> None:
    assert link.error(["ENQUEUE", "q", "x", priority]) == refusal(BadPriority)
    assert link("LENGTH", "q") == 0


def test_a_key_of_another_type_in_the_place_of_priorities_is_an_error(link: SimpleLink, room: Room) -> None:
    room("SET", "simple:priorities:q", "v")
    for request in (["ENQUEUE", "q", "x", 1], ["DEQUEUE", "q"], ["LENGTH", "q"], ["ITEMS", "q"], ["FLUSH", "q"]):
        assert link.error(request) == refusal(WrongType)
    assert link("ENQUEUE", "q", "x") == 1
    assert room("LLEN", "q") == 1


def test_a_queue_may_have_the_name_of_a_store(link: SimpleLink) -> None:
    names = ["simple:kv", "simple:kv:a", "simple:priorities:q", "simple:counters", "simple:schedule:x", "simple:other"]
    for at, name in enumerate(names):
        link("ENQUEUE", name, at)
        link("ENQUEUE", name, at, 1)
    link("ENQUEUE", "q", "x", 1)
    link("SET", "k", "v")
    assert [link("LENGTH", name) for name in names] == [2] * len(names)
    assert [link("DEQUEUE", name) for name in names] == [*range(len(names))]


# -- waiting ----------------------------------------------------------------------------------------------------------


def test_a_dequeue_waits_until_something_comes(link: SimpleLink, room: Room) -> None:
    first, second, third = (Parked(room, "DEQUEUE", "q", None) for _ in range(3))
    link("ENQUEUE", "q", [1])
    assert first.reply == [1]
    assert second.waits
    link("ENQUEUE", "q", "urgent", 1)
    assert second.reply == b"urgent"
    room("RPUSH", "q", "pushed")
    room.turn.begin()
    room.dispatcher.serve()
    room.turn.end()
    assert third.reply == b"pushed"
    assert link("LENGTH", "q") == 0


def test_who_waits_gets_null_at_the_deadline(room: Room) -> None:
    parked = Parked(room, "DEQUEUE", "q", 1.5)
    waiter = parked.link.frontend.session.waiter
    assert waiter is not None
    assert math.isclose(waiter.timer.deadline_s, room.clock.monotonic_s() + 1.5)
    room.dispatcher._timed_out(waiter)
    room.turn.end()
    assert parked.reply is None


def test_zero_seconds_do_not_wait(link: SimpleLink) -> None:
    assert link("DEQUEUE", "q", 0) is None
    assert link("WAIT", "k", 0) == 0


def test_a_wait_ends_when_the_key_has_a_value(link: SimpleLink, room: Room) -> None:
    for request in (["SET", "k", None], ["SETNX", "k", 1], ["MSET", "a", 1, "k", 2]):
        parked = [Parked(room, "WAIT", "k"), Parked(room, "WAIT", "k", 10)]
        link("SET", "other", 1)
        link("SETNX", "other", 1)
        assert all(client.waits for client in parked)
        link(*request)
        assert [client.reply for client in parked] == [1, 1]
        assert link("WAIT", "k") == 1
        link("DELETE", "k")
    room("RPUSH", b"simple:kv\0k", "x")  # what only looks like it
    parked = [Parked(room, "WAIT", "k")]
    room("RPUSH", b"simple:kv\0k", "x")
    assert parked[0].waits


def test_what_is_sent_behind_a_wait_is_answered_behind_it(link: SimpleLink, room: Room) -> None:
    client = SimpleLink(room)
    assert client.send(encode(["DEQUEUE", "q", None]) + encode(["LENGTH", "q"])) == b""
    link("ENQUEUE", "q", "x")
    room.dispatcher.go_on(client.frontend.session)
    room.turn.end()
    assert client._written == b"$1\r\nx\r\n:0\r\n"


@pytest.mark.parametrize("timeout", ["1", -1, -0.1, [], 1e10])
def test_a_time_out_is_a_number(link: SimpleLink, timeout: Value) -> None:
    assert link.error(["DEQUEUE", "q", timeout]) == refusal(BadTimeout)
    assert link.error(["WAIT", "q", timeout]) == refusal(BadTimeout)


@pytest.mark.parametrize("limit", ["1", -1, 1.0, []])
def test_a_limit_is_an_integer(link: SimpleLink, limit: Value) -> None:
    assert link.error(["ITEMS", "q", limit]) == refusal(BadLimit)
    assert link.error(["SCHEDULED", limit]) == refusal(BadLimit)


# -- looking, counters, name spaces -----------------------------------------------------------------------------------


def test_looking_takes_nothing(link: SimpleLink) -> None:
    for second in (3, 1, 2):
        link("ADD", f"2020-01-01 00:00:0{second}", [second])
    assert link("SCHEDULED") == [[1], [2], [3]]
    assert link("SCHEDULED", 2) == [[1], [2]]
    assert link("LENGTH_SCHEDULE") == 3
    link("MSET", "k", 1, 2, None, None, [3.5])
    assert link("ITEMS_KV") == {b"k": 1, 2: None, None: [3.5]}
    assert link("LENGTH_KV") == 3


def test_counters(link: SimpleLink) -> None:
    assert link("INCR", "c") == 1
    assert link("INCR", "c", 41) == 42
    assert link("INCR", "c", -50) == -8
    assert link("INCR", 1, 0) == 0
    assert link("GET", "c") is None
    assert link("INCR", "c", 2**63 - 1 + 8) == 2**63 - 1
    assert link.error(["INCR", "c"]) == refusal(NotACounter)
    assert link.error(["INCR", "c", 1.5]) == refusal(BadAmount)
    assert link.error(["INCR", "c", "1"]) == refusal(BadAmount)
    assert link("INCR", "c", 0) == 2**63 - 1
    assert link("DELETE_COUNTER", "c") == 1
    assert link("DELETE_COUNTER", "c") == 0
    assert link("INCR", "c") == 1
    assert link("FLUSH_COUNTERS") == 2
    assert link("FLUSH_COUNTERS") == 0


def test_a_name_space_is_the_connections_own(room: Room) -> None:
    clients = {name: SimpleLink(room) for name in (None, "a", b"b", 1)}
    for name, client in clients.items():
        if name is not None:
            assert client("USE", name) == 1
        client("SET", "k", name)
        client("ADD", "2020-01-01 00:00:00", name)
        client("INCR", "c", 1)
        client("ENQUEUE", "q", name)
    for name, client in clients.items():
        value = name.encode() if isinstance(name, str) else name
        assert client("GET", "k") == value
        assert client("SCHEDULED") == [value]
        assert client("INCR", "c", 0) == 1
        assert client("LENGTH", "q") == 4
    assert room("HLEN", "simple:kv:a") == 1
    clients["a"]("FLUSHALL")
    assert clients["a"]("ITEMS_KV") == {}
    assert clients[b"b"]("READ", "2020-01-01 00:00:00") == [b"b"]
    assert clients[None]("LENGTH_KV") == 1
    assert clients["a"]("USE", None) == 1
    assert clients["a"]("GET", "k") is None  # the one of all holds null
    assert clients["a"]("EXISTS", "k") == 1
    again = SimpleLink(room)
    assert again("EXISTS", "k") == 1
