"""Spreads: how many times took how long, counted by their power of two.

A spread is a list of counts: at n those of less than 2^n units that are not in an earlier one. To count is one index
and one addition, so that it can be done where requests run; all that is asked of it is worked out here.

    units     0   1   2–3   4–7   8–15 …
    index     0   1     2     3      4
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Spread = Sequence[int]


def total(spreads: Iterable[Spread]) -> list[int]:
    """The sum of several spreads of the same length; empty if there are none."""
    return [sum(counts) for counts in zip(*spreads, strict=True)]


def less(now: Spread, before: Spread) -> list[int]:
    """What was counted between two looks; all of `now` if it was set back meanwhile."""
    if not before or sum(before) > sum(now):
        return list(now)
    return [max(later - earlier, 0) for later, earlier in zip(now, before, strict=True)]


def quantile(spread: Spread, share: float) -> float:
    """The time that `share` of all did not exceed, guessed evenly inside its power of two; 0 if nothing was counted.

    share: 0 to 1.
    """
    wanted = sum(spread) * share
    seen = 0
    for index, count in enumerate(spread):
        if count and seen + count >= wanted:
            low, high = (0, 1) if index == 0 else (1 << index - 1, 1 << index)
            return low + (high - low) * max(wanted - seen, 0) / count
        seen += count
    return 0.0


def cumulative(spread: Spread) -> list[tuple[int, int]]:
    """(upper bound, how many were below it) for each power of two up to the last in which something was counted."""
    last = max((index for index, count in enumerate(spread) if count), default=-1)
    seen = 0
    found = []
    for index in range(last + 1):
        seen += spread[index]
        found.append((1 << index, seen))
    return found
