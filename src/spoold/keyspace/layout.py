"""Every engine key, in one place. Values are `record.py`'s and the stores'.

    key                                     value
    s format | id | turn                    the engine's own (engine/env.py)
    s counters                              next object id 8 | change counter 8
    s db  index 1                           database id 8 | keys in it 8
    k  database id 8  name                  the key's record (record.py)
    x  when 8  database id 8  name          empty: the key falls due at `when` (Unix ms)
    e  object id 8  element                 one element of a collection (the stores of the data types)
    g  id 8                                 `e` or `k`: a dropped object or database that waits to be reclaimed

Object and database ids come from one counter and are never reused. Names are packed (packing.py): a long name's full
bytes stand in its record, and in the value of its `x` entry.
"""

from __future__ import annotations

from typing import Final

from spoold.keyspace.packing import pack_name, pack_u64, unpack_u64

COUNTERS: Final = b"scounters"
DATABASES: Final = 16

EXPIRY_FIRST: Final = b"x"
EXPIRY_STOP: Final = b"y"
GARBAGE_FIRST: Final = b"g"
GARBAGE_STOP: Final = b"h"
DROPPED_OBJECT: Final = b"e"
DROPPED_DATABASE: Final = b"k"


def database_key(index: int) -> bytes:
    """Where the logical database `index` keeps its id and its count."""
    return b"sdb" + bytes((index,))


def names_prefix(database_id: int) -> bytes:
    """What the record keys of a database start with."""
    return b"k" + pack_u64(database_id)


def elements_prefix(object_id: int) -> bytes:
    """What the element keys of a collection start with."""
    return b"e" + pack_u64(object_id)


def garbage_key(id_: int) -> bytes:
    """The mark of a dropped object or database."""
    return b"g" + pack_u64(id_)


def garbage_id(key: bytes) -> int:
    """The id in a mark's key."""
    return unpack_u64(key[1:9])


def expiry_key(when_ms: int, database_id: int, name: bytes) -> bytes:
    """The expiry index's entry of one key."""
    return b"x" + pack_u64(when_ms) + pack_u64(database_id) + pack_name(name)


def expiry_stop(now_ms: int) -> bytes:
    """Behind all entries that are due at `now_ms`."""
    return b"x" + pack_u64(now_ms + 1)


def expiry_parts(key: bytes, value: bytes) -> tuple[int, int, bytes]:
    """(when in Unix ms, database id, full name) of an expiry entry."""
    return unpack_u64(key[1:9]), unpack_u64(key[9:17]), value or key[17:]
