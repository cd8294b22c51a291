"""The verbs of the simple protocol, over the same stores that the other doors serve.

    queue q             the list q of database 0: ENQUEUE pushes at its tail, DEQUEUE pops from its head
    key/value store     the hash `simple:kv`
    schedule            `simple:schedule`
    queues used         the hash `simple:queues`: names of the lists that this protocol has added to or taken from, so
                        that FLUSHALL empties them, and no list that belongs to someone else

Values and names are kept as `protocol/typed.py` says. A queue that is called like one of the three keys gets an
escaped name: the stores have name spaces of their own.

A verb is a function under one declaration: its name, and whether it writes; how many arguments it takes comes from its
signature. It checks everything before its first write.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeVar

from spoold.command.context import Context
from spoold.core.errors import CommandError
from spoold.datatypes.hashes import store as hashes
from spoold.datatypes.jobs import schedule
from spoold.datatypes.lists import editing
from spoold.datatypes.lists import store as lists
from spoold.datatypes.lists.store import HEAD, MANY, TAIL
from spoold.keyspace.keyspace import Keyspace
from spoold.protocol.simple import Value, encode
from spoold.protocol.typed import ESCAPE, pack, pack_name, unpack

PAIRS: Final = b"simple:kv"
SCHEDULE: Final = b"simple:schedule"
QUEUES: Final = b"simple:queues"
_RESERVED: Final = frozenset((PAIRS, SCHEDULE, QUEUES))

_TIMESTAMP: Final = re.compile(rb"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

F = TypeVar("F", bound=Callable[..., Any])


class BadTimestamp(CommandError):
    text = "a timestamp must be YYYY-MM-DD HH:MM:SS, with up to six digits of a fraction"


class OddPairs(CommandError):
    text = "MSET takes keys and values in pairs"


class ValueTooLong(CommandError):
    text = "a value is too long"


class Verb(NamedTuple):
    """One verb.

    least, most: arguments. writes: it may change data.
    """

    run: Callable[..., Any]
    least: int
    most: float
    writes: bool


VERBS: Final[dict[bytes, Verb]] = {}


def verb(name: str, *, writes: bool) -> Callable[[F], F]:
    """Declare a function as the verb `name`."""

    def mark(run: F) -> F:
        parameters = list(inspect.signature(run).parameters.values())[1:]
        any_number = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
        least = len(parameters) - any_number
        VERBS[name.encode()] = Verb(run, least, float("inf") if any_number else least, writes)
        return run

    return mark


# -- queues -----------------------------------------------------------------------------------------------------------


@verb("ENQUEUE", writes=True)
def enqueue(ctx: Context, queue: Value, data: Value) -> int:
    """Add a value at the end of a queue. returns: 1."""
    name, value = _queue(queue), _pack(ctx, data)
    lists.find(ctx.ks, name)
    _claim(ctx.ks, name)
    lists.push(ctx.ks, name, TAIL, (value,))
    return 1


@verb("DEQUEUE", writes=True)
def dequeue(ctx: Context, queue: Value) -> Value:
    """Take the oldest value of a queue. returns: it; None if there is none."""
    name = _queue(queue)
    if lists.find(ctx.ks, name) is None:
        return None
    _claim(ctx.ks, name)
    return _open(lists.pop(ctx.ks, name, HEAD))


@verb("REMOVE", writes=True)
def remove(ctx: Context, queue: Value, data: Value) -> int:
    """Remove the oldest value that equals `data` from a queue.

    returns: 1, or 0 if there is none.
    cost: O(values before it).
    """
    name, wanted = _queue(queue), pack(data)
    if data.__class__ is not bytes:
        found = _find_equal(ctx.ks, name, data, wanted)
        if found is None:
            return 0
        wanted = found
    return editing.remove(ctx.ks, name, wanted, 1)


@verb("LENGTH", writes=False)
def length(ctx: Context, queue: Value) -> int:
    """Count the values of a queue."""
    return lists.length(ctx.ks, _queue(queue))


@verb("FLUSH", writes=True)
def flush(ctx: Context, queue: Value) -> int:
    """Empty a queue. returns: how many values it had."""
    name = _queue(queue)
    count = lists.length(ctx.ks, name)
    if count:
        ctx.ks.delete(name)
    return count


# -- the schedule -----------------------------------------------------------------------------------------------------


@verb("ADD", writes=True)
def add(ctx: Context, timestamp: Value, data: Value) -> int:
    """Add a value to the schedule. returns: 1."""
    due_us, value = parse_timestamp(timestamp), _pack(ctx, data)
    schedule.add(ctx.ks, SCHEDULE, due_us, value)
    return 1


@verb("READ", writes=True)
def read(ctx: Context, timestamp: Value) -> list[Value]:
    """Take all values that are due at or before a time. returns: them, the earliest first."""
    return list(map(unpack, schedule.take_due(ctx.ks, SCHEDULE, parse_timestamp(timestamp))))


@verb("LENGTH_SCHEDULE", writes=False)
def length_schedule(ctx: Context) -> int:
    """Count the values of the schedule."""
    return schedule.length(ctx.ks, SCHEDULE)


@verb("FLUSH_SCHEDULE", writes=True)
def flush_schedule(ctx: Context) -> int:
    """Empty the schedule. returns: how many values it had."""
    return schedule.clear(ctx.ks, SCHEDULE)


# -- keys and values --------------------------------------------------------------------------------------------------


@verb("SET", writes=True)
def set_(ctx: Context, key: Value, value: Value) -> int:
    """Give a key a value. returns: 1."""
    hashes.put(ctx.ks, PAIRS, pack_name(key), _pack(ctx, value))
    return 1


@verb("SETNX", writes=True)
def setnx(ctx: Context, key: Value, value: Value) -> int:
    """Give a key a value unless it has one. returns: 1, or 0 if it has."""
    return int(hashes.put_new(ctx.ks, PAIRS, pack_name(key), _pack(ctx, value)))


@verb("GET", writes=False)
def get(ctx: Context, key: Value) -> Value:
    """Read the value of a key. returns: it; None if there is none."""
    return _open(hashes.get(ctx.ks, PAIRS, pack_name(key)))


@verb("POP", writes=True)
def pop(ctx: Context, key: Value) -> Value:
    """Take the value of a key. returns: it; None if there is none."""
    return _open(hashes.take(ctx.ks, PAIRS, pack_name(key)))


@verb("DELETE", writes=True)
def delete(ctx: Context, key: Value) -> int:
    """Delete a key. returns: 1, or 0 if it does not exist."""
    return hashes.delete(ctx.ks, PAIRS, (pack_name(key),))


@verb("EXISTS", writes=False)
def exists(ctx: Context, key: Value) -> int:
    """Tell whether a key exists. returns: 1 or 0."""
    return int(hashes.exists(ctx.ks, PAIRS, pack_name(key)))


@verb("MSET", writes=True)
def mset(ctx: Context, *keys_and_values: Value) -> int:
    """Give keys values. returns: how many pairs there were. raises: OddPairs."""
    if len(keys_and_values) % 2:
        raise OddPairs
    pairs = [
        (pack_name(key), _pack(ctx, value))
        for key, value in zip(keys_and_values[::2], keys_and_values[1::2], strict=True)
    ]
    hashes.put_many(ctx.ks, PAIRS, pairs)
    return len(pairs)


@verb("MGET", writes=False)
def mget(ctx: Context, *keys: Value) -> list[Value]:
    """Read the values of keys. returns: them, None where there is none."""
    return [_open(value) for value in hashes.get_many(ctx.ks, PAIRS, list(map(pack_name, keys)))]


@verb("MPOP", writes=True)
def mpop(ctx: Context, *keys: Value) -> list[Value]:
    """Take the values of keys. returns: them, None where there is none."""
    return [_open(value) for value in hashes.take_many(ctx.ks, PAIRS, list(map(pack_name, keys)))]


@verb("LENGTH_KV", writes=False)
def length_kv(ctx: Context) -> int:
    """Count the keys."""
    return hashes.length(ctx.ks, PAIRS)


@verb("FLUSH_KV", writes=True)
def flush_kv(ctx: Context) -> int:
    """Delete all keys. returns: how many there were."""
    return hashes.clear(ctx.ks, PAIRS)


# -- all of it --------------------------------------------------------------------------------------------------------


@verb("FLUSHALL", writes=True)
def flushall(ctx: Context) -> int:
    """Empty the queues that this protocol has used, the schedule, and the keys and values.

    returns: 1.
    cost: O(queues used).
    """
    ks = ctx.ks
    hashes.find(ks, PAIRS)
    schedule.find(ks, SCHEDULE)
    for name, _ in hashes.items(ks, QUEUES):
        if lists.holds_list(ks, name):
            ks.delete(name)
    hashes.clear(ks, QUEUES)
    hashes.clear(ks, PAIRS)
    schedule.clear(ks, SCHEDULE)
    return 1


# -- inside -----------------------------------------------------------------------------------------------------------


def parse_timestamp(text: Value) -> int:
    """µs since 1970 of the text of a UTC datetime. raises: BadTimestamp."""
    match = _TIMESTAMP.fullmatch(text) if text.__class__ is bytes else None
    if match is None:
        raise BadTimestamp
    *parts, fraction = match.groups(b"")
    try:
        moment = datetime(*map(int, parts), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        raise BadTimestamp from None
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + int(fraction.ljust(6, b"0"))


def _pack(ctx: Context, value: Value) -> bytes:
    """The stored form of a value. raises: Unstorable, ValueTooLong: its parts were short enough, but not all of it."""
    stored = pack(value)
    if len(stored) > ctx.dbs.value_limit_bytes:
        raise ValueTooLong
    return stored


def _queue(name: Value) -> bytes:
    """The name of a queue's list."""
    packed = pack_name(name)
    return ESCAPE + encode(packed) if packed in _RESERVED else packed


def _claim(ks: Keyspace, name: bytes) -> None:
    """Note that this protocol uses a queue."""
    if not hashes.exists(ks, QUEUES, name):
        hashes.put(ks, QUEUES, name, b"")


def _open(stored: bytes | None) -> Value:
    return None if stored is None else unpack(stored)


def _find_equal(ks: Keyspace, name: bytes, wanted: Value, packed: bytes) -> bytes | None:
    """The stored form of the oldest value of a queue that equals `wanted`, which is no string; None if none does.

    packed: what `wanted` would be stored as; the same value may stand there as another number, or in another order.
    """
    record = lists.find(ks, name)
    if record is None:
        return None
    kind = packed[: len(ESCAPE) + 1]
    for first in range(record.head, record.tail, MANY):
        for stored in lists.read(ks, record, first, min(first + MANY, record.tail)):
            if stored == packed or (stored.startswith(kind) and unpack(stored) == wanted):
                return stored
    return None
