"""Nodes: entries that were added one after the other, of which approximate trimming removes all or none.

Redis keeps a node's entries in one listpack, and begins the next node where an entry would bring that to
`stream-node-max-bytes`, or the node has had `stream-node-max-entries`, deleted ones too. Here an entry is stored alone,
with the number of its node.

What a node would take in Redis is added up for those streams only whose nodes someone asks for, since it costs a tenth
of an XADD: from then on (`ask`), while the record is cached. Entries that were added before that are measured then.
Where there are very many of them, or very large ones, their nodes stay what the number of entries made them.

    record.node         what new entries are counted to
    record.node_added   how many were
    record.node_base    what Redis writes once: the id and the field names of its first entry; None: no one asked;
                        empty: the entries were too large to be measured
    record.node_bytes   what its listpack would take

source: redis 7.0, src/t_stream.c, streamAppendItem; the sizes were tried with redis 7.0.15.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from spoold.core.rdb import element_bytes, integer_bytes
from spoold.datatypes.streams.entries import pack_entry, unpack_fields, unpack_node
from spoold.datatypes.streams.ids import unpack
from spoold.datatypes.streams.progress import signed
from spoold.engine.batch import walk
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import after
from spoold.keyspace.record import StreamRecord

Base: TypeAlias = "tuple[int, int, tuple[bytes, ...]]"
"""Milliseconds, sequence, field names."""
_UNKNOWN: Final = ()
Measured: TypeAlias = "tuple[bytes, list[bytes], int, int]"
"""An entry's id and fields, the node that it is in, and the one that it would be in in Redis."""

CLOSED: Final = (1 << 32) - 1
"""What `node_added` is when nothing is to be added to the node any more."""
MOST_MEASURED: Final = 2048
"""Entries up to which those are measured that were added before anyone asked."""
_MOST_BYTES: Final = 4 * 1024 * 1024  # that they may have
_SLICE: Final = 64

# The head of a listpack and its end; how many entries there are, how many were deleted, and the end of the names.
_FRAME_BYTES: Final = 7 + 2 + 2 + 2
# Integers up to this one take least.
_SMALL: Final = 127


def admit(ks: Keyspace, record: StreamRecord, id_: bytes, fields: Sequence[bytes]) -> None:
    """Count an entry that is to be added to the node that it belongs to. cost: 0.1 µs; 0.7 or more if someone asked."""
    added = record.node_added
    begins = added >= (ks.dbs.stream_node_entries or CLOSED) or not record.length
    if not record.node_base:
        record.node_added = 1 if begins else added + 1
    elif begins or not _fits(ks, record, fields):
        begins = True
        record.node_added = 1
        _begin(record, id_, fields)
    else:
        record.node_added = added + 1
        record.node_bytes += _entry_bytes(record.node_base, id_, fields)
    if begins:
        record.node = record.node + 1 & 0xFFFFFFFF


def ask(ks: Keyspace, name: bytes, record: StreamRecord) -> None:
    """Let the stream's nodes be those of Redis from now on.

    cost: O(1), but for the first time: O(entries) up to `MOST_MEASURED`.
    """
    if record.node_base is not None or not 0 < record.length <= MOST_MEASURED:
        return
    measured = _measure(ks, record)
    if measured is None:
        record.node_base = _UNKNOWN
        return
    entries, end = measured
    for id_, fields, stored, number in entries:
        if number != stored:
            ks.batch.fresh[record.entries_prefix + id_] = pack_entry(number, fields)
    record.node_base, record.node_bytes = end.node_base, end.node_bytes
    record.head = None
    if (end.node, end.node_added) != (record.node, record.node_added):
        record.node, record.node_added = end.node, end.node_added
        ks.dirty[name] = record  # it is stored, but to no one who watches the key it has changed


def count(ks: Keyspace, record: StreamRecord) -> int:
    """How many nodes there are in Redis; of a stream that is too long to be measured, by the number of entries.

    cost: O(entries) up to `MOST_MEASURED`.
    """
    measured = None if record.length > MOST_MEASURED else _measure(ks, record)
    if measured is None:
        return record.node - unpack_node(ks.batch.get(record.entries_prefix + record.first) or b"") + 1
    return len({number for _, _, _, number in measured[0]})


def _measure(ks: Keyspace, record: StreamRecord) -> tuple[list[Measured], StreamRecord] | None:
    """All entries with their nodes; None if they are too large.

    The nodes that they are stored with are right, for they count deleted entries too, up to the first one that ends
    because of its size.
    returns: the entries; a record with what is known of the last node.
    """
    prefix = record.entries_prefix
    cut = len(prefix)
    most = ks.dbs.stream_node_entries or CLOSED
    entries: list[Measured] = []
    end = StreamRecord()
    stored = -1
    size = 0
    apart = False  # a node has ended because of its size: those behind it are not those that are stored
    for key, value in walk(ks.batch, prefix, after(prefix), _SLICE):
        size += len(value)
        if size > _MOST_BYTES:
            return None
        id_, fields = key[cut:], unpack_fields(value)
        before, stored = stored, unpack_node(value)
        begins = end.node_added >= most if apart else stored != before
        if not begins and not _fits(ks, end, fields):
            begins = apart = True
        if begins:
            end.node = end.node + 1 if apart else stored
            end.node_added = 1
            _begin(end, id_, fields)
        else:
            end.node_added += 1
            end.node_bytes += _entry_bytes(end.node_base, id_, fields)
        entries.append((id_, fields, stored, end.node))
    if not apart:
        end.node, end.node_added = record.node, record.node_added
    return entries, end


def _begin(record: StreamRecord, id_: bytes, fields: Sequence[bytes]) -> None:
    """Measure the first entry of a node, and what Redis writes before it."""
    names = fields[::2]
    record.node_base = (*unpack(id_), tuple(names))
    record.node_bytes = _FRAME_BYTES + integer_bytes(len(names)) + sum(map(element_bytes, names))
    record.node_bytes += _entry_bytes(record.node_base, id_, fields)


def _fits(ks: Keyspace, record: StreamRecord, fields: Sequence[bytes]) -> bool:
    """Whether the node stays below the most that it may take."""
    size: int = record.node_bytes + (record.node_added > _SMALL) + len(b"".join(fields))
    return size < ks.dbs.stream_node_bytes


def _entry_bytes(base: Base, id_: bytes, fields: Sequence[bytes]) -> int:
    """What an entry adds to the listpack of a node."""
    base_ms, base_sequence, names = base
    ms, sequence = unpack(id_)
    ms -= base_ms
    sequence -= base_sequence
    # Flags, the differences, and how many elements there are: 2 bytes each, if they are small.
    size = 8
    if not (0 <= ms <= _SMALL and 0 <= sequence <= _SMALL):
        size = 4 + integer_bytes(signed(ms)) + integer_bytes(signed(sequence))
    if len(fields) == 2 and fields[0] == names[0] and len(names) == 1:
        return size + element_bytes(fields[1])
    told = fields[1::2]
    elements = len(told) + 3
    if tuple(fields[::2]) != names:
        size += integer_bytes(len(told))
        told = fields
        elements = len(fields) + 4
    if elements > _SMALL:
        size += integer_bytes(elements) - 2
    return size + sum(map(element_bytes, told))
