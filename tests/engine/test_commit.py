"""Commits on a failing disk: nothing acknowledged is lost, nothing refused is applied, then or after a restart."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.engine.rig import SEGMENT, Rig, journal_of, state_of

from spoold.core.errors import EngineError, WritesRefused
from spoold.engine.batch import Batch, Section
from spoold.engine.commit import CHECKPOINT_BYTES, CHECKPOINT_MUTATIONS, Lost
from spoold.engine.journal import BLOCK_BYTES, NAMES

DURABILITIES = ["always", "interval", "memory"]


def fill(rig: Rig, prefix: bytes = b"fill") -> int:
    """Write until a turn is refused; returns how many were taken."""
    for number in range(1000):
        if not rig.write({prefix + b"%03d" % number: bytes(1000)}):
            return number
    raise AssertionError("never refused")


# -- without faults -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("durability", DURABILITIES)
def test_turns_checkpoints_and_segments_follow_each_other(new_rig: Callable[..., Rig], durability: str) -> None:
    rig = new_rig(durability)
    for number in range(100):
        assert rig.write({b"k%02d" % (number % 30): bytes(700), b"gone%d" % number: None}, (b"k05", b"k07"))
        if number % 20 == 0:
            rig.commit.checkpoint()
            assert not rig.commit.pending
    assert rig.commit.checkpoints > 5, "full segments lead to checkpoints of their own"


@pytest.mark.parametrize("durability", ["always", "interval"])
def test_a_crash_after_any_turn_loses_nothing(new_rig: Callable[..., Rig], durability: str) -> None:
    rig = new_rig(durability)
    for number in range(40):
        rig.write({b"k%02d" % number: bytes(900)}, (b"k%02d" % (number - 3), b"k%02d" % (number - 2)))
        rig.crash()


def test_a_clean_end_leaves_nothing_to_replay(rig: Rig) -> None:
    rig.write({b"k": b"v"})
    rig.commit.close()
    rig.commit = rig.open(rig.directory)
    assert rig.commit.replayed == 0
    rig.check()


def test_a_turn_that_wrote_nothing_appends_nothing(rig: Rig) -> None:
    turn = rig.commit.turn
    assert rig.commit.commit_turn() is False
    rig.batch.scan(b"a", b"z", 10)
    assert rig.commit.commit_turn() is False
    assert rig.commit.turn == turn
    assert not rig.commit.pending


def test_a_turn_number_is_acknowledged_once(rig: Rig) -> None:
    acknowledged = []
    for number in range(20):
        rig.disk.sync = number % 3 == 1
        if rig.write({b"k": b"%d" % number}):
            acknowledged.append(rig.commit.turn)
        if number % 4 == 3:
            rig.disk.heal()
            rig.crash()
    assert acknowledged == sorted(set(acknowledged))
    assert len(acknowledged) > 10


def test_a_checkpoint_is_due_by_bytes_and_by_mutations(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = rig.commit
    rig.write({b"k": b"v"})
    assert not commit.checkpoint_due
    commit.bytes_since_checkpoint = CHECKPOINT_BYTES - 1
    assert not commit.checkpoint_due
    commit.bytes_since_checkpoint = CHECKPOINT_BYTES
    assert commit.checkpoint_due
    commit.checkpoint()
    assert not commit.checkpoint_due
    rig.batch.applied = CHECKPOINT_MUTATIONS
    assert commit.checkpoint_due
    rig.disk.commit = True
    rig.write({b"k": b"w"})
    with pytest.raises(WritesRefused):
        commit.checkpoint()
    rig.batch.applied = CHECKPOINT_MUTATIONS
    assert not commit.checkpoint_due, "a disk that fails is not asked again after each turn"


def test_the_journal_counts_what_was_written_since_the_checkpoint(rig: Rig) -> None:
    rig.write({b"k": bytes(1000)})
    assert 1000 < rig.commit.bytes_since_checkpoint < 1100 + BLOCK_BYTES
    rig.commit.checkpoint()
    assert rig.commit.bytes_since_checkpoint == 0


# -- the journal fails ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", [0, 1, 16, 20, 40, 10_000])
def test_a_failed_append_is_refused_and_the_next_turn_goes_on(rig: Rig, written: int) -> None:
    rig.write({b"k1": b"before"})
    turn = rig.commit.turn
    rig.disk.write_bytes = written
    assert not rig.write({b"k1": b"refused", b"k2": b"refused"})
    assert rig.commit.turn == turn + 1, "its number is burned"
    assert "injected" in str(rig.commit.failing)
    if written < 10_000:
        assert rig.survivors() == rig.model
    rig.disk.heal()
    assert rig.write({b"k3": b"after"})
    assert rig.commit.failing is None
    rig.crash()


def test_a_failed_sync_is_refused_and_the_next_turn_goes_on_in_the_other_segment(rig: Rig) -> None:
    rig.write({b"k1": b"before"})
    before = [path.read_bytes() for path in map(rig.directory.joinpath, NAMES)]
    rig.disk.sync = True
    assert not rig.write({b"k1": b"refused"})
    assert rig.survivors() == rig.model
    rig.disk.heal()
    assert rig.write({b"k2": b"after"})
    rig.crash()
    after = [path.read_bytes() for path in map(rig.directory.joinpath, NAMES)]
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 2


def test_a_failed_first_record_of_a_segment_is_refused(rig: Rig) -> None:
    rig.write({b"k1": b"before"})
    rig.commit.checkpoint()
    rig.disk.sync = True
    assert not rig.write({b"k1": b"refused"})
    assert rig.survivors() == rig.model
    rig.disk.heal()
    assert rig.write({b"k2": b"after"})
    rig.crash()


def test_a_refused_turn_stays_dead_even_if_the_disk_brings_its_record_back(rig: Rig) -> None:
    """The record could not be synced, was blotted, and the blot was lost with the power one life later."""
    rig.write({b"k1": b"before"})
    rig.commit.checkpoint()  # a start begins the second segment, so that the one that follows stays as it is
    rig.write({b"k1": b"later"})
    rig.disk.sync = True
    blot = journal_of(rig).blot
    rig.commit._log.blot = lambda: None  # type: ignore[method-assign]
    assert not rig.write({b"k1": b"refused", b"k9": b"refused"})
    with_record = rig.copy()
    blot()
    rig.disk.heal()
    segment = (rig.directory / NAMES[journal_of(rig)._active]).name
    rig.crash()  # the next life finds the blot …
    rig.write({b"k2": b"acknowledged"})
    rig.crash(after_copy=lambda directory: shutil.copyfile(with_record / segment, directory / segment))


def test_writes_are_refused_while_neither_journal_nor_data_take_them(rig: Rig) -> None:
    rig.write({b"k1": b"before"})
    rig.disk.sync = rig.disk.commit = True
    assert not rig.write({b"k1": b"refused"})
    assert not rig.commit.refusing, "the next turn tries a checkpoint"
    assert not rig.write({b"k1": b"refused too"})
    assert rig.commit.refusing
    rig.disk.heal()
    assert not rig.write({b"k1": b"refused until a checkpoint has succeeded"})
    rig.commit.checkpoint()
    assert not rig.commit.refusing
    assert rig.commit.failing is None
    assert rig.write({b"k1": b"after"})
    rig.crash()


def test_an_interval_sync_that_fails_is_made_good_by_a_checkpoint(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig("interval")
    rig.write({b"k1": b"v"})
    rig.disk.sync = True
    with pytest.raises(WritesRefused):
        rig.commit.sync_due()
    durable = rig.commit.durable_turn
    rig.disk.heal()
    rig.commit.sync_due()
    assert rig.commit.durable_turn == durable, "a sync after a failed one proves nothing"
    assert rig.write({b"k2": b"v"})
    assert rig.commit.durable_turn > durable
    rig.crash()


def test_an_interval_sync_brings_the_journal_to_the_disk_once(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig("interval")
    rig.write({b"k1": b"v"})
    rig.commit.sync_due()
    rig.disk.sync = True
    rig.commit.sync_due()  # nothing to do


# -- LMDB's commit fails --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("durability", DURABILITIES)
def test_turns_go_on_while_checkpoints_fail_until_the_segment_is_full(
    new_rig: Callable[..., Rig], durability: str
) -> None:
    rig = new_rig(durability)
    rig.write({b"k1": b"before"})
    rig.disk.commit = True
    with pytest.raises(WritesRefused, match="checkpoint failed"):
        rig.commit.checkpoint()
    rig.check()
    assert fill(rig) > 9
    assert rig.commit.refusing
    if durability != "memory":
        assert rig.survivors() == rig.model
    rig.disk.heal()
    rig.commit.checkpoint()
    assert rig.write({b"k2": b"after"})
    rig.check()
    if durability != "memory":
        rig.crash()


def test_no_more_turns_are_taken_while_checkpoints_fail_than_one_lmdb_commit_may_hold(
    new_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else LMDB would write pages before the commit, and on a full disk neither a rebuild nor a start could go on."""
    monkeypatch.setattr("spoold.engine.commit.CHECKPOINT_MUTATIONS", 20)
    rig = new_rig("always", segment_bytes=1 << 20)
    rig.write({b"k1": b"before"})
    rig.disk.commit = True
    with pytest.raises(WritesRefused, match="checkpoint failed"):
        rig.commit.checkpoint()
    taken = 0
    while rig.write({b"k%02d" % taken: b"v"}):
        taken += 1
        assert taken < 100
    assert 10 < taken < 40
    assert rig.commit.refusing
    rig.check()
    assert rig.survivors() == rig.model
    rig.disk.heal()
    rig.commit.checkpoint()
    assert rig.write({b"k2": b"after"})
    rig.check()


def test_a_start_on_a_disk_that_takes_no_checkpoint_serves_reads(rig: Rig) -> None:
    rig.write({b"k1": b"v1"})
    rig.disk.commit = True
    rig.crash()
    assert rig.commit.refusing
    assert not rig.write({b"k2": b"refused"})
    assert rig.survivors() == rig.model
    rig.disk.heal()
    rig.commit.checkpoint()
    assert rig.write({b"k2": b"v2"})
    rig.crash()


def test_rebuilding_brings_back_all_turns_since_the_last_commit(rig: Rig) -> None:
    for number in range(10):
        rig.write({b"k%d" % number: bytes(500)}, (b"k2", b"k4"))
    rig.commit.rebuild()
    rig.check()
    rig.commit.checkpoint()
    rig.commit.rebuild()
    rig.check()


def test_a_turn_that_can_not_be_applied_counts_once_the_journal_has_it(new_rig: Callable[..., Rig]) -> None:
    """The map is full while the turn's batch is applied, behind its append: the journal has it, no commit is needed."""
    rig = new_rig(segment_bytes=SEGMENT * 30)
    size = rig.commit._env.map_bytes()
    rig.disk.commit = True
    for number in range(20):
        assert rig.write({b"k%02d%d" % (at, number): bytes(1200) for at in range(10)})
    assert rig.commit._env.map_bytes() > size
    assert rig.commit.failing is None
    rig.check()
    assert rig.survivors() == rig.model


def test_a_turn_whose_batch_is_lost_behind_its_append_is_brought_in_from_the_journal(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(batch: Batch, turn: int) -> None:
        batch.lost = True
        raise EngineError("injected")

    rig.write({b"k1": b"v1"})
    monkeypatch.setattr(Batch, "keep", lost)
    assert rig.write({b"k1": b"v2", b"k2": b"v2"}, (b"k0", b"k9"))
    monkeypatch.undo()
    assert rig.write({b"k3": b"v3"})
    rig.crash()


def test_a_turn_that_is_half_applied_behind_its_checkpoint_is_brought_in_from_the_journal(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = Batch.replay
    halves = 0

    def half(batch: Batch, turn: int, sections: list[Section]) -> None:
        nonlocal halves
        if not batch.restoring and len(sections) > 1:
            halves += 1
            replay(batch, turn, sections[:1])
            raise EngineError("injected")
        replay(batch, turn, sections)

    monkeypatch.setattr(Batch, "replay", half)
    for number in range(60):
        assert rig.write({b"k%02d" % number: bytes(900)}, (b"k%02d" % (number // 2), b"k%02d" % (number // 2 + 1)))
    assert halves
    monkeypatch.undo()
    rig.crash()


def test_replay_that_fails_is_the_end(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in memory then is no longer what was acknowledged, so no checkpoint may be made of it."""
    rig.write({b"k1": b"v1"})
    rig.commit.checkpoint()
    for number in range(2, 8):
        rig.write({b"k%d" % number: b"v"})

    def broken(after: int, upto: int | None) -> Any:
        yield from list(journal_of(rig).replay(after, upto))[:2]
        raise OSError(5, "injected")

    monkeypatch.setattr(rig.commit._log, "since", broken)
    rig.disk.commit = True
    with pytest.raises(Lost):
        rig.commit.checkpoint()
    rig.disk.heal()
    for work in (rig.commit.checkpoint, rig.commit.commit_turn, rig.commit.abort_turn):
        with pytest.raises(Lost):
            work()
    rig.commit.close()
    monkeypatch.undo()
    rig.commit = rig.open(rig.directory)
    rig.check()


def test_turns_missing_from_the_journal_are_the_end(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        rig.write({b"k%d" % number: b"v"})
    last = rig.commit.turn
    replay = journal_of(rig).replay
    monkeypatch.setattr(rig.commit._log, "since", lambda after, upto: replay(after, last - 2))
    with pytest.raises(Lost, match=f"turns {last - 1} to {last} are gone"):
        rig.commit.rebuild()


# -- turns larger than a segment ------------------------------------------------------------------------------------

HUGE: dict[bytes, bytes | None] = {b"huge%02d" % number: bytes(3000) for number in range(20)}


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_turn_larger_than_a_segment_is_durable(new_rig: Callable[..., Rig], durability: str) -> None:
    rig = new_rig(durability)
    for number in range(3):
        assert rig.write({b"k%d" % number: b"v"})
        assert rig.write(HUGE, (b"k0", b"k1"))
        assert rig.write({b"huge%02d" % number: None})
        if durability != "memory":
            assert rig.survivors() == rig.model
    if durability != "memory":
        rig.crash()
        assert rig.write(HUGE)  # the first turn of a life
        rig.crash()


def test_a_large_turn_whose_commit_fails_leaves_no_trace(rig: Rig) -> None:
    rig.write({b"k1": b"before", b"huge05": b"older"})
    rig.commit.checkpoint()
    turn = rig.commit.turn
    rig.disk.commit = True
    assert not rig.write(HUGE, (b"k0", b"k9"))
    assert rig.commit.turn == turn + 1, "its number is burned"
    assert rig.survivors() == rig.model
    assert not rig.write({b"k2": b"refused"})
    rig.disk.heal()
    rig.commit.checkpoint()
    assert rig.write(HUGE, (b"k0", b"k9"))
    assert rig.survivors() == rig.model
    rig.crash()


def test_a_large_turn_that_meets_the_end_of_the_map_and_then_fails_leaves_no_part_of_itself(
    new_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Growth commits what the transaction holds: for a turn that no log has, that would be half a turn."""
    rig = new_rig(segment_bytes=SEGMENT)
    rig.write({b"k1": b"before"})
    large: dict[bytes, bytes | None] = {b"huge%03d" % number: bytes(3000) for number in range(200)}
    commits = 0
    real = Batch._commits_whole

    def failing(self: Any, turn: int, sections: Any) -> bool:
        nonlocal commits
        commits += 1
        rig.disk.commit = commits > 1
        return real(self, turn, sections)

    monkeypatch.setattr(Batch, "_commits_whole", failing)
    assert not rig.write(large)
    assert commits > 1, "the map was full"
    rig.disk.heal()
    assert rig.survivors() == rig.model
    monkeypatch.undo()


# -- real failures of the file system -------------------------------------------------------------------------------


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Writes behind `size` bytes of any file fail, as they do on a full disk. Python ignores the signal."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_lmdb_really_fails_and_recovers(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig(segment_bytes=SEGMENT * 2, tiny=False)
    rig.write({b"k1": b"before"})
    rig.commit.checkpoint()
    size = (rig.directory / "data.mdb").stat().st_size
    with files_up_to(max(size, SEGMENT * 2) + 4096):
        taken = fill(rig)
        assert taken > 20
        assert rig.commit.refusing
        assert state_of(rig.batch) == rig.model
        assert not rig.write(HUGE)
    assert rig.survivors() == rig.model
    rig.commit.checkpoint()
    assert rig.write({b"k2": b"after"})
    rig.crash()
