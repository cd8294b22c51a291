"""Turns, checkpoints, failures of the disk and crashes at random, against a dict."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.engine.rig import SEGMENT, Rig

from spoold.core.errors import WritesRefused

DURABILITIES = ["always", "interval", "memory"]

keys = st.integers(0, 40).map(lambda number: b"k%02d" % number)
values = st.binary(max_size=12) | st.sampled_from([500, 1500, 4000]).map(bytes)
changes = st.dictionaries(keys, st.none() | values, min_size=1, max_size=10)
ranges = st.lists(st.tuples(keys, keys), max_size=2)


class CommitMachine(RuleBasedStateMachine):
    """Turns, checkpoints and crashes on a disk that fails and heals; `Rig` compares with the model at each step."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="spoold-commit-"))

    @initialize(durability=st.sampled_from(DURABILITIES), segments=st.integers(1, 3))
    def start(self, durability: str, segments: int) -> None:
        self.rig = Rig(self.directory, durability, SEGMENT * segments)

    @rule(changes=changes, ranges=ranges)
    def turn(self, changes: dict[bytes, bytes | None], ranges: list[tuple[bytes, bytes]]) -> None:
        may_fail = self.rig.disk.fails or self.rig.commit.refusing
        assert self.rig.write(changes, *ranges) or may_fail

    @rule(number=st.integers(0, 20), size=st.sampled_from([12, 40]))
    def large_turn(self, number: int, size: int) -> None:
        may_fail = self.rig.disk.fails or self.rig.commit.refusing
        large: dict[bytes, bytes | None] = {b"k%02d" % at: bytes(3000) for at in range(number, number + size)}
        assert self.rig.write(large, (b"k05", b"k15")) or may_fail

    @rule(changes=changes)
    def aborted_turn(self, changes: dict[bytes, bytes | None]) -> None:
        self.rig.batch.fresh.update(changes)
        self.rig.batch.delete_range(b"k10", b"k20", 5)
        self.rig.commit.abort_turn()

    @rule()
    def checkpoint(self) -> None:
        try:
            self.rig.commit.checkpoint()
        except WritesRefused:
            assert self.rig.disk.commit
        else:
            assert not self.rig.commit.refusing

    @rule()
    def sync(self) -> None:
        try:
            self.rig.commit.sync_due()
        except WritesRefused:
            assert self.rig.disk.sync

    @rule()
    def rebuild(self) -> None:
        self.rig.commit.rebuild()

    @rule(written=st.sampled_from([0, 8, 16, 30, 200]))
    def fail_writes(self, written: int) -> None:
        self.rig.disk.write_bytes = written

    @rule()
    def fail_syncs(self) -> None:
        self.rig.disk.sync = True

    @rule()
    def fail_commits(self) -> None:
        self.rig.disk.commit = True

    @rule()
    def heal(self) -> None:
        self.rig.disk.heal()

    @rule()
    def crash(self) -> None:
        if self.rig.durability != "memory":
            self.rig.crash()

    @invariant()
    def what_can_be_read_is_what_was_acknowledged(self) -> None:
        if hasattr(self, "rig"):
            self.rig.check()

    def teardown(self) -> None:
        try:
            if hasattr(self, "rig"):
                self.rig.disk.heal()
                self.crash()
                self.rig.commit.checkpoint()
                assert self.rig.write({b"end": b"end"})
        finally:
            if hasattr(self, "rig"):
                self.rig.close()
            shutil.rmtree(self.directory)


TestCommitAgainstADict = CommitMachine.TestCase
TestCommitAgainstADict.settings = settings(stateful_step_count=40)
