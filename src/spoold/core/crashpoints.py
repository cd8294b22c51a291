"""Named places where a test may stop the process as a power cut would.

`SPOOLD_CRASH_AT=name` kills the process with SIGKILL the first time `reached(name)` runs; `name:3` the third time.
Unset (always, outside tests) a call costs one comparison. To add a place: call `reached` and list the name in
`NAMES`; the fault tests walk the list.
"""

from __future__ import annotations

import os
import signal
from typing import Final

NAMES: Final = (
    "journal-before-append",
    "journal-after-append",
    "journal-after-sync",
    "checkpoint-before-commit",
    "checkpoint-after-commit",
    "checkpoint-after-switch",
    "map-before-grow",
    "map-after-grow",
    "backup-before-copy",
    "backup-after-copy",
    "backup-before-rename",
    "restore-before-copy",
    "restore-after-copy",
    "restore-after-rename",
    "compact-before-rename",
    "compact-after-rename",
)


class _Armed:
    """Which place stops us, and after how many passes."""

    def __init__(self, spec: str) -> None:
        name, _, count = spec.partition(":")
        self.name = name
        self.left = int(count or "1")


_armed = _Armed(os.environ.get("SPOOLD_CRASH_AT", ""))
# For the hottest places: whether a call of `reached` may do anything at all.
ARMED: Final = bool(_armed.name)


def reached(name: str) -> None:
    """Stop the process here if a test asked for it."""
    if _armed.name == name:
        _armed.left -= 1
        if _armed.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
