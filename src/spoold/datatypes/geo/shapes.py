"""Circles and boxes on the globe, and the cells of the geohash grid that cover one.

source: redis: src/geohash_helper.c: the same formulas in the same order, so that distances agree to the last bit.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from spoold.datatypes.geo.geohash import STEPS, Cell, encode

_EARTH_RADIUS_M: Final = 6372797.560856
# Half the width of the Mercator map.
_MAP_M: Final = 20037726.37
_DEGREE: Final = math.pi / 180.0

# The cell itself, then its neighbours: that is the order in which results come that are not sorted.
_DIRECTIONS: Final = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))


class Shape(NamedTuple):
    """What is searched: a circle, or a box that stands upright.

    longitude, latitude: its middle. radius: of a circle, else None. width, height: of a box. unit_m: metres of the unit
    in which these are given.
    """

    longitude: float
    latitude: float
    radius: float | None
    width: float
    height: float
    unit_m: float

    def distance(self, longitude: float, latitude: float) -> float | None:
        """Metres from the middle to a point, None if the point is outside."""
        if self.radius is not None:
            distance = distance_m(self.longitude, self.latitude, longitude, latitude)
            return None if distance > self.radius * self.unit_m else distance
        if _height_m(latitude, self.latitude) > self.height * self.unit_m / 2:
            return None
        if distance_m(longitude, latitude, self.longitude, latitude) > self.width * self.unit_m / 2:
            return None
        return distance_m(self.longitude, self.latitude, longitude, latitude)

    def cells(self) -> list[Cell]:
        """Cells that cover the shape, in the order in which they are searched; one may come twice."""
        west, south, east, north = self._bounds()
        step = _step(self._reach_m(), self.latitude)
        cell = encode(self.longitude, self.latitude, step)
        if step > 1 and (
            cell.moved(0, 1).area().north < north
            or cell.moved(0, -1).area().south > south
            or cell.moved(1, 0).area().east < east
            or cell.moved(-1, 0).area().west > west
        ):
            # The shape reaches beyond the neighbours: larger cells.
            step -= 1
            cell = encode(self.longitude, self.latitude, step)
        directions = list(_DIRECTIONS)
        if step >= 2:
            area = cell.area()
            # Where the cell itself reaches beyond the shape, nothing is to be found in the neighbours on that side.
            if area.south < south:
                directions = [(x, y) for x, y in directions if y >= 0]
            if area.north > north:
                directions = [(x, y) for x, y in directions if y <= 0]
            if area.west < west:
                directions = [(x, y) for x, y in directions if x >= 0]
            if area.east > east:
                directions = [(x, y) for x, y in directions if x <= 0]
        found: list[Cell] = []
        for place, direction in enumerate(directions):
            neighbour = cell.moved(*direction)
            # Large cells are their own neighbours; Redis looks only at the last one, and not at the very first.
            if place < 2 or neighbour != found[-1]:
                found.append(neighbour)
        return found

    def _reach_m(self) -> float:
        """From the middle to the farthest point."""
        if self.radius is not None:
            return self.radius * self.unit_m
        return math.sqrt((self.width / 2) * (self.width / 2) + (self.height / 2) * (self.height / 2)) * self.unit_m

    def _bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north end, in degrees; the wider of the two parallels counts."""
        height = self.unit_m * (self.height / 2 if self.radius is None else self.radius)
        width = self.unit_m * (self.width / 2 if self.radius is None else self.radius)
        up = height / _EARTH_RADIUS_M / _DEGREE
        parallel = self.latitude - up if self.latitude < 0 else self.latitude + up
        # As in C: where the shape has no end, its ends are no numbers, and no comparison with them is true.
        narrowing = math.cos(parallel * _DEGREE) if math.isfinite(parallel) else math.nan
        aside = width / _EARTH_RADIUS_M / narrowing / _DEGREE
        return self.longitude - aside, self.latitude - up, self.longitude + aside, self.latitude + up


def distance_m(longitude: float, latitude: float, other_longitude: float, other_latitude: float) -> float:
    """The length of the great circle between two points, in metres (haversine)."""
    v = math.sin((other_longitude * _DEGREE - longitude * _DEGREE) / 2)
    if v == 0.0:
        return _height_m(latitude, other_latitude)
    here, there = latitude * _DEGREE, other_latitude * _DEGREE
    u = math.sin((there - here) / 2)
    a = u * u + math.cos(here) * math.cos(there) * v * v
    return 2.0 * _EARTH_RADIUS_M * math.asin(math.sqrt(a))


def _height_m(latitude: float, other_latitude: float) -> float:
    """The distance between two parallels."""
    return _EARTH_RADIUS_M * math.fabs(other_latitude * _DEGREE - latitude * _DEGREE)


def _step(reach_m: float, latitude: float) -> int:
    """How fine the grid may be so that a cell and its neighbours cover what is so far away."""
    if reach_m == 0:
        return STEPS
    step = 1
    while reach_m < _MAP_M:
        reach_m *= 2
        step += 1
    step -= 2
    # Cells are narrow towards the poles.
    if not -66 <= latitude <= 66:
        step -= 1
        if not -80 <= latitude <= 80:
            step -= 1
    return min(max(step, 1), STEPS)
