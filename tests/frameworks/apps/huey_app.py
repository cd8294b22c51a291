"""Huey on its Redis storage: what the test of a killed server needs. Its own tests are in tests/contrib."""

from __future__ import annotations

from typing import Any

import ledger
import redis
from huey import RedisHuey

huey = RedisHuey("frameworks", url=ledger.URL)
_sent: dict[str, Any] = {}


@huey.task()
def note(name: str, line: object) -> object:
    """Leave a line."""
    ledger.write(name, line)
    return line


@huey.task()
def hold(name: str) -> int:
    """Work until let go."""
    return ledger.hold(name)


def send(task: str, arguments: list[Any], delay_s: float = 0) -> str:
    """Add one task; returns its id."""
    function = globals()[task]
    made = function.schedule(args=arguments, delay=delay_s) if delay_s else function(*arguments)
    _sent[made.id] = made
    return str(made.id)


def result(task_id: str) -> Any:
    """Wait for a result."""
    return _sent[task_id].get(blocking=True, timeout=20)


def flood(name: str, count: int) -> int:
    """Add numbered tasks, each until it is acknowledged, whatever happens to the server meanwhile."""
    return ledger.insist(name, count, lambda number: note(name, number), redis.RedisError)
