"""Approximate trimming: a real Redis and spoold keep the same entries, of whatever size they are."""

from __future__ import annotations

import random

import pytest
from tests.conformance.duel import Duel, Side
from tests.conformance.wire import Node

NUMBERS = [0, 1, 127, 128, 4095, 4096, 32767, 32768, 2**23 - 1, 2**23, 2**31 - 1, 2**31, 2**63 - 1, 2**63]
SIZES = [0, 1, 5, 20, 21, 62, 63, 64, 65, 100, 124, 125, 126, 127, 128, 300]
LARGE = [1000, 4000, 4090, 4095, 4096, 5000, 20000]
STEPS_MS = [0, 1, 1, 1, 50, 127, 128, 5000, 40000, 10**7, 10**10, 10**16, 2**57]


@pytest.mark.needs_redis
@pytest.mark.parametrize("seed", range(12))
def test_the_same_entries_stay(duel: Duel, seed: int) -> None:
    replies = [play(side, random.Random(seed)) for side in duel.sides]
    assert replies[0] == replies[1]


def play(side: Side, chooser: random.Random) -> list[Node]:
    """Fill a stream, trimming at times; returns what was told of it."""
    side.fresh(2)
    call = side.observer.call
    found = []
    most = [chooser.choice([0, 3, 10, 100, 100, 200]), chooser.choice([0, 100, 1000, 4096, 4096, 4096])]
    call(b"CONFIG", b"SET", b"stream-node-max-entries", b"%d" % most[0], b"stream-node-max-bytes", b"%d" % most[1])
    ms, sequence = chooser.choice([0, 1000, 1_700_000_000_000]), 1
    names = [[b"f%d" % at + b"z" * chooser.choice([0, 70]) for at in range(chooser.choice([1, 2, 70]))] for _ in "ab"]
    options = chooser.choice([[], [], [b"MAXLEN", b"~", b"20"]])
    for number in range(chooser.choice([60, 150, 300])):
        step = chooser.choice(STEPS_MS)
        ms, sequence = (ms + step, chooser.choice([0, 5])) if step else (ms, sequence + chooser.choice([1, 200]))
        fields = [part for name in names[chooser.random() < 0.1] for part in (name, value(chooser))]
        found.append(call(b"XADD", b"s", *options, b"%d-%d" % (ms, sequence), *fields))
        if number % 50 == 49:
            found += [call(b"XTRIM", b"s", b"MAXLEN", b"~", b"%d" % chooser.choice([5, 30])), call(b"XLEN", b"s")]
    found.append(call(b"XRANGE", b"s", b"-", b"+", b"COUNT", b"1"))
    call(b"CONFIG", b"SET", b"stream-node-max-entries", b"100", b"stream-node-max-bytes", b"4096")
    return found


def value(chooser: random.Random) -> bytes:
    """A number, a text that looks like one, or just some bytes."""
    kind = chooser.random()
    if kind < 0.2:
        return b"%d" % (chooser.choice(NUMBERS) * chooser.choice([1, -1]) + chooser.choice([0, -1]))
    if kind < 0.3:
        return chooser.choice([b"-0", b"007", b"+5", b"1.5", b" 1", b"12345678901234567890123"])
    return b"x" * chooser.choice(SIZES if kind < 0.95 else LARGE)
