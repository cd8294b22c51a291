"""An engine in a directory whose disk fails on demand, beside a plain dict that says what it must hold."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import lmdb
import pytest

from spoold.core.errors import WritesRefused
from spoold.engine import batch as batch_module
from spoold.engine import env as env_module
from spoold.engine.batch import Batch, NoRoom, Section
from spoold.engine.commit import Commit, JournalLog, Lost, open_commit
from spoold.engine.env import SYSTEM_FORMAT, SYSTEM_ID, SYSTEM_TURN
from spoold.engine.journal import HEADER_BYTES, NAMES, Journal

SYSTEM = {SYSTEM_FORMAT, SYSTEM_ID, SYSTEM_TURN}
LAST = b"\xff" * 8
SEGMENT = HEADER_BYTES + 16 * 1024


class TinyMap:
    """Environments begin with a map of a few pages, and the buffer is applied after a few mutations."""

    def __init__(self, map_bytes: int = 64 * 1024, buffer_mutations: int = 8) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(env_module, "FIRST_MAP_BYTES", map_bytes)
        self.patch.setattr(env_module, "HEADROOM_BYTES", 4096)
        self.patch.setattr(env_module, "MOST_COPIED_BYTES", 0)
        self.patch.setattr(batch_module, "BUFFER_MUTATIONS", buffer_mutations)

    def __enter__(self) -> TinyMap:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.patch.undo()


def state_of(batch: Batch) -> dict[bytes, bytes]:
    """All that the batch shows, the engine's own keys left out."""
    return {key: value for key, value in batch.scan(b"\0", LAST, 10**7) if key not in SYSTEM}


def apply_to(model: dict[bytes, bytes], sections: list[Section]) -> None:
    """What a batch means."""
    for section in sections:
        if isinstance(section, dict):
            for key, value in section.items():
                if value is None:
                    model.pop(key, None)
                else:
                    model[key] = value
        else:
            for key in [key for key in model if section[0] <= key < section[1]]:
                del model[key]


def bring_back(batch: Batch, durable: int, log: list[tuple[int, list[Section]]]) -> None:
    """Into a larger map, what was applied behind the turn `durable`: as `Commit.rebuild` does it."""
    batch.restoring = True
    while True:
        batch.restart(durable, larger=True)
        try:
            for turn, sections in log:
                if turn > durable:
                    batch.replay(turn, sections)
            batch.apply()
            break
        except NoRoom:
            continue
    batch.restoring = False


class Disk:
    """What the disk refuses at the moment.

    write_bytes: a write to the journal fails after so many bytes; None: it does not. sync, commit: those fail.
    """

    def __init__(self) -> None:
        self.write_bytes: int | None = None
        self.sync = False
        self.commit = False

    def heal(self) -> None:
        """It takes everything again."""
        self.write_bytes, self.sync, self.commit = None, False, False

    @property
    def fails(self) -> bool:
        return self.write_bytes is not None or self.sync or self.commit


class Rig:
    """A Commit on a failing disk. `model` holds what was acknowledged."""

    def __init__(
        self,
        directory: Path,
        durability: str = "always",
        segment_bytes: int = SEGMENT,
        *,
        tiny: bool = True,
        direct: bool = True,
    ) -> None:
        """direct: False sends all journal writes through the page cache, as where nothing else works."""
        self.home = directory
        self.durability = durability
        self.segment_bytes = segment_bytes
        self.disk = Disk()
        self.model: dict[bytes, bytes] = {}
        self.tiny = TinyMap() if tiny else None
        self._patch = pytest.MonkeyPatch()
        write_turn = batch_module.write_turn

        def failing_write_turn(txn: lmdb.Transaction, turn: int) -> None:
            if self.disk.commit:
                raise lmdb.DiskError("injected: no space left")
            write_turn(txn, turn)

        self._patch.setattr(batch_module, "write_turn", failing_write_turn)
        if not direct:
            self._patch.setattr(Journal, "_open_direct", lambda journal: False)
        self._opened = 0
        self.commit = self.open(directory / "0")

    def open(self, directory: Path) -> Commit:
        """Open a directory with the faults built in."""
        self.directory = directory
        commit = open_commit(directory, self.durability, self.segment_bytes)
        if isinstance(commit._log, JournalLog):
            journal = commit._log.journal
            write, sync = journal._write, journal.sync

            def failing_write(data: bytes, position: int) -> None:
                if self.disk.write_bytes is None:
                    write(data, position)
                    return
                write(data[: self.disk.write_bytes], position)
                raise OSError(errno.ENOSPC, "injected")

            def failing_sync() -> None:
                if self.disk.sync:
                    raise OSError(errno.EIO, "injected")
                sync()

            write_direct = journal._write_direct

            def failing_direct(head: bytes, batch: bytes) -> None:
                if self.disk.write_bytes is not None:
                    failing_write(head + batch, journal.position)
                write_direct(head, batch)
                if self.disk.sync:
                    raise OSError(errno.EIO, "injected")

            self._patch.setattr(journal, "_write", failing_write)
            self._patch.setattr(journal, "_write_direct", failing_direct)
            self._patch.setattr(journal, "sync", failing_sync)
            self._patch.setattr(commit._log, "sync", failing_sync)
        return commit

    @property
    def batch(self) -> Batch:
        return self.commit.batch

    def write(self, changes: dict[bytes, bytes | None], *ranges: tuple[bytes, bytes]) -> bool:
        """Run a turn that deletes the ranges and then makes the changes; returns whether it was acknowledged.

        Whatever the outcome, what can be read afterwards is what was acknowledged.
        """
        before = dict(self.model)
        turn = self.commit.turn
        batch = self.batch
        expected: list[Section] = []
        for start, stop in ranges:
            batch.delete_range(start, stop, 10_000)
            expected.append((start, stop))
        batch.fresh.update(changes)
        expected.append(changes)
        try:
            self.commit.commit_turn()
        except WritesRefused:
            self.commit.abort_turn()
            assert self.commit.turn >= turn
            assert state_of(self.batch) == before
            return False
        apply_to(self.model, expected)
        assert self.commit.turn > turn
        self.check()
        return True

    def check(self) -> None:
        """What can be read is what was acknowledged."""
        assert state_of(self.batch) == self.model

    def crash(self, *, after_copy: Callable[[Path], None] | None = None) -> None:
        """End without a farewell and start from what the disk has; everything acknowledged must be there."""
        copy = self.copy()
        self.commit.batch.close()
        self.commit._log.close()
        self.commit._env.close()
        if after_copy is not None:
            after_copy(copy)
        self.commit = self.open(copy)
        self.check()

    def copy(self) -> Path:
        """Copy what a start would find now."""
        self._opened += 1
        copy = self.home / str(self._opened)
        copy.mkdir()
        for name in ("data.mdb", *NAMES):
            if (self.directory / name).exists():
                shutil.copyfile(self.directory / name, copy / name)
        return copy

    def survivors(self) -> dict[bytes, bytes]:
        """What a start from the disk as it is now, on one that works, would show."""
        disk, self.disk = self.disk, Disk()
        try:
            commit = open_commit(self.copy(), "interval", self.segment_bytes)
            try:
                return state_of(commit.batch)
            finally:
                commit.close()
        finally:
            self.disk = disk

    def close(self) -> None:
        """Undo the faults and end."""
        self.disk.heal()
        try:
            self.commit.close()
        except Lost:
            pass
        finally:
            self._patch.undo()
            if self.tiny is not None:
                self.tiny.patch.undo()


def journal_of(rig: Rig) -> Journal:
    """The journal under a rig that is durable."""
    assert isinstance(rig.commit._log, JournalLog)
    return rig.commit._log.journal
