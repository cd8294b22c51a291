"""Hears clients while a script keeps the loop from running.

A script runs on the loop's thread, inside a turn, and only that thread may touch the data. So once a script has run for
too long, its hook calls `Busy.poll` now and then, which looks at the sockets itself: it takes new connections, reads
what clients sent, and answers what may be answered now (SCRIPT KILL, `-BUSY …`). These replies go straight to the
sockets, since none depends on what the turn wrote. The loop misses nothing of this: what was read is gone from the
sockets, and connections that were accepted here are handed to it when the script has ended.

Who is parked, or has replies to come with a turn that wrote something, is not read from: replies keep their order. But
a PONG tells nothing of what was written, and leaves at once.
Only the Redis listeners are heard; other protocols have no word for it, and wait.

source: docs/decisions/0008-scripts-on-the-loop.md.
"""

from __future__ import annotations

import asyncio
import logging
import selectors
import socket
from collections.abc import Callable
from typing import Any, Final, cast

from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.session import Session
from spoold.server.connection import Connection, Connections

log = logging.getLogger("spoold.server")

_READ_BYTES: Final = 256 * 1024
_ACCEPTS: Final = 64  # in one look
# Who asks whether the server is alive often comes first to the turn in which a script runs. This depends on no write.
_PONG: Final = [b"+PONG\r\n"]

Make = Callable[[], Connection]


class Busy:
    """Clients that are heard while a script runs.

    listening: the sockets that may be accepted from, with what makes a connection of each.
    """

    def __init__(self, dispatcher: Dispatcher, connections: Connections, loop: asyncio.AbstractEventLoop) -> None:
        """Nothing is open before the first `poll`."""
        self._dispatcher = dispatcher
        self._connections = connections
        self._loop = loop
        self.listening: list[tuple[Any, Make]] = []
        self._selector: selectors.BaseSelector | None = None
        self._copies: list[socket.socket] = []
        self._sockets: dict[Session, tuple[Connection, socket.socket]] = {}
        self._accepted: list[tuple[Connection, StandIn]] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    def poll(self) -> None:
        """Look at the sockets once; never waits."""
        selector = self._selector or self._begin()
        for key, _ in selector.select(0):
            sock = cast("socket.socket", key.fileobj)
            if isinstance(key.data, Connection):
                self._read(key.data, sock)
            else:
                self._accept(sock, key.data)

    def end(self) -> None:
        """The loop runs again: give it the connections that came meanwhile."""
        if self._selector is None:
            return
        self._dispatcher.turn.beside = None
        self._selector.close()
        self._selector = None
        for copy in self._copies:
            copy.close()
        self._copies.clear()
        self._sockets.clear()
        accepted, self._accepted = self._accepted, []
        for connection, stand_in in accepted:
            if stand_in.is_closing():
                stand_in.sock.close()
                connection.connection_lost(None)
                continue
            task = self._loop.create_task(self._hand_over(connection, stand_in))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    # -- inside -------------------------------------------------------------------------------------------------

    def _begin(self) -> selectors.BaseSelector:
        self._selector = selector = selectors.DefaultSelector()
        self._dispatcher.turn.beside = self._answer
        for listening, make in self.listening:
            copy = self._copy(listening)
            if copy is not None:
                selector.register(copy, selectors.EVENT_READ, make)
        only_read = self._dispatcher.turn.wrote_nothing
        for connection in list(self._connections.open.values()):
            if connection.session is self._dispatcher.turn.running:
                continue  # what it sent behind the script waits for that
            session = connection.session
            if only_read or (session is not None and session.out == _PONG):
                self._send_early(connection)
            copy = self._copy(connection.socket_to_hear)
            if copy is not None and session is not None:
                selector.register(copy, selectors.EVENT_READ, connection)
                self._sockets[session] = (connection, copy)
        self._answer_gathered()
        return selector

    def _answer_gathered(self) -> None:
        """Answer what the loop had read before the script began, as far as its clients are heard; the rest waits."""
        gathered = self._dispatcher.gathered
        for session, requests in self._dispatcher.turn.take(gathered):
            connection, sock = self._sockets.get(session, (None, None))
            if connection is None or sock is None or session.closing or session.held:
                gathered.append((session, requests))
                continue
            self._answer(session, requests)
            self._ignore_waiting(session, sock)

    def _ignore_waiting(self, session: Session | None, sock: socket.socket) -> None:
        """An end is the loop's to see; who waits is not read from."""
        assert self._selector is not None  # noqa: S101 - it has the socket
        if session is None or session.closing or session.held:
            self._selector.unregister(sock)

    def _send_early(self, connection: Connection) -> None:
        """Send the replies that a client has of this turn already: nothing that they tell is still to be committed."""
        session = connection.session
        if session is None or not session.out or not connection.has_redis or connection.waiting_bytes:
            return
        copy = self._copy(connection.socket)
        if copy is not None:
            data = b"".join(session.out)
            session.out.clear()
            sent = _send(copy, data)
            if sent < len(data):
                session.send(data[sent:])

    def _copy(self, original: Any) -> socket.socket | None:
        """A socket of our own for the same connection: the loop's is not to be read from by others."""
        if original is None:
            return None
        try:
            copy = socket.fromfd(original.fileno(), original.family, original.type)
        except OSError:
            return None  # it is gone
        copy.setblocking(False)
        self._copies.append(copy)
        return copy

    def _read(self, connection: Connection, sock: socket.socket) -> None:
        try:
            data = sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        session = connection.session
        if data and session is not None:
            connection.data_received(data)
        self._ignore_waiting(session if data else None, sock)

    def _accept(self, listening: socket.socket, make: Make) -> None:
        assert self._selector is not None  # noqa: S101 - it told of this socket
        for _ in range(_ACCEPTS):
            try:
                sock, _address = listening.accept()
            except OSError:
                return
            sock.setblocking(False)
            stand_in = StandIn(sock)
            connection = make()
            connection.connection_made(cast("asyncio.BaseTransport", stand_in))
            if connection.session is None:  # too many are there already
                sock.close()
                continue
            self._accepted.append((connection, stand_in))
            self._selector.register(sock, selectors.EVENT_READ, connection)

    def _answer(self, session: Session, requests: list[Any]) -> None:
        """Answer requests that came in while a script runs; the turn's end does not matter to these replies."""
        data = self._dispatcher.answer_beside(session, requests)
        connection, sock = self._sockets.get(session, (None, None))
        if data:
            if connection is None or sock is None or connection.waiting_bytes:
                session.send(data)
            else:
                sent = _send(sock, data)
                if sent < len(data):
                    session.send(data[sent:])
        if session.closing and not session.closed:
            session.wire.close()

    async def _hand_over(self, connection: Connection, stand_in: StandIn) -> None:
        """Let the loop have a connection that was accepted here."""
        try:
            await self._loop.connect_accepted_socket(lambda: connection, stand_in.sock)
        except OSError as error:
            log.info("a client that came while a script ran is gone: %s", error)
            stand_in.sock.close()
            connection.connection_lost(error)
            return
        if stand_in.unsent:
            connection.write(bytes(stand_in.unsent))


class StandIn:
    """A transport for a connection that the loop does not have yet: writes at once, keeps what does not fit.

    unsent: what is still to be written.
    """

    def __init__(self, sock: socket.socket) -> None:
        """sock: does not block."""
        self.sock = sock
        self.unsent = bytearray()
        self._closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What a connection asks for."""
        if name == "socket":
            return self.sock
        try:
            if name == "peername":
                return self.sock.getpeername()
            if name == "sockname":
                return self.sock.getsockname()
        except OSError:
            return default
        return default

    def write(self, data: bytes) -> None:
        """Send; never blocks."""
        self.unsent += data
        del self.unsent[: _send(self.sock, bytes(self.unsent))]

    def close(self) -> None:
        """Close when the script has ended."""
        self._closing = True

    abort = close

    def is_closing(self) -> bool:
        """Whether `close` was called."""
        return self._closing

    def get_write_buffer_size(self) -> int:
        """Bytes still to be written."""
        return len(self.unsent)

    def set_write_buffer_limits(self, high: int) -> None:
        """The script's end comes first."""

    def pause_reading(self) -> None:
        """As above."""

    def resume_reading(self) -> None:
        """As above."""


def _send(sock: socket.socket, data: bytes) -> int:
    """Send what fits; returns how many bytes did. A connection that is gone takes all: the loop will see its end."""
    try:
        return sock.send(data)
    except BlockingIOError:
        return 0
    except OSError:
        return len(data)
