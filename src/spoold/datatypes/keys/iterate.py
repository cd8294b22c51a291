"""KEYS, SCAN, RANDOMKEY: which names there are. Names stand in the order of their bytes."""

from __future__ import annotations

import random
from typing import Final

from spoold.command.context import Context
from spoold.command.selection import parse_slice
from spoold.command.spec import DANGEROUS, READONLY, command
from spoold.core.patterns import compile_pattern, literal_prefix
from spoold.keyspace.cursor import parse_cursor
from spoold.keyspace.sampling import random_name

_WILD: Final = frozenset(b"*?[\\")

_chance: Final = random.Random()


@command("KEYS", flags=READONLY | DANGEROUS, since="1.0.0", syntax="KEYS pattern", group="generic")
def keys(ctx: Context, pattern: bytes) -> list[bytes]:
    """Lists all names that match a pattern.

    cost: O(names that start with what stands before the pattern's first wildcard).
    differs: names come in the order of their bytes, in Redis in none.
    """
    if _WILD.isdisjoint(pattern):
        return [] if ctx.ks.find(pattern) is None else [pattern]
    matches = compile_pattern(pattern)
    return list(filter(matches, ctx.ks.names(literal_prefix(pattern))))


@command(
    "SCAN",
    flags=READONLY,
    since="2.8.0",
    syntax="SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]",
    group="generic",
)
def scan(ctx: Context, cursor: bytes, *options: bytes) -> list[object]:
    """Lists names in slices, as a cursor goes on.

    A name that exists from the first call to the last is returned exactly once.
    options: COUNT records are looked at, 10 by default, 100,000 at most; MATCH and TYPE choose among them.
    returns: the cursor for the next call, 0 at the end, and the names.
    raises: BadCursor, NotAnInteger, SyntaxFault.
    cost: O(COUNT).
    """
    number = parse_cursor(cursor)
    wanted = parse_slice(options, kinds=True)
    ks, cursors = ctx.ks, ctx.dbs.cursors
    place = cursors.place(ks.database_id, number)
    found, place = ks.scan(place, wanted.count, literal_prefix(wanted.pattern))
    matches = compile_pattern(wanted.pattern)
    names = [name for name, kind in found if matches(name) and (not wanted.kind or kind == wanted.kind)]
    return [b"%d" % (cursors.open(ks.database_id, place) if place else 0), names]


@command("RANDOMKEY", flags=READONLY, since="1.0.0", syntax="RANDOMKEY", group="generic")
def randomkey(ctx: Context) -> bytes | None:
    """Picks a name at random; each of up to a thousand is as likely as the others, and nearly so among more."""
    return random_name(ctx.ks, _chance)
