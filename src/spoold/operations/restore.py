"""Restore: a data directory from a backup; and compact: the data file of a directory written anew without free pages.

Both write the new data file beside the place where it is to stand, sync it, and give it its name at the end. A kill at
any point leaves either what was there before or what was to come. Both hold the directory's lock all the time.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spoold.core.crashpoints import reached
from spoold.core.errors import EngineError, InUse
from spoold.engine.commit import open_commit
from spoold.engine.env import RESTORING, hold
from spoold.engine.snapshot import DATA, Snapshot
from spoold.operations.backup import Label, read_label
from spoold.operations.files import (
    OperationError,
    Progress,
    copy_file,
    quiet,
    sync_directory,
    sync_file,
)

# What an empty directory may hold: what was left by a restore that was cut short, and what a disk of its own has.
_HARMLESS: Final = frozenset({RESTORING, "spoold.lock", "lock.mdb", "lost+found"})


@dataclass(frozen=True)
class Sizes:
    """Of a data file in bytes, before and after it was compacted."""

    before: int
    after: int


def restore(backup: Path, directory: Path, progress: Progress = quiet) -> Label:
    """Make the data directory `directory`, which must be empty or not exist, from a backup.

    raises: OperationError: no backup, a damaged one, a directory that holds something; EngineError: it is in use.
    """
    label = read_label(backup)
    try:
        with hold(directory):
            left = sorted(path.name for path in directory.iterdir() if path.name not in _HARMLESS)
            if left:
                raise OperationError(f"{directory} is not empty (it holds {left[0]}): restore into an empty directory")
            scratch = directory / RESTORING
            reached("restore-before-copy")
            digest = copy_file(backup / DATA, scratch, progress)
            reached("restore-after-copy")
            if digest != label.sha256:
                scratch.unlink()
                raise OperationError(f"{backup / DATA} is damaged: its SHA-256 is not the one that {backup} names")
            scratch.replace(directory / DATA)
            sync_directory(directory)
            reached("restore-after-rename")
    except OSError as error:
        raise OperationError(f"the restore into {directory} failed: {error.strerror or error}") from error
    return label


def compact(directory: Path) -> Sizes:
    """Write the data file of a directory that no server uses anew, without its free pages.

    raises: OperationError, EngineError. cost: reads and writes the data once; needs room for both files meanwhile.
    """
    data = directory / DATA
    if not data.is_file():
        raise OperationError(f"{directory} is no data directory of spoold: it has no {DATA}")
    try:
        # A start and an end of the engine: the journal's turns are in the data file then, and the journal begins anew.
        open_commit(directory, "interval").close()
        with hold(directory), tempfile.TemporaryDirectory(prefix=".compact-", dir=directory) as scratch:
            for path in directory.glob(".compact-*"):  # left by one that was killed
                if path != Path(scratch):
                    (path / DATA).unlink(missing_ok=True)
                    path.rmdir()
            before = data.stat().st_size
            with Snapshot(directory) as snapshot:
                if snapshot.turns:
                    raise OperationError(f"{directory} is being written by someone else")
                snapshot.copy_stored(Path(scratch))
            copy = Path(scratch) / DATA
            sync_file(copy)
            reached("compact-before-rename")
            after = copy.stat().st_size
            copy.replace(data)
            sync_directory(directory)
            reached("compact-after-rename")
    except InUse as error:
        raise OperationError(
            f"{error_text(error)}; a running server's file is compacted by backup and restore"
        ) from error
    except OSError as error:
        raise OperationError(f"{directory} could not be compacted: {error.strerror or error}") from error
    return Sizes(before, after)


def error_text(error: EngineError) -> str:
    """What an engine says, without its advice to choose another directory: here it is this one that was meant."""
    return str(error).removesuffix("; choose one with --data")
