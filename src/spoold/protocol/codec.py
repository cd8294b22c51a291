"""What every protocol's codec offers, and the limits on what a client may send.

A codec does no I/O: it is fed the bytes of one connection in whatever pieces they come and gives back requests. It
belongs to one connection and one thread. Rules that hold for all of them:

- `feed` returns every request that is complete, in order, and keeps the rest; any split of the stream gives the same
  requests.
- A stream that can't be trusted any more leaves its error in `broken`. The requests before the fault are still
  returned; what comes after is ignored.
- What is kept is what has arrived, never what a client has announced.

To add a protocol, write its codec in a file of its own, and give it the shared tests: its table of (bytes, request),
any split, random bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from spoold.core.errors import ProtocolError

Request: TypeAlias = list[bytes]
"""One request: the command's name first, then its arguments; never empty."""

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may hold. A request beyond a limit breaks the stream."""

    bulk_bytes: int = 64 * MIB
    """One argument."""
    args: int = 1_048_576
    """Arguments of one request, its name included."""
    request_bytes: int = 128 * MIB
    """All arguments of one request together, the framing not counted."""
    inline_bytes: int = 64 * KIB
    """One line: an inline request, or a length that never ends."""


class Codec(Protocol):
    """Turns the bytes of one connection into requests, and replies into bytes."""

    broken: ProtocolError | None
    """Why the stream can't be trusted any more; None while it can."""

    def feed(self, data: bytes) -> list[Request]:
        """Take what has arrived.

        returns: every request that is now complete, in order; nothing once `broken` is set.
        """
        ...

    @property
    def pending_bytes(self) -> int:
        """How many bytes are kept of a request that is not complete."""
        ...

    def encode(self, reply: Any) -> bytes:
        """Write one reply; see `spoold.core.reply` for the shapes."""
        ...
