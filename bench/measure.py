"""What all benchmarks here need: the machine in words, server processes on one disk, memory, the load generator."""

from __future__ import annotations

import csv
import importlib.metadata
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psutil

from spoold.testing.process import LOOPBACK, ManagedProcess, RealRedis, ServerProcess, redis_server_path

DURABLE_REDIS = {
    "appendonly": "yes",
    "appendfsync": "always",
    "save": "",
    # A rewrite of its file in the middle of a measurement would slow Redis down: left out in its favour.
    "auto-aof-rewrite-percentage": "0",
}
MEMORY_REDIS = {"appendonly": "no", "save": ""}


def require(*programs: str) -> None:
    """End with one line if a program is missing."""
    for program in programs:
        if shutil.which(program) is None:
            sys.exit(
                f"{program} is not installed; it comes with the package redis-server or redis-tools (apt-get install)"
            )


def say(text: str) -> None:
    """Print progress to standard error, so that standard output holds the result alone."""
    print(text, file=sys.stderr, flush=True)


def machine(directory: Path) -> list[tuple[str, str]]:
    """Describe what the figures were measured on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = models[0] if models else model
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores / 4:
        say(f"The load average is {load:.1f} on {cores} cores: something else runs here, so these figures say little.")
    memory_gib = psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{name} {_version(name)}" for name in ("spoold", "lmdb", "hiredis", "uvloop"))
    return [
        ("date", datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")),
        ("processor", f"{model}, {cores} cores, {memory_gib:.0f} GiB"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("data on", f"{filesystem(directory)}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("spoold", packages),
        ("Redis", redis_version()),
        ("load average at start", f"{load:.2f}"),
    ]


def filesystem(directory: Path) -> str:
    """Name the type of the file system that a directory is on."""
    mounts = [part for part in psutil.disk_partitions(all=True) if directory.resolve().is_relative_to(part.mountpoint)]
    best = max(mounts, key=lambda part: len(part.mountpoint), default=None)
    return f"{best.fstype} ({best.device})" if best else "an unknown file system"


def redis_version() -> str:
    """Ask redis-server for its version."""
    program = redis_server_path()
    if program is None:
        return "not installed"
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return next((word[2:] for word in text.split() if word.startswith("v=")), text.strip())


@contextmanager
def workspace(directory: Path | None) -> Iterator[Path]:
    """Give a directory for all data of a run, removed at its end; by default on a disk, not in memory."""
    parent = directory or Path("/var/tmp" if Path("/var/tmp").is_dir() else tempfile.gettempdir())  # noqa: S108
    parent.mkdir(parents=True, exist_ok=True)
    if filesystem(parent).startswith(("tmpfs", "ramfs")):
        say(f"{parent} is in memory: durable figures mean nothing there; choose a disk with --dir")
    path = Path(tempfile.mkdtemp(prefix="spoold-bench-", dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def spoold(directory: Path, *options: str) -> ServerProcess:
    """Prepare a spoold with its data in `directory`."""
    return ServerProcess(directory / "spoold", ("--log-level", "warning", *options))


def redis(directory: Path, config: dict[str, str]) -> RealRedis:
    """Prepare a Redis with its files in `directory`."""
    place = directory / "redis"
    place.mkdir(exist_ok=True)
    return RealRedis({"dir": str(place), **config})


def memory_kib(server: ManagedProcess) -> dict[str, int]:
    """Read the server's resident memory: all of it (VmRSS) and what no file backs (RssAnon), in KiB."""
    status = Path(f"/proc/{server.pid}/status")
    if not status.exists():  # no Linux
        return {"VmRSS": psutil.Process(server.pid).memory_info().rss // 1024, "RssAnon": 0}
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return {name: int(fields[name].split()[0]) for name in ("VmRSS", "RssAnon")}


def cpu_s(server: ManagedProcess) -> float:
    """Read how much processor time the server has used, user and system."""
    times = psutil.Process(server.pid).cpu_times()
    return times.user + times.system


class Wire:
    """One raw connection that sends prebuilt pipelines and counts or takes replies of known form."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((LOOPBACK, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ahead = 0  # one-line replies that came and were not asked for yet

    def lines(self, count: int) -> None:
        """Take `count` one-line replies. raises: RuntimeError if there is an error among them."""
        while self._ahead < count:
            data = self._receive()
            if b"-" in data and (data[:1] == b"-" or b"\n-" in data):
                raise RuntimeError(f"the server answered {data[:200]!r}")
            self._ahead += data.count(b"\n")
        self._ahead -= count

    def exactly(self, size: int) -> bytes:
        """Take `size` bytes."""
        parts = []
        while size > 0:
            data = self._receive(size)
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def line(self) -> bytes:
        """Take one line, without its end."""
        data = b""
        while not data.endswith(b"\r\n"):
            data += self._receive(1)
        return data[:-2]

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def _receive(self, size: int = 1 << 18) -> bytes:
        data = self.socket.recv(size)
        if not data:
            raise RuntimeError("the server closed the connection")
        return data


def request(*args: bytes) -> bytes:
    """Write one request."""
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args)


def ask(port: int, *words: bytes) -> None:
    """Send one request whose reply is one line, or a string. raises: RuntimeError with an error reply."""
    with Wire(port) as wire:
        wire.socket.sendall(request(*words))
        line = wire.line()
        if line.startswith(b"-"):
            raise RuntimeError(line.decode())


def fill(
    port: int, command: bytes, key: bytes, count: int, member: Callable[[int], bytes], *, scored: bool = False
) -> None:
    """Put `count` members into a list or set, a hundred a request. scored: with a score each, as ZADD wants it."""
    with Wire(port) as wire:
        flying = 0
        for start in range(0, count, 100):
            members = [member(n) for n in range(start, min(start + 100, count))]
            if scored:
                members = [word for each in members for word in (b"%d" % int(each[:20]), each)]
            wire.socket.sendall(request(command, key, *members))
            flying += 1
            if flying == 20:
                wire.lines(flying)
                flying = 0
        wire.lines(flying)


def drain(port: int, command: bytes, key: bytes) -> None:
    """Pop what is left of a list or set; unlike DEL this leaves no work for later, which would disturb what follows."""
    with Wire(port) as wire:
        while True:
            wire.socket.sendall(request(command, key, b"5000"))
            header = wire.line()
            if header.startswith(b"-"):
                raise RuntimeError(header.decode())
            count = int(header[1:])
            if count <= 0:
                return
            for _ in range(count):
                wire.exactly(int(wire.line()[1:]) + 2)


def redis_benchmark(
    port: int, *, clients: int, pipeline: int, requests: int, command: Sequence[str], random_keys: int = 0
) -> float:
    """Run the load generator of Redis, a C program, for one command.

    random_keys: `__rand_int__` in the command becomes one of so many numbers; 0 leaves it as it stands.
    returns: requests per second.
    """
    arguments = ["redis-benchmark", "-h", LOOPBACK, "-p", str(port), "-c", str(clients), "-P", str(pipeline)]
    arguments += ["-n", str(requests), *(["-r", str(random_keys)] if random_keys else []), "--csv", *command]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=600, check=False)
    rows = [row for row in csv.reader(done.stdout.splitlines()) if len(row) >= 2]
    errors = [line for line in (done.stdout + done.stderr).splitlines() if "rror" in line and "CONFIG" not in line]
    if done.returncode or not rows or errors:
        raise RuntimeError(f"{' '.join(arguments[:12])} …: {done.stdout[-500:]}{done.stderr[-500:]}")
    return float(rows[-1][1])


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool = False) -> str:
    """Lay out a table, for the terminal or for a Markdown file."""
    widths = [max(len(str(row[at])) for row in (header, *rows)) for at in range(len(header))]
    edge = "| " if markdown else "  "
    joint = " | " if markdown else "  "

    def line(cells: Sequence[str]) -> str:
        # The first column holds names, all others figures.
        padded = [
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return edge + joint.join(padded) + (" |" if markdown else "")

    rule = "| " + " | ".join(("-" * (w - 1) + ":") if at else "-" * w for at, w in enumerate(widths)) + " |"
    plain_rule = edge + joint.join("-" * width for width in widths)
    return "\n".join([line(header), rule if markdown else plain_rule, *map(line, rows)])


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
