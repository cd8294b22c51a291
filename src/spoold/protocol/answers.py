"""RESP from the client's side: commands become bytes, bytes become replies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias, cast

import hiredis

Word: TypeAlias = "bytes | str | int | float"

# What hiredis gives where no reply is complete. RESP2 has no booleans, and a client that never asks gets no RESP3.
_NOTHING: Final = False


class Refusal(str):
    """An error reply as a value: its text, without the leading `-`."""

    __slots__ = ()


class AnswerReader:
    """Reads the replies of one connection.

    Strings and statuses are bytes, an error is a Refusal, null is None, arrays are lists.
    broken: why the stream can't be trusted any more; None while it can.
    """

    __slots__ = ("_reader", "broken")

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._reader = hiredis.Reader(replyError=cast("Any", Refusal))
        self.broken: Exception | None = None

    @property
    def is_between(self) -> bool:
        """Whether all that came is complete."""
        return not self._reader.has_data()

    def feed(self, data: bytes) -> list[Any]:
        """Take what has arrived; returns the replies that are complete now."""
        reader = self._reader
        replies = []
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _NOTHING:
                replies.append(reply)
        except hiredis.ProtocolError as error:
            self.broken = error
        return replies


def pack_commands(commands: Sequence[Sequence[Word]]) -> bytes:
    """Write commands as one piece of bytes.

    raises: TypeError: a word that is neither bytes, text nor a number.
    """
    pack = hiredis.pack_command
    if len(commands) == 1:
        packed: bytes = pack(cast("Any", tuple(commands[0])))
        return packed
    return b"".join([pack(cast("Any", tuple(command))) for command in commands])
