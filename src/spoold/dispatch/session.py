"""One client as the dispatcher sees it: its context, its replies of this turn, and why it may have to wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol

from spoold.acl.users import User
from spoold.command.context import Context
from spoold.command.peer import Peer
from spoold.command.table import Entry
from spoold.core.errors import CommandError
from spoold.core.reply import Lasting, Unasked
from spoold.keyspace.waiters import Waiter
from spoold.keyspace.watchers import Watch
from spoold.pubsub.hub import Subscriptions
from spoold.pubsub.tracking import Tracker

if TYPE_CHECKING:
    from spoold.dispatch.dispatcher import Dispatcher

# What a transaction may hold, where the protocol's codec has no limit for a request.
TRANSACTION_BYTES: Final = 128 * 1024 * 1024


class Wire(Protocol):
    """What a session needs of its connection."""

    def write(self, data: bytes) -> None:
        """Send; never blocks."""
        ...

    def close(self) -> None:
        """Close after what was written is sent."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...

    def overflows(self) -> bool:
        """Whether the client let so much gather that it was disconnected."""
        ...

    def hold_reading(self, hold: bool) -> None:
        """Stop, or go on, taking bytes from the client."""
        ...


class Transaction:
    """MULTI: the queued requests; broken: one of them was refused, so EXEC will be. bytes: of the requests."""

    __slots__ = ("broken", "bytes", "opened_turn", "requests")

    def __init__(self, opened_turn: int) -> None:
        """Nothing queued yet. opened_turn: the turn that ran the MULTI."""
        self.opened_turn = opened_turn
        self.broken = False
        self.requests: list[list[bytes]] = []
        self.bytes = 0


class Session:
    """State of one client.

    out: encoded replies of this turn, one item a reply; they leave when the turn is committed.
    queue: requests that wait (the client is parked, paused, or its replies are not taken).
    rest: the iterator over the requests that `Dispatcher.run` is working on.
    plain: nothing special holds for this client: the hot path may run its commands. usual: nothing but a transaction
        does, if it has one.
    run: runs requests inside the turn: the dispatcher's `run`, or that of a protocol with verbs of its own (door.py).
    send: writes to the client's socket; waiting_bytes: tells what it has not taken yet.
    active_s: monotonic time of the last request.
    encode: the codec's encoder for the protocol version that the client chose.
    last: the last command that it ran, None if that was unknown.
    user: whom it is logged in as.
    subscriptions: what it listens to, None for nothing. tracking: how it is told of changes, None if it is not.
    """

    __slots__ = (
        "active_s",
        "authenticated",
        "choked",
        "closed",
        "closing",
        "ctx",
        "dispatcher",
        "encode",
        "farewell",
        "last",
        "mute",
        "on_version",
        "out",
        "out_bytes",
        "peer",
        "plain",
        "queue",
        "queue_bytes",
        "rest",
        "run",
        "send",
        "skip_reply",
        "special",
        "subscriptions",
        "tracking",
        "transaction",
        "transaction_limit_bytes",
        "user",
        "usual",
        "waiter",
        "waiting_bytes",
        "watch",
        "wire",
    )

    def __init__(
        self, dispatcher: Dispatcher, wire: Wire, peer: Peer, encode: Callable[[Any], bytes], *, authenticated: bool
    ) -> None:
        """authenticated: False where a password is asked for and was not given yet."""
        self.dispatcher = dispatcher
        self.wire = wire
        self.send = wire.write
        self.waiting_bytes: Callable[[], int] = _nothing_waits
        self.run: Callable[[Iterator[tuple[Session, list[Any]]]], None] = dispatcher.run
        self.active_s = peer.connected_s
        self.peer = peer
        self.encode = encode
        self.on_version: Callable[[int], None] = _ignore_version
        self.ctx = Context(dispatcher.dbs, peer, dispatcher.parts, self, dispatcher.call)
        self.out: list[bytes] = []
        self.out_bytes = 0
        self.queue: list[Any] = []
        self.queue_bytes = 0
        self.rest: Iterator[Any] = iter(())
        self.waiter: Waiter | None = None
        self.watch: Watch | None = None
        self.transaction: Transaction | None = None
        self.transaction_limit_bytes = TRANSACTION_BYTES
        self.authenticated = authenticated
        self.user: User = dispatcher.users.default
        self.choked = False  # the client does not take its replies
        self.closing = False  # close once the replies of this turn are sent
        self.closed = False
        self.last: Entry | None = None
        self.farewell: bytes | None = None  # a protocol error, answered behind all that still waits
        self.mute = False  # CLIENT REPLY OFF
        self.skip_reply = 0  # CLIENT REPLY SKIP: 2 = with the next command, 1 = this one
        self.special: set[str] = set()  # further reasons to leave the hot path: monitor, …
        self.subscriptions: Subscriptions | None = None
        self.tracking: Tracker | None = None
        self.settle()

    @property
    def held(self) -> bool:
        """Whether requests must wait."""
        return self.waiter is not None or self.choked or bool(self.queue)

    def settle(self) -> None:
        """Work out `plain` and `usual` after anything changed that they depend on."""
        self.usual = (
            self.authenticated
            and self.user.unrestricted
            and not self.mute
            and not self.skip_reply
            and not self.special
            and (self.subscriptions is None or self.peer.protocol != 2)
            and (self.tracking is None or self.tracking.bcast)
            and not self.dispatcher.alert
        )
        self.plain = self.usual and self.transaction is None

    def log_in(self, user: User) -> None:
        """Go on as `user`, whose password was right."""
        self.user = user
        self.peer.user = user.name
        self.authenticated = True
        self.settle()

    def sent(self) -> None:
        """This turn's replies were sent: close if that was asked for."""
        self.out_bytes = 0
        if self.closing and not self.closed:
            self.wire.close()

    def end_transaction(self) -> None:
        """Forget the transaction and what it watched."""
        self.transaction = None
        if self.watch is not None:
            self.dispatcher.unwatch(self)
        self.plain = self.usual

    def begin_transaction(self) -> None:
        """Queue requests from now on, until `end_transaction`."""
        self.transaction = Transaction(self.dispatcher.turn.turns)
        self.plain = False

    def fail(self, error: CommandError) -> None:
        """The turn was rolled back: each of its replies becomes `error`."""
        line = self.encode(error)
        self.out[:] = [
            reply if reply.__class__ is Lasting else line for reply in self.out if reply.__class__ is not Unasked
        ]
        self.out_bytes = 0
        transaction = self.transaction
        if transaction is not None:
            if transaction.opened_turn == self.dispatcher.turn.turns:
                self.transaction = None  # its MULTI is answered with the error
            else:
                transaction.broken = True  # what was queued in this turn is missing
        self.settle()

    def push(self, data: bytes) -> None:
        """Add bytes that answer no request (MONITOR, pub/sub); they leave with the turn.

        data: not copied if it is Unasked already. Who is to be closed gets no more, as in Redis.
        """
        if self.closing:
            return
        if self.choked and self.wire.overflows():
            self.dispatcher.leave(self)  # no one listens there any more
            return
        if not self.out:
            self.dispatcher.turn.join(self)
        self.out.append(data if data.__class__ is Unasked else Unasked(data))


def _nothing_waits() -> int:
    """No socket."""
    return 0


def _ignore_version(version: int) -> None:
    """A protocol without versions."""


def session_of(ctx: Context) -> Session:
    """The session behind a context."""
    session: Session = ctx.owner
    return session
