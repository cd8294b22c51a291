"""Fan-out: queues that get a copy of each item that is added to another one.

    entry  `f` index 1, queue -> the children, each as length 4 and name, in the order in which they came

Who adds an item asks `children` for its queue. An entry does not depend on
whether the queue exists; FLUSHDB and FLUSHALL drop it (`store.drop_database`).
"""

from __future__ import annotations

import struct

from spoold.keyspace import layout
from spoold.keyspace.keyspace import Keyspace

_U32 = struct.Struct(">I")


def children(ks: Keyspace, queue: bytes) -> list[bytes]:
    """The queues that get copies of what is added to `queue`. cost: one read."""
    raw = ks.batch.get(layout.fanout_key(ks.index, queue))
    return [] if raw is None else _unpack(raw)


def add(ks: Keyspace, queue: bytes, child: bytes) -> bool:
    """From now on `child` gets copies; returns whether that is new. cost: O(children)."""
    names = children(ks, queue)
    if child in names:
        return False
    _store(ks, queue, [*names, child])
    return True


def remove(ks: Keyspace, queue: bytes, child: bytes) -> bool:
    """From now on it doesn't; returns whether it did. cost: O(children)."""
    names = children(ks, queue)
    if child not in names:
        return False
    names.remove(child)
    _store(ks, queue, names)
    return True


def _store(ks: Keyspace, queue: bytes, names: list[bytes]) -> None:
    packed = b"".join(_U32.pack(len(name)) + name for name in names)
    ks.batch.fresh[layout.fanout_key(ks.index, queue)] = packed or None


def _unpack(raw: bytes) -> list[bytes]:
    names = []
    at = 0
    while at < len(raw):
        (length,) = _U32.unpack_from(raw, at)
        names.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    return names
