"""A client without a socket: requests go into the engine's thread as they are, replies come back as they are encoded.

One call at a time uses a line; whoever waits for its replies sleeps on the line's own queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final

from spoold.dispatch.session import Session
from spoold.protocol.answers import AnswerReader, Word

# A wait is begun anew so often: a signal (Ctrl-C) that comes in the moment before it begins does not end it.
_WAIT_S: Final = 1.0


class Line:
    """One caller's end; the engine's thread writes to it.

    session: the dispatcher's view of this client. given_up: its caller went away before its replies came.
    """

    __slots__ = ("_arrived", "_reader", "given_up", "session")

    session: Session

    def __init__(self) -> None:
        """The engine gives it a session before it is used."""
        self._arrived: SimpleQueue[bytes | None] = SimpleQueue()
        self._reader = AnswerReader()
        self.given_up = False

    def receive(self, count: int) -> list[Any] | None:
        """Wait for `count` replies. returns: them; None if the engine ended before all had come."""
        get = self._arrived.get
        feed = self._reader.feed
        replies: list[Any] = []
        while len(replies) < count:
            try:
                data = get(True, _WAIT_S)
            except Empty:
                continue
            if data is None:
                return None
            replies += feed(data)
        return replies

    # -- Wire, for the engine's thread --------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Hand bytes to the caller; never blocks."""
        self._arrived.put(data)

    def close(self) -> None:
        """Nothing more will come."""
        self._arrived.put(None)

    abort = close

    def overflows(self) -> bool:
        """What a caller asked for it takes at once."""
        return False

    def hold_reading(self, hold: bool) -> None:
        """A caller has one call under way."""


def to_request(words: Sequence[Word]) -> list[bytes]:
    """Words as the dispatcher takes them. raises: TypeError: a word that is neither bytes, text nor a number."""
    request = []
    for word in words:
        if word.__class__ is bytes:
            request.append(word)
        elif isinstance(word, str):
            request.append(word.encode())
        elif isinstance(word, (bytes, bytearray, memoryview)):
            request.append(bytes(word))
        elif isinstance(word, (int, float)) and not isinstance(word, bool):
            request.append(repr(word).encode())
        else:
            raise TypeError(f"a word of type {type(word).__name__} can't be sent")
    return request
