"""`maxmemory`: how large the data may grow. Nothing is ever evicted; what would add to it is refused.

Redis counts memory there. Here a backlog lies on disk, so what is counted is the data itself, wherever it is.
"""

from __future__ import annotations

from spoold.command.spec import Flag
from spoold.command.table import Entry
from spoold.core.errors import CommandError, TooMuchData
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.session import Session


class DataLimit:
    """Refuses commands that may add data while there is more than the limit.

    limit_bytes: 0 = none. over: whether there is more.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        """No limit yet; `look` must be called now and then."""
        self._dispatcher = dispatcher
        self.limit_bytes = 0
        self.over = False
        dispatcher.admission.checks.append(self._check)
        dispatcher.admission.checks_inside.append(self._check_inside)

    def set_limit(self, limit_bytes: int) -> None:
        """CONFIG SET maxmemory."""
        self.limit_bytes = limit_bytes
        self.look()

    def look(self) -> None:
        """Compare the data with the limit. cost: O(1)."""
        over = bool(self.limit_bytes) and self._dispatcher.turn.commit.live_bytes > self.limit_bytes
        if over is not self.over:
            self.over = over
            self._dispatcher.admission.over_limit = over
            self._dispatcher.set_alert("data limit", over)

    def _check(self, session: Session, entry: Entry, request: list[bytes]) -> CommandError | None:
        refused = self.over and self._dispatcher.admission.has_flags(session, entry, Flag.DENYOOM)
        return TooMuchData() if refused else None

    def _check_inside(self, session: Session, entry: Entry, request: list[bytes]) -> CommandError | None:
        if not self.over or self._dispatcher.admission.lenient:
            return None
        return TooMuchData() if entry.flags & Flag.DENYOOM else None
