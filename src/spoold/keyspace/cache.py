"""Decoded records, bounded, of one database.

Two generations: a look-up that misses the young dict and finds the record in the old one moves it; when the young
dict is full it becomes the old one, and what was not used meanwhile falls away. This keeps the recently used at the
cost of one dict look-up a hit. Records that the open turn changed are also held by `Keyspace.dirty`, so dropping a
generation loses nothing.
"""

from __future__ import annotations

from typing import Final

from spoold.keyspace.record import Record

GENERATION_RECORDS: Final = 32_768
GENERATION_BYTES: Final = 8 * 1024 * 1024


class RecordCache:
    """young: what the hot path looks into first, always the same dict; misses go through `old_or_none`."""

    __slots__ = ("_bytes", "_old", "young")

    def __init__(self) -> None:
        """Start empty."""
        self.young: dict[bytes, Record] = {}
        self._old: dict[bytes, Record] = {}
        self._bytes = 0

    def old_or_none(self, name: bytes) -> Record | None:
        """A record of the old generation, moved into the young one; None if it is not there."""
        record = self._old.pop(name, None)
        if record is not None:
            self.add(name, record)
        return record

    def add(self, name: bytes, record: Record) -> None:
        """Put a record into the young generation."""
        self._bytes += len(name) + record.size()
        if len(self.young) >= GENERATION_RECORDS or self._bytes > GENERATION_BYTES:
            # `young` stays the same dict: the hot paths hold on to it.
            self._old = self.young.copy()
            self.young.clear()
            self._bytes = 0
        self.young[name] = record

    def grew(self, size: int) -> None:
        """A record that is kept has come to hold `size` more bytes."""
        self._bytes += size

    def forget(self, name: bytes) -> None:
        """Drop a record: the open turn was rolled back."""
        self.young.pop(name, None)
        self._old.pop(name, None)

    def clear(self) -> None:
        """Drop all."""
        self.young.clear()
        self._old = {}
        self._bytes = 0
