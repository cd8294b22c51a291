"""How a turn's batch becomes a promise, and when the promise moves from the journal into LMDB.

    always    append and sync, then acknowledge
    interval  append, acknowledge, sync every interval (the ticker calls `sync_due`)
    memory    acknowledge; the batches since the last checkpoint are kept in memory, so that a failed LMDB commit
              can be redone

A **checkpoint** applies all turns to LMDB, commits it and begins the other journal segment. Failures:

    append or sync fails   the turn is rolled back; its number is burned; the segment is not trusted again: the next
                           turn that writes begins with a checkpoint, which puts all acknowledged turns into LMDB
    LMDB commit fails      the transaction is lost: a new one is opened and the journal's turns since the last
                           checkpoint are applied to it again; turns go on until the segment is full, or holds as
                           many mutations as one LMDB commit may
    that checkpoint fails  turns that write are refused at once until a checkpoint has succeeded (the ticker tries)
    redo fails             nothing can be trusted in memory: `Lost` is raised and the server must stop; the next start
                           replays the journal

A turn that the log holds is committed, whatever fails behind it. One that was refused never comes back: a number is
burned at each start too, so that what an earlier life of the server may have left behind the last turn stays dead.

Invariant: the turn number stored in LMDB is `durable_turn`, and the log holds every acknowledged turn behind it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final, Protocol

from spoold.core.crashpoints import reached
from spoold.core.errors import EngineError, WritesRefused
from spoold.engine.batch import Batch, NoRoom, Section
from spoold.engine.env import Environment
from spoold.engine.journal import SEGMENT_BYTES, Journal, JournalFull

log = logging.getLogger("spoold.engine")

# Bounds what one LMDB commit writes: at most this many pages of leaves and their branches become dirty, which is
# well below LMDB's limit of 131,072 pages for one transaction. Beyond that LMDB writes pages before the commit, and on
# a full disk what the journal holds could not be applied any more: no turn is taken then until a checkpoint succeeds.
CHECKPOINT_MUTATIONS: Final = 65_536
# The journal's bytes since the last checkpoint after which the next one is due.
CHECKPOINT_BYTES: Final = 16 * 1024 * 1024
CHECKPOINT_AFTER_S: Final = 1.0
# Times are counted by their power of two in microseconds, as those of commands are.
_SPREAD_BUCKETS: Final = 40


class Lost(EngineError):
    """The state in memory can't be rebuilt while running; only a restart can."""


class TurnLog(Protocol):
    """Where committed batches stand until a checkpoint covers them."""

    def append(self, turn: int, sections: list[Section]) -> int:
        """Keep the batch; returns its size. raises: JournalFull, OSError."""
        ...

    def since(self, after: int, upto: int | None) -> Iterable[tuple[int, list[Section]]]:
        """The batches of the turns behind `after` up to `upto`, or all. raises: EngineError, OSError."""
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
    """The journal on disk. append: keep a batch, with the wait for the disk that `synced` asks for."""

    append: Callable[[int, list[Section]], int]

    def __init__(self, journal: Journal, *, synced: bool) -> None:
        """synced: True for `always`, False for `interval`."""
        self.journal = journal
        self.synced = synced
        self.switch = journal.switch
        self.blot = journal.blot
        self.sync = journal.sync
        self.close = journal.close

    @property
    def synced(self) -> bool:
        """Whether an append waits for the disk."""
        return self._synced

    @synced.setter
    def synced(self, synced: bool) -> None:
        self._synced = synced
        self.append = partial(self.journal.append, sync=synced)

    def since(self, after: int, upto: int | None) -> Iterable[tuple[int, list[Section]]]:
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

    def since(self, after: int, upto: int | None) -> Iterable[tuple[int, list[Section]]]:
        """The kept batches."""
        return [pair for pair in self._turns if after < pair[0] and (upto is None or pair[0] <= upto)]

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
    refusing: turns that write are refused until a checkpoint succeeds.
    on_due: told when a turn has made `checkpoint_due` true.
    lost: set once nothing can be trusted any more: turns and checkpoints raise it.
    append_s: seconds that appends to the log took in all; append_spread: how many took less than 2^n µs, at n.
    checkpoint_s: seconds of the last checkpoint.
    """

    def __init__(self, env: Environment, turn_log: TurnLog) -> None:
        """Open the batch on `env` and bring in what the log holds beyond it.

        A disk that takes no checkpoint is no hindrance: what was acknowledged can be read, writes are refused.
        raises: EngineError (journal and data do not belong together, disk failed).
        """
        self._env = env
        self._log = turn_log
        self.turn = env.turn
        self.durable_turn = env.turn
        self.failing: str | None = None
        self.refusing = False
        self.on_due: Callable[[], None] = _tell_no_one
        self.lost: Lost | None = None
        self.checkpoints = 0
        self.turns = 0
        self.bytes_since_checkpoint = 0
        self.append_s = self.checkpoint_s = 0.0
        self.append_spread = [0] * _SPREAD_BUCKETS
        self.unsynced = False
        self._stranded = False
        self._checkpointed = -1  # the last turn before the segment that is written now
        self._logged: int | None = None  # the last turn in the log, None while that is not known
        self.batch = Batch(env)
        self.batch.on_commit = self._on_lmdb_commit
        self.batch.recover = self._recover
        self._logged = self._replay(env.turn, None)
        self.replayed = self._logged - env.turn
        self.turn = self._logged + 1
        try:
            self.checkpoint()
        except WritesRefused as error:
            log.error("%s; writes are refused until a checkpoint succeeds", error)
            self.refusing = True

    # -- turns --------------------------------------------------------------------------------------------------

    def commit_turn(self) -> bool:
        """Make the open turn's batch durable as promised, and keep it.

        returns: whether the turn wrote anything.
        raises: WritesRefused: it is not durable, and the caller must abort the turn. Lost: the server must stop.
        """
        if self.lost is not None:
            raise self.lost
        batch = self.batch
        sections = batch.sections()
        if not sections:
            return False
        if self.refusing:
            raise WritesRefused(self.failing)
        if self._stranded or (self.failing is not None and self.batch.applied >= CHECKPOINT_MUTATIONS):
            self._commit_behind_checkpoint(sections)
            return True
        turn = self.turn + 1
        started_s = perf_counter()
        try:
            size = self._log.append(turn, sections)
        except JournalFull:
            self._commit_behind_checkpoint(sections)
            return True
        except OSError as error:
            self._strand(turn, error)
            raise WritesRefused(self.failing) from error
        spent_s = perf_counter() - started_s
        self.append_s += spent_s
        self.append_spread[int(spent_s * 1e6).bit_length()] += 1
        self.turn = self._logged = turn
        self.turns += 1
        self.bytes_since_checkpoint += size
        self.unsynced = True
        try:
            batch.keep(turn)
        except EngineError as error:
            self._bring_in(error)
        if self.checkpoint_due:
            self.on_due()
        return True

    def abort_turn(self) -> None:
        """Roll the open turn back. raises: Lost: the server must stop."""
        if self.lost is not None:
            raise self.lost
        self.batch.abort()
        if self.batch.lost:
            self.rebuild()

    @property
    def pending(self) -> bool:
        """Whether a checkpoint would move anything."""
        return self.turn != self._checkpointed

    @property
    def data_bytes(self) -> int:
        """Bytes of the data file in use, free pages inside it included."""
        return self._env.used_bytes()

    @property
    def map_bytes(self) -> int:
        """Size of LMDB's map: what the data file may grow to before the map is made larger."""
        return self._env.map_bytes()

    @property
    def live_bytes(self) -> int:
        """Bytes that the data takes: what LMDB held at its last commit, and what was written since. cost: O(1)."""
        return self._env.live_bytes() + self.bytes_since_checkpoint

    @property
    def checkpoint_due(self) -> bool:
        """Whether so much was written since the last checkpoint that the next one should come now.

        While the disk fails none is due: a failed one costs as much as a start, so `CHECKPOINT_AFTER_S` lie between.
        """
        return (
            self.bytes_since_checkpoint >= CHECKPOINT_BYTES or self.batch.applied >= CHECKPOINT_MUTATIONS
        ) and self.failing is None

    def checkpoint(self) -> None:
        """Move all committed turns into LMDB, durably, and begin the other segment. Between turns only.

        raises: WritesRefused: the disk failed; all turns are still in the log. Lost: the server must stop.
        """
        if self.lost is not None:
            raise self.lost
        if not self.pending:
            return
        reached("checkpoint-before-commit")
        started_s = perf_counter()
        try:
            self.batch.commit(self.turn)
        except Lost:
            raise
        except EngineError as error:
            self._fail(f"checkpoint failed: {error}")
            if self.batch.lost:
                self.rebuild()
            raise WritesRefused(self.failing) from error
        self.checkpoint_s = perf_counter() - started_s
        reached("checkpoint-after-commit")
        self._log.switch()
        reached("checkpoint-after-switch")
        self._checkpointed = self.turn
        self.checkpoints += 1
        self.bytes_since_checkpoint = 0
        self.unsynced = False
        self._stranded = False
        self.refusing = False
        self._healed()

    def sync_due(self) -> None:
        """`interval`: bring what was appended to the disk. raises: WritesRefused: a checkpoint must save it."""
        if not self.unsynced or self._stranded:
            return
        try:
            self._log.sync()
        except OSError as error:
            self._fail(f"journal sync failed: {error.strerror}")
            self._stranded = True
            raise WritesRefused(self.failing) from error
        self.unsynced = False

    def set_synced(self, synced: bool) -> None:
        """Change between `always` and `interval` while running; with `--memory` nothing changes.

        What was appended before stands in front of what comes, so it must be on the disk before that is promised.
        raises: WritesRefused: it is not; nothing changed but that a checkpoint must save it.
        """
        if not isinstance(self._log, JournalLog):
            return
        if synced and not self._log.synced:
            self.sync_due()
        self._log.synced = synced

    def rebuild(self, *, larger: bool = False) -> None:
        """Bring the turns since the last LMDB commit back into a fresh transaction; the open turn stays as it is.

        larger: the map was too small.
        raises: Lost: that failed too.
        """
        after, upto = self.durable_turn, self._logged
        batch = self.batch
        batch.restoring = True
        try:
            while True:
                batch.restart(after, larger=larger)
                try:
                    last = self._replay(after, upto)
                    batch.apply()
                    break
                except NoRoom:
                    larger = True
        except (EngineError, OSError) as error:
            self.lost = Lost(f"turns behind {after} can't be read back: {error}")
            raise self.lost from error
        finally:
            batch.restoring = False
        if upto is not None and last < upto:
            self.lost = Lost(f"turns {last + 1} to {upto} are gone from the journal")
            raise self.lost

    def close(self, *, save: bool = True) -> None:
        """Checkpoint and close. raises: WritesRefused if the checkpoint failed; the journal still has all.

        save: False leaves the checkpoint to the next start.
        """
        try:
            if self.lost is None and save:
                self.checkpoint()
        finally:
            self.batch.close()
            self._log.close()
            self._env.close()

    # -- inside -------------------------------------------------------------------------------------------------

    def _commit_behind_checkpoint(self, sections: list[Section]) -> None:
        """Commit the open turn behind a checkpoint of all that stand before it. raises: as `commit_turn`."""
        batch = self.batch
        batch.abort()
        try:
            self.checkpoint()
        except WritesRefused:
            self.refusing = True
            raise
        turn = self.turn + 1
        try:
            size = self._log.append(turn, sections)
        except JournalFull:
            self._commit_alone(turn, sections)
            return
        except OSError as error:
            self._strand(turn, error)
            raise WritesRefused(self.failing) from error
        self.turn = self._logged = turn
        self.turns += 1
        self.bytes_since_checkpoint += size
        self.unsynced = True
        try:
            batch.replay(turn, sections)
        except EngineError as error:
            batch.lost = True  # a part of the turn may be in
            self._bring_in(error)

    def _commit_alone(self, turn: int, sections: list[Section]) -> None:
        """Let LMDB itself commit a batch that no segment can hold."""
        # Whatever comes of it, the number is burned: LMDB may have the turn on the disk.
        self.turn = turn
        try:
            self.batch.commit_alone(turn, sections)
        except EngineError as error:
            self._fail(f"commit of a large turn failed: {error}")
            self._stranded = True
            self.rebuild()
            raise WritesRefused(self.failing) from error
        self._logged = self._checkpointed = turn
        self.turns += 1
        self.checkpoints += 1

    def _bring_in(self, error: EngineError) -> None:
        """The log holds the turn, so it counts, but it did not reach the open transaction."""
        if isinstance(error, Lost):
            raise error
        self._fail(f"checkpoint failed: {error}")
        if self.batch.lost:
            self.batch.abort()
            self.rebuild()

    def _recover(self, reason: str | None) -> None:
        """The batch met the end of the map, and what it holds could not be committed."""
        if reason is not None:
            self._fail(f"checkpoint failed: {reason}")
        self.rebuild(larger=True)

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

    def _replay(self, after: int, upto: int | None) -> int:
        """Apply the log's turns behind `after` up to `upto`, or all; returns the last one."""
        last = after
        for turn, sections in self._log.since(after, upto):
            self.batch.replay(turn, sections)
            last = turn
        return last


def _tell_no_one() -> None:
    """No one makes checkpoints but when asked to."""


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
        journal = Journal(directory, env.database_id, segment_bytes, direct=durability == "always")
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
