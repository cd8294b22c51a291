"""A clock that only tests move."""

from __future__ import annotations


class ManualClock:
    """Stands still until told to advance; wall and monotonic time move together."""

    def __init__(self, unix_ms: int = 1_700_000_000_000) -> None:
        """unix_ms: the first reading."""
        self._us = unix_ms * 1000
        self._start_us = self._us

    def advance_ms(self, ms: int) -> None:
        """Move both clocks forward by `ms` milliseconds."""
        self._us += ms * 1000

    def unix_ms(self) -> int:
        """Wall time, milliseconds since 1970."""
        return self._us // 1000

    def unix_us(self) -> int:
        """Wall time, microseconds since 1970."""
        return self._us

    def monotonic_s(self) -> float:
        """Seconds since this clock was made."""
        return (self._us - self._start_us) / 1e6
