"""Active expiry: drop what is due, in slices, from the expiry index.

Keys that are due are also dropped by whoever looks at them (`Keyspace.find`); this finds the ones that no one looks
at. It runs in a turn of its own, so the index holds every expiry that counts.
"""

from __future__ import annotations

from typing import Final

from spoold.keyspace import layout
from spoold.keyspace.keyspace import NEVER_MS, Databases

# Entries of the index that `count_expiring` looks at: some 10 ms.
_COUNTED: Final = 10_000


def expire_due(dbs: Databases, limit: int) -> int:
    """Drop up to `limit` keys that are due, and note in `dbs.next_due_ms` when the next one is.

    returns: how many index entries were handled; `limit` means that more may be due.
    cost: O(limit), O(1) where nothing is due.
    """
    if dbs.read_only:
        return 0
    batch = dbs.batch
    due = batch.scan(layout.EXPIRY_FIRST, layout.expiry_stop(dbs.now_ms), limit)
    for key, value in due:
        when_ms, database_id, name = layout.expiry_parts(key, value)
        keyspace = dbs.by_id(database_id)
        if keyspace is not None and keyspace.expires_at(name) == when_ms:
            keyspace.expire(name)
        else:
            batch.delete(key)  # the database was dropped as a whole
    if len(due) < limit:
        following = batch.scan(layout.expiry_stop(dbs.now_ms), layout.EXPIRY_STOP, 1)
        dbs.next_due_ms = layout.expiry_parts(*following[0])[0] if following else NEVER_MS
    return len(due)


def count_expiring(dbs: Databases) -> dict[int, tuple[int, int]]:
    """How many keys of each database have an expiry, and the mean time that is left to them.

    returns: database index → (keys, ms). Beyond `_COUNTED` expiries in all, only the soonest are counted.
    cost: O(expiries), bounded.
    """
    dbs.write()
    keys = dbs.batch.scan_keys(layout.EXPIRY_FIRST, layout.EXPIRY_STOP, _COUNTED)
    index_of = {keyspace.database_id: keyspace.index for keyspace in dbs.all}
    left_ms: dict[int, list[int]] = {}
    for key in keys:
        when_ms, database_id, _ = layout.expiry_parts(key, b"")
        if database_id in index_of:
            left_ms.setdefault(index_of[database_id], []).append(max(when_ms - dbs.now_ms, 0))
    return {index: (len(times), sum(times) // len(times)) for index, times in left_ms.items()}
