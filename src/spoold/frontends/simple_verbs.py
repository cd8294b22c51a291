"""The verbs of the simple protocol, over the same stores that the other doors serve.

    queue q             the list q of database 0: ENQUEUE pushes at its tail, DEQUEUE pops from its head
    its priorities      `simple:priorities:q`, a schedule: what was added with a priority, the highest first
    key/value store     the hash `simple:kv`
    schedule            `simple:schedule`
    counters            the hash `simple:counters`
    queues used         the hash `simple:queues`: names of the lists that this protocol has added to or taken from, so
                        that FLUSHALL empties them, and no list that belongs to someone else

USE gives a client stores of its own: `simple:kv:NAME` and so on for all of them but the queues themselves. Values and
names are kept as `protocol/typed.py` says. A queue that is called like a store gets an escaped name: the stores have
name spaces of their own.

A verb is a function under one declaration: its name, and whether it writes; how many arguments it takes comes from its
signature. It checks everything before its first write.
"""

from __future__ import annotations

import inspect
import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from spoold.command.context import STILL_WAITING, Context, Wait
from spoold.core.errors import CommandError
from spoold.datatypes.hashes import store as hashes
from spoold.datatypes.jobs import schedule
from spoold.datatypes.lists import editing
from spoold.datatypes.lists import store as lists
from spoold.datatypes.lists.store import HEAD, MANY, TAIL
from spoold.dispatch.session import session_of
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import ScheduleRecord
from spoold.protocol.simple import Value, encode
from spoold.protocol.typed import ESCAPE, pack, pack_name, unpack

STORES: Final = (b"simple:kv", b"simple:schedule", b"simple:queues", b"simple:counters")
PRIORITIES: Final = b"simple:priorities"
_RESERVED: Final = frozenset((*STORES, PRIORITIES))
_RESERVED_PREFIXES: Final = tuple(name + b":" for name in _RESERVED)

_TIMESTAMP: Final = re.compile(rb"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?")
_I64: Final = struct.Struct(">q")
_DOUBLE: Final = struct.Struct(">d")
_MAGNITUDE: Final = (1 << 63) - 1
_LAST_RANK: Final = (1 << 63) - 2
_LONGEST_S: Final = 1e9
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

F = TypeVar("F", bound=Callable[..., Any])


class BadTimestamp(CommandError):
    text = "a timestamp must be YYYY-MM-DD HH:MM:SS, with up to six digits of a fraction"


class OddPairs(CommandError):
    text = "MSET takes keys and values in pairs"


class ValueTooLong(CommandError):
    text = "a value is too long"


class BadPriority(CommandError):
    text = "a priority must be a number"


class BadTimeout(CommandError):
    text = "a time-out must be a number of seconds, 0 or more, or null"


class BadLimit(CommandError):
    text = "a limit must be an integer, 0 or more"


class BadAmount(CommandError):
    text = "an amount must be an integer"


class NotACounter(CommandError):
    text = "the counter would leave the range of 64 bits"


class Space:
    """The stores that a client sees.

    pairs, schedule, queues, counters: the names of their keys. calls: what the names of values that someone waits for
        begin with; nothing is ever stored there.
    """

    __slots__ = ("calls", "counters", "pairs", "queues", "schedule")

    def __init__(self, name: bytes = b"") -> None:
        """name: as USE gave it, packed; empty for those that the protocol always had."""
        self.pairs, self.schedule, self.queues, self.counters = (
            store + b":" + name if name else store for store in STORES
        )
        self.calls = self.pairs + b"\0"


class SimpleContext(Context):
    """What a verb sees of its client. space: its stores."""

    __slots__ = ("space",)

    space: Space


class Verb(NamedTuple):
    """One verb.

    least, most: arguments. writes: it may change data. adds: it may make it larger.
    """

    run: Callable[..., Any]
    least: int
    most: float
    writes: bool
    adds: bool


VERBS: Final[dict[bytes, Verb]] = {}


def verb(name: str, *, writes: bool, adds: bool = False) -> Callable[[F], F]:
    """Declare a function as the verb `name`. writes, adds: as in `Verb`."""

    def mark(run: F) -> F:
        parameters = list(inspect.signature(run).parameters.values())[1:]
        any_number = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
        most = len(parameters) - any_number
        least = most - sum(parameter.default is not parameter.empty for parameter in parameters)
        VERBS[name.encode()] = Verb(run, least, float("inf") if any_number else most, writes, adds)
        return run

    return mark


# -- queues -----------------------------------------------------------------------------------------------------------


@verb("ENQUEUE", writes=True, adds=True)
def enqueue(ctx: SimpleContext, queue: Value, data: Value, priority: Value = None) -> int:
    """Add a value at the end of a queue, or behind those of the same priority: higher ones come first, 0 is none.

    returns: 1.
    """
    name, value, rank = _queue(queue), _pack(ctx, data), _rank(priority)
    ks = ctx.ks
    lists.find(ks, name)
    if not rank:
        _claim(ctx, name)
        lists.push(ks, name, TAIL, (value,))
        return 1
    side = _priorities(name)
    schedule.find(ks, side)
    _claim(ctx, name)
    schedule.add(ks, side, rank, value)
    if side in ks.waiting.queues:
        ks.dbs.ready[(ks.index, side)] = None
    return 1


@verb("DEQUEUE", writes=True)
def dequeue(ctx: SimpleContext, queue: Value, timeout: Value = 0) -> Value:
    """Take the next value of a queue, or wait for one.

    timeout: seconds; 0 does not wait, null waits for ever.
    returns: the value; None if there is none.
    """
    name = _queue(queue)
    wait_s = _timeout(timeout)
    stored = _take(ctx, name)
    if stored is not None or wait_s == 0:
        return _open(stored)
    return Wait((name, _priorities(name)), wait_s or 0.0, None, partial(_serve, ctx, name))


def _serve(ctx: SimpleContext, name: bytes, key: bytes) -> Value:
    """What a client that waits for the queue `name` gets from it, now that `key` has changed."""
    if key == name and not lists.holds_list(ctx.ks, name):
        return STILL_WAITING
    stored = _take(ctx, name)
    return STILL_WAITING if stored is None else unpack(stored)


def _take(ctx: SimpleContext, name: bytes) -> bytes | None:
    """Take the next value of a queue: what is above no priority, then what has none, then what is below."""
    ks = ctx.ks
    side = _priorities(name)
    has_list = lists.find(ks, name) is not None
    if schedule.find(ks, side) is not None:
        _claim(ctx, name)
        stored = schedule.take_first(ks, side, -1)
        if stored is None and has_list:
            stored = lists.pop(ks, name, HEAD)
        return schedule.take_first(ks, side, _LAST_RANK) if stored is None else stored
    if not has_list:
        return None
    _claim(ctx, name)
    return lists.pop(ks, name, HEAD)


@verb("ITEMS", writes=False)
def items(ctx: SimpleContext, queue: Value, limit: Value = None) -> list[Value]:
    """Read the next values of a queue without taking them. limit: at most so many; null is all."""
    name, most = _queue(queue), _limit(limit)
    ks = ctx.ks
    ranked = schedule.values(ks, _priorities(name))
    urgent = schedule.count_until(ks, _priorities(name), -1)
    plain = lists.between(ks, name, 0, -1 if most is None else most - 1) if most != 0 else []
    return list(map(unpack, [*ranked[:urgent], *plain, *ranked[urgent:]][:most]))


@verb("REMOVE", writes=True)
def remove(ctx: SimpleContext, queue: Value, data: Value) -> int:
    """Remove the oldest value that equals `data` from a queue.

    returns: 1, or 0 if there is none.
    cost: O(values before it).
    """
    name, wanted = _queue(queue), pack(data)
    side = _priorities(name)
    if data.__class__ is bytes:
        return editing.remove(ctx.ks, name, wanted, 1) or int(schedule.take_equal(ctx.ks, side, wanted))
    found = _find_equal(ctx.ks, name, data, wanted)
    if found is not None:
        return editing.remove(ctx.ks, name, found, 1)
    for stored in schedule.values(ctx.ks, side):
        if _equals(stored, data, wanted):
            return int(schedule.take_equal(ctx.ks, side, stored))
    return 0


@verb("LENGTH", writes=False)
def length(ctx: SimpleContext, queue: Value) -> int:
    """Count the values of a queue."""
    name = _queue(queue)
    return lists.length(ctx.ks, name) + schedule.length(ctx.ks, _priorities(name))


@verb("FLUSH", writes=True)
def flush(ctx: SimpleContext, queue: Value) -> int:
    """Empty a queue. returns: how many values it had."""
    name = _queue(queue)
    count = lists.length(ctx.ks, name)
    ranked = schedule.clear(ctx.ks, _priorities(name))
    if count:
        ctx.ks.remove(name)
    return count + ranked


# -- the schedule -----------------------------------------------------------------------------------------------------


@verb("ADD", writes=True, adds=True)
def add(ctx: SimpleContext, timestamp: Value, data: Value) -> int:
    """Add a value to the schedule. returns: 1."""
    due_us, value = parse_timestamp(timestamp), _pack(ctx, data)
    schedule.add(ctx.ks, ctx.space.schedule, due_us, value)
    return 1


@verb("READ", writes=True)
def read(ctx: SimpleContext, timestamp: Value) -> list[Value]:
    """Take all values that are due at or before a time. returns: them, the earliest first."""
    return list(map(unpack, schedule.take_due(ctx.ks, ctx.space.schedule, parse_timestamp(timestamp))))


@verb("LENGTH_SCHEDULE", writes=False)
def length_schedule(ctx: SimpleContext) -> int:
    """Count the values of the schedule."""
    return schedule.length(ctx.ks, ctx.space.schedule)


@verb("SCHEDULED", writes=False)
def scheduled(ctx: SimpleContext, limit: Value = None) -> list[Value]:
    """Read the values of the schedule without taking them, the earliest first. limit: at most so many; null is all."""
    return list(map(unpack, schedule.values(ctx.ks, ctx.space.schedule, _limit(limit))))


@verb("FLUSH_SCHEDULE", writes=True)
def flush_schedule(ctx: SimpleContext) -> int:
    """Empty the schedule. returns: how many values it had."""
    return schedule.clear(ctx.ks, ctx.space.schedule)


# -- keys and values --------------------------------------------------------------------------------------------------


@verb("SET", writes=True, adds=True)
def set_(ctx: SimpleContext, key: Value, value: Value) -> int:
    """Give a key a value. returns: 1."""
    name = pack_name(key)
    hashes.put(ctx.ks, ctx.space.pairs, name, _pack(ctx, value))
    _announce(ctx, name)
    return 1


@verb("SETNX", writes=True, adds=True)
def setnx(ctx: SimpleContext, key: Value, value: Value) -> int:
    """Give a key a value unless it has one. returns: 1, or 0 if it has."""
    name = pack_name(key)
    is_new = hashes.put_new(ctx.ks, ctx.space.pairs, name, _pack(ctx, value))
    if is_new:
        _announce(ctx, name)
    return int(is_new)


@verb("GET", writes=False)
def get(ctx: SimpleContext, key: Value) -> Value:
    """Read the value of a key. returns: it; None if there is none."""
    return _open(hashes.get(ctx.ks, ctx.space.pairs, pack_name(key)))


@verb("POP", writes=True)
def pop(ctx: SimpleContext, key: Value) -> Value:
    """Take the value of a key. returns: it; None if there is none."""
    return _open(hashes.take(ctx.ks, ctx.space.pairs, pack_name(key)))


@verb("DELETE", writes=True)
def delete(ctx: SimpleContext, key: Value) -> int:
    """Delete a key. returns: 1, or 0 if it does not exist."""
    return hashes.delete(ctx.ks, ctx.space.pairs, (pack_name(key),))


@verb("EXISTS", writes=False)
def exists(ctx: SimpleContext, key: Value) -> int:
    """Tell whether a key exists. returns: 1 or 0."""
    return int(hashes.exists(ctx.ks, ctx.space.pairs, pack_name(key)))


@verb("MSET", writes=True, adds=True)
def mset(ctx: SimpleContext, *keys_and_values: Value) -> int:
    """Give keys values. returns: how many pairs there were. raises: OddPairs."""
    if len(keys_and_values) % 2:
        raise OddPairs
    pairs = [
        (pack_name(key), _pack(ctx, value))
        for key, value in zip(keys_and_values[::2], keys_and_values[1::2], strict=True)
    ]
    hashes.put_many(ctx.ks, ctx.space.pairs, pairs)
    for name, _ in pairs:
        _announce(ctx, name)
    return len(pairs)


@verb("MGET", writes=False)
def mget(ctx: SimpleContext, *keys: Value) -> list[Value]:
    """Read the values of keys. returns: them, None where there is none."""
    return [_open(value) for value in hashes.get_many(ctx.ks, ctx.space.pairs, list(map(pack_name, keys)))]


@verb("MPOP", writes=True)
def mpop(ctx: SimpleContext, *keys: Value) -> list[Value]:
    """Take the values of keys. returns: them, None where there is none."""
    return [_open(value) for value in hashes.take_many(ctx.ks, ctx.space.pairs, list(map(pack_name, keys)))]


@verb("LENGTH_KV", writes=False)
def length_kv(ctx: SimpleContext) -> int:
    """Count the keys."""
    return hashes.length(ctx.ks, ctx.space.pairs)


@verb("FLUSH_KV", writes=True)
def flush_kv(ctx: SimpleContext) -> int:
    """Delete all keys. returns: how many there were."""
    return hashes.clear(ctx.ks, ctx.space.pairs)


@verb("ITEMS_KV", writes=False)
def items_kv(ctx: SimpleContext) -> dict[Value, Value]:
    """Read all keys with their values. cost: O(keys)."""
    return {unpack(name): unpack(value) for name, value in hashes.items(ctx.ks, ctx.space.pairs)}


@verb("WAIT", writes=False)
def wait(ctx: SimpleContext, key: Value, timeout: Value = None) -> Value:
    """Wait until a key has a value.

    timeout: seconds; 0 does not wait, null waits for ever.
    returns: 1, or 0 if it has none in time.
    """
    name = pack_name(key)
    wait_s = _timeout(timeout)
    if hashes.exists(ctx.ks, ctx.space.pairs, name):
        return 1
    if wait_s == 0:
        return 0
    return Wait((ctx.space.calls + name,), wait_s or 0.0, 0, _not_yet)


def _not_yet(key: bytes) -> Value:
    """Whoever waits for a value is told by who stores it; what others make of the name says nothing."""
    return STILL_WAITING


def _announce(ctx: SimpleContext, name: bytes) -> None:
    """Tell whoever waits for the key `name` that it has a value."""
    if not ctx.ks.waiting.queues:
        return
    dispatcher = session_of(ctx).dispatcher
    for waiter in ctx.ks.waiting.of(ctx.space.calls + name):
        dispatcher.answer(waiter, 1)


# -- counters ---------------------------------------------------------------------------------------------------------


@verb("INCR", writes=True, adds=True)
def incr(ctx: SimpleContext, key: Value, amount: Value = 1) -> int:
    """Add to a counter, which begins at 0. returns: its new value. raises: BadAmount, NotACounter."""
    name = pack_name(key)
    if amount.__class__ is not int:
        raise BadAmount
    count = int(hashes.get(ctx.ks, ctx.space.counters, name) or 0) + amount
    if not -(2**63) <= count < 2**63:
        raise NotACounter
    hashes.put(ctx.ks, ctx.space.counters, name, b"%d" % count)
    return count


@verb("DELETE_COUNTER", writes=True)
def delete_counter(ctx: SimpleContext, key: Value) -> int:
    """Let a counter begin at 0 again. returns: 1, or 0 if it has not begun."""
    return hashes.delete(ctx.ks, ctx.space.counters, (pack_name(key),))


@verb("FLUSH_COUNTERS", writes=True)
def flush_counters(ctx: SimpleContext) -> int:
    """Delete all counters. returns: how many there were."""
    return hashes.clear(ctx.ks, ctx.space.counters)


# -- all of it --------------------------------------------------------------------------------------------------------


@verb("USE", writes=False)
def use(ctx: SimpleContext, name: Value) -> int:
    """Give this connection a schedule, keys and counters of its own; null goes back to those of all. returns: 1."""
    ctx.space = Space() if name is None else Space(pack_name(name))
    return 1


@verb("FLUSHALL", writes=True)
def flushall(ctx: SimpleContext) -> int:
    """Empty the queues that this protocol has used, the schedule, the keys and values, and the counters.

    returns: 1.
    cost: O(queues used).
    """
    ks, space = ctx.ks, ctx.space
    hashes.find(ks, space.pairs)
    hashes.find(ks, space.counters)
    schedule.find(ks, space.schedule)
    for name, _ in hashes.items(ks, space.queues):
        if lists.holds_list(ks, name):
            ks.delete(name)
        side = _priorities(name)
        if isinstance(ks.find(side), ScheduleRecord):
            ks.delete(side)
    hashes.clear(ks, space.queues)
    hashes.clear(ks, space.pairs)
    hashes.clear(ks, space.counters)
    schedule.clear(ks, space.schedule)
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


def _pack(ctx: SimpleContext, value: Value) -> bytes:
    """The stored form of a value. raises: Unstorable, ValueTooLong: its parts were short enough, but not all of it."""
    stored = pack(value)
    if len(stored) > ctx.dbs.value_limit_bytes:
        raise ValueTooLong
    return stored


def _queue(name: Value) -> bytes:
    """The name of a queue's list."""
    packed = pack_name(name)
    if packed in _RESERVED or packed.startswith(_RESERVED_PREFIXES):
        return ESCAPE + encode(packed)
    return packed


def _priorities(name: bytes) -> bytes:
    """Where the values with a priority of the queue with the list `name` are."""
    return PRIORITIES + b":" + name


def _claim(ctx: SimpleContext, name: bytes) -> None:
    """Note that this protocol uses a queue."""
    if not hashes.exists(ctx.ks, ctx.space.queues, name):
        hashes.put(ctx.ks, ctx.space.queues, name, b"")


def _rank(priority: Value) -> int:
    """A number that orders as priorities do, the highest first; 0 for none. raises: BadPriority."""
    if priority is None:
        return 0
    if priority.__class__ not in (int, float):
        raise BadPriority
    try:
        (bits,) = _I64.unpack(_DOUBLE.pack(float(-priority)))
    except OverflowError:
        raise BadPriority from None
    rank: int = bits if bits >= 0 else -(bits & _MAGNITUDE)
    return rank


def _timeout(timeout: Value) -> float | None:
    """Seconds; None for ever. raises: BadTimeout."""
    if timeout is None:
        return None
    if timeout.__class__ not in (int, float) or not 0 <= timeout <= _LONGEST_S:
        raise BadTimeout
    return float(timeout)


def _limit(limit: Value) -> int | None:
    if limit is None:
        return None
    if limit.__class__ is not int or limit < 0:
        raise BadLimit
    number: int = limit
    return number


def _open(stored: bytes | None) -> Value:
    return None if stored is None else unpack(stored)


def _find_equal(ks: Keyspace, name: bytes, wanted: Value, packed: bytes) -> bytes | None:
    """The stored form of the oldest value of a queue that equals `wanted`, which is no string; None if none does.

    packed: what `wanted` would be stored as; the same value may stand there as another number, or in another order.
    """
    record = lists.find(ks, name)
    if record is None:
        return None
    for first in range(record.head, record.tail, MANY):
        for stored in lists.read(ks, record, first, min(first + MANY, record.tail)):
            if _equals(stored, wanted, packed):
                return stored
    return None


def _equals(stored: bytes, wanted: Value, packed: bytes) -> bool:
    return stored == packed or (stored.startswith(packed[: len(ESCAPE) + 1]) and unpack(stored) == wanted)
