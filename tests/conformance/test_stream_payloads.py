"""Streams that go over: what spoold dumps a real Redis restores, and the other way, groups and all."""

from __future__ import annotations

import random

import pytest
from tests.conformance.differences import moments
from tests.conformance.duel import Duel, Side
from tests.conformance.generators import build, forms, timed
from tests.conformance.wire import Node

STREAMS = 12
REQUESTS = 250


@pytest.mark.needs_redis
@pytest.mark.parametrize("way", ["to redis", "from redis"])
def test_a_dumped_stream_is_restored_by_the_other(duel: Duel, way: str) -> None:
    chooser = random.Random(way)
    source, target = duel.sides if way == "to redis" else reversed(duel.sides)
    moved = 0
    for _ in range(STREAMS):
        for side in duel.sides:
            side.fresh(2)
        fill(source, chooser)
        names = source.observer.call(b"KEYS", b"*").value
        for name in [name.value for name in names] if isinstance(names, tuple) else []:
            assert isinstance(name, bytes)
            if source.observer.call(b"TYPE", name).value != b"stream":
                continue
            payload = source.observer.call(b"DUMP", name).value
            assert isinstance(payload, bytes)
            assert target.observer.call(b"RESTORE", name, b"0", payload) == Node(b"+", b"OK")
            before, after = (told(side, name) for side in (source, target))
            assert moments(after, before), f"{before}\n{after}"
            assert source.observer.call(b"XRANGE", name, b"-", b"+") == target.observer.call(
                b"XRANGE", name, b"-", b"+"
            )
            moved += 1
    assert moved > STREAMS


def fill(side: Side, chooser: random.Random) -> None:
    """Random streams, and one of several nodes."""
    for number in range(chooser.randrange(300)):
        value = chooser.choice([b"%d" % number, b"-%d" % (number * 10**7), b"x" * chooser.randrange(5000)])
        side.observer.call(b"XADD", b"q1", b"%d-%d" % (number // 50, number + 1), b"f", value, b"n", b"%d" % number)
    for _ in range(REQUESTS):
        side.observer.call(*timed(build(chooser.choice(forms("streams")), lambda n: chooser.randrange(abs(n)))))


def told(side: Side, name: bytes) -> Node:
    return side.observer.call(b"XINFO", b"STREAM", name, b"FULL", b"COUNT", b"0")
