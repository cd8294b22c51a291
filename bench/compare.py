"""spoold beside Redis on the same machine, in one run, turn and turn about: ratios of medians.

    python bench/compare.py                    everything, some ten minutes
    python bench/compare.py --quick            one short round, to see that it works
    python bench/compare.py --case durable-c1 --tests set,lpush --rounds 5
    python bench/compare.py --markdown -       the tables for docs/benchmarks.md

Both servers of a case run all the time; only one is under load at a time. Figures of one machine say nothing about
another, so what counts is the ratio. The load generator takes a core of its own, or shares one.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from measure import (
    DURABLE_REDIS,
    MEMORY_REDIS,
    ask,
    cpu_s,
    drain,
    fill,
    machine,
    memory_kib,
    redis,
    redis_benchmark,
    require,
    say,
    spoold,
    table,
    workspace,
)
from spoold.testing.process import ManagedProcess

VALUE_BYTES = 100
VALUE = "x" * VALUE_BYTES
MOST_REQUESTS = 2_000_000  # keeps the memory of a prefilled set within bounds
RANDOM_NUMBERS = 1_000_000_000  # so many that hardly any two members of a set are the same


@dataclass(frozen=True)
class Test:
    """One command under load."""

    command: tuple[str, ...]
    random_keys: int = 0
    # For a command that takes something away: how to put enough there first.
    prefill: bytes = b""
    # What to empty afterwards, and by which command.
    key: bytes = b""
    empty_with: bytes = b""
    # Sent once to each server, before all.
    before: tuple[bytes, ...] = ()


def member(n: int) -> bytes:
    """A distinct member or element of 100 bytes; scattered, as real ones are."""
    return b"%020d" % (n * 2_654_435_761 % 2**64) + b"x" * (VALUE_BYTES - 20)


RANDOM_MEMBER = "element:__rand_int__".ljust(VALUE_BYTES, "x")

SCRIPT = b"return redis.call('incr', KEYS[1])"
SCRIPT_SHA = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest()

TESTS: dict[str, Test] = {
    "set": Test(("SET", "key:__rand_int__", VALUE)),
    "get": Test(("GET", "key:__rand_int__")),
    "lpush": Test(("LPUSH", "mylist", VALUE), key=b"mylist", empty_with=b"RPOP"),
    "rpop": Test(("RPOP", "mylist"), prefill=b"LPUSH", key=b"mylist", empty_with=b"RPOP"),
    "sadd": Test(("SADD", "myset", RANDOM_MEMBER), random_keys=RANDOM_NUMBERS, key=b"myset", empty_with=b"SPOP"),
    "spop": Test(("SPOP", "myset"), prefill=b"SADD", key=b"myset", empty_with=b"SPOP"),
    # Not among the targets: many keys instead of one.
    "set-random": Test(("SET", "key:__rand_int__", VALUE), random_keys=100_000),
    "get-random": Test(("GET", "key:__rand_int__"), random_keys=100_000),
    "incr": Test(("INCR", "counter:__rand_int__")),
    # What job frameworks use besides.
    "hset": Test(("HSET", "myhash", "field:__rand_int__", VALUE), random_keys=100_000),
    "hget": Test(("HGET", "myhash", "field:__rand_int__"), random_keys=100_000),
    "zadd": Test(
        ("ZADD", "myzset", "__rand_int__", RANDOM_MEMBER),
        random_keys=RANDOM_NUMBERS,
        key=b"myzset",
        empty_with=b"ZPOPMIN",
    ),
    "zpopmin": Test(("ZPOPMIN", "myzset"), prefill=b"ZADD", key=b"myzset", empty_with=b"ZPOPMIN"),
    "xadd": Test(("XADD", "mystream", "MAXLEN", "~", "10000", "*", "field", VALUE)),
    "evalsha": Test(("EVALSHA", SCRIPT_SHA, "1", "key:__rand_int__"), before=(b"SCRIPT", b"LOAD", SCRIPT)),
}
STANDARD_TESTS = "set,get,lpush,rpop,sadd,spop"


@dataclass(frozen=True)
class Case:
    """One way of running both servers and of loading them."""

    title: str
    clients: int
    pipeline: int
    options: tuple[str, ...]
    redis_config: dict[str, str]
    target: float
    cpu_target: float = 0.0


CASES: dict[str, Case] = {
    "memory-p1": Case(
        "in memory, 50 clients, pipeline 1", 50, 1, ("--memory",), MEMORY_REDIS, target=0.95, cpu_target=1.5
    ),
    "memory-p16": Case("in memory, 50 clients, pipeline 16", 50, 16, ("--memory",), MEMORY_REDIS, target=0.5),
    "durable-c1": Case("durable, 1 client, pipeline 1", 1, 1, (), DURABLE_REDIS, target=1.1),
    "durable-c50": Case("durable, 50 clients, pipeline 1", 50, 1, (), DURABLE_REDIS, target=1.0),
    "durable-p16": Case("durable, 50 clients, pipeline 16", 50, 16, (), DURABLE_REDIS, target=0.8),
}


@dataclass
class Figures:
    """What one server reached in one test of one case, a number per round."""

    rps: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


Results = dict[str, dict[str, dict[str, Figures]]]  # case → test → server


def run_case(
    case: Case, tests: Sequence[str], rounds: int, seconds: float, directory: Path
) -> dict[str, dict[str, Figures]]:
    """Run all tests of a case, round by round, the two servers by turns."""
    figures: dict[str, dict[str, Figures]] = {test: {"spoold": Figures(), "redis": Figures()} for test in tests}
    requests: dict[tuple[str, str], int] = {}
    with spoold(directory, *case.options) as ours, redis(directory, case.redis_config) as theirs:
        for name in tests:
            if TESTS[name].before:
                ask(ours.port, *TESTS[name].before)
                ask(theirs.port, *TESTS[name].before)
        for number in range(rounds):
            for name in tests:
                shown = []
                for label, server in (("spoold", ours), ("redis", theirs)):
                    if (label, name) not in requests:
                        requests[label, name] = calibrate(server, case, TESTS[name], seconds)
                    rps, cpu = run_test(server, case, TESTS[name], requests[label, name])
                    figures[name][label].rps.append(rps)
                    figures[name][label].cpu_us.append(cpu)
                    shown.append(rps)
                say(
                    f"  round {number + 1}/{rounds}  {name:<10}  spoold {shown[0]:>11,.0f}/s"
                    f"  redis {shown[1]:>11,.0f}/s  × {shown[0] / shown[1]:.2f}"
                )
    return figures


def calibrate(server: ManagedProcess, case: Case, test: Test, seconds: float) -> int:
    """Find how many requests take about `seconds`."""
    few = 500 * case.pipeline + 40 * case.clients
    rps, _ = run_test(server, case, test, few)
    rps, _ = run_test(server, case, test, int(max(few, min(rps * 0.2, MOST_REQUESTS))))
    return int(max(few, min(rps * seconds, MOST_REQUESTS)))


def run_test(server: ManagedProcess, case: Case, test: Test, requests: int) -> tuple[float, float]:
    """Run one test once. returns: requests per second, server processor time per request in microseconds."""
    if test.prefill:
        # Each client may ask for one pipeline more than its share.
        count = requests + case.clients * case.pipeline
        fill(server.port, test.prefill, test.key, count, member, scored=test.prefill == b"ZADD")
    before = cpu_s(server)
    rps = redis_benchmark(
        server.port,
        clients=case.clients,
        pipeline=case.pipeline,
        requests=requests,
        command=test.command,
        random_keys=test.random_keys,
    )
    used = cpu_s(server) - before
    if test.empty_with:
        drain(server.port, test.empty_with, test.key)
    return rps, used / requests * 1e6


def run_idle(rounds: int, directory: Path) -> dict[str, dict[str, float]]:
    """Measure servers that nobody uses: start to first PONG, memory."""
    makers: dict[str, Callable[[Path], ManagedProcess]] = {
        "spoold": lambda place: spoold(place),
        "spoold --memory": lambda place: spoold(place, "--memory"),
        "redis": lambda place: redis(place, DURABLE_REDIS),
    }
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(rounds):
        for label, make in makers.items():
            place = directory / f"idle-{number}-{label.replace(' ', '')}"
            place.mkdir()
            server = make(place)
            started = time.perf_counter()
            with server:
                found[label]["start_s"].append(time.perf_counter() - started)
                memory = memory_kib(server)
                found[label]["rss_mib"].append(memory["VmRSS"] / 1024)
                found[label]["anon_mib"].append(memory["RssAnon"] / 1024)
    return {label: {name: statistics.median(values) for name, values in each.items()} for label, each in found.items()}


def speed_rows(results: Results) -> list[list[str]]:
    """Lay out requests per second: one row a test."""
    rows = []
    for case_name, tests in results.items():
        for test, servers in tests.items():
            ours, theirs = servers["spoold"].rps, servers["redis"].rps
            each = [mine / yours for mine, yours in zip(ours, theirs, strict=True)]
            ratio = statistics.median(ours) / statistics.median(theirs)
            rows.append(
                [
                    f"{CASES[case_name].title}: {test.upper()}",
                    f"{statistics.median(ours):,.0f}",
                    f"{statistics.median(theirs):,.0f}",
                    f"{ratio:.2f}",
                    f"{min(each):.2f}–{max(each):.2f}",
                    f"{CASES[case_name].target:.2f}",
                    "yes" if ratio >= CASES[case_name].target else "no",
                ]
            )
    return rows


def cpu_rows(results: Results) -> list[list[str]]:
    """Lay out processor time per request, where there is a target for it."""
    rows = []
    for case_name, tests in results.items():
        case = CASES[case_name]
        for test, servers in tests.items() if case.cpu_target else ():
            ours, theirs = (statistics.median(servers[label].cpu_us) for label in ("spoold", "redis"))
            ratio = ours / theirs if theirs else 0.0
            rows.append(
                [
                    f"{case.title}: {test.upper()}",
                    f"{ours:.1f} µs",
                    f"{theirs:.1f} µs",
                    f"{ratio:.2f}",
                    f"{case.cpu_target:.2f}",
                    "yes" if ratio <= case.cpu_target else "no",
                ]
            )
    return rows


def case_rows(results: Results) -> list[list[str]]:
    """Lay out one row a case: the geometric mean of the ratios, and the worst."""
    rows = []
    for case_name, tests in results.items():
        ratios = {
            test: statistics.median(servers["spoold"].rps) / statistics.median(servers["redis"].rps)
            for test, servers in tests.items()
        }
        worst = min(ratios, key=lambda test: ratios[test])
        target = CASES[case_name].target
        rows.append(
            [
                CASES[case_name].title,
                f"{statistics.geometric_mean(ratios.values()):.2f}",
                f"{ratios[worst]:.2f} ({worst.upper()})",
                f"{target:.2f}",
                f"{sum(ratio >= target for ratio in ratios.values())} of {len(ratios)}",
            ]
        )
    return rows


def report(results: Results, idle: dict[str, dict[str, float]], facts: list[tuple[str, str]], *, markdown: bool) -> str:
    """Put all tables together."""
    title = "### {}\n" if markdown else "{}\n"
    parts = [table(("", ""), facts, markdown=True) if markdown else "\n".join(f"  {a + ':':24}{b}" for a, b in facts)]
    if results:
        header = ("requests per second", "spoold", "Redis", "ratio", "per round", "target", "met")
        parts += [
            title.format("Cases")
            + "\n"
            + table(("case", "mean ratio", "worst", "target", "met"), case_rows(results), markdown=markdown),
            title.format("Speed") + "\n" + table(header, speed_rows(results), markdown=markdown),
        ]
        if rows := cpu_rows(results):
            header = ("server processor time per request", "spoold", "Redis", "ratio", "at most", "met")
            parts.append(title.format("Processor time") + "\n" + table(header, rows, markdown=markdown))
    if idle:
        rows = [
            [label, f"{each['start_s'] * 1000:.0f} ms", f"{each['rss_mib']:.1f} MiB", f"{each['anon_mib']:.1f} MiB"]
            for label, each in idle.items()
        ]
        header = ("idle server", "start to PONG", "RSS", "RssAnon")
        parts.append(title.format("Idle") + "\n" + table(header, rows, markdown=markdown))
    return "\n\n".join(parts)


@click.command()
@click.option(
    "--case", "cases", multiple=True, type=click.Choice([*CASES, "idle"]), help="Only these; may be repeated."
)
@click.option("--tests", default=STANDARD_TESTS, show_default=True, help=f"Of {', '.join(TESTS)}.")
@click.option("--rounds", default=3, show_default=True, help="Rounds of each test on each server.")
@click.option("--seconds", default=2.0, show_default=True, help="About how long one run of one test takes.")
@click.option("--quick", is_flag=True, help="One round of half a second each.")
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="Where both servers keep their data.")
@click.option("--markdown", type=click.Path(), help="Write the tables as Markdown to this file; - prints them.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all figures to this file.")
def main(
    cases: tuple[str, ...],
    tests: str,
    rounds: int,
    seconds: float,
    quick: bool,
    directory: Path | None,
    markdown: str | None,
    json_file: Path | None,
) -> None:
    """Compare spoold with Redis on this machine."""
    require("redis-server", "redis-benchmark")
    names = [name.strip() for name in tests.split(",") if name.strip()]
    if unknown := [name for name in names if name not in TESTS]:
        raise click.BadParameter(f"no such test: {', '.join(unknown)}", param_hint="--tests")
    rounds, seconds = (1, 0.5) if quick else (rounds, seconds)
    results: Results = {}
    idle: dict[str, dict[str, float]] = {}
    with workspace(directory) as place:
        facts = machine(place)
        chosen = list(cases) or [*CASES, "idle"]
        for number, name in enumerate(chosen, 1):
            say(f"[{number}/{len(chosen)}] {CASES[name].title if name in CASES else 'idle server'}")
            here = place / name
            here.mkdir()
            if name == "idle":
                idle = run_idle(max(rounds, 3), here)
            else:
                results[name] = run_case(CASES[name], names, rounds, seconds, here)
    print(report(results, idle, facts, markdown=False))
    if markdown:
        text = report(results, idle, facts, markdown=True)
        if markdown == "-":
            print("\n" + text)
        else:
            Path(markdown).write_text(text + "\n")
    if json_file:
        plain = {
            case: {test: {label: vars(each) for label, each in servers.items()} for test, servers in by_test.items()}
            for case, by_test in results.items()
        }
        json_file.write_text(json.dumps({"machine": dict(facts), "results": plain, "idle": idle}, indent=1))


if __name__ == "__main__":
    main()
