"""BullMQ (the Python package) on spoold: its Lua scripts for each step, markers, schedulers, flows, stalled jobs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.frameworks.workshop import App, Program, Workshop, until

pytestmark = pytest.mark.slow
ENVIRONMENT = "redis8"


def start_worker(shop: Workshop, queue: str = "default", concurrency: int = 4, url: str | None = None) -> Program:
    """A worker whose locks last a second."""
    program = shop.start("python", "bullmq_app.py", queue, str(concurrency), url=url)
    until(lambda: "ready" in program.text(), f"the worker {shop.tail()}")
    return program


@pytest.fixture(scope="module")
def app(shop: Workshop) -> App:
    """The module's driver."""
    return shop.app("bullmq_app")


@pytest.fixture(scope="module")
def worker(shop: Workshop) -> Iterator[Program]:
    """A worker of the tests that need just one."""
    made = start_worker(shop)
    yield made
    made.kill()


@pytest.mark.parametrize("protocol", [2, None])
def test_results_come_back_over_both_protocols(shop: Workshop, protocol: int | None) -> None:
    url = shop.url(database=protocol or 3, protocol=protocol)
    app = shop.app("bullmq_app", url=url)
    jobs = [app.call("add", "add", {"a": number, "b": 1}, {}) for number in range(5)]
    jobs += app.call("add_many", [{"name": "add", "data": {"a": number, "b": 1}} for number in range(5, 10)])
    assert app.call("counts")["waiting"] == 10
    worker = start_worker(shop, url=url)
    assert [app.call("result", job) for job in jobs] == list(range(1, 11))
    assert app.call("state", jobs[0]) == "completed"
    worker.kill()
    app.stop()


def test_a_failed_job_is_kept_and_can_be_retried(shop: Workshop, app: App, worker: Program) -> None:
    job = app.call("add", "fail_until", {"name": "failed", "tries": 2}, {})
    assert app.call("result", job) == "failed: as asked"
    app.call("retry", job)
    assert until(lambda: app.call("result", job) == 2, "the second try")


def test_attempts_with_backoff_are_made(app: App, worker: Program) -> None:
    options = {"attempts": 5, "backoff": {"type": "fixed", "delay": 50}}
    assert app.call("result", app.call("add", "fail_until", {"name": "retried", "tries": 3}, options)) == 3


def test_a_delayed_job_waits_and_can_be_promoted(shop: Workshop, app: App, worker: Program) -> None:
    late = app.call("add", "note", {"name": "delayed", "line": "late"}, {"delay": 600})
    promoted = app.call("add", "note", {"name": "delayed", "line": "promoted"}, {"delay": 60_000})
    assert app.call("state", late) == "delayed"
    app.call("promote", promoted)
    assert [app.call("result", job) for job in (promoted, late)] == ["promoted", "late"]
    assert shop.lines("delayed") == ["promoted", "late"]


def test_urgent_jobs_come_first(shop: Workshop) -> None:
    app = shop.app("bullmq_app", QUEUE="ordered")
    for priority in (3, 1, 2):
        app.call("add", "note", {"name": "order", "line": priority}, {"priority": priority})
    app.call("add", "note", {"name": "order", "line": "second"}, {})
    app.call("add", "note", {"name": "order", "line": "first"}, {"lifo": True})
    worker = start_worker(shop, "ordered", 1)
    assert shop.wait_for("order", 5) == ["first", "second", "1", "2", "3"]
    worker.kill()


def test_a_paused_queue_stands_still(shop: Workshop, app: App, worker: Program) -> None:
    assert app.call("pause", True) is True
    job = app.call("add", "note", {"name": "paused", "line": "now"}, {})
    assert sum(app.call("counts")[kind] for kind in ("waiting", "active")) == 1
    assert app.call("state", job) == "waiting"
    assert app.call("pause", False) is False
    assert app.call("result", job) == "now"


def test_a_removed_job_never_runs_and_a_job_id_is_taken_once(shop: Workshop, app: App, worker: Program) -> None:
    job = app.call("add", "note", {"name": "removed", "line": "never"}, {"delay": 60_000})
    assert app.call("remove", job) == 1
    data = {"name": "unique", "line": "once"}
    assert [app.call("add", "note", data, {"jobId": "only-one"}) for _ in range(3)] == ["only-one"] * 3
    assert app.call("result", "only-one") == "once"
    assert shop.lines("unique") == ["once"]


def test_progress_and_logs_are_kept(app: App, worker: Program) -> None:
    job = app.call("add", "progress", {}, {})
    assert app.call("result", job) == "done"
    assert app.call("details", job) == [50, ["half of it"]]


def test_a_parent_runs_after_its_children(app: App, worker: Program) -> None:
    assert app.call("result", app.call("flow", [1, 2, 3])) == 12


def test_a_scheduler_repeats_a_job(shop: Workshop, app: App, worker: Program) -> None:
    app.call("repeat", "ticks", 200)
    shop.wait_for("ticks", 3)
    app.call("unrepeat", "ticks")
    assert app.call("workers") >= 1


def test_an_obliterated_queue_is_empty(shop: Workshop) -> None:
    app = shop.app("bullmq_app", QUEUE="unwanted")
    for number in range(5):
        app.call("add", "note", {"name": "unwanted", "line": number}, {"delay": 1000 * (number % 2)})
    assert app.call("clean") == 0


def test_a_killed_worker_s_job_is_found_stalled_and_run_again(shop: Workshop) -> None:
    app = shop.app("bullmq_app", QUEUE="fragile")
    first = start_worker(shop, "fragile")
    job = app.call("add", "hold", {"name": "killed"}, {})
    shop.wait_for("killed.begun")
    first.kill()
    second = start_worker(shop, "fragile")
    shop.wait_for("killed.begun", 2)
    shop.let_go("killed")
    assert app.call("result", job) == 2
    second.kill()


def test_nothing_is_lost_when_the_server_is_killed(shop: Workshop, app: App, worker: Program) -> None:
    held = app.call("add", "hold", {"name": "crash"}, {})
    late = app.call("add", "note", {"name": "after-crash", "line": "late"}, {"delay": 2000})
    shop.outlive_a_crash(app, holding=1)
    assert shop.wait_for("after-crash") == ["late"]
    assert app.call("result", late) == "late"
    assert app.call("result", held) >= 1
