"""Random histories through the real client against the server in a dozen lines of Python."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spoold.protocol.typed import ESCAPE
from spoold.simple import Client
from spoold.testing.process import ServerProcess

START = datetime(2018, 1, 1)

scalars = st.one_of(
    st.none(),
    st.integers(-2, 2),
    st.integers(),
    st.sampled_from([0.0, 1.0, -1.5, 1e300]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([b"", b"a", b"1", b"\r\n", ESCAPE, ESCAPE + b":1\r\n"]),
    st.binary(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(scalars, inner, max_size=3)),
    max_leaves=6,
)
queues = st.sampled_from([b"q", b"", 1, b"1", 1.0, None, b"simple:kv", b"n" * 700])
keys = st.one_of(st.sampled_from([b"k", b"1", 1, 1.0, 0, -0.0, None, b"", b"k" * 700]), scalars)
moments = st.integers(-5, 5).map(lambda seconds: START + timedelta(seconds=seconds / 2))
some_keys = st.lists(keys, max_size=4)

steps = st.one_of(
    st.tuples(st.just("enqueue"), queues, values),
    st.tuples(st.just("dequeue"), queues),
    st.tuples(st.just("unqueue"), queues, values),
    st.tuples(st.just("queue_size"), queues),
    st.tuples(st.just("flush_queue"), queues),
    st.tuples(st.just("add_to_schedule"), values, moments),
    st.tuples(st.just("read_schedule"), moments),
    st.tuples(st.just("schedule_size")),
    st.tuples(st.just("flush_schedule")),
    st.tuples(st.just("set"), keys, values),
    st.tuples(st.just("get"), keys),
    st.tuples(st.just("pop_data"), keys),
    st.tuples(st.just("delete"), keys),
    st.tuples(st.just("has_data_for_key"), keys),
    st.tuples(st.just("put_if_empty"), keys, values),
    st.tuples(st.just("mset"), st.dictionaries(keys, values, max_size=4)),
    st.tuples(st.just("mget")).flatmap(lambda name: some_keys.map(lambda some: (*name, *some))),
    st.tuples(st.just("mpop")).flatmap(lambda name: some_keys.map(lambda some: (*name, *some))),
    st.tuples(st.just("result_store_size")),
    st.tuples(st.just("flush_results")),
    st.tuples(st.just("flush_all")),
)


class Model:
    """What the old server kept: deques, a sorted list, a dict."""

    def __init__(self) -> None:
        """Start empty."""
        self.queues: dict[Any, deque[Any]] = {}
        self.schedule: list[tuple[datetime, int, Any]] = []
        self.pairs: dict[Any, Any] = {}
        self.added = 0

    def queue(self, name: Any) -> deque[Any]:
        """One queue."""
        return self.queues.setdefault(name, deque())

    def enqueue(self, queue: Any, data: Any) -> int:
        """1."""
        self.queue(queue).append(data)
        return 1

    def dequeue(self, queue: Any) -> Any:
        """The oldest."""
        return self.queue(queue).popleft() if self.queue(queue) else None

    def unqueue(self, queue: Any, data: Any) -> int:
        """The oldest equal one goes."""
        if data not in self.queue(queue):
            return 0
        self.queue(queue).remove(data)
        return 1

    def queue_size(self, queue: Any) -> int:
        """How many."""
        return len(self.queue(queue))

    def flush_queue(self, queue: Any) -> int:
        """How many there were."""
        count = len(self.queue(queue))
        self.queue(queue).clear()
        return count

    def add_to_schedule(self, data: Any, ts: datetime) -> int:
        """1."""
        self.added += 1
        self.schedule.append((ts, self.added, data))
        return 1

    def read_schedule(self, ts: datetime) -> list[Any]:
        """All that is due."""
        due = sorted((item for item in self.schedule if item[0] <= ts), key=lambda item: item[:2])
        self.schedule = [item for item in self.schedule if item[0] > ts]
        return [data for _, _, data in due]

    def schedule_size(self) -> int:
        """How many."""
        return len(self.schedule)

    def flush_schedule(self) -> int:
        """How many there were."""
        count = len(self.schedule)
        self.schedule = []
        return count

    def set(self, key: Any, value: Any) -> int:
        """1."""
        self.pairs[key] = value
        return 1

    def get(self, key: Any) -> Any:
        """The value."""
        return self.pairs.get(key)

    def pop_data(self, key: Any) -> Any:
        """The value goes."""
        return self.pairs.pop(key, None)

    def delete(self, key: Any) -> int:
        """Whether it was there."""
        there = key in self.pairs
        self.pairs.pop(key, None)
        return int(there)

    def has_data_for_key(self, key: Any) -> int:
        """Whether it is there."""
        return int(key in self.pairs)

    def put_if_empty(self, key: Any, value: Any) -> int:
        """Whether it was put."""
        there = key in self.pairs
        self.pairs.setdefault(key, value)
        return int(not there)

    def mset(self, pairs: dict[Any, Any]) -> int:
        """How many."""
        self.pairs.update(pairs)
        return len(pairs)

    def mget(self, *some: Any) -> list[Any]:
        """The values."""
        return [self.pairs.get(key) for key in some]

    def mpop(self, *some: Any) -> list[Any]:
        """The values go."""
        return [self.pairs.pop(key, None) for key in some]

    def result_store_size(self) -> int:
        """How many."""
        return len(self.pairs)

    def flush_results(self) -> int:
        """How many there were."""
        count = len(self.pairs)
        self.pairs.clear()
        return count

    def flush_all(self) -> int:
        """1."""
        self.__init__()  # type: ignore[misc]
        return 1


@pytest.fixture(scope="module")
def module_client(simple_server: tuple[ServerProcess, int]) -> Iterator[Client]:
    """One client for all examples."""
    with Client(port=simple_server[1]) as client:
        yield client


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=st.lists(steps, max_size=40))
def test_any_history_gives_what_the_model_gives(module_client: Client, history: list[tuple[Any, ...]]) -> None:
    module_client.flush_all()
    model = Model()
    for name, *arguments in history:
        got, wanted = getattr(module_client, name)(*arguments), getattr(model, name)(*arguments)
        assert repr(got) == repr(wanted), (name, arguments)
    for queue in model.queues:
        while (wanted := model.queue_size(queue)) or module_client.queue_size(queue):
            assert wanted
            assert repr(module_client.dequeue(queue)) == repr(model.dequeue(queue))
