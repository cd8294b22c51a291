"""What a connected client is, and what it said of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Peer:
    """One connection, as CLIENT LIST shows it.

    id: rises from 1. address, local_address: `host:port`, or the path of a unix socket.
    connected_s: monotonic seconds. fd: the socket's number, -1 where there is none.
    last_command: the last subcommand that it ran, as `container|sub`.
    """

    id: int
    address: str
    local_address: str
    connected_s: float
    fd: int = -1
    name: bytes = b""
    lib_name: bytes = b""
    lib_version: bytes = b""
    user: bytes = b"default"
    last_command: str = "NULL"
    protocol: int = 2
    no_evict: bool = False
    no_touch: bool = False
