"""A place where one framework works: its environment, its server, its worker processes, and what its jobs leave behind.

`Workshop.start` runs a program of the framework's environment (a worker, a scheduler), `Workshop.app` a driver through
which the test calls functions of an app module of `apps/`. Everything that was started ends with the workshop, by its
own process group; a worker's children end with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spoold.testing.process import LOOPBACK, ManagedProcess

HERE = Path(__file__).parent
APPS = HERE / "apps"
ENVIRONMENTS = HERE.parent.parent / ".venv-frameworks"

PATIENCE_S = 30.0
POLL_INTERVAL_S = 0.01


class AppError(Exception):
    """A function of the app raised; `kind` is the name of what it raised."""

    def __init__(self, kind: str, text: str) -> None:
        """kind: the exception's class.    text: its message."""
        self.kind = kind
        super().__init__(f"{kind}: {text}")


def python_of(environment: str) -> Path:
    """Name the interpreter of an environment; it does not exist until `make frameworks` has made it."""
    return ENVIRONMENTS / environment / "bin" / "python"


def until(condition: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S) -> Any:
    """Wait for a condition.

    returns: its first true value.
    raises: AssertionError that names `what` after `timeout_s`.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(POLL_INTERVAL_S)


class Program:
    """A process of the framework, in a group of its own, its output in one file."""

    def __init__(self, argv: Sequence[str], env: dict[str, str], output: Path, pipes: bool = False) -> None:
        """Start it.    pipes: standard input and output are the caller's; only standard error goes to the file."""
        self.output = output
        with output.open("ab") as log:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else log,
                stderr=log,
                env=env,
                cwd=APPS,
                start_new_session=True,
            )

    def text(self) -> str:
        """All that it printed."""
        return self.output.read_text("utf-8", "replace")

    def kill(self) -> None:
        """End it and its children at once, as the loss of a machine would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask it to end; kill what is left of its group."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout_s)
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class App(Program):
    """A driver: an app module that answers calls from another process."""

    def call(self, function: str, *arguments: object) -> Any:
        """Call a function of the app.

        returns: what it returned, as JSON carries it.
        raises: AppError if it raised.
        """
        self.begin(function, *arguments)
        return self.finish()

    def begin(self, function: str, *arguments: object) -> None:
        """Let it start while the test does something else; `finish` gives the result."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([function, arguments]).encode() + b"\n")
        self.process.stdin.flush()

    def finish(self) -> Any:
        """Wait for what `begin` began."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the driver ended:\n{self.text()}"
        answer = json.loads(line)
        if "error" in answer:
            raise AppError(answer["error"], answer["text"])
        return answer["value"]


class Workshop:
    """One framework at work against one server."""

    def __init__(self, environment: str, server: ManagedProcess, place: Path) -> None:
        """environment: a name of ENVIRONMENTS.    place: where jobs and processes leave their files."""
        self.python = python_of(environment)
        self.server = server
        self.place = place
        self._programs: list[Program] = []

    def url(self, database: int = 0, protocol: int | None = None) -> str:
        """Build the URL that the framework is given.

        protocol: None leaves the choice to the client, which is RESP3 for redis-py 8. Asked for 3 by name, that changes
            the shape of replies in ways that RQ, docket and taskiq's streams don't expect.
        """
        chosen = "" if protocol is None else f"?protocol={protocol}"
        return f"redis://{LOOPBACK}:{self.server.port}/{database}{chosen}"

    def start(self, *argv: str, url: str | None = None, **env: str) -> Program:
        """Run a program of the environment; the first word is looked up in its directory of programs."""
        program = str(self.python.parent / argv[0])
        made = Program([program, *argv[1:]], self._environment(url, env), self._output(argv[0]))
        self._programs.append(made)
        return made

    def app(self, module: str, url: str | None = None, **env: str) -> App:
        """Start a driver for a module of `apps/`."""
        argv = [str(self.python), str(HERE / "driver.py"), module]
        made = App(argv, self._environment(url, env), self._output(module), pipes=True)
        self._programs.append(made)
        return made

    def lines(self, name: str) -> list[str]:
        """What jobs wrote under a name so far."""
        path = self.place / name
        return path.read_text().splitlines() if path.exists() else []

    def wait_for(self, name: str, count: int = 1, timeout_s: float = PATIENCE_S) -> list[str]:
        """Wait until jobs have written so many lines under a name; returns them."""
        until(lambda: len(self.lines(name)) >= count, f"{count} lines of {name}; {self.tail()}", timeout_s)
        return self.lines(name)

    def let_go(self, name: str) -> None:
        """Let jobs that hold under a name end."""
        (self.place / f"{name}.go").touch()

    def crash_in_a_flood(self, app: App, jobs: int, name: str = "flood") -> None:
        """Kill the server while the app's `flood` sends jobs under a name, and start it again; the app sends all."""
        app.begin("flood", name, jobs)
        self.wait_for(f"{name}.acknowledged", jobs // 5)
        self.server.kill()
        assert len(self.lines(f"{name}.acknowledged")) < jobs
        self.server.start()
        app.finish()

    def wait_for_flood(self, jobs: int, name: str = "flood") -> None:
        """Wait until every job of a flood has run."""
        sent = {str(number) for number in range(jobs)}
        until(lambda: set(self.lines(name)) == sent, f"all of {name} {self.tail()}", 60)

    def outlive_a_crash(self, app: App, holding: int, jobs: int = 200) -> None:
        """Kill and start the server in a flood while some jobs are at work, which hold under "crash"; none is lost.

        On return all of the flood has run, and what held has been let go.
        """
        self.wait_for("crash.begun", holding)
        self.crash_in_a_flood(app, jobs)
        self.let_go("crash")
        self.wait_for_flood(jobs)

    def tail(self) -> str:
        """The last lines of all programs, for the message of a failed test."""
        texts = [f"--- {p.output.name}\n" + "\n".join(p.text().splitlines()[-12:]) for p in self._programs]
        return "\n".join(texts)

    def elsewhere(self, environment: str) -> Workshop:
        """The same server and place in another environment; ends with this one."""
        other = Workshop(environment, self.server, self.place)
        other._programs = self._programs
        return other

    def close(self) -> None:
        """End everything that was started."""
        for program in self._programs:
            program.kill()
            program.stop()

    def _environment(self, url: str | None, env: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SPOOLD_"))}
        return {
            **kept,
            "PATH": f"{self.python.parent}:{kept.get('PATH', '')}",
            "PYTHONPATH": str(APPS),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SPOOLD_TEST_URL": url or self.url(),
            "SPOOLD_TEST_PLACE": str(self.place),
            **env,
        }

    def _output(self, name: str) -> Path:
        return self.place / f"{len(self._programs)}-{Path(name).name}.log"
