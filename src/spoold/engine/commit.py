"""How a turn's batch becomes a promise, and when the promise moves from the journal into LMDB.

    always    append and sync, then acknowledge
    interval  append, acknowledge, sync every interval (the ticker calls `sync_due`)
    memory    acknowledge; the batches since the last checkpoint are kept in memory, so that a failed LMDB commit
              can be redone

A **checkpoint** applies all turns to LMDB, commits it and begins the other journal segment. Failures:

    append or sync fails   the turn is rolled back; its number is burned; the segment is not trusted again: writes are
                           refused until a checkpoint has put all acknowledged turns into LMDB
    LMDB commit fails      the transaction is lost: a new one is opened and the journal's turns since the last
                           checkpoint are applied to it again; turns go on until the segment is full, then are refused
    redo fails             nothing can be trusted in memory: `Lost` is raised and the server must stop; the next start
                           replays the journal

Invariant: the turn number stored in LMDB is `durable_turn`, and the log holds every acknowledged turn behind it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from spoold.core.crashpoints import reached
from spoold.core.errors import EngineError, WritesRefused
from spoold.engine.batch import Batch, Section
from spoold.engine.env import Environment
from spoold.engine.journal import SEGMENT_BYTES, Journal, JournalFull

log = logging.getLogger("spoold.engine")

# Bounds what one LMDB commit writes: at most this many pages of leaves and their branches become dirty, which is
# well below LMDB's limit of 131,072 pages for one transaction.
CHECKPOINT_MUTATIONS: Final = 65_536
# The journal's bytes since the last checkpoint after which the next one is due.
CHECKPOINT_BYTES: Final = 16 * 1024 * 1024
CHECKPOINT_AFTER_S: Final = 1.0


class Lost(EngineError):
    """The state in memory can't be rebuilt while running; only a restart can."""


class TurnLog(Protocol):
    """Where committed batches stand until a checkpoint covers them."""

    def append(self, turn: int, sections: list[Section]) -> int:
        """Keep the batch; returns its size. raises: JournalFull, OSError."""
        ...

    def since(self, after: int, upto: int) -> Iterable[tuple[int, list[Section]]]:
        """The batches of the turns behind `after` up to `upto`."""
        ...

    def switch(self) -> None:
        """A checkpoint covers all."""
        ...

    def blot(self) -> None:
        """An append failed: what it may have left must not be taken for a turn. raises: OSError."""
        ...

    def sync(self) -> None:
        """Wait for the disk. raises: OSError."""
        ...

    def close(self) -> None:
        """Close files."""
        ...


class JournalLog:
    """The journal on disk; `synced` tells whether an append waits for it."""

    def __init__(self, journal: Journal, *, synced: bool) -> None:
        """synced: True for `always`, False for `interval`."""
        self.journal = journal
        self.synced = synced
        self.switch = journal.switch
        self.blot = journal.blot
        self.sync = journal.sync
        self.close = journal.close

    def append(self, turn: int, sections: list[Section]) -> int:
        """Write the record, and wait for the disk if `synced`."""
        return self.journal.append(turn, sections, sync=self.synced)

    def since(self, after: int, upto: int) -> Iterable[tuple[int, list[Section]]]:
        """Read the turns back."""
        return self.journal.replay(after, upto)


class MemoryLog:
    """The batches since the last checkpoint, for `--memory`."""

    def __init__(self, limit_bytes: int = SEGMENT_BYTES) -> None:
        """limit_bytes: as a segment's size: beyond it only a checkpoint makes room."""
        self._limit = limit_bytes
        self._bytes = 0
        self._turns: list[tuple[int, list[Section]]] = []

    def append(self, turn: int, sections: list[Section]) -> int:
        """Keep a reference to the batch, which nothing changes any more."""
        size = sum(map(_section_bytes, sections))
        if self._bytes + size > self._limit:
            raise JournalFull(f"turn {turn} needs {size} bytes")
        self._bytes += size
        self._turns.append((turn, sections))
        return size

    def since(self, after: int, upto: int) -> Iterable[tuple[int, list[Section]]]:
        """The kept batches."""
        return [pair for pair in self._turns if after < pair[0] <= upto]

    def switch(self) -> None:
        """Forget them."""
        self._turns = []
        self._bytes = 0

    def blot(self) -> None:
        """Nothing to do: a failed append keeps nothing."""

    def sync(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        """Nothing to close."""


class Commit:
    """Commits turns, makes checkpoints, recovers from failures of either.

    turn: the number last used; durable_turn: the last one in a synced LMDB commit.
    failing: what the disk said when it last refused something, until a checkpoint succeeds; else None.
    refusing: the last turn that wrote was refused.
    """

    def __init__(self, env: Environment, turn_log: TurnLog) -> None:
        """Open the batch on `env` and bring in what the log holds beyond it.

        raises: EngineError (journal and data do not belong together, disk failed).
        """
        self._env = env
        self._log = turn_log
        self.turn = env.turn
        self.durable_turn = env.turn
        self.failing: str | None = None
        self.refusing = False
        self.checkpoints = 0
        self.turns = 0
        self.bytes_since_checkpoint = 0
        self.unsynced = False
        self._stranded = False
        self.batch = Batch(env)
        self.batch.on_commit = self._on_lmdb_commit
        self.turn = self._replay(env.turn, 2**63)
        self.replayed = self.turn - env.turn
        self._logged = self.turn
        if self.replayed:
            self.batch.commit(self.turn)
        turn_log.switch()

    # -- turns --------------------------------------------------------------------------------------------------

    def commit_turn(self) -> bool:
        """Make the open turn's batch durable as promised, and keep it.

        returns: whether the turn wrote anything.
        raises: WritesRefused: it is not durable; the caller must abort the turn.
        """
        batch = self.batch
        sections = batch.sections()
        if not sections:
            return False
        self.refusing = True
        if self._stranded:
            self._checkpoint_before_turn()
        turn = self.turn + 1
        try:
            try:
                size = self._log.append(turn, sections)
            except JournalFull:
                self._checkpoint_before_turn()
                size = self._append_or_commit(turn, sections)
        except OSError as error:
            self._strand(turn, error)
            raise WritesRefused(self.failing) from error
        self.refusing = False
        self.turn = self._logged = turn
        self.turns += 1
        self.bytes_since_checkpoint += size
        self.unsynced = True
        batch.keep(turn)
        return True

    def abort_turn(self) -> None:
        """Roll the open turn back. raises: Lost: the server must stop."""
        self.batch.abort()
        if self.batch.lost:
            self.rebuild()

    @property
    def pending(self) -> bool:
        """Whether a checkpoint would move anything."""
        return self.turn != self.durable_turn

    @property
    def checkpoint_due(self) -> bool:
        """Whether so much was written since the last checkpoint that the next one should come now."""
        return self.bytes_since_checkpoint >= CHECKPOINT_BYTES or self.batch.applied >= CHECKPOINT_MUTATIONS

    def checkpoint(self) -> None:
        """Move all committed turns into LMDB, durably, and begin the other segment. Between turns only.

        raises: WritesRefused: the disk failed; all turns are still in the log. Lost: the server must stop.
        """
        if not self.pending:
            return
        reached("checkpoint-before-commit")
        try:
            self.batch.commit(self.turn)
        except EngineError as error:
            self._fail(f"checkpoint failed: {error}")
            if self.batch.lost:
                self.rebuild()
            raise WritesRefused(self.failing) from error
        reached("checkpoint-after-commit")
        self._log.switch()
        reached("checkpoint-after-switch")
        self.checkpoints += 1
        self.bytes_since_checkpoint = 0
        self.unsynced = False
        self._stranded = False
        self.refusing = False
        self._healed()

    def sync_due(self) -> None:
        """`interval`: bring what was appended to the disk. raises: WritesRefused: a checkpoint must save it."""
        if not self.unsynced:
            return
        try:
            self._log.sync()
        except OSError as error:
            self._fail(f"journal sync failed: {error.strerror}")
            self._stranded = True
            raise WritesRefused(self.failing) from error
        self.unsynced = False

    def rebuild(self) -> None:
        """Bring the turns since the last checkpoint back into a fresh LMDB transaction.

        raises: Lost: that failed too.
        """
        after, upto = self.durable_turn, self._logged
        try:
            self.batch.restart(after)
            last = self._replay(after, upto)
        except (EngineError, OSError) as error:
            raise Lost(f"turns {after + 1} to {upto} can't be read back: {error}") from error
        if last < upto:
            raise Lost(f"turns {last + 1} to {upto} are gone from the journal")

    def close(self) -> None:
        """Checkpoint and close. raises: WritesRefused if the checkpoint failed; the journal still has all."""
        try:
            self.checkpoint()
        finally:
            self.batch.close()
            self._log.close()
            self._env.close()

    # -- inside -------------------------------------------------------------------------------------------------

    def _checkpoint_before_turn(self) -> None:
        """Commit what stands before the open turn, and keep the turn open."""
        sections = self.batch.set_aside()
        self.checkpoint()
        self.batch.take_back(sections)

    def _append_or_commit(self, turn: int, sections: list[Section]) -> int:
        """Append to the segment just begun; a batch that no segment can hold is committed by LMDB itself."""
        try:
            return self._log.append(turn, sections)
        except JournalFull:
            pass
        self.batch.keep(turn)
        try:
            self.batch.commit(turn)
        except EngineError as error:
            self._fail(f"commit of a large turn failed: {error}")
            # The number is burned: LMDB may have the turn on the disk all the same.
            self.turn = turn
            self._stranded = True
            self.rebuild()
            raise WritesRefused(self.failing) from error
        self.checkpoints += 1
        return 0

    def _strand(self, turn: int, error: OSError) -> None:
        # The number is burned: the segment may hold a sound record of it all the same, and LMDB must be past it.
        self._fail(f"journal append failed: {error.strerror}")
        self._stranded = True
        try:
            self._log.blot()
        except OSError as blot_error:
            log.warning("the failed record of turn %d could not be blotted: %s", turn, blot_error.strerror)
        self.turn = turn

    def _fail(self, reason: str) -> None:
        if self.failing is None:
            log.error("%s; writes are refused once the journal has no room for them", reason)
        self.failing = reason

    def _healed(self) -> None:
        if self.failing is not None:
            log.warning("the disk takes writes again")
            self.failing = None

    def _on_lmdb_commit(self, turn: int) -> None:
        self.durable_turn = turn

    def _replay(self, after: int, upto: int) -> int:
        """Apply the log's turns behind `after` up to `upto`; returns the last one."""
        last = after
        for turn, sections in self._log.since(after, upto):
            self.batch.replay(turn, sections)
            last = turn
        return last


def _section_bytes(section: Section) -> int:
    if isinstance(section, dict):
        return sum(map(len, section)) + sum(map(len, filter(None, section.values()))) + 16 * len(section)
    return len(section[0]) + len(section[1])


def open_commit(directory: Path, durability: str, segment_bytes: int = SEGMENT_BYTES) -> Commit:
    """Open `directory` with the durability `always`, `interval` or `memory`.

    raises: EngineError, UnknownFormat.
    """
    env = Environment(directory, synced=durability != "memory")
    try:
        if durability == "memory":
            return Commit(env, MemoryLog(segment_bytes))
        journal = Journal(directory, env.database_id, segment_bytes)
    except BaseException:
        env.close()
        raise
    try:
        commit = Commit(env, JournalLog(journal, synced=durability == "always"))
    except BaseException:
        journal.close()
        env.close()
        raise
    if journal.damage:
        log.error("%s", journal.damage)
    if commit.replayed:
        log.info("recovered %d turns from the journal", commit.replayed)
    return commit
