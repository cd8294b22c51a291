"""Celery on spoold: broker and result backend, prefork workers, beat and redbeat, canvas, priorities, redelivery."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.frameworks.workshop import App, Program, Workshop, until

pytestmark = pytest.mark.slow
ENVIRONMENT = "redis8"


def start_worker(shop: Workshop, name: str, queue: str, url: str | None = None, **env: str) -> Program:
    """A worker with two processes, ready when it answers; its name keeps its remote control apart."""
    program = shop.start(
        *("celery", "-A", "celery_app", "worker", "--loglevel", "info", "--concurrency", "2", "--queues", queue),
        *("--hostname", f"{name}@spoold", "--without-mingle"),
        url=url,
        RESULTS_URL=shop.url(database=1),
        **env,
    )
    until(lambda: " ready." in program.text(), f"the worker {name}")
    return program


@pytest.fixture(scope="module")
def app(shop: Workshop) -> App:
    """The module's driver."""
    return shop.app("celery_app", RESULTS_URL=shop.url(database=1))


@pytest.fixture(scope="module")
def worker(shop: Workshop) -> Iterator[Program]:
    """A worker of the tests that need just one."""
    made = start_worker(shop, "main", "celery")
    yield made
    made.kill()


@pytest.mark.parametrize("environment", ["redis7", "redis8"])
def test_results_come_back_over_both_protocols(shop: Workshop, environment: str) -> None:
    # Celery takes no protocol in its URL: redis-py 7 chooses RESP2, redis-py 8 RESP3.
    there = shop.elsewhere(environment)
    url = shop.url(database=2)
    app = there.app("celery_app", url=url)
    worker = there.start("celery", "-A", "celery_app", "worker", "--pool", "solo", "--loglevel", "info", url=url)
    jobs = [app.call("send", "add", [number, 1], {}) for number in range(10)]
    assert [app.call("result", job) for job in jobs] == list(range(1, 11))
    worker.kill()
    app.stop()


def test_a_failure_and_its_callbacks_reach_the_caller(shop: Workshop, app: App, worker: Program) -> None:
    job = app.call("send", "fail", ["failed"], {"link_error": "failed.report"})
    assert app.call("result", job) == "ValueError: as asked"
    assert app.call("state", job) == "FAILURE"
    assert shop.wait_for("failed.report") == ["as asked"]
    app.call("send", "add", [1, 1], {"link": "linked"})
    assert shop.wait_for("linked") == ["linked"]


def test_a_task_is_retried_until_it_succeeds(shop: Workshop, app: App, worker: Program) -> None:
    job = app.call("send", "fail_until", ["retried", 3], {})
    assert app.call("result", job) == 3
    assert len(shop.lines("retried")) == 3


def test_a_task_with_a_countdown_waits(shop: Workshop, app: App, worker: Program) -> None:
    late = app.call("send", "note", ["delayed", "late"], {"countdown": 1})
    early = app.call("send", "note", ["delayed", "early"], {})
    assert [app.call("result", job) for job in (early, late)] == ["early", "late"]
    assert shop.lines("delayed") == ["early", "late"]


def test_groups_chains_and_chords_give_their_results(app: App, worker: Program) -> None:
    assert app.call("run_group", [[1, 1], [2, 2], [3, 3]]) == [2, 4, 6]
    assert app.call("run_chain", 1) == 112
    assert app.call("run_chord", [[1, 1], [2, 2], [3, 3]]) == 12
    assert app.call("run_nested", [1, 2, 3]) == 1012


def test_a_failed_part_fails_its_chord(app: App, worker: Program) -> None:
    assert "as asked" in app.call("failing_chord", "part")


def test_urgent_tasks_come_first(shop: Workshop, app: App) -> None:
    for priority in (9, 6, 3, 0):
        app.call("send", "note", ["order", priority], {"priority": priority, "queue": "ordered"})
    worker = shop.start("celery", "-A", "celery_app", "worker", "--pool", "solo", "--queues", "ordered")
    assert shop.wait_for("order", 4) == ["0", "3", "6", "9"]
    worker.kill()


def test_tasks_are_canceled_before_and_while_they_run(shop: Workshop, app: App, worker: Program) -> None:
    waiting = app.call("send", "note", ["canceled", "never"], {"countdown": 1})
    running = app.call("send", "hold", ["terminated"], {})
    shop.wait_for("terminated.begun")
    app.call("revoke", waiting, False)
    app.call("revoke", running, True)
    assert "TaskRevokedError" in app.call("result", waiting)
    assert "TaskRevokedError" in app.call("result", running)
    assert shop.lines("canceled") == []
    assert shop.lines("terminated.ended") == []


def test_remote_control_answers(shop: Workshop, app: App, worker: Program) -> None:
    assert "main@spoold" in app.call("ping")
    job = app.call("send", "hold", ["inspected"], {})
    shop.wait_for("inspected.begun")
    assert job in app.call("active")
    assert app.call("state", job) == "STARTED"
    shop.let_go("inspected")
    assert app.call("result", job) == 1


def test_an_expired_task_never_runs(shop: Workshop, app: App, worker: Program) -> None:
    job = app.call("send", "note", ["expired", "never"], {"countdown": 0.6, "expires": 0.2})
    assert "TaskRevokedError" in app.call("result", job)
    assert shop.lines("expired") == []


@pytest.mark.parametrize("scheduler", ["celery.beat.PersistentScheduler", "redbeat.RedBeatScheduler"])
def test_periodic_tasks_tick(shop: Workshop, worker: Program, scheduler: str) -> None:
    beat = shop.start("celery", "-A", "celery_app", "beat", "--scheduler", scheduler, "--pidfile", "")
    before = len(shop.lines("tick"))
    shop.wait_for("tick", before + 3)
    beat.kill()


def test_purge_drops_what_waits(shop: Workshop) -> None:
    other = shop.app("celery_app", url=shop.url(database=3))
    for _ in range(5):
        other.call("send", "note", ["purged", "never"], {})
    assert other.call("purge") == 5
    other.stop()


def test_a_killed_worker_s_task_goes_to_another_after_its_visibility_timeout(shop: Workshop, app: App) -> None:
    first = start_worker(shop, "first", "fragile", VISIBILITY_S="1")
    job = app.call("send", "hold_late", ["killed"], {"queue": "fragile"})
    shop.wait_for("killed.begun")
    first.kill()
    second = start_worker(shop, "second", "fragile", VISIBILITY_S="1")
    shop.wait_for("killed.begun", 2)
    shop.let_go("killed")
    assert app.call("result", job) in (2, 3)
    second.kill()


def test_nothing_is_lost_when_the_server_is_killed(shop: Workshop, app: App, worker: Program) -> None:
    worker.kill()
    # What a worker had reserved when its connection broke comes back after the visibility timeout.
    start_worker(shop, "survivor", "celery", VISIBILITY_S="3")
    held = [app.call("send", "hold", ["crash"], {}) for _ in range(2)]
    shop.outlive_a_crash(app, holding=2)
    assert [app.call("result", job) for job in held] == [2, 2]
