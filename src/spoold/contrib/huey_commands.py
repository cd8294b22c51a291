"""What the storages for huey need of whoever carries out their commands: a server, or an engine in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

Word: TypeAlias = "bytes | str | int | float"
Command: TypeAlias = "Sequence[Word]"


class Commands(Protocol):
    """Carries out commands of Redis; safe to share between threads."""

    def call(self, *words: Word, wait_s: float | None = 0.0, repeat: bool = False) -> Any:
        """Run one command.

        wait_s: how long a blocking command may wait by intention; None = for ever.
        repeat: it may be carried out twice.
        raises: ClientError.
        """
        ...

    def run(self, commands: Sequence[Command], *, wait_s: float | None = 0.0, repeat: bool = False) -> list[Any]:
        """Run several, one after the other; returns their replies. raises: as `call`."""
        ...

    def close(self) -> None:
        """Let go of connections and files; a later command opens what it needs again."""
        ...
