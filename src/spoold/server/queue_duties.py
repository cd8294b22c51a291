"""Duties for queues: items and leases that fall due, and leases that an earlier run of the server left behind."""

from __future__ import annotations

import logging
from typing import Final

from spoold.core.clock import Clock
from spoold.datatypes.jobs import leases
from spoold.datatypes.jobs.leases import Recovery
from spoold.datatypes.lists.overdue import drop_overdue
from spoold.dispatch.dispatcher import Dispatcher

log = logging.getLogger("spoold.server")

# Slices are small, so that a client waits at most a few milliseconds for them.
LEASES: Final = 256
ITEMS: Final = 1000


class QueueDuties:
    """Runs in turns of its own; whoever waits for what comes back gets it.

    recovery: what the last run left. tick: for the ticker.
    """

    def __init__(self, dispatcher: Dispatcher, clock: Clock) -> None:
        """Look for what the last run left; before any client is served."""
        self._dispatcher = dispatcher
        self._dbs = dispatcher.dbs
        self._turn = dispatcher.turn
        self._clock = clock
        self.recovery = Recovery(self._dbs)

    def recover(self) -> None:
        """Put items that were open when the server ended back at the heads of their queues; before clients come."""
        left = self.recovery.left
        while self.recovery.left:
            before = self.recovery.left
            self._turn.guard(self._recover)
            if self.recovery.left == before:
                log.warning("%d items that were open at the last end can't be given back now", before)
                return
        if left:
            log.info("%d items that were open at the last end are back in their queues", left)

    def tick(self) -> None:
        """Do what is due."""
        if self._turn.open:
            return
        now_ms = self._clock.unix_ms()
        if self.recovery.left and not self._dispatcher.turn.commit.refusing:
            self._turn.guard(self._recover)
        if now_ms >= self._dbs.next_deadline_ms:
            self._turn.guard(self._expire_leases)
        if now_ms >= self._dbs.next_alarm_ms:
            self._turn.guard(self._drop_items)

    def _recover(self) -> None:
        turn = self._turn
        turn.begin()
        aborted = turn.aborted
        number = self.recovery.step(LEASES)
        self._end()
        if turn.aborted == aborted:
            self.recovery.done(number)

    def _expire_leases(self) -> None:
        self._turn.begin()
        leases.expire_due(self._dbs, LEASES)
        self._end()

    def _drop_items(self) -> None:
        self._turn.begin()
        drop_overdue(self._dbs, ITEMS)
        self._end()

    def _end(self) -> None:
        if self._dbs.ready:
            self._dispatcher.serve()
        self._turn.end()
