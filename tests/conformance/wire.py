"""A raw RESP connection: whole replies as the bytes that came, and a tree of them that keeps the type of every frame.

No client library stands between a test and the wire, so a reply of the wrong kind (`$1 1` for `:1`) is seen.
"""

from __future__ import annotations

import select
import socket
from typing import NamedTuple

REPLY_TIMEOUT_S = 10.0  # only ever waited for when a server does not answer at all


class NoReply(Exception):
    """The server did not answer in time, or closed the connection; the text says which."""


class Node(NamedTuple):
    """One frame: its type byte, and its payload or its children."""

    kind: bytes
    value: bytes | tuple[Node, ...] | None

    def __repr__(self) -> str:
        if isinstance(self.value, tuple):
            return f"{self.kind.decode()}[{', '.join(map(repr, self.value))}]"
        if self.value is None:
            return f"{self.kind.decode()}nil"
        text = repr(self.value)[1:]
        return f"{self.kind.decode()}{text if len(text) < 200 else f'{text[:90]}…{text[-60:]} ({len(self.value)} B)'}"


LINES = b"+-:_,#("
BLOBS = b"$=!"
AGGREGATES = b"*~%>|"


def encode(*args: bytes) -> bytes:
    """Write one request as an array of bulk strings."""
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args)


def read_node(buffer: bytes | bytearray, start: int = 0) -> tuple[Node, int] | None:
    """Read one frame at `start`.

    returns: the frame and where the next one starts; None if it is not complete yet.
    raises: ValueError if these bytes are no RESP.
    """
    end = buffer.find(b"\r\n", start)
    if end < 0:
        return None
    kind, line, position = bytes(buffer[start : start + 1]), bytes(buffer[start + 1 : end]), end + 2
    if kind in LINES and kind:
        return Node(kind, line), position
    if kind in BLOBS and kind:
        length = int(line)
        if length < 0:
            return Node(kind, None), position
        if len(buffer) < position + length + 2:
            return None
        if buffer[position + length : position + length + 2] != b"\r\n":
            raise ValueError(f"no CR LF after a string of {length} bytes")
        return Node(kind, bytes(buffer[position : position + length])), position + length + 2
    if kind in AGGREGATES and kind:
        count = int(line)
        if count < 0:
            return Node(kind, None), position
        children = []
        for _ in range(count * 2 if kind in b"%|" else count):
            found = read_node(buffer, position)
            if found is None:
                return None
            child, position = found
            children.append(child)
        return Node(kind, tuple(children)), position
    raise ValueError(f"no RESP: {bytes(buffer[start : start + 60])!r}")


class Link:
    """One connection that sends requests and takes whole replies, in order."""

    def __init__(self, port: int, protocol: int = 2, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), timeout=REPLY_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        if protocol == 3 and (greeting := self.call(b"HELLO", b"3")).kind != b"%":
            self.close()
            raise NoReply(f"HELLO 3 was answered {greeting}")

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are; a server that closed meanwhile is noticed by the next read."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def send(self, *args: bytes) -> None:
        """Send one request and leave its reply for later."""
        self.send_raw(encode(*args))

    def reply(self, timeout_s: float = REPLY_TIMEOUT_S) -> Node:
        """Take the next reply.

        raises: NoReply at the deadline or at the end of the stream; ValueError if it is no RESP.
        """
        while (found := read_node(self._buffer)) is None:
            self._receive(timeout_s)
        node, end = found
        del self._buffer[:end]
        return node

    def call(self, *args: bytes) -> Node:
        """Send one request and take its reply."""
        self.send(*args)
        return self.reply()

    def has_reply(self) -> bool:
        """Tell whether bytes of a reply have arrived."""
        return bool(self._buffer) or bool(select.select([self.socket], [], [], 0)[0])

    def rest(self, marker: bytes = b"", timeout_s: float = REPLY_TIMEOUT_S) -> tuple[bytes, bool]:
        """Take everything up to and including `marker`, or to the end of the stream.

        returns: the bytes, and whether the server closed the connection.
        """
        while not (marker and self._buffer.endswith(marker)):
            try:
                self._receive(timeout_s)
            except NoReply as error:
                if "closed" in str(error):
                    return bytes(self._buffer), True
                raise
        return bytes(self._buffer), False

    def close(self) -> None:
        self.socket.close()

    def _receive(self, timeout_s: float) -> None:
        self.socket.settimeout(timeout_s)
        try:
            data = self.socket.recv(1 << 18)
        except TimeoutError:
            raise NoReply(f"no reply within {timeout_s:g} s (so far: {bytes(self._buffer[:200])!r})") from None
        except ConnectionResetError:
            data = b""
        if not data:
            raise NoReply(f"the server closed the connection (so far: {bytes(self._buffer[:200])!r})")
        self._buffer += data
