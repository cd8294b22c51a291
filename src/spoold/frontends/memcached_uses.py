"""When a value was last used at the memcached door, and whether it was read there: what `h`, `l` and `me` tell.

Noted in the decoded record and never stored: a record that fell out of the cache, or was loaded after a start, counts
as not read, and as unused since the start. A change from any door makes the value an unread one, by its new stamp;
marks, which stand in the stamp too, do not. Other doors' reads are not noted, so they cost nothing there.

Who stores a value sets `used_ms`; `get` and `set` do all of it themselves, as a call would cost more than it does.
"""

from __future__ import annotations

from spoold.keyspace.record import STAMP_BITS, StringRecord


def note_read(record: StringRecord, now_ms: int) -> None:
    """A client reads the value. cost: two attributes."""
    record.used_ms = now_ms
    record.read_stamp = record.stamp


def was_read(record: StringRecord) -> bool:
    """Whether a client has read the value as it is now."""
    return not (getattr(record, "read_stamp", -1) ^ record.stamp) & STAMP_BITS


def keep_read(record: StringRecord) -> None:
    """The value was changed, but counts as the one that was read: its stamp is new, nothing else."""
    record.read_stamp = record.stamp


def used_ms(record: StringRecord, started_ms: int) -> int:
    """When the value was last read or stored, Unix ms; the server's start where that is not known."""
    return max(getattr(record, "used_ms", started_ms), started_ms)
