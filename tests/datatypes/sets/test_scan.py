"""SSCAN's guarantee, and SRANDMEMBER's fairness."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from spoold.command import selection
from spoold.datatypes.sets import scan
from support.reachable import assert_nothing_is_left_over
from support.room import Room, message

INT64_MAX = 2**63 - 1


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Seeded, so that a fair draw can't fail by chance.
    monkeypatch.setattr(scan, "_chance", random.Random(2))
    yield
    assert_nothing_is_left_over(room)


def fill(room: Room, count: int, name: str = "s") -> list[bytes]:
    """A set of so many numbers."""
    given = [b"%d" % number for number in range(count)]
    room("SADD", name, *given)
    return given


def scanned(room: Room, *options: object) -> list[bytes]:
    """One whole pass."""
    cursor, seen = room("SSCAN", "s", 0, *options)
    while cursor != b"0":
        cursor, more = room("SSCAN", "s", cursor, *options)
        seen += more
    return list(seen)


# -- SSCAN ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 128])
@pytest.mark.parametrize("cursor", [0, 5, 2**64 - 1])
def test_a_small_set_is_returned_whole(room: Room, count: int, cursor: int) -> None:
    given = fill(room, count)
    assert room("SSCAN", "s", cursor, "COUNT", 1) == [b"0", given]
    assert room("SSCAN", "s", cursor, "MATCH", "0") == [b"0", [b"0"]]


@pytest.mark.parametrize("count", [1, 7, 10, 129, 1000, INT64_MAX])
def test_a_large_set_is_returned_in_slices(room: Room, count: int) -> None:
    given = fill(room, 500)
    cursor, seen = room("SSCAN", "s", 0, "COUNT", count)
    assert len(seen) == min(count, 500)
    assert (cursor == b"0") == (count > 500)
    assert sorted(scanned(room, "COUNT", count)) == sorted(given)


def test_ten_members_are_looked_at_by_default(room: Room) -> None:
    fill(room, 200)
    assert len(room("SSCAN", "s", 0)[1]) == 10


def test_one_call_does_not_hold_up_the_server_whatever_its_count(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_MOST_SCANNED", 150)
    fill(room, 500)
    cursor, seen = room("SSCAN", "s", 0, "COUNT", 400)
    assert len(seen) == 150
    assert cursor != b"0"


def test_a_pattern_chooses_among_what_is_looked_at(room: Room) -> None:
    given = fill(room, 300)
    assert sorted(scanned(room, "match", "1*", "count", 20)) == sorted(one for one in given if one[:1] == b"1")


def test_what_stays_is_returned_once_while_all_else_changes(room: Room) -> None:
    given = fill(room, 400)
    cursor, seen = room("SSCAN", "s", 0)
    step = 0
    while cursor != b"0":
        room("SREM", "s", given[step])
        room("SADD", "s", f"new {step}", given[step])
        room("SADD", "s", f"newer {step}")
        step += 1
        cursor, more = room("SSCAN", "s", cursor)
        seen += more
    counted = Counter(seen)
    assert step < 100
    assert all(counted[member] == 1 for member in given[step:])


def test_a_scan_of_a_queue_that_is_worked_off_ends(room: Room) -> None:
    fill(room, 1000)
    cursor, calls = b"1", 0
    while cursor != b"0":
        cursor, _ = room("SSCAN", "s", cursor if calls else 0)
        room("SPOP", "s", 5)
        calls += 1
    assert calls < 200


def test_a_cursor_outlives_a_restart_and_the_set(room: Room) -> None:
    fill(room, 300)
    cursor, _ = room("SSCAN", "s", 0, "COUNT", 200)
    room.dbs.rollback()
    assert len(room("SSCAN", "s", cursor, "COUNT", 200)[1]) == 100
    room("DEL", "s")
    assert room("SSCAN", "s", cursor) == [b"0", []]
    fill(room, 150)
    assert len(room("SSCAN", "s", cursor, "COUNT", 200)[1]) == 100


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ("s abc", b"ERR invalid cursor"),
        ("missing abc", b"ERR invalid cursor"),
        ("string abc", b"ERR invalid cursor"),
        ("s 18446744073709551616", b"ERR invalid cursor"),
        ("string 0 FOO", b"WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("s 0 FOO", b"ERR syntax error"),
        ("s 0 MATCH", b"ERR syntax error"),
        ("s 0 TYPE set", b"ERR syntax error"),
        ("s 0 COUNT 0", b"ERR syntax error"),
        ("s 0 COUNT -1", b"ERR syntax error"),
        ("s 0 COUNT abc", b"ERR value is not an integer or out of range"),
    ],
)
def test_sscan_refuses_in_the_order_of_redis(room: Room, arguments: str, refusal: bytes) -> None:
    fill(room, 1)
    room("SET", "string", "v")
    assert message(room("SSCAN", *arguments.split())) == refusal


def test_options_of_a_missing_set_are_not_read(room: Room) -> None:
    assert room("SSCAN", "missing", 0, "FOO") == [b"0", []]


# -- SRANDMEMBER ----------------------------------------------------------------------------------------------------


def test_without_a_count_one_member_is_picked_and_stays(room: Room) -> None:
    given = fill(room, 5)
    assert {room("SRANDMEMBER", "s") for _ in range(100)} == set(given)
    assert room("SCARD", "s") == 5
    assert room("SRANDMEMBER", "missing") is None


@pytest.mark.parametrize("size", [1, 3, 100, 1500])
@pytest.mark.parametrize("count", [0, 1, 2, 50, 99, 1000, INT64_MAX])
def test_with_a_count_members_differ(room: Room, size: int, count: int) -> None:
    given = fill(room, size)
    picked = room("SRANDMEMBER", "s", count)
    assert len(picked) == len(set(picked)) == min(count, size)
    assert set(picked) <= set(given)


@pytest.mark.parametrize("size", [1, 3, 1500])
@pytest.mark.parametrize("count", [1, 2, 50, 3000])
def test_with_a_negative_count_members_may_repeat(room: Room, size: int, count: int) -> None:
    given = fill(room, size)
    picked = room("SRANDMEMBER", "s", -count)
    assert len(picked) == count
    assert set(picked) <= set(given)


def test_a_missing_set_has_none_to_pick(room: Room) -> None:
    for count in (-INT64_MAX, -5, 0, 5):
        assert room("SRANDMEMBER", "missing", count) == []


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ("abc", b"ERR value is not an integer or out of range"),
        (str(INT64_MAX + 1), b"ERR value is not an integer or out of range"),
        (
            str(-INT64_MAX - 1),
            b"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ),
        ("1 2", b"ERR syntax error"),
    ],
)
@pytest.mark.parametrize("name", ["s", "missing", "string"])
def test_srandmember_refuses(room: Room, name: str, arguments: str, refusal: bytes) -> None:
    fill(room, 1)
    room("SET", "string", "v")
    assert message(room("SRANDMEMBER", name, *arguments.split())) == refusal


def test_more_repetitions_than_memory_should_hold_are_refused(room: Room) -> None:
    fill(room, 1)
    assert message(room("SRANDMEMBER", "s", -(2**20) - 1)) == b"ERR value is out of range"
    assert message(room("SRANDMEMBER", "s", -INT64_MAX)) == b"ERR value is out of range"


@pytest.mark.parametrize(
    ("size", "keep", "count"),
    [(10, 1, None), (10, 1, -4), (10, 1, 3), (200, 20, None), (200, 20, 2), (1500, 1, None), (1500, 1, 100)],
)
def test_every_member_is_as_likely_as_the_others(room: Room, size: int, keep: int, count: int | None) -> None:
    """keep: every so many-th member stays, which leaves holes."""
    given = fill(room, size)
    room("SREM", "s", *[member for number, member in enumerate(given) if number % keep])
    stay = given[::keep]
    picked: Counter[bytes] = Counter()
    while picked.total() < 40 * len(stay):
        found = room("SRANDMEMBER", "s", *([] if count is None else [count]))
        picked.update([found] if count is None else found)
    assert set(picked) == set(stay)
    assert max(picked.values()) < 80


def test_large_sets_of_mostly_holes_are_drawn_from_nearly_evenly(room: Room) -> None:
    given = fill(room, 20_000)
    room("SREM", "s", *[member for number, member in enumerate(given) if number % 10])
    picked = Counter(room("SRANDMEMBER", "s", -4000))
    assert set(picked) <= set(given[::10])
    assert len(picked) > 1500
    assert max(picked.values()) < 20
    # Most of them gone at one end: whoever is left is still found.
    room("SREM", "s", *given[:18_000])
    assert len(Counter(room("SRANDMEMBER", "s", -4000))) == 200
    assert room("SRANDMEMBER", "s") in given[18_000:]
    assert len(set(room("SRANDMEMBER", "s", 100))) == 100
