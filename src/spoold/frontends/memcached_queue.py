"""The queue door: memcached's text protocol joined to the lists of database 0.

Left out: UDP, the binary protocol, passwords. docs/protocols/memcached-queue.md describes the dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spoold.command.peer import Peer
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.door import Door
from spoold.dispatch.session import Session, Wire
from spoold.dispatch.turn import Piece
from spoold.frontends.memcached_queue_open import OpenReads
from spoold.frontends.memcached_queue_stats import QueueStats
from spoold.frontends.memcached_queue_totals import Totals
from spoold.frontends.memcached_queue_verbs import QueueVerbs
from spoold.protocol.codec import Limits
from spoold.protocol.memcached import MemcachedCodec


class QueueDoor(Door):
    """What all clients of the memcached queue listeners share.

    limits: of their codecs. totals: what they did. reads: what they hold. clients: how many there are.
    """

    def __init__(self, dispatcher: Dispatcher, limits: Limits) -> None:
        """limits: of what a client may send."""
        self.limits = limits
        self.totals = Totals()
        self.reads = OpenReads(dispatcher)
        self.clients = 0
        self.connections = 0
        self.verbs = QueueVerbs(self.reads, self.totals, dispatcher.admission)
        self.verbs.table |= QueueStats(self, dispatcher.turn.clock.monotonic_s()).table
        super().__init__(dispatcher, self.verbs.run, writes_lines=True)


class QueueFrontend:
    """One client of a memcached queue listener.

    codec, session: its own. receive: takes the session and the requests that the codec gave.
    """

    __slots__ = ("_dispatcher", "_door", "codec", "gathered", "receive", "session")

    name = "memcached-queue"

    def __init__(self, dispatcher: Dispatcher, wire: Wire, peer: Peer, door: QueueDoor) -> None:
        """There are no passwords in this protocol."""
        self._dispatcher = dispatcher
        self._door = door
        self.codec = MemcachedCodec(door.limits)
        self.session = Session(dispatcher, wire, peer, self.codec.encode, authenticated=True)
        self.session.run = door.run
        self.receive: Callable[[Session, list[Any]], None] = dispatcher.turn.receive
        self.gathered: list[Piece] | None = door.gathered
        dispatcher.sessions[self.session] = None
        door.clients += 1
        door.connections += 1

    def close(self) -> None:
        """The client is gone: what it had open goes back."""
        self._door.clients -= 1
        self._dispatcher.leave(self.session)
        self._door.reads.leave(self.session)
