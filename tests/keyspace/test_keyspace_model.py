"""The keyspace against plain dicts: what is found, what is counted, what is indexed, and that nothing is left behind.

A step of the machine is a whole turn of several operations; some turns fail in the middle and must leave no trace.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from spoold.datatypes.lists import store as lists
from spoold.datatypes.lists.store import HEAD, TAIL
from spoold.datatypes.strings import store as strings
from spoold.keyspace import cache, layout
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import pack_name, pack_u64
from spoold.keyspace.reclaim import reclaim
from spoold.keyspace.record import Collection, ListRecord, StringRecord
from support.room import Room

DATABASES = (0, 1, 2)
# Names that share prefixes, are stored by digest, or stand at the edges of the order.
NAMES = (b"", b"\xff\xff", b"a", b"ab", b"b", b"n" * 480, b"n" * 481, b"n" * 470 + b"x" * 40, b"n" * 470 + b"y" * 40)

databases = st.sampled_from(DATABASES)
names = st.sampled_from(NAMES)
times_ms = st.integers(1, 50)


class Planted(Exception):
    """What fails in the middle of a turn."""


@dataclass
class Thing:
    """One key of the model: a string's bytes, or a list's elements."""

    value: bytes | list[bytes]
    expire_ms: int = 0


@dataclass
class Model:
    """The databases as dicts; keys that are due are gone when a turn begins."""

    now_ms: int
    all: list[dict[bytes, Thing]] = field(default_factory=lambda: [{} for _ in DATABASES])

    def begin(self, now_ms: int) -> None:
        """Drop what is due."""
        self.now_ms = now_ms
        for things in self.all:
            for name in [name for name, thing in things.items() if 0 < thing.expire_ms <= now_ms]:
                del things[name]


def put(model: Model, ks: Keyspace, name: bytes, value: bytes, in_ms: int) -> None:
    """SET, with or without an expiry."""
    expire_ms = model.now_ms + in_ms if in_ms else 0
    strings.put(ks, name, value, expire_ms)
    model.all[ks.index][name] = Thing(value, expire_ms)


def push(model: Model, ks: Keyspace, name: bytes, side: int, values: list[bytes]) -> None:
    """LPUSH or RPUSH, unless the key holds a string."""
    thing = model.all[ks.index].setdefault(name, Thing([]))
    if isinstance(thing.value, bytes):
        return
    thing.value = thing.value + values if side == TAIL else values[::-1] + thing.value
    assert lists.push(ks, name, side, values) == len(thing.value)


def pop(model: Model, ks: Keyspace, name: bytes, side: int) -> None:
    """LPOP or RPOP, unless the key holds a string."""
    thing = model.all[ks.index].get(name)
    if thing is None:
        assert lists.pop(ks, name, side) is None
    elif isinstance(thing.value, list):
        assert lists.pop(ks, name, side) == thing.value.pop(0 if side == HEAD else -1)
        if not thing.value:
            del model.all[ks.index][name]


def delete(model: Model, ks: Keyspace, name: bytes) -> None:
    """DEL."""
    assert ks.delete(name) == (model.all[ks.index].pop(name, None) is not None)


def rename(model: Model, ks: Keyspace, name: bytes, other: bytes) -> None:
    """RENAME."""
    things = model.all[ks.index]
    if name in things and name != other:
        ks.replace(other, ks.detach(name))
        things[other] = things.pop(name)


def move(model: Model, ks: Keyspace, name: bytes, index: int) -> None:
    """MOVE."""
    source, target = model.all[ks.index], model.all[index]
    if name in source and name not in target and ks.index != index:
        other = ks.dbs[index]
        assert other.find(name) is None
        other.add(name, ks.detach(name))
        target[name] = source.pop(name)


def expire(model: Model, ks: Keyspace, name: bytes, in_ms: int) -> None:
    """PEXPIRE, or PERSIST for 0."""
    record = ks.find(name)
    thing = model.all[ks.index].get(name)
    assert (record is None) == (thing is None)
    if record is not None and thing is not None:
        record.expire_ms = thing.expire_ms = model.now_ms + in_ms if in_ms else 0
        ks.changed(name, record)


def flush(model: Model, ks: Keyspace) -> None:
    """FLUSHDB."""
    ks.flush()
    model.all[ks.index].clear()


def flush_strings(model: Model, ks: Keyspace) -> None:
    """flush_all of memcached."""
    ks.flush_strings()
    things = model.all[ks.index]
    for name in [name for name, thing in things.items() if isinstance(thing.value, bytes)]:
        del things[name]


def swap(model: Model, ks: Keyspace, index: int) -> None:
    """SWAPDB."""
    ks.dbs.swap(ks.index, index)
    model.all[ks.index], model.all[index] = model.all[index], model.all[ks.index]


def walk(model: Model, ks: Keyspace) -> None:
    """KEYS, in the middle of a turn."""
    assert set(ks.names()) == model.all[ks.index].keys()


sides = st.sampled_from((HEAD, TAIL))
operations = st.one_of(
    st.tuples(st.just(put), databases, names, st.binary(max_size=4), st.just(0) | times_ms),
    st.tuples(st.just(push), databases, names, sides, st.lists(st.binary(max_size=4), min_size=1, max_size=4)),
    st.tuples(st.just(pop), databases, names, sides),
    st.tuples(st.just(delete), databases, names),
    st.tuples(st.just(rename), databases, names, names),
    st.tuples(st.just(move), databases, names, databases),
    st.tuples(st.just(expire), databases, names, st.just(0) | times_ms),
    st.tuples(st.just(flush), databases),
    st.tuples(st.just(flush_strings), databases),
    st.tuples(st.just(swap), databases, databases),
    st.tuples(st.just(walk), databases),
)


class KeyspaceMachine(RuleBasedStateMachine):
    """Turns of random operations on three databases."""

    def __init__(self) -> None:
        super().__init__()
        # A tiny cache: records fall out of it in the middle of turns.
        self.small_cache = patch.object(cache, "GENERATION_RECORDS", 2)
        self.small_cache.start()
        self.home = TemporaryDirectory()
        self.room = Room(Path(self.home.name), "interval")
        self.model = Model(self.room.clock.unix_ms())
        self.aborted = 0

    @rule(turn=st.lists(operations, min_size=1, max_size=8))
    def run_a_turn(self, turn: list[tuple]) -> None:
        self.room.turn.begin()
        self.model.begin(self.room.dbs.now_ms)
        for operation, index, *arguments in turn:
            operation(self.model, self.room.dbs[index], *arguments)
        self.room.turn.end()
        assert self.room.turn.aborted == self.aborted

    @rule(turn=st.lists(operations, min_size=1, max_size=8))
    def run_a_turn_that_fails_at_its_end(self, turn: list[tuple]) -> None:
        room = self.room
        before = copy.deepcopy(self.model.all)
        state = room.state()

        def work() -> None:
            self.model.begin(room.dbs.now_ms)
            for operation, index, *arguments in turn:
                operation(self.model, room.dbs[index], *arguments)
            raise Planted

        room.turn.begin()
        self.aborted += 1
        room.turn.guard(work)
        assert room.turn.aborted == self.aborted
        self.model.all = before
        assert room.state() == state

    @rule(ms=times_ms)
    def let_time_pass(self, ms: int) -> None:
        self.room.clock.advance_ms(ms)

    @rule()
    def expire_what_is_due(self) -> None:
        while self.room.expire():
            pass
        self.model.begin(self.room.clock.unix_ms())
        for index in DATABASES:
            assert self.room.dbs[index].count == len(self.model.all[index])

    @precondition(lambda self: self.room.dbs.has_garbage)
    @rule(limit=st.integers(1, 4))
    def reclaim_a_slice(self, limit: int) -> None:
        self.room.turn.begin()
        reclaim(self.room.dbs, limit)
        self.room.turn.end()

    @rule()
    def start_anew(self) -> None:
        self.room.commit.close()
        clock = self.room.clock
        self.room = Room(Path(self.home.name), "interval")
        self.room.clock.advance_ms(clock.unix_ms() - self.room.clock.unix_ms())
        self.aborted = 0

    @rule()
    def nothing_is_left_but_what_can_be_reached(self) -> None:
        self.expire_what_is_due()
        self.room.reclaim()
        state = self.room.state()
        expected = {key: state[key] for key in state if key[:1] == b"s"}
        for ks in self.room.dbs.all:
            for name, thing in (self.model.all[ks.index] if ks.index in DATABASES else {}).items():
                record = ks.find(name)
                assert record is not None
                key = layout.names_prefix(ks.database_id) + pack_name(name)
                expected[key] = record.encode(name)
                if thing.expire_ms:
                    entry = layout.expiry_key(thing.expire_ms, ks.database_id, name)
                    expected[entry] = name if len(name) > 480 else b""
                if isinstance(record, ListRecord):
                    for offset, value in enumerate(thing.value):
                        assert isinstance(value, bytes)
                        expected[record.prefix + pack_u64(record.head + offset)] = value
        assert state == expected

    @invariant()
    def every_key_is_found_as_the_model_has_it(self) -> None:
        room = self.room
        room.turn.begin()
        self.model.begin(room.dbs.now_ms)
        ids = []
        for index in DATABASES:
            ks, things = room.dbs[index], self.model.all[index]
            for name in NAMES:
                record, thing = ks.find(name), things.get(name)
                if thing is None or record is None:
                    assert record is None
                    assert thing is None
                    continue
                assert record.expire_ms == thing.expire_ms
                if isinstance(record, StringRecord):
                    assert record.value == thing.value
                else:
                    assert isinstance(record, Collection)
                    assert record.count() == len(thing.value)
                    ids.append(record.object_id)
            assert ks.count == len(things)
        assert len(ids) == len(set(ids))
        room.turn.end()

    def teardown(self) -> None:
        try:
            self.nothing_is_left_but_what_can_be_reached()
        finally:
            self.room.commit.close()
            self.home.cleanup()
            self.small_cache.stop()


TestKeyspace = KeyspaceMachine.TestCase
TestKeyspace.settings = settings(stateful_step_count=30)
