"""Load: what `dump.py` wrote, into a data directory that no server uses.

Lines are applied in their order, some thousand elements a turn; a load that is cut short leaves the keys that it got
to, the last of them perhaps in part, and is begun again with `replace`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import Any, Final

from spoold.core.errors import CommandError
from spoold.datatypes.hashes import store as hashes
from spoold.datatypes.jobs import fanout, schedule
from spoold.datatypes.lists import store as lists
from spoold.datatypes.lists.tags import Tag
from spoold.datatypes.sets import store as sets
from spoold.datatypes.streams import groups
from spoold.datatypes.streams import store as streams
from spoold.datatypes.streams.ids import parse
from spoold.datatypes.strings import store as strings
from spoold.datatypes.zsets import store as zsets
from spoold.engine.commit import Commit, open_commit
from spoold.keyspace.keyspace import Databases, Keyspace
from spoold.operations.dump import VERSION
from spoold.operations.files import OperationError, Progress, quiet
from spoold.operations.texts import from_json

# Mutations after which a turn ends.
_TURN_MUTATIONS: Final = 4000


class Existing(Enum):
    """What becomes of a key that is there already."""

    REFUSE = "refuse"
    REPLACE = "replace"
    SKIP = "skip"


def load(
    directory: Path, lines: Iterable[str], now_ms: int, existing: Existing = Existing.REFUSE, progress: Progress = quiet
) -> tuple[int, int]:
    """Bring the lines of a dump into a data directory, which is made if needed.

    now_ms: Unix ms; keys that are due by then are left out. progress: told lines, of 0.
    returns: (keys loaded, keys that were there and were skipped).
    raises: OperationError: a line is not one of a dump, or the last one is missing; EngineError: the directory is in
        use, or the disk fails.
    """
    commit = open_commit(directory, "interval")
    try:
        loader = _Loader(commit, now_ms, existing)
        number = 0
        for number, line in enumerate(lines, 1):
            try:
                loader.take(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, CommandError) as error:
                raise OperationError(f"line {number} is none of a dump: {error!r}") from error
            except OperationError as error:
                raise OperationError(f"line {number}: {error}") from error
            progress(number, 0)
        if not loader.ended:
            raise OperationError(f"the dump is not whole: it ends at line {number}, without its last line")
        loader.end_turn()
        return loader.keys, loader.skipped
    finally:
        # What was loaded in earlier turns is kept, as whole lines.
        commit.abort_turn()
        commit.close()


class _Loader:
    """Applies lines.

    keys, skipped: how many. ended: the last line came.
    """

    def __init__(self, commit: Commit, now_ms: int, existing: Existing) -> None:
        self._commit = commit
        self._dbs = Databases(commit.batch)
        self._dbs.now_ms = now_ms
        self._existing = existing
        self._current: tuple[int, bytes] | None = None
        self._passed: tuple[int, bytes] | None = None
        self._began = False
        self._kind = ""
        self.keys = 0
        self.skipped = 0
        self.ended = False

    def take(self, line: dict[str, Any]) -> None:
        """Apply one line. raises: OperationError, and whatever a line that is none brings about."""
        if not self._began:
            if line.get("spoold") != "dump":
                raise OperationError("this is no dump of spoold")
            if line["version"] != VERSION:
                raise OperationError(f"the dump has version {line['version']}, this spoold knows {VERSION}")
            self._began = True
        elif self.ended:
            raise OperationError("something stands behind the last line")
        elif "end" in line:
            self.ended = True
        elif "kept" in line:
            key = from_json(line["kept"]["key"])
            if not key.startswith((b"pl", b"ps")):
                raise OperationError("it would be kept in a place that is not for scripts")
            self._commit.batch.put(key, from_json(line["kept"]["value"]))
        else:
            ks = self._dbs[_index(line["db"])]
            if "key" in line:
                self._key(ks, from_json(line["key"]), line)
            elif "lease" in line:
                tag = Tag(**line["tag"])._replace(attempts=line["attempts"], rank=line["rank"])
                lists.put_back(ks, from_json(line["lease"]), from_json(line["item"]), tag)
            else:
                for child in line["children"]:
                    fanout.add(ks, from_json(line["fanout"]), from_json(child))
        if len(self._commit.batch.fresh) >= _TURN_MUTATIONS:
            self.end_turn()

    def end_turn(self) -> None:
        """Make durable what was applied."""
        self._dbs.write()
        self._commit.commit_turn()
        if self._commit.checkpoint_due:
            self._commit.checkpoint()

    def _key(self, ks: Keyspace, name: bytes, line: dict[str, Any]) -> None:
        """Begin a key, or go on with the one that began last."""
        place = (ks.index, name)
        if not line.get("part"):
            self._current = self._passed = None
            if self._has_place(ks, name) and not 0 < line.get("expires_ms", 0) <= self._dbs.now_ms:
                self._current = place
                self._begin(ks, name, line)
            else:
                self._passed = place
        elif place == self._current:
            self._part(ks, name, line)
        elif place != self._passed:
            raise OperationError("it goes on with a key that did not begin before it")

    def _has_place(self, ks: Keyspace, name: bytes) -> bool:
        """Deal with a key that exists already. returns: whether the name is free now. raises: OperationError."""
        if ks.find(name) is None:
            return True
        if self._existing is Existing.REFUSE:
            raise OperationError(f"{name[:80]!r} exists in database {ks.index}; see --replace and --skip")
        if self._existing is Existing.SKIP:
            self.skipped += 1
            return False
        ks.delete(name)
        return True

    def _begin(self, ks: Keyspace, name: bytes, line: dict[str, Any]) -> None:
        self.keys += 1
        expires_ms = line.get("expires_ms", 0)
        if line["type"] == "string":
            strings.put(ks, name, from_json(line["value"]), expires_ms, line.get("flags", 0))
            return
        if line["type"] == "stream":
            streams.create(ks, name)
        self._kind = line["type"]
        self._part(ks, name, line)
        record = ks.find(name)
        if record is None:
            raise OperationError("it makes a key of nothing")
        if expires_ms:
            record.expire_ms = expires_ms
            ks.changed(name, record)

    def _part(self, ks: Keyspace, name: bytes, line: dict[str, Any]) -> None:
        if self._kind != "stream" and not line["items"]:
            raise OperationError("it has no items")
        _PARTS[self._kind](ks, name, line)


def _list(ks: Keyspace, name: bytes, line: dict[str, Any]) -> None:
    items = [from_json(item) for item in line["items"]]
    tags = {int(place): Tag(**tag) for place, tag in line.get("tags", {}).items()}
    if not tags:
        lists.push(ks, name, lists.TAIL, items)
        return
    for place, item in enumerate(items):
        if place in tags:
            lists.put(ks, name, lists.TAIL, item, tags[place])
        else:
            lists.push(ks, name, lists.TAIL, [item])


def _set(ks: Keyspace, name: bytes, line: dict[str, Any]) -> None:
    sets.add(ks, name, [from_json(item) for item in line["items"]])


def _hash(ks: Keyspace, name: bytes, line: dict[str, Any]) -> None:
    hashes.put_many(ks, name, [(from_json(field), from_json(value)) for field, value in line["items"]])


def _zset(ks: Keyspace, name: bytes, line: dict[str, Any]) -> None:
    for member, score in line["items"]:
        number = float(score)
        if math.isnan(number):
            raise OperationError("a score is no number")
        zsets.put(ks, name, from_json(member), number)


def _schedule(ks: Keyspace, name: bytes, line: dict[str, Any]) -> None:
    for due_us, value in line["items"]:
        schedule.add(ks, name, int(due_us), from_json(value))


def _stream(ks: Keyspace, name: bytes, line: dict[str, Any]) -> None:
    record = streams.find(ks, name)
    assert record is not None  # noqa: S101 - its first line made it
    if "group" in line:
        _group(ks, name, line)
        return
    if "added" in line:
        record.last, record.max_deleted = parse(line["last"].encode()), parse(line["max_deleted"].encode())
        record.added = line["added"]
        ks.changed(name, record)
        return
    # `append` counts and moves what the first line said already.
    last, added = record.last, record.added
    for id_, *fields in line["items"]:
        streams.append(ks, name, record, parse(id_.encode()), [from_json(field) for field in fields])
    record.last, record.added = max(last, record.last), added


def _group(ks: Keyspace, name: bytes, line: dict[str, Any]) -> None:
    record = streams.find(ks, name)
    assert record is not None  # noqa: S101
    group_name = from_json(line["group"])
    group = groups.find(ks, name, record, group_name)
    if group is None:
        groups.create(ks, name, record, group_name, parse(line["last"].encode()), line["read"])
        return
    for consumer_name, seen_ms in line.get("consumers", ()):
        consumer = groups.create_consumer(ks, name, record, group, from_json(consumer_name))
        consumer.seen_ms = seen_ms
        groups.save_consumer(ks, consumer)
    for id_, consumer_name, delivered_ms, deliveries in line.get("pending", ()):
        owner = groups.find_consumer(ks, record, group, from_json(consumer_name))
        if owner is None:
            raise OperationError("a pending entry belongs to a consumer that did not come before it")
        groups.give(ks, group, owner, parse(id_.encode()), delivered_ms, deliveries)
        groups.save_consumer(ks, owner)
    groups.save(ks, group)


_PARTS: Final[dict[str, Callable[[Keyspace, bytes, dict[str, Any]], None]]] = {
    "list": _list,
    "set": _set,
    "hash": _hash,
    "zset": _zset,
    "schedule": _schedule,
    "stream": _stream,
}


def _index(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 16:
        raise OperationError(f"{value!r} is no database")
    return value
