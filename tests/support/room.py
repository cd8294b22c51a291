"""A server without sockets: run commands one turn at a time, with time that only the test moves.

with Room(tmp_path) as room:
    assert room("SET", "k", "v") is OK
    room.clock.advance_ms(1000)
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from spoold.admin.rooms import ADMIN
from spoold.command.parts import Parts
from spoold.command.peer import Peer
from spoold.command.table import CommandTable
from spoold.core.errors import CommandError
from spoold.datatypes.rooms import ROOMS
from spoold.dispatch import multi
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.inner import install_scripts
from spoold.dispatch.session import Session
from spoold.dispatch.turn import Turn
from spoold.engine.commit import Commit, Lost, open_commit
from spoold.keyspace.keyspace import Databases
from spoold.scripting.rooms import SCRIPTING
from spoold.testing.clock import ManualClock
from support.upkeep import Upkeep


class _NoWire:
    """A client whose bytes no one looks at: replies are taken as values."""

    def write(self, data: bytes) -> None:
        """Drop."""

    def close(self) -> None:
        """Nothing to close."""

    def abort(self) -> None:
        """Nothing to close."""

    def overflows(self) -> bool:
        """Nothing gathers."""
        return False

    def hold_reading(self, hold: bool) -> None:
        """Nothing is read."""


class _Timer:
    """A deadline that the test fires itself."""

    def cancel(self) -> None:
        """Forget it."""


def message(reply: Any) -> bytes:
    """What an error says on the wire."""
    assert isinstance(reply, CommandError), reply
    return reply.message


class Room(Upkeep):
    """Engine, keyspace, commands and dispatcher on real LMDB in `directory`.

    durability: as `open_commit` takes it. clock: move it with `advance_ms`.
    replies are values as handlers return them: a CommandError is returned, not raised; a blocking command that finds
    nothing returns its Wait.
    """

    def __init__(self, directory: Path, durability: str = "memory", modules: tuple[ModuleType, ...] = ()) -> None:
        """modules: further modules with commands."""
        self.directory = directory
        self.clock = ManualClock()
        self.commit: Commit = open_commit(directory, durability, 4 * 1024 * 1024)
        self.dbs = Databases(self.commit.batch)
        self.dbs.now_ms = self.clock.unix_ms()
        self.dbs.value_limit_bytes = 512 * 1024 * 1024  # as Redis's, so that its edges can be tested
        self.turn = Turn(self.commit, self.dbs, self.clock, lambda work: None, self._lost)
        self.table = CommandTable((*ROOMS, *SCRIPTING, multi, *ADMIN, *modules))
        self.parts = Parts()
        self.dispatcher = Dispatcher(self.table, self.dbs, self.turn, self.parts, lambda *_: _Timer())
        self.scripts = install_scripts(self.dispatcher)
        self._next_id = 1
        self.session = self.connect()

    def connect(self) -> Session:
        """A further client."""
        peer = Peer(self._next_id, "127.0.0.1:1", "127.0.0.1:2", 0.0)
        self._next_id += 1
        session = Session(self.dispatcher, _NoWire(), peer, lambda reply: b"", authenticated=True)
        self.dispatcher.sessions[session] = None
        return session

    def __call__(self, *words: str | bytes | float, session: Session | None = None) -> Any:
        """Run one command in a turn of its own and commit it; returns the reply as a value."""
        request = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        client = session or self.session
        self.turn.begin()
        entry = self.table.find(request[0])
        reply = self.dispatcher.admission.refusal(client, entry, request)
        if reply is None:
            assert entry is not None
            try:
                reply = entry.handler(client.ctx, *request[1:])
            except CommandError as error:
                reply = error
        self.turn.end()
        return reply

    def _lost(self, error: Lost) -> None:
        raise error

    def __enter__(self) -> Room:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.commit.close()
