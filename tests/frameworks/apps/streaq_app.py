"""streaQ: tasks, and what the test asks of its worker object."""

from __future__ import annotations

import os
from typing import Any

import anyio
import ledger
from coredis.exceptions import RedisError
from streaq import StreaqRetry, Worker

QUEUE = os.environ.get("QUEUE", "default")
worker: Worker[None] = Worker(
    redis_url=ledger.URL,
    queue_name=QUEUE,
    concurrency=int(os.environ.get("CONCURRENCY", "4")),
    priorities=["low", "normal", "high"],
    idle_timeout=float(os.environ.get("IDLE_S", "60")),
)


# Tasks


@worker.task()
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@worker.task()
async def double(number: int) -> int:
    """Double: the second part of a chain."""
    return number * 2


@worker.task()
async def note(name: str, line: Any) -> Any:
    """Leave a line."""
    ledger.write(name, line)
    return line


@worker.task()
async def fail(name: str) -> None:
    """Fail for good."""
    ledger.write(name, "tried")
    raise ValueError("as asked")


@worker.task(max_tries=5)
async def fail_until(name: str, tries: int) -> int:
    """Ask to be tried again until it was tried so often."""
    ledger.write(name, "tried")
    if (count := ledger.count(name)) < tries:
        raise StreaqRetry("again", delay=0)
    return count


@worker.task(timeout=None, max_tries=None)
async def hold(name: str) -> int:
    """Work until let go."""
    return await ledger.hold_async(name)


@worker.task(timeout=1)
async def slow() -> None:
    """Take longer than allowed."""
    await anyio.sleep(30)


if QUEUE == "default":

    @worker.cron("* * * * * * *")
    async def tick() -> None:
        """A periodic task."""
        ledger.write("tick", "now")


# What the test calls


async def send(task: str, arguments: list[Any], options: dict[str, Any]) -> str:
    """Add one task; returns its id."""
    async with worker:
        return (await globals()[task].enqueue(*arguments).start(**options)).id


async def send_many(task: str, several: list[list[Any]]) -> list[str]:
    """Add several tasks at once; returns their ids."""
    made = [globals()[task].enqueue(*arguments) for arguments in several]
    async with worker:
        await worker.enqueue_many(made)
    return [task.id for task in made]


async def send_chain(a: int, b: int) -> str:
    """Add a task whose result feeds another; returns the id of the second."""
    async with worker:
        return (await add.enqueue(a, b).then(double)).id


async def result(task_id: str) -> Any:
    """Wait for a result; a failure is its text."""
    async with worker:
        found = await worker.result_by_id(task_id, timeout=20)
    return found.result if found.success else f"{type(found.exception).__name__}: {found.exception}"


async def status(task_id: str) -> str:
    """A task's state."""
    async with worker:
        return str((await worker.status_by_id(task_id)).value)


async def abort(task_id: str) -> bool:
    """Cancel a task, whether it waits or runs."""
    async with worker:
        return await worker.abort_by_id(task_id, timeout=10)


async def size() -> int:
    """How many tasks wait."""
    async with worker:
        return await worker.queue_size()


async def flood(name: str, count: int) -> int:
    """Add numbered tasks, each until it is acknowledged, whatever happens to the server meanwhile."""

    async def one(number: int) -> None:
        try:
            await send("note", [name, number], {})
        except* (RedisError, OSError, anyio.EndOfStream, anyio.BrokenResourceError) as group:
            raise ConnectionError("not acknowledged") from group

    return await ledger.insist_async(name, count, one)
