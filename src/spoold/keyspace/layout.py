"""Every engine key, in one place. Values are `record.py`'s and the stores'.

    key                                     value
    s format | id | turn                    the engine's own (engine/env.py)
    s counters                              next object id 8 | change counter 8
    s db  index 1                           database id 8 | keys in it 8
    k  database id 8  name                  the key's record (record.py)
    x  when 8  database id 8  name          empty: the key falls due at `when` (Unix ms)
    e  object id 8  element                 one element of a collection (the stores of the data types)
    g  id 8                                 `e` or `k`: a dropped object or database that waits to be reclaimed;
                                            `v` stamp 8 place: strings of a database up to that change are dropped
    s flush                                 when 8: all strings of database 0 are dropped at `when`
    a  when 8  database id 8  name          empty: the first item of a list falls due at `when` (lists/tags.py)
    l l  index 1  queue  id 8               a lease (jobs/store.py)
    l i  index 1  queue  id 8               the item that it holds
    l c  index 1  queue                     how many leases of the queue there are 8
    l d  when 8  id 8                       index 1, rank 8, queue: the lease falls due at `when`
    f  index 1  queue                       the queues that get a copy of each of its items (jobs/fanout.py)
    p s  sha1 20                            a script (scripting/scripts.py)
    p l  name                               a library of functions (scripting/libraries.py)

`index` is that of SELECT; `queue` is the length of the packed name 2 and the packed name.
Object and database ids come from one counter and are never reused. Names are packed (packing.py): a long name's full
bytes stand in its record, and in the value of its `x` entry.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from spoold.keyspace.packing import pack_name, pack_u64, unpack_u64

COUNTERS: Final = b"scounters"
DATABASES: Final = 16

RECORD_FIRST: Final = b"k"
RECORD_STOP: Final = b"l"
ELEMENT_FIRST: Final = b"e"
ELEMENT_STOP: Final = b"f"
EXPIRY_FIRST: Final = b"x"
EXPIRY_STOP: Final = b"y"
GARBAGE_FIRST: Final = b"g"
GARBAGE_STOP: Final = b"h"
ALARM_FIRST: Final = b"a"
ALARM_STOP: Final = b"b"
ALL_LEASES: Final = b"l"
ALL_FANOUTS: Final = b"f"
LEASE_FIRST: Final = b"ll"
LEASE_STOP: Final = b"lm"
DEADLINE_FIRST: Final = b"ld"
DEADLINE_STOP: Final = b"le"
DROPPED_OBJECT: Final = b"e"
DROPPED_DATABASE: Final = b"k"
FLUSHED_STRINGS: Final = b"v"
FLUSH_TIME: Final = b"sflush"
SCRIPT_FIRST: Final = b"ps"
SCRIPT_STOP: Final = b"pt"
LIBRARY_FIRST: Final = b"pl"
LIBRARY_STOP: Final = b"pm"


def database_key(index: int) -> bytes:
    """Where the logical database `index` keeps its id and its count."""
    return b"sdb" + bytes((index,))


def names_prefix(database_id: int) -> bytes:
    """What the record keys of a database start with."""
    return b"k" + pack_u64(database_id)


def elements_prefix(object_id: int) -> bytes:
    """What the element keys of a collection start with."""
    return b"e" + pack_u64(object_id)


def record_parts(key: bytes) -> tuple[int, bytes]:
    """(database id, packed name) in the key of a record."""
    return unpack_u64(key[1:9]), key[9:]


def element_object(key: bytes) -> int:
    """The object id in the key of an element."""
    return unpack_u64(key[1:9])


def garbage_key(id_: int) -> bytes:
    """The mark of a dropped object or database."""
    return b"g" + pack_u64(id_)


def flushed_strings(stamp: int, place: bytes) -> bytes:
    """The mark's value of a database whose strings were flushed; place: what lies before it was looked at."""
    return FLUSHED_STRINGS + pack_u64(stamp) + place


def flushed_parts(value: bytes) -> tuple[int, bytes]:
    """(stamp, place) of such a value."""
    return unpack_u64(value[1:9]), value[9:]


def garbage_id(key: bytes) -> int:
    """The id in a mark's key."""
    return unpack_u64(key[1:9])


def alarm_key(when_ms: int, database_id: int, name: bytes) -> bytes:
    """The entry of a list whose first item falls due."""
    return b"a" + pack_u64(when_ms) + pack_u64(database_id) + pack_name(name)


def alarm_stop(now_ms: int) -> bytes:
    """Behind all alarms that are due at `now_ms`."""
    return b"a" + pack_u64(now_ms + 1)


def leases_prefix(index: int) -> bytes:
    """What the leases of a database's queues start with."""
    return b"ll" + bytes((index,))


def lease_key(index: int, queue: bytes, id_: int) -> bytes:
    """Where a lease stands: in the order of ids among those of its queue."""
    return b"ll" + bytes((index,)) + _queue(queue) + pack_u64(id_)


def lease_index(key: bytes) -> int:
    """The database's index in the key of a lease."""
    return key[2]


def leased_item_key(index: int, queue: bytes, id_: int) -> bytes:
    """Where the item of a lease stands."""
    return b"li" + bytes((index,)) + _queue(queue) + pack_u64(id_)


def leased_items_prefix(index: int) -> bytes:
    """What the items of leases of a database's queues start with."""
    return b"li" + bytes((index,))


def lease_count_key(index: int, queue: bytes) -> bytes:
    """Where the number of a queue's leases stands."""
    return b"lc" + bytes((index,)) + _queue(queue)


def packed_lease_count_key(index: int, packed: bytes) -> bytes:
    """The same by the queue's packed name."""
    return b"lc" + bytes((index,)) + _framed(packed)


def lease_of_item(key: bytes) -> bytes:
    """The key of the lease whose item stands under `key`."""
    return b"ll" + key[2:]


def lease_count_queue(key: bytes) -> bytes:
    """The packed name of the queue in the key of a count."""
    return key[5:]


def lease_counts_prefix(index: int) -> bytes:
    """What the counts of a database's queues start with."""
    return b"lc" + bytes((index,))


def deadline_key(when_ms: int, id_: int) -> bytes:
    """The entry of a lease that falls due."""
    return b"ld" + pack_u64(when_ms) + pack_u64(id_)


def deadline_stop(now_ms: int) -> bytes:
    """Behind all deadlines that are due at `now_ms`."""
    return b"ld" + pack_u64(now_ms + 1)


def deadline_parts(key: bytes) -> tuple[int, int]:
    """(when in Unix ms, lease id) of a deadline."""
    return unpack_u64(key[2:10]), unpack_u64(key[10:18])


def fanout_key(index: int, queue: bytes) -> bytes:
    """Where the children of a queue stand."""
    return b"f" + bytes((index,)) + _queue(queue)


def fanout_queue(key: bytes) -> bytes:
    """The packed name of the queue in such a key."""
    return key[4:]


def fanouts_prefix(index: int) -> bytes:
    """What the entries of a database's queues with children start with."""
    return b"f" + bytes((index,))


def script_key(sha: bytes) -> bytes:
    """Where a script stands; sha: 20 bytes."""
    return b"ps" + sha


def library_key(name: bytes) -> bytes:
    """Where a library stands. Its full name is in the value."""
    return b"pl" + pack_name(name)


def _queue(name: bytes) -> bytes:
    """A queue's name where something stands behind it: its length keeps the ranges of two names apart."""
    return _framed(pack_name(name))


@lru_cache(1024)
def _framed(packed: bytes) -> bytes:
    return len(packed).to_bytes(2, "big") + packed


def expiry_key(when_ms: int, database_id: int, name: bytes) -> bytes:
    """The expiry index's entry of one key."""
    return b"x" + pack_u64(when_ms) + pack_u64(database_id) + pack_name(name)


def expiry_stop(now_ms: int) -> bytes:
    """Behind all entries that are due at `now_ms`."""
    return b"x" + pack_u64(now_ms + 1)


def expiry_parts(key: bytes, value: bytes) -> tuple[int, int, bytes]:
    """(when in Unix ms, database id, full name) of an expiry entry or an alarm."""
    return unpack_u64(key[1:9]), unpack_u64(key[9:17]), value or key[17:]
