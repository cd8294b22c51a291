"""docket: tasks, and what the test asks of the docket."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import ledger
import redis
from docket import ConcurrencyLimit, Docket, ExecutionCancelled, ExecutionState, ExponentialRetry, Perpetual, Timeout

NAME = os.environ.get("DOCKET_NAME", "docket")


# Tasks: docket reads their defaults.


async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


async def note(name: str, line: Any) -> Any:
    """Leave a line."""
    ledger.write(name, line)
    return line


async def fail(name: str) -> None:
    """Fail for good."""
    ledger.write(name, "tried")
    raise ValueError("as asked")


async def fail_until(
    name: str,
    tries: int,
    retry: ExponentialRetry = ExponentialRetry(attempts=5, minimum_delay=timedelta(milliseconds=10)),  # noqa: B008
) -> int:
    """Fail until it was tried so often."""
    ledger.write(name, "tried")
    if (count := ledger.count(name)) < tries:
        raise ValueError(f"try {count}")
    return count


async def hold(name: str) -> int:
    """Work until let go."""
    return await ledger.hold_async(name)


async def slow(timeout: Timeout = Timeout(timedelta(seconds=0.2))) -> int:  # noqa: B008
    """Take longer than allowed."""
    return await ledger.hold_async("slow")


async def exclusive(
    name: str,
    group: str,
    limit: ConcurrencyLimit = ConcurrencyLimit("group", max_concurrent=1),  # noqa: B008
) -> int:
    """One at a time of each group."""
    return await ledger.hold_async(name)


async def tick(
    perpetual: Perpetual = Perpetual(every=timedelta(milliseconds=300), automatic=True),  # noqa: B008
) -> None:
    """A periodic task."""
    ledger.write(f"tick-{NAME}", "now")


tasks = [add, note, fail, fail_until, hold, slow, exclusive, tick]


# What the test calls


_docket: Docket | None = None


async def docket() -> Docket:
    """The driver's docket."""
    global _docket
    if _docket is None:
        _docket = Docket(name=NAME, url=ledger.URL)
        await _docket.__aenter__()
        for task in tasks:
            _docket.register(task)
    return _docket


async def send(task: str, arguments: list[Any], key: str | None = None, delay_s: float = 0) -> list[str]:
    """Add one task; returns its key and what became of the request."""
    when = datetime.now(UTC) + timedelta(seconds=delay_s) if delay_s else None
    execution = await (await docket()).add(task, when=when, key=key)(*arguments)
    return [execution.key, execution.disposition.value]


async def replace(task: str, arguments: list[Any], key: str, delay_s: float) -> None:
    """Put another task in the place of one that waits."""
    when = datetime.now(UTC) + timedelta(seconds=delay_s)
    await (await docket()).replace(task, when=when, key=key)(*arguments)


async def result(key: str) -> Any:
    """Wait for a result; a failure is its text."""
    execution = await (await docket()).get_execution(key)
    assert execution is not None
    try:
        return await execution.get_result(timeout=timedelta(seconds=20))
    except (ValueError, TimeoutError, ExecutionCancelled) as error:
        return f"{type(error).__name__}: {error}"


async def finished(key: str) -> bool:
    """Tell whether a task has come to an end, good or bad."""
    execution = await (await docket()).get_execution(key)
    assert execution is not None
    return execution.state in {ExecutionState.COMPLETED, ExecutionState.FAILED}


async def cancel(key: str) -> None:
    """Cancel a task, whether it waits or runs."""
    await (await docket()).cancel(key)


async def strike(task: str) -> None:
    """Have no worker run a task any more."""
    await (await docket()).strike(task)


async def restore(task: str) -> None:
    """Take a strike back."""
    await (await docket()).restore(task)


async def snapshot() -> dict[str, int]:
    """The docket in numbers."""
    seen = await (await docket()).snapshot()
    return {"running": len(seen.running), "future": len(seen.future), "workers": len(seen.workers)}


async def clear() -> int:
    """Drop all that waits."""
    return await (await docket()).clear()


async def flood(name: str, count: int) -> int:
    """Add numbered tasks, each until it is acknowledged, whatever happens to the server meanwhile."""
    here = await docket()
    return await ledger.insist_async(
        name, count, lambda number: here.add(note, key=f"{name}-{number}")(name, number), redis.RedisError
    )
