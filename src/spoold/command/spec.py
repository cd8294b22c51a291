"""How a command is declared: one function, one declaration beside it.

    @command("LPOP", flags=WRITE | FAST, keys=Keys(1), since="1.0.0", syntax="LPOP key [count]")
    def lpop(ctx: Context, key: bytes, count: bytes | None = None) -> ...:

The declaration only marks the function; `datatypes/rooms.py` names the modules from which the table is built. Arity
comes from the signature; `arity` is given where Redis asks for more than the signature says. A subcommand is declared
as `CLIENT|LIST`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar


class Flag:
    """What the dispatcher must know of a command. Names and meaning are Redis's command flags.

    Plain integers: a test against a member of an enum costs a microsecond, and each request makes some.
    """

    WRITE: Final = 1 << 0
    READONLY: Final = 1 << 1
    DENYOOM: Final = 1 << 2
    ADMIN: Final = 1 << 3
    PUBSUB: Final = 1 << 4
    NOSCRIPT: Final = 1 << 5
    BLOCKING: Final = 1 << 6
    LOADING: Final = 1 << 7
    STALE: Final = 1 << 8
    FAST: Final = 1 << 9
    NO_AUTH: Final = 1 << 10
    NO_MULTI: Final = 1 << 11
    MOVABLEKEYS: Final = 1 << 12
    ALLOW_BUSY: Final = 1 << 13
    SKIP_MONITOR: Final = 1 << 14
    SKIP_SLOWLOG: Final = 1 << 15
    MAY_REPLICATE: Final = 1 << 16
    SORT_FOR_SCRIPT: Final = 1 << 17
    NO_ASYNC_LOADING: Final = 1 << 18
    NO_MANDATORY_KEYS: Final = 1 << 19
    DANGEROUS: Final = 1 << 20  # no flag of Redis's, but an ACL category that KEYS, SORT, INFO … belong to


WRITE = Flag.WRITE
READONLY = Flag.READONLY
DENYOOM = Flag.DENYOOM
ADMIN = Flag.ADMIN
PUBSUB = Flag.PUBSUB
NOSCRIPT = Flag.NOSCRIPT
BLOCKING = Flag.BLOCKING
LOADING = Flag.LOADING
STALE = Flag.STALE
FAST = Flag.FAST
NO_AUTH = Flag.NO_AUTH
NO_MULTI = Flag.NO_MULTI
MOVABLEKEYS = Flag.MOVABLEKEYS
ALLOW_BUSY = Flag.ALLOW_BUSY
SKIP_MONITOR = Flag.SKIP_MONITOR
SKIP_SLOWLOG = Flag.SKIP_SLOWLOG
MAY_REPLICATE = Flag.MAY_REPLICATE
SORT_FOR_SCRIPT = Flag.SORT_FOR_SCRIPT
NO_ASYNC_LOADING = Flag.NO_ASYNC_LOADING
DANGEROUS = Flag.DANGEROUS

KeyFinder = Callable[[Sequence[bytes]], list[int]]


@dataclass(frozen=True)
class Keyword:
    """A word behind which keys stand, as COMMAND INFO tells of it; `Keys.finder` is what finds them.

    start: where the search for it begins. last: position of the last key from the word's successor, negative from the
    end. limit: which part of what is left are keys: 2 is a half, 0 all.
    """

    word: str
    start: int
    last: int = 0
    limit: int = 0


@dataclass(frozen=True)
class Keys:
    """Where the keys stand in a request whose word 0 is the command's name.

    first, last, step: positions; a negative last counts from the end.
    numkeys: position of a number that says how many keys follow it; extra: a further fixed key before it (0 = none).
    finder: for the few commands that none of this describes; gets the request, returns the positions.
    keywords: the words by which it finds them, if there are such.
    access: how the keys are used, in COMMAND INFO's words (`RW insert`); `|` between keys that are used differently, of
        which the last part holds for all that follow. What is usual for the command's flags if empty.
    """

    first: int = 0
    last: int | None = None
    step: int = 1
    numkeys: int = 0
    extra: int = 0
    finder: KeyFinder | None = None
    access: str = ""
    keywords: tuple[Keyword, ...] = ()

    def positions(self, request: Sequence[bytes]) -> list[int]:
        """The positions of the keys in `request`. raises: ValueError: the request names no sound number of keys."""
        if self.finder is not None:
            return self.finder(request)
        found = [self.extra] if self.extra else []
        if self.numkeys:
            count = int(request[self.numkeys])
            if count < 0 or self.numkeys + count >= len(request):
                raise ValueError("numkeys")
            return found + list(range(self.numkeys + 1, self.numkeys + 1 + count))
        if not self.first:
            return found
        last = self.first if self.last is None else self.last
        if last < 0:
            last += len(request)
        return list(range(self.first, min(last, len(request) - 1) + 1, self.step))


NO_KEYS = Keys()


@dataclass(frozen=True)
class Spec:
    """One declaration.

    name: upper case, a subcommand as `CONTAINER|SUB`.
    arity: as Redis counts it, the name included, negative = at least.
    max_args: most arguments behind the name, None = any. summary: the docstring's first line.
    group: as in COMMAND DOCS. usage: of a subcommand: its line in HELP, where Redis's says it in other words than
        `syntax`.
    """

    name: str
    flags: int
    keys: Keys
    since: str
    syntax: str
    arity: int
    max_args: int | None
    summary: str
    group: str
    handler: Callable[..., Any]
    usage: str = ""


# What COMMAND DOCS calls the group of a room's commands, unless their declarations say otherwise.
_GROUP_OF_ROOM: Final = {
    "strings": "string",
    "lists": "list",
    "sets": "set",
    "hashes": "hash",
    "zsets": "sorted-set",
    "streams": "stream",
    "keys": "generic",
    "jobs": "jobs",
}

F = TypeVar("F", bound=Callable[..., Any])


def command(
    name: str,
    *,
    flags: int = 0,
    keys: Keys = NO_KEYS,
    since: str,
    syntax: str,
    group: str = "",
    arity: int | None = None,
    usage: str = "",
) -> Callable[[F], F]:
    """Mark a function as the handler of `name`."""

    def mark(handler: F) -> F:
        low, high = _arguments(handler)
        words = len(name.split("|"))
        counted = low + words if high == low else -(low + words)
        spec = Spec(
            name=name,
            flags=flags,
            keys=keys,
            since=since,
            syntax=syntax,
            arity=counted if arity is None else arity,
            max_args=high,
            summary=(handler.__doc__ or "").partition("\n")[0].strip(),
            group=group or _GROUP_OF_ROOM[handler.__module__.split(".")[2]],
            handler=handler,
            usage=usage,
        )
        handler.__dict__.setdefault("commands", []).append(spec)
        return handler

    return mark


def _arguments(handler: Callable[..., Any]) -> tuple[int, int | None]:
    """(least, most) arguments that a handler takes behind its context; most is None for any number."""
    parameters = list(inspect.signature(handler).parameters.values())[1:]
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    least = sum(1 for p in positional if p.default is p.empty)
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return least, None
    return least, len(positional)
