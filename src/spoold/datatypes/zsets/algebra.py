"""ZUNION, ZINTER, ZDIFF, their STORE forms, ZINTERCARD: sorted sets, and sets as if each score were 1.

All keys are looked up before the options are read, and the whole result is worked out before anything is written.
Inputs are taken by size, the smallest first, as Redis does: the sum of scores depends on the order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

from spoold.command.args import Args, parse_at_least
from spoold.command.context import Context
from spoold.command.spec import DENYOOM, MOVABLEKEYS, READONLY, WRITE, Keys, command
from spoold.core.errors import BadWeight, NegativeLimit, NoInputKeys, NotAFloat, SyntaxFault, WrongType
from spoold.core.numerals import parse_float, parse_int
from spoold.core.reply import Pairs, Reply
from spoold.datatypes.sets import store as sets
from spoold.datatypes.zsets import store
from spoold.datatypes.zsets.ranges import store_result
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import Record, SetRecord, ZsetRecord

Scores: TypeAlias = "dict[bytes, float]"
Aggregate: TypeAlias = Callable[[float, float], float]


class _Input(NamedTuple):
    record: ZsetRecord | SetRecord | None
    weight: float

    def size(self) -> int:
        """How many members there are."""
        return 0 if self.record is None else self.record.count()


class _Request(NamedTuple):
    inputs: list[_Input]
    aggregate: Aggregate
    with_scores: bool
    limit: int


def _sum(one: float, other: float) -> float:
    total = one + other
    return 0.0 if math.isnan(total) else total


_AGGREGATES: Final[dict[bytes, Aggregate]] = {b"SUM": _sum, b"MIN": min, b"MAX": max}


def _parse(
    ks: Keyspace,
    name: str,
    numkeys: bytes,
    words: tuple[bytes, ...],
    *,
    storing: bool = False,
    weighing: bool = True,
    counting: bool = False,
) -> _Request:
    """Read what stands from `numkeys` on.

    weighing: WEIGHTS and AGGREGATE are known. counting: LIMIT is, nothing else.
    raises: NotAnInteger, NoInputKeys, SyntaxFault, then WrongType, then the errors of the options.
    """
    number = parse_int(numkeys)
    if number < 1:
        raise NoInputKeys(name)
    if number > len(words):
        raise SyntaxFault
    records = [_find(ks, key) for key in words[:number]]
    weights = [1.0] * number
    aggregate: Aggregate = _sum
    with_scores, limit = False, 0
    args = Args(words[number:])
    while args:
        word = args.word()
        if word == b"WEIGHTS" and weighing and len(args) >= number:
            weights = [_weight(args.take()) for _ in range(number)]
        elif word == b"AGGREGATE" and weighing and args and args.peek() in _AGGREGATES:
            aggregate = _AGGREGATES[args.word()]
        elif word == b"WITHSCORES" and not storing and not counting:
            with_scores = True
        elif word == b"LIMIT" and counting and args:
            limit = parse_at_least(args.take(), 0, NegativeLimit)
        else:
            raise SyntaxFault
    inputs = [_Input(*each) for each in zip(records, weights, strict=True)]
    return _Request(inputs, aggregate, with_scores, limit)


def _find(ks: Keyspace, key: bytes) -> ZsetRecord | SetRecord | None:
    record: Record | None = ks.find(key)
    if record is not None and not isinstance(record, (ZsetRecord, SetRecord)):
        raise WrongType
    return record


def _weight(text: bytes) -> float:
    try:
        return parse_float(text)
    except NotAFloat:
        raise BadWeight from None


# -- what comes of it -----------------------------------------------------------------------------------------------


def _union(ks: Keyspace, request: _Request) -> Scores:
    found: Scores = {}
    for each in sorted(request.inputs, key=_Input.size):
        for member, score in _weighed(ks, each):
            found[member] = request.aggregate(found[member], score) if member in found else score
    return found


def _intersection(ks: Keyspace, request: _Request) -> Iterator[tuple[bytes, float]]:
    smallest, *others = sorted(request.inputs, key=_Input.size)
    for member, total in _weighed(ks, smallest):
        for other in others:
            score = _look(ks, other, member)
            if score is None:
                break
            total = request.aggregate(total, score)
        else:
            yield member, total


def _difference(ks: Keyspace, request: _Request) -> Scores:
    first, *others = request.inputs
    left = dict(_weighed(ks, first))
    for other in others:
        if other.record is None or not left:
            continue
        if other.size() < len(left):
            for member, _ in _weighed(ks, other):
                left.pop(member, None)
        else:
            left = {member: score for member, score in left.items() if _look(ks, other, member) is None}
    return left


def _weighed(ks: Keyspace, given: _Input) -> Iterator[tuple[bytes, float]]:
    """The members of an input with their weighed scores."""
    record = given.record
    if isinstance(record, SetRecord):
        return ((member, given.weight) for member in sets.each(ks, record))
    if record is None:
        return iter(())
    return ((member, _times(score, given.weight)) for member, score in store.each(ks, record))


def _look(ks: Keyspace, given: _Input, member: bytes) -> float | None:
    """The weighed score of a member, which may be NaN; None if the input does not have it."""
    record = given.record
    if isinstance(record, SetRecord):
        return given.weight if sets.holds(ks, record, member) else None
    score = None if record is None else store.score(ks, record, member)
    return None if score is None else score * given.weight


def _times(score: float, weight: float) -> float:
    product = score * weight
    return 0.0 if math.isnan(product) else product


def _ordered(found: Scores | Iterator[tuple[bytes, float]]) -> list[tuple[bytes, float]]:
    pairs = found.items() if isinstance(found, dict) else found
    return sorted(pairs, key=lambda pair: (pair[1], pair[0]))


def _listed(found: Scores | Iterator[tuple[bytes, float]], request: _Request) -> Reply:
    pairs = _ordered(found)
    return Pairs(pairs) if request.with_scores else [member for member, _ in pairs]


# -- commands -------------------------------------------------------------------------------------------------------

_READ: Final = READONLY | MOVABLEKEYS
_STORE: Final = WRITE | DENYOOM | MOVABLEKEYS
_INTO: Final = Keys(extra=1, numkeys=2, access="OW update|RO access")
_WEIGHING: Final = "[WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX]"


@command(
    "ZUNION",
    flags=_READ,
    keys=Keys(numkeys=1),
    since="6.2.0",
    syntax=f"ZUNION numkeys key [key ...] {_WEIGHING} [WITHSCORES]",
    arity=-3,
)
def zunion(ctx: Context, numkeys: bytes, *keys_and_options: bytes) -> Reply:
    """Lists the members that at least one of several sorted sets has.

    options: WEIGHTS: what the scores of each set are multiplied by. AGGREGATE: which of a member's scores it gets, or
        their sum.
    returns: members; WITHSCORES: pairs.
    raises: NotAnInteger, NoInputKeys, WrongType, SyntaxFault, BadWeight.
    cost: O(n log n) for n members in all.
    """
    request = _parse(ctx.ks, "zunion", numkeys, keys_and_options)
    return _listed(_union(ctx.ks, request), request)


@command(
    "ZINTER",
    flags=_READ,
    keys=Keys(numkeys=1),
    since="6.2.0",
    syntax=f"ZINTER numkeys key [key ...] {_WEIGHING} [WITHSCORES]",
    arity=-3,
)
def zinter(ctx: Context, numkeys: bytes, *keys_and_options: bytes) -> Reply:
    """Lists the members that all of several sorted sets have.

    options, returns, raises: as ZUNION.
    cost: O(members of the smallest set, times sets).
    """
    request = _parse(ctx.ks, "zinter", numkeys, keys_and_options)
    return _listed(_intersection(ctx.ks, request), request)


@command(
    "ZDIFF",
    flags=_READ,
    keys=Keys(numkeys=1),
    since="6.2.0",
    syntax="ZDIFF numkeys key [key ...] [WITHSCORES]",
    arity=-3,
)
def zdiff(ctx: Context, numkeys: bytes, *keys_and_options: bytes) -> Reply:
    """Lists the members of the first sorted set that none of the others has.

    returns: members; WITHSCORES: pairs.
    raises: NotAnInteger, NoInputKeys, WrongType, SyntaxFault.
    cost: O(members of the first set, times sets).
    """
    request = _parse(ctx.ks, "zdiff", numkeys, keys_and_options, weighing=False)
    return _listed(_difference(ctx.ks, request), request)


@command(
    "ZUNIONSTORE",
    flags=_STORE,
    keys=_INTO,
    since="2.0.0",
    syntax=f"ZUNIONSTORE destination numkeys key [key ...] {_WEIGHING}",
    arity=-4,
)
def zunionstore(ctx: Context, destination: bytes, numkeys: bytes, *keys_and_options: bytes) -> int:
    """Makes a key the sorted set that ZUNION would list, and counts its members."""
    request = _parse(ctx.ks, "zunionstore", numkeys, keys_and_options, storing=True)
    return store_result(ctx.ks, destination, list(_union(ctx.ks, request).items()), b"zunionstore")


@command(
    "ZINTERSTORE",
    flags=_STORE,
    keys=_INTO,
    since="2.0.0",
    syntax=f"ZINTERSTORE destination numkeys key [key ...] {_WEIGHING}",
    arity=-4,
)
def zinterstore(ctx: Context, destination: bytes, numkeys: bytes, *keys_and_options: bytes) -> int:
    """Makes a key the sorted set that ZINTER would list, and counts its members."""
    request = _parse(ctx.ks, "zinterstore", numkeys, keys_and_options, storing=True)
    return store_result(ctx.ks, destination, list(_intersection(ctx.ks, request)), b"zinterstore")


@command(
    "ZDIFFSTORE",
    flags=_STORE,
    keys=_INTO,
    since="6.2.0",
    syntax="ZDIFFSTORE destination numkeys key [key ...]",
    arity=-4,
)
def zdiffstore(ctx: Context, destination: bytes, numkeys: bytes, *keys_and_options: bytes) -> int:
    """Makes a key the sorted set that ZDIFF would list, and counts its members."""
    request = _parse(ctx.ks, "zdiffstore", numkeys, keys_and_options, storing=True, weighing=False)
    return store_result(ctx.ks, destination, list(_difference(ctx.ks, request).items()), b"zdiffstore")


@command(
    "ZINTERCARD",
    flags=_READ,
    keys=Keys(numkeys=1),
    since="7.0.0",
    syntax="ZINTERCARD numkeys key [key ...] [LIMIT limit]",
    arity=-3,
)
def zintercard(ctx: Context, numkeys: bytes, *keys_and_options: bytes) -> int:
    """Counts the members that all of several sorted sets have, up to a limit; 0 is no limit.

    raises: NotAnInteger, NoInputKeys, WrongType, SyntaxFault, NegativeLimit.
    cost: O(members of the smallest set, times sets), less if the limit is reached before.
    """
    request = _parse(ctx.ks, "zintercard", numkeys, keys_and_options, weighing=False, counting=True)
    return sum(1 for _ in islice(_intersection(ctx.ks, request), min(request.limit, 1 << 60) or None))
