"""What happened at the memcached door since the start, or since `stats reset`."""

from __future__ import annotations


class Counts:
    """Totals by memcached's names; get hits and misses make up cmd_get, those of touch cmd_touch.

    clients: how many are connected.
    """

    __slots__ = (
        "cas_badval",
        "cas_hits",
        "cas_misses",
        "clients",
        "cmd_flush",
        "cmd_meta",
        "cmd_set",
        "decr_hits",
        "decr_misses",
        "delete_hits",
        "delete_misses",
        "get_hits",
        "get_misses",
        "incr_hits",
        "incr_misses",
        "store_too_large",
        "total_clients",
        "touch_hits",
        "touch_misses",
    )

    def __init__(self) -> None:
        """Start at zero."""
        self.clients = 0
        self.reset()

    def reset(self) -> None:
        """Start again at zero."""
        self.total_clients = 0
        self.cmd_set = self.cmd_flush = self.cmd_meta = self.store_too_large = 0
        self.get_hits = self.get_misses = 0
        self.touch_hits = self.touch_misses = 0
        self.delete_hits = self.delete_misses = 0
        self.incr_hits = self.incr_misses = 0
        self.decr_hits = self.decr_misses = 0
        self.cas_hits = self.cas_misses = self.cas_badval = 0

    def count_touch(self, hit: bool) -> None:
        """A value got a new expiry, or was not there."""
        if hit:
            self.touch_hits += 1
        else:
            self.touch_misses += 1

    def count_arithmetic(self, up: bool, hit: bool) -> None:
        """A number was incremented (up) or decremented, or was not there."""
        if up:
            self.incr_hits += hit
            self.incr_misses += not hit
        else:
            self.decr_hits += hit
            self.decr_misses += not hit
