"""Huey on its own Redis storage when spoold is killed under it; all else of Huey is in tests/contrib."""

from __future__ import annotations

import pytest
from tests.frameworks.workshop import Workshop, until

pytestmark = pytest.mark.slow
ENVIRONMENT = "redis8"


def test_nothing_is_lost_when_the_server_is_killed(shop: Workshop) -> None:
    app = shop.app("huey_app")
    worker = shop.start("huey_consumer", "huey_app.huey", "-w", "2", "--scheduler-interval", "1")
    # Both threads are at work: a task that is popped by a connection which then breaks would be nobody's.
    held = [app.call("send", "hold", ["crash"]) for _ in range(2)]
    late = app.call("send", "note", ["after-crash", "late"], 2)
    shop.wait_for("crash.begun", 2)
    app.begin("flood", "flood", 200)
    shop.wait_for("flood.acknowledged", 40)
    shop.server.kill()
    assert len(shop.lines("flood.acknowledged")) < 200
    shop.server.start()
    app.finish()
    shop.let_go("crash")
    until(lambda: set(shop.lines("flood")) == {str(n) for n in range(200)}, f"all of the flood {shop.tail()}", 60)
    assert shop.wait_for("after-crash") == ["late"]
    assert app.call("result", late) == "late"
    assert [app.call("result", job) for job in held] == [2, 2]
    worker.kill()
