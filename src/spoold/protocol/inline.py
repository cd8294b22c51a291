"""Requests typed by hand: one line, split at blanks, with quotes where an argument needs them.

    SET greeting "hello\\r\\n\\x00" 'it\\'s'

In double quotes `\\xHH`, `\\n`, `\\r`, `\\t`, `\\b`, `\\a` have their usual meaning and a backslash makes any other
byte plain; in single quotes only `\\'` means something. A closing quote ends its argument, so a blank or the end of the
line must follow; a quote may open in the middle of one, as in `key"a b"`.
"""

from __future__ import annotations

import re
from typing import Final

from spoold.core.errors import ProtocolError

# What ends a word and what stands between words are not the same in Redis: vertical tab and form feed only separate.
_BLANKS: Final = re.compile(rb"[ \t\n\v\f\r]*")
_WORD_ENDS: Final = b" \n\r\t\0"
_PLAIN: Final = re.compile(rb"[^ \n\r\t\0\"']+")
_IN_DOUBLE: Final = re.compile(rb'[^"\\]+')
_IN_SINGLE: Final = re.compile(rb"[^'\\]+")
_HEX_ESCAPE: Final = re.compile(rb"\\x([0-9a-fA-F]{2})")
_ESCAPES: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
_NEEDS_CARE: Final = re.compile(rb"[\"'\v\f\0]")


def split_arguments(line: bytes) -> list[bytes]:
    """Split one line into arguments.

    line: without its line end; no NUL bytes.
    returns: the arguments, none for a line of blanks.
    raises: ProtocolError for a quote that is not closed, or that something other than a blank follows.
    cost: O(bytes of the line).
    source: redis: src/sds.c, sdssplitargs; src/networking.c, processInlineBuffer.
    """
    if not _NEEDS_CARE.search(line):
        return line.split()
    arguments: list[bytes] = []
    end = len(line)
    at = _skip_blanks(line, 0)
    while at < end:
        argument, at = _argument(line, at)
        arguments.append(argument)
        at = _skip_blanks(line, at)
    return arguments


def _skip_blanks(line: bytes, at: int) -> int:
    blanks = _BLANKS.match(line, at)
    return at if blanks is None else blanks.end()


def _argument(line: bytes, at: int) -> tuple[bytes, int]:
    """Read the argument that starts at `at`; returns it and the place after it."""
    value = bytearray()
    end = len(line)
    while at < end and line[at] not in _WORD_ENDS:
        if plain := _PLAIN.match(line, at):
            value += plain[0]
            at = plain.end()
            continue
        at = _double_quoted(line, at + 1, value) if line[at] == 0x22 else _single_quoted(line, at + 1, value)
        break
    return bytes(value), at


def _double_quoted(line: bytes, at: int, value: bytearray) -> int:
    """Add what follows an opening double quote to `value`; returns the place after the closing one."""
    while True:
        if plain := _IN_DOUBLE.match(line, at):
            value += plain[0]
            at = plain.end()
        if escape := _HEX_ESCAPE.match(line, at):
            value.append(int(escape[1], 16))
            at = escape.end()
        elif line[at : at + 1] == b"\\" and at + 1 < len(line):
            value += _ESCAPES.get(line[at + 1 : at + 2], line[at + 1 : at + 2])
            at += 2
        else:
            return _closed(line, at, b'"')


def _single_quoted(line: bytes, at: int, value: bytearray) -> int:
    """Add what follows an opening single quote to `value`; returns the place after the closing one."""
    while True:
        if plain := _IN_SINGLE.match(line, at):
            value += plain[0]
            at = plain.end()
        if line[at : at + 2] == b"\\'":
            value += b"'"
            at += 2
        elif line[at : at + 1] == b"\\":
            value += b"\\"
            at += 1
        else:
            return _closed(line, at, b"'")


def _closed(line: bytes, at: int, quote: bytes) -> int:
    """Check that the argument ends here with its quote; returns the place after it."""
    if line[at : at + 1] != quote or not (line[at + 1 : at + 2] or b" ").isspace():
        raise ProtocolError("unbalanced quotes in request")
    return at + 1
