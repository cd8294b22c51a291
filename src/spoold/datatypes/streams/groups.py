"""Consumer groups of a stream: who reads together, who was given what and has not settled it.

Beside the entries, under the stream's object id; group and consumer are numbers, which are never used again:

    group      prefix, `g`, packed name -> number 8, last delivered id 16, entries read 8 (signed, -1 = not known),
                                           greatest pending id 16, pending 8, consumers 8, next consumer's number 8;
                                           behind it a long name
    consumer   prefix, `c`, group 8, packed name -> number 8, seen 8 (Unix ms), pending 8; behind it a long name
    name       prefix, `n`, group 8, consumer 8 -> the consumer's name
    pending    prefix, `p`, group 8, id 16 -> consumer 8, delivered 8 (Unix ms), deliveries 8
    owned      prefix, `o`, group 8, consumer 8, id 16 -> empty

Groups and consumers are kept decoded in the stream's record while that is cached, a bounded number of them. They are
changed in place and written at once by `save` and `save_consumer`, but for the time at which a consumer was seen: that
alone is no reason to write, so that a worker who asks in vain costs no sync; a restart may forget the last of it.

To give, settle or move an entry costs the same whatever the stream and the group hold.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from spoold.core.errors import EngineError
from spoold.datatypes.streams.ids import LAST, ZERO
from spoold.engine.batch import walk
from spoold.keyspace import events
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import after as behind
from spoold.keyspace.packing import is_long, pack_name, pack_u64
from spoold.keyspace.record import StreamRecord

UNKNOWN: Final = -1
"""How many entries a group has read, where that can't be told."""

# What is stored of each, as above; long names follow. payload.py writes them too.
GROUP: Final = struct.Struct(">Q16sq16sQQQ")
CONSUMER: Final = struct.Struct(">QQQ")
PENDING: Final = struct.Struct(">QQQ")

# Groups of a stream, and consumers of a group, that are kept decoded.
_GROUPS_KNOWN: Final = 16
_CONSUMERS_KNOWN: Final = 64
# Engine keys that are read or removed in one go.
_SLICE: Final = 1000


class Consumer:
    """One who reads: number, when it was seen (Unix ms), how many entries it was given and has not settled."""

    __slots__ = ("key", "name", "number", "owned_prefix", "pending", "seen_ms")

    def __init__(self, group: Group, name: bytes, number: int, seen_ms: int, pending: int) -> None:
        """name: within its group."""
        self.key = group.consumers_prefix + pack_name(name)
        self.owned_prefix = group.owned_prefix + pack_u64(number)
        self.name = name
        self.number = number
        self.seen_ms = seen_ms
        self.pending = pending


class Group:
    """One group.

    last: the id up to which entries were given to someone. read: how many that were since the stream began, or UNKNOWN.
    top: no pending id is greater. pending, consumers: how many there are. known: consumers, decoded.
    """

    __slots__ = (
        "consumers",
        "consumers_prefix",
        "key",
        "known",
        "last",
        "name",
        "next_consumer",
        "number",
        "numbers",
        "owned_prefix",
        "pending",
        "pending_prefix",
        "read",
        "top",
    )

    def __init__(self, record: StreamRecord, name: bytes, number: int, last: bytes, read: int) -> None:
        """A group without consumers."""
        self.name = name
        self.number = number
        self.last = last
        self.read = read
        self.top = ZERO
        self.pending = self.consumers = self.next_consumer = 0
        self.known: dict[bytes, Consumer] = {}
        self.numbers: dict[int, Consumer] = {}
        self.key = record.prefix + b"g" + pack_name(name)
        self.consumers_prefix = record.prefix + b"c" + pack_u64(number)
        self.pending_prefix = record.prefix + b"p" + pack_u64(number)
        self.owned_prefix = record.prefix + b"o" + pack_u64(number)


class Pending(NamedTuple):
    """What is noted of an entry that was given and not settled.

    consumer: the number of who has it. delivered_ms: when it was given last (Unix ms). deliveries: how often.
    """

    id: bytes
    consumer: int
    delivered_ms: int
    deliveries: int


# -- groups -----------------------------------------------------------------------------------------------------------


def find(ks: Keyspace, name: bytes, record: StreamRecord, group_name: bytes) -> Group | None:
    """The group of a stream, or None. cost: O(1)."""
    group: Group | None = record.known.get(group_name)
    if group is None:
        stored = ks.batch.get(record.prefix + b"g" + pack_name(group_name))
        if stored is None or (is_long(group_name) and stored[GROUP.size :] != group_name):
            return None
        group = _load(record, group_name, stored)
        _remember(ks, name, record, group)
    return group


def create(ks: Keyspace, name: bytes, record: StreamRecord, group_name: bytes, last: bytes, read: int) -> Group | None:
    """Make a group; None if there is one of that name."""
    if find(ks, name, record, group_name) is not None:
        return None
    group = Group(record, group_name, record.next_group, last, read)
    record.next_group += 1
    record.groups += 1
    if is_long(group_name) and ks.batch.get(record.prefix + b"g" + pack_name(group_name)) is not None:
        raise EngineError(f"two groups of a stream have the digest {pack_name(group_name)[-16:].hex()}")
    save(ks, group)
    _remember(ks, name, record, group)
    ks.changed(name, record)
    return group


def save(ks: Keyspace, group: Group) -> None:
    """Write what was changed of a group."""
    stored = GROUP.pack(
        group.number, group.last, group.read, group.top, group.pending, group.consumers, group.next_consumer
    )
    ks.batch.fresh[group.key] = stored + group.name if is_long(group.name) else stored


def destroy(ks: Keyspace, name: bytes, record: StreamRecord, group: Group) -> None:
    """Remove a group with all that belongs to it. cost: O(consumers and pending entries)."""
    number = pack_u64(group.number)
    for kind in (b"c", b"n", b"p", b"o"):
        _remove_range(ks, record.prefix + kind + number)
    ks.batch.fresh[group.key] = None
    record.known.pop(group.name, None)
    record.groups -= 1
    ks.changed(name, record)


def each(ks: Keyspace, record: StreamRecord) -> Iterator[Group]:
    """All groups in the order of their names, decoded anew where they are not known."""
    if not record.groups:
        return
    prefix = record.prefix + b"g"
    for key, stored in _scan(ks, prefix, behind(prefix)):
        group_name = stored[GROUP.size :] or key[len(prefix) :]
        yield record.known.get(group_name) or _load(record, group_name, stored)


def _load(record: StreamRecord, group_name: bytes, stored: bytes) -> Group:
    number, last, read, top, pending, consumers, next_consumer = GROUP.unpack_from(stored)
    group = Group(record, group_name, number, last, read)
    group.top = top
    group.pending = pending
    group.consumers = consumers
    group.next_consumer = next_consumer
    return group


def _remember(ks: Keyspace, name: bytes, record: StreamRecord, group: Group) -> None:
    if len(record.known) >= _GROUPS_KNOWN:
        record.known.clear()
    record.known[group.name] = group
    ks.cache.add(name, record)


# -- consumers --------------------------------------------------------------------------------------------------------


def find_consumer(ks: Keyspace, record: StreamRecord, group: Group, consumer_name: bytes) -> Consumer | None:
    """The consumer of a group, or None. cost: O(1)."""
    consumer = group.known.get(consumer_name)
    if consumer is None:
        stored = ks.batch.get(group.consumers_prefix + pack_name(consumer_name))
        if stored is None or (is_long(consumer_name) and stored[CONSUMER.size :] != consumer_name):
            return None
        consumer = Consumer(group, consumer_name, *CONSUMER.unpack_from(stored))
        _remember_consumer(group, consumer)
    return consumer


def create_consumer(ks: Keyspace, name: bytes, record: StreamRecord, group: Group, consumer_name: bytes) -> Consumer:
    """Make a consumer, which must not exist; the caller saves the group."""
    key = group.consumers_prefix + pack_name(consumer_name)
    if is_long(consumer_name) and ks.batch.get(key) is not None:
        raise EngineError(f"two consumers of a group have the digest {key[-16:].hex()}")
    consumer = Consumer(group, consumer_name, group.next_consumer, ks.dbs.now_ms, 0)
    group.next_consumer += 1
    group.consumers += 1
    ks.batch.fresh[record.prefix + b"n" + pack_u64(group.number) + pack_u64(consumer.number)] = consumer_name
    save_consumer(ks, consumer)
    _remember_consumer(group, consumer)
    if ks.notify:
        ks.notify(events.STREAM, b"xgroup-createconsumer", name)
    return consumer


def look_up_consumer(ks: Keyspace, name: bytes, record: StreamRecord, group: Group, consumer_name: bytes) -> Consumer:
    """The consumer of this name, which was seen now; made if there is none, and the group is saved then."""
    consumer = find_consumer(ks, record, group, consumer_name)
    if consumer is None:
        consumer = create_consumer(ks, name, record, group, consumer_name)
        save(ks, group)
    consumer.seen_ms = ks.dbs.now_ms
    return consumer


def consumer_of(ks: Keyspace, record: StreamRecord, group: Group, number: int) -> Consumer:
    """The consumer with this number, which exists. cost: O(1)."""
    consumer = group.numbers.get(number)
    if consumer is None:
        found = ks.batch.get(record.prefix + b"n" + pack_u64(group.number) + pack_u64(number))
        consumer = None if found is None else find_consumer(ks, record, group, found)
        if consumer is None:
            raise EngineError(f"a pending entry of the group {group.name!r} belongs to no consumer")
    return consumer


def save_consumer(ks: Keyspace, consumer: Consumer) -> None:
    """Write what was changed of a consumer."""
    ks.batch.fresh[consumer.key] = stored_consumer(consumer)


def stored_consumer(consumer: Consumer) -> bytes:
    """The value of a consumer's key."""
    stored = CONSUMER.pack(consumer.number, consumer.seen_ms, consumer.pending)
    return stored + consumer.name if is_long(consumer.name) else stored


def delete_consumer(ks: Keyspace, record: StreamRecord, group: Group, consumer: Consumer) -> int:
    """Remove a consumer with all that it was given. returns: how many entries that were. cost: O(those)."""
    for id_ in list(owned(ks, group, consumer, ZERO)):
        ks.batch.fresh[group.pending_prefix + id_] = None
    _remove_range(ks, consumer.owned_prefix)
    ks.batch.fresh[consumer.key] = None
    ks.batch.fresh[record.prefix + b"n" + pack_u64(group.number) + pack_u64(consumer.number)] = None
    group.pending -= consumer.pending
    group.consumers -= 1
    group.known.pop(consumer.name, None)
    group.numbers.pop(consumer.number, None)
    save(ks, group)
    return consumer.pending


def each_consumer(ks: Keyspace, record: StreamRecord, group: Group) -> Iterator[Consumer]:
    """All consumers in the order of their names, decoded anew where they are not known."""
    if not group.consumers:
        return
    prefix = group.consumers_prefix
    for key, stored in _scan(ks, prefix, behind(prefix)):
        consumer_name = stored[CONSUMER.size :] or key[len(prefix) :]
        yield group.known.get(consumer_name) or Consumer(group, consumer_name, *CONSUMER.unpack_from(stored))


def _remember_consumer(group: Group, consumer: Consumer) -> None:
    if len(group.known) >= _CONSUMERS_KNOWN:
        group.known.clear()
        group.numbers.clear()
    group.known[consumer.name] = consumer
    group.numbers[consumer.number] = consumer


# -- pending entries --------------------------------------------------------------------------------------------------


def pending(ks: Keyspace, group: Group, id_: bytes) -> Pending | None:
    """What is noted of an entry; None if no one has it. cost: O(1)."""
    if id_ > group.top:
        return None
    stored = ks.batch.get(group.pending_prefix + id_)
    return None if stored is None else Pending(id_, *PENDING.unpack(stored))


def give(ks: Keyspace, group: Group, consumer: Consumer, id_: bytes, delivered_ms: int, deliveries: int) -> None:
    """Note that a consumer has an entry that no one had; the caller saves both. cost: O(1)."""
    fresh = ks.batch.fresh
    fresh[group.pending_prefix + id_] = PENDING.pack(consumer.number, delivered_ms, deliveries)
    fresh[consumer.owned_prefix + id_] = b""
    group.pending += 1
    consumer.pending += 1
    group.top = max(group.top, id_)


def give_new(ks: Keyspace, record: StreamRecord, group: Group, consumer: Consumer, ids: Sequence[bytes]) -> None:
    """Note that a consumer was given entries now, in the order of their ids, and save both. cost: O(len(ids))."""
    now_ms = ks.dbs.now_ms
    if ids[0] > group.top:
        fresh = ks.batch.fresh
        noted = PENDING.pack(consumer.number, now_ms, 1)
        pending_prefix, owned_prefix = group.pending_prefix, consumer.owned_prefix
        for id_ in ids:
            fresh[pending_prefix + id_] = noted
            fresh[owned_prefix + id_] = b""
        group.top = ids[-1]
        group.pending += len(ids)
        consumer.pending += len(ids)
    else:
        # The group was set back (XGROUP SETID), or one was claimed before it was read: it may be another's.
        for id_ in ids:
            known = pending(ks, group, id_)
            if known is not None:
                owner = consumer_of(ks, record, group, known.consumer)
                settle(ks, group, owner, id_)
                save_consumer(ks, owner)
            give(ks, group, consumer, id_, now_ms, 1)
    save_consumer(ks, consumer)
    save(ks, group)


def note(ks: Keyspace, group: Group, found: Pending, delivered_ms: int, deliveries: int) -> None:
    """Note another delivery to who has the entry already."""
    ks.batch.fresh[group.pending_prefix + found.id] = PENDING.pack(found.consumer, delivered_ms, deliveries)


def settle(ks: Keyspace, group: Group, owner: Consumer, id_: bytes) -> None:
    """Forget that `owner` has an entry; the caller saves both. cost: O(1)."""
    fresh = ks.batch.fresh
    fresh[group.pending_prefix + id_] = None
    fresh[owner.owned_prefix + id_] = None
    group.pending -= 1
    owner.pending -= 1


def all_pending(ks: Keyspace, group: Group, start: bytes, end: bytes = LAST, limit: int = _SLICE) -> Iterator[Pending]:
    """What is pending with start <= id <= end, in order; nothing may change before the last one is taken.

    limit: how many will be taken at least.
    """
    if not group.pending:
        return
    prefix = group.pending_prefix
    cut = len(prefix)
    for key, stored in _scan(ks, prefix + start, prefix + end + b"\0", limit):
        yield Pending(key[cut:], *PENDING.unpack(stored))


def last_pending(ks: Keyspace, group: Group) -> bytes:
    """The greatest pending id of a group that has one."""
    prefix = group.pending_prefix
    return ks.batch.scan_keys(prefix, behind(prefix), 1, reverse=True)[0][-16:]


def owned(
    ks: Keyspace, group: Group, consumer: Consumer, start: bytes, end: bytes = LAST, limit: int = _SLICE
) -> Iterator[bytes]:
    """The ids that a consumer has, with start <= id <= end, in order; nothing may change before the last one is taken.

    limit: how many will be taken at least.
    """
    if not consumer.pending:
        return
    prefix = consumer.owned_prefix
    for key, _ in _scan(ks, prefix + start, prefix + end + b"\0", limit):
        yield key[-16:]


def _scan(ks: Keyspace, start: bytes, stop: bytes, limit: int = _SLICE) -> Iterator[tuple[bytes, bytes]]:
    return walk(ks.batch, start, stop, _SLICE, first=max(1, min(limit, _SLICE)))


def _remove_range(ks: Keyspace, prefix: bytes) -> None:
    """Remove all engine keys that start with `prefix`; a few one by one, so that no range is noted for them."""
    stop = behind(prefix)
    keys = ks.batch.scan_keys(prefix, stop, _SLICE)
    if len(keys) < _SLICE:
        ks.batch.fresh.update(dict.fromkeys(keys))
        return
    while ks.batch.delete_range(prefix, stop, _SLICE) == _SLICE:
        pass
