"""Slow commands, and how requests are shown to people: SLOWLOG and MONITOR.

Passwords never come into either: `redact` takes them out first. To add a command with a secret, give it a case there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final, NamedTuple

REDACTED: Final = b"(redacted)"

# What one entry keeps: so many arguments, so many bytes of each. source: Redis's SLOWLOG, documented on its page.
_KEPT_ARGUMENTS: Final = 32
_KEPT_BYTES: Final = 128

# Parameters of CONFIG SET that hold a secret, in any spelling.
_SECRET_PARAMETERS: Final = frozenset({b"requirepass", b"masterauth", b"masteruser", b"tls-key-file-pass"})

_ESCAPES: Final = {
    0x5C: b"\\\\",
    0x22: b'\\"',
    0x0A: b"\\n",
    0x0D: b"\\r",
    0x09: b"\\t",
    0x07: b"\\a",
    0x08: b"\\b",
}
_SHOWN: Final = tuple(
    _ESCAPES.get(byte, bytes((byte,)) if 0x20 <= byte < 0x7F else b"\\x%02x" % byte) for byte in range(256)
)


class SlowEntry(NamedTuple):
    """One slow command, as SLOWLOG GET shows it."""

    id: int
    unix_s: int
    usec: int
    words: list[bytes]
    address: bytes
    name: bytes


class SlowLog:
    """The last slow commands, the latest first.

    max_entries: how many are kept.
    """

    def __init__(self, max_entries: int = 128) -> None:
        """Start empty; ids rise from 0 as long as the server runs."""
        self._entries: deque[SlowEntry] = deque(maxlen=max_entries)
        self._next_id = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, unix_s: int, usec: int, request: Sequence[bytes], address: bytes, name: bytes) -> None:
        """Note a command; its secrets are taken out, long arguments and long requests shortened."""
        entry = SlowEntry(self._next_id, unix_s, usec, _shortened(redact(request)), address, name)
        self._next_id += 1
        self._entries.appendleft(entry)

    def latest(self, count: int) -> list[SlowEntry]:
        """Up to `count` entries; all if it is negative."""
        return list(self._entries if count < 0 else islice(self._entries, count))

    def clear(self) -> None:
        """Forget all entries."""
        self._entries.clear()

    def resize(self, max_entries: int) -> None:
        """Keep so many entries from now on; the oldest go."""
        self._entries = deque(self.latest(max_entries), maxlen=max_entries)


def redact(request: Sequence[bytes]) -> list[bytes]:
    """The request with `(redacted)` in the place of each secret.

    source: tried with redis 7.0.15.
    """
    words = list(request)
    name = words[0].upper()
    if name == b"AUTH":
        words[1:] = [REDACTED] * (len(words) - 1)
    elif name == b"HELLO":
        for at in range(2, len(words) - 2):
            if words[at].upper() == b"AUTH":
                words[at + 1] = words[at + 2] = REDACTED
                break
    elif name == b"CONFIG" and len(words) > 2 and words[1].upper() == b"SET":
        for at in range(2, len(words) - 1):
            if words[at].lower() in _SECRET_PARAMETERS:
                words[at + 1] = REDACTED
    elif name == b"ACL" and len(words) > 2 and words[1].upper() == b"SETUSER":
        words[2:] = [REDACTED] * (len(words) - 2)
    return words


def quoted(text: bytes) -> bytes:
    """Bytes in double quotes, as redis-cli shows them: what is not printable ASCII as an escape."""
    return b'"%b"' % b"".join([_SHOWN[byte] for byte in text])


def monitor_line(unix_us: int, database: int, address: bytes, request: Sequence[bytes]) -> bytes:
    """One request as MONITOR shows it, without the line end.

    source: Redis's MONITOR page; tried with redis 7.0.15.
    """
    seconds, micros = divmod(unix_us, 1_000_000)
    words = b" ".join(map(quoted, redact(request)))
    return b"%d.%06d [%d %b] %b" % (seconds, micros, database, address, words)


def _shortened(words: list[bytes]) -> list[bytes]:
    kept = words
    if len(words) > _KEPT_ARGUMENTS:
        left_out = len(words) - (_KEPT_ARGUMENTS - 1)
        kept = [*words[: _KEPT_ARGUMENTS - 1], b"... (%d more arguments)" % left_out]
    return [
        word if len(word) <= _KEPT_BYTES else word[:_KEPT_BYTES] + b"... (%d more bytes)" % (len(word) - _KEPT_BYTES)
        for word in kept
    ]
