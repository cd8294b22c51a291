"""Huey's storage over commands of Redis: against a server through a client, or against an engine in this process.

    huey:NAME:queue          list: jobs of priority 0, the oldest first
    huey:NAME:urgent, :late  sorted sets: jobs of a higher or a lower priority, by priority and age
    huey:NAME:urgent:bell, :late:bell   lists with one element for each job in the sorted set
    huey:NAME:schedule       sorted set: jobs by the µs at which they fall due
    huey:NAME:result:KEY     string: a result, a revocation, a lock
    huey:NAME:counter:KEY    string: a counter
    huey:NAME:revocations    string: there are, or were, revocations among the results
    huey:NAME:waiting:KEY    set: lists to which whoever waits for the result KEY listens
    huey:NAME:call:ID        such a list

NAME has every character but letters, digits and `_.-` percent-encoded, so that no two names share a key.

A consumer waits for all three kinds of jobs with one BLPOP over the lists: the bell for urgent jobs, the queue, the
bell for late ones. What comes out of a bell says that one job of its sorted set is to be taken. A consumer that is
killed between the two leaves a job without a bell; whoever has nothing to do looks for such.

A member of a sorted set begins with eight bytes that rise with each call of this process and with the clock: they keep
equal jobs apart and in order.

Whoever waits for a result adds a list of its own to the set of those who wait, then looks whether the result is there,
then waits at its list; whoever stores a result then reads the set: one of the two sees the other.

Two round trips a job. Huey looks for revocations of a job when it has taken one, and clears the job's own when it has
run it; mostly there are none. So whoever takes a job asks in the same breath whether there are any at all, and what is
to be cleared goes with the result.

Naive datetimes are taken as they are, as if they were UTC, so that no change of the local clock makes two of them one.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from huey.constants import EmptyData
from huey.storage import BaseStorage

from spoold.contrib.huey_commands import Command, Commands

_PAGE: Final = 1000
# A wait is cut into pieces of this length, so that a server that vanished without a word is noticed.
_WAIT_PIECE_S: Final = 30.0
# How long what tells of a wait outlives it, if whoever waited can't clear it away.
_LEFTOVER_S: Final = 60
_ORDER_BYTES: Final = 8
_EPOCH: Final = datetime(1970, 1, 1)
_MICROSECOND: Final = timedelta(microseconds=1)
# What Huey begins the keys of revocations with: of one job, of all jobs of a task.
_REVOCATIONS: Final = (b"r:", b"rt:")


class Order:
    """Numbers that rise: the time in µs, or one more than the last where that has not gone on."""

    def __init__(self) -> None:
        """For all threads of a process."""
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> bytes:
        """The next number as 8 bytes that sort as it does."""
        with self._lock:
            self._last = last = max(self._last + 1, time.time_ns() // 1000)
        return last.to_bytes(_ORDER_BYTES, "big")


_order = Order()


class _Now(threading.local):
    """What a thread is at.

    unrevoked: there were no revocations at all when it took the job that it runs now, and it did not look since.
    clearing: the key that it is to delete with its next command; deferred: whose deletion may wait so.
    """

    unrevoked = False
    clearing: bytes | None = None
    deferred: bytes | None = None


class CommandStorage(BaseStorage):  # type: ignore[misc]
    """All that huey asks of a storage; keys and values are text or bytes, what comes back is bytes.

    blocking: `dequeue` waits for a job, for `read_timeout` seconds. expire_time: seconds after which a result that no
    one has read is dropped; None keeps it.
    """

    priority = True

    def __init__(
        self,
        name: str,
        commands: Commands,
        *,
        blocking: bool = True,
        read_timeout: float = 1.0,
        expire_time: float | None = None,
    ) -> None:
        """name: of the app; apps of different names share nothing. commands: carries them out."""
        super().__init__(name)
        if read_timeout <= 0:
            raise ValueError("read_timeout must be more than 0 seconds")
        if expire_time is not None and expire_time <= 0:
            raise ValueError("expire_time must be more than 0 seconds, or None")
        self.commands = commands
        self.blocking = blocking
        self.read_timeout = read_timeout
        self.expire_time = expire_time
        prefix = f"huey:{quote(name, safe='')}:".encode()
        self.queue_key = prefix + b"queue"
        self.urgent_key = prefix + b"urgent"
        self.urgent_bell = prefix + b"urgent:bell"
        self.late_key = prefix + b"late"
        self.late_bell = prefix + b"late:bell"
        self.schedule_key = prefix + b"schedule"
        self.revocations_key = prefix + b"revocations"
        self._now = _Now()
        self._result_prefix = prefix + b"result:"
        self._counter_prefix = prefix + b"counter:"
        self._waiting_prefix = prefix + b"waiting:"
        self._call_prefix = prefix + b"call:"

    def close(self) -> bool:
        """Close connections and files that no call uses; a later call opens what it needs again."""
        self.commands.close()
        return True

    # -- queue --------------------------------------------------------------------------------------------------

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        """Add a job. priority: higher ones come first, equal ones in the order of adding; None is 0."""
        if not priority:
            self.commands.call("RPUSH", self.queue_key, data)
            return
        key, bell = (self.urgent_key, self.urgent_bell) if priority > 0 else (self.late_key, self.late_bell)
        member = _order.next() + bytes(data)
        self.commands.run((("MULTI",), ("ZADD", key, -float(priority), member), ("RPUSH", bell, b""), ("EXEC",)))

    def dequeue(self) -> bytes | None:
        """Take the next job. returns: it; None if there is none, and did not come in time either."""
        deadline_s = time.monotonic() + self.read_timeout
        lists = (self.urgent_bell, self.queue_key, self.late_bell)
        left_s = self.read_timeout
        while True:
            if self.blocking:
                take: tuple[Command, ...] = (("BLPOP", *lists, left_s), ("EXISTS", self.revocations_key))
                found, revocations = self.commands.run(take, wait_s=left_s)
            else:
                take = (("LMPOP", 3, *lists, "LEFT"), ("EXISTS", self.revocations_key))
                found, revocations = self.commands.run(take)
                if found is not None:
                    found = (found[0], found[1][0])
            self._now.unrevoked = not revocations
            if found is None:
                return self._without_bell()
            name, item = found
            if name == self.queue_key:
                job: bytes = item
                return job
            taken = self.commands.call("ZPOPMIN", self.urgent_key if name == self.urgent_bell else self.late_key)
            if taken:
                return _job(taken[0])
            # Someone who had nothing to do took the job before its bell.
            left_s = max(deadline_s - time.monotonic(), 0.001)

    def _without_bell(self) -> bytes | None:
        """A job whose bell was lost with a consumer."""
        counts = self.commands.run((("ZCARD", self.urgent_key), ("ZCARD", self.late_key)), repeat=True)
        for key, count in zip((self.urgent_key, self.late_key), counts, strict=True):
            if count and (taken := self.commands.call("ZPOPMIN", key)):
                return _job(taken[0])
        return None

    def queue_size(self) -> int:
        """How many jobs wait, those of the schedule not counted."""
        return sum(
            self.commands.run(
                (("ZCARD", self.urgent_key), ("LLEN", self.queue_key), ("ZCARD", self.late_key)), repeat=True
            )
        )

    def enqueued_items(self, limit: int | None = None) -> list[bytes]:
        """The next jobs in the order in which they will be taken. limit: at most so many; None is all."""
        last = limit - 1 if limit else -1
        urgent, plain, late = self.commands.run(
            (
                ("ZRANGE", self.urgent_key, 0, last),
                ("LRANGE", self.queue_key, 0, last),
                ("ZRANGE", self.late_key, 0, last),
            ),
            repeat=True,
        )
        items = [*map(_job, urgent), *plain, *map(_job, late)]
        return items[:limit] if limit else items

    def flush_queue(self) -> None:
        """Drop all jobs of the queue."""
        keys = (self.urgent_key, self.urgent_bell, self.queue_key, self.late_key, self.late_bell)
        self.commands.call("UNLINK", *keys, repeat=True)

    # -- schedule -----------------------------------------------------------------------------------------------

    def add_to_schedule(self, data: bytes, ts: datetime) -> None:
        """Add a job that falls due at `ts`."""
        self.commands.call("ZADD", self.schedule_key, microseconds(ts), _order.next() + bytes(data))

    def read_schedule(self, ts: datetime) -> list[bytes]:
        """Take all jobs that are due at or before `ts`; returns them, the earliest first."""
        until = microseconds(ts)
        *_, (due, _) = self.commands.run(
            (
                ("MULTI",),
                ("ZRANGEBYSCORE", self.schedule_key, "-inf", until),
                ("ZREMRANGEBYSCORE", self.schedule_key, "-inf", until),
                ("EXEC",),
            )
        )
        return list(map(_job, due))

    def schedule_size(self) -> int:
        """How many jobs the schedule has."""
        size: int = self.commands.call("ZCARD", self.schedule_key, repeat=True)
        return size

    def scheduled_items(self, limit: int | None = None) -> list[bytes]:
        """The jobs of the schedule, the earliest first. limit: at most so many; None is all."""
        return list(
            map(_job, self.commands.call("ZRANGE", self.schedule_key, 0, limit - 1 if limit else -1, repeat=True))
        )

    def flush_schedule(self) -> None:
        """Drop all jobs of the schedule."""
        self.commands.call("UNLINK", self.schedule_key, repeat=True)

    # -- results ------------------------------------------------------------------------------------------------

    def put_data(self, key: str | bytes, value: bytes, is_result: bool = False) -> None:
        """Store a value, and wake who waits for it. is_result: it may expire."""
        name = _bytes(key)
        store: list[Any] = ["SET", self._result_prefix + name, bytes(value)]
        if is_result and self.expire_time is not None:
            store += ["PX", _ms(self.expire_time)]
        waiting = self._waiting_prefix + name
        commands: list[Command] = [store, ("SMEMBERS", waiting)]
        clearing, self._now.clearing = self._now.clearing, None
        if clearing is not None:
            commands.insert(0, ("DEL", clearing))
        if name.startswith(_REVOCATIONS):
            commands.insert(0, ("SET", self.revocations_key, b"1"))
        calls = self.commands.run(commands, repeat=True)[-1]
        if calls:
            wake: list[Command] = [("UNLINK", waiting)]
            for call in calls:
                wake += [("RPUSH", call, b""), ("EXPIRE", call, _LEFTOVER_S)]
            self.commands.run(wake, repeat=True)

    def peek_data(self, key: str | bytes) -> Any:
        """Read a value. returns: it, or EmptyData."""
        value = self.commands.call("GET", self._result(key), repeat=True)
        return EmptyData if value is None else value

    def peek_many(self, keys: Iterable[str | bytes]) -> dict[str | bytes, bytes]:
        """Read the values of keys. returns: those that there are, by key."""
        wanted = list(keys)
        names = list(map(_bytes, wanted))
        if self._now.unrevoked and all(name.startswith(_REVOCATIONS) for name in names):
            self._now.unrevoked = False
            return {}
        if not wanted:
            return {}
        values = self.commands.call("MGET", *(self._result_prefix + name for name in names), repeat=True)
        return {key: value for key, value in zip(wanted, values, strict=True) if value is not None}

    def pop_data(self, key: str | bytes) -> Any:
        """Take a value out. returns: it, or EmptyData."""
        value = self.commands.call("GETDEL", self._result(key))
        return EmptyData if value is None else value

    def delete_data(self, key: str | bytes) -> bool:
        """Delete a value. returns: whether there was one; False where that is not known yet (`executing`)."""
        name = self._result(key)
        if name == self._now.deferred:
            self._now.clearing, self._now.deferred = name, None
            return False
        return bool(self.commands.call("DEL", name))

    @contextlib.contextmanager
    def executing(self, revocation: str) -> Iterator[None]:
        """While a thread runs a job: what it clears of the job's own revocation goes with the job's result.

        revocation: its key. At the end it is cleared, if Huey wanted that, with or without a result.
        """
        now = self._now
        outer = now.deferred
        now.deferred = self._result(revocation)
        try:
            yield
        finally:
            now.deferred = outer
            clearing, now.clearing = now.clearing, None
            if clearing is not None:
                self.commands.call("DEL", clearing, repeat=True)

    def has_data_for_key(self, key: str | bytes) -> bool:
        """Whether there is a value."""
        return bool(self.commands.call("EXISTS", self._result(key), repeat=True))

    def put_if_empty(self, key: str | bytes, value: bytes, ttl: float | None = None) -> bool:
        """Store a value unless the key has one; one atomic step. ttl: seconds until it is dropped."""
        name = _bytes(key)
        if name.startswith(_REVOCATIONS):
            self.commands.call("SET", self.revocations_key, b"1", repeat=True)
        words: list[Any] = ["SET", self._result_prefix + name, bytes(value), "NX"]
        if ttl is not None:
            words += ["PX", _ms(ttl)]
        return self.commands.call(*words) is not None

    def wait_result(
        self,
        key: str | bytes,
        timeout: float | None = None,
        backoff: float = 1.15,
        max_delay: float = 1.0,
    ) -> bool:
        """Wait until there is a value, without polling.

        timeout: seconds; None = for ever. backoff, max_delay: of huey's own way, which asks again and again.
        returns: whether there is one.
        """
        name = _bytes(key)
        result, waiting = self._result_prefix + name, self._waiting_prefix + name
        call = self._call_prefix + secrets.token_hex(12).encode()
        deadline_s = None if timeout is None else time.monotonic() + timeout
        is_there = False
        while not is_there:
            left_s = _WAIT_PIECE_S if deadline_s is None else min(deadline_s - time.monotonic(), _WAIT_PIECE_S)
            listen: tuple[Command, ...] = (
                ("SADD", waiting, call),
                ("EXPIRE", waiting, int(_WAIT_PIECE_S) + _LEFTOVER_S),
                ("EXISTS", result),
            )
            is_there = bool(self.commands.run(listen, repeat=True)[-1])
            if is_there or left_s <= 0:
                break
            is_there = self.commands.call("BLPOP", call, left_s, wait_s=left_s, repeat=True) is not None
        self.commands.run((("SREM", waiting, call), ("UNLINK", call)), repeat=True)
        return is_there

    def result_store_size(self) -> int:
        """How many values there are. cost: O(values)."""
        return len(self._names(self._result_prefix))

    def result_items(self) -> dict[str, bytes]:
        """All values by key. cost: O(values)."""
        names = self._names(self._result_prefix)
        cut = len(self._result_prefix)
        items: dict[str, bytes] = {}
        for first in range(0, len(names), _PAGE):
            page = names[first : first + _PAGE]
            for name, value in zip(page, self.commands.call("MGET", *page, repeat=True), strict=True):
                if value is not None:
                    items[name[cut:].decode("utf-8", "backslashreplace")] = value
        return items

    def flush_results(self) -> None:
        """Drop all values. cost: O(values)."""
        # First: whoever revokes meanwhile says so again.
        self.commands.call("UNLINK", self.revocations_key, repeat=True)
        self._flush(self._result_prefix)

    # -- counters -----------------------------------------------------------------------------------------------

    def incr(self, key: str | bytes, amount: int = 1) -> int:
        """Add to a counter, which begins at 0; one atomic step. returns: its new value."""
        value: int = self.commands.call("INCRBY", self._counter_prefix + _bytes(key), amount)
        return value

    def delete_counter(self, key: str | bytes) -> None:
        """Let a counter begin at 0 again."""
        self.commands.call("DEL", self._counter_prefix + _bytes(key), repeat=True)

    def flush_counters(self) -> None:
        """Drop all counters. cost: O(counters)."""
        self._flush(self._counter_prefix)

    # -- inside -------------------------------------------------------------------------------------------------

    def _result(self, key: str | bytes) -> bytes:
        return self._result_prefix + _bytes(key)

    def _names(self, prefix: bytes) -> list[bytes]:
        """All keys that begin with `prefix`, each once."""
        found: dict[bytes, None] = {}
        pattern = re.sub(rb"([\\*?\[\]])", rb"\\\1", prefix) + b"*"
        cursor = b"0"
        while True:
            cursor, names = self.commands.call("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE, repeat=True)
            found.update(dict.fromkeys(names))
            if cursor == b"0":
                return list(found)

    def _flush(self, prefix: bytes) -> None:
        names = self._names(prefix)
        for first in range(0, len(names), _PAGE):
            self.commands.call("UNLINK", *names[first : first + _PAGE], repeat=True)


def naive(moment: datetime) -> datetime:
    """A moment without a zone: UTC, unless it has none to begin with."""
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def microseconds(moment: datetime) -> int:
    """µs since 1970; a naive datetime counts as UTC."""
    return (naive(moment) - _EPOCH) // _MICROSECOND


def _job(member: bytes) -> bytes:
    return member[_ORDER_BYTES:]


def _bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else bytes(key)


def _ms(seconds: float) -> int:
    return max(int(seconds * 1000), 1)
