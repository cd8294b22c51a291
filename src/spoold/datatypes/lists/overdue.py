"""Items of queues whose time is over: dropped from the heads of their lists by a duty, in slices.

Each list whose first item falls due has an alarm in the engine (`a` when, database id, name). Items that stand behind
others are dropped when they come to the head, or when someone takes from the end that they stand at.
"""

from __future__ import annotations

from typing import Final

from spoold.datatypes.lists import store
from spoold.keyspace import layout
from spoold.keyspace.keyspace import Databases
from spoold.keyspace.record import TaggedListRecord

NEVER_MS: Final = 1 << 62


def drop_overdue(dbs: Databases, limit: int) -> int:
    """Drop up to about `limit` items, in a turn of its own; note in `dbs.next_alarm_ms` when the next one is due.

    returns: how many were dropped.
    cost: O(limit), and the pending mutations are applied first.
    """
    if dbs.read_only:
        return 0
    batch = dbs.batch
    alarms = batch.scan(layout.ALARM_FIRST, layout.alarm_stop(dbs.now_ms), limit)
    following = batch.scan(layout.alarm_stop(dbs.now_ms), layout.ALARM_STOP, 1)
    dropped = 0
    for key, value in alarms:
        when_ms, database_id, name = layout.expiry_parts(key, value)
        keyspace = dbs.by_id(database_id)
        record = None if keyspace is None else keyspace.find(name)
        if keyspace is None or not isinstance(record, TaggedListRecord) or record.alarmed_ms != when_ms:
            batch.delete(key)  # the database was dropped as a whole
            continue
        dropped += store.drop_due(keyspace, name, limit - dropped)
        if dropped >= limit:
            return dropped
    if len(alarms) < limit:
        dbs.next_alarm_ms = layout.expiry_parts(*following[0])[0] if following else NEVER_MS
    return dropped
