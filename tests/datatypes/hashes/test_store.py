"""The store of hashes: fields short and long, counts, walks, and what is left behind (nothing)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from spoold.core.errors import WrongType
from spoold.datatypes.hashes import store
from spoold.keyspace.keyspace import Keyspace
from support.machine import RoomMachine
from support.reachable import assert_nothing_is_left_over
from support.room import Room

# At the edges of the order, around the length from which a field is stored by its digest, and alike up to there.
FIELDS = (
    *(b"", b"\0", b"\xff" * 3, b"a", b"ab", b"b"),
    *(b"f" * 479, b"f" * 480, b"f" * 481, b"f" * 480 + b"x", b"f" * 480 + b"y", b"\xff" * 600),
)
VALUES = (b"", b"v", b"\0\0\0\1", b"x" * 600)
NAMES = (b"h", b"n" * 500)

fields = st.sampled_from(FIELDS)
field_values = st.sampled_from(VALUES)
names = st.sampled_from(NAMES)


def in_turn(room: Room, work: Callable[..., Any], *arguments: Any) -> Any:
    """Run `work` on database 0 in a turn of its own."""
    room.turn.begin()
    result = work(room.dbs[0], *arguments)
    room.turn.end()
    return result


def test_a_field_is_new_once(room: Room) -> None:
    assert in_turn(room, store.put, b"h", b"f", b"1") is True
    assert in_turn(room, store.put, b"h", b"f", b"2") is False
    assert in_turn(room, store.get, b"h", b"f") == b"2"
    assert in_turn(room, store.length, b"h") == 1
    assert in_turn(room, store.exists, b"h", b"f") is True
    assert in_turn(room, store.exists, b"h", b"g") is False


def test_a_missing_hash_is_an_empty_one(room: Room) -> None:
    assert in_turn(room, store.find, b"h") is None
    assert in_turn(room, store.get, b"h", b"f") is None
    assert in_turn(room, store.get_many, b"h", [b"f", b"g"]) == [None, None]
    assert in_turn(room, store.length, b"h") == 0
    assert in_turn(room, store.take, b"h", b"f") is None
    assert in_turn(room, store.delete, b"h", [b"f"]) == 0
    assert in_turn(room, store.clear, b"h") == 0
    assert in_turn(room, store.scan, b"h", b"", 10) == ([], b"")
    assert in_turn(room, store.put_many, b"h", []) == 0
    assert room("EXISTS", "h") == 0


def test_put_new_keeps_what_is_there(room: Room) -> None:
    assert in_turn(room, store.put_new, b"h", b"f", b"1") is True
    assert in_turn(room, store.put_new, b"h", b"f", b"2") is False
    assert in_turn(room, store.get, b"h", b"f") == b"1"


def test_an_empty_value_is_a_value(room: Room) -> None:
    in_turn(room, store.put, b"h", b"", b"")
    assert in_turn(room, store.exists, b"h", b"") is True
    assert in_turn(room, store.put_new, b"h", b"", b"x") is False
    assert in_turn(room, store.take, b"h", b"") == b""


def test_a_field_given_twice_is_one(room: Room) -> None:
    assert in_turn(room, store.put_many, b"h", [(b"f", b"1"), (b"g", b"2"), (b"f", b"3")]) == 2
    assert in_turn(room, store.get_many, b"h", [b"f", b"g", b"f", b"x"]) == [b"3", b"2", b"3", None]
    assert in_turn(room, store.delete, b"h", [b"f", b"f", b"x"]) == 1
    assert in_turn(room, store.take_many, b"h", [b"g", b"g"]) == [b"2", None]
    assert room("EXISTS", "h") == 0


def test_long_fields_are_told_apart_behind_their_common_beginning(room: Room) -> None:
    for number, field in enumerate(FIELDS):
        assert in_turn(room, store.put, b"h", field, b"%d" % number) is True
    for number, field in enumerate(FIELDS):
        assert in_turn(room, store.get, b"h", field) == b"%d" % number
    assert in_turn(room, lambda ks: dict(store.items(ks, b"h"))) == {f: b"%d" % n for n, f in enumerate(FIELDS)}
    assert in_turn(room, store.delete, b"h", FIELDS) == len(FIELDS)
    assert_nothing_is_left_over(room)


def test_the_last_field_takes_the_key_with_it(room: Room) -> None:
    in_turn(room, store.put, b"h", b"f", b"v")
    assert room("TYPE", "h").text == b"hash"
    in_turn(room, store.take, b"h", b"f")
    assert room("EXISTS", "h") == 0
    in_turn(room, store.put, b"h", b"f", b"v")
    in_turn(room, store.delete, b"h", [b"f"])
    assert room("EXISTS", "h") == 0
    assert_nothing_is_left_over(room)


def test_clear_tells_how_many_there_were(room: Room) -> None:
    in_turn(room, store.put_many, b"h", [(b"%d" % number, b"") for number in range(3000)])
    assert in_turn(room, store.clear, b"h") == 3000
    assert in_turn(room, store.length, b"h") == 0
    assert_nothing_is_left_over(room)


def test_a_key_of_another_type_is_refused(room: Room) -> None:
    room("SET", "s", "v")
    calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
        (store.find, ()),
        (store.get, (b"f",)),
        (store.get_many, ([b"f"],)),
        (store.exists, (b"f",)),
        (store.length, ()),
        (store.put, (b"f", b"v")),
        (store.put_many, ([(b"f", b"v")],)),
        (store.put_many, ([],)),
        (store.put_new, (b"f", b"v")),
        (store.take, (b"f",)),
        (store.take_many, ([b"f"],)),
        (store.delete, ([b"f"],)),
        (store.clear, ()),
        (store.scan, (b"", 1)),
    ]
    for call, arguments in calls:
        room.turn.begin()
        with pytest.raises(WrongType):
            call(room.dbs[0], b"s", *arguments)
        room.turn.end()
    assert room("GET", "s") == b"v"


def test_commands_on_any_key_know_hashes(room: Room) -> None:
    in_turn(room, store.put_many, b"h", [(field, b"v") for field in FIELDS])
    assert room("COPY", "h", "copy") == 1
    room("RENAME", "h", "renamed")
    assert in_turn(room, lambda ks: [*store.items(ks, b"copy")] == [*store.items(ks, b"renamed")])
    room("DEL", "copy")
    room("PEXPIRE", "renamed", 10)
    room.clock.advance_ms(10)
    assert in_turn(room, store.length, b"renamed") == 0
    assert_nothing_is_left_over(room)


def test_a_walk_in_slices_returns_all_that_stays(room: Room) -> None:
    there = {b"%04d" % number: b"%d" % number for number in range(100)}
    in_turn(room, store.put_many, b"h", [*there.items()])
    seen: list[tuple[bytes, bytes]] = []
    place, first = b"", True
    while place or first:
        first = False
        found, place = in_turn(room, store.scan, b"h", place, 7)
        seen += found
        in_turn(room, store.delete, b"h", [b"0050"])
        in_turn(room, store.put, b"h", b"0000-", b"new")
    assert {field: value for field, value in seen if field not in (b"0050", b"0000-")} == {
        field: value for field, value in there.items() if field != b"0050"
    }
    assert len(seen) == len(dict(seen))


def test_hashes_survive_a_restart(tmp_path: Path) -> None:
    with Room(tmp_path / "data", "always") as room:
        in_turn(room, store.put_many, b"h", [(field, field) for field in FIELDS])
    with Room(tmp_path / "data", "always") as room:
        assert in_turn(room, store.length, b"h") == len(FIELDS)
        assert in_turn(room, store.get_many, b"h", FIELDS) == [*FIELDS]
        assert_nothing_is_left_over(room)


class Hashes(RoomMachine):
    """Two hashes against dicts of dicts; each rule is a turn."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[bytes, dict[bytes, bytes]] = {name: {} for name in NAMES}

    def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """One turn."""
        return in_turn(self.room, work, *arguments)

    @rule(name=names, field=fields, value=field_values)
    def put(self, name: bytes, field: bytes, value: bytes) -> None:
        """One field."""
        assert self.run(store.put, name, field, value) == (field not in self.model[name])
        self.model[name][field] = value

    @rule(name=names, pairs=st.lists(st.tuples(fields, field_values), max_size=6))
    def put_many(self, name: bytes, pairs: list[tuple[bytes, bytes]]) -> None:
        """Several, some of them twice."""
        before = len(self.model[name])
        self.model[name].update(pairs)
        assert self.run(store.put_many, name, pairs) == len(self.model[name]) - before

    @rule(name=names, field=fields, value=field_values)
    def put_new(self, name: bytes, field: bytes, value: bytes) -> None:
        """Only where there is none."""
        assert self.run(store.put_new, name, field, value) == (field not in self.model[name])
        self.model[name].setdefault(field, value)

    @rule(name=names, field=fields)
    def take(self, name: bytes, field: bytes) -> None:
        """Read and remove."""
        assert self.run(store.take, name, field) == self.model[name].pop(field, None)

    @rule(name=names, some=st.lists(fields, max_size=6))
    def take_many(self, name: bytes, some: list[bytes]) -> None:
        """Several, some of them twice."""
        assert self.run(store.take_many, name, some) == [self.model[name].pop(field, None) for field in some]

    @rule(name=names, some=st.lists(fields, max_size=6))
    def delete(self, name: bytes, some: list[bytes]) -> None:
        """Several, some of them twice."""
        there = {*some} & {*self.model[name]}
        assert self.run(store.delete, name, some) == len(there)
        for field in there:
            del self.model[name][field]

    @rule(name=names)
    def clear(self, name: bytes) -> None:
        """All."""
        assert self.run(store.clear, name) == len(self.model[name])
        self.model[name].clear()

    @rule(name=names, some=st.lists(fields, max_size=6))
    def read(self, name: bytes, some: list[bytes]) -> None:
        """Look, also within the turn that wrote."""
        assert self.run(store.get_many, name, some) == [self.model[name].get(field) for field in some]

    @rule(name=names, field=fields, value=field_values)
    def fail(self, name: bytes, field: bytes, value: bytes) -> None:
        """A turn that is rolled back leaves no trace."""

        def fail(ks: Keyspace) -> None:
            store.put(ks, name, field, value)
            store.put(ks, name, b"planted", b"")
            store.delete(ks, name, FIELDS)
            raise ZeroDivisionError

        room = self.room
        room.turn.begin()
        room.turn.guard(fail, room.dbs[0])

    @rule()
    def reclaim(self) -> None:
        """Give back what was dropped."""
        self.room.reclaim()

    @invariant()
    def agree(self) -> None:
        """Counts, existence and every field."""
        for name, hash_ in self.model.items():
            assert self.run(store.length, name) == len(hash_)
            assert self.room("EXISTS", name) == bool(hash_)
            assert len(self.run(lambda ks, name=name: [*store.items(ks, name)])) == len(hash_)
            assert self.run(lambda ks, name=name: dict(store.items(ks, name))) == hash_


TestHashes = Hashes.TestCase
TestHashes.settings = settings(stateful_step_count=25)
