"""A key's record: its type, its expiry and either a string's bytes or a collection's object id and counters.

    record value    type 1 | expiry 8 (Unix ms, 0 = none) | body, and behind it for a long name: the name
    type            one byte below; + 0x80 where the key's name is long: then 4 bytes of its length follow the expiry,
                    and the name the 4 bytes
    string body     change counter 8 | flags 4 | bytes
    list body       object id 8 | head 8 | tail 8          elements at head <= position < tail, biased by 2**63
    tagged list     a list's body | tags' object id 8 | tags 8 | alarm 8    when its first item falls due, 0 = never
    set body        object id 8 | members 8 | head 8 | next 8   sequences in use lie in head <= sequence < next
    hash body       object id 8 | fields 8 | the order in which they were added, see hashes/names.py; mostly nothing
    schedule body   object id 8 | items 8 | first 8 | next 8   none is due before first; next: the next sequence
    zset body       object id 8 | members 8
    stream body     object id 8 | entries 8 | first id 16 | last id 16 | greatest deleted id 16 | ever added 8
                    | groups 4 | next group 8 | node 4 | entries ever added to the node 4

To add a type: a subclass with a free type byte, its body, and a line in `_TYPES`; raise `env.FORMAT_VERSION` only if
what is already stored changes. Records are cached decoded and changed in place; whoever changes one tells
`Keyspace.changed` in the same turn.
"""

from __future__ import annotations

import struct
from typing import Any, ClassVar, Final

from spoold.core.errors import EngineError
from spoold.keyspace.layout import elements_prefix
from spoold.keyspace.packing import BIAS, is_long

_HEAD = struct.Struct(">BQ")
_U32 = struct.Struct(">I")
_STRING = struct.Struct(">BQQI")
_STRING_BODY = struct.Struct(">QI")
_LIST_BODY = struct.Struct(">QQQ")
_TAGGED_BODY = struct.Struct(">QQQQQQ")
_SET_BODY = struct.Struct(">QQQQ")
_HASH_BODY = struct.Struct(">QQ")
_SCHEDULE_BODY = struct.Struct(">QQQQ")
_ZSET_BODY = struct.Struct(">QQ")
_STREAM_BODY = struct.Struct(">QQ16s16s16sQIQII")
_LONG_NAME: Final = 0x80
# How a string begins whose name is not long: nearly all records are of this kind.
_SHORT_STRING: Final = b"\x01"

# What a bytes object in a list takes besides its bytes.
_KEY_OVERHEAD_BYTES: Final = 41
# What an id of a stream takes in a list, and what a group and a consumer take decoded, with short names.
_ID_BYTES: Final = 57
_GROUP_BYTES: Final = 1000
_CONSUMER_BYTES: Final = 500


STAMP_BITS: Final = (1 << 62) - 1
"""Of a string's stamp, those that count changes; datatypes/strings/marks.py has the two above them."""


class Record:
    """What all records share.

    expire_ms: when the key falls due, Unix ms, 0 = never.
    indexed_ms: the expiry that the index holds for this key.
    kind: the name that TYPE answers.
    wakes: blocking commands wait for keys of this type.
    second_id: a further object that belongs to the key; such a record has an `alarm_ms`.
    """

    __slots__ = ("expire_ms", "indexed_ms")

    type_byte: ClassVar[int]
    kind: ClassVar[bytes]
    object_id: int = 0  # 0: no elements outside the record
    wakes: ClassVar[bool] = False
    second_id: int = 0
    alarm_ms: int = 0

    def __init__(self) -> None:
        self.expire_ms = 0
        self.indexed_ms = 0

    def encode(self, name: bytes) -> bytes:
        """The stored value."""
        if is_long(name):
            head = _HEAD.pack(self.type_byte | _LONG_NAME, self.expire_ms)
            return head + _U32.pack(len(name)) + name + self.body()
        return _HEAD.pack(self.type_byte, self.expire_ms) + self.body()

    def body(self) -> bytes:
        """What stands behind the head."""
        raise AssertionError(self.kind)

    def load_body(self, body: bytes) -> None:
        """Take the fields from what `body` gave."""
        raise AssertionError(self.kind)

    def size(self) -> int:
        """Bytes that the decoded record holds beyond its fixed fields."""
        return 0


class StringRecord(Record):
    """A string: inline.

    value: its bytes. stamp: rises with each change of any string; memcached's cas id. flags: memcached's.
    used_ms, read_stamp: in memory only, and not set before the memcached door sets them (frontends/memcached_uses.py):
        when a client last read or stored the value there, Unix ms, and the stamp that it had when it was last read.
    """

    __slots__ = ("flags", "read_stamp", "stamp", "used_ms", "value")

    type_byte = 1
    kind = b"string"
    read_stamp: int
    used_ms: int

    def __init__(self, value: bytes = b"", stamp: int = 0, flags: int = 0) -> None:
        self.value = value
        self.stamp = stamp
        self.flags = flags
        self.expire_ms = 0
        self.indexed_ms = 0

    def encode(self, name: bytes) -> bytes:
        """The stored value."""
        if len(name) > 255:
            return Record.encode(self, name)
        return _STRING.pack(1, self.expire_ms, self.stamp, self.flags) + self.value

    def body(self) -> bytes:
        """What stands behind the head."""
        return _STRING_BODY.pack(self.stamp, self.flags) + self.value

    def load_body(self, body: bytes) -> None:
        """Take the fields from what `body` gave."""
        self.stamp, self.flags = _STRING_BODY.unpack_from(body)
        self.value = body[_STRING_BODY.size :]

    def size(self) -> int:
        """Bytes that the decoded record holds beyond its fixed fields."""
        return len(self.value)


class Collection(Record):
    """A record whose elements stand under an object id.

    prefix: what the keys of its elements start with.
    """

    __slots__ = ("object_id", "prefix")

    def __init__(self, object_id: int = 0) -> None:
        self.expire_ms = 0
        self.indexed_ms = 0
        self.adopt(object_id)

    def adopt(self, object_id: int) -> None:
        """Point at the elements of `object_id`."""
        self.object_id = object_id
        self.prefix = elements_prefix(object_id)

    def count(self) -> int:
        """How many elements there are."""
        raise AssertionError(self.kind)


class ListRecord(Collection):
    """A list: contiguous positions from head up to (not including) tail, as stored (biased)."""

    __slots__ = ("head", "tail")

    type_byte = 2
    kind = b"list"
    wakes = True

    def __init__(self, object_id: int = 0) -> None:
        super().__init__(object_id)
        self.head = BIAS
        self.tail = BIAS

    def body(self) -> bytes:
        """What stands behind the head."""
        return _LIST_BODY.pack(self.object_id, self.head, self.tail)

    def load_body(self, body: bytes) -> None:
        """Take the fields from what `body` gave."""
        object_id, self.head, self.tail = _LIST_BODY.unpack(body)
        self.adopt(object_id)

    def count(self) -> int:
        """How many elements there are."""
        return self.tail - self.head


class TaggedListRecord(ListRecord):
    """A list of which some elements have a tag (lists/tags.py): a type of its own, so that plain lists pay nothing.

    second_id: the tags' object; tags_prefix: what their keys start with. tags: how many there are.
    alarm_ms: when the first element falls due, or earlier; 0 = never. alarmed_ms: the alarm that is stored for it.
    """

    __slots__ = ("alarm_ms", "alarmed_ms", "second_id", "tags", "tags_prefix")

    type_byte = 18

    def __init__(self, object_id: int = 0) -> None:
        super().__init__(object_id)
        self.tags = 0
        self.alarm_ms = 0
        self.alarmed_ms = 0
        self.adopt_tags(0)

    def adopt_tags(self, second_id: int) -> None:
        """Point at the tags of `second_id`."""
        self.second_id = second_id
        self.tags_prefix = elements_prefix(second_id)

    def body(self) -> bytes:
        """What stands behind the head."""
        return _TAGGED_BODY.pack(self.object_id, self.head, self.tail, self.second_id, self.tags, self.alarm_ms)

    def load_body(self, body: bytes) -> None:
        """Take the fields from what `body` gave."""
        object_id, self.head, self.tail, second_id, self.tags, self.alarm_ms = _TAGGED_BODY.unpack(body)
        self.alarmed_ms = self.alarm_ms
        self.adopt(object_id)
        self.adopt_tags(second_id)


class SetRecord(Collection):
    """A set: members in the order of their sequences.

    members: how many. head: no sequence in use lies below it. next: the sequence of the next new member.
    """

    __slots__ = ("head", "members", "next")

    type_byte = 3
    kind = b"set"

    def __init__(self, object_id: int = 0) -> None:
        super().__init__(object_id)
        self.members = 0
        self.head = 0
        self.next = 0

    def body(self) -> bytes:
        """What stands behind the head."""
        return _SET_BODY.pack(self.object_id, self.members, self.head, self.next)

    def load_body(self, body: bytes) -> None:
        """Take the fields from what `body` gave."""
        object_id, self.members, self.head, self.next = _SET_BODY.unpack(body)
        self.adopt(object_id)

    def count(self) -> int:
        """How many elements there are."""
        return self.members


class HashRecord(Collection):
    """A hash: fields in the order of their bytes.

    fields: how many.
    names: the packed fields in order, while they are few and all known; else None. order: the one in which they were
        added, as places in `names`; empty where it is the same, or not known. See hashes/names.py.
    """

    __slots__ = ("fields", "names", "order")

    type_byte = 4
    kind = b"hash"

    def __init__(self, object_id: int = 0) -> None:
        super().__init__(object_id)
        self.fields = 0
        self.names: list[bytes] | None = []
        self.order = b""

    def body(self) -> bytes:
        """What stands behind the head."""
        return _HASH_BODY.pack(self.object_id, self.fields) + self.order

    def load_body(self, body: bytes) -> None:
        """Take the fields from what `body` gave."""
        object_id, self.fields = _HASH_BODY.unpack_from(body)
        self.names = None
        self.order = body[_HASH_BODY.size :]
        self.adopt(object_id)

    def count(self) -> int:
        """How many elements there are."""
        return self.fields

    def size(self) -> int:
        """Bytes that the decoded record holds beyond its fixed fields."""
        return sum(map(len, self.names)) + _KEY_OVERHEAD_BYTES * len(self.names) if self.names else 0


class ScheduleRecord(Collection):
    """A schedule: items in the order of their times, equal times in the order of adding.

    items: how many. first: no item is due before it (µs, biased). next: the sequence of the next item.
    """

    __slots__ = ("first", "items", "next")

    type_byte = 5
    kind = b"schedule"

    def __init__(self, object_id: int = 0) -> None:
        super().__init__(object_id)
        self.items = 0
        self.first = 0
        self.next = 0

    def body(self) -> bytes:
        """What stands behind the head."""
        return _SCHEDULE_BODY.pack(self.object_id, self.items, self.first, self.next)

    def load_body(self, body: bytes) -> None:
        """Take the fields from what `body` gave."""
        object_id, self.items, self.first, self.next = _SCHEDULE_BODY.unpack(body)
        self.adopt(object_id)

    def count(self) -> int:
        """How many elements there are."""
        return self.items


class ZsetRecord(Collection):
    """A sorted set: members in the order of their scores, equal scores in the order of the members' bytes.

    members: how many.
    low, low_stop: what is kept in memory of the score index, see zsets/order.py.
    mark_keys, mark_counts: parts of the index and how many members each has, see zsets/ranks.py; mostly empty.
    """

    __slots__ = ("low", "low_stop", "mark_counts", "mark_keys", "members")

    type_byte = 6
    kind = b"zset"
    wakes = True

    def __init__(self, object_id: int = 0) -> None:
        super().__init__(object_id)
        self.members = 0
        self.low: list[bytes] = []
        self.low_stop = b""
        self.mark_keys: list[bytes] = []
        self.mark_counts: list[int] = []

    def body(self) -> bytes:
        """What stands behind the head."""
        return _ZSET_BODY.pack(self.object_id, self.members)

    def load_body(self, body: bytes) -> None:
        """Take the fields from what `body` gave."""
        object_id, self.members = _ZSET_BODY.unpack(body)
        self.adopt(object_id)

    def count(self) -> int:
        """How many elements there are."""
        return self.members

    def size(self) -> int:
        """Bytes that the decoded record holds beyond its fixed fields."""
        keys = self.low + self.mark_keys if self.mark_keys else self.low
        return sum(map(len, keys)) + _KEY_OVERHEAD_BYTES * len(keys)


class StreamRecord(Collection):
    """A stream: entries in the order of their ids, and beside them groups of consumers with what they have not settled.

    length: how many entries there are. first: the id of the first one, zero if there is none.
    last: the greatest id that was ever given; max_deleted: the greatest of a deleted entry, zero if there is none.
    added: how many entries were ever added. groups: how many groups there are. next_group: the next one's number.
    node: what new entries are counted to, node_added, node_base, node_bytes: what is in it; see streams/nodes.py.
    tail, windows: the ids of the youngest entries, and of others that were read; see streams/windows.py.
    head: what is known of the first node, see streams/trimming.py. known: groups, decoded, see streams/groups.py.
    """

    __slots__ = (
        "added",
        "entries_prefix",
        "first",
        "groups",
        "head",
        "known",
        "last",
        "length",
        "max_deleted",
        "next_group",
        "node",
        "node_added",
        "node_base",
        "node_bytes",
        "tail",
        "windows",
    )

    type_byte = 7
    kind = b"stream"
    wakes = True

    def __init__(self, object_id: int = 0) -> None:
        super().__init__(object_id)
        self.length = self.added = self.groups = self.next_group = self.node = self.node_added = 0
        self.first = self.last = self.max_deleted = bytes(16)
        self.node_base: Any = None
        self.node_bytes = 0
        self.tail: Any = None
        self.windows: list[Any] = []
        self.head: Any = None
        self.known: dict[bytes, Any] = {}

    def adopt(self, object_id: int) -> None:
        """Point at the elements of `object_id`."""
        super().adopt(object_id)
        self.entries_prefix = self.prefix + b"e"

    def body(self) -> bytes:
        """What stands behind the head."""
        return _STREAM_BODY.pack(
            self.object_id,
            self.length,
            self.first,
            self.last,
            self.max_deleted,
            self.added,
            self.groups,
            self.next_group,
            self.node,
            self.node_added,
        )

    def load_body(self, body: bytes) -> None:
        """Take the fields from what `body` gave."""
        (
            object_id,
            self.length,
            self.first,
            self.last,
            self.max_deleted,
            self.added,
            self.groups,
            self.next_group,
            self.node,
            self.node_added,
        ) = _STREAM_BODY.unpack(body)
        self.adopt(object_id)

    def count(self) -> int:
        """How many elements there are."""
        return self.length

    def size(self) -> int:
        """Bytes that the decoded record holds beyond its fixed fields."""
        ids = sum(len(window.ids) for window in self.windows) + (0 if self.tail is None else len(self.tail.ids))
        return ids * _ID_BYTES + sum(_GROUP_BYTES + len(group.known) * _CONSUMER_BYTES for group in self.known.values())


_TYPES: Final[dict[int, type[Record]]] = {
    cls.type_byte: cls
    for cls in (
        StringRecord,
        ListRecord,
        TaggedListRecord,
        SetRecord,
        HashRecord,
        ScheduleRecord,
        ZsetRecord,
        StreamRecord,
    )
}


def decode(raw: bytes) -> tuple[Record, bytes | None]:
    """The record, and its key's full name where that is long.

    raises: EngineError: no record.
    """
    try:
        if raw[:1] == _SHORT_STRING:
            _, expire_ms, stamp, flags = _STRING.unpack_from(raw)
            string = StringRecord(raw[_STRING.size :], stamp, flags)
            string.expire_ms = string.indexed_ms = expire_ms
            return string, None
        type_byte, expire_ms = _HEAD.unpack_from(raw)
        name: bytes | None = None
        start = _HEAD.size
        if type_byte & _LONG_NAME:
            (length,) = _U32.unpack_from(raw, start)
            name = raw[start + 4 : start + 4 + length]
            start += 4 + length
        record = _TYPES[type_byte & ~_LONG_NAME]()
        record.load_body(raw[start:])
    except (struct.error, KeyError) as error:
        raise EngineError(f"damaged record {raw[:32]!r}: {error}") from error
    record.expire_ms = record.indexed_ms = expire_ms
    return record, name


def outline(raw: bytes) -> tuple[bytes, int, bytes | None]:
    """What a walk over many records needs of one, without its body.

    returns: the kind, the expiry in Unix ms (0 = never), and the key's full name where that is long.
    raises: EngineError: no record.
    """
    try:
        type_byte, expire_ms = _HEAD.unpack_from(raw)
        if type_byte & _LONG_NAME:
            (length,) = _U32.unpack_from(raw, _HEAD.size)
            start = _HEAD.size + _U32.size
            return _TYPES[type_byte & ~_LONG_NAME].kind, expire_ms, raw[start : start + length]
        return _TYPES[type_byte].kind, expire_ms, None
    except (struct.error, KeyError) as error:
        raise EngineError(f"damaged record {raw[:32]!r}: {error}") from error


def is_string_until(raw: bytes, stamp: int) -> bool:
    """Whether a stored record is a string whose last change is not later than `stamp`."""
    if raw[0] & ~_LONG_NAME != StringRecord.type_byte:
        return False
    start = _HEAD.size
    if raw[0] & _LONG_NAME:
        start += _U32.size + _U32.unpack_from(raw, start)[0]
    return int(_STRING_BODY.unpack_from(raw, start)[0]) & STAMP_BITS <= stamp


class _Absent(Record):
    """Stands in the cache for a key that is known not to exist."""

    __slots__ = ()
    type_byte = 0
    kind = b"none"


ABSENT: Final = _Absent()
