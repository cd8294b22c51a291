"""WATCH: who is told that a key changed before its EXEC."""

from __future__ import annotations


class Watch:
    """The watched keys of one client, as (database index, name), and whether one of them has changed."""

    __slots__ = ("broken", "keys")

    def __init__(self) -> None:
        """Watch nothing yet."""
        self.broken = False
        self.keys: dict[tuple[int, bytes], bool] = {}  # value: the key existed when it was watched
