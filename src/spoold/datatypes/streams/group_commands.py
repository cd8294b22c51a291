"""XGROUP: making, moving and removing groups and consumers; XACK, which settles what a consumer got."""

from __future__ import annotations

from typing import Final

from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import DENYOOM, FAST, LOADING, STALE, WRITE, Keys, command
from spoold.core.errors import BadSubcommand, CommandError, NoGroupOfKey
from spoold.core.reply import OK, Reply, Simple
from spoold.datatypes.streams import groups, ids, store
from spoold.datatypes.streams.groups import UNKNOWN, Consumer, Group
from spoold.datatypes.streams.ids import ZERO
from spoold.keyspace import events
from spoold.keyspace.record import StreamRecord

_HELP: Final = (
    b"XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    b"CREATE <key> <groupname> <id|$> [option]",
    b"    Make a group that begins behind an id, or behind the last entry. Options are:",
    b"    * MKSTREAM: make an empty stream if there is none.",
    b"    * ENTRIESREAD <n>: how many entries count as read already.",
    b"CREATECONSUMER <key> <groupname> <consumer>",
    b"    Make a consumer.",
    b"DELCONSUMER <key> <groupname> <consumer>",
    b"    Remove a consumer, and with it what it has not settled.",
    b"DESTROY <key> <groupname>",
    b"    Remove a group.",
    b"SETID <key> <groupname> <id|$> [ENTRIESREAD <n>]",
    b"    Let a group go on behind another id.",
    b"HELP",
    b"    This text.",
)

# Words behind the id of XGROUP CREATE.
_MOST_OPTIONS: Final = 3

_NO_KEY: Final = (
    "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to"
    " create an empty stream automatically."
)


@command(
    "XGROUP|CREATE",
    flags=WRITE | DENYOOM,
    keys=Keys(2, access="RW insert"),
    since="5.0.0",
    syntax="XGROUP CREATE key groupname id|$ [MKSTREAM] [ENTRIESREAD entries-read]",
)
def xgroup_create(ctx: Context, key: bytes, group_name: bytes, id_: bytes, *options: bytes) -> Reply:
    """Makes a group of consumers that reads what comes behind an id.

    raises: NotAnInteger, CommandError (options; no stream; BUSYGROUP: there is such a group), BadStreamId, WrongType.
    cost: O(1).
    """
    read, make = _parse_options(b"CREATE", options)
    ks = ctx.ks
    record = store.find(ks, key)
    if record is None and not make:
        raise CommandError(_NO_KEY)
    if len(options) > _MOST_OPTIONS:
        raise BadSubcommand
    last = ids.parse(id_) if id_ != b"$" else ZERO if record is None else record.last
    if record is None:
        record = store.create(ks, key)
    if groups.create(ks, key, record, group_name, last, read) is None:
        raise CommandError("Consumer Group name already exists", "BUSYGROUP")
    if ks.notify:
        ks.notify(events.STREAM, b"xgroup-create", key)
    return OK


@command(
    "XGROUP|SETID",
    flags=WRITE,
    keys=Keys(2, access="RW update"),
    since="5.0.0",
    syntax="XGROUP SETID key groupname id|$ [ENTRIESREAD entries-read]",
)
def xgroup_setid(ctx: Context, key: bytes, group_name: bytes, id_: bytes, *options: bytes) -> Reply:
    """Lets a group go on behind another id.

    raises: NotAnInteger, CommandError (options; no stream), NoGroupOfKey, BadStreamId, WrongType.
    cost: O(1).
    """
    read, _ = _parse_options(b"SETID", options)
    record, group = _find(ctx, key, group_name)
    if len(options) not in {0, 2}:
        raise BadSubcommand
    group.last = record.last if id_ == b"$" else ids.parse_wide(id_)
    group.read = read
    groups.save(ctx.ks, group)
    if ctx.ks.notify:
        ctx.ks.notify(events.STREAM, b"xgroup-setid", key)
    return OK


@command(
    "XGROUP|DESTROY",
    flags=WRITE,
    keys=Keys(2, access="RW delete"),
    since="5.0.0",
    syntax="XGROUP DESTROY key groupname",
)
def xgroup_destroy(ctx: Context, key: bytes, group_name: bytes) -> int:
    """Removes a group; who waits for it is told.

    returns: 1, or 0 if there is none.
    raises: CommandError (no stream), WrongType.
    cost: O(consumers and pending entries).
    """
    ks = ctx.ks
    record = _stream(ctx, key)
    group = groups.find(ks, key, record, group_name)
    if group is None:
        return 0
    groups.destroy(ks, key, record, group)
    if ks.notify:
        ks.notify(events.STREAM, b"xgroup-destroy", key)
    return 1


@command(
    "XGROUP|CREATECONSUMER",
    flags=WRITE | DENYOOM,
    keys=Keys(2, access="RW insert"),
    since="6.2.0",
    syntax="XGROUP CREATECONSUMER key groupname consumername",
)
def xgroup_createconsumer(ctx: Context, key: bytes, group_name: bytes, consumer_name: bytes) -> int:
    """Makes a consumer of a group.

    returns: 1, or 0 if there is one of that name.
    raises: CommandError (no stream), NoGroupOfKey, WrongType.
    cost: O(1).
    """
    ks = ctx.ks
    record, group = _find(ctx, key, group_name)
    if groups.find_consumer(ks, record, group, consumer_name) is not None:
        return 0
    groups.create_consumer(ks, key, record, group, consumer_name)
    groups.save(ks, group)
    return 1


@command(
    "XGROUP|DELCONSUMER",
    flags=WRITE,
    keys=Keys(2, access="RW delete"),
    since="5.0.0",
    syntax="XGROUP DELCONSUMER key groupname consumername",
)
def xgroup_delconsumer(ctx: Context, key: bytes, group_name: bytes, consumer_name: bytes) -> int:
    """Removes a consumer of a group, and what it has not settled with it.

    returns: how many entries that were.
    raises: CommandError (no stream), NoGroupOfKey, WrongType.
    cost: O(those entries).
    """
    ks = ctx.ks
    record, group = _find(ctx, key, group_name)
    consumer = groups.find_consumer(ks, record, group, consumer_name)
    if consumer is None:
        return 0
    pending = groups.delete_consumer(ks, record, group, consumer)
    if ks.notify:
        ks.notify(events.STREAM, b"xgroup-delconsumer", key)
    return pending


@command("XGROUP|HELP", flags=LOADING | STALE, since="5.0.0", syntax="XGROUP HELP")
def xgroup_help(ctx: Context) -> list[Simple]:
    """Describes the subcommands."""
    return [Simple(line) for line in _HELP]


@command(
    "XACK",
    flags=WRITE | FAST,
    keys=Keys(1, access="RW update"),
    since="5.0.0",
    syntax="XACK key group id [id ...]",
)
def xack(ctx: Context, key: bytes, group_name: bytes, id_: bytes, *more: bytes) -> int:
    """Settles entries that consumers of a group were given, so that they are pending no more.

    returns: how many were pending.
    raises: WrongType, then BadStreamId.
    cost: O(ids), whatever the stream holds.
    """
    ks = ctx.ks
    record = store.find(ks, key)
    group = None if record is None else groups.find(ks, key, record, group_name)
    if record is None or group is None:
        return 0
    given = [ids.parse(each) for each in (id_, *more)]
    settled = 0
    owners: dict[int, Consumer] = {}
    for each in given:
        found = groups.pending(ks, group, each)
        if found is None:
            continue
        owner = owners.get(found.consumer)
        if owner is None:
            owner = owners[found.consumer] = groups.consumer_of(ks, record, group, found.consumer)
        groups.settle(ks, group, owner, each)
        settled += 1
    if settled:
        for owner in owners.values():
            groups.save_consumer(ks, owner)
        groups.save(ks, group)
    return settled


def _stream(ctx: Context, key: bytes) -> StreamRecord:
    """The stream, which must exist. raises: CommandError, WrongType."""
    record = store.find(ctx.ks, key)
    if record is None:
        raise CommandError(_NO_KEY)
    return record


def _find(ctx: Context, key: bytes, group_name: bytes) -> tuple[StreamRecord, Group]:
    """The stream and its group, which must both exist. raises: CommandError, WrongType, NoGroupOfKey."""
    record = _stream(ctx, key)
    group = groups.find(ctx.ks, key, record, group_name)
    if group is None:
        raise NoGroupOfKey(key, group_name)
    return record, group


def _parse_options(sub: bytes, options: tuple[bytes, ...]) -> tuple[int, bool]:
    """(ENTRIESREAD, MKSTREAM). raises: NotAnInteger, BadSubcommand, CommandError."""
    read, make = UNKNOWN, False
    args = Args(options)
    while args:
        word = args.word()
        if word == b"MKSTREAM" and sub == b"CREATE":
            make = True
        elif word == b"ENTRIESREAD" and args:
            read = args.int()
            if read < 0 and read != UNKNOWN:
                raise CommandError("value for ENTRIESREAD must be positive or -1")
        else:
            raise BadSubcommand
    return read, make
