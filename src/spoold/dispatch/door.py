"""Protocols with verbs of their own: a codec's requests go to one function, inside the same turn as everyone else's.

Redis commands go through the table (`Dispatcher.run`); memcached and huey's simple protocol have a few verbs each and
no transactions, so a door is one callable from request to reply. All else is shared: the turn, its bounds, parked
callers, back-pressure, what an exception does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from spoold.command.context import Context, Wait
from spoold.core.errors import CommandError
from spoold.dispatch.dispatcher import OUT_BYTES, Dispatcher
from spoold.dispatch.session import session_of
from spoold.dispatch.turn import TURN_COMMANDS, Piece

# Replies longer than this count towards what one client may be sent in a turn.
_COUNTED_BYTES = 4096


class Door:
    """Runs the requests of one protocol.

    verb: takes the client's context and a request; returns a reply that the session's `encode` understands, or a Wait
        with `serve`; raises CommandError, which is encoded too.
    requests: how many ran. gathered: pieces of this pass of the loop that have not run yet.
    """

    def __init__(
        self, dispatcher: Dispatcher, verb: Callable[[Context, Any], Any], *, writes_lines: bool = False
    ) -> None:
        """One for all clients of the protocol; a frontend sets `session.run = door.run`.

        writes_lines: what a verb returns as bytes is what is sent; only the rest needs the session's `encode`.
        """
        self._dispatcher = dispatcher
        self._verb = verb
        self._ready = writes_lines
        self.requests = 0
        self.gathered = dispatcher.turn.gather(self.run)

    def run(self, pieces: Iterator[Piece]) -> None:
        """Run the requests of clients in order; replies gather in `session.out`. pieces: as `Dispatcher.run`."""
        dispatcher = self._dispatcher
        turn = dispatcher.turn
        verb = self._verb
        ready = self._ready
        dbs = dispatcher.dbs
        for session, requests in pieces:
            if session.waiter is not None or session.choked or session.queue or session.closing:
                if not session.closing:  # else its connection ends with this turn
                    session.queue += requests
                continue
            if dispatcher.pause.on:
                # Whether a verb writes is not known here: they all wait.
                dispatcher.pause.hold_all(session, requests)
                continue
            if turn.commands >= TURN_COMMANDS:
                turn.end()
            turn.running = session
            if not turn.open:
                turn.begin()
            turn.sessions.append(session)
            turn.commands += len(requests)
            self.requests += len(requests)
            session.active_s = turn.now_s
            session.rest = rest = iter(requests)
            append = session.out.append
            ctx = session.ctx
            encode = session.encode
            for request in rest:
                try:
                    reply = verb(ctx, request)
                except CommandError as error:
                    reply = error
                if dbs.ready:
                    dispatcher.serve()
                if reply.__class__ is Wait:
                    dispatcher.park(session, [b""], reply)
                    break
                data = reply if ready and reply.__class__ is bytes else encode(reply)
                if data:
                    append(data)
                    if len(data) > _COUNTED_BYTES:
                        session.out_bytes += len(data)
                if session.out_bytes > OUT_BYTES or session.closing:
                    dispatcher.stop(session)
                    break


def go_on_later(ctx: Context, rest: Any) -> None:
    """Called by a verb that has done as much of its request as one turn should hold: `rest` is run in the next one.

    What the verb returns is sent with this turn; the client's further requests stay behind `rest`.
    """
    session = session_of(ctx)
    session.rest = chain((rest,), session.rest)
    session.out_bytes += OUT_BYTES + 1  # `run` stops where a client is to be sent too much
