"""GEOADD, GEODIST, GEOHASH, GEOPOS: points on the globe as members of a sorted set, whose scores are geohashes."""

from __future__ import annotations

from typing import Final

from spoold.command.context import Context
from spoold.command.spec import DENYOOM, READONLY, WRITE, Keys, command
from spoold.core.errors import BadCoordinates, BadUnit, SyntaxFault
from spoold.core.numerals import parse_float
from spoold.core.reply import NULL_ARRAY, Decimals, Reply
from spoold.datatypes.geo import geohash
from spoold.datatypes.geo.shapes import distance_m
from spoold.datatypes.zsets import store
from spoold.datatypes.zsets.store import ADDED, IF_NEW, IF_THERE, LEFT
from spoold.keyspace import events

_CHANGED: Final = 16
_OPTIONS: Final = {b"NX": IF_NEW, b"XX": IF_THERE, b"CH": _CHANGED}
_UNITS_M: Final = {b"m": 1.0, b"km": 1000.0, b"ft": 0.3048, b"mi": 1609.34}


@command(
    "GEOADD",
    flags=WRITE | DENYOOM,
    keys=Keys(1),
    since="3.2.0",
    syntax="GEOADD key [NX|XX] [CH] longitude latitude member [longitude latitude member ...]",
    group="geo",
    arity=-5,
)
def geoadd(ctx: Context, key: bytes, *words: bytes) -> int:
    """Adds points to a sorted set, and counts those that are new; creates the set if there is none.

    options: NX: new members only. XX: no new ones. CH: count what has changed.
    raises: SyntaxFault, NotAFloat, BadCoordinates, WrongType.
    cost: O(points given), whatever the size of the set.
    """
    rule = at = 0
    while at < len(words) and (flag := _OPTIONS.get(words[at].upper())):
        rule |= flag
        at += 1
    if at == len(words) or (len(words) - at) % 3 or (rule & IF_NEW and rule & IF_THERE):
        raise SyntaxFault
    points = []
    for place in range(at, len(words), 3):
        longitude, latitude = parse_point(words[place], words[place + 1])
        points.append((float(geohash.encode(longitude, latitude).bits), words[place + 2]))
    done = store.change(ctx.ks, key, points, rule)
    changed = sum(what != LEFT for what, _ in done)
    if changed and ctx.ks.notify:
        ctx.ks.notify(events.SORTED_SET, b"zadd", key)
    return changed if rule & _CHANGED else sum(what == ADDED for what, _ in done)


@command(
    "GEODIST",
    flags=READONLY,
    keys=Keys(1),
    since="3.2.0",
    syntax="GEODIST key member1 member2 [M|KM|FT|MI]",
    group="geo",
)
def geodist(ctx: Context, key: bytes, member1: bytes, member2: bytes, *unit: bytes) -> bytes | None:
    """Tells how far two members are from each other, in metres or another unit.

    returns: a number with four decimals as text; nothing if one of them is not there.
    raises: BadUnit, SyntaxFault, WrongType.
    """
    unit_m = parse_unit(unit[0]) if len(unit) == 1 else 1.0
    if len(unit) > 1:
        raise SyntaxFault
    record = store.find(ctx.ks, key)
    if record is None:
        return None
    scores = [store.score(ctx.ks, record, member) for member in (member1, member2)]
    if scores[0] is None or scores[1] is None:
        return None
    return format_distance(distance_m(*geohash.decode(scores[0]), *geohash.decode(scores[1])) / unit_m)


@command(
    "GEOHASH", flags=READONLY, keys=Keys(1), since="3.2.0", syntax="GEOHASH key [member [member ...]]", group="geo"
)
def geohash_(ctx: Context, key: bytes, *members: bytes) -> list[bytes | None]:
    """Tells the usual geohash of each of several members, eleven letters; nothing for those that are not there."""
    return [None if score is None else geohash.text(score) for score in _scores(ctx, key, members)]


@command("GEOPOS", flags=READONLY, keys=Keys(1), since="3.2.0", syntax="GEOPOS key [member [member ...]]", group="geo")
def geopos(ctx: Context, key: bytes, *members: bytes) -> Reply:
    """Tells where members are: longitude and latitude of each; nothing for those that are not there."""
    return [NULL_ARRAY if score is None else point_reply(score) for score in _scores(ctx, key, members)]


def _scores(ctx: Context, key: bytes, members: tuple[bytes, ...]) -> list[float | None]:
    record = store.find(ctx.ks, key)
    return [None if record is None else store.score(ctx.ks, record, member) for member in members]


def parse_point(longitude: bytes, latitude: bytes) -> tuple[float, float]:
    """Read a point. raises: NotAFloat, BadCoordinates."""
    point = parse_float(longitude), parse_float(latitude)
    if abs(point[0]) > geohash.LONGITUDE_LIMIT or abs(point[1]) > geohash.LATITUDE_LIMIT:
        raise BadCoordinates(*point)
    return point


def parse_unit(unit: bytes) -> float:
    """The metres of a unit. raises: BadUnit."""
    unit_m = _UNITS_M.get(unit.lower())
    if unit_m is None:
        raise BadUnit
    return unit_m


def format_distance(distance: float) -> bytes:
    """A distance as it is told."""
    return b"%.4f" % distance


def point_reply(score: float) -> list[Decimals]:
    """Longitude and latitude as they are told."""
    return [Decimals(degrees) for degrees in geohash.decode(score)]
