"""Geohashes: a point on the globe as one number, near points mostly as near numbers.

A coordinate is the number of a strip among 2**step; the bits of both are interleaved, latitude in the even places. A
cell is (bits, step). Points are stored as cells of 26 steps: 52 bits, which a sorted set's score holds exactly.

Latitudes end at 85.05112878 degrees, where a Mercator map is square; the text of GEOHASH is the usual one, up to 90.
source: https://redis.io/docs/latest/commands/geoadd/; redis: src/geohash.c.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

STEPS: Final = 26
LONGITUDE_LIMIT: Final = 180.0
LATITUDE_LIMIT: Final = 85.05112878
_POLE: Final = 90.0

_EVEN: Final = 0x5555555555555555
_ODD: Final = 0xAAAAAAAAAAAAAAAA
_ALL: Final = (1 << 64) - 1
# Places in which the two halves of a number are moved apart, and what is left of it then.
_SPREADS: Final = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, _EVEN),
)
_GATHERS: Final = (
    (1, 0x3333333333333333),
    (2, 0x0F0F0F0F0F0F0F0F),
    (4, 0x00FF00FF00FF00FF),
    (8, 0x0000FFFF0000FFFF),
    (16, 0x00000000FFFFFFFF),
)
_ALPHABET: Final = b"0123456789bcdefghjkmnpqrstuvwxyz"


class Cell(NamedTuple):
    """A cell of the grid."""

    bits: int
    step: int

    def moved(self, east: int, north: int) -> Cell:
        """The neighbour in a direction, each -1, 0 or 1; the grid is round both ways.

        At the eastern and the northern limit a point has the number of a strip that does not exist. As in Redis, it is
        left so where there is no move; what lies on the other side of the limit is not found from there.
        """
        unused = 64 - self.step * 2
        even, odd = _EVEN >> unused, _ODD >> unused
        longitude, latitude = self.bits & _ODD, self.bits & _EVEN
        # The other coordinate's places are filled with ones, so that a carry passes over them.
        if east > 0:
            longitude = longitude + even + 1 & odd
        elif east < 0:
            longitude = (longitude | even) - even - 1 & odd
        if north > 0:
            latitude = latitude + odd + 1 & even
        elif north < 0:
            latitude = (latitude | odd) - odd - 1 & even
        return Cell(longitude | latitude, self.step)

    def area(self) -> Area:
        """What the cell covers."""
        latitude, longitude = _gather(self.bits), _gather(self.bits >> 1)
        strips = 1 << self.step
        # Written as in Redis, so that the last bit is the same.
        height, width = LATITUDE_LIMIT * 2, LONGITUDE_LIMIT * 2
        return Area(
            -LONGITUDE_LIMIT + (longitude / strips) * width,
            -LONGITUDE_LIMIT + ((longitude + 1) / strips) * width,
            -LATITUDE_LIMIT + (latitude / strips) * height,
            -LATITUDE_LIMIT + ((latitude + 1) / strips) * height,
        )

    def scores(self) -> tuple[float, float]:
        """The scores of the points in the cell: from the first up to, not including, the second."""
        shift = STEPS * 2 - self.step * 2
        return float(self.bits << shift), float((self.bits + 1) << shift)


class Area(NamedTuple):
    """A part of the globe, in degrees."""

    west: float
    east: float
    south: float
    north: float


def encode(longitude: float, latitude: float, step: int = STEPS, latitude_limit: float = LATITUDE_LIMIT) -> Cell:
    """The cell of a point, which lies within the limits."""
    north = (latitude + latitude_limit) / (latitude_limit * 2)
    east = (longitude + LONGITUDE_LIMIT) / (LONGITUDE_LIMIT * 2)
    strips = 1 << step
    return Cell(_spread(int(north * strips)) | _spread(int(east * strips)) << 1, step)


def decode(score: float) -> tuple[float, float]:
    """The point, longitude and latitude, that a score stands for: the middle of its cell."""
    area = Cell(_bits(score), STEPS).area()
    longitude = (area.west + area.east) / 2
    latitude = (area.south + area.north) / 2
    # Only for scores that are no geohashes.
    longitude = min(max(longitude, -LONGITUDE_LIMIT), LONGITUDE_LIMIT)
    return longitude, min(max(latitude, -LATITUDE_LIMIT), LATITUDE_LIMIT)


def text(score: float) -> bytes:
    """The geohash of a score as eleven letters, as other software knows it; the last says nothing.

    source: redis: src/geo.c, geohashCommand.
    """
    bits = encode(*decode(score), latitude_limit=_POLE).bits
    letters = bytes(_ALPHABET[bits >> (STEPS * 2 - 5 * place) & 31] for place in range(1, 11))
    return letters + _ALPHABET[:1]


def _bits(score: float) -> int:
    """A score as 64 bits; what is none of them is what a conversion in C makes of it."""
    if not math.isfinite(score) or abs(score) >= 2.0**64:
        return 1 << 63
    return int(score) & _ALL


def _spread(number: int) -> int:
    """Move the bits of a 32-bit number to the even places."""
    for shift, mask in _SPREADS:
        number = (number | number << shift) & mask
    return number


def _gather(number: int) -> int:
    """Undo `_spread`; the odd places are dropped."""
    number &= _EVEN
    for shift, mask in _GATHERS:
        number = (number | number >> shift) & mask
    return number
