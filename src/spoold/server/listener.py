"""Where clients come in: `[HOST:]PORT`, `tls:[HOST:]PORT`, `unix:PATH` or `off`."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from spoold.core.errors import SettingsError
from spoold.server.tls import HANDSHAKE_TIMEOUT_S, SHUTDOWN_TIMEOUT_S

# What Linux allows by default: with a shorter queue a storm of connections waits for whole seconds (SYN again).
BACKLOG: Final = 4096
# Unix sockets: whoever may not write to the file may not connect.
OWNER_ONLY: Final = 0o600


@dataclass(frozen=True)
class Address:
    """Where a listener listens: a TCP host and port, with TLS or without, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""
    tls: bool = False

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls:' if self.tls else ''}{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.path or self.host == "localhost":
            return True
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return False


@dataclass
class Listener:
    """An open listener.

    server: of the event loop. address: with the port that the system chose where 0 was asked for.
    """

    server: asyncio.Server
    address: Address
    _socket_file: tuple[int, int] | None = field(default=None, repr=False)

    @property
    def sockets(self) -> tuple[Any, ...]:
        """The sockets that it listens on."""
        return tuple(self.server.sockets)

    def close(self) -> None:
        """Take no more clients; those that are there stay. A unix socket's file goes, if it is still this one's."""
        if self._socket_file is not None and _identity(Path(self.address.path)) == self._socket_file:
            Path(self.address.path).unlink(missing_ok=True)
        self._socket_file = None
        self.server.close()


def parse_address(text: str, option: str) -> Address | None:
    """The address in `text`; None for `off`.

    raises: SettingsError naming `option`.
    """
    if text == "off":
        return None
    if text.startswith("unix:") and len(text) > len("unix:"):
        return Address(path=text[5:])
    tls = text.startswith("tls:")
    host, _, port = (text[4:] if tls else text).rpartition(":")
    if not (port.isascii() and port.isdecimal()) or int(port) > 65535 or host.startswith("unix"):
        raise SettingsError(f"{option} {text}: expected [HOST:]PORT, tls:[HOST:]PORT, unix:PATH or off")
    return Address(host=host.strip("[]") or "127.0.0.1", port=int(port), tls=tls)


async def listen(
    kind: str,
    address: Address,
    option: str,
    make: Callable[[], asyncio.Protocol],
    tls: ssl.SSLContext | None = None,
    unix_mode: int = OWNER_ONLY,
) -> Listener:
    """Open a listener.

    tls: what an address with TLS needs. unix_mode: who may connect, as permissions of the socket's file.
    raises: SettingsError: one line that names the listener, the address and the option that changes it.
    """
    loop = asyncio.get_running_loop()
    secure: dict[str, Any] = {}
    if address.tls:
        secure = {
            "ssl": tls,
            "ssl_handshake_timeout": HANDSHAKE_TIMEOUT_S,
            "ssl_shutdown_timeout": SHUTDOWN_TIMEOUT_S,
        }
    try:
        if address.path:
            bound = _bind(Path(address.path), unix_mode)
            server = await loop.create_unix_server(make, sock=bound, backlog=BACKLOG)
            return Listener(server, address, _identity(Path(address.path)))
        server = await loop.create_server(make, address.host, address.port, backlog=BACKLOG, **secure)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(
            f"the {kind} listener can't open {address}: {reason.lower()}; choose another with {option}"
        ) from error
    return Listener(server, Address(address.host, server.sockets[0].getsockname()[1], tls=address.tls))


def _bind(path: Path, mode: int) -> socket.socket:
    """A socket at `path`, in place of one that a killed server left behind. raises: OSError."""
    _clear_stale_socket(path)
    bound = socket.socket(socket.AF_UNIX)
    # From its first moment on nobody may connect who may not later.
    umask = os.umask(0o777 & ~mode)
    try:
        bound.bind(os.fspath(path))
        path.chmod(mode)
    except BaseException:
        bound.close()
        raise
    finally:
        os.umask(umask)
    bound.setblocking(False)
    return bound


def _clear_stale_socket(path: Path) -> None:
    """Remove the socket that a killed server left behind; one that someone answers on is left alone."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise FileExistsError(0, "a file that is no socket is there")
        probe = socket.socket(socket.AF_UNIX)
        probe.setblocking(False)  # a live server with a full queue would keep us waiting
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
        except BlockingIOError:
            pass
        finally:
            probe.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file it is, whatever its name; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
