"""Sorting more numbers than fit into memory: sorted runs in a temporary file, merged when they are read."""

from __future__ import annotations

import heapq
import tempfile
from array import array
from collections.abc import Iterator
from typing import IO, Final

# Numbers that are sorted in memory: 8 MiB.
RUN_NUMBERS: Final = 1 << 20
# Numbers of a run that are read in one go while runs are merged.
_READ_NUMBERS: Final = 1 << 13
_WIDTH: Final = 8


class SortedNumbers:
    """Takes numbers from 0 to 2**64 - 1 in any order, gives them back in theirs, repeated ones repeatedly."""

    def __init__(self, run_numbers: int = RUN_NUMBERS) -> None:
        """run_numbers: how many are held in memory."""
        self._limit = run_numbers
        self._young = array("Q")
        self._file: IO[bytes] | None = None
        self._runs: list[tuple[int, int]] = []

    def add(self, number: int) -> None:
        """One more. cost: O(log n), now and then the writing of a run."""
        self._young.append(number)
        if len(self._young) >= self._limit:
            self._spill()

    def __iter__(self) -> Iterator[int]:
        """All, the smallest first; nothing may be added meanwhile."""
        runs = [self._read(start, count) for start, count in self._runs]
        return heapq.merge(*runs, iter(sorted(self._young)))

    def close(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.close()

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="spoold-")  # noqa: SIM115 - closed by `close`
        start = self._file.seek(0, 2)
        array("Q", sorted(self._young)).tofile(self._file)
        self._runs.append((start, len(self._young)))
        self._young = array("Q")

    def _read(self, start: int, count: int) -> Iterator[int]:
        assert self._file is not None  # noqa: S101 - there are runs
        while count:
            numbers = array("Q")
            self._file.seek(start)
            numbers.frombytes(self._file.read(min(count, _READ_NUMBERS) * _WIDTH))
            yield from numbers
            start += len(numbers) * _WIDTH
            count -= len(numbers)
