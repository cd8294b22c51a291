"""Servers, hueys and consumers for the tests of Huey on spoold."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.contrib.tasks import build, define

from spoold.testing.process import LOOPBACK, ServerProcess, free_port

# Huey's own tests leave those out that wait.
os.environ.setdefault("HUEY_SLOW_TESTS", "1")

ROOT = Path(__file__).parents[2]


class Place:
    """A durable server with a Redis and a simple door."""

    def __init__(self, directory: Path) -> None:
        self.simple_port = free_port()
        self.server = ServerProcess(directory, ("--simple", f"{LOOPBACK}:{self.simple_port}"))

    def address(self, kind: str) -> str:
        """The port of its door for a kind of Huey."""
        return str(self.simple_port if kind == "simple" else self.server.port)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One server for all tests that do not kill it; apps keep apart by their names."""
    made = Place(tmp_path_factory.mktemp("place") / "data")
    with made.server:
        yield made
        assert "Traceback" not in made.server.stderr_text()


class App:
    """An app: its huey and its tasks in this process, and consumers in processes of their own.

    kind, address, name: as `tasks.build` takes them. notes: what tasks and signals wrote.
    """

    def __init__(self, kind: str, address: str, name: str, directory: Path) -> None:
        self.kind, self.address, self.name = kind, address, name
        self.notes = directory / "notes"
        self.directory = directory
        self.huey: Any = build(kind, address, name)
        self.tasks: Any = define(self.huey)

    @contextmanager
    def consumer(self, workers: int = 2, kind: str = "thread", *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """Huey's consumer as its users start it; told to stop at the end, if it still runs."""
        variables = {
            **os.environ,
            "SPOOLD_TEST_HUEY": f"{self.kind}|{self.address}|{self.name}",
            "SPOOLD_TEST_NOTES": str(self.notes),
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        command = ["huey.bin.huey_consumer", "tests.contrib.app.huey", "-w", str(workers), "-k", kind, *options]
        if kind == "greenlet":
            start = [sys.executable, "-c", _PATCHED.format(command[1:])]
        else:
            start = [sys.executable, "-m", *command]
        self.log = self.directory / "consumer.log"
        with self.log.open("ab") as log:
            process = subprocess.Popen(start, cwd=ROOT, env=variables, stdout=log, stderr=log, start_new_session=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            finally:
                if process.poll() is None:
                    kill_group(process)

    def close(self) -> None:
        """Drop its data and its connections."""
        self.huey.flush()
        self.huey.storage.close()


# huey_consumer patches nothing itself: its users begin with gevent's monkey.
_PATCHED = (
    "from gevent import monkey; monkey.patch_all()\n"
    "import sys; sys.argv[1:] = {}\n"
    "from huey.bin.huey_consumer import consumer_main; consumer_main()"
)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a consumer and the workers that it forked, without a word."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(20)


@pytest.fixture
def make_app(place: Place, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], App]]:
    """Build apps of a kind; each has a name of its own."""
    made: list[App] = []

    def make(kind: str) -> App:
        address = str(tmp_path / "data") if kind == "embedded" else place.address(kind)
        app = App(kind, address, f"{request.node.name}-{len(made)}", tmp_path)
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()
