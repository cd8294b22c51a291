"""Commands on one set, and SMOVE: every option, every refusal, the order of the checks, what is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from spoold.command.describe import flag_names
from spoold.core.errors import WrongArity, WrongType
from spoold.core.reply import SetReply
from spoold.datatypes.sets.store import FEW, MANY
from spoold.keyspace.record import SetRecord
from support.reachable import assert_nothing_is_left_over
from support.room import Room, message

NOT_POSITIVE = b"ERR value is out of range, must be positive"
SYNTAX = b"ERR syntax error"


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    room("SET", "string", "v")
    yield
    assert_nothing_is_left_over(room)


def members(room: Room, name: str = "s") -> list[bytes]:
    """The whole set, the oldest first."""
    return listed(room("SMEMBERS", name))


def listed(reply: Any) -> list[bytes]:
    """What a set-typed reply holds."""
    assert isinstance(reply, SetReply), reply
    return list(reply.items)


def mutations(room: Room, *words: object) -> int:
    """How many mutations a command makes."""
    room.turn.begin()
    request = [str(word).encode() for word in words]
    entry = room.table.find(request[0])
    assert entry is not None
    entry.handler(room.session.ctx, *request[1:])
    room.dbs.write()
    sections = room.commit.batch.sections()
    count = sum(len(section) if isinstance(section, dict) else 1 for section in sections)
    room.turn.end()
    return count


def test_the_session_of_the_older_software(room: Room) -> None:
    assert room("SADD", "niki", 12) == 1
    assert room("SADD", "niki", 15) == 1
    assert room("SCARD", "niki") == 2
    assert room("SISMEMBER", "niki", "abc") == 0
    assert room("SISMEMBER", "niki", 12) == 1
    assert room("SPOP", "niki") == b"12"
    assert room("SPOP", "niki") == b"15"
    assert room("SPOP", "niki") is None


# -- adding and removing --------------------------------------------------------------------------------------------


def test_members_are_unique_and_keep_their_order(room: Room) -> None:
    assert room("SADD", "s", "a", "b", "c") == 3
    assert room("SADD", "s", "a", "d", "d", "e") == 2
    assert room("SCARD", "s") == 5
    assert members(room) == [b"a", b"b", b"c", b"d", b"e"]
    assert room("TYPE", "s").text == b"set"


def test_adding_what_is_there_writes_nothing(room: Room) -> None:
    room("SADD", "s", "a", "b")
    assert mutations(room, "SADD", "s", "a", "b", "a") == 0
    room("WATCH", "s")
    room("SADD", "s", "a")
    room("MULTI")
    assert room("EXEC") == []


def test_a_member_that_was_removed_and_added_again_is_the_youngest(room: Room) -> None:
    room("SADD", "s", "a", "b", "c")
    assert room("SREM", "s", "a", "x", "a") == 1
    room("SADD", "s", "a")
    assert members(room) == [b"b", b"c", b"a"]


def test_a_set_that_loses_its_last_member_is_no_key(room: Room) -> None:
    room("SADD", "s", "a", "b")
    assert room("SREM", "s", "a", "b") == 2
    assert room("EXISTS", "s") == 0
    assert room("SREM", "s", "a") == 0
    assert room("SCARD", "s") == 0
    assert members(room) == []
    room("SADD", "s", "a")
    assert room("SPOP", "s") == b"a"
    assert room("EXISTS", "s") == 0


def test_members_are_any_bytes(room: Room) -> None:
    given = [
        b"",
        b"\x00",
        b"\r\n",
        *(b"m" * length for length in (479, 480, 481, 482)),
        b"m" * 481 + b"a",
        b"m" * 50_000,
    ]
    assert room("SADD", "s", *given) == len(given)
    assert room("SADD", "s", *given) == 0
    assert members(room) == given
    assert room("SMISMEMBER", "s", *given, b"m" * 483) == [1] * len(given) + [0]
    assert room("SREM", "s", b"m" * 481) == 1
    assert room("SISMEMBER", "s", b"m" * 481) == 0
    assert room("SISMEMBER", "s", b"m" * 481 + b"a") == 1
    given.remove(b"m" * 481)
    assert [room("SPOP", "s") for _ in given] == given


def test_numbers_are_members_as_they_are_written(room: Room) -> None:
    assert room("SADD", "s", "1", "01", "+1", "1.0") == 4
    assert room("SISMEMBER", "s", "1") == 1
    assert room("SISMEMBER", "s", "001") == 0


def test_membership_is_told_one_by_one(room: Room) -> None:
    room("SADD", "s", "a", "b")
    assert room("SMISMEMBER", "s", "a", "x", "b", "a") == [1, 0, 1, 1]
    assert room("SMISMEMBER", "missing", "a", "b") == [0, 0]
    assert room("SISMEMBER", "missing", "a") == 0


def test_the_expiry_stays_until_the_set_is_empty(room: Room) -> None:
    room("SADD", "s", "a", "b")
    room("EXPIRE", "s", 100)
    room("SADD", "s", "c")
    room("SPOP", "s")
    room("SREM", "s", "b")
    assert room("TTL", "s") == 100
    room("SPOP", "s")
    room("SADD", "s", "a")
    assert room("TTL", "s") == -1


def test_a_set_that_is_due_is_not_there(room: Room) -> None:
    for request in ("SPOP s", "SCARD s", "SISMEMBER s a", "SREM s a"):
        room("SADD", "s", "a")
        room("EXPIRE", "s", 1)
        room.clock.advance_ms(1000)
        assert not room(*request.split())
    room("SADD", "s", "a")
    room("EXPIRE", "s", 1)
    room.clock.advance_ms(1000)
    assert room("SADD", "s", "a", "b") == 2


# -- SPOP -----------------------------------------------------------------------------------------------------------


def test_spop_takes_the_oldest(room: Room) -> None:
    room("SADD", "s", *"abcdefgh")
    assert room("SPOP", "s") == b"a"
    assert listed(room("SPOP", "s", 2)) == [b"b", b"c"]
    assert listed(room("SPOP", "s", 0)) == []
    room("SREM", "s", "d", "f")
    assert room("SPOP", "s") == b"e"
    assert listed(room("SPOP", "s", 100)) == [b"g", b"h"]
    assert room("EXISTS", "s") == 0


def test_spop_of_a_missing_set(room: Room) -> None:
    assert room("SPOP", "s") is None
    assert listed(room("SPOP", "s", 3)) == []
    assert listed(room("SPOP", "s", 0)) == []


@pytest.mark.parametrize("name", ["s", "missing", "string"])
@pytest.mark.parametrize("count", ["-1", "abc", "", "9223372036854775808"])
def test_spop_refuses_a_count_before_it_looks_at_the_key(room: Room, name: str, count: str) -> None:
    room("SADD", "s", "a")
    assert message(room("SPOP", name, count)) == NOT_POSITIVE
    assert room("SCARD", "s") == 1


def test_too_many_arguments_of_spop_are_a_syntax_error(room: Room) -> None:
    assert message(room("SPOP", "string", "x", "y")) == SYNTAX


@pytest.mark.parametrize("holes", [1, 15, 16, 17, 200, MANY + 1])
def test_spop_passes_any_number_of_holes(room: Room, holes: int) -> None:
    given = [b"%d" % number for number in range(holes + 3)]
    room("SADD", "s", *given)
    room.commit.checkpoint()
    room("SREM", "s", *given[1 : holes + 1])
    assert room("SPOP", "s") == given[0]
    assert room("SPOP", "s") == given[-2]
    assert room("SPOP", "s") == given[-1]
    assert room("EXISTS", "s") == 0


def test_holes_at_the_head_are_passed_once(room: Room) -> None:
    given = [b"%d" % number for number in range(100)]
    room("SADD", "s", *given)
    room("SREM", "s", *given[:50])
    record = room.dbs[0].find(b"s")
    assert isinstance(record, SetRecord)
    assert record.head == 50
    room("SREM", "s", *given[51:90])
    room("SPOP", "s", 2)
    assert record.head == 91


def test_popping_all_deletes_no_single_member(room: Room) -> None:
    given = [b"%d" % number for number in range(2 * MANY)]
    room("SADD", "s", *given)
    room.turn.begin()
    entry = room.table.find(b"SPOP")
    assert entry is not None
    assert listed(entry.handler(room.session.ctx, b"s", b"1000000")) == given
    assert len(room.commit.batch.fresh) < 5
    room.turn.end()


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, MANY, MANY + 1, 2 * MANY - 1])
def test_spop_of_many_takes_the_oldest_whatever_is_pending(room: Room, count: int) -> None:
    given = [b"%d" % number for number in range(2 * MANY)]
    room("SADD", "s", *given[:MANY])
    room.commit.checkpoint()
    room("SADD", "s", *given[MANY:])
    room("SREM", "s", "0", "2")
    left = [given[1], *given[3:]]
    assert listed(room("SPOP", "s", count)) == left[:count]
    assert members(room) == left[count:]


# -- SMOVE ----------------------------------------------------------------------------------------------------------


def test_smove_makes_the_member_the_youngest_of_the_other_set(room: Room) -> None:
    room("SADD", "s", *"123")
    room("SADD", "t", *"34")
    assert room("SMOVE", "s", "t", "1") == 1
    assert room("SMOVE", "s", "t", "3") == 1
    assert room("SMOVE", "s", "t", "x") == 0
    assert members(room, "t") == [b"3", b"4", b"1"]
    assert room("SMOVE", "s", "new", "2") == 1
    assert room("EXISTS", "s") == 0
    assert members(room, "new") == [b"2"]


def test_smove_within_one_set_changes_nothing(room: Room) -> None:
    room("SADD", "s", *"ab")
    assert room("SMOVE", "s", "s", "a") == 1
    assert room("SMOVE", "s", "s", "x") == 0
    assert members(room) == [b"a", b"b"]


def test_smove_looks_at_the_target_only_where_there_is_a_source(room: Room) -> None:
    room("SADD", "s", "a")
    assert room("SMOVE", "missing", "string", "a") == 0
    for request in ("SMOVE s string a", "SMOVE s string x", "SMOVE string s a", "SMOVE string missing a"):
        assert isinstance(room(*request.split()), WrongType)
    assert members(room) == [b"a"]


# -- all ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        "SADD string a",
        "SREM string a",
        "SPOP string",
        "SPOP string 0",
        "SPOP string 1",
        "SCARD string",
        "SMEMBERS string",
        "SISMEMBER string a",
        "SMISMEMBER string a",
        "SRANDMEMBER string",
        "SRANDMEMBER string 1",
        "SSCAN string 0",
        "SMOVE string t a",
    ],
)
def test_another_type_is_refused_and_left_as_it_is(room: Room, request_: str) -> None:
    assert isinstance(room(*request_.split()), WrongType)
    assert room("GET", "string") == b"v"
    assert room("EXISTS", "t") == 0


@pytest.mark.parametrize(
    ("name", "arity", "flags", "first", "last"),
    [
        ("SADD", -3, "write denyoom fast", 1, None),
        ("SREM", -3, "write fast", 1, None),
        ("SPOP", -2, "write fast", 1, None),
        ("SRANDMEMBER", -2, "readonly", 1, None),
        ("SISMEMBER", 3, "readonly fast", 1, None),
        ("SMISMEMBER", -3, "readonly fast", 1, None),
        ("SMEMBERS", 2, "readonly", 1, None),
        ("SMOVE", 4, "write fast", 1, 2),
        ("SCARD", 2, "readonly fast", 1, None),
        ("SSCAN", -3, "readonly", 1, None),
        ("SINTER", -2, "readonly", 1, -1),
        ("SUNION", -2, "readonly", 1, -1),
        ("SDIFF", -2, "readonly", 1, -1),
        ("SINTERSTORE", -3, "write denyoom", 1, -1),
        ("SUNIONSTORE", -3, "write denyoom", 1, -1),
        ("SDIFFSTORE", -3, "write denyoom", 1, -1),
        ("SINTERCARD", -3, "readonly movablekeys", 0, None),
    ],
)
def test_declarations_are_those_of_redis(
    room: Room, name: str, arity: int, flags: str, first: int, last: int | None
) -> None:
    entry = room.table.entries[name]
    spec = entry.spec
    assert spec.arity == arity
    assert set(flag_names(entry)) == set(flags.split())
    assert (spec.keys.first, spec.keys.last) == (first, last)
    assert isinstance(room(name), WrongArity)
