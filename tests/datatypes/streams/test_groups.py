"""Consumer groups: XGROUP, XREADGROUP, XACK, XPENDING, XCLAIM, XAUTOCLAIM, XINFO, their options and their errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from spoold.core.reply import NULL_ARRAY, OK
from support.reachable import assert_nothing_is_left_over
from support.room import Room


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    yield
    assert_nothing_is_left_over(room)


@pytest.fixture
def stream(room: Room) -> Room:
    """A room with a stream `s` of the entries 1-0 to 5-0, and a group `g` that has read nothing."""
    for number in range(1, 6):
        room("XADD", "s", f"{number}-0", "n", number)
    room("XGROUP", "CREATE", "s", "g", "0")
    return room


def read(room: Room, consumer: str, *words: object, id_: str = ">") -> list[bytes]:
    """The ids that XREADGROUP gives."""
    found = room("XREADGROUP", "GROUP", "g", consumer, *words, "STREAMS", "s", id_)
    return [] if found is NULL_ARRAY else [row[0] for row in found[0][1]]


def group(room: Room) -> dict[bytes, Any]:
    """What XINFO tells of the group."""
    return room("XINFO", "GROUPS", "s")[0]


def test_each_entry_goes_to_one_consumer(stream: Room) -> None:
    assert read(stream, "alice", "COUNT", 2) == [b"1-0", b"2-0"]
    assert read(stream, "bob", "COUNT", 2) == [b"3-0", b"4-0"]
    assert read(stream, "alice") == [b"5-0"]
    assert read(stream, "bob") == []
    assert group(stream) == {
        b"name": b"g",
        b"consumers": 2,
        b"pending": 5,
        b"last-delivered-id": b"5-0",
        b"entries-read": 5,
        b"lag": 0,
    }


def test_noack_gives_without_noting_it(stream: Room) -> None:
    assert read(stream, "alice", "NOACK", "COUNT", 3) == [b"1-0", b"2-0", b"3-0"]
    assert stream("XPENDING", "s", "g") == [0, None, None, NULL_ARRAY]
    assert group(stream)[b"last-delivered-id"] == b"3-0"


def test_an_id_reads_ones_own_history_and_counts_it(stream: Room) -> None:
    read(stream, "alice", "COUNT", 3)
    stream("XDEL", "s", "2-0")
    stream.clock.advance_ms(100)
    assert stream("XREADGROUP", "GROUP", "g", "alice", "STREAMS", "s", "0") == [
        [b"s", [[b"1-0", [b"n", b"1"]], [b"2-0", NULL_ARRAY], [b"3-0", [b"n", b"3"]]]]
    ]
    rows = stream("XPENDING", "s", "g", "-", "+", 10)
    assert [(id_, idle, times) for id_, _, idle, times in rows] == [(b"1-0", 0, 2), (b"2-0", 100, 1), (b"3-0", 0, 2)]
    assert read(stream, "alice", "COUNT", 1, id_="1-0") == [b"2-0"]
    assert stream("XREADGROUP", "GROUP", "g", "bob", "STREAMS", "s", "0") == [[b"s", []]]


def test_a_group_that_is_set_back_takes_entries_from_who_has_them(stream: Room) -> None:
    read(stream, "alice")
    stream("XGROUP", "SETID", "s", "g", "2-0")
    assert read(stream, "bob") == [b"3-0", b"4-0", b"5-0"]
    assert stream("XPENDING", "s", "g")[3] == [[b"alice", b"2"], [b"bob", b"3"]]


def test_who_finds_nothing_new_is_no_consumer_yet(stream: Room) -> None:
    read(stream, "alice")
    assert read(stream, "bob") == []
    assert [each[b"name"] for each in stream("XINFO", "CONSUMERS", "s", "g")] == [b"alice"]


def test_settled_entries_are_pending_no_more(stream: Room) -> None:
    read(stream, "alice")
    assert stream("XACK", "s", "g", "1-0", "3-0", "1-0", "9-9") == 2
    assert stream("XPENDING", "s", "g") == [3, b"2-0", b"5-0", [[b"alice", b"3"]]]
    assert stream("XACK", "s", "none", "x") == 0
    assert stream("XACK", "none", "g", "x") == 0
    assert "Invalid stream ID" in str(stream("XACK", "s", "g", "2-0", "x"))
    assert stream("XPENDING", "s", "g")[0] == 3


def test_several_streams_are_read_at_once(stream: Room) -> None:
    stream("XGROUP", "CREATE", "t", "g", "$", "MKSTREAM")
    reply = stream("XREADGROUP", "GROUP", "g", "alice", "COUNT", 1, "STREAMS", "t", "s", ">", ">")
    assert reply == [[b"s", [[b"1-0", [b"n", b"1"]]]]]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("GROUP g a NOACK STREAMS s", "ERR Unbalanced XREAD list of streams"),
        ("GROUP g a STREAMS s t >", "ERR Unbalanced XREAD list of streams"),
        ("COUNT 1 NOACK STREAMS s >", "ERR Missing GROUP option for XREADGROUP"),
        ("GROUP g a COUNT x STREAMS s >", "ERR value is not an integer or out of range"),
        ("GROUP g a BLOCK x STREAMS s >", "ERR timeout is not an integer or out of range"),
        ("GROUP g a BLOCK -1 STREAMS s >", "ERR timeout is negative"),
        ("GROUP g a FOO s > >", "ERR syntax error"),
        ("GROUP g a COUNT 1 s >", "ERR syntax error"),
        ("GROUP g a STREAMS s $", "ERR The $ ID is meaningless in the context of XREADGROUP"),
        ("GROUP g a STREAMS s x", "ERR Invalid stream ID specified as stream command argument"),
        ("GROUP h a STREAMS s >", "NOGROUP No such key 's' or consumer group 'h' in XREADGROUP with GROUP option"),
        (
            "GROUP g a STREAMS none >",
            "NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option",
        ),
        ("GROUP g a STREAMS k >", "WRONGTYPE"),
    ],
)
def test_what_xreadgroup_refuses(stream: Room, words: str, text: str) -> None:
    stream("SET", "k", "v")
    assert str(stream("XREADGROUP", *words.split())).startswith(text)
    assert group(stream)[b"consumers"] == 0


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("GROUP g a STREAMS s 0", "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."),
        ("NOACK STREAMS s 0", "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."),
        ("STREAMS s >", "ERR The > ID can be specified only when calling XREADGROUP using the GROUP"),
        ("COUNT 1 BLOCK 1", "ERR syntax error"),
        ("STREAMS k 0", "WRONGTYPE"),
    ],
)
def test_what_xread_refuses(stream: Room, words: str, text: str) -> None:
    stream("SET", "k", "v")
    assert str(stream("XREAD", *words.split())).startswith(text)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("CREATE none g 0", "ERR The XGROUP subcommand requires the key to exist."),
        ("CREATE s g 0", "BUSYGROUP Consumer Group name already exists"),
        ("CREATE s h x", "ERR Invalid stream ID specified as stream command argument"),
        ("CREATE s h 0 FOO", "ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP."),
        ("CREATE s h 0 ENTRIESREAD -2", "ERR value for ENTRIESREAD must be positive or -1"),
        ("CREATE s h 0 ENTRIESREAD x", "ERR value is not an integer or out of range"),
        ("CREATE k g 0", "WRONGTYPE"),
        ("SETID s none 0", "NOGROUP No such consumer group 'none' for key name 's'"),
        ("SETID s g 0 MKSTREAM", "ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP."),
        ("SETID none g 0", "ERR The XGROUP subcommand requires the key to exist."),
        ("DESTROY none g", "ERR The XGROUP subcommand requires the key to exist."),
        ("CREATECONSUMER s none a", "NOGROUP No such consumer group 'none' for key name 's'"),
        ("DELCONSUMER s none a", "NOGROUP No such consumer group 'none' for key name 's'"),
        ("FOO s", "ERR unknown subcommand 'FOO'. Try XGROUP HELP."),
    ],
)
def test_what_xgroup_refuses(stream: Room, words: str, text: str) -> None:
    stream("SET", "k", "v")
    assert str(stream("XGROUP", *words.split())).startswith(text)


def test_groups_and_consumers_come_and_go(stream: Room) -> None:
    assert stream("XGROUP", "CREATE", "s", "h", "$", "ENTRIESREAD", "3") is OK
    assert stream("XGROUP", "CREATE", "new", "h", "$", "MKSTREAM") is OK
    assert stream("XGROUP", "CREATECONSUMER", "s", "g", "alice") == 1
    assert stream("XGROUP", "CREATECONSUMER", "s", "g", "alice") == 0
    read(stream, "alice", "COUNT", 2)
    read(stream, "bob")
    assert stream("XGROUP", "DELCONSUMER", "s", "g", "alice") == 2
    assert stream("XGROUP", "DELCONSUMER", "s", "g", "alice") == 0
    assert stream("XPENDING", "s", "g")[3] == [[b"bob", b"3"]]
    assert stream("XGROUP", "DESTROY", "s", "g") == 1
    assert stream("XGROUP", "DESTROY", "s", "g") == 0
    assert stream("XINFO", "STREAM", "s")[b"groups"] == 1


def test_a_group_with_very_many_pending_entries_is_destroyed_whole(room: Room) -> None:
    for number in range(1, 2500):
        room("XADD", "s", f"{number}-0", "f", "v")
    room("XGROUP", "CREATE", "s", "g", "0")
    assert len(read(room, "alice")) == 2499
    assert len(read(room, "alice", id_="0")) == 2499
    assert room("XGROUP", "DESTROY", "s", "g") == 1
    assert room("XGROUP", "CREATE", "s", "g", "0") is OK
    assert room("XPENDING", "s", "g")[0] == 0


def test_pending_entries_are_listed_by_range_consumer_and_age(stream: Room) -> None:
    read(stream, "alice", "COUNT", 2)
    stream.clock.advance_ms(500)
    read(stream, "bob")
    assert stream("XPENDING", "s", "g", "-", "+", 2) == [[b"1-0", b"alice", 500, 1], [b"2-0", b"alice", 500, 1]]
    assert stream("XPENDING", "s", "g", "(1-0", "3", 10)[0][0] == b"2-0"
    assert [row[0] for row in stream("XPENDING", "s", "g", "-", "+", 10, "bob")] == [b"3-0", b"4-0", b"5-0"]
    assert [row[0] for row in stream("XPENDING", "s", "g", "IDLE", 100, "-", "+", 10)] == [b"1-0", b"2-0"]
    assert stream("XPENDING", "s", "g", "IDLE", 100, "-", "+", 10, "bob") == []
    assert stream("XPENDING", "s", "g", "-", "+", 0) == []
    assert stream("XPENDING", "s", "g", "-", "+", 10, "nobody") == []


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("s g -", "ERR syntax error"),
        ("s g - +", "ERR syntax error"),
        ("s g IDLE 0 - +", "ERR syntax error"),
        ("s g IDLE x - + 1", "ERR value is not an integer or out of range"),
        ("s g - + x", "ERR value is not an integer or out of range"),
        ("s g x + 1", "ERR Invalid stream ID specified as stream command argument"),
        ("s h", "NOGROUP No such key 's' or consumer group 'h'"),
        ("none g - + 1", "NOGROUP No such key 'none' or consumer group 'g'"),
    ],
)
def test_what_xpending_refuses(stream: Room, words: str, text: str) -> None:
    assert str(stream("XPENDING", *words.split())) == text


def test_claiming_moves_an_entry_and_counts(stream: Room) -> None:
    read(stream, "alice", "COUNT", 2)
    stream.clock.advance_ms(1000)
    assert stream("XCLAIM", "s", "g", "bob", 2000, "1-0") == []
    assert stream("XCLAIM", "s", "g", "bob", 500, "1-0", "9-9") == [[b"1-0", [b"n", b"1"]]]
    assert stream("XCLAIM", "s", "g", "bob", 0, "2-0", "JUSTID", "IDLE", 700, "RETRYCOUNT", 9) == [b"2-0"]
    assert stream("XPENDING", "s", "g", "-", "+", 9) == [[b"1-0", b"bob", 0, 2], [b"2-0", b"bob", 700, 9]]
    stream("XCLAIM", "s", "g", "bob", 0, "1-0", "JUSTID", "TIME", stream.clock.unix_ms() - 30)
    assert stream("XPENDING", "s", "g", "-", "+", 1) == [[b"1-0", b"bob", 30, 2]]
    stream("XCLAIM", "s", "g", "bob", 0, "1-0", "JUSTID", "TIME", stream.clock.unix_ms() + 30)
    assert stream("XPENDING", "s", "g", "-", "+", 1) == [[b"1-0", b"bob", 0, 2]]


def test_force_claims_what_no_one_has_and_lastid_moves_the_group(stream: Room) -> None:
    assert stream("XCLAIM", "s", "g", "bob", 0, "4-0") == []
    assert group(stream)[b"consumers"] == 0
    assert stream("XCLAIM", "s", "g", "bob", 0, "4-0", "9-0", "FORCE", "JUSTID", "LASTID", "3-0") == [b"4-0"]
    assert group(stream)[b"last-delivered-id"] == b"3-0"
    assert read(stream, "alice") == [b"4-0", b"5-0"]
    assert stream("XPENDING", "s", "g")[3] == [[b"alice", b"2"]]


def test_claiming_what_is_deleted_settles_it(stream: Room) -> None:
    read(stream, "alice")
    stream("XDEL", "s", "1-0", "3-0")
    assert stream("XCLAIM", "s", "g", "bob", 0, "1-0", "2-0", "JUSTID") == [b"2-0"]
    assert stream("XPENDING", "s", "g")[0] == 4
    assert stream("XAUTOCLAIM", "s", "g", "carol", 0, "0", "JUSTID") == [b"0-0", [b"2-0", b"4-0", b"5-0"], [b"3-0"]]
    assert stream("XPENDING", "s", "g")[3] == [[b"carol", b"3"]]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("s h a 0 1-0", "NOGROUP No such key 's' or consumer group 'h'"),
        ("s g a x 1-0", "ERR Invalid min-idle-time argument for XCLAIM"),
        ("s g a 0 1-0 FOO", "ERR Unrecognized XCLAIM option 'FOO'"),
        ("s g a 0 1-0 IDLE x", "ERR Invalid IDLE option argument for XCLAIM"),
        ("s g a 0 1-0 TIME x", "ERR Invalid TIME option argument for XCLAIM"),
        ("s g a 0 1-0 RETRYCOUNT x", "ERR Invalid RETRYCOUNT option argument for XCLAIM"),
        ("s g a 0 1-0 LASTID x", "ERR Invalid stream ID specified as stream command argument"),
        ("s g a 0 1-0 IDLE", "ERR Unrecognized XCLAIM option 'IDLE'"),
    ],
)
def test_what_xclaim_refuses(stream: Room, words: str, text: str) -> None:
    assert str(stream("XCLAIM", *words.split())) == text


def test_autoclaim_goes_through_a_group_in_steps(stream: Room) -> None:
    read(stream, "alice")
    stream.clock.advance_ms(1000)
    stream("XCLAIM", "s", "g", "bob", 0, "2-0")
    first = stream("XAUTOCLAIM", "s", "g", "carol", 500, "-", "COUNT", 2, "JUSTID")
    assert first == [b"4-0", [b"1-0", b"3-0"], []]
    assert stream("XAUTOCLAIM", "s", "g", "carol", 500, "(4-0", "COUNT", 2) == [b"0-0", [[b"5-0", [b"n", b"5"]]], []]
    assert stream("XAUTOCLAIM", "s", "g", "dave", 5000, "0") == [b"0-0", [], []]
    assert b"dave" not in [each[b"name"] for each in stream("XINFO", "CONSUMERS", "s", "g")]


def test_autoclaim_looks_at_ten_entries_for_each_it_may_give(room: Room) -> None:
    for number in range(1, 31):
        room("XADD", "s", f"{number}-0", "f", "v")
    room("XGROUP", "CREATE", "s", "g", "0")
    read(room, "alice")
    assert room("XAUTOCLAIM", "s", "g", "bob", 1000, "0", "COUNT", 1) == [b"11-0", [], []]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("s h a 0 0", "NOGROUP No such key 's' or consumer group 'h'"),
        ("s g a x 0", "ERR Invalid min-idle-time argument for XAUTOCLAIM"),
        ("s g a 0 x", "ERR Invalid stream ID specified as stream command argument"),
        ("s g a 0 0 COUNT 0", "ERR COUNT must be > 0"),
        ("s g a 0 0 COUNT x", "ERR COUNT must be > 0"),
        ("s g a 0 0 COUNT 9223372036854775807", "ERR COUNT must be > 0"),
        ("s g a 0 0 FOO", "ERR syntax error"),
        ("s g a 0 (18446744073709551615-18446744073709551615", "ERR invalid start ID for the interval"),
    ],
)
def test_what_xautoclaim_refuses(stream: Room, words: str, text: str) -> None:
    assert str(stream("XAUTOCLAIM", *words.split())) == text


def test_lag_is_told_while_it_is_known(stream: Room) -> None:
    assert (group(stream)[b"entries-read"], group(stream)[b"lag"]) == (None, 5)
    read(stream, "alice", "COUNT", 2)
    assert (group(stream)[b"entries-read"], group(stream)[b"lag"]) == (2, 3)
    stream("XDEL", "s", "4-0")
    assert (group(stream)[b"entries-read"], group(stream)[b"lag"]) == (2, None)
    read(stream, "alice")
    assert (group(stream)[b"entries-read"], group(stream)[b"lag"]) == (5, 0)
    stream("XTRIM", "s", "MAXLEN", 0)
    assert group(stream)[b"lag"] == 0


def test_full_information_shows_what_is_in_a_stream(stream: Room) -> None:
    now_ms = stream.clock.unix_ms()
    read(stream, "alice", "COUNT", 2)
    told = stream("XINFO", "STREAM", "s", "FULL", "COUNT", 1)
    assert told[b"entries"] == [[b"1-0", [b"n", b"1"]]]
    assert told[b"groups"] == [
        {
            b"name": b"g",
            b"last-delivered-id": b"2-0",
            b"entries-read": 2,
            b"lag": 3,
            b"pel-count": 2,
            b"pending": [[b"1-0", b"alice", now_ms, 1]],
            b"consumers": [
                {b"name": b"alice", b"seen-time": now_ms, b"pel-count": 2, b"pending": [[b"1-0", now_ms, 1]]}
            ],
        }
    ]
    assert len(stream("XINFO", "STREAM", "s", "FULL", "COUNT", 0)[b"entries"]) == 5


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("STREAM none", "ERR no such key"),
        ("GROUPS none", "ERR no such key"),
        ("CONSUMERS none g", "ERR no such key"),
        ("CONSUMERS s h", "NOGROUP No such consumer group 'h' for key name 's'"),
        ("STREAM s FOO", "ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."),
        ("STREAM s FULL FOO 1", "ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."),
        ("STREAM s FULL COUNT x", "ERR value is not an integer or out of range"),
    ],
)
def test_what_xinfo_refuses(stream: Room, words: str, text: str) -> None:
    assert str(stream("XINFO", *words.split())) == text


def test_reading_in_vain_writes_nothing(stream: Room) -> None:
    read(stream, "alice")
    before = stream.state()
    stream.clock.advance_ms(100)
    assert read(stream, "alice") == []
    assert stream("XREADGROUP", "GROUP", "g", "bob", "STREAMS", "s", ">") is NULL_ARRAY
    assert stream("XAUTOCLAIM", "s", "g", "bob", 5000, "0") == [b"0-0", [], []]
    assert stream.state() == before


def test_events_of_groups(stream: Room) -> None:
    events: list[bytes] = []
    stream.dbs[0].notify = lambda kind, event, key: events.append(event)
    stream("XGROUP", "CREATE", "s", "h", "0")
    stream("XGROUP", "SETID", "s", "h", "0")
    read(stream, "alice", "COUNT", 1)
    stream("XCLAIM", "s", "g", "bob", 0, "1-0")
    stream("XACK", "s", "g", "1-0")
    stream("XGROUP", "CREATECONSUMER", "s", "h", "carol")
    stream("XGROUP", "DELCONSUMER", "s", "h", "carol")
    stream("XGROUP", "DESTROY", "s", "h")
    assert events == [
        b"xgroup-create",
        b"xgroup-setid",
        b"xgroup-createconsumer",
        b"xgroup-createconsumer",
        b"xgroup-createconsumer",
        b"xgroup-delconsumer",
        b"xgroup-destroy",
    ]
