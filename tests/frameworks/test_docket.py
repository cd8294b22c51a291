"""docket on spoold: streams with consumer groups, Lua in every step, perpetual tasks, strikes, redelivery."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.frameworks.workshop import App, Program, Workshop, until

pytestmark = pytest.mark.slow
ENVIRONMENT = "redis8"


def start_worker(shop: Workshop, name: str = "docket", url: str | None = None, *options: str) -> Program:
    """A worker that comes back to a lost server soon."""
    return shop.start(
        *("docket", "worker", "--docket", name, "--url", url or shop.url(), "--tasks", "docket_app:tasks"),
        *("--reconnection-delay", "1"),
        *options,
        url=url,
        DOCKET_NAME=name,
    )


@pytest.fixture(scope="module")
def app(shop: Workshop) -> App:
    """The module's driver."""
    return shop.app("docket_app")


@pytest.fixture(scope="module")
def worker(shop: Workshop) -> Iterator[Program]:
    """A worker of the tests that need just one."""
    made = start_worker(shop)
    yield made
    made.kill()


@pytest.mark.parametrize("protocol", [2, None])
def test_results_come_back_over_both_protocols(shop: Workshop, protocol: int | None) -> None:
    url = shop.url(database=protocol or 3, protocol=protocol)
    app = shop.app("docket_app", url=url, DOCKET_NAME="both")
    worker = start_worker(shop, "both", url)
    keys = [app.call("send", "add", [number, 1])[0] for number in range(10)]
    assert [app.call("result", key) for key in keys] == list(range(1, 11))
    worker.kill()
    app.stop()


def test_a_failure_reaches_the_caller(shop: Workshop, app: App, worker: Program) -> None:
    key, _ = app.call("send", "fail", ["failed"])
    assert app.call("result", key) == "ValueError: as asked"
    assert len(shop.lines("failed")) == 1


def test_a_task_is_retried_until_it_succeeds(app: App, worker: Program) -> None:
    key, _ = app.call("send", "fail_until", ["retried", 3])
    assert app.call("result", key) == 3


def test_a_task_that_takes_too_long_is_stopped(app: App, worker: Program) -> None:
    key, _ = app.call("send", "slow", [])
    assert "TimeoutError" in app.call("result", key)


def test_a_future_task_waits_and_can_be_replaced(shop: Workshop, app: App, worker: Program) -> None:
    key, _ = app.call("send", "note", ["future", "first thought"], "future", 30)
    assert app.call("snapshot")["future"] >= 1
    app.call("replace", "note", ["future", "late"], "future", 0.5)
    early, _ = app.call("send", "note", ["future", "early"])
    assert [app.call("result", one) for one in (early, key)] == ["early", "late"]
    assert shop.lines("future") == ["early", "late"]


def test_a_key_is_taken_once(shop: Workshop, app: App, worker: Program) -> None:
    assert app.call("send", "hold", ["unique"], "only-one")[1] == "scheduled"
    shop.wait_for("unique.begun")
    assert app.call("send", "hold", ["unique"], "only-one")[1] == "already_scheduled"
    assert app.call("snapshot")["running"] >= 1
    shop.let_go("unique")
    assert app.call("result", "only-one") == 1


def test_tasks_are_canceled_before_and_while_they_run(shop: Workshop, app: App, worker: Program) -> None:
    waiting, _ = app.call("send", "note", ["canceled", "never"], None, 1)
    running, _ = app.call("send", "hold", ["stopped"])
    shop.wait_for("stopped.begun")
    for key in (waiting, running):
        app.call("cancel", key)
        assert "Cancelled" in app.call("result", key)
    assert shop.lines("canceled") == []
    assert shop.lines("stopped.ended") == []


def test_a_concurrency_limit_lets_one_in_at_a_time(shop: Workshop, app: App, worker: Program) -> None:
    first, _ = app.call("send", "exclusive", ["limited-a", "one"])
    shop.wait_for("limited-a.begun")
    second, _ = app.call("send", "exclusive", ["limited-b", "one"])
    other, _ = app.call("send", "exclusive", ["limited-c", "another"])
    shop.wait_for("limited-c.begun")
    assert shop.lines("limited-b.begun") == []
    for name in ("limited-a", "limited-b", "limited-c"):
        shop.let_go(name)
    assert [app.call("result", key) for key in (first, second, other)] == [1, 1, 1]


def test_a_stricken_task_runs_only_when_restored(shop: Workshop, app: App, worker: Program) -> None:
    app.call("strike", "note")
    assert app.call("send", "note", ["stricken", "never"])[1] == "struck"
    app.call("restore", "note")
    key, disposition = app.call("send", "note", ["stricken", "again"])
    assert disposition == "scheduled"
    assert app.call("result", key) == "again"
    assert shop.lines("stricken") == ["again"]


def test_perpetual_tasks_tick(shop: Workshop, app: App, worker: Program) -> None:
    shop.wait_for("tick-docket", 3)
    assert until(lambda: app.call("snapshot")["workers"], "the worker's heartbeat") == 1


def test_a_cleared_docket_is_empty(shop: Workshop) -> None:
    other = shop.app("docket_app", DOCKET_NAME="cleared")
    for number in range(5):
        other.call("send", "note", ["cleared", number], None, 30 * (number % 2))
    assert other.call("clear") == 5
    other.stop()


def test_a_killed_worker_s_task_is_redelivered(shop: Workshop) -> None:
    app = shop.app("docket_app", DOCKET_NAME="fragile")
    first = start_worker(shop, "fragile", None, "--redelivery-timeout", "1")
    key, _ = app.call("send", "hold", ["killed"])
    shop.wait_for("killed.begun")
    first.kill()
    second = start_worker(shop, "fragile", None, "--redelivery-timeout", "1")
    shop.wait_for("killed.begun", 2)
    shop.let_go("killed")
    assert app.call("result", key) >= 2
    second.kill()


def test_nothing_is_lost_when_the_server_is_killed(shop: Workshop) -> None:
    app = shop.app("docket_app", DOCKET_NAME="crash")
    worker = start_worker(shop, "crash", None, "--redelivery-timeout", "2", "--concurrency", "4")
    held, _ = app.call("send", "hold", ["crash"])
    late, _ = app.call("send", "note", ["after-crash", "late"], None, 2)
    shop.outlive_a_crash(app, holding=1)
    assert shop.wait_for("after-crash") == ["late"]
    assert app.call("result", late) == "late"
    # docket fails a task whose server went while it ran, or runs it again: either way it comes to an end.
    until(lambda: app.call("finished", held), "the held task's end")
    worker.kill()
