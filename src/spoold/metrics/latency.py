"""Latency events: when something took longer than clients should wait (LATENCY LATEST, HISTORY, DOCTOR, GRAPH).

An event has a name and a row of samples, one a second at most: the worst of that second. Nothing is kept until a
threshold is set, and what could be measured is then not measured either (admin/latency.py switches that).

    command           a command that is not of the fast ones
    fast-command      one that is
    expire-cycle      a slice of keys that were due
    reclaim-cycle     a slice of elements of dropped collections
    aof-fsync-always  a turn's journal record, with its sync
    aof-write         one without, with `--durability interval`
    journal-sync      the sync of an interval
    checkpoint        turns that move from the journal into the data file

Names that begin with `aof` are Redis's for the same thing; `reclaim-cycle`, `journal-sync` and `checkpoint` it has not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

# Samples of one event. source: Redis's latency monitoring page.
SAMPLES: Final = 160


@dataclass
class Event:
    """The samples of one event.

    samples: (Unix s, ms), the oldest first, at most `SAMPLES`. max_ms: the worst since the last reset.
    """

    samples: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    max_ms: int = 0

    def add(self, unix_s: int, ms: int) -> None:
        """Note a sample; of one second only the worst is kept."""
        self.max_ms = max(self.max_ms, ms)
        if self.samples and self.samples[-1][0] == unix_s:
            ms = max(ms, self.samples.pop()[1])
        self.samples.append((unix_s, ms))


class Latency:
    """All events since the start, or since they were reset.

    threshold_ms: from which on something is an event; 0 = nothing is. events: by name.
    """

    def __init__(self, unix_s: Callable[[], int]) -> None:
        """unix_s: gives Unix seconds. Nothing is an event yet."""
        self._unix_s = unix_s
        self.threshold_ms = 0
        self.events: dict[str, Event] = {}

    def note(self, name: str, seconds: float) -> None:
        """Keep it if it took as long as the threshold; milliseconds are counted whole."""
        ms = int(seconds * 1000)
        if self.threshold_ms and ms >= self.threshold_ms:
            self.events.setdefault(name, Event()).add(self._unix_s(), ms)

    def reset(self, names: list[str]) -> int:
        """Forget events; all if none is named. returns: how many there were."""
        return sum(self.events.pop(name, None) is not None for name in names or list(self.events))


# -- what people read -------------------------------------------------------------------------------------------------

_ADVICE: Final = {
    "command": "SLOWLOG GET names the commands; those on whole collections hold up everyone: ask for less at a time.",
    "fast-command": "Commands that should be fast are not: is the processor busy with something else, or swapping?",
    "expire-cycle": "Many keys fall due at the same moment: spread their expiries.",
    "reclaim-cycle": "Large collections were dropped, and the disk is slow to read them: it ends by itself.",
    "aof-fsync-always": "The disk is slow to sync: a better one, or --durability interval where a second may be lost.",
    "aof-write": "The system holds up writes to the journal: does something else write much to the same disk?",
    "journal-sync": "The disk is slow to sync: does something else write much to it?",
    "checkpoint": "Much is moved to the data file at once: a better disk, or smaller bursts.",
}
_ROWS: Final = 4
_RULE: Final = "-" * 80
_SPANS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"))


def report(latency: Latency) -> str:
    """What the events say, in words."""
    if not latency.threshold_ms and not latency.events:
        return (
            "Latency events are not kept. CONFIG SET latency-monitor-threshold MS keeps what takes MS milliseconds or "
            "longer.\n"
        )
    if not latency.events:
        return f"Nothing took {latency.threshold_ms} ms or longer since this is watched.\n"
    lines = []
    for name, event in sorted(latency.events.items()):
        all_ms = [ms for _, ms in event.samples]
        mean_ms = sum(all_ms) / len(all_ms)
        deviation_ms = sum(abs(ms - mean_ms) for ms in all_ms) / len(all_ms)
        lines.append(
            f"{name}: {len(all_ms)} {'second' if len(all_ms) == 1 else 'seconds'} with latency, {mean_ms:.0f} ms on "
            f"average (mean deviation {deviation_ms:.0f} ms), {event.max_ms} ms at worst."
        )
        if len(all_ms) > 1:
            span_s = event.samples[-1][0] - event.samples[0][0]
            lines.append(f"  One every {span_s / (len(all_ms) - 1):.0f} s.")
        if name in _ADVICE:
            lines.append(f"  {_ADVICE[name]}")
    if not latency.threshold_ms:
        lines.append("No further events are kept: the threshold is 0.")
    return "\n".join(lines) + "\n"


def graph(name: str, event: Event, unix_s: int) -> str:
    """A column for each sample, the oldest at the left; below them, downwards, how long ago it was."""
    all_ms = [ms for _, ms in event.samples]
    high, low = max(all_ms), min(all_ms)
    head = f"{name} - high {high} ms, low {low} ms (all time high {event.max_ms} ms)"
    # In half rows, so that four rows tell eight heights; the lowest still shows.
    heights = [1 + (ms - low) * (2 * _ROWS - 1) // max(high - low, 1) for ms in all_ms]
    rows = [
        "".join("#" if height > 2 * row + 1 else "_" if height == 2 * row + 1 else " " for height in heights)
        for row in reversed(range(_ROWS))
    ]
    ages = [_age(max(unix_s - when_s, 0)) for when_s, _ in event.samples]
    longest = max(map(len, ages))
    rows += ["".join(age.ljust(longest)[place] for age in ages) for place in range(longest)]
    return "\n".join([head, _RULE, *(row.rstrip() for row in rows if row.strip())]) + "\n"


def _age(seconds: int) -> str:
    for unit_s, letter in _SPANS:
        if seconds >= unit_s:
            return f"{seconds // unit_s}{letter}"
    return f"{seconds}s"
