"""Points, distances and searches; the figures are those of Redis and of geometry."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core.errors import CommandError, WrongType
from spoold.core.numerals import format_decimals
from spoold.core.reply import NULL_ARRAY, OK
from spoold.datatypes.geo import geohash
from spoold.datatypes.geo.shapes import Shape, distance_m
from support.room import Room

longitudes = st.floats(-180, 180)
latitudes = st.floats(-85.05112878, 85.05112878)


def says(reply: Any, text: str) -> bool:
    """Whether a reply is the error of this text."""
    return isinstance(reply, CommandError) and reply.message == text.encode()


@pytest.fixture
def sicily(room: Room) -> Room:
    room("GEOADD", "g", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")
    return room


@given(longitudes, latitudes)
def test_a_point_comes_back_to_less_than_a_metre(longitude: float, latitude: float) -> None:
    near = geohash.decode(float(geohash.encode(longitude, latitude).bits))
    assert abs(near[0] - longitude) <= 360 / 2**26
    assert abs(near[1] - latitude) <= 2 * 85.05112878 / 2**26


@given(longitudes, latitudes, st.integers(1, 26), st.sampled_from([(0, 1), (1, 0), (1, 1), (-1, 1)]))
def test_neighbours_are_mutual(longitude: float, latitude: float, step: int, way: tuple[int, int]) -> None:
    cell = geohash.encode(min(longitude, 179.9), min(latitude, 85.0), step)
    assert cell.moved(*way).moved(-way[0], -way[1]) == cell


@given(longitudes, latitudes)
def test_a_cell_covers_its_points(longitude: float, latitude: float) -> None:
    for step in (1, 5, 20, 26):
        area = geohash.encode(longitude, latitude, step).area()
        assert area.west <= longitude + 1e-9
        assert longitude <= area.east + 1e-9
        assert area.south <= latitude + 1e-9
        assert latitude <= area.north + 1e-9


def test_points_as_redis_tells_them(sicily: Room) -> None:
    assert sicily("ZSCORE", "g", "Palermo") == 3479099956230698.0
    ((longitude, latitude), missing) = sicily("GEOPOS", "g", "Palermo", "none")
    assert format_decimals(longitude) == b"13.36138933897018433"
    assert format_decimals(latitude) == b"38.11555639549629859"
    assert missing is NULL_ARRAY
    assert sicily("GEOHASH", "g", "Palermo", "none", "Catania") == [b"sqc8b49rny0", None, b"sqdtr74hyu0"]
    assert sicily("GEOPOS", "none", "a") == [NULL_ARRAY]


def test_distances(sicily: Room) -> None:
    assert sicily("GEODIST", "g", "Palermo", "Catania") == b"166274.1516"
    assert sicily("GEODIST", "g", "Palermo", "Catania", "KM") == b"166.2742"
    assert sicily("GEODIST", "g", "Palermo", "Catania", "mi") == b"103.3182"
    assert sicily("GEODIST", "g", "Palermo", "none") is None
    unit = "ERR unsupported unit provided. please use M, KM, FT, MI"
    assert says(sicily("GEODIST", "g", "Palermo", "Catania", "yd"), unit)
    assert distance_m(0, 0, 180, 0) == pytest.approx(math.pi * 6372797.560856)


def test_geoadd_and_its_options(sicily: Room) -> None:
    assert sicily("GEOADD", "g", "NX", 1, 1, "Palermo", 2, 2, "new") == 1
    assert sicily("GEOADD", "g", "XX", "CH", 1, 1, "Palermo", 2, 2, "other") == 1
    assert sicily("ZCARD", "g") == 3
    assert says(sicily("GEOADD", "g", "NX", "XX", 1, 1, "a"), "ERR syntax error")
    assert says(sicily("GEOADD", "g", 1, 1, "a", 2), "ERR syntax error")
    assert says(sicily("GEOADD", "g", 1, "x", "a"), "ERR value is not a valid float")
    pair = "ERR invalid longitude,latitude pair 181.000000,1.000000"
    assert says(sicily("GEOADD", "g", 1, 1, "a", 181, 1, "b"), pair)
    assert sicily("ZSCORE", "g", "a") is None
    sicily("SET", "s", "v")
    assert isinstance(sicily("GEOADD", "s", 1, 1, "a"), WrongType)


def test_search_and_what_it_tells(sicily: Room) -> None:
    around = ("GEOSEARCH", "g", "FROMLONLAT", 15, 37)
    assert sicily(*around, "BYRADIUS", 200, "km", "ASC") == [b"Catania", b"Palermo"]
    assert sicily(*around, "BYRADIUS", 200, "km", "DESC", "COUNT", 1) == [b"Palermo"]
    assert sicily(*around, "BYRADIUS", 100, "km") == [b"Catania"]
    assert sicily(*around, "BYBOX", 400, 400, "km", "COUNT", 1, "WITHDIST", "WITHHASH") == [
        [b"Catania", b"56.4413", 3479447370796909]
    ]
    ((_, point),) = sicily("GEOSEARCH", "g", "FROMMEMBER", "Palermo", "BYRADIUS", 0, "m", "WITHCOORD")
    assert [format_decimals(each)[:9] for each in point] == [b"13.361389", b"38.115556"]
    assert sicily("GEOSEARCH", "none", "FROMMEMBER", "a", "BYRADIUS", 1, "m") == []
    assert sicily("GEORADIUS", "g", 15, 37, 200, "km", "ASC") == [b"Catania", b"Palermo"]
    assert sicily("GEORADIUSBYMEMBER_RO", "g", "Palermo", 10, "km") == [b"Palermo"]


def test_searches_store_geohashes_or_distances(sicily: Room) -> None:
    around = ("g", "FROMLONLAT", 15, 37, "BYRADIUS", 200, "km")
    assert sicily("GEOSEARCHSTORE", "d", *around) == 2
    assert sicily("ZSCORE", "d", "Palermo") == 3479099956230698.0
    assert sicily("GEOSEARCHSTORE", "d", *around, "STOREDIST", "COUNT", 1) == 1
    assert sicily("ZSCORE", "d", "Catania") == pytest.approx(56.4413, abs=1e-4)
    assert sicily("GEORADIUS", "g", 15, 37, 200, "km", "STORE", "e") == 2
    assert sicily("GEORADIUSBYMEMBER", "g", "Palermo", 1, "m", "STOREDIST", "e") == 1
    assert sicily("ZSCORE", "e", "Palermo") == 0
    assert sicily("SET", "d", "v") is OK
    assert sicily("GEOSEARCHSTORE", "d", "none", "FROMLONLAT", 1, 1, "BYRADIUS", 1, "m") == 0
    assert sicily("EXISTS", "d") == 0


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("BYRADIUS 1 km ASC ASC", "exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch"),
        ("FROMMEMBER Palermo ASC ASC ASC", "exactly one of BYRADIUS and BYBOX can be specified for geosearch"),
        ("FROMMEMBER Palermo FROMLONLAT 1 1 BYRADIUS 1 km", "syntax error"),
        ("FROMMEMBER Palermo BYRADIUS 1 km BYBOX 1 1 km", "syntax error"),
        ("FROMMEMBER none BYRADIUS 1 km", "could not decode requested zset member"),
        ("FROMMEMBER Palermo BYRADIUS x km", "need numeric radius"),
        ("FROMMEMBER Palermo BYRADIUS -1 km", "radius cannot be negative"),
        ("FROMMEMBER Palermo BYBOX x 1 km", "need numeric width"),
        ("FROMMEMBER Palermo BYBOX 1 x km", "need numeric height"),
        ("FROMMEMBER Palermo BYBOX 1 -1 km", "height or width cannot be negative"),
        ("FROMMEMBER Palermo BYRADIUS 1 km COUNT 0", "COUNT must be > 0"),
        ("FROMMEMBER Palermo BYRADIUS 1 km ANY", "the ANY argument requires COUNT argument"),
        ("FROMMEMBER Palermo BYRADIUS 1 km STOREDIST", "syntax error"),
    ],
)
def test_what_a_search_refuses(sicily: Room, words: str, error: str) -> None:
    assert says(sicily("GEOSEARCH", "g", *words.split()), f"ERR {error}")


def test_searches_find_what_a_look_at_every_point_finds(room: Room) -> None:
    chance = random.Random(7)
    points: dict[bytes, tuple[float, float]] = {}
    for number in range(1500):
        longitude, latitude = chance.uniform(-179, 179), chance.uniform(-80, 80)
        room("GEOADD", "g", longitude, latitude, b"p%d" % number)
        points[b"p%d" % number] = geohash.decode(room("ZSCORE", "g", b"p%d" % number))
    for _ in range(60):
        longitude, latitude = chance.uniform(-120, 120), chance.uniform(-55, 55)
        radius = chance.choice([10, 200, 1000, 3000])
        circle = Shape(longitude, latitude, radius, 0, 0, 1000.0)
        found = room("GEOSEARCH", "g", "FROMLONLAT", repr(longitude), repr(latitude), "BYRADIUS", radius, "km")
        assert sorted(found) == sorted(each for each, point in points.items() if circle.distance(*point) is not None)
        box = Shape(longitude, latitude, None, radius, radius / 2, 1000.0)
        words = ["FROMLONLAT", repr(longitude), repr(latitude), "BYBOX", radius, radius / 2, "km", "ASC"]
        inside = {each: box.distance(*point) for each, point in points.items()}
        nearest = sorted((far, each) for each, far in inside.items() if far is not None)
        assert room("GEOSEARCH", "g", *words) == [each for _, each in nearest]
