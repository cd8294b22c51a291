"""Names: find, create, check the type, delete, rename, expire, in one of 16 databases.

A `Keyspace` is one logical database; `Databases` is all of them, the counters they share and the end of a turn. The
records that a turn changed are noted in `dirty` and written once, when the turn ends.

Invariants: `count` is the number of records; the expiry index holds exactly the expiries of the stored records; a
record in the cache equals what the engine holds, or stands in `dirty`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar, cast

from spoold.engine.batch import Batch
from spoold.keyspace import events, layout
from spoold.keyspace.cache import RecordCache
from spoold.keyspace.cursor import CursorTable
from spoold.keyspace.layout import DATABASES
from spoold.keyspace.packing import HEAD_BYTES, after, is_long, pack_name, pack_u64, unpack_u64
from spoold.keyspace.record import (
    ABSENT,
    STAMP_BITS,
    Collection,
    Record,
    StringRecord,
    TaggedListRecord,
    decode,
    is_string_until,
    outline,
)
from spoold.keyspace.waiters import WaitQueues
from spoold.keyspace.watchers import Watch

NEVER_MS: Final = 1 << 62

_PAIR = struct.Struct(">QQ")

DEFAULT_VALUE_BYTES: Final = 64 * 1024 * 1024
# Redis's defaults for stream-node-max-entries and stream-node-max-bytes.
DEFAULT_NODE_ENTRIES: Final = 100
DEFAULT_NODE_BYTES: Final = 4096
MOST_NODE_BYTES: Final = 1 << 30

C = TypeVar("C", bound=Collection)

Notify = Callable[[int, bytes, bytes], None]


class Keyspace:
    """One logical database.

    index: 0 to 15. count: keys in it (DBSIZE). waiting: the parked callers of its keys.
    observed: names that someone watches or waits for; `changed` looks only into this.
    flushed: strings whose last change is not later than this stamp are dropped, and wait to be reclaimed; mostly 0.
    notify: who is told of keyspace events, None for no one: `if ks.notify: ks.notify(events.LIST, b"lpush", name)`.
    batch, young: the engine's batch, the cache's young generation, for hot paths: a record in `young` that has no
        expiry is as good as found.
    """

    __slots__ = (
        "_saved_count",
        "_saved_id",
        "batch",
        "cache",
        "count",
        "database_id",
        "dbs",
        "dirty",
        "flushed",
        "index",
        "notify",
        "observed",
        "prefix",
        "waiting",
        "watches",
        "young",
    )

    count: int
    database_id: int

    def __init__(self, dbs: Databases, index: int) -> None:
        """Read the database's id and count, or make them."""
        self.dbs = dbs
        self.index = index
        self.batch = dbs.batch
        self.cache = RecordCache()
        self.young = self.cache.young
        self.dirty: dict[bytes, Record] = {}
        self.waiting = WaitQueues()
        self.watches: dict[bytes, dict[Watch, None]] = {}
        self.observed: dict[bytes, int] = {}
        self.notify: Notify | None = None
        self.load()

    # -- finding ------------------------------------------------------------------------------------------------

    def find(self, name: bytes) -> Record | None:
        """The record of `name`, or None if there is none or it is due. cost: one dict look-up if cached."""
        record = self.young.get(name)
        if record is None:
            record = self._load(name)
        if record is ABSENT:
            return None
        if record.expire_ms and record.expire_ms <= self.dbs.now_ms:
            if not self.dbs.read_only:
                self.expire(name)
            return None
        return record

    def _load(self, name: bytes) -> Record:
        """Bring the record of `name` into the cache's young generation; ABSENT if there is none."""
        record = self.cache.old_or_none(name)
        if record is not None:
            return record
        record = self.dirty.get(name)
        if record is None:
            raw = self.dbs.batch.get(self.prefix + pack_name(name))
            record = ABSENT
            if raw is not None:
                found, full_name = decode(raw)
                if full_name is None or full_name == name:
                    record = found
                    if self.flushed and is_string_until(raw, self.flushed):
                        record.expire_ms = 1  # as good as due: whoever looks at it drops it
        self.cache.add(name, record)
        return record

    # -- changing -----------------------------------------------------------------------------------------------

    def changed(self, name: bytes, record: Record) -> None:
        """Note that the open turn changed `record`: it is written when the turn ends, and observers are told."""
        self.dirty[name] = record
        if self.observed and name in self.observed:
            self.tell(name)

    def add(self, name: bytes, record: Record) -> None:
        """Give `name`, which must not exist, a record."""
        self._put(name, record)
        if self.notify:
            self.notify(events.NEW_KEY, b"new", name)

    def _put(self, name: bytes, record: Record) -> None:
        if self.flushed and isinstance(record, StringRecord) and record.stamp & STAMP_BITS <= self.flushed:
            record.stamp = self.dbs.new_stamp()  # it comes from another database, where it was not flushed
        self.cache.add(name, record)
        self.count += 1
        self.changed(name, record)

    def replace(self, name: bytes, record: Record) -> None:
        """Give `name` a record, whatever it was before; the expiry is the new record's."""
        old = self.find(name)
        if old is None:
            self.add(name, record)
        else:
            self._drop(name, old)
            self._put(name, record)

    def delete(self, name: bytes) -> bool:
        """Drop the key. returns: whether it existed. cost: O(1), elements are reclaimed later."""
        record = self.find(name)
        if record is None:
            return False
        self._drop(name, record)
        self.cache.add(name, ABSENT)
        self.changed(name, ABSENT)
        return True

    def remove(self, name: bytes) -> bool:
        """`delete`, and tell the event."""
        deleted = self.delete(name)
        if deleted and self.notify:
            self.notify(events.GENERIC, b"del", name)
        return deleted

    def emptied(self, name: bytes, record: Collection) -> None:
        """The last element of `record` was removed: an empty collection is no key."""
        if self.dbs.on_emptied is not None:
            self.dbs.on_emptied(self.index, name, record)
        self._unindex(name, record)
        self.count -= 1
        self.cache.add(name, ABSENT)
        self.changed(name, ABSENT)

    def detach(self, name: bytes) -> Record:
        """Take the record of `name`, which must exist, out without dropping its elements (RENAME, MOVE)."""
        record = self.find(name)
        assert record is not None  # noqa: S101 - the caller looked
        self._unindex(name, record)
        self.count -= 1
        self.cache.add(name, ABSENT)
        self.changed(name, ABSENT)
        return record

    def expire(self, name: bytes) -> None:
        """Drop a key that is due, and count it."""
        record = self.cache.young.get(name)
        if record is None:
            record = self._load(name)
        self._drop(name, record)
        self.cache.add(name, ABSENT)
        self.dbs.falls_due = True
        self.changed(name, ABSENT)
        self.dbs.falls_due = False
        self.dbs.expired += 1
        if self.notify:
            self.notify(events.EXPIRED, b"expired", name)

    def expires_at(self, name: bytes) -> int | None:
        """The expiry of `name` in Unix ms, due or not; 0 if it has none, None if there is no such key."""
        record = self.cache.young.get(name)
        if record is None:
            record = self._load(name)
        return None if record is ABSENT else record.expire_ms

    def tell(self, name: bytes) -> None:
        """Tell that `name` has changed: whoever watches it, waits for it, or asked for all changes."""
        self._wake(name)
        if self.dbs.on_change is not None:
            self.dbs.on_change(self.index, name)

    def _wake(self, name: bytes) -> None:
        """Break the watches on `name`; if its waiters may go on, or are to know that it is gone, note that."""
        for watch in self.watches.get(name, ()):
            watch.broken = True
        waiting = self.waiting
        if name in waiting.queues and (name in waiting.needed or (self.young.get(name) or self._load(name)).wakes):
            self.dbs.ready[(self.index, name)] = None

    def _drop(self, name: bytes, record: Record) -> None:
        self._unindex(name, record)
        self.count -= 1
        if record.object_id:
            self.dbs.drop(record.object_id, layout.DROPPED_OBJECT)
            if record.second_id:
                self.dbs.drop(record.second_id, layout.DROPPED_OBJECT)

    def _unindex(self, name: bytes, record: Record) -> None:
        if record.second_id:
            self._unset_alarm(name, cast("TaggedListRecord", record))
        if record.indexed_ms:
            self.dbs.batch.fresh[layout.expiry_key(record.indexed_ms, self.database_id, name)] = None
            record.indexed_ms = 0

    def new_collection(self, name: bytes, cls: type[C]) -> C:
        """Create an empty collection of type `cls` under `name`, which must not exist; the caller fills it."""
        record = cls(self.dbs.new_id())
        self.add(name, record)
        return record

    @contextmanager
    def untold(self) -> Iterator[None]:
        """Tell no events of what is done inside: the caller has other words for it."""
        notify, self.notify = self.notify, None
        try:
            yield
        finally:
            self.notify = notify

    # -- observers ----------------------------------------------------------------------------------------------

    def observe(self, name: bytes) -> None:
        """One more watches or waits for `name`."""
        self.observed[name] = self.observed.get(name, 0) + 1

    def unobserve(self, name: bytes) -> None:
        """One less does."""
        left = self.observed[name] - 1
        if left:
            self.observed[name] = left
        else:
            del self.observed[name]

    def tell_present(self) -> None:
        """All names go, or came (FLUSHDB, SWAPDB): tell whoever watches or waits for one that exists.

        One that is due is as good as gone: who watched it before it was due hears of it from EXEC.
        """
        for name in list(self.observed):
            expire_ms = self.expires_at(name)
            if expire_ms == 0 or (expire_ms is not None and expire_ms > self.dbs.now_ms):
                self._wake(name)

    def _tell_flushed(self) -> None:
        if self.dbs.on_flush is not None:
            self.dbs.on_flush()

    # -- all names ----------------------------------------------------------------------------------------------

    def scan(self, place: bytes, limit: int, prefix: bytes = b"") -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Look at up to `limit` records in name order, from `place` on (b"" is the beginning).

        prefix: only names that start with it (with its first 465 bytes) are visited. Keys that are due are left out.
        returns: (name, kind) pairs, and the place where the next call goes on, b"" at the end.
        cost: O(limit), about 1.5 µs a record, and the pending mutations are applied first. Holds one value at a time.
        """
        self.write()
        batch = self.batch
        start = self.prefix + prefix[:HEAD_BYTES]
        stop = after(start)
        if place:
            start = max(start, self.prefix + place)
        keys = batch.scan_keys(start, stop, limit)
        found = []
        cut = len(self.prefix)
        now_ms = self.dbs.now_ms
        flushed = self.flushed
        get = batch.get
        for key in keys:
            raw = get(key) or b""
            kind, expire_ms, full_name = outline(raw)
            if not 0 < expire_ms <= now_ms and not (flushed and is_string_until(raw, flushed)):
                found.append((key[cut:] if full_name is None else full_name, kind))
        goes_on = keys[-1][cut:] + b"\0" if len(keys) == limit else b""
        return found, goes_on

    def names(self, prefix: bytes = b"") -> Iterator[bytes]:
        """Every name in order: for KEYS; nothing may change meanwhile."""
        place = b""
        while True:
            found, place = self.scan(place, 1000, prefix)
            for name, _ in found:
                yield name
            if not place:
                return

    def flush(self) -> None:
        """Drop all keys. cost: O(1), all is reclaimed later."""
        self.write()  # else the reclaimer finds what MOVE took out, and misses what this turn created
        self._tell_flushed()
        if self.count == 0:
            return
        self.dbs.drop(self.database_id, layout.DROPPED_DATABASE)
        self.become(self.dbs.new_id(), 0)

    def flush_strings(self) -> None:
        """Drop all strings, and nothing else. cost: O(names that someone watches), all is reclaimed later."""
        for name in list(self.observed):
            if isinstance(self.find(name), StringRecord):
                self._wake(name)
        self._tell_flushed()
        self.write()  # else a string of this turn is written behind the mark, with a stamp before it
        if self.count == 0:
            return
        self.dbs.drop(self.database_id, layout.flushed_strings(self.dbs.stamp, b""))
        self.flushed = self.dbs.stamp
        self.cache.clear()

    # -- the turn -----------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Read id and count from the engine: at start, and after a rollback."""
        raw = self.dbs.batch.get(layout.database_key(self.index))
        if raw is None:
            # Stored with the first key: a turn that only reads must write nothing.
            self.database_id, self.count = self._saved_id, self._saved_count = self.dbs.new_id(), 0
        else:
            self.database_id, self.count = self._saved_id, self._saved_count = _PAIR.unpack(raw)
        self._load_flushed()
        self.prefix = layout.names_prefix(self.database_id)

    def _load_flushed(self) -> None:
        mark = self.dbs.batch.get(layout.garbage_key(self.database_id)) or b""
        self.flushed = layout.flushed_parts(mark)[0] if mark.startswith(layout.FLUSHED_STRINGS) else 0

    def become(self, database_id: int, count: int) -> None:
        """Show the names of another database id (FLUSHDB, SWAPDB); `write` comes before it."""
        self._tell_flushed()
        self.tell_present()
        self.cache.clear()
        self.database_id = database_id
        self.count = count
        self._load_flushed()
        self.prefix = layout.names_prefix(database_id)
        self.tell_present()

    def write(self) -> None:
        """Put the records that the turn changed, and the count, into the batch."""
        fresh = self.dbs.batch.fresh
        if self.dirty:
            prefix = self.prefix
            for name, record in self.dirty.items():
                key = prefix + (name if len(name) < 256 else pack_name(name))
                if record is ABSENT:
                    fresh[key] = None
                    continue
                fresh[key] = record.encode(name)
                if record.expire_ms != record.indexed_ms:
                    self._index(name, record)
                if record.second_id:
                    self._set_alarm(name, cast("TaggedListRecord", record))
            self.dirty = {}
        if self.count != self._saved_count or self.database_id != self._saved_id:
            self._saved_id, self._saved_count = self.database_id, self.count
            fresh[layout.database_key(self.index)] = _PAIR.pack(self.database_id, self.count)

    def _index(self, name: bytes, record: Record) -> None:
        if record.indexed_ms:
            self.dbs.batch.fresh[layout.expiry_key(record.indexed_ms, self.database_id, name)] = None
            record.indexed_ms = 0
        if record.expire_ms:
            key = layout.expiry_key(record.expire_ms, self.database_id, name)
            self.dbs.batch.fresh[key] = name if is_long(name) else b""
            record.indexed_ms = record.expire_ms
            self.dbs.next_due_ms = min(self.dbs.next_due_ms, record.expire_ms)

    def _set_alarm(self, name: bytes, record: TaggedListRecord) -> None:
        if record.alarm_ms == record.alarmed_ms:
            return
        self._unset_alarm(name, record)
        if record.alarm_ms:
            key = layout.alarm_key(record.alarm_ms, self.database_id, name)
            self.dbs.batch.fresh[key] = name if is_long(name) else b""
            record.alarmed_ms = record.alarm_ms
            self.dbs.next_alarm_ms = min(self.dbs.next_alarm_ms, record.alarm_ms)

    def _unset_alarm(self, name: bytes, record: TaggedListRecord) -> None:
        if record.alarmed_ms:
            self.dbs.batch.fresh[layout.alarm_key(record.alarmed_ms, self.database_id, name)] = None
            record.alarmed_ms = 0


class EveryName(dict[bytes, int]):
    """What a keyspace observes if all changes are to be told: `name in` it holds for any name."""

    def __contains__(self, name: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return True


class Databases:
    """The 16 databases, what they share, and the end of a turn.

    now_ms: wall time of the open turn, the same for all its commands.
    value_limit_bytes: how long one value may become, however it grows.
    ready: keys with waiters that changed, in order.
    next_due_ms: no key falls due before it; next_alarm_ms: no first item of a list does; next_deadline_ms: no lease.
    flush_ms: when the strings of database 0 are to be dropped, Unix ms; NEVER_MS if they are not.
    expired_items: items of queues that were dropped because no one took them in time.
    stream_node_entries: how many entries of a stream approximate trimming removes together; 0 = all.
    stream_node_bytes: their size in Redis, beyond which they are fewer.
    on_emptied: told of each collection that has lost its last element, with its database's index; None for no one.
    on_change: told (database, name) of each change of a name that is observed. on_flush: told that many names go or
        come at once. None for no one.
    falls_due: what changes now does so by itself, because its time has come.
    read_only: the disk refuses writes; a key that is due is hidden, but stays until it is taken out.
    """

    def __init__(self, batch: Batch) -> None:
        """Read the counters from the engine, or make them."""
        self.batch = batch
        self.now_ms = 0
        self.value_limit_bytes = DEFAULT_VALUE_BYTES
        self.stream_node_entries = DEFAULT_NODE_ENTRIES
        self.stream_node_bytes = DEFAULT_NODE_BYTES
        self.expired = 0
        self.next_due_ms = 0
        self.next_alarm_ms = 0
        self.next_deadline_ms = 0
        self.expired_items = 0
        self.has_garbage = True
        self.read_only = False
        self.ready: dict[tuple[int, bytes], None] = {}
        self.cursors = CursorTable()
        self.on_rollback: list[Callable[[], None]] = []
        self.on_change: Callable[[int, bytes], None] | None = None
        self.on_flush: Callable[[], None] | None = None
        self.falls_due = False
        self.on_emptied: Callable[[int, bytes, Collection], None] | None = None
        self.used: dict[int, Keyspace] = {}
        self._next_id = 0
        self.stamp = 0
        self._saved = (0, 0)
        self._load_counters()
        self.flush_ms = self._read_flush_time()
        self.all = [Keyspace(self, index) for index in range(DATABASES)]

    def __getitem__(self, index: int) -> Keyspace:
        """The database `index`, 0 to 15; whoever may change one gets it here, so that `write` visits it."""
        keyspace = self.all[index]
        self.used[index] = keyspace
        return keyspace

    def new_id(self) -> int:
        """An object or database id that was never used. Ids of a rolled-back turn were never seen by anyone."""
        self._next_id += 1
        return self._next_id

    def new_stamp(self) -> int:
        """The next value of the change counter."""
        self.stamp += 1
        return self.stamp

    def drop(self, id_: int, kind: bytes) -> None:
        """Mark an object's elements or a database's names for reclaiming."""
        self.batch.fresh[layout.garbage_key(id_)] = kind
        self.has_garbage = True

    def by_id(self, database_id: int) -> Keyspace | None:
        """The database that shows `database_id` now."""
        for keyspace in self.all:
            if keyspace.database_id == database_id:
                return self[keyspace.index]
        return None

    def swap(self, first: int, second: int) -> None:
        """SWAPDB: each shows the other's names. cost: O(1)."""
        one, other = self[first], self[second]
        one.write()
        other.write()
        state = (one.database_id, one.count)
        one.become(other.database_id, other.count)
        other.become(*state)

    def write(self) -> None:
        """The end of a turn: bring all changed records and counters into the batch."""
        for keyspace in self.used.values():
            keyspace.write()
        # Ids that nothing was stored under need not be remembered: a turn that only reads must write nothing.
        if (self.stamp != self._saved[1] or self._next_id != self._saved[0]) and self.batch.written:
            self._saved = (self._next_id, self.stamp)
            self.batch.fresh[layout.COUNTERS] = _PAIR.pack(self._next_id, self.stamp)

    def set_flush_time(self, flush_ms: int) -> None:
        """Let all strings of database 0 be dropped at a time to come (Unix ms), or at none (NEVER_MS)."""
        if flush_ms != self.flush_ms:
            self.flush_ms = flush_ms
            self.batch.fresh[layout.FLUSH_TIME] = None if flush_ms == NEVER_MS else pack_u64(flush_ms)

    def flush_due_strings(self) -> None:
        """The time of `set_flush_time` has come. Called before anything else of a turn looks at the data."""
        self[0].flush_strings()
        self.set_flush_time(NEVER_MS)

    def rollback(self) -> None:
        """The turn was rolled back: forget what it changed, read the counters again."""
        self._load_counters()
        self.flush_ms = self._read_flush_time()
        for keyspace in self.all:
            keyspace.dirty = {}
            keyspace.cache.clear()
            keyspace.load()
        self.ready.clear()
        self.next_due_ms = 0
        self.next_alarm_ms = 0
        self.next_deadline_ms = 0
        self.has_garbage = True
        for forget in self.on_rollback:
            forget()

    def _read_flush_time(self) -> int:
        raw = self.batch.get(layout.FLUSH_TIME)
        return NEVER_MS if raw is None else unpack_u64(raw)

    def _load_counters(self) -> None:
        raw = self.batch.get(layout.COUNTERS)
        self._next_id, self.stamp = _PAIR.unpack(raw) if raw is not None else (0, 0)
        self._saved = (self._next_id, self.stamp)
