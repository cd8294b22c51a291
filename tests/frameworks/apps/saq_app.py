"""SAQ: jobs, and what the test asks of its queue."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import ledger
import redis
from saq import CronJob, Job, Queue

queue = Queue.from_url(ledger.URL, name=os.environ.get("QUEUE", "default"))


# Jobs


async def add(ctx: Any, *, a: int, b: int) -> int:
    """Add."""
    return a + b


async def note(ctx: Any, *, name: str, line: object) -> object:
    """Leave a line."""
    ledger.write(name, line)
    return line


async def fail_until(ctx: Any, *, name: str, tries: int) -> int:
    """Fail until it was tried so often."""
    ledger.write(name, "tried")
    if (count := ledger.count(name)) < tries:
        raise ValueError("as asked")
    return count


async def hold(ctx: Any, *, name: str) -> int:
    """Work until let go."""
    return await ledger.hold_async(name)


async def slow(ctx: Any) -> None:
    """Take longer than allowed."""
    await asyncio.sleep(30)


async def tick(ctx: Any) -> None:
    """A periodic job."""
    ledger.write("tick", "now")


settings = {
    "queue": queue,
    "functions": [add, note, fail_until, hold, slow],
    "concurrency": 4,
    "cron_jobs": [CronJob(tick, cron="* * * * * */1")] if queue.name == "default" else [],
    # A sweep that meets a job between its move and its mark takes it for a stuck one: none but where it is tested.
    "timers": {"schedule": 1, "sweep": 1 if queue.name == "fragile" else 60, "abort": 0.2, "worker_info": 1},
}


# What the test calls


async def enqueue(function: str, options: dict[str, Any]) -> str | None:
    """Add one job; returns its key, None if a job of that key is there."""
    job = await queue.enqueue(function, **options)
    return None if job is None else job.key


async def result(key: str) -> Any:
    """Wait for a job's end; returns its result, or its state and error."""
    job = await queue.job(key)
    if job is None:
        return "no such job"
    for _ in range(20):
        try:
            await job.refresh(until_complete=1)
            break
        except TimeoutError:  # SAQ misses an end that comes between its look and its subscription: look again
            continue
    return job.result if job.status == "complete" else f"{job.status.value}: {job.error}"


async def status(key: str) -> str:
    """A job's state."""
    job = await queue.job(key)
    return "gone" if job is None else str(job.status.value)


async def apply(function: str, options: dict[str, Any]) -> Any:
    """Run a job and wait for its result, which comes over publish and subscribe."""
    return await queue.apply(function, **options)


async def run_all(function: str, several: list[dict[str, Any]]) -> list[Any]:
    """Run a job with each of several arguments; returns their results."""
    return list(await queue.map(function, several))


async def abort(key: str) -> None:
    """Cancel a job, whether it waits or runs."""
    job = await queue.job(key)
    assert job is not None
    await job.abort("not wanted")


async def counts() -> dict[str, int]:
    """The queue in numbers."""
    return {kind: await queue.count(kind) for kind in ("queued", "active", "incomplete")}


async def info() -> dict[str, Any]:
    """What the queue's page would show."""
    return dict(await queue.info(jobs=True))


async def flood(name: str, count: int) -> int:
    """Add numbered jobs, each until it is acknowledged, whatever happens to the server meanwhile."""

    async def one(number: int) -> Job | None:
        # Its own key: SAQ would take a second attempt after a lost reply for another job.
        return await queue.enqueue("note", name=name, line=number, retries=5)

    return await ledger.insist_async(name, count, one, redis.RedisError)
