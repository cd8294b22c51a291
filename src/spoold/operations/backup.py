"""A backup: a directory with one compact data file that holds all that was acknowledged before it began.

    DEST/data.mdb              LMDB's file without its free pages, with the journal's turns brought in
    DEST/spoold-backup.json    when and of what it was made, and the data file's length and SHA-256

It is taken beside a running server, of one that was killed, or of one that was stopped: it reads the directory
(engine/snapshot.py) and asks no one. All is written under another name, `.DEST.partial`, and gets its own when it is
complete and on the disk. What an earlier attempt left, which was killed, is removed by the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from spoold import __version__
from spoold.core.crashpoints import reached
from spoold.core.errors import EngineError
from spoold.engine.batch import Batch
from spoold.engine.env import FORMAT_VERSION, Environment
from spoold.engine.snapshot import DATA, Snapshot
from spoold.operations.files import (
    OperationError,
    Progress,
    digest_of,
    quiet,
    remove_if_there,
    sync_directory,
    sync_file,
    write_whole,
)

LABEL: Final = "spoold-backup.json"
# How often a progress bar is told how long the copy has become.
_LOOK_S: Final = 0.1


@dataclass(frozen=True)
class Label:
    """What stands beside the data of a backup.

    made: when it began, UTC. turn: the last turn in it. database: its id. bytes, sha256: of the data file.
    """

    made: str
    spoold: str
    format: int
    turn: int
    database: str
    bytes: int
    sha256: str


def back_up(source: Path, target: Path, progress: Progress = quiet) -> Label:
    """Write a backup of the data directory `source` as the directory `target`, which must not exist.

    progress: told bytes written.
    raises: OperationError, EngineError.
    cost: reads and writes the data once, and reads the copy once; the server is not held up, but its file may grow.
    """
    if target.exists() or target.is_symlink():
        raise OperationError(f"{target} exists already: a backup overwrites nothing, choose another name")
    try:
        with _partial(target) as scratch:
            label = _write(source, scratch, progress)
            reached("backup-before-rename")
            if target.exists():
                raise OperationError(f"{target} has come to exist meanwhile: a backup overwrites nothing")
            scratch.rename(target)
            sync_directory(target.parent)
    except OSError as error:
        raise OperationError(f"the backup to {target} failed: {error.strerror or error}") from error
    return label


def read_label(backup: Path) -> Label:
    """What a backup says of itself. raises: OperationError: it is none."""
    try:
        return Label(**json.loads((backup / LABEL).read_text("utf-8")))
    except OSError as error:
        raise OperationError(f"{backup} is no backup of spoold: {LABEL}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise OperationError(f"{backup / LABEL} is damaged: {error}") from error


def _write(source: Path, scratch: Path, progress: Progress) -> Label:
    made = datetime.now(UTC)
    with Snapshot(source) as snapshot:
        reached("backup-before-copy")
        _copy(snapshot, scratch, progress)
        reached("backup-after-copy")
        turn, database = snapshot.turn, snapshot.database_id.hex()
        _bring_in(snapshot, scratch)
    data = scratch / DATA
    sync_file(data)
    size = data.stat().st_size
    label = Label(
        made=made.isoformat(timespec="milliseconds"),
        spoold=__version__,
        format=FORMAT_VERSION,
        turn=turn,
        database=database,
        bytes=size,
        sha256=digest_of(data),
    )
    write_whole(scratch / LABEL, json.dumps(asdict(label), indent=2) + "\n")
    sync_directory(scratch)
    progress(size, size)
    return label


def _copy(snapshot: Snapshot, scratch: Path, progress: Progress) -> None:
    """Copy what LMDB holds in another thread, in which no Python runs, and tell how far it is."""
    failed: list[EngineError] = []

    def copy() -> None:
        try:
            snapshot.copy_stored(scratch)
        except EngineError as error:
            failed.append(error)

    total = snapshot.bytes
    worker = threading.Thread(target=copy, name="backup", daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(_LOOK_S)
        with contextlib.suppress(FileNotFoundError):
            progress(min((scratch / DATA).stat().st_size, total), total)
    if failed:
        raise failed[0]


def _bring_in(snapshot: Snapshot, scratch: Path) -> None:
    """Apply the journal's turns to the copy, so that it stands alone."""
    environment = Environment(scratch, synced=False)
    try:
        if environment.turn != snapshot.stored_turn:
            raise EngineError(f"{scratch / DATA} holds turn {environment.turn}, not {snapshot.stored_turn}")
        batch = Batch(environment)
        try:
            for turn, sections in snapshot.turns:
                batch.replay(turn, sections)
            batch.commit(snapshot.turn)
        finally:
            batch.close()
    finally:
        environment.close()
    for name in ("lock.mdb", "spoold.lock"):
        remove_if_there(scratch / name)


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """A directory beside `target` for what is not complete, removed unless it was renamed; one writer at a time."""
    parent = target.absolute().parent
    if not parent.is_dir():
        raise OperationError(f"{parent} does not exist: make the directory in which the backup is to stand")
    scratch = parent / f".{target.name}.partial"
    scratch.mkdir(mode=0o700, exist_ok=True)
    held = os.open(scratch, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OperationError(f"another backup to {target} is under way") from error
        try:
            for left in scratch.iterdir():  # by one that was killed
                left.unlink()
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    finally:
        os.close(held)
