"""Pick a name at random: an ordered engine knows no n-th key, and names are anything but evenly spread.

A small database is listed, so its choice is even. In a larger one several **descents** are made: from all names, take
a random next byte, go on among the names that have it, until so few are left that they can be listed (a window). A
descent comes to lonely names far more often than to one of a million siblings, but it knows how likely its way was;
of all windows the one that is kept is drawn by the names in it over that likelihood, which evens this out nearly.
"""

from __future__ import annotations

import random
from typing import Final

from spoold.engine.batch import Batch
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import after
from spoold.keyspace.record import decode

# Up to so many names all are listed, about 60 µs.
_LISTED: Final = 1000
# Names in a window, and descents: together about half a millisecond.
_WINDOW: Final = 64
_DESCENTS: Final = 8
# Where all windows hold only keys that are due, so many records are looked through for one that is not.
_SEARCHED: Final = 1000


def random_name(ks: Keyspace, chance: random.Random) -> bytes | None:
    """Choose one of the names of `ks` that are not due.

    returns: the name; None if there is none, or if a thousand records were looked through and all were due.
    cost: O(1) engine reads, whatever the number of keys and of those that are due.
    """
    ks.write()
    batch = ks.dbs.batch
    stop = after(ks.prefix)
    if ks.count <= _LISTED:
        keys = batch.scan_keys(ks.prefix, stop, _LISTED)
    else:
        ways = [_descend(batch, ks.prefix, stop, chance) for _ in range(_DESCENTS)]
        keys = chance.choices([keys for keys, _ in ways], [len(keys) / likely for keys, likely in ways])[0]
    chance.shuffle(keys)
    for key in keys:
        raw = batch.get(key)
        if raw is not None:
            record, full_name = decode(raw)
            if not 0 < record.expire_ms <= ks.dbs.now_ms:
                return key[len(ks.prefix) :] if full_name is None else full_name
    found, _ = ks.scan(b"", _SEARCHED)
    return found[0][0] if found else None


def _descend(batch: Batch, start: bytes, stop: bytes, chance: random.Random) -> tuple[list[bytes], float]:
    """Go down among the keys in start <= key < stop by random bytes.

    returns: at most a window of neighbours, and how likely it was to come to them.
    """
    likely = 1.0
    while True:
        keys = batch.scan_keys(start, stop, _WINDOW + 1)
        if len(keys) <= _WINDOW:
            return keys, likely
        first, last = keys[0], batch.scan_keys(start, stop, 1, reverse=True)[0]
        depth = next(at for at, byte in enumerate(last) if first[at : at + 1] != last[at : at + 1])
        stem = last[:depth]
        # A key that ends at the stem counts as a byte below all others.
        lowest = first[depth] if len(first) > depth else -1
        choices = last[depth] - lowest + 1
        drawn = chance.randint(lowest, last[depth])
        if drawn < 0:
            return [first], likely / choices
        start = batch.scan_keys(stem + bytes((drawn,)), stop, 1)[0]
        byte = start[depth]
        before = batch.scan_keys(first, stem + bytes((byte,)), 1, reverse=True)
        below = lowest - 1 if not before else before[0][depth] if len(before[0]) > depth else -1
        likely *= (byte - below) / choices
        stop = after(stem + bytes((byte,)))
