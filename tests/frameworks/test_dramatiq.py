"""Dramatiq on spoold: its own workers, Lua dispatch, delays, results, groups, and messages of killed workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.frameworks.workshop import App, Program, Workshop, until

pytestmark = pytest.mark.slow
ENVIRONMENT = "redis8"


def start_worker(shop: Workshop, *options: str, url: str | None = None, **env: str) -> Program:
    """One process of four threads unless told otherwise."""
    threads = () if "--threads" in options else ("--threads", "4")
    return shop.start("dramatiq", "dramatiq_app", "--processes", "1", *threads, *options, url=url, **env)


@pytest.fixture(scope="module")
def app(shop: Workshop) -> App:
    """The module's driver."""
    return shop.app("dramatiq_app")


@pytest.fixture(scope="module")
def worker(shop: Workshop) -> Iterator[Program]:
    """A worker of the tests that need just one."""
    made = start_worker(shop, "--queues", "default")
    yield made
    made.kill()


@pytest.mark.parametrize("protocol", [2, None])
def test_results_come_back_over_both_protocols(shop: Workshop, protocol: int | None) -> None:
    url = shop.url(database=1, protocol=protocol)
    app = shop.app("dramatiq_app", url=url)
    jobs = [app.call("send", "add", number, 1) for number in range(20)]
    worker = start_worker(shop, url=url)
    assert [app.call("result", job) for job in jobs] == list(range(1, 21))
    worker.kill()
    app.stop()


def test_a_delayed_message_waits(shop: Workshop, app: App, worker: Program) -> None:
    late = app.call("send_later", 700, "note", "delayed", "late")
    early = app.call("send", "note", "delayed", "early")
    assert [app.call("result", job) for job in (early, late)] == ["early", "late"]
    assert shop.lines("delayed") == ["early", "late"]


def test_a_message_is_retried_until_it_succeeds(shop: Workshop, app: App, worker: Program) -> None:
    app.call("send", "fail_until", "retried", 3)
    shop.wait_for("retried", 3)
    until(lambda: app.call("sizes", "default") == 0, "the queue to be empty")
    assert len(shop.lines("retried")) == 3


def test_a_failure_is_the_result_where_there_are_no_retries(shop: Workshop, app: App, worker: Program) -> None:
    assert "as asked" in app.call("result", app.call("send", "fail", "failed"))
    assert len(shop.lines("failed")) == 1


def test_groups_and_pipelines_give_their_results(app: App, worker: Program) -> None:
    assert app.call("send_group", [[1, 1], [2, 2], [3, 3]]) == [2, 4, 6]
    assert app.call("send_pipeline", 1) == 112


def test_a_group_reports_its_end(shop: Workshop, app: App, worker: Program) -> None:
    app.call("send_group_with_callback", "group-end")
    assert shop.wait_for("group-end") == ["all done"]


def test_a_message_that_is_too_old_is_skipped(shop: Workshop, app: App) -> None:
    for actor in ("soon", "lasting"):
        app.call("send", actor, "aged")
    worker = start_worker(shop, "--threads", "1", "--queues", "aged")
    assert shop.wait_for("aged") == ["lasting"]
    assert app.call("waiting", "aged") == 0
    worker.kill()


def test_urgent_actors_come_before_patient_ones(shop: Workshop, app: App) -> None:
    worker = start_worker(shop, "--threads", "1", "--queues", "single", dramatiq_queue_prefetch="10")
    app.call("send", "hold_single", "before-order")
    shop.wait_for("before-order.begun")
    for actor in ("patient", "patient", "urgent", "urgent"):
        app.call("send", actor, "order")
    until(lambda: app.call("waiting", "single") == 0, "the worker to have all of them")
    shop.let_go("before-order")
    assert shop.wait_for("order", 4) == ["urgent", "urgent", "patient", "patient"]
    worker.kill()


def test_a_rate_limiter_lets_one_in_at_a_time(shop: Workshop, app: App, worker: Program) -> None:
    app.call("send", "exclusive", "limited-a")
    shop.wait_for("limited-a.begun")
    app.call("send", "exclusive", "limited-b")
    assert app.call("result", app.call("send", "add", 1, 1)) == 2
    assert shop.lines("limited-b.begun") == []
    shop.let_go("limited-a")
    shop.wait_for("limited-b.begun")
    shop.let_go("limited-b")


def test_a_flushed_queue_is_empty(app: App) -> None:
    for _ in range(5):
        app.call("send", "unwanted")
    assert app.call("sizes", "unwanted") == 5
    app.call("flush", "unwanted")
    assert app.call("sizes", "unwanted") == 0


def test_a_killed_worker_s_messages_go_to_another(shop: Workshop, app: App) -> None:
    first = start_worker(shop, "--threads", "1", "--queues", "single")
    job = app.call("send", "hold_single", "killed")
    shop.wait_for("killed.begun")
    first.kill()
    second = start_worker(shop, "--threads", "1", "--queues", "single")
    shop.wait_for("killed.begun", 2)
    shop.let_go("killed")
    assert app.call("result", job) == 2
    second.kill()


FLOOD = 200


def test_nothing_is_lost_when_the_server_is_killed(shop: Workshop, app: App, worker: Program) -> None:
    held = app.call("send", "hold", "crash")
    app.call("send_later", 3000, "note", "after-crash", "late")
    shop.wait_for("crash.begun")
    shop.crash_in_a_flood(app, FLOOD)
    shop.let_go("crash")
    assert app.call("result", held) in (1, 2)
    # What a worker was being sent when the connection was lost, and its delayed messages, come again when it is gone.
    worker.kill()
    start_worker(shop, "--queues", "default")
    shop.wait_for_flood(FLOOD)
    assert shop.wait_for("after-crash") == ["late"]
