"""A random name: even among few, nearly even among many, whatever the names look like."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from spoold.keyspace import sampling
from spoold.keyspace.sampling import random_name
from support.room import Room

LONG = b"n" * 470
NAMES = [b"", b"a", b"a*b", b"aa", b"ab", b"b", b"\xff", b"\xff\xff", LONG, LONG + b"x" * 50, LONG + b"y" * 50]


def fill(room: Room, names: list[bytes]) -> None:
    """A string under each name."""
    room.turn.begin()
    for name in names:
        room("SET", name, "v")


def test_every_name_of_a_small_database_is_as_likely_as_the_others(room: Room) -> None:
    fill(room, NAMES)
    chance = random.Random(1)
    ks = room.dbs[0]
    counted = Counter(random_name(ks, chance) for _ in range(200 * len(NAMES)))
    assert counted.keys() == set(NAMES)
    assert max(counted.values()) < 2 * min(counted.values())


def test_the_choice_is_nearly_fair_among_many_uneven_names(room: Room) -> None:
    chance = random.Random(2)
    jobs = [b"rq:job:%032x" % chance.getrandbits(128) for _ in range(3000)]
    lines = [b"line:%d" % number for number in range(1000)]
    lonely = [b"config", b"a", LONG + b"x" * 50, LONG + b"y" * 50]
    fill(room, jobs + lines + lonely)
    ks = room.dbs[0]
    drawn = [random_name(ks, chance) for _ in range(2000)]
    families = Counter(name[:4] for name in drawn if name is not None)
    assert 0.5 < families[b"rq:j"] / 1500 < 1.2
    assert 0.5 < families[b"line"] / 500 < 2.5
    assert sum(name in lonely for name in drawn) < 40
    # Within the jobs, all parts of the digits come up.
    digits = Counter(name[7:8] for name in drawn if name is not None and name.startswith(b"rq:job:"))
    assert len(digits) == 16
    assert max(digits.values()) < 4 * min(digits.values())


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_name_can_be_chosen_however_deep_it_lies(room: Room, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(sampling, "_LISTED", 0)
    monkeypatch.setattr(sampling, "_WINDOW", 1)
    names = [b"a" * length for length in range(count)] + [b"a" * count + b"\xff" * length for length in range(count)]
    fill(room, names)
    chance = random.Random(4)
    assert {random_name(room.dbs[0], chance) for _ in range(3000)} == set(names)


def test_names_that_are_due_are_passed_over(room: Room) -> None:
    fill(room, [b"%d" % number for number in range(100)])
    for number in range(1, 100):
        room("PEXPIRE", number, 1)
    room.clock.advance_ms(1)
    room.turn.begin()
    assert random_name(room.dbs[0], random.Random(1)) == b"0"
    room.turn.end()
