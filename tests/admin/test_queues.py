"""SPOOLD QUEUES, LEASES and PEEK: what operators see of queues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spoold.admin.traffic import INTEREST_MS
from spoold.core.errors import BadCursor, NotAnInteger, SyntaxFault
from spoold.datatypes.jobs import leases
from spoold.datatypes.jobs import schedule as schedules
from support.room import Room


def queues(room: Room, *options: Any) -> dict[bytes, dict[bytes, Any]]:
    """All pages together."""
    found: dict[bytes, dict[bytes, Any]] = {}
    cursor: Any = 0
    while True:
        cursor, page = room("SPOOLD", "QUEUES", cursor, *options)
        for queue in page:
            assert queue[b"name"] not in found
            found[queue[b"name"]] = queue
        if cursor == b"0":
            return found


def grant(room: Room, queue: bytes, **options: Any) -> None:
    room.turn.begin()
    assert leases.grant(room.dbs[room.session.ctx.ks.index], queue, b"worker", **options)
    room.turn.end()


def test_every_kind_of_queue_is_listed_and_nothing_else(room: Room) -> None:
    room("RPUSH", "list", "a", "b")
    room("SADD", "set", "a")
    room("ZADD", "zset", 1, "a", 2, "b", 3, "c")
    room("XADD", "stream", "5000-0", "f", "v")
    room.turn.begin()
    schedules.add(room.dbs[0], b"schedule", 7_000_000, b"v")
    room.turn.end()
    room("SET", "string", "x")
    room("HSET", "hash", "f", "v")
    room("PFADD", "hll", "x")
    found = queues(room)
    assert {name: (each[b"type"], each[b"length"]) for name, each in found.items()} == {
        b"list": (b"list", 2),
        b"set": (b"set", 1),
        b"zset": (b"zset", 3),
        b"stream": (b"stream", 1),
        b"schedule": (b"schedule", 1),
    }
    assert found[b"stream"][b"oldest-ms"] == 5000
    assert found[b"schedule"][b"oldest-ms"] == 7000
    assert found[b"list"][b"oldest-ms"] is None
    assert found[b"zset"][b"added"] is None


def test_pages_hold_every_queue_once(room: Room) -> None:
    for number in range(57):
        room("RPUSH", f"q{number}", "x")
        room("SET", f"s{number}", "x")
    assert len(queues(room, "COUNT", 10)) == 57
    assert set(queues(room, "COUNT", 7, "MATCH", "q1*")) == {b"q1", *(b"q%d" % number for number in range(10, 20))}
    room("SELECT", 3)
    assert queues(room) == {}


def test_a_page_looks_at_a_bounded_number_of_keys(room: Room) -> None:
    room("MSET", *(word for number in range(2500) for word in (f"s{number}", "x")))
    cursor, page = room("SPOOLD", "QUEUES", 0, "COUNT", 1_000_000)
    assert cursor != b"0"
    assert page == []


def test_counters_rise_whichever_way_a_list_is_used(room: Room) -> None:
    queues(room)
    for push, pop in (("RPUSH", "LPOP"), ("LPUSH", "RPOP")):
        for _ in range(5):
            room(push, push, "x")
        for _ in range(3):
            room(pop, push)
        assert (queues(room)[push.encode()][b"added"], queues(room)[push.encode()][b"taken"]) == (5, 3)


def test_a_queue_that_workers_keep_empty_is_no_idle_one(room: Room) -> None:
    room("RPUSH", "q", "x")
    before = queues(room)[b"q"]
    for _ in range(10):
        room("RPUSH", "q", "x")
        room("LPOP", "q")
    room("LPOP", "q")
    after = queues(room)[b"q"]
    assert (after[b"type"], after[b"length"]) == (b"none", 0)
    assert after[b"added"] - before[b"added"] == 10
    assert after[b"taken"] - before[b"taken"] == 11


def test_counting_ends_when_no_one_asks(room: Room) -> None:
    queues(room)
    assert room.dbs.on_emptied is not None
    room.clock.advance_ms(INTEREST_MS + 1)
    room("RPUSH", "q", "x")
    room("LPOP", "q")
    assert room.dbs.on_emptied is None
    assert queues(room) == {}


def test_sets_schedules_and_streams_count_too(room: Room) -> None:
    room("SADD", "s", 1, 2, 3)
    room("SPOP", "s")
    room("XADD", "x", "*", "f", "v")
    room("XADD", "x", "*", "f", "v")
    room("XTRIM", "x", "MAXLEN", 1)
    found = queues(room)
    assert (found[b"s"][b"added"], found[b"s"][b"taken"]) == (3, 1)
    assert (found[b"x"][b"added"], found[b"x"][b"taken"]) == (2, 1)


def test_leases_are_counted_and_listed(room: Room) -> None:
    room("RPUSH", "q", "first", "second", "third")
    room("RPUSH", "p", "one")
    grant(room, b"q", deadline_ms=room.dbs.now_ms + 5000)
    grant(room, b"q", bound=True)
    grant(room, b"p")
    found = queues(room)
    assert found[b"q"][b"leases"] == 2
    assert (found[b"p"][b"type"], found[b"p"][b"leases"]) == (b"none", 1)
    cursor, listed = room("SPOOLD", "LEASES", 0)
    assert cursor == b"0"
    assert [(each[b"queue"], each[b"bytes"], each[b"bound"], each[b"attempts"]) for each in listed] == [
        (b"p", 3, 0, 1),
        (b"q", 5, 0, 1),
        (b"q", 6, 1, 1),
    ]
    assert listed[1][b"deadline-ms"] == room.dbs.now_ms + 5000
    assert listed[0][b"owner"] == b"worker"
    cursor, one = room("SPOOLD", "LEASES", 0, "COUNT", 2)
    assert len(one) == 2
    cursor, rest = room("SPOOLD", "LEASES", cursor, "COUNT", 2)
    assert (cursor, one + rest) == (b"0", listed)
    assert room("SPOOLD", "LEASES", 0, "QUEUE", "q") == [b"0", listed[1:]]
    assert room("SPOOLD", "LEASES", 0, "QUEUE", "none") == [b"0", []]


def test_peek_shows_what_would_be_taken_next(room: Room) -> None:
    room("RPUSH", "list", *range(20))
    room("SADD", "set", "b", "a", "c")
    room("ZADD", "zset", 2, "b", 1, "a")
    room("XADD", "stream", "1-1", "f", "v")
    room("HSET", "hash", "f", "v")
    room("SET", "string", "value")
    room.turn.begin()
    schedules.add(room.dbs[0], b"schedule", -5, b"past")
    room.turn.end()
    assert room("SPOOLD", "PEEK", "list", 2) == [[b"0"], [b"1"]]
    assert len(room("SPOOLD", "PEEK", "list")) == 10
    assert len(room("SPOOLD", "PEEK", "list", 1 << 40)) == 20
    assert room("SPOOLD", "PEEK", "list", 0) == []
    assert room("SPOOLD", "PEEK", "set", 2) == [[b"b"], [b"a"]]
    assert room("SPOOLD", "PEEK", "zset") == [[b"a", 1.0], [b"b", 2.0]]
    assert room("SPOOLD", "PEEK", "stream") == [[b"1-1", b"f", b"v"]]
    assert room("SPOOLD", "PEEK", "hash") == [[b"f", b"v"]]
    assert room("SPOOLD", "PEEK", "string") == [[b"value"]]
    assert room("SPOOLD", "PEEK", "schedule") == [[-5, b"past"]]
    assert room("SPOOLD", "PEEK", "none") == []
    assert room("LLEN", "list") == 20


def test_who_waits_is_counted(tmp_path: Path, spoold_server: Any) -> None:
    redis = pytest.importorskip("redis")
    client = redis.Redis(port=spoold_server.port, protocol=2)
    waiters = [redis.Redis(port=spoold_server.port).connection_pool.get_connection() for _ in range(3)]
    for waiter in waiters:
        waiter.send_command("BLPOP", "q", "0")
    while client.info("clients")["blocked_clients"] < 3:
        pass
    (_, page) = client.execute_command("SPOOLD", "QUEUES", "0")
    queue = dict(zip(page[0][::2], page[0][1::2], strict=True))
    assert (queue[b"name"], queue[b"type"], queue[b"waiting"]) == (b"q", b"none", 3)
    for waiter in waiters:
        waiter.disconnect()


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (("QUEUES", "x"), BadCursor),
        (("QUEUES", "0", "COUNT", "x"), NotAnInteger),
        (("QUEUES", "0", "COUNT", "0"), SyntaxFault),
        (("QUEUES", "0", "QUEUE", "q"), SyntaxFault),
        (("QUEUES", "0", "MATCH"), SyntaxFault),
        (("LEASES", "0", "MATCH", "q"), SyntaxFault),
        (("PEEK", "q", "x"), NotAnInteger),
    ],
)
def test_bad_arguments_are_refused(room: Room, request_: tuple[str, ...], error: type[Exception]) -> None:
    assert isinstance(room("SPOOLD", *request_), error)
