"""arq: jobs, and what the test asks of its pool."""

from __future__ import annotations

import asyncio
from typing import Any

import ledger
from arq import Retry, create_pool, cron, func
from arq.connections import ArqRedis, RedisSettings
from arq.jobs import Job
from redis.asyncio.retry import Retry as Reconnect
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError

settings = RedisSettings.from_dsn(ledger.URL.split("?")[0])
# Without this a worker of arq ends when its server goes.
settings.retry = Reconnect(ConstantBackoff(0.2), 100)
settings.retry_on_error = [Disconnected, OSError]

_pool: ArqRedis | None = None


# Jobs


async def add(ctx: dict[str, Any], a: int, b: int) -> int:
    """Add."""
    return a + b


async def note(ctx: dict[str, Any], name: str, line: object) -> object:
    """Leave a line."""
    ledger.write(name, line)
    return line


async def fail(ctx: dict[str, Any], name: str) -> None:
    """Fail for good."""
    ledger.write(name, "tried")
    raise ValueError("as asked")


async def fail_until(ctx: dict[str, Any], name: str, tries: int) -> int:
    """Ask to be tried again until it was tried so often."""
    ledger.write(name, "tried")
    if ctx["job_try"] < tries:
        raise Retry(defer=0.1)
    return int(ctx["job_try"])


async def hold(ctx: dict[str, Any], name: str) -> int:
    """Work until let go."""
    return await ledger.hold_async(name)


async def slow(ctx: dict[str, Any]) -> None:
    """Take longer than allowed."""
    await asyncio.sleep(30)


async def tick(ctx: dict[str, Any]) -> None:
    """A periodic job."""
    ledger.write("tick", ctx["job_id"])


FUNCTIONS = [add, note, fail, fail_until, hold, func(slow, timeout=0.2, max_tries=1)]


class Settings:
    """A worker of the default queue. arq reads the class itself, not what it inherits."""

    functions = FUNCTIONS
    cron_jobs = [cron(tick, second=set(range(60)), unique=True)]  # noqa: RUF012
    redis_settings = settings
    poll_delay = 0.05
    allow_abort_jobs = True
    max_jobs = 4
    health_check_interval = 1


class Fragile:
    """A worker that is going to be killed, on a queue of its own."""

    functions = FUNCTIONS
    queue_name = "fragile"
    redis_settings = settings
    poll_delay = 0.05


# What the test calls


async def pool() -> ArqRedis:
    """The driver's connections."""
    global _pool
    if _pool is None:
        _pool = await create_pool(settings)
    return _pool


async def enqueue(function: str, arguments: list[Any], options: dict[str, Any]) -> str | None:
    """Add one job; returns its id, None if a job of that id is there."""
    job = await (await pool()).enqueue_job(function, *arguments, **options)
    return None if job is None else job.job_id


async def result(job_id: str, queue: str = "arq:queue") -> Any:
    """Wait for a result."""
    try:
        return await Job(job_id, await pool(), queue).result(timeout=20, poll_delay=0.02)
    except (ValueError, asyncio.CancelledError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"


async def status(job_id: str, queue: str = "arq:queue") -> str:
    """A job's state."""
    return str((await Job(job_id, await pool(), queue).status()).value)


async def abort(job_id: str) -> bool:
    """Cancel a job, whether it waits or runs."""
    return await Job(job_id, await pool()).abort(timeout=10, poll_delay=0.02)


async def queued() -> list[str]:
    """The functions that wait."""
    return [job.function for job in await (await pool()).queued_jobs()]


async def finished() -> int:
    """How many results are kept."""
    return len(await (await pool()).all_job_results())


async def health(queue: str = "arq:queue") -> str | None:
    """What the worker says of itself."""
    text = await (await pool()).get(f"{queue}:health-check")
    return None if text is None else text.decode()


async def shorten_mark(job_id: str) -> bool:
    """Let the mark of a job in progress run out in a moment, not after its timeout."""
    return bool(await (await pool()).pexpire(f"arq:in-progress:{job_id}", 100))


async def flood(name: str, count: int) -> int:
    """Add numbered jobs, each until it is acknowledged, whatever happens to the server meanwhile."""
    redis = await pool()

    async def one(number: int) -> None:
        # A connection that broke under WATCH looks to arq like a job that is there already: no job, no error.
        if await redis.enqueue_job("note", name, number) is None:
            raise Disconnected("not acknowledged")

    return await ledger.insist_async(name, count, one, RedisError)
