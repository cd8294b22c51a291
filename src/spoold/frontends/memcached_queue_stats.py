"""`stats` of the queue door: general figures, then those of each queue; of very many queues a slice in each turn.

STAT queue_<name>_items       items that wait
STAT queue_<name>_bytes       their bytes: counted up to some hundred items, estimated from as many beyond
STAT queue_<name>_age         ms since the oldest item came, where that is known (it has flags or an expiry)
STAT queue_<name>_open_transactions, _waiters, _children
STAT queue_<name>_total_items, _total_taken, _total_opened, _total_confirmed, _total_aborted    since the start
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from spoold import __version__
from spoold.command.context import Context
from spoold.datatypes.jobs import fanout
from spoold.datatypes.jobs import store as jobs
from spoold.datatypes.lists import store as lists
from spoold.datatypes.lists import tags
from spoold.dispatch.door import go_on_later
from spoold.dispatch.session import session_of
from spoold.frontends.memcached_queue_words import name_problem
from spoold.frontends.memcached_words import END, ERROR
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import ListRecord, TaggedListRecord

if TYPE_CHECKING:
    from spoold.frontends.memcached_queue import QueueDoor
    from spoold.frontends.memcached_queue_verbs import Verb

_MORE_OF_STATS: Final = b" more of stats"
_NAMES_A_TURN: Final = 200
# Items at each end of a queue that are measured.
_MEASURED: Final = 128


class QueueStats:
    """Answers `stats`, `stats queue NAME` and `stats reset`.

    table: verbs by name, for the door.
    """

    def __init__(self, door: QueueDoor, started_s: float) -> None:
        """started_s: monotonic time of the server's start."""
        self._door = door
        self._started_s = started_s
        self.table: dict[bytes, Verb] = {b"stats": self.stats, _MORE_OF_STATS: self._more}

    def stats(self, ctx: Context, request: list[bytes]) -> bytes:
        """Answer general figures and those of all queues, or of one."""
        match request[1:]:
            case []:
                return self._more(ctx, [_MORE_OF_STATS, b"", 0, 0, 0])
            case [b"reset"]:
                self._door.totals.reset()
                return b"RESET\r\n"
            case [b"queue", name]:
                return b"".join((*self._queue(ctx.ks, name), END))
            case [_]:
                return END  # memcached's items, slabs, sizes, … have nothing to say here
        return ERROR

    def _more(self, ctx: Context, request: list[Any]) -> bytes:
        """A slice of the queues; the sums come behind the last."""
        _, place, queues, items, opened = request
        ks = ctx.ks
        found, place = ks.scan(place, _NAMES_A_TURN)
        lines: list[bytes] = []
        for name, kind in found:
            if kind != ListRecord.kind:
                continue
            queues += 1
            items += lists.length(ks, name)
            opened += jobs.count(ctx.dbs, ks.index, name)
            if name_problem(name) is None and name.isascii() and name.decode().isprintable() and b" " not in name:
                lines += self._queue(ks, name)
        if place:
            go_on_later(ctx, [_MORE_OF_STATS, place, queues, items, opened])
            return b"".join(lines)
        for name, count in jobs.counts(ctx.dbs, ks.index):
            if lists.holds_list(ks, name):
                continue
            queues += 1
            opened += count
            lines += self._queue(ks, name)
        return b"".join((*lines, *self._general(ctx, queues, items, opened), END))

    def _general(self, ctx: Context, queues: int, items: int, opened: int) -> Iterator[bytes]:
        turn = session_of(ctx).dispatcher.turn
        sums = self._door.totals.sums()
        yield from _lines(
            b"",
            {
                b"pid": os.getpid(),
                b"uptime": int(turn.now_s - self._started_s),
                b"time": ctx.now_ms // 1000,
                b"version": __version__.encode(),
                b"curr_connections": self._door.clients,
                b"total_connections": self._door.connections,
                b"curr_queues": queues,
                b"curr_items": items,
                b"open_transactions": opened,
                b"total_items": sums.added,
                b"expired_items": ctx.dbs.expired_items,
                b"cmd_total": self._door.requests,
                b"cmd_set": sums.added + sums.refused,
                b"cmd_get": sums.taken + sums.opened + sums.missed,
                b"get_hits": sums.taken + sums.opened,
                b"get_misses": sums.missed,
            },
        )

    def _queue(self, ks: Keyspace, name: bytes) -> Iterator[bytes]:
        record = ks.find(name)
        length, size, age_ms = (0, 0, None) if not isinstance(record, ListRecord) else _measure(ks, record)
        totals = self._door.totals.of(name)
        figures: dict[bytes, int | bytes] = {
            b"items": length,
            b"bytes": size,
            b"open_transactions": jobs.count(ks.dbs, ks.index, name),
            b"waiters": len(ks.waiting.of(name)),
            b"children": len(fanout.children(ks, name)),
            b"total_items": totals.added,
            b"total_taken": totals.taken,
            b"total_opened": totals.opened,
            b"total_confirmed": totals.confirmed,
            b"total_aborted": totals.given_back,
        }
        if age_ms is not None:
            figures[b"age"] = age_ms
        return _lines(b"queue_%b_" % name, figures)


def _measure(ks: Keyspace, record: ListRecord) -> tuple[int, int, int | None]:
    """(items, their bytes, ms since the oldest came or None) of a queue; cost: O(1)."""
    length = record.count()
    if length <= 2 * _MEASURED:
        size = sum(map(len, lists.read(ks, record, record.head, record.tail)))
    else:
        measured = [
            *lists.read(ks, record, record.head, record.head + _MEASURED),
            *lists.read(ks, record, record.tail - _MEASURED, record.tail),
        ]
        size = sum(map(len, measured)) * length // len(measured)
    tag = tags.get(ks, record, record.head) if isinstance(record, TaggedListRecord) else None
    age_ms = max(ks.dbs.now_ms - tag.added_ms, 0) if tag is not None and tag.added_ms else None
    return length, size, age_ms


def _lines(prefix: bytes, figures: dict[bytes, int | bytes]) -> Iterator[bytes]:
    for name, figure in figures.items():
        value = figure if isinstance(figure, bytes) else b"%d" % figure
        yield b"STAT %b%b %b\r\n" % (prefix, name, value)
