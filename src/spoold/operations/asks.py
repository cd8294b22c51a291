"""A server as keys are read from it and written to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from spoold.client.errors import CommandError
from spoold.protocol.answers import Word

Command = Sequence[Word]


class Asks(Protocol):
    """A server: `client.redis.Client`."""

    def run(self, commands: Sequence[Command], *, repeat: bool = False) -> list[Any]:
        """Send commands in one piece; returns their replies."""
        ...

    def call(self, *words: Word, repeat: bool = False) -> Any:
        """Run one command."""
        ...


def read_all(server: Asks, commands: Sequence[Command]) -> list[Any]:
    """Replies to commands that only read; None in place of an error: the key may have become another type.

    cost: one round trip; one a command where there is an error.
    """
    if not commands:
        return []
    try:
        return server.run(commands, repeat=True)
    except CommandError:
        pass
    found: list[Any] = []
    for command in commands:
        try:
            found.append(server.call(*command, repeat=True))
        except CommandError:
            found.append(None)
    return found
