"""memcached's marks on a value: it is stale, and a client has been told to renew it.

They stand in the two upper bits of the stamp, which a counter of changes never reaches: so they cost nothing where no
one uses them, survive a restart, and go with the next change of the value, as in memcached. The lower bits are the cas
id.
"""

from __future__ import annotations

from typing import Final

from spoold.keyspace.record import STAMP_BITS, StringRecord

STALE: Final = 1 << 63
WON: Final = 1 << 62


def cas_id(record: StringRecord) -> int:
    """What tells this state of the value from every other."""
    return record.stamp & STAMP_BITS


def marks(record: StringRecord) -> int:
    """STALE and WON, as far as they are set."""
    return record.stamp & ~STAMP_BITS


def mark(record: StringRecord, wanted: int) -> None:
    """Set exactly the marks `wanted`; the caller tells the keyspace that the record changed."""
    record.stamp = record.stamp & STAMP_BITS | wanted
