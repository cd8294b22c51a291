"""The batch over LMDB against a plain dict: whatever is put, deleted, scanned, kept, aborted or brought back.

The map of these tests is so small that it is full all the time, in the middle of each kind of operation.
"""

from __future__ import annotations

import shutil
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.engine.rig import TinyMap, apply_to, bring_back, state_of

from spoold.core.errors import EngineError
from spoold.engine import batch as batch_module
from spoold.engine.batch import Batch, Section, walk
from spoold.engine.env import Environment

keys = st.integers(0, 60).map(lambda number: b"k%02d" % number)
values = st.binary(max_size=12) | st.sampled_from([1500, 3000, 4500, 9000]).map(bytes)
mutations = st.dictionaries(keys, st.none() | values, min_size=1, max_size=12)


class BatchMachine(RuleBasedStateMachine):
    """`committed` is the model of all kept turns, `current` of the open turn; `log` has the kept turns."""

    def __init__(self) -> None:
        super().__init__()
        self.tiny = TinyMap()
        self.directory = Path(tempfile.mkdtemp(prefix="spoold-batch-"))
        self.opened = 0

    @initialize()
    def start(self) -> None:
        self.committed: dict[bytes, bytes] = {}
        self.current: dict[bytes, bytes] = {}
        self.turn = self.durable = 0
        self.log: list[tuple[int, list[Section]]] = []
        self._open(self.directory / "0")

    def _open(self, directory: Path) -> None:
        self.env = Environment(directory, synced=False)
        self.batch = Batch(self.env)
        self.batch.on_commit = self._note_commit
        self.batch.recover = self._recover

    def _recover(self, reason: str | None) -> None:
        """The map was full to the last page."""
        assert reason is None
        bring_back(self.batch, self.durable, self.log)

    def _note_commit(self, turn: int) -> None:
        assert turn <= self.turn
        self.durable = turn

    # -- the open turn

    @rule(key=keys, value=values)
    def put(self, key: bytes, value: bytes) -> None:
        self.batch.put(key, value)
        self.current[key] = value

    @rule(changes=mutations)
    def write_directly(self, changes: dict[bytes, bytes | None]) -> None:
        self.batch.fresh.update(changes)
        apply_to(self.current, [changes])

    @rule(key=keys)
    def delete(self, key: bytes) -> None:
        self.batch.delete(key)
        self.current.pop(key, None)

    @rule(start=keys, stop=keys, limit=st.integers(1, 30))
    def delete_range(self, start: bytes, stop: bytes, limit: int) -> None:
        expected = sorted(key for key in self.current if start <= key < stop)[:limit]
        assert self.batch.delete_range(start, stop, limit) == len(expected)
        for key in expected:
            del self.current[key]

    @rule(key=keys)
    def get(self, key: bytes) -> None:
        assert self.batch.get(key) == self.current.get(key)

    @rule(start=keys, stop=keys, limit=st.integers(1, 30), reverse=st.booleans())
    def scan(self, start: bytes, stop: bytes, limit: int, reverse: bool) -> None:
        expected = sorted((pair for pair in self.current.items() if start <= pair[0] < stop), reverse=reverse)[:limit]
        assert self.batch.scan(start, stop, limit, reverse=reverse) == expected
        every = sorted((pair for pair in self.current.items() if start <= pair[0] < stop), reverse=reverse)
        assert list(walk(self.batch, start, stop, max(limit, 1), reverse=reverse)) == every
        assert list(walk(self.batch, start, stop, 7, first=max(limit, 1), reverse=reverse)) == every

    @rule(start=keys, stop=keys, limit=st.integers(1, 30))
    def scan_keys(self, start: bytes, stop: bytes, limit: int) -> None:
        expected = sorted(key for key in self.current if start <= key < stop)[:limit]
        assert self.batch.scan_keys(start, stop, limit) == expected

    # -- its end

    @rule()
    def keep(self) -> None:
        sections = self.batch.sections()
        assert bool(sections) == self.batch.written
        if sections:
            self.turn += 1
            self.log.append((self.turn, [dict(s) if isinstance(s, dict) else s for s in sections]))
            self.batch.keep(self.turn)
            expected = dict(self.committed)
            apply_to(expected, sections)
            assert expected == self.current, "the batch says what the turn did"
        self.committed = dict(self.current)

    @rule()
    def abort(self) -> None:
        self.batch.abort()
        self.current = dict(self.committed)

    # -- between turns

    def _end_turn(self) -> None:
        self.batch.abort()
        self.current = dict(self.committed)

    @rule()
    def checkpoint(self) -> None:
        self._end_turn()
        self.batch.commit(self.turn)
        assert self.durable == self.turn

    @rule()
    def apply(self) -> None:
        self._end_turn()
        self.batch.apply()

    @rule(changes=mutations, start=keys, stop=keys)
    def commit_alone(self, changes: dict[bytes, bytes | None], start: bytes, stop: bytes) -> None:
        self.checkpoint()
        sections: list[Section] = [(start, stop), changes]
        self.turn += 1
        self.batch.commit_alone(self.turn, sections)
        apply_to(self.committed, sections)
        self.current = dict(self.committed)
        assert self.durable == self.turn

    @rule()
    def restart(self) -> None:
        """The transaction is gone: bring the turns behind the last commit back."""
        self._end_turn()
        self.batch.restart(self.durable)
        self._replay()

    @rule()
    def crash(self) -> None:
        """Open what is on the disk now; the log has the rest."""
        self.opened += 1
        copy = self.directory / str(self.opened)
        copy.mkdir()
        shutil.copyfile(self.env.directory / "data.mdb", copy / "data.mdb")
        self.batch.close()
        self.env.close()
        self._open(copy)
        assert self.env.turn == self.durable
        self.current = dict(self.committed)
        self._replay()

    def _replay(self) -> None:
        for turn, sections in self.log:
            if turn > self.durable:
                self.batch.replay(turn, sections)

    @invariant()
    def a_key_is_what_the_model_says(self) -> None:
        if hasattr(self, "batch"):
            assert self.batch.get(b"k30") == self.current.get(b"k30")

    @precondition(lambda self: self.turn % 4 == 0)
    @rule()
    def everything_is_what_the_model_says(self) -> None:
        assert state_of(self.batch) == self.current

    def teardown(self) -> None:
        try:
            if hasattr(self, "batch"):
                assert state_of(self.batch) == self.current
                self.batch.close()
                self.env.close()
        finally:
            self.tiny.__exit__(None, None, None)
            shutil.rmtree(self.directory)


TestBatchAgainstADict = BatchMachine.TestCase
TestBatchAgainstADict.settings = settings(stateful_step_count=60)


# -- the map is full in the middle of … --------------------------------------------------------------------------------

LARGE = bytes(9000)


class Opened:
    """A batch whose map of 16 pages is nearly full at once."""

    def __init__(self, directory: Path) -> None:
        self.env = Environment(directory, synced=False)
        self.batch = Batch(self.env)
        self.first_map = self.env.map_bytes()
        self.log: list[tuple[int, list[Section]]] = []
        self.durable = self.env.turn
        self.batch.on_commit = lambda turn: setattr(self, "durable", turn)
        self.batch.recover = lambda reason: bring_back(self.batch, self.durable, self.log)

    def kept(self, turn: int, changes: dict[bytes, bytes | None]) -> None:
        self.batch.fresh.update(changes)
        self.keep(turn)

    def keep(self, turn: int) -> None:
        self.log.append((turn, self.batch.sections()))
        assert self.log[-1][1]
        self.batch.keep(turn)

    def replay(self, turn: int, sections: list[Section]) -> None:
        self.log.append((turn, sections))
        self.batch.replay(turn, sections)

    @property
    def has_grown(self) -> bool:
        return self.env.map_bytes() > self.first_map


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    with TinyMap(buffer_mutations=1000):
        yield Opened(tmp_path)


def large(*numbers: int) -> dict[bytes, bytes | None]:
    return {b"k%02d" % number: LARGE for number in numbers}


def test_a_scan_makes_room_for_kept_turns(opened: Opened) -> None:
    opened.kept(1, large(*range(20)))
    assert len(opened.batch.scan(b"k", b"l", 100)) == 20
    assert opened.has_grown


def test_a_scan_makes_room_for_the_open_turn(opened: Opened) -> None:
    opened.kept(1, large(1, 2))
    opened.batch.fresh.update(large(*range(3, 20)))
    assert len(opened.batch.scan(b"k", b"l", 100)) == 19
    assert opened.has_grown
    opened.batch.abort()
    assert state_of(opened.batch) == large(1, 2)


def test_the_open_turn_is_done_again_in_the_larger_map_in_its_order(opened: Opened) -> None:
    batch = opened.batch
    opened.kept(1, large(1, 2))
    batch.put(b"k01", b"first")
    assert batch.delete_range(b"k02", b"k09", 10) == 1
    batch.put(b"k02", b"after the range")
    batch.scan(b"a", b"b", 1)
    batch.fresh.update(large(*range(10, 40)))
    batch.scan(b"a", b"b", 1)
    assert opened.has_grown
    expected = {b"k01": b"first", b"k02": b"after the range", **large(*range(10, 40))}
    assert state_of(batch) == expected
    assert batch.sections()
    batch.keep(2)
    assert state_of(batch) == expected


def test_a_range_delete_makes_room(opened: Opened) -> None:
    """Each delete of one key copies a page of its own."""
    batch = opened.batch
    opened.kept(1, {b"k%04d" % number: bytes(1500) for number in range(60)})
    batch.commit(1)
    opened.first_map = opened.env.map_bytes()
    for number in range(0, 60, 2):
        assert batch.delete_range(b"k%04d" % number, b"l", 1) == 1
    assert opened.has_grown
    assert batch.scan_keys(b"k", b"l", 100) == [b"k%04d" % number for number in range(1, 60, 2)]
    assert len(batch.sections()) == 30


def test_the_end_of_a_turn_makes_room(opened: Opened) -> None:
    batch = opened.batch
    batch.put(b"k99", b"")
    batch.scan(b"a", b"b", 1)  # opens the child
    batch.fresh.update(large(*range(30)))
    assert len(batch.sections()) == 2
    assert opened.has_grown
    batch.keep(1)
    assert len(state_of(batch)) == 31


def test_a_checkpoint_makes_room(opened: Opened) -> None:
    opened.kept(1, large(*range(30)))
    opened.batch.commit(1)
    assert opened.has_grown
    assert len(state_of(opened.batch)) == 30


def test_a_replayed_turn_makes_room(opened: Opened) -> None:
    opened.replay(1, [large(*range(30)), (b"k05", b"k08"), large(*range(30, 60))])
    assert len(state_of(opened.batch)) == 57
    assert opened.has_grown


def test_a_turn_committed_alone_is_whole_in_the_larger_map(opened: Opened) -> None:
    batch = opened.batch
    opened.kept(1, large(1))
    batch.commit(1)
    commits: list[int] = []
    batch.on_commit = commits.append
    batch.commit_alone(2, [large(*range(20, 60)), (b"k00", b"k10"), large(5)])
    assert commits == [2], "no part of it was committed before"
    assert opened.has_grown
    assert state_of(batch) == {**large(*range(20, 60)), **large(5)}


def test_growth_commits_whole_turns_only(tmp_path: Path) -> None:
    """What a crash right behind a growth of the map finds is the state after some turn, never in the middle of one."""
    with TinyMap(buffer_mutations=1000):
        opened = Opened(tmp_path / "data")
        batch = opened.batch
        states = [{}]
        seen: list[int] = []

        def note(turn: int) -> None:
            seen.append(turn)
            opened.durable = turn

        batch.on_commit = note
        for turn in range(1, 40):
            batch.put(b"a%02d" % turn, b"x")
            batch.scan(b"a", b"b", 1)  # a part of the turn is in the child
            batch.put(b"k%02d" % turn, LARGE)
            opened.keep(turn)
            states.append(state_of(batch))
            if seen:
                copy = tmp_path / f"copy{turn}"
                copy.mkdir()
                shutil.copyfile(tmp_path / "data" / "data.mdb", copy / "data.mdb")
                env = Environment(copy, synced=False)
                assert env.turn == seen[-1]
                found = Batch(env)
                assert state_of(found) == states[env.turn]
                found.close()
                env.close()
                seen.clear()
        assert opened.has_grown


def test_a_full_map_that_can_not_be_committed_either_is_brought_back_from_the_log(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = opened.batch
    log: list[tuple[int, list[Section]]] = [(1, [large(1, 2)]), (2, [{b"k03": b"three"}])]
    for turn, sections in log:
        batch.replay(turn, sections)
    reasons: list[str | None] = []

    def recover(reason: str | None) -> None:
        reasons.append(reason)
        batch.restart(0, larger=True)
        for turn, sections in log:
            batch.replay(turn, sections)
        batch.apply()

    def full(txn: lmdb.Transaction, turn: int) -> None:
        raise lmdb.MapFullError("injected")

    batch.recover = recover
    monkeypatch.setattr(batch_module, "write_turn", full)
    batch.put(b"k50", b"open turn")
    batch.scan(b"a", b"b", 1)
    batch.fresh.update(large(*range(51, 90)))
    batch.scan(b"a", b"b", 1)
    assert reasons
    assert set(reasons) == {None}
    assert state_of(batch) == {**large(1, 2, *range(51, 90)), b"k03": b"three", b"k50": b"open turn"}
    batch.abort()
    assert state_of(batch) == {**large(1, 2), b"k03": b"three"}


# -- the environment ------------------------------------------------------------------------------------------------


def test_data_that_is_larger_than_the_first_map_can_be_opened_and_written(tmp_path: Path) -> None:
    with TinyMap():
        opened = Opened(tmp_path)
        for turn in range(1, 31):
            opened.kept(turn, large(turn))
        opened.batch.commit(30)
        opened.batch.close()
        opened.env.close()
        again = Opened(tmp_path)
        assert again.env.turn == 30
        again.kept(31, large(*range(40, 60)))
        again.batch.commit(31)
        assert len(state_of(again.batch)) == 50


def test_no_more_address_space_is_an_error_and_nothing_is_touched_behind_it(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refuses:
        """An LMDB environment that can't be mapped again."""

        def __init__(self, real: lmdb.Environment) -> None:
            self.info, self.stat, self.begin, self.reader_check = real.info, real.stat, real.begin, real.reader_check

        def set_mapsize(self, size: int) -> None:
            raise lmdb.MemoryError("injected")

    monkeypatch.setattr(opened.env, "env", Refuses(opened.env.env))
    opened.kept(1, large(*range(30)))
    with pytest.raises(EngineError, match=r"is not mapped|no map of"):
        opened.batch.commit(1)
    assert opened.batch.lost
    with pytest.raises(EngineError, match="is not mapped"):
        opened.batch.restart(0)


def test_a_damaged_page_breaks_one_turn_and_not_the_next(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """LMDB gives up the transaction that met the page; the next one reads all that is sound."""
    opened.kept(1, {b"k%04d" % number: bytes(900) for number in range(40)})
    opened.batch.commit(1)
    opened.batch.close()
    opened.env.close()
    path = opened.env.directory / "data.mdb"
    data = bytearray(path.read_bytes())
    at = data.index(b"k0030") // 4096 * 4096
    data[at : at + 4096] = bytes(4096)
    path.write_bytes(bytes(data))
    batch = Opened(opened.env.directory).batch
    with pytest.raises(lmdb.Error):
        batch.get(b"k0030")
    batch.abort()
    assert batch.lost
    batch.restart(1)
    assert batch.get(b"k0001") == bytes(900)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_of_a_small_range_does_not_read_its_large_neighbours(opened: Opened, reverse: bool) -> None:
    value = bytes(100_000)
    for number in range(300):
        opened.batch.put(b"k%03d" % number, b"small" if 148 < number < 152 else value)
    opened.batch.scan(b"a", b"b", 1)
    tracemalloc.start()
    try:
        assert len(opened.batch.scan(b"k149", b"k152", 1000, reverse=reverse)) == 3
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
