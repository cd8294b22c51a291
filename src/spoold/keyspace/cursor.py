"""Cursors of the SCAN family: a number for the client, a place in key order for us.

Redis's cursors are 64-bit numbers; ours name an entry of a bounded table that holds the place where the next call goes
on (everything before it was returned). What exists during the whole scan is returned exactly once. A number that the
table no longer knows (the server was restarted, or 65,536 younger scans were begun and not gone on with) starts again
from the beginning, so that "at least once" holds even then.

A number that was used is kept apart, in case the client asks with it again: a long scan makes many numbers, and must
not drive out the one with which a slower scan will go on.
"""

from __future__ import annotations

import re
from secrets import randbits
from typing import Final

from spoold.core.errors import BadCursor

TABLE_ENTRIES: Final = 65_536
USED_ENTRIES: Final = 1024

_NUMBER: Final = re.compile(rb"([+-]?)0*([0-9]{1,20})")
_MODULUS: Final = 1 << 64


def parse_cursor(text: bytes) -> int:
    """Read a cursor as Redis does: whatever C's strtoul takes, without blanks before it.

    returns: 0 to 2**64 - 1; a minus counts down from 2**64, nothing at all is 0, a NUL ends the number.
    raises: BadCursor.
    source: redis: src/db.c, parseScanCursorOrReply.
    """
    digits = text.partition(b"\0")[0]
    if not digits:
        return 0
    if (match := _NUMBER.fullmatch(digits)) and (number := int(match[2])) < _MODULUS:
        return -number % _MODULUS if match[1] == b"-" else number
    raise BadCursor


class CursorTable:
    """Numbers for places; the oldest entry goes first."""

    def __init__(self) -> None:
        """Start empty."""
        self._places: dict[int, tuple[object, bytes]] = {}
        self._used: dict[int, tuple[object, bytes]] = {}
        # Not from 1: a cursor of before a restart must not be taken for one of after it. Below 2**53 for Lua's sake.
        self._next = randbits(48) + 1

    def open(self, owner: object, place: bytes) -> int:
        """A new number for `place` within `owner` (what is scanned: a database id, an object id)."""
        number = self._next
        self._next = number + 1
        _keep(self._places, number, (owner, place), TABLE_ENTRIES)
        return number

    def place(self, owner: object, number: int) -> bytes:
        """Where the scan goes on; b"" (the beginning) for 0, and for what is not known or belongs to another owner."""
        entry = self._places.pop(number, None)
        if entry is not None:
            _keep(self._used, number, entry, USED_ENTRIES)
        known_owner, place = entry or self._used.get(number, (owner, b""))
        return place if known_owner == owner else b""


def _keep(table: dict[int, tuple[object, bytes]], number: int, entry: tuple[object, bytes], entries: int) -> None:
    table[number] = entry
    if len(table) > entries:
        del table[next(iter(table))]
