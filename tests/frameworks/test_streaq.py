"""streaQ on spoold: a library of Lua functions, streams for each priority, RESP3 throughout."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.frameworks.workshop import App, Program, Workshop, until

pytestmark = pytest.mark.slow
ENVIRONMENT = "redis8"


def start_worker(shop: Workshop, **env: str) -> Program:
    """One worker process."""
    program = shop.start("streaq", "run", "streaq_app:worker", **env)
    until(lambda: "starting worker" in program.text(), "the worker")
    return program


@pytest.fixture(scope="module")
def app(shop: Workshop) -> App:
    """The module's driver."""
    return shop.app("streaq_app")


@pytest.fixture(scope="module")
def worker(shop: Workshop) -> Iterator[Program]:
    """A worker of the tests that need just one."""
    made = start_worker(shop)
    yield made
    made.kill()


def test_results_come_back(app: App, worker: Program) -> None:
    jobs = [app.call("send", "add", [number, 1], {}) for number in range(5)]
    jobs += app.call("send_many", "add", [[number, 1] for number in range(5, 20)])
    assert [app.call("result", job) for job in jobs] == list(range(1, 21))
    assert app.call("status", jobs[0]) == "done"


def test_a_failure_reaches_the_caller(shop: Workshop, app: App, worker: Program) -> None:
    assert app.call("result", app.call("send", "fail", ["failed"], {})) == "ValueError: as asked"
    assert len(shop.lines("failed")) == 1


def test_a_task_is_retried_until_it_succeeds(app: App, worker: Program) -> None:
    assert app.call("result", app.call("send", "fail_until", ["retried", 3], {})) == 3


def test_a_task_that_takes_too_long_is_stopped(app: App, worker: Program) -> None:
    assert "Timeout" in app.call("result", app.call("send", "slow", [], {}))


def test_a_delayed_task_waits(shop: Workshop, app: App, worker: Program) -> None:
    late = app.call("send", "note", ["delayed", "late"], {"delay": 1})
    early = app.call("send", "note", ["delayed", "early"], {})
    assert app.call("status", late) == "scheduled"
    assert [app.call("result", job) for job in (early, late)] == ["early", "late"]
    assert shop.lines("delayed") == ["early", "late"]


def test_a_task_runs_after_those_it_depends_on(shop: Workshop, app: App, worker: Program) -> None:
    first = [app.call("send", "hold", [f"parent{n}"], {}) for n in range(2)]
    child = app.call("send", "note", ["child", "after both"], {"after": first})
    for number in range(2):
        assert shop.lines("child") == []
        shop.wait_for(f"parent{number}.begun")
        shop.let_go(f"parent{number}")
    assert app.call("result", child) == "after both"
    assert app.call("result", app.call("send_chain", 2, 3)) == 10


def test_a_failed_dependency_fails_its_child(shop: Workshop, app: App, worker: Program) -> None:
    bad = app.call("send", "hold", ["bad-parent"], {})
    child = app.call("send", "note", ["orphan", "never"], {"after": [bad]})
    shop.wait_for("bad-parent.begun")
    assert app.call("abort", bad) is True
    assert "Error" in app.call("result", child) or "Cancelled" in app.call("result", child)
    assert shop.lines("orphan") == []


def test_urgent_tasks_come_first(shop: Workshop) -> None:
    app = shop.app("streaq_app", QUEUE="ordered", CONCURRENCY="1")
    for priority in ("low", "normal", "high"):
        app.call("send", "note", ["order", priority], {"priority": priority})
    assert app.call("size") == 3
    worker = start_worker(shop, QUEUE="ordered", CONCURRENCY="1")
    assert shop.wait_for("order", 3) == ["high", "normal", "low"]
    worker.kill()


def test_tasks_are_aborted_before_and_while_they_run(shop: Workshop, app: App, worker: Program) -> None:
    waiting = app.call("send", "note", ["aborted", "never"], {"delay": 60})
    running = app.call("send", "hold", ["stopped"], {})
    shop.wait_for("stopped.begun")
    assert app.call("abort", waiting) is True
    assert app.call("abort", running) is True
    assert shop.lines("aborted") == []
    assert shop.lines("stopped.ended") == []


def test_cron_tasks_tick(shop: Workshop, worker: Program) -> None:
    shop.wait_for("tick", 2)


def test_a_killed_worker_s_task_is_claimed_by_another(shop: Workshop) -> None:
    settings = {"QUEUE": "fragile", "IDLE_S": "1"}
    app = shop.app("streaq_app", **settings)
    first = start_worker(shop, **settings)
    job = app.call("send", "hold", ["killed"], {})
    shop.wait_for("killed.begun")
    first.kill()
    second = start_worker(shop, **settings)
    shop.wait_for("killed.begun", 2)
    shop.let_go("killed")
    assert app.call("result", job) == 2
    second.kill()


def test_nothing_is_lost_when_the_server_is_killed(shop: Workshop) -> None:
    settings = {"QUEUE": "crash", "IDLE_S": "2"}
    app = shop.app("streaq_app", **settings)
    worker = start_worker(shop, **settings)
    held = app.call("send", "hold", ["crash"], {})
    shop.wait_for("crash.begun")
    shop.crash_in_a_flood(app, 60)
    shop.let_go("crash")
    # A worker of streaQ ends with its connection; whoever supervises it starts the next.
    worker.kill()
    start_worker(shop, **settings)
    shop.wait_for_flood(60)
    assert app.call("result", held) >= 1
