"""Sets: FIFO queues of unique members.

    record   object id, members, head, next: the sequences in use lie in head <= sequence < next
    member   prefix, `m`, packed member -> sequence 8 (big-endian), behind it a long member's bytes
    order    prefix, `s`, sequence 8 -> member

A new member gets the next sequence, so the order index holds the members by age, with holes where one was removed.
What was removed and is added again is a new member. `head` may lie below the oldest member, never above it.

All functions on names take the database and the key's name first; a missing key is an empty set, and a set that loses
its last member is no key any more. They raise WrongType where the key holds something else. `add` and `pop` are the
hot path of a queue. A scan replaces `batch.fresh`: take it from the batch again after each read of a range.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from spoold.core.errors import EngineError, WrongType
from spoold.keyspace import events
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import PLAIN_BYTES, pack_name
from spoold.keyspace.record import SetRecord

# Up to so many members are read one by one while mutations are pending: a scan would apply those first.
FEW: Final = 128
# Holes that are passed one by one before a scan looks for the next member.
_HOLES: Final = 16
# Members that are read in one go.
MANY: Final = 4096


def find(ks: Keyspace, name: bytes) -> SetRecord | None:
    """The set's record, or None. raises: WrongType."""
    record = ks.find(name)
    if record is None:
        return None
    if record.__class__ is not SetRecord:
        raise WrongType
    return record


def add(ks: Keyspace, name: bytes, members: Sequence[bytes]) -> int:
    """Add members, the first as the oldest, creating the set if needed; one that is there already keeps its age.

    returns: how many are new.
    raises: EngineError: two long members have one digest; the turn is rolled back.
    cost: O(len(members)); nothing is written for those that are there.
    """
    record = ks.young.get(name)
    if record.__class__ is not SetRecord or record.expire_ms:
        record = find(ks, name) or ks.new_collection(name, SetRecord)
    batch = ks.batch
    fresh = batch.fresh
    prefix = record.prefix
    first = sequence = record.next
    for member in members:
        key = prefix + b"m" + (member if len(member) <= PLAIN_BYTES else pack_name(member))
        known = batch.get(key)
        if known is not None:
            if len(known) > 8 and known[8:] != member:
                raise EngineError(f"two members of a set have the digest {key[-16:].hex()}")
            continue
        age = sequence.to_bytes(8, "big")
        fresh[key] = age if len(member) <= PLAIN_BYTES else age + member
        fresh[prefix + b"s" + age] = member
        sequence += 1
    new = sequence - first
    if new:
        record.next = sequence
        record.members += new
        ks.dirty[name] = record
        if name in ks.observed:
            ks.tell(name)
        if ks.notify:
            ks.notify(events.SET, b"sadd", name)
    return new


def remove(ks: Keyspace, name: bytes, members: Iterable[bytes]) -> int:
    """Remove members. returns: how many there were. cost: O(len(members))."""
    record = find(ks, name)
    if record is None:
        return 0
    before = record.members
    for member in members:
        _remove(ks, record, member)
    if record.members == before:
        return 0
    removed = before - record.members
    _changed(ks, name, record, b"srem")
    return removed


def _remove(ks: Keyspace, record: SetRecord, member: bytes) -> bool:
    batch = ks.batch
    key = _member_key(record, member)
    known = batch.get(key)
    if known is None or (len(known) > 8 and known[8:] != member):
        return False
    age = known[:8]
    batch.delete(key)
    batch.delete(record.prefix + b"s" + age)
    record.members -= 1
    if int.from_bytes(age, "big") == record.head:
        record.head += 1
    return True


def pop(ks: Keyspace, name: bytes) -> bytes | None:
    """Take the oldest member; None if there is none.

    cost: O(1), and at most one scan where many of the oldest were removed out of turn.
    """
    record = ks.young.get(name)
    if record.__class__ is not SetRecord or record.expire_ms:
        record = find(ks, name)
        if record is None:
            return None
    batch = ks.batch
    prefix = record.prefix
    head = record.head
    member = batch.take(prefix + b"s" + head.to_bytes(8, "big"))
    if member is None:
        ((head, member),) = oldest(ks, record, 1)
        batch.delete(prefix + b"s" + head.to_bytes(8, "big"))
    batch.fresh[prefix + b"m" + (member if len(member) <= PLAIN_BYTES else pack_name(member))] = None
    record.head = head + 1
    record.members = left = record.members - 1
    if left:
        ks.dirty[name] = record
        if name in ks.observed:
            ks.tell(name)
    else:
        ks.emptied(name, record)
    if ks.notify:
        _tell(ks, name, record, b"spop")
    return member


def pop_many(ks: Keyspace, name: bytes, count: int) -> list[bytes]:
    """Take the `count` oldest members, or all.

    cost: O(count); a whole set is dropped in O(1) once it is read.
    """
    record = find(ks, name)
    if record is None or not count:
        return []
    taken = oldest(ks, record, min(count, record.members))
    if len(taken) == record.members:
        ks.delete(name)
        record.members = 0
    else:
        fresh, prefix = ks.batch.fresh, record.prefix
        for sequence, member in taken:
            fresh[prefix + b"s" + sequence.to_bytes(8, "big")] = None
            fresh[_member_key(record, member)] = None
        record.head = taken[-1][0] + 1
        record.members -= len(taken)
        ks.changed(name, record)
    if ks.notify:
        _tell(ks, name, record, b"spop")
    return [member for _, member in taken]


def move(ks: Keyspace, source: bytes, target: bytes, member: bytes) -> bool:
    """Take a member out of one set and add it to another, where it is the youngest unless it is there already.

    returns: whether the source had it; if there is no source, the target is not looked at.
    """
    record = find(ks, source)
    if record is None:
        return False
    find(ks, target)  # its type must be right before anything is taken
    if source == target:
        return holds(ks, record, member)
    if not _remove(ks, record, member):
        return False
    _changed(ks, source, record, b"srem")
    add(ks, target, (member,))
    return True


def replace(ks: Keyspace, name: bytes, members: Sequence[bytes], event: bytes) -> int:
    """Make `name` a set of `members`, which are distinct, whatever it was before; without any it is no key.

    event: what is told of it.
    returns: how many members it has. cost: O(len(members)).
    """
    if not members:
        ks.remove(name)
        return 0
    record = SetRecord(ks.dbs.new_id())
    fresh, prefix = ks.batch.fresh, record.prefix
    for sequence, member in enumerate(members):
        age = sequence.to_bytes(8, "big")
        fresh[_member_key(record, member)] = age if len(member) <= PLAIN_BYTES else age + member
        fresh[prefix + b"s" + age] = member
    record.members = record.next = len(members)
    ks.replace(name, record)
    if ks.notify:
        ks.notify(events.SET, event, name)
    return len(members)


def size(ks: Keyspace, name: bytes) -> int:
    """How many members there are. cost: O(1)."""
    record = find(ks, name)
    return 0 if record is None else record.members


def holds(ks: Keyspace, record: SetRecord, member: bytes) -> bool:
    """Whether `member` is in the set. cost: O(1)."""
    known = ks.batch.get(_member_key(record, member))
    return known is not None and (len(known) == 8 or known[8:] == member)


def members(ks: Keyspace, name: bytes) -> list[bytes]:
    """All members, the oldest first. cost: O(members)."""
    record = find(ks, name)
    return [] if record is None else [member for _, member in oldest(ks, record, record.members)]


def oldest(ks: Keyspace, record: SetRecord, count: int) -> list[tuple[int, bytes]]:
    """The `count` oldest members, of which there must be so many, with their sequences."""
    start = record.head
    found: list[tuple[int, bytes]] = []
    if count <= FEW and (count == 1 or not ks.batch.settled):
        known = ((start + hole, at_sequence(ks, record, start + hole)) for hole in range(count + _HOLES))
        found = list(islice(((sequence, member) for sequence, member in known if member is not None), count))
        start += count + _HOLES
    if len(found) < count:
        found += between(ks, record, start, record.next, count - len(found))
    return found


def each(ks: Keyspace, record: SetRecord) -> Iterator[bytes]:
    """All members, the oldest first, in bounded memory; nothing may be written to the set meanwhile."""
    if record.members <= FEW:
        yield from (member for _, member in oldest(ks, record, record.members))
        return
    start = record.head
    while found := between(ks, record, start, record.next, MANY):
        yield from (member for _, member in found)
        start = found[-1][0] + 1


def at_sequence(ks: Keyspace, record: SetRecord, sequence: int) -> bytes | None:
    """The member with this sequence, or None. cost: O(1)."""
    return ks.batch.get(record.prefix + b"s" + sequence.to_bytes(8, "big"))


def between(
    ks: Keyspace, record: SetRecord, first: int, stop: int, count: int, *, reverse: bool = False
) -> list[tuple[int, bytes]]:
    """Up to `count` (sequence, member) pairs with first <= sequence < stop, the oldest or (reverse) youngest first.

    cost: O(count), and the pending mutations are applied first.
    """
    prefix = record.prefix + b"s"
    pairs = ks.batch.scan(prefix + first.to_bytes(8, "big"), prefix + stop.to_bytes(8, "big"), count, reverse=reverse)
    return [(int.from_bytes(key[-8:], "big"), member) for key, member in pairs]


def _member_key(record: SetRecord, member: bytes) -> bytes:
    return record.prefix + b"m" + pack_name(member)


def _changed(ks: Keyspace, name: bytes, record: SetRecord, event: bytes) -> None:
    if record.members:
        ks.changed(name, record)
    else:
        ks.emptied(name, record)
    if ks.notify:
        _tell(ks, name, record, event)


def _tell(ks: Keyspace, name: bytes, record: SetRecord, event: bytes) -> None:
    """Members were taken, and maybe all."""
    if ks.notify:
        ks.notify(events.SET, event, name)
        if not record.members:
            ks.notify(events.GENERIC, b"del", name)
