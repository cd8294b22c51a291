"""CLIENT PAUSE: until it ends, requests of all clients wait, or only those that write.

Protocols with verbs of their own (door.py) do not tell which verbs write: their clients wait either way.
A request that must wait goes back to the head of its session's queue, so what the client sends behind it waits too and
order is kept. When the pause ends, the sessions go on in the order in which they were held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spoold.command.context import Wait
from spoold.command.spec import Flag

if TYPE_CHECKING:
    from spoold.dispatch.dispatcher import Dispatcher
    from spoold.dispatch.session import Session

POSTPONED: Final = Wait((), 0.0, None)
"""Answered by admission in place of a request that must wait for the end of the pause."""

HELD_BY_WRITES: Final = Flag.WRITE | Flag.MAY_REPLICATE


class Pause:
    """Whether requests wait, which, and until when.

    held: sessions whose next request waits, the longest-held first.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        """Not paused."""
        self._dispatcher = dispatcher
        self._timer: Any = None
        self._end_s = 0.0
        self.everything = False
        self.held: dict[Session, None] = {}

    @property
    def on(self) -> bool:
        """Whether anything waits."""
        return self._timer is not None

    def start(self, seconds: float, *, everything: bool) -> None:
        """Pause, or pause longer and stricter: a second pause never shortens or loosens the first.

        everything: False lets requests through that do not write.
        source: Redis's CLIENT PAUSE page; tried with redis 7.0.15.
        """
        now_s = self._dispatcher.turn.now_s
        self.everything |= everything
        if self._timer is not None:
            if now_s + seconds <= self._end_s:
                return
            self._timer.cancel()
        self._end_s = now_s + seconds
        self._timer = self._dispatcher.alarm(seconds, self.end)
        self._dispatcher.set_alert("pause", True)

    def end(self) -> None:
        """Let all go on: behind the open turn, or at once if none is open."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        self.everything = False
        self._dispatcher.set_alert("pause", False)
        held, self.held = list(self.held), {}
        turn = self._dispatcher.turn
        if turn.open:
            turn.woken += held
        else:
            turn.resume(held)

    def postpones(self, writes: bool) -> bool:
        """Whether a request waits. writes: it may change data, or send to others."""
        return self._timer is not None and (self.everything or writes)

    def hold(self, session: Session, request: list[bytes]) -> None:
        """Let `request`, and what stands behind it, wait in the session's queue."""
        self.hold_all(session, [request, *session.rest])

    def hold_all(self, session: Session, requests: list[Any]) -> None:
        """Let `requests` wait at the head of the session's queue."""
        session.queue[:0] = requests
        self.held[session] = None
