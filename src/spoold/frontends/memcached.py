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
from spoold.dispatch.turn import Piece
from spoold.frontends.memcached_counts import Counts
from spoold.frontends.memcached_dump import Dumps
from spoold.frontends.memcached_limit import LimitVerb
from spoold.frontends.memcached_meta import MetaVerbs
from spoold.frontends.memcached_stats import ServerFacts, StatsVerb
from spoold.frontends.memcached_verbs import ValueVerbs
from spoold.protocol.codec import Limits
from spoold.protocol.memcached import MemcachedCodec


class MemcachedDoor(Door):
    """What all clients of the memcached listeners share.

    limits: of their codecs. verbs: what they can ask for. counts: what they did. sessions: those who are connected.
    """

    def __init__(self, dispatcher: Dispatcher, limits: Limits, facts: ServerFacts) -> None:
        """limits: of what a client may send. facts: for `stats`."""
        self.limits = limits
        self.counts = Counts()
        self.verbs = ValueVerbs(self.counts, dispatcher.admission)
        started_ms = dispatcher.turn.clock.unix_ms()
        self.verbs.table |= MetaVerbs(self.counts, started_ms).table
        dumps = Dumps(started_ms)
        self.verbs.table |= dumps.table
        self.verbs.table |= LimitVerb(facts.set_limit).table
        self.sessions: dict[Session, None] = {}
        self.verbs.table[b"stats"] = StatsVerb(self.counts, facts, dumps, self.sessions).stats
        self._clock = dispatcher.turn.clock
        self._idle_timeout_s = facts.idle_timeout_s
        super().__init__(dispatcher, self.verbs.run, writes_lines=True)

    def enter(self, session: Session) -> None:
        """A client is there."""
        self.sessions[session] = None
        self.counts.clients += 1
        self.counts.total_clients += 1

    def leave(self, session: Session) -> None:
        """It is gone: if it was silent for longer than it may be, because of that."""
        del self.sessions[session]
        self.counts.clients -= 1
        limit_s = self._idle_timeout_s()
        if limit_s and self._clock.monotonic_s() - session.active_s > limit_s:
            self.counts.idle_kicks += 1


class MemcachedFrontend:
    """One client of a memcached listener.

    codec, session: its own. receive: takes the session and the requests that the codec gave.
    """

    __slots__ = ("_dispatcher", "_door", "codec", "gathered", "receive", "session")

    name = "memcached"

    def __init__(self, dispatcher: Dispatcher, wire: Wire, peer: Peer, door: MemcachedDoor) -> None:
        """There are no passwords in this protocol."""
        self._dispatcher = dispatcher
        self._door = door
        self.codec = MemcachedCodec(door.limits)
        self.session = Session(dispatcher, wire, peer, self.codec.encode, authenticated=True)
        self.session.run = door.run
        self.receive: Callable[[Session, list[Any]], None] = dispatcher.turn.receive
        self.gathered: list[Piece] | None = door.gathered
        dispatcher.sessions[self.session] = None
        door.enter(self.session)

    def close(self) -> None:
        """The client is gone."""
        self._door.leave(self.session)
        self._dispatcher.leave(self.session)
