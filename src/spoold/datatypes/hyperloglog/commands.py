"""PFADD, PFCOUNT, PFMERGE: how many different elements there are, to within a percent, in 12 KiB at most."""

from __future__ import annotations

from functools import reduce

from spoold.command.context import Context
from spoold.command.limits import PackedLimits
from spoold.command.spec import DENYOOM, FAST, MAY_REPLICATE, READONLY, WRITE, Keys, command
from spoold.core.errors import NotASketch
from spoold.core.reply import OK, Reply
from spoold.datatypes.hyperloglog import sketch
from spoold.datatypes.hyperloglog.estimate import mark
from spoold.datatypes.strings import store as strings
from spoold.keyspace import events
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import StringRecord


@command(
    "PFADD",
    flags=WRITE | DENYOOM | FAST,
    keys=Keys(1, access="RW insert"),
    since="2.8.9",
    syntax="PFADD key [element [element ...]]",
    group="hyperloglog",
)
def pfadd(ctx: Context, key: bytes, *elements: bytes) -> int:
    """Adds elements to a HyperLogLog; creates it if there is none.

    returns: 1 if its estimate may have changed, or if it was created, else 0.
    raises: WrongType; NotASketch; CorruptSketch.
    cost: O(elements), and at most one copy of 12 KiB.
    """
    ks = ctx.ks
    record = find(ks, key)
    value = sketch.EMPTY if record is None else record.value
    if elements:
        changed = sketch.add(value, list(map(mark, elements)), ctx.parts.own(PackedLimits).sketch_bytes)
    else:
        changed = None if record is not None else sketch.stale(value)
    if changed is None:
        return 0
    strings.edit(ks, key, record, changed)
    if ks.notify:
        ks.notify(events.STRING, b"pfadd", key)
    return 1


@command(
    "PFCOUNT",
    flags=READONLY | MAY_REPLICATE,
    keys=Keys(1, -1, access="RW access"),
    since="2.8.9",
    syntax="PFCOUNT key [key ...]",
    group="hyperloglog",
)
def pfcount(ctx: Context, key: bytes, *keys: bytes) -> int:
    """Estimates how many different elements a HyperLogLog has, or several of them together.

    The estimate of a single one is kept with it until it changes.
    raises: WrongType; NotASketch; CorruptSketch.
    cost: O(1) where the estimate is known, else about half a millisecond, and 0.1 ms a key.
    """
    ks = ctx.ks
    if keys:
        present = [record for name in (key, *keys) if (record := find(ks, name)) is not None]
        marks = [sketch.marks_of(record.value) for record in present]
        return sketch.count(reduce(sketch.highest, marks)) if marks else 0
    record = find(ks, key)
    if record is None:
        return 0
    known = sketch.cached(record.value)
    if known is None:
        known = sketch.count(sketch.marks_of(record.value))
        if not ctx.dbs.read_only:
            strings.edit(ks, key, record, sketch.with_cached(record.value, known))
    return known


@command(
    "PFMERGE",
    flags=WRITE | DENYOOM,
    keys=Keys(1, -1, access="RW access insert|RO access"),
    since="2.8.9",
    syntax="PFMERGE destkey [sourcekey [sourcekey ...]]",
    group="hyperloglog",
)
def pfmerge(ctx: Context, destkey: bytes, *sourcekeys: bytes) -> Reply:
    """Adds to a HyperLogLog all that others have; creates it if there is none.

    raises: WrongType; NotASketch; CorruptSketch.
    cost: O(keys), about 0.1 ms each.
    """
    ks = ctx.ks
    target = find(ks, destkey)
    present = [record.value for name in sourcekeys if (record := find(ks, name)) is not None]
    value = sketch.EMPTY if target is None else target.value
    marks = reduce(sketch.highest, map(sketch.marks_of, present), sketch.marks_of(value))
    if any(each[4] == sketch.DENSE for each in (value, *present)):
        value = sketch.stale(sketch.dense_of(marks, value))
    else:
        marked = [(register, each) for register, each in enumerate(marks) if each]
        value = sketch.add(value, marked, ctx.parts.own(PackedLimits).sketch_bytes) or sketch.stale(value)
    strings.edit(ks, destkey, target, value)
    if ks.notify:
        ks.notify(events.STRING, b"pfadd", destkey)
    return OK


def find(ks: Keyspace, name: bytes) -> StringRecord | None:
    """The record of a HyperLogLog, None if there is no such key. raises: WrongType, NotASketch."""
    record = strings.find(ks, name)
    if record is not None and not sketch.is_sketch(record.value):
        raise NotASketch
    return record
