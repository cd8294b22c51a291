"""One socket: the only place that touches a transport.

Back-pressure: while a client does not take its replies (more than `OUTPUT_HIGH_BYTES` wait for it), nothing more is
read from it and its queued requests don't run. Push messages can't be held back that way: a client that lets more
than the output limit gather is disconnected.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from spoold.command.peer import Peer
from spoold.core.clock import Clock
from spoold.dispatch.session import Session, Wire
from spoold.dispatch.turn import Piece
from spoold.protocol.codec import Codec
from spoold.protocol.resp import RespCodec

log = logging.getLogger("spoold.server")

OUTPUT_HIGH_BYTES: Final = 1 << 20
# Parsed requests of a parked client that wait in memory; beyond it nothing more is read from it.
QUEUED_REQUESTS: Final = 16_384
QUEUED_BYTES: Final = 16 * 1024 * 1024
# What is longer is run as it comes in, so that what is gathered while the loop passes through all sockets stays small.
_GATHERED_BYTES: Final = 4 * 1024


class Frontend(Protocol):
    """A codec joined to the dispatcher, for one client."""

    session: Session

    @property
    def codec(self) -> Codec:
        """Its codec: `feed` gives requests."""
        ...

    @property
    def receive(self) -> Callable[[Session, list[Any]], None]:
        """What takes the requests that the codec gave, and runs them."""
        ...

    @property
    def gathered(self) -> list[Piece] | None:
        """Where requests may be put instead while the turn is open; None: nowhere."""
        ...

    def close(self) -> None:
        """The client is gone."""
        ...


@dataclass
class Gate:
    """What the listeners of one protocol share: inside, how many of `most` clients there are."""

    most: int
    inside: int = 0


class Connections:
    """All connections of all listeners, and the limits they share.

    opened, rejected, choked_out: totals since the start.
    push_hard_bytes, push_soft_bytes, push_soft_s: what may wait for who is sent messages, at any time, and for longer
        than that; 0 = no such limit (client-output-buffer-limit pubsub).
    """

    def __init__(self, clock: Clock, max_clients: int, output_limit_bytes: int) -> None:
        """max_clients: over all listeners."""
        self.clock = clock
        self.max_clients = max_clients
        self.output_limit_bytes = output_limit_bytes
        self.open: dict[int, Connection] = {}
        self.opened = 0
        self.rejected = 0
        self.closed_bytes_in = 0
        self.choked_out = 0
        self.push_hard_bytes = self.push_soft_bytes = self.push_soft_s = 0
        self._next_id = 1

    @property
    def bytes_in(self) -> int:
        """Bytes received since the start. cost: O(clients)."""
        return self.closed_bytes_in + sum(connection.bytes_in for connection in self.open.values())

    @property
    def high_bytes(self) -> int:
        """What may wait for a client before it counts as one that does not take its replies."""
        return min(
            OUTPUT_HIGH_BYTES, self.push_hard_bytes or OUTPUT_HIGH_BYTES, self.push_soft_bytes or OUTPUT_HIGH_BYTES
        )

    def limit_pushes(self, hard_bytes: int, soft_bytes: int, soft_s: int) -> None:
        """Set the limits for pushes, for who is connected already too. cost: O(clients)."""
        self.push_hard_bytes, self.push_soft_bytes, self.push_soft_s = hard_bytes, soft_bytes, soft_s
        for connection in self.open.values():
            connection.set_high(self.high_bytes)

    def new_id(self) -> int:
        """The next client's id."""
        self._next_id += 1
        return self._next_id - 1


class Connection(asyncio.Protocol):
    """A client of one listener."""

    __slots__ = (
        "_all",
        "_codec",
        "_feed",
        "_frontend",
        "_gate",
        "_held",
        "_make",
        "_over_since_s",
        "_paused",
        "_refusal",
        "_session",
        "_transport",
        "_turn",
        "_waiting_bytes",
        "bytes_in",
        "peer",
    )

    def __init__(
        self, connections: Connections, make: Callable[[Wire, Peer], Frontend], refusal: bytes, gate: Gate | None = None
    ) -> None:
        """make: builds the frontend. refusal: what is sent when there are too many clients, over all or at its gate."""
        self._gate = gate
        self._all = connections
        self._make = make
        self._refusal = refusal
        self._transport: asyncio.Transport | None = None
        self._frontend: Frontend | None = None
        self._paused = False
        self._held = False
        self.bytes_in = 0
        self._waiting_bytes = 0  # came in while requests waited
        self._over_since_s = 0.0  # more waits for it than may for long

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there: admit it, or say that there are too many."""
        transport_ = cast("asyncio.Transport", transport)
        self._transport = transport_
        if self._frontend is not None:  # it was admitted while a script kept the loop busy (busy.py)
            self._frontend.session.send = transport_.write
            return
        everyone, gate = self._all, self._gate
        if len(everyone.open) >= everyone.max_clients or (gate is not None and gate.inside >= gate.most):
            everyone.rejected += 1
            transport_.write(self._refusal)
            transport_.close()
            return
        now_s = everyone.clock.monotonic_s()
        self.peer = Peer(
            id=everyone.new_id(),
            address=_address(transport_.get_extra_info("peername"), transport_.get_extra_info("sockname")),
            local_address=_address(transport_.get_extra_info("sockname"), ""),
            connected_s=now_s,
            fd=_fd(transport_.get_extra_info("socket")),
        )
        everyone.opened += 1
        if gate is not None:
            gate.inside += 1
        everyone.open[self.peer.id] = self
        transport_.set_write_buffer_limits(everyone.high_bytes)
        self._frontend = frontend = self._make(self, self.peer)
        self._codec = frontend.codec
        self._feed = frontend.codec.feed
        self._session = frontend.session
        self._turn = frontend.session.dispatcher.turn
        self._session.send = transport_.write
        self._session.waiting_bytes = transport_.get_write_buffer_size

    def data_received(self, data: bytes) -> None:
        """Hand the requests on that `data` completes."""
        frontend = self._frontend
        if frontend is None:
            return
        size = len(data)
        self.bytes_in += size
        requests = self._feed(data)
        session = self._session
        if requests:
            turn = self._turn
            gathered = frontend.gathered
            if gathered is None or size > _GATHERED_BYTES or turn.beside is not None:
                if gathered:
                    turn.run_gathered()
                frontend.receive(session, requests)
            else:
                if not turn.open:
                    turn.begin()
                gathered.append((session, requests))
        if session.queue:
            self._waiting_bytes += size
            if len(session.queue) > QUEUED_REQUESTS or self._waiting_bytes > QUEUED_BYTES:
                self.hold_reading(True)
        if self._codec.broken is not None:
            self._turn.run_gathered()
            session.dispatcher.break_off(session, self._codec.broken.farewell)

    @property
    def frontend(self) -> Frontend | None:
        """The client's protocol, None before it was admitted and after it has gone."""
        return self._frontend

    @property
    def session(self) -> Session | None:
        """The client's session, None before it was admitted and after it has gone."""
        return None if self._frontend is None else self._frontend.session

    @property
    def socket_to_hear(self) -> Any:
        """The socket, to be read from in the loop's place; None where nothing may be read now, or not so.

        Only Redis's protocol has an answer then. Who is parked, or has replies to come with this turn, waits for them.
        """
        session = self.session
        if session is None or session.held or session.out or session.closing or self._held or self._paused:
            return None
        return self.socket if self.has_redis else None

    @property
    def has_redis(self) -> bool:
        """Whether it speaks Redis's protocol."""
        return self._frontend is not None and isinstance(self._frontend.codec, RespCodec)

    @property
    def socket(self) -> Any:
        """The socket, None if there is none any more, or only its TLS may touch it."""
        transport = self._transport
        if transport is None or transport.get_extra_info("sslcontext") is not None:
            return None
        return transport.get_extra_info("socket")

    @property
    def waiting_bytes(self) -> int:
        """Bytes that the client has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def eof_received(self) -> bool:
        """The client has said all: close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, of its own will or not."""
        if self._frontend is not None:
            self._all.open.pop(self.peer.id, None)
            if self._gate is not None:
                self._gate.inside -= 1
            self._all.closed_bytes_in += self.bytes_in
            self._frontend.close()
            self._frontend = None

    def pause_writing(self) -> None:
        """The client does not take its replies."""
        self._paused = True
        if self._frontend is not None:
            self._frontend.session.choked = True
            self._settle_reading()

    def resume_writing(self) -> None:
        """It took them."""
        self._paused = False
        if self._frontend is not None:
            session = self._frontend.session
            session.choked = False
            self._held = False
            self._settle_reading()
            session.dispatcher.go_on(session)

    # -- Wire ---------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send; never blocks."""
        if self._transport is not None:
            self._transport.write(data)

    def overflows(self) -> bool:
        """Whether more waits for the client than it may let gather; it is disconnected then.

        For what can't be held back: pushes that no request asked for.
        """
        if self._transport is None or not self._is_over(self._transport.get_write_buffer_size()):
            return False
        self._all.choked_out += 1
        log.warning("client %d (%s) does not take its replies: disconnected", self.peer.id, self.peer.address)
        self._transport.abort()
        return True

    def _is_over(self, waiting_bytes: int) -> bool:
        """Whether more waits than may at any time, or has been waiting for longer than it may."""
        everyone = self._all
        if waiting_bytes > min(everyone.output_limit_bytes, everyone.push_hard_bytes or waiting_bytes):
            return True
        if not everyone.push_soft_bytes or waiting_bytes <= everyone.push_soft_bytes:
            self._over_since_s = 0.0
            return False
        now_s = everyone.clock.monotonic_s()
        self._over_since_s = self._over_since_s or now_s
        return now_s - self._over_since_s >= everyone.push_soft_s

    def set_high(self, high_bytes: int) -> None:
        """Change what may wait for the client before nothing more is read from it."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.set_write_buffer_limits(high_bytes)

    def close(self) -> None:
        """Close after what was written is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def hold_reading(self, hold: bool) -> None:
        """Stop, or go on, taking bytes from the client."""
        self._held = hold
        if not hold:
            self._waiting_bytes = 0
        self._settle_reading()

    def _settle_reading(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._held or self._paused:
            transport.pause_reading()
        else:
            transport.resume_reading()


def _fd(socket: Any) -> int:
    """The number of a socket, -1 if there is none."""
    return -1 if socket is None else int(socket.fileno())


def _address(peername: Any, sockname: Any) -> str:
    """`host:port`, or a unix socket's path."""
    name = peername or sockname
    if isinstance(name, tuple):
        host, port = name[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{name.decode('utf-8', 'replace') if isinstance(name, bytes) else name}:0"
