"""Parked callers of blocking commands: who waits for which keys, in order of arrival.

A waiter stands in the queue of each of its keys. When a key comes to hold what one can wait for, its name is noted as
ready; after the command (the whole transaction, the whole script) that did it, the dispatcher serves its waiters from
it, the longest-waiting first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class Waiter:
    """One parked caller.

    keys: (database index, name) of each key that may wake it.
    request: its command. serve, timeout_reply, needs_keys: as in `command.context.Wait`.
    owner: the dispatcher's session. timer: rings at its deadline; None if it has none.
    """

    __slots__ = ("keys", "needs_keys", "owner", "request", "serve", "timeout_reply", "timer")

    def __init__(
        self,
        owner: Any,
        keys: Sequence[tuple[int, bytes]],
        request: list[bytes],
        serve: Callable[[bytes], Any] | None,
        timeout_reply: Any,
        *,
        needs_keys: bool = False,
    ) -> None:
        """Made by the dispatcher when a handler returns Wait."""
        self.owner = owner
        self.keys = keys
        self.request = request
        self.serve = serve
        self.timeout_reply = timeout_reply
        self.needs_keys = needs_keys
        self.timer: Any = None


class WaitQueues:
    """The queues of one database, and the keys of it that became ready.

    needed: how many of those who wait for a name want to know when it goes.
    """

    __slots__ = ("needed", "queues")

    def __init__(self) -> None:
        """No one waits."""
        self.queues: dict[bytes, dict[Waiter, None]] = {}
        self.needed: dict[bytes, int] = {}

    def add(self, name: bytes, waiter: Waiter) -> None:
        """Queue the waiter behind all who wait for `name` already."""
        self.queues.setdefault(name, {})[waiter] = None
        self._need(name, waiter)

    def add_first(self, name: bytes, waiter: Waiter) -> None:
        """Put a waiter back that was taken out of the head of the queue. cost: O(waiters of the name)."""
        self.queues[name] = {waiter: None, **self.queues.get(name, {})}
        self._need(name, waiter)

    def remove(self, name: bytes, waiter: Waiter) -> None:
        """Take the waiter out of the queue of `name`."""
        queue = self.queues.get(name)
        if queue is not None and waiter in queue:
            del queue[waiter]
            if not queue:
                del self.queues[name]
            if waiter.needs_keys:
                self.needed[name] -= 1
                if not self.needed[name]:
                    del self.needed[name]

    def of(self, name: bytes) -> list[Waiter]:
        """Who waits for `name`, the longest-waiting first."""
        return list(self.queues.get(name, ()))

    def _need(self, name: bytes, waiter: Waiter) -> None:
        if waiter.needs_keys:
            self.needed[name] = self.needed.get(name, 0) + 1
