"""The queue door over time: waiting, connections that go, monitor, turns that are rolled back, the next start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spoold.core.errors import WritesRefused
from spoold.datatypes.jobs import leases, store
from spoold.datatypes.jobs.leases import RETRY_MS
from spoold.frontends.memcached_queue_verbs import MAX_OPEN
from spoold.server.queue_duties import QueueDuties
from support.queue_server import QueueClient, QueueServer
from support.reachable import assert_nothing_is_left_over
from support.server import Client

END = "END"


# -- waiting ----------------------------------------------------------------------------------------------------------


def test_a_get_waits_for_an_item_from_either_door(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    assert queue("get q/t=1000") == ""
    redis("RPUSH", "q", "a", "b")
    assert queue.read() == b"VALUE q/t=1000 0 1\r\na\r\nEND\r\n"
    assert queue("get q/t=1000/open") == "VALUE q/t=1000/open 0 1 b END"
    assert queue("get q/t=1000/close/open") == ""
    server.queue().put("q", "c", 4)
    assert queue.read() == b"VALUE q/t=1000/close/open 4 1\r\nc\r\nEND\r\n"
    assert redis("EXISTS", "q") == 0


def test_a_wait_ends_with_end(server: QueueServer, queue: QueueClient) -> None:
    assert queue("get q/t=250") == ""
    server.advance_ms(249)
    assert queue.read() == b""
    server.advance_ms(1)
    assert queue.read() == b"END\r\n"
    assert queue("get q/t=0") == END


def test_a_client_of_redis_gets_what_is_set_here(queue: QueueClient, redis: Client) -> None:
    redis.send("BLPOP", "q", 0)
    queue.put("q", "a", 3)
    assert redis.replies() == [[b"q", b"a"]]
    assert queue("get q") == END


def test_waiters_are_served_in_the_order_in_which_they_came(server: QueueServer, redis: Client) -> None:
    clients = [server.queue() for _ in range(4)]
    keys = ["q/t=1000", "q/t=1000/open", "q/t=1000/peek", "q/t=1000"]
    for client, key in zip(clients, keys, strict=True):
        assert client(f"get {key}") == ""
    redis("RPUSH", "q", "a", "b", "c")
    assert [client.read().split(b"\r\n")[1] for client in clients] == [b"a", b"b", b"c", b"c"]


def test_requests_behind_a_wait_are_answered_behind_it(server: QueueServer, queue: QueueClient) -> None:
    assert queue.send(b"get q/t=100\r\nget r\r\nversion\r\n") == b""
    server.advance_ms(100)
    assert queue.read().startswith(b"END\r\nEND\r\nVERSION")


def test_an_overdue_item_wakes_no_one(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    queue("get q/t=1000")
    other = server.queue()
    other("set q 0 -1 1", "a")
    assert queue.read() == b""
    other.put("q", "b")
    assert queue.read() == b"VALUE q/t=1000 0 1\r\nb\r\nEND\r\n"


def test_a_key_of_another_type_wakes_no_one(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    queue("get q/t=1000/open")
    redis("SADD", "q", "a")
    redis("DEL", "q")
    redis("RPUSH", "q", "b")
    assert queue.read() == b"VALUE q/t=1000/open 0 1\r\nb\r\nEND\r\n"


def test_a_client_that_goes_while_it_waits_takes_nothing(
    server: QueueServer, queue: QueueClient, redis: Client
) -> None:
    queue("get q/t=1000/open")
    queue.leave()
    redis("RPUSH", "q", "a")
    server.advance_ms(2000)
    assert redis("LPOP", "q") == b"a"


# -- connections that go ----------------------------------------------------------------------------------------------


def test_what_was_open_goes_to_who_waits_when_the_connection_goes(server: QueueServer, queue: QueueClient) -> None:
    queue.put("q", "a", 5)
    queue("get q/open")
    other = server.queue()
    assert other("get q/t=1000/open") == ""
    queue.leave()
    server.settle()
    assert other.read() == b"VALUE q/t=1000/open 5 1\r\na\r\nEND\r\n"


def test_a_client_of_redis_gets_what_was_open(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    queue.put("q", "a", 5)
    queue("get q/open")
    redis.send("BLPOP", "q", 0)
    queue.leave()
    server.settle()
    assert redis.replies() == [[b"q", b"a"]]


def test_quit_gives_back_too(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    queue.put("q", "a")
    queue.send(b"get q/open\r\nquit\r\n")
    server.settle()
    assert redis("LRANGE", "q", 0, -1) == [b"a"]


@pytest.mark.parametrize("order", [range(300), range(299, -1, -1), [n * 7 % 300 for n in range(300)]])
def test_items_of_clients_that_go_together_are_back_in_their_order(
    server: QueueServer, redis: Client, order: list[int]
) -> None:
    redis("RPUSH", "q", *range(400))
    clients = [server.queue() for _ in range(300)]
    for client in clients:
        client("get q/open")
    assert redis("LLEN", "q") == 100
    for number in order:
        clients[number].leave()
    server.settle()
    assert redis("LRANGE", "q", 0, -1) == [b"%d" % number for number in range(400)]


def test_items_of_clients_that_go_one_by_one_are_back_in_their_order(server: QueueServer, redis: Client) -> None:
    redis("RPUSH", "q", *range(20))
    clients = [server.queue() for _ in range(10)]
    for client in clients:
        client("get q/open")
    for number in (3, 9, 0, 1, 8, 2, 7, 4, 6, 5):
        clients[number].leave()
        server.settle()
    assert redis("LRANGE", "q", 0, -1) == [b"%d" % number for number in range(20)]
    assert store.count(server.dbs, 0, b"q") == 0


def test_an_item_whose_queue_became_something_else_waits_until_it_can_go_back(
    server: QueueServer, queue: QueueClient, redis: Client
) -> None:
    queue.put("q", "a")
    queue("get q/open")
    redis("SET", "q", "v")
    queue.leave()
    server.settle()
    server.advance_ms(RETRY_MS)
    redis("DEL", "q")
    assert redis("EXISTS", "q") == 0
    server.advance_ms(RETRY_MS)
    server.advance_ms(RETRY_MS)
    assert redis("LRANGE", "q", 0, -1) == [b"a"]
    assert_nothing_left(server)


def test_nothing_goes_back_once_the_data_is_closed(server: QueueServer, queue: QueueClient) -> None:
    queue.put("q", "a")
    queue("get q/open")
    queue.leave()
    server.door.reads.stop()
    server.settle()
    assert store.count(server.dbs, 0, b"q") == 1


# -- monitor, confirm -------------------------------------------------------------------------------------------------


def test_monitor_opens_items_as_they_come(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    redis("RPUSH", "q", "a", "b")
    assert queue("monitor q 2") == "VALUE q 0 1 a VALUE q 0 1 b"
    redis("RPUSH", "q", "c")
    assert queue.read() == b"VALUE q 0 1\r\nc\r\n"
    server.queue().put("q", "d", 6)
    server.advance_ms(1999)
    assert queue.read() == b"VALUE q 6 1\r\nd\r\n"
    server.advance_ms(1)
    assert queue.read() == b"END\r\n"
    assert queue("confirm q 5") == "CLIENT_ERROR fewer items of this queue are open on this connection"
    assert queue("confirm q 2") == END
    queue.leave()
    server.settle()
    assert redis("LRANGE", "q", 0, -1) == [b"c", b"d"]


def test_monitor_ends_at_its_number_of_items(queue: QueueClient, redis: Client) -> None:
    redis("RPUSH", "q", *"abcd")
    assert queue("monitor q 10 2") == "VALUE q 0 1 a VALUE q 0 1 b END"
    assert queue("monitor q 10 3") == "VALUE q 0 1 c VALUE q 0 1 d"
    redis("RPUSH", "q", "e", "f")
    assert queue.read() == b"VALUE q 0 1\r\ne\r\nEND\r\n"
    assert queue("confirm q 5") == END
    assert redis("LRANGE", "q", 0, -1) == [b"f"]


def test_monitor_of_no_seconds_takes_what_is_there(queue: QueueClient, redis: Client) -> None:
    redis("RPUSH", "q", *range(300))
    assert queue("monitor q 0").count("VALUE") == 300
    assert queue("monitor q 0") == END
    assert queue("confirm q 300") == END


def test_a_waiting_monitor_is_served_item_by_item_in_turn_with_others(server: QueueServer, redis: Client) -> None:
    one, two = server.queue(), server.queue()
    one("monitor q 10")
    two("monitor q 10")
    for number in range(6):
        redis("RPUSH", "q", number)
    assert one.read().split(b"\r\n")[1::2] == [b"0", b"2", b"4"]
    assert two.read().split(b"\r\n")[1::2] == [b"1", b"3", b"5"]


def test_close_and_abort_are_about_the_oldest_open_item(queue: QueueClient, redis: Client) -> None:
    redis("RPUSH", "q", *"abcd")
    queue("monitor q 0 3")
    assert queue("get q/open").startswith("CLIENT_ERROR an item of this queue is open")
    queue("get q/close")
    queue("get q/abort")
    assert redis("LRANGE", "q", 0, -1) == [b"b", b"d"]
    assert queue("confirm q 1") == END
    assert queue("confirm q 1").startswith("CLIENT_ERROR fewer")
    assert queue("confirm q 0") == END


@pytest.mark.parametrize("line", ["monitor q x", "monitor q -1", "monitor q 1 0", "monitor q 1 x", "confirm q x"])
def test_numbers_of_monitor_and_confirm(queue: QueueClient, line: str) -> None:
    assert queue(line) == "CLIENT_ERROR expected a number"
    assert queue("monitor q 1 2 3") == "ERROR"


def test_requests_behind_a_monitor_wait_for_its_end(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    redis("RPUSH", "q", "a")
    assert queue.send(b"monitor q 1\r\nversion\r\n") == b"VALUE q 0 1\r\na\r\n"
    redis("RPUSH", "q", "b")
    server.advance_ms(1000)
    assert queue.read().startswith(b"VALUE q 0 1\r\nb\r\nEND\r\nVERSION")


def test_a_monitor_ends_where_too_much_is_open(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    redis("RPUSH", "q", *range(MAX_OPEN + 1))
    reply = queue.send(b"monitor q 5\r\n")
    assert reply.count(b"VALUE") == MAX_OPEN
    assert reply.endswith(b"END\r\n")
    assert queue("monitor q 5") == END
    queue.leave()
    server.settle()
    assert redis("LLEN", "q") == MAX_OPEN + 1
    assert redis("LINDEX", "q", 0) == b"0"


# -- turns that are rolled back, a disk that refuses ------------------------------------------------------------------


def test_what_a_rolled_back_turn_opened_is_not_open(
    server: QueueServer, queue: QueueClient, redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis("RPUSH", "q", "a", "b")
    with monkeypatch.context() as patch:
        patch.setattr(server.commit, "commit_turn", _refuse)
        assert queue("get q/open").startswith("SERVER_ERROR MISCONF")
    assert redis("LRANGE", "q", 0, -1) == [b"a", b"b"]
    assert queue("get q/open") == "VALUE q/open 0 1 a END"
    with monkeypatch.context() as patch:
        patch.setattr(server.commit, "commit_turn", _refuse)
        assert queue("get q/close/open").startswith("SERVER_ERROR MISCONF")
        assert queue("get q/abort").startswith("SERVER_ERROR MISCONF")
    assert queue("get q/open").startswith("CLIENT_ERROR an item")
    assert queue("get q/abort") == END
    assert redis("LRANGE", "q", 0, -1) == [b"a", b"b"]


def test_items_go_back_as_soon_as_the_disk_takes_them(
    server: QueueServer, queue: QueueClient, redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis("RPUSH", "q", "a", "b", "c")
    queue("get q/open")
    other = server.queue()
    other("get q/open")
    with monkeypatch.context() as patch:
        patch.setattr(server.commit, "commit_turn", _refuse)
        # The confirmation and the disconnection stand in one turn, which comes to nothing.
        queue.feed(b"get q/close\r\n")
        queue.leave()
        server.settle()
        other.leave()
        server.settle()
    assert redis("LRANGE", "q", 0, -1) == [b"c"]
    server.advance_ms(10)
    server.settle()
    assert redis("LRANGE", "q", 0, -1) == [b"a", b"b", b"c"]
    assert_nothing_left(server)


def test_a_monitor_whose_turn_was_rolled_back_waits_on_or_ends_with_the_error(
    server: QueueServer, queue: QueueClient, redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue("monitor q 5")
    with monkeypatch.context() as patch:
        patch.setattr(server.commit, "commit_turn", _refuse)
        redis("RPUSH", "q", "lost")
    assert queue.read() == b""
    redis("RPUSH", "q", "a")
    redis("RPUSH", "q", "b")
    assert queue.read() == b"VALUE q 0 1\r\na\r\nVALUE q 0 1\r\nb\r\n"
    server.advance_ms(5000)
    assert queue.read() == b"END\r\n"
    assert queue("confirm q 2") == END
    redis("RPUSH", "q", "c", "d")
    with monkeypatch.context() as patch:
        patch.setattr(server.commit, "commit_turn", _refuse)
        assert queue("monitor q 5").startswith("SERVER_ERROR MISCONF")
    assert queue("get q") == "VALUE q 0 1 c END"


def test_a_disk_that_refuses_lets_one_look(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    redis("RPUSH", "q", "a")
    queue("get q/open")
    redis("RPUSH", "q", "b")
    server.commit.refusing = True
    for line in (
        "get q",
        "get q/close",
        "get q/open",
        "flush q",
        "delete q",
        "flush_all",
        "monitor q 1",
        "confirm q 1",
    ):
        assert queue(line).startswith("SERVER_ERROR MISCONF"), line
    assert queue("set q 0 0 1", "x").startswith("SERVER_ERROR MISCONF")
    assert queue("get q/peek") == "VALUE q/peek 0 1 b END"
    assert "STAT queue_q_items 1" in queue("stats")
    queue.leave()
    server.settle()
    server.advance_ms(10)
    server.commit.refusing = False
    server.advance_ms(10)
    server.settle()
    assert redis("LRANGE", "q", 0, -1) == [b"a", b"b"]


# -- the next start ---------------------------------------------------------------------------------------------------


def test_what_was_open_when_the_server_ended_is_back_before_anyone_is_served(tmp_path: Path) -> None:
    with QueueServer(tmp_path, "interval") as server:
        server.client()("RPUSH", "q", *range(600))
        clients = [server.queue() for _ in range(500)]
        for client in clients:
            client("get q/open")
        for client in clients[::3]:
            client("get q/close")
        clients[1]("get q/abort")
        server.queue().put("r", "flags", 77)
        clients[0]("get r/open")
    with QueueServer(tmp_path, "interval") as server:
        expected = [number for number in range(600) if number >= 500 or number % 3]
        assert server.client()("LRANGE", "q", 0, -1) == [b"%d" % number for number in expected]
        assert server.queue()("get r") == "VALUE r 77 5 flags END"
        assert_nothing_left(server)


def test_a_disk_that_refuses_at_the_start_is_waited_for(
    server: QueueServer, queue: QueueClient, redis: Client, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    redis("RPUSH", "q", "a", "b")
    queue("get q/open")
    with monkeypatch.context() as patch:
        patch.setattr(server.commit, "commit_turn", _refuse)
        duties = QueueDuties(server.dispatcher, server.clock)  # as a start would
        duties.recover()
    assert "1 items that were open at the last end can't be given back now" in caplog.text
    server.settle()
    assert redis("LRANGE", "q", 0, -1) == [b"b"]
    duties.tick()
    server.settle()
    assert redis("LRANGE", "q", 0, -1) == [b"a", b"b"]
    assert duties.recovery.left == 0


def test_a_lease_that_falls_due_goes_to_who_waits(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    redis("RPUSH", "q", "a")
    server.turn.begin()
    leases.grant(server.dbs[0], b"q", b"worker", deadline_ms=server.clock.unix_ms() + 100)
    server.turn.end()
    assert queue("get q/t=1000") == ""
    server.advance_ms(99)
    assert queue.read() == b""
    server.advance_ms(1)
    assert queue.read() == b"VALUE q/t=1000 0 1\r\na\r\nEND\r\n"


def assert_nothing_left(server: QueueServer) -> None:
    """No lease is left, and the engine holds what the names say."""
    server.turn.begin()
    server.turn.end()
    assert list(store.everyone(server.dbs)) == []
    assert_nothing_is_left_over(server)


def _refuse() -> bool:
    raise WritesRefused("no space")
