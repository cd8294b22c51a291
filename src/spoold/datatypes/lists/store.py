"""Lists: elements by position.

    record   object id, head, tail: the elements stand at head <= position < tail (biased by 2**63)
    element  prefix, position 8 (big-endian) -> value

Positions are contiguous, so the element at an index is one get; removing or inserting in the middle (editing.py)
shifts the shorter side. All functions on names take the database and the key's name first; a missing key is an empty
list, and a list that loses its last element is no key any more. They raise WrongType where the key holds something
else. An index counts from the head, from 0; a negative one from the tail, from -1.

An item of a queue may have a tag (tags.py); a list that has any is of a record type of its own, which the hot paths
pass on to what knows of tags: `record.second_id` tells.

`push` and `pop` are the hot path of every queue: they look into the cache themselves and write the turn's dicts.
A scan replaces `batch.fresh`: take it from the batch again after each read of a range.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from spoold.core.errors import WrongType
from spoold.datatypes.lists import tags
from spoold.keyspace import events
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.layout import DROPPED_OBJECT
from spoold.keyspace.record import ListRecord, TaggedListRecord

# What other rooms need of tags.
Tag = tags.Tag
NO_TAG: Final = tags.NO_TAG
TAG_BYTES: Final = tags.TAG_BYTES

HEAD: Final = 0
TAIL: Final = 1

# Up to so many neighbours are read one by one while mutations are pending: a scan would apply those first, which
# alone costs as much as 150 reads. Nor is it worth a range delete.
FEW: Final = 128
# Events by side.
_PUSHED: Final = (b"lpush", b"rpush")
_POPPED: Final = (b"lpop", b"rpop")
# Elements that are read or deleted in one go, some milliseconds.
MANY: Final = 4096
# LTRIM moves what it keeps where it drops this many times as much: a move costs a read and a write, a delete is one.
MOVE_FACTOR: Final = 8


def find(ks: Keyspace, name: bytes) -> ListRecord | None:
    """The list's record, or None. raises: WrongType."""
    record = ks.find(name)
    if record is None:
        return None
    if record.__class__ is not ListRecord and not isinstance(record, ListRecord):
        raise WrongType
    return record


def holds_list(ks: Keyspace, name: bytes) -> bool:
    """Whether there is a list under `name`."""
    return isinstance(ks.find(name), ListRecord)


def push(ks: Keyspace, name: bytes, side: int, values: Sequence[bytes]) -> int:
    """Add values one after the other at one side, creating the list if needed.

    returns: the new length.
    cost: O(len(values)); nothing is read but the record.
    """
    record = ks.young.get(name)
    if record.__class__ is not ListRecord or record.expire_ms:
        record = find(ks, name) or ks.new_collection(name, ListRecord)
    fresh = ks.batch.fresh
    prefix = record.prefix
    if side:
        position = record.tail
        for value in values:
            fresh[prefix + position.to_bytes(8, "big")] = value
            position += 1
        record.tail = position
    else:
        position = record.head
        for value in values:
            position -= 1
            fresh[prefix + position.to_bytes(8, "big")] = value
        record.head = position
    ks.dirty[name] = record
    if name in ks.observed:
        ks.tell(name)
    if ks.notify:
        ks.notify(events.LIST, _PUSHED[side], name)
    return record.tail - record.head


def pop(ks: Keyspace, name: bytes, side: int) -> bytes | None:
    """Take one element from one side; None if there is none. cost: O(1)."""
    record = ks.young.get(name)
    if record.__class__ is not ListRecord or record.expire_ms:
        record = find(ks, name)
        if record is None:
            return None
        if record.second_id:
            item = _take_tagged(ks, name, cast("TaggedListRecord", record), side)
            return None if item is None else item[0]
    batch = ks.batch
    head, tail = record.head, record.tail
    if side:
        record.tail = tail = position = tail - 1
    else:
        position = head
        record.head = head = head + 1
    key = record.prefix + position.to_bytes(8, "big")
    value = batch.take(key)
    if head == tail:
        ks.emptied(name, record)
    else:
        ks.dirty[name] = record
        if name in ks.observed:
            ks.tell(name)
    if ks.notify:
        _tell_popped(ks, name, side)
    return value


def pop_many(ks: Keyspace, name: bytes, side: int, count: int) -> list[bytes] | None:
    """Take up to `count` elements from one side, in the order of single pops; None if there is no list.

    cost: O(count); the whole list is dropped in O(1) once it is read.
    """
    record = find(ks, name)
    if record is None:
        return None
    if record.second_id:
        return _pop_many_tagged(ks, name, side, count)
    head, tail = record.head, record.tail
    if count >= tail - head:
        values = read(ks, record, head, tail)
        ks.delete(name)
    elif side:
        values = read(ks, record, tail - count, tail)
        cut(ks, record, head, tail - count)
        ks.changed(name, record)
    else:
        values = read(ks, record, head, head + count)
        cut(ks, record, head + count, tail)
        ks.changed(name, record)
    if side:
        values.reverse()
    if count and ks.notify:
        _tell_popped(ks, name, side)
    return values


def move(ks: Keyspace, source: bytes, target: bytes, from_side: int, to_side: int) -> bytes | None:
    """Take an element from one side of a list and add it to a side of another one, or of the same.

    returns: the element; None if there is no source, and then the target is not looked at.
    cost: O(1).
    """
    record = find(ks, source)
    if record is None:
        return None
    if source == target and not record.second_id:
        return _rotate(ks, source, record, from_side, to_side)
    find(ks, target)  # its type must be right before anything is taken
    if ks.notify:
        with ks.untold():
            value = pop(ks, source, from_side)
    else:
        value = pop(ks, source, from_side)
    if value is not None:  # all of a tagged list may be overdue
        push(ks, target, to_side, (value,))
        if ks.notify:
            _tell_popped(ks, source, from_side)  # behind the push, as in Redis
    return value


def _rotate(ks: Keyspace, name: bytes, record: ListRecord, from_side: int, to_side: int) -> bytes:
    batch, prefix = ks.batch, record.prefix
    position = record.tail - 1 if from_side else record.head
    key = prefix + position.to_bytes(8, "big")
    value = batch.get(key)
    assert value is not None  # noqa: S101 - positions are contiguous
    if from_side != to_side:
        batch.delete(key)
        if to_side:
            batch.put(prefix + record.tail.to_bytes(8, "big"), value)
            record.head += 1
            record.tail += 1
        else:
            record.head -= 1
            record.tail -= 1
            batch.put(prefix + record.head.to_bytes(8, "big"), value)
    ks.changed(name, record)
    if ks.notify:
        ks.notify(events.LIST, _PUSHED[to_side], name)
        ks.notify(events.LIST, _POPPED[from_side], name)
    return value


def _tell_popped(ks: Keyspace, name: bytes, side: int) -> None:
    """Something was taken, and maybe all."""
    if ks.notify:
        ks.notify(events.LIST, _POPPED[side], name)
        if ks.find(name) is None:
            ks.notify(events.GENERIC, b"del", name)


def length(ks: Keyspace, name: bytes) -> int:
    """How many elements there are. cost: O(1)."""
    record = find(ks, name)
    return 0 if record is None else record.tail - record.head


def position(record: ListRecord, index: int) -> int | None:
    """Where the element at `index` stands; None if there is none."""
    at = (record.tail if index < 0 else record.head) + index
    return at if record.head <= at < record.tail else None


def write(ks: Keyspace, name: bytes, record: ListRecord, at: int, value: bytes) -> None:
    """Replace the element at a position that exists."""
    if record.second_id:
        tags.take(ks, cast("TaggedListRecord", record), at)
    ks.batch.put(record.prefix + at.to_bytes(8, "big"), value)
    ks.changed(name, record)
    if ks.notify:
        ks.notify(events.LIST, b"lset", name)


def between(ks: Keyspace, name: bytes, start: int, stop: int) -> list[bytes]:
    """The elements from index `start` to `stop`, both included; what lies outside the list is left out.

    cost: O(elements returned).
    """
    record = find(ks, name)
    if record is None:
        return []
    first, last = _clip(record, start, stop)
    return read(ks, record, first, last)


def trim(ks: Keyspace, name: bytes, start: int, stop: int) -> None:
    """Keep only the elements from index `start` to `stop`, both included.

    cost: O(elements removed), or O(elements kept) where those are far fewer: they are moved to a new object, and the
        reclaimer drops the old one. O(1) if none is kept.
    """
    record = find(ks, name)
    if record is None:
        return
    first, last = _clip(record, start, stop)
    if first >= last:
        ks.delete(name)
        if ks.notify:
            ks.notify(events.LIST, b"ltrim", name)
            ks.notify(events.GENERIC, b"del", name)
        return
    kept = last - first
    if MANY < record.tail - record.head - kept > MOVE_FACTOR * kept:
        _move_to_new_object(ks, record, first, last)
    else:
        cut(ks, record, first, last)
    ks.changed(name, record)
    if ks.notify:
        ks.notify(events.LIST, b"ltrim", name)


def _clip(record: ListRecord, start: int, stop: int) -> tuple[int, int]:
    """Positions first <= position < last of the indexes `start` to `stop`; first >= last if there are none."""
    head, tail = record.head, record.tail
    first = max(start + (tail if start < 0 else head), head)
    last = min(stop + (tail if stop < 0 else head), tail - 1) + 1
    return first, last


def _move_to_new_object(ks: Keyspace, record: ListRecord, first: int, last: int) -> None:
    """Give the list a new object that holds only positions first to last; the reclaimer drops the old one."""
    ks.dbs.drop(record.object_id, DROPPED_OBJECT)
    if record.second_id:
        tags.erase(ks, cast("TaggedListRecord", record), record.head, first)
        tags.erase(ks, cast("TaggedListRecord", record), last, record.tail)
    old = record.prefix
    record.adopt(ks.dbs.new_id())
    record.head, record.tail = first, last
    for at in range(first, last, MANY):
        pairs = ks.batch.scan(old + at.to_bytes(8, "big"), old + last.to_bytes(8, "big"), MANY)
        ks.batch.fresh.update((record.prefix + key[-8:], value) for key, value in pairs)
    if record.second_id:
        tags.settle(ks, cast("TaggedListRecord", record))


# -- items with tags, for queues ---------------------------------------------------------------------------------------


def put(ks: Keyspace, name: bytes, side: int, value: bytes, tag: Tag) -> None:
    """Add an item with its tag at one side, creating the list if needed. cost: O(1)."""
    found = find(ks, name)
    if found is None:
        record = ks.new_collection(name, TaggedListRecord)
        record.adopt_tags(ks.dbs.new_id())
    else:
        record = tags.tagged(ks, name, found)
    if side:
        at = record.tail
        record.tail += 1
    else:
        record.head -= 1
        at = record.head
    ks.batch.fresh[record.prefix + at.to_bytes(8, "big")] = value
    tags.put(ks, record, at, tag)
    ks.changed(name, record)
    if ks.notify:
        ks.notify(events.LIST, _PUSHED[side], name)


def take(ks: Keyspace, name: bytes, side: int) -> tuple[bytes, Tag] | None:
    """Take one item from one side with its tag, NO_TAG if it has none; None if there is no item. cost: O(1)."""
    record = find(ks, name)
    if record is None:
        return None
    if record.second_id:
        return _take_tagged(ks, name, cast("TaggedListRecord", record), side)
    value = pop(ks, name, side)
    return None if value is None else (value, NO_TAG)


def peek(ks: Keyspace, name: bytes) -> tuple[bytes, Tag] | None:
    """The item at the head and its tag; None if there is no item whose time is not over. cost: O(1)."""
    record = find(ks, name)
    if record is None:
        return None
    if not record.second_id:
        return read(ks, record, record.head, record.head + 1)[0], NO_TAG
    tagged = cast("TaggedListRecord", record)
    for at in range(record.head, record.tail):
        tag = tags.get(ks, tagged, at)
        if tag is None or not 0 < tag.due_ms <= ks.dbs.now_ms:
            return read(ks, record, at, at + 1)[0], tag or NO_TAG
    return None


def put_back(ks: Keyspace, name: bytes, value: bytes, tag: Tag) -> None:
    """Put an item that was handed out back at the head, behind those that came back before and have lower ranks.

    cost: O(1) and O(items that it is put behind), which are at most `FEW`.
    """
    record = find(ks, name)
    behind = 0
    if record is not None and record.second_id:
        tagged = cast("TaggedListRecord", record)
        for at in range(record.head, min(record.head + FEW, record.tail)):
            other = tags.get(ks, tagged, at)
            if other is None or not 0 < other.rank < tag.rank:
                break
            behind += 1
    if not behind:
        put(ks, name, HEAD, value, tag)
        return
    record = tagged
    shift(ks, record, record.head, record.head + behind, -1)
    record.head -= 1
    at = record.head + behind
    ks.batch.fresh[record.prefix + at.to_bytes(8, "big")] = value
    tags.put(ks, tagged, at, tag)
    ks.changed(name, record)
    if ks.notify:
        ks.notify(events.LIST, b"lpush", name)


def drop_due(ks: Keyspace, name: bytes, limit: int) -> int:
    """Drop up to `limit` items at the head whose time is over; returns how many."""
    record = find(ks, name)
    if record is None or not record.second_id:
        return 0
    tagged = cast("TaggedListRecord", record)
    dropped = 0
    while dropped < limit and record.head < record.tail and tags.is_due(ks, tagged, record.head):
        tags.take(ks, tagged, record.head)
        ks.batch.fresh[record.prefix + record.head.to_bytes(8, "big")] = None
        record.head += 1
        dropped += 1
    ks.dbs.expired_items += dropped
    _settle(ks, name, tagged)
    if dropped and ks.notify:
        _tell_popped(ks, name, HEAD)
    return dropped


def _take_tagged(ks: Keyspace, name: bytes, record: TaggedListRecord, side: int) -> tuple[bytes, Tag] | None:
    batch, now_ms = ks.batch, ks.dbs.now_ms
    item = None
    while item is None and record.head < record.tail:
        if side:
            record.tail -= 1
            at = record.tail
        else:
            at = record.head
            record.head += 1
        value = batch.take(record.prefix + at.to_bytes(8, "big"))
        tag = tags.take(ks, record, at)
        if tag is None or not 0 < tag.due_ms <= now_ms:
            item = cast("bytes", value), tag or NO_TAG
        else:
            ks.dbs.expired_items += 1
    _settle(ks, name, record)
    if ks.notify:
        _tell_popped(ks, name, side)
    return item


def _pop_many_tagged(ks: Keyspace, name: bytes, side: int, count: int) -> list[bytes] | None:
    values: list[bytes] = []
    if not count:
        return values
    while len(values) < count and (value := pop(ks, name, side)) is not None:
        values.append(value)
    return values or None


def _settle(ks: Keyspace, name: bytes, record: TaggedListRecord) -> None:
    """Note a change at the ends of a list with tags, which may have left nothing."""
    if record.head == record.tail:
        ks.emptied(name, record)
    else:
        tags.settle(ks, record)
        ks.changed(name, record)


# -- positions, for this module and for editing.py --------------------------------------------------------------------


def read(ks: Keyspace, record: ListRecord, first: int, last: int) -> list[bytes]:
    """The elements at first <= position < last, all of which must exist."""
    count = last - first
    if count <= 0:
        return []
    batch, prefix = ks.batch, record.prefix
    if count <= 2 or (count <= FEW and not batch.settled):
        return cast("list[bytes]", batch.get_many(prefix, [at.to_bytes(8, "big") for at in range(first, last)]))
    return batch.scan_values(prefix + first.to_bytes(8, "big"), count)


def cut(ks: Keyspace, record: ListRecord, first: int, last: int) -> None:
    """Make the list hold positions first to last only; the caller notes the change."""
    _erase(ks, record, record.head, first)
    _erase(ks, record, last, record.tail)
    record.head, record.tail = first, last
    if record.second_id:
        tags.settle(ks, cast("TaggedListRecord", record))


def _erase(ks: Keyspace, record: ListRecord, first: int, last: int) -> None:
    batch, prefix = ks.batch, record.prefix
    if record.second_id:
        tags.erase(ks, cast("TaggedListRecord", record), first, last)
    if last - first <= FEW:
        for at in range(first, last):
            batch.fresh[prefix + at.to_bytes(8, "big")] = None
        return
    start, stop = prefix + first.to_bytes(8, "big"), prefix + last.to_bytes(8, "big")
    while batch.delete_range(start, stop, MANY) == MANY:
        pass


def shift(ks: Keyspace, record: ListRecord, first: int, last: int, by: int) -> None:
    """Move the elements at first <= position < last; the caller sees to what stands where they come and go."""
    starts = range(first, last, MANY)
    for start in starts if by < 0 else reversed(starts):
        values = read(ks, record, start, min(start + MANY, last))
        fresh, prefix = ks.batch.fresh, record.prefix
        for at, value in enumerate(values, start + by):
            fresh[prefix + at.to_bytes(8, "big")] = value
    if record.second_id:
        tags.shift(ks, cast("TaggedListRecord", record), first, last, by)
