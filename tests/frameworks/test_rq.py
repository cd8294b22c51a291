"""RQ on spoold: its own workers, one at a time and forking as they do, its scheduler, its registries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.frameworks.workshop import App, Program, Workshop, until

pytestmark = pytest.mark.slow
ENVIRONMENT = "redis8"


@pytest.fixture(scope="module")
def app(shop: Workshop) -> App:
    """The module's driver."""
    return shop.app("rq_app")


@pytest.fixture(scope="module")
def worker(shop: Workshop) -> Iterator[Program]:
    """A worker of the tests that need just one."""
    made = shop.start("rq", "worker", "--url", shop.url(), "--with-scheduler", "high", "default")
    yield made
    made.stop()  # gently: a scheduler that is killed keeps its locks for a minute


@pytest.mark.parametrize("protocol", [2, None])
def test_results_come_back_over_both_protocols(shop: Workshop, protocol: int | None) -> None:
    url = shop.url(protocol=protocol)
    app = shop.app("rq_app", url=url)
    jobs = [app.call("enqueue", "add", number, 1) for number in range(5)]
    worker = shop.start("rq", "worker", "--url", url, "--burst", "default")
    assert worker.process.wait(30) == 0
    assert [app.call("result", job) for job in jobs] == [1, 2, 3, 4, 5]
    assert app.call("registries", "default")["queued"] == []
    app.stop()


def test_a_job_that_fails_is_kept_and_can_be_put_back(app: App, worker: Program) -> None:
    job = app.call("enqueue_to", "default", "fail", ["put-back"], {"callbacks": True})
    assert "as asked" in app.call("result", job)
    assert app.call("status", job) == "failed"
    assert job in app.call("registries", "default")["failed"]
    assert app.call("requeue_failed", "default") >= 1
    until(lambda: app.call("status", job) == "failed", "the second failure")


def test_retries_happen_at_once_and_after_a_while(shop: Workshop, app: App, worker: Program) -> None:
    at_once = app.call("enqueue_to", "default", "fail_until", ["retry-now", 3], {"retry": [3, 0]})
    later = app.call("enqueue_to", "default", "fail_until", ["retry-later", 2], {"retry": [1, 1]})
    until(lambda: app.call("status", at_once) == "finished", f"the third try {shop.tail()}")
    until(lambda: app.call("status", later) == "finished", f"the try that the scheduler brings {shop.tail()}")
    assert len(shop.lines("retry-now")) == 3
    assert len(shop.lines("retry-later")) == 2


def test_callbacks_of_success_and_failure_run(shop: Workshop, app: App, worker: Program) -> None:
    good = app.call("enqueue_to", "default", "add", [2, 3], {"callbacks": True})
    bad = app.call("enqueue_to", "default", "fail", ["callback"], {"callbacks": True})
    assert shop.wait_for(f"{good}.success") == ["5"]
    assert shop.wait_for(f"{bad}.failure") == ["ValueError"]


def test_higher_queues_and_jobs_at_the_front_come_first(shop: Workshop, app: App) -> None:
    for queue, line, options in [
        ("c", "low", {}),
        ("b", "second", {}),
        ("b", "first", {"at_front": True}),
        ("a", "high", {}),
    ]:
        app.call("enqueue_to", queue, "note", ["order", line], options)
    shop.start("rq", "worker", "--url", shop.url(), "--burst", "a", "b", "c")
    assert shop.wait_for("order", 4) == ["high", "first", "second", "low"]


def test_a_delayed_job_waits_in_the_scheduled_registry(shop: Workshop, app: App, worker: Program) -> None:
    job = app.call("enqueue_in", 1.5, "note", "delayed", "now")
    assert app.call("status", job) == "scheduled"
    assert job in app.call("registries", "default")["scheduled"]
    assert shop.lines("delayed") == []
    shop.wait_for("delayed")
    assert app.call("result", job) == "now"


def test_a_job_repeats_as_often_as_asked(shop: Workshop, app: App, worker: Program) -> None:
    app.call("enqueue_to", "default", "note", ["repeated", "once more"], {"repeat": [2, 1]})
    shop.wait_for("repeated", 3)


def test_a_cron_scheduler_enqueues_periodic_jobs(shop: Workshop, app: App, worker: Program) -> None:
    scheduler = shop.start("rq", "cron", "--url", shop.url(), "rq_app")
    shop.wait_for("tick", 2)
    scheduler.stop()


def test_a_job_runs_after_those_it_depends_on(shop: Workshop, app: App, worker: Program) -> None:
    first = [app.call("enqueue_to", "default", "hold", [f"parent{n}"], {}) for n in range(2)]
    child = app.call("enqueue_to", "high", "note", ["child", "after both"], {"after": first})
    assert app.call("status", child) == "deferred"
    for number in range(2):
        assert shop.lines("child") == []
        shop.wait_for(f"parent{number}.begun")
        shop.let_go(f"parent{number}")
    assert app.call("result", child) == "after both"


def test_a_failed_dependency_keeps_its_child_back_unless_allowed(shop: Workshop, app: App, worker: Program) -> None:
    bad = app.call("enqueue_to", "default", "fail", ["bad-parent"], {})
    kept = app.call("enqueue_to", "default", "note", ["kept", "never"], {"after": [bad]})
    free = app.call("enqueue_to", "default", "note", ["free", "yes"], {"after": [bad], "allow_failure": True})
    assert app.call("result", free) == "yes"
    assert app.call("status", kept) == "deferred"
    assert shop.lines("kept") == []


def test_a_group_finishes(app: App, worker: Program) -> None:
    jobs = app.call("enqueue_group", [1, 2, 3])
    assert sorted(app.call("result", job) for job in jobs) == [2, 4, 6]


def test_a_rate_limit_lets_only_so_many_run(shop: Workshop, app: App) -> None:
    jobs = [app.call("enqueue_to", "rated", "hold", [f"limited{n}"], {"limit": ["one", 1]}) for n in range(2)]
    workers = [shop.start("rq", "worker", "--url", shop.url(), "rated") for _ in range(2)]
    shop.wait_for("limited0.begun")
    free = app.call("enqueue_to", "rated", "add", [1, 1], {})
    assert app.call("result", free) == 2  # the other worker is free
    assert shop.lines("limited1.begun") == []
    shop.let_go("limited0")
    shop.wait_for("limited1.begun")
    shop.let_go("limited1")
    assert [app.call("result", job) for job in jobs] == [1, 1]
    for worker in workers:
        worker.kill()


def test_a_canceled_job_never_runs(shop: Workshop, app: App) -> None:
    job = app.call("enqueue_to", "doubtful", "note", ["canceled", "never"], {})
    app.call("cancel", job)
    mark = app.call("enqueue_to", "doubtful", "note", ["mark", "done"], {})
    shop.start("rq", "worker", "--url", shop.url(), "--burst", "doubtful")
    assert app.call("result", mark) == "done"
    assert shop.lines("canceled") == []
    assert job in app.call("registries", "doubtful")["canceled"]


def test_a_running_job_is_stopped_over_publish(shop: Workshop, app: App, worker: Program) -> None:
    job = app.call("enqueue", "hold", "stopped")
    shop.wait_for("stopped.begun")
    app.call("stop", job)
    until(lambda: app.call("status", job) == "stopped", "the job to be stopped")


def test_a_killed_worker_s_job_is_run_again(shop: Workshop, app: App) -> None:
    worker = shop.start("rq", "worker", "--url", shop.url(), "fragile")
    job = app.call("enqueue_to", "fragile", "hold", ["killed"], {"retry": [1, 0]})
    shop.wait_for("killed.begun")
    worker.kill()
    assert any(job in entry for entry in app.call("registries", "fragile")["started"])
    app.call("clean_abandoned", "fragile", 600)
    shop.start("rq", "worker", "--url", shop.url(), "--burst", "fragile")
    shop.wait_for("killed.begun", 2)
    shop.let_go("killed")
    assert app.call("result", job) == 2


def test_nothing_is_lost_when_the_server_is_killed(shop: Workshop, app: App, worker: Program) -> None:
    held = app.call("enqueue", "hold", "crash")
    shop.wait_for("crash.begun")  # so that the others wait behind it
    waiting = [app.call("enqueue", "note", "waiting", number) for number in range(5)]
    shop.outlive_a_crash(app, holding=1, jobs=100)
    assert app.call("result", held) == 1
    assert [app.call("result", job) for job in waiting] == [0, 1, 2, 3, 4]
