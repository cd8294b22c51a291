"""Parked callers: who is served, with what, in which order, and what becomes of them otherwise.

What Redis 7.0 does was tried with redis-server 7.0.15; the conformance suite compares random sequences with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from spoold.command.context import Context, Wait
from spoold.command.spec import BLOCKING, WRITE, Keys, command
from spoold.core.errors import WritesRefused
from spoold.datatypes.lists import store
from spoold.dispatch.alarm import Alarm
from spoold.dispatch.session import Session
from spoold.protocol.replies import encode2, encode3
from spoold.testing.clock import ManualClock
from support.reachable import assert_nothing_is_left_over
from support.room import Room

NO_ARRAY = b"*-1\r\n"
WRONG_TYPE = b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
INTERNAL = b"-ERR internal error: the turn was rolled back, see the server's log\r\n"


def pair(key: str, element: str) -> bytes:
    """BLPOP's reply."""
    return encode2([key.encode(), element.encode()])


class Timer:
    """A deadline that the test lets come."""

    def __init__(self, clock: ManualClock, delay_s: float, work: Callable[[], None]) -> None:
        """Set for `delay_s` from now."""
        self.clock = clock
        self.when_s = clock.monotonic_s() + delay_s
        self.delay_s = delay_s
        self.work = work
        self.cancelled = False

    def cancel(self) -> None:
        """No one wants to know any more."""
        self.cancelled = True

    def come(self) -> None:
        """The deadline is there; a timer may fire just as it is cancelled."""
        self.clock.advance_ms(max(0, round((self.when_s - self.clock.monotonic_s()) * 1000)))
        self.work()


class House:
    """A room with a loop of its own: clients whose bytes are looked at, and deadlines."""

    def __init__(self, room: Room) -> None:
        """Take the room's schedule and timers."""
        self.room = room
        self.timers: list[Timer] = []
        self.soon: list[Callable[[], object]] = []
        room.turn.schedule = self.soon.append
        room.dispatcher.alarm = partial(Alarm, self._call_later, room.clock.monotonic_s)

    def _call_later(self, delay_s: float, work: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.room.clock, delay_s, work))
        return self.timers[-1]

    def settle(self) -> None:
        """Let the loop run until nothing is left to do."""
        while self.soon:
            self.soon.pop(0)()

    def client(self, name: str = "client") -> Client:
        """A further client."""
        return Client(self, name)

    def waiter(self, *words: object, db: int = 0) -> Client:
        """A client that is parked with this command."""
        client = Client(self, " ".join(map(str, words)))
        client.session.ctx.select(db)
        assert client(*words) == b"", "it should wait"
        assert client.waits
        return client


class Client:
    """One connection: what it sends runs in a turn; what it receives is raw."""

    def __init__(self, house: House, name: str) -> None:
        """Connect, with RESP2."""
        self.house = house
        self.name = name
        self.received: list[bytes] = []
        self.session: Session = house.room.connect()
        self.session.encode = encode2
        self.session.send = self.received.append

    def send(self, *requests: str) -> None:
        """Send requests in one go, without letting the loop run."""
        self.house.room.turn.receive(self.session, [request.encode().split() for request in requests])

    def __call__(self, *words: object) -> bytes:
        """Send a request; returns what is received when all has settled."""
        self.house.room.turn.receive(self.session, [[str(word).encode() for word in words]])
        self.house.settle()
        return self.take()

    def take(self) -> bytes:
        """What was received since the last time."""
        data = b"".join(self.received)
        self.received.clear()
        return data

    def leave(self) -> None:
        """Disconnect."""
        self.house.room.dispatcher.leave(self.session)

    @property
    def waits(self) -> bool:
        """Whether it is parked."""
        return self.session.waiter is not None


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house that must be empty of waiters once all clients are gone."""
    with Room(tmp_path) as room:
        made = House(room)
        yield made
        for session in list(room.dispatcher.sessions):
            room.dispatcher.leave(session)
        made.settle()
        assert room.dispatcher.parked == 0
        for ks in room.dbs.all:
            assert not ks.waiting.queues
            assert not ks.observed
        assert_nothing_is_left_over(room)


@pytest.fixture
def producer(house: House) -> Client:
    """Who brings things."""
    return house.client("producer")


# -- order ----------------------------------------------------------------------------------------------------------


def test_who_waited_longest_is_served_first(house: House, producer: Client) -> None:
    waiting = [house.waiter("BLPOP", "q", 0) for _ in range(3)]
    assert producer("RPUSH", "q", "1") == b":1\r\n"
    assert [client.take() for client in waiting] == [pair("q", "1"), b"", b""]
    producer("RPUSH", "q", "2", "3", "4")
    assert [client.take() for client in waiting] == [b"", pair("q", "2"), pair("q", "3")]
    assert producer("LRANGE", "q", 0, -1) == encode2([b"4"])


def test_the_pushers_reply_counts_what_it_brought_before_it_was_taken(house: House, producer: Client) -> None:
    house.waiter("BLPOP", "q", 0)
    assert producer("RPUSH", "q", "1", "2") == b":2\r\n"
    assert producer("LLEN", "q") == b":1\r\n"


def test_waiters_see_the_list_as_the_whole_push_left_it(house: House, producer: Client) -> None:
    first, last = house.waiter("BLPOP", "q", 0), house.waiter("BRPOP", "q", 0)
    producer("LPUSH", "q", "1", "2", "3")
    assert first.take() == pair("q", "3")
    assert last.take() == pair("q", "1")


def test_waiting_again_means_waiting_behind_the_others(house: House, producer: Client) -> None:
    first, second = house.waiter("BLPOP", "q", 0), house.waiter("BLPOP", "q", 0)
    producer("RPUSH", "q", "1")
    assert first.take() == pair("q", "1")
    assert first("BLPOP", "q", 0) == b""
    producer("RPUSH", "q", "2")
    assert second.take() == pair("q", "2")
    assert first.waits


def test_a_waiter_on_several_keys_is_served_once(house: House, producer: Client) -> None:
    client = house.waiter("BLPOP", "x", "y", "x", "x", 0)
    producer("RPUSH", "y", "1")
    assert client.take() == pair("y", "1")
    producer("RPUSH", "x", "2")
    assert client.take() == b""
    assert producer("LLEN", "x") == b":1\r\n"


def test_keys_are_served_in_the_order_in_which_they_became_ready(house: House, producer: Client) -> None:
    client = house.waiter("BLPOP", "x", "y", "z", 0)
    producer.send("MULTI", "SET x string", "RPUSH z 1", "DEL x", "RPUSH y 2", "RPUSH x 3", "EXEC")
    house.settle()
    assert client.take() == pair("z", "1")
    producer.take()
    assert producer("EXISTS", "x", "y", "z") == b":2\r\n"


def test_waiters_of_all_kinds_share_one_queue(house: House, producer: Client) -> None:
    several = house.waiter("BLMPOP", 0, 1, "q", "LEFT", "COUNT", 2)
    head = house.waiter("BLPOP", "q", 0)
    mover = house.waiter("BLMOVE", "q", "d", "RIGHT", "LEFT", 0)
    tail = house.waiter("BRPOP", "q", 0)
    producer("RPUSH", "q", *"123456")
    assert several.take() == encode2([b"q", [b"1", b"2"]])
    assert head.take() == pair("q", "3")
    assert mover.take() == b"$1\r\n6\r\n"
    assert tail.take() == pair("q", "5")
    assert producer("LRANGE", "q", 0, -1) == encode2([b"4"])
    assert producer("LRANGE", "d", 0, -1) == encode2([b"6"])


def test_who_finds_the_list_empty_again_waits_on(house: House, producer: Client) -> None:
    greedy, next_ = house.waiter("BLMPOP", 0, 1, "q", "RIGHT", "COUNT", 10), house.waiter("BLPOP", "q", 0)
    producer("RPUSH", "q", "1", "2")
    assert greedy.take() == encode2([b"q", [b"2", b"1"]])
    assert next_.waits
    producer("RPUSH", "q", "3")
    assert next_.take() == pair("q", "3")


def test_a_thousand_waiters_are_served_in_order(house: House, producer: Client) -> None:
    waiting = [house.waiter("BLPOP", "q", 0) for _ in range(1000)]
    for number in range(500):
        producer("RPUSH", "q", number)
    producer("RPUSH", "q", *range(500, 1000))
    assert [client.take() for client in waiting] == [pair("q", str(number)) for number in range(1000)]


# -- moves ----------------------------------------------------------------------------------------------------------


def test_a_chain_of_moves_is_followed_to_its_end(house: House, producer: Client) -> None:
    last = house.waiter("BLPOP", "three", 0)
    second = house.waiter("BRPOPLPUSH", "two", "three", 0)
    first = house.waiter("BLMOVE", "one", "two", "LEFT", "RIGHT", 0)
    producer("RPUSH", "one", "x")
    assert (first.take(), second.take(), last.take()) == (b"$1\r\nx\r\n", b"$1\r\nx\r\n", pair("three", "x"))
    assert producer("DBSIZE") == b":0\r\n"


def test_a_circle_of_moves_ends_where_no_one_waits(house: House, producer: Client) -> None:
    house.waiter("BRPOPLPUSH", "one", "two", 0)
    house.waiter("BRPOPLPUSH", "two", "one", 0)
    producer("RPUSH", "one", "x")
    assert producer("LRANGE", "one", 0, -1) == encode2([b"x"])
    assert producer("EXISTS", "two") == b":0\r\n"


def test_a_move_within_one_list_serves_all_who_wait_for_it(house: House, producer: Client) -> None:
    waiting = [house.waiter("BLMOVE", "q", "q", "LEFT", "RIGHT", 0) for _ in range(3)]
    producer("RPUSH", "q", "a", "b")
    assert [client.take() for client in waiting] == [b"$1\r\na\r\n", b"$1\r\nb\r\n", b"$1\r\na\r\n"]
    assert producer("LRANGE", "q", 0, -1) == encode2([b"b", b"a"])


@pytest.mark.parametrize("move", ["LMOVE src dst LEFT RIGHT", "RPOPLPUSH src dst", "BLMOVE src dst LEFT RIGHT 0"])
def test_what_is_moved_wakes_who_waits_for_the_destination(house: House, producer: Client, move: str) -> None:
    client = house.waiter("BLPOP", "dst", 0)
    producer("RPUSH", "src", "1")
    assert producer(*move.split()) == b"$1\r\n1\r\n"
    assert client.take() == pair("dst", "1")


def test_a_destination_of_another_type_is_an_error_and_the_next_is_served(house: House, producer: Client) -> None:
    producer("SET", "dst", "v")
    mover, pusher = house.waiter("BLMOVE", "src", "dst", "LEFT", "LEFT", 0), house.waiter("BRPOPLPUSH", "src", "dst", 0)
    popper = house.waiter("BLPOP", "src", 0)
    producer("RPUSH", "src", "1")
    assert mover.take() == WRONG_TYPE
    assert pusher.take() == WRONG_TYPE
    assert popper.take() == pair("src", "1")


def test_a_served_move_breaks_the_watch_on_the_destination(house: House, producer: Client) -> None:
    watching = house.client()
    watching("WATCH", "dst")
    house.waiter("BLMOVE", "src", "dst", "LEFT", "LEFT", 0)
    producer("RPUSH", "src", "1")
    watching("MULTI")
    assert watching("EXEC") == NO_ARRAY


# -- other types, other databases -----------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", ["SET q v", "SADD q m", "APPEND q v", "SETBIT q 1 1"])
def test_another_type_wakes_no_one(house: House, producer: Client, request_: str) -> None:
    client = house.waiter("BLPOP", "q", 0)
    producer(*request_.split())
    assert client.waits
    producer("DEL", "q")
    producer("RPUSH", "q", "1")
    assert client.take() == pair("q", "1")


def test_a_key_of_another_type_does_not_keep_a_waiter_from_its_other_keys(house: House, producer: Client) -> None:
    client = house.waiter("BLPOP", "x", "y", 0)
    several = house.waiter("BLMPOP", 0, 2, "x", "y", "LEFT")
    producer("SET", "x", "string")
    producer("RPUSH", "y", "1", "2")
    assert client.take() == pair("y", "1")
    assert several.take() == encode2([b"y", [b"2"]])


def test_databases_are_apart(house: House, producer: Client) -> None:
    in_0, in_1 = house.waiter("BLPOP", "q", 0), house.waiter("BLPOP", "q", 0, db=1)
    producer("SELECT", 1)
    producer("RPUSH", "q", "1")
    assert in_1.take() == pair("q", "1")
    assert in_0.waits


def test_what_is_due_is_not_served(house: House, producer: Client) -> None:
    client = house.waiter("BLPOP", "q", 0)
    producer.send("MULTI", "RPUSH q 1", "PEXPIRE q -1", "EXEC")
    house.settle()
    assert client.waits


# -- transactions ---------------------------------------------------------------------------------------------------


def test_a_transaction_serves_at_its_end(house: House, producer: Client) -> None:
    first, second = house.waiter("BLPOP", "q", 0), house.waiter("BLPOP", "q", 0)
    producer.send("MULTI", "RPUSH q 1", "RPUSH q 2", "RPUSH q 3", "LLEN q", "EXEC")
    house.settle()
    assert producer.take().endswith(encode2([1, 2, 3, 3]))
    assert (first.take(), second.take()) == (pair("q", "1"), pair("q", "2"))


@pytest.mark.parametrize("gone", ["LPOP q", "DEL q", "RENAME q other", "FLUSHDB", "SWAPDB 0 1", "LTRIM q 1 0"])
def test_what_a_transaction_takes_away_again_serves_no_one(house: House, producer: Client, gone: str) -> None:
    client = house.waiter("BLPOP", "q", 0)
    producer.send("MULTI", "RPUSH q 1", gone, "EXEC")
    house.settle()
    assert client.waits
    producer.send("MULTI", "RPUSH q 1", gone, "SET q string", "EXEC")
    house.settle()
    assert client.waits


def test_nothing_blocks_inside_a_transaction(house: House, producer: Client) -> None:
    requests = ["BLPOP q 0", "BRPOP q 0", "BLMPOP 0 1 q LEFT", "BLMOVE q d LEFT LEFT 0", "BRPOPLPUSH q d 0"]
    producer.send("MULTI", *requests, "EXEC")
    house.settle()
    # As in Redis 7.0, a move answers otherwise here than at its deadline.
    assert producer.take().endswith(b"*5\r\n*-1\r\n*-1\r\n*-1\r\n$-1\r\n$-1\r\n")
    producer.send("MULTI", "RPUSH q 1 2 3 4 5", *requests, "EXEC")
    house.settle()
    assert producer.take().endswith(encode2([5, [b"q", b"1"], [b"q", b"5"], [b"q", [b"2"]], b"3", b"4"]))


# -- deadlines ------------------------------------------------------------------------------------------------------

BLOCKING_REQUESTS = [
    "BLPOP q 1.5",
    "BRPOP q 1.5",
    "BLMPOP 1.5 1 q LEFT",
    "BLMOVE q d LEFT LEFT 1.5",
    "BRPOPLPUSH q d 1.5",
]


@pytest.mark.parametrize("request_", BLOCKING_REQUESTS)
def test_a_deadline_is_answered_without_anything(house: House, producer: Client, request_: str) -> None:
    client = house.waiter(*request_.split())
    (timer,) = house.timers
    assert timer.delay_s == 1.5
    timer.come()
    house.settle()
    assert client.take() == NO_ARRAY
    producer("RPUSH", "q", "1")
    assert client.take() == b""
    assert producer("LLEN", "q") == b":1\r\n"


@pytest.mark.parametrize("request_", BLOCKING_REQUESTS)
def test_a_deadline_in_resp3(house: House, request_: str) -> None:
    client = house.waiter(*request_.split())
    client.session.encode = encode3
    house.timers[0].come()
    house.settle()
    assert client.take() == b"_\r\n"


def test_no_deadline_is_for_ever(house: House) -> None:
    house.waiter("BLPOP", "q", 0)
    assert house.timers == []


def test_who_is_served_or_gone_has_no_deadline(house: House, producer: Client) -> None:
    served, gone = house.waiter("BLPOP", "q", 5), house.waiter("BLPOP", "q", 5)
    producer("RPUSH", "q", "1")
    gone.leave()
    assert [timer.cancelled for timer in house.timers] == [True, True]
    assert served.take() == pair("q", "1")
    assert served("BLPOP", "q", 5) == b""
    for timer in house.timers[:2]:
        timer.come()
    house.settle()
    assert served.waits
    assert served.take() == b""


# -- who is gone, what is behind ------------------------------------------------------------------------------------


def test_who_is_gone_gives_up_its_place(house: House, producer: Client) -> None:
    first, second = house.waiter("BLPOP", "q", "other", 0), house.waiter("BLPOP", "q", 0)
    first.leave()
    producer("RPUSH", "q", "1")
    assert second.take() == pair("q", "1")
    assert producer("EXISTS", "q") == b":0\r\n"


def test_who_timed_out_gives_up_its_place(house: House, producer: Client) -> None:
    house.waiter("BLPOP", "q", 1)
    second = house.waiter("BLPOP", "q", 0)
    house.timers[0].come()
    producer("RPUSH", "q", "1")
    assert second.take() == pair("q", "1")


def test_requests_behind_a_waiting_one_wait_in_order(house: House, producer: Client) -> None:
    client = house.client()
    client.send("SET a 1", "BLPOP q 0", "APPEND a 2", "BLPOP q 0", "GET a")
    house.settle()
    client.send("APPEND a 3")
    house.settle()
    assert client.take() == b"+OK\r\n"
    producer("RPUSH", "q", "x")
    assert client.take() == pair("q", "x") + b":2\r\n"
    assert client.waits
    producer("RPUSH", "q", "y")
    assert client.take() == pair("q", "y") + b"$2\r\n12\r\n:3\r\n"


def test_reading_goes_on_once_what_waited_has_run(house: House, producer: Client) -> None:
    client = house.client()
    held: list[bool] = []
    client.session.wire.hold_reading = held.append  # type: ignore[method-assign]
    client.send("BLPOP q 0", *["PING"] * 10)
    house.settle()
    assert held == []
    producer("RPUSH", "q", "x")
    assert held == [False]


def test_a_broken_stream_is_told_after_the_reply(house: House, producer: Client) -> None:
    client = house.waiter("BLPOP", "q", 0)
    house.room.dispatcher.break_off(client.session, b"-ERR Protocol error: nonsense\r\n")
    house.settle()
    assert client.take() == b""
    producer("RPUSH", "q", "x")
    assert client.take() == pair("q", "x") + b"-ERR Protocol error: nonsense\r\n"
    assert client.session.closing


def test_a_reply_that_no_one_wants_is_not_sent(house: House, producer: Client) -> None:
    off, skip = house.client(), house.client()
    off.session.mute = True
    off.session.settle()
    skip.session.skip_reply = 1
    skip.session.settle()
    assert off("BLPOP", "q", 0) == skip("BLPOP", "q", 0) == b""
    producer("RPUSH", "q", "1", "2")
    assert off.take() == skip.take() == b""
    assert producer("EXISTS", "q") == b":0\r\n"
    assert skip("PING") == b"+PONG\r\n"
    assert off("PING") == b""


def test_a_waiting_command_is_counted_once_it_is_answered(house: House, producer: Client) -> None:
    entry = house.room.table.find(b"BLPOP")
    assert entry is not None
    house.waiter("BLPOP", "q", 0)
    house.waiter("BLPOP", "q", 1)
    assert entry.calls == 0
    producer("RPUSH", "q", "1")
    assert entry.calls == 1
    house.timers[0].come()
    assert entry.calls == 2


# -- a turn that is rolled back -------------------------------------------------------------------------------------


def refuse_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next turn that writes can't be made durable."""
    commit = room.commit.commit_turn

    def refuse() -> bool:
        monkeypatch.setattr(room.commit, "commit_turn", commit)
        raise WritesRefused("disk full")

    monkeypatch.setattr(room.commit, "commit_turn", refuse)


def test_who_was_served_by_a_turn_that_is_rolled_back_waits_on_in_front(
    house: House, producer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = house.waiter("BLPOP", "q", 5), house.waiter("BLPOP", "x", "q", 0)
    third = house.waiter("BLPOP", "q", 0)
    house.room.clock.advance_ms(2000)
    refuse_once(house.room, monkeypatch)
    assert producer("RPUSH", "q", "1", "2").startswith(b"-MISCONF ")
    assert (first.take(), second.take()) == (b"", b"")
    assert first.waits
    assert second.waits
    assert producer("EXISTS", "q") == b":0\r\n"
    assert [timer.delay_s for timer in house.timers if not timer.cancelled] == [3]
    producer("RPUSH", "q", "3")
    assert first.take() == pair("q", "3")
    producer("RPUSH", "q", "4", "5")
    assert (second.take(), third.take()) == (pair("q", "4"), pair("q", "5"))


def test_who_began_to_wait_in_a_turn_that_is_rolled_back_waits_on(
    house: House, producer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = house.client()
    refuse_once(house.room, monkeypatch)
    client.send("SET k v", "BLPOP q 0", "PING")
    producer.send("RPUSH q 1")
    house.settle()
    assert producer.take().startswith(b"-MISCONF ")
    assert client.take().startswith(b"-MISCONF ")
    assert client.waits
    producer("RPUSH", "q", "2")
    assert client.take() == pair("q", "2") + b"+PONG\r\n"


def test_who_sent_more_in_a_turn_that_is_rolled_back_gets_an_error_for_each(
    house: House, producer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = house.waiter("BLPOP", "q", 0)
    refuse_once(house.room, monkeypatch)
    producer.send("RPUSH q 1")
    client.send("PING")
    house.settle()
    assert client.take().count(b"-MISCONF ") == 2
    assert not client.waits


def test_a_fault_while_serving_is_one_error_for_who_pushed(
    house: House, producer: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = house.waiter("BLPOP", "q", 0), house.waiter("BLMPOP", 0, 1, "q", "LEFT")
    pop_many = store.pop_many

    def fail(*arguments: Any) -> None:
        monkeypatch.setattr(store, "pop_many", pop_many)
        raise ZeroDivisionError

    monkeypatch.setattr(store, "pop_many", fail)
    producer.send("PING", "RPUSH q 1 2", "PING")
    house.settle()
    assert producer.take() == INTERNAL * 2 + b"+PONG\r\n"
    assert first.waits
    assert second.waits
    assert "ZeroDivisionError" in caplog.text
    producer("RPUSH", "q", "3", "4")
    assert (first.take(), second.take()) == (pair("q", "3"), encode2([b"q", [b"4"]]))


# -- a command that does not say how to serve it --------------------------------------------------------------------


@command("TAKEALL", flags=WRITE | BLOCKING, keys=Keys(1), since="1.0.0", syntax="TAKEALL key [key ...]", group="test")
def takeall(ctx: Context, key: bytes, *keys: bytes) -> Any:
    """Takes the heads of all lists at once."""
    if all(store.length(ctx.ks, name) for name in (key, *keys)):
        return [store.pop(ctx.ks, name, store.HEAD) for name in (key, *keys)]
    return Wait((key, *keys), 0, None)


def test_such_a_command_runs_again_until_it_has_what_it_wants(tmp_path: Path) -> None:
    module = ModuleType(takeall.__module__)
    module.takeall = takeall  # type: ignore[attr-defined]
    with Room(tmp_path, modules=(module,)) as room:
        house = House(room)
        producer = house.client()
        client = house.waiter("TAKEALL", "a", "b")
        producer("RPUSH", "a", "1")
        assert client.waits
        producer("SET", "b", "string")
        producer("RPUSH", "a", "2")
        assert client.waits
        producer("DEL", "b")
        producer("RPUSH", "b", "3")
        assert client.take() == encode2([b"1", b"3"])
