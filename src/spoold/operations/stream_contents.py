"""What must hold of a stream's elements: its entries, its groups, and who has what of them pending.

What stands where is told by datatypes/streams/store.py and groups.py.
"""

from __future__ import annotations

import struct
from typing import Final

from spoold.engine.snapshot import Snapshot
from spoold.keyspace.packing import pack_name, pack_u64
from spoold.keyspace.record import StreamRecord
from spoold.operations.faults import Faults, Miscounted, Wrong, others, shown, under

_U32 = struct.Struct(">I")
_GROUP = struct.Struct(">Q16sq16sQQQ")
_CONSUMER = struct.Struct(">QQQ")
_PENDING = struct.Struct(">QQQ")
_NODE_BYTES: Final = 4
_ID_BYTES: Final = 16


def check_stream(snapshot: Snapshot, record: StreamRecord) -> Faults:
    """The faults of a stream's elements. cost: O(entries, and pending entries twice)."""
    length = 0
    first = last = bytes(_ID_BYTES)
    prefix = record.prefix + b"e"
    for key, value in under(snapshot, prefix):
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
    for key, value in under(snapshot, prefix):
        groups += 1
        stem = key[len(record.prefix) + 1 :]
        if len(value) < _GROUP.size or pack_name(value[_GROUP.size :] or stem) != stem:
            yield f"the group {shown(stem)} is stored wrong"
        else:
            yield from _Group(snapshot, record, key, value).faults()
    yield from others(snapshot, record.prefix, b"egcnpo")
    if groups != record.groups:
        text = f"counts {record.groups} groups, and has {groups}"
        record.groups = groups
        yield Miscounted(text)


class _Group:
    """One group. What is counted on the way is compared with what its element says at the end."""

    def __init__(self, snapshot: Snapshot, record: StreamRecord, key: bytes, value: bytes) -> None:
        self.snapshot = snapshot
        self.record = record
        self.key = key
        self.name = shown(key[len(record.prefix) + 1 :])
        self.full_name = value[_GROUP.size :]
        self.number, self.delivered, self.read, *self.told = _GROUP.unpack_from(value)
        self.packed = pack_u64(self.number)
        self.top, _, _, self.following = self.told
        self.pending = self.consumers = 0

    def place(self, kind: bytes) -> bytes:
        """Where the group's elements of a kind begin."""
        return self.record.prefix + kind + self.packed

    def faults(self) -> Faults:
        """All of the group."""
        if self.number >= self.record.next_group:
            self.record.next_group = self.number + 1
            yield Miscounted(f"the number of the group {self.name} would be given again")
        yield from self._consumers()
        yield from self._pending()
        yield from self._owned()
        found = [self.top, self.pending, self.consumers, self.following]
        if found != self.told:
            _, pending, consumers, _ = self.told
            yield Wrong.mended_by(
                f"the group {self.name} counts {pending} pending entries and {consumers} consumers, "
                f"and has {self.pending} and {self.consumers}",
                self.key,
                _GROUP.pack(self.number, self.delivered, self.read, *found) + self.full_name,
            )

    def _consumers(self) -> Faults:
        """Each consumer is found by its number, and counts what it has pending."""
        place = self.place(b"c")
        for key, value in under(self.snapshot, place):
            self.consumers += 1
            name = key[len(place) :]
            if len(value) < _CONSUMER.size or pack_name(value[_CONSUMER.size :] or name) != name:
                yield f"the consumer {shown(name)} of the group {self.name} is stored wrong"
                continue
            number, seen_ms, owned = _CONSUMER.unpack_from(value)
            self.following = max(self.following, number + 1)
            named = self.snapshot.get(self.place(b"n") + pack_u64(number))
            if named is None or pack_name(named) != name:
                yield Wrong.mended_by(
                    f"the consumer {shown(name)} of the group {self.name} has lost its number",
                    self.place(b"n") + pack_u64(number),
                    value[_CONSUMER.size :] or name,
                )
            found = sum(1 for _ in under(self.snapshot, self.place(b"o") + pack_u64(number)))
            if found != owned:
                yield Wrong.mended_by(
                    f"the consumer {shown(name)} of the group {self.name} counts {owned} pending entries, has {found}",
                    key,
                    _CONSUMER.pack(number, seen_ms, found) + value[_CONSUMER.size :],
                )

    def _pending(self) -> Faults:
        """Each pending entry has an owner, among whose entries it stands."""
        place = self.place(b"p")
        for key, value in under(self.snapshot, place):
            id_ = key[len(place) :]
            if len(id_) != _ID_BYTES or len(value) != _PENDING.size:
                yield f"the pending entry {id_.hex()} of the group {self.name} is stored wrong"
                continue
            self.pending += 1
            self.top = max(self.top, id_)
            owner = value[:8]
            if self.snapshot.get(self.place(b"n") + owner) is None:
                yield f"the pending entry {id_.hex()} of the group {self.name} belongs to no consumer"
            elif self.snapshot.get(self.place(b"o") + owner + id_) is None:
                yield Wrong.mended_by(
                    f"the pending entry {id_.hex()} of the group {self.name} is missing among its consumer's",
                    self.place(b"o") + owner + id_,
                    b"",
                )

    def _owned(self) -> Faults:
        """What a consumer has is pending, and his."""
        place = self.place(b"o")
        for key, _ in under(self.snapshot, place):
            owner, id_ = key[len(place) : len(place) + 8], key[len(place) + 8 :]
            if (self.snapshot.get(self.place(b"p") + id_) or b"")[:8] != owner:
                yield Wrong.mended_by(
                    f"a consumer of the group {self.name} has {id_.hex()}, which is not pending", key, None
                )


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
