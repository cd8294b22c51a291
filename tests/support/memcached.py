"""A memcached door without sockets: clients that send bytes and read bytes, on the room's engine and clock.

with Room(tmp_path) as room:
    client = Doorway(room).client()
    assert client.ask("set k 0 0 1", "v") == "STORED"
    assert room("GET", "k") == b"v"
"""

from __future__ import annotations

from collections.abc import Callable

from spoold.admin.data_limit import DataLimit
from spoold.command.peer import Peer
from spoold.frontends.memcached import MemcachedDoor, MemcachedFrontend
from spoold.frontends.memcached_stats import ServerFacts
from spoold.protocol.codec import Limits
from support.room import Room


class Connections:
    """What `stats` asks of the connections."""

    max_clients = 100
    rejected = 3
    bytes_in = 7


class Client:
    """One client of a doorway.

    closed: the server hung up.
    """

    def __init__(self, doorway: Doorway, address: str = "") -> None:
        self._doorway = doorway
        self._written: list[bytes] = []
        self.closed = False
        self.held = False
        peer = Peer(9, address, address, doorway.room.clock.monotonic_s(), len(doorway.door.sessions) + 20)
        self.frontend = MemcachedFrontend(doorway.room.dispatcher, self, peer, doorway.door)

    def __call__(self, data: bytes) -> bytes:
        """Send bytes as they are; returns the bytes that came back."""
        frontend = self.frontend
        session = frontend.session
        requests = frontend.codec.feed(data)
        if requests:
            frontend.receive(session, requests)
        if frontend.codec.broken is not None:
            session.dispatcher.break_off(session, frontend.codec.broken.farewell)
        self._doorway.settle()
        written, self._written = b"".join(self._written), []
        return written

    def ask(self, *lines: str | bytes) -> str:
        """Send lines; returns the lines that came back, as text, without the last line end."""
        sent = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\r\n" for line in lines)
        return self(sent).decode().removesuffix("\r\n")

    # What a session needs of its connection.

    def write(self, data: bytes) -> None:
        self._written.append(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def overflows(self) -> bool:
        return False

    def hold_reading(self, hold: bool) -> None:
        self.held = hold


class Doorway:
    """A memcached door on a room.

    door: the real one. limit: how much data there may be.
    """

    def __init__(self, room: Room, limits: Limits | None = None) -> None:
        self.room = room
        self._work: list[Callable[[], object]] = []
        room.turn.schedule = self._work.append
        limits = limits or Limits()
        room.dbs.value_limit_bytes = limits.bulk_bytes
        self.limit = DataLimit(room.dispatcher)
        facts = ServerFacts(
            connections=Connections(),
            addresses=lambda: ["127.0.0.1:11211", "unix:/run/m"],
            used_bytes=lambda: 4096,
            started_s=0.0,
            idle_timeout_s=lambda: 5.0,
            limit_bytes=lambda: self.limit.limit_bytes,
            set_limit=self.limit.set_limit,
        )
        self.door = MemcachedDoor(room.dispatcher, limits, facts)

    def client(self, address: str = "") -> Client:
        """A further client. address: where it comes from, and where it came in."""
        return Client(self, address)

    def settle(self) -> None:
        """Run what the loop would run, until nothing is left."""
        while self._work:
            self._work.pop(0)()
