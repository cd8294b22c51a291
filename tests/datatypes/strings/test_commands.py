"""SET, GET and their kin: every option, every refusal, and what becomes of expiry, type and stamp."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spoold.core.errors import SyntaxFault, WrongArity, WrongType
from spoold.core.reply import NULL_ARRAY, OK
from support.reachable import assert_nothing_is_left_over
from support.room import Room, message

NOW_MS = 1_700_000_000_000
NOW_S = NOW_MS // 1000
NOT_AN_INTEGER = b"ERR value is not an integer or out of range"
INT64_MAX = 2**63 - 1


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    assert room.clock.unix_ms() == NOW_MS
    yield
    assert_nothing_is_left_over(room)


# -- GET and SET ----------------------------------------------------------------------------------------------------


def test_a_value_comes_back_as_it_was_set(room: Room) -> None:
    for value in (b"", b"v", b"\x00\r\n\xff", b"0012", b"x" * 100_000):
        assert room("SET", "k", value) is OK
        assert room("GET", "k") == value
    assert room("GET", "missing") is None


def test_set_replaces_any_type_and_drops_the_expiry(room: Room) -> None:
    room("RPUSH", "k", "a")
    room("EXPIRE", "k", 100)
    assert room("SET", "k", "v") is OK
    assert room("TYPE", "k").text == b"string"
    assert room("TTL", "k") == -1
    room("EXPIRE", "k", 100)
    room("SET", "k", "w")
    assert room("TTL", "k") == -1


@pytest.mark.parametrize(
    ("option", "amount"), [("EX", 100), ("px", 100_000), ("EXAT", NOW_S + 100), ("PxAt", NOW_MS + 100_000)]
)
def test_set_takes_an_expiry_in_each_unit(room: Room, option: str, amount: int) -> None:
    assert room("SET", "k", "v", option, amount) is OK
    assert room("PTTL", "k") == 100_000
    room.clock.advance_ms(99_999)
    assert room("GET", "k") == b"v"
    room.clock.advance_ms(1)
    assert room("GET", "k") is None


@pytest.mark.parametrize(("option", "amount"), [("EXAT", 1), ("PXAT", NOW_MS), ("PXAT", NOW_MS - 1)])
@pytest.mark.parametrize("before", ["missing", "string", "list"])
def test_set_with_an_expiry_in_the_past_deletes_the_key(room: Room, option: str, amount: int, before: str) -> None:
    if before == "string":
        room("SET", "k", "v", "EX", 10)
    elif before == "list":
        room("RPUSH", "k", "a")
    assert room("SET", "k", "w", option, amount) is OK
    assert room("DBSIZE") == 0
    assert room("GET", "k") is None


def test_set_with_an_expiry_in_the_past_breaks_a_watch(room: Room) -> None:
    room("WATCH", "k")
    room("SET", "k", "v", "PXAT", 1, session=room.connect())
    room("MULTI")
    assert room("EXEC") is NULL_ARRAY


def test_set_nx_and_xx_look_whether_the_key_exists(room: Room) -> None:
    assert room("SET", "k", "v", "XX") is None
    assert room("EXISTS", "k") == 0
    assert room("SET", "k", "v", "NX") is OK
    assert room("SET", "k", "w", "nx", "EX", 10) is None
    assert room("GET", "k") == b"v"
    assert room("TTL", "k") == -1
    assert room("SET", "k", "w", "XX") is OK
    room("RPUSH", "l", "a")
    assert room("SET", "l", "v", "NX") is None
    assert room("SET", "l", "v", "XX") is OK
    room.clock.advance_ms(1)
    room("SET", "due", "v", "PX", 1)
    room.clock.advance_ms(1)
    assert room("SET", "due", "w", "XX") is None
    assert room("SET", "due", "w", "NX") is OK


def test_set_get_answers_the_old_value_whether_it_sets_or_not(room: Room) -> None:
    assert room("SET", "k", "v", "GET") is None
    assert room("SET", "k", "w", "GET") == b"v"
    assert room("SET", "k", "x", "NX", "GET") == b"w"
    assert room("GET", "k") == b"w"
    assert room("SET", "k", "x", "get", "XX") == b"w"
    assert room("SET", "n", "x", "XX", "GET") is None
    assert room("EXISTS", "n") == 0
    assert room("SET", "n", "x", "NX", "GET") is None
    assert room("GET", "n") == b"x"


@pytest.mark.parametrize("options", [["GET"], ["GET", "NX"], ["GET", "XX"], ["GET", "EX", "10"]])
def test_set_get_refuses_another_type_and_changes_nothing(room: Room, options: list[str]) -> None:
    room("RPUSH", "l", "a")
    assert isinstance(room("SET", "l", "v", *options), WrongType)
    assert room("LLEN", "l") == 1


def test_set_keepttl_leaves_the_expiry(room: Room) -> None:
    room("SET", "k", "v", "EX", 100)
    assert room("SET", "k", "w", "KEEPTTL") is OK
    assert room("TTL", "k") == 100
    assert room("SET", "k", "x", "XX", "KEEPTTL", "GET") == b"w"
    assert room("TTL", "k") == 100
    assert room("SET", "fresh", "v", "KEEPTTL") is OK
    assert room("TTL", "fresh") == -1
    room("RPUSH", "l", "a")
    room("EXPIRE", "l", 50)
    assert room("SET", "l", "v", "KEEPTTL") is OK
    assert room("TTL", "l") == 50


def test_an_option_may_be_repeated_and_the_last_amount_counts(room: Room) -> None:
    assert room("SET", "k", "v", "EX", 10, "EX", 20, "NX", "NX", "GET", "GET") is None
    assert room("TTL", "k") == 20
    assert room("SET", "k", "v", "KEEPTTL", "KEEPTTL") is OK


@pytest.mark.parametrize(
    "options",
    [
        "NX XX",
        "XX NX",
        "EX 10 PX 10",
        "PX 10 EXAT 10",
        "EXAT 10 PXAT 10",
        "EX 10 KEEPTTL",
        "KEEPTTL PXAT 10",
        "EX",
        "NX EX",
        "PERSIST",
        "FOO",
        "10",
        "EX 0 NX XX",
    ],
)
def test_set_refuses_options_that_do_not_fit_together(room: Room, options: str) -> None:
    assert isinstance(room("SET", "k", "v", *options.split()), SyntaxFault)
    assert room("DBSIZE") == 0


BAD_AMOUNTS = [
    ("EX", 0),
    ("EX", -1),
    ("PX", 0),
    ("PX", -(2**63)),
    ("EXAT", 0),
    ("PXAT", -1),
    ("EX", INT64_MAX),
    ("EX", INT64_MAX // 1000),
    ("PX", INT64_MAX),
    ("PX", INT64_MAX - NOW_MS + 1),
    ("EXAT", INT64_MAX // 1000 + 1),
]


@pytest.mark.parametrize(("option", "amount"), BAD_AMOUNTS)
def test_an_expiry_must_lie_between_zero_and_the_end_of_time(room: Room, option: str, amount: int) -> None:
    assert message(room("SET", "k", "v", option, amount)) == b"ERR invalid expire time in 'set' command"
    room("SET", "k", "v")
    assert message(room("GETEX", "k", option, amount)) == b"ERR invalid expire time in 'getex' command"
    assert room("TTL", "k") == -1
    if option in ("EX", "PX"):
        word = "SETEX" if option == "EX" else "PSETEX"
        expected = b"ERR invalid expire time in '%b' command" % word.lower().encode()
        assert message(room(word, "k", amount, "w")) == expected
        assert room("GET", "k") == b"v"


@pytest.mark.parametrize("amount", ["abc", "", "1.5", " 1", "01", 2**63])
def test_an_expiry_must_be_an_integer(room: Room, amount: str | int) -> None:
    room("SET", "k", "v")
    for words in (["SET", "k", "w", "EX", amount], ["GETEX", "k", "PX", amount], ["SETEX", "k", amount, "w"]):
        assert message(room(*words)) == NOT_AN_INTEGER
    assert room("GET", "k") == b"v"


def test_the_latest_expiry_that_fits_is_kept(room: Room) -> None:
    assert room("SET", "k", "v", "PX", INT64_MAX - NOW_MS) is OK
    assert room("PEXPIRETIME", "k") == INT64_MAX
    assert room("SET", "k", "v", "PXAT", INT64_MAX) is OK
    assert room("PEXPIRETIME", "k") == INT64_MAX


def test_what_is_wrong_with_the_words_is_said_before_the_expiry_and_that_before_the_type(room: Room) -> None:
    room("RPUSH", "l", "a")
    assert isinstance(room("SET", "l", "v", "GET", "EX", "abc", "FOO"), SyntaxFault)
    assert message(room("SET", "l", "v", "GET", "EX", "0")) == b"ERR invalid expire time in 'set' command"
    assert isinstance(room("GETEX", "l", "EX", "0"), WrongType)
    assert room("GETEX", "missing", "EX", "abc") is None
    assert isinstance(room("GETEX", "missing", "FOO"), SyntaxFault)


# -- SETNX SETEX PSETEX ---------------------------------------------------------------------------------------------


def test_setnx_sets_only_a_missing_key(room: Room) -> None:
    assert room("SETNX", "k", "v") == 1
    assert room("SETNX", "k", "w") == 0
    room("RPUSH", "l", "a")
    assert room("SETNX", "l", "v") == 0
    assert room("GET", "k") == b"v"


@pytest.mark.parametrize(("word", "amount"), [("SETEX", 100), ("PSETEX", 100_000)])
def test_setex_and_psetex_set_value_and_expiry(room: Room, word: str, amount: int) -> None:
    room("RPUSH", "k", "a")
    assert room(word, "k", amount, "v") is OK
    assert room("GET", "k") == b"v"
    assert room("PTTL", "k") == 100_000


# -- GETEX GETDEL GETSET --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "amount"), [("EX", 100), ("PX", 100_000), ("EXAT", NOW_S + 100), ("pxat", NOW_MS + 100_000)]
)
def test_getex_answers_the_value_and_sets_the_expiry(room: Room, option: str, amount: int) -> None:
    room("SET", "k", "v")
    assert room("GETEX", "k") == b"v"
    assert room("TTL", "k") == -1
    assert room("GETEX", "k", option, amount) == b"v"
    assert room("PTTL", "k") == 100_000
    assert room("GETEX", "k") == b"v"
    assert room("PTTL", "k") == 100_000
    assert room("GETEX", "k", "PERSIST") == b"v"
    assert room("TTL", "k") == -1
    assert room("GETEX", "k", "persist", "PERSIST") == b"v"
    assert room("GETEX", "missing", option, amount) is None


@pytest.mark.parametrize(("option", "amount"), [("EXAT", 1), ("PXAT", NOW_MS)])
def test_getex_with_an_expiry_in_the_past_answers_and_deletes(room: Room, option: str, amount: int) -> None:
    room("SET", "k", "v", "EX", 10)
    assert room("GETEX", "k", option, amount) == b"v"
    assert room("DBSIZE") == 0


@pytest.mark.parametrize(
    "options", ["EX", "EX 10 PX 10", "PERSIST EX 10", "EX 10 PERSIST", "KEEPTTL", "NX", "GET", "FOO", "PERSIST 1"]
)
def test_getex_refuses_options_that_it_has_not(room: Room, options: str) -> None:
    room("SET", "k", "v")
    assert isinstance(room("GETEX", "k", *options.split()), SyntaxFault)
    assert room("TTL", "k") == -1


@pytest.mark.parametrize(
    ("expiry", "options", "breaks"),
    [("", "", False), ("", "PERSIST", False), ("EX 10", "PERSIST", True), ("", "EX 10", True), ("", "PXAT 1", True)],
)
def test_getex_breaks_a_watch_only_if_it_changes_the_expiry(
    room: Room, expiry: str, options: str, breaks: bool
) -> None:
    room("SET", "k", "v", *expiry.split())
    room("WATCH", "k")
    room("GETEX", "k", *options.split(), session=room.connect())
    room("MULTI")
    assert room("EXEC") == (NULL_ARRAY if breaks else [])


def test_getdel_takes_the_value_with_the_key(room: Room) -> None:
    room("SET", "k", "v", "EX", 100)
    assert room("GETDEL", "k") == b"v"
    assert room("GETDEL", "k") is None
    room("SET", "k", "")
    assert room("GETDEL", "k") == b""
    assert room("EXISTS", "k") == 0


def test_getset_swaps_the_value_and_drops_the_expiry(room: Room) -> None:
    assert room("GETSET", "k", "v") is None
    room("EXPIRE", "k", 100)
    assert room("GETSET", "k", "w") == b"v"
    assert room("GET", "k") == b"w"
    assert room("TTL", "k") == -1


# -- MGET MSET MSETNX -----------------------------------------------------------------------------------------------


def test_mget_answers_nothing_for_what_is_no_string(room: Room) -> None:
    room("MSET", "a", "1", "b", "")
    room("RPUSH", "l", "x")
    assert room("MGET", "a", "missing", "l", "b", "a") == [b"1", None, None, b"", b"1"]


def test_mset_sets_all_and_the_last_value_of_a_key_counts(room: Room) -> None:
    room("RPUSH", "l", "x")
    room("SET", "a", "0", "EX", 100)
    assert room("MSET", "a", "1", "l", "2", "a", "3") is OK
    assert room("MGET", "a", "l") == [b"3", b"2"]
    assert room("TTL", "a") == -1


def test_msetnx_sets_all_or_nothing(room: Room) -> None:
    assert room("MSETNX", "a", "1", "b", "2", "a", "3") == 1
    assert room("MGET", "a", "b") == [b"3", b"2"]
    assert room("MSETNX", "c", "1", "b", "3") == 0
    assert room("MSETNX", "b", "1", "c", "3") == 0
    assert room("EXISTS", "c") == 0
    room("RPUSH", "l", "x")
    assert room("MSETNX", "c", "1", "l", "1") == 0


@pytest.mark.parametrize("word", ["MSET", "MSETNX"])
def test_a_key_without_a_value_is_a_wrong_number_of_arguments(room: Room, word: str) -> None:
    reply = room(word, "a", "1", "b")
    assert isinstance(reply, WrongArity)
    assert message(reply) == b"ERR wrong number of arguments for '%b' command" % word.lower().encode()
    assert room("DBSIZE") == 0


# -- parts of a value -----------------------------------------------------------------------------------------------


def test_append_adds_at_the_end_and_keeps_the_expiry(room: Room) -> None:
    assert room("APPEND", "k", "") == 0
    assert room("EXISTS", "k") == 1
    room("EXPIRE", "k", 100)
    assert room("APPEND", "k", "Hello") == 5
    assert room("APPEND", "k", " World") == 11
    assert room("GET", "k") == b"Hello World"
    assert room("TTL", "k") == 100
    assert room("STRLEN", "k") == 11
    assert room("STRLEN", "missing") == 0


@pytest.mark.parametrize(
    ("before", "offset", "data", "after"),
    [
        (b"Hello World", 6, b"Redis", b"Hello Redis"),
        (b"Hello", 0, b"J", b"Jello"),
        (b"Hello", 4, b"abc", b"Hellabc"),
        (b"Hello", 5, b"!", b"Hello!"),
        (b"Hello", 7, b"!", b"Hello\0\0!"),
        (None, 3, b"abc", b"\0\0\0abc"),
        (b"Hello", 2, b"", b"Hello"),
        (b"Hello", 2**63 - 1, b"", b"Hello"),
        (None, 5, b"", None),
    ],
)
def test_setrange_overwrites_and_pads_with_zeros(
    room: Room, before: bytes | None, offset: int, data: bytes, after: bytes | None
) -> None:
    if before is not None:
        room("SET", "k", before, "EX", 100)
    assert room("SETRANGE", "k", offset, data) == len(after or b"")
    assert room("GET", "k") == after
    assert room("TTL", "k") == (-2 if after is None else -1 if before is None else 100)


@pytest.mark.parametrize(
    ("offset", "error"),
    [
        (-1, b"ERR offset is out of range"),
        ("abc", NOT_AN_INTEGER),
        (2**63, NOT_AN_INTEGER),
        (512 * 1024 * 1024, b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
        (2**63 - 1, b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
    ],
)
@pytest.mark.parametrize("name", ["k", "missing"])
def test_setrange_refuses_offsets_out_of_range(room: Room, offset: int | str, error: bytes, name: str) -> None:
    room("SET", "k", "v")
    assert message(room("SETRANGE", name, offset, "x")) == error
    assert room("GET", "k") == b"v"
    assert room("EXISTS", "missing") == 0


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 3, b"This"),
        (-3, -1, b"ing"),
        (0, -1, b"This is a string"),
        (10, 100, b"string"),
        (5, 3, b""),
        (-1, -5, b""),
        (-100, 2, b"Thi"),
        (-100, -90, b"T"),
        (-90, -100, b""),
        (16, 16, b""),
        (0, -17, b"T"),
        (-(2**63), 2**63 - 1, b"This is a string"),
        (2**63 - 1, 2**63 - 1, b""),
    ],
)
@pytest.mark.parametrize("word", ["GETRANGE", "SUBSTR"])
def test_getrange_counts_from_either_end(room: Room, word: str, start: int, end: int, expected: bytes) -> None:
    room("SET", "k", "This is a string")
    assert room(word, "k", start, end) == expected
    assert room(word, "missing", start, end) == b""
    room("SET", "empty", "")
    assert room(word, "empty", start, end) == b""


def test_getrange_reads_its_numbers_before_it_looks_at_the_key(room: Room) -> None:
    room("RPUSH", "l", "a")
    assert message(room("GETRANGE", "l", "a", 1)) == NOT_AN_INTEGER
    assert message(room("GETRANGE", "missing", 0, "1.0")) == NOT_AN_INTEGER
    assert isinstance(room("GETRANGE", "l", 0, 1), WrongType)


# -- another type ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "GET l",
        "GETEX l",
        "GETEX l EX 10",
        "GETDEL l",
        "GETSET l v",
        "APPEND l v",
        "STRLEN l",
        "SETRANGE l 0 v",
        "SETRANGE l 0 ",
        "GETRANGE l 0 1",
        "INCR l",
        "DECR l",
        "INCRBY l 1",
        "DECRBY l 1",
        "INCRBYFLOAT l 1",
        "INCRBYFLOAT l abc",
        "SETBIT l 0 1",
        "GETBIT l 0",
        "BITCOUNT l",
        "BITCOUNT l 0 1 FOO",
        "BITPOS l 1 a",
        "BITOP AND d l",
        "BITOP NOT d l",
        "BITFIELD l",
        "BITFIELD l GET u8 0",
        "BITFIELD l SET u8 0 1",
        "BITFIELD_RO l GET u8 0",
    ],
)
def test_a_list_is_refused_and_stays_as_it_is(room: Room, words: str) -> None:
    room("RPUSH", "l", "a")
    assert isinstance(room(*words.split(" ")), WrongType)
    assert room("LLEN", "l") == 1
    assert room("DBSIZE") == 1
