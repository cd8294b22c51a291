"""The fields of a small hash, kept in memory beside its record, and the order in which they were added.

Workers read a whole job at once (HGETALL), and a scan of the engine applies all pending mutations first. So a record
keeps the packed fields of its hash, in the order of their bytes, as long as they are few and short and all of them are
known: those of a new hash, and those of one that was read whole. Whoever adds or removes a field tells `added`,
`added_all` or `removed`. A rollback drops the record, and its names with it.

Redis tells the fields of a small hash in the order in which they were added. That order is stored with the record: for
each field, as it came, its place among the names, a byte each; nothing where that is the order of the bytes.

    names b"a" b"k" b"z"   order 2 0 1   the fields were added as z, a, k

Who changes a hash whose fields are not known, since its record had left the cache, loses the order: then it is that of
the bytes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from typing import Final, TypeVar

from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import HashRecord

# As many as Redis keeps in order; they take some KiB at most.
MOST_NAMES: Final = 128
FEW_NAMES: Final = 64
"""A look-up of so many values costs less than the scan; of more only if something is pending."""
_LONGEST: Final = 128
_BY_BYTES: Final = bytes(range(MOST_NAMES))

T = TypeVar("T")


def added(ks: Keyspace, record: HashRecord, packed: bytes) -> None:
    """A packed field is new. cost: O(names)."""
    names = record.names
    if names is None:
        record.order = b""
        return
    count = len(names)
    if count >= MOST_NAMES or len(packed) > _LONGEST:
        record.names = None
        record.order = b""
        return
    at = bisect_left(names, packed)
    names.insert(at, packed)
    order = record.order
    if order or at != count:
        record.order = (order or _BY_BYTES[:count]).translate(_making_room(at)) + bytes((at,))
    count += 1
    if count & (count - 1) == 0:
        ks.cache.grew(record.size())


def added_all(ks: Keyspace, record: HashRecord, packed: Sequence[bytes]) -> None:
    """Packed fields, one at least, are new, in this order. cost: O(names), in a hash that has fields for each."""
    if record.names != [] or len(packed) > MOST_NAMES or max(map(len, packed)) > _LONGEST:
        for each in packed:
            added(ks, record, each)
        return
    record.names = names = sorted(packed)
    if names != packed:
        places = {name: at for at, name in enumerate(names)}
        record.order = bytes(map(places.__getitem__, packed))
    ks.cache.grew(record.size())


def removed(record: HashRecord, packed: bytes) -> None:
    """A packed field is gone. cost: O(names)."""
    names = record.names
    if names is None:
        record.order = b""
        return
    at = bisect_left(names, packed)
    del names[at]
    if record.order:
        left = record.order.translate(_closing_up(at), bytes((at,)))
        record.order = b"" if left == _BY_BYTES[: len(left)] else left


def learn(ks: Keyspace, record: HashRecord, names: list[bytes]) -> None:
    """All packed fields of a hash were read, in the order of their bytes."""
    if len(names) <= MOST_NAMES and max(map(len, names)) <= _LONGEST:
        record.names = names
        ks.cache.grew(record.size())


def as_added(record: HashRecord, by_bytes: list[T]) -> list[T]:
    """What stands for all fields of a hash, in the order in which they were added as far as that is known."""
    order = record.order
    return [by_bytes[at] for at in order] if order and len(order) == len(by_bytes) else by_bytes


@cache
def _making_room(at: int) -> bytes:
    """A table for `translate`: places from `at` on become one more."""
    return bytes((*range(at), *range(at + 1, 256), 255))


@cache
def _closing_up(at: int) -> bytes:
    """A table for `translate`: places behind `at` become one less."""
    return bytes((*range(at), at, *range(at, 255)))
