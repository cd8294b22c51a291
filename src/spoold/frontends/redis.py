"""The Redis door: a RESP codec joined to the dispatcher."""

from __future__ import annotations

from collections.abc import Callable

from spoold.command.peer import Peer
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.session import Session, Wire
from spoold.dispatch.turn import Piece
from spoold.protocol.codec import Limits
from spoold.protocol.resp import RespCodec


class RedisFrontend:
    """One client of the Redis listener: bytes in, replies through its session's wire.

    codec, session: its own. receive: takes the session and the requests that the codec gave, and runs them.
    gathered: where they may be put instead, to be run at the end of the pass of the loop.
    """

    __slots__ = ("_dispatcher", "codec", "gathered", "receive", "session")

    name = "redis"

    def __init__(self, dispatcher: Dispatcher, wire: Wire, peer: Peer, limits: Limits, *, authenticated: bool) -> None:
        """authenticated: no password is asked for."""
        self._dispatcher = dispatcher
        self.codec = RespCodec(limits)
        self.session = Session(dispatcher, wire, peer, self.codec.encode, authenticated=authenticated)
        self.session.on_version = self._set_version
        self.session.transaction_limit_bytes = limits.request_bytes
        self._settle()
        dispatcher.sessions[self.session] = None

    def close(self) -> None:
        """The client is gone."""
        self._dispatcher.leave(self.session)

    def _receive_from_stranger(self, session: Session, requests: list[list[bytes]]) -> None:
        """Until the client has logged in, its codec allows it little; what waited for that is read afterwards."""
        codec = self.codec
        while requests:
            self._dispatcher.turn.receive(session, requests)
            codec.trusted = session.authenticated
            requests = codec.feed(b"") if codec.undecided else []
        self._settle()

    def _settle(self) -> None:
        """Treat the client as one that has logged in, or not: what its codec may read depends on that."""
        turn = self._dispatcher.turn
        known = self.codec.trusted = self.session.authenticated
        self.receive: Callable[[Session, list[list[bytes]]], None] = (
            turn.receive if known else self._receive_from_stranger
        )
        self.gathered: list[Piece] | None = self._dispatcher.gathered if known else None

    def _set_version(self, version: int) -> None:
        self.codec.set_version(version)
        self.session.encode = self.codec.encode
        self.session.peer.protocol = version
        self.session.settle()
        self._settle()
