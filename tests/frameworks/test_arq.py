"""arq on spoold: jobs in sorted sets, marks that expire, cron, abort, and jobs of killed workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.frameworks.workshop import App, Program, Workshop, until

pytestmark = pytest.mark.slow
ENVIRONMENT = "redis5"


@pytest.fixture(scope="module")
def app(shop: Workshop) -> App:
    """The module's driver."""
    return shop.app("arq_app")


@pytest.fixture(scope="module")
def worker(shop: Workshop) -> Iterator[Program]:
    """A worker of the tests that need just one."""
    made = shop.start("arq", "arq_app.Settings")
    yield made
    made.kill()


def test_results_come_back(app: App, worker: Program) -> None:
    jobs = [app.call("enqueue", "add", [number, 1], {}) for number in range(20)]
    assert [app.call("result", job) for job in jobs] == list(range(1, 21))
    assert app.call("status", jobs[0]) == "complete"
    assert app.call("finished") >= 20


def test_a_failure_reaches_the_caller(shop: Workshop, app: App, worker: Program) -> None:
    assert app.call("result", app.call("enqueue", "fail", ["failed"], {})) == "ValueError: as asked"
    assert len(shop.lines("failed")) == 1


def test_a_job_is_retried_until_it_succeeds(app: App, worker: Program) -> None:
    assert app.call("result", app.call("enqueue", "fail_until", ["retried", 3], {})) == 3


def test_a_job_that_takes_too_long_is_stopped(app: App, worker: Program) -> None:
    assert "Timeout" in app.call("result", app.call("enqueue", "slow", [], {}))


def test_a_deferred_job_waits(shop: Workshop, app: App, worker: Program) -> None:
    late = app.call("enqueue", "note", ["deferred", "late"], {"_defer_by": 0.7})
    early = app.call("enqueue", "note", ["deferred", "early"], {})
    assert app.call("status", late) == "deferred"
    assert "note" in app.call("queued")
    assert [app.call("result", job) for job in (early, late)] == ["early", "late"]
    assert shop.lines("deferred") == ["early", "late"]


def test_a_job_id_is_taken_once(shop: Workshop, app: App, worker: Program) -> None:
    assert app.call("enqueue", "hold", ["unique"], {"_job_id": "only-one"}) == "only-one"
    shop.wait_for("unique.begun")
    assert app.call("enqueue", "hold", ["unique"], {"_job_id": "only-one"}) is None
    assert app.call("status", "only-one") == "in_progress"
    shop.let_go("unique")
    assert app.call("result", "only-one") == 1


def test_jobs_are_aborted_before_and_while_they_run(shop: Workshop, app: App, worker: Program) -> None:
    waiting = app.call("enqueue", "note", ["aborted", "never"], {"_defer_by": 60})
    running = app.call("enqueue", "hold", ["stopped"], {})
    shop.wait_for("stopped.begun")
    assert app.call("abort", waiting) is True
    assert app.call("abort", running) is True
    assert shop.lines("aborted") == []
    assert shop.lines("stopped.ended") == []


def test_cron_jobs_tick_and_each_tick_once(shop: Workshop, app: App, worker: Program) -> None:
    other = shop.start("arq", "arq_app.Settings")  # two workers, still one job a second
    ids = shop.wait_for("tick", 3)
    assert len(set(ids)) == len(ids)
    assert "j_complete" in until(lambda: app.call("health"), "the worker's word of itself")
    other.kill()


def test_a_killed_worker_s_job_goes_to_another(shop: Workshop, app: App) -> None:
    first = shop.start("arq", "arq_app.Fragile")
    job = app.call("enqueue", "hold", ["killed"], {"_queue_name": "fragile"})
    shop.wait_for("killed.begun")
    first.kill()
    assert app.call("shorten_mark", job)
    second = shop.start("arq", "arq_app.Fragile")
    shop.wait_for("killed.begun", 2)
    shop.let_go("killed")
    assert app.call("result", job, "fragile") == 2
    second.kill()


def test_nothing_is_lost_when_the_server_is_killed(shop: Workshop, app: App, worker: Program) -> None:
    # All four places of the worker are taken: a job whose start is cut off waits for minutes, until its mark runs out.
    held = [app.call("enqueue", "hold", ["crash"], {}) for _ in range(4)]
    late = app.call("enqueue", "note", ["after-crash", "late"], {"_defer_by": 1.5})
    shop.outlive_a_crash(app, holding=4)
    assert shop.wait_for("after-crash") == ["late"]
    assert app.call("result", late) == "late"
    assert [app.call("result", job) for job in held] == [4] * 4
