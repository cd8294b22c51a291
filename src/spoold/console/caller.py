"""Requests of the console: each is a client of its own for as long as it runs, and goes through the turn as all do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self

from spoold.acl.users import User
from spoold.command.peer import Peer
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.session import Session
from spoold.protocol.answers import AnswerReader, Refusal
from spoold.protocol.replies import encode2

# A command may wait so long (BLPOP, CLIENT PAUSE …); then its client is gone.
PATIENCE_S: Final = 5.0


class Silent(Exception):
    """No reply came in time, or the connection was ended from the other side."""


class Caller:
    """One client without a socket.

    user: whose rights its commands have.
    """

    def __init__(self, dispatcher: Dispatcher, id_: int, user: User, address: str) -> None:
        """address: of the HTTP client, as CLIENT LIST shows it."""
        self._dispatcher = dispatcher
        self._reader = AnswerReader()
        self._replies: list[Any] = []
        self._wanted = 0
        self._done: asyncio.Future[None] | None = None
        peer = Peer(id_, address, "console:0", dispatcher.turn.clock.monotonic_s())
        peer.name = b"console"
        self._session = Session(dispatcher, self, peer, encode2, authenticated=True)
        self._session.log_in(user)
        dispatcher.sessions[self._session] = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._session.closed:
            self._dispatcher.leave(self._session)

    async def run(self, *requests: Sequence[bytes], patience_s: float = PATIENCE_S) -> list[Any]:
        """Run requests in one turn; returns their replies: bytes, int, None, Refusal, or a list of such.

        raises: Silent.
        """
        if not requests:
            return []
        self._replies = []
        self._wanted = len(requests)
        self._done = asyncio.get_running_loop().create_future()
        self._dispatcher.turn.receive(self._session, [list(request) for request in requests])
        try:
            await asyncio.wait_for(self._done, patience_s)
        except TimeoutError:
            raise Silent(f"no reply within {patience_s:g} s") from None
        return self._replies

    async def ask(self, *words: bytes | str | int) -> Any:
        """Run one request; returns its reply. raises: Refusal as CommandFailed; Silent."""
        request = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        (reply,) = await self.run(request)
        if reply.__class__ is Refusal:
            raise CommandFailed(reply)
        return reply

    # -- Wire ---------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Take replies as they leave the turn."""
        self._replies += self._reader.feed(data)
        if self._done is not None and not self._done.done() and len(self._replies) >= self._wanted:
            self._done.set_result(None)

    def close(self) -> None:
        """The server ends the connection (CLIENT KILL, QUIT)."""
        if not self._session.closed:
            self._dispatcher.leave(self._session)
        if self._done is not None and not self._done.done():
            self._done.set_exception(Silent("the connection was closed"))

    abort = close

    def overflows(self) -> bool:
        """What was asked for is taken at once."""
        return False

    def hold_reading(self, hold: bool) -> None:
        """Nothing comes but what `run` brings."""


class CommandFailed(Exception):
    """A command was answered with an error. text: as a client reads it, without the leading `-`."""

    def __init__(self, text: str) -> None:
        """text: its code first."""
        self.text = text
        super().__init__(text)


class Callers:
    """Makes callers."""

    def __init__(self, dispatcher: Dispatcher, new_id: Callable[[], int]) -> None:
        """new_id: gives the ids of all clients."""
        self._dispatcher = dispatcher
        self._new_id = new_id
        # For what the server asks itself, whoever wants to know: it may do everything, and no one can log in as it.
        self._own = dispatcher.users.new(b"console", [b"on", b"~*", b"&*", b"+@all"])

    def own(self) -> Caller:
        """A caller of the server itself."""
        return Caller(self._dispatcher, self._new_id(), self._own, "console:0")

    def call(self, user: User, address: str) -> Caller:
        """A new one; to be used in a `with` block."""
        return Caller(self._dispatcher, self._new_id(), user, address)
