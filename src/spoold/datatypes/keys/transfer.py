"""MOVE, COPY, DUMP, RESTORE: a key's way into another database, under another name, to another server.

MOVE and COPY know no type: a record and the elements under its object id are all there is to a key.
"""

from __future__ import annotations

from typing import Final

from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import DANGEROUS, DENYOOM, FAST, READONLY, WRITE, Keys, command
from spoold.core.errors import BusyKey, CommandError, InvalidExpire, NegativeTtl, SameObject, SyntaxFault, WrongType
from spoold.core.numerals import INT64_MAX, parse_int, parse_int32
from spoold.core.reply import OK, Reply
from spoold.datatypes.keys import elements, payload
from spoold.datatypes.streams import store as streams
from spoold.datatypes.strings import store as strings
from spoold.engine.batch import walk
from spoold.keyspace import events
from spoold.keyspace.keyspace import Databases, Keyspace
from spoold.keyspace.packing import after
from spoold.keyspace.record import Collection, HashRecord, Record, StreamRecord, StringRecord, TaggedListRecord, decode

# Elements that are read and written in one go: some 64 KiB of small ones.
_SLICE_ELEMENTS: Final = 1000


@command(
    "MOVE",
    flags=WRITE | FAST,
    keys=Keys(1, access="RW access update"),
    since="1.0.0",
    syntax="MOVE key db",
    group="generic",
)
def move(ctx: Context, key: bytes, db: bytes) -> int:
    """Moves a key, expiry and all, to another database.

    returns: 1 if it was moved; 0 if there is no such key, or one of the name is there already.
    raises: NotAnInteger, OutOfInt32, BadDbIndex, SameObject (the database is the selected one).
    cost: O(1).
    """
    source, target = ctx.ks, ctx.database(parse_int32(db))
    if source is target:
        raise SameObject
    if source.find(key) is None or target.find(key) is not None:
        return 0
    target.add(key, source.detach(key))
    if source.notify:
        source.notify(events.GENERIC, b"move_from", key)
    if target.notify:
        target.notify(events.GENERIC, b"move_to", key)
    return 1


@command(
    "COPY",
    flags=WRITE | DENYOOM,
    keys=Keys(1, 2, access="RO access|OW update"),
    since="6.2.0",
    syntax="COPY source destination [DB destination-db] [REPLACE]",
    group="generic",
)
def copy(ctx: Context, source: bytes, destination: bytes, *options: bytes) -> int:
    """Copies a key's value and expiry under another name.

    returns: 1 if it was copied; 0 if there is no such key, or the destination exists and REPLACE is not given.
    raises: SyntaxFault, NotAnInteger, OutOfInt32, BadDbIndex, SameObject.
    cost: O(elements).
    """
    target, replace = ctx.ks, False
    args = Args(options)
    while args:
        match args.word():
            case b"REPLACE":
                replace = True
            case b"DB":
                target = ctx.database(parse_int32(args.take()))
            case _:
                raise SyntaxFault
    if target is ctx.ks and source == destination:
        raise SameObject
    record = ctx.ks.find(source)
    if record is None or (target.find(destination) is not None and not replace):
        return 0
    twin = clone(ctx.dbs, record)
    target.delete(destination)
    target.add(destination, twin)
    if target.notify:
        target.notify(events.GENERIC, b"copy_to", destination)
    return 1


@command("DUMP", flags=READONLY, keys=Keys(1), since="2.6.0", syntax="DUMP key", group="generic")
def dump(ctx: Context, key: bytes) -> bytes | None:
    """Gives a key's value as bytes that RESTORE takes, here or in a Redis; the expiry is not in them.

    raises: WrongType: a type for which there is no such form yet.
    cost: O(bytes), about 0.2 µs a byte.
    """
    record = ctx.ks.find(key)
    if record is None:
        return None
    parts = [record.value] if isinstance(record, StringRecord) else elements.parts(ctx.ks, record)
    if parts is None:
        raise WrongType
    return payload.encode(payload.Value(record.kind, parts))


@command(
    "RESTORE",
    flags=WRITE | DENYOOM | DANGEROUS,
    keys=Keys(1, access="OW update"),
    since="2.6.0",
    syntax="RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    group="generic",
)
def restore(ctx: Context, key: bytes, ttl: bytes, serialized: bytes, *options: bytes) -> Reply:
    """Makes a key from what DUMP gave, here or in a Redis.

    ttl: ms to live, or with ABSTTL Unix ms; 0 = for ever; a time that is past leaves no key.
    options: IDLETIME and FREQ are checked; nothing of the kind is kept.
    raises: SyntaxFault, NotAnInteger, BusyKey (the key exists, and REPLACE is not given), NegativeTtl, BadPayload,
        BadFormat; InvalidExpire (beyond 64 bits).
    cost: O(bytes), about 0.2 µs a byte.
    source: redis: src/cluster.c, restoreCommand.
    """
    replace, absolute = _parse_restore(options)
    ks = ctx.ks
    if not replace and ks.find(key) is not None:
        raise BusyKey
    expire_ms = parse_int(ttl)
    if expire_ms < 0:
        raise NegativeTtl
    value = payload.decode(serialized)
    if expire_ms and not absolute:
        expire_ms += ctx.now_ms
    if expire_ms > INT64_MAX:
        raise InvalidExpire("restore")
    existed = ks.delete(key)
    past = 0 < expire_ms <= ctx.now_ms
    if not past:
        _make(ks, key, value, expire_ms)
    if ks.notify and (existed or not past):
        ks.notify(events.GENERIC, b"del" if past else b"restore", key)
    return OK


def _parse_restore(options: tuple[bytes, ...]) -> tuple[bool, bool]:
    """(REPLACE, ABSTTL). raises: SyntaxFault, NotAnInteger, CommandError."""
    replace = absolute = False
    measure = b""
    args = Args(options)
    while args:
        word = args.word()
        match word:
            case b"REPLACE":
                replace = True
            case b"ABSTTL":
                absolute = True
            # One excludes the other; the same may come again.
            case b"IDLETIME" | b"FREQ" if args and measure in {b"", word}:
                measure = word
                number = args.int()
                if word == b"IDLETIME" and number < 0:
                    raise CommandError("Invalid IDLETIME value, must be >= 0")
                if word == b"FREQ" and not 0 <= number <= 255:
                    raise CommandError("Invalid FREQ value, must be >= 0 and <= 255")
            case _:
                raise SyntaxFault
    return replace, absolute


def _make(ks: Keyspace, key: bytes, value: payload.Value, expire_ms: int) -> None:
    if value.kind == StringRecord.kind:
        strings.put(ks, key, value.parts[0], expire_ms)
        return
    elements.write(ks, key, value.kind, value.parts)
    if ks.notify:
        ks.notify(events.NEW_KEY, b"new", key)
    record = ks.find(key)
    if record is not None and expire_ms:
        record.expire_ms = expire_ms
        ks.changed(key, record)


def clone(dbs: Databases, record: Record) -> Record:
    """Make a record of the same contents and expiry with an object id, and elements, of its own.

    returns: the record; whoever calls this puts it under a name in the same turn.
    cost: O(elements), in bounded scans.
    """
    twin, _ = decode(record.encode(b""))
    twin.indexed_ms = 0
    if isinstance(twin, StringRecord):
        twin.stamp = dbs.new_stamp()
    elif isinstance(twin, Collection) and isinstance(record, Collection):
        twin.adopt(dbs.new_id())
        _copy_elements(dbs, record.prefix, twin.prefix)
    if isinstance(twin, HashRecord) and isinstance(record, HashRecord) and record.names is not None:
        twin.names = list(record.names)
    if isinstance(twin, StreamRecord) and isinstance(record, StreamRecord):
        streams.copy_seen(dbs.batch, record, twin)
    if isinstance(twin, TaggedListRecord) and isinstance(record, TaggedListRecord):
        twin.alarmed_ms = 0
        twin.adopt_tags(dbs.new_id())
        _copy_elements(dbs, record.tags_prefix, twin.tags_prefix)
    return twin


def _copy_elements(dbs: Databases, source: bytes, target: bytes) -> None:
    cut = len(source)
    for key, value in walk(dbs.batch, source, after(source), _SLICE_ELEMENTS):
        dbs.batch.put(target + key[cut:], value)
