"""HyperLogLog sketches as Redis stores them in strings, byte for byte: what one wrote the other reads.

    header   "HYLL" | encoding 1: 0 dense, 1 sparse | zeros 3 | cardinality 8, little-endian, its highest bit set
             where it has to be worked out anew
    dense    16,384 registers of 6 bits, the first in the lowest bits of the first byte
    sparse   runs of equal registers, together 16,384:
             00nnnnnn            n + 1 registers of 0
             01nnnnnn nnnnnnnn   n + 1 registers of 0
             1vvvvvnn            n + 1 registers of v + 1, so of 1 to 32

A sketch begins sparse and becomes dense, for good, when a mark is above 32 or the runs take too many bytes. Registers
are also handled as 16,384 bytes in a row ("marks"). Nothing here goes over the registers one by one in Python: a slice,
a table or one large integer takes them all at once.

source: https://redis.io/docs/latest/develop/data-types/probabilistic/hyperloglogs/; redis: src/hyperloglog.c, whose
    head describes the format.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import Final

from spoold.core.errors import CorruptSketch
from spoold.datatypes.hyperloglog.estimate import HIGHEST_MARK, REGISTERS, cardinality

MAGIC: Final = b"HYLL"
HEADER_BYTES: Final = 16
DENSE: Final = 0
SPARSE: Final = 1
DENSE_BYTES: Final = HEADER_BYTES + REGISTERS * 6 // 8

_STALE: Final = 0x80
_SPARSE_MARK: Final = 32
_SHORT_ZEROS: Final = 64
_LONGEST_RUN: Final = 4
# No run is longer than two bytes, nor shorter than a register.
_MOST_SPARSE_BYTES: Final = HEADER_BYTES + 2 * REGISTERS
# Runs around a change that are looked at for two that can be one.
_MERGED_RUNS: Final = 5

EMPTY: Final = MAGIC + bytes((SPARSE,)) + bytes(11) + b"\x7f\xff"


def is_sketch(value: bytes) -> bool:
    """Whether a string looks like a sketch; its runs may be damaged all the same. cost: O(1)."""
    return (
        len(value) >= HEADER_BYTES
        and value.startswith(MAGIC)
        and value[4] <= SPARSE
        and (value[4] == SPARSE or len(value) == DENSE_BYTES)
    )


def cached(value: bytes) -> int | None:
    """The cardinality that stands in the header; None if marks have come since."""
    return None if value[15] & _STALE else int.from_bytes(value[8:16], "little")


def with_cached(value: bytes, number: int) -> bytes:
    """The sketch with a cardinality in its header."""
    return value[:8] + number.to_bytes(8, "little") + value[16:]


def stale(value: bytes) -> bytes:
    """The sketch with a header that says that its cardinality is not known."""
    return value[:15] + bytes((value[15] | _STALE,)) + value[16:]


def count(marks: bytes) -> int:
    """The cardinality of registers that were handed out as bytes. cost: about 0.3 ms."""
    histogram = [0] * (HIGHEST_MARK + 1)
    left = REGISTERS
    for mark in range(HIGHEST_MARK + 1):
        histogram[mark] = counted = marks.count(mark)
        left -= counted
        if not left:
            break
    return cardinality(histogram)


# -- all registers at once ------------------------------------------------------------------------------------------

_LOW_6: Final = bytes(byte & 0x3F for byte in range(256))
_HIGH_2: Final = bytes(byte >> 6 for byte in range(256))
_LOW_4: Final = bytes(byte << 2 & 0x3F for byte in range(256))
_HIGH_4: Final = bytes(byte >> 4 for byte in range(256))
_LOW_2: Final = bytes(byte << 4 & 0x3F for byte in range(256))
_HIGH_6: Final = bytes(byte >> 2 for byte in range(256))
_SHIFTED_6: Final = bytes(byte << 6 & 0xFF for byte in range(256))
_SHIFTED_4: Final = bytes(byte << 4 & 0xFF for byte in range(256))
_SHIFTED_2: Final = bytes(byte << 2 & 0xFF for byte in range(256))

_ONES: Final = int.from_bytes(b"\x01" * REGISTERS, "little")
_TOPS: Final = _ONES << 7


def marks_of(value: bytes) -> bytes:
    """All registers, a byte each.

    raises: CorruptSketch.
    cost: some 20 µs for a dense sketch, 0.1 µs a run for a sparse one.
    """
    if value[4] == SPARSE:
        runs = _runs(value)
        if sum(map(_length_of.__getitem__, runs)) != REGISTERS:
            raise CorruptSketch
        return b"".join(map(_run_of.__getitem__, runs))
    # Four registers stand in three bytes.
    first, second, third = value[16::3], value[17::3], value[18::3]
    marks_ = bytearray(REGISTERS)
    marks_[0::4] = first.translate(_LOW_6)
    marks_[1::4] = _either(first.translate(_HIGH_2), second.translate(_LOW_4))
    marks_[2::4] = _either(second.translate(_HIGH_4), third.translate(_LOW_2))
    marks_[3::4] = third.translate(_HIGH_6)
    return bytes(marks_)


def dense_of(marks: bytes, header: bytes) -> bytes:
    """A dense sketch of all registers; magic and cardinality as in `header`."""
    first, second, third, fourth = marks[0::4], marks[1::4], marks[2::4], marks[3::4]
    body = bytearray(DENSE_BYTES - HEADER_BYTES)
    body[0::3] = _either(first, second.translate(_SHIFTED_6))
    body[1::3] = _either(second.translate(_HIGH_6), third.translate(_SHIFTED_4))
    body[2::3] = _either(third.translate(_HIGH_4), fourth.translate(_SHIFTED_2))
    return header[:4] + bytes((DENSE,)) + header[5:16] + bytes(body)


def highest(one: bytes, other: bytes) -> bytes:
    """The higher of two marks in each register: the sketch of both sets together."""
    left, right = int.from_bytes(one, "little"), int.from_bytes(other, "little")
    # No mark reaches the top bit of its byte: it is left over where the left one is not the smaller.
    kept = ((left | _TOPS) - right & _TOPS) >> 7
    chosen = kept * 0xFF
    return (left & chosen | right & ~chosen).to_bytes(REGISTERS, "little")


def _either(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "little") | int.from_bytes(other, "little")).to_bytes(len(one), "little")


# -- one register ---------------------------------------------------------------------------------------------------


def add(value: bytes, marked: list[tuple[int, int]], sparse_bytes: int) -> bytes | None:
    """Raise registers to marks where they are lower.

    marked: registers and marks. sparse_bytes: how long a sparse sketch may become.
    returns: the sketch with its header stale; None if no register was raised.
    raises: CorruptSketch.
    cost: O(bytes of the sketch), once for all marks.
    """
    changed = _add_dense(value, marked) if value[4] == DENSE else _add_sparse(value, marked, sparse_bytes)
    return None if changed is None else stale(changed)


def _add_dense(value: bytes, marked: list[tuple[int, int]]) -> bytes | None:
    changed: bytearray | None = None
    for register, mark in marked:
        at, shift = HEADER_BYTES + (register * 6 >> 3), register * 6 & 7
        pair = int.from_bytes((changed or value)[at : at + 2], "little")
        if pair >> shift & 0x3F < mark:
            if changed is None:
                changed = bytearray(value)
            pair = pair & ~(0x3F << shift) | mark << shift
            changed[at : at + 2] = pair.to_bytes(min(2, DENSE_BYTES - at), "little")
    return None if changed is None else bytes(changed)


def _add_sparse(value: bytes, marked: list[tuple[int, int]], sparse_bytes: int) -> bytes | None:
    body = value[HEADER_BYTES:]
    runs = _kept.pop(body, None) or _Runs(value)
    changed = False
    for at, (register, mark) in enumerate(marked):
        raised = runs.add(register, mark, sparse_bytes)
        if raised is None:
            dense = dense_of(marks_of(value[:HEADER_BYTES] + runs.encode()), value)
            return _add_dense(dense, marked[at:]) or dense
        changed = changed or raised
    if changed:
        body = runs.encode()
    _kept[body] = runs
    if len(_kept) > _KEPT:
        del _kept[next(iter(_kept))]
    return value[:HEADER_BYTES] + body if changed else None


class _Runs:
    """The runs of a sparse sketch, as they are stored, and the registers at which they begin."""

    def __init__(self, value: bytes) -> None:
        """raises: CorruptSketch."""
        self._runs = _runs(value)
        self._starts = list(accumulate(map(_length_of.__getitem__, self._runs), initial=0))
        if self._starts.pop() != REGISTERS:
            raise CorruptSketch
        self._bytes = len(value)

    def encode(self) -> bytes:
        """The runs as they are stored."""
        return b"".join(self._runs)

    def add(self, register: int, mark: int, sparse_bytes: int) -> bool | None:
        """Raise a register. returns: whether it was lower; None if the sketch must become dense first."""
        if mark > _SPARSE_MARK:
            return None
        starts = self._starts
        at = bisect_right(starts, register) - 1
        run, start = self._runs[at], starts[at]
        known, length = _mark_of(run), _length_of[run]
        if known >= mark:
            return False
        before, behind = register - start, start + length - 1 - register
        pieces, places = [_run(mark, 1)], [register]
        if before:
            pieces.insert(0, _run(known, before))
            places.insert(0, start)
        if behind:
            pieces.append(_run(known, behind))
            places.append(register + 1)
        grown = sum(map(len, pieces)) - len(run)
        if grown > 0 and self._bytes + grown > sparse_bytes:
            return None
        self._runs[at : at + 1] = pieces
        starts[at : at + 1] = places
        self._bytes += grown
        self._merge(max(at - 1, 0))
        return True

    def _merge(self, at: int) -> None:
        """Make one of two neighbours with the same mark, where a run can be as long as both.

        As Redis does, so that the bytes are the same: from the run before a change, five runs at most.
        """
        runs, starts = self._runs, self._starts
        for _ in range(_MERGED_RUNS):
            if at + 1 >= len(runs):
                return
            mark = _mark_of(runs[at])
            length = _length_of[runs[at]] + _length_of[runs[at + 1]]
            if mark and mark == _mark_of(runs[at + 1]) and length <= _LONGEST_RUN:
                runs[at : at + 2] = [_run(mark, length)]
                del starts[at + 1]
                self._bytes -= 1
            else:
                at += 1


# Taking a sketch apart is most of the work, and the same one is mostly added to again.
_KEPT: Final = 16
_kept: Final[dict[bytes, _Runs]] = {}


# -- runs -----------------------------------------------------------------------------------------------------------

_RUN: Final = re.compile(rb"[\x40-\x7f].|[^\x40-\x7f]", re.DOTALL)


def _runs(value: bytes) -> list[bytes]:
    """The runs of a sparse sketch. raises: CorruptSketch: the last one is cut off, or there are too many."""
    if len(value) > _MOST_SPARSE_BYTES:
        raise CorruptSketch
    body = value[HEADER_BYTES:]
    runs = _RUN.findall(body)
    if sum(map(len, runs)) != len(body):
        raise CorruptSketch
    return runs


def _run(mark: int, length: int) -> bytes:
    """How a run is stored."""
    if mark:
        return bytes((0x80 | mark - 1 << 2 | length - 1,))
    if length <= _SHORT_ZEROS:
        return bytes((length - 1,))
    return (0x4000 | length - 1).to_bytes(2, "big")


def _mark_of(run: bytes) -> int:
    """The mark of a run's registers."""
    return (run[0] >> 2 & 0x1F) + 1 if run[0] & 0x80 else 0


class _Lengths(dict[bytes, int]):
    """Of each run how many registers it is; at most 16,576 entries."""

    def __missing__(self, run: bytes) -> int:
        length = (run[0] & 3 if run[0] & 0x80 else int.from_bytes(run, "big") & 0x3FFF) + 1
        self[run] = length
        return length


class _Spelled(dict[bytes, bytes]):
    """Of each run its registers, a byte each; only those of short runs are kept."""

    def __missing__(self, run: bytes) -> bytes:
        marks = bytes((_mark_of(run),)) * _length_of[run]
        if len(run) == 1:
            self[run] = marks
        return marks


_length_of: Final = _Lengths()
_run_of: Final = _Spelled()


def spelled(value: bytes) -> bytes:
    """The runs of a sparse sketch for people, in PFDEBUG's words. raises: CorruptSketch."""
    words = []
    for run in _runs(value):
        kind = b"v:%d," % _mark_of(run) if run[0] & 0x80 else b"z:" if len(run) == 1 else b"Z:"
        words.append(kind + b"%d" % _length_of[run])
    return b" ".join(words)
