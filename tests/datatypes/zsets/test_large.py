"""Sets larger than what is kept of them in memory: the same answers, at costs that do not grow."""

from __future__ import annotations

import random
from unittest.mock import patch

import pytest

from spoold.datatypes.zsets import order, ranks
from spoold.keyspace.record import ZsetRecord
from support.room import Room

COUNT = 20_000


@pytest.fixture
def filled(room: Room) -> Room:
    """A room with the set `z`: member `m00042` has the score 42 // 3."""
    for start in range(0, COUNT, 1000):
        pairs = [part for number in range(start, start + 1000) for part in (number // 3, b"m%05d" % number)]
        room("ZADD", "z", *pairs)
    return room


def record_of(room: Room) -> ZsetRecord:
    record = room.dbs[0].find(b"z")
    assert isinstance(record, ZsetRecord)
    return record


def test_ranks_are_right_near_the_ends_and_in_the_middle(filled: Room) -> None:
    for number in (0, 5, 4000, 4500, 10000, 15000, COUNT - 5, COUNT - 1):
        assert filled("ZRANK", "z", b"m%05d" % number) == number
        assert filled("ZREVRANK", "z", b"m%05d" % number) == COUNT - 1 - number
        assert filled("ZRANGE", "z", number, number) == [b"m%05d" % number]
        assert filled("ZRANGE", "z", number, number, "REV") == [b"m%05d" % (COUNT - 1 - number)]
    assert filled("ZCOUNT", "z", 100, 3000) == 2901 * 3
    assert filled("ZCOUNT", "z", "(100", "(3000") == 2899 * 3
    assert filled("ZCOUNT", "z", 3000, 100) == 0
    assert filled("ZRANGE", "z", 5000, 5002, "REV") == [b"m%05d" % (COUNT - 1 - rank) for rank in (5000, 5001, 5002)]


def test_ranks_stay_right_while_members_come_and_go(filled: Room) -> None:
    members = {b"m%05d" % number: number // 3 for number in range(COUNT)}
    chance = random.Random(1)
    filled("ZRANK", "z", "m10000")
    assert record_of(filled).mark_keys
    for _ in range(30):
        for member in chance.sample(sorted(members), 150):
            members[member] = chance.randrange(COUNT)
            filled("ZADD", "z", members[member], member)
        for member in chance.sample(sorted(members), 50):
            del members[member]
            filled("ZREM", "z", member)
        ordered = sorted(members, key=lambda member: (members[member], member))
        for rank in chance.sample(range(len(ordered)), 3):
            assert filled("ZRANK", "z", ordered[rank]) == rank
            assert filled("ZRANGE", "z", rank, rank) == [ordered[rank]]
    assert sum(record_of(filled).mark_counts) == len(members)


def test_parts_that_were_emptied_are_dropped_when_one_is_divided(filled: Room) -> None:
    filled("ZRANK", "z", "m10000")
    filled("ZREMRANGEBYSCORE", "z", "-inf", 3000)
    filled("ZADD", "z", *(part for number in range(5000) for part in (9000 + number, b"n%05d" % number)))
    left = filled("ZCARD", "z")
    assert filled("ZRANK", "z", "n02500") == left - 2500
    assert 0 not in record_of(filled).mark_counts
    assert sum(record_of(filled).mark_counts) == left


def test_the_lowest_are_read_ahead_not_one_by_one(filled: Room) -> None:
    filled.dbs.rollback()  # as after a restart: nothing is cached
    scans = 0
    scan_keys = filled.commit.batch.scan_keys

    def counting(*words: object, **named: object) -> list[bytes]:
        nonlocal scans
        scans += 1
        return scan_keys(*words, **named)  # type: ignore[arg-type]

    with patch.object(type(filled.commit.batch), "scan_keys", lambda _, *words, **named: counting(*words, **named)):
        for number in range(1000):
            assert filled("ZRANGEBYSCORE", "z", "-inf", "+inf", "LIMIT", 0, 1) == [b"m%05d" % number]
            assert filled("ZPOPMIN", "z") == [b"m%05d" % number, number // 3]
    assert scans < 15


def test_what_is_kept_in_memory_is_bounded(room: Room) -> None:
    for number in range(5000):
        room("ZADD", "z", 5000 - number, number)
    assert len(record_of(room).low) <= order._MOST_KEPT
    assert room("ZPOPMIN", "z") == [b"4999", 1.0]


def test_random_members_of_a_large_set_are_evenly_spread(filled: Room) -> None:
    picked = filled("ZRANDMEMBER", "z", -100)
    assert len(picked) == 100
    numbers = [int(filled("ZRANDMEMBER", "z")[1:]) for _ in range(200)]
    assert min(numbers) < COUNT // 4
    assert max(numbers) > COUNT // 4 * 3
    assert len(set(filled("ZRANDMEMBER", "z", 50))) == 50
    assert len(set(filled("ZRANDMEMBER", "z", 5000))) == 5000


def test_zscan_lists_each_member_once_whatever_becomes_of_its_score(filled: Room) -> None:
    seen: list[bytes] = []
    cursor = b"0"
    while True:
        cursor, listed = filled("ZSCAN", "z", cursor, "COUNT", 997)
        seen += listed[::2]
        filled("ZADD", "z", len(seen), "m00000", 0, "m19999")
        if cursor == b"0":
            break
    assert sorted(seen) == [b"m%05d" % number for number in range(COUNT)]
    assert filled("ZSCAN", "z", 0, "MATCH", "m0000?", "COUNT", 100_000)[1][::2] == [b"m%05d" % n for n in range(10)]


def test_a_count_that_is_far_is_made_once(filled: Room) -> None:
    with patch.object(ranks, "_mark", side_effect=ranks._mark) as mark:
        for low in range(0, 1000, 50):
            filled("ZCOUNT", "z", low, 3900)
            filled("ZRANK", "z", "m10000")
    assert mark.call_count == 1
