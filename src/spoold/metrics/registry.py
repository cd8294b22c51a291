"""What the server measures of itself over time: rates, memory, and since when.

Counters live where they are counted (`Entry.calls`, `Turn.bytes_out`, `Connections.opened` …). This holds what only
sampling can tell: rates over the last seconds and peaks. To add a rate, give it a field and a line in `sample`.
"""

from __future__ import annotations

import os
import resource
import secrets
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from spoold.core.clock import Clock

SAMPLE_S: Final = 0.1
# Rates are those of the last 16 samples, as in Redis.
_SAMPLES: Final = 16
# Reading the process's memory costs some 20 µs, so it is not part of every sample.
_MEMORY_SAMPLE_S: Final = 1.0

_STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True)
class Memory:
    """Memory of the process in bytes.

    used: anonymous memory, what the server itself holds. resident: with the mapped pages of the data file too, which
    the system takes back when it needs them.
    """

    used: int
    resident: int


def read_memory() -> Memory:
    """Ask the system; where it tells only the peak of all (no Linux), that stands for both."""
    try:
        fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines() if ":" in line)
        return Memory(_kib(fields["RssAnon"]), _kib(fields["VmRSS"]))
    except (OSError, KeyError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak_bytes = peak if sys.platform == "darwin" else peak * 1024
        return Memory(peak_bytes, peak_bytes)


def total_memory() -> int:
    """Bytes of memory that the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@dataclass
class Rate:
    """How fast a total grows."""

    samples: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_SAMPLES))

    def add(self, now_s: float, total: int) -> None:
        """Note the total at a monotonic time; one that became smaller was reset, and begins anew."""
        if self.samples and total < self.samples[-1][1]:
            self.samples.clear()
        self.samples.append((now_s, total))

    @property
    def per_second(self) -> float:
        """Mean growth a second over the samples."""
        if len(self.samples) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self.samples[0], self.samples[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0


class Metrics:
    """Sampled figures.

    started_ms, started_s: Unix ms and monotonic seconds of the start. run_id: another in each life of the server.
    saved_ms: Unix ms of the last checkpoint, or of the start. peak: most memory seen in use.
    items: in all queues, as whoever counts them last saw; None where no one does.
    tells_latency, percentiles: whether INFO has times of commands, and which (0 to 100).
    """

    def __init__(self, clock: Clock, checkpoints: int) -> None:
        """clock: read by `sample`. checkpoints: how many there were already."""
        self._clock = clock
        self.started_ms = self.saved_ms = clock.unix_ms()
        self.started_s = clock.monotonic_s()
        self.run_id = secrets.token_hex(20)
        self.commands = Rate()
        self.bytes_in = Rate()
        self.bytes_out = Rate()
        self.peak = Memory(0, 0)
        self.items: int | None = None
        self.tells_latency = True
        self.percentiles: tuple[float, ...] = (50.0, 99.0, 99.9)
        self._baseline: dict[str, int] = {}
        self._checkpoints = checkpoints
        self._next_s = 0.0
        self._next_memory_s = 0.0

    @property
    def due(self) -> bool:
        """Whether it is time for the next sample."""
        return self._clock.monotonic_s() >= self._next_s

    @property
    def uptime_s(self) -> int:
        """Whole seconds since the start."""
        return int(self._clock.monotonic_s() - self.started_s)

    def sample(self, commands: int, bytes_in: int, bytes_out: int, checkpoints: int) -> None:
        """Note the totals. cost: some µs; once a second some 20 more."""
        now_s = self._clock.monotonic_s()
        self._next_s = now_s + SAMPLE_S
        self.commands.add(now_s, commands)
        self.bytes_in.add(now_s, bytes_in)
        self.bytes_out.add(now_s, bytes_out)
        if checkpoints != self._checkpoints:
            self._checkpoints = checkpoints
            self.saved_ms = self._clock.unix_ms()
        if now_s >= self._next_memory_s:
            self._next_memory_s = now_s + _MEMORY_SAMPLE_S
            self.memory()

    def tell_percentiles(self, text: bytes) -> None:
        """Take the percentiles that INFO tells, as CONFIG has them: numbers with blanks between."""
        self.percentiles = tuple(map(float, text.split()))

    def reset(self, totals: dict[str, int]) -> None:
        """Count from here on (CONFIG RESETSTAT). totals: of those who count, by name."""
        self._baseline = dict(totals)
        for rate in (self.commands, self.bytes_in, self.bytes_out):
            rate.samples.clear()

    def since_reset(self, totals: dict[str, int]) -> dict[str, int]:
        """The totals less what they were at the last reset."""
        return {name: total - self._baseline.get(name, 0) for name, total in totals.items()}

    def memory(self) -> Memory:
        """What the process uses now; counts for the peak."""
        now = read_memory()
        self.peak = Memory(max(now.used, self.peak.used), max(now.resident, self.peak.resident))
        return now


def _kib(text: str) -> int:
    return int(text.split(maxsplit=1)[0]) * 1024
