"""Leases: an item is taken from the head of a queue, and is not gone before whoever took it confirms.

A lease that is given back, that expires or whose owner is gone puts its item back at the head of its queue: behind
items that came back before and were first handed out earlier, so that a queue keeps its order whoever fails when. Each
time the item is handed out its `attempts` rise. Where the name of the queue has meanwhile come to hold something else,
the lease stays, and tries again every `RETRY_MS`: nothing is lost.

A lease is bound to a connection (it ends with it), or has a deadline, or both. No bound lease outlives the server:
`Recovery` gives them back at the next start, before anyone is served.

source: shared reference, memcached-queue-dialect.md; compare beanstalkd doc/protocol.txt, reserve-with-timeout.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Final

from spoold.core.errors import WrongType
from spoold.datatypes.jobs import store
from spoold.datatypes.jobs.states import Event, State, after
from spoold.datatypes.jobs.store import Handle, Lease
from spoold.datatypes.lists import store as lists
from spoold.keyspace.keyspace import Databases, Keyspace
from spoold.keyspace.packing import pack_u64

RETRY_MS: Final = 1000
NEVER_MS: Final = 1 << 62
_TOKEN_SECRET_BYTES: Final = 8
# So many bytes of items go back in one turn, and one item more.
_SLICE_BYTES: Final = 8 * 1024 * 1024


def grant(ks: Keyspace, queue: bytes, owner: bytes, *, bound: bool = False, deadline_ms: int = 0) -> Lease | None:
    """Take the item at the head of `queue` under a lease.

    deadline_ms: Unix ms at which it comes back by itself, 0 = never.
    returns: the lease; None if no item waits.
    raises: WrongType.
    cost: O(1).
    """
    taken = lists.take(ks, queue, lists.HEAD)
    if taken is None:
        return None
    item, tag = taken
    id_ = ks.dbs.new_id()
    # A token, not the owner's name, proves who the holder is: a restarted worker keeps its name.
    token = pack_u64(id_) + secrets.token_bytes(_TOKEN_SECRET_BYTES)
    handle = Handle(ks.index, queue, id_, tag.rank or id_)
    lease = Lease(handle, item, tag, owner, bound, deadline_ms, tag.attempts + 1, token)
    store.add(ks.dbs, lease)
    return lease


def find(ks: Keyspace, queue: bytes, token: bytes) -> Lease | None:
    """The lease of `queue` whose holder has `token`; None if it has ended, or the token is no one's."""
    lease = store.get(ks.dbs, Handle(ks.index, queue, int.from_bytes(token[:8], "big")))
    return lease if lease is not None and secrets.compare_digest(lease.token, token) else None


def confirm(dbs: Databases, handle: Handle) -> bool:
    """The item is done with: forget it. returns: whether the lease was still there."""
    return _end(dbs, handle, Event.CONFIRMED) >= 0


def extend(dbs: Databases, handle: Handle, deadline_ms: int) -> Lease | None:
    """Give the lease another deadline; returns it as it is then, None if it has ended."""
    lease = store.get(dbs, handle)
    return None if lease is None else store.postpone(dbs, lease, deadline_ms)


def give_back(dbs: Databases, handles: Iterable[Handle], event: Event = Event.GIVEN_BACK) -> int:
    """Put the items of these leases back at the heads of their queues; leases that have ended are passed over.

    returns: how many leases there were.
    cost: O(leases), and for each what `lists.put_back` costs.
    """
    ordered = sorted(handles, key=by_rank)
    count = 0
    while ordered:
        count += _end(dbs, ordered.pop(), event) >= 0  # from the last: each then goes before those that went before
    return count


def give_back_some(dbs: Databases, ordered: Sequence[Handle], most: int, event: Event) -> int:
    """As `give_back` for up to `most` leases at the end of `ordered` (by rank), but not many large items at once.

    returns: how many of them were looked at: at least one, if there is one.
    """
    looked_at = size = 0
    while looked_at < min(most, len(ordered)) and size < _SLICE_BYTES:
        looked_at += 1
        size += max(_end(dbs, ordered[-looked_at], event), 0)
    return looked_at


def by_rank(handle: Handle) -> int:
    """The order in which items were first handed out, as a key for sorting."""
    return handle.rank


def expire_due(dbs: Databases, limit: int) -> int:
    """Give back up to `limit` leases whose deadline has passed; note in `dbs.next_deadline_ms` when the next one does.

    returns: how many were handled; more may be due unless it is 0.
    cost: O(limit), and the pending mutations are applied first.
    """
    if dbs.read_only:
        return 0
    handles = sorted(store.due(dbs, dbs.now_ms, limit), key=by_rank)
    number = give_back_some(dbs, handles, limit, Event.EXPIRED)
    if number == len(handles) < limit:
        following = store.next_deadline_ms(dbs, dbs.now_ms)
        dbs.next_deadline_ms = NEVER_MS if following is None else following
    return number


class Recovery:
    """Gives back what an earlier run of the server left bound to its connections.

    left: how many leases wait for it.
    """

    def __init__(self, dbs: Databases) -> None:
        """Find them; no connection of this run may have been served yet. cost: O(leases)."""
        self._dbs = dbs
        self._handles = sorted(store.bound(dbs), key=by_rank)

    @property
    def left(self) -> int:
        """How many leases are not given back yet."""
        return len(self._handles)

    def step(self, most: int) -> int:
        """Give up to `most` leases back, those that were handed out last; returns how many.

        Once the turn is committed, `done` is told the number.
        """
        return give_back_some(self._dbs, self._handles, most, Event.ORPHANED)

    def done(self, number: int) -> None:
        """The turn of the step is committed: go on with the next ones."""
        del self._handles[len(self._handles) - number :]


def _end(dbs: Databases, handle: Handle, event: Event) -> int:
    """End a lease; returns the bytes of the item that went back, 0 if none did, -1 if the lease had ended."""
    size = 0
    if after(State.LEASED, event) is State.WAITING:
        lease = store.get(dbs, handle)
        if lease is None:
            return -1
        tag = lease.tag._replace(attempts=lease.attempts, rank=lease.handle.rank)
        try:
            lists.put_back(dbs[handle.db], handle.queue, lease.item, tag)
        except WrongType:
            store.postpone(dbs, lease, dbs.now_ms + RETRY_MS)
            return 0
        size = len(lease.item)
    return size if store.remove(dbs, handle) else -1
