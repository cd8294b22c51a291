"""A backlog larger than memory: fill it, look at the memory, kill the server, and see how soon it serves again.

    python bench/backlog.py                       5 million items of 200 bytes
    python bench/backlog.py --items 200000        a short run
    python bench/backlog.py --drain               take everything out again; check count, order and contents
    python bench/backlog.py --redis               the same backlog in Redis, for its memory

Items are pushed one a request (RPUSH, pipelined, by this process) and popped from the other end, so that the push
rate is the server's own as far as one core of a client can tell. Each holds its number, so that nothing can be lost,
doubled or swapped unseen.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from measure import (
    DURABLE_REDIS,
    Wire,
    machine,
    memory_kib,
    redis,
    request,
    require,
    say,
    spoold,
    table,
    workspace,
)
from spoold.testing.process import ManagedProcess

KEY = b"backlog"
PIPELINE = 500  # requests in one piece
WINDOW = 4  # pieces on their way at a time, so that the server never waits for this process
TENTHS = 10

TARGETS = {
    "anonymous memory (RssAnon)": "≤ 150 MiB",
    "push rate, last tenth / first": "≥ 0.70",
    "kill -9, start to first popped item": "≤ 0.50 s",
}


def item(n: int, size: int) -> bytes:
    """The item number n: sixteen digits, then filling."""
    return b"%016d" % n + b"." * (size - 16)


def pipelines(first: int, end: int, size: int) -> Iterator[tuple[bytes, int]]:
    """Build the pushes of items first to end - 1, in pieces: the bytes, and how many requests they are."""
    # Written out with number 0 first, so that the lengths are right, and then made a form for any number.
    template = request(b"RPUSH", KEY, item(0, size)).replace(b"0" * 16, b"%016d")
    for start in range(first, end, PIPELINE):
        count = min(PIPELINE, end - start)
        yield template * count % tuple(range(start, start + count)), count


def push(port: int, first: int, end: int, size: int) -> float:
    """Push items first to end - 1; returns when all are acknowledged, with the items per second."""
    started = time.perf_counter()
    with Wire(port) as wire:
        flying: list[int] = []
        for piece, count in pipelines(first, end, size):
            wire.socket.sendall(piece)
            flying.append(count)
            if len(flying) >= WINDOW:
                wire.lines(flying.pop(0))
        for count in flying:
            wire.lines(count)
    return (end - first) / (time.perf_counter() - started)


def pop_one(port: int) -> bytes:
    """Pop one item."""
    with Wire(port) as wire:
        wire.socket.sendall(request(b"LPOP", KEY))
        header = wire.line()
        if not header.startswith(b"$") or header == b"$-1":
            raise RuntimeError(f"no item, but {header!r}")
        return wire.exactly(int(header[1:]) + 2)[:-2]


def length(port: int) -> int:
    """Ask how many items there are."""
    with Wire(port) as wire:
        wire.socket.sendall(request(b"LLEN", KEY))
        return int(wire.line()[1:])


def drain(port: int, first: int, end: int, size: int) -> float:
    """Pop items first to end - 1, checking each byte of them; returns items per second."""
    started = time.perf_counter()
    frame = b"$%d\r\n" % size + b"%016d" + b"." * (size - 16) + b"\r\n"
    with Wire(port) as wire:
        asked = first
        for start in range(first, end, PIPELINE):
            while asked < min(start + PIPELINE * WINDOW, end):
                more = min(PIPELINE, end - asked)
                wire.socket.sendall(request(b"LPOP", KEY) * more)
                asked += more
            count = min(PIPELINE, end - start)
            expected = frame * count % tuple(range(start, start + count))
            if (got := wire.exactly(len(expected))) != expected:
                at = next(n for n in range(count) if got[n * len(frame) :][:30] != expected[n * len(frame) :][:30])
                raise RuntimeError(f"item {start + at}: expected it, got {got[at * (size + 7) :][:40]!r}")
    return (end - first) / (time.perf_counter() - started)


def directory_mib(path: Path) -> float:
    """Add up what the files take on disk, in MiB."""
    return sum(file.stat().st_blocks * 512 for file in path.rglob("*") if file.is_file()) / 2**20


def measure(
    server: ManagedProcess, place: Path, items: int, size: int, *, restart: bool, drain_all: bool
) -> dict[str, float]:
    """Run the whole on one server."""
    found: dict[str, float] = {}
    rates, anonymous = [], []
    for tenth in range(TENTHS):
        first, end = items * tenth // TENTHS, items * (tenth + 1) // TENTHS
        rates.append(push(server.port, first, end, size))
        memory = memory_kib(server)
        anonymous.append(memory["RssAnon"] / 1024)
        say(
            f"  {server.name}: {end:>11,} items  {rates[-1]:>9,.0f}/s  RssAnon {anonymous[-1]:>7,.1f} MiB"
            f"  RSS {memory['VmRSS'] / 1024:>7,.1f} MiB"
        )
    found["push_per_s"] = items / sum((items / TENTHS) / rate for rate in rates)
    found["first_tenth_per_s"], found["last_tenth_per_s"] = rates[0], rates[-1]
    found["last_to_first"] = rates[-1] / rates[0]
    found["anon_mib"] = max(anonymous)
    found["rss_mib"] = memory_kib(server)["VmRSS"] / 1024
    found["disk_mib"] = directory_mib(place)
    popped = 0
    if restart:
        server.kill()
        started = time.perf_counter()
        server.start()
        answered = time.perf_counter()
        if (got := pop_one(server.port)) != item(0, size):
            raise RuntimeError(f"the first item after the kill is {got[:40]!r}")
        popped = 1
        found["restart_s"] = time.perf_counter() - started
        found["restart_pong_s"] = answered - started
        if (left := length(server.port)) != items - 1:
            raise RuntimeError(f"{items - 1:,} items should be left after kill -9, there are {left:,}")
        say(f"  {server.name}: killed, started, popped the first item after {found['restart_s']:.3f} s; all are there")
    if drain_all:
        found["pop_per_s"] = drain(server.port, popped, items, size)
        if (left := length(server.port)) != 0:
            raise RuntimeError(f"{left:,} items are left after all were popped")
        found["anon_after_drain_mib"] = memory_kib(server)["RssAnon"] / 1024
        say(f"  {server.name}: popped all, in order, {found['pop_per_s']:,.0f}/s")
    return found


LABELS = {
    "push_per_s": ("pushed, items per second", "{:,.0f}"),
    "last_to_first": ("push rate, last tenth / first", "{:.2f}"),
    "anon_mib": ("anonymous memory (RssAnon)", "{:,.0f} MiB"),
    "rss_mib": ("resident memory with mapped file pages (RSS)", "{:,.0f} MiB"),
    "disk_mib": ("on disk", "{:,.0f} MiB"),
    "restart_pong_s": ("kill -9, start to first PONG", "{:.3f} s"),
    "restart_s": ("kill -9, start to first popped item", "{:.3f} s"),
    "pop_per_s": ("popped, items per second", "{:,.0f}"),
    "anon_after_drain_mib": ("anonymous memory after that", "{:,.0f} MiB"),
}


@click.command()
@click.option("--items", default=5_000_000, show_default=True, type=click.IntRange(10), help="How many.")
@click.option("--size", default=200, show_default=True, type=click.IntRange(16), help="Bytes of each.")
@click.option("--drain", "drain_all", is_flag=True, help="Pop all of them at the end and check each.")
@click.option("--redis", "with_redis", is_flag=True, help="Fill a Redis in memory with the same, for its memory.")
@click.option("--redis-durable", is_flag=True, help="Also a Redis with its append-only file, killed and restarted.")
@click.option("--durability", default="always", show_default=True, help="Of spoold: always or interval.")
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="Where the data is kept.")
@click.option("--markdown", is_flag=True, help="Print the tables as Markdown.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all figures to this file.")
def main(
    items: int,
    size: int,
    drain_all: bool,
    with_redis: bool,
    redis_durable: bool,
    durability: str,
    directory: Path | None,
    markdown: bool,
    json_file: Path | None,
) -> None:
    """Fill a backlog, kill the server, start it again, and measure."""
    if with_redis or redis_durable:
        require("redis-server")
    say(f"{items:,} items of {size} bytes: {items * size / 2**20:,.0f} MiB")
    results: dict[str, dict[str, float]] = {}
    with workspace(directory) as place:
        facts = machine(place)
        with spoold(place, "--durability", durability) as server:
            data = place / "spoold"
            results["spoold"] = measure(server, data, items, size, restart=True, drain_all=drain_all)
        if with_redis:
            with redis(place, {"appendonly": "no"}) as server:
                data = place / "redis"
                results["Redis"] = measure(server, data, items, size, restart=False, drain_all=drain_all)
        if redis_durable:
            (place / "durable").mkdir()
            with redis(place / "durable", DURABLE_REDIS) as server:
                results["Redis, durable"] = measure(
                    server, place / "durable", items, size, restart=True, drain_all=drain_all
                )
    rows = [
        [
            label,
            *(form.format(found[name]) if name in found else "–" for found in results.values()),
            TARGETS.get(label, ""),
        ]
        for name, (label, form) in LABELS.items()
        if any(name in found for found in results.values())
    ]
    header = (f"{items:,} × {size} B", *results, "target")
    print(table(("", ""), facts, markdown=True) if markdown else "\n".join(f"  {a + ':':24}{b}" for a, b in facts))
    print("\n" + table(header, rows, markdown=markdown))
    if json_file:
        json_file.write_text(json.dumps({"machine": dict(facts), "results": results}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
