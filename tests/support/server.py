"""A server without sockets that speaks RESP: clients with a codec each, a loop and a clock that the test moves.

with Server(tmp_path) as server:
    a, b = server.client(), server.client()
    b.send("BLPOP", "q", "0")
    a("RPUSH", "q", "x")
    assert b.replies() == [[b"q", b"x"]]
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import hiredis

from spoold.admin.host import Host
from spoold.admin.rooms import ADMIN
from spoold.admin.wiring import install
from spoold.command.parts import Parts
from spoold.command.peer import Peer
from spoold.command.table import CommandTable
from spoold.datatypes.rooms import ROOMS
from spoold.dispatch import multi
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.inner import install_scripts
from spoold.dispatch.turn import Turn
from spoold.engine.commit import Lost, open_commit
from spoold.frontends.redis import RedisFrontend
from spoold.keyspace.keyspace import Databases
from spoold.protocol.codec import Limits
from spoold.scripting.rooms import SCRIPTING
from spoold.settings import Settings
from spoold.testing.clock import ManualClock
from support.upkeep import Upkeep


class Error(str):
    """An error reply, without the leading `-`."""


class Timer:
    """A deadline; it fires when the test moves the clock beyond it."""

    def __init__(self, when_s: float, work: Callable[[], None]) -> None:
        self.when_s = when_s
        self.work = work
        self.cancelled = False

    def cancel(self) -> None:
        """Forget it."""
        self.cancelled = True


class Counts:
    """Stands for `server.connection.Connections`."""

    def __init__(self) -> None:
        self.max_clients = 10_000
        self.opened = self.rejected = self.choked_out = self.bytes_in = 0
        self.push_limits = (0, 0, 0)

    def limit_pushes(self, hard_bytes: int, soft_bytes: int, soft_s: int) -> None:
        """Note the limits."""
        self.push_limits = (hard_bytes, soft_bytes, soft_s)


class Duties:
    """Stands for `server.ticker.Ticker`."""

    def __init__(self) -> None:
        self.active_expire = True
        self.idle_s = 0.0
        self.interval_s = 1.0
        self.each_tick: list[Callable[[], None]] = []
        self.on_done: Callable[[str, float], None] | None = None


class Lifecycle:
    """Stands for `server.lifecycle.Lifecycle`."""

    def __init__(self) -> None:
        self.save_at_exit = True
        self.stopped = False

    def stop(self, exit_code: int = 0) -> None:
        """Note that it was asked to stop."""
        self.stopped = True


class Client:
    """One connection: `client(…)` sends a request and gives the one reply to it, as Python values.

    Statuses and strings are bytes, an error is `Error`, nothing None; maps, sets and pushes as hiredis gives them.
    """

    def __init__(self, server: Server, address: str) -> None:
        self.server = server
        self.closed = False
        self.raw = b""
        self._reader = hiredis.Reader(replyError=Error, protocolError=AssertionError)
        number = len(server.clients) + 1
        server.counts.opened += 1
        self.peer = Peer(number, address or f"127.0.0.1:{50000 + number}", "127.0.0.1:6379", server.turn.now_s)
        authenticated = server.dispatcher.users.open
        self.frontend = RedisFrontend(server.dispatcher, self, self.peer, server.limits, authenticated=authenticated)
        self.session = self.frontend.session

    def send(self, *words: str | bytes | float) -> None:
        """Send a request; its replies are taken with `replies`."""
        self.send_many([words])

    def send_many(self, requests: list[tuple[str | bytes | float, ...]]) -> None:
        """Send requests in one piece."""
        data = b""
        for words in requests:
            parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
            data += b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
        self.frontend.receive(self.session, self.frontend.codec.feed(data))
        self.server.settle()

    def replies(self) -> list[Any]:
        """What arrived since the last call."""
        found = []
        while (reply := self._reader.gets()) is not False:
            found.append(_plain(reply))
        return found

    def __call__(self, *words: str | bytes | float) -> Any:
        """Send a request and give the one reply to it."""
        self.send(*words)
        (reply,) = self.replies()
        return reply

    # -- Wire: what the session writes to ---------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Take what the server sends."""
        assert not self.closed
        self.raw += data
        self._reader.feed(data)

    def close(self) -> None:
        """The server closes the connection."""
        self.closed = True
        self.frontend.close()

    abort = close

    def overflows(self) -> bool:
        """Nothing gathers."""
        return False

    def hold_reading(self, hold: bool) -> None:
        """Nothing is read."""


def _plain(reply: Any) -> Any:
    if isinstance(reply, list):
        return [_plain(item) for item in reply]
    return reply


class Server(Upkeep):
    """Engine to codec on real LMDB in `directory`; what stands above the commands is played by simple stand-ins."""

    def __init__(self, directory: Path, durability: str = "always", settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self.directory = directory
        self.clock = ManualClock()
        self.commit = open_commit(directory, durability, 4 * 1024 * 1024)
        self.dbs = Databases(self.commit.batch)
        self.dbs.now_ms = self.clock.unix_ms()
        self._scheduled: list[Callable[[], None]] = []
        self._timers: list[Timer] = []
        self.turn = Turn(self.commit, self.dbs, self.clock, self._scheduled.append, self._lost)
        self.table = CommandTable((*ROOMS, *SCRIPTING, multi, *ADMIN))
        self.parts = Parts()
        self.dispatcher = Dispatcher(self.table, self.dbs, self.turn, self.parts, self._call_later)
        for part in (self.commit, self.turn, self.dispatcher, self.table):
            self.parts.add(part)
        self.scripts = install_scripts(self.dispatcher)
        self.limits = Limits()
        self.counts, self.duties, self.lifecycle = Counts(), Duties(), Lifecycle()
        self.exposed = False
        self.limited: list[tuple[int, int]] = []
        host = Host(
            connections=self.counts,
            duties=self.duties,
            lifecycle=self.lifecycle,
            directory=None if durability == "memory" else directory,
            durability=durability,
            redis_addresses=lambda: [("127.0.0.1", 6379, ""), ("", 0, "/tmp/s.sock")],  # noqa: S108 - never opened
            exposed=lambda: self.exposed,
            limit_requests=lambda value, request: self.limited.append((value, request)),
            used_bytes=lambda: self.commit.data_bytes,
        )
        self.config = install(self.parts, self.dispatcher, settings, host)
        self.clients: list[Client] = []

    def client(self, address: str = "") -> Client:
        """A further connection."""
        client = Client(self, address)
        self.clients.append(client)
        return client

    def settle(self) -> None:
        """Run what was scheduled, as passes of the loop would."""
        while self._scheduled:
            self._scheduled.pop(0)()

    def advance_ms(self, ms: int) -> None:
        """Move the clock, fire what falls due, run the duties."""
        self.clock.advance_ms(ms)
        now_s = self.clock.monotonic_s() + 1e-9  # sums of floats are not exact
        due = [timer for timer in self._timers if timer.when_s <= now_s]
        self._timers = [timer for timer in self._timers if timer.when_s > now_s]
        for timer in due:
            if not timer.cancelled:
                timer.work()
        self.settle()
        for duty in self.duties.each_tick:
            duty()

    def _call_later(self, delay_s: float, work: Callable[..., None], *arguments: Any) -> Timer:
        timer = Timer(self.clock.monotonic_s() + delay_s, lambda: work(*arguments))
        self._timers.append(timer)
        return timer

    def _lost(self, error: Lost) -> None:
        raise error

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.commit.close()
