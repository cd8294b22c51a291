"""Every pair of doors onto one queue and onto one value, with real clients and a real server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any, NamedTuple

import pytest
import redis
from huey.constants import EmptyData
from pymemcache.client.base import Client as MemcachedClient

from spoold.contrib.huey import SimpleStorage, SpooldStorage
from spoold.simple import Client as SimpleClient
from spoold.testing.process import LOOPBACK, ServerProcess, free_port

ITEMS = [b"text", b"", "ü".encode(), b"\r\n\0\xff", b"x" * 70_000]
WAIT_S = 20


class Queue(NamedTuple):
    """One door onto the queue `q`. wait: takes, and waits for it."""

    put: Callable[[bytes], Any]
    take: Callable[[], bytes | None]
    wait: Callable[[], bytes | None]
    size: Callable[[], int]


class Value(NamedTuple):
    """One door onto a value."""

    set: Callable[[bytes], Any]
    get: Callable[[], bytes | None]
    delete: Callable[[], Any]


class Doors:
    """A server and a client of each door."""

    def __init__(self, server: ServerProcess, ports: list[int]) -> None:
        self.redis = redis.Redis(port=server.port)
        self.memcached, self.queue = (MemcachedClient((LOOPBACK, port), default_noreply=False) for port in ports[:2])
        self.simple = SimpleClient(port=ports[2])
        # Two storages of Huey whose queue is the list `q`, and whose results are what the other doors see.
        self.spoold = SpooldStorage("q", port=server.port, read_timeout=WAIT_S)
        self.spoold.queue_key = b"q"
        self.old_huey = SimpleStorage("q", port=ports[2], read_timeout=WAIT_S)

    def queues(self) -> dict[str, Queue]:
        """By the names of the doors."""
        client, queue, simple = self.redis, self.queue, self.simple

        def wait() -> bytes | None:
            popped = client.blpop(["q"], timeout=WAIT_S)
            return None if popped is None else popped[1]

        return {
            "redis": Queue(
                lambda item: client.rpush("q", item), lambda: client.lpop("q"), wait, lambda: client.llen("q")
            ),
            "memcached queue": Queue(
                lambda item: queue.set("q", item),
                lambda: queue.get("q"),
                lambda: queue.get(f"q/t={WAIT_S * 1000}"),
                lambda: int(queue.stats().get(b"queue_q_items", 0)),
            ),
            "simple": Queue(
                lambda item: simple.enqueue("q", item),
                lambda: simple.dequeue("q"),
                lambda: simple.dequeue("q", WAIT_S),
                lambda: simple.queue_size("q"),
            ),
            "SpooldHuey": Queue(
                self.spoold.enqueue,
                lambda: self.spoold.dequeue() if self.spoold.queue_size() else None,
                self.spoold.dequeue,
                self.spoold.queue_size,
            ),
            "SimpleHuey": Queue(
                self.old_huey.enqueue,
                lambda: self.old_huey.dequeue() if self.old_huey.queue_size() else None,
                self.old_huey.dequeue,
                self.old_huey.queue_size,
            ),
        }

    def values(self) -> dict[str, tuple[Value, Value]]:
        """Pairs of doors onto the same value."""

        def string(name: str) -> Value:
            return Value(
                lambda item: self.redis.set(name, item), lambda: self.redis.get(name), lambda: self.redis.delete(name)
            )

        def field(name: str, key: str) -> Value:
            return Value(
                lambda item: self.redis.hset(name, key, item),
                lambda: self.redis.hget(name, key),
                lambda: self.redis.hdel(name, key),
            )

        def huey(storage: Any) -> Value:
            def get() -> bytes | None:
                found = storage.peek_data("k")
                return None if found is EmptyData else found

            return Value(lambda item: storage.put_data("k", item), get, lambda: storage.delete_data("k"))

        memcached = Value(
            lambda item: self.memcached.set("k", item),
            lambda: self.memcached.get("k"),
            lambda: self.memcached.delete("k"),
        )
        simple = Value(
            lambda item: self.simple.set("k", item), lambda: self.simple.get("k"), lambda: self.simple.delete("k")
        )
        return {
            "redis and memcached": (string("k"), memcached),
            "redis and simple": (field("simple:kv", "k"), simple),
            "redis and SpooldHuey": (string("huey:q:result:k"), huey(self.spoold)),
            "redis and SimpleHuey": (field("simple:kv:huey:q", "k"), huey(self.old_huey)),
        }

    def close(self) -> None:
        """All clients."""
        for client in (self.redis, self.memcached, self.queue, self.simple, self.spoold, self.old_huey):
            client.close()


@pytest.fixture(scope="module")
def all_doors() -> Iterator[Doors]:
    """One server for all pairs."""
    ports = [free_port() for _ in range(3)]
    names = ("--memcached", "--memcached-queue", "--simple")
    options = [word for name, port in zip(names, ports, strict=True) for word in (name, f"{LOOPBACK}:{port}")]
    with ServerProcess(options=("--memory", *options)) as server:
        doors = Doors(server, ports)
        yield doors
        doors.close()
        assert "Traceback" not in server.stderr_text()


@pytest.fixture
def doors(all_doors: Doors) -> Doors:
    """The same, empty."""
    all_doors.redis.flushall()
    return all_doors


QUEUES = ("redis", "memcached queue", "simple", "SpooldHuey", "SimpleHuey")


@pytest.mark.parametrize(("one", "other"), [*permutations(QUEUES, 2)])
def test_what_one_door_puts_another_takes_in_order(doors: Doors, one: str, other: str) -> None:
    first, second = doors.queues()[one], doors.queues()[other]
    for item in ITEMS:
        first.put(item)
        second.put(item[::-1])
    wanted = [item for pair in ITEMS for item in (pair, pair[::-1])]
    assert first.size() == second.size() == len(wanted)
    assert [(second if at % 3 else first).take() for at in range(len(wanted))] == wanted
    assert first.take() is None
    assert second.take() is None


@pytest.mark.parametrize(("one", "other"), [*permutations(QUEUES, 2)])
def test_what_one_door_puts_wakes_who_waits_at_another(doors: Doors, one: str, other: str) -> None:
    got: list[bytes | None] = []
    thread = threading.Thread(target=lambda: got.append(doors.queues()[other].wait()))
    thread.start()
    thread.join(0.05)
    assert not got
    doors.queues()[one].put(b"item")
    thread.join(WAIT_S)
    assert got == [b"item"]
    assert doors.queues()[one].take() is None


@pytest.mark.parametrize(
    "pair", ["redis and memcached", "redis and simple", "redis and SpooldHuey", "redis and SimpleHuey"]
)
def test_two_doors_see_one_value(doors: Doors, pair: str) -> None:
    for one, other in permutations(doors.values()[pair]):
        assert one.get() is None
        for item in ITEMS:
            one.set(item)
            assert other.get() == item
            other.set(item[::-1])
            assert one.get() == item[::-1]
        other.delete()
        assert one.get() is None
