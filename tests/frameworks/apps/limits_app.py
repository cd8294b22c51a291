"""limits: its three strategies."""

from __future__ import annotations

import ledger
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter


def hits() -> dict[str, list[bool]]:
    """Hit a limit of two a minute three times with each strategy."""
    storage = storage_from_string(ledger.URL)
    assert storage.check()
    found = {}
    for strategy in (FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter):
        limiter = strategy(storage)
        limit = parse("2/minute")
        found[strategy.__name__] = [limiter.hit(limit, strategy.__name__) for _ in range(3)]
        limiter.clear(limit, strategy.__name__)
    storage.reset()
    return found
