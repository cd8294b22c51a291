"""Keyspace notifications: what happens to keys, told as messages on channels of their own.

    __keyspace@0__:key    the event is the message        with `K` in notify-keyspace-events
    __keyevent@0__:event  the key is the message          with `E`

While the parameter selects nothing, `Keyspace.notify` is None, and a command that would tell pays one comparison.
source: Redis's page on keyspace notifications.
"""

from __future__ import annotations

from typing import Final

from spoold.keyspace import events
from spoold.keyspace.keyspace import Databases, Keyspace, Notify
from spoold.pubsub.hub import Hub

_KEYSPACE: Final = ord("K")
_KEYEVENT: Final = ord("E")
_ALL: Final = ord("A")

# What `A` stands for: all classes but new keys and misses.
_CLASSES_OF_ALL: Final = frozenset(
    {
        events.GENERIC,
        events.STRING,
        events.LIST,
        events.SET,
        events.HASH,
        events.SORTED_SET,
        events.STREAM,
        events.EXPIRED,
        events.EVICTED,
        events.MODULE,
    }
)


class Notifier:
    """Makes messages of the events that the parameter selects."""

    def __init__(self, hub: Hub, dbs: Databases) -> None:
        """Select nothing."""
        self._hub = hub
        self._dbs = dbs

    def select(self, letters: bytes) -> None:
        """Tell these events from now on. letters: as notify-keyspace-events has them."""
        classes = frozenset(letters) | (_CLASSES_OF_ALL if _ALL in letters else frozenset())
        on = bool(classes & {_KEYSPACE, _KEYEVENT} and classes - {_KEYSPACE, _KEYEVENT})
        for keyspace in self._dbs.all:
            keyspace.notify = self._teller(keyspace, classes) if on else None

    def _teller(self, keyspace: Keyspace, classes: frozenset[int]) -> Notify:
        hub = self._hub
        to_key = b"__keyspace@%d__:" % keyspace.index if _KEYSPACE in classes else b""
        to_event = b"__keyevent@%d__:" % keyspace.index if _KEYEVENT in classes else b""

        def tell(kind: int, event: bytes, name: bytes) -> None:
            if kind in classes and (hub.channels or hub.patterns):
                if to_key:
                    hub.publish(to_key + name, event)
                if to_event:
                    hub.publish(to_event + event, name)

        return tell
