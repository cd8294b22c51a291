"""What hypothesis' state machines on a room share: the room itself, transactions, and what happens below commands.

A machine adds its model, its rules, and `check`: what must hold at the end of every example.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from unittest.mock import patch

from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from spoold.core.reply import OK, QUEUED
from support.reachable import assert_nothing_is_left_over
from support.room import Room

STRING = b"a string"


class RoomMachine(RuleBasedStateMachine):
    """A room of its own for each example, of which nothing may be left over.

    durability: the room's. small: dotted names of constants, with the values that they have meanwhile: where a handful
    is many, every loop over pieces has several of them.
    """

    durability = "memory"
    small: ClassVar[Mapping[str, object]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.leaving = ExitStack()
        for name, value in self.small.items():
            self.leaving.enter_context(patch(name, value))
        self.home = Path(self.leaving.enter_context(TemporaryDirectory()))
        self.room = Room(self.home, self.durability)

    @property
    def now_ms(self) -> int:
        """The room's time."""
        return self.room.clock.unix_ms()

    def start_again(self, *, save: bool) -> None:
        """Close the room and open it anew, at the same time.    save: False: as if its process had been killed."""
        now_ms = self.now_ms
        self.room.commit.close(save=save)
        self.room = Room(self.home, self.durability)
        self.room.clock.advance_ms(now_ms - self.now_ms)

    def check(self) -> None:
        """Compare the room with the model for the last time."""

    def teardown(self) -> None:
        with self.leaving:
            try:
                self.check()
                assert_nothing_is_left_over(self.room)
            finally:
                self.room.commit.close()


class TransactionMachine(RoomMachine):
    """One client; while it is in a transaction, replies are compared at its end. STRING is a string.

    compare: fails unless a reply to some words is as expected.
    """

    def __init__(self) -> None:
        super().__init__()
        self.queued: list[tuple[tuple[Any, ...], Any]] | None = None
        self.room("SET", STRING, "v")

    @staticmethod
    def compare(words: tuple[Any, ...], reply: Any, expected: Any) -> None:
        """An exception type: an error; OK and None: just these."""
        if isinstance(expected, type):
            assert isinstance(reply, expected), words
        elif expected is OK or expected is None:
            assert reply is expected, words
        else:
            assert reply == expected, words

    def expect(self, expected: Any, *words: str | bytes | float) -> None:
        """Run a command, or queue it, and compare its reply with what the model says."""
        reply = self.room(*words)
        if self.queued is None:
            self.compare(words, reply, expected)
        else:
            assert reply is QUEUED
            self.queued.append((words, expected))

    @precondition(lambda self: self.queued is None)
    @rule()
    def begin(self) -> None:
        assert self.room("MULTI") is OK
        self.queued = []

    @precondition(lambda self: self.queued is not None)
    @rule()
    def end(self) -> None:
        replies = self.room("EXEC")
        queued, self.queued = self.queued or [], None
        assert len(replies) == len(queued)
        for (words, expected), reply in zip(queued, replies, strict=True):
            self.compare(words, reply, expected)

    @precondition(lambda self: self.queued is None)
    @rule()
    def checkpoint(self) -> None:
        self.room.commit.checkpoint()

    @precondition(lambda self: self.queued is None)
    @rule()
    def forget_what_is_cached(self) -> None:
        self.room.dbs.rollback()

    @precondition(lambda self: self.queued is None)
    @rule()
    def reclaim(self) -> None:
        self.room.reclaim()

    def check(self) -> None:
        if self.queued is not None:
            self.end()
