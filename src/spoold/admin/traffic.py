"""How many items were added to a queue and taken from it, told from what its record says of itself.

A list's positions only go up, or only down, while it is used as a queue, so its head and its tail are counters; the
sequence of a set or a schedule and what a stream counts are as well. What is missing is what a queue had counted when
it was emptied: `Traffic` keeps that, for as long as someone asks, so that a queue that workers keep empty is not taken
for an idle one. Commands pay nothing for it but a look when a queue becomes empty.

Not counted: what went with DEL, and a list that is used as a stack or a sorted set, whose records say nothing.
"""

from __future__ import annotations

from typing import Final

from spoold.keyspace.keyspace import Databases
from spoold.keyspace.packing import BIAS
from spoold.keyspace.record import Collection, ListRecord, ScheduleRecord, SetRecord, StreamRecord

# Who asked so long ago is not interested any more.
INTEREST_MS: Final = 60_000
# Queues that are remembered, those that were emptied last.
MOST_QUEUES: Final = 10_000

Counts = tuple[int, int]


class Traffic:
    """What queues had counted when they were emptied.

    since_ms: when counting began, Unix ms; 0 = it is not going on.
    """

    def __init__(self) -> None:
        """Not counting."""
        self.since_ms = 0
        self._asked_ms = 0
        self._emptied: dict[tuple[int, bytes], Counts] = {}

    def ask(self, dbs: Databases) -> None:
        """Someone wants to know: count from now on, or go on."""
        self._asked_ms = dbs.now_ms
        if dbs.on_emptied is None:
            self.since_ms = dbs.now_ms
            dbs.on_emptied = lambda index, name, record: self._note(dbs, index, name, record)

    def of(self, index: int, name: bytes, record: Collection | None) -> Counts | None:
        """(added, taken) of a queue; only differences between two answers mean something. None where no one knows."""
        own = (0, 0) if record is None else _own(record)
        if own is None:
            return None
        before = self._emptied.get((index, name), (0, 0))
        return before[0] + own[0], before[1] + own[1]

    def emptied(self, index: int) -> list[bytes]:
        """Queues of a database that were emptied while someone was interested."""
        return [name for database, name in self._emptied if database == index]

    def _note(self, dbs: Databases, index: int, name: bytes, record: Collection) -> None:
        if dbs.now_ms - self._asked_ms > INTEREST_MS:
            dbs.on_emptied = None
            self.since_ms = 0
            self._emptied.clear()
            return
        counts = self.of(index, name, record)
        if counts is not None:
            self._emptied.pop((index, name), None)  # to the end of the dict's order
            self._emptied[index, name] = counts
            if len(self._emptied) > MOST_QUEUES:
                del self._emptied[next(iter(self._emptied))]


def _own(record: Collection) -> Counts | None:
    if isinstance(record, ListRecord):
        up, down = record.tail - BIAS, record.head - BIAS
        return max(up, 0) + max(-down, 0), max(down, 0) + max(-up, 0)
    if isinstance(record, SetRecord):
        return record.next, record.next - record.members
    if isinstance(record, ScheduleRecord):
        return record.next, record.next - record.items
    if isinstance(record, StreamRecord):
        return record.added, record.added - record.length
    return None
