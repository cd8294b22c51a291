"""Huey on spoold beside Huey's own storages: jobs a second with four worker threads, turn and turn about.

    python bench/huey_jobs.py                two minutes or so
    python bench/huey_jobs.py --quick        one short round, to see that it works

A job is a task of one argument that returns it: Huey looks whether it is revoked, runs it, stores its result. One
process adds jobs from one thread (`add`), then runs them with Huey's own consumer (`run`); `both` is jobs a second over
the two together. Redis keeps nothing on disk here, and then once more with `appendfsync always`, which is what spoold
promises. (The file is not called huey.py: it could not import Huey then.)
"""

from __future__ import annotations

import json
import logging
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from huey import RedisHuey, SqliteHuey

from measure import DURABLE_REDIS, MEMORY_REDIS, machine, require, say, table, workspace
from spoold.contrib.huey import SimpleHuey, SpooldHuey
from spoold.testing.process import LOOPBACK, RealRedis, ServerProcess, free_port

WORKERS = 4
TARGETS = {"RedisHuey": 1.0, "SqliteHuey, fsync": 3.0}


def build(kind: str, place: str) -> Any:
    """The Huey under test; place: the port of its server, or its file."""
    if kind.startswith("RedisHuey"):
        return RedisHuey("bench", port=int(place))
    if kind.startswith("SqliteHuey"):
        return SqliteHuey("bench", filename=place, fsync="no" not in kind)
    if kind == "SimpleHuey":
        return SimpleHuey("bench", port=int(place))
    if "embedded" in kind:
        return SpooldHuey("bench", path=place)
    return SpooldHuey("bench", port=int(place))


def work(kind: str, place: str, jobs: int) -> dict[str, float]:
    """In a process of its own: add jobs, run them. returns: seconds of each."""
    logging.getLogger("huey").setLevel(logging.ERROR)
    huey = build(kind, place)
    left = jobs
    done = threading.Event()
    lock = threading.Lock()

    @huey.task()  # type: ignore[untyped-decorator]
    def job(number: int) -> int:
        return number

    @huey.post_execute()  # type: ignore[untyped-decorator]
    def count(task: Any, value: Any, error: Any) -> None:
        nonlocal left
        assert error is None
        with lock:
            left -= 1
            if not left:
                done.set()

    huey.flush()
    started = time.perf_counter()
    for number in range(jobs):
        job(number)
    added = time.perf_counter()
    assert len(huey) == jobs
    consumer = huey.create_consumer(workers=WORKERS, worker_type="thread", periodic=False, check_worker_health=False)
    begun = time.perf_counter()
    consumer.start()
    assert done.wait(600)
    ended = time.perf_counter()
    consumer.stop(graceful=True)
    assert huey.result_count() == jobs
    huey.flush()
    huey.storage.close()
    return {"add": added - started, "run": ended - begun}


def measure(kind: str, place: str, jobs: int) -> dict[str, float]:
    """One round in a fresh process. returns: jobs a second: `add`, `run`, `both`."""
    command = [sys.executable, __file__, "--work", json.dumps([kind, place, jobs])]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    seconds = json.loads(text)
    return {
        "add": jobs / seconds["add"],
        "run": jobs / seconds["run"],
        "both": jobs / (seconds["add"] + seconds["run"]),
    }


@click.command()
@click.option("--jobs", default=4000)
@click.option("--rounds", default=5)
@click.option("--quick", is_flag=True, help="One short round.")
@click.option("--kinds", default="", help="Only those whose name contains this.")
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="Where the data of the run goes.")
@click.option("--work", "child", hidden=True)
def main(jobs: int, rounds: int, quick: bool, kinds: str, directory: Path | None, child: str | None) -> None:
    """Compare Huey's storages."""
    if child is not None:
        print(json.dumps(work(*json.loads(child))))
        return
    require("redis-server")
    if quick:
        jobs, rounds = 500, 1
    with (
        workspace(directory) as place,
        RealRedis(MEMORY_REDIS) as redis,
        RealRedis(DURABLE_REDIS) as durable,
        ServerProcess(place / "server", ("--simple", f"{LOOPBACK}:{(simple := free_port())}")) as spoold,
    ):
        facts = machine(place)
        sides = {
            "SpooldHuey, server": str(spoold.port),
            "SpooldHuey, embedded": str(place / "embedded"),
            "SimpleHuey": str(simple),
            "RedisHuey": str(redis.port),
            "RedisHuey, appendfsync always": str(durable.port),
            "SqliteHuey, fsync": str(place / "jobs.db"),
            "SqliteHuey, no fsync": str(place / "fast.db"),
        }
        sides = {name: at for name, at in sides.items() if kinds in name}
        found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
        for number in range(rounds):
            for name, at in sides.items():
                found[name].append(measure(name, at, jobs))
                say(f"round {number + 1}, {name}: " + ", ".join(f"{k} {v:,.0f}" for k, v in found[name][-1].items()))
    for name, value in facts:
        print(f"{name}: {value}")
    print(f"{jobs} jobs a round, {rounds} rounds, {WORKERS} worker threads; medians; jobs a second")
    middle = {name: {key: statistics.median(r[key] for r in all_) for key in all_[0]} for name, all_ in found.items()}
    rows: list[Sequence[str]] = []
    for name, figures in middle.items():
        ratios = [
            f"{figures['run'] / middle[other]['run']:.2f}, {figures['both'] / middle[other]['both']:.2f}"
            if other in middle
            else ""
            for other in TARGETS
        ]
        rows.append([name, *(f"{figures[key]:,.0f}" for key in ("add", "run", "both")), *ratios])
    print("ratios: of run, then of both")
    print(table(["storage", "add", "run", "both", *(f"× {other}" for other in TARGETS)], rows, markdown=True))


if __name__ == "__main__":
    main()
