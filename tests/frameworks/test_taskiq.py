"""taskiq on spoold: its list, publish/subscribe and stream brokers, its results and its schedules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.frameworks.workshop import App, Program, Workshop, until

pytestmark = pytest.mark.slow
ENVIRONMENT = "redis8"


def start_worker(shop: Workshop, broker: str, url: str | None = None, **env: str) -> Program:
    """A worker of one process that says when it listens."""
    program = shop.start("taskiq", "worker", "taskiq_app:broker", "--workers", "1", url=url, BROKER=broker, **env)
    until(lambda: "Listening started" in program.text(), f"the worker of the {broker} broker {shop.tail()}")
    return program


@pytest.fixture(scope="module")
def app(shop: Workshop) -> App:
    """The module's driver, on lists."""
    return shop.app("taskiq_app")


@pytest.fixture(scope="module")
def worker(shop: Workshop) -> Iterator[Program]:
    """A worker of the tests that need just one."""
    made = start_worker(shop, "list")
    yield made
    made.kill()


@pytest.mark.parametrize("protocol", [2, None])
@pytest.mark.parametrize("broker", ["list", "pubsub", "stream"])
def test_results_come_back_from_every_broker_over_both_protocols(
    shop: Workshop, broker: str, protocol: int | None
) -> None:
    url = shop.url(database=protocol or 3, protocol=protocol)
    app = shop.app("taskiq_app", url=url, BROKER=broker, QUEUE=broker)
    worker = start_worker(shop, broker, url=url, QUEUE=broker)
    mark = f"{broker}{protocol}"
    if broker == "pubsub":  # what is published before the worker has subscribed is nobody's

        def heard() -> bool:
            app.call("send", "note", mark, "heard")
            return bool(shop.lines(mark))

        until(heard, "the worker's subscription")
    jobs = [app.call("send", "add", number, 1) for number in range(10)]
    assert [app.call("result", job) for job in jobs] == list(range(1, 11))
    worker.kill()
    app.stop()


def test_a_failure_reaches_the_caller(shop: Workshop, app: App, worker: Program) -> None:
    assert app.call("result", app.call("send", "fail", "failed")) == "ValueError: as asked"
    assert len(shop.lines("failed")) == 1


def test_a_task_is_retried_until_it_succeeds(shop: Workshop, app: App, worker: Program) -> None:
    app.call("send", "fail_until", "retried", 3)
    shop.wait_for("retried", 3)
    assert len(shop.lines("retried")) == 3


def test_the_scheduler_sends_what_is_due(shop: Workshop, app: App, worker: Program) -> None:
    app.call("schedule", 1.0, "note", "scheduled", "late")
    taken_back = app.call("schedule", 1.0, "note", "taken-back", "never")
    app.call("unschedule", taken_back)
    scheduler = shop.start("taskiq", "scheduler", "taskiq_app:scheduler", "--update-interval", "1")
    app.call("send", "note", "scheduled", "early")
    assert shop.wait_for("scheduled", 2) == ["early", "late"]
    shop.wait_for("tick", 2)
    assert shop.lines("taken-back") == []
    scheduler.kill()


def test_a_killed_worker_s_message_is_claimed_by_another(shop: Workshop) -> None:
    app = shop.app("taskiq_app", BROKER="stream", QUEUE="fragile")
    first = start_worker(shop, "stream", QUEUE="fragile")
    job = app.call("send", "hold", "killed")
    shop.wait_for("killed.begun")
    first.kill()
    second = start_worker(shop, "stream", QUEUE="fragile")

    def claimed() -> bool:  # taskiq looks for lost messages after it has read new ones
        app.call("send", "note", "nudge", "again")
        return len(shop.lines("killed.begun")) > 1

    until(claimed, f"the message to be claimed {shop.tail()}")
    shop.let_go("killed")
    assert app.call("result", job) >= 2
    second.kill()


@pytest.mark.parametrize("broker", ["list", "stream"])
def test_nothing_is_lost_when_the_server_is_killed(shop: Workshop, broker: str) -> None:
    name = f"flood-{broker}"
    app = shop.app("taskiq_app", BROKER=broker, QUEUE=name)
    shop.crash_in_a_flood(app, 200, name)
    worker = start_worker(shop, broker, QUEUE=name)
    shop.wait_for_flood(200, name)
    shop.server.kill()
    shop.server.start()
    # The worker's process ends with its connection; taskiq starts another, which takes up the queue.
    app.call("flood", f"{name}-after", 10)
    shop.wait_for_flood(10, f"{name}-after")
    worker.kill()
