"""HSCAN's guarantee, and HRANDFIELD's fairness."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from spoold.command import selection
from spoold.core.reply import Pairs
from spoold.datatypes.hashes import scan
from support.reachable import assert_nothing_is_left_over
from support.room import Room, message

INT64_MAX = 2**63 - 1
LONG = b"f" * 600


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Seeded, so that a fair draw can't fail by chance.
    monkeypatch.setattr(scan, "_chance", random.Random(2))
    yield
    assert_nothing_is_left_over(room)


def fill(room: Room, count: int) -> dict[bytes, bytes]:
    """A hash of so many numbers, one of them a long field."""
    given = {b"%d" % number: b"v%d" % number for number in range(count - 1)} | {LONG: b"long"}
    room("HSET", "h", *[word for pair in given.items() for word in pair])
    return given


def pairs(flat: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Fields with their values."""
    return list(zip(flat[::2], flat[1::2], strict=True))


def scanned(room: Room, *options: object) -> list[tuple[bytes, bytes]]:
    """One whole pass."""
    cursor, seen = room("HSCAN", "h", 0, *options)
    while cursor != b"0":
        cursor, more = room("HSCAN", "h", cursor, *options)
        seen += more
    return pairs(seen)


# -- HSCAN ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 127, 128])
@pytest.mark.parametrize("cursor", [0, 5, 2**64 - 1])
def test_a_small_hash_is_returned_whole(room: Room, count: int, cursor: int) -> None:
    given = fill(room, count)
    reply = room("HSCAN", "h", cursor, "COUNT", 1)
    assert reply[0] == b"0"
    assert dict(pairs(reply[1])) == given
    assert room("HSCAN", "h", cursor, "MATCH", "f*") == [b"0", [LONG, b"long"]]


@pytest.mark.parametrize("count", [1, 7, 10, 129, 499, 500, 1000, INT64_MAX])
def test_a_large_hash_is_returned_in_slices(room: Room, count: int) -> None:
    given = fill(room, 500)
    cursor, seen = room("HSCAN", "h", 0, "COUNT", count)
    assert len(seen) == 2 * min(count, 500)
    assert (cursor == b"0") == (count >= 500)
    found = scanned(room, "COUNT", count)
    assert len(found) == 500
    assert dict(found) == given


def test_ten_fields_are_looked_at_by_default(room: Room) -> None:
    fill(room, 200)
    assert len(room("HSCAN", "h", 0)[1]) == 20


def test_one_call_does_not_hold_up_the_server_whatever_its_count(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_MOST_SCANNED", 150)
    fill(room, 500)
    cursor, seen = room("HSCAN", "h", 0, "COUNT", 400)
    assert len(seen) == 300
    assert cursor != b"0"
    assert len(scanned(room, "COUNT", 400)) == 500


def test_large_values_end_a_slice_early(room: Room) -> None:
    for number in range(8):
        room("HSET", "h", number, b"x" * 400_000)
    cursor, seen = room("HSCAN", "h", 0, "COUNT", 8)
    assert len(seen) == 6
    assert cursor != b"0"
    assert dict(scanned(room)) == {b"%d" % number: b"x" * 400_000 for number in range(8)}


def test_match_chooses_among_the_fields_that_are_looked_at(room: Room) -> None:
    given = fill(room, 500)
    assert dict(scanned(room, "MATCH", "1*")) == {f: v for f, v in given.items() if f.startswith(b"1")}
    assert dict(scanned(room, "MATCH", "*9", "COUNT", 3)) == {f: v for f, v in given.items() if f.endswith(b"9")}
    assert scanned(room, "MATCH", "77") == [(b"77", b"v77")]
    assert scanned(room, "MATCH", b"f" * 600) == [(LONG, b"long")]
    assert scanned(room, "MATCH", b"f" * 599) == []
    assert scanned(room, "MATCH", "") == []


def test_what_stays_is_returned_exactly_once_whatever_else_changes(room: Room) -> None:
    fill(room, 300)
    stays = {b"stay%03d" % number for number in range(200)}
    room("HSET", "h", *[word for field in stays for word in (field, b"v")])
    chance = random.Random(3)
    for _ in range(5):
        seen: list[bytes] = []
        cursor = b"0"
        while True:
            cursor, some = room("HSCAN", "h", cursor, "COUNT", chance.randrange(1, 30))
            seen += some[::2]
            room("HDEL", "h", *(chance.randrange(300) for _ in range(3)))
            room("HSET", "h", *(chance.randrange(600) for _ in range(6)))
            if cursor == b"0":
                break
        counted = Counter(seen)
        assert max(counted.values()) == 1
        assert stays <= set(counted)


def test_a_cursor_belongs_to_its_hash(room: Room) -> None:
    fill(room, 500)
    cursor, _ = room("HSCAN", "h", 0, "COUNT", 250)
    room("COPY", "h", "other")
    whole, seen = room("HSCAN", "other", cursor, "COUNT", 500)
    assert whole == b"0"
    assert len(seen) == 1000
    room("DEL", "other")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("h", "x"), b"ERR invalid cursor"),
        (("missing", "x"), b"ERR invalid cursor"),
        (("h", "0", "COUNT", "0"), b"ERR syntax error"),
        (("h", "0", "COUNT", "x"), b"ERR value is not an integer or out of range"),
        (("h", "0", "COUNT"), b"ERR syntax error"),
        (("h", "0", "NOVALUES"), b"ERR syntax error"),
        (("s", "0", "COUNT", "x"), b"WRONGTYPE Operation against a key holding the wrong kind of value"),
    ],
)
def test_hscan_refuses(room: Room, words: tuple[str, ...], said: bytes) -> None:
    room("HSET", "h", "f", "v")
    room("SET", "s", "v")
    assert message(room("HSCAN", *words)) == said
    assert room("HSCAN", "missing", "0", "COUNT", "x") == [b"0", []]


# -- HRANDFIELD -----------------------------------------------------------------------------------------------------


def test_one_field_is_as_likely_as_another(room: Room) -> None:
    given = fill(room, 5)
    counted = Counter(room("HRANDFIELD", "h") for _ in range(5000))
    assert counted.keys() == given.keys()
    assert all(850 < count < 1150 for count in counted.values())


@pytest.mark.parametrize("fields", [20, 1500])
def test_repeated_draws_are_even(room: Room, fields: int) -> None:
    given = fill(room, fields)
    counted = Counter(room("HRANDFIELD", "h", -100 * fields))
    assert counted.keys() == given.keys()
    assert all(50 < count < 160 for count in counted.values())


@pytest.mark.parametrize("count", [0, 1, 7, 1500, 2000, INT64_MAX])
def test_a_positive_count_draws_different_fields(room: Room, count: int) -> None:
    given = fill(room, 1500)
    drawn = room("HRANDFIELD", "h", count)
    assert len(drawn) == len(set(drawn)) == min(count, 1500)
    assert given.keys() >= set(drawn)


def test_different_fields_are_drawn_evenly(room: Room) -> None:
    fill(room, 10)
    counted = Counter(field for _ in range(2000) for field in room("HRANDFIELD", "h", 3))
    assert all(500 < count < 700 for count in counted.values())


@pytest.mark.parametrize("count", [3, -3, -2000])
def test_values_come_with_their_fields(room: Room, count: int) -> None:
    given = fill(room, 1200)
    reply = room("HRANDFIELD", "h", count, "withvalues")
    assert isinstance(reply, Pairs)
    assert len(reply.items) == abs(count)
    assert all(given[field] == value for field, value in reply.items)


def test_a_few_fields_of_a_large_hash_are_found_without_passing_it(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_PASSED", 100)
    given = fill(room, 2000)

    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(scan.store, "keys", refuse)
    for count in (1, 5, -5):
        drawn = room("HRANDFIELD", "h", count)
        assert len(drawn) == abs(count)
        assert given.keys() >= set(drawn)
        assert count < 0 or len(set(drawn)) == count
    single = [room("HRANDFIELD", "h") for _ in range(1000)]
    counted = Counter(int(field) // 200 for field in single if field != LONG)
    assert all(40 < counted[bucket] < 180 for bucket in range(10)), counted


def test_a_missing_hash_has_no_fields_to_pick(room: Room) -> None:
    assert room("HRANDFIELD", "h") is None
    assert room("HRANDFIELD", "h", 5) == []
    assert room("HRANDFIELD", "h", -5, "WITHVALUES") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("x",), b"ERR value is not an integer or out of range"),
        (("x", "x"), b"ERR value is not an integer or out of range"),
        ((-(2**63),), b"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"),
        ((1, "x"), b"ERR syntax error"),
        ((1, "WITHVALUES", "x"), b"ERR syntax error"),
        ((2**62, "WITHVALUES"), b"ERR value is out of range"),
        ((-(2**62), "WITHVALUES"), b"ERR value is out of range"),
        ((-(2**20) - 1,), b"ERR value is out of range"),
    ],
)
def test_hrandfield_refuses(room: Room, words: tuple[object, ...], said: bytes) -> None:
    room("HSET", "h", "f", "v")
    assert message(room("HRANDFIELD", "h", *words)) == said
    room("SET", "s", "v")
    assert message(room("HRANDFIELD", "s")).startswith(b"WRONGTYPE")
