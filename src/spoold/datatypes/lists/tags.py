"""Tags: what a queue keeps of an item beside its bytes, so that Redis sees plain bytes and flags are kept.

    element  the tags' prefix, position 8 (as the item's own) -> flags 4, due 8, added 8, attempts 4, rank 8

A tag belongs to the place in the queue: whoever takes, removes or replaces the item drops its tag, and whoever shifts
items shifts their tags (store.py and editing.py see to it, where `record.second_id` says that there are any). So a
position without an item never has a tag.

An item whose time is over is handed out to no one: it is dropped when it stands at the end from which someone takes,
or by a duty when it stands at the head (`store.drop_due`). Behind others it still counts, as its place is taken.

All functions take the list's record; noting the change is the caller's.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import ListRecord, TaggedListRecord

_TAG = struct.Struct(">IQQIQ")
# Up to so many positions are looked at one by one, rather than as a range.
_FEW: Final = 128
_MANY: Final = 4096


class Tag(NamedTuple):
    """What is known of an item.

    flags: memcached's. due_ms: no one gets it from then on, Unix ms; 0 = never. added_ms: when it came; 0 = unknown.
    attempts: how often it was handed out under a lease and came back. rank: rises with the order in which items were
    first handed out, so that they can come back in it; 0 = it never was.
    """

    flags: int = 0
    due_ms: int = 0
    added_ms: int = 0
    attempts: int = 0
    rank: int = 0

    def pack(self) -> bytes:
        """Its TAG_BYTES bytes."""
        return _TAG.pack(*self)

    @classmethod
    def unpack(cls, data: bytes, at: int = 0) -> Tag:
        """The tag whose bytes stand in `data` from `at` on."""
        return cls._make(_TAG.unpack_from(data, at))


NO_TAG: Final = Tag()
TAG_BYTES: Final = _TAG.size


def tagged(ks: Keyspace, name: bytes, record: ListRecord) -> TaggedListRecord:
    """The list's record as one that may have tags; it replaces the plain one. cost: O(1)."""
    if isinstance(record, TaggedListRecord):
        return record
    other = TaggedListRecord(record.object_id)
    other.head, other.tail = record.head, record.tail
    other.expire_ms, other.indexed_ms = record.expire_ms, record.indexed_ms
    other.adopt_tags(ks.dbs.new_id())
    ks.cache.add(name, other)
    ks.changed(name, other)
    return other


def put(ks: Keyspace, record: TaggedListRecord, at: int, tag: Tag) -> None:
    """Give the item at a position that has no tag one."""
    ks.batch.fresh[record.tags_prefix + at.to_bytes(8, "big")] = tag.pack()
    record.tags += 1
    if at == record.head:
        record.alarm_ms = tag.due_ms


def get(ks: Keyspace, record: TaggedListRecord, at: int) -> Tag | None:
    """The tag at a position, None if there is none."""
    if not record.tags:
        return None
    raw = ks.batch.get(record.tags_prefix + at.to_bytes(8, "big"))
    return None if raw is None else Tag.unpack(raw)


def is_due(ks: Keyspace, record: TaggedListRecord, at: int) -> bool:
    """Whether the time of the item at a position is over."""
    tag = get(ks, record, at)
    return tag is not None and 0 < tag.due_ms <= ks.dbs.now_ms


def take(ks: Keyspace, record: TaggedListRecord, at: int) -> Tag | None:
    """Remove and return the tag at a position, None if there is none."""
    if not record.tags:
        return None
    key = record.tags_prefix + at.to_bytes(8, "big")
    raw = ks.batch.get(key)
    if raw is None:
        return None
    ks.batch.fresh[key] = None
    record.tags -= 1
    return Tag.unpack(raw)


def erase(ks: Keyspace, record: TaggedListRecord, first: int, last: int) -> None:
    """Remove the tags at first <= position < last."""
    if last - first <= _FEW:
        for at in range(first, last):
            take(ks, record, at)
        return
    start, stop = record.tags_prefix + first.to_bytes(8, "big"), record.tags_prefix + last.to_bytes(8, "big")
    deleted = _MANY
    while record.tags and deleted == _MANY:
        deleted = ks.batch.delete_range(start, stop, _MANY)
        record.tags -= deleted


def shift(ks: Keyspace, record: TaggedListRecord, first: int, last: int, by: int) -> None:
    """Move the tags at first <= position < last, as the items are moved. cost: O(tags there)."""
    if not record.tags or first >= last:
        return
    prefix = record.tags_prefix
    if last - first <= _FEW and not ks.batch.settled:
        keys = [prefix + at.to_bytes(8, "big") for at in range(first, last)]
        pairs = [(key, raw) for key in keys if (raw := ks.batch.get(key)) is not None]
    else:
        pairs = ks.batch.scan(prefix + first.to_bytes(8, "big"), prefix + last.to_bytes(8, "big"), last - first)
    fresh = ks.batch.fresh
    for key, _ in pairs:
        fresh[key] = None
    for key, raw in pairs:
        fresh[prefix + (int.from_bytes(key[-8:], "big") + by).to_bytes(8, "big")] = raw


def settle(ks: Keyspace, record: TaggedListRecord) -> None:
    """The head has changed: set the alarm for the item that stands there now. cost: one read."""
    tag = get(ks, record, record.head)
    record.alarm_ms = 0 if tag is None else tag.due_ms
