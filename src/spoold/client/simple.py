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
from spoold.client.link import Link, Pool
from spoold.protocol.codec import Limits
from spoold.protocol.simple import Fault, Value, ValueReader, encode

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 31337

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "Client", "ClientError", "CommandError", "ConnectionFailed", "TimedOut"]

# The server bounds what it takes; what it gives (all that is due, say) may be more than one request held.
_REPLY_LIMITS: Final = Limits(bulk_bytes=1 << 40, args=1 << 40, request_bytes=1 << 40, inline_bytes=1 << 20)
# Sent again where the reply was lost: they change nothing.
_READS: Final = frozenset(("GET", "MGET", "EXISTS", "LENGTH", "LENGTH_KV", "LENGTH_SCHEDULE"))


class Client:
    """Speaks to one server.

    host, port: where. timeout_s: how long to wait for a connection, and then for the next bytes; None = for ever.
    """

    def __init__(self, host: str = DEFAULT_HOST, port: int = DEFAULT_PORT, timeout_s: float | None = 30.0) -> None:
        """Connects with the first command, or with `connect`."""
        self.host = host
        self.port = port
        self.timeout_s = timeout_s
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
        reader = ValueReader(_REPLY_LIMITS)
        return Link((self.host, self.port), self.timeout_s, reader, "the simple protocol")

    # -- queues -------------------------------------------------------------------------------------------------

    def enqueue(self, queue: Value, data: Value) -> int:
        """Add a value at the end of a queue. returns: 1."""
        return self._int("ENQUEUE", queue, data)

    def dequeue(self, queue: Value) -> Value:
        """Take the oldest value of a queue. returns: it; None if the queue is empty."""
        return self.execute("DEQUEUE", queue)

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

    def result_store_size(self) -> int:
        """Count the keys."""
        return self._int("LENGTH_KV")

    def flush_results(self) -> int:
        """Delete all keys. returns: how many there were."""
        return self._int("FLUSH_KV")

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
