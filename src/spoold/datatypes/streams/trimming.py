"""Trimming: removing a stream's oldest entries, exactly or by whole nodes.

Redis keeps entries in nodes of up to a hundred entries and 4096 bytes, and `~` lets it remove only whole ones, which
costs it less. Here an entry notes the number of its node when it is added (nodes.py), so that `~` removes what Redis
would remove: no more than asked for, and up to a node less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from spoold.command.args import Args
from spoold.core.errors import CommandError
from spoold.datatypes.streams import nodes, windows
from spoold.datatypes.streams.ids import ZERO, parse
from spoold.datatypes.streams.store import find_first, node_of
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import after
from spoold.keyspace.record import StreamRecord

# Entries that are removed one by one; more are removed as a range.
_FEW: Final = 256
_SLICE: Final = 4096
# Without LIMIT, `~` removes at most the entries of so many nodes.
_NODES: Final = 100
_UNBOUNDED_NODES_LIMIT: Final = 10_000
_MOST_LIMIT: Final = 1_000_000


@dataclass(slots=True)
class Trim:
    """What to remove.

    maxlen: how many entries may stay, -1 if that is not asked. minid: the least id that may stay, ZERO likewise.
    by_nodes: `~`. limit: most entries to remove by nodes, 0 = any number; None: was not given.
    """

    maxlen: int = -1
    minid: bytes = ZERO
    given: bool = False
    by_nodes: bool = False
    limit: int | None = None


def parse_option(args: Args, word: bytes, trim: Trim) -> bool:
    """Read one of MAXLEN, MINID and LIMIT, whose name `word` was just taken; at least one argument follows.

    returns: False if it is none of these.
    raises: NotAnInteger, BadStreamId, CommandError.
    """
    if word == b"LIMIT":
        trim.limit = args.int()
        if trim.limit < 0:
            raise CommandError("The LIMIT argument must be >= 0.")
        return True
    if word not in {b"MAXLEN", b"MINID"}:
        return False
    if trim.given:
        raise CommandError("syntax error, MAXLEN and MINID options at the same time are not compatible")
    trim.by_nodes = False
    if len(args) >= 2:
        trim.by_nodes = args.skip(b"~")
        if not trim.by_nodes:
            args.skip(b"=")
    if word == b"MAXLEN":
        trim.maxlen = args.int()
        if trim.maxlen < 0:
            raise CommandError("The MAXLEN argument must be >= 0.")
    else:
        trim.minid = parse(args.take())
    trim.given = True
    return True


def check(trim: Trim, *, needed: bool = False) -> None:
    """Look at all options together. needed: one of MAXLEN and MINID must be given.

    raises: CommandError: it is not, or LIMIT is given where it means nothing.
    """
    if trim.limit and not trim.given:
        raise CommandError("syntax error, LIMIT cannot be used without specifying a trimming strategy")
    if needed and not trim.given:
        raise CommandError("syntax error, XTRIM must be called with a trimming strategy")
    if trim.limit is not None and not trim.by_nodes:
        raise CommandError("syntax error, LIMIT cannot be used without the special ~ option")


def trim_stream(ks: Keyspace, name: bytes, record: StreamRecord, trim: Trim) -> int:
    """Remove the oldest entries that `trim` names.

    returns: how many were removed.
    cost: O(1) if there are none; else O(removed), by nodes also O(entries of one node) for each node.
    """
    if trim.by_nodes:
        return _trim_nodes(ks, name, record, trim)
    if trim.maxlen >= 0:
        return _remove(ks, name, record, record.length - trim.maxlen)
    removed = 0
    while record.length and record.first < trim.minid:
        if record.last < trim.minid:
            return removed + _remove(ks, name, record, record.length)
        ids = windows.first_ids(ks, name, record, _FEW)
        removed += _remove(ks, name, record, sum(id_ < trim.minid for id_ in ids))
    return removed


def _trim_nodes(ks: Keyspace, name: bytes, record: StreamRecord, trim: Trim) -> int:
    limit = trim.limit
    if limit is None:
        limit = min(_NODES * ks.dbs.stream_node_entries, _MOST_LIMIT) or _UNBOUNDED_NODES_LIMIT
    removed = 0
    nodes.ask(ks, name, record)
    while record.length > (trim.maxlen if trim.maxlen > 0 else 0):
        if trim.maxlen < 0 and record.first >= trim.minid:
            break
        known: tuple[int, bytes] | None = record.head
        entries, last = known or _look_at_head(ks, name, record)
        if limit and removed + entries > limit:
            break
        if record.length - entries < trim.maxlen if trim.maxlen >= 0 else last >= trim.minid:
            break
        removed += _remove(ks, name, record, entries)
    return removed


def _look_at_head(ks: Keyspace, name: bytes, record: StreamRecord) -> tuple[int, bytes]:
    """How many entries the first node has, and the id of the last one; remembered if no more can come to it.

    cost: O(entries of the node).
    """
    node = node_of(ks, record, record.first)
    if node == record.node:
        return record.length, windows.last_id(ks, record)
    entries, last = 1, record.first
    wanted = min(ks.dbs.stream_node_entries or _FEW, _FEW)
    while following := windows.following(ks, name, record, last, wanted):
        for id_ in following:
            if node_of(ks, record, id_) != node:
                record.head = (entries, last)
                return entries, last
            entries += 1
            last = id_
    record.head = (entries, last)
    return entries, last


def _remove(ks: Keyspace, name: bytes, record: StreamRecord, count: int) -> int:
    """Remove the first `count` entries; none if that is negative."""
    if count <= 0:
        return 0
    prefix = record.entries_prefix
    if count <= _FEW:
        # One more than go away: the first one of those that stay is looked for anyway.
        ids = windows.first_ids(ks, name, record, count + 1)
        for id_ in ids[:count]:
            ks.batch.fresh[prefix + id_] = None
        record.length -= count
        record.first = ids[count] if len(ids) > count else ZERO
        windows.cut(record, record.first if record.length else _behind_all(record))
    else:
        left = count
        while left:
            left -= ks.batch.delete_range(prefix, after(prefix), min(left, _SLICE))
        record.length -= count
        if record.length:
            windows.forget(record)
        else:
            windows.cut(record, _behind_all(record))
        find_first(ks, name, record)
    record.head = None
    ks.changed(name, record)
    return count


def _behind_all(record: StreamRecord) -> bytes:
    """Behind all entries that there ever were."""
    return record.last + b"\0"
