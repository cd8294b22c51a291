"""A time at which something is done, and never before it: the loop's timers may be up to a millisecond early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

# What is left of a wait takes at least this long: uvloop takes less for none.
_LEAST_S: Final = 0.001
# Sums of seconds are not exact.
_NOTHING_S: Final = 1e-8


class Alarm:
    """Calls `work` once, when `deadline_s` (monotonic) has come, unless it is cancelled before."""

    __slots__ = ("_arguments", "_call_later", "_now", "_timer", "_work", "deadline_s")

    def __init__(
        self,
        call_later: Callable[..., Any],
        now: Callable[[], float],
        delay_s: float,
        work: Callable[..., object],
        *arguments: Any,
    ) -> None:
        """call_later: the loop's. now: the clock's monotonic_s. delay_s: seconds from now."""
        self._call_later = call_later
        self._now = now
        self.deadline_s = now() + delay_s
        self._work = work
        self._arguments = arguments
        self._timer = call_later(delay_s, self._ring)

    def cancel(self) -> None:
        """Do nothing any more, until it is set again."""
        self._timer.cancel()

    def set_again(self) -> None:
        """Call `work` after all, when the same time has come, or soon if it has."""
        self._timer = self._call_later(max(self.deadline_s - self._now(), _LEAST_S), self._ring)

    def _ring(self) -> None:
        if self.deadline_s - self._now() > _NOTHING_S:
            self.set_again()
        else:
            self._work(*self._arguments)
