"""What the console costs: throughput without it, with it open, and with someone who looks and collects metrics.

Each round runs the three one after the other, so that a busy machine is busy for all; the medians are compared. The
processor time of the server for one push says more than the rate where something else runs on the machine.

    python bench/console_cost.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack

import psutil

from spoold.testing.process import LOOPBACK, ServerProcess, free_port

REQUESTS = 40_000
PATHS = ("/api/v1/overview", "/api/v1/history?since=0", "/api/v1/queues?count=8", "/metrics")
EVERY_S = 2.0
QUIET_S = 10.0


def pushes_a_second(port: int) -> float:
    """What redis-benchmark tells of 50 clients that push one item at a time."""
    command = [
        "redis-benchmark",
        "-p",
        str(port),
        "-n",
        str(REQUESTS),
        "-c",
        "50",
        "-q",
        "--csv",
        "lpush",
        "queue",
        "x" * 100,
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(told.splitlines()[-1].split(",")[1].strip('"'))


def look(http: int, stop: threading.Event) -> None:
    """As a page with the overview does, and a collector beside it."""
    while not stop.wait(EVERY_S):
        for path in PATHS:
            urllib.request.urlopen(f"http://{LOOPBACK}:{http}{path}", timeout=10).read()


def busy_share(server: ServerProcess) -> float:
    """The share of a core that a server without clients takes, those who look aside."""
    process = psutil.Process(server.pid)
    before = sum(process.cpu_times()[:2])
    time.sleep(QUIET_S)
    return (sum(process.cpu_times()[:2]) - before) / QUIET_S


def main(rounds: int) -> None:
    """Measure and print."""
    http, watched = free_port(), free_port()
    with ExitStack() as stack:
        servers = {
            "off": stack.enter_context(ServerProcess(options=["--http", "off"])),
            "on": stack.enter_context(ServerProcess(options=["--http", f"{LOOPBACK}:{http}"])),
            "watched": stack.enter_context(ServerProcess(options=["--http", f"{LOOPBACK}:{watched}"])),
        }
        stop = threading.Event()
        watcher = threading.Thread(target=look, args=(watched, stop))
        watcher.start()
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in servers}
        try:
            for name, server in servers.items():
                print(f"{name:<8} {busy_share(server):.2%} of a core without clients")
            for _ in range(rounds):
                for name, server in servers.items():
                    process = psutil.Process(server.pid)
                    before = sum(process.cpu_times()[:2])
                    rate = pushes_a_second(server.port)
                    found[name].append((rate, (sum(process.cpu_times()[:2]) - before) / REQUESTS * 1e6))
        finally:
            stop.set()
            watcher.join()
    least_rate, least_us = (statistics.median(each) for each in zip(*found["off"], strict=True))
    for name, told in found.items():
        rate, cpu_us = (statistics.median(each) for each in zip(*told, strict=True))
        shares = f"{rate / least_rate - 1:+.1%} pushes/s, {cpu_us / least_us - 1:+.1%} processor time"
        print(f"{name:<8} {rate:>9,.0f} pushes/s   {cpu_us:.2f} µs each   {shares}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
