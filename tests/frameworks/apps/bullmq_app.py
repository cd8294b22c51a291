"""BullMQ for Python: a queue, what the test asks of it, and the worker (run as a program).

python bullmq_app.py QUEUE CONCURRENCY
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import ledger
import redis
from bullmq import FlowProducer, Job, Queue, QueueEvents, Worker

NAME = os.environ.get("QUEUE", "default")


# The worker


async def process(job: Job, token: str) -> Any:
    """Run one job: its name says what, its data holds the arguments."""
    if job.name == "add":
        return job.data["a"] + job.data["b"]
    if job.name == "note":
        ledger.write(job.data["name"], job.data["line"])
        return job.data["line"]
    if job.name == "hold":
        return await ledger.hold_async(job.data["name"])
    if job.name == "fail_until":
        ledger.write(job.data["name"], "tried")
        if (count := ledger.count(job.data["name"])) < job.data["tries"]:
            raise ValueError("as asked")
        return count
    if job.name == "progress":
        await job.updateProgress(50)
        await job.log("half of it")
        return "done"
    if job.name == "sum":
        return sum((await job.getChildrenValues()).values())
    raise LookupError(job.name)


async def work(name: str, concurrency: int) -> None:
    """Process jobs until killed. A lock of a second makes a killed worker's jobs come back soon."""
    options = {
        "connection": ledger.URL,
        "concurrency": concurrency,
        "lockDuration": 1000,
        "stalledInterval": 500,
        "maxStalledCount": 5,
        "runRetryDelay": 200,
        "drainDelay": 1,
    }
    worker = Worker(name, process, options)
    worker.on("error", lambda *error: print("error", error, flush=True))  # noqa: T201
    print("ready", flush=True)  # noqa: T201
    await asyncio.Event().wait()


# What the test calls


_queue: Queue | None = None
_events: list[list[str]] = []
_listener: QueueEvents | None = None


def queue() -> Queue:
    """The driver's queue."""
    global _queue
    if _queue is None:
        _queue = Queue(NAME, {"connection": ledger.URL})
    return _queue


async def add(job: str, data: dict[str, Any], options: dict[str, Any]) -> str:
    """Add one job; returns its id."""
    return str((await queue().add(job, data, options)).id)


async def add_many(jobs: list[dict[str, Any]]) -> list[str]:
    """Add several jobs at once; returns their ids."""
    return [str(job.id) for job in await queue().addBulk(jobs)]


async def result(job_id: str, timeout_s: float = 20) -> Any:
    """Wait for a job's end; returns its value, or why it failed."""
    async with asyncio.timeout(timeout_s):
        while True:
            job = await Job.fromId(queue(), job_id)
            if job is not None and await job.isCompleted():
                return (await Job.fromId(queue(), job_id)).returnvalue
            if job is not None and await job.isFailed():
                return f"failed: {(await Job.fromId(queue(), job_id)).failedReason}"
            await asyncio.sleep(0.02)


async def state(job_id: str) -> str:
    """A job's state."""
    return str(await queue().getJobState(job_id))


async def counts() -> dict[str, int]:
    """Jobs of each state."""
    return dict(await queue().getJobCounts())


async def remove(job_id: str) -> int:
    """Drop a job."""
    return int(await queue().remove(job_id))


async def promote(job_id: str) -> None:
    """Have a delayed job run now."""
    job = await Job.fromId(queue(), job_id)
    await job.promote()


async def retry(job_id: str) -> None:
    """Have a failed job run again."""
    job = await Job.fromId(queue(), job_id)
    await job.retry("failed")


async def pause(paused: bool) -> bool:
    """Hold the queue, or let it go on; returns what it says of itself."""
    await (queue().pause() if paused else queue().resume())
    return bool(await queue().isPaused())


async def repeat(name: str, every_ms: int) -> None:
    """Have a job run again and again."""
    await queue().upsertJobScheduler(name, {"every": every_ms}, "note", {"name": name, "line": "again"}, {})


async def unrepeat(name: str) -> None:
    """Stop what `repeat` began."""
    await queue().removeJobScheduler(name)


async def flow(numbers: list[int]) -> str:
    """Add a job that runs after its children; returns its id."""
    producer = FlowProducer({"connection": ledger.URL})
    children = [{"name": "add", "queueName": NAME, "data": {"a": n, "b": n}} for n in numbers]
    tree = await producer.add({"name": "sum", "queueName": NAME, "data": {}, "children": children})
    await producer.close()
    return str((tree["job"] if isinstance(tree, dict) else tree.job).id)


async def details(job_id: str) -> list[Any]:
    """A job's progress and log."""
    job = await Job.fromId(queue(), job_id)
    return [job.progress, (await queue().getJobLogs(job_id))["logs"]]


async def clean() -> int:
    """Drop all that is waiting and all that is done; returns what is left."""
    await queue().drain(True)
    await queue().obliterate(True)
    return sum((await queue().getJobCounts()).values())


async def workers() -> int:
    """How many workers CLIENT LIST shows."""
    return int(await queue().get_workers_count())


async def flood(name: str, count: int) -> int:
    """Add numbered jobs, each until it is acknowledged, whatever happens to the server meanwhile."""
    here = queue()
    return await ledger.insist_async(
        name, count, lambda number: here.add("note", {"name": name, "line": number}, {}), redis.RedisError
    )


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2])))
