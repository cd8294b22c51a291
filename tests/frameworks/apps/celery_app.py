"""Celery: tasks, and what the test asks of the broker, the result backend and the workers."""

from __future__ import annotations

import os
from typing import Any

import ledger
import redis
from celery import Celery, chain, chord, group
from celery.exceptions import TaskRevokedError
from celery.exceptions import TimeoutError as ResultTimeout
from celery.result import AsyncResult
from kombu.exceptions import OperationalError

app = Celery("celery_app", broker=ledger.URL, backend=os.environ.get("RESULTS_URL", ledger.URL))
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": float(os.environ.get("VISIBILITY_S", "3600")),
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "queue_order_strategy": "priority",
    },
    worker_prefetch_multiplier=1,
    task_track_started=True,
    task_default_priority=5,
    beat_schedule={"tick": {"task": "celery_app.tick", "schedule": 0.5, "args": ("tick",)}},
    beat_schedule_filename=str(ledger.PLACE / "beat-schedule"),
    redbeat_redis_url=ledger.URL,
    redbeat_lock_timeout=5,
    beat_max_loop_interval=1,
)


# Tasks


@app.task
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@app.task
def total(numbers: list[int]) -> int:
    """Sum: the body of a chord."""
    return sum(numbers)


@app.task
def note(name: str, line: object) -> object:
    """Leave a line."""
    ledger.write(name, line)
    return line


@app.task
def tick(name: str) -> None:
    """A periodic task."""
    ledger.write(name, "now")


@app.task
def fail(name: str) -> None:
    """Fail each time."""
    ledger.write(name, "tried")
    raise ValueError("as asked")


@app.task(bind=True, max_retries=5)
def fail_until(self: Any, name: str, tries: int) -> int:
    """Fail until it was tried so often."""
    ledger.write(name, "tried")
    if (count := ledger.count(name)) < tries:
        raise self.retry(countdown=0.1)
    return count


@app.task
def hold(name: str) -> int:
    """Work until let go; acknowledged at its beginning."""
    return ledger.hold(name)


@app.task(acks_late=True)
def hold_late(name: str) -> int:
    """Work until let go; acknowledged at its end."""
    return ledger.hold(name)


@app.task
def report(request: Any, error: object, traceback: object, name: str) -> None:
    """An error callback."""
    ledger.write(name, error)


# What the test calls


def send(task: str, arguments: list[Any], options: dict[str, Any]) -> str:
    """Add one task; returns its id."""
    if "link_error" in options:
        options["link_error"] = report.s(options["link_error"])
    if "link" in options:
        options["link"] = note.si(options["link"], "linked")
    return app.tasks[f"celery_app.{task}"].apply_async(args=arguments, **options).id


def result(task_id: str) -> Any:
    """Wait for a result."""
    try:
        return AsyncResult(task_id, app=app).get(timeout=20)
    except (ValueError, TaskRevokedError, ResultTimeout) as error:
        return f"{type(error).__name__}: {error}"


def state(task_id: str) -> str:
    """A task's state."""
    return str(AsyncResult(task_id, app=app).state)


def run_group(pairs: list[list[int]]) -> list[int]:
    """Run a group; returns its results."""
    return list(group(add.s(a, b) for a, b in pairs).apply_async().get(timeout=20))


def run_chain(start: int) -> int:
    """Run add, then add, then add."""
    return int(chain(add.s(start, 1), add.s(10), add.s(100)).apply_async().get(timeout=20))


def run_chord(pairs: list[list[int]]) -> int:
    """Run a chord; returns its body's result."""
    return int(chord((add.s(a, b) for a, b in pairs), total.s()).apply_async().get(timeout=20))


def run_nested(numbers: list[int]) -> int:
    """Run a chain of a chord and a task."""
    flow = chain(group(add.s(n, n) for n in numbers), total.s(), add.s(1000))
    return int(flow.apply_async().get(timeout=20))


def failing_chord(name: str) -> str:
    """Run a chord of which one part fails; returns what its body's result raises."""
    made = chord([add.s(1, 1), fail.s(name)], total.s()).apply_async()
    try:
        return f"no error: {made.get(timeout=20)}"
    except Exception as error:  # noqa: BLE001 - Celery raises ChordError or what the part raised
        return f"{type(error).__name__}: {error}"


def revoke(task_id: str, terminate: bool) -> None:
    """Cancel a task; one that runs if `terminate`."""
    app.control.revoke(task_id, terminate=terminate)


def ping() -> list[str]:
    """The workers that answer within a second."""
    return [name for answer in app.control.ping(timeout=1.0) for name in answer]


def active() -> list[str]:
    """The ids of the tasks at work."""
    return [task["id"] for tasks in (app.control.inspect(timeout=1.0).active() or {}).values() for task in tasks]


def purge() -> int:
    """Drop all waiting tasks."""
    return int(app.control.purge())


def flood(name: str, count: int) -> int:
    """Add numbered tasks, each until it is acknowledged, whatever happens to the server meanwhile."""
    return ledger.insist(name, count, lambda number: note.delay(name, number), OperationalError, redis.RedisError)
