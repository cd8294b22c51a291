"""`verify` finds each kind of damage, mends what can be known, and finds nothing in what commands have made."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from tests.operations.damage import Raw, opened

from spoold.core.errors import EngineError
from spoold.datatypes.jobs import leases
from spoold.datatypes.jobs import schedule as schedules
from spoold.keyspace import layout
from spoold.keyspace.packing import pack_u64
from spoold.operations.verify import verify
from support.room import Room

LONG = b"n" * 700


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A stopped directory with something of every type, long names and members, expiries, leases and garbage."""
    with Room(tmp_path / "data", "interval") as room:
        for name in (b"", LONG):
            for number in range(20):
                item = b"%d" % number + (LONG if number % 5 == 0 else b"")
                room("RPUSH", b"list" + name, item)
                room("SADD", b"set" + name, item)
                room("HSET", b"hash" + name, item, b"v%d" % number)
                room("ZADD", b"zset" + name, number / 7, item)
                room("SET", b"string%d" % number + name, item, "PX", 10_000_000)
                room("XADD", b"stream" + name, f"{number + 1}-0", "f", item)
            room("XGROUP", "CREATE", b"stream" + name, b"group" + name, "0")
            room(
                "XREADGROUP", "GROUP", b"group" + name, b"consumer" + name, "COUNT", 7, "STREAMS", b"stream" + name, ">"
            )
            room("SPOP", b"set" + name, 3)
            room("PEXPIRE", b"list" + name, 10_000_000)
        room("SADD", "dropped", *range(3000))
        room("DEL", "dropped")
        room("SET", "elsewhere", "x")
        room("MOVE", "elsewhere", 3)
        room.turn.begin()
        for number in range(3):
            schedules.add(room.dbs[0], b"schedule", number, b"v")
        room.turn.end()
        room("RPUSH", "leased", "a", "b", "c")
        room.turn.begin()
        leases.grant(room.dbs[0], b"leased", b"worker", deadline_ms=room.dbs.now_ms + 1_000_000)
        leases.grant(room.dbs[0], b"leased", b"worker")
        room.turn.end()
    return tmp_path / "data"


def test_what_commands_made_has_no_fault(data: Path) -> None:
    report = verify(data)
    assert report.faults == []
    assert (report.keys, report.leases) == (53, 2)
    assert report.elements > 300


def test_it_runs_beside_a_server_that_writes(tmp_path: Path, spoold_server: Any) -> None:
    redis = pytest.importorskip("redis")
    client = redis.Redis(port=spoold_server.port)
    chance = random.Random(5)
    for _ in range(5):
        with client.pipeline(transaction=False) as pipe:
            for _ in range(400):
                number = chance.randrange(30)
                pipe.rpush(f"list{number}", "x")
                pipe.lpop(f"list{chance.randrange(30)}")
                pipe.sadd(f"set{number}", chance.randrange(100))
                pipe.zadd(f"zset{number}", {str(chance.randrange(100)): chance.random()})
                pipe.delete(f"set{chance.randrange(30)}")
                pipe.set(f"string{chance.randrange(100)}", "x", px=chance.randrange(1, 1000))
            pipe.execute()
        report = verify(spoold_server.data_dir)
        assert report.faults == []
        assert report.keys > 30
    with pytest.raises(EngineError, match="in use"):
        verify(spoold_server.data_dir, repair=True)


def counted(field: str, by: Any = 1) -> Callable[[Raw, bytes], None]:
    """Change a counter of a record."""

    def plant(raw: Raw, name: bytes) -> None:
        record = raw.record(name)
        setattr(record, field, getattr(record, field) + by)
        raw.write(name, record)

    return plant


def lost(kind: bytes, index: int = 0) -> Callable[[Raw, bytes], None]:
    """Delete an element of a kind."""

    def plant(raw: Raw, name: bytes) -> None:
        prefix = cast("Any", raw.record(name)).prefix + kind
        raw.batch.delete(raw.batch.scan(prefix, prefix + b"\xff" * 8, 100)[index][0])

    return plant


def added(place: bytes, value: bytes = b"") -> Callable[[Raw, bytes], None]:
    """Add an element."""

    def plant(raw: Raw, name: bytes) -> None:
        raw.batch.put(cast("Any", raw.record(name)).prefix + place, value)

    return plant


def changed(kind: bytes, value: Callable[[bytes], bytes]) -> Callable[[Raw, bytes], None]:
    """Change the value of the first element of a kind."""

    def plant(raw: Raw, name: bytes) -> None:
        key, old = raw.first(cast("Any", raw.record(name)).prefix + kind)
        raw.batch.put(key, value(old))

    return plant


def unindexed(raw: Raw, name: bytes) -> None:
    record = raw.record(name)
    raw.batch.delete(layout.expiry_key(record.expire_ms, raw.database_id(), name))


def misindexed(raw: Raw, name: bytes) -> None:
    raw.batch.put(layout.expiry_key(5, raw.database_id(), name), b"")


def indexed_ghost(raw: Raw, name: bytes) -> None:
    raw.batch.put(layout.expiry_key(5, raw.database_id(), b"ghost"), b"")


def orphaned(raw: Raw, name: bytes) -> None:
    raw.batch.delete(raw.record_key(name))
    index = layout.database_key(0)
    before = raw.batch.get(index) or b""
    raw.batch.put(index, before[:8] + pack_u64(int.from_bytes(before[8:], "big") - 1))


def shared(raw: Raw, name: bytes) -> None:
    raw.write(b"twin", raw.record(name))
    index = layout.database_key(0)
    before = raw.batch.get(index) or b""
    raw.batch.put(index, before[:8] + pack_u64(int.from_bytes(before[8:], "big") + 1))


def uncounted_key(raw: Raw, name: bytes) -> None:
    before = raw.batch.get(layout.database_key(0)) or b""
    raw.batch.put(layout.database_key(0), before[:8] + pack_u64(7))


def unseen_database(raw: Raw, name: bytes) -> None:
    raw.batch.put(layout.names_prefix(999) + b"x", raw.batch.get(raw.record_key(b"string1")) or b"")


def misplaced(raw: Raw, name: bytes) -> None:
    raw.batch.put(raw.record_key(b"another") + b"", raw.batch.get(raw.record_key(b"string1" + LONG)) or b"")
    uncounted = layout.database_key(0)
    before = raw.batch.get(uncounted) or b""
    raw.batch.put(uncounted, before[:8] + pack_u64(int.from_bytes(before[8:], "big") + 1))


def damaged_record(raw: Raw, name: bytes) -> None:
    raw.batch.put(raw.record_key(b"string1"), b"\x3f" + bytes(30))


def reused_id(raw: Raw, name: bytes) -> None:
    before = raw.batch.get(layout.COUNTERS) or b""
    raw.batch.put(layout.COUNTERS, pack_u64(2) + before[8:])


def odd_mark(raw: Raw, name: bytes) -> None:
    raw.batch.put(layout.garbage_key(5), b"?")


def leased(kind: bytes, value: bytes | None) -> Callable[[Raw, bytes], None]:
    def plant(raw: Raw, name: bytes) -> None:
        raw.batch.fresh[raw.first(kind)[0]] = value

    return plant


def foreign(raw: Raw, name: bytes) -> None:
    raw.batch.put(b"~what", b"?")


# What is planted, the key it is planted at, a part of what is told, and whether it can be mended.
DAMAGE: list[tuple[Callable[[Raw, bytes], None], bytes, str, bool]] = [
    (counted("tail"), b"list", "counts 21 items, and holds 20", True),
    (counted("head"), b"list", "counts 19 items, and holds 20", True),
    (lost(b"", 7), b"list", "1 gaps", False),
    (lost(b"", 19), b"list", "counts 20 items, and holds 19", True),
    (added(b"strange", b"x"), b"list", "belongs to nothing", False),
    (counted("members"), b"set", "counts 18 members, and has 17", True),
    (counted("next", -5), b"set", "lies outside those in use", True),
    (lost(b"m"), b"set", "which is no member", False),
    (lost(b"s"), b"set", "is missing in the order of ages", False),
    (added(b"z", b"x"), b"set", "belongs to nothing", False),
    (changed(b"m", lambda old: old[:3]), b"set", "stored wrong", False),
    (changed(b"s", lambda old: b"another"), b"set", "is missing in the order of ages", False),
    (counted("members", -2), b"set" + LONG, "counts 15 members, and has 17", True),
    (counted("fields"), b"hash", "counts 21 fields, and has 20", True),
    (lost(b""), b"hash", "counts 20 fields, and has 19", True),
    (counted("order", b"\x05"), b"hash", "has an order of its fields that is none", True),
    (changed(b"0" + LONG[:50], lambda old: b"x" + old), b"hash", "stored wrong", False),
    (counted("members"), b"zset", "counts 21 members, and has 20", True),
    (lost(b"m", 3), b"zset", "under a score it has not", True),
    (lost(b"s", 3), b"zset", "is missing in the order of scores", True),
    (changed(b"m", lambda old: bytes(8) + old[8:]), b"zset", "is missing in the order of scores", True),
    (added(b"s" + bytes(8) + b"x"), b"zset" + LONG, "under a score it has not", True),
    (counted("items"), b"schedule", "counts 4 items, and has 3", True),
    (counted("first", 5), b"schedule", "outside what the schedule says", True),
    (counted("next", -1), b"schedule", "outside what the schedule says", True),
    (counted("length"), b"stream", "counts 21 entries, and has 20", True),
    (lost(b"e"), b"stream", "counts 20 entries, and has 19", True),
    (changed(b"e", lambda old: old[:-1]), b"stream", "stored wrong", False),
    (counted("groups"), b"stream", "counts 2 groups, and has 1", True),
    (counted("next_group", -1), b"stream", "would be given again", True),
    (lost(b"g"), b"stream", "counts 1 groups, and has 0", True),
    (lost(b"p"), b"stream", "which is not pending", True),
    (lost(b"o"), b"stream", "is missing among its consumer's", True),
    (lost(b"n"), b"stream", "has lost its number", True),
    (lost(b"c"), b"stream", "pending entries and 1 consumers, and has 7 and 0", True),
    (lost(b"p"), b"stream" + LONG, "which is not pending", True),
    (changed(b"c", lambda old: old[:16] + pack_u64(9) + old[24:]), b"stream", "counts 9 pending entries, has 7", True),
    (changed(b"g", lambda old: old[:5]), b"stream", "stored wrong", False),
    (unindexed, b"list", "is not in the index", True),
    (unindexed, b"string3" + LONG, "is not in the index", True),
    (misindexed, b"list", "where it does not belong", True),
    (indexed_ghost, b"", "does not exist", True),
    (orphaned, b"hash", "20 elements belong to no key", False),
    (shared, b"hash", "belongs to two keys", False),
    (uncounted_key, b"", "counts 7 keys, and has 52", True),
    (unseen_database, b"", "which no one sees", False),
    (misplaced, b"", "stands under the key of", False),
    (damaged_record, b"", "damaged record", False),
    (reused_id, b"", "would be given again", True),
    (odd_mark, b"", "says b'?'", False),
    (leased(b"ll", None), b"", "belongs to no lease", False),
    (leased(b"ll", b"x"), b"", "damaged lease", False),
    (leased(b"li", None), b"", "has lost its item", False),
    (leased(b"lc", None), b"", "counts no leases, and has 2", True),
    (leased(b"lc", pack_u64(5)), b"", "counts 5 leases, and has 2", True),
    (leased(b"ld", None), b"", "has a deadline that will not be noticed", True),
    (foreign, b"", "of no kind that is known", False),
]


@pytest.mark.parametrize(("plant", "name", "told", "mended"), DAMAGE, ids=[row[2] for row in DAMAGE])
def test_planted_damage_is_found_and_mended_where_it_can_be(
    data: Path, plant: Callable[[Raw, bytes], None], name: bytes, told: str, mended: bool
) -> None:
    with opened(data) as raw:
        plant(raw, name)
    report = verify(data)
    assert not report.sound
    assert any(told in fault.text for fault in report.faults), report.faults
    repaired = verify(data, repair=True)
    assert repaired.found == report.found
    if mended:
        for _ in range(3):  # what one repair makes right may show what stood behind it
            again = verify(data, repair=True)
        assert again.faults == []
    else:
        assert any(told in fault.text for fault in verify(data).faults)


def test_a_repaired_directory_serves(data: Path) -> None:
    with opened(data) as raw:
        counted("members", 5)(raw, b"set")
        counted("fields", -3)(raw, b"hash")
        uncounted_key(raw, b"")
    assert verify(data, repair=True).mended == 3
    with Room(data, "interval") as room:
        assert room("SCARD", "set") == 17
        assert room("HLEN", "hash") == 20
        assert room("DBSIZE") == 52


def test_memory_stays_small_with_many_objects(data: Path) -> None:
    with Room(data, "interval") as room:
        for number in range(3000):
            room("RPUSH", f"q{number}", "x")
    assert verify(data).faults == []


def test_only_so_many_faults_are_kept_and_all_are_counted(data: Path) -> None:
    with opened(data) as raw:
        for number in range(50):
            raw.batch.put(layout.expiry_key(number + 1, raw.database_id(), b"ghost"), b"")
    report = verify(data, most_faults=10)
    assert (report.found, len(report.faults)) == (50, 10)
