"""XINFO: what a stream, its groups and its consumers are like."""

from __future__ import annotations

from typing import Any, Final

from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import LOADING, READONLY, STALE, Keys, command
from spoold.core.errors import BadSubcommand, NoGroupOfKey, NoSuchKey
from spoold.core.reply import Reply, Simple
from spoold.datatypes.streams import groups, ids, nodes, progress, store, windows
from spoold.datatypes.streams.commands import show_entries
from spoold.datatypes.streams.groups import UNKNOWN, Group
from spoold.datatypes.streams.ids import LAST, ZERO
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import StreamRecord

# Entries of each kind that XINFO STREAM … FULL shows.
_FULL_COUNT: Final = 10

_HELP: Final = (
    b"XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    b"CONSUMERS <key> <groupname>",
    b"    The consumers of a group.",
    b"GROUPS <key>",
    b"    The groups of a stream.",
    b"STREAM <key> [FULL [COUNT <count>]",
    b"    The stream itself; with FULL also what is in it.",
    b"HELP",
    b"    This text.",
)


@command(
    "XINFO|STREAM",
    flags=READONLY,
    keys=Keys(2, access="RO access"),
    since="5.0.0",
    syntax="XINFO STREAM key [FULL [COUNT count]]",
)
def xinfo_stream(ctx: Context, key: bytes, *options: bytes) -> dict[bytes, Any]:
    """Describes a stream.

    options: FULL: with its entries, groups, consumers and what they have not settled, COUNT of each (10; 0 = all).
    returns: a map.
    raises: BadSubcommand (options), NotAnInteger, NoSuchKey, WrongType.
    cost: O(1), with FULL O(what is shown).
    differs: there is no radix tree: of `radix-tree-keys` and `radix-tree-nodes` the first is the number of nodes.
    """
    ks = ctx.ks
    record = _find(ks, key)
    if not options:
        return {**_numbers(ks, record), b"groups": record.groups, **_ends(ks, key, record)}
    if len(options) not in {1, 3} or options[0].upper() != b"FULL":
        raise BadSubcommand
    count: int | None = _FULL_COUNT
    if len(options) == 3:
        args = Args(options[1:])
        if not args.skip(b"COUNT"):
            raise BadSubcommand
        number = args.int()
        count = None if number == 0 else number if number > 0 else _FULL_COUNT
    return {
        **_numbers(ks, record),
        b"entries": show_entries(store.read(ks, key, record, ZERO, LAST, count)),
        b"groups": [_full_group(ks, record, group, count) for group in groups.each(ks, record)],
    }


@command(
    "XINFO|GROUPS",
    flags=READONLY,
    keys=Keys(2, access="RO access"),
    since="5.0.0",
    syntax="XINFO GROUPS key",
)
def xinfo_groups(ctx: Context, key: bytes) -> list[dict[bytes, Any]]:
    """Lists the groups of a stream: consumers, pending entries, how far they have come.

    raises: NoSuchKey, WrongType.
    cost: O(groups).
    """
    record = _find(ctx.ks, key)
    return [
        {
            b"name": group.name,
            b"consumers": group.consumers,
            b"pending": group.pending,
            b"last-delivered-id": ids.show(group.last),
            b"entries-read": _read(group),
            b"lag": progress.lag(record, group),
        }
        for group in groups.each(ctx.ks, record)
    ]


@command(
    "XINFO|CONSUMERS",
    flags=READONLY,
    keys=Keys(2, access="RO access"),
    since="5.0.0",
    syntax="XINFO CONSUMERS key groupname",
)
def xinfo_consumers(ctx: Context, key: bytes, group_name: bytes) -> list[dict[bytes, Any]]:
    """Lists the consumers of a group: pending entries, ms since they were seen.

    raises: NoSuchKey, WrongType, NoGroupOfKey.
    cost: O(consumers).
    differs: after a restart `idle` may count from an earlier time: that a consumer asked in vain is not stored.
    """
    ks = ctx.ks
    record = _find(ks, key)
    group = groups.find(ks, key, record, group_name)
    if group is None:
        raise NoGroupOfKey(key, group_name)
    return [
        {
            b"name": consumer.name,
            b"pending": consumer.pending,
            b"idle": max(ctx.now_ms - consumer.seen_ms, 0),
        }
        for consumer in groups.each_consumer(ks, record, group)
    ]


@command("XINFO|HELP", flags=LOADING | STALE, since="5.0.0", syntax="XINFO HELP")
def xinfo_help(ctx: Context) -> list[Simple]:
    """Describes the subcommands."""
    return [Simple(line) for line in _HELP]


def _find(ks: Keyspace, key: bytes) -> StreamRecord:
    record = store.find(ks, key)
    if record is None:
        raise NoSuchKey
    return record


def _numbers(ks: Keyspace, record: StreamRecord) -> dict[bytes, Any]:
    """What both forms of XINFO STREAM begin with."""
    count = nodes.count(ks, record)
    return {
        b"length": record.length,
        b"radix-tree-keys": count,
        b"radix-tree-nodes": count + (2 if count > 1 else 1),
        b"last-generated-id": ids.show(record.last),
        b"max-deleted-entry-id": ids.show(record.max_deleted),
        b"entries-added": progress.signed(record.added),
        b"recorded-first-entry-id": ids.show(record.first),
    }


def _ends(ks: Keyspace, key: bytes, record: StreamRecord) -> dict[bytes, Any]:
    """The first and the last entry."""
    if not record.length:
        return {b"first-entry": None, b"last-entry": None}
    last = windows.last_id(ks, record)
    return {
        b"first-entry": [ids.show(record.first), store.get(ks, record, record.first)],
        b"last-entry": [ids.show(last), store.get(ks, record, last)],
    }


def _read(group: Group) -> int | None:
    return None if group.read == UNKNOWN else group.read


def _full_group(ks: Keyspace, record: StreamRecord, group: Group, count: int | None) -> dict[bytes, Any]:
    pending: list[Reply] = []
    for found in groups.all_pending(ks, group, ZERO):
        if len(pending) == count:
            break
        owner = groups.consumer_of(ks, record, group, found.consumer)
        pending.append([ids.show(found.id), owner.name, found.delivered_ms, found.deliveries])
    return {
        b"name": group.name,
        b"last-delivered-id": ids.show(group.last),
        b"entries-read": _read(group),
        b"lag": progress.lag(record, group),
        b"pel-count": group.pending,
        b"pending": pending,
        b"consumers": [
            {
                b"name": consumer.name,
                b"seen-time": consumer.seen_ms,
                b"pel-count": consumer.pending,
                b"pending": _full_consumer(ks, group, consumer, count),
            }
            for consumer in groups.each_consumer(ks, record, group)
        ],
    }


def _full_consumer(ks: Keyspace, group: Group, consumer: groups.Consumer, count: int | None) -> list[Reply]:
    shown: list[Reply] = []
    for id_ in groups.owned(ks, group, consumer, ZERO):
        if len(shown) == count:
            break
        found = groups.pending(ks, group, id_)
        assert found is not None  # noqa: S101 - both are written together
        shown.append([ids.show(id_), found.delivered_ms, found.deliveries])
    return shown
