"""Dramatiq: actors, and what the test asks of the broker and the results."""

from __future__ import annotations

from typing import Any

import dramatiq
import ledger
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits import ConcurrentRateLimiter
from dramatiq.rate_limits.backends import RedisBackend as RateLimits
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from dramatiq.results.errors import ResultFailure

# A worker that is silent for so long is dead; every command looks for dead ones.
HEARTBEAT_TIMEOUT_MS = 1500

broker = RedisBroker(url=ledger.URL, heartbeat_timeout=HEARTBEAT_TIMEOUT_MS, maintenance_chance=1_000_000)
broker.add_middleware(Results(backend=RedisBackend(url=ledger.URL), store_results=True))
broker.add_middleware(GroupCallbacks(RateLimits(url=ledger.URL)))
dramatiq.set_broker(broker)
one_at_a_time = ConcurrentRateLimiter(RateLimits(url=ledger.URL), "one", limit=1, ttl=60_000)


# Actors


@dramatiq.actor
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@dramatiq.actor
def total(numbers: list[int]) -> int:
    """Sum."""
    return sum(numbers)


@dramatiq.actor
def note(name: str, line: object) -> object:
    """Leave a line."""
    ledger.write(name, line)
    return line


@dramatiq.actor(max_retries=5, min_backoff=10, max_backoff=50)
def fail_until(name: str, tries: int) -> int:
    """Fail until it was tried so often."""
    ledger.write(name, "tried")
    if (count := ledger.count(name)) < tries:
        raise ValueError(f"try {count}")
    return count


@dramatiq.actor(max_retries=0)
def fail(name: str) -> None:
    """Fail for good."""
    ledger.write(name, "tried")
    raise ValueError("as asked")


@dramatiq.actor(max_retries=0, time_limit=120_000)
def hold(name: str) -> int:
    """Work until let go."""
    return ledger.hold(name)


@dramatiq.actor(max_age=50, queue_name="aged")
def soon(name: str) -> None:
    """Not worth running after 0.05 s."""
    ledger.write(name, "ran")


@dramatiq.actor(queue_name="aged")
def lasting(name: str) -> None:
    """Worth running at any age."""
    ledger.write(name, "lasting")


@dramatiq.actor(queue_name="single", priority=0)
def urgent(name: str) -> None:
    """Before `patient`."""
    ledger.write(name, "urgent")


@dramatiq.actor(queue_name="single", priority=100)
def patient(name: str) -> None:
    """After `urgent`."""
    ledger.write(name, "patient")


@dramatiq.actor(queue_name="single", max_retries=0)
def hold_single(name: str) -> int:
    """Keep the one thread of that queue busy."""
    return ledger.hold(name)


@dramatiq.actor(queue_name="unwanted")
def unwanted() -> None:
    """In a queue that is flushed."""
    ledger.write("unwanted", "ran")


@dramatiq.actor(max_retries=50, min_backoff=10, max_backoff=50)
def exclusive(name: str) -> None:
    """Hold a lock of the rate limiter; one that does not get it is tried again."""
    with one_at_a_time.acquire():
        ledger.hold(name)


# What the test calls


_sent: dict[str, Any] = {}


def send(actor: str, *arguments: object) -> str:
    """Add one message; returns its id."""
    message = broker.get_actor(actor).send(*arguments)
    _sent[message.message_id] = message
    return message.message_id


def send_later(milliseconds: int, actor: str, *arguments: object) -> str:
    """Add one message with a delay."""
    message = broker.get_actor(actor).send_with_options(args=arguments, delay=milliseconds)
    _sent[message.message_id] = message
    return message.message_id


def result(message_id: str) -> Any:
    """Wait for a result."""
    try:
        return _sent[message_id].get_result(block=True, timeout=20_000)
    except ResultFailure as failure:
        return str(failure)


def send_group(pairs: list[list[int]]) -> list[int]:
    """Run a group; returns its results."""
    return list(dramatiq.group([add.message(a, b) for a, b in pairs]).run().get_results(block=True, timeout=20_000))


def send_pipeline(start: int) -> int:
    """Run add | add | add; returns the last result."""
    return (add.message(start, 1) | add.message(10) | add.message(100)).run().get_result(block=True, timeout=20_000)


def send_group_with_callback(name: str) -> None:
    """Run a group that reports when all of it is done."""
    group = dramatiq.group([add.message(1, 1), add.message(2, 2)])
    group.add_completion_callback(note.message(name, "all done"))
    group.run()


def flush(queue: str) -> None:
    """Drop all messages of a queue."""
    broker.flush(queue)


def sizes(queue: str) -> int:
    """Messages of a queue, those at work included."""
    return int(broker.do_qsize(queue))


def waiting(queue: str) -> int:
    """Messages that no worker has taken yet."""
    return int(broker.client.llen(f"dramatiq:{queue}"))


def flood(name: str, count: int) -> int:
    """Add numbered messages, each until it is acknowledged, whatever happens to the server meanwhile."""
    return ledger.insist(
        name, count, lambda number: note.send(name, number), dramatiq.ConnectionError, redis.RedisError
    )
