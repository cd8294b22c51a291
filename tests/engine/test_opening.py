"""Opening a directory: files that belong together or not, damage, other sizes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.engine.rig import SEGMENT, Rig, journal_of, state_of

from spoold.core.errors import EngineError
from spoold.engine.commit import Commit, open_commit
from spoold.engine.journal import NAMES


def test_a_journal_without_its_data_is_refused(rig: Rig) -> None:
    rig.write({b"k": b"v"})
    copy = rig.copy()
    (copy / "data.mdb").unlink()
    with pytest.raises(EngineError, match="belongs to another database"):
        open_commit(copy, "always", SEGMENT)


def test_older_data_under_a_newer_journal_is_refused(rig: Rig) -> None:
    older = rig.copy()
    for _ in range(3):
        rig.write({b"k": b"v"})
        rig.commit.checkpoint()
    rig.write({b"k": b"v"})
    newer = rig.copy()
    shutil.copyfile(older / "data.mdb", newer / "data.mdb")
    with pytest.raises(EngineError, match="do not belong together"):
        open_commit(newer, "always", SEGMENT)


def test_damage_is_logged_and_the_turns_before_it_are_served(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(6):
        rig.write({b"k%d" % number: b"value"})

    def damage(directory: Path) -> None:
        path = directory / NAMES[journal_of(rig)._active]
        data = bytearray(path.read_bytes())
        data[data.index(b"k3value")] ^= 1
        path.write_bytes(bytes(data))
        for number in range(3, 6):
            del rig.model[b"k%d" % number]

    active = journal_of(rig)._active
    rig.crash(after_copy=damage)
    assert any("is damaged" in message for message in caplog.messages)
    assert (rig.directory / (NAMES[active] + ".damaged")).exists()
    assert rig.write({b"k3": b"new"})
    caplog.clear()
    rig.crash()
    assert not any("is damaged" in message for message in caplog.messages)


def test_the_journal_may_be_made_larger_and_smaller_between_starts(rig: Rig) -> None:
    for size in (SEGMENT * 4, SEGMENT, SEGMENT * 2, 1, SEGMENT):
        for number in range(12):
            assert rig.write({b"k%d" % number: b"%d" % size})
        rig.segment_bytes = size
        rig.crash()


def test_opening_failures_let_go_of_the_directory(rig: Rig) -> None:
    rig.write({b"k": b"v"})
    copy = rig.copy()
    (copy / NAMES[0]).rename(copy / "kept")
    (copy / NAMES[0]).mkdir()
    with pytest.raises(EngineError):
        open_commit(copy, "always", SEGMENT)
    (copy / NAMES[0]).rmdir()
    (copy / "kept").rename(copy / NAMES[0])
    commit: Commit = open_commit(copy, "always", SEGMENT)
    assert state_of(commit.batch) == rig.model
    commit.close()
