"""The Redis door: a RESP codec joined to the dispatcher."""

from __future__ import annotations

from spoold.command.peer import Peer
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.session import Session, Wire
from spoold.protocol.codec import Limits
from spoold.protocol.resp import RespCodec


class RedisFrontend:
    """One client of the Redis listener: bytes in, replies through its session's wire."""

    __slots__ = ("_codec", "_dispatcher", "session")

    name = "redis"

    def __init__(self, dispatcher: Dispatcher, wire: Wire, peer: Peer, limits: Limits, *, authenticated: bool) -> None:
        """authenticated: no password is asked for."""
        self._dispatcher = dispatcher
        self._codec = RespCodec(limits)
        self._codec.trusted = authenticated
        self.session = Session(dispatcher, wire, peer, self._codec.encode, authenticated=authenticated)
        self.session.on_version = self._set_version
        dispatcher.sessions[self.session] = None

    def feed(self, data: bytes) -> None:
        """Take bytes as they came from the socket."""
        codec = self._codec
        requests = codec.feed(data)
        if requests:
            self._dispatcher.receive(self.session, requests)
            codec.trusted = self.session.authenticated
        if codec.broken is not None:
            self._dispatcher.break_off(self.session, codec.broken.message)

    def close(self) -> None:
        """The client is gone."""
        self._dispatcher.leave(self.session)

    def _set_version(self, version: int) -> None:
        self._codec.set_version(version)
        self.session.encode = self._codec.encode
        self.session.peer.protocol = version
