"""What a handler sees of the server, and how it says that its caller must wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from spoold.command.parts import Parts
from spoold.command.peer import Peer
from spoold.core.errors import BadDbIndex
from spoold.keyspace.keyspace import Databases, Keyspace
from spoold.keyspace.layout import DATABASES

Serve = Callable[[bytes], Any]


class Wait:
    """Returned by a handler that found nothing: park the caller until one of the keys may have something.

    keys: names in the selected database. timeout_s: 0 = for ever. timeout_reply: the answer at the deadline.
    serve: takes what the named key has, and only that, when it has become ready; returns the reply, or STILL_WAITING
        where this key has nothing for the caller after all. None: the handler is run again, for all its keys.
    denied_reply: the answer where nothing may block (EXEC, scripts); timeout_reply if not given.
    needs_keys: `serve` is also asked when one of the keys goes, or comes to hold something else.
    """

    __slots__ = ("denied_reply", "keys", "needs_keys", "serve", "timeout_reply", "timeout_s")

    def __init__(
        self,
        keys: Sequence[bytes],
        timeout_s: float,
        timeout_reply: Any,
        serve: Serve | None = None,
        *,
        denied_reply: Any = ...,
        needs_keys: bool = False,
    ) -> None:
        """Made by blocking commands only."""
        self.keys = keys
        self.timeout_s = timeout_s
        self.timeout_reply = timeout_reply
        self.serve = serve
        self.denied_reply = timeout_reply if denied_reply is ... else denied_reply
        self.needs_keys = needs_keys


STILL_WAITING: Final = Wait((), 0.0, None)


class Context:
    """One client's view: the selected database, who it is, and the server's parts.

    ks: the selected database. dbs: all of them. peer: who calls. parts: the server's live parts.
    owner: the dispatcher's session of this client (`dispatch.session.session_of` types it).
    call: run one request as part of this one: EXEC, scripts.
    in_script: these are the commands of a script.
    """

    __slots__ = ("call", "dbs", "in_script", "ks", "owner", "parts", "peer")

    def __init__(self, dbs: Databases, peer: Peer, parts: Parts, owner: Any, call: Callable[..., Any]) -> None:
        """Start in database 0."""
        self.dbs = dbs
        self.ks: Keyspace = dbs[0]
        self.peer = peer
        self.parts = parts
        self.owner = owner
        self.call = call
        self.in_script = False

    @property
    def now_ms(self) -> int:
        """Wall time of the turn, Unix ms: the same for all its commands."""
        return self.dbs.now_ms

    def select(self, index: int) -> None:
        """Go on in another database. raises: BadDbIndex."""
        self.ks = self.database(index)

    def database(self, index: int) -> Keyspace:
        """The database `index`. raises: BadDbIndex."""
        if not 0 <= index < DATABASES:
            raise BadDbIndex
        return self.dbs[index]
