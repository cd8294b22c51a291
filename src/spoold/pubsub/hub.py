"""Who listens to which channels, and the delivery of messages to them.

A message is encoded once for each version of the protocol, whatever the number of its receivers, and leaves with the
turn: one that is rolled back has told no one. Channels, patterns and shard channels exist while someone listens.

Invariant: a client stands in the tables exactly under the names that its own `Subscriptions` hold.
source: Redis's Pub/Sub page; order of delivery tried with redis 7.0.15.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from spoold.command.peer import Peer
from spoold.core.patterns import Matcher, compile_pattern
from spoold.core.reply import Unasked


class Subscriptions:
    """What one client listens to; all names in the order in which it subscribed."""

    __slots__ = ("channels", "patterns", "shards")

    def __init__(self) -> None:
        """Nothing yet."""
        self.channels: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self.shards: dict[bytes, None] = {}

    def __bool__(self) -> bool:
        return bool(self.channels or self.patterns or self.shards)


class Listener(Protocol):
    """What the hub needs of a client; the dispatcher's session is one.

    subscriptions: None while it listens to nothing.
    """

    subscriptions: Subscriptions | None

    @property
    def peer(self) -> Peer:
        """Says which version of the protocol it speaks."""
        ...

    def push(self, data: bytes) -> None:
        """Send it bytes that answer no request, with the turn."""
        ...

    def settle(self) -> None:
        """Its subscriptions began or ended."""
        ...


Listeners = dict[Listener, None]


class Pattern:
    """A pattern that someone listens to. matches: whether a channel fits it."""

    __slots__ = ("listeners", "matches")

    def __init__(self, text: bytes) -> None:
        """No one listens yet."""
        self.matches: Matcher = compile_pattern(text)
        self.listeners: Listeners = {}


_MESSAGE: Final = b"$7\r\nmessage\r\n"
_SHARD_MESSAGE: Final = b"$8\r\nsmessage\r\n"
_PATTERN_MESSAGE: Final = b"$8\r\npmessage\r\n"


class Hub:
    """All subscriptions of a server.

    channels, shards: name → listeners. patterns: text → Pattern.
    """

    def __init__(self) -> None:
        """No one listens."""
        self.channels: dict[bytes, Listeners] = {}
        self.shards: dict[bytes, Listeners] = {}
        self.patterns: dict[bytes, Pattern] = {}

    # -- delivery -----------------------------------------------------------------------------------------------

    def publish(self, channel: bytes, message: bytes) -> int:
        """Send a message to all who listen to a channel, or to a pattern that it fits.

        returns: how often it was sent: a client may get it for several patterns.
        cost: O(receivers + patterns).
        """
        told = 0
        listeners = self.channels.get(channel)
        if listeners:
            told = _send(listeners, 3, _MESSAGE + _bulk(channel) + _bulk(message))
        if self.patterns:
            for text, pattern in tuple(self.patterns.items()):
                if pattern.matches(channel):
                    body = _PATTERN_MESSAGE + _bulk(text) + _bulk(channel) + _bulk(message)
                    told += _send(pattern.listeners, 4, body)
        return told

    def publish_shard(self, channel: bytes, message: bytes) -> int:
        """Send a message to all who listen to a shard channel; returns how many they are. cost: O(receivers)."""
        listeners = self.shards.get(channel)
        return _send(listeners, 3, _SHARD_MESSAGE + _bulk(channel) + _bulk(message)) if listeners else 0

    # -- subscriptions ------------------------------------------------------------------------------------------

    def subscribe(self, listener: Listener, channel: bytes) -> None:
        """Let a client listen to a channel. cost: O(1), as of the following."""
        _of(listener).channels[channel] = None
        self.channels.setdefault(channel, {})[listener] = None

    def subscribe_shard(self, listener: Listener, channel: bytes) -> None:
        """Let a client listen to a shard channel."""
        _of(listener).shards[channel] = None
        self.shards.setdefault(channel, {})[listener] = None

    def subscribe_pattern(self, listener: Listener, text: bytes) -> None:
        """Let a client listen to all channels that fit a pattern."""
        _of(listener).patterns[text] = None
        pattern = self.patterns.get(text)
        if pattern is None:
            pattern = self.patterns[text] = Pattern(text)
        pattern.listeners[listener] = None

    def unsubscribe(self, listener: Listener, channel: bytes) -> None:
        """Let a client listen to a channel no more; nothing happens if it does not."""
        mine = listener.subscriptions
        if mine is not None and mine.channels.pop(channel, ...) is None:
            _remove(self.channels, channel, listener)
            _settle(listener, mine)

    def unsubscribe_shard(self, listener: Listener, channel: bytes) -> None:
        """Let a client listen to a shard channel no more; nothing happens if it does not."""
        mine = listener.subscriptions
        if mine is not None and mine.shards.pop(channel, ...) is None:
            _remove(self.shards, channel, listener)
            _settle(listener, mine)

    def unsubscribe_pattern(self, listener: Listener, text: bytes) -> None:
        """Let a client listen to a pattern no more; nothing happens if it does not."""
        mine = listener.subscriptions
        if mine is not None and mine.patterns.pop(text, ...) is None:
            pattern = self.patterns[text]
            del pattern.listeners[listener]
            if not pattern.listeners:
                del self.patterns[text]
            _settle(listener, mine)

    def forget(self, listener: Listener) -> None:
        """The client is gone, or starts anew: it listens to nothing. cost: O(its subscriptions)."""
        mine = listener.subscriptions
        if mine is not None:
            for channel in tuple(mine.channels):
                self.unsubscribe(listener, channel)
            for text in tuple(mine.patterns):
                self.unsubscribe_pattern(listener, text)
            for channel in tuple(mine.shards):
                self.unsubscribe_shard(listener, channel)


def _of(listener: Listener) -> Subscriptions:
    """A client's subscriptions, made if it has none."""
    mine = listener.subscriptions
    if mine is None:
        mine = listener.subscriptions = Subscriptions()
        listener.settle()
    return mine


def _settle(listener: Listener, mine: Subscriptions) -> None:
    if not mine:
        listener.subscriptions = None
        listener.settle()


def _remove(table: dict[bytes, Listeners], channel: bytes, listener: Listener) -> None:
    listeners = table[channel]
    del listeners[listener]
    if not listeners:
        del table[channel]


def _bulk(text: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(text), text)


def _send(listeners: Iterable[Listener], items: int, body: bytes) -> int:
    """Push a message of `items` strings, encoded in `body`; the two versions differ in the first byte."""
    old = new = None
    told = 0
    for listener in tuple(listeners):  # one that is disconnected meanwhile leaves the table
        if listener.peer.protocol == 2:
            if old is None:
                old = Unasked(b"*%d\r\n%b" % (items, body))
            listener.push(old)
        else:
            if new is None:
                new = Unasked(b">%d\r\n%b" % (items, body))
            listener.push(new)
        told += 1
    return told
