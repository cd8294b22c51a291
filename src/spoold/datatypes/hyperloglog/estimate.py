"""How an element marks a register, and how many elements the marks of all registers stand for.

Both are fixed for ever: sketches are merged with those of other servers, and must come to the same numbers bit for bit.

source: MurmurHash64A by Austin Appleby (public domain); the estimator: Otmar Ertl, "New cardinality estimation
    algorithms for HyperLogLog sketches", arXiv 1702.01284, algorithms 4 to 6.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final

from spoold.core.numerals import INT64_MAX

# A hash's low bits choose the register; the place of the first one among the others is its mark.
INDEX_BITS: Final = 14
REGISTERS: Final = 1 << INDEX_BITS
_MARK_BITS: Final = 64 - INDEX_BITS
HIGHEST_MARK: Final = _MARK_BITS + 1

_SEED: Final = 0xADC83B19
_FACTOR: Final = 0xC6A4A7935BD1E995
_SHIFT: Final = 47
_U64: Final = (1 << 64) - 1
_BLOCK = struct.Struct("<Q")

_ALPHA: Final = 0.721347520444481703680


def mark(element: bytes) -> tuple[int, int]:
    """The register of an element, 0 to 16,383, and its mark there, 1 to 51. cost: O(bytes), some 30 MB/s."""
    hashed = murmur64a(element)
    # A bit that stands behind all others ends the search, also where none of them is set.
    rest = hashed >> INDEX_BITS | 1 << _MARK_BITS
    return hashed & (REGISTERS - 1), (rest & -rest).bit_length()


def murmur64a(data: bytes, seed: int = _SEED) -> int:
    """The 64-bit hash of `data`, little-endian. cost: O(bytes)."""
    length = len(data)
    hashed = seed ^ length * _FACTOR & _U64
    whole = length & ~7
    for (block,) in _BLOCK.iter_unpack(data[:whole]):
        mixed = block * _FACTOR & _U64
        mixed = (mixed ^ mixed >> _SHIFT) * _FACTOR & _U64
        hashed = (hashed ^ mixed) * _FACTOR & _U64
    if whole != length:
        hashed = (hashed ^ int.from_bytes(data[whole:], "little")) * _FACTOR & _U64
    hashed = (hashed ^ hashed >> _SHIFT) * _FACTOR & _U64
    return hashed ^ hashed >> _SHIFT


def cardinality(histogram: Sequence[int]) -> int:
    """How many different elements left these marks behind.

    histogram: how many registers hold each mark, 0 to 51.
    """
    registers = float(REGISTERS)
    z = registers * _tau((registers - histogram[HIGHEST_MARK]) / registers)
    for count in reversed(histogram[1:HIGHEST_MARK]):
        z = (z + count) * 0.5
    z += registers * _sigma(histogram[0] / registers)
    if not z:
        return INT64_MAX  # no register is below the highest mark: they were made up
    number = _ALPHA * registers * registers / z
    whole = math.floor(number)
    return whole + (number - whole >= 0.5)


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, z, before = 1.0, 1.0 - x, -1.0
    while z != before:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= (1.0 - x) ** 2 * y
    return z / 3.0


def _sigma(x: float) -> float:
    if x == 1.0:
        return math.inf
    y, z, before = 1.0, x, -1.0
    while z != before:
        x *= x
        before = z
        z += x * y
        y += y
    return z
