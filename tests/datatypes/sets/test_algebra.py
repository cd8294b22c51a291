"""Intersections, unions and differences: results, order, STORE, limits, refusals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spoold.core.errors import WrongType
from spoold.core.reply import SetReply
from spoold.datatypes.sets.store import MANY
from support.reachable import assert_nothing_is_left_over
from support.room import Room, message


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    room("SET", "string", "v")
    room("SADD", "a", *"4321")
    room("SADD", "b", *"543")
    room("SADD", "c", *"456")
    yield
    assert_nothing_is_left_over(room)


RESULTS = [
    ("SINTER a b", "43"),
    ("SINTER a b c", "4"),
    ("SINTER a", "4321"),
    ("SINTER a a", "4321"),
    ("SINTER a missing", ""),
    ("SINTER missing", ""),
    ("SUNION a b", "43215"),
    ("SUNION b a", "54321"),
    ("SUNION missing c a", "456321"),
    ("SUNION missing", ""),
    ("SDIFF a b", "21"),
    ("SDIFF a b c", "21"),
    ("SDIFF b c a", ""),
    ("SDIFF a", "4321"),
    ("SDIFF a a", ""),
    ("SDIFF a missing", "4321"),
    ("SDIFF missing a", ""),
]


@pytest.mark.parametrize(("request_", "result"), RESULTS)
def test_results_are_in_the_order_of_age(room: Room, request_: str, result: str) -> None:
    word, *names = request_.split()
    reply = room(word, *names)
    assert isinstance(reply, SetReply)
    # The smallest set leads an intersection.
    order = sorted(result) if word == "SINTER" else list(result)
    found = [member.decode() for member in reply.items]
    assert (sorted(found) if word == "SINTER" else found) == order


@pytest.mark.parametrize(("request_", "result"), RESULTS)
@pytest.mark.parametrize("to", ["new", "a", "b", "string"])
def test_a_result_replaces_whatever_was_there(room: Room, request_: str, result: str, to: str) -> None:
    word, *names = request_.split()
    if room("EXISTS", to):
        room("EXPIRE", to, 100)
    assert room(word + "STORE", to, *names) == len(result)
    assert room("EXISTS", to) == bool(result)
    if result:
        assert room("TTL", to) == -1
        assert {member.decode() for member in room("SMEMBERS", to).items} == set(result)
        assert room("SPOP", to).decode() in result
        assert room("SADD", to, "new") == 1


@pytest.mark.parametrize("word", ["SINTER", "SUNION", "SDIFF"])
def test_every_key_must_be_a_set(room: Room, word: str) -> None:
    for names in (["string"], ["a", "string"], ["missing", "string"], ["string", "missing"], ["string", "a"]):
        assert isinstance(room(word, *names), WrongType)
        assert isinstance(room(word + "STORE", "a", *names), WrongType)
        assert isinstance(room("SINTERCARD", len(names), *names), WrongType)
    assert room("SCARD", "a") == 4


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ("2 a b", 2),
        ("1 a", 4),
        ("2 a a", 4),
        ("2 a missing", 0),
        ("1 missing", 0),
        ("2 a b LIMIT 1", 1),
        ("2 a b limit 0", 2),
        ("2 a b LIMIT 100", 2),
        ("2 a b LIMIT 1 LIMIT 2", 2),
    ],
)
def test_sintercard_counts(room: Room, arguments: str, count: int) -> None:
    assert room("SINTERCARD", *arguments.split()) == count


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ("0 a", b"ERR numkeys should be greater than 0"),
        ("-1 a", b"ERR numkeys should be greater than 0"),
        ("abc a", b"ERR numkeys should be greater than 0"),
        ("3 a b", b"ERR Number of keys can't be greater than number of args"),
        ("2 a b LIMIT", b"ERR syntax error"),
        ("2 a b LIMIT -1", b"ERR LIMIT can't be negative"),
        ("2 a b LIMIT abc", b"ERR LIMIT can't be negative"),
        ("2 a string LIMIT abc", b"ERR LIMIT can't be negative"),
        ("2 a b FOO 1", b"ERR syntax error"),
        ("1 a b", b"ERR syntax error"),
    ],
)
def test_sintercard_refuses(room: Room, arguments: str, refusal: bytes) -> None:
    assert message(room("SINTERCARD", *arguments.split())) == refusal


@pytest.mark.parametrize(("left", "right"), [(3 * MANY, 3 * MANY), (3 * MANY, 50), (50, 3 * MANY)])
def test_large_sets_are_combined_in_pieces(room: Room, left: int, right: int) -> None:
    one = [b"%d" % number for number in range(left)]
    other = [b"%d" % number for number in range(10, 10 + right * 2, 2)]
    room("SADD", "one", *one)
    room.commit.checkpoint()
    room("SADD", "other", *other)
    common = set(one) & set(other)
    assert set(room("SINTER", "one", "other").items) == common
    assert room("SINTERCARD", 2, "one", "other") == len(common)
    assert room("SDIFF", "one", "other").items == [member for member in one if member not in common]
    assert room("SDIFF", "other", "one").items == [member for member in other if member not in common]
    assert room("SUNION", "one", "other").items == list(dict.fromkeys(one + other))
    assert room("SUNIONSTORE", "one", "one", "other") == len(set(one) | set(other))
    assert room("SMEMBERS", "one").items == list(dict.fromkeys(one + other))
