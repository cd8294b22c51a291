"""XADD, XLEN, XRANGE, XREVRANGE, XDEL, XTRIM, XSETID: every option and every error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spoold.core.reply import NULL_ARRAY, OK
from spoold.keyspace.keyspace import Keyspace
from support.reachable import assert_nothing_is_left_over
from support.room import Room

NOW_MS = 1_700_000_000_000


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    yield
    assert_nothing_is_left_over(room)


def fill(room: Room, name: str, count: int) -> None:
    """Entries 1-0, 2-0, …"""
    for number in range(1, count + 1):
        room("XADD", name, f"{number}-0", "n", number)


def ids(room: Room, name: str) -> list[str]:
    return [id_.decode() for id_, _ in room("XRANGE", name, "-", "+")]


def told(room: Room) -> list[tuple[bytes, bytes]]:
    """Events from now on, as (event, key)."""
    found: list[tuple[bytes, bytes]] = []
    keyspace: Keyspace = room.dbs[0]
    keyspace.notify = lambda kind, event, key: found.append((event, key)) if kind == ord("t") else None
    return found


def test_an_id_is_made_from_the_time_and_rises(room: Room) -> None:
    assert room("XADD", "s", "*", "f", "v") == b"%d-0" % NOW_MS
    assert room("XADD", "s", "*", "f", "v") == b"%d-1" % NOW_MS
    room.clock.advance_ms(5)
    assert room("XADD", "s", "*", "f", "v") == b"%d-0" % (NOW_MS + 5)


def test_a_clock_that_is_behind_the_last_id_makes_no_smaller_one(room: Room) -> None:
    room("XADD", "s", f"{NOW_MS + 50}-7", "f", "v")
    assert room("XADD", "s", "*", "f", "v") == b"%d-8" % (NOW_MS + 50)


def test_the_sequence_can_be_left_to_the_server(room: Room) -> None:
    assert room("XADD", "s", "0-*", "f", "v") == b"0-1"
    assert room("XADD", "s", "5-*", "f", "v") == b"5-0"
    assert room("XADD", "s", "5-*", "f", "v") == b"5-1"
    room("XADD", "s", "6-18446744073709551615", "f", "v")
    assert str(room("XADD", "s", "6-*", "f", "v")) == "ERR Elements are too large to be stored"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("0-0 f v", "ERR The ID specified in XADD must be greater than 0-0"),
        ("5-5 f v", "ERR The ID specified in XADD is equal or smaller than the target stream top item"),
        ("4-* f v", "ERR The ID specified in XADD is equal or smaller than the target stream top item"),
        ("x f v", "ERR Invalid stream ID specified as stream command argument"),
        ("* f", "ERR wrong number of arguments for 'xadd' command"),
        ("* f v g", "ERR wrong number of arguments for 'xadd' command"),
        ("MAXLEN 5 NOMKSTREAM", "ERR wrong number of arguments for 'xadd' command"),
        ("MAXLEN x * f v", "ERR value is not an integer or out of range"),
        ("MAXLEN -1 * f v", "ERR The MAXLEN argument must be >= 0."),
        ("MINID x * f v", "ERR Invalid stream ID specified as stream command argument"),
        (
            "MAXLEN 1 MINID 1 * f v",
            "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
        ),
        ("LIMIT 1 * f v", "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"),
        ("LIMIT 0 * f v", "ERR syntax error, LIMIT cannot be used without the special ~ option"),
        ("MAXLEN 1 LIMIT 1 * f v", "ERR syntax error, LIMIT cannot be used without the special ~ option"),
        ("MAXLEN ~ 1 LIMIT -1 * f v", "ERR The LIMIT argument must be >= 0."),
        ("MAXLEN * f v", "ERR value is not an integer or out of range"),
    ],
)
def test_what_xadd_refuses_adds_nothing(room: Room, words: str, text: str) -> None:
    room("XADD", "s", "5-5", "f", "v")
    assert str(room("XADD", "s", *words.split())) == text
    assert ids(room, "s") == ["5-5"]


def test_a_stream_whose_last_id_is_the_greatest_is_full(room: Room) -> None:
    room("XADD", "s", "18446744073709551615-18446744073709551615", "f", "v")
    refused = room("XADD", "s", "*", "f", "v")
    assert str(refused) == "ERR The stream has exhausted the last possible ID, unable to add more items"


def test_nomkstream_makes_no_stream(room: Room) -> None:
    assert room("XADD", "s", "NOMKSTREAM", "*", "f", "v") is None
    assert room("EXISTS", "s") == 0
    room("XADD", "s", "1-1", "f", "v")
    assert room("XADD", "s", "NOMKSTREAM", "1-2", "f", "v") == b"1-2"


def test_fields_keep_their_order_and_may_repeat(room: Room) -> None:
    fields = [b"a", b"1", b"a", b"2", b"", b"", b"\x00\xff", b"x" * 70_000]
    room("XADD", "s", "1-1", *fields)
    assert room("XRANGE", "s", "-", "+") == [[b"1-1", fields]]
    many = [b"%d" % number for number in range(600)]
    room("XADD", "s", "1-2", *many)
    assert room("XRANGE", "s", "1-2", "1-2") == [[b"1-2", many]]


def test_adding_may_trim(room: Room) -> None:
    fill(room, "s", 5)
    events = told(room)
    room("XADD", "s", "MAXLEN", "3", "6-0", "f", "v")
    assert ids(room, "s") == ["4-0", "5-0", "6-0"]
    room("XADD", "s", "MINID", "=", "6", "7-0", "f", "v")
    assert ids(room, "s") == ["6-0", "7-0"]
    room("XADD", "s", "MAXLEN", "0", "8-0", "f", "v")
    assert room("XLEN", "s") == 0
    assert events == [(b"xadd", b"s"), (b"xtrim", b"s")] * 3


def test_a_range_goes_both_ways_and_leaves_ends_out(room: Room) -> None:
    fill(room, "s", 5)
    assert [row[0] for row in room("XRANGE", "s", "2", "4")] == [b"2-0", b"3-0", b"4-0"]
    assert [row[0] for row in room("XRANGE", "s", "(2-0", "(4-0")] == [b"3-0"]
    assert [row[0] for row in room("XREVRANGE", "s", "+", "-", "COUNT", "2")] == [b"5-0", b"4-0"]
    assert [row[0] for row in room("XREVRANGE", "s", "(4-0", "2-0")] == [b"3-0", b"2-0"]
    assert room("XRANGE", "s", "4", "2") == []
    assert room("XRANGE", "s", "-", "+", "COUNT", "0") is NULL_ARRAY
    assert room("XRANGE", "s", "-", "+", "COUNT", "-5") is NULL_ARRAY
    assert room("XRANGE", "none", "-", "+", "COUNT", "0") == []


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("- +  COUNT", "ERR syntax error"),
        ("- + COUNT x", "ERR value is not an integer or out of range"),
        ("- + FOO 1", "ERR syntax error"),
        ("x +", "ERR Invalid stream ID specified as stream command argument"),
        ("(18446744073709551615-18446744073709551615 +", "ERR invalid start ID for the interval"),
        ("- (0-0", "ERR invalid end ID for the interval"),
    ],
)
def test_what_xrange_refuses(room: Room, words: str, text: str) -> None:
    assert str(room("XRANGE", "s", *words.split())) == text


def test_deleting_tells_how_many_there_were_and_leaves_the_stream(room: Room) -> None:
    fill(room, "s", 3)
    events = told(room)
    assert room("XDEL", "s", "1-0", "1-0", "9-0", "3-0") == 2
    assert room("XDEL", "s", "1-0") == 0
    assert room("XDEL", "s", "2-0") == 1
    assert events == [(b"xdel", b"s")] * 2
    assert room("XLEN", "s") == 0
    assert room("TYPE", "s").text == b"stream"
    assert room("XADD", "s", "3-0", "f", "v").message.startswith(b"ERR The ID specified in XADD is equal")
    assert room("XDEL", "none", "x") == 0
    assert "Invalid stream ID" in str(room("XDEL", "s", "1-0", "-"))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("FOO 1", "ERR syntax error"),
        ("MAXLEN 1 5", "ERR syntax error"),
        ("LIMIT 1", "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"),
        ("LIMIT 0", "ERR syntax error, XTRIM must be called with a trimming strategy"),
        ("MINID -", "ERR Invalid stream ID specified as stream command argument"),
        ("MAXLEN = 1 LIMIT 5", "ERR syntax error, LIMIT cannot be used without the special ~ option"),
    ],
)
def test_what_xtrim_refuses(room: Room, words: str, text: str) -> None:
    assert str(room("XTRIM", "s", *words.split())) == text


def test_trimming_by_nodes_removes_whole_ones_only(room: Room) -> None:
    room.dbs.stream_node_entries = 10
    fill(room, "s", 35)
    assert room("XTRIM", "s", "MAXLEN", "~", "26") == 0
    assert room("XTRIM", "s", "MAXLEN", "~", "25") == 10
    assert room("XTRIM", "s", "MAXLEN", "~", "5", "LIMIT", "19") == 10
    assert room("XTRIM", "s", "MINID", "~", "30-0") == 0
    assert room("XTRIM", "s", "MINID", "~", "31-0") == 10
    assert ids(room, "s") == [f"{number}-0" for number in range(31, 36)]
    assert room("XTRIM", "s", "MAXLEN", "~", "0") == 5


def test_what_is_deleted_of_a_node_counts_no_more_when_it_is_trimmed(room: Room) -> None:
    room.dbs.stream_node_entries = 4
    fill(room, "s", 10)
    assert room("XTRIM", "s", "MAXLEN", "~", "7") == 0
    room("XDEL", "s", "2-0", "3-0")
    assert room("XTRIM", "s", "MAXLEN", "~", "7") == 0
    assert room("XTRIM", "s", "MAXLEN", "~", "6") == 2
    assert ids(room, "s")[0] == "5-0"


def test_without_a_limit_a_hundred_nodes_go_at_a_time(room: Room) -> None:
    room.dbs.stream_node_entries = 1
    fill(room, "s", 102)
    assert room("XTRIM", "s", "MAXLEN", "~", "1") == 100
    assert room("XLEN", "s") == 2
    fill(room, "t", 102)
    assert room("XTRIM", "t", "MAXLEN", "~", "1", "LIMIT", "0") == 101


def test_a_large_part_is_trimmed_as_well_as_a_small_one(room: Room) -> None:
    fill(room, "s", 1000)
    assert room("XTRIM", "s", "MAXLEN", "300") == 700
    assert ids(room, "s") == [f"{number}-0" for number in range(701, 1001)]
    assert room("XTRIM", "s", "MINID", "999") == 298
    assert ids(room, "s") == ["999-0", "1000-0"]
    room("XADD", "s", "1001-0", "f", "v")
    assert [row[0] for row in room("XREAD", "STREAMS", "s", "999-0")[0][1]] == [b"1000-0", b"1001-0"]


def test_setting_the_last_id(room: Room) -> None:
    room("XADD", "s", "5-0", "f", "v")
    events = told(room)
    assert room("XSETID", "s", "9-0", "ENTRIESADDED", "7", "MAXDELETEDID", "3-0") is OK
    assert events == [(b"xsetid", b"s")]
    about = room("XINFO", "STREAM", "s")
    assert (about[b"last-generated-id"], about[b"entries-added"], about[b"max-deleted-entry-id"]) == (b"9-0", 7, b"3-0")
    assert "equal or smaller" in str(room("XADD", "s", "8-0", "f", "v"))
    assert room("XSETID", "s", "6-0") is OK
    assert room("XADD", "s", "7-0", "f", "v") == b"7-0"
    assert ids(room, "s") == ["5-0", "7-0"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("x", "ERR Invalid stream ID specified as stream command argument"),
        ("4-0", "ERR The ID specified in XSETID is smaller than the target stream top item"),
        ("9-0 ENTRIESADDED 0", "ERR The entries_added specified in XSETID is smaller than the target stream length"),
        ("9-0 ENTRIESADDED -1", "ERR entries_added must be positive"),
        (
            "9-0 MAXDELETEDID 10-0",
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
        ),
        ("9-0 ENTRIESADDED", "ERR syntax error"),
        ("9-0 FOO 1", "ERR syntax error"),
    ],
)
def test_what_xsetid_refuses(room: Room, words: str, text: str) -> None:
    room("XADD", "s", "5-0", "f", "v")
    assert str(room("XSETID", "s", *words.split())) == text
    assert str(room("XSETID", "none", "1-1")) == "ERR no such key"


@pytest.mark.parametrize(
    "words",
    ["XADD k * f v", "XLEN k", "XRANGE k - +", "XREVRANGE k + -", "XDEL k 1", "XTRIM k MAXLEN 1", "XSETID k 1-1"],
)
def test_another_type_is_refused(room: Room, words: str) -> None:
    room("SET", "k", "v")
    assert str(room(*words.split())).startswith("WRONGTYPE")


def test_other_places_know_streams(room: Room) -> None:
    fill(room, "s", 3)
    assert room("OBJECT", "ENCODING", "s") == b"stream"
    assert room("SCAN", "0", "TYPE", "stream")[1] == [b"s"]
    assert room("MEMORY", "USAGE", "s") > 0
    assert str(room("SORT", "s")).startswith("WRONGTYPE")
    room("XTRIM", "s", "MAXLEN", "0")
    assert room("MEMORY", "USAGE", "s") > 0
    assert room("RENAME", "s", "t") is OK
    assert room("XLEN", "t") == 0


def test_a_stream_that_is_read_while_nothing_is_cached_is_the_same(room: Room) -> None:
    fill(room, "s", 700)
    room("XDEL", "s", "700-0", "1-0")
    before = [
        room("XRANGE", "s", "-", "+"),
        room("XREVRANGE", "s", "+", "-", "COUNT", "3"),
        room("XINFO", "STREAM", "s"),
    ]
    room.dbs.rollback()
    assert before == [
        room("XRANGE", "s", "-", "+"),
        room("XREVRANGE", "s", "+", "-", "COUNT", "3"),
        room("XINFO", "STREAM", "s"),
    ]
    place, walked = "0", []
    while (found := room("XREAD", "COUNT", "7", "STREAMS", "s", place)) is not NULL_ARRAY:
        walked += [row[0] for row in found[0][1]]
        place = walked[-1].decode()
    assert walked == [row[0] for row in before[0]]
