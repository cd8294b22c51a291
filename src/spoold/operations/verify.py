"""Verify: does everything in a data directory fit together? And with repair: count again what was counted wrong.

    databases   counts equal to the records there are; ids that no one will get again
    records     readable, under the right key; expiry and alarm index two-way consistent with them
    contents    contents.py: per type, counters and indexes
    elements    each belongs to a record, or to an object that was dropped and waits to be reclaimed
    leases      lease, item, count and deadline in step
    the rest    marks of what was dropped, fan-outs; keys of no known kind

It reads a snapshot, so it may run beside a server. Memory stays small whatever the data: records and elements pass one
at a time, and the ids of objects are sorted in runs on disk. Repair needs the directory for itself; it mends counters
and index entries, of which the right value is known, in turns like those of commands, and removes no data.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from spoold.core.errors import EngineError
from spoold.datatypes.jobs import store as jobs
from spoold.engine.commit import Commit, open_commit
from spoold.engine.snapshot import Snapshot
from spoold.keyspace import layout
from spoold.keyspace.packing import is_long, pack_name, pack_u64, unpack_u64
from spoold.keyspace.record import Record, StringRecord, decode
from spoold.operations import contents
from spoold.operations.faults import Miscounted, Wrong
from spoold.operations.files import Progress, quiet
from spoold.operations.runs import SortedNumbers

log = logging.getLogger("spoold.verify")

# Engine keys between two reports of progress.
_STEP: Final = 1000
# Mutations of a repair in one turn.
_TURN: Final = 1000
# First bytes of the engine keys that are known; all else is told.
_KINDS: Final = frozenset(b"skexgalfp")


@dataclass(frozen=True)
class Fault:
    """Something that does not fit.

    place: where, for people. text: what. mends: engine key → value (None: delete) that makes it right; empty if that
    is not known.
    """

    place: str
    text: str
    mends: dict[bytes, bytes | None] = field(default_factory=dict)


@dataclass
class Report:
    """What was looked at, and what was found.

    faults: the first ones, up to a limit; found: how many there were. mended: of how many the repair was written.
    """

    turn: int = 0
    keys: int = 0
    elements: int = 0
    leases: int = 0
    found: int = 0
    mended: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong, or nothing any more."""
        return self.found == self.mended


def verify(directory: Path, *, repair: bool = False, most_faults: int = 1000, progress: Progress = quiet) -> Report:
    """Look at everything in a data directory.

    repair: write what mends the faults; no server may use the directory.
    most_faults: how many are kept for the report; all are counted, and with `repair` as many are mended.
    progress: told engine keys seen.
    raises: EngineError: unreadable, or in use (repair).
    cost: reads everything once, what stands in two indexes twice: some µs an element.
    """
    if repair:
        # Brings the journal in, and keeps others out while the snapshot is looked at.
        open_commit(directory, "interval").close()
    report = Report()
    with Snapshot(directory) as snapshot:
        report.turn = snapshot.turn
        for fault in _Walk(snapshot, report, progress).faults():
            report.found += 1
            if len(report.faults) < most_faults:
                report.faults.append(fault)
        turn = snapshot.turn
    if repair and report.found:
        _repair(directory, report, turn)
    return report


class _Walk:
    """One pass over a snapshot."""

    def __init__(self, snapshot: Snapshot, report: Report, progress: Progress) -> None:
        self._snapshot = snapshot
        self._report = report
        self._progress = progress
        self._seen = 0
        self._objects = SortedNumbers()
        self._index_of: dict[int, int] = {}
        self._dropped: set[int] = set()
        self._counts: dict[int, int] = {}
        self._next_id = 0
        self._next_stamp = 0

    def faults(self) -> Iterator[Fault]:
        """All faults, in the order of the walk."""
        try:
            yield from self._system()
            yield from self._garbage()
            yield from self._records()
            yield from self._elements()
            yield from self._index("expiry", layout.EXPIRY_FIRST, layout.EXPIRY_STOP)
            yield from self._index("alarm", layout.ALARM_FIRST, layout.ALARM_STOP)
            yield from self._leases()
            yield from self._unknown()
        finally:
            self._objects.close()
        self._progress(self._snapshot.entries, self._snapshot.entries)

    def _pairs(self, start: bytes, stop: bytes, *, values: bool = True) -> Iterator[tuple[bytes, bytes]]:
        """Pairs of a range, and progress."""
        for pair in self._snapshot.pairs(start, stop, values=values):
            self._seen += 1
            if self._seen % _STEP == 0:
                self._progress(min(self._seen, self._snapshot.entries), self._snapshot.entries)
            yield pair

    # -- the parts ------------------------------------------------------------------------------------------------

    def _system(self) -> Iterator[Fault]:
        raw = self._snapshot.get(layout.COUNTERS)
        if raw is not None and len(raw) != 16:
            yield Fault("system", f"the counters have {len(raw)} bytes")
        elif raw is not None:
            self._next_id, self._next_stamp = unpack_u64(raw[:8]), unpack_u64(raw[8:])
        for index in range(layout.DATABASES):
            raw = self._snapshot.get(layout.database_key(index))
            if raw is None:
                continue
            if len(raw) != 16:
                yield Fault(f"db{index}", f"its record has {len(raw)} bytes")
                continue
            id_ = unpack_u64(raw[:8])
            if id_ in self._index_of:
                yield Fault(f"db{index}", f"shows the same keys as db{self._index_of[id_]}")
            self._index_of[id_] = index
            self._counts[id_] = unpack_u64(raw[8:])
            yield from self._check_id(f"db{index}", id_)

    def _garbage(self) -> Iterator[Fault]:
        for key, value in self._pairs(layout.GARBAGE_FIRST, layout.GARBAGE_STOP):
            id_ = layout.garbage_id(key)
            if value == layout.DROPPED_OBJECT:
                self._objects.add(id_)
            elif value == layout.DROPPED_DATABASE:
                self._dropped.add(id_)
                if id_ in self._index_of:
                    yield Fault(f"db{self._index_of[id_]}", "is marked as dropped, and in use")
            elif not value.startswith(layout.FLUSHED_STRINGS):
                yield Fault("garbage", f"the mark of {id_} says {value[:16]!r}")

    def _records(self) -> Iterator[Fault]:
        found: dict[int, int] = dict.fromkeys(self._counts, 0)
        for key, raw in self._pairs(layout.RECORD_FIRST, layout.RECORD_STOP):
            database_id, packed = layout.record_parts(key)
            if database_id in found:
                found[database_id] += 1
            elif database_id not in self._dropped:
                yield Fault("keys", f"{packed[:48]!r} belongs to database {database_id}, which no one sees")
            try:
                record, full = decode(raw)
            except EngineError as error:
                yield Fault(self._place(database_id, packed), str(error))
                continue
            name = packed if full is None else full
            place = self._place(database_id, name)
            if pack_name(name) != packed:
                yield Fault(place, f"stands under the key of {packed[:48]!r}")
            self._report.keys += 1
            yield from self._record(place, database_id, name, record, key)
        for database_id, count in found.items():
            if count != self._counts[database_id]:
                index = self._index_of[database_id]
                yield Fault(
                    f"db{index}",
                    f"counts {self._counts[database_id]} keys, and has {count}",
                    {layout.database_key(index): pack_u64(database_id) + pack_u64(count)},
                )

    def _record(self, place: str, database_id: int, name: bytes, record: Record, key: bytes) -> Iterator[Fault]:
        for object_id in filter(None, (record.object_id, record.second_id)):
            self._objects.add(object_id)
            yield from self._check_id(place, object_id)
        value = name if is_long(name) else b""
        for what, when_ms, entry in (
            ("expiry", record.expire_ms, layout.expiry_key(record.expire_ms, database_id, name)),
            ("alarm", record.alarm_ms, layout.alarm_key(record.alarm_ms, database_id, name)),
        ):
            if when_ms and self._snapshot.get(entry) != value:
                yield Fault(place, f"its {what} at {when_ms} is not in the index", {entry: value})
        if database_id in self._dropped:
            return
        miscounted = False
        for text in contents.check(self._snapshot, record):
            if isinstance(text, Miscounted):
                # All of them are mended together, by the last one's record.
                miscounted = True
                yield Fault(place, text, {key: record.encode(name)})
            else:
                yield Fault(place, text, text.mends if isinstance(text, Wrong) else {})
        if miscounted:
            log.debug("%s was counted again", place)

    def _elements(self) -> Iterator[Fault]:
        """Each object that has elements is some record's, or was dropped; and no two records share one."""
        known = iter(self._objects)
        current = next(known, -1)
        previous = -1
        start = layout.ELEMENT_FIRST
        while (pair := next(self._pairs(start, layout.ELEMENT_STOP, values=False), None)) is not None:
            object_id = layout.element_object(pair[0])
            prefix = layout.elements_prefix(object_id)
            while 0 <= current < object_id:
                previous, current = current, next(known, -1)
                if current == previous:
                    yield Fault(f"object {current}", "belongs to two keys")
            if current != object_id:
                count = sum(1 for _ in self._pairs(prefix, layout.elements_prefix(object_id + 1), values=False))
                self._report.elements += count
                yield Fault(f"object {object_id}", f"{count} elements belong to no key")
            else:
                self._report.elements += sum(
                    1 for _ in self._pairs(prefix, layout.elements_prefix(object_id + 1), values=False)
                )
            start = layout.elements_prefix(object_id + 1)
        for object_id in known:
            if object_id == current:
                yield Fault(f"object {object_id}", "belongs to two keys")
            current = object_id

    def _index(self, what: str, start: bytes, stop: bytes) -> Iterator[Fault]:
        for key, value in self._pairs(start, stop):
            when_ms, database_id, name = layout.expiry_parts(key, value)
            place = self._place(database_id, name)
            if database_id in self._dropped:
                continue
            record = self._find(database_id, name)
            if record is None:
                yield Fault(place, f"is in the {what} index at {when_ms}, and does not exist", {key: None})
            elif (record.expire_ms if what == "expiry" else record.alarm_ms) != when_ms:
                yield Fault(place, f"is in the {what} index at {when_ms}, where it does not belong", {key: None})

    def _leases(self) -> Iterator[Fault]:
        found: dict[tuple[int, bytes], int] = {}
        for key, raw in self._pairs(layout.LEASE_FIRST, layout.LEASE_STOP):
            self._report.leases += 1
            index = layout.lease_index(key)
            try:
                outline = jobs.outline(raw)
            except EngineError as error:
                yield Fault(f"a lease in db{index}", str(error))
                continue
            place = f"lease {outline.id} of {self._named(index, outline.queue)}"
            if layout.lease_key(index, outline.queue, outline.id) != key:
                yield Fault(place, "stands under another's key")
            found[index, pack_name(outline.queue)] = found.get((index, pack_name(outline.queue)), 0) + 1
            if self._snapshot.get(layout.leased_item_key(index, outline.queue, outline.id)) is None:
                yield Fault(place, "has lost its item")
            entry = layout.deadline_key(outline.deadline_ms, outline.id)
            if outline.deadline_ms and self._snapshot.get(entry) is None:
                yield Fault(place, "has a deadline that will not be noticed", {entry: outline.deadline_value(index)})
        yield from self._lease_counts(found)
        yield from self._leased_items()

    def _lease_counts(self, found: dict[tuple[int, bytes], int]) -> Iterator[Fault]:
        for index in range(layout.DATABASES):
            prefix = layout.lease_counts_prefix(index)
            for key, raw in self._pairs(prefix, layout.lease_counts_prefix(index + 1)):
                queue = layout.lease_count_queue(key)
                count = found.pop((index, queue), 0)
                if unpack_u64(raw) != count:
                    yield Fault(
                        self._named(index, queue),
                        f"counts {unpack_u64(raw)} leases, and has {count}",
                        {key: pack_u64(count) if count else None},
                    )
        for (index, queue), count in found.items():
            # Under its packed form a name packs to itself: it is at most one byte too long to be stored as it is.
            key = layout.packed_lease_count_key(index, queue)
            yield Fault(self._named(index, queue), f"counts no leases, and has {count}", {key: pack_u64(count)})

    def _leased_items(self) -> Iterator[Fault]:
        for index in range(layout.DATABASES):
            prefix = layout.leased_items_prefix(index)
            for key, _ in self._pairs(prefix, layout.leased_items_prefix(index + 1), values=False):
                if self._snapshot.get(layout.lease_of_item(key)) is None:
                    yield Fault(f"db{index}", f"the leased item at {key[3:27].hex()} belongs to no lease")

    def _unknown(self) -> Iterator[Fault]:
        start = b"\0"
        while (pair := next(self._snapshot.pairs(start, values=False), None)) is not None:
            kind = pair[0][0]
            if kind not in _KINDS:
                yield Fault("engine", f"keys that begin with {bytes((kind,))!r} are of no kind that is known")
            start = bytes((kind + 1,))

    # -- small things -----------------------------------------------------------------------------------------------

    def _find(self, database_id: int, name: bytes) -> Record | None:
        raw = self._snapshot.get(layout.names_prefix(database_id) + pack_name(name))
        if raw is None:
            return None
        try:
            record, full = decode(raw)
        except EngineError:
            return StringRecord()  # it was told already
        return record if full is None or full == name else None

    def _check_id(self, place: str, id_: int) -> Iterator[Fault]:
        if id_ > self._next_id:
            before, self._next_id = self._next_id, id_
            mends: dict[bytes, bytes | None] = {layout.COUNTERS: pack_u64(id_) + pack_u64(self._next_stamp)}
            yield Fault(place, f"its id {id_} would be given again: the counter stands at {before}", mends)

    def _place(self, database_id: int, name: bytes) -> str:
        index = self._index_of.get(database_id)
        return self._named(f"id {database_id}" if index is None else index, name)

    @staticmethod
    def _named(index: int | str, name: bytes) -> str:
        shown = repr(name if len(name) <= 80 else name[:80])[1:]
        return f"db{index} {shown}"


def _repair(directory: Path, report: Report, turn: int) -> None:
    commit = open_commit(directory, "always")
    try:
        # A start takes one number itself; a checkpoint none.
        if commit.durable_turn > turn + 1:
            raise EngineError(f"{directory} has changed meanwhile: nothing was repaired")
        mends: dict[bytes, bytes | None] = {}
        for fault in report.faults:
            if fault.mends:
                mends.update(fault.mends)
                report.mended += 1
            if len(mends) >= _TURN:
                _write(commit, mends)
        _write(commit, mends)
    finally:
        commit.close()


def _write(commit: Commit, mends: dict[bytes, bytes | None]) -> None:
    commit.batch.fresh.update(mends)
    commit.commit_turn()
    mends.clear()
