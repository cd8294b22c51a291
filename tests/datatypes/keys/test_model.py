"""Commands on keys of any type against dicts: replies after every command, what is left at the end."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from spoold.core.errors import NoSuchKey, SameObject
from spoold.core.patterns import compile_pattern
from spoold.core.reply import OK
from support.machine import RoomMachine

NAMES = [b"a", b"ab", b"b", b"", b"n" * 481, b"n" * 481 + b"x", b"\xff"]

names = st.sampled_from(NAMES)
databases = st.integers(0, 2)
seconds = st.integers(-2, 20)
conditions = st.sampled_from(["", "NX", "XX", "GT", "LT", "XX GT", "XX LT"])


class Value:
    """What a key of the model holds: bytes or a list of them; expire_ms: 0 = never."""

    def __init__(self, held: bytes | list[bytes], expire_ms: int = 0) -> None:
        """Hold."""
        self.held = held
        self.expire_ms = expire_ms


class KeysMachine(RoomMachine):
    """One client on three databases."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[dict[bytes, Value]] = [{}, {}, {}]
        self.index = 0

    @property
    def keys(self) -> dict[bytes, Value]:
        """The selected database."""
        return self.all[self.index]

    def call(self, *words: str | bytes | int) -> Any:
        """Run a command after the model has dropped what is due."""
        for things in self.all:
            for name in [name for name, value in things.items() if 0 < value.expire_ms <= self.now_ms]:
                del things[name]
        return self.room(*words)

    @initialize(values=st.lists(st.tuples(databases, names, st.booleans()), max_size=8))
    def fill(self, values: list[tuple[int, bytes, bool]]) -> None:
        for index, name, is_list in values:
            self.select(index)
            if is_list:
                self.push(name, [b"x", b"y"])
            else:
                self.put(name, b"v")

    @rule(index=databases)
    def select(self, index: int) -> None:
        assert self.call("SELECT", index) is OK
        self.index = index

    @rule(name=names, value=st.binary(max_size=3))
    def put(self, name: bytes, value: bytes) -> None:
        assert self.call("SET", name, value) is OK
        self.keys[name] = Value(value)

    @rule(name=names, values=st.lists(st.binary(max_size=3), min_size=1, max_size=3))
    def push(self, name: bytes, values: list[bytes]) -> None:
        self.call("EXISTS", name)
        value = self.keys.get(name, Value([]))
        if isinstance(value.held, list):
            value.held += values
            self.keys[name] = value
            assert self.call("RPUSH", name, *values) == len(value.held)

    @rule(name=names)
    def pop(self, name: bytes) -> None:
        reply = self.call("LPOP", name)
        value = self.keys.get(name)
        if value is not None and isinstance(value.held, list):
            assert reply == value.held.pop(0)
            if not value.held:
                del self.keys[name]

    @rule(word=st.sampled_from(["DEL", "UNLINK", "EXISTS", "TOUCH"]), given=st.lists(names, min_size=1, max_size=4))
    def delete_or_count(self, word: str, given: list[bytes]) -> None:
        reply = self.call(word, *given)
        counted = given if word in {"EXISTS", "TOUCH"} else set(given)
        assert reply == sum(name in self.keys for name in counted)
        if word in {"DEL", "UNLINK"}:
            for name in given:
                self.keys.pop(name, None)

    @rule(word=st.sampled_from(["RENAME", "RENAMENX"]), name=names, other=names)
    def rename(self, word: str, name: bytes, other: bytes) -> None:
        reply = self.call(word, name, other)
        if name not in self.keys:
            assert isinstance(reply, NoSuchKey)
        elif word == "RENAMENX" and other in self.keys:
            assert reply == 0
        else:
            assert reply == 1 or reply is OK
            self.keys[other] = self.keys.pop(name)

    @rule(name=names, other=names, index=databases, replace=st.booleans())
    def copy(self, name: bytes, other: bytes, index: int, replace: bool) -> None:
        reply = self.call("COPY", name, other, "DB", index, *["REPLACE"] * replace)
        if (self.index, name) == (index, other):
            assert isinstance(reply, SameObject)
        elif name not in self.keys or (other in self.all[index] and not replace):
            assert reply == 0
        else:
            assert reply == 1
            self.all[index][other] = copy.deepcopy(self.keys[name])

    @rule(name=names, index=databases)
    def move(self, name: bytes, index: int) -> None:
        reply = self.call("MOVE", name, index)
        if self.index == index:
            assert isinstance(reply, SameObject)
        elif name not in self.keys or name in self.all[index]:
            assert reply == 0
        else:
            assert reply == 1
            self.all[index][name] = self.keys.pop(name)

    @rule(name=names, in_s=seconds, given=conditions, milliseconds=st.booleans(), absolute=st.booleans())
    def expire(self, name: bytes, in_s: int, given: str, milliseconds: bool, absolute: bool) -> None:
        when_ms = in_s * 1000 + (self.now_ms if absolute else 0)
        word = ("P" if milliseconds else "") + ("EXPIREAT" if absolute else "EXPIRE")
        when = when_ms if milliseconds else when_ms // 1000
        expire_ms = (when if milliseconds else when * 1000) + (0 if absolute else self.now_ms)
        reply = self.call(word, name, when, *given.split())
        value = self.keys.get(name)
        holds = value is not None and all(
            {
                "NX": not value.expire_ms,
                "XX": bool(value.expire_ms),
                "GT": bool(value.expire_ms) and expire_ms > value.expire_ms,
                "LT": not value.expire_ms or expire_ms < value.expire_ms,
            }[condition]
            for condition in given.split()
        )
        assert reply == holds
        if value is not None and holds:
            value.expire_ms = expire_ms
            if expire_ms <= self.now_ms:
                del self.keys[name]

    @rule(name=names)
    def persist(self, name: bytes) -> None:
        reply = self.call("PERSIST", name)
        value = self.keys.get(name)
        assert reply == (value is not None and value.expire_ms > 0)
        if value is not None:
            value.expire_ms = 0

    @rule(mode=st.sampled_from(["FLUSHDB", "FLUSHALL"]))
    def flush(self, mode: str) -> None:
        assert self.call(mode) is OK
        for things in self.all if mode == "FLUSHALL" else [self.keys]:
            things.clear()

    @rule(first=databases, second=databases)
    def swap(self, first: int, second: int) -> None:
        assert self.call("SWAPDB", first, second) is OK
        self.all[first], self.all[second] = self.all[second], self.all[first]

    @rule(ms=st.integers(1, 10_000), active=st.booleans())
    def let_time_pass(self, ms: int, active: bool) -> None:
        self.room.clock.advance_ms(ms)
        if active:
            self.room.expire()
            self.call("PING")
            assert self.call("DBSIZE") == len(self.keys)

    @rule()
    def reclaim(self) -> None:
        self.room.reclaim()

    @rule(pattern=st.sampled_from([b"*", b"a*", b"a", b"n*", b"[ab]*", b"?"]), count=st.integers(1, 4))
    def list_names(self, pattern: bytes, count: int) -> None:
        found = self.call("KEYS", pattern)
        matches = compile_pattern(pattern)
        assert sorted(found) == sorted(name for name in self.keys if matches(name))
        cursor, scanned = self.call("SCAN", 0, "MATCH", pattern, "COUNT", count)
        while cursor != b"0":
            cursor, more = self.call("SCAN", cursor, "MATCH", pattern, "COUNT", count)
            scanned += more
        assert sorted(scanned) == sorted(found)
        assert self.call("RANDOMKEY") in (self.keys or {None})

    @invariant()
    def every_key_answers_as_the_model_has_it(self) -> None:
        for name in NAMES:
            left_ms = self.call("PTTL", name)
            value = self.keys.get(name)
            kind = self.call("TYPE", name).text
            if value is None:
                assert (left_ms, kind) == (-2, b"none")
                continue
            assert left_ms == (value.expire_ms - self.now_ms if value.expire_ms else -1)
            assert self.call("PEXPIRETIME", name) == (value.expire_ms or -1)
            if isinstance(value.held, bytes):
                assert kind == b"string"
                assert self.call("GET", name) == value.held
            else:
                assert kind == b"list"
                assert self.call("LRANGE", name, 0, -1) == value.held


TestKeys = KeysMachine.TestCase
TestKeys.settings = settings(stateful_step_count=40)
