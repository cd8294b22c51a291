"""A real memcached for tests and benchmarks, to compare with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from spoold.testing.process import LOOPBACK, READY_TIMEOUT_S, ManagedProcess, ProcessError


def memcached_path() -> str | None:
    """Find the memcached program; None if this machine has none."""
    return shutil.which("memcached")


class RealMemcached(ManagedProcess):
    """A memcached on a free loopback port, without UDP."""

    name = "memcached"

    def __init__(
        self, options: Sequence[str] = (), *, port: int | None = None, ready_timeout_s: float = READY_TIMEOUT_S
    ) -> None:
        """Prepare; nothing runs before `start` or the `with` block.

        options: further ones of memcached, such as ("-m", "256").
        """
        super().__init__(port=port, ready_timeout_s=ready_timeout_s)
        self.options = tuple(options)

    def command(self) -> list[str]:
        """Build the command.

        raises: ProcessError if no memcached is installed.
        """
        program = memcached_path()
        if program is None:
            raise ProcessError("memcached is not installed")
        # It refuses to run as root unless it is told to.
        user = ["-u", "root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        return [program, *user, "-l", LOOPBACK, "-p", str(self.port), "-U", "0", *self.options]

    def is_ready_answer(self, answer: bytes) -> bool:
        """It does not know the probe's words."""
        return answer.startswith(b"ERROR")
