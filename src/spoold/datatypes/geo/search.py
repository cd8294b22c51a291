"""GEOSEARCH, GEOSEARCHSTORE, and the older GEORADIUS and GEORADIUSBYMEMBER: the members within a circle or a box."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final, NamedTuple

from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import DENYOOM, MOVABLEKEYS, READONLY, WRITE, Keys, Keyword, command
from spoold.core.errors import CommandError, CountZero, NeedsCount, NoSuchMember, NotAFloat, SyntaxFault
from spoold.core.numerals import parse_float
from spoold.core.reply import Reply
from spoold.datatypes.geo import geohash
from spoold.datatypes.geo.points import format_distance, parse_point, parse_unit, point_reply
from spoold.datatypes.geo.shapes import Shape
from spoold.datatypes.zsets import store
from spoold.keyspace import events
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import ZsetRecord

_NOWHERE: Final = Shape(0.0, 0.0, None, 0.0, 0.0, 1.0)


class _Found(NamedTuple):
    """distance_m: from the middle of the shape."""

    member: bytes
    score: float
    distance_m: float


class _Request:
    """What was asked for.

    shape: where; its middle and its size are set one after the other. order: 1 ascending, -1 descending, 0 any.
    count: at most so many, 0 = all. any: those that are found first will do. destination: where to store.
    store_distances: distances in place of geohashes.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.shape = _NOWHERE
        self.order = 0
        self.count = 0
        self.any = False
        self.with_distance = self.with_hash = self.with_point = False
        self.destination: bytes | None = None
        self.store_distances = False

    def read(self, args: Args, word: bytes) -> bool:
        """Take `word`, and what belongs to it, if it is an option of all searches. raises: NotAnInteger, CountZero."""
        match word:
            case b"WITHDIST":
                self.with_distance = True
            case b"WITHHASH":
                self.with_hash = True
            case b"WITHCOORD":
                self.with_point = True
            case b"ANY":
                self.any = True
            case b"ASC":
                self.order = 1
            case b"DESC":
                self.order = -1
            case b"COUNT" if args:
                self.count = args.int()
                if self.count <= 0:
                    raise CountZero
            case _:
                return False
        return True

    def check_store(self, what: str) -> None:
        """raises: CommandError: what is stored has no room for more."""
        if self.destination is not None and (self.with_distance or self.with_hash or self.with_point):
            raise CommandError(f"{what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options")

    def check_count(self) -> None:
        """raises: NeedsCount."""
        if self.any and not self.count:
            raise NeedsCount


def _parse_size(text: bytes, what: str) -> float:
    try:
        return parse_float(text)
    except NotAFloat:
        raise CommandError(f"need numeric {what}") from None


def _circle(shape: Shape, radius: bytes, unit: bytes) -> Shape:
    """A circle around the shape's middle. raises: CommandError, BadUnit."""
    number = _parse_size(radius, "radius")
    if number < 0:
        raise CommandError("radius cannot be negative")
    return shape._replace(radius=number, unit_m=parse_unit(unit))


def _box(shape: Shape, width: bytes, height: bytes, unit: bytes) -> Shape:
    """A box around the shape's middle. raises: CommandError, BadUnit."""
    numbers = _parse_size(width, "width"), _parse_size(height, "height")
    if min(numbers) < 0:
        raise CommandError("height or width cannot be negative")
    return shape._replace(radius=None, width=numbers[0], height=numbers[1], unit_m=parse_unit(unit))


def _around(ks: Keyspace, shape: Shape, record: ZsetRecord, member: bytes) -> Shape:
    """The shape around a member. raises: NoSuchMember."""
    score = store.score(ks, record, member)
    if score is None:
        raise NoSuchMember
    longitude, latitude = geohash.decode(score)
    return shape._replace(longitude=longitude, latitude=latitude)


# -- commands -------------------------------------------------------------------------------------------------------

_FROM: Final = "FROMMEMBER member|FROMLONLAT longitude latitude"
_BY: Final = "BYRADIUS radius M|KM|FT|MI|BYBOX width height M|KM|FT|MI"
_CUT: Final = "[ASC|DESC] [COUNT count [ANY]]"
_WITH: Final = "[WITHCOORD] [WITHDIST] [WITHHASH]"


@command(
    "GEOSEARCH",
    flags=READONLY,
    keys=Keys(1),
    since="6.2.0",
    syntax=f"GEOSEARCH key {_FROM} {_BY} {_CUT} {_WITH}",
    group="geo",
    arity=-7,
)
def geosearch(ctx: Context, key: bytes, *words: bytes) -> Reply:
    """Lists the members within a circle or a box around a member or a point.

    options: ASC, DESC: the nearest or the farthest first. COUNT: at most so many, the nearest unless ANY is given.
        WITHDIST, WITHHASH, WITHCOORD: the distance in the unit of the search, the geohash as a number, the point.
    returns: members, or lists that begin with one.
    raises: WrongType, SyntaxFault, NotAFloat, NotAnInteger, BadCoordinates, BadUnit, NoSuchMember, CountZero,
        NeedsCount; CommandError: a part is missing, a size is no number or negative.
    cost: O(members in the cells of a grid that cover the shape).
    source: redis: src/geo.c, georadiusGeneric.
    """
    record = store.find(ctx.ks, key)
    request = _parse_search(ctx.ks, record, words, "geosearch", None)
    return _answer(ctx.ks, record, request, b"")


@command(
    "GEOSEARCHSTORE",
    flags=WRITE | DENYOOM,
    keys=Keys(1, 2, access="OW update|RO access"),
    since="6.2.0",
    syntax=f"GEOSEARCHSTORE destination source {_FROM} {_BY} {_CUT} [STOREDIST]",
    group="geo",
    arity=-8,
)
def geosearchstore(ctx: Context, destination: bytes, source: bytes, *words: bytes) -> Reply:
    """Makes a key the sorted set of the members that GEOSEARCH would list, and counts them.

    options: STOREDIST: their scores are the distances, in the unit of the search, in place of geohashes.
    raises, cost: as GEOSEARCH.
    """
    record = store.find(ctx.ks, source)
    request = _parse_search(ctx.ks, record, words, "geosearchstore", destination)
    return _answer(ctx.ks, record, request, b"geosearchstore")


def _parse_search(
    ks: Keyspace, record: ZsetRecord | None, words: tuple[bytes, ...], name: str, destination: bytes | None
) -> _Request:
    request = _Request()
    request.destination = destination
    middle = size = b""
    args = Args(words)
    while args:
        word = args.word()
        left = len(args)
        if request.read(args, word):
            continue
        if word == b"FROMMEMBER" and left >= 1 and middle != b"FROMLONLAT":
            middle = word
            member = args.take()
            if record is not None:
                request.shape = _around(ks, request.shape, record, member)
        elif word == b"FROMLONLAT" and left >= 2 and middle != b"FROMMEMBER":
            middle = word
            longitude, latitude = parse_point(args.take(), args.take())
            request.shape = request.shape._replace(longitude=longitude, latitude=latitude)
        elif word == b"BYRADIUS" and left >= 2 and size != b"BYBOX":
            size = word
            request.shape = _circle(request.shape, args.take(), args.take())
        elif word == b"BYBOX" and left >= 3 and size != b"BYRADIUS":
            size = word
            request.shape = _box(request.shape, args.take(), args.take(), args.take())
        elif word == b"STOREDIST" and destination is not None:
            request.store_distances = True
        else:
            raise SyntaxFault
    request.check_store("GEOSEARCHSTORE")
    if not middle:
        raise CommandError(f"exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}")
    if not size:
        raise CommandError(f"exactly one of BYRADIUS and BYBOX can be specified for {name}")
    request.check_count()
    return request


_RADIUS_OPTIONS: Final = "[WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC]"
_RADIUS_STORE: Final = "[STORE key|STOREDIST key]"
_RADIUS_ACCESS: Final = "RO access|OW update|OW update"


def _radius_keys(options_at: int) -> Keys:
    """The keys of a command of which a key to store in follows STORE or STOREDIST."""

    def find(request: Sequence[bytes]) -> list[int]:
        found = [1]
        for at in range(options_at, len(request) - 1):
            if request[at].upper() in {b"STORE", b"STOREDIST"}:
                found[1:] = [at + 1]
        return found

    words = Keyword("STORE", options_at), Keyword("STOREDIST", options_at)
    return Keys(1, finder=find, access=_RADIUS_ACCESS, keywords=words)


@command(
    "GEORADIUS",
    flags=WRITE | DENYOOM | MOVABLEKEYS,
    keys=_radius_keys(6),
    since="3.2.0",
    syntax=f"GEORADIUS key longitude latitude radius M|KM|FT|MI {_RADIUS_OPTIONS} {_RADIUS_STORE}",
    group="geo",
    arity=-6,
)
def georadius(
    ctx: Context, key: bytes, longitude: bytes, latitude: bytes, radius: bytes, unit: bytes, *options: bytes
) -> Reply:
    """Lists the members within a circle around a point, or stores them; GEOSEARCH is newer.

    returns: as GEOSEARCH; with STORE or STOREDIST how many were stored.
    raises, cost: as GEOSEARCH.
    """
    return _by_point(ctx, key, longitude, latitude, radius, unit, options, storing=True)


@command(
    "GEORADIUS_RO",
    flags=READONLY,
    keys=Keys(1),
    since="3.2.10",
    syntax=f"GEORADIUS_RO key longitude latitude radius M|KM|FT|MI {_RADIUS_OPTIONS}",
    group="geo",
    arity=-6,
)
def georadius_ro(
    ctx: Context, key: bytes, longitude: bytes, latitude: bytes, radius: bytes, unit: bytes, *options: bytes
) -> Reply:
    """Lists the members within a circle around a point; GEORADIUS without STORE."""
    return _by_point(ctx, key, longitude, latitude, radius, unit, options, storing=False)


@command(
    "GEORADIUSBYMEMBER",
    flags=WRITE | DENYOOM | MOVABLEKEYS,
    keys=_radius_keys(5),
    since="3.2.0",
    syntax=f"GEORADIUSBYMEMBER key member radius M|KM|FT|MI {_RADIUS_OPTIONS} {_RADIUS_STORE}",
    group="geo",
    arity=-5,
)
def georadiusbymember(ctx: Context, key: bytes, member: bytes, radius: bytes, unit: bytes, *options: bytes) -> Reply:
    """Lists the members within a circle around a member, or stores them; GEOSEARCH is newer.

    returns: as GEOSEARCH; with STORE or STOREDIST how many were stored.
    raises, cost: as GEOSEARCH.
    """
    return _by_member(ctx, key, member, radius, unit, options, storing=True)


@command(
    "GEORADIUSBYMEMBER_RO",
    flags=READONLY,
    keys=Keys(1),
    since="3.2.10",
    syntax=f"GEORADIUSBYMEMBER_RO key member radius M|KM|FT|MI {_RADIUS_OPTIONS}",
    group="geo",
    arity=-5,
)
def georadiusbymember_ro(ctx: Context, key: bytes, member: bytes, radius: bytes, unit: bytes, *options: bytes) -> Reply:
    """Lists the members within a circle around a member; GEORADIUSBYMEMBER without STORE."""
    return _by_member(ctx, key, member, radius, unit, options, storing=False)


def _by_point(
    ctx: Context,
    key: bytes,
    longitude: bytes,
    latitude: bytes,
    radius: bytes,
    unit: bytes,
    options: tuple[bytes, ...],
    *,
    storing: bool,
) -> Reply:
    record = store.find(ctx.ks, key)
    point = parse_point(longitude, latitude)
    shape = _circle(_NOWHERE._replace(longitude=point[0], latitude=point[1]), radius, unit)
    return _answer(ctx.ks, record, _parse_radius(shape, options, storing=storing), b"georadiusstore")


def _by_member(
    ctx: Context, key: bytes, member: bytes, radius: bytes, unit: bytes, options: tuple[bytes, ...], *, storing: bool
) -> Reply:
    record = store.find(ctx.ks, key)
    shape = _NOWHERE
    if record is not None:  # else the radius is not even looked at
        shape = _circle(_around(ctx.ks, shape, record, member), radius, unit)
    return _answer(ctx.ks, record, _parse_radius(shape, options, storing=storing), b"georadiusstore")


def _parse_radius(shape: Shape, options: tuple[bytes, ...], *, storing: bool) -> _Request:
    request = _Request()
    request.shape = shape
    args = Args(options)
    while args:
        word = args.word()
        if word in {b"STORE", b"STOREDIST"} and storing and args:
            request.destination = args.take()
            request.store_distances = word == b"STOREDIST"
        elif not request.read(args, word):
            raise SyntaxFault
    request.check_store("STORE option in GEORADIUS")
    request.check_count()
    return request


# -- the search -----------------------------------------------------------------------------------------------------


def _answer(ks: Keyspace, record: ZsetRecord | None, request: _Request, event: bytes) -> Reply:
    found = [] if record is None else _search(ks, record, request)
    unit_m = request.shape.unit_m
    if request.destination is None:
        return [_told(each, request, unit_m) for each in found]
    scores = {each.member: each.distance_m / unit_m if request.store_distances else each.score for each in found}
    existed = ks.notify is not None and ks.find(request.destination) is not None
    store.replace(ks, request.destination, scores.items())
    if ks.notify and found:
        ks.notify(events.SORTED_SET, event, request.destination)
    elif ks.notify and existed:
        ks.notify(events.GENERIC, b"del", request.destination)
    return len(found)


def _search(ks: Keyspace, record: ZsetRecord, request: _Request) -> list[_Found]:
    """What lies in the shape, in order, cut to the count."""
    shape = request.shape
    inside = (
        _Found(member, score, distance)
        for cell in shape.cells()
        for member, score in store.between(ks, record, *cell.scores())
        if (distance := shape.distance(*geohash.decode(score))) is not None
    )
    found = list(islice(inside, request.count) if request.any else inside)
    order = request.order or int(request.count > 0 and not request.any)
    if order:
        found.sort(key=lambda each: order * each.distance_m)
    return found[: request.count] if request.count else found


def _told(found: _Found, request: _Request, unit_m: float) -> Reply:
    parts: list[Reply] = [found.member]
    if request.with_distance:
        parts.append(format_distance(found.distance_m / unit_m))
    if request.with_hash:
        parts.append(int(found.score))
    if request.with_point:
        parts.append(point_reply(found.score))
    return parts if len(parts) > 1 else found.member
