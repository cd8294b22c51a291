"""Which keys there are, as memcached tells it: `stats cachedump` and `lru_crawler metadump`.

All values are in one class of items, number 1, as in `stats items`; the others are empty. A dump goes through the names
in the order of their bytes, a slice a turn, so that it holds no one up and needs no memory; what changes meanwhile may
or may not be in it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final
from urllib.parse import quote_from_bytes

from spoold.command.context import Context
from spoold.datatypes.strings import marks
from spoold.dispatch.door import go_on_later
from spoold.frontends.memcached_uses import used_ms, was_read
from spoold.frontends.memcached_verbs import Verb, find
from spoold.frontends.memcached_words import BAD_FORMAT, END, ERROR, MAX_KEY_BYTES, parse_unsigned
from spoold.keyspace.record import StringRecord

_CLASS: Final = 1
_CLASSES: Final = 64
_MAX_LIMIT: Final = 2**32 - 1
_RECORDS_A_TURN: Final = 1000
# The rest of a dump; no client can write a word with a space.
_MORE: Final = b" more records"
_ALL: Final = frozenset((b"all", b"hash", b"%d" % _CLASS))

# Makes the line of one value; b"" leaves it out.
_Line = Callable[[bytes, StringRecord], bytes]


class Dumps:
    """The verbs that list keys. table: those that are verbs of their own, and the rest of a dump."""

    def __init__(self, started_ms: int) -> None:
        """Nothing is kept between requests. started_ms: when the server started, Unix ms."""
        self._started_ms = started_ms
        self.table: dict[bytes, Verb] = {b"lru_crawler": self.crawler, _MORE: self._more}

    def cachedump(self, ctx: Context, request: list[bytes]) -> bytes:
        """List the values of a class of items, with size and expiry; as many as wanted, 0 for all of them.

        Left out are keys that no line of this protocol can name.
        """
        if len(request) < 4:
            return b"CLIENT_ERROR bad command line\r\n"
        number, limit = parse_unsigned(request[2], _MAX_LIMIT), parse_unsigned(request[3], _MAX_LIMIT)
        if number < 0 or limit < 0:
            return BAD_FORMAT
        if number >= _CLASSES:
            return b"CLIENT_ERROR Illegal slab id\r\n"
        return self._slice(ctx, _item, b"", limit or _MAX_LIMIT) if number == _CLASS else END

    def crawler(self, ctx: Context, request: list[bytes]) -> bytes:
        """List all values with what is known of them (`metadump`); there is nothing else to crawl for."""
        if len(request) < 3 or request[1] != b"metadump":
            return ERROR
        if request[2] in _ALL:
            return self._slice(ctx, partial(_metadata, self._started_ms), b"", _MAX_LIMIT)
        return END if parse_unsigned(request[2], _CLASSES - 1) >= 0 else b"BADCLASS invalid class id\r\n"

    def _more(self, ctx: Context, request: list[Any]) -> bytes:
        _, line, place, left = request
        return self._slice(ctx, line, place, left)

    def _slice(self, ctx: Context, line: _Line, place: bytes, left: int) -> bytes:
        """The lines of one turn; the rest is put off to the next one."""
        found, place = ctx.ks.scan(place, _RECORDS_A_TURN)
        parts: list[bytes] = []
        for key, _ in found:
            record = find(ctx.ks, key)
            if record is not None and (shown := line(key, record)):
                parts.append(shown)
                left -= 1
                if not left:
                    break
        if place and left:
            go_on_later(ctx, [_MORE, line, place, left])
        else:
            parts.append(END)
        return b"".join(parts)


def _item(key: bytes, record: StringRecord) -> bytes:
    """A line of cachedump; without expiry the time is 0."""
    if len(key) > MAX_KEY_BYTES or any(byte <= 0x20 for byte in key):
        return b""
    return b"ITEM %b [%d b; %d s]\r\n" % (key, len(record.value), record.expire_ms // 1000)


def _metadata(started_ms: int, key: bytes, record: StringRecord) -> bytes:
    """A line of metadump; without expiry the time is -1."""
    expire_s = record.expire_ms // 1000 or -1
    name = quote_from_bytes(key, safe="").encode()
    size = len(key) + len(record.value)
    used_s = used_ms(record, started_ms) // 1000
    fetched = b"yes" if was_read(record) else b"no"
    shown = (name, expire_s, used_s, marks.cas_id(record), fetched, _CLASS, size)
    return b"key=%b exp=%d la=%d cas=%d fetch=%b cls=%d size=%d\n" % shown
