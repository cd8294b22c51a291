"""A client of the simple door without a socket: bytes in, the bytes that leave behind the commit out."""

from __future__ import annotations

from typing import Any

from spoold.command.peer import Peer
from spoold.core.errors import CommandError
from spoold.frontends.simple import SimpleFrontend, SimpleVerbs
from spoold.protocol.codec import Limits
from spoold.protocol.simple import Fault, Value, ValueReader, encode
from support.room import Room


class SimpleLink:
    """One connection to a room's simple door.

    open: False once the server has closed it. stopped: SHUTDOWN was asked for. broken: why the stream was given up.
    """

    def __init__(self, room: Room, limits: Limits | None = None) -> None:
        """Connect."""
        self.room = room
        self.open = True
        self.stopped = False
        self._written = b""
        verbs = SimpleVerbs(room.dispatcher, self._stop)
        peer = Peer(99, "127.0.0.1:1", "127.0.0.1:2", 0.0)
        self.frontend = SimpleFrontend(room.dispatcher, verbs, self, peer, limits or Limits())

    def send(self, data: bytes) -> bytes:
        """What is answered to `data`, as the connection of the server hands it on."""
        frontend, turn = self.frontend, self.room.turn
        if not self.open:
            return b""
        requests = frontend.codec.feed(data)
        if requests:
            frontend.receive(frontend.session, requests)
        if frontend.codec.broken is not None:
            self.room.dispatcher.break_off(frontend.session, frontend.codec.broken.farewell)
        turn.end()
        written, self._written = self._written, b""
        return written

    def __call__(self, *words: Value) -> Any:
        """Run one request; returns its reply as a value, an error as a Fault."""
        return self.ask([*words])

    def ask(self, request: Value) -> Any:
        """Run a request of any shape."""
        answer = self.send(encode(request))
        reader = ValueReader()
        (reply,) = reader.feed(answer)
        assert reader.is_between
        return reply

    def error(self, request: Value) -> str:
        """The text of the error that a request is answered with."""
        reply = self.ask(request)
        assert isinstance(reply, Fault), reply
        return reply.message.decode()

    # -- the wire that the session writes to --------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Keep."""
        self._written += data

    def close(self) -> None:
        """The server is done with this client."""
        self.open = False
        self.frontend.close()

    def abort(self) -> None:
        """The same."""
        self.close()

    def overflows(self) -> bool:
        """Nothing gathers."""
        return False

    def hold_reading(self, hold: bool) -> None:
        """All is read already."""

    def _stop(self) -> None:
        self.stopped = True


def refusal(error: type[CommandError]) -> str:
    """The text of an error as this door writes it."""
    return error().message.decode().removeprefix("ERR ")
