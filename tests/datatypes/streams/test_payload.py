"""DUMP and RESTORE of streams. That a real Redis takes ours, and we its, is played in tests/conformance."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core.rdb import encode_listpack, listpack, seal
from spoold.core.reply import OK
from support.reachable import assert_nothing_is_left_over
from support.room import Room

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(INT64 | st.binary(max_size=200) | st.sampled_from([b"x" * 16378, b"x" * 16377, b"x" * 16379])))
def test_a_listpack_reads_back(elements: list[int | bytes]) -> None:
    text = [b"%d" % each if isinstance(each, int) else each for each in elements]
    assert list(listpack(encode_listpack(elements))) == text


def made(room: Room) -> None:
    """A stream with holes, several nodes, long names, two groups and pending entries."""
    room.dbs.stream_node_entries = 7
    for number in range(1, 40):
        fields = ["n", number, "text", "x" * number] if number % 3 else ["other", -number]
        room("XADD", "s", f"{number // 5}-{number}", *fields)
    room("XDEL", "s", "2-10", "7-39")
    room("XADD", "s", "18446744073709551615-3", "f", "v" * 5000)
    for group in ("g", "h" * 500):
        room("XGROUP", "CREATE", "s", group, "0")
        for consumer in ("alice", "b" * 500):
            room("XREADGROUP", "GROUP", group, consumer, "COUNT", 5, "STREAMS", "s", ">")
            room.clock.advance_ms(50)
    room("XACK", "s", "g", "0-2")
    room("XGROUP", "CREATECONSUMER", "s", "g", "idle")


def test_a_stream_comes_back_with_all_that_belongs_to_it(room: Room) -> None:
    made(room)
    dumped = room("DUMP", "s")
    assert room("RESTORE", "t", 0, dumped) is OK
    told = [room("XINFO", "STREAM", name, "FULL", "COUNT", 0) for name in ("s", "t")]
    assert told[0] == told[1]
    assert room("DUMP", "t") == dumped
    for name in ("s", "t"):
        assert room("XREADGROUP", "GROUP", "g", "new", "COUNT", 1, "STREAMS", name, ">")[0][1][0][0] == b"2-12"
        assert room("XTRIM", name, "MAXLEN", "~", 30) == 7
    assert_nothing_is_left_over(room)


def test_an_empty_stream_comes_back(room: Room) -> None:
    room("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    room("XADD", "s", "5-5", "f", "v")
    room("XTRIM", "s", "MAXLEN", 0)
    assert room("RESTORE", "t", 0, room("DUMP", "s")) is OK
    assert room("XINFO", "STREAM", "t")[b"last-generated-id"] == b"5-5"
    assert_nothing_is_left_over(room)


def test_damaged_payloads_are_refused_or_give_a_sound_stream(room: Room) -> None:
    chance = random.Random(7)
    made(room)
    body = room("DUMP", "s")[:-10]
    refused = 0
    for number in range(1500):
        spoilt = bytearray(body)
        for _ in range(chance.randint(1, 3)):
            spoilt[chance.randrange(1, len(spoilt))] = chance.randrange(256)
        cut = chance.choice([len(spoilt), len(spoilt), chance.randrange(1, len(spoilt))])
        reply = room("RESTORE", "t", 0, seal(bytes(spoilt[:cut])), "REPLACE")
        refused += reply is not OK
        assert reply is OK or str(reply) == "ERR Bad data format"
        if not number % 100:
            assert_nothing_is_left_over(room)
    assert 500 < refused < 1500
    room("DEL", "t")
    assert str(room("RESTORE", "t", 0, seal(body[:-1]))) == "ERR Bad data format"
    assert room("EXISTS", "t") == 0
    assert_nothing_is_left_over(room)


@pytest.mark.parametrize("type_byte", [15, 21])
def test_older_and_newer_forms_are_read(room: Room, type_byte: int) -> None:
    """One entry, one group whose consumer has it; with what Redis 5 leaves out, and Redis 7.2 adds."""
    base = (1).to_bytes(8, "big") * 2
    node = encode_listpack([1, 0, 1, b"f", 0, 2, 0, 0, b"v", 4])
    moment = (1_700_000_000_000).to_bytes(8, "little")
    value = b"\x01\x10" + base + bytes((len(node),)) + node + b"\x01" + b"\x01\x01"
    value += b"" if type_byte == 15 else b"\x01\x01\x00\x00\x01"
    value += b"\x01\x01g" + b"\x01\x01" + (b"" if type_byte == 15 else b"\x01") + b"\x01" + base + moment + b"\x03"
    value += b"\x01\x05alice" + moment + (moment if type_byte == 21 else b"") + b"\x01" + base
    assert room("RESTORE", "s", 0, seal(bytes((type_byte,)) + value)) is OK
    assert room("XRANGE", "s", "-", "+") == [[b"1-1", [b"f", b"v"]]]
    assert room("XPENDING", "s", "g", "-", "+", 9) == [[b"1-1", b"alice", 0, 3]]
    told = room("XINFO", "GROUPS", "s")[0]
    assert (told[b"entries-read"], told[b"lag"]) == (1, 0)
    assert_nothing_is_left_over(room)
