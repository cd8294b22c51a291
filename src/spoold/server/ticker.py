"""Duties: what the server does of its own accord, between turns of clients.

    checkpoint  a second after the first write since the last one, or when much was written
    sync        `--durability interval`: bring the journal to the disk
    expiry      drop keys that are due
    reclaim     give back the space of dropped collections and databases, a slice at a time
    idle        disconnect clients that said nothing for longer than the idle time-out

A duty that fails is logged and tried again at its next time; it never stops the others.

While turns come, the duties are looked at every `TICK_S`. When nothing happens they rest until one of them is due, at
most `REST_S`, and the end of the next turn ends the rest: a server that no one uses should cost nothing. A new duty
that must be exact to the tick, though no turn comes before it, needs a line in `_rest_s`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import perf_counter
from typing import Final

from spoold.core.clock import Clock
from spoold.core.errors import SpooldError, WritesRefused
from spoold.dispatch.turn import Turn
from spoold.engine.commit import CHECKPOINT_AFTER_S, Commit
from spoold.keyspace.expiry import expire_due
from spoold.keyspace.keyspace import Databases
from spoold.keyspace.reclaim import reclaim
from spoold.server.connection import Connections

log = logging.getLogger("spoold.ticker")

TICK_S: Final = 0.01
# Rates are sampled ten times a second, so that an idle server still tells that it is idle.
REST_S: Final = 0.1
# Slices are small, so that a client waits at most a few milliseconds for them.
EXPIRE_KEYS: Final = 1000
RECLAIM_KEYS: Final = 4000
# While clients are served, space can wait: a hundred thousand keys a second is still more than clients drop.
RECLAIM_KEYS_BUSY: Final = 1000
IDLE_CHECK_S: Final = 1.0


class Ticker:
    """Runs the duties every `TICK_S` seconds, more rarely while nothing happens.

    interval_s: seconds between syncs with `--durability interval`, 0 otherwise. idle_s: 0 = never.
    rest_s: most seconds between two ticks.
    active_expire: False leaves keys that are due to whoever looks at them (DEBUG SET-ACTIVE-EXPIRE).
    each_tick: further duties. serve: tells those who wait for a key that it is gone (the dispatcher's).
    on_done: told how many seconds a duty took, under the name of its latency event; None while no one wants to know.
    """

    def __init__(
        self,
        commit: Commit,
        dbs: Databases,
        turn: Turn,
        clock: Clock,
        connections: Connections,
        interval_s: float,
        idle_s: float,
    ) -> None:
        """Start with `run`."""
        self._commit = commit
        self._dbs = dbs
        self._turn = turn
        self._clock = clock
        self._connections = connections
        self.interval_s = interval_s
        self.idle_s = idle_s
        self.rest_s = REST_S
        self.active_expire = True
        self.each_tick: list[Callable[[], None]] = []
        self.serve: Callable[[], None] = _no_one
        self.on_done: Callable[[str, float], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._woken: asyncio.Future[None] | None = None
        self._resting = False
        self._first_write_s = 0.0
        self._seen_turns = 0
        self._next_sync_s = 0.0
        self._next_idle_s = 0.0
        commit.on_due = self._checkpoint_soon

    async def run(self) -> None:
        """Tick until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                busy = self._turn.turns != self._seen_turns
                self._seen_turns = self._turn.turns
                await self._pause(TICK_S if busy else self._rest_s())
                self._do(self._expire, "expire-cycle")
                self._do(self._reclaim, "reclaim-cycle")
                self._do(self._sync, "journal-sync")
                self._do(self._checkpoint)
                self._do(self._disconnect_idle)
                for duty in self.each_tick:
                    self._do(duty)
        finally:
            self._hear_no_more()
            if self._timer is not None:
                self._timer.cancel()

    async def _pause(self, pause_s: float) -> None:
        assert self._loop is not None  # noqa: S101 - `run` set it
        self._woken = self._loop.create_future()
        if pause_s > TICK_S:
            self._resting = True
            self._turn.on_end.append(self._end_rest)
        self._timer = self._loop.call_later(pause_s, self._wake, self._woken)
        await self._woken
        self._hear_no_more()

    def _wake(self, woken: asyncio.Future[None]) -> None:
        if not woken.done():
            woken.set_result(None)

    def _rest_s(self) -> float:
        """How long no duty is due, if no turn comes. cost: O(1)."""
        dbs = self._dbs
        if dbs.has_garbage:
            return TICK_S
        due_ms = min(dbs.next_deadline_ms, dbs.next_alarm_ms)
        if self.active_expire:
            due_ms = min(due_ms, dbs.next_due_ms)
        rest_s = min(self.rest_s, (due_ms - self._clock.unix_ms()) / 1000)
        now_s = self._clock.monotonic_s()
        if self.interval_s and self._commit.unsynced:
            rest_s = min(rest_s, self._next_sync_s - now_s)
        if self._first_write_s:
            rest_s = min(rest_s, self._first_write_s + CHECKPOINT_AFTER_S - now_s)
        return max(rest_s, TICK_S)

    def _do(self, duty: Callable[[], None], event: str = "") -> None:
        told = self.on_done if event else None
        started = perf_counter() if told is not None else 0.0
        try:
            duty()
        except WritesRefused as error:
            log.warning("%s", error)
        except SpooldError:
            raise
        except Exception:
            log.exception("a duty failed and is tried again")
        if told is not None:
            told(event, perf_counter() - started)

    def _checkpoint_soon(self) -> None:
        """A large backlog of the journal does not wait for the tick."""
        self._turn.schedule(lambda: self._do(self._checkpoint_now))

    def _hear_no_more(self) -> None:
        if self._resting:
            self._resting = False
            self._turn.on_end.remove(self._end_rest)

    def _end_rest(self) -> None:
        """A turn ended while nothing was due: what it brought may be due soon."""
        self._hear_no_more()
        if self._timer is not None and self._loop is not None and self._woken is not None:
            self._timer.cancel()
            self._timer = self._loop.call_later(TICK_S, self._wake, self._woken)

    def _checkpoint_now(self) -> None:
        if not self._turn.open and self._commit.checkpoint_due:
            self._commit.checkpoint()
            self._first_write_s = 0.0

    def _checkpoint(self) -> None:
        if self._turn.open:
            return
        if not self._commit.pending:
            self._first_write_s = 0.0
            return
        now_s = self._clock.monotonic_s()
        if not self._first_write_s:
            self._first_write_s = now_s
        elif now_s - self._first_write_s >= CHECKPOINT_AFTER_S:
            self._first_write_s = 0.0
            self._commit.checkpoint()

    def _sync(self) -> None:
        if self.interval_s and not self._turn.open:
            now_s = self._clock.monotonic_s()
            if now_s >= self._next_sync_s:
                self._next_sync_s = now_s + self.interval_s
                self._commit.sync_due()

    def _expire(self) -> None:
        if self.active_expire and self._clock.unix_ms() >= self._dbs.next_due_ms:
            self._turn.guard(self._in_turn, lambda: expire_due(self._dbs, EXPIRE_KEYS))

    def _reclaim(self) -> None:
        if self._dbs.has_garbage:
            keys = RECLAIM_KEYS_BUSY if self._turn.turns > self._seen_turns else RECLAIM_KEYS
            self._turn.guard(self._in_turn, lambda: reclaim(self._dbs, keys))

    def _in_turn(self, work: Callable[[], object]) -> None:
        if self._turn.open:
            return
        self._turn.begin()
        work()
        if self._dbs.ready:
            self.serve()
        self._turn.end()

    def _disconnect_idle(self) -> None:
        now_s = self._clock.monotonic_s()
        if not self.idle_s or now_s < self._next_idle_s:
            return
        self._next_idle_s = now_s + IDLE_CHECK_S
        for connection in list(self._connections.open.values()):
            session = connection.session
            if session is None or session.waiter is not None or session.queue:
                continue
            if session.special or session.subscriptions is not None:
                continue  # it need not say anything
            if now_s - session.active_s > self.idle_s:
                connection.close()


def _no_one() -> None:
    """No one waits."""
