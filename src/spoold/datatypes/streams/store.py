"""Streams: entries in the order of their ids, never changed, added at the end.

    record   object id, entries, first, last and greatest deleted id, how many were ever added, groups, node
    entry    prefix, `e`, id 16 -> node 4, fields (entries.py)

What else stands under the object id belongs to consumer groups (groups.py). A node is some entries that were added one
after the other (nodes.py); approximate trimming removes whole ones (trimming.py).

All functions on names take the database and the key's name first; they raise WrongType where the key holds something
else. A stream without entries is a key still. `append` is the hot path; who reads behind an id is served by windows.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from spoold.core.errors import WrongType
from spoold.core.rdb import Reader
from spoold.datatypes.streams import nodes, payload, windows
from spoold.datatypes.streams.entries import pack_entry, unpack_fields, unpack_node
from spoold.datatypes.streams.groups import stored_consumer
from spoold.datatypes.streams.ids import LAST, ZERO, following, preceding
from spoold.engine.batch import Batch, walk
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import StreamRecord

Entry: TypeAlias = "tuple[bytes, list[bytes]]"
"""Id, and fields and values in turn."""

# Entries that are looked up one by one; more are read as a range.
_FEW: Final = 128
# Entries that are read in one range.
_MANY: Final = 1000

RDB_TYPES: Final = payload.TYPES
"""Redis's types of streams in its RDB format that `decode` reads."""


def find(ks: Keyspace, name: bytes) -> StreamRecord | None:
    """The stream's record, or None. raises: WrongType."""
    record = ks.find(name)
    if record is None:
        return None
    if record.__class__ is not StreamRecord:
        raise WrongType
    return record


def holds_stream(ks: Keyspace, name: bytes) -> bool:
    """Whether there is a stream of this name."""
    return ks.find(name).__class__ is StreamRecord


def create(ks: Keyspace, name: bytes) -> StreamRecord:
    """Make an empty stream under `name`, which must not exist."""
    record = ks.new_collection(name, StreamRecord)
    record.tail = windows.Window(ZERO, ZERO, [])
    return record


def append(ks: Keyspace, name: bytes, record: StreamRecord, id_: bytes, fields: Sequence[bytes]) -> None:
    """Add an entry; `id_` is greater than the last id. cost: O(bytes)."""
    nodes.admit(ks, record, id_, fields)
    ks.batch.fresh[record.entries_prefix + id_] = pack_entry(record.node, fields)
    windows.added(ks, name, record, id_)
    if not record.length:
        record.first = id_
    record.length += 1
    record.added = record.added + 1 & 0xFFFFFFFFFFFFFFFF
    record.last = id_
    ks.changed(name, record)


def get(ks: Keyspace, record: StreamRecord, id_: bytes) -> list[bytes] | None:
    """The fields and values of an entry; None if there is none. cost: O(1)."""
    stored = ks.batch.get(record.entries_prefix + id_)
    return None if stored is None else unpack_fields(stored)


def exists(ks: Keyspace, record: StreamRecord, id_: bytes) -> bool:
    """Whether there is such an entry. cost: O(1)."""
    return ks.batch.get(record.entries_prefix + id_) is not None


def node_of(ks: Keyspace, record: StreamRecord, id_: bytes) -> int:
    """The node of an entry that exists."""
    return unpack_node(ks.batch.get(record.entries_prefix + id_) or b"")


def read_after(ks: Keyspace, name: bytes, record: StreamRecord, after: bytes, count: int | None) -> list[Entry]:
    """Up to `count` entries (None: all) behind the id `after`, oldest first.

    cost: O(entries); where they are many, and not among the youngest, what is pending is applied first.
    """
    if after >= record.last or not record.length:
        return []
    tail = record.tail
    if (count is None or count > _FEW) and (tail is None or tail.low > after):
        return _scan(ks, record, following(after), LAST, count)
    get_ = ks.batch.get
    prefix = record.entries_prefix
    ids = windows.following(ks, name, record, after, record.length if count is None else count)
    return [(id_, unpack_fields(get_(prefix + id_) or b"")) for id_ in ids]


def read(
    ks: Keyspace,
    name: bytes,
    record: StreamRecord,
    start: bytes,
    end: bytes,
    count: int | None,
    *,
    reverse: bool = False,
) -> list[Entry]:
    """Up to `count` entries (None: all) with start <= id <= end, oldest first or (reverse) youngest first.

    cost: O(entries), see `read_after`.
    """
    if start > end or start > record.last or not record.length:
        return []
    if start == end:
        fields = get(ks, record, start)
        return [] if fields is None else [(start, fields)]
    if end < record.first:
        return []
    start = max(start, record.first)
    if not reverse:
        tail = record.tail
        if (count is not None and count <= _FEW) or (tail is not None and tail.low < start):
            found = read_after(ks, name, record, preceding(start), count)
            while found and found[-1][0] > end:
                found.pop()
            return found
        return _scan(ks, record, start, end, count)
    ids = windows.youngest(record, start, end, count)
    if ids is not None:
        get_ = ks.batch.get
        prefix = record.entries_prefix
        return [(id_, unpack_fields(get_(prefix + id_) or b"")) for id_ in ids]
    return _scan(ks, record, start, end, count, reverse=True)


def delete(ks: Keyspace, name: bytes, ids: Sequence[bytes]) -> int:
    """Remove entries. returns: how many there were. cost: O(len(ids))."""
    record = find(ks, name)
    if record is None:
        return 0
    fresh = ks.batch.fresh
    deleted = 0
    lost_first = False
    for id_ in ids:
        if not exists(ks, record, id_):
            continue
        fresh[record.entries_prefix + id_] = None
        windows.removed(record, id_)
        deleted += 1
        lost_first = lost_first or id_ == record.first
        record.max_deleted = max(record.max_deleted, id_)
    if deleted:
        record.length -= deleted
        record.head = None
        if lost_first:
            find_first(ks, name, record)
        if record.length and node_of(ks, record, windows.last_id(ks, record)) != record.node:
            record.node_added = nodes.CLOSED  # all of it is deleted, and Redis goes on with a new one
        ks.changed(name, record)
    return deleted


def find_first(ks: Keyspace, name: bytes, record: StreamRecord) -> None:
    """The first entries were removed: note which is the first one now; `record.length` is right already."""
    if record.length:
        record.first = windows.following(ks, name, record, preceding(record.first), 1)[0]
    else:
        record.first = ZERO


def _scan(
    ks: Keyspace, record: StreamRecord, start: bytes, end: bytes, count: int | None, *, reverse: bool = False
) -> list[Entry]:
    found: list[Entry] = []
    for entry in scan(ks, record, start, end, count, reverse=reverse):
        found.append(entry)
        if len(found) == count:
            break
    return found


def scan(
    ks: Keyspace, record: StreamRecord, start: bytes, end: bytes, count: int | None = None, *, reverse: bool = False
) -> Iterator[Entry]:
    """All entries with start <= id <= end, read as ranges; nothing may change before the last one is taken.

    count: how many will be taken, None for all.
    """
    prefix = record.entries_prefix
    cut = len(prefix)
    size = _MANY if count is None else min(count, _MANY)
    for key, stored in walk(ks.batch, prefix + start, prefix + end + b"\0", size, reverse=reverse):
        yield key[cut:], unpack_fields(stored)


def copy_seen(batch: Batch, record: StreamRecord, twin: StreamRecord) -> None:
    """Give the consumers of a copy the times at which those of `record` were seen, which may not be stored yet.

    twin: its elements are copied. cost: O(consumers that are known).
    """
    cut = len(record.prefix)
    for group in record.known.values():
        for consumer in group.known.values():
            batch.fresh[twin.prefix + consumer.key[cut:]] = stored_consumer(consumer)


def parts(ks: Keyspace, record: StreamRecord) -> list[bytes]:
    """All of a stream, groups and consumers too, as `restore` and `encode` take it. cost: O(all of it)."""
    return payload.parts(ks, record)


def restore(ks: Keyspace, name: bytes, given: list[bytes]) -> None:
    """Make a stream of its parts under `name`, which must not exist."""
    payload.restore(ks, name, given)


def encode(given: list[bytes]) -> bytes:
    """The type and the value of a stream in Redis's RDB format, of its parts."""
    return payload.encode(given)


def decode(reader: Reader, type_byte: int) -> list[bytes]:
    """The parts of a stream in RDB's format, whose type was just read. raises: BadFormat."""
    return payload.decode(reader, type_byte)
