"""spoold's memcached door beside a real memcached on the same machine, turn and turn about: ratios of medians.

    python bench/memcached.py                 get and set, in memory and durable, some three minutes
    python bench/memcached.py --quick         one short round, to see that it works
    python bench/memcached.py --clients 50 --pipeline 16 --tests get

The load comes from several processes with raw sockets that know the length of every reply beforehand. One alone is
slower than memcached, and takes turns with a server that answers all that came in one pass of its loop at once: so
there are two by default. They share the cores with the server, so its processor time a request is shown too.
"""

from __future__ import annotations

import select
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import click

from measure import Wire, cpu_s, machine, require, say, table, workspace
from spoold.testing.memcached import RealMemcached
from spoold.testing.process import LOOPBACK, ServerProcess, free_port

VALUE = b"x" * 100
KEYS = 1000


def requests_of(test: str) -> list[tuple[bytes, int]]:
    """Requests of a test, each with the length of its reply."""
    keys = [b"key:%012d" % number for number in range(KEYS)]
    if test == "set":
        return [(b"set %b 0 0 %d\r\n%b\r\n" % (key, len(VALUE), VALUE), len(b"STORED\r\n")) for key in keys]
    reply = b"VALUE %b 0 %d\r\n%b\r\nEND\r\n"
    return [(b"get %b\r\n" % key, len(reply % (key, len(VALUE), VALUE))) for key in keys]


def load(port: int, test: str, clients: int, pipeline: int, seconds: float, processes: int) -> float:
    """Keep `clients` connections busy from several processes, each connection with `pipeline` requests at a time.

    returns: requests per second.
    """
    shares = [clients // processes + (at < clients % processes) for at in range(processes)]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        list(pool.map(str, range(processes)))  # they are up before the clock starts
        arguments = (repeat(port), repeat(test), shares, repeat(pipeline), repeat(seconds))
        return sum(pool.map(drive, *arguments))


def drive(port: int, test: str, clients: int, pipeline: int, seconds: float) -> float:
    """The share of one process: keep `clients` connections busy.

    returns: requests per second.
    """
    prepared = requests_of(test)
    batches = [prepared[at : at + pipeline] for at in range(0, KEYS - pipeline + 1, pipeline)]
    sends = [b"".join(request for request, _ in batch) for batch in batches]
    sizes = [sum(size for _, size in batch) for batch in batches]
    wires = [Wire(port) for _ in range(clients)]
    poll = select.epoll()
    by_fd = {}
    for at, wire in enumerate(wires):
        poll.register(wire.socket.fileno(), select.EPOLLIN)
        by_fd[wire.socket.fileno()] = [wire.socket.recv, wire.socket.send, at % len(sends), sizes[at % len(sends)]]
        wire.socket.send(sends[at % len(sends)])
    done = 0
    started = time.perf_counter()
    end = started + seconds
    while (now := time.perf_counter()) < end:
        for fd, _ in poll.poll(1):
            state = by_fd[fd]
            receive, send, at, left = state
            left -= len(receive(65536))
            if left:
                state[3] = left
                continue
            done += 1
            at = (at + 1) % len(sends)
            state[2] = at
            state[3] = sizes[at]
            send(sends[at])
    for wire in wires:
        wire.close()
    poll.close()
    return done * pipeline / (now - started)


def fill(port: int) -> None:
    """Store every key once."""
    with Wire(port) as wire:
        for request, size in requests_of("set"):
            wire.socket.sendall(request)
            wire.exactly(size)


def measure(server: RealMemcached | ServerProcess, run: Callable[[], float], seconds: float) -> list[float]:
    """One round: requests per second, and the server's µs of processor time a request."""
    used_s = cpu_s(server)
    rate = run()
    return [rate, (cpu_s(server) - used_s) / (rate * seconds) * 1e6]


@click.command()
@click.option("--tests", default="get,set", help="get, set.")
@click.option("--clients", default=50)
@click.option("--pipeline", default=1)
@click.option("--processes", default=2, help="Of the load generator.")
@click.option("--threads", default=4, help="Of memcached; 4 are its default. spoold has one.")
@click.option("--rounds", default=5)
@click.option("--seconds", default=3.0)
@click.option("--quick", is_flag=True, help="One short round.")
@click.option("--modes", default="memory,durable", help="How spoold runs: memory, durable.")
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="Where the data of the run goes.")
def main(
    tests: str,
    clients: int,
    pipeline: int,
    processes: int,
    threads: int,
    rounds: int,
    seconds: float,
    quick: bool,
    modes: str,
    directory: Path | None,
) -> None:
    """Compare spoold's memcached door with memcached."""
    require("memcached")
    if quick:
        rounds, seconds = 1, 0.5
    rows: list[Sequence[str]] = []
    with workspace(directory) as place, RealMemcached(("-t", str(threads))) as memcached:
        for name, value in machine(place):
            say(f"{name}: {value}")
        for mode in modes.split(","):
            port = free_port()
            options = ["--log-level", "warning", "--memcached", f"{LOOPBACK}:{port}"]
            with ServerProcess(place / mode, [*options, *(["--memory"] if mode == "memory" else [])]) as spoold:
                sides = {"memcached": (memcached, memcached.port), "spoold": (spoold, port)}
                for _, at in sides.values():
                    fill(at)
                for test in tests.split(","):
                    found: dict[str, list[list[float]]] = {name: [] for name in sides}
                    for _ in range(rounds):
                        for name, (server, at) in sides.items():
                            run = partial(load, at, test, clients, pipeline, seconds, processes)
                            found[name].append(measure(server, run, seconds))
                    ours, theirs = (
                        [statistics.median(column) for column in zip(*found[name], strict=True)]
                        for name in ("spoold", "memcached")
                    )
                    cells = [f"{ours[0]:,.0f}", f"{theirs[0]:,.0f}", f"{ours[0] / theirs[0]:.2f}"]
                    rows.append([f"{test}, {mode}", *cells, f"{ours[1]:.1f}", f"{theirs[1]:.1f}"])
                    say(" ".join(rows[-1]))
    print(f"{clients} clients in {processes} processes, pipeline {pipeline}, 100-byte values, memcached -t {threads}")
    print(table(["test", "spoold/s", "memcached/s", "ratio", "spoold µs", "memcached µs"], rows))


if __name__ == "__main__":
    main()
