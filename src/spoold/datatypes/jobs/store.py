"""Leases as they are stored: what stands under their keys, how many a queue has, which fall due.

    lease     `l` `l` index 1, queue, id 8   -> deadline 8, rank 8, bound 1, attempts 4, token 16, tag 32,
                                               length 2 and owner, the queue's name
    item      `l` `i` index 1, queue, id 8   -> its bytes
    count     `l` `c` index 1, queue         -> how many leases the queue has 8; none: no entry
    deadline  `l` `d` when 8, id 8           -> index 1, rank 8, the queue's name

Leases stand beside the keys, not in them: a queue is named by its database's index and its list's name, whether such a
list exists or not. So DEL, RENAME and SWAPDB leave leases alone: an item that comes back makes the list anew under the
name that the lease knows. FLUSHDB and FLUSHALL drop them (`drop_database`).

Ids rise in the order of granting. The functions here keep the four kinds of entries in step, and do no more: what a
lease means is in leases.py. An item may be large, so it is read only by whoever needs it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from spoold.core.errors import EngineError
from spoold.datatypes.lists.store import TAG_BYTES, Tag
from spoold.engine.batch import walk
from spoold.keyspace import layout
from spoold.keyspace.keyspace import Databases
from spoold.keyspace.packing import after, pack_u64, unpack_u64

_HEAD = struct.Struct(">QQBI16s")
_U16 = struct.Struct(">H")
_DEADLINE = struct.Struct(">BQ")
_MANY: Final = 1000


class Handle(NamedTuple):
    """What it takes to find a lease again; it may have ended meanwhile.

    db: the database's index. queue: the list's name. id: the lease's.
    rank: of the item, see `lists.tags.Tag`; 0 where it is not known.
    """

    db: int
    queue: bytes
    id: int
    rank: int = 0


class Lease(NamedTuple):
    """An item that was taken from a queue and is not settled yet.

    handle: where it stands. item, tag: what was taken.
    owner: who has it, for people. bound: it ends with its owner's connection, so no bound lease outlives the server.
    deadline_ms: when it comes back by itself, Unix ms; 0 = never.
    attempts: how often the item was handed out, this time included.
    token: 16 bytes that prove who the holder is; the first 8 are the id.
    """

    handle: Handle
    item: bytes
    tag: Tag
    owner: bytes
    bound: bool
    deadline_ms: int
    attempts: int
    token: bytes


class Outline(NamedTuple):
    """What a stored lease says of itself, without its item."""

    id: int
    queue: bytes
    rank: int
    owner: bytes
    bound: bool
    deadline_ms: int
    attempts: int

    def deadline_value(self, index: int) -> bytes:
        """What stands under the deadline of such a lease in a database."""
        return _DEADLINE.pack(index, self.rank) + self.queue


def outline(raw: bytes) -> Outline:
    """Read a stored lease. raises: EngineError: it is none."""
    try:
        deadline_ms, rank, is_bound, attempts, token = _HEAD.unpack_from(raw)
        queue, owner = _queue(raw), _owner(raw)
    except struct.error as error:
        raise EngineError(f"damaged lease {raw[:32]!r}: {error}") from error
    return Outline(unpack_u64(token[:8]), queue, rank, owner, bool(is_bound), deadline_ms, attempts)


def get(dbs: Databases, handle: Handle) -> Lease | None:
    """The lease, None if it has ended. cost: two reads."""
    raw = dbs.batch.get(layout.lease_key(handle.db, handle.queue, handle.id))
    if raw is None:
        return None
    lease = _decode(dbs, raw, handle.db)
    return lease if lease.handle.queue == handle.queue else None


def exists(dbs: Databases, handle: Handle) -> bool:
    """Whether the lease has not ended. cost: one read, the item is not looked at."""
    return dbs.batch.get(layout.lease_key(handle.db, handle.queue, handle.id)) is not None


def add(dbs: Databases, lease: Lease) -> None:
    """Store a new lease. cost: O(1)."""
    index, queue, id_, _ = lease.handle
    fresh = dbs.batch.fresh
    fresh[layout.lease_key(index, queue, id_)] = _encode(lease)
    fresh[layout.leased_item_key(index, queue, id_)] = lease.item
    fresh[layout.lease_count_key(index, queue)] = pack_u64(count(dbs, index, queue) + 1)
    if lease.deadline_ms:
        _put_deadline(dbs, lease)


def remove(dbs: Databases, handle: Handle) -> bool:
    """Remove a lease; returns whether it had not ended. cost: one read, the item is not looked at."""
    index, queue, id_, _ = handle
    raw = dbs.batch.take(layout.lease_key(index, queue, id_))
    if raw is None:
        return False
    fresh = dbs.batch.fresh
    fresh[layout.leased_item_key(index, queue, id_)] = None
    left = count(dbs, index, queue) - 1
    fresh[layout.lease_count_key(index, queue)] = pack_u64(left) if left else None
    deadline_ms = unpack_u64(raw[:8])
    if deadline_ms:
        fresh[layout.deadline_key(deadline_ms, id_)] = None
    return True


def postpone(dbs: Databases, lease: Lease, deadline_ms: int) -> Lease:
    """Give a lease that exists another deadline (0 = none); returns it as it is then. cost: O(1)."""
    index, queue, id_, _ = lease.handle
    if lease.deadline_ms:
        dbs.batch.fresh[layout.deadline_key(lease.deadline_ms, id_)] = None
    lease = lease._replace(deadline_ms=deadline_ms)
    dbs.batch.fresh[layout.lease_key(index, queue, id_)] = _encode(lease)
    if deadline_ms:
        _put_deadline(dbs, lease)
    return lease


def count(dbs: Databases, index: int, queue: bytes) -> int:
    """How many leases a queue has. cost: one read."""
    raw = dbs.batch.get(layout.lease_count_key(index, queue))
    return 0 if raw is None else unpack_u64(raw)


def counts(dbs: Databases, index: int) -> Iterator[tuple[bytes, int]]:
    """The queues of a database that have leases, and how many; a long name only by its packed form.

    cost: O(queues with leases).
    """
    start = layout.lease_counts_prefix(index)
    for key, raw in walk(dbs.batch, start, after(start), _MANY):
        yield layout.lease_count_queue(key), unpack_u64(raw)


def of_queue(dbs: Databases, index: int, queue: bytes) -> Iterator[Lease]:
    """The leases of a queue in the order of granting; nothing may change meanwhile. cost: O(leases)."""
    start = layout.lease_key(index, queue, 0)
    for _, raw in walk(dbs.batch, start, after(start[:-8]), _MANY):
        yield _decode(dbs, raw, index)


def everyone(dbs: Databases) -> Iterator[Lease]:
    """All leases, queue by queue, one item at a time in memory; nothing may change meanwhile. cost: O(leases)."""
    for raw, index in _records(dbs):
        yield _decode(dbs, raw, index)


def bound(dbs: Databases) -> Iterator[Handle]:
    """The leases that end with a connection; nothing may change meanwhile. cost: O(leases), items are not read."""
    for raw, index in _records(dbs):
        _, rank, is_bound, _, token = _HEAD.unpack_from(raw)
        if is_bound:
            yield Handle(index, _queue(raw), unpack_u64(token[:8]), rank)


def due(dbs: Databases, now_ms: int, limit: int) -> list[Handle]:
    """Up to `limit` leases whose deadline has passed, the longest overdue first; entries of ended ones are dropped.

    returns: their handles, those of ended ones too.
    """
    handles = []
    for key, value in dbs.batch.scan(layout.DEADLINE_FIRST, layout.deadline_stop(now_ms), limit):
        index, rank = _DEADLINE.unpack_from(value)
        handle = Handle(index, value[_DEADLINE.size :], layout.deadline_parts(key)[1], rank)
        if not exists(dbs, handle):
            dbs.batch.fresh[key] = None
        handles.append(handle)
    return handles


def next_deadline_ms(dbs: Databases, now_ms: int) -> int | None:
    """The earliest deadline behind `now_ms`; None if there is none."""
    keys = dbs.batch.scan_keys(layout.deadline_stop(now_ms), layout.DEADLINE_STOP, 1)
    return layout.deadline_parts(keys[0])[0] if keys else None


def drop_queue(dbs: Databases, index: int, queue: bytes) -> int:
    """Forget all leases of a queue, and what they hold; returns how many there were. cost: O(leases)."""
    dropped = count(dbs, index, queue)
    if dropped:
        _delete_range(dbs, layout.lease_key(index, queue, 0)[:-8])
        _delete_range(dbs, layout.leased_item_key(index, queue, 0)[:-8])
        dbs.batch.fresh[layout.lease_count_key(index, queue)] = None
    return dropped


def drop_database(dbs: Databases, index: int) -> None:
    """Forget all leases and fan-outs of a database's queues. cost: O(leases)."""
    _delete_range(dbs, layout.lease_counts_prefix(index))
    _delete_range(dbs, layout.leases_prefix(index))
    _delete_range(dbs, layout.leased_items_prefix(index))
    _delete_range(dbs, layout.fanouts_prefix(index))


def drop_all(dbs: Databases) -> None:
    """Forget all leases and fan-outs. cost: O(leases)."""
    _delete_range(dbs, layout.ALL_LEASES)
    _delete_range(dbs, layout.ALL_FANOUTS)


def _delete_range(dbs: Databases, prefix: bytes) -> None:
    """Deadlines stay: whoever finds one without its lease drops it."""
    while dbs.batch.delete_range(prefix, after(prefix), _MANY) == _MANY:
        pass


def _put_deadline(dbs: Databases, lease: Lease) -> None:
    index, queue, id_, rank = lease.handle
    dbs.batch.fresh[layout.deadline_key(lease.deadline_ms, id_)] = _DEADLINE.pack(index, rank) + queue
    dbs.next_deadline_ms = min(dbs.next_deadline_ms, lease.deadline_ms)


def _records(dbs: Databases) -> Iterator[tuple[bytes, int]]:
    """The record of each lease, and its database's index."""
    for key, raw in walk(dbs.batch, layout.LEASE_FIRST, layout.LEASE_STOP, _MANY):
        yield raw, layout.lease_index(key)


def _encode(lease: Lease) -> bytes:
    handle = lease.handle
    head = _HEAD.pack(lease.deadline_ms, handle.rank, lease.bound, lease.attempts, lease.token)
    return b"".join((head, lease.tag.pack(), _U16.pack(len(lease.owner)), lease.owner, handle.queue))


def _decode(dbs: Databases, raw: bytes, index: int) -> Lease:
    deadline_ms, rank, is_bound, attempts, token = _HEAD.unpack_from(raw)
    tag = Tag.unpack(raw, _HEAD.size)
    handle = Handle(index, _queue(raw), unpack_u64(token[:8]), rank)
    item = dbs.batch.get(layout.leased_item_key(index, handle.queue, handle.id))
    assert item is not None  # noqa: S101 - both are written and removed together
    return Lease(handle, item, tag, _owner(raw), bool(is_bound), deadline_ms, attempts, token)


def _owner(raw: bytes) -> bytes:
    at = _HEAD.size + TAG_BYTES
    (length,) = _U16.unpack_from(raw, at)
    return raw[at + 2 : at + 2 + length]


def _queue(raw: bytes) -> bytes:
    at = _HEAD.size + TAG_BYTES
    (length,) = _U16.unpack_from(raw, at)
    return raw[at + 2 + length :]
