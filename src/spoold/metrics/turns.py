"""How large turns are: one index and one addition a turn."""

from __future__ import annotations

from typing import Final

# Doubling from one command; a turn ends long before the last.
SIZE_BUCKETS: Final = 40


class TurnSizes:
    """Counts turns by the power of two of their commands.

    spread: at n the turns with less than 2^n commands that are not in an earlier one. commands: of all turns.
    """

    def __init__(self) -> None:
        """Nothing has been counted."""
        self.spread = [0] * SIZE_BUCKETS
        self.commands = 0

    def note(self, commands: int) -> None:
        """A turn ends that ran so many commands."""
        self.spread[commands.bit_length()] += 1
        self.commands += commands
