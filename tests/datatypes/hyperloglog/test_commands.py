"""PFADD, PFCOUNT, PFMERGE, PFDEBUG: replies, errors, events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spoold.command.limits import PackedLimits
from spoold.core.reply import OK
from spoold.datatypes.hyperloglog.commands import pfcount
from support.reachable import assert_nothing_is_left_over
from support.room import Room, message

WRONG_TYPE = b"WRONGTYPE Operation against a key holding the wrong kind of value"
NO_SKETCH = b"WRONGTYPE Key is not a valid HyperLogLog string value."
CORRUPT = b"INVALIDOBJ Corrupted HLL object detected"


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    yield
    assert_nothing_is_left_over(room)


def encoding(room: Room, key: str) -> bytes:
    """sparse or dense."""
    return bytes(room("PFDEBUG", "ENCODING", key).text)


def test_adding_tells_whether_anything_changed(room: Room) -> None:
    assert room("PFADD", "h") == 1
    assert room("PFADD", "h") == 0
    assert room("PFADD", "h", "a", "b", "c") == 1
    assert room("PFADD", "h", "a", "b", "c") == 0
    assert room("PFADD", "h", "a", "d") == 1
    assert room("PFCOUNT", "h") == 4
    assert room("TYPE", "h").text == b"string"
    assert room("STRLEN", "h") < 60


def test_a_missing_key_counts_nothing(room: Room) -> None:
    assert room("PFCOUNT", "h") == 0
    assert room("PFCOUNT", "h", "i") == 0
    assert room("EXISTS", "h") == 0


def test_the_estimate_is_kept_until_it_changes(room: Room) -> None:
    room("PFADD", "h", "a", "b", "c")
    assert room("GETRANGE", "h", 15, 15) == b"\x80"
    assert room("PFCOUNT", "h") == 3
    assert room("GETRANGE", "h", 8, 15) == b"\x03" + bytes(7)
    room("PFADD", "h", "a")
    assert room("GETRANGE", "h", 15, 15) == b"\0"
    room("SETRANGE", "h", 8, b"\x2a")
    assert room("PFCOUNT", "h") == 42
    room("PFADD", "h", "d")
    assert room("PFCOUNT", "h") == 4


def test_an_estimate_is_not_kept_while_the_disk_refuses(room: Room) -> None:
    room("PFADD", "h", "a", "b", "c")
    room.turn.begin()
    room.dbs.read_only = True
    assert pfcount(room.session.ctx, b"h") == 3
    room.dbs.read_only = False
    room.turn.end()
    assert room("GETRANGE", "h", 15, 15) == b"\x80"


def test_estimates_are_near_the_truth(room: Room) -> None:
    count = 0
    for _ in range(40):
        room("PFADD", "h", *(f"element:{count + number}" for number in range(500)))
        count += 500
        assert abs(room("PFCOUNT", "h") - count) < count * 0.05
        if count == 500:
            assert encoding(room, "h") == b"sparse"
    assert encoding(room, "h") == b"dense"


def test_several_are_counted_as_one(room: Room) -> None:
    room("PFADD", "a", *range(300))
    room("PFADD", "b", *range(200, 500))
    room("PFADD", "c", *range(5000))
    assert 290 < room("PFCOUNT", "a", "missing") < 310
    assert 490 < room("PFCOUNT", "a", "b") < 510
    assert room("PFCOUNT", "b", "c", "a") == room("PFCOUNT", "c")
    assert room("GETRANGE", "a", 15, 15) == b"\x80"  # only a single one's estimate is kept


@pytest.mark.parametrize("sources", [["a"], ["a", "b"], ["a", "b", "c"], ["missing"], [], ["c", "a"], ["to"]])
@pytest.mark.parametrize("target", [None, "sparse", "dense"])
def test_a_merge_has_what_all_have(room: Room, sources: list[str], target: str | None) -> None:
    room("PFADD", "a", *range(100))
    room("PFADD", "b", *range(50, 150))
    room("PFADD", "c", *range(4000))
    if target:
        room("PFADD", "to", "x", "y")
    if target == "dense":
        room("PFDEBUG", "TODENSE", "to")
    room("EXPIRE", "to", 100)
    expected = room("PFCOUNT", "to", *sources)
    assert room("PFMERGE", "to", *sources) is OK
    assert room("PFCOUNT", "to") == expected
    assert encoding(room, "to") == (b"dense" if "c" in sources or target == "dense" else b"sparse")
    assert room("TTL", "to") == (100 if target else -1)


def test_how_long_a_sparse_one_may_become_can_be_set(room: Room) -> None:
    room.parts.own(PackedLimits).sketch_bytes = 30
    room("PFADD", "h", *range(3))
    assert encoding(room, "h") == b"sparse"
    room("PFADD", "h", *range(10))
    assert encoding(room, "h") == b"dense"
    assert room("PFCOUNT", "h") == 10


def test_pfdebug_shows_how_it_is_kept(room: Room) -> None:
    room("PFADD", "h", "a")
    assert room("PFDEBUG", "decode", "h") == b"Z:12711 v:2,1 Z:3672"
    assert room("PFDEBUG", "TODENSE", "h") == 1
    assert room("PFDEBUG", "TODENSE", "h") == 0
    assert message(room("PFDEBUG", "DECODE", "h")) == b"ERR HLL encoding is not sparse"
    room("PFADD", "i", "a", "b")
    registers = room("PFDEBUG", "GETREG", "i")
    assert len(registers) == 16384
    assert sum(registers) > 0
    assert registers[12711] == 2
    assert encoding(room, "i") == b"dense"
    assert room("PFCOUNT", "i") == 2
    assert message(room("PFDEBUG", "FOO", "i")) == b"ERR Unknown PFDEBUG subcommand 'FOO'"
    assert message(room("PFDEBUG", "FOO", "missing")) == b"ERR The specified key does not exist"
    assert room("PFSELFTEST") is OK


COMMANDS = [
    ("PFADD", "k"),
    ("PFADD", "k", "x"),
    ("PFCOUNT", "k"),
    ("PFCOUNT", "h", "k"),
    ("PFMERGE", "k", "h"),
    ("PFMERGE", "h", "k"),
    ("PFDEBUG", "GETREG", "k"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_what_is_no_hyperloglog_is_refused(room: Room, words: tuple[str, ...]) -> None:
    room("PFADD", "h", "a")
    before = room("GET", "h")
    room("LPUSH", "k", "x")
    assert message(room(*words)) == WRONG_TYPE
    for value in (b"", b"hello", b"HYLL", before[:4] + b"\x02" + before[5:], b"HYLL" + bytes(12301)):
        room("SET", "k", value)
        assert message(room(*words)) == NO_SKETCH
        assert room("GET", "k") == value
    assert room("GET", "h") == before


@pytest.mark.parametrize("words", [words for words in COMMANDS if words != ("PFADD", "k")], ids=" ".join)
def test_damage_is_told(room: Room, words: tuple[str, ...]) -> None:
    room("PFADD", "h", "a")
    room("PFADD", "k", "b")
    room("APPEND", "k", "hello")
    before = room("GET", "k")
    assert message(room(*words)) == CORRUPT
    assert room("GET", "k") == before


def test_events_are_those_of_redis(room: Room) -> None:
    told: list[bytes] = []
    room.dbs[0].notify = lambda kind, event, name: told.append(bytes((kind,)) + b" " + event + b" " + name)
    for words, events in (
        (("PFADD", "h"), [b"$ pfadd h"]),
        (("PFADD", "h"), []),
        (("PFADD", "h", "a"), [b"$ pfadd h"]),
        (("PFADD", "h", "a"), []),
        (("PFCOUNT", "h"), []),
        (("PFMERGE", "i", "h"), [b"$ pfadd i"]),
        (("PFMERGE", "i", "h"), [b"$ pfadd i"]),
    ):
        told.clear()
        room(*words)
        assert [each for each in told if b" new " not in each] == events, words


def test_it_goes_through_dump_and_restore(room: Room) -> None:
    room("PFADD", "h", *range(2000))
    room("RESTORE", "i", 0, room("DUMP", "h"))
    assert room("PFCOUNT", "i") == room("PFCOUNT", "h")
