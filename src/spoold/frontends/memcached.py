"""The memcached door: its codec joined to the strings of database 0.

Left out: UDP, the binary protocol, passwords. docs/protocols/memcached.md describes the dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spoold.command.peer import Peer
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.door import Door
from spoold.dispatch.session import Session, Wire
from spoold.frontends.memcached_counts import Counts
from spoold.frontends.memcached_dump import Dumps
from spoold.frontends.memcached_meta import MetaVerbs
from spoold.frontends.memcached_stats import ServerFacts, StatsVerb
from spoold.frontends.memcached_verbs import ValueVerbs
from spoold.protocol.codec import Limits
from spoold.protocol.memcached import MemcachedCodec


class MemcachedDoor(Door):
    """What all clients of the memcached listeners share.

    limits: of their codecs. verbs: what they can ask for. counts: what they did.
    """

    def __init__(self, dispatcher: Dispatcher, limits: Limits, facts: ServerFacts) -> None:
        """limits: of what a client may send. facts: for `stats`."""
        self.limits = limits
        self.counts = Counts()
        self.verbs = ValueVerbs(self.counts, dispatcher.admission)
        self.verbs.table |= MetaVerbs(self.counts).table
        dumps = Dumps()
        self.verbs.table |= dumps.table
        self.verbs.table[b"stats"] = StatsVerb(self.counts, facts, dumps).stats
        super().__init__(dispatcher, self.verbs.run)


class MemcachedFrontend:
    """One client of a memcached listener.

    codec, session: its own. receive: takes the session and the requests that the codec gave.
    """

    __slots__ = ("_counts", "_dispatcher", "codec", "receive", "session")

    name = "memcached"

    def __init__(self, dispatcher: Dispatcher, wire: Wire, peer: Peer, door: MemcachedDoor) -> None:
        """There are no passwords in this protocol."""
        self._dispatcher = dispatcher
        self._counts = door.counts
        self._counts.clients += 1
        self._counts.total_clients += 1
        self.codec = MemcachedCodec(door.limits)
        self.session = Session(dispatcher, wire, peer, self.codec.encode, authenticated=True)
        self.session.run = door.run
        self.receive: Callable[[Session, list[Any]], None] = dispatcher.turn.receive
        dispatcher.sessions[self.session] = None

    def close(self) -> None:
        """The client is gone."""
        self._counts.clients -= 1
        self._dispatcher.leave(self.session)
