"""taskiq: tasks on one of its three Redis brokers (BROKER = list, pubsub or stream), and what the test asks of them."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import ledger
import redis
from taskiq import AsyncBroker, SimpleRetryMiddleware, TaskiqResultTimeoutError, TaskiqScheduler
from taskiq.exceptions import SendTaskError
from taskiq.schedule_sources import LabelScheduleSource
from taskiq_redis import (
    ListQueueBroker,
    ListRedisScheduleSource,
    PubSubBroker,
    RedisAsyncResultBackend,
    RedisStreamBroker,
)

QUEUE = os.environ.get("QUEUE", "taskiq")


def make_broker(kind: str) -> AsyncBroker:
    """Build the broker that the environment names."""
    # redis-py 8 gives up a read after five seconds; taskiq's workers wait for ever, and would end.
    if kind == "list":
        return ListQueueBroker(ledger.URL, queue_name=QUEUE, socket_timeout=None)
    if kind == "pubsub":
        return PubSubBroker(ledger.URL, queue_name=QUEUE, socket_timeout=None)
    # A message that nobody acknowledges goes to another consumer after half a second.
    return RedisStreamBroker(
        ledger.URL,
        queue_name=QUEUE,
        consumer_id="0",
        idle_timeout=500,
        unacknowledged_lock_timeout=1.0,
        xread_block=200,
        socket_timeout=None,
    )


results = RedisAsyncResultBackend(ledger.URL, result_ex_time=600)
broker = (
    make_broker(os.environ.get("BROKER", "list"))
    .with_result_backend(results)
    .with_middlewares(SimpleRetryMiddleware(default_retry_count=5))
)
source = ListRedisScheduleSource(ledger.URL)
scheduler = TaskiqScheduler(broker, [source, LabelScheduleSource(broker)])


# Tasks


@broker.task
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@broker.task
async def note(name: str, line: Any) -> Any:
    """Leave a line."""
    ledger.write(name, line)
    return line


@broker.task
async def fail(name: str) -> None:
    """Fail for good."""
    ledger.write(name, "tried")
    raise ValueError("as asked")


@broker.task(retry_on_error=True)
async def fail_until(name: str, tries: int) -> int:
    """Fail until it was tried so often."""
    ledger.write(name, "tried")
    if (count := ledger.count(name)) < tries:
        raise ValueError(f"try {count}")
    return count


@broker.task
async def hold(name: str) -> int:
    """Work until let go."""
    return await ledger.hold_async(name)


@broker.task(schedule=[{"interval": timedelta(seconds=1)}])
async def tick() -> None:
    """A periodic task."""
    ledger.write("tick", "now")


# What the test calls


_started = False


async def _ready() -> None:
    global _started
    if not _started:
        await broker.startup()
        await source.startup()
        _started = True


async def send(task: str, *arguments: Any) -> str:
    """Add one task; returns its id."""
    await _ready()
    return (await globals()[task].kiq(*arguments)).task_id


async def result(task_id: str, timeout_s: float = 20) -> Any:
    """Wait for a result; a failure is its text."""
    deadline = datetime.now(UTC) + timedelta(seconds=timeout_s)
    while not await results.is_result_ready(task_id):
        if datetime.now(UTC) > deadline:
            raise TaskiqResultTimeoutError(timeout=timeout_s)
    found = await results.get_result(task_id)
    return f"{type(found.error).__name__}: {found.error}" if found.is_err else found.return_value


async def schedule(seconds: float, task: str, *arguments: Any) -> str:
    """Have the scheduler send a task later; returns the schedule's id."""
    await _ready()
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return (await globals()[task].schedule_by_time(source, at, *arguments)).schedule_id


async def unschedule(schedule_id: str) -> None:
    """Take back what was scheduled."""
    await source.delete_schedule(schedule_id)


async def flood(name: str, count: int) -> int:
    """Add numbered tasks, each until it is acknowledged, whatever happens to the server meanwhile."""
    await _ready()
    return await ledger.insist_async(
        name, count, lambda number: note.kiq(name, number), redis.RedisError, SendTaskError
    )
