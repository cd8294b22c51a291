"""What must hold of a collection's elements, type by type: counters equal to contents, indexes consistent both ways.

A check walks a record's elements once, in order, with one in memory at a time, and yields a sentence for each fault.
Where a counter in the record is what is wrong, it puts the right one there and yields a `Miscounted`: writing the
record back then mends it. What can't be known again (a missing element) is only told.

To add a type: a generator in `CHECKS`; what stands where is told by the type's store.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

from spoold.datatypes.lists.store import TAG_BYTES, Tag
from spoold.engine.snapshot import Snapshot
from spoold.keyspace.packing import after, is_long, pack_name, pack_u64, unpack_u64
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

_U32 = struct.Struct(">I")
_GROUP = struct.Struct(">Q16sq16sQQQ")
_CONSUMER = struct.Struct(">QQQ")
_PENDING = struct.Struct(">QQQ")
_NODE_BYTES: Final = 4
_ID_BYTES: Final = 16


class Miscounted(str):
    """A fault that writing the record back mends."""

    __slots__ = ()


class Wrong(str):
    """A fault in an element whose right value is known. mends: engine key → value, None for a deletion."""

    __slots__ = ("mends",)
    mends: dict[bytes, bytes | None]

    @classmethod
    def mended_by(cls, text: str, key: bytes, value: bytes | None) -> Wrong:
        """text: what is wrong. key, value: what mends it."""
        fault = cls(text)
        fault.mends = {key: value}
        return fault


Faults = Iterator[str]


def check(snapshot: Snapshot, record: Record) -> Faults:
    """The faults of a record's elements; nothing for a string. cost: O(elements)."""
    checker = CHECKS.get(type(record))
    return iter(()) if checker is None else checker(snapshot, record)


def _list(snapshot: Snapshot, record: ListRecord) -> Faults:
    cut = len(record.prefix)
    first = expected = -1
    gaps = outside = 0
    for key, _ in _under(snapshot, record.prefix):
        place = key[cut:]
        if len(place) != 8:
            yield _stray(place)
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
    for key, value in _under(snapshot, record.tags_prefix):
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
    for key, value in _under(snapshot, prefix):
        members += 1
        stem, age, full = key[len(prefix) :], value[:8], value[8:]
        member = full or stem
        if len(age) != 8 or pack_name(member) != stem or (full and not is_long(full)):
            yield f"the member {_shown(stem)} is stored wrong"
        elif snapshot.get(record.prefix + b"s" + age) != member:
            yield f"the member {_shown(member)} is missing in the order of ages"
        elif not record.head <= unpack_u64(age) < record.next:
            text = f"the age of {_shown(member)} lies outside those in use"
            record.head = min(record.head, unpack_u64(age))
            record.next = max(record.next, unpack_u64(age) + 1)
            yield Miscounted(text)
    prefix = record.prefix + b"s"
    for key, member in _under(snapshot, prefix):
        age = key[len(prefix) :]
        if (snapshot.get(record.prefix + b"m" + pack_name(member)) or b"")[:8] != age:
            yield f"the order of ages holds {_shown(member)}, which is no member"
    yield from _others(snapshot, record.prefix, b"ms")
    if members != record.members:
        text = f"counts {record.members} members, and has {members}"
        record.members = members
        yield Miscounted(text)


def _hash(snapshot: Snapshot, record: HashRecord) -> Faults:
    fields = 0
    cut = len(record.prefix)
    for key, value in _under(snapshot, record.prefix):
        fields += 1
        stem = key[cut:]
        if is_long(stem) and not _is_packed(stem, value):
            yield f"the field {_shown(stem)} is stored wrong"
    if fields != record.fields:
        text = f"counts {record.fields} fields, and has {fields}"
        record.fields = fields
        yield Miscounted(text)


def _zset(snapshot: Snapshot, record: ZsetRecord) -> Faults:
    members = 0
    prefix = record.prefix + b"m"
    for key, value in _under(snapshot, prefix):
        members += 1
        stem, score, full = key[len(prefix) :], value[:8], value[8:]
        if len(score) != 8 or pack_name(full or stem) != stem or (full and not is_long(full)):
            yield f"the member {_shown(stem)} is stored wrong"
        elif snapshot.get(record.prefix + b"s" + score + stem) is None:
            yield Wrong.mended_by(
                f"the member {_shown(stem)} is missing in the order of scores", record.prefix + b"s" + score + stem, b""
            )
    prefix = record.prefix + b"s"
    for key, _ in _under(snapshot, prefix):
        score, stem = key[len(prefix) : len(prefix) + 8], key[len(prefix) + 8 :]
        if (snapshot.get(record.prefix + b"m" + stem) or b"")[:8] != score:
            yield Wrong.mended_by(f"the order of scores holds {_shown(stem)} under a score it has not", key, None)
    yield from _others(snapshot, record.prefix, b"ms")
    if members != record.members:
        text = f"counts {record.members} members, and has {members}"
        record.members = members
        yield Miscounted(text)


def _schedule(snapshot: Snapshot, record: ScheduleRecord) -> Faults:
    items = 0
    cut = len(record.prefix)
    for key, _ in _under(snapshot, record.prefix):
        place = key[cut:]
        if len(place) != 16:
            yield _stray(place)
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


def _stream(snapshot: Snapshot, record: StreamRecord) -> Faults:
    length = 0
    first = last = bytes(_ID_BYTES)
    prefix = record.prefix + b"e"
    for key, value in _under(snapshot, prefix):
        id_ = key[len(prefix) :]
        if len(id_) != _ID_BYTES or not _are_fields(value):
            yield f"the entry {id_.hex()} is stored wrong"
            continue
        first = id_ if not length else first
        last = id_
        length += 1
    if (length, first) != (record.length, record.first) or last > record.last:
        text = f"counts {record.length} entries, and has {length}"
        if length == record.length:
            text = "its first or last id is not that of an entry"
        record.length, record.first, record.last = length, first, max(last, record.last)
        yield Miscounted(text)
    groups = 0
    prefix = record.prefix + b"g"
    for key, value in _under(snapshot, prefix):
        groups += 1
        yield from _group(snapshot, record, key, value)
    yield from _others(snapshot, record.prefix, b"egcnpo")
    if groups != record.groups:
        text = f"counts {record.groups} groups, and has {groups}"
        record.groups = groups
        yield Miscounted(text)


def _group(snapshot: Snapshot, record: StreamRecord, key: bytes, value: bytes) -> Faults:
    stem = key[len(record.prefix) + 1 :]
    if len(value) < _GROUP.size or pack_name(value[_GROUP.size :] or stem) != stem:
        yield f"the group {_shown(stem)} is stored wrong"
        return
    number, delivered, read, top, pending, consumers, following = _GROUP.unpack_from(value)
    if number >= record.next_group:
        record.next_group = number + 1
        yield Miscounted(f"the number of the group {_shown(stem)} would be given again")
    packed = pack_u64(number)
    found_consumers = 0
    prefix = record.prefix + b"c" + packed
    for consumer_key, consumer in _under(snapshot, prefix):
        found_consumers += 1
        name = consumer_key[len(prefix) :]
        if len(consumer) < _CONSUMER.size or pack_name(consumer[_CONSUMER.size :] or name) != name:
            yield f"the consumer {_shown(name)} of the group {_shown(stem)} is stored wrong"
            continue
        consumer_number, seen_ms, owned = _CONSUMER.unpack_from(consumer)
        following = max(following, consumer_number + 1)
        named = snapshot.get(record.prefix + b"n" + packed + pack_u64(consumer_number))
        if named is None or pack_name(named) != name:
            yield Wrong.mended_by(
                f"the consumer {_shown(name)} of the group {_shown(stem)} has lost its number",
                record.prefix + b"n" + packed + pack_u64(consumer_number),
                consumer[_CONSUMER.size :] or name,
            )
        found = sum(1 for _ in _under(snapshot, record.prefix + b"o" + packed + pack_u64(consumer_number)))
        if found != owned:
            yield Wrong.mended_by(
                f"the consumer {_shown(name)} of the group {_shown(stem)} counts {owned} pending entries, has {found}",
                consumer_key,
                _CONSUMER.pack(consumer_number, seen_ms, found) + consumer[_CONSUMER.size :],
            )
    found_pending = 0
    found_top = top
    prefix = record.prefix + b"p" + packed
    for pending_key, entry in _under(snapshot, prefix):
        id_ = pending_key[len(prefix) :]
        if len(id_) != _ID_BYTES or len(entry) != _PENDING.size:
            yield f"the pending entry {id_.hex()} of the group {_shown(stem)} is stored wrong"
            continue
        found_pending += 1
        found_top = max(found_top, id_)
        owner = entry[:8]
        if snapshot.get(record.prefix + b"n" + packed + owner) is None:
            yield f"the pending entry {id_.hex()} of the group {_shown(stem)} belongs to no consumer"
        elif snapshot.get(record.prefix + b"o" + packed + owner + id_) is None:
            yield Wrong.mended_by(
                f"the pending entry {id_.hex()} of the group {_shown(stem)} is missing among its consumer's",
                record.prefix + b"o" + packed + owner + id_,
                b"",
            )
    prefix = record.prefix + b"o" + packed
    for owned_key, _ in _under(snapshot, prefix):
        owner, id_ = owned_key[len(prefix) : len(prefix) + 8], owned_key[len(prefix) + 8 :]
        if (snapshot.get(record.prefix + b"p" + packed + id_) or b"")[:8] != owner:
            yield Wrong.mended_by(
                f"a consumer of the group {_shown(stem)} has {id_.hex()}, which is not pending", owned_key, None
            )
    if (found_pending, found_consumers, found_top) != (pending, consumers, top) or following != _GROUP.unpack_from(
        value
    )[6]:
        yield Wrong.mended_by(
            f"the group {_shown(stem)} counts {pending} pending entries and {consumers} consumers, "
            f"and has {found_pending} and {found_consumers}",
            key,
            _GROUP.pack(number, delivered, read, found_top, found_pending, found_consumers, following)
            + value[_GROUP.size :],
        )


CHECKS: Final[dict[type[Record], Callable[[Snapshot, Any], Faults]]] = {
    ListRecord: _list,
    TaggedListRecord: _tagged,
    SetRecord: _set,
    HashRecord: _hash,
    ZsetRecord: _zset,
    ScheduleRecord: _schedule,
    StreamRecord: _stream,
}


def _under(snapshot: Snapshot, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    return snapshot.pairs(prefix, after(prefix))


def _others(snapshot: Snapshot, prefix: bytes, kinds: bytes) -> Faults:
    """Elements of kinds that this type has not, the first of each kind."""
    cut = len(prefix)
    start, stop = prefix, after(prefix)
    while (pair := next(snapshot.pairs(start, stop), None)) is not None:
        kind = pair[0][cut : cut + 1]
        if not kind or kind not in kinds:
            yield _stray(pair[0][cut:])
        start = after(prefix + kind) if kind else pair[0] + b"\0"


def _stray(place: bytes) -> str:
    return f"an element at {place[:24].hex()} belongs to nothing"


def _is_packed(stem: bytes, value: bytes) -> bool:
    """Whether a long field's value begins with the field itself."""
    if len(value) < _U32.size:
        return False
    (length,) = _U32.unpack_from(value)
    field = value[_U32.size : _U32.size + length]
    return len(field) == length and is_long(field) and pack_name(field) == stem


def _are_fields(stored: bytes) -> bool:
    """Whether an entry of a stream holds as many bytes as its lengths say."""
    if len(stored) <= _NODE_BYTES:
        return False
    count: int = stored[_NODE_BYTES]
    at = _NODE_BYTES + 1
    if count:
        return len(stored) == at + int(count) + sum(stored[at : at + count])
    if len(stored) < at + _U32.size:
        return False
    (count,) = _U32.unpack_from(stored, at)
    at += _U32.size
    if len(stored) < at + 4 * count:
        return False
    lengths: tuple[int, ...] = struct.unpack_from(f">{count}I", stored, at)
    return len(stored) == at + 4 * count + sum(lengths)


def _shown(name: bytes) -> str:
    return repr(name[:48])[1:]
