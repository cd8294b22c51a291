"""What must hold of a collection's elements, type by type: counters equal to contents, indexes consistent both ways.

A check walks a record's elements once, in order, with one in memory at a time, and yields a sentence for each fault.
Where a counter in the record is what is wrong, it puts the right one there and yields a `Miscounted`: writing the
record back then mends it. What can't be known again (a missing element) is only told.

To add a type: a generator in `CHECKS`; what stands where is told by the type's store.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from spoold.datatypes.lists.store import TAG_BYTES, Tag
from spoold.engine.snapshot import Snapshot
from spoold.keyspace.packing import is_long, pack_name, pack_u64, unpack_u64
from spoold.keyspace.record import (
    HashRecord,
    ListRecord,
    Record,
    ScheduleRecord,
    SetRecord,
    StreamRecord,
    TaggedListRecord,
    ZsetRecord,
)
from spoold.operations.faults import Faults, Miscounted, Wrong, others, shown, stray, under
from spoold.operations.stream_contents import check_stream

_U32 = struct.Struct(">I")


def check(snapshot: Snapshot, record: Record) -> Faults:
    """The faults of a record's elements; nothing for a string. cost: O(elements)."""
    checker = CHECKS.get(type(record))
    return iter(()) if checker is None else checker(snapshot, record)


def _list(snapshot: Snapshot, record: ListRecord) -> Faults:
    cut = len(record.prefix)
    first = expected = -1
    gaps = outside = 0
    for key, _ in under(snapshot, record.prefix):
        place = key[cut:]
        if len(place) != 8:
            yield stray(place)
            continue
        at = unpack_u64(place)
        outside += not record.head <= at < record.tail
        if first < 0:
            first = at
        elif at != expected:
            gaps += 1
        expected = at + 1
    found = (first, expected) if first >= 0 else (record.head, record.head)
    if gaps:
        yield f"{gaps} gaps between positions"
    elif outside or found != (record.head, record.tail):
        text = f"counts {record.count()} items, and holds {found[1] - found[0]}"
        record.head, record.tail = found
        yield Miscounted(text)


def _tagged(snapshot: Snapshot, record: TaggedListRecord) -> Faults:
    yield from _list(snapshot, record)
    tags = 0
    for key, value in under(snapshot, record.tags_prefix):
        tags += 1
        place = key[len(record.tags_prefix) :]
        if len(place) != 8 or not record.head <= unpack_u64(place) < record.tail:
            yield f"a tag stands at {place.hex()}, where no item is"
        elif len(value) != TAG_BYTES:
            yield f"the tag at {place.hex()} has {len(value)} bytes"
    if tags != record.tags:
        text = f"counts {record.tags} tags, and has {tags}"
        record.tags = tags
        yield Miscounted(text)
    raw = snapshot.get(record.tags_prefix + pack_u64(record.head))
    due_ms = Tag.unpack(raw).due_ms if raw is not None and len(raw) == TAG_BYTES else 0
    if due_ms and (not record.alarm_ms or record.alarm_ms > due_ms):
        yield "its first item falls due, and no alarm is set for that"


def _set(snapshot: Snapshot, record: SetRecord) -> Faults:
    members = 0
    prefix = record.prefix + b"m"
    for key, value in under(snapshot, prefix):
        members += 1
        stem, age, full = key[len(prefix) :], value[:8], value[8:]
        member = full or stem
        if len(age) != 8 or pack_name(member) != stem or (full and not is_long(full)):
            yield f"the member {shown(stem)} is stored wrong"
        elif snapshot.get(record.prefix + b"s" + age) != member:
            yield f"the member {shown(member)} is missing in the order of ages"
        elif not record.head <= unpack_u64(age) < record.next:
            text = f"the age of {shown(member)} lies outside those in use"
            record.head = min(record.head, unpack_u64(age))
            record.next = max(record.next, unpack_u64(age) + 1)
            yield Miscounted(text)
    prefix = record.prefix + b"s"
    for key, member in under(snapshot, prefix):
        age = key[len(prefix) :]
        if (snapshot.get(record.prefix + b"m" + pack_name(member)) or b"")[:8] != age:
            yield f"the order of ages holds {shown(member)}, which is no member"
    yield from others(snapshot, record.prefix, b"ms")
    if members != record.members:
        text = f"counts {record.members} members, and has {members}"
        record.members = members
        yield Miscounted(text)


def _hash(snapshot: Snapshot, record: HashRecord) -> Faults:
    fields = 0
    cut = len(record.prefix)
    for key, value in under(snapshot, record.prefix):
        fields += 1
        stem = key[cut:]
        if is_long(stem) and not _is_packed(stem, value):
            yield f"the field {shown(stem)} is stored wrong"
    if fields != record.fields:
        text = f"counts {record.fields} fields, and has {fields}"
        record.fields = fields
        record.order = b""
        yield Miscounted(text)
    elif record.order and sorted(record.order) != [*range(fields)]:
        record.order = b""
        yield Miscounted("has an order of its fields that is none")


def _zset(snapshot: Snapshot, record: ZsetRecord) -> Faults:
    members = 0
    prefix = record.prefix + b"m"
    for key, value in under(snapshot, prefix):
        members += 1
        stem, score, full = key[len(prefix) :], value[:8], value[8:]
        if len(score) != 8 or pack_name(full or stem) != stem or (full and not is_long(full)):
            yield f"the member {shown(stem)} is stored wrong"
        elif snapshot.get(record.prefix + b"s" + score + stem) is None:
            yield Wrong.mended_by(
                f"the member {shown(stem)} is missing in the order of scores", record.prefix + b"s" + score + stem, b""
            )
    prefix = record.prefix + b"s"
    for key, _ in under(snapshot, prefix):
        score, stem = key[len(prefix) : len(prefix) + 8], key[len(prefix) + 8 :]
        if (snapshot.get(record.prefix + b"m" + stem) or b"")[:8] != score:
            yield Wrong.mended_by(f"the order of scores holds {shown(stem)} under a score it has not", key, None)
    yield from others(snapshot, record.prefix, b"ms")
    if members != record.members:
        text = f"counts {record.members} members, and has {members}"
        record.members = members
        yield Miscounted(text)


def _schedule(snapshot: Snapshot, record: ScheduleRecord) -> Faults:
    items = 0
    cut = len(record.prefix)
    for key, _ in under(snapshot, record.prefix):
        place = key[cut:]
        if len(place) != 16:
            yield stray(place)
            continue
        items += 1
        due, sequence = unpack_u64(place[:8]), unpack_u64(place[8:])
        if due < record.first or sequence >= record.next:
            record.first, record.next = min(record.first, due), max(record.next, sequence + 1)
            yield Miscounted(f"item {sequence} lies outside what the schedule says of itself")
    if items != record.items:
        text = f"counts {record.items} items, and has {items}"
        record.items = items
        yield Miscounted(text)


CHECKS: Final[dict[type[Record], Callable[[Snapshot, Any], Faults]]] = {
    ListRecord: _list,
    TaggedListRecord: _tagged,
    SetRecord: _set,
    HashRecord: _hash,
    ZsetRecord: _zset,
    ScheduleRecord: _schedule,
    StreamRecord: check_stream,
}


def _is_packed(stem: bytes, value: bytes) -> bool:
    """Whether a long field's value begins with the field itself."""
    if len(value) < _U32.size:
        return False
    (length,) = _U32.unpack_from(value)
    field = value[_U32.size : _U32.size + length]
    return len(field) == length and is_long(field) and pack_name(field) == stem
