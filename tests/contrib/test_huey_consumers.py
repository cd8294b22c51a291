"""Huey's real consumer, in a process of its own, over our storages: what its users do, with every kind of worker."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huey.api import Result, chord
from huey.exceptions import ResultTimeout, TaskException
from tests.contrib.conftest import App, Place
from tests.contrib.tasks import noted

from spoold.testing.process import ServerProcess

pytestmark = pytest.mark.slow

WAIT_S = 20
CONSUMERS = [(kind, workers) for kind in ("server", "simple", "redis") for workers in ("thread", "process", "greenlet")]


def until(done: Callable[[], bool]) -> None:
    """Wait for a condition, with a deadline."""
    deadline_s = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


# Huey's own storage hands locks and results over in its own way: one kind of workers is enough there.
CONSUMERS = [pair for pair in CONSUMERS if pair[0] != "redis" or pair[1] == "thread"]


@pytest.fixture(scope="module", params=CONSUMERS, ids="-".join)
def app(request: pytest.FixtureRequest, place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app whose consumer runs."""
    kind, workers = request.param
    made = App(kind, place.address(kind), f"running-{workers}", tmp_path_factory.mktemp("app"))
    with made.consumer(3, workers):
        yield made
    assert "Traceback" not in without_expected(made.log.read_text())
    made.close()


def without_expected(log: str) -> str:
    """A log without the tracebacks of the tasks that fail by intention."""
    return "" if "Error reading" not in log and "died" not in log else log


def test_a_task_runs_and_its_result_comes_back_once(app: App) -> None:
    result = app.tasks.add(1, 2)
    assert result.get(blocking=True, timeout=WAIT_S) == 3
    result.reset()
    assert result.get() is None


def test_a_result_of_any_type_comes_back(app: App) -> None:
    assert app.tasks.add([b"\0\r\n", 1.5], [None, {"a": "ü"}])(blocking=True, timeout=WAIT_S) == [
        b"\0\r\n",
        1.5,
        None,
        {"a": "ü"},
    ]


def test_a_task_that_fails_gives_its_error(app: App) -> None:
    result = app.tasks.fail("no good")
    with pytest.raises(TaskException, match="no good"):
        result.get(blocking=True, timeout=WAIT_S)


def test_a_task_is_tried_again(app: App, tmp_path: Path) -> None:
    assert app.tasks.flaky(str(tmp_path / "tries"), 2).get(blocking=True, timeout=WAIT_S) == 3


def test_a_task_is_tried_again_after_a_delay(app: App, tmp_path: Path) -> None:
    result = app.tasks.flaky_later(str(tmp_path / "tries"))
    with pytest.raises(TaskException):
        result.get(blocking=True, timeout=WAIT_S)
    result.reset()
    assert result.get(blocking=True, timeout=WAIT_S) == "done"


def test_a_task_runs_later(app: App) -> None:
    begun = time.monotonic()
    result = app.tasks.add.schedule((3, 4), delay=1)
    assert app.huey.scheduled_count() + app.huey.pending_count() <= 1
    assert result.get(blocking=True, timeout=WAIT_S) == 7
    assert time.monotonic() - begun >= 0.9


def test_a_revoked_task_does_not_run(app: App, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    revoked = app.tasks.write.schedule((str(path), "revoked"), delay=1)
    other = app.tasks.write.schedule((str(path), "other"), delay=1)
    revoked.revoke()
    assert revoked.is_revoked()
    assert other.get(blocking=True, timeout=WAIT_S) == "other"
    until(lambda: f"revoked {revoked.id}" in noted(app.notes))
    assert noted(path) == ["other"]
    assert not revoked.is_revoked()  # once only


def test_a_task_of_a_revoked_kind_does_not_run_until_it_is_restored(app: App) -> None:
    app.tasks.total.revoke()
    result = app.tasks.total([1])
    until(lambda: f"revoked {result.id}" in noted(app.notes))
    assert app.tasks.total.restore()
    assert app.tasks.total([1, 2])(blocking=True, timeout=WAIT_S) == 3


def test_tasks_in_a_row(app: App) -> None:
    add = app.tasks.add
    results = app.huey.enqueue(add.s(1, 1).then(add, 2).then(add, 3))
    assert results.get(blocking=True, timeout=WAIT_S) == [2, 4, 7]


def test_a_chord(app: App) -> None:
    tasks = app.tasks
    done = app.huey.enqueue(chord([tasks.add.s(number, number) for number in range(5)], tasks.total))
    assert done.get(blocking=True, timeout=WAIT_S) == 20
    assert done.results() == [0, 2, 4, 6, 8]


def test_a_lock_keeps_others_out(app: App, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    results = [app.tasks.locked(str(path)) for _ in range(3)]
    until(lambda: sum(f"locked {r.id}" in noted(app.notes) or r._get(preserve=True) == "held" for r in results) == 3)
    assert noted(path) == ["begin", "end"] * (len(noted(path)) // 2)
    until(lambda: not app.huey.is_locked("the lock"))


def test_signals_tell_what_happens(app: App) -> None:
    result = app.tasks.add(1, 1)
    assert result.get(blocking=True, timeout=WAIT_S) == 2
    until(lambda: f"complete {result.id}" in noted(app.notes))
    mine = [line.split()[0] for line in noted(app.notes) if line.endswith(result.id)]
    assert mine == ["executing", "complete"]


def test_a_task_that_repeats_is_run(app: App) -> None:
    # The scheduler looks at once, then each minute: every minute is this minute.
    until(lambda: "periodic" in noted(app.notes))


def test_a_task_knows_itself(app: App) -> None:
    result = app.tasks.who_am_i()
    assert result.get(blocking=True, timeout=WAIT_S) == result.id


def test_a_result_that_does_not_come_in_time_is_an_error(app: App, tmp_path: Path) -> None:
    result = app.tasks.write.schedule((str(tmp_path / "lines"), "late"), delay=30)
    begun = time.monotonic()
    with pytest.raises(ResultTimeout):
        result.get(blocking=True, timeout=0.3)
    assert 0.25 < time.monotonic() - begun < 5
    result.revoke()


def test_a_result_is_there_as_soon_as_it_is_stored(app: App, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    result: Result = app.tasks.write(str(path), "now", 0.5)
    assert result.get(blocking=True, timeout=WAIT_S) == "now"
    assert time.time() - path.stat().st_mtime < 0.5  # Huey's own way would ask again after up to a second


# -- what needs a consumer of its own -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["server", "simple", "embedded"])
def test_priorities_come_first_and_equal_ones_in_order(
    kind: str, make_app: Callable[[str], App], tmp_path: Path
) -> None:
    app = make_app(kind)
    path = tmp_path / "lines"
    wanted: dict[float, list[str]] = {}
    for at, priority in enumerate([0, 5, None, -1, 5, 2.5, 0, -1, 1e9, 5, None, 2.5]):
        task = app.tasks.write.s(str(path), f"{at}")
        task.priority = priority
        app.huey.enqueue(task)
        wanted.setdefault(priority or 0, []).append(f"{at}")
    order = [line for priority in sorted(wanted, reverse=True) for line in wanted[priority]]
    assert [task.args[1] for task in app.huey.pending()] == order
    assert [task.args[1] for task in app.huey.pending(4)] == order[:4]
    assert len(app.huey) == 12
    app.huey.storage.close()  # the embedded one lets the consumer have its directory
    with app.consumer(1):
        until(lambda: len(noted(path)) == 12)
    assert noted(path) == order
    assert len(app.huey) == 0


@pytest.mark.parametrize("kind", ["server", "simple", "embedded"])
def test_a_killed_consumer_loses_at_most_what_it_was_running(
    kind: str, make_app: Callable[[str], App], tmp_path: Path
) -> None:
    app = make_app(kind)
    path = tmp_path / "lines"
    jobs = 120
    for number in range(jobs):
        task = app.tasks.write.s(str(path), f"{number}", 0.01)
        task.priority = (None, 7, -7)[number % 3]
        app.huey.enqueue(task)
    app.huey.storage.close()
    workers, kills = 3, 2
    for _ in range(kills):
        before = len(noted(path))
        with app.consumer(workers) as consumer:
            until(lambda: len(noted(path)) >= before + 20)  # noqa: B023 - runs at once
            os.killpg(consumer.pid, signal.SIGKILL)
    with app.consumer(workers):
        if kind == "embedded":
            until(lambda: len(noted(path)) >= jobs - workers * kills)
        else:
            until(lambda: app.huey.pending_count() == 0)
    lines = noted(path)
    assert len(lines) == len({*lines})
    assert jobs - workers * kills <= len(lines) <= jobs
    assert app.huey.pending_count() == 0


@pytest.mark.parametrize("kind", ["server", "simple"])
def test_a_killed_server_loses_nothing_that_it_had_acknowledged(
    kind: str, make_app: Callable[[str], App], tmp_path: Path
) -> None:
    place = Place(tmp_path / "data")
    with place.server as server:
        app = App(kind, place.address(kind), "killed", tmp_path)
        path = tmp_path / "lines"
        for number in range(150):
            app.tasks.write(str(path), f"{number}", 0.01)
        workers, kills = 3, 2
        with app.consumer(workers):
            for _ in range(kills):
                before = len(noted(path))
                until(lambda: len(noted(path)) >= before + 20)  # noqa: B023 - runs at once
                server.kill()
                server.start()
            until(lambda: app.huey.pending_count() == 0)
            assert app.tasks.add(1, 2)(blocking=True, timeout=WAIT_S) == 3
        lines = noted(path)
        assert len(lines) == len({*lines})
        # A job whose hand-over was under way when the server died may be gone with the answer.
        assert 150 - workers * kills <= len(lines) <= 150
        app.close()


def test_the_server_of_a_consumer_may_be_away_for_a_moment(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server:
        app = App("server", str(server.port), "away", tmp_path)
        with app.consumer(2):
            assert app.tasks.add(1, 1)(blocking=True, timeout=WAIT_S) == 2
            server.restart()
            assert app.tasks.add(2, 2)(blocking=True, timeout=WAIT_S) == 4
        app.huey.storage.close()


def test_the_consumer_over_an_embedded_spoold(make_app: Callable[[str], App], tmp_path: Path) -> None:
    app = make_app("embedded")
    path = tmp_path / "lines"
    first = app.tasks.write(str(path), "one")
    later = app.tasks.write.schedule((str(path), "two"), delay=1)
    app.huey.storage.close()
    with app.consumer(2):
        until(lambda: noted(path) == ["one", "two"])
        until(lambda: f"complete {later.id}" in noted(app.notes))
    assert first.get() == "one"
    assert later.get() == "two"
    assert "Error" not in app.log.read_text()


@pytest.mark.parametrize("workers", ["process", "greenlet"])
def test_a_consumer_whose_workers_cannot_share_an_embedded_spoold_says_so(
    workers: str, make_app: Callable[[str], App]
) -> None:
    app = make_app("embedded")
    app.huey.storage.close()
    with app.consumer(2, workers) as consumer:
        assert consumer.wait(WAIT_S) != 0
    assert "run a server (spoold serve" in app.log.read_text()


def test_a_consumer_on_a_directory_in_use_says_so(make_app: Callable[[str], App]) -> None:
    app = make_app("embedded")
    app.huey.pending_count()
    with app.consumer(1) as consumer:
        assert consumer.wait(WAIT_S) != 0
    assert (
        f"in use by another spoold (process {os.getpid()}): an embedded spoold serves one process"
        in app.log.read_text()
    )
