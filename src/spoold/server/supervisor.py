"""Tells systemd (Type=notify) when the server is ready, and when it ends.

source: sd_notify(3): a datagram of `NAME=VALUE` lines to the unix socket that NOTIFY_SOCKET names.
"""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger("spoold.server")


def tell_supervisor(state: str) -> bool:
    """Send a line such as READY=1; returns whether someone is told.

    Nobody is, and nothing happens, where no supervisor asks for it.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return False
    # An abstract socket's name begins with a zero byte.
    target = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as outlet:
        try:
            outlet.sendto(state.encode(), target)
        except OSError as error:
            log.warning("can't tell the supervisor at %s that %s: %s", path, state, error.strerror)
            return False
    return True
