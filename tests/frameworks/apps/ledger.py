"""What jobs leave behind for the test: lines in files, so that it shows even if the server or the worker is gone.

The directory is in SPOOLD_TEST_PLACE, the server's URL in SPOOLD_TEST_URL.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

URL = os.environ.get("SPOOLD_TEST_URL", "redis://127.0.0.1:6379")
PLACE = Path(os.environ.get("SPOOLD_TEST_PLACE", "."))

# A job that nobody lets go ends by itself, so that a failed test leaves no process that waits for ever.
PATIENCE_S = 60.0


def write(name: str, line: object) -> None:
    """Append one line in one write, so that processes don't mix theirs."""
    handle = os.open(PLACE / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, f"{line}\n".encode())
    finally:
        os.close(handle)


def count(name: str) -> int:
    """Count the lines written under a name."""
    path = PLACE / name
    return len(path.read_text().splitlines()) if path.exists() else 0


def hold(name: str) -> int:
    """Say that the job began, then work until the test lets it go.

    returns: how often a job of this name has begun.
    """
    write(f"{name}.begun", os.getpid())
    deadline_s = time.monotonic() + PATIENCE_S
    while not (PLACE / f"{name}.go").exists() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    write(f"{name}.ended", os.getpid())
    return count(f"{name}.begun")


async def hold_async(name: str) -> int:
    """Like `hold`, in an event loop that goes on meanwhile."""
    write(f"{name}.begun", os.getpid())
    deadline_s = time.monotonic() + PATIENCE_S
    while not (PLACE / f"{name}.go").exists() and time.monotonic() < deadline_s:
        await asyncio.sleep(0.01)
    write(f"{name}.ended", os.getpid())
    return count(f"{name}.begun")


def insist(name: str, count: int, enqueue: Callable[[int], object], *failures: type[Exception]) -> int:
    """Enqueue the numbers 0 to count - 1, each again until it is acknowledged, and note that it was.

    returns: how often the server was not there.
    """
    missed = 0
    deadline_s = time.monotonic() + PATIENCE_S
    for number in range(count):
        while True:
            try:
                enqueue(number)
                break
            except (OSError, *failures):
                missed += 1
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.02)
        write(f"{name}.acknowledged", number)
    return missed


async def insist_async(
    name: str, count: int, enqueue: Callable[[int], Awaitable[object]], *failures: type[Exception]
) -> int:
    """Like `insist`, for a client that is awaited."""
    missed = 0
    deadline_s = time.monotonic() + PATIENCE_S
    for number in range(count):
        while True:
            try:
                await enqueue(number)
                break
            except (OSError, *failures):
                missed += 1
                if time.monotonic() > deadline_s:
                    raise
                await asyncio.sleep(0.02)
        write(f"{name}.acknowledged", number)
    return missed
