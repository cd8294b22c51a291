"""Redis's glob patterns over bytes, as KEYS, SCAN, PSUBSCRIBE, CONFIG GET and ACL rules use them.

    *        any bytes, also none         [abc]  one of these       [a-z]  a range, in either direction
    ?        one byte                     [^a]   one byte but these \\x     x itself

Everything but `*` stands for exactly one byte, so a pattern is a row of segments with stars between them, and the
leftmost place where a segment fits is always a right one: no backtracking over stars, so the time is at most
(bytes of the pattern) x (bytes of the text) whatever the pattern. Redis's odd corners are kept: `[` without `]` ends
with the pattern, `[]` fits nothing, `[^]` fits any byte, a backslash at the very end is itself, and nothing fits where
more than a thousand stars have something behind them.

To add syntax, teach it to `_segments`; the matchers know only stars, literal bytes and sets of bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

Matcher: TypeAlias = Callable[[bytes], bool]

_Part: TypeAlias = bytes | frozenset[int]
"""Literal bytes, or the bytes that may stand in one place."""

_Segment: TypeAlias = list[_Part]

_SPECIAL: Final = re.compile(rb"[*?\[\\]")
_SPECIAL_NOCASE: Final = re.compile(rb"[*?\[\\A-Za-z]")
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)

# Compiling costs about a microsecond a byte and keeps far more than the pattern, so a longer one is walked instead.
_COMPILED_BYTES: Final = 1024

_EVERY_BYTE: Final = frozenset(range(256))

# Redis goes no deeper, and takes what it has not looked at for different.
_MOST_STARS: Final = 1000


def compile_pattern(pattern: bytes, nocase: bool = False) -> Matcher:
    """Prepare a pattern for many texts.

    nocase: A to Z match a to z too, as in CONFIG GET; every other byte matches itself alone.
    returns: a function of the text that says whether all of it fits. As in Redis the empty text fits only the empty
        pattern, and `*`, which commands take for "no pattern".
    cost: O(bytes of the pattern) here; per text 0.1 µs for a literal and for `prefix*`, about 0.3 µs for most others.
    source: redis: src/util.c, stringmatchlen; src/db.c, keysCommand and scanGenericCommand for `*` alone.
    """
    segments = _segments(pattern, nocase)
    if len(segments) > 1 and not any(segments):
        return _always if len(pattern) == 1 else bool
    if len(segments) - (1 if segments[-1] else 2) > _MOST_STARS:
        return _never
    first = segments[0]
    if not first or (len(first) == 1 and isinstance(first[0], bytes)):
        literal = first[0] if first and isinstance(first[0], bytes) else b""
        if len(segments) == 1:
            return literal.__eq__
        if len(segments) == 2 and not segments[1]:
            return lambda text: text.startswith(literal)
    if len(pattern) <= _COMPILED_BYTES:
        fullmatch = re.compile(_regex(segments), re.DOTALL).fullmatch
        return lambda text: fullmatch(text) is not None
    return lambda text: _walk(segments, text)


def literal_prefix(pattern: bytes) -> bytes:
    """Give the bytes that every matching text starts with, so that a scan may seek there and stop behind them.

    returns: what stands before the first `*`, `?` or class, escapes resolved; the whole text if there is none.
    """
    start = 0
    prefix = bytearray()
    while (special := _SPECIAL.search(pattern, start)) is not None:
        prefix += pattern[start : special.start()]
        escaped = _ESCAPED.match(pattern, special.start())
        if escaped is None:
            # A backslash that nothing follows stands for itself.
            return bytes(prefix) + (b"\\" if special[0] == b"\\" else b"")
        prefix += escaped[1]
        start = escaped.end()
    return bytes(prefix) + pattern[start:]


def _always(_text: bytes) -> bool:
    return True


def _never(_text: bytes) -> bool:
    return False


def _segments(pattern: bytes, nocase: bool) -> list[_Segment]:
    """Take a pattern apart at its stars; several stars in a row are one."""
    special = _SPECIAL_NOCASE if nocase else _SPECIAL
    segments: list[_Segment] = [[]]
    literal = bytearray()
    end = len(pattern)
    at = 0
    while at < end:
        found = special.search(pattern, at)
        stop = end if found is None else found.start()
        literal += pattern[at:stop]
        if found is None:
            break
        at = stop + 1
        char = found[0]
        part: _Part
        if char == b"*":
            part = b""
        elif char == b"?":
            part = _EVERY_BYTE
        elif char == b"[":
            part, at = _class(pattern, at, nocase)
        else:
            if char == b"\\" and at < end:
                char = pattern[at : at + 1]
                at += 1
            folded = frozenset(char.lower() + char.upper()) if nocase else frozenset(char)
            if len(folded) == 1:
                literal += char
                continue
            part = folded
        if literal:
            segments[-1].append(bytes(literal))
            literal.clear()
        if isinstance(part, frozenset):
            segments[-1].append(part)
        elif len(segments) == 1 or segments[-1]:
            segments.append([])
    if literal:
        segments[-1].append(bytes(literal))
    return segments


def _class(pattern: bytes, at: int, nocase: bool) -> tuple[frozenset[int], int]:
    """Read the class whose `[` stands before `at`.

    returns: the bytes that fit, and the place after the class.
    """
    end = len(pattern)
    negated = pattern[at : at + 1] == b"^"
    at += negated
    fitting: set[int] = set()
    while at < end:
        char = pattern[at : at + 1]
        if char == b"\\" and at + 1 < end:
            # As in Redis, an escaped byte keeps its case.
            fitting.add(pattern[at + 1])
            at += 2
        elif char == b"]":
            at += 1
            break
        elif pattern[at + 1 : at + 2] == b"-" and at + 2 < end:
            first, last = sorted((pattern[at], pattern[at + 2]))
            if nocase:
                # The ends fold after they were put in order, so `[Z-a]` becomes z to a and fits nothing.
                first, last = _lower(first), _lower(last)
                fitting.update(code for code in range(256) if first <= _lower(code) <= last)
            else:
                fitting.update(range(first, last + 1))
            at += 3
        else:
            fitting.update(char.lower() + char.upper() if nocase else char)
            at += 1
    return (_EVERY_BYTE - fitting if negated else frozenset(fitting)), at


def _lower(code: int) -> int:
    return code + 32 if 65 <= code <= 90 else code


def _regex(segments: list[_Segment]) -> bytes:
    """Write the pattern as a regular expression whose every star is final once it has matched (an atomic group)."""
    first, *rest = [b"".join(map(_regex_part, segment)) for segment in segments]
    if not rest:
        return first
    *middle, last = rest
    return first + b"".join(b"(?>.*?%b)" % segment for segment in middle) + b".*" + last


def _regex_part(part: _Part) -> bytes:
    if isinstance(part, bytes):
        return re.escape(part)
    if not part:
        return b"(?!)"
    if part == _EVERY_BYTE:
        return b"."
    return b"[" + b"".join(b"\\x%02x" % code for code in sorted(part)) + b"]"


def _walk(segments: list[_Segment], text: bytes) -> bool:
    """Match without a compiled form: the first and last segment at the ends, the others leftmost in between."""
    first, last = segments[0], segments[-1]
    end = len(text)
    if len(segments) == 1:
        return _width(first) == end and _fits(first, text, 0)
    at = _width(first)
    end -= _width(last)
    if at > end or not _fits(first, text, 0) or not _fits(last, text, end):
        return False
    for segment in segments[1:-1]:
        width = _width(segment)
        while True:
            if isinstance(head := segment[0], bytes):
                at = text.find(head, at, end)
                if at < 0:
                    return False
            if at + width > end:
                return False
            if _fits(segment, text, at):
                break
            at += 1
        at += width
    return True


def _width(segment: _Segment) -> int:
    return sum(len(part) if isinstance(part, bytes) else 1 for part in segment)


def _fits(segment: _Segment, text: bytes, at: int) -> bool:
    """True if the segment stands at this place; the text is known to be long enough."""
    for part in segment:
        if isinstance(part, bytes):
            if not text.startswith(part, at):
                return False
            at += len(part)
        elif text[at] in part:
            at += 1
        else:
            return False
    return True
