"""What stands beside the job frameworks: locks, caches, limits, schedulers, plain kombu, each in a few lines."""

from __future__ import annotations

import pytest
from tests.frameworks.workshop import App, Workshop

pytestmark = pytest.mark.slow
ENVIRONMENT = "redis8"


@pytest.fixture(scope="module")
def app(shop: Workshop) -> App:
    """The module's driver."""
    return shop.app("companions_app")


def test_the_lock_of_redis_py(app: App) -> None:
    assert app.call("lock") == [True, False, True, True, True, True, True]


def test_the_cache_of_django(app: App) -> None:
    assert app.call("django_cache") == [{"b": [1, 2]}, False, 6, {"n": 6, "m": 2}, True, 7, True, True, None, None]


def test_the_containers_of_walrus(app: App) -> None:
    assert app.call("walrus_types") == [
        ["a", "b"],
        ["1", "2", "3"],
        2.0,
        2,
        ["p", "q", 1],
        [False, False, True],
        "st",
        [True, True],
    ]


def test_the_job_store_of_apscheduler(shop: Workshop, app: App) -> None:
    assert app.call("apscheduler") == ["later"]
    assert len(shop.lines("apscheduler")) >= 2


def test_rq_scheduler(shop: Workshop, app: App) -> None:
    app.call("schedule_with_rq_scheduler")
    scheduler = shop.start("rqscheduler", "--url", shop.url(), "--interval", "0.2")
    worker = shop.start("rq", "worker", "--url", shop.url(), "default")
    assert shop.wait_for("rq-scheduler") == ["due"]
    scheduler.kill()
    worker.kill()


def test_messages_of_kombu(app: App) -> None:
    assert app.call("kombu_messages") == [2, 1, 0, "again", 1, 1, [{"text": "hello"}]]


def test_the_strategies_of_limits(shop: Workshop) -> None:
    app = shop.elsewhere("redis7").app("limits_app")
    assert app.call("hits") == {
        "FixedWindowRateLimiter": [True, True, False],
        "MovingWindowRateLimiter": [True, True, False],
        "SlidingWindowCounterRateLimiter": [True, True, False],
    }
