"""Huey's storage over the simple protocol, as `SimpleHuey` had it in 2018, with all that Huey asks of one today.

The queue is the queue NAME of the simple door, and so the list NAME of all others. Schedule, results and counters are
in the name space `huey:NAME` of that door: apps on one server do not meet.

source: docs/protocols/simple.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from huey.constants import EmptyData
from huey.storage import BaseStorage

from spoold.client.simple import DEFAULT_HOST, DEFAULT_PORT, Client
from spoold.contrib.huey_storage import naive


class SimpleStorage(BaseStorage):  # type: ignore[misc]
    """All that huey asks of a storage, but for values that expire; what comes back is bytes.

    client: speaks to the server. blocking: `dequeue` waits for a job, for `read_timeout` seconds.
    """

    priority = True

    def __init__(
        self,
        name: str = "huey",
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
        *,
        blocking: bool = True,
        read_timeout: float = 1.0,
        timeout: float | None = 30.0,
        patience: float = 3.0,
    ) -> None:
        """Nothing is connected yet. timeout, patience: seconds for an answer, and to go on trying to connect."""
        super().__init__(name)
        if read_timeout <= 0:
            raise ValueError("read_timeout must be more than 0 seconds")
        self.client = Client(host, port, timeout, namespace=f"huey:{name}", patience_s=patience)
        self.blocking = blocking
        self.read_timeout = read_timeout

    def close(self) -> bool:
        """Close the connections that no call uses; a later call opens one again."""
        self.client.close()
        return True

    # -- queue --------------------------------------------------------------------------------------------------

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        """Add a job. priority: higher ones come first, equal ones in the order of adding; None is 0."""
        self.client.enqueue(self.name, bytes(data), priority or None)

    def dequeue(self) -> bytes | None:
        """Take the next job. returns: it; None if there is none, and did not come in time either."""
        job: bytes | None = self.client.dequeue(self.name, self.read_timeout if self.blocking else 0.0)
        return job

    def queue_size(self) -> int:
        """How many jobs wait, those of the schedule not counted."""
        return self.client.queue_size(self.name)

    def enqueued_items(self, limit: int | None = None) -> list[bytes]:
        """The next jobs in the order in which they will be taken. limit: at most so many; None is all."""
        return self.client.queue_items(self.name, limit or None)

    def flush_queue(self) -> None:
        """Drop all jobs of the queue."""
        self.client.flush_queue(self.name)

    # -- schedule -----------------------------------------------------------------------------------------------

    def add_to_schedule(self, data: bytes, ts: datetime) -> None:
        """Add a job that falls due at `ts`."""
        self.client.add_to_schedule(bytes(data), naive(ts))

    def read_schedule(self, ts: datetime) -> list[bytes]:
        """Take all jobs that are due at or before `ts`; returns them, the earliest first."""
        return self.client.read_schedule(naive(ts))

    def schedule_size(self) -> int:
        """How many jobs the schedule has."""
        return self.client.schedule_size()

    def scheduled_items(self, limit: int | None = None) -> list[bytes]:
        """The jobs of the schedule, the earliest first. limit: at most so many; None is all."""
        return self.client.scheduled_items(limit or None)

    def flush_schedule(self) -> None:
        """Drop all jobs of the schedule."""
        self.client.flush_schedule()

    # -- results ------------------------------------------------------------------------------------------------

    def put_data(self, key: str | bytes, value: bytes, is_result: bool = False) -> None:
        """Store a value, and wake who waits for it. is_result: results and other values are kept alike."""
        self.client.put_data(key, bytes(value))

    def peek_data(self, key: str | bytes) -> Any:
        """Read a value. returns: it, or EmptyData."""
        value = self.client.peek_data(key)
        return EmptyData if value is None else value

    def peek_many(self, keys: Iterable[str | bytes]) -> dict[str | bytes, bytes]:
        """Read the values of keys. returns: those that there are, by key."""
        wanted = list(keys)
        values = self.client.mget(*wanted)
        return {key: value for key, value in zip(wanted, values, strict=True) if value is not None}

    def pop_data(self, key: str | bytes) -> Any:
        """Take a value out. returns: it, or EmptyData."""
        value = self.client.pop_data(key)
        return EmptyData if value is None else value

    def delete_data(self, key: str | bytes) -> bool:
        """Delete a value. returns: whether there was one."""
        return bool(self.client.delete(key))

    def has_data_for_key(self, key: str | bytes) -> bool:
        """Whether there is a value."""
        return bool(self.client.has_data_for_key(key))

    def put_if_empty(self, key: str | bytes, value: bytes, ttl: float | None = None) -> bool:
        """Store a value unless the key has one; one atomic step.

        raises: NotImplementedError: with a ttl, as of most of Huey's storages; SpooldHuey has it.
        """
        if ttl is not None:
            raise NotImplementedError(
                "the simple protocol has no values that expire: use SpooldHuey for locks with a ttl"
            )
        return bool(self.client.put_if_empty(key, bytes(value)))

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
        return self.client.wait_for_data(key, timeout)

    def result_store_size(self) -> int:
        """How many values there are."""
        return self.client.result_store_size()

    def result_items(self) -> dict[str, bytes]:
        """All values by key. cost: O(values)."""
        return {key.decode("utf-8", "backslashreplace"): value for key, value in self.client.result_items().items()}

    def flush_results(self) -> None:
        """Drop all values."""
        self.client.flush_results()

    # -- counters -----------------------------------------------------------------------------------------------

    def incr(self, key: str | bytes, amount: int = 1) -> int:
        """Add to a counter, which begins at 0; one atomic step. returns: its new value."""
        return self.client.incr(key, amount)

    def delete_counter(self, key: str | bytes) -> None:
        """Let a counter begin at 0 again."""
        self.client.delete_counter(key)

    def flush_counters(self) -> None:
        """Drop all counters."""
        self.client.flush_counters()
