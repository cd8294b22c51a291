"""The ends of a range as clients write them: ranks, scores (`(1.5` leaves 1.5 out), members (`[a`, `(a`, `-`, `+`)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from spoold.core.errors import BadLexBound, BadScoreBound, NotAFloat
from spoold.core.numerals import parse_float
from spoold.keyspace.packing import HEAD_BYTES, after, pack_double
from spoold.keyspace.record import ZsetRecord

_BLANKS: Final = b" \t\n\v\f\r"
# Longer texts of numbers are not worth remembering.
_REMEMBERED_BYTES: Final = 40
_PLAIN_NUMBER: Final = frozenset(b"0123456789+-.eE")


class Scores(NamedTuple):
    """A range of scores: the packed score at which it starts, and the one before which it ends."""

    start: bytes
    stop: bytes

    def keys(self, record: ZsetRecord) -> tuple[bytes, bytes]:
        """The range of index keys; may be one that is empty."""
        base = record.prefix + b"s"
        return base + self.start, base + self.stop


class Members(NamedTuple):
    """A range of members; None is no end."""

    low: bytes | None
    high: bytes | None
    without_low: bool
    without_high: bool
    is_empty: bool

    def keys(self, base: bytes) -> tuple[bytes, bytes]:
        """A range of index keys that start with `base`, up to the score; it may hold members that tie with an end."""
        start = base if self.low is None else base + self.low[:HEAD_BYTES]
        if self.high is None:
            return start, after(base)
        head = self.high[:HEAD_BYTES]
        return start, after(base + head) if len(self.high) > HEAD_BYTES else base + head + b"\0"

    def starts(self, member: bytes) -> bool:
        """Whether a member is not below the range."""
        return self.low is None or (member > self.low if self.without_low else member >= self.low)

    def ends(self, member: bytes) -> bool:
        """Whether a member is not above the range."""
        return self.high is None or (member < self.high if self.without_high else member <= self.high)


def parse_scores(low: bytes, high: bytes) -> Scores:
    """Read a range of scores. raises: BadScoreBound."""
    start, behind_start = _edges(low)
    stop, behind_stop = _edges(high)
    return Scores(behind_start if low[:1] == b"(" else start, stop if high[:1] == b"(" else behind_stop)


def _edges(text: bytes) -> tuple[bytes, bytes]:
    """The packed score of one end, and the next that there is. raises: BadScoreBound."""
    return _known_edges(text) if len(text) <= _REMEMBERED_BYTES else _read_edges(text)


def _read_edges(text: bytes) -> tuple[bytes, bytes]:
    packed = pack_double(_score(text))
    return packed, (int.from_bytes(packed, "big") + 1).to_bytes(8, "big")


# Pollers ask with the same ends again and again, or with one that is the same.
_known_edges: Final = lru_cache(256)(_read_edges)


def parse_members(low: bytes, high: bytes) -> Members:
    """Read a range of members; it is empty where its ends stand the wrong way round. raises: BadLexBound."""
    first, last = _member(low), _member(high)
    without_low, without_high = low[:1] == b"(", high[:1] == b"("
    is_empty = low[:1] == b"+" or high[:1] == b"-"
    if first is not None and last is not None:
        is_empty = first > last or (first == last and (without_low or without_high))
    return Members(first, last, without_low, without_high, is_empty)


def _score(text: bytes) -> float:
    """Read what C's strtod takes, up to a NUL; nothing at all is 0.

    source: redis: src/t_zset.c, zslParseRange.
    """
    number = text.removeprefix(b"(").partition(b"\0")[0]
    if not number:
        return 0.0
    stripped = number.lstrip(_BLANKS)
    try:
        return parse_float(stripped)
    except NotAFloat:
        # Too large is infinite here, and too small is 0.
        if _PLAIN_NUMBER.issuperset(stripped):
            try:
                return float(stripped)
            except ValueError:
                pass
        raise BadScoreBound from None


def _member(text: bytes) -> bytes | None:
    """Read one end; None for `-` and `+`."""
    mark = text[:1]
    if mark in {b"(", b"["}:
        return text[1:]
    if mark not in {b"-", b"+"} or text[1:2] not in {b"", b"\0"}:
        raise BadLexBound
    return None
