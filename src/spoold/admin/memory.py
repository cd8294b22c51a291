"""MEMORY: how much room keys take, and what the process uses. Values stand on disk; what is told of keys is that."""

from __future__ import annotations

import gc
from typing import Final

from spoold.admin.host import Host
from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import READONLY, Keys, command
from spoold.core.errors import SyntaxFault
from spoold.core.reply import OK, Reply, Verbatim
from spoold.engine.batch import Batch
from spoold.keyspace.packing import after
from spoold.keyspace.record import Collection, Record, ScheduleRecord, SetRecord, ZsetRecord
from spoold.metrics.info import human_bytes
from spoold.metrics.registry import Metrics

# What LMDB adds to a key and its value in a page: the node's header and its place in the page's index.
_NODE_BYTES = 8 + 2
_DEFAULT_SAMPLES = 5
# Engine entries of an element, where there is more than one: a set keeps members by sequence and by name, and so on.
_ENTRIES: Final[dict[type[Record], int]] = {SetRecord: 2, ScheduleRecord: 2, ZsetRecord: 2}
# Entries of a collection that are measured exactly, whatever SAMPLES says: a read of some 100 µs.
_EXACT_ENTRIES = 128


@command(
    "MEMORY|USAGE",
    flags=READONLY,
    keys=Keys(2, access="RO"),
    since="4.0.0",
    syntax="MEMORY USAGE key [SAMPLES count]",
    group="server",
)
def memory_usage(ctx: Context, key: bytes, *options: bytes) -> int | None:
    """Tells how many bytes a key takes in the data file: name, record, elements.

    options: SAMPLES and how many elements of a large collection are measured, 0 for all; the others count as the mean.
    returns: bytes, free space in pages not counted; nothing if there is no such key.
    raises: SyntaxFault, NotAnInteger.
    cost: O(samples).
    differs: bytes in the data file, not in memory.
    """
    samples = _DEFAULT_SAMPLES
    args = Args(options)
    while args:
        if not args.skip(b"SAMPLES"):
            raise SyntaxFault
        samples = args.int()
        if samples < 0:
            raise SyntaxFault
    record = ctx.ks.find(key)
    if record is None:
        return None
    return _NODE_BYTES + len(key) + len(record.encode(key)) + _elements_bytes(ctx.dbs.batch, record, samples)


@command("MEMORY|STATS", since="4.0.0", syntax="MEMORY STATS", group="server")
def memory_stats(ctx: Context) -> Reply:
    """Tells what memory the process uses, and how large the data file is.

    returns: name → number; of Redis's names those that mean something here.
    differs: of Redis's fields those that mean something here.
    """
    metrics = ctx.parts.get(Metrics)
    now = metrics.memory()
    keys = sum(keyspace.count for keyspace in ctx.dbs.all)
    stored = ctx.parts.get(Host).used_bytes()
    return {
        b"peak.allocated": metrics.peak.used,
        b"total.allocated": now.used,
        b"keys.count": keys,
        b"keys.bytes-per-key": stored // keys if keys else 0,
        b"dataset.bytes": stored,
        b"peak.percentage": now.used * 100 / metrics.peak.used,
        b"allocator.resident": now.resident,
        b"fragmentation": now.resident / now.used,
        b"fragmentation.bytes": now.resident - now.used,
    }


@command("MEMORY|DOCTOR", since="4.0.0", syntax="MEMORY DOCTOR", group="server")
def memory_doctor(ctx: Context) -> Reply:
    """Says in a sentence how memory is used."""
    metrics = ctx.parts.get(Metrics)
    now = metrics.memory()
    text = (
        f"The process holds {human_bytes(now.used)} (at most {human_bytes(metrics.peak.used)} since its start); the"
        f" data file has {human_bytes(ctx.parts.get(Host).used_bytes())}, of which the system keeps in memory what it"
        f" has room for ({human_bytes(now.resident)} in all).\n"
    )
    return Verbatim(text.encode())


@command("MEMORY|PURGE", since="4.0.0", syntax="MEMORY PURGE", group="server")
def memory_purge(ctx: Context) -> Reply:
    """Gives unused memory back as far as Python does: collects garbage, forgets cached records."""
    ctx.dbs.write()
    for keyspace in ctx.dbs.all:
        keyspace.cache.clear()
    gc.collect()
    return OK


def _elements_bytes(batch: Batch, record: Record, samples: int) -> int:
    """What the elements of a collection take; those that are not measured count as the mean of those that are."""
    if not isinstance(record, Collection):
        return 0
    prefix = record.prefix
    entries = record.count() * _ENTRIES.get(type(record), 1)
    wanted = max(samples, _EXACT_ENTRIES) if samples else entries
    sampled = batch.scan(prefix, after(prefix), wanted)
    if not sampled:
        return 0  # a stream without entries
    size = sum(len(key) + len(value) + _NODE_BYTES for key, value in sampled)
    return size * max(entries, len(sampled)) // len(sampled)
