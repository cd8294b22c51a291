"""Which ids follow which, without asking the engine each time.

Entries are found by their ids, but a reader asks for those behind an id, and a range costs more than all else of a
command: what is pending must be applied first. So a stream's record keeps, while it is cached, some **windows**: all
ids of entries with low < id <= high, in order. The tail is the window that ends with the stream's last id; each entry
that is added extends it. Who reads further back gets a window of his own, which is read ahead, the larger the longer he
goes on.

    low ──[ id id id id ]── high                      low ──[ id id id … ]── high = record.last
           a window                                             the tail

Invariants: a window holds exactly the ids of the entries between its borders. So whoever adds an entry calls `added`,
whoever removes one `removed` or `cut`, and whoever moves `record.last` otherwise calls `forget`. Windows live and die
with the cached record; after a rollback there are none.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import after as behind
from spoold.keyspace.record import StreamRecord

# Ids that the tail holds at most, and those that stay when it is shortened.
TAIL_IDS: Final = 512
_TAIL_KEPT: Final = 256
# Each time so many were added, the cache is told how large the record has become.
_TOLD_EACH: Final = 64
# Ids that are read ahead: at first, and at most.
_FIRST_AHEAD: Final = 64
_MOST_AHEAD: Final = 1024
# Windows beside the tail: as many readers may go through a stream at different places.
_MOST_WINDOWS: Final = 4


class Window:
    """All ids of entries with low < id <= high."""

    __slots__ = ("high", "ids", "low")

    def __init__(self, low: bytes, high: bytes, ids: list[bytes]) -> None:
        """ids: in order."""
        self.low = low
        self.high = high
        self.ids = ids


def added(ks: Keyspace, name: bytes, record: StreamRecord, id_: bytes) -> None:
    """An entry was added behind all others; `record.last` is still the last id before it. cost: O(1)."""
    tail = record.tail
    if tail is None:
        record.tail = Window(record.last, id_, [id_])
        return
    ids = tail.ids
    ids.append(id_)
    tail.high = id_
    count = len(ids)
    if not count % _TOLD_EACH:
        if count > TAIL_IDS:
            tail.low = ids[-_TAIL_KEPT - 1]
            del ids[:-_TAIL_KEPT]
        ks.cache.add(name, record)


def removed(record: StreamRecord, id_: bytes) -> None:
    """An entry was removed. cost: O(windows)."""
    for window in _all(record):
        ids = window.ids
        at = bisect_left(ids, id_)
        if at < len(ids) and ids[at] == id_:
            del ids[at]


def cut(record: StreamRecord, first: bytes) -> None:
    """All entries before `first` were removed."""
    for window in _all(record):
        del window.ids[: bisect_left(window.ids, first)]


def forget(record: StreamRecord) -> None:
    """Drop all windows: the last id has changed otherwise than by adding."""
    record.tail = None
    record.windows.clear()


def following(ks: Keyspace, name: bytes, record: StreamRecord, after: bytes, count: int) -> list[bytes]:
    """Ids of up to `count` entries behind the id `after`.

    cost: O(count); one range of the engine for each some hundred ids that are not known yet.
    """
    found: list[bytes] = []
    while len(found) < count and after < record.last:
        window = _covering(record, after)
        if window is None:
            window = _load(ks, name, record, after)
        ids = window.ids
        at = bisect_right(ids, after)
        found += ids[at : at + count - len(found)]
        after = window.high
    return found


def first_ids(ks: Keyspace, name: bytes, record: StreamRecord, count: int) -> list[bytes]:
    """Ids of the first `count` entries; `record.first` must not be behind the first of them."""
    if not record.length:
        return []
    return following(ks, name, record, _before(record.first), count)


def last_id(ks: Keyspace, record: StreamRecord) -> bytes:
    """The id of the last entry of a stream that has one. cost: O(1), a range if that entry was deleted."""
    tail = record.tail
    if tail is not None and tail.ids:
        return bytes(tail.ids[-1])
    prefix = record.entries_prefix
    if ks.batch.get(prefix + record.last) is not None:
        return record.last
    return ks.batch.scan_keys(prefix, behind(prefix), 1, reverse=True)[0][-16:]


def youngest(record: StreamRecord, start: bytes, end: bytes, count: int | None) -> list[bytes] | None:
    """Ids of up to `count` entries (None: all) with start <= id <= end, youngest first.

    returns: None if the tail does not know so many.
    """
    tail: Window | None = record.tail
    if tail is None:
        return None
    ids = tail.ids
    stop = bisect_right(ids, end)
    begin = bisect_left(ids, start)
    if tail.low >= start and (count is None or stop < count) and tail.low >= record.first:
        return None
    if count is not None:
        begin = max(begin, stop - count)
    return ids[begin:stop][::-1]


def _covering(record: StreamRecord, after: bytes) -> Window | None:
    """The window that knows what follows `after`."""
    tail: Window | None = record.tail
    if tail is not None and tail.low <= after:
        return tail
    others: list[Window] = record.windows
    return next((window for window in others if window.low <= after < window.high), None)


def _load(ks: Keyspace, name: bytes, record: StreamRecord, after: bytes) -> Window:
    """Read ahead from `after` on; a window that ended there is gone on with."""
    wanted = _FIRST_AHEAD
    for window in record.windows:
        if window.high == after:
            wanted = min(4 * max(len(window.ids), _FIRST_AHEAD), _MOST_AHEAD)
            record.windows.remove(window)
            break
    prefix = record.entries_prefix
    keys = ks.batch.scan_keys(prefix + after + b"\0", behind(prefix), wanted)
    ids = [key[-16:] for key in keys]
    if len(ids) < wanted:
        window = Window(after, record.last, ids)
        if len(ids) <= TAIL_IDS:
            record.tail = window
            ks.cache.add(name, record)
            return window
    else:
        window = Window(after, ids[-1], ids)
    record.windows.append(window)
    del record.windows[:-_MOST_WINDOWS]
    ks.cache.add(name, record)
    return window


def _all(record: StreamRecord) -> list[Window]:
    return record.windows if record.tail is None else [record.tail, *record.windows]


def _before(id_: bytes) -> bytes:
    return (int.from_bytes(id_, "big") - 1).to_bytes(16, "big")
