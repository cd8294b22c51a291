"""`spoold dump` and `load`: a data directory as JSON Lines, and back."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

import click

from spoold.cli.asking import failing, json_option
from spoold.cli.data import data_option, running_data_option
from spoold.cli.shown import print_json, progress_bar
from spoold.core.clock import SystemClock
from spoold.operations.dump import dump as dump_directory
from spoold.operations.files import OperationError, sync_directory, sync_file
from spoold.operations.load import Existing
from spoold.operations.load import load as load_lines

# Standard input or output.
_STREAM: Final = Path("-")
_TAIL_BYTES: Final = 4096


@click.command()
@running_data_option
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
def dump(data: Path, file: Path) -> None:
    """Write all keys as JSON Lines to FILE (standard output), one moment of them; the server may run.

    Every type, expiries, leases and scripts are in it. The format is described in docs/backup.md.
    """
    with failing(), progress_bar("dump") as progress:
        with _written(file) as out:
            count = dump_directory(data, out.write, SystemClock().unix_ms(), progress)
        click.echo(f"{count:,} keys", err=True)


@click.command()
@json_option
@data_option
@click.option("--replace", "existing", flag_value=Existing.REPLACE.value, help="Replace keys that exist.")
@click.option("--skip", "existing", flag_value=Existing.SKIP.value, help="Leave keys that exist as they are.")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
def load(as_json: bool, data: Path, existing: str | None, file: Path) -> None:
    """Bring what `dump` wrote into --data, from FILE (standard input). The server must be stopped.

    The directory is made if it does not exist. A key that exists ends it, unless --replace or --skip is given.
    """
    with failing(), progress_bar("load", quiet=as_json) as progress:
        if file != _STREAM:
            _check_end(file)
        with _read(file) as lines:
            loaded, skipped = load_lines(
                data, lines, SystemClock().unix_ms(), Existing(existing or Existing.REFUSE.value), progress
            )
    if as_json:
        print_json({"keys": loaded, "skipped": skipped})
    else:
        click.echo(f"{loaded:,} keys" + (f", {skipped:,} skipped" if skipped else ""))


@contextmanager
def _written(file: Path) -> Iterator[TextIO]:
    """Where to write: a file has its name when it is whole. raises: OperationError."""
    if file == _STREAM:
        out = io.TextIOWrapper(sys.stdout.buffer, "utf-8", newline="\n", write_through=True)
        try:
            yield out
        finally:
            out.flush()
            out.detach()
        return
    if file.exists():
        raise OperationError(f"{file} exists already: a dump overwrites nothing, choose another name")
    scratch = file.with_name(f".{file.name}.partial")
    try:
        with open(scratch, "w", encoding="utf-8", newline="\n", opener=_private) as out:
            yield out
        sync_file(scratch)
        scratch.rename(file)
        sync_directory(file.absolute().parent)
    except OSError as error:
        raise OperationError(f"{file} can't be written: {error.strerror or error}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


@contextmanager
def _read(file: Path) -> Iterator[TextIO]:
    """raises: OperationError."""
    try:
        if file == _STREAM:
            yield io.TextIOWrapper(sys.stdin.buffer, "utf-8")
            return
        with open(file, encoding="utf-8") as lines:
            yield lines
    except OSError as error:
        raise OperationError(f"{file} can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise OperationError(f"{file} is no dump: it is not UTF-8 at byte {error.start}") from error


def _check_end(file: Path) -> None:
    """Before anything is loaded: a dump that was cut off has no last line. raises: OperationError."""
    try:
        with open(file, "rb") as data:
            data.seek(max(data.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
            last = data.read().rstrip(b"\n").rpartition(b"\n")[2]
    except OSError as error:
        raise OperationError(f"{file} can't be read: {error.strerror or error}") from error
    if not last.startswith(b'{"end":'):
        raise OperationError(f"{file} is not whole: it lacks the last line of a dump")
