"""Moving what one huey has to do to another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from huey import FileHuey, MemoryHuey, RedisHuey, SqliteHuey
from tests.contrib.conftest import Place

from spoold.contrib.huey import Moved, SimpleHuey, SpooldHuey, move

Make = Callable[[Place, Path], Any]

SOURCES: dict[str, Make] = {
    "memory": lambda place, path: MemoryHuey("old"),
    "sqlite": lambda place, path: SqliteHuey("old", filename=str(path / "jobs.db")),
    "file": lambda place, path: FileHuey("old", path=str(path / "jobs")),
    "redis": lambda place, path: RedisHuey("old", port=place.server.port),
    "embedded": lambda place, path: SpooldHuey("old", path=path / "data"),
    "simple": lambda place, path: SimpleHuey("old", port=place.simple_port),
}
TARGETS: dict[str, Make] = {
    "server": lambda place, path: SpooldHuey("new", port=place.server.port),
    "simple": lambda place, path: SimpleHuey("new", port=place.simple_port),
    "compressed": lambda place, path: SpooldHuey("new", port=place.server.port, compression=True),
}


def tasks_of(huey: Any) -> Any:
    """A task, under the same name for both."""

    @huey.task()
    def double(number: int) -> int:
        return 2 * number

    return double


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", TARGETS)
def test_all_of_it_is_moved(source: str, target: str, place: Place, tmp_path: Path) -> None:
    old, new = SOURCES[source](place, tmp_path), TARGETS[target](place, tmp_path)
    old.flush()
    new.flush()
    double, doubled = tasks_of(old), tasks_of(new)
    priority = 0 if source == "redis" else 5  # RedisHuey has none
    plain, urgent = double.s(1), double.s(2)
    urgent.priority = priority
    for task in (plain, urgent):
        old.enqueue(task)
    later = double.s(3)
    later.eta = datetime(2030, 1, 1, 12, 30)
    old.add_schedule(later)
    old.put_result("done", [1, 2])
    double.revoke()

    assert move(old, new) == Moved(2, 1, 2)

    assert len(old) == old.scheduled_count() == 0
    order = [plain, urgent] if not priority else [urgent, plain]
    assert [task.id for task in new.pending()] == [task.id for task in order]
    assert [(task.id, task.eta) for task in new.scheduled()] == [(later.id, later.eta)]
    assert new.result("done") == [1, 2]
    assert doubled.is_revoked()
    assert doubled.restore()
    assert new.execute(new.dequeue()) == 2 * order[0].args[0]
    for huey in (old, new):
        huey.flush()
        huey.storage.close()
        if isinstance(huey, RedisHuey):
            huey.storage.pool.disconnect()


def test_a_huey_is_not_moved_to_itself(place: Place) -> None:
    huey = SpooldHuey("same", port=place.server.port)
    with pytest.raises(ValueError, match="the same storage"):
        move(huey, huey)
