"""A dump holds everything, a load brings it back; what is no dump is refused with its line's number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spoold.core.errors import EngineError
from spoold.datatypes.jobs import fanout, leases
from spoold.datatypes.jobs import schedule as schedules
from spoold.datatypes.lists import store as lists
from spoold.operations.dump import LINE_ELEMENTS, dump
from spoold.operations.files import OperationError
from spoold.operations.load import Existing, load
from spoold.operations.texts import from_json, to_json
from spoold.operations.verify import verify
from spoold.testing.clock import ManualClock
from support.room import Room

NOW_MS = ManualClock().unix_ms()
BINARY = bytes(range(256))
LONG = b"\xff" * 600


def lines_of(directory: Path, now_ms: int = NOW_MS) -> list[str]:
    written: list[str] = []
    dump(directory, written.append, now_ms)
    return written


def facts(lines: list[str]) -> list[Any]:
    """What a dump says but for the time and the turn."""
    return [json.loads(line) for line in lines[1:]]


def fill(room: Room) -> None:
    """One or several of everything."""
    for name in (b"", BINARY, LONG):
        room("SET", b"string" + name, BINARY, "PX", 1_000_000)
        room("RPUSH", b"list" + name, "a", BINARY, "", LONG)
        room("SADD", b"set" + name, "z", BINARY, "a", LONG)
        room("HSET", b"hash" + name, "f", BINARY, LONG, "v")
        room("ZADD", b"zset" + name, "-inf", "low", "0.1", BINARY, "1e300", LONG, "inf", "high", "3", "x")
        room("XADD", b"stream" + name, "5-1", BINARY, LONG)
        room("XADD", b"stream" + name, "7-0", "f", "v", "g", "w")
        room("XADD", b"stream" + name, "9-0", "f", "v")
        room("XDEL", b"stream" + name, "9-0")
        room("XGROUP", "CREATE", b"stream" + name, b"group" + name, "0")
        room("XREADGROUP", "GROUP", b"group" + name, b"me" + name, "COUNT", 1, "STREAMS", b"stream" + name, ">")
        room("XGROUP", "CREATECONSUMER", b"stream" + name, b"group" + name, "idle")
    room("PEXPIRE", "list", 5_000_000)
    room("XADD", "emptied", "3-3", "f", "v")
    room("XDEL", "emptied", "3-3")
    room("SELECT", 7)
    room("SET", "elsewhere", "x")
    room("RPUSH", "large", *(b"item%d" % number for number in range(LINE_ELEMENTS * 3 + 7)))
    room("SADD", "many", *(b"m%d" % number for number in range(LINE_ELEMENTS * 2)))
    room("SELECT", 0)
    room.turn.begin()
    ks = room.dbs[0]
    for number in range(3):
        schedules.add(ks, b"schedule", number * 1_000_000 - 5, b"v%d" % number)
    lists.push(ks, b"tagged", lists.TAIL, [b"plain"])
    lists.put(ks, b"tagged", lists.TAIL, b"flagged", lists.Tag(flags=3, added_ms=77, due_ms=NOW_MS + 9_999_999))
    for item in (b"first", b"second", b"third"):
        lists.push(ks, b"leased", lists.TAIL, [item])
    leases.grant(ks, b"leased", b"worker", deadline_ms=NOW_MS + 1000)
    leases.grant(ks, b"leased", b"worker")
    fanout.add(ks, b"all", b"one")
    room.turn.end()


@pytest.fixture
def full(tmp_path: Path) -> Path:
    with Room(tmp_path / "full", "interval") as room:
        fill(room)
    return tmp_path / "full"


def test_what_is_loaded_dumps_as_it_was(full: Path, tmp_path: Path) -> None:
    lines = lines_of(full)
    count, skipped = load(tmp_path / "copy", lines, NOW_MS)
    assert skipped == 0
    assert json.loads(lines[-1]) == {"end": True, "keys": count}
    again = facts(lines_of(tmp_path / "copy"))
    kept = [line for line in facts(lines) if "lease" not in line and line.get("key") != "leased" and "end" not in line]
    assert [line for line in again if line.get("key") != "leased" and "end" not in line] == kept
    assert verify(tmp_path / "copy").faults == []
    with Room(tmp_path / "copy", "interval") as room:
        assert room("LRANGE", "leased", 0, -1) == [b"first", b"second", b"third"]  # they came back in their order
        assert [room("SPOP", "set"), room("SPOP", "set")] == [b"z", BINARY]  # the oldest first, as before
        assert room("PTTL", "list") == 5_000_000
        assert room("LLEN", "large") is not None
        assert room("ZRANGE", "zset", 0, 0) == [b"low"]
        assert len(room("XPENDING", "stream", "group", "-", "+", 10)) == 1
        assert room("XADD", "emptied", "3-4", "f", "v") == b"3-4"


def test_a_dump_beside_a_server_is_one_moment(tmp_path: Path, spoold_server: Any) -> None:
    redis = pytest.importorskip("redis")
    client = redis.Redis(port=spoold_server.port)
    client.rpush("q", *range(5000))
    lines = lines_of(spoold_server.data_dir)
    items = [item for line in facts(lines) if line.get("key") == "q" for item in line["items"]]
    assert items == [str(number) for number in range(5000)]
    with pytest.raises(EngineError, match="in use"):
        load(spoold_server.data_dir, lines, NOW_MS)


def test_keys_that_are_due_are_left_out_of_both(full: Path, tmp_path: Path) -> None:
    later = lines_of(full, NOW_MS + 1_000_001)
    assert not any(line.get("type") == "string" and line["db"] == 0 for line in facts(later))
    load(tmp_path / "copy", lines_of(full), NOW_MS + 1_000_001)
    with Room(tmp_path / "copy", "interval") as room:
        assert room("DBSIZE") == json.loads(later[-1])["keys"] - 3


def test_a_key_that_exists_is_refused_replaced_or_skipped(full: Path, tmp_path: Path) -> None:
    lines = lines_of(full)
    with Room(tmp_path / "copy", "interval") as room:
        room("SELECT", 7)
        room("RPUSH", "large", "mine")
    with pytest.raises(OperationError, match=r"line \d+: b'large' exists in database 7; see --replace"):
        load(tmp_path / "copy", lines, NOW_MS)
    _, skipped = load(tmp_path / "copy", lines, NOW_MS, Existing.SKIP)
    assert skipped > 0
    with Room(tmp_path / "copy", "interval") as room:
        room("SELECT", 7)
        assert room("LRANGE", "large", 0, -1) == [b"mine"]
    load(tmp_path / "copy", lines, NOW_MS, Existing.REPLACE)
    with Room(tmp_path / "copy", "interval") as room:
        room("SELECT", 7)
        assert room("LLEN", "large") == LINE_ELEMENTS * 3 + 7
    assert verify(tmp_path / "copy").faults == []


HEAD = '{"spoold":"dump","version":1}'


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "ends at line 0"),
        (["{"], "line 1 is none of a dump"),
        (["[]"], "line 1 is none of a dump"),
        (['{"db":0}'], "line 1: this is no dump"),
        (['{"spoold":"dump","version":9}'], "line 1: the dump has version 9"),
        ([HEAD], "ends at line 1"),
        ([HEAD, '{"end":true,"keys":0}', '{"db":0}'], "line 3: something stands behind"),
        ([HEAD, '{"db":99,"key":"k","type":"string","value":""}'], "line 2: 99 is no database"),
        ([HEAD, '{"db":0,"key":"k","type":"odd","items":["x"]}'], "line 2 is none of a dump"),
        ([HEAD, '{"db":0,"key":"k","type":"list","items":[5]}'], "line 2: expected a text"),
        ([HEAD, '{"db":0,"key":"k","type":"list","items":[]}'], "line 2"),
        ([HEAD, '{"db":0,"key":"k","part":1,"items":["x"]}'], "line 2: it goes on with a key that did not begin"),
        ([HEAD, '{"db":0,"key":"k","type":"zset","items":[["m","nan"]]}'], "line 2: a score is no number"),
        ([HEAD, '{"db":0,"key":{"base64":"?"},"type":"string","value":""}'], "line 2: no base64"),
        ([HEAD, '{"kept":{"key":"kx","value":""}}'], "not for scripts"),
        ([HEAD, '{"db":0,"key":"\\ud800","type":"string","value":""}'], "line 2: no text"),
    ],
)
def test_what_is_no_dump_is_refused_with_its_line(tmp_path: Path, lines: list[str], told: str) -> None:
    with pytest.raises(OperationError) as failed:
        load(tmp_path / "copy", lines, NOW_MS)
    assert told in str(failed.value)
    assert verify(tmp_path / "copy").faults == []


@pytest.mark.parametrize("data", [b"", b"text", "täxt".encode(), BINARY, b"\0", b"\xed\xa0\x80"])
def test_bytes_come_back_from_json(data: bytes) -> None:
    assert from_json(json.loads(json.dumps(to_json(data)))) == data


def test_lines_stay_short_however_large_a_key_is(tmp_path: Path) -> None:
    with Room(tmp_path / "data", "interval") as room:
        for number in range(20):
            room("RPUSH", "q", bytes((number + 65,)) * 300_000)
    lines = lines_of(tmp_path / "data")
    assert max(map(len, lines)) < 1_500_000
    load(tmp_path / "copy", lines, NOW_MS)
    assert facts(lines_of(tmp_path / "copy")) == facts(lines)
