"""The turn: all commands of one pass of the loop, one batch, one sync, then the replies.

States: idle ─ begin ─▶ open ─ end ─▶ committing ─▶ idle. What comes in in short pieces is gathered while the pass goes
on, and run at its end, one client's piece behind the other's in one call a door: `gather`. Requests that arrive while
a turn is committing wait, parsed, in their sessions; the local journal goes through `committing` without waiting, a
replicated log takes its time.

An exception that no one expected rolls the whole turn back, and each of its commands is answered with an error: this
is the one place that catches everything, so that no half-done command is ever kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from spoold.core.clock import Clock
from spoold.core.errors import CommandError, Internal, Misconf, WritesRefused
from spoold.dispatch.session import Session
from spoold.engine.commit import Commit, Lost
from spoold.keyspace.keyspace import Databases

log = logging.getLogger("spoold.turn")

# A client's requests that came in together.
Piece: TypeAlias = tuple[Session, list[Any]]
# Runs pieces in order, until there are no more or one fails: `running` is whose that was.
Runner: TypeAlias = Callable[[Iterator[Piece]], None]

# A turn ends early beyond this many commands, so that one batch, one journal record and one rollback stay bounded.
TURN_COMMANDS: Final = 8192
# The same for what its mutations hold.
TURN_MUTATIONS: Final = 65_536
# Doubling from one command; a turn ends long before the last.
_SPREAD_BUCKETS: Final = 40


class Turn:
    """Begins with the first request of a pass of the loop, ends behind the last.

    schedule: runs a callable after the sockets that are ready now (the loop's call_soon).
    on_lost: told when the state can't be trusted any more: the server must stop.
    resume: the dispatcher's. now_s: monotonic time at which the turn began.
    on_read_only: told when writes begin to be refused, and when they are taken again.
    beside: takes requests that arrive in the middle of a command: a script lets clients be heard (server/busy.py).
    on_closing: called when a turn ends, before it is committed. on_end: behind it. A hook that is needed at times is
        there at those times only; it may come and go while they are called.
    running: whose requests were run last, or are run now.
    sessions: who has replies to be sent. commands: how many ran in this turn. woken: who may go on after it.
    ran: commands of all turns. spread: at n how many turns had less than 2^n commands and are not in an earlier one.
    """

    def __init__(
        self,
        commit: Commit,
        dbs: Databases,
        clock: Clock,
        schedule: Callable[[Callable[[], None]], object],
        on_lost: Callable[[Lost], None],
    ) -> None:
        """Start idle."""
        self.commit = commit
        self.dbs = dbs
        self.clock = clock
        self.schedule = schedule
        self.on_lost = on_lost
        self.open = False
        self.running: Session | None = None
        self._doors: list[tuple[list[Piece], Runner]] = []
        self._left: Iterator[Piece] = iter(())
        self.sessions: list[Session] = []
        self.woken: list[Session] = []
        self.resume: Callable[[list[Session]], None] = _no_one
        self.commands = 0
        self.ran = 0
        self.spread = [0] * _SPREAD_BUCKETS
        self.turns = 0
        self.aborted = 0
        self.bytes_out = 0
        self.now_s = 0.0
        self.on_closing: list[Callable[[], None]] = []
        self.on_end: list[Callable[[], None]] = []
        self.on_read_only: Callable[[bool], None] = _tell_no_one
        self.beside: Callable[[Session, list[Any]], None] | None = None

    def begin(self) -> None:
        """Open a turn: the time stands still until it ends."""
        self.open = True
        self.dbs.now_ms = self.clock.unix_ms()
        self.now_s = self.clock.monotonic_s()
        if self.commit.refusing is not self.dbs.read_only:
            # Refused before they run, so that those who read in the same turn get their answers.
            self.dbs.read_only = self.commit.refusing
            self.on_read_only(self.commit.refusing)
        if self.dbs.now_ms >= self.dbs.flush_ms and not self.dbs.read_only:
            self.dbs.flush_due_strings()
        self.schedule(self.end)

    def gather(self, run: Runner) -> list[Piece]:
        """The list that a door's pieces are put into while the turn is open, to be run by `run` when it ends."""
        gathered: list[Piece] = []
        self._doors.append((gathered, run))
        return gathered

    def run_gathered(self) -> None:
        """Run what was gathered so far. What comes in beside a command waits for its end."""
        if self.beside is not None:
            return
        for gathered, run in self._doors:
            while gathered:
                pieces = tuple(gathered)
                gathered.clear()
                self._run(run, pieces)

    def take(self, gathered: list[Piece]) -> list[Piece]:
        """Take what came in before the command that runs now and was to run behind it, in order.

        gathered: of the door whose command that is.
        """
        pieces = [*self._left, *gathered]
        gathered.clear()
        return pieces

    def join(self, session: Session) -> None:
        """Note that `session` has replies to be sent at the end of this turn."""
        if not self.open:
            self.begin()
        self.sessions.append(session)

    def end(self) -> None:
        """Commit what the turn wrote, then send its replies."""
        self.run_gathered()  # also where the turn that they came in was rolled back
        if not self.open:
            return
        try:
            for hook in tuple(self.on_closing):
                hook()
            self.dbs.write()
            self.commit.commit_turn()
        except WritesRefused as error:
            self._roll_back(Misconf(error))
        except Lost:
            self._roll_back(Internal())
        except Exception:  # noqa: BLE001 - see the module's docstring
            self._abort_after_exception(None)
        self._release()

    def stop(self) -> None:
        """End the open turn, and run no more requests: their replies would not reach anyone any more."""
        self.end()
        self.beside = _drop

    def receive(self, session: Session, requests: list[Any]) -> None:
        """Run a client's requests as they came in, or queue them behind what waits already."""
        if self.beside is not None:
            self.beside(session, requests)
            return
        self._run(session.run, ((session, requests),))

    def guard(self, work: Callable[..., object], *arguments: Any) -> None:
        """Run `work` inside the turn; an exception rolls the turn back and ends it."""
        try:
            work(*arguments)
        except Exception:  # noqa: BLE001
            session = arguments[0] if arguments and isinstance(arguments[0], Session) else None
            self._abort_after_exception(session)
            self._release()

    def _run(self, run: Runner, pieces: Iterable[Piece]) -> None:
        """Run pieces. If one fails, the turn is rolled back and ended, and those behind it run in the next."""
        left = iter(pieces)
        while True:
            self._left = left
            try:
                run(left)
                return
            except Exception:  # noqa: BLE001
                self._abort_after_exception(self.running)
                self._release()

    @property
    def wrote_nothing(self) -> bool:
        """Whether the replies so far depend on nothing that is still to be committed."""
        return not self.commit.batch.written and not any(keyspace.dirty for keyspace in self.dbs.used.values())

    @property
    def full(self) -> bool:
        """Whether the turn should end before more is run."""
        return self.commands >= TURN_COMMANDS or len(self.commit.batch.fresh) >= TURN_MUTATIONS

    def _abort_after_exception(self, session: Session | None) -> None:
        log.exception("turn rolled back: a command failed in a way that no one expected")
        if session is not None:
            # The command that failed has no reply yet, and what stood behind it waits for the next turn.
            session.out.append(b"")
            session.queue[:0] = list(session.rest)
            self.sessions.append(session)
            self.woken.append(session)
        self._roll_back(Internal())

    def _roll_back(self, error: CommandError) -> None:
        self.aborted += 1
        try:
            self.commit.abort_turn()
            self.dbs.rollback()
        except Lost as lost:
            self.on_lost(lost)
        except Exception as failure:
            log.exception("a turn could not be rolled back")
            self.commit.lost = Lost(f"a turn could not be rolled back: {failure}")
            self.on_lost(self.commit.lost)
        for session in dict.fromkeys(self.sessions):
            session.fail(error)

    def _release(self) -> None:
        """Send the replies, and let those go on that were woken."""
        self.open = False
        self.turns += 1
        self.ran += self.commands
        self.spread[self.commands.bit_length()] += 1
        self.commands = 0
        sessions, self.sessions = self.sessions, []
        for session in sessions:
            out = session.out
            if out:
                data = out[0] if len(out) == 1 else b"".join(out)
                out.clear()
                self.bytes_out += len(data)
                session.send(data)
            if session.closing or session.out_bytes:
                session.sent()
        if self.woken:
            woken, self.woken = self.woken, []
            self.schedule(lambda: self.resume(woken))
        for hook in tuple(self.on_end):
            hook()


def _drop(session: Session, requests: list[Any]) -> None:
    """The server stops."""


def _tell_no_one(refusing: bool) -> None:
    """No dispatcher yet."""


def _no_one(sessions: list[Session]) -> None:
    """No dispatcher yet."""
