"""Pick a name, or an element, at random: an ordered engine knows no n-th key, and keys are anything but evenly spread.

A small database is listed, so its choice is even. In a larger one several **descents** are made: at each fork, where
names differ for the first time, one of the next bytes is taken at random, until so few names are left that they can be
listed (a window). A descent comes to lonely names far more often than to one of a million siblings, but it knows how
likely its way was; of all windows the one that is kept is drawn by the names in it over that likelihood, which evens
this out nearly.
"""

from __future__ import annotations

import random
from typing import Final, TypeAlias

from spoold.engine.batch import Batch
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import after
from spoold.keyspace.record import is_string_until, outline

# Up to so many names all are listed, about 60 µs.
_LISTED: Final = 1000
# Names in a window, and descents: together about a millisecond.
_WINDOW: Final = 128
_DESCENTS: Final = 12
# Where all windows hold only keys that are due, so many records are looked through for one that is not.
_SEARCHED: Final = 1000

Forks: TypeAlias = "dict[tuple[bytes, bytes], tuple[list[bytes], int]]"
"""By the first key and the stop of a range: the first key of each branch, and where in a key the fork is."""


def random_name(ks: Keyspace, chance: random.Random) -> bytes | None:
    """Choose one of the names of `ks` that are not due.

    returns: the name; None if there is none, or if a thousand records were looked through and all were due.
    cost: O(1) engine reads, whatever the number of keys and of those that are due.
    """
    ks.write()
    batch = ks.dbs.batch
    few = ks.count <= _LISTED
    keys = batch.scan_keys(ks.prefix, after(ks.prefix), _LISTED) if few else _window(batch, ks.prefix, chance, {})
    chance.shuffle(keys)
    for key in keys:
        raw = batch.get(key)
        if raw is not None:
            _, expire_ms, full_name = outline(raw)
            if not 0 < expire_ms <= ks.dbs.now_ms and not (ks.flushed and is_string_until(raw, ks.flushed)):
                return key[len(ks.prefix) :] if full_name is None else full_name
    found, _ = ks.scan(b"", _SEARCHED)
    return found[0][0] if found else None


def random_key(batch: Batch, prefix: bytes, chance: random.Random, forks: Forks) -> bytes:
    """Choose one of the engine keys that start with `prefix`, of which there is at least one; all are nearly as likely.

    forks: what earlier calls met among the same keys; empty at first.
    cost: O(1) engine reads, whatever the number of keys: about a millisecond.
    """
    return chance.choice(_window(batch, prefix, chance, forks))


def _window(batch: Batch, prefix: bytes, chance: random.Random, forks: Forks) -> list[bytes]:
    """One of several windows, drawn by the keys in it over how likely it was to come there."""
    stop = after(prefix)
    ways = [_descend(batch, prefix, stop, chance, forks) for _ in range(_DESCENTS)]
    return chance.choices([keys for keys, _ in ways], [len(keys) / likely for keys, likely in ways])[0]


def _descend(batch: Batch, start: bytes, stop: bytes, chance: random.Random, forks: Forks) -> tuple[list[bytes], float]:
    """Go down among the keys in start <= key < stop, at each fork to one of its branches, all as likely.

    forks: those that earlier descents met.
    returns: at most a window of neighbours, and how likely it was to come to them.
    """
    likely = 1.0
    while True:
        keys = batch.scan_keys(start, stop, _WINDOW + 1)
        if len(keys) <= _WINDOW:
            return keys, likely
        if (fork := forks.get((keys[0], stop))) is None:
            fork = forks[(keys[0], stop)] = _branches(batch, keys[0], stop)
        branches, depth = fork
        start = chance.choice(branches)
        likely /= len(branches)
        if len(start) == depth:
            return [start], likely
        stop = after(start[: depth + 1])


def _branches(batch: Batch, first: bytes, stop: bytes) -> tuple[list[bytes], int]:
    """The first key of each branch at the first fork among first <= key < stop, and where in a key the fork is.

    cost: two reads, and one a branch; a key that ends at the fork is a branch too, so there are 257 at most.
    """
    last = batch.scan_keys(first, stop, 1, reverse=True)[0]
    depth = next(at for at in range(len(last)) if first[at : at + 1] != last[at : at + 1])
    branches = [first]
    while branches[-1][: depth + 1] != last[: depth + 1]:
        tip = branches[-1][: depth + 1]
        following = tip + b"\0" if len(tip) == depth else after(tip)
        branches += batch.scan_keys(following, stop, 1)
    return branches, depth
