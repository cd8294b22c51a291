"""Job frameworks on spoold beside the same on Redis: jobs a second of a job that does nothing.

    make frameworks                           once: installs them
    python bench/frameworks.py                five minutes or so
    python bench/frameworks.py --quick        one short round, to see that it works
    python bench/frameworks.py --only rq,arq

For each framework one client adds the jobs (`add`), then the framework's own worker program runs them (`run`, from the
end of the first job to the end of the last, so that its start does not count); `both` is jobs a second over the two
together; `cpu` is the server's processor time for one job, all commands of its life. The sides:

- spoold on its defaults: a reply means that the write is synced;
- spoold with `--durability interval`: synced each second;
- Redis with `appendonly yes`, `appendfsync everysec` (the usual advice): synced each second;
- Redis with `appendfsync always`: a reply means that the write is synced.

Turn and turn about, each round on empty servers.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from measure import DURABLE_REDIS, ask, cpu_s, machine, redis, require, say, spoold, table, workspace
from spoold.testing.process import LOOPBACK, ManagedProcess

EVERYSEC_REDIS = {**DURABLE_REDIS, "appendfsync": "everysec"}
ENVIRONMENTS = Path(__file__).parent.parent / ".venv-frameworks"
NOOP = Path(__file__).parent / "noop"
OURS, OURS_INTERVAL, REDIS, REDIS_ALWAYS = SIDES = ["spoold", "spoold interval", "Redis everysec", "Redis always"]
TARGET = 0.9
PATIENCE_S = 300.0


@dataclass(frozen=True)
class Framework:
    """How one framework is run: its environment, its module of bench/noop, its worker's command, jobs a round."""

    environment: str
    module: str
    worker: tuple[str, ...]
    jobs: int


FRAMEWORKS = {
    "huey": Framework("redis8", "huey_noop", ("huey_consumer", "huey_noop.huey", "-w", "4", "-n", "-q"), 2000),
    "rq": Framework("redis8", "rq_noop", ("rq", "worker", "--url", "URL", "-q", "noop"), 100),
    "rq, SimpleWorker": Framework(
        "redis8", "rq_noop", ("rq", "worker", "--url", "URL", "-q", "-w", "rq.worker.SimpleWorker", "noop"), 400
    ),
    "dramatiq": Framework("redis8", "dramatiq_noop", ("dramatiq", "dramatiq_noop", "-p", "1", "-t", "4"), 2000),
    "celery": Framework(
        "redis8", "celery_noop", ("celery", "-A", "celery_noop", "worker", "-c", "2", "-l", "ERROR"), 1000
    ),
    "arq": Framework("redis5", "arq_noop", ("arq", "arq_noop.Settings"), 1000),
}


def measure(framework: Framework, server: ManagedProcess, place: Path, jobs: int) -> dict[str, float]:
    """One round on a fresh server.    returns: jobs a second: `add`, `run`, `both`; `cpu`: microseconds a job."""
    programs = ENVIRONMENTS / framework.environment / "bin"
    marks = place / "marks"
    marks.unlink(missing_ok=True)
    url = f"redis://{LOOPBACK}:{server.port}/0"
    env = {**os.environ, "PYTHONPATH": str(NOOP), "NOOP_URL": url, "NOOP_COUNT": str(jobs), "NOOP_MARKS": str(marks)}
    adder = [str(programs / "python"), str(NOOP / "clocked.py"), framework.module]
    before_s = cpu_s(server)
    add_s = float(subprocess.run(adder, check=True, stdout=subprocess.PIPE, env=env, cwd=NOOP).stdout)
    words = [url if word == "URL" else word for word in framework.worker]
    with open(place / "worker.log", "w") as log:
        worker = subprocess.Popen(
            [str(programs / words[0]), *words[1:]], env=env, cwd=NOOP, stdout=log, stderr=log, start_new_session=True
        )
    try:
        run_s = _elapsed(marks, worker)
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    used_us = (cpu_s(server) - before_s) * 1e6
    return {"add": jobs / add_s, "run": jobs / run_s, "both": jobs / (add_s + run_s), "cpu": used_us / jobs}


def _elapsed(marks: Path, worker: subprocess.Popen[bytes]) -> float:
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        lines = marks.read_text().splitlines() if marks.exists() else []
        if len(lines) >= 2:
            return float(lines[-1]) - float(lines[0])
        if worker.poll() is not None or time.monotonic() > deadline_s:
            raise RuntimeError(f"the worker did not finish: {(marks.parent / 'worker.log').read_text()[-2000:]}")
        time.sleep(0.01)


@click.command()
@click.option("--rounds", default=3)
@click.option("--quick", is_flag=True, help="One short round.")
@click.option("--only", default="", help="Frameworks, separated by commas.")
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="Where the data of the run goes.")
def main(rounds: int, quick: bool, only: str, directory: Path | None) -> None:
    """Compare the job frameworks on spoold and on Redis."""
    require("redis-server")
    chosen = {name: made for name, made in FRAMEWORKS.items() if not only or name in only.split(",")}
    for framework in chosen.values():
        if not (ENVIRONMENTS / framework.environment).exists():
            sys.exit("the frameworks are not installed: make frameworks")
    share = 10 if quick else 1
    found: dict[str, dict[str, list[dict[str, float]]]] = {name: {side: [] for side in SIDES} for name in chosen}
    with workspace(directory) as place:
        facts = machine(place)
        for number in range(1 if quick else rounds):
            for name, framework in chosen.items():
                # The one that goes last finds a warmer machine: each round another.
                for side in SIDES[number % 4 :] + SIDES[: number % 4]:
                    with _server(side, place) as server:
                        ask(server.port, b"FLUSHALL")
                        figures = measure(framework, server, place, framework.jobs // share)
                    found[name][side].append(figures)
                    words = ", ".join(f"{key} {value:,.0f}" for key, value in figures.items())
                    say(f"round {number + 1}, {name} on {side}: {words}")
    print(table(["", ""], facts, markdown=True))
    print()
    print(
        table(
            ["jobs per second", *SIDES, "ratio", "per round", "of equals", "target", "met"],
            list(_rows(found)),
            markdown=True,
        )
    )


def _server(side: str, place: Path) -> ManagedProcess:
    home = place / side.replace(" ", "-")
    home.mkdir(exist_ok=True)
    if side == OURS:
        return spoold(home)
    if side == OURS_INTERVAL:
        return spoold(home, "--durability", "interval")
    return redis(home, EVERYSEC_REDIS if side == REDIS else DURABLE_REDIS)


def _rows(found: dict[str, dict[str, list[dict[str, float]]]]) -> Iterator[Sequence[str]]:
    """Lay the figures out: medians, the ratio of the defaults, the ratios of the sides that promise the same."""
    for name, sides in found.items():
        for key in ("add", "run", "both", "cpu"):
            middle = {side: statistics.median(figures[key] for figures in sides[side]) for side in SIDES}
            ratios = [one[key] / other[key] for one, other in zip(sides[OURS], sides[REDIS], strict=True)]
            ratio = middle[OURS] / middle[REDIS]
            synced, later = middle[OURS] / middle[REDIS_ALWAYS], middle[OURS_INTERVAL] / middle[REDIS]
            yield [
                f"{name}: {key}" + (", µs" if key == "cpu" else ""),
                *(f"{middle[side]:,.0f}" for side in SIDES),
                f"{ratio:.2f}",
                f"{min(ratios):.2f}–{max(ratios):.2f}",
                f"{synced:.2f}, {later:.2f}",
                *([f"{TARGET:.2f}", "yes" if ratio >= TARGET else "no"] if key == "both" else ["", ""]),
            ]


if __name__ == "__main__":
    main()
