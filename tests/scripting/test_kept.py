"""Scripts and libraries outlive the server, a rolled-back turn forgets them, and only so many of EVAL are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from spoold.core.errors import CommandError, Misconf
from spoold.core.script_errors import NoScript
from spoold.scripting import scripts as scripts_module
from spoold.scripting.scripts import Scripts
from support.room import Room

LIBRARY = "#!lua name=%s\nredis.register_function('%s', function(keys, args) return '%s' end)"


def digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def again(path: Path) -> Callable[[], Room]:
    """Open the same data once more."""
    return lambda: Room(path, "always")


def test_scripts_survive_a_restart_however_they_came(tmp_path: Path) -> None:
    open_ = again(tmp_path)
    with open_() as room:
        assert room("SCRIPT", "LOAD", "return 'loaded'") == digest("return 'loaded'").encode()
        assert room("EVAL", "return 'evaluated'", 0) == b"evaluated"
    with open_() as room:
        assert room("EVALSHA", digest("return 'loaded'"), 0) == b"loaded"
        assert room("EVALSHA", digest("return 'evaluated'").upper(), 0) == b"evaluated"
        assert room("SCRIPT", "EXISTS", digest("return 'loaded'"), "x" * 40) == [1, 0]
        room("SCRIPT", "FLUSH")
    with open_() as room:
        assert isinstance(room("EVALSHA", digest("return 'loaded'"), 0), NoScript)
        assert len(room.parts.get(Scripts)) == 0
        assert room.state().keys() & {key for key in room.state() if key.startswith(b"p")} == set()


def test_libraries_survive_a_restart_in_their_order(tmp_path: Path) -> None:
    open_ = again(tmp_path)
    with open_() as room:
        for name in ("zoo", "bar", "abc"):
            assert room("FUNCTION", "LOAD", LIBRARY % (name, "f_" + name, name)) == name.encode()
        room("FUNCTION", "DELETE", "bar")
        room("FLUSHALL")
    with open_() as room:
        assert [each[b"library_name"] for each in room("FUNCTION", "LIST")] == [b"zoo", b"abc"]
        assert room("FCALL", "F_ABC", 0) == b"abc"
        room("FUNCTION", "LOAD", "REPLACE", LIBRARY % ("zoo", "other", "new"))
    with open_() as room:
        assert room("FCALL", "other", 0) == b"new"
        assert isinstance(room("FCALL", "f_zoo", 0), CommandError)
        room("FUNCTION", "FLUSH")
        assert room("FUNCTION", "LIST") == []


def test_a_script_that_is_known_writes_nothing(room: Room) -> None:
    room("EVAL", "return 1", 0)
    before = room.state()
    room("EVAL", "return 1", 0)
    room("SCRIPT", "EXISTS", digest("return 1"))
    assert room.state() == before


def test_a_turn_that_is_rolled_back_takes_its_scripts_with_it(room: Room) -> None:
    room("SCRIPT", "LOAD", "return 'old'")
    room("FUNCTION", "LOAD", LIBRARY % ("old", "old", "old"))
    room.turn.begin()
    ctx = room.session.ctx
    table = room.table
    for words in (["SCRIPT", "FLUSH"], ["SCRIPT", "LOAD", "return 'new'"], ["FUNCTION", "FLUSH"]):
        entry = table.find(words[0].encode())
        assert entry is not None
        entry.handler(ctx, *[word.encode() for word in words[1:]])
    room.commit.abort_turn()
    room.dbs.rollback()
    room.turn.open = False
    assert room("SCRIPT", "EXISTS", digest("return 'old'"), digest("return 'new'")) == [1, 0]
    assert room("EVALSHA", digest("return 'old'"), 0) == b"old"
    assert isinstance(room("EVALSHA", digest("return 'new'"), 0), NoScript)
    assert room("FCALL", "old", 0) == b"old"


def test_only_so_many_scripts_of_eval_are_kept(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts_module, "EVAL_SCRIPTS", 10)
    room("SCRIPT", "LOAD", "return 'loaded'")
    room("EVAL", "return 'busy'", 0)
    for number in range(100):
        room("EVAL", f"return {number}", 0)
        room("EVALSHA", digest("return 'busy'"), 0)
    assert len(room.parts.get(Scripts)) == 11
    exists = room("SCRIPT", "EXISTS", digest("return 'loaded'"), digest("return 'busy'"), digest("return 0"))
    assert exists == [1, 1, 0]
    assert room("EVALSHA", digest("return 99"), 0) == 99


def test_large_scripts_of_eval_are_bounded_together(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts_module, "EVAL_BYTES", 10_000)
    for number in range(20):
        room("EVAL", f"return {number} --" + "x" * 1000, 0)
    assert room.parts.get(Scripts).stored_bytes <= 10_000
    assert room("SCRIPT", "EXISTS", digest("return 19 --" + "x" * 1000)) == [1]


def test_compiled_scripts_that_were_dropped_are_compiled_again(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts_module, "COMPILED_SCRIPTS", 4)
    shas = [room("SCRIPT", "LOAD", f"return {number}") for number in range(20)]
    assert len(room.parts.get(Scripts).compiled) == 4
    assert [room("EVALSHA", sha, 0) for sha in shas] == list(range(20))


def test_a_loaded_script_that_eval_knew_is_not_dropped(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts_module, "EVAL_SCRIPTS", 2)
    room("EVAL", "return 'first'", 0)
    room("SCRIPT", "LOAD", "return 'first'")
    for number in range(9):
        room("EVAL", f"return {number}", 0)
    assert room("SCRIPT", "EXISTS", digest("return 'first'")) == [1]


def test_a_disk_that_refuses_does_not_keep_scripts_from_running(room: Room) -> None:
    scripts = room.parts.get(Scripts)
    room.dbs.read_only = True
    script = scripts.of(b"return 5")
    scripts.keep(script, b"return 5")
    assert room.scripts.script(room.session.ctx, script.sha, script.chunk, 0, (), read_only=False) == 5
    with pytest.raises(Misconf):
        scripts.load(b"return 6")
    assert len(scripts) == 0
    room.dbs.read_only = False
    assert room("EVAL", "return 5", 0) == 5
    assert len(scripts) == 1


BODIES = ["return 1", "return 2", "return 'three'", "return 4"]
RESULTS: dict[str, Any] = {"return 1": 1, "return 2": 2, "return 'three'": b"three", "return 4": 4}
NAMES = ["a", "b", "c"]


class Machine(RuleBasedStateMachine):
    """Scripts and libraries against two dicts, through restarts and turns that are rolled back."""

    path: Path

    @initialize()
    def begin(self) -> None:
        self.room = Room(self.path, "always")
        self.room("SCRIPT", "FLUSH")
        self.room("FUNCTION", "FLUSH")
        self.scripts: set[str] = set()
        self.libraries: dict[str, str] = {}

    @rule(body=st.sampled_from(BODIES), load=st.booleans())
    def know(self, body: str, load: bool) -> None:
        if load:
            assert self.room("SCRIPT", "LOAD", body) == digest(body).encode()
        else:
            assert self.room("EVAL", body, 0) == RESULTS[body]
        self.scripts.add(body)

    @rule(body=st.sampled_from(BODIES))
    def run(self, body: str) -> None:
        reply = self.room("EVALSHA", digest(body), 0)
        assert reply == RESULTS[body] if body in self.scripts else isinstance(reply, NoScript)

    @rule()
    def flush_scripts(self) -> None:
        self.room("SCRIPT", "FLUSH")
        self.scripts.clear()

    @rule(name=st.sampled_from(NAMES), function=st.sampled_from(NAMES), replace=st.booleans())
    def load(self, name: str, function: str, replace: bool) -> None:
        taken = any(other != name and had == function for other, had in self.libraries.items())
        words = ["REPLACE"] if replace else []
        reply = self.room("FUNCTION", "LOAD", *words, LIBRARY % (name, function, name))
        if taken or (name in self.libraries and not replace):
            assert isinstance(reply, CommandError)
        else:
            assert reply == name.encode()
            self.libraries.pop(name, None)
            self.libraries[name] = function

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        reply = self.room("FUNCTION", "DELETE", name)
        assert isinstance(reply, CommandError) is (self.libraries.pop(name, None) is None)

    @rule(policy=st.sampled_from(["FLUSH", "REPLACE"]))
    def dump_and_restore(self, policy: str) -> None:
        self.room("FUNCTION", "RESTORE", self.room("FUNCTION", "DUMP"), policy)

    @rule()
    def restart(self) -> None:
        self.room.__exit__(None, None, None)
        self.room = Room(self.path, "always")

    @rule()
    def roll_back(self) -> None:
        self.room.turn.begin()
        for words in ([b"SCRIPT", b"FLUSH"], [b"FUNCTION", b"FLUSH"]):
            entry = self.room.table.find(words[0])
            assert entry is not None
            entry.handler(self.room.session.ctx, words[1])
        self.room.commit.abort_turn()
        self.room.dbs.rollback()
        self.room.turn.open = False

    @invariant()
    def same(self) -> None:
        if not hasattr(self, "room"):
            return
        exist = self.room("SCRIPT", "EXISTS", *map(digest, BODIES))
        assert exist == [int(body in self.scripts) for body in BODIES]
        assert {each[b"library_name"].decode() for each in self.room("FUNCTION", "LIST")} == set(self.libraries)
        for name, function in self.libraries.items():
            assert self.room("FCALL", function, 0) == name.encode()

    def teardown(self) -> None:
        if hasattr(self, "room"):
            self.room.__exit__(None, None, None)


def test_machine(tmp_path_factory: pytest.TempPathFactory) -> None:
    Machine.path = tmp_path_factory.mktemp("scripts")
    case = Machine.TestCase
    case.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
    case().runTest()
