"""SET, GET and the other commands on whole strings."""

from __future__ import annotations

from spoold.command.context import Context
from spoold.command.spec import DENYOOM, FAST, READONLY, WRITE, Keys, command
from spoold.core.reply import OK, Reply
from spoold.datatypes.strings import store


@command("GET", flags=READONLY | FAST, keys=Keys(1), since="1.0.0", syntax="GET key")
def get(ctx: Context, key: bytes) -> bytes | None:
    """Returns the string value of a key."""
    return store.get(ctx.ks, key)


@command("SET", flags=WRITE | DENYOOM, keys=Keys(1), since="1.0.0", syntax="SET key value")
def set_(ctx: Context, key: bytes, value: bytes) -> Reply:
    """Sets the string value of a key, ignoring its type. The key is created if it doesn't exist."""
    store.put(ctx.ks, key, value)
    return OK
