"""spoold without a server: engine, keyspace and commands in a thread of this process.

    store = share("jobs")            # the same object for the same directory
    store.call("RPUSH", "queue", b"...")

Any thread may call. Only the engine's own thread touches the data: calls are handed to it, all that are there form one
turn, and the replies come when the turn is in the journal, as on a server. So each call is atomic, is durable when it
returns, and threads that write at the same time share one sync. Blocking commands wait as clients of a server do.

A directory belongs to one process at a time: another one, a server too, is refused with an error that says so. A fork
must not use an engine that its parent had open, and is told so; nor does it keep the directory when the parent is gone.
What was closed before the fork belongs to whoever calls first.

The engine ends with `close`, or when the process does. What a process that is killed had acknowledged is in the
journal, and the next one that opens the directory has it.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final

from spoold.command.parts import Parts
from spoold.command.peer import Peer
from spoold.command.table import CommandTable
from spoold.core.clock import SystemClock
from spoold.core.errors import InUse, SpooldError, WritesRefused
from spoold.datatypes.rooms import ROOMS
from spoold.dispatch import multi
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.session import Session
from spoold.dispatch.turn import Turn
from spoold.embedded.line import Line, to_request
from spoold.engine.commit import Lost, open_commit
from spoold.engine.env import disown
from spoold.keyspace.keyspace import Databases
from spoold.protocol.answers import Refusal, Word
from spoold.protocol.replies import encode2
from spoold.server.connection import Connections
from spoold.server.queue_duties import QueueDuties
from spoold.server.ticker import Ticker

try:
    import uvloop

    _new_loop: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop
except ImportError:  # no uvloop on this platform: asyncio's own loop
    _new_loop = None

log = logging.getLogger("spoold.embedded")

# Two of them are made with the directory; a server that opens it later makes larger ones.
JOURNAL_BYTES: Final = 8 * 1024**2
DURABILITIES: Final = ("always", "interval")
_SYNC_INTERVAL_S: Final = 1.0
_RUN_A_SERVER: Final = "run a server in its place (spoold serve --data {}) and connect to that"


class EmbeddedError(SpooldError):
    """An embedded spoold can't be used here; the text says why, and what to do."""


class Stopped(EmbeddedError):
    """The engine ended while a call was under way: it may or may not have been carried out."""


class Refused(SpooldError):
    """A command was answered with an error. message: its text."""

    def __init__(self, message: str) -> None:
        """message: as a server would have sent it, without the leading `-`."""
        self.message = message
        super().__init__(message)


class Embedded:
    """A data directory in use by this process.

    path: the directory. durability: what a return promises, as on a server: `always` or `interval`.
    """

    def __init__(self, path: Path, durability: str) -> None:
        """Open it. raises: EmbeddedError."""
        self.path = path
        self.durability = durability
        self._pid = os.getpid()
        self._parent: int | None = None  # whose engine this fork must not use
        self._lock = threading.Lock()
        self._engine: _Engine | None = None
        self._ended = False
        self._open()

    def call(self, *words: Word, wait_s: float | None = 0.0, repeat: bool = False) -> Any:
        """Run one command. returns: its reply: bytes, int, None, or a list of such. raises: as `run`."""
        return self.run((words,), wait_s=wait_s, repeat=repeat)[0]

    def run(self, commands: Sequence[Sequence[Word]], *, wait_s: float | None = 0.0, repeat: bool = False) -> list[Any]:
        """Run commands, one after the other; returns their replies.

        wait_s, repeat: as clients have them; here nothing is lost between caller and engine.
        raises: Refused: the first command that failed, when all are done. EmbeddedError. TypeError: a word that is
            neither bytes, text nor a number.
        """
        requests = [to_request(command) for command in commands]
        while True:
            engine = self._engine
            if engine is None or self._parent is not None or self._pid != os.getpid():
                engine = self._open()
            line = engine.take()
            if line is None:  # it is being closed: nothing was handed to it
                with self._lock:
                    if self._engine is engine:
                        self._engine = None
                continue
            replies = engine.ask(line, requests)
            for reply in replies:
                if reply.__class__ is Refusal:
                    raise Refused(reply)
            return replies

    def close(self) -> None:
        """End the engine: calls that wait are answered as at their deadline, then all is saved.

        A later call opens it again.
        """
        if self._parent is not None or self._pid != os.getpid():
            return
        with self._lock:
            engine, self._engine = self._engine, None
            if engine is not None:
                engine.stop()

    def end(self) -> None:
        """The process ends: close, for good."""
        self._ended = True
        self.close()

    def leave_to_parent(self) -> None:
        """Called in a fork: the engine, and a lock that was held at the fork, are the parent's.

        The engine is kept, so that nothing here ends its transactions and files.
        """
        if self._engine is not None and self._parent is None:
            self._parent = self._pid
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def _open(self) -> _Engine:
        if self._ended:
            raise Stopped(f"the embedded spoold on {self.path} ended with its process")
        if self._pid != os.getpid():  # a fork that Python was not told of
            _after_fork()
        if self._parent is not None:
            raise EmbeddedError(
                f"this process is a fork of process {self._parent}, which had {self.path} open, and an embedded spoold "
                f"serves one process: close it before the fork, or {_RUN_A_SERVER.format(self.path)}"
            )
        with self._lock:
            if self._engine is None or not self._engine.runs:
                self._engine = _Engine(self.path, self.durability)
            return self._engine


class _Engine:
    """One life of the thread, from open to close."""

    def __init__(self, path: Path, durability: str) -> None:
        """Start the thread; returns when it serves. raises: EmbeddedError."""
        _check_threads()
        self._path = path
        self._durability = durability
        self._inbox: deque[tuple[Line, list[list[bytes]]]] = deque()
        self._awake = False
        self._idle: deque[Line] = deque()
        self._lines: set[Line] = set()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self.runs = False
        self._next_id = 1
        self._thread = threading.Thread(target=self._main, name=f"spoold {path}", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._explained(self._failure)

    # -- any thread ---------------------------------------------------------------------------------------------

    def take(self) -> Line | None:
        """A line for one call; None if the engine takes no more calls."""
        if not self.runs:
            return None
        try:
            return self._idle.pop()
        except IndexError:
            return Line()

    def ask(self, line: Line, requests: list[list[bytes]]) -> list[Any]:
        """Hand requests over and wait for their replies. raises: Stopped."""
        done = False
        try:
            self._inbox.append((line, requests))
            if not self._awake:
                self._awake = True
                self._wake()
            elif not self.runs:
                self._wake()  # the thread may have looked for the last time
            replies = line.receive(len(requests))
            done = True
        finally:
            if not done:  # interrupted: what comes now is for no one
                line.given_up = True
                self._inbox.append((line, []))
                self._wake()
        if replies is None:
            raise Stopped(f"the embedded spoold on {self._path} ended: the call may or may not have been carried out")
        self._idle.append(line)
        return replies

    def stop(self) -> None:
        """End, and wait for that."""
        self.runs = False
        self._wake(self._stop)
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _wake(self, work: Any = None) -> None:
        try:
            self._loop.call_soon_threadsafe(work or self._drain)
        except RuntimeError:  # the loop is closed
            self._close_lines()

    # -- the engine's thread ------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=_new_loop) as runner:
                runner.run(self._serve())
        except (SpooldError, OSError) as error:
            self._failure = error
            if self._ready.is_set():
                log.critical("the embedded spoold on %s ended: %s", self._path, error)
        finally:
            self.runs = False
            if not self._ready.is_set() and self._failure is None:
                self._failure = EmbeddedError(f"no spoold on {self._path}: its thread ended, and printed why")
            self._ready.set()
            self._close_lines()

    async def _serve(self) -> None:
        self._loop = loop = asyncio.get_running_loop()
        clock = SystemClock()
        self._commit = commit = open_commit(self._path, self._durability, JOURNAL_BYTES)
        self._stopping = asyncio.Event()
        self._lost: Lost | None = None
        dbs = Databases(commit.batch)
        dbs.now_ms = clock.unix_ms()
        self._turn = Turn(commit, dbs, clock, loop.call_soon, self._on_lost)
        table = CommandTable((*ROOMS, multi))
        self._dispatcher = Dispatcher(table, dbs, self._turn, Parts(), loop.call_later)
        interval_s = _SYNC_INTERVAL_S if self._durability == "interval" else 0.0
        ticker = Ticker(commit, dbs, self._turn, clock, Connections(clock, 0, 0), interval_s, 0.0)
        duties = QueueDuties(self._dispatcher, clock)
        ticker.each_tick.append(duties.tick)
        duties.recover()
        ticking = asyncio.ensure_future(ticker.run())
        ticking.add_done_callback(self._ticker_ended)
        self.runs = True
        self._ready.set()
        await self._stopping.wait()
        self.runs = False
        ticking.cancel()
        self._drain()
        for session in list(self._dispatcher.sessions):
            if session.waiter is not None:
                self._turn.guard(self._dispatcher.answer, session.waiter, session.waiter.timeout_reply)
        self._turn.end()
        try:
            commit.close()
        except WritesRefused as error:
            log.error("the last checkpoint failed (%s): the journal holds what it would have saved", error)
        if self._lost is not None:
            raise self._lost

    def _drain(self) -> None:
        """Run what was handed over as one turn."""
        self._awake = False
        inbox = self._inbox
        turn = self._turn
        while inbox:
            line, requests = inbox.popleft()
            if line not in self._lines:
                self._admit(line)
            if requests:
                turn.receive(line.session, requests)
            else:
                self._forget(line)
        turn.end()

    def _admit(self, line: Line) -> None:
        peer = Peer(self._next_id, "embedded", str(self._path), self._turn.now_s)
        self._next_id += 1
        line.session = Session(self._dispatcher, line, peer, encode2, authenticated=True)
        self._dispatcher.sessions[line.session] = None
        self._lines.add(line)

    def _forget(self, line: Line) -> None:
        self._dispatcher.leave(line.session)
        self._lines.discard(line)

    def _stop(self) -> None:
        self._stopping.set()

    def _on_lost(self, error: Lost) -> None:
        self._lost = error
        self._stopping.set()

    def _ticker_ended(self, ticking: asyncio.Future[None]) -> None:
        if not ticking.cancelled() and (error := ticking.exception()) is not None:
            self._on_lost(Lost(str(error)))

    def _close_lines(self) -> None:
        """No reply will come any more."""
        for line in {*self._lines, *(line for line, _ in self._inbox)}:
            line.close()

    def _explained(self, error: BaseException) -> BaseException:
        """What to raise where the engine was to be opened. error: what its thread ended with."""
        if isinstance(error, EmbeddedError):
            return error
        text, advice, _ = str(error).partition("; choose one with --data")
        if isinstance(error, InUse):
            return EmbeddedError(f"{text}: an embedded spoold serves one process; {_RUN_A_SERVER.format(self._path)}")
        if advice:
            text += ": choose another path"
        return EmbeddedError(text)


_shared: dict[Path, Embedded] = {}
_shared_lock = threading.Lock()


def share(path: str | PathLike[str], durability: str = "always") -> Embedded:
    """The embedded spoold on a data directory: one for all who ask in this process.

    durability: `always` or `interval`.
    raises: EmbeddedError: another process uses the directory, it can't be used, it is open with another durability,
        or threads are not what they should be (gevent).
    """
    if durability not in DURABILITIES:
        raise ValueError(f"durability must be one of {', '.join(DURABILITIES)}")
    place = Path(path).expanduser().resolve()
    with _shared_lock:
        found = _shared.get(place)
        if found is None:
            found = _shared[place] = Embedded(place, durability)
        if found.durability != durability:
            raise EmbeddedError(f"{place} is open already, with durability {found.durability!r}")
        return found


def _close_all() -> None:
    for embedded in list(_shared.values()):
        embedded.end()


def _after_fork() -> None:
    global _shared_lock
    _shared_lock = threading.Lock()
    disown()
    for embedded in _shared.values():
        embedded.leave_to_parent()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _check_threads() -> None:
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        raise EmbeddedError(
            "an embedded spoold needs threads, and gevent has put greenlets in their place: run a server "
            "(spoold serve) and connect to that"
        )
