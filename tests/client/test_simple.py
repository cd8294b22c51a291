"""The client of the simple protocol against a real server: methods, types, connections, threads, time-outs."""

from __future__ import annotations

import gc
import os
import pickle
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from spoold.protocol.simple import encode
from spoold.simple import Client, ClientError, CommandError, ConnectionFailed, TimedOut
from spoold.testing.process import LOOPBACK, ServerProcess, free_port

Server = tuple[ServerProcess, int]


@contextmanager
def player(*turns: Callable[[socket.socket], object]) -> Iterator[int]:
    """A server that answers each connection as the next of `turns` does, then closes it; gives its port."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def play() -> None:
            for turn in turns:
                connection, _ = listener.accept()
                with connection:
                    turn(connection)

        thread = threading.Thread(target=play)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)
        assert not thread.is_alive()


def answering(*answers: bytes) -> Callable[[socket.socket], object]:
    """Read a request and answer it, for each answer; an empty one is not sent."""

    def play(connection: socket.socket) -> None:
        for answer in answers:
            connection.recv(65536)
            connection.sendall(answer)

    return play


# -- methods ----------------------------------------------------------------------------------------------------------


def test_queues(client: Client) -> None:
    assert client.enqueue("q", b"one") == 1
    assert client.enqueue("q", b"two") == 1
    assert client.enqueue("q", b"one") == 1
    assert client.queue_size("q") == 3
    assert client.unqueue("q", b"one") == 1
    assert client.unqueue("q", b"none") == 0
    assert client.dequeue("q") == b"two"
    assert client.dequeue("q") == b"one"
    assert client.dequeue("q") is None
    client.enqueue("q", 1)
    client.enqueue("q", 2)
    assert client.flush_queue("q") == 2
    assert client.queue_size("q") == 0


def test_the_schedule(client: Client) -> None:
    now = datetime(2018, 1, 1, 12, 30)
    assert client.add_to_schedule(b"later", now + timedelta(microseconds=1)) == 1
    assert client.add_to_schedule(b"first", now) == 1
    assert client.add_to_schedule(b"second", "2018-01-01 12:30:00") == 1
    assert client.schedule_size() == 3
    assert client.read_schedule(now - timedelta(microseconds=1)) == []
    assert client.read_schedule(now) == [b"first", b"second"]
    assert client.read_schedule("2018-01-01 12:30:00.000001") == [b"later"]
    client.add_to_schedule(None, now)
    assert client.flush_schedule() == 1


def test_a_time_with_a_zone_is_told_in_utc(client: Client) -> None:
    moment = datetime(2018, 1, 1, 0, 30, 0, 250_000, tzinfo=timezone(timedelta(hours=2)))
    client.add_to_schedule(1, moment)
    assert client.read_schedule("2017-12-31 22:30:00.249999") == []
    assert client.read_schedule(moment.astimezone(UTC)) == [1]


def test_keys_and_values(client: Client) -> None:
    assert client.set("k", "v") == 1
    assert client.get("k") == b"v"
    assert client.put_data("k", 2) == 1
    assert client.peek_data("k") == 2
    assert client.has_data_for_key("k") == 1
    assert client.put_if_empty("k", 3) == 0
    assert client.put_if_empty("k2", 3) == 1
    assert client.result_store_size() == 2
    assert client.pop_data("k") == 2
    assert client.pop_data("k") is None
    assert client.has_data_for_key("k") == 0
    assert client.delete("k2") == 1
    assert client.delete("k2") == 0
    client.set("k", 1)
    assert client.flush_results() == 1


def test_many_at_once(client: Client) -> None:
    assert client.mset({"a": 1, 2: "two"}, b=[3], c=None) == 4
    assert client.mset({"a": 5}) == 1
    assert client.mset(pairs=1) == 1
    assert client.mset() == 0
    assert client.mset({}) == 0
    assert client.mget("a", 2, "b", "c", "d", "pairs") == [5, b"two", [3], None, None, 1]
    assert client.mget() == []
    assert client.mpop("a", "a", 2) == [5, None, b"two"]
    assert client.mpop() == []


def test_flush_all(client: Client) -> None:
    client.enqueue("q", 1)
    client.set("k", 1)
    client.add_to_schedule(1, "2018-01-01 00:00:00")
    assert client.flush_all() == 1
    assert (client.queue_size("q"), client.result_store_size(), client.schedule_size()) == (0, 0, 0)


@pytest.mark.parametrize(
    ("given", "back"),
    [
        ("naïve ☃", "naïve ☃".encode()),
        (b"\0\xff\r\n", b"\0\xff\r\n"),
        (bytearray(b"ab"), b"ab"),
        (True, 1),
        (False, 0),
        (-(2**64), -(2**64)),
        (1.5, 1.5),
        (2.0, 2.0),
        (1e16, 1e16),
        (None, None),
        ((1, (2,)), [1, [2]]),
        ({"a": {"b": [True, None]}, 1: 1.0}, {b"a": {b"b": [1, None]}, 1: 1.0}),
        (pickle.dumps({"task": 1}), pickle.dumps({"task": 1})),
    ],
)
def test_types_survive(client: Client, given: Any, back: Any) -> None:
    client.set("k", given)
    client.enqueue("q", given)
    client.add_to_schedule(given, "2018-01-01 00:00:00")
    for value in (client.get("k"), client.dequeue("q"), *client.read_schedule("2018-01-01 00:00:00")):
        assert value == back
        assert type(value) is type(back)


def test_a_large_value_goes_there_and_back(client: Client) -> None:
    large = os.urandom(20_000_000)
    client.enqueue("q", [large, large])
    assert client.dequeue("q") == [large, large]


def test_an_error_of_the_server_is_raised_and_the_connection_lives(client: Client) -> None:
    with pytest.raises(CommandError, match="timestamp must be") as caught:
        client.read_schedule("tomorrow")
    assert caught.value.message.startswith("a timestamp must be")
    with pytest.raises(CommandError, match="unrecognized command: FROB"):
        client.execute("FROB", 1)
    assert client.set("k", 1) == 1


def test_what_no_value_can_be_made_of_is_not_sent(client: Client) -> None:
    with pytest.raises(TypeError, match="set can't be sent"):
        client.set("k", {1})
    with pytest.raises(ValueError, match="no number nan"):
        client.set("k", float("nan"))
    assert client.get("k") is None


def test_every_method_of_the_old_client_is_there() -> None:
    old = """enqueue dequeue unqueue queue_size flush_queue add_to_schedule read_schedule schedule_size flush_schedule
        set put_data get peek_data pop_data has_data_for_key put_if_empty mset mget mpop result_store_size flush_results
        flush_all shutdown connect close execute"""
    assert [name for name in old.split() if not callable(getattr(Client, name, None))] == []


def test_an_item_of_one_door_comes_out_of_another(client: Client, simple_server: Server) -> None:
    server, _ = simple_server
    with socket.create_connection((LOOPBACK, server.port), 10) as redis:

        def ask(*words: bytes) -> bytes:
            redis.sendall(encode([*words]))
            return redis.recv(65536)

        client.enqueue("q", b"from simple")
        assert ask(b"LPOP", b"q") == b"$11\r\nfrom simple\r\n"
        assert ask(b"RPUSH", b"q", b"from redis", b"") == b":2\r\n"
        assert [client.dequeue("q") for _ in range(3)] == [b"from redis", b"", None]
        redis.sendall(encode([b"BLPOP", b"q", b"10"]))
        client.enqueue("q", b"woken")
        assert redis.recv(65536) == b"*2\r\n$1\r\nq\r\n$5\r\nwoken\r\n"


# -- connections ------------------------------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_a_clear_error() -> None:
    client = Client(port=free_port())
    with pytest.raises(ConnectionFailed, match=rf"can't connect to 127\.0\.0\.1:{client.port}: .*refused") as caught:
        client.connect()
    assert isinstance(caught.value, ClientError)
    assert isinstance(caught.value, ConnectionError)
    with pytest.raises(ConnectionFailed, match="can't connect"):
        client.get("k")


def test_a_closed_client_connects_again(simple_server: Server) -> None:
    client = Client(port=simple_server[1])
    client.connect()
    client.close()
    client.close()
    assert client.set("k", 1) == 1
    client.close()
    assert repr(client) == f"Client('127.0.0.1', {simple_server[1]})"


def test_connections_are_used_again(client: Client) -> None:
    for _ in range(100):
        client.get("k")
    assert len(client._pool) == 1


def test_a_restarted_server_is_found_again(tmp_path: Path) -> None:
    port = free_port()
    with ServerProcess(tmp_path / "data", ("--simple", f"{LOOPBACK}:{port}")) as server, Client(port=port) as client:
        client.enqueue("q", 1)
        server.kill()
        with pytest.raises(ConnectionFailed):
            client.enqueue("q", "lost")
        server.start()
        assert client.enqueue("q", 2) == 1
        server.restart()
        assert client.enqueue("q", 3) == 1
        assert [client.dequeue("q") for _ in range(4)] == [1, 2, 3, None]


def test_a_read_whose_reply_is_lost_is_sent_again() -> None:
    with player(answering(b":1\r\n", b""), answering(b"$1\r\nv\r\n")) as port, Client(port=port) as client:
        client.set("k", "v")
        assert client.get("k") == b"v"


def test_a_read_is_sent_again_only_once() -> None:
    closed = pytest.raises(ConnectionFailed, match="closed the connection")
    with player(answering(b""), answering(b"")) as port, Client(port=port) as client, closed:
        client.get("k")


@pytest.mark.parametrize("call", [lambda c: c.enqueue("q", 1), lambda c: c.dequeue("q"), lambda c: c.set("k", 1)])
def test_what_changes_something_is_never_sent_twice(call: Callable[[Client], Any]) -> None:
    closed = pytest.raises(ConnectionFailed, match="closed the connection")
    with player(answering(b"")) as port, Client(port=port) as client, closed:
        call(client)


def test_a_connection_that_broke_while_idle_is_replaced() -> None:
    gone = threading.Event()

    def leave(connection: socket.socket) -> None:
        answering(b":1\r\n")(connection)
        connection.close()
        gone.set()

    with player(leave, answering(b":1\r\n")) as port, Client(port=port) as client:
        client.enqueue("q", 1)
        assert gone.wait(10)
        assert client.enqueue("q", 2) == 1


def test_a_server_that_stays_silent_is_a_time_out() -> None:
    done = threading.Event()
    with player(lambda connection: done.wait(10), answering(b":1\r\n")) as port:
        client = Client(port=port, timeout_s=0.05)
        with pytest.raises(TimedOut, match=r"127\.0\.0\.1:\d+ did not answer within 0\.05 s") as caught:
            client.get("k")
        assert isinstance(caught.value, TimeoutError)
        done.set()
        client.timeout_s = 10
        # What the first connection may still answer is no reply to this.
        assert client.enqueue("q", 1) == 1
        client.close()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak the simple protocol: .*unknown type byte b'H'"),
        (b":1\r\n:1\r\n", "does not speak the simple protocol: too many replies"),
        (b":1\r\n:", "does not speak the simple protocol: too many replies"),
        (b"$10\r\nabc", "closed the connection"),
        (b"", "closed the connection"),
    ],
)
def test_a_server_that_speaks_something_else_is_a_clear_error(answer: bytes, text: str) -> None:
    with player(answering(answer)) as port, Client(port=port) as client:
        with pytest.raises(ConnectionFailed, match=text):
            client.enqueue("q", 1)
        assert not client._pool


def test_too_many_clients_are_refused_clearly() -> None:
    port = free_port()
    options = ("--memory", "--max-clients", "2", "--simple", f"{LOOPBACK}:{port}")
    with ServerProcess(options=options), Client(port=port) as first:
        first.get("k")
        with Client(port=port) as second:
            second.get("k")
            with Client(port=port) as third, pytest.raises((CommandError, ConnectionFailed)):
                third.enqueue("q", 1)


def test_threads_share_a_client(client: Client) -> None:
    threads, each = 8, 200
    taken: list[Any] = []
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for count in range(each):
                client.enqueue("q", [number, count])
                client.set(number, count)
                assert client.get(number) == count
                taken.append(client.dequeue("q"))
        except BaseException as failure:
            failures.append(failure)
            raise

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not failures
    assert Counter(map(tuple, taken)) == Counter((number, count) for number in range(threads) for count in range(each))
    assert len(client._pool) <= threads


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_has_connections_of_its_own(client: Client) -> None:
    client.set("k", "parent")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if client.get("k") == b"parent" and client.set("k", "child") == 1 else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert client.get("k") == b"child"
    assert len(client._pool) == 1


def test_nothing_stays_open_behind_a_closed_client(simple_server: Server) -> None:
    with Client(port=simple_server[1]) as client:
        client.get("k")
    del client
    gc.collect()  # a socket that no one closed is a warning, and warnings are errors


def test_shutdown_stops_the_server(tmp_path: Path) -> None:
    port = free_port()
    with ServerProcess(tmp_path / "data", ("--simple", f"{LOOPBACK}:{port}")) as server:
        with Client(port=port) as client:
            client.enqueue("q", "kept")
            assert client.shutdown() == 1
        assert server.wait() == 0
        server.start()
        with Client(port=port) as client:
            assert client.dequeue("q") == b"kept"
