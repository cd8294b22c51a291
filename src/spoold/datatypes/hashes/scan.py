"""HSCAN and HRANDFIELD: some of a hash's fields.

HSCAN goes through the fields in their order, and its cursor stands for the place where it goes on
(keyspace/cursor.py). Field by field it keeps an eye on the bytes that it has read: values may be large.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from spoold.command.context import Context
from spoold.command.selection import check_repeated, parse_draw, parse_slice
from spoold.command.spec import READONLY, Keys, command
from spoold.core.patterns import compile_pattern, literal_prefix
from spoold.core.reply import Pairs, Reply
from spoold.datatypes.hashes import store
from spoold.keyspace.cursor import parse_cursor
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import HEAD_BYTES, after
from spoold.keyspace.record import HashRecord
from spoold.keyspace.sampling import Forks, random_key

# A hash of so few fields is returned whole, as Redis does with its small encoding.
_WHOLE: Final = 128
# One HSCAN goes on to no further field once it has read so many bytes.
_MOST_SCAN_BYTES: Final = 1024 * 1024

# Finding a field of a large hash by chance costs as much as passing this many in order.
_PASSED: Final = 4096

_chance: Final = random.Random()


@command(
    "HSCAN",
    flags=READONLY,
    keys=Keys(1),
    since="2.8.0",
    syntax="HSCAN key cursor [MATCH pattern] [COUNT count]",
)
def hscan(ctx: Context, key: bytes, cursor: bytes, *options: bytes) -> list[object]:
    """Lists fields of a hash with their values in slices, as a cursor goes on.

    A field that stays from the first call to the last is returned exactly once; up to 128 fields are returned at
    once. A slice ends early where values are large.
    options: COUNT fields are looked at, 10 by default, 100,000 at most; MATCH chooses among them.
    returns: the cursor for the next call, 0 at the end, and fields and values by turns.
    raises: BadCursor, WrongType, then NotAnInteger, SyntaxFault (only if there is a hash).
    cost: O(COUNT).
    differs: a slice ends early where values are large; a cursor of before a restart begins anew.
    """
    number = parse_cursor(cursor)
    ks = ctx.ks
    record = store.find(ks, key)
    if record is None:
        return [b"0", []]
    wanted = parse_slice(options)
    cursors = ctx.dbs.cursors
    count = max(wanted.count, _WHOLE) if record.fields <= _WHOLE else wanted.count
    found, place = _slice(ks, record, cursors.place(record.object_id, number), count, wanted.pattern)
    if record.order and not number and not place:
        values = dict(zip(found[::2], found[1::2], strict=True))
        found = [part for field in store.fields(ks, key) if field in values for part in (field, values[field])]
    return [b"%d" % (cursors.open(record.object_id, place) if place else 0), found]


@command(
    "HRANDFIELD",
    flags=READONLY,
    keys=Keys(1),
    since="6.2.0",
    syntax="HRANDFIELD key [count [WITHVALUES]]",
)
def hrandfield(ctx: Context, key: bytes, count: bytes | None = None, *options: bytes) -> Reply:
    """Picks fields at random: one, some different ones, or (a negative count) some that may repeat.

    Every field is as likely as the others; nearly so where few are picked from a hash of many thousands.
    returns: a field or nothing; with a count a list, WITHVALUES of fields with their values.
    raises: NotAnInteger, OutOfLong, SyntaxFault; OutOfRange: over a million repetitions are asked for; WrongType.
    cost: O(count), at most O(fields); values are read only WITHVALUES.
    """
    number, with_values = parse_draw(count, options, word=b"WITHVALUES")
    ks = ctx.ks
    record = store.find(ks, key)
    if record is None:
        return None if count is None else []
    check_repeated(number)
    drawn = _draw(ks, record, number)
    if with_values:
        return Pairs([store.open_key(ks, record, each) for each in drawn])
    fields = [store.field_of(ks, record, each) for each in drawn]
    return fields[0] if count is None else fields


def _slice(ks: Keyspace, record: HashRecord, place: bytes, count: int, pattern: bytes) -> tuple[list[bytes], bytes]:
    """Fields that match, with their values, of the `count` from `place` on, and where to go on; b"" = nowhere."""
    batch, prefix = ks.batch, record.prefix
    first = prefix + literal_prefix(pattern)[:HEAD_BYTES]
    # Not one more than there are, and the one that tells whether to go on: others are read in vain.
    keys = batch.scan_keys(max(first, prefix + place), after(first), min(count, record.fields) + 1)
    matches = compile_pattern(pattern)
    found: list[bytes] = []
    size = 0
    for at, key in enumerate(keys[:count], 1):
        field, value = store.open_key(ks, record, key)
        size += len(key) + len(value)
        if matches(field):
            found += (field, value)
        if at < len(keys) and (at == count or size > _MOST_SCAN_BYTES):
            return found, key[len(prefix) :] + b"\0"
    return found, b""


def _draw(ks: Keyspace, record: HashRecord, number: int) -> list[bytes]:
    """The engine keys of fields that were drawn; a negative number with repetition.

    A few keys of a large hash are found by chance; else the ranks are drawn, and all keys passed.
    """
    fields = record.fields
    if abs(number) * _PASSED < fields:
        forks: Forks = {}
        if number < 0:
            return [random_key(ks.batch, record.prefix, _chance, forks) for _ in range(-number)]
        drawn: dict[bytes, None] = {}
        while len(drawn) < number:
            drawn[random_key(ks.batch, record.prefix, _chance, forks)] = None
        return list(drawn)
    if number >= fields:
        return [key for keys in store.keys(ks, record) for key in keys]
    ranks = _chance.choices(range(fields), k=-number) if number < 0 else _chance.sample(range(fields), number)
    key_at = _at_ranks(ks, record, sorted(set(ranks)))
    return [key_at[rank] for rank in ranks]


def _at_ranks(ks: Keyspace, record: HashRecord, ranks: Sequence[int]) -> dict[int, bytes]:
    """The engine keys at some ranks, which are in order."""
    found: dict[int, bytes] = {}
    first = at = 0
    for keys in store.keys(ks, record):
        while at < len(ranks) and ranks[at] < first + len(keys):
            found[ranks[at]] = keys[ranks[at] - first]
            at += 1
        if at == len(ranks):
            break
        first += len(keys)
    return found
