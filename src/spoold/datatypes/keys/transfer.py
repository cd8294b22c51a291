"""MOVE, COPY: a key's way into another database or under another name.

Nothing here knows a type: a record and the elements under its object id are all there is to a key.
"""

from __future__ import annotations

from typing import Final

from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import DENYOOM, FAST, WRITE, Keys, command
from spoold.core.errors import SameObject, SyntaxFault
from spoold.core.numerals import parse_int32
from spoold.keyspace.keyspace import Databases
from spoold.keyspace.packing import after
from spoold.keyspace.record import Collection, Record, StringRecord, decode

# Elements that are read and written in one go: some 64 KiB of small ones.
_SLICE_ELEMENTS: Final = 1000


@command("MOVE", flags=WRITE | FAST, keys=Keys(1), since="1.0.0", syntax="MOVE key db", group="generic")
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
    return 1


@command(
    "COPY",
    flags=WRITE | DENYOOM,
    keys=Keys(1, 2),
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
    target.replace(destination, clone(ctx.dbs, record))
    return 1


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
    return twin


def _copy_elements(dbs: Databases, source: bytes, target: bytes) -> None:
    start, stop = source, after(source)
    cut = len(source)
    while True:
        pairs = dbs.batch.scan(start, stop, _SLICE_ELEMENTS)
        dbs.batch.fresh.update((target + key[cut:], value) for key, value in pairs)
        if len(pairs) < _SLICE_ELEMENTS:
            return
        start = pairs[-1][0] + b"\0"
