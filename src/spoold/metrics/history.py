"""The last minutes as a row of samples, so that whoever opens the console sees where things come from.

One sample costs less than a millisecond every `EVERY_S` seconds, whether anyone looks or not; all of them take some
dozen kilobytes. To show a further figure, add a field to `Sample` and a line in `History.tick`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from spoold.core.clock import Clock
from spoold.metrics.spread import Spread, less, quantile

EVERY_S: Final = 2.0
SAMPLES: Final = 450  # a quarter of an hour


class Totals(NamedTuple):
    """What has been counted since the start, and what is at this moment."""

    commands: int
    turns: int
    bytes_in: int
    bytes_out: int
    command_spread: Spread
    append_spread: Spread
    clients: int
    waiting: int
    memory_bytes: int
    data_bytes: int
    items: int | None


class Sample(NamedTuple):
    """One moment: rates since the sample before it, and states.

    unix_ms: when. commands, turns, bytes_in, bytes_out: a second. p50_us, p99_us: of commands. append_p99_us: of the
    journal. items: in all queues, None where no one has counted them.
    """

    unix_ms: int
    commands: float
    turns: float
    bytes_in: float
    bytes_out: float
    p50_us: float
    p99_us: float
    append_p99_us: float
    clients: int
    waiting: int
    memory_bytes: int
    data_bytes: int
    items: int | None


class History:
    """Keeps `SAMPLES` samples.

    samples: the oldest first.
    """

    def __init__(self, clock: Clock, measure: Callable[[], Totals]) -> None:
        """measure: looks at everything; asked once every `EVERY_S`."""
        self._clock = clock
        self._measure = measure
        self._next_s = 0.0
        self._last: tuple[float, Totals] | None = None
        self.samples: deque[Sample] = deque(maxlen=SAMPLES)

    def tick(self) -> None:
        """Take a sample if one is due."""
        now_s = self._clock.monotonic_s()
        if now_s < self._next_s:
            return
        self._next_s = now_s + EVERY_S
        now = self._measure()
        last, self._last = self._last, (now_s, now)
        if last is None:
            return
        passed_s, before = now_s - last[0], last[1]
        if passed_s <= 0:
            return
        commands = less(now.command_spread, before.command_spread)
        appends = less(now.append_spread, before.append_spread)
        self.samples.append(
            Sample(
                self._clock.unix_ms(),
                max(now.commands - before.commands, 0) / passed_s,
                max(now.turns - before.turns, 0) / passed_s,
                max(now.bytes_in - before.bytes_in, 0) / passed_s,
                max(now.bytes_out - before.bytes_out, 0) / passed_s,
                quantile(commands, 0.5),
                quantile(commands, 0.99),
                quantile(appends, 0.99),
                now.clients,
                now.waiting,
                now.memory_bytes,
                now.data_bytes,
                now.items,
            )
        )
