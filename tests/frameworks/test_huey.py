"""Huey on its own Redis storage when spoold is killed under it; all else of Huey is in tests/contrib."""

from __future__ import annotations

import pytest
from tests.frameworks.workshop import Workshop

pytestmark = pytest.mark.slow
ENVIRONMENT = "redis8"


def test_nothing_is_lost_when_the_server_is_killed(shop: Workshop) -> None:
    app = shop.app("huey_app")
    worker = shop.start("huey_consumer", "huey_app.huey", "-w", "2", "--scheduler-interval", "1")
    # Both threads are at work: a task that is popped by a connection which then breaks would be nobody's.
    held = [app.call("send", "hold", ["crash"]) for _ in range(2)]
    late = app.call("send", "note", ["after-crash", "late"], 2)
    shop.outlive_a_crash(app, holding=2)
    assert shop.wait_for("after-crash") == ["late"]
    assert app.call("result", late) == "late"
    assert [app.call("result", job) for job in held] == [2, 2]
    worker.kill()
