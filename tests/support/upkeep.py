"""What a server without sockets has its duties do, when the test says so."""

from __future__ import annotations

from typing import Any

from spoold.dispatch.turn import Turn
from spoold.engine.commit import Commit
from spoold.keyspace.expiry import expire_due
from spoold.keyspace.keyspace import Databases
from spoold.keyspace.reclaim import reclaim


class Upkeep:
    """Needs `commit`, `dbs` and `turn`."""

    commit: Commit
    dbs: Databases
    turn: Turn

    def expire(self) -> int:
        """Run the active expiry once; returns how many keys it dropped."""
        return self._in_turn(expire_due)

    def reclaim(self) -> None:
        """Run the reclaimer until nothing is left."""
        while self._in_turn(reclaim):
            pass

    def state(self) -> dict[bytes, bytes]:
        """All engine keys and values."""
        return dict(self.commit.batch.scan(b"\0", b"\xff" * 8, 10_000_000))

    def _in_turn(self, duty: Any) -> Any:
        self.turn.begin()
        done = duty(self.dbs, 1000)
        self.turn.end()
        return done
