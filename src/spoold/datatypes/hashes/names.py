"""The fields of a small hash, kept in memory beside its record.

Workers read a whole job at once (HGETALL), and a scan of the engine applies all pending mutations first. So a record
keeps the packed fields of its hash, in order, as long as they are few and short and all of them are known: those of a
new hash, and those of one that was read whole. Whoever adds or removes a field tells `added` or `removed`. A rollback
drops the record, and its names with it.
"""

from __future__ import annotations

from bisect import insort
from typing import Final

from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import HashRecord

# A look-up of so many values costs less than the scan; they take some KiB at most.
MOST_NAMES: Final = 64
_LONGEST: Final = 128


def added(ks: Keyspace, record: HashRecord, packed: bytes) -> None:
    """A packed field is new. cost: O(names)."""
    names = record.names
    if names is None:
        return
    if len(names) >= MOST_NAMES or len(packed) > _LONGEST:
        record.names = None
        return
    insort(names, packed)
    count = len(names)
    if count & (count - 1) == 0:
        ks.cache.grew(record.size())


def removed(record: HashRecord, packed: bytes) -> None:
    """A packed field is gone. cost: O(names)."""
    if record.names is not None:
        record.names.remove(packed)


def learn(ks: Keyspace, record: HashRecord, names: list[bytes]) -> None:
    """All packed fields of a hash were read, in order."""
    if len(names) <= MOST_NAMES and max(map(len, names)) <= _LONGEST:
        record.names = names
        ks.cache.grew(record.size())
