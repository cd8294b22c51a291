"""memcached's `cache_memlimit`: how much data there may be.

It sets what CONFIG SET maxmemory sets, for the data of all doors. memcached makes room by eviction; here nothing is
ever evicted, so a limit that the data is already above is one that can't be kept, and is not taken: it would only stop
all writes. What comes above it later is refused with `SERVER_ERROR OOM`.

source: memcached 1.6.18, doc/protocol.txt, and its behaviour as measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from spoold.command.context import Context
from spoold.dispatch.session import session_of
from spoold.frontends.memcached_verbs import Verb
from spoold.frontends.memcached_words import ERROR, OK, parse_unsigned

_MIB: Final = 1024 * 1024
_LEAST_MIB: Final = 8
_MOST_MIB: Final = 1_000_000_000
_MOST_WORD: Final = 2**32 - 1

_TOO_SMALL: Final = b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n"
_NOT_MIB: Final = b"MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n"
_UNABLE: Final = b"MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n"


class LimitVerb:
    """`cache_memlimit`. table: it, for `ValueVerbs`."""

    def __init__(self, set_limit: Callable[[int], None]) -> None:
        """set_limit: takes the limit in bytes."""
        self._set_limit = set_limit
        self.table: dict[bytes, Verb] = {b"cache_memlimit": self.limit}

    def limit(self, ctx: Context, request: list[bytes]) -> bytes:
        """Set the limit, in MiB."""
        if not 1 < len(request) < 4:
            return ERROR
        reply = self._adjust(ctx, parse_unsigned(request[1], _MOST_WORD))
        return b"" if request[2:] == [b"noreply"] else reply

    def _adjust(self, ctx: Context, limit_mib: int) -> bytes:
        if limit_mib < 0:
            return ERROR
        if limit_mib < _LEAST_MIB:
            return _TOO_SMALL
        if limit_mib > _MOST_MIB:
            return _NOT_MIB
        if session_of(ctx).dispatcher.turn.commit.live_bytes > limit_mib * _MIB:
            return _UNABLE
        self._set_limit(limit_mib * _MIB)
        return OK
