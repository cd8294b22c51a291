"""A stream in Redis's RDB format, for DUMP and RESTORE: written as Redis 7.0 does, read as 5.0 to 7.4 write it.

    nodes        how many, then for each: its first entry's id 16 as a string, a listpack as a string
    stream       entries, last id, and but for type 15 first id, greatest deleted id, ever added
    groups       how many, then for each: name, last id, but for type 15 entries read; pending: how many, then for each
                 id 16, given 8 (Unix ms, little-endian), how often; consumers: how many, then for each name, seen 8,
                 with type 21 active 8, ids: how many, each 16
    listpack     entries, deleted, fields, their names, 0; then for each entry: flags, ms and sequence less those of the
                 node, its fields if they are not the node's: how many, name and value by turns; else values; and how
                 many elements that were

Ids outside listpacks are two numbers, milliseconds and sequence. Here a stream is its `parts`: the body of its record,
with the object id left out, and then by turns what stands behind the object id in an engine key, and its value.

source: redis 7.0: src/rdb.c, rdbSaveObject; src/t_stream.c, streamAppendItem.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Final, TypeAlias

from spoold.core.errors import BadFormat
from spoold.core.rdb import Reader, encode_length, encode_listpack, encode_string, listpack
from spoold.datatypes.streams import progress
from spoold.datatypes.streams.entries import pack_entry, unpack_fields, unpack_node
from spoold.datatypes.streams.groups import CONSUMER, GROUP, PENDING, stored_consumer
from spoold.datatypes.streams.ids import U64_MAX, ZERO, pack, unpack
from spoold.datatypes.streams.progress import signed
from spoold.engine.batch import walk
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import after, is_long, pack_name, pack_u64
from spoold.keyspace.record import StreamRecord

TYPE: Final = 19
OLD_TYPE: Final = 15
"""Of Redis 5.0 to 6.2."""
NEW_TYPE: Final = 21
"""Of Redis 7.2 and 7.4."""

TYPES: Final = (OLD_TYPE, TYPE, NEW_TYPE)

# Kinds of elements, as groups.py and store.py have them.
_ENTRY: Final = b"e"
_GROUP: Final = b"g"
_CONSUMER: Final = b"c"
_NAME: Final = b"n"
_PENDING: Final = b"p"
_OWNED: Final = b"o"

_DELETED: Final = 1
_SAME_FIELDS: Final = 2

_SLICE: Final = 1000

Stored: TypeAlias = "tuple[bytes, bytes]"
"""What stands in an engine key behind the object id and the kind, and the value."""


def parts(ks: Keyspace, record: StreamRecord) -> list[bytes]:
    """The parts of a stream. cost: O(all that belongs to it)."""
    found = [record.body()[8:]]
    known = {consumer.key: consumer for group in record.known.values() for consumer in group.known.values()}
    cut = len(record.prefix)
    for key, value in walk(ks.batch, record.prefix, after(record.prefix), _SLICE):
        # When it was seen last may not be stored yet.
        found += (key[cut:], stored_consumer(known[key]) if key in known else value)
    return found


def restore(ks: Keyspace, name: bytes, given: list[bytes]) -> None:
    """Make a stream of its parts under `name`, which must not exist."""
    record = ks.new_collection(name, StreamRecord)
    record.load_body(pack_u64(record.object_id) + given[0])
    prefix = record.prefix
    fresh = ks.batch.fresh
    for suffix, value in zip(given[1::2], given[2::2], strict=True):
        fresh[prefix + suffix] = value
    ks.changed(name, record)


def encode(given: list[bytes]) -> bytes:
    """The type and the value of a stream in RDB's form, of its parts. cost: O(bytes)."""
    record = StreamRecord()
    record.load_body(bytes(8) + given[0])
    entries: list[Stored] = []
    names: list[Stored] = []
    of_groups: dict[bytes, list[Stored]] = {}
    for suffix, value in zip(given[1::2], given[2::2], strict=True):
        match suffix[:1]:
            case b"e":
                entries.append((suffix[1:], value))
            case b"g":
                names.append((suffix[1:], value))
            case b"c" | b"p" as kind:
                of_groups.setdefault(kind + suffix[1:9], []).append((suffix[9:], value))
    nodes = [_encode_node(list(each)) for _, each in groupby(entries, lambda entry: unpack_node(entry[1]))]
    groups = [_encode_group(suffix, value, of_groups) for suffix, value in names]
    return b"".join(
        (
            bytes((TYPE,)),
            encode_length(len(nodes)),
            *nodes,
            encode_length(record.length),
            *map(_encode_id, (record.last, record.first, record.max_deleted)),
            encode_length(record.added),
            encode_length(len(groups)),
            *groups,
        )
    )


def _encode_id(id_: bytes) -> bytes:
    return b"".join(map(encode_length, unpack(id_)))


def _encode_node(entries: list[Stored]) -> bytes:
    first = entries[0][0]
    base_ms, base_sequence = unpack(first)
    names = unpack_fields(entries[0][1])[::2]
    elements: list[bytes | int] = [len(entries), 0, len(names), *names, 0]
    for id_, stored in entries:
        ms, sequence = unpack(id_)
        fields = unpack_fields(stored)
        same = fields[::2] == names
        told: list[bytes | int] = [*fields[1::2]] if same else [len(fields) // 2, *fields]
        elements += (_SAME_FIELDS if same else 0, signed(ms - base_ms), signed(sequence - base_sequence), *told)
        elements.append(3 + len(told))
    return encode_string(first) + encode_string(encode_listpack(elements))


def _encode_group(key: bytes, value: bytes, of_groups: dict[bytes, list[Stored]]) -> bytes:
    """of_groups: consumers and pending entries by their kind and the group's number."""
    number, last, read, _, _, _, _ = GROUP.unpack_from(value)
    pending = [(id_, PENDING.unpack(noted)) for id_, noted in of_groups.get(_PENDING + pack_u64(number), [])]
    consumers = of_groups.get(_CONSUMER + pack_u64(number), [])
    pieces = [
        encode_string(value[GROUP.size :] or key),
        _encode_id(last),
        encode_length(read & U64_MAX),
        encode_length(len(pending)),
    ]
    for id_, (_, delivered_ms, deliveries) in pending:
        pieces += (id_, delivered_ms.to_bytes(8, "little"), encode_length(deliveries))
    pieces.append(encode_length(len(consumers)))
    owned: dict[int, list[bytes]] = {}
    for id_, (owner, _, _) in pending:
        owned.setdefault(owner, []).append(id_)
    for name, stored in consumers:
        consumer, seen_ms, _ = CONSUMER.unpack_from(stored)
        mine = owned.get(consumer, [])
        pieces += (encode_string(stored[CONSUMER.size :] or name), seen_ms.to_bytes(8, "little"))
        pieces += (encode_length(len(mine)), *mine)
    return b"".join(pieces)


def decode(reader: Reader, type_byte: int) -> list[bytes]:
    """The parts of a stream in RDB's form, whose type was just read.

    raises: BadFormat: it is damaged, or contradicts itself.
    cost: O(bytes).
    """
    record = StreamRecord()
    found: list[bytes] = []
    last = ZERO
    for node in range(1, _count(reader) + 1):
        entries, record.node_added = _decode_node(reader.string(), list(listpack(reader.string())))
        record.node = node
        for id_, fields in entries:
            if id_ <= last or not fields:
                raise BadFormat
            last = id_
            record.first = record.first if record.length else id_
            record.length += 1
            found += (_ENTRY + id_, pack_entry(node, fields))
    length = reader.length()
    record.last = _decode_id(reader)
    if length != record.length or record.last < last:
        raise BadFormat
    record.added = length
    if type_byte != OLD_TYPE:
        _decode_id(reader)  # the first entry's, which is known
        record.max_deleted = _decode_id(reader)
        record.added = reader.length()
    record.groups = record.next_group = _count(reader)
    names = set()
    for number in range(record.groups):
        group_name, pieces = _decode_group(reader, type_byte, record, number)
        names.add(group_name)
        found += pieces
    if len(names) != record.groups:
        raise BadFormat
    return [record.body()[8:], *found]


def _decode_node(base: bytes, elements: list[bytes]) -> tuple[list[tuple[bytes, list[bytes]]], int]:
    """Entries of a node, and how many were ever added to it."""
    if len(base) != 16:
        raise BadFormat
    base_ms, base_sequence = unpack(base)
    walk = _Walk(elements)
    live, deleted = walk.count(), walk.count()
    names = walk.some(walk.count())
    walk.count()
    entries = []
    for _ in range(live + deleted):
        flags, ms, sequence = walk.integer(), walk.integer(), walk.integer()
        if flags & _SAME_FIELDS:
            fields = [part for pair in zip(names, walk.some(len(names)), strict=True) for part in pair]
        else:
            fields = walk.some(2 * walk.count())
        walk.integer()
        if not flags & _DELETED:
            entries.append((pack(base_ms + ms & U64_MAX, base_sequence + sequence & U64_MAX), fields))
    if len(entries) != live or walk.left:
        raise BadFormat
    return entries, live + deleted


@dataclass
class _Noted:
    """A pending entry on its way in. consumer: its number, -1 while none has claimed it."""

    delivered_ms: int
    deliveries: int
    consumer: int = -1


def _decode_group(reader: Reader, type_byte: int, record: StreamRecord, number: int) -> tuple[bytes, list[bytes]]:
    """The name of a group, and its keys and values."""
    group_name = reader.string()
    last = _decode_id(reader)
    read = progress.position(record, last) if type_byte == OLD_TYPE else signed(reader.length())
    pending: dict[bytes, _Noted] = {}
    for _ in range(_count(reader)):
        id_ = reader.take(16)
        pending[id_] = _Noted(_moment(reader), reader.length())
    mark = pack_u64(number)
    found: list[bytes] = []
    consumers = _count(reader)
    names = set()
    for consumer in range(consumers):
        consumer_name, seen_ms = reader.string(), _moment(reader)
        names.add(consumer_name)
        if type_byte == NEW_TYPE:
            _moment(reader)  # when it was active, which is not told before Redis 7.2
        mine = [reader.take(16) for _ in range(_count(reader))]
        for id_ in mine:
            noted = pending.get(id_)
            if noted is None or noted.consumer >= 0:
                raise BadFormat
            noted.consumer = consumer
            found += (_OWNED + mark + pack_u64(consumer) + id_, b"")
        stored = CONSUMER.pack(consumer, seen_ms, len(mine)) + (consumer_name if is_long(consumer_name) else b"")
        found += (_CONSUMER + mark + pack_name(consumer_name), stored, _NAME + mark + pack_u64(consumer), consumer_name)
    if len(names) != consumers or any(noted.consumer < 0 for noted in pending.values()):
        raise BadFormat
    for id_, noted in pending.items():
        found += (_PENDING + mark + id_, PENDING.pack(noted.consumer, noted.delivered_ms, noted.deliveries))
    top = max(pending, default=ZERO)
    stored = GROUP.pack(number, last, read, top, len(pending), consumers, consumers)
    found += (_GROUP + pack_name(group_name), stored + (group_name if is_long(group_name) else b""))
    return group_name, found


def _count(reader: Reader) -> int:
    """A number of things, each of which takes a byte at least."""
    count = reader.length()
    if count > reader.left:
        raise BadFormat
    return count


def _decode_id(reader: Reader) -> bytes:
    return pack(reader.length(), reader.length())


def _moment(reader: Reader) -> int:
    """Unix ms."""
    return max(reader.number(8, signed=True), 0)


class _Walk:
    """Goes through the elements of a node; whatever is not there, or no number, is BadFormat."""

    def __init__(self, elements: list[bytes]) -> None:
        """elements: of its listpack."""
        self._elements = elements
        self._at = 0

    @property
    def left(self) -> int:
        """How many are left."""
        return len(self._elements) - self._at

    def some(self, count: int) -> list[bytes]:
        """The next `count`."""
        if count > self.left:
            raise BadFormat
        self._at += count
        return self._elements[self._at - count : self._at]

    def integer(self) -> int:
        """The next, a number."""
        try:
            return int(self.some(1)[0])
        except ValueError:
            raise BadFormat from None

    def count(self) -> int:
        """The next, a number of things."""
        number = self.integer()
        if not 0 <= number <= len(self._elements):
            raise BadFormat
        return number
