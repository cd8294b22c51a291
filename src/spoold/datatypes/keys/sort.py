"""SORT, SORT_RO: the elements of a list, set or sorted set in order, by themselves or by values that other keys hold.

A pattern (BY, GET) names a key for each element: its first `*` is replaced by the element; behind `->` stands a field
of a hash. Which types can be sorted is written in `elements.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import DANGEROUS, DENYOOM, READONLY, WRITE, Flag, Keys, command
from spoold.core.errors import NotADouble, NotAFloat, SyntaxFault, WrongType
from spoold.core.numerals import parse_float
from spoold.core.reply import Reply
from spoold.datatypes.hashes import store as hashes
from spoold.datatypes.keys import elements
from spoold.keyspace import events
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import HashRecord, ListRecord, SetRecord, StringRecord, ZsetRecord

_BLANKS: Final = b" \t\n\v\f\r"

Lookup: TypeAlias = Callable[[bytes], bytes | None]
"""From an element to a value, None if there is none."""


class _Request:
    """What was asked for.

    by, gets: patterns. unordered: BY named a pattern without a `*`. start, count: LIMIT, -1 = to the end.
    """

    def __init__(self, options: Sequence[bytes], *, storing: bool) -> None:
        """storing: whether STORE is allowed. raises: SyntaxFault, NotAnInteger."""
        self.by: bytes | None = None
        self.gets: list[bytes] = []
        self.unordered = False
        self.start = 0
        self.count = -1
        self.descending = False
        self.alpha = False
        self.destination: bytes | None = None
        args = Args(options)
        while args:
            match args.word():
                case b"ASC":
                    self.descending = False
                case b"DESC":
                    self.descending = True
                case b"ALPHA":
                    self.alpha = True
                case b"LIMIT" if len(args) >= 2:
                    self.start = args.int()
                    self.count = args.int()
                case b"BY":
                    self.by = args.take()
                    self.unordered = self.unordered or b"*" not in self.by
                case b"GET":
                    self.gets.append(args.take())
                case b"STORE" if storing:
                    self.destination = args.take()
                case _:
                    raise SyntaxFault


def _sort_keys(request: Sequence[bytes]) -> list[int]:
    """The positions of the key and of the last destination, as COMMAND GETKEYS finds them."""
    found = [1]
    position = 2
    while position < len(request) - 1:
        word = request[position].upper()
        if word == b"STORE":
            found[1:] = [position + 1]
        position += {b"LIMIT": 3, b"GET": 2, b"BY": 2, b"STORE": 2}.get(word, 1)
    return found


_OPTIONS: Final = "[BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC|DESC] [ALPHA]"


@command(
    "SORT",
    flags=WRITE | DENYOOM | Flag.MOVABLEKEYS | DANGEROUS,
    keys=Keys(1, finder=_sort_keys, access="RO access|RO access|OW update"),
    since="1.0.0",
    syntax=f"SORT key {_OPTIONS} [STORE destination]",
    group="generic",
)
def sort(ctx: Context, key: bytes, *options: bytes) -> Reply:
    """Sorts the elements of a list or set, and stores them where that is asked for.

    returns: the elements, or what GET names for each (None where there is nothing); with STORE their number.
    raises: SyntaxFault, NotAnInteger, WrongType, NotADouble (a number was expected: all is left as it is).
    cost: O(n log n) for n elements, whatever LIMIT says, plus n look-ups a pattern.
    source: redis: src/sort.c, sortCommandGeneric.
    """
    request = _Request(options, storing=True)
    result = _sorted(ctx, key, request)
    if request.destination is None:
        return result
    ks, destination = ctx.ks, request.destination
    existed = ks.delete(destination)
    if result:
        elements.write(ks, destination, ListRecord.kind, [value or b"" for value in result])
    if ks.notify:
        if result and not existed:
            ks.notify(events.NEW_KEY, b"new", destination)
        if result:
            ks.notify(events.LIST, b"sortstore", destination)
        elif existed:
            ks.notify(events.GENERIC, b"del", destination)
    return len(result)


@command(
    "SORT_RO",
    flags=READONLY | Flag.MOVABLEKEYS | DANGEROUS,
    keys=Keys(1, access="RO access|RO access"),
    since="7.0.0",
    syntax=f"SORT_RO key {_OPTIONS}",
    group="generic",
)
def sort_ro(ctx: Context, key: bytes, *options: bytes) -> Reply:
    """Sorts the elements of a list or set; SORT without STORE.

    returns, raises, cost: as SORT.
    """
    return _sorted(ctx, key, _Request(options, storing=False))


def _sorted(ctx: Context, key: bytes, request: _Request) -> list[bytes | None]:
    """The elements in order, cut to LIMIT, then what GET names."""
    ks = ctx.ks
    record = ks.find(key)
    if record is None:
        return []
    found = elements.read(ks, record)
    if found is None:
        raise WrongType
    if not request.unordered:
        _order(ks, found, request)
    elif isinstance(record, SetRecord) and (request.destination is not None or ctx.in_script):
        # As in Redis: what is stored, or a script sees, must not depend on the order in which a set happens to be kept.
        found.sort(reverse=request.descending)
    elif isinstance(record, (ListRecord, ZsetRecord)) and request.descending:
        found.reverse()
    start = max(request.start, 0)
    stop = len(found) if request.count < 0 else start + request.count
    found = found[start:stop]
    if not request.gets:
        return list(found)
    lookups = [_lookup(ks, pattern) for pattern in request.gets]
    return [lookup(element) for element in found for lookup in lookups]


def _order(ks: Keyspace, found: list[bytes], request: _Request) -> None:
    """Sort in place. raises: NotADouble."""
    value_of: Lookup = _itself if request.by is None else _lookup(ks, request.by)
    if not request.alpha:
        # Equal numbers are ordered by their elements; an element without a value counts as 0.
        found.sort(key=lambda element: (_score(value_of(element)), element), reverse=request.descending)
    elif request.by is None:
        found.sort(reverse=request.descending)
    else:
        values = {element: value_of(element) for element in found}
        found.sort(
            key=lambda element: (values[element] is not None, values[element] or b""), reverse=request.descending
        )


def _lookup(ks: Keyspace, pattern: bytes) -> Lookup:
    """Prepare a pattern for many elements."""
    if pattern == b"#":
        return _itself
    before, star, behind = pattern.partition(b"*")
    if not star:
        return _nothing
    head, _, field = behind.partition(b"->")
    if field:
        return lambda element: _field(ks, before + element + head, field)
    return lambda element: _string(ks, before + element + behind)


def _itself(element: bytes) -> bytes | None:
    return element


def _nothing(element: bytes) -> bytes | None:
    return None


def _string(ks: Keyspace, name: bytes) -> bytes | None:
    """The string under `name`; None if there is none, or something else."""
    record = ks.find(name)
    return record.value if isinstance(record, StringRecord) else None


def _field(ks: Keyspace, name: bytes, field: bytes) -> bytes | None:
    """The field of the hash under `name`; None if there is none, or something else."""
    return hashes.get(ks, name, field) if isinstance(ks.find(name), HashRecord) else None


def _score(text: bytes | None) -> float:
    """Read a number as SORT does: what C's strtod takes, blanks before it allowed, nothing at all is 0.

    raises: NotADouble, also for what is too large or too close to 0 for a double.
    """
    if text is None:
        return 0.0
    text = text.partition(b"\0")[0]
    if not text:
        return 0.0
    try:
        number = parse_float(text.lstrip(_BLANKS))
    except NotAFloat:
        raise NotADouble from None
    if 0.0 < abs(number) < sys.float_info.min:
        raise NotADouble
    return number
