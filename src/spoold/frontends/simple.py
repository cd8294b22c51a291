"""The simple door: huey's protocol of typed values joined to the turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spoold.command.context import Context
from spoold.command.peer import Peer
from spoold.core.errors import CommandError
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.door import Door
from spoold.dispatch.session import Session, Wire
from spoold.dispatch.turn import Piece
from spoold.frontends.refusals import refuse_write
from spoold.frontends.simple_verbs import VERBS, SimpleContext, Space
from spoold.protocol.codec import Limits
from spoold.protocol.simple import SimpleCodec, Value

_SHOWN_BYTES = 64


class SimpleVerbs:
    """From a request to a verb, for all clients of the protocol.

    door: runs it inside the turn.
    """

    def __init__(self, dispatcher: Dispatcher, stop: Callable[[], object]) -> None:
        """stop: asks the server to stop, for SHUTDOWN."""
        self._dispatcher = dispatcher
        self._stop = stop
        self.door = Door(dispatcher, self.respond)

    def respond(self, ctx: Context, request: Value) -> Any:
        """Run one request. raises: CommandError."""
        if request.__class__ is bytes:
            request = request.split()
        if request.__class__ is not list:
            raise CommandError("a request is a list, or a line of words")
        if not request or request[0].__class__ is not bytes:
            raise CommandError("the first element of a request must be the name of a command")
        verb = VERBS.get(request[0]) or VERBS.get(request[0].upper())
        if verb is None:
            return self._other(request)
        count = len(request) - 1
        if not verb.least <= count <= verb.most:
            raise _wrong_number(request)
        if verb.writes and (ctx.dbs.read_only or (verb.adds and self._dispatcher.admission.over_limit)):
            refuse_write(ctx, adds=verb.adds)
        return verb.run(ctx, *request[1:])

    def _other(self, request: list[Value]) -> int:
        """SHUTDOWN, which is about no data. raises: CommandError for all else."""
        if request[0].upper() != b"SHUTDOWN":
            raise CommandError(b"unrecognized command: " + request[0][:_SHOWN_BYTES])
        if len(request) > 1:
            raise _wrong_number(request)
        self._stop()
        return 1


class SimpleFrontend:
    """One client of the simple listener.

    codec, session: its own. receive: takes the session and the requests that the codec gave.
    """

    __slots__ = ("_dispatcher", "codec", "gathered", "receive", "session")

    name = "simple"

    def __init__(self, dispatcher: Dispatcher, verbs: SimpleVerbs, wire: Wire, peer: Peer, limits: Limits) -> None:
        """verbs: shared by all clients of the protocol."""
        self._dispatcher = dispatcher
        self.codec = SimpleCodec(limits)
        self.session = Session(dispatcher, wire, peer, self.codec.encode, authenticated=True)
        self.session.ctx = ctx = SimpleContext(dispatcher.dbs, peer, dispatcher.parts, self.session, dispatcher.call)
        ctx.space = Space()
        self.session.run = verbs.door.run
        self.receive: Callable[[Session, list[Value]], None] = dispatcher.turn.receive
        self.gathered: list[Piece] | None = verbs.door.gathered
        dispatcher.sessions[self.session] = None

    def close(self) -> None:
        """The client is gone."""
        self._dispatcher.leave(self.session)


def _wrong_number(request: list[Value]) -> CommandError:
    return CommandError(b"wrong number of arguments for " + request[0].upper())
