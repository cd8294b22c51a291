"""SPOOLD: what operators ask about queues, and Redis has no command for. The command line and the console use it.

A queue is whatever items are taken from: a list, a set, a sorted set, a stream, a schedule. All answers are bounded:
there may be millions of keys, so they are listed in pages, and a page looks at a limited number of keys, whatever they
hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final, cast

from spoold.admin.traffic import Traffic
from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import DANGEROUS, LOADING, READONLY, STALE, Keys, command
from spoold.core.errors import SyntaxFault
from spoold.core.numerals import parse_int
from spoold.core.patterns import compile_pattern
from spoold.core.reply import Reply, Simple
from spoold.datatypes.hashes import store as hashes
from spoold.datatypes.jobs import schedule
from spoold.datatypes.jobs import store as jobs
from spoold.datatypes.lists import store as lists
from spoold.datatypes.sets import store as sets
from spoold.datatypes.streams import store as streams
from spoold.datatypes.streams.ids import LAST, ZERO
from spoold.datatypes.streams.ids import show as show_id
from spoold.datatypes.zsets import store as zsets
from spoold.keyspace import layout
from spoold.keyspace.cursor import parse_cursor
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import BIAS, after, is_long, pack_name
from spoold.keyspace.record import (
    Collection,
    HashRecord,
    ListRecord,
    ScheduleRecord,
    SetRecord,
    StreamRecord,
    StringRecord,
    TaggedListRecord,
    ZsetRecord,
    decode,
)

_FLAGS: Final = READONLY | DANGEROUS
_GROUP: Final = "jobs"
_SINCE: Final = "0.1.0"

_QUEUE_KINDS: Final = frozenset({b"list", b"set", b"zset", b"stream", b"schedule"})
# Keys that one page looks at: by default, and at most, some milliseconds.
_PAGE: Final = 200
_LARGEST_PAGE: Final = 2000
# Queues that do not exist and are told of, because someone waits for them or has a lease.
_MOST_ABSENT: Final = 1000
_MOST_PEEKED: Final = 1000
_PEEKED: Final = 10

_HELP: Final = (
    b"SPOOLD <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    b"DROP <queue> <lease> [<lease> ...]",
    b"    Forget what was taken from a queue under these leases.",
    b"LEASES <cursor> [QUEUE <name>] [COUNT <count>]",
    b"    List what was taken from queues and is not settled, in pages.",
    b"PEEK <key> [<count>]",
    b"    The items that would be taken next, without taking them.",
    b"QUEUE <key>",
    b"    What QUEUES tells, of one queue.",
    b"QUEUES <cursor> [MATCH <pattern>] [COUNT <count>]",
    b"    List the queues of the selected database, in pages.",
    b"RETURN <queue> <lease> [<lease> ...]",
    b"    Put what was taken from a queue under these leases back at its head.",
    b"HELP",
    b"    This text.",
)


@command(
    "SPOOLD|QUEUES",
    flags=_FLAGS,
    since=_SINCE,
    syntax="SPOOLD QUEUES cursor [MATCH pattern] [COUNT count]",
    group=_GROUP,
)
def spoold_queues(ctx: Context, cursor: bytes, *options: bytes) -> list[Reply]:
    """Lists the queues of the selected database in pages: what they hold, who waits, what was added and taken.

    options: COUNT keys are looked at for a page, 200 by default, 2,000 at most; MATCH chooses among the queues.
    returns: the cursor for the next page, 0 at the end, and a map for each queue: name, type, length, waiting (clients
        in blocking commands), leases, added and taken (counters of which only differences mean something; null where
        they are not known), oldest-ms (Unix ms of the oldest item, or when the first one falls due; null where it is
        not known). The last page also has queues that do not exist: those that someone waits for or has leases
        of, and those that were emptied since someone began to ask for this list.
    raises: BadCursor, NotAnInteger, SyntaxFault.
    cost: O(COUNT), about 2 µs a key.
    """
    pattern, count = _parse(options, b"MATCH")
    ks = ctx.ks
    traffic = ctx.parts.own(Traffic)
    traffic.ask(ctx.dbs)
    place = ctx.dbs.cursors.place(ks.database_id, parse_cursor(cursor))
    found, following = ks.scan(place, count)
    matches = None if pattern is None else compile_pattern(pattern)
    listed: list[Reply] = [
        _described(ks, name, _record(ks, name), traffic)
        for name, kind in found
        if kind in _QUEUE_KINDS and (matches is None or matches(name))
    ]
    if following:
        return [b"%d" % ctx.dbs.cursors.open(ks.database_id, following), listed]
    listed += [
        _described(ks, name, None, traffic)
        for name in islice(_absent(ks, traffic), _MOST_ABSENT)
        if matches is None or matches(name)
    ]
    return [b"0", listed]


@command("SPOOLD|QUEUE", flags=READONLY, keys=Keys(2), since=_SINCE, syntax="SPOOLD QUEUE key", group=_GROUP)
def spoold_queue(ctx: Context, key: bytes) -> Reply:
    """Tells of one queue what SPOOLD QUEUES tells of each.

    returns: a map as there; of type none if there is no queue of that name, though someone may wait for it.
    cost: O(1).
    """
    record = ctx.ks.find(key)
    traffic = ctx.parts.own(Traffic)
    traffic.ask(ctx.dbs)
    is_queue = isinstance(record, Collection) and record.kind in _QUEUE_KINDS
    return _described(ctx.ks, key, cast("Collection", record) if is_queue else None, traffic)


@command(
    "SPOOLD|LEASES",
    flags=_FLAGS,
    since=_SINCE,
    syntax="SPOOLD LEASES cursor [QUEUE name] [COUNT count]",
    group=_GROUP,
)
def spoold_leases(ctx: Context, cursor: bytes, *options: bytes) -> list[Reply]:
    """Lists what was taken from the selected database's queues under a lease and is not settled yet, in pages.

    options: QUEUE lists those of one queue; COUNT of them, 200 by default, 2,000 at most.
    returns: the cursor for the next page, 0 at the end, and a map for each lease: queue, id, owner, bound (1: it ends
        with its owner's connection), deadline-ms (Unix ms, 0 = none), attempts, bytes of the item.
    raises: BadCursor, NotAnInteger, SyntaxFault.
    cost: O(COUNT).
    """
    queue, count = _parse(options, b"QUEUE")
    ks = ctx.ks
    prefix = layout.leases_prefix(ks.index) if queue is None else layout.lease_key(ks.index, queue, 0)[:-8]
    owner = (b"leases", ks.index, queue)
    place = ctx.dbs.cursors.place(owner, parse_cursor(cursor)) or prefix
    pairs = ks.batch.scan(place, after(prefix), count)
    listed: list[Reply] = []
    for key, raw in pairs:
        lease = jobs.outline(raw)
        item = ks.batch.get(layout.leased_item_key(ks.index, lease.queue, lease.id)) or b""
        listed.append(
            {
                b"queue": lease.queue,
                b"id": lease.id,
                b"owner": lease.owner,
                b"bound": int(lease.bound),
                b"deadline-ms": lease.deadline_ms,
                b"attempts": lease.attempts,
                b"bytes": len(item),
            }
        )
        place = key
    if len(pairs) < count:
        return [b"0", listed]
    return [b"%d" % ctx.dbs.cursors.open(owner, place + b"\0"), listed]


@command(
    "SPOOLD|PEEK",
    flags=READONLY,
    keys=Keys(2),
    since=_SINCE,
    syntax="SPOOLD PEEK key [count]",
    group=_GROUP,
)
def spoold_peek(ctx: Context, key: bytes, count: bytes | None = None) -> list[Reply]:
    """Shows the items of a key that would be taken next, without taking them.

    count: 10 by default, 1,000 at most.
    returns: one array for each: of a list or set [item], of a sorted set [member, score], of a hash [field, value], of
        a stream [id, field, value, …], of a schedule [when in µs since 1970, item], of a string [value].
    raises: NotAnInteger.
    cost: O(count).
    """
    number = _PEEKED if count is None else max(0, min(parse_int(count), _MOST_PEEKED))
    record = ctx.ks.find(key)
    if isinstance(record, HashRecord):
        return [[field, value] for field, value in hashes.scan(ctx.ks, key, b"", number)[0]]
    if isinstance(record, StringRecord):
        return [[record.value]]
    if isinstance(record, Collection):
        return list(_items(ctx.ks, record, min(number, record.count())))
    return []


@command("SPOOLD|HELP", flags=LOADING | STALE, since=_SINCE, syntax="SPOOLD HELP", group=_GROUP)
def spoold_help(ctx: Context) -> list[Simple]:
    """Lists the subcommands."""
    return [Simple(line) for line in _HELP]


def _parse(options: tuple[bytes, ...], word: bytes) -> tuple[bytes | None, int]:
    """(what stands behind `word`, count). raises: SyntaxFault, NotAnInteger."""
    value: bytes | None = None
    count = _PAGE
    args = Args(options)
    while args:
        if args.skip(word):
            value = args.take()
        elif args.skip(b"COUNT"):
            count = args.int()
            if count < 1:
                raise SyntaxFault
        else:
            raise SyntaxFault
    return value, min(count, _LARGEST_PAGE)


def _record(ks: Keyspace, name: bytes) -> Collection | None:
    """The record of a name that a scan returned; it is not brought into the cache, which belongs to busy keys."""
    record = ks.young.get(name)
    if record is None:
        raw = ks.batch.get(ks.prefix + pack_name(name))
        record = None if raw is None else decode(raw)[0]
    return record if isinstance(record, Collection) else None


def _described(ks: Keyspace, name: bytes, record: Collection | None, traffic: Traffic) -> Reply:
    counts = traffic.of(ks.index, name, record)
    return {
        b"name": name,
        b"type": b"none" if record is None else record.kind,
        b"length": 0 if record is None else record.count(),
        b"waiting": len(ks.waiting.queues.get(name, ())),
        b"leases": jobs.count(ks.dbs, ks.index, name),
        b"added": None if counts is None else counts[0],
        b"taken": None if counts is None else counts[1],
        b"oldest-ms": None if record is None else _oldest_ms(ks, record),
    }


def _oldest_ms(ks: Keyspace, record: Collection) -> int | None:
    if isinstance(record, TaggedListRecord):
        raw = ks.batch.get(record.tags_prefix + record.head.to_bytes(8, "big"))
        return None if raw is None else lists.Tag.unpack(raw).added_ms or None
    if isinstance(record, StreamRecord):
        return int.from_bytes(record.first[:8], "big") if record.length else None
    if isinstance(record, ScheduleRecord):
        return (record.first - BIAS) // 1000
    return None


def _absent(ks: Keyspace, traffic: Traffic) -> Iterator[bytes]:
    """Names that someone waits for, that were emptied while someone looked, or that have leases, and do not exist."""
    leased = (name for name, _ in islice(jobs.counts(ks.dbs, ks.index), _MOST_ABSENT) if not is_long(name))
    for name in dict.fromkeys((*ks.waiting.queues, *traffic.emptied(ks.index), *leased)):
        if ks.find(name) is None:
            yield name


def _items(ks: Keyspace, record: Collection, count: int) -> Iterator[Reply]:
    """The first `count` items, which there are, in the order in which they would be taken."""
    if isinstance(record, ListRecord):
        yield from ([item] for item in lists.read(ks, record, record.head, record.head + count))
    elif isinstance(record, SetRecord):
        yield from ([member] for _, member in sets.oldest(ks, record, count))
    elif isinstance(record, ZsetRecord):
        yield from ([member, score] for member, score in islice(zsets.each(ks, record), count))
    elif isinstance(record, StreamRecord):
        yield from ([show_id(id_), *fields] for id_, fields in streams.scan(ks, record, ZERO, LAST, count))
    elif isinstance(record, ScheduleRecord):
        yield from ([due_us, item] for due_us, item in islice(schedule.items(ks, record), count))
