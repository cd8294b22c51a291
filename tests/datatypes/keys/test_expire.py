"""EXPIRE, TTL, PERSIST and their kin: all units, bases, conditions and refusals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.reachable import assert_nothing_is_left_over
from support.room import Room

NOW_MS = 1_700_000_000_000
NOW_S = NOW_MS // 1000
INT64_MAX = 2**63 - 1


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    yield
    assert_nothing_is_left_over(room)


@pytest.fixture(autouse=True)
def _clock_is_at_now(room: Room) -> None:
    assert room.clock.unix_ms() == NOW_MS


@pytest.mark.parametrize(
    ("word", "when"),
    [("EXPIRE", 100), ("PEXPIRE", 100_000), ("EXPIREAT", NOW_S + 100), ("PEXPIREAT", NOW_MS + 100_000)],
)
def test_every_way_to_set_an_expiry_says_the_same(room: Room, word: str, when: int) -> None:
    room("SET", "k", "v")
    assert room(word, "k", when) == 1
    assert room("TTL", "k") == 100
    assert room("PTTL", "k") == 100_000
    assert room("EXPIRETIME", "k") == NOW_S + 100
    assert room("PEXPIRETIME", "k") == NOW_MS + 100_000
    room.clock.advance_ms(99_999)
    assert room("PTTL", "k") == 1
    assert room("GET", "k") == b"v"
    room.clock.advance_ms(1)
    assert room("GET", "k") is None


@pytest.mark.parametrize("word", ["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"])
def test_what_never_falls_due_and_what_is_missing_have_their_own_answers(room: Room, word: str) -> None:
    room("SET", "k", "v")
    assert room(word, "k") == -1
    assert room(word, "missing") == -2
    room("PEXPIRE", "k", 10)
    room.clock.advance_ms(10)
    assert room(word, "k") == -2


def test_seconds_are_rounded_to_the_nearest(room: Room) -> None:
    room("SET", "k", "v")
    room("PEXPIRE", "k", 1500)
    assert room("TTL", "k") == 2
    room("PEXPIRE", "k", 1499)
    assert room("TTL", "k") == 1
    room("PEXPIRE", "k", 499)
    assert room("TTL", "k") == 0
    room("PEXPIREAT", "k", NOW_MS + 2500)
    assert room("EXPIRETIME", "k") == NOW_S + 3


@pytest.mark.parametrize(
    ("word", "when"),
    [
        ("EXPIRE", 0),
        ("EXPIRE", -1),
        ("EXPIRE", -(2**63) // 1000 + 1),
        ("PEXPIRE", 0),
        ("PEXPIRE", -(2**63)),
        ("EXPIREAT", NOW_S),
        ("EXPIREAT", 0),
        ("EXPIREAT", -1),
        ("PEXPIREAT", NOW_MS),
        ("PEXPIREAT", -(2**63)),
    ],
)
def test_a_time_that_is_past_deletes_the_key(room: Room, word: str, when: int) -> None:
    room("RPUSH", "l", "a", "b")
    assert room(word, "l", when) == 1
    assert room("EXISTS", "l") == 0
    assert room("DBSIZE") == 0
    assert room(word, "l", when) == 0


@pytest.mark.parametrize("word", ["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"])
def test_a_missing_key_cannot_fall_due(room: Room, word: str) -> None:
    assert room(word, "missing", NOW_MS + 5) == 0
    for condition in ("NX", "XX", "GT", "LT"):
        assert room(word, "missing", NOW_MS + 5, condition) == 0


def test_a_new_expiry_takes_the_place_of_the_old_one(room: Room) -> None:
    room("SET", "k", "v")
    room("PEXPIRE", "k", 10)
    room("PEXPIRE", "k", 1000)
    room.clock.advance_ms(500)
    assert room.expire() == 0
    assert room("GET", "k") == b"v"
    room.clock.advance_ms(500)
    assert room.expire() == 1
    assert room("DBSIZE") == 0


def test_persist_takes_an_expiry_away_once(room: Room) -> None:
    room("SET", "k", "v")
    assert room("PERSIST", "k") == 0
    room("PEXPIRE", "k", 10)
    assert room("PERSIST", "k") == 1
    assert room("PERSIST", "k") == 0
    assert room("PERSIST", "missing") == 0
    room.clock.advance_ms(10)
    assert room.expire() == 0
    assert room("GET", "k") == b"v"


# (conditions, with no expiry yet, with one of 100 s): whether an expiry of 50 s, 100 s and 200 s is taken.
CONDITIONS = [
    ([], (1, 1, 1), (1, 1, 1)),
    (["NX"], (1, 1, 1), (0, 0, 0)),
    (["XX"], (0, 0, 0), (1, 1, 1)),
    (["GT"], (0, 0, 0), (0, 0, 1)),
    (["LT"], (1, 1, 1), (1, 0, 0)),
    (["XX", "GT"], (0, 0, 0), (0, 0, 1)),
    (["XX", "LT"], (0, 0, 0), (1, 0, 0)),
    (["lt", "Xx", "LT"], (0, 0, 0), (1, 0, 0)),
    (["nx", "NX"], (1, 1, 1), (0, 0, 0)),
]


@pytest.mark.parametrize(("conditions", "without", "with_100"), CONDITIONS)
@pytest.mark.parametrize(
    ("word", "unit", "base"),
    [("EXPIRE", 1, 0), ("PEXPIRE", 1000, 0), ("EXPIREAT", 1, NOW_S), ("PEXPIREAT", 1000, NOW_MS)],
)
def test_an_expiry_is_set_only_if_its_conditions_hold(
    room: Room,
    word: str,
    unit: int,
    base: int,
    conditions: list[str],
    without: tuple[int, ...],
    with_100: tuple[int, ...],
) -> None:
    for before, expected in ((None, without), (100, with_100)):
        for seconds, taken in zip((50, 100, 200), expected, strict=True):
            room("SET", "k", "v")
            if before is not None:
                room("EXPIRE", "k", before)
            assert room(word, "k", base + seconds * unit, *conditions) == taken
            assert room("TTL", "k") == (seconds if taken else before if before is not None else -1)


def test_conditions_also_hold_for_a_time_that_is_past(room: Room) -> None:
    room("SET", "k", "v")
    assert room("EXPIRE", "k", -1, "XX") == 0
    assert room("EXPIRE", "k", -1, "GT") == 0
    room("EXPIRE", "k", 100)
    assert room("EXPIRE", "k", -1, "NX") == 0
    assert room("EXISTS", "k") == 1
    assert room("EXPIRE", "k", -1, "LT") == 1
    assert room("EXISTS", "k") == 0


EXCLUDE = b"ERR NX and XX, GT or LT options at the same time are not compatible"
EXCLUDE_EACH_OTHER = b"ERR GT and LT options at the same time are not compatible"
NO_NUMBER = b"ERR value is not an integer or out of range"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([10, "NX", "XX"], EXCLUDE),
        ([10, "GT", "NX"], EXCLUDE),
        ([10, "NX", "LT"], EXCLUDE),
        ([10, "NX", "GT", "LT"], EXCLUDE),
        ([10, "GT", "LT"], EXCLUDE_EACH_OTHER),
        ([10, "XX", "LT", "GT"], EXCLUDE_EACH_OTHER),
        ([10, "Foo"], b"ERR Unsupported option Foo"),
        ([10, ""], b"ERR Unsupported option "),
        ([10, "NX", "XX", "foo"], b"ERR Unsupported option foo"),
        ([10, b"fo\r\no"], b"ERR Unsupported option fo  o"),
        ([10, b"fo\0o"], b"ERR Unsupported option fo"),
        (["abc", "foo"], b"ERR Unsupported option foo"),
        (["abc", "NX", "XX"], EXCLUDE),
        (["abc"], NO_NUMBER),
        ([""], NO_NUMBER),
        (["1.5"], NO_NUMBER),
        ([" 1"], NO_NUMBER),
        (["+1"], NO_NUMBER),
        ([2**63], NO_NUMBER),
    ],
)
@pytest.mark.parametrize("word", ["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"])
@pytest.mark.parametrize("key", ["k", "missing"])
def test_what_makes_no_sense_is_refused(
    room: Room, word: str, key: str, arguments: list[str | bytes | int], error: bytes
) -> None:
    room("SET", "k", "v")
    assert room(word, key, *arguments).message == error
    assert room("TTL", "k") == -1


@pytest.mark.parametrize(
    ("word", "when", "taken"),
    [
        ("EXPIRE", INT64_MAX, False),
        ("EXPIRE", INT64_MAX // 1000, False),
        ("EXPIRE", (INT64_MAX - NOW_MS) // 1000, True),
        ("EXPIRE", (INT64_MAX - NOW_MS) // 1000 + 1, False),
        ("EXPIRE", -(2**63) // 1000, False),
        ("PEXPIRE", INT64_MAX, False),
        ("PEXPIRE", INT64_MAX - NOW_MS, True),
        ("PEXPIRE", INT64_MAX - NOW_MS + 1, False),
        ("EXPIREAT", INT64_MAX, False),
        ("EXPIREAT", INT64_MAX // 1000, True),
        ("EXPIREAT", INT64_MAX // 1000 + 1, False),
        ("EXPIREAT", -(2**63) // 1000, False),
        ("PEXPIREAT", INT64_MAX, True),
    ],
)
def test_an_expiry_beyond_64_bits_of_milliseconds_is_refused(room: Room, word: str, when: int, taken: bool) -> None:
    room("SET", "k", "v")
    for key in ("missing", "k"):
        reply = room(word, key, when)
        if taken:
            assert reply == (key == "k")
        else:
            assert reply.message == b"ERR invalid expire time in '%b' command" % word.lower().encode()
    assert (room("PEXPIRETIME", "k") > NOW_MS) == taken
    room("PERSIST", "k")
