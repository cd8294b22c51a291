"""Give back the space of what was dropped: elements of deleted collections, names of flushed databases.

DEL, RENAME, FLUSHDB and expiry only leave a mark (`g` id); this removes what the mark stands for, a bounded slice a
turn, so that dropping a list of a hundred million elements holds up no one.
"""

from __future__ import annotations

from spoold.keyspace import layout
from spoold.keyspace.keyspace import Databases
from spoold.keyspace.packing import after
from spoold.keyspace.record import decode, is_string_until, outline


def reclaim(dbs: Databases, limit: int) -> bool:
    """Remove up to `limit` engine keys of dropped objects, in a turn of its own.

    returns: whether there is more to do.
    cost: O(limit).
    """
    if dbs.read_only:
        return False
    batch = dbs.batch
    marks = batch.scan(layout.GARBAGE_FIRST, layout.GARBAGE_STOP, 1)
    if not marks:
        dbs.has_garbage = False
        return False
    mark, kind = marks[0]
    id_ = layout.garbage_id(mark)
    if kind == layout.DROPPED_DATABASE:
        done = _reclaim_database(dbs, id_, limit)
    elif kind.startswith(layout.FLUSHED_STRINGS):
        done = _reclaim_strings(dbs, id_, kind, max(limit // 4, 1))
    else:
        prefix = layout.elements_prefix(id_)
        done = batch.delete_range(prefix, after(prefix), limit) < limit
    if done:
        batch.delete(mark)
    return True


def _reclaim_database(dbs: Databases, database_id: int, limit: int) -> bool:
    """Drop up to `limit` records of a dropped database; returns whether none is left."""
    batch = dbs.batch
    prefix = layout.names_prefix(database_id)
    keys = batch.scan_keys(prefix, after(prefix), limit)
    for key in keys:
        # One value at a time: a slice of large strings would not fit into memory.
        record, full_name = decode(batch.get(key) or b"")
        if record.object_id:
            dbs.drop(record.object_id, layout.DROPPED_OBJECT)
        if record.second_id:
            dbs.drop(record.second_id, layout.DROPPED_OBJECT)
        if record.expire_ms or record.alarm_ms:
            name = key[len(prefix) :] if full_name is None else full_name
            batch.delete(layout.expiry_key(record.expire_ms, database_id, name))
            batch.delete(layout.alarm_key(record.alarm_ms, database_id, name))
        batch.delete(key)
    return len(keys) < limit


def _reclaim_strings(dbs: Databases, database_id: int, flushed: bytes, limit: int) -> bool:
    """Look at up to `limit` records of a database whose strings were flushed; returns whether none is left."""
    keyspace = dbs.by_id(database_id)
    if keyspace is None:
        return True
    stamp, place = layout.flushed_parts(flushed)
    keyspace.write()
    prefix = keyspace.prefix
    keys = dbs.batch.scan_keys(prefix + place, after(prefix), limit)
    for key in keys:
        raw = dbs.batch.get(key) or b""
        if is_string_until(raw, stamp):
            name = outline(raw)[2]
            keyspace.find(key[len(prefix) :] if name is None else name)  # drops it
    if len(keys) == limit:
        following = keys[-1][len(prefix) :] + b"\0"
        dbs.batch.put(layout.garbage_key(database_id), layout.flushed_strings(stamp, following))
        return False
    keyspace.flushed = 0
    return True
