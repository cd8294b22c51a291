"""ACL LOG: what was denied, and to whom."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

# The same thing that is denied again within this time, and is still among the latest few, is counted, not listed.
_GROUPED_MS: Final = 60_000
_LOOKED_AT: Final = 10


@dataclass
class Denied:
    """One entry. reason: `command`, `key`, `channel` or `auth`. context: `toplevel`, `multi` or `lua`."""

    reason: bytes
    context: bytes
    object: bytes
    user: bytes
    client: bytes
    unix_ms: int
    count: int = 1

    def shown(self, now_ms: int) -> dict[bytes, Any]:
        """As ACL LOG shows it."""
        return {
            b"count": self.count,
            b"reason": self.reason,
            b"context": self.context,
            b"object": self.object,
            b"username": self.user,
            b"age-seconds": (now_ms - self.unix_ms) / 1000,
            b"client-info": self.client,
        }


class AclLog:
    """The latest denials, the latest first. max_entries: how many are kept; a lower number holds from the next on."""

    def __init__(self, max_entries: int = 128) -> None:
        """Start empty."""
        self.max_entries = max_entries
        self._entries: deque[Denied] = deque()

    def add(self, denied: Denied) -> None:
        """Note a denial."""
        for known in islice(self._entries, _LOOKED_AT):
            same = (known.reason, known.context, known.object, known.user) == (
                denied.reason,
                denied.context,
                denied.object,
                denied.user,
            )
            if same and denied.unix_ms - known.unix_ms <= _GROUPED_MS:
                denied.count += known.count
                self._entries.remove(known)
                break
        self._entries.appendleft(denied)
        while len(self._entries) > self.max_entries:
            self._entries.pop()

    def latest(self, count: int) -> list[Denied]:
        """Up to `count` entries."""
        return list(islice(self._entries, count))

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
