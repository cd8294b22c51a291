"""Client side caching: who may hold which keys in a cache of its own, and is told when they change.

By default a client is remembered for each key that it reads, and told once when that changes; with BCAST it is told of
all keys with certain prefixes, and nothing is remembered. What is to be told is gathered and leaves at the end of the
turn, behind the turn's replies, as what changed in a turn is not safe before; the table is bounded, and a key that must
leave it is told as if it had changed.

A key is remembered in the database in which it was read. For changes the keyspace is asked to observe the name, which
costs commands nothing as long as no one tracks.
source: Redis's page on client side caching, CLIENT TRACKING; tried with redis 7.0.15.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final, Protocol

from spoold.command.context import Context
from spoold.command.describe import access_of_request
from spoold.command.spec import Flag
from spoold.command.table import Entry
from spoold.core.reply import Unasked
from spoold.keyspace.keyspace import Databases, EveryName
from spoold.pubsub.hub import Listener

_INVALIDATE: Final = b">2\r\n$10\r\ninvalidate\r\n"
_MESSAGE: Final = b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n"
_BROKEN: Final = b">2\r\n$21\r\ntracking-redir-broken\r\n:%d\r\n"
# Instead of keys: all of them.
_ALL: Final = (b"$-1\r\n", b"_\r\n")

DEFAULT_MAX_KEYS: Final = 1_000_000

Place = tuple[int, bytes]


class TrackingListener(Listener, Protocol):
    """What tracking needs of a client; the dispatcher's session is one.

    tracking: None while it tracks nothing. closed: it is gone.
    """

    tracking: Tracker | None
    closed: bool


class Tracker:
    """How one client tracks; a new one each time that it begins to.

    client: None once it does no more. redirect: who is told in its place, None for itself; redirect_id: 0 for itself.
    caching: CLIENT CACHING was sent for the next command. broken: who was to be told is gone.
    prefixes: with bcast.
    """

    __slots__ = (
        "bcast",
        "broken",
        "caching",
        "client",
        "noloop",
        "optin",
        "optout",
        "prefixes",
        "redirect",
        "redirect_id",
    )

    def __init__(self, client: TrackingListener) -> None:
        """Track by default: what is read, told to the client itself."""
        self.client: TrackingListener | None = client
        self.redirect: TrackingListener | None = None
        self.redirect_id = 0
        self.bcast = self.optin = self.optout = self.noloop = False
        self.caching = self.broken = False
        self.prefixes: dict[bytes, None] = {}

    def flags(self) -> list[bytes]:
        """As CLIENT TRACKINGINFO lists them."""
        flags = [b"on"]
        flags += [b"bcast"] * self.bcast
        flags += [b"optin"] * self.optin + [b"caching-yes"] * (self.optin and self.caching)
        flags += [b"optout"] * self.optout + [b"caching-no"] * (self.optout and self.caching)
        flags += [b"noloop"] * self.noloop
        return flags + [b"broken_redirect"] * self.broken


class Tracking:
    """All that is tracked.

    running: whose request is run now. max_keys: of the table, 0 = any number.
    on_readers: told when the first client begins to be remembered for what it reads, and when the last one ends.
    on_clients: told when the first client begins to track, in whatever way, and when the last one ends.
    clients: how many track. items: pairs of a key and who is remembered for it.
    """

    def __init__(self, dbs: Databases, running: Callable[[], Any], everyone: Iterable[TrackingListener]) -> None:
        """Nothing is tracked. everyone: all clients there are."""
        self._dbs = dbs
        self.running = running
        self._everyone = everyone
        self.max_keys = DEFAULT_MAX_KEYS
        self.on_readers: Callable[[bool], None] = _tell_no_one
        self.on_clients: Callable[[bool], None] = _tell_no_one
        self.clients = 0
        self.items = 0
        self._readers = 0
        self._table: dict[Place, dict[Tracker, None]] = {}
        self._prefixes: dict[bytes, dict[Tracker, None]] = {}
        # Of this turn: who is to be told of which key, or of all; what leaves the table; of prefixes each key and who
        # changed it.
        self._told: dict[tuple[Tracker, bytes], None] = {}
        self._left: list[tuple[Place, dict[Tracker, None]]] = []
        self._changed: dict[bytes, dict[bytes, Any]] = {}
        self._flushed: dict[Tracker, None] = {}
        self._depth = 0
        self._script_read = False  # by the script that runs
        dbs.on_rollback.append(self._undo)

    @property
    def keys(self) -> int:
        """How many keys someone is remembered for."""
        return len(self._table)

    @property
    def prefixes(self) -> int:
        """How many prefixes are told of."""
        return len(self._prefixes)

    # -- who tracks ---------------------------------------------------------------------------------------------

    def begin(self, client: TrackingListener, tracker: Tracker) -> None:
        """Let a client track as `tracker` says; what it tracked before goes on, if it is of the same kind."""
        before = client.tracking
        if before is not None:
            # The table, the prefixes and what is still to be told know the client by this object.
            for name in ("redirect", "redirect_id", "optin", "optout", "noloop", "caching", "broken"):
                setattr(before, name, getattr(tracker, name))
            before.prefixes |= tracker.prefixes
            for prefix in tracker.prefixes:
                self._prefixes.setdefault(prefix, {})[before] = None
            return
        client.tracking = tracker
        self.clients += 1
        if self.clients == 1:
            self._left = []  # who was remembered there tracks no more
            self.on_clients(True)
        if tracker.bcast:
            for prefix in tracker.prefixes:
                self._prefixes.setdefault(prefix, {})[tracker] = None
        else:
            self._readers += 1
            if self._readers == 1:
                self.on_readers(True)
        self._settle()
        client.settle()

    def end(self, client: TrackingListener) -> None:
        """Let a client track no more, because it says so or is gone. Its keys leave the table when they change."""
        tracker = client.tracking
        if tracker is None:
            return
        if not client.closed:
            self.tell()
        client.tracking = None
        tracker.client = tracker.redirect = None
        self.clients -= 1
        for prefix in tracker.prefixes:
            trackers = self._prefixes[prefix]
            del trackers[tracker]
            if not trackers:
                del self._prefixes[prefix]
        if not tracker.bcast:
            self._readers -= 1
            if not self._readers:
                self.on_readers(False)
                self._forget_all()
        if not self.clients:
            self.on_clients(False)
            self._clear()
        self._settle()
        client.settle()

    def limit(self, max_keys: int) -> None:
        """Keep so many keys from now on; the oldest leave the table."""
        self.max_keys = max_keys
        self._shrink()

    def _settle(self) -> None:
        """Let the keyspaces tell what is asked for, and no more."""
        self._dbs.on_change = self._note_change if self.clients else None
        self._dbs.on_flush = self._note_flush if self.clients else None
        for keyspace in self._dbs.all:
            everything = isinstance(keyspace.observed, EveryName)
            if everything is not bool(self._prefixes):
                keyspace.observed = dict(keyspace.observed) if everything else EveryName(keyspace.observed)

    # -- what is read -------------------------------------------------------------------------------------------

    def note_read(self, ctx: Context, entry: Entry, request: list[bytes]) -> Callable[[Any], None]:
        """Called before each command of who tracks; what it returns, behind it: remembers the keys that were read."""
        self._depth += 1

        def finish(reply: Any) -> None:
            self._depth -= 1
            client = self.running()
            tracker = None if client is None else client.tracking
            if tracker is None or tracker.bcast:
                return
            is_script = entry.spec.group == "scripting"
            if entry.flags & Flag.READONLY and not entry.flags & Flag.PUBSUB and not is_script:
                self._script_read = ctx.in_script
                self._remember(ctx.ks.index, tracker, entry, request)
            elif is_script and self._script_read:
                # As in Redis: also the keys that were declared, if anything was read at all.
                self._script_read = False
                self._remember(ctx.ks.index, tracker, entry, request)
            if not self._depth and client.transaction is None and not entry.name.startswith("client"):
                tracker.caching = False  # it was for this command

        return finish

    def _remember(self, index: int, tracker: Tracker, entry: Entry, request: list[bytes]) -> None:
        if (tracker.optin and not tracker.caching) or (tracker.optout and tracker.caching):
            return
        keyspace = self._dbs.all[index]
        for at, _ in access_of_request(entry.spec, request):
            name = request[at]
            trackers = self._table.get((index, name))
            if trackers is None:
                trackers = self._table[index, name] = {}
                keyspace.observe(name)
            if tracker not in trackers:
                trackers[tracker] = None
                self.items += 1
        self._shrink()

    def _shrink(self) -> None:
        while self.max_keys and len(self._table) > self.max_keys:
            self._invalidate(next(iter(self._table)), None)

    def _forget_all(self) -> None:
        for index, name in self._table:
            self._dbs.all[index].unobserve(name)
        self._table.clear()
        self.items = 0

    # -- what changes -------------------------------------------------------------------------------------------

    def _note_change(self, index: int, name: bytes) -> None:
        """A key has changed that is observed."""
        by = None if self._dbs.falls_due else self.running()
        self._invalidate((index, name), by)
        for prefix in self._prefixes:
            if name.startswith(prefix):
                self._changed.setdefault(prefix, {})[name] = by

    def _invalidate(self, place: Place, by: Any) -> None:
        trackers = self._table.pop(place, None)
        if trackers is None:
            return
        index, name = place
        self.items -= len(trackers)
        self._dbs.all[index].unobserve(name)
        self._left.append((place, trackers))
        for tracker in trackers:
            if tracker.client is not None and not (tracker.noloop and tracker.client is by):
                self._told[tracker, name] = None

    def _note_flush(self) -> None:
        for client in self._everyone:
            if client.tracking is not None:
                self._flushed[client.tracking] = None
        self._left += self._table.items()
        self._forget_all()

    # -- telling ------------------------------------------------------------------------------------------------

    def tell(self) -> None:
        """Tell of what was read and has changed up to here: who is told, and how, is about to change.

        source: Redis tells of it at once, and of prefixes when its loop comes round; tried with redis 7.0.15.
        """
        flushed, self._flushed = self._flushed, {}
        for tracker in flushed:
            _send(tracker, None)
        told, self._told = self._told, {}
        for tracker, name in told:
            _send(tracker, [name])

    def deliver(self) -> None:
        """The turn ends: tell what is to be told."""
        self.tell()
        for prefix, names in sorted(self._changed.items(), key=itemgetter(0)):
            for tracker in tuple(self._prefixes.get(prefix, ())):
                wanted = [
                    name
                    for name, by in sorted(names.items(), key=itemgetter(0))
                    if not (tracker.noloop and tracker.client is by)
                ]
                if wanted:
                    _send(tracker, wanted)
        self._clear()

    def settle(self) -> None:
        """The turn is committed: what left the table is gone for good."""
        if self._left:
            self._left = []

    def _clear(self) -> None:
        if self._told or self._changed or self._flushed:
            self._told, self._changed, self._flushed = {}, {}, {}

    def _undo(self) -> None:
        """The turn was rolled back: nothing has changed, nothing is told."""
        self._depth = 0
        for (index, name), trackers in self._left:
            if (index, name) not in self._table:
                self._table[index, name] = {}
                self._dbs.all[index].observe(name)
            known = self._table[index, name]
            self.items += len(trackers.keys() - known.keys())
            known.update(trackers)
        self._left = []
        self._clear()


def _send(tracker: Tracker, names: list[bytes] | None) -> None:
    """Tell a client, or whom it named, that keys are no longer what they were. names: None for all."""
    client = tracker.client
    if client is None:
        return
    if tracker.redirect is not None and tracker.redirect.closed:
        tracker.broken = True
        if client.peer.protocol != 2:
            client.push(Unasked(_BROKEN % tracker.redirect_id))
        return
    target = tracker.redirect or client
    resp3 = target.peer.protocol != 2
    if not resp3 and (tracker.redirect is None or target.subscriptions is None):
        return  # RESP2 knows no pushes, but for channels
    body = _ALL[resp3]
    if names is not None:
        body = b"*%d\r\n" % len(names) + b"".join([b"$%d\r\n%b\r\n" % (len(name), name) for name in names])
    target.push(Unasked((_INVALIDATE if resp3 else _MESSAGE) + body))


def _tell_no_one(on: bool) -> None:
    """No dispatcher yet."""
