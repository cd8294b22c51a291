"""What happened at the queue door since the start, for each queue."""

from __future__ import annotations

from typing import Final

# So many queues are counted for; beyond that the ones that were counted longest are forgotten.
_MAX_QUEUES: Final = 10_000


class QueueTotals:
    """Of one queue.

    added, refused: by set and add; refused: an equal item waited. taken: by get. missed: gets that found nothing.
    opened, confirmed, given_back: open reads; those given back because their connection went are not in it.
    """

    __slots__ = ("added", "confirmed", "given_back", "missed", "opened", "refused", "taken")

    def __init__(self) -> None:
        """Start at zero."""
        self.added = self.refused = 0
        self.taken = self.missed = 0
        self.opened = self.confirmed = self.given_back = 0


class Totals:
    """Of all queues.

    queues: by name.
    """

    def __init__(self) -> None:
        """Start with none."""
        self.queues: dict[bytes, QueueTotals] = {}
        self._gone = QueueTotals()

    def of(self, queue: bytes) -> QueueTotals:
        """The totals of a queue, to be counted up."""
        totals = self.queues.get(queue)
        if totals is None:
            if len(self.queues) >= _MAX_QUEUES:
                self.forget(next(iter(self.queues)))
            totals = self.queues[queue] = QueueTotals()
        return totals

    def forget(self, queue: bytes) -> None:
        """Count for this queue from zero; the sums keep what it had."""
        totals = self.queues.pop(queue, None)
        if totals is not None:
            _add(self._gone, totals)

    def reset(self) -> None:
        """Start again at zero."""
        self.queues = {}
        self._gone = QueueTotals()

    def sums(self) -> QueueTotals:
        """Over all queues since the start. cost: O(queues)."""
        sums = QueueTotals()
        _add(sums, self._gone)
        for totals in self.queues.values():
            _add(sums, totals)
        return sums


def _add(sums: QueueTotals, totals: QueueTotals) -> None:
    for name in QueueTotals.__slots__:
        setattr(sums, name, getattr(sums, name) + getattr(totals, name))
