"""List commands that never block: every option, every refusal, the order of the checks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spoold.command.describe import flag_names
from spoold.core.errors import WrongArity, WrongType
from spoold.core.reply import NULL_ARRAY, OK
from support.reachable import assert_nothing_is_left_over
from support.room import Room, message

NOT_AN_INTEGER = b"ERR value is not an integer or out of range"
NOT_POSITIVE = b"ERR value is out of range, must be positive"
SYNTAX = b"ERR syntax error"
WRONG_TYPE = b"WRONGTYPE Operation against a key holding the wrong kind of value"
INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    room("SET", "string", "v")
    yield
    assert_nothing_is_left_over(room)


def elements(room: Room, name: str = "l") -> list[bytes]:
    """The whole list."""
    found = room("LRANGE", name, 0, -1)
    assert isinstance(found, list)
    return found


# -- push and pop ---------------------------------------------------------------------------------------------------


def test_elements_are_pushed_one_after_the_other_at_either_end(room: Room) -> None:
    assert room("RPUSH", "l", "a", "b") == 2
    assert room("LPUSH", "l", "c", "d") == 4
    assert elements(room) == [b"d", b"c", b"a", b"b"]
    assert room("LLEN", "l") == 4
    assert room("TYPE", "l").text == b"list"


def test_pushx_needs_a_list(room: Room) -> None:
    assert room("LPUSHX", "l", "a") == 0
    assert room("RPUSHX", "l", "a") == 0
    assert room("EXISTS", "l") == 0
    room("RPUSH", "l", "m")
    assert room("LPUSHX", "l", "b", "a") == 3
    assert room("RPUSHX", "l", "y", "z") == 5
    assert elements(room) == [b"a", b"b", b"m", b"y", b"z"]


def test_elements_are_any_bytes(room: Room) -> None:
    given = [b"", b"\x00", b"\r\n", b"\xff" * 1000, b"x" * 100_000]
    room("RPUSH", "l", *given)
    assert elements(room) == given
    assert [room("LPOP", "l") for _ in given] == given


def test_a_list_that_is_popped_empty_is_no_key(room: Room) -> None:
    room("RPUSH", "l", "a", "b", "c")
    assert room("LPOP", "l") == b"a"
    assert room("RPOP", "l") == b"c"
    assert room("RPOP", "l") == b"b"
    assert room("EXISTS", "l") == 0
    assert room("LPOP", "l") is None
    assert room("RPOP", "l") is None
    assert room("LLEN", "l") == 0


def test_pop_with_a_count_gives_the_order_of_single_pops(room: Room) -> None:
    room("RPUSH", "l", *"abcdefg")
    assert room("LPOP", "l", 2) == [b"a", b"b"]
    assert room("RPOP", "l", 2) == [b"g", b"f"]
    assert room("LPOP", "l", 0) == []
    assert room("RPOP", "l", 100) == [b"e", b"d", b"c"]
    assert room("EXISTS", "l") == 0


@pytest.mark.parametrize("word", ["LPOP", "RPOP"])
def test_pop_with_a_count_of_a_missing_list_is_no_array(room: Room, word: str) -> None:
    assert room(word, "l", 0) is NULL_ARRAY
    assert room(word, "l", 5) is NULL_ARRAY


@pytest.mark.parametrize("word", ["LPOP", "RPOP"])
@pytest.mark.parametrize("name", ["l", "missing", "string"])
@pytest.mark.parametrize("count", ["-1", "abc", "", "1.5", str(INT64_MAX + 1)])
def test_pop_refuses_a_count_before_it_looks_at_the_key(room: Room, word: str, name: str, count: str) -> None:
    room("RPUSH", "l", "a")
    assert message(room(word, name, count)) == NOT_POSITIVE
    assert room("LLEN", "l") == 1


def test_the_expiry_stays_until_the_list_is_empty(room: Room) -> None:
    room("RPUSH", "l", "a", "b", "c", "d", "e", "f")
    room("EXPIRE", "l", 100)
    room("LPOP", "l")
    room("RPUSH", "l", "x")
    room("RPOP", "l", 2)
    room("LTRIM", "l", 0, 2)
    room("LMOVE", "l", "l", "LEFT", "RIGHT")
    assert room("TTL", "l") == 100
    room("LREM", "l", 0, "b")
    room("LINSERT", "l", "BEFORE", "c", "z")
    assert room("TTL", "l") == 100
    room("LPOP", "l", 10)
    room("RPUSH", "l", "new")
    assert room("TTL", "l") == -1


def test_a_list_that_is_due_is_not_there(room: Room) -> None:
    room("RPUSH", "l", "a")
    room("EXPIRE", "l", 1)
    room.clock.advance_ms(1000)
    assert room("LPOP", "l") is None
    room("RPUSH", "l", "a")
    room("EXPIRE", "l", 1)
    room.clock.advance_ms(1000)
    assert room("RPUSH", "l", "b") == 1
    assert elements(room) == [b"b"]


# -- by index -------------------------------------------------------------------------------------------------------


def test_an_index_counts_from_either_end(room: Room) -> None:
    room("RPUSH", "l", "a", "b", "c")
    assert [room("LINDEX", "l", index) for index in (0, 1, 2, 3)] == [b"a", b"b", b"c", None]
    assert [room("LINDEX", "l", index) for index in (-1, -2, -3, -4)] == [b"c", b"b", b"a", None]
    assert room("LINDEX", "l", INT64_MAX) is None
    assert room("LINDEX", "l", INT64_MIN) is None
    assert room("LINDEX", "missing", 0) is None


def test_lindex_reads_its_index_only_where_there_is_a_list(room: Room) -> None:
    room("RPUSH", "l", "a")
    assert message(room("LINDEX", "l", "abc")) == NOT_AN_INTEGER
    assert message(room("LINDEX", "l", str(INT64_MAX + 1))) == NOT_AN_INTEGER
    assert room("LINDEX", "missing", "abc") is None
    assert message(room("LINDEX", "string", "abc")) == WRONG_TYPE


def test_lset_replaces_one_element(room: Room) -> None:
    room("RPUSH", "l", "a", "b", "c")
    assert room("LSET", "l", 0, "A") is OK
    assert room("LSET", "l", -1, "") is OK
    assert elements(room) == [b"A", b"b", b""]


def test_lset_refuses_in_the_order_of_redis(room: Room) -> None:
    room("RPUSH", "l", "a")
    assert message(room("LSET", "missing", "abc", "x")) == b"ERR no such key"
    assert message(room("LSET", "string", "abc", "x")) == WRONG_TYPE
    assert message(room("LSET", "l", "abc", "x")) == NOT_AN_INTEGER
    assert message(room("LSET", "l", 1, "x")) == b"ERR index out of range"
    assert message(room("LSET", "l", -2, "x")) == b"ERR index out of range"
    assert elements(room) == [b"a"]


@pytest.mark.parametrize(
    ("start", "stop", "found"),
    [
        (0, -1, "abcde"),
        (1, 3, "bcd"),
        (-3, -2, "cd"),
        (-100, 100, "abcde"),
        (-100, 0, "a"),
        (4, 4, "e"),
        (3, 1, ""),
        (5, 10, ""),
        (0, -6, ""),
        (0, -5, "a"),
        (-1, -1, "e"),
        (INT64_MIN, INT64_MAX, "abcde"),
    ],
)
def test_lrange_and_ltrim_take_the_same_ranges(room: Room, start: int, stop: int, found: str) -> None:
    room("RPUSH", "l", *"abcde")
    assert room("LRANGE", "l", start, stop) == [letter.encode() for letter in found]
    assert room("LTRIM", "l", start, stop) is OK
    assert elements(room) == [letter.encode() for letter in found]
    assert room("EXISTS", "l") == bool(found)


@pytest.mark.parametrize("word", ["LRANGE", "LTRIM"])
def test_ranges_are_read_before_the_key_is_looked_at(room: Room, word: str) -> None:
    for name in ("missing", "string"):
        assert message(room(word, name, "a", 1)) == NOT_AN_INTEGER
        assert message(room(word, name, 0, "b")) == NOT_AN_INTEGER
    assert isinstance(room(word, "string", 0, 1), WrongType)


def test_ranges_of_a_missing_list(room: Room) -> None:
    assert room("LRANGE", "missing", 0, -1) == []
    assert room("LTRIM", "missing", 0, -1) is OK


# -- by value -------------------------------------------------------------------------------------------------------


def test_linsert_goes_before_or_behind_the_first_match(room: Room) -> None:
    room("RPUSH", "l", "a", "b", "c", "b")
    assert room("LINSERT", "l", "BEFORE", "b", "X") == 5
    assert room("LINSERT", "l", "after", "b", "Y") == 6
    assert room("LINSERT", "l", "before", "a", "first") == 7
    assert elements(room) == [b"first", b"a", b"X", b"b", b"Y", b"c", b"b"]
    room("RPUSH", "m", "a", "b")
    room("LINSERT", "m", "AFTER", "b", "last")
    assert elements(room, "m") == [b"a", b"b", b"last"]


def test_linsert_without_a_match_or_a_list(room: Room) -> None:
    room("RPUSH", "l", "a")
    assert room("LINSERT", "l", "BEFORE", "x", "y") == -1
    assert room("LINSERT", "missing", "BEFORE", "x", "y") == 0
    assert room("EXISTS", "missing") == 0
    for name in ("l", "missing", "string"):
        assert message(room("LINSERT", name, "AT", "a", "y")) == SYNTAX


@pytest.mark.parametrize(
    ("count", "removed", "left"),
    [
        (0, 4, "bcb"),
        (2, 2, "bcaba"),
        (100, 4, "bcb"),
        (-1, 1, "abacab"),
        (-2, 2, "abacb"),
        (-100, 4, "bcb"),
        (INT64_MAX, 4, "bcb"),
        (INT64_MIN, 4, "bcb"),
    ],
)
def test_lrem_counts_from_the_head_or_from_the_tail(room: Room, count: int, removed: int, left: str) -> None:
    room("RPUSH", "l", *"abacaba")
    assert room("LREM", "l", count, "a") == removed
    assert elements(room) == [letter.encode() for letter in left]


def test_lrem_of_all_leaves_no_key(room: Room) -> None:
    room("RPUSH", "l", "a", "a")
    assert room("LREM", "l", 0, "x") == 0
    assert room("LREM", "l", 0, "a") == 2
    assert room("EXISTS", "l") == 0
    assert room("LREM", "l", 0, "a") == 0
    assert message(room("LREM", "missing", "abc", "a")) == NOT_AN_INTEGER
    assert message(room("LREM", "string", "abc", "a")) == NOT_AN_INTEGER


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("", 2),
        ("RANK 2", 6),
        ("RANK 3", 7),
        ("RANK 4", None),
        ("RANK -1", 7),
        ("RANK -3", 2),
        ("RANK -4", None),
        ("COUNT 0", [2, 6, 7]),
        ("COUNT 2", [2, 6]),
        ("COUNT 100", [2, 6, 7]),
        ("RANK -1 COUNT 2", [7, 6]),
        ("RANK 2 COUNT 0", [6, 7]),
        ("RANK 4 COUNT 0", []),
        ("MAXLEN 2", None),
        ("MAXLEN 3", 2),
        ("MAXLEN 0", 2),
        ("MAXLEN 7 COUNT 0", [2, 6]),
        ("RANK -1 MAXLEN 1 COUNT 0", [7]),
        ("RANK -3 MAXLEN 5", None),
        ("rank 1 count 1 maxlen 10", [2]),
        (f"RANK {INT64_MAX}", None),
        (f"RANK -{INT64_MAX}", None),
        (f"RANK {INT64_MIN}", 7),
    ],
)
def test_lpos_finds(room: Room, options: str, found: object) -> None:
    room("RPUSH", "l", *"abc123cc")
    assert room("LPOS", "l", "c", *options.split()) == found


def test_lpos_without_a_list(room: Room) -> None:
    assert room("LPOS", "missing", "a") is None
    assert room("LPOS", "missing", "a", "COUNT", 0) == []


@pytest.mark.parametrize("name", ["l", "missing", "string"])
@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        (
            "RANK 0",
            (
                b"ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to"
                b" start from the end of the list"
            ),
        ),
        ("RANK abc", NOT_AN_INTEGER),
        ("COUNT -1", b"ERR COUNT can't be negative"),
        ("COUNT abc", b"ERR COUNT can't be negative"),
        ("MAXLEN -1", b"ERR MAXLEN can't be negative"),
        ("MAXLEN abc", b"ERR MAXLEN can't be negative"),
        ("RANK", SYNTAX),
        ("COUNT", SYNTAX),
        ("MAXLEN", SYNTAX),
        ("FOO 1", SYNTAX),
    ],
)
def test_lpos_refuses(room: Room, name: str, options: str, refusal: bytes) -> None:
    room("RPUSH", "l", "a")
    assert message(room("LPOS", name, "a", *options.split())) == refusal


# -- from list to list ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("from_side", "to_side", "moved", "source", "target"),
    [
        ("LEFT", "LEFT", b"a", "bc", "axy"),
        ("LEFT", "RIGHT", b"a", "bc", "xya"),
        ("RIGHT", "LEFT", b"c", "ab", "cxy"),
        ("right", "right", b"c", "ab", "xyc"),
    ],
)
def test_lmove_moves_an_element(
    room: Room, from_side: str, to_side: str, moved: bytes, source: str, target: str
) -> None:
    room("RPUSH", "l", *"abc")
    room("RPUSH", "t", *"xy")
    assert room("LMOVE", "l", "t", from_side, to_side) == moved
    assert b"".join(elements(room)).decode() == source
    assert b"".join(elements(room, "t")).decode() == target


@pytest.mark.parametrize(
    ("from_side", "to_side", "left"),
    [("LEFT", "LEFT", "abc"), ("RIGHT", "RIGHT", "abc"), ("LEFT", "RIGHT", "bca"), ("RIGHT", "LEFT", "cab")],
)
def test_lmove_within_one_list_turns_it(room: Room, from_side: str, to_side: str, left: str) -> None:
    room("RPUSH", "l", *"abc")
    room("LMOVE", "l", "l", from_side, to_side)
    assert b"".join(elements(room)).decode() == left
    room("RPUSH", "one", "x")
    assert room("LMOVE", "one", "one", from_side, to_side) == b"x"
    assert elements(room, "one") == [b"x"]


def test_rpoplpush_creates_the_target_and_empties_the_source(room: Room) -> None:
    room("RPUSH", "l", "a", "b")
    assert room("RPOPLPUSH", "l", "t") == b"b"
    assert room("RPOPLPUSH", "l", "t") == b"a"
    assert room("RPOPLPUSH", "l", "t") is None
    assert room("EXISTS", "l") == 0
    assert elements(room, "t") == [b"a", b"b"]


def test_a_move_checks_the_target_only_where_there_is_a_source(room: Room) -> None:
    room("RPUSH", "l", "a")
    assert room("LMOVE", "missing", "string", "LEFT", "LEFT") is None
    assert isinstance(room("LMOVE", "string", "l", "LEFT", "LEFT"), WrongType)
    assert isinstance(room("LMOVE", "l", "string", "LEFT", "LEFT"), WrongType)
    assert isinstance(room("RPOPLPUSH", "l", "string"), WrongType)
    assert message(room("LMOVE", "missing", "l", "UP", "LEFT")) == SYNTAX
    assert message(room("LMOVE", "missing", "l", "LEFT", "UP")) == SYNTAX
    assert elements(room) == [b"a"]


def test_lmpop_takes_from_the_first_list_that_is_there(room: Room) -> None:
    room("RPUSH", "a", "1", "2", "3")
    room("RPUSH", "b", "x", "y", "z")
    assert room("LMPOP", 2, "missing", "a", "LEFT") == [b"a", [b"1"]]
    assert room("LMPOP", 2, "a", "b", "right", "count", 10) == [b"a", [b"3", b"2"]]
    assert room("LMPOP", 2, "a", "b", "RIGHT", "COUNT", 2) == [b"b", [b"z", b"y"]]
    assert room("LMPOP", 1, "a", "LEFT") is NULL_ARRAY


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ("0 l LEFT", b"ERR numkeys should be greater than 0"),
        ("-1 l LEFT", b"ERR numkeys should be greater than 0"),
        ("abc l LEFT", b"ERR numkeys should be greater than 0"),
        ("2 l LEFT", SYNTAX),
        ("3 l m LEFT", SYNTAX),
        (f"{INT64_MAX} l LEFT", SYNTAX),
        ("1 l UP", SYNTAX),
        ("1 l m LEFT", SYNTAX),
        ("1 l LEFT COUNT", SYNTAX),
        ("1 l LEFT COUNT 0", b"ERR count should be greater than 0"),
        ("1 l LEFT COUNT -1", b"ERR count should be greater than 0"),
        ("1 l LEFT COUNT abc", b"ERR count should be greater than 0"),
        ("1 l LEFT COUNT 1 COUNT 1", SYNTAX),
        ("1 l LEFT FOO 1", SYNTAX),
        ("1 string LEFT FOO 1", SYNTAX),
        ("1 string LEFT", WRONG_TYPE),
        ("2 missing string LEFT", WRONG_TYPE),
    ],
)
def test_lmpop_refuses(room: Room, arguments: str, refusal: bytes) -> None:
    room("RPUSH", "l", "a")
    assert message(room("LMPOP", *arguments.split())) == refusal
    assert elements(room) == [b"a"]


# -- all ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        "LPUSH string a",
        "RPUSH string a",
        "LPUSHX string a",
        "RPUSHX string a",
        "LPOP string",
        "RPOP string",
        "LPOP string 0",
        "RPOP string 1",
        "LLEN string",
        "LINDEX string 0",
        "LSET string 0 a",
        "LRANGE string 0 -1",
        "LTRIM string 0 -1",
        "LREM string 0 a",
        "LINSERT string BEFORE a b",
        "LPOS string a",
        "LPOS string a COUNT 1",
        "LMOVE string t LEFT RIGHT",
        "RPOPLPUSH string t",
    ],
)
def test_another_type_is_refused_and_left_as_it_is(room: Room, request_: str) -> None:
    assert isinstance(room(*request_.split()), WrongType)
    assert room("GET", "string") == b"v"
    assert room("EXISTS", "t") == 0


@pytest.mark.parametrize(
    ("name", "arity", "flags", "keys"),
    [
        ("LPUSH", -3, "write denyoom fast", (1, 1)),
        ("RPUSH", -3, "write denyoom fast", (1, 1)),
        ("LPUSHX", -3, "write denyoom fast", (1, 1)),
        ("RPUSHX", -3, "write denyoom fast", (1, 1)),
        ("LPOP", -2, "write fast", (1, 1)),
        ("RPOP", -2, "write fast", (1, 1)),
        ("LLEN", 2, "readonly fast", (1, 1)),
        ("LINDEX", 3, "readonly", (1, 1)),
        ("LSET", 4, "write denyoom", (1, 1)),
        ("LRANGE", 4, "readonly", (1, 1)),
        ("LREM", 4, "write", (1, 1)),
        ("LTRIM", 4, "write", (1, 1)),
        ("LINSERT", 5, "write denyoom", (1, 1)),
        ("LPOS", -3, "readonly", (1, 1)),
        ("LMOVE", 5, "write denyoom", (1, 2)),
        ("RPOPLPUSH", 3, "write denyoom", (1, 2)),
        ("LMPOP", -4, "write movablekeys", None),
        ("BLPOP", -3, "write noscript blocking", (1, -2)),
        ("BRPOP", -3, "write noscript blocking", (1, -2)),
        ("BLMOVE", 6, "write denyoom noscript blocking", (1, 2)),
        ("BRPOPLPUSH", 4, "write denyoom noscript blocking", (1, 2)),
        ("BLMPOP", -5, "write blocking movablekeys", None),
    ],
)
def test_declarations_are_those_of_redis(
    room: Room, name: str, arity: int, flags: str, keys: tuple[int, int] | None
) -> None:
    entry = room.table.entries[name]
    spec = entry.spec
    assert spec.arity == arity
    assert set(flag_names(entry)) == set(flags.split())
    first, last = keys or (0, None)
    assert (spec.keys.first, spec.keys.last or spec.keys.first) == (first, last or first)
    assert isinstance(room(name), WrongArity)


@pytest.mark.parametrize(
    ("request_", "keys"),
    [
        ("LMPOP 2 a b LEFT", [b"a", b"b"]),
        ("BLMPOP 0 2 a b LEFT COUNT 1", [b"a", b"b"]),
        ("BLPOP a b 0", [b"a", b"b"]),
        ("BLMOVE a b LEFT RIGHT 0", [b"a", b"b"]),
    ],
)
def test_keys_are_found_in_a_request(room: Room, request_: str, keys: list[bytes]) -> None:
    words = request_.encode().split()
    assert [words[at] for at in room.table.entries[words[0].decode()].spec.keys.positions(words)] == keys
