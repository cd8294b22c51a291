"""Dump: all that a data directory holds as JSON Lines, which people and programs of any kind can read.

    {"spoold":"dump","version":1,"made":…,"turn":…}                           first
    {"db":0,"key":"k","type":"list","items":["a",{"base64":"/w=="}]}          a key, or the first part of a large one
    {"db":0,"key":"k","part":1,"items":[…]}                                   its further parts, in order
    {"db":0,"lease":"queue","item":…,"attempts":1,"tag":{…}}                  an item that someone has under a lease
    {"db":0,"fanout":"queue","children":[…]}                                  queues that get copies of its items
    {"kept":{"key":…,"value":…}}                                              a stored script or library, as stored
    {"end":true,"keys":…}                                                     last: without it the dump is not whole

Byte strings are texts where they are UTF-8, else {"base64": …}. A key's first line has "expires_ms" if it expires.
A line holds about a thousand elements, or a mebibyte, so a collection larger than memory can be dumped and loaded.

    type      in each line                                   in the first line too
    string    "value"                                        "flags" (memcached's, if not 0)
    list      "items"; "tags": place in the line → tag
    set       "items", the oldest first
    hash      "items": [field, value] each
    zset      "items": [member, score] each; a score beyond JSON is the text "inf" or "-inf"
    schedule  "items": [µs since 1970, value] each
    stream    "items": [id, field, value, …] each            "last", "max_deleted", "added"
              "group", "last", "read", then for its lines: "consumers": [name, seen ms], "pending": [id, consumer,
              delivered ms, deliveries]

It reads one moment (engine/snapshot.py), so the server may run. `load.py` is the way back; both change together.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from spoold.datatypes.hashes import store as hashes
from spoold.datatypes.jobs import fanout, schedule
from spoold.datatypes.jobs import store as jobs
from spoold.datatypes.lists import store as lists
from spoold.datatypes.lists import tags
from spoold.datatypes.sets import store as sets
from spoold.datatypes.streams import groups
from spoold.datatypes.streams import store as streams
from spoold.datatypes.streams.ids import LAST, ZERO, show
from spoold.datatypes.zsets import store as zsets
from spoold.engine.batch import Batch
from spoold.engine.snapshot import Snapshot
from spoold.keyspace import layout
from spoold.keyspace.keyspace import Databases, Keyspace
from spoold.keyspace.packing import is_long
from spoold.keyspace.record import (
    HashRecord,
    ListRecord,
    Record,
    ScheduleRecord,
    SetRecord,
    StreamRecord,
    StringRecord,
    TaggedListRecord,
    ZsetRecord,
)
from spoold.operations.files import Progress, quiet
from spoold.operations.texts import to_json

VERSION: Final = 1
# Elements and about so many bytes of them in one line.
LINE_ELEMENTS: Final = 1000
LINE_BYTES: Final = 1 << 20
_PAGE: Final = 1000

Line = dict[str, Any]
Element = tuple[Any, int]
"""What stands in the line, and how many bytes it has, about."""


def dump(directory: Path, write: Callable[[str], object], now_ms: int, progress: Progress = quiet) -> int:
    """Write all keys that are not due, leases, fan-outs and scripts, line by line.

    now_ms: Unix ms; keys that are due by then are left out. progress: told keys.
    returns: how many keys were written. raises: EngineError; what `write` raises.
    """

    def put(line: Line) -> None:
        write(json.dumps(line, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n")

    with Snapshot(directory) as snapshot:
        dbs = Databases(cast("Batch", snapshot))
        dbs.now_ms = now_ms
        dbs.read_only = True
        made = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds")
        put({"spoold": "dump", "version": VERSION, "made": made, "turn": snapshot.turn})
        for key, value in _kept(snapshot):
            put({"kept": {"key": to_json(key), "value": to_json(value)}})
        total = sum(keyspace.count for keyspace in dbs.all)
        written = 0
        for keyspace in dbs.all:
            for name in keyspace.names():
                record = keyspace.find(name)
                if record is None:
                    continue
                for line in _key(keyspace, name, record):
                    put(line)
                written += 1
                progress(written, total)
            for line in _children(keyspace):
                put(line)
        for lease in jobs.everyone(dbs):
            put(_lease(lease))
        put({"end": True, "keys": written})
    return written


def _key(ks: Keyspace, name: bytes, record: Record) -> Iterator[Line]:
    """The lines of one key."""
    head: Line = {"db": ks.index, "key": to_json(name), "type": record.kind.decode()}
    if record.expire_ms:
        head["expires_ms"] = record.expire_ms
    if isinstance(record, StringRecord):
        head["value"] = to_json(record.value)
        if record.flags:
            head["flags"] = record.flags
        yield head
        return
    further: Line = {"db": ks.index, "key": to_json(name)}
    for part, line in enumerate(_LINES[type(record)](ks, record)):
        yield {**further, "part": part, **line} if part else {**head, **line}


def _list(ks: Keyspace, record: ListRecord) -> Iterator[Line]:
    for first in range(record.head, record.tail, LINE_ELEMENTS):
        last = min(first + LINE_ELEMENTS, record.tail)
        at = first
        for items in _cut(_item(item) for item in lists.read(ks, record, first, last)):
            line: Line = {"items": items}
            if isinstance(record, TaggedListRecord) and record.tags:
                found = {str(n): tags.get(ks, record, at + n) for n in range(len(items))}
                tagged = {place: _tag(tag) for place, tag in found.items() if tag is not None}
                if tagged:
                    line["tags"] = tagged
            yield line
            at += len(items)


def _set(ks: Keyspace, record: SetRecord) -> Iterator[Line]:
    return _items(_item(member) for member in sets.each(ks, record))


def _hash(ks: Keyspace, record: HashRecord) -> Iterator[Line]:
    return _items(
        ([to_json(field), to_json(value)], len(field) + len(value)) for field, value in hashes.each(ks, record)
    )


def _zset(ks: Keyspace, record: ZsetRecord) -> Iterator[Line]:
    return _items(([to_json(member), _score(score)], len(member)) for member, score in zsets.each(ks, record))


def _schedule(ks: Keyspace, record: ScheduleRecord) -> Iterator[Line]:
    return _items(([due_us, to_json(value)], len(value)) for due_us, value in schedule.items(ks, record))


def _stream(ks: Keyspace, record: StreamRecord) -> Iterator[Line]:
    state: Line = {
        "last": show(record.last).decode(),
        "max_deleted": show(record.max_deleted).decode(),
        "added": record.added,
    }
    yield {**state, "items": []}
    for items in _cut(
        ([show(id_).decode(), *map(to_json, fields)], sum(map(len, fields)))
        for id_, fields in streams.scan(ks, record, ZERO, LAST)
    ):
        yield {"items": items}
    for group in groups.each(ks, record):
        name = to_json(group.name)
        yield {"group": name, "last": show(group.last).decode(), "read": group.read}
        consumers = groups.each_consumer(ks, record, group)
        for found in _cut(([to_json(each.name), each.seen_ms], len(each.name)) for each in consumers):
            yield {"group": name, "consumers": found}
        for found in _cut(
            (
                [
                    show(entry.id).decode(),
                    to_json(groups.consumer_of(ks, record, group, entry.consumer).name),
                    entry.delivered_ms,
                    entry.deliveries,
                ],
                16,
            )
            for entry in groups.all_pending(ks, group, ZERO)
        ):
            yield {"group": name, "pending": found}


_LINES: Final[dict[type[Record], Callable[[Keyspace, Any], Iterator[Line]]]] = {
    ListRecord: _list,
    TaggedListRecord: _list,
    SetRecord: _set,
    HashRecord: _hash,
    ZsetRecord: _zset,
    ScheduleRecord: _schedule,
    StreamRecord: _stream,
}


def _lease(lease: jobs.Lease) -> Line:
    return {
        "db": lease.handle.db,
        "lease": to_json(lease.handle.queue),
        "item": to_json(lease.item),
        "attempts": lease.attempts,
        "rank": lease.handle.rank,
        "tag": _tag(lease.tag),
    }


def _children(ks: Keyspace) -> Iterator[Line]:
    prefix = layout.fanouts_prefix(ks.index)
    for key, _ in ks.batch.scan(prefix, layout.fanouts_prefix(ks.index + 1), 1_000_000):
        queue = layout.fanout_queue(key)
        if not is_long(queue):  # of a longer name only the digest is known
            yield {
                "db": ks.index,
                "fanout": to_json(queue),
                "children": [to_json(child) for child in fanout.children(ks, queue)],
            }


def _kept(snapshot: Snapshot) -> Iterator[tuple[bytes, bytes]]:
    yield from snapshot.pairs(layout.LIBRARY_FIRST, layout.LIBRARY_STOP)
    yield from snapshot.pairs(layout.SCRIPT_FIRST, layout.SCRIPT_STOP)


def _items(elements: Iterable[Element]) -> Iterator[Line]:
    for items in _cut(elements):
        yield {"items": items}


def _cut(elements: Iterable[Element]) -> Iterator[list[Any]]:
    """The elements in lists that are not too long for a line."""
    found: list[Any] = []
    size = 0
    for element, count in elements:
        found.append(element)
        size += count
        if len(found) >= LINE_ELEMENTS or size >= LINE_BYTES:
            yield found
            found, size = [], 0
    if found:
        yield found


def _item(item: bytes) -> Element:
    return to_json(item), len(item)


def _score(score: float) -> float | str:
    return score if math.isfinite(score) else str(score)


def _tag(tag: tags.Tag) -> dict[str, int]:
    return {name: value for name, value in tag._asdict().items() if value}
