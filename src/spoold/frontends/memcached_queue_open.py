"""Open reads: which leases each connection of the queue door holds, and what becomes of them when it goes.

The leases themselves are durable (`datatypes.jobs`); a connection holds only their handles, the oldest first. A handle
whose lease has ended otherwise (`delete`, FLUSHALL) counts as not there.

What a connection held is put back as it was when the turn is rolled back. The leases of a connection that has gone are
given back in a turn behind that, all of one pass of the loop together, so that items of clients that went at the same
time come back in their order.
"""

from __future__ import annotations

from typing import Final

from spoold.datatypes.jobs import leases, store
from spoold.datatypes.jobs.states import Event
from spoold.datatypes.jobs.store import Handle, Lease
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.session import Session

# The first word of a request that goes on with `monitor`; no client can write a word with a space.
MORE_OF_MONITOR: Final = b" more of monitor"
# Leases given back in one turn.
_RETURNS_A_TURN: Final = 256

Held = dict[bytes, tuple[Handle, ...]]


class OpenReads:
    """The open reads of all connections of the door."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        """No one holds anything."""
        self._dispatcher = dispatcher
        self._dbs = dispatcher.dbs
        self._turn = dispatcher.turn
        self._held: dict[Session, Held] = {}
        self._before: dict[Session, Held] = {}  # as it was before the open turn
        self._orphans: list[Handle] = []
        self._returning: list[Handle] = []  # by the open turn
        self._stopped = False
        self._dbs.on_rollback.append(self._roll_back)

    def of(self, session: Session, queue: bytes) -> tuple[Handle, ...]:
        """The open reads of a connection on a queue, the oldest first. cost: O(open reads)."""
        held = self._held.get(session)
        if held is None:
            return ()
        return tuple(handle for handle in held.get(queue, ()) if store.exists(self._dbs, handle))

    def add(self, session: Session, lease: Lease) -> None:
        """The connection got one more."""
        queue = lease.handle.queue
        held = self._touch(session)
        held[queue] = (*held.get(queue, ()), lease.handle)

    def confirm(self, session: Session, queue: bytes, number: int) -> int:
        """The `number` oldest are done with; returns how many there were."""
        handles = self._take(session, queue, number)
        for handle in handles:
            leases.confirm(self._dbs, handle)
        return len(handles)

    def give_back(self, session: Session, queue: bytes, number: int) -> int:
        """The items of the `number` oldest go back to the head; returns how many there were."""
        return leases.give_back(self._dbs, self._take(session, queue, number))

    def leave(self, session: Session) -> None:
        """The connection is gone: its items go back."""
        held = self._held.pop(session, None)
        if held:
            self._adopt(held)

    def return_orphans(self) -> None:
        """Give back what belongs to connections that are gone; a duty tries again where that failed."""
        if self._orphans and not self._stopped:
            self._turn.guard(self._return_orphans)

    def stop(self) -> None:
        """The data is closed: what is open stays so until the next start."""
        self._stopped = True

    def _take(self, session: Session, queue: bytes, number: int) -> tuple[Handle, ...]:
        handles = self.of(session, queue)
        if not handles:
            return ()
        held = self._touch(session)
        if number < len(handles):
            held[queue] = handles[number:]
        else:
            del held[queue]
        return handles[:number]

    def _touch(self, session: Session) -> Held:
        """What the connection holds, to be changed."""
        held = self._held.get(session)
        if held is None:
            held = self._held[session] = {}
        if session not in self._before:
            self._hear_of_end()
            self._before[session] = dict(held)
        return held

    def _adopt(self, held: Held) -> None:
        if not self._orphans:
            self._turn.schedule(self.return_orphans)
        for handles in held.values():
            self._orphans += handles

    def _return_orphans(self) -> None:
        if not self._turn.open:
            self._turn.begin()
        if self._dbs.read_only:
            return
        self._orphans.sort(key=leases.by_rank)
        number = leases.give_back_some(self._dbs, self._orphans, _RETURNS_A_TURN, Event.ORPHANED)
        first = len(self._orphans) - number
        self._hear_of_end()
        self._returning += self._orphans[first:]
        del self._orphans[first:]
        if first:
            self._turn.schedule(self.return_orphans)
        if self._dbs.ready:
            self._dispatcher.serve()

    def _hear_of_end(self) -> None:
        """The open turn changes what is held: it must not be undone behind it."""
        if not self._before and not self._returning:
            self._turn.on_end.append(self._after_turn)

    def _after_turn(self) -> None:
        self._turn.on_end.remove(self._after_turn)
        self._before.clear()
        self._returning = []

    def _roll_back(self) -> None:
        self._orphans += self._returning
        self._returning = []
        for session, held in self._before.items():
            if session.closed:
                self._adopt(held)
                continue
            self._held[session] = held
            if session.queue and session.queue[0][0] is MORE_OF_MONITOR:
                del session.queue[0]
        self._before = {}
