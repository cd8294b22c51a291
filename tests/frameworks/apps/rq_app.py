"""RQ: jobs, and what the test asks of its queues."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import ledger
import redis
from rq import Queue, Repeat, Retry, Worker, cron
from rq.command import send_stop_job_command
from rq.group import Group
from rq.job import Callback, Dependency, Job
from rq.rate_limit import RateLimit

connection = redis.Redis.from_url(ledger.URL)


# Jobs


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def note(name: str, line: object) -> object:
    """Leave a line."""
    ledger.write(name, line)
    return line


def fail(name: str) -> None:
    """Fail each time."""
    ledger.write(name, "tried")
    raise ValueError("as asked")


def fail_until(name: str, tries: int) -> int:
    """Fail until it was tried so often."""
    ledger.write(name, "tried")
    if (count := ledger.count(name)) < tries:
        raise ValueError(f"try {count}")
    return count


def hold(name: str) -> int:
    """Work until let go."""
    return ledger.hold(name)


def report_success(job: Job, connection: Any, result: object) -> None:
    """A callback."""
    ledger.write(f"{job.id}.success", result)


def report_failure(job: Job, connection: Any, kind: type, value: BaseException, traceback: object) -> None:
    """A callback."""
    ledger.write(f"{job.id}.failure", kind.__name__)


def tick() -> None:
    """A periodic job."""
    ledger.write("tick", "now")


# What the test calls


def enqueue(function: str, *arguments: object, queue: str = "default") -> str:
    """Add one job; returns its id."""
    return Queue(queue, connection=connection).enqueue(f"rq_app.{function}", *arguments).id


def enqueue_to(queue: str, function: str, arguments: list[Any], options: dict[str, Any]) -> str:
    """Add one job with options, those that are objects of RQ spelled as plain values."""
    if "retry" in options:
        options["retry"] = Retry(max=options["retry"][0], interval=options["retry"][1])
    if "repeat" in options:
        options["repeat"] = Repeat(times=options["repeat"][0], interval=options["repeat"][1])
    if "after" in options:
        after = options.pop("after")
        options["depends_on"] = Dependency(jobs=after, allow_failure=options.pop("allow_failure", False))
    if options.pop("callbacks", False):
        options["on_success"] = Callback(report_success)
        options["on_failure"] = Callback(report_failure)
    if "limit" in options:
        options["rate_limit"] = RateLimit(key=options["limit"][0], concurrency=options.pop("limit")[1])
    return Queue(queue, connection=connection).enqueue(f"rq_app.{function}", *arguments, **options).id


def enqueue_in(seconds: float, function: str, *arguments: object) -> str:
    """Schedule a job."""
    queue = Queue("default", connection=connection)
    return queue.enqueue_in(timedelta(seconds=seconds), f"rq_app.{function}", *arguments).id


def enqueue_group(numbers: list[int]) -> list[str]:
    """Add a group of jobs; returns the ids that the group knows."""
    queue = Queue("default", connection=connection)
    group = Group.create(connection=connection)
    group.enqueue_many(queue, [Queue.prepare_data("rq_app.add", args=(n, n)) for n in numbers])
    return [job.id for job in Group.fetch(group.name, connection).get_jobs()]


def status(job_id: str) -> str:
    """A job's state."""
    return str(Job.fetch(job_id, connection=connection).get_status().value)


def result(job_id: str, timeout_s: float = 20) -> Any:
    """Wait for a job's result; RQ blocks in XREAD for it."""
    found = Job.fetch(job_id, connection=connection).latest_result(timeout=int(timeout_s))
    if found is None:
        return None
    return found.return_value if found.type == found.Type.SUCCESSFUL else f"failed: {found.exc_string}"


def cancel(job_id: str) -> None:
    """Cancel a job that waits."""
    Job.fetch(job_id, connection=connection).cancel()


def stop(job_id: str) -> None:
    """Stop a job that runs."""
    send_stop_job_command(connection, job_id)


def registries(queue: str) -> dict[str, list[str]]:
    """The job ids in each registry of a queue."""
    of = Queue(queue, connection=connection)
    return {
        "queued": of.get_job_ids(),
        "started": of.started_job_registry.get_job_ids(cleanup=False),
        "finished": of.finished_job_registry.get_job_ids(),
        "failed": of.failed_job_registry.get_job_ids(),
        "deferred": of.deferred_job_registry.get_job_ids(),
        "scheduled": of.scheduled_job_registry.get_job_ids(),
        "canceled": of.canceled_job_registry.get_job_ids(),
    }


def requeue_failed(queue: str) -> int:
    """Put failed jobs back; returns how many."""
    registry = Queue(queue, connection=connection).failed_job_registry
    ids = registry.get_job_ids()
    for job_id in ids:
        registry.requeue(job_id)
    return len(ids)


def clean_abandoned(queue: str, seconds_ahead: float) -> None:
    """Do what a worker's maintenance will do so much later: take up jobs of workers that died."""
    import time

    Queue(queue, connection=connection).started_job_registry.cleanup(timestamp=time.time() + seconds_ahead)


def workers() -> list[str]:
    """The names of living workers."""
    return sorted(worker.name for worker in Worker.all(connection=connection))


def flood(name: str, count: int) -> int:
    """Add numbered jobs, each until it is acknowledged, whatever happens to the server meanwhile."""
    queue = Queue("default", connection=connection)
    return ledger.insist(name, count, lambda n: queue.enqueue("rq_app.note", name, n), redis.RedisError)


cron.register(tick, queue_name="default", interval=1)
