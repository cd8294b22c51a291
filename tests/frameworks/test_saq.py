"""SAQ on spoold: BLMOVE to workers, Lua for its transitions, cron, abort, and jobs of killed workers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.frameworks.workshop import App, Program, Workshop, until

pytestmark = pytest.mark.slow
ENVIRONMENT = "redis7"


@pytest.fixture(scope="module")
def app(shop: Workshop) -> App:
    """The module's driver."""
    return shop.app("saq_app")


@pytest.fixture(scope="module")
def worker(shop: Workshop) -> Iterator[Program]:
    """A worker of the tests that need just one."""
    made = shop.start("saq", "saq_app.settings", "-v")
    yield made
    made.kill()


@pytest.mark.parametrize("protocol", [2, 3])
def test_results_come_back_over_both_protocols(shop: Workshop, protocol: int) -> None:
    url = shop.url(database=1, protocol=protocol)
    app = shop.app("saq_app", url=url, QUEUE="both")
    worker = shop.start("saq", "saq_app.settings", url=url, QUEUE="both")
    until(lambda: app.call("info")["workers"], "the worker, whose first sweep must find no job half begun")
    jobs = [app.call("enqueue", "add", {"a": number, "b": 1}) for number in range(10)]
    assert [app.call("result", job) for job in jobs] == list(range(1, 11))
    assert app.call("apply", "add", {"a": 1, "b": 2}) == 3
    assert app.call("run_all", "add", [{"a": n, "b": n} for n in range(5)]) == [0, 2, 4, 6, 8]
    worker.kill()
    app.stop()


def test_a_failure_reaches_the_caller(app: App, worker: Program) -> None:
    text = app.call("result", app.call("enqueue", "fail_until", {"name": "failed", "tries": 9}))
    assert text.startswith("failed: ")
    assert "as asked" in text


def test_a_job_is_retried_at_once_and_after_a_while(shop: Workshop, app: App, worker: Program) -> None:
    options = {"name": "retried", "tries": 3, "retries": 3}
    assert app.call("result", app.call("enqueue", "fail_until", options)) == 3
    options = {"name": "retried-later", "tries": 2, "retries": 2, "retry_delay": 0.3}
    assert app.call("result", app.call("enqueue", "fail_until", options)) == 2


def test_a_job_that_takes_too_long_is_stopped(app: App, worker: Program) -> None:
    assert "Timeout" in app.call("result", app.call("enqueue", "slow", {"timeout": 1}))


def test_a_scheduled_job_waits(shop: Workshop, app: App, worker: Program) -> None:
    late = app.call("enqueue", "note", {"name": "later", "line": "late", "scheduled": int(time.time()) + 2})
    early = app.call("enqueue", "note", {"name": "later", "line": "early"})
    assert [app.call("result", job) for job in (early, late)] == ["early", "late"]
    assert shop.lines("later") == ["early", "late"]


def test_a_key_is_taken_once(shop: Workshop, app: App, worker: Program) -> None:
    key = app.call("enqueue", "hold", {"name": "unique", "key": "only-one", "timeout": 60})
    shop.wait_for("unique.begun")
    assert app.call("enqueue", "hold", {"name": "unique", "key": "only-one"}) is None
    assert app.call("counts")["active"] == 1
    shop.let_go("unique")
    assert app.call("result", key) == 1


def test_jobs_are_aborted_before_and_while_they_run(shop: Workshop, app: App, worker: Program) -> None:
    waiting = app.call("enqueue", "note", {"name": "aborted", "line": "never", "scheduled": int(time.time()) + 60})
    running = app.call("enqueue", "hold", {"name": "stopped", "timeout": 60})
    shop.wait_for("stopped.begun")
    for job in (waiting, running):
        app.call("abort", job)
    until(lambda: app.call("status", running) == "aborted", "the running job to be aborted")
    assert shop.lines("aborted") == []
    assert shop.lines("stopped.ended") == []


def test_cron_jobs_tick(shop: Workshop, app: App, worker: Program) -> None:
    shop.wait_for("tick", 2)
    assert until(lambda: app.call("info")["workers"], "the worker's word of itself")


def test_a_killed_worker_s_job_is_swept_to_another(shop: Workshop) -> None:
    app = shop.app("saq_app", QUEUE="fragile")
    first = shop.start("saq", "saq_app.settings", QUEUE="fragile")
    job = app.call("enqueue", "hold", {"name": "killed", "timeout": 60, "heartbeat": 1, "retries": 3})
    shop.wait_for("killed.begun")
    first.kill()
    second = shop.start("saq", "saq_app.settings", QUEUE="fragile")
    shop.wait_for("killed.begun", 2)
    shop.let_go("killed")
    assert app.call("result", job) >= 2
    second.kill()


def test_nothing_is_lost_when_the_server_is_killed(shop: Workshop, app: App, worker: Program) -> None:
    # All four places of the worker are taken: a job whose start is cut off waits until it is swept.
    held = [app.call("enqueue", "hold", {"name": "crash", "timeout": 60}) for _ in range(4)]
    shop.outlive_a_crash(app, holding=4)
    assert [app.call("result", job) for job in held] == [4] * 4
