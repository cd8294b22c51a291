"""The classes of keyspace events, as `notify-keyspace-events` names them.

A command that changed a key tells `Keyspace.notify` the class, the event's name and the key, after the change and in
the order in which Redis does. `notify` is None while no one asked for events, so that they cost one comparison.

source: https://redis.io/docs/latest/develop/use/keyspace-notifications/
"""

from __future__ import annotations

from typing import Final

GENERIC: Final = ord("g")
STRING: Final = ord("$")
LIST: Final = ord("l")
SET: Final = ord("s")
HASH: Final = ord("h")
SORTED_SET: Final = ord("z")
STREAM: Final = ord("t")
EXPIRED: Final = ord("x")
EVICTED: Final = ord("e")
NEW_KEY: Final = ord("n")
KEY_MISS: Final = ord("m")
MODULE: Final = ord("d")
