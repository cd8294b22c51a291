"""Parked callers of blocking commands: who waits for which keys, in order of arrival.

A waiter stands in the queue of each of its keys. When a key changes, its name is noted as ready; after the command
(the whole transaction, the whole script) that changed it, the dispatcher runs the commands of its waiters again, the
longest-waiting first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Waiter:
    """One parked caller.

    keys: (database index, name) of each key that may wake it.
    request: the command to run again.
    timeout_reply: what it is answered at the deadline.
    owner: the dispatcher's session; timer: its deadline's handle, or None.
    """

    __slots__ = ("keys", "owner", "request", "timeout_reply", "timer")

    def __init__(self, owner: Any, keys: Sequence[tuple[int, bytes]], request: list[bytes], timeout_reply: Any) -> None:
        """Made by the dispatcher when a handler returns Wait."""
        self.owner = owner
        self.keys = keys
        self.request = request
        self.timeout_reply = timeout_reply
        self.timer: Any = None


class WaitQueues:
    """The queues of one database, and the keys of it that became ready."""

    __slots__ = ("queues",)

    def __init__(self) -> None:
        """No one waits."""
        self.queues: dict[bytes, dict[Waiter, None]] = {}

    def add(self, name: bytes, waiter: Waiter) -> None:
        """Queue the waiter behind all who wait for `name` already."""
        self.queues.setdefault(name, {})[waiter] = None

    def remove(self, name: bytes, waiter: Waiter) -> None:
        """Take the waiter out of the queue of `name`."""
        queue = self.queues.get(name)
        if queue is not None:
            queue.pop(waiter, None)
            if not queue:
                del self.queues[name]

    def of(self, name: bytes) -> list[Waiter]:
        """Who waits for `name`, the longest-waiting first."""
        return list(self.queues.get(name, ()))
