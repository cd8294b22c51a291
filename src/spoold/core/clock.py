"""Where time comes from: wall time in Unix milliseconds for expiry, monotonic seconds for time-outs."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the server asks for the time; tests put `spoold.testing.clock.ManualClock` in its place."""

    def unix_ms(self) -> int:
        """Wall time, milliseconds since 1970."""
        ...

    def unix_us(self) -> int:
        """Wall time, microseconds since 1970."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never run backwards, from an arbitrary start."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def unix_ms(self) -> int:
        """Wall time, milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def unix_us(self) -> int:
        """Wall time, microseconds since 1970."""
        return time.time_ns() // 1_000

    monotonic_s = staticmethod(time.monotonic)
