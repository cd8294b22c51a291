"""Clients that people use, and a real server: pymemcache, python-memcached, redis-py, plain sockets."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import aiomcache
import memcache
import pytest
import redis
from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheClientError
from pymemcache.serde import pickle_serde

from spoold import __version__
from spoold.testing.process import ServerProcess, free_port


class QueueProcess(ServerProcess):
    """A server whose queue door is open too."""

    def __init__(self, data_dir: Path) -> None:
        self.queue_port = free_port()
        super().__init__(data_dir, ("--memcached-queue", f"127.0.0.1:{self.queue_port}"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[QueueProcess]:
    """A durable server of this test alone."""
    with QueueProcess(tmp_path / "data") as process:
        yield process


@pytest.fixture
def connect(server: QueueProcess) -> Iterator[Callable[[], Client]]:
    """Gives further pymemcache clients."""
    clients = []

    def make() -> Client:
        clients.append(Client(("127.0.0.1", server.queue_port), default_noreply=False, timeout=20))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def r(server: QueueProcess) -> Iterator[redis.Redis]:
    """A client of the Redis door."""
    with closing(redis.Redis(port=server.port)) as client:
        yield client


def test_pymemcache_enqueues_and_dequeues(connect: Callable[[], Client], r: redis.Redis) -> None:
    client = connect()
    assert client.set("q", b"one")
    assert client.set("q", b"two", flags=5)
    assert client.add("q", b"one") is False
    assert client.get("q/peek") == b"one"
    assert client.get("q") == b"one"
    assert r.lpop("q") == b"two"
    assert client.get("q", default="none") == "none"
    assert client.version() == __version__.encode()
    assert client.delete("q") is False
    assert client.stats()[b"curr_items"] == 0
    assert client.flush_all()


def test_pymemcache_reads_reliably(connect: Callable[[], Client], r: redis.Redis) -> None:
    client = connect()
    r.rpush("q", "a")
    assert client.get("q/open") == b"a"
    with pytest.raises(MemcacheClientError, match="open on this connection already"):
        client.get("q/open")
    client.close()  # pymemcache closes after an error anyway
    assert connect().get("q/t=5000/open") == b"a"


def test_pymemcache_keeps_types_by_flags(server: QueueProcess, r: redis.Redis) -> None:
    with closing(Client(("127.0.0.1", server.queue_port), serde=pickle_serde, default_noreply=False)) as client:
        for value in ("text", 12, {"a": [1, None]}):
            client.set("q", value)
        assert r.llen("q") == 3
        assert [client.get("q"), client.get("q/open"), client.get("q/close/open")] == ["text", 12, {"a": [1, None]}]


def test_python_memcached_enqueues_dequeues_and_waits(server: QueueProcess, r: redis.Redis) -> None:
    client = memcache.Client([f"127.0.0.1:{server.queue_port}"], socket_timeout=20)
    assert client.get("niki") is None
    assert client.set("niki", "123")
    assert client.get("niki") == "123"
    for value in (b"bytes", "text", 17, 2**70, [1, "x"]):
        assert client.set("q", value)
    assert client.get("q/peek") == b"bytes"
    assert [client.get("q") for _ in range(4)] == [b"bytes", "text", 17, 2**70]
    assert client.get("q/open") == [1, "x"]
    assert client.get("q/close/t=10/open") is None
    assert client.get_stats()[0][1]["curr_items"] == "0"
    client.set("q", "gone")
    assert client.delete("q")
    assert r.dbsize() == 0
    client.disconnect_all()


def test_aiomcache_reads_reliably(server: QueueProcess) -> None:
    async def talk() -> list[bytes | None]:
        client = aiomcache.Client("127.0.0.1", server.queue_port, pool_size=1)
        try:
            assert await client.set(b"q", b"a")
            assert await client.set(b"q", b"b")
            return [await client.get(key) for key in (b"q/open", b"q/close/open", b"q/abort", b"q/t=10", b"q/t=10")]
        finally:
            await client.close()

    assert asyncio.run(talk()) == [b"a", b"b", None, b"b", None]


def test_a_wait_takes_no_longer_than_the_item(connect: Callable[[], Client], r: redis.Redis) -> None:
    got = []
    waiting = threading.Thread(target=lambda: got.append(connect().get("q/t=20000")))
    waiting.start()
    while r.info("clients").get("blocked_clients", 1) == 0:
        r.ping()
    r.rpush("q", "a")
    waiting.join(20)
    assert got == [b"a"]


def test_who_waits_gets_what_was_open_on_a_connection_that_went(connect: Callable[[], Client], r: redis.Redis) -> None:
    r.rpush("q", "a")
    holder, other = connect(), connect()
    assert holder.get("q/open") == b"a"
    got = []
    waiting = threading.Thread(target=lambda: got.append(other.get("q/t=20000/open")))
    waiting.start()
    holder.close()
    waiting.join(20)
    assert got == [b"a"]


def test_an_item_is_no_ones_twice_with_many_consumers(server: QueueProcess, r: redis.Redis) -> None:
    """Four consumers, each going away without closing every third item it has opened."""
    total = 400
    r.rpush("q", *range(total))
    done: list[int] = []

    def consume(seed: int) -> None:
        turn = seed
        while True:
            with closing(Client(("127.0.0.1", server.queue_port), timeout=20)) as client:
                while True:
                    value = client.get("q/t=300/open")
                    if value is None:
                        return
                    turn += 1
                    if turn % 3 == 0:
                        break
                    client.get("q/close")
                    done.append(int(value))

    workers = [threading.Thread(target=consume, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sorted(done) == list(range(total))
    assert r.llen("q") == 0


def test_a_hundred_open_items_survive_a_kill_in_their_order(server: QueueProcess) -> None:
    with closing(redis.Redis(port=server.port)) as r:
        r.rpush("q", *range(150))
        r.rpush("other", "x")
    links = [_Link(server.queue_port) for _ in range(100)]
    for number, link in enumerate(links):
        assert link.ask(b"get q/open\r\n") == b"VALUE q/open 0 %d\r\n%d\r\nEND\r\n" % (len(str(number)), number)
    assert links[0].ask(b"get other/open\r\n").startswith(b"VALUE")
    server.kill()
    for link in links:
        link.close()
    server.start()
    with closing(redis.Redis(port=server.port)) as r:
        assert r.lrange("q", 0, -1) == [b"%d" % number for number in range(150)]
        assert r.lrange("other", 0, -1) == [b"x"]
    assert "101 items that were open" in server.stderr_text()


def test_a_stopped_server_gives_back_at_its_next_start(server: QueueProcess) -> None:
    link = _Link(server.queue_port)
    link.ask(b"set q 9 0 1\r\na\r\n")
    link.ask(b"get q/open\r\n")
    assert server.terminate() == 0, server.stderr_text()
    assert "Traceback" not in server.stderr_text()
    link.close()
    server.start()
    link = _Link(server.queue_port)
    assert link.ask(b"get q\r\n") == b"VALUE q 9 1\r\na\r\nEND\r\n"
    link.close()


@pytest.mark.parametrize("address", ["0.0.0.0:{port}", "[::]:{port}", "{port}x", "192.0.2.1:{port}"])
def test_it_listens_on_this_machine_only(tmp_path: Path, address: str) -> None:
    options = ("--memcached-queue", address.format(port=free_port()))
    server = ServerProcess(tmp_path / "data", options, env={"SPOOLD_PASSWORD": "secret"})
    with closing(server), pytest.raises(Exception, match=r"--memcached-queue"):
        server.start()


class _Link:
    """A plain socket; every answer of this test ends with END or STORED."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 20)

    def ask(self, data: bytes) -> bytes:
        self._socket.sendall(data)
        answer = b""
        while not answer.endswith((b"END\r\n", b"STORED\r\n")):
            piece = self._socket.recv(65536)
            assert piece, answer
            answer += piece
        return answer

    def close(self) -> None:
        self._socket.close()
