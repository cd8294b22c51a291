"""A job that does nothing but tell when the first and the last of a run were done.

Runs in the environment of the framework: `python clocked.py MODULE` adds NOOP_COUNT jobs through the module's `add` and
prints how many seconds that took.
"""

from __future__ import annotations

import importlib
import os
import sys
import time

URL = os.environ.get("NOOP_URL", "redis://127.0.0.1:6379/0")
COUNT = int(os.environ.get("NOOP_COUNT", "0"))
MARKS = os.environ.get("NOOP_MARKS", "marks")


def done(number: int) -> int:
    """Be the job: return the number, note the time of the first and the last."""
    if number in (0, COUNT - 1):
        with open(MARKS, "a") as marks:
            marks.write(f"{time.time()}\n")
    return number


if __name__ == "__main__":
    add = importlib.import_module(sys.argv[1]).add
    add(-1)  # connect, load scripts: not measured
    started = time.perf_counter()
    for number in range(COUNT):
        add(number)
    print(time.perf_counter() - started)
