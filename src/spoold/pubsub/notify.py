"""Keyspace notifications: what happens to keys, told as messages on channels of their own.

    __keyspace@0__:key    the event is the message        with `K` in notify-keyspace-events
    __keyevent@0__:event  the key is the message          with `E`

While the parameter selects nothing, `Keyspace.notify` is None, and a command that would tell pays one comparison.
source: Redis's page on keyspace notifications.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from spoold.command.context import Context
from spoold.command.spec import Flag, Keys
from spoold.command.table import Entry
from spoold.core.errors import CommandError, NoSuchKey
from spoold.keyspace import events
from spoold.keyspace.keyspace import Databases, Keyspace, Notify
from spoold.pubsub.hub import Hub

_KEYSPACE: Final = ord("K")
_KEYEVENT: Final = ord("E")
_ALL: Final = ord("A")

# Commands that look keys up without telling that one is missing, though they only read.
_QUIET_GROUPS: Final = frozenset({"scripting"})
_QUIET: Final = frozenset({"object", "memory", "watch", "debug"})
# Commands that write, and tell that a key which they read is missing: from which of their keys on, as they are named.
_READING: Final = {
    "get": 0,
    "getex": 0,
    "getdel": 0,
    "getset": 0,
    "set": 0,
    "bitfield": 0,
    "copy": 0,
    "sort": 0,
    "georadius": 0,
    "georadiusbymember": 0,
    "xreadgroup": 0,
    "bitop": 1,
    "pfmerge": 1,
    "sinterstore": 1,
    "sunionstore": 1,
    "sdiffstore": 1,
    "zinterstore": 1,
    "zunionstore": 1,
    "zdiffstore": 1,
    "zrangestore": 1,
    "geosearchstore": 1,
}
# Of these only the first key that they read.
_SINGLE: Final = frozenset(
    {"set", "copy", "sort", "sort_ro", "bitfield", "zrangestore", "geosearchstore", "georadius", "georadiusbymember"}
)
# These write nothing else before they know what is missing; the rest tell it before what they do.
_TOLD_BEFORE: Final = frozenset(
    {"set", "getset", "georadius", "georadiusbymember", *(name for name, first in _READING.items() if first)}
)

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


def note_misses(ctx: Context, entry: Entry, request: list[bytes]) -> Callable[[Any], None] | None:
    """Tell `keymiss` of the keys that a command is about to read and that are not there.

    A command that is refused for its arguments has read nothing; so one that only reads is waited for. Not told is what
    SORT misses while it looks for BY and GET, and what a command looked for before it came to a key of another type.
    returns: what is to be called with the reply, None for a command that has told all, or has nothing to tell.
    """
    names = _missing(ctx, entry, request)
    if not names:
        return None
    if entry.name in _TOLD_BEFORE:
        _tell_missing(ctx, names)
        return None

    def finish(reply: Any) -> None:
        if not isinstance(reply, CommandError) or isinstance(reply, NoSuchKey):
            _tell_missing(ctx, names)

    return finish


def _missing(ctx: Context, entry: Entry, request: list[bytes]) -> list[bytes]:
    name, spec = entry.name, entry.spec
    first = _READING.get(name)
    if first is None:
        if not spec.flags & Flag.READONLY or spec.group in _QUIET_GROUPS or name.partition("|")[0] in _QUIET:
            return []
        first = 0
    if name == "set" and b"GET" not in {word.upper() for word in request[3:]}:
        return []
    if name == "bitfield" and {word.upper() for word in request[2:]} & {b"SET", b"INCRBY"}:
        return []
    if spec.keys == Keys() or not entry.low <= len(request) <= entry.high:
        return []
    try:
        places = spec.keys.positions(request)[first:]
    except (ValueError, IndexError):
        return []
    if name in _SINGLE:
        del places[1:]
    ks = ctx.ks
    return [request[at] for at in places if ks.find(request[at]) is None]


def _tell_missing(ctx: Context, names: list[bytes]) -> None:
    for name in names:
        if ctx.ks.notify:
            ctx.ks.notify(events.KEY_MISS, b"keymiss", name)
