"""What happened at the memcached door since the start, or since `stats reset`."""

from __future__ import annotations

from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import StringRecord


class Counts:
    """Totals by memcached's names; get hits and misses make up cmd_get, those of touch cmd_touch.

    clients: how many are connected. idle_kicks: how many had said nothing for longer than they may, and are gone.
    get_expired, get_flushed: misses for which a value was still there, past its time or dropped by flush_all.
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
        "get_expired",
        "get_flushed",
        "get_hits",
        "get_misses",
        "idle_kicks",
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
        self.total_clients = self.idle_kicks = 0
        self.cmd_set = self.cmd_flush = self.cmd_meta = self.store_too_large = 0
        self.get_hits = self.get_misses = self.get_expired = self.get_flushed = 0
        self.touch_hits = self.touch_misses = 0
        self.delete_hits = self.delete_misses = 0
        self.incr_hits = self.incr_misses = 0
        self.decr_hits = self.decr_misses = 0
        self.cas_hits = self.cas_misses = self.cas_badval = 0

    def look_up(self, ks: Keyspace, key: bytes) -> StringRecord | None:
        """The value's record, to be read; None if there is none. Counts one that is found dropped, but no hit or miss.

        cost: as `Keyspace.find`.
        """
        expired = ks.dbs.expired
        # Rare, and not for long: what flush_all dropped is marked as due at 1.
        flushed = bool(ks.flushed) and ks.expires_at(key) == 1
        record = ks.find(key)
        if record.__class__ is StringRecord:
            return record
        if ks.dbs.expired != expired:
            self.get_flushed += flushed
            self.get_expired += not flushed
        return None

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
