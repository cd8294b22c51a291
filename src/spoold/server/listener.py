"""Where clients come in: `[HOST:]PORT`, `unix:PATH` or `off`."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spoold.core.errors import SettingsError

# What Linux allows by default: with a shorter queue a storm of connections waits for whole seconds (SYN again).
BACKLOG: Final = 4096


@dataclass(frozen=True)
class Address:
    """Where a listener listens: a TCP host and port, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.path or self.host == "localhost":
            return True
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return False


def parse_address(text: str, option: str) -> Address | None:
    """The address in `text`; None for `off`.

    raises: SettingsError naming `option`.
    """
    if text == "off":
        return None
    if text.startswith("unix:"):
        return Address(path=text[5:])
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise SettingsError(f"{option} {text}: expected [HOST:]PORT, unix:PATH or off")
    return Address(host=host.strip("[]") or "127.0.0.1", port=int(port))


async def listen(
    kind: str, address: Address, option: str, make: Callable[[], asyncio.Protocol]
) -> tuple[asyncio.Server, Address]:
    """Open a listener.

    returns: the server, and the address with the port that the system chose where 0 was asked for.
    raises: SettingsError: one line that names the listener, the address and the option that changes it.
    """
    loop = asyncio.get_running_loop()
    try:
        if address.path:
            _clear_stale_socket(Path(address.path))
            return await loop.create_unix_server(make, address.path, backlog=BACKLOG), address
        server = await loop.create_server(make, address.host, address.port, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(
            f"the {kind} listener can't open {address}: {reason.lower()}; choose another with {option}"
        ) from error
    return server, Address(address.host, server.sockets[0].getsockname()[1])


def _clear_stale_socket(path: Path) -> None:
    """Remove the socket that a killed server left behind; one that someone answers on is left alone."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.stat().st_mode):
            return
        probe = socket.socket(socket.AF_UNIX)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
        finally:
            probe.close()
