"""Counts what all queues hold, a slice of keys at a time, while someone wants to know.

There is no counter over all keys, and no need for one: whoever looks at the overview or collects metrics can wait for a
sweep over the names. A sweep goes through SPOOLD QUEUES as any operator's would, in turns of its own, and stops at
`MOST_KEYS` names.
"""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field
from typing import Any, Final

from spoold.console.caller import Callers
from spoold.dispatch.dispatcher import Dispatcher
from spoold.metrics.registry import Metrics

PAGE_KEYS: Final = 500
MOST_KEYS: Final = 100_000
# The longest queues are told one by one; more would be a burden on whoever collects metrics.
MOST_QUEUES: Final = 100
# A count is good for a second, and longer where it takes long: sweeps take no more than a part in so many of the time.
FRESH_S: Final = 1.0
_SHARE: Final = 20


@dataclass(frozen=True)
class Queue:
    """One queue, as SPOOLD QUEUES describes it."""

    db: int
    name: bytes
    type: str
    length: int
    waiting: int
    leases: int
    added: int | None
    taken: int | None
    oldest_ms: int | None

    @classmethod
    def of(cls, db: int, flat: list[Any]) -> Queue:
        """From a map as RESP2 writes it."""
        told = dict(zip(flat[::2], flat[1::2], strict=True))
        return cls(
            db,
            told[b"name"],
            told[b"type"].decode(),
            told[b"length"],
            told[b"waiting"],
            told[b"leases"],
            told[b"added"],
            told[b"taken"],
            told[b"oldest-ms"],
        )


@dataclass
class Count:
    """What a sweep found.

    complete: whether all names were looked at. longest: the longest queues, at most `MOST_QUEUES`.
    """

    complete: bool = True
    queues: int = 0
    items: int = 0
    leases: int = 0
    waiting: int = 0
    oldest_ms: int | None = None
    by_type: dict[str, int] = field(default_factory=dict)
    longest: list[Queue] = field(default_factory=list)


class Census:
    """Sweeps when asked.

    last: what the last sweep found.
    """

    def __init__(self, callers: Callers, dispatcher: Dispatcher) -> None:
        """Nothing is counted yet."""
        self._callers = callers
        self._dispatcher = dispatcher
        self._counted_s = self._took_s = 0.0
        self._sweeping: asyncio.Task[Count] | None = None
        self.last: Count | None = None

    async def count(self) -> Count:
        """The last count while it is good, else a new one; those who ask together share it. raises: Silent."""
        now_s = self._dispatcher.turn.clock.monotonic_s()
        if self.last is not None and now_s - self._counted_s <= max(FRESH_S, _SHARE * self._took_s):
            return self.last
        if self._sweeping is None:
            self._sweeping = asyncio.ensure_future(self._sweep())
        return await asyncio.shield(self._sweeping)

    async def _sweep(self) -> Count:
        count = Count()
        left = MOST_KEYS
        began_s = self._dispatcher.turn.clock.monotonic_s()
        try:
            for db, keyspace in enumerate(self._dispatcher.dbs.all):
                if not keyspace.count and not keyspace.waiting.queues and db:
                    continue
                left = await self._sweep_database(count, db, left)
                if left <= 0:
                    count.complete = False
                    break
            count.longest = heapq.nlargest(MOST_QUEUES, count.longest, key=lambda queue: queue.length)
            self.last = count
            self._counted_s = self._dispatcher.turn.clock.monotonic_s()
            self._took_s = self._counted_s - began_s
            self._dispatcher.parts.get(Metrics).items = count.items
        finally:
            self._sweeping = None
        return count

    async def _sweep_database(self, count: Count, db: int, left: int) -> int:
        """Add a database to `count`; returns how many names may still be looked at."""
        cursor = b"0"
        with self._callers.own() as caller:
            await caller.ask("SELECT", db)
            while left > 0:
                cursor, page = await caller.ask("SPOOLD", "QUEUES", cursor, "COUNT", PAGE_KEYS)
                left -= PAGE_KEYS
                for flat in page:
                    _add(count, Queue.of(db, flat))
                if cursor == b"0":
                    break
                await asyncio.sleep(0)  # others first
        return left


def _add(count: Count, queue: Queue) -> None:
    count.queues += queue.type != "none"
    count.items += queue.length
    count.leases += queue.leases
    count.waiting += queue.waiting
    count.by_type[queue.type] = count.by_type.get(queue.type, 0) + queue.length
    if queue.oldest_ms is not None and queue.type != "schedule":
        count.oldest_ms = min(queue.oldest_ms, count.oldest_ms or queue.oldest_ms)
    count.longest.append(queue)
    if len(count.longest) > 4 * MOST_QUEUES:
        count.longest = heapq.nlargest(MOST_QUEUES, count.longest, key=lambda one: one.length)
