"""A client's connections: one socket that asks and waits for replies, and a pool of them that threads share.

Nothing here knows a protocol: a link is given a reader, which turns bytes into replies.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from spoold.client.errors import ConnectionFailed, TimedOut

_CHUNK_BYTES: Final = 256 * 1024
# Between two attempts to connect: a server that is being restarted may be back at once.
_FIRST_PAUSE_S: Final = 0.01
_LONGEST_PAUSE_S: Final = 0.25


class Reader(Protocol):
    """Reads the replies of one byte stream.

    broken: why it can't be trusted any more, None while it can. is_between: nothing of a further reply has come.
    """

    @property
    def broken(self) -> Exception | None:
        """Why the stream is given up."""
        ...

    @property
    def is_between(self) -> bool:
        """Whether all that came is complete."""
        ...

    def feed(self, data: bytes) -> list[Any]:
        """Take what has arrived; returns the replies that are complete now."""
        ...


class Link:
    """One socket, used by one call at a time.

    place: where it leads, for people.
    """

    __slots__ = ("_poll", "_protocol", "_reader", "_socket", "_timeout_s", "place")

    def __init__(
        self,
        address: tuple[str, int] | str,
        timeout_s: float | None,
        reader: Reader,
        protocol: str,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Connect.

        address: host and port, or the path of a unix socket. timeout_s: for the connection, and then for each piece
            of a reply; None = for ever. protocol: its name, for errors. tls: what the server is asked to prove.
        raises: ConnectionFailed, TimedOut.
        """
        self.place = address if isinstance(address, str) else f"{address[0]}:{address[1]}"
        self._timeout_s = timeout_s
        self._reader = reader
        self._protocol = protocol
        try:
            self._socket = _connect(address, timeout_s, tls)
        except TimeoutError as error:
            raise TimedOut(f"{self.place} did not take the connection within {timeout_s:g} s") from error
        except OSError as error:
            raise ConnectionFailed(f"can't connect to {self.place}: {error.strerror or error}") from error
        # Not on every system; but select takes only the first 1,024 files of a process.
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(self._socket, select.POLLIN)

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last reply: not the end of the connection either."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return False
        if self._poll is None:
            return not select.select([self._socket], [], [], 0)[0]
        return not self._poll.poll(0)

    def ask(self, request: bytes, count: int = 1, wait_s: float | None = 0.0) -> list[Any]:
        """Send a request, or several, and wait for their replies; the connection is closed if that fails in any way.

        count: how many replies there will be. wait_s: how much longer than the time-out the server may take by
            intention; None = for ever.
        raises: ConnectionFailed, TimedOut.
        """
        timeout_s = self._timeout_s
        done = False
        try:
            self._socket.sendall(request)
            if wait_s != 0.0 and timeout_s is not None:
                timeout_s = None if wait_s is None else timeout_s + wait_s
                self._socket.settimeout(timeout_s)
            replies = self._receive(count)
            if timeout_s != self._timeout_s:
                self._socket.settimeout(self._timeout_s)
            done = True
        except TimeoutError as error:
            raise TimedOut(f"{self.place} did not answer within {timeout_s:g} s") from error
        except ConnectionFailed:
            raise
        except OSError as error:
            raise ConnectionFailed(f"the connection to {self.place} broke: {error.strerror or error}") from error
        finally:
            if not done:
                self.close()
        return replies

    def listen(self, request: bytes) -> Iterator[Any]:
        """Send a request whose replies do not end (MONITOR, SUBSCRIBE); gives them as they come, however long it takes.

        raises: ConnectionFailed: the connection ended, or something else than replies came.
        """
        reader = self._reader
        try:
            self._socket.settimeout(None)
            self._socket.sendall(request)
            while data := self._socket.recv(_CHUNK_BYTES):
                yield from reader.feed(data)
                if reader.broken is not None:
                    raise ConnectionFailed(f"{self.place} does not speak {self._protocol}: {reader.broken}")
        except OSError as error:
            raise ConnectionFailed(f"the connection to {self.place} broke: {error.strerror or error}") from error
        finally:
            self.close()
        raise ConnectionFailed(f"{self.place} closed the connection")

    def _receive(self, count: int) -> list[Any]:
        reader = self._reader
        replies: list[Any] = []
        while True:
            data = self._socket.recv(_CHUNK_BYTES)
            if not data:
                raise ConnectionFailed(f"{self.place} closed the connection")
            replies += reader.feed(data)
            missing = count - len(replies)
            if reader.broken is not None or (missing <= 0 and (missing or not reader.is_between)):
                raise ConnectionFailed(
                    f"{self.place} does not speak {self._protocol}: {reader.broken or 'too many replies'}"
                )
            if not missing:
                return replies

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Pool:
    """Links that no call uses, for all threads of a process; a fork begins with none.

    Each call has a link of its own while it lasts: one that an earlier call gave back, else a new one, so there are as
    many as calls ever ran at the same time. A link that broke while no one used it is dropped.
    """

    __slots__ = ("_connect", "_idle", "_pid")

    def __init__(self, connect: Callable[[], Link]) -> None:
        """connect: makes a link; may raise ConnectionFailed."""
        self._connect = connect
        self._idle: deque[Link] = deque()
        self._pid = os.getpid()

    def take(self) -> Link:
        """A link that no other call uses. raises: ConnectionFailed, TimedOut."""
        if self._pid != os.getpid():
            # This process is a fork: the connections are its parent's, and stay open there.
            self._pid = os.getpid()
            self.close()
        while True:
            try:
                link = self._idle.pop()
            except IndexError:
                return self._connect()
            if link.is_quiet():
                return link
            link.close()

    def give(self, link: Link) -> None:
        """Take a link back that works."""
        self._idle.append(link)

    def __len__(self) -> int:
        return len(self._idle)

    def close(self) -> None:
        """Close the links that no call uses."""
        while True:
            try:
                self._idle.pop().close()
            except IndexError:
                return


def connect_within(connect: Callable[[], Link], patience_s: float) -> Link:
    """Call `connect` until it succeeds, or `patience_s` have passed. raises: as `connect`."""
    deadline_s = time.monotonic() + patience_s
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return connect()
        except ConnectionFailed:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise
        time.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


def _connect(
    address: tuple[str, int] | str, timeout_s: float | None, tls: ssl.SSLContext | None = None
) -> socket.socket:
    if not isinstance(address, str):
        connected = socket.create_connection(address, timeout_s)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Closes the socket if the handshake fails.
        return connected if tls is None else tls.wrap_socket(connected, server_hostname=address[0])
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.settimeout(timeout_s)
        connected.connect(address)
    except BaseException:
        connected.close()
        raise
    return connected
