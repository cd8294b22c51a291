"""The tasks that the tests' consumers run; the same functions for whoever adds jobs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from huey import PriorityRedisHuey, crontab
from huey.exceptions import RetryTask

from spoold.contrib.huey import SimpleHuey, SpooldHuey


def build(kind: str, address: str, name: str, **options: Any) -> Any:
    """A Huey of one kind: `server`, `simple` and Huey's own `redis` (a port), `embedded` (a directory)."""
    if kind == "redis":
        return PriorityRedisHuey(name, host="127.0.0.1", port=int(address), read_timeout=0.2, **options)
    if kind == "server":
        return SpooldHuey(name, port=int(address), read_timeout=0.2, **options)
    if kind == "embedded":
        return SpooldHuey(name, path=address, read_timeout=0.2, **options)
    return SimpleHuey(name, port=int(address), read_timeout=0.2, **options)


def note(path: str, line: str) -> None:
    """Add a line to a file, whole, from any process."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{line}\n".encode())
    finally:
        os.close(file)


def noted(path: Path) -> list[str]:
    """The lines that were added."""
    return path.read_text().splitlines() if path.exists() else []


def define(huey: Any) -> Any:
    """Give `huey` its tasks; SPOOLD_TEST_NOTES names the file for what no caller asked for."""
    notes = os.environ.get("SPOOLD_TEST_NOTES", "")

    @huey.task()
    def add(first: Any, second: Any) -> Any:
        return first + second

    @huey.task()
    def total(numbers: Any) -> Any:
        return sum(numbers)

    @huey.task()
    def fail(text: str) -> None:
        raise ValueError(text)

    @huey.task(retries=3)
    def flaky(path: str, times: int) -> int:
        note(path, "try")
        tries = len(noted(Path(path)))
        if tries <= times:
            raise RetryTask
        return tries

    @huey.task(retries=1, retry_delay=1)
    def flaky_later(path: str) -> str:
        note(path, "try")
        if len(noted(Path(path))) == 1:
            raise ValueError("not yet")
        return "done"

    @huey.task()
    def write(path: str, line: str, seconds: float = 0.0) -> str:
        time.sleep(seconds)
        note(path, line)
        return line

    @huey.task()
    @huey.lock_task("the lock")
    def locked(path: str) -> str:
        note(path, "begin")
        time.sleep(0.3)
        note(path, "end")
        return "held"

    @huey.task(context=True)
    def who_am_i(task: Any = None) -> str:
        return str(task.id)

    @huey.periodic_task(crontab(minute="*"))
    def each_minute() -> None:
        if notes:
            note(notes, "periodic")

    @huey.signal()
    def heard(signal: str, task: Any, *more: Any) -> None:
        if notes:
            note(notes, f"{signal} {task.id}")

    return SimpleNamespace(**{key: value for key, value in locals().items() if key not in ("notes", "heard")})
