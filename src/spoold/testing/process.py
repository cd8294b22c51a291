"""Real server processes for tests: spoold itself, and a Redis to compare it with.

Both are context managers: they start on a free loopback port, are ready when the `with` block begins, and at its end
are stopped by their own process id with every file of theirs removed (a data directory that the caller gave stays).
Output goes to files, not pipes, so a server that logs a lot never blocks on a test that does not read.

To add another server, subclass `ManagedProcess`: say how it is started (`command`) and what an answer to the probe
looks like when it is ready.
"""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

LOOPBACK = "127.0.0.1"

# Below the range that systems hand out to outgoing connections (32768 and up on Linux), so that no client's own end
# of a connection sits on the port between a kill and a restart.
PORT_RANGE = range(20_000, 32_000)

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
POLL_INTERVAL_S = 0.005
START_ATTEMPTS = 3

# The ports that were chosen last: what is told is bound soon.
_marks: deque[socket.socket] = deque(maxlen=32)


@atexit.register
def _release_marks() -> None:
    while _marks:
        _marks.pop().close()


PING = b"*1\r\n$4\r\nPING\r\n"

# Listeners of `spoold serve` that have a default address.
OTHER_LISTENERS = ("--memcached", "--memcached-queue", "--simple", "--http")


class ProcessError(Exception):
    """A server process did not do what the test asked of it; the message holds what it printed."""


class StartFailed(ProcessError):
    """The process ended, or stayed silent until the deadline, before it answered."""

    def __init__(self, message: str, returncode: int | None, stderr: str) -> None:
        """returncode: None if it was still running.    stderr: all that it printed there."""
        self.returncode = returncode
        self.stderr = stderr
        super().__init__(message)


def free_port() -> int:
    """Choose a loopback port that nothing listens on at this moment, and that no other process was just told.

    returns: a port of PORT_RANGE. Only this function knows of it, so whoever binds it may still lose a race.
    raises: ProcessError if hundreds of ports in a row are taken.
    """
    chooser = random.SystemRandom()  # tests seed the shared generator, and two runs would meet on the same ports
    for _ in range(500):
        port = chooser.choice(PORT_RANGE)
        if _can_bind(port) and _reserve(port):
            return port
    raise ProcessError(f"no free port found between {PORT_RANGE.start} and {PORT_RANGE.stop}")


def redis_server_path() -> str | None:
    """Find the redis-server program; None if this machine has none."""
    return shutil.which("redis-server")


class ManagedProcess:
    """One server process on one loopback port, startable and killable any number of times until `close`."""

    name = "server"

    def __init__(
        self,
        *,
        port: int | None = None,
        env: Mapping[str, str | None] | None = None,
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> None:
        """Prepare; nothing runs before `start` or the `with` block.

        port: None chooses a free one, which then stays the same for every restart.
        env: added to this process's environment; None as a value removes a variable.
        """
        self._chosen_port = port
        self._port = port
        self._env = dict(env or {})
        self._ready_timeout_s = ready_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._home: Path | None = None

    # What a subclass says of its server

    def command(self) -> list[str]:
        """Build the program and its arguments; called at each start, when `port` and `home` are known."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Build the environment: this process's own with the caller's changes."""
        merged: dict[str, str | None] = {**os.environ, **self._env}
        return {name: value for name, value in merged.items() if value is not None}

    def is_ready_answer(self, answer: bytes) -> bool:
        """Tell whether the reply to PING shows a server at work; one that asks for a password is."""
        return answer.startswith((b"+PONG", b"-NOAUTH"))

    # What a test asks

    @property
    def port(self) -> int:
        """The port it listens on, known once it was started."""
        if self._port is None:
            raise ProcessError(f"{self.name} was not started yet")
        return self._port

    @property
    def url(self) -> str:
        """Where Redis clients connect."""
        return f"redis://{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the latest start."""
        return self._started_process().pid

    @property
    def returncode(self) -> int | None:
        """How the latest start ended: None while it runs, negative for a signal."""
        return self._started_process().poll()

    @property
    def is_running(self) -> bool:
        """True while a started process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def home(self) -> Path:
        """A private directory that `close` removes, or the end of this object: output, configuration, unplaced data."""
        if self._home is None:
            self._home = Path(tempfile.mkdtemp(prefix="spoold-testing-"))
            # Also of one that could not be started and is not closed by anyone.
            weakref.finalize(self, shutil.rmtree, self._home, ignore_errors=True)
        return self._home

    def stdout_text(self) -> str:
        """All that it printed to standard output, over all starts."""
        return self._output("stdout")

    def stderr_text(self) -> str:
        """All that it printed to standard error, over all starts."""
        return self._output("stderr")

    def start(self) -> Self:
        """Start the process and return when it answers PING.

        raises: StartFailed with its exit code and standard error; nothing of it runs then.
        """
        if self.is_running:
            raise ProcessError(f"{self.name} runs already as process {self.pid}")
        first_start = self._process is None
        for attempt in range(START_ATTEMPTS):
            if self._port is None:
                self._port = free_port()
            try:
                self._start_once()
            except StartFailed:
                # Another process took the port between our choice and the bind. A restart has no second choice:
                # its clients know the port.
                race_lost = first_start and self._chosen_port is None and not _can_bind(self._port)
                if not race_lost or attempt == START_ATTEMPTS - 1:
                    raise
                self._port = None
            else:
                break
        return self

    def kill(self) -> None:
        """End it at once with SIGKILL, as a crash would, and wait until it is gone."""
        process = self._started_process()
        process.kill()
        process.wait(STOP_TIMEOUT_S)

    def terminate(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Ask it to end with SIGTERM.

        returns: its exit code.
        raises: ProcessError if it is still there after `timeout_s`; it is killed then.
        """
        process = self._started_process()
        process.terminate()
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ProcessError(self._report(f"{self.name} ignored SIGTERM for {timeout_s:g} s")) from None

    def wait(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Wait until it ends by itself.

        returns: its exit code, negative for a signal.
        raises: ProcessError if it still runs after `timeout_s`; it goes on running.
        """
        try:
            return self._started_process().wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ProcessError(self._report(f"{self.name} still runs after {timeout_s:g} s")) from None

    def restart(self) -> Self:
        """Start it again on the same port and data; one that still runs is terminated first."""
        if self.is_running:
            self.terminate()
        return self.start()

    def close(self) -> None:
        """Stop it, gently if it listens to SIGTERM and by force if not, and remove its files. Safe to call twice."""
        try:
            if self.is_running:
                # A stopped process (SIGSTOP) acts on SIGTERM only when it goes on.
                if hasattr(signal, "SIGCONT"):
                    self._started_process().send_signal(signal.SIGCONT)
                self.terminate()
        except ProcessError:
            pass  # killed by `terminate`: the test that cares calls it itself
        finally:
            if self.is_running:
                self.kill()
            if self._home is not None:
                shutil.rmtree(self._home, ignore_errors=True)
                self._home = None

    def __enter__(self) -> Self:
        if not self.is_running:
            try:
                self.start()
            except BaseException:  # no `__exit__` follows a failed `__enter__`
                self.close()
                raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _started_process(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ProcessError(f"{self.name} was not started yet")
        return self._process

    def _output(self, stream: str) -> str:
        if self._home is None:
            return ""
        path = self._home / stream
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def _start_once(self) -> None:
        # Somebody else on the port would answer our probe long before our process finds that it cannot bind.
        taken = not _can_bind(self.port)
        with open(self.home / "stdout", "ab") as stdout, open(self.home / "stderr", "ab") as stderr:
            process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=self.environment(),
            )
        self._process = process
        try:
            self._wait_until_ready(process, port_taken=taken)
        except BaseException:
            if process.poll() is None:
                self.kill()
            raise

    def _wait_until_ready(self, process: subprocess.Popen[bytes], port_taken: bool) -> None:
        deadline_s = time.monotonic() + self._ready_timeout_s
        while True:
            ready = not port_taken and self._answers(deadline_s)
            # Looked at after the answer: one from another process on our port does not make ours ready.
            if (returncode := process.poll()) is not None:
                text = self._report(f"{self.name} ended with {returncode} before it was ready")
                raise StartFailed(text, returncode, self.stderr_text())
            if ready:
                return
            if time.monotonic() > deadline_s:
                text = self._report(f"{self.name} did not answer within {self._ready_timeout_s:g} s")
                raise StartFailed(text, None, self.stderr_text())
            try:
                process.wait(POLL_INTERVAL_S)
            except subprocess.TimeoutExpired:
                continue

    def _answers(self, deadline_s: float) -> bool:
        patience_s = min(1.0, max(0.01, deadline_s - time.monotonic()))
        try:
            with socket.create_connection((LOOPBACK, self.port), patience_s) as connection:
                connection.settimeout(patience_s)
                connection.sendall(PING)
                answer = b""
                while b"\n" not in answer:
                    piece = connection.recv(256)
                    if not piece:
                        return False
                    answer += piece
        except OSError:
            return False
        return self.is_ready_answer(answer)

    def _report(self, happened: str) -> str:
        return f"{happened}\nits standard output:\n{self.stdout_text()}\nits standard error:\n{self.stderr_text()}"


class ServerProcess(ManagedProcess):
    """`spoold serve` as its users run it: the installed package, in a process of its own."""

    name = "spoold"

    def __init__(
        self,
        data_dir: str | Path | None = None,
        options: Sequence[str] = (),
        *,
        port: int | None = None,
        env: Mapping[str, str | None] | None = None,
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> None:
        """Prepare; nothing runs before `start` or the `with` block.

        data_dir: None places the data in a directory that `close` removes; one that is given stays.
        options: further command-line options of `spoold serve`; with `--memory` there is no data directory. Only the
            Redis listener is open unless they (or `env`) name another.
        """
        super().__init__(port=port, env=env, ready_timeout_s=ready_timeout_s)
        self._data_dir = None if data_dir is None else Path(data_dir)
        self.options = tuple(options)

    @property
    def data_dir(self) -> Path:
        """Where the server keeps its data."""
        return self.home / "data" if self._data_dir is None else self._data_dir

    def command(self) -> list[str]:
        """Build `python -m spoold serve` with this interpreter."""
        place = [] if "--memory" in self.options else ["--data", str(self.data_dir)]
        listen = ["--redis", f"{LOOPBACK}:{self.port}"]
        # Two servers of one test run must not meet on a default port.
        for option in OTHER_LISTENERS:
            if option not in self.options and _environment_name(option) not in self._env:
                listen += [option, "off"]
        return [sys.executable, "-m", "spoold", "serve", *listen, *place, *self.options]

    def environment(self) -> dict[str, str]:
        """Build the environment; settings of the developer's own server are left out of it."""
        inherited = super().environment()
        return {name: value for name, value in inherited.items() if not name.startswith("SPOOLD_") or name in self._env}


class RealRedis(ManagedProcess):
    """A redis-server with everything in a private directory, to compare with."""

    name = "redis-server"

    def __init__(
        self,
        config: Mapping[str, str] | None = None,
        *,
        port: int | None = None,
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> None:
        """Prepare; nothing runs before `start` or the `with` block.

        config: lines of redis.conf, directive → value, such as {"appendonly": "yes"}; snapshots are off unless asked.
        """
        super().__init__(port=port, ready_timeout_s=ready_timeout_s)
        self._config = {"save": "", **(config or {})}

    def command(self) -> list[str]:
        """Write redis.conf and build the command that reads it.

        raises: ProcessError if no redis-server is installed.
        """
        program = redis_server_path()
        if program is None:
            raise ProcessError("redis-server is not installed")
        lines = {"bind": LOOPBACK, "port": str(self.port), "dir": str(self.home), "daemonize": "no", **self._config}
        text = "".join(f"{directive} {value}\n" if value else f'{directive} ""\n' for directive, value in lines.items())
        path = self.home / "redis.conf"
        path.write_text(text)
        return [program, str(path)]


def _environment_name(option: str) -> str:
    return "SPOOLD_" + option.removeprefix("--").replace("-", "_").upper()


def _reserve(port: int) -> bool:
    """Keep other processes' `free_port` from choosing `port` too; False if one of them was faster.

    The mark is the UDP port of the same number: it is in nobody's way, is seen by all, and goes with the process.
    """
    mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        mark.bind((LOOPBACK, port))
    except OSError:
        mark.close()
        return False
    if len(_marks) == _marks.maxlen:
        _marks.popleft().close()
    _marks.append(mark)
    return True


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of a killed predecessor that still time out do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
