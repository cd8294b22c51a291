"""A server without sockets with a queue door beside the Redis one; time and passes of the loop are the test's.

with QueueServer(tmp_path) as server:
    queue, redis = server.queue(), server.client()
    assert queue("set q 0 0 1", "a") == "STORED"
    assert redis("LPOP", "q") == b"a"
"""

from __future__ import annotations

from pathlib import Path

from spoold.command.peer import Peer
from spoold.frontends.memcached_queue import QueueDoor, QueueFrontend
from spoold.server.queue_duties import QueueDuties
from support.server import Server


class QueueClient:
    """One connection to the queue door.

    closed: by the server, or by `leave`. taken: all that was sent to it and not looked at.
    """

    def __init__(self, server: QueueServer) -> None:
        """Connect."""
        self.server = server
        self.closed = False
        self.taken = b""
        peer = Peer(server.next_id(), "127.0.0.1:50000", "127.0.0.1:22133", server.turn.now_s)
        self.frontend = QueueFrontend(server.dispatcher, self, peer, server.door)
        self.session = self.frontend.session

    def feed(self, data: bytes) -> None:
        """Send bytes without letting the loop go on."""
        self.frontend.receive(self.session, self.frontend.codec.feed(data))
        if self.frontend.codec.broken is not None:
            self.server.dispatcher.break_off(self.session, self.frontend.codec.broken.farewell)

    def send(self, data: bytes) -> bytes:
        """Send bytes; returns what came back, and what came before and was not looked at."""
        self.feed(data)
        self.server.settle()
        return self.read()

    def read(self) -> bytes:
        """What was sent to this client since the last look."""
        taken, self.taken = self.taken, b""
        return taken

    def __call__(self, line: str, value: str | bytes | None = None) -> str:
        """Send one request; returns its answer without the last line end, lines separated by single spaces."""
        data = line.encode() + b"\r\n"
        if value is not None:
            data += (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
        return self.send(data).decode("latin-1").removesuffix("\r\n").replace("\r\n", " ")

    def put(self, queue: str, value: str, flags: int = 0, exptime: int = 0) -> None:
        """Append an item."""
        assert self(f"set {queue} {flags} {exptime} {len(value)}", value) == "STORED"

    def leave(self) -> None:
        """Go away, as a client whose connection is cut."""
        self.closed = True
        self.frontend.close()

    # -- Wire: what the session writes to ---------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Take what the server sends; nothing reaches one that has gone."""
        if not self.closed:
            self.taken += data

    def close(self) -> None:
        """The server closes the connection."""
        if not self.closed:
            self.leave()

    abort = close

    def overflows(self) -> bool:
        """Nothing gathers."""
        return False

    def hold_reading(self, hold: bool) -> None:
        """Nothing is read."""


class QueueServer(Server):
    """`support.server.Server` with a queue door and its duties."""

    def __init__(self, directory: Path, durability: str = "memory") -> None:
        """Start, as the server does before it listens."""
        super().__init__(directory, durability)
        self.door = QueueDoor(self.dispatcher, self.limits)
        self.queue_duties = QueueDuties(self.dispatcher, self.clock)
        self.duties.each_tick += [self.queue_duties.tick, self.door.reads.return_orphans]
        self.queue_duties.recover()
        self.settle()
        self._ids = 1000

    def next_id(self) -> int:
        """The next client's id."""
        self._ids += 1
        return self._ids

    def queue(self) -> QueueClient:
        """A further client of the queue door."""
        return QueueClient(self)
