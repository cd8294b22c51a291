"""What commands about the server may ask of the layers above them; `app.py` fills it in.

Commands know no sockets and no loop, so what they need of those who do stands here as small protocols.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class ConnectionCounts(Protocol):
    """The connections of all listeners: `server.connection.Connections`."""

    max_clients: int
    opened: int
    rejected: int
    choked_out: int

    @property
    def bytes_in(self) -> int:
        """Bytes received since the start."""
        ...

    def limit_pushes(self, hard_bytes: int, soft_bytes: int, soft_s: int) -> None:
        """Set what may wait for who is sent messages."""
        ...


class Duties(Protocol):
    """What the server does of its own accord: `server.ticker.Ticker`."""

    active_expire: bool
    idle_s: float
    interval_s: float
    each_tick: list[Callable[[], None]]
    on_done: Callable[[str, float], None] | None


class Stopper(Protocol):
    """Who ends the server: `server.lifecycle.Lifecycle`."""

    save_at_exit: bool

    def stop(self, exit_code: int = 0) -> None:
        """Ask the server to end."""
        ...


@dataclass
class Host:
    """The server around the commands.

    directory: of the data; None with `--memory`. durability: as in the settings, or `memory`.
    redis_addresses: (host, port, path of a unix socket) of each listener for Redis clients.
    exposed: whether other machines can reach a listener that asks for the password.
    limit_requests: takes the most bytes of one value and of one request, for clients that are there and that come.
    used_bytes: of the data file.
    """

    connections: ConnectionCounts
    duties: Duties
    lifecycle: Stopper
    directory: Path | None
    durability: str
    redis_addresses: Callable[[], list[tuple[str, int, str]]]
    exposed: Callable[[], bool]
    limit_requests: Callable[[int, int], None]
    used_bytes: Callable[[], int]
