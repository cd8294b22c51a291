"""XREAD and XREADGROUP that wait: one entry serves all readers, one of each group; who loses his stream is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from spoold.core.reply import NULL_ARRAY
from support.reachable import assert_nothing_is_left_over
from support.room import Room

GONE = "UNBLOCKED the stream key no longer exists"
NO_GROUP = "NOGROUP the consumer group this client was blocked on no longer exists"


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    yield
    assert_nothing_is_left_over(room)
    assert not any(ks.waiting.needed for ks in room.dbs.all if not ks.waiting.queues)


class Client:
    """A client whose requests go through the dispatcher; `replies` are the values that it was answered."""

    def __init__(self, room: Room, *words: object) -> None:
        """words: a first request, which parks it."""
        self.room = room
        self.session = room.connect()
        self.replies: list[Any] = []
        self.session.encode = self._keep
        if words:
            self(*words)
            assert self.waits

    def _keep(self, reply: Any) -> bytes:
        self.replies.append(reply)
        return b""

    def __call__(self, *words: object) -> None:
        """Send one request in a turn of its own."""
        self.room.turn.receive(self.session, [[str(word).encode() for word in words]])
        self.room.turn.end()

    @property
    def waits(self) -> bool:
        """Whether it is parked."""
        return self.session.waiter is not None


def reader(room: Room, *keys: str) -> Client:
    """One that waits for what comes to any of the streams."""
    return Client(room, "XREAD", "BLOCK", 0, "STREAMS", *keys, *["$"] * len(keys))


def worker(room: Room, name: str, *keys: str) -> Client:
    """A consumer of the group `g` that waits."""
    return Client(room, "XREADGROUP", "GROUP", "g", name, "BLOCK", 0, "STREAMS", *keys, *[">"] * len(keys))


@pytest.fixture
def client(room: Room) -> Client:
    """One that sends; there is an empty stream `s` with the group `g`."""
    room("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    return Client(room)


def test_one_entry_serves_all_readers_and_one_of_each_group(room: Room, client: Client) -> None:
    room("XGROUP", "CREATE", "s", "h", "$")
    first, second = reader(room, "s"), reader(room, "s")
    alice, bob = worker(room, "alice", "s"), worker(room, "bob", "s")
    other = Client(room, "XREADGROUP", "GROUP", "h", "carol", "BLOCK", 0, "STREAMS", "s", ">")
    client("XADD", "s", "1-1", "f", "v")
    got = [[[b"s", [[b"1-1", [b"f", b"v"]]]]]]
    assert first.replies == second.replies == alice.replies == other.replies == got
    assert bob.waits
    client("XADD", "s", "1-2", "f", "v")
    assert not bob.waits
    assert room("XPENDING", "s", "g")[3] == [[b"alice", b"1"], [b"bob", b"1"]]


def test_who_waits_for_several_streams_gets_the_one_that_comes(room: Room, client: Client) -> None:
    waiting = reader(room, "t", "s")
    client("XADD", "s", "1-1", "f", "v")
    assert waiting.replies == [[[b"s", [[b"1-1", [b"f", b"v"]]]]]]


def test_a_transaction_serves_once_with_all_that_it_added(room: Room, client: Client) -> None:
    waiting = reader(room, "s")
    for words in ("MULTI", "XADD s 1-1 f a", "XADD s 1-2 f b", "EXEC"):
        client(*words.split())
    assert waiting.replies == [[[b"s", [[b"1-1", [b"f", b"a"]], [b"1-2", [b"f", b"b"]]]]]]


def test_what_is_removed_in_the_same_transaction_wakes_no_one(room: Room, client: Client) -> None:
    waiting, alice = reader(room, "s"), worker(room, "alice", "s")
    for words in ("MULTI", "XADD s 1-1 f a", "XDEL s 1-1", "EXEC"):
        client(*words.split())
    assert waiting.waits
    assert alice.waits


@pytest.mark.parametrize(
    "words",
    ["DEL s", "UNLINK s", "SET s v", "RENAME s t", "MOVE s 1", "FLUSHDB", "FLUSHALL", "EXPIRE s -1", "SWAPDB 0 1"],
)
def test_a_worker_is_told_that_its_stream_is_gone_and_a_reader_waits(room: Room, client: Client, words: str) -> None:
    alice, waiting = worker(room, "alice", "s"), reader(room, "s")
    client(*words.split())
    assert [str(reply) for reply in alice.replies] == [GONE]
    assert waiting.waits


def test_one_of_several_streams_that_goes_ends_the_wait(room: Room, client: Client) -> None:
    room("XGROUP", "CREATE", "t", "g", "$", "MKSTREAM")
    alice = worker(room, "alice", "s", "t")
    client("DEL", "t")
    assert [str(reply) for reply in alice.replies] == [GONE]
    assert not room.dbs[0].waiting.queues


def test_a_stream_that_falls_due_ends_the_wait(room: Room, client: Client) -> None:
    alice = worker(room, "alice", "s")
    client("PEXPIRE", "s", 10)
    room.clock.advance_ms(20)
    room.expire()
    client("PING")
    assert [str(reply) for reply in alice.replies] == [GONE]


def test_a_worker_is_told_that_its_group_is_gone(room: Room, client: Client) -> None:
    alice, waiting = worker(room, "alice", "s"), reader(room, "s")
    client("XGROUP", "DESTROY", "s", "g")
    assert [str(reply) for reply in alice.replies] == [NO_GROUP]
    assert waiting.waits


def test_a_stream_without_the_group_that_takes_the_name_ends_the_wait(room: Room, client: Client) -> None:
    alice = worker(room, "alice", "s")
    client("XADD", "t", "1-1", "f", "v")
    client("RENAME", "t", "s")
    assert [str(reply) for reply in alice.replies] == [NO_GROUP]


def test_a_stream_that_is_replaced_by_one_with_the_group_goes_on(room: Room, client: Client) -> None:
    alice = worker(room, "alice", "s")
    for words in ("MULTI", "DEL s", "XGROUP CREATE s g $ MKSTREAM", "EXEC"):
        client(*words.split())
    assert alice.waits
    client("XADD", "s", "1-1", "f", "v")
    assert alice.replies == [[[b"s", [[b"1-1", [b"f", b"v"]]]]]]


def test_setting_a_group_back_wakes_no_one_before_the_next_entry(room: Room, client: Client) -> None:
    client("XADD", "s", "1-1", "f", "v")
    room("XGROUP", "SETID", "s", "g", "$")
    alice = worker(room, "alice", "s")
    client("XGROUP", "SETID", "s", "g", "0")
    assert alice.waits
    client("XADD", "s", "1-2", "f", "v")
    assert [row[0] for row in alice.replies[0][0][1]] == [b"1-1", b"1-2"]


def test_who_waits_gets_what_it_asked_for_at_most(room: Room, client: Client) -> None:
    client("XADD", "s", "1-1", "f", "v")
    client("XDEL", "s", "1-1")
    waiting = Client(room, "XREAD", "COUNT", 1, "BLOCK", 0, "STREAMS", "s", "0")
    for words in ("MULTI", "XADD s 1-2 f a", "XADD s 1-3 f b", "EXEC"):
        client(*words.split())
    assert waiting.replies == [[[b"s", [[b"1-2", [b"f", b"a"]]]]]]


def test_nothing_waits_in_a_transaction(room: Room, client: Client) -> None:
    client("MULTI")
    client("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    client("XREADGROUP", "GROUP", "g", "a", "BLOCK", 0, "STREAMS", "s", ">")
    client("EXEC")
    assert client.replies[-1] == [NULL_ARRAY, NULL_ARRAY]


def test_a_list_under_the_name_serves_those_who_wait_for_lists(room: Room, client: Client) -> None:
    popper = Client(room, "BLPOP", "q", 0)
    client("XADD", "q", "1-1", "f", "v")
    assert popper.waits
    client("DEL", "q")
    client("RPUSH", "q", "x")
    assert popper.replies == [[b"q", b"x"]]


def test_a_thousand_workers_wait_for_one_entry(room: Room, client: Client) -> None:
    workers = [worker(room, f"w{number}", "s") for number in range(1000)]
    client("XADD", "s", "1-1", "f", "v")
    assert [each.waits for each in workers] == [False] + [True] * 999
    client("XGROUP", "DESTROY", "s", "g")
    assert not any(each.waits for each in workers)
