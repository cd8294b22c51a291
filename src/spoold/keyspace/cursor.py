"""Cursors of the SCAN family: a number for the client, a place in key order for us.

Redis's cursors are 64-bit numbers; ours name an entry of a bounded table that holds the place where the next call goes
on (everything before it was returned). What exists during the whole scan is returned exactly once. A number that the
table no longer knows (the server was restarted, or 65,536 younger scans were begun) starts again from the beginning,
so that "at least once" holds even then.
"""

from __future__ import annotations

from typing import Final

TABLE_ENTRIES: Final = 65_536


class CursorTable:
    """Numbers for places; the oldest entry goes first."""

    def __init__(self) -> None:
        """Start empty."""
        self._places: dict[int, tuple[object, bytes]] = {}
        self._next = 1

    def open(self, owner: object, place: bytes) -> int:
        """A new number for `place` within `owner` (what is scanned: a database id, an object id)."""
        number = self._next
        self._next = number + 1
        self._places[number] = (owner, place)
        if len(self._places) > TABLE_ENTRIES:
            del self._places[next(iter(self._places))]
        return number

    def place(self, owner: object, number: int) -> bytes:
        """Where the scan goes on; b"" (the beginning) for 0, and for what is not known or belongs to another owner."""
        known_owner, place = self._places.get(number, (owner, b""))
        return place if known_owner == owner else b""
