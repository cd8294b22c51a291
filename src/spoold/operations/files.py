"""Files that appear whole or not at all, and the one way to ask a question of the disk before it is too late."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from spoold.core.errors import SpooldError

_CHUNK_BYTES: Final = 4 * 1024 * 1024

Progress = Callable[[int, int], None]
"""Told how much is done, of how much."""


class OperationError(SpooldError):
    """Something can't be done; the text is one line that says why, and what to do."""


def quiet(done: int, total: int) -> None:
    """No one watches."""


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file(path: Path) -> None:
    """Make a file's contents durable."""
    sync_directory(path)  # a descriptor is a descriptor


def digest_of(path: Path, progress: Progress = quiet) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    total, done = path.stat().st_size, 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            progress(done, total)
    return digest.hexdigest()


def copy_file(source: Path, target: Path, progress: Progress = quiet) -> str:
    """Copy a file durably, readable by its owner only; returns its SHA-256.

    raises: OSError.
    """
    digest = hashlib.sha256()
    total, done = source.stat().st_size, 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with source.open("rb") as reader, os.fdopen(descriptor, "wb") as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            progress(done, total)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Replace a small text file: whoever reads it sees the old text or the new one. raises: OSError."""
    scratch = path.with_name(path.name + ".new")
    scratch.write_text(text, "utf-8")
    sync_file(scratch)
    scratch.replace(path)
    sync_directory(path.parent)


def remove_if_there(path: Path) -> None:
    """Remove a file that may not exist. raises: OSError."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
