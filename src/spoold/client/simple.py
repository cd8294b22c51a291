"""The client of the simple protocol: a method for each command of the server.

    with Client("127.0.0.1", 31337) as client:
        client.enqueue("jobs", {"id": 1, "body": b"..."})
        client.dequeue("jobs")  # {b"id": 1, b"body": b"..."}

Values are bytes, str, int, float, bool, None, lists, tuples and dicts of them, at any depth. What comes back has the
same type, except that text comes back as its UTF-8 bytes, a bool as 1 or 0, a tuple as a list.

A client may be shared by threads, and be used after a fork. Each call has a connection of its own while it lasts: one
that an earlier call gave back, else a new one, so there are as many as calls ever ran at the same time.

A connection that broke while no one used it (the server was restarted) is noticed before it is used again, and
replaced. If it breaks later, no one knows whether the command was carried out: one that only reads is sent once more on
a new connection, any other raises ConnectionFailed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

from spoold.client.errors import ClientError, CommandError, ConnectionFailed, TimedOut
from spoold.client.link import Link, Pool, connect_within
from spoold.protocol.codec import Limits
from spoold.protocol.simple import Fault, Value, ValueReader, encode

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 31337

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "Client", "ClientError", "CommandError", "ConnectionFailed", "TimedOut"]

# The server bounds what it takes; what it gives (all that is due, say) may be more than one request held.
_REPLY_LIMITS: Final = Limits(bulk_bytes=1 << 40, args=1 << 40, request_bytes=1 << 40, inline_bytes=1 << 20)
# Sent again where the reply was lost: they change nothing.
_READS: Final = frozenset(
    ("GET", "MGET", "EXISTS", "LENGTH", "LENGTH_KV", "LENGTH_SCHEDULE", "ITEMS", "ITEMS_KV", "SCHEDULED", "WAIT")
)


class Client:
    """Speaks to one server.

    host, port: where. timeout_s: how long to wait for a connection, and then for the next bytes; None = for ever.
    patience_s: how long to go on trying to connect while the server is away.
    namespace: whose schedule, keys and counters it sees; queues are the same for all.
    """

    def __init__(
        self,
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
        timeout_s: float | None = 30.0,
        *,
        namespace: Value = None,
        patience_s: float = 0.0,
    ) -> None:
        """Connects with the first command, or with `connect`. namespace: as USE takes it; None: that of all."""
        self.host = host
        self.port = port
        self.timeout_s = timeout_s
        self.namespace = namespace
        self.patience_s = patience_s
        self._pool = Pool(self._connect)

    def __repr__(self) -> str:
        return f"Client({self.host!r}, {self.port})"

    # -- connections --------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Make sure that there is a connection. raises: ConnectionFailed, TimedOut."""
        self._pool.give(self._pool.take())

    def close(self) -> None:
        """Close the connections that no call uses; a later command opens a new one."""
        self._pool.close()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def execute(self, command: str, *arguments: Value) -> Value:
        """Run any command.

        raises: CommandError, ConnectionFailed, TimedOut; ValueError, TypeError: an argument that can't be sent.
        """
        return self._execute(command, arguments)

    def _execute(self, command: str, arguments: tuple[Value, ...], wait_s: float | None = 0.0) -> Value:
        """Run any command. wait_s: how long the server may let it wait by intention; None = for ever."""
        request = encode([command, *arguments])
        link = self._pool.take()
        try:
            (reply,) = link.ask(request, 1, wait_s)
        except TimedOut:
            raise
        except ConnectionFailed:
            if command.upper() not in _READS:
                raise
            link = self._connect()
            (reply,) = link.ask(request, 1, wait_s)
        self._pool.give(link)
        if isinstance(reply, Fault):
            raise CommandError(reply.message.decode("utf-8", "replace"))
        return reply

    def _connect(self) -> Link:
        return connect_within(self._connect_once, self.patience_s)

    def _connect_once(self) -> Link:
        reader = ValueReader(_REPLY_LIMITS)
        link = Link((self.host, self.port), self.timeout_s, reader, "the simple protocol")
        if self.namespace is not None:
            (reply,) = link.ask(encode(["USE", self.namespace]))
            if isinstance(reply, Fault):
                link.close()
                raise CommandError(reply.message.decode("utf-8", "replace"))
        return link

    # -- queues -------------------------------------------------------------------------------------------------

    def enqueue(self, queue: Value, data: Value, priority: float | None = None) -> int:
        """Add a value at the end of a queue. priority: higher ones come first, no priority is 0. returns: 1."""
        if priority is None:
            return self._int("ENQUEUE", queue, data)
        return self._int("ENQUEUE", queue, data, priority)

    def dequeue(self, queue: Value, wait_s: float | None = 0.0) -> Value:
        """Take the oldest value of a queue, or of its highest priority.

        wait_s: how long to wait for one; None = for ever.
        returns: it; None if the queue is empty.
        """
        if wait_s == 0:
            return self.execute("DEQUEUE", queue)
        return self._execute("DEQUEUE", (queue, wait_s), wait_s)

    def queue_items(self, queue: Value, limit: int | None = None) -> list[Value]:
        """Read the next values of a queue without taking them. limit: at most so many; None is all."""
        return self._list("ITEMS", queue, limit)

    def unqueue(self, queue: Value, data: Value) -> int:
        """Remove the oldest value that equals `data`. returns: 1, or 0 if there is none."""
        return self._int("REMOVE", queue, data)

    def queue_size(self, queue: Value) -> int:
        """Count the values of a queue."""
        return self._int("LENGTH", queue)

    def flush_queue(self, queue: Value) -> int:
        """Empty a queue. returns: how many values it had."""
        return self._int("FLUSH", queue)

    # -- the schedule -------------------------------------------------------------------------------------------

    def add_to_schedule(self, data: Value, ts: datetime | str) -> int:
        """Add a value that falls due at `ts`: a datetime (UTC if it has no zone), or its text. returns: 1."""
        return self._int("ADD", _timestamp(ts), data)

    def read_schedule(self, ts: datetime | str) -> list[Value]:
        """Take all values that are due at or before `ts`. returns: them, the earliest first."""
        return self._list("READ", _timestamp(ts))

    def scheduled_items(self, limit: int | None = None) -> list[Value]:
        """Read the values of the schedule without taking them, the earliest first. limit: at most so many."""
        return self._list("SCHEDULED", limit)

    def schedule_size(self) -> int:
        """Count the values of the schedule."""
        return self._int("LENGTH_SCHEDULE")

    def flush_schedule(self) -> int:
        """Empty the schedule. returns: how many values it had."""
        return self._int("FLUSH_SCHEDULE")

    # -- keys and values ----------------------------------------------------------------------------------------

    def put_data(self, key: Value, value: Value) -> int:
        """Give a key a value; also called `set`. returns: 1."""
        return self._int("SET", key, value)

    def peek_data(self, key: Value) -> Value:
        """Read the value of a key; also called `get`. returns: it; None if there is none."""
        return self.execute("GET", key)

    set = put_data
    get = peek_data

    def pop_data(self, key: Value) -> Value:
        """Take the value of a key. returns: it; None if there is none."""
        return self.execute("POP", key)

    def delete(self, key: Value) -> int:
        """Delete a key. returns: 1, or 0 if it does not exist."""
        return self._int("DELETE", key)

    def has_data_for_key(self, key: Value) -> int:
        """Tell whether a key exists. returns: 1 or 0."""
        return self._int("EXISTS", key)

    def put_if_empty(self, key: Value, value: Value) -> int:
        """Give a key a value unless it has one. returns: 1, or 0 if it has."""
        return self._int("SETNX", key, value)

    def mset(self, pairs: Mapping[Any, Value] | None = None, /, **more: Value) -> int:
        """Give keys values, from a mapping and from keyword arguments. returns: how many pairs there were."""
        words = [word for pair in (*(pairs or {}).items(), *more.items()) for word in pair]
        return self._int("MSET", *words)

    def mget(self, *keys: Value) -> list[Value]:
        """Read the values of keys. returns: them, None where there is none."""
        return self._list("MGET", *keys)

    def mpop(self, *keys: Value) -> list[Value]:
        """Take the values of keys. returns: them, None where there is none."""
        return self._list("MPOP", *keys)

    def wait_for_data(self, key: Value, wait_s: float | None = None) -> bool:
        """Wait until a key has a value. wait_s: how long; None = for ever. returns: whether it has one."""
        return bool(self._execute("WAIT", (key, wait_s), wait_s))

    def result_items(self) -> dict[Value, Value]:
        """Read all keys with their values."""
        reply: dict[Value, Value] = self.execute("ITEMS_KV")
        return reply

    def result_store_size(self) -> int:
        """Count the keys."""
        return self._int("LENGTH_KV")

    def flush_results(self) -> int:
        """Delete all keys. returns: how many there were."""
        return self._int("FLUSH_KV")

    # -- counters -----------------------------------------------------------------------------------------------

    def incr(self, key: Value, amount: int = 1) -> int:
        """Add to a counter, which begins at 0. returns: its new value."""
        return self._int("INCR", key, amount)

    def delete_counter(self, key: Value) -> int:
        """Let a counter begin at 0 again. returns: 1, or 0 if it has not begun."""
        return self._int("DELETE_COUNTER", key)

    def flush_counters(self) -> int:
        """Delete all counters. returns: how many there were."""
        return self._int("FLUSH_COUNTERS")

    # -- all of it ----------------------------------------------------------------------------------------------

    def flush_all(self) -> int:
        """Empty the queues, the schedule, and the keys and values of this protocol. returns: 1."""
        return self._int("FLUSHALL")

    def shutdown(self) -> int:
        """Stop the server. returns: 1."""
        return self._int("SHUTDOWN")

    def _int(self, command: str, *arguments: Value) -> int:
        reply: int = self.execute(command, *arguments)
        return reply

    def _list(self, command: str, *arguments: Value) -> list[Value]:
        reply: list[Value] = self.execute(command, *arguments)
        return reply


def _timestamp(moment: datetime | str) -> str:
    if not isinstance(moment, datetime):
        return moment
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(" ")
