"""Random histories through the real client against the server in a dozen lines of Python."""

from __future__ import annotations

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
    st.tuples(st.just("enqueue"), queues, values, st.sampled_from([None, 0, 1, -1, 2.5, -0.0, 1e300, -1e300, 5e-324])),
    st.tuples(st.just("queue_items"), queues, st.none() | st.integers(0, 4)),
    st.tuples(st.just("scheduled_items"), st.none() | st.integers(0, 4)),
    st.tuples(st.just("incr"), keys, st.integers(-3, 3)),
    st.tuples(st.just("delete_counter"), keys),
    st.tuples(st.just("flush_counters")),
    st.tuples(st.just("result_items")),
    st.tuples(st.just("wait_for_data"), keys, st.just(0)),
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


class Unordered:
    """A dictionary that looks like any with the same pairs. Equal numbers are one key, in whichever form it came."""

    def __init__(self, pairs: dict[Any, Any]) -> None:
        self.pairs = sorted(f"{self._one_form(key)!r}: {value!r}" for key, value in pairs.items())

    @staticmethod
    def _one_form(key: Any) -> Any:
        return int(key) if isinstance(key, float) and key.is_integer() else key

    def __repr__(self) -> str:
        return repr(self.pairs)


class Model:
    """What the server keeps: sorted lists and dicts."""

    def __init__(self) -> None:
        """Start empty."""
        self.queues: dict[Any, list[tuple[float, int, Any]]] = {}
        self.schedule: list[tuple[datetime, int, Any]] = []
        self.pairs: dict[Any, Any] = {}
        self.counters: dict[Any, int] = {}
        self.added = 0

    def queue(self, name: Any) -> list[tuple[float, int, Any]]:
        """One queue: priority, age, value; in order."""
        return self.queues.setdefault(name, [])

    def enqueue(self, queue: Any, data: Any, priority: float | None = None) -> int:
        """1."""
        self.added += 1
        self.queue(queue).append((-(priority or 0), self.added, data))
        self.queue(queue).sort(key=lambda item: item[:2])
        return 1

    def dequeue(self, queue: Any) -> Any:
        """The first."""
        return self.queue(queue).pop(0)[2] if self.queue(queue) else None

    def queue_items(self, queue: Any, limit: int | None) -> list[Any]:
        """The next ones."""
        return [data for _, _, data in self.queue(queue)][:limit]

    def unqueue(self, queue: Any, data: Any) -> int:
        """The first equal one goes; those without a priority are looked at first."""
        for item in sorted(self.queue(queue), key=lambda item: item[0] != 0):
            if item[2] == data:
                self.queues[queue] = [other for other in self.queue(queue) if other is not item]
                return 1
        return 0

    def queue_size(self, queue: Any) -> int:
        """How many."""
        return len(self.queue(queue))

    def flush_queue(self, queue: Any) -> int:
        """How many there were."""
        count = len(self.queue(queue))
        self.queue(queue).clear()
        return count

    def scheduled_items(self, limit: int | None) -> list[Any]:
        """The next ones."""
        return [data for _, _, data in sorted(self.schedule, key=lambda item: item[:2])][:limit]

    def incr(self, key: Any, amount: int) -> int:
        """Its value."""
        self.counters[key] = self.counters.get(key, 0) + amount
        return self.counters[key]

    def delete_counter(self, key: Any) -> int:
        """Whether it was there."""
        return int(self.counters.pop(key, None) is not None)

    def flush_counters(self) -> int:
        """How many there were."""
        count = len(self.counters)
        self.counters.clear()
        return count

    def result_items(self) -> Any:
        """All, in any order."""
        return Unordered(self.pairs)

    def wait_for_data(self, key: Any, wait_s: float) -> bool:
        """Whether it is there."""
        return key in self.pairs

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
        if isinstance(wanted, Unordered):
            got = Unordered(got)
        assert repr(got) == repr(wanted), (name, arguments)
    for queue in model.queues:
        while (wanted := model.queue_size(queue)) or module_client.queue_size(queue):
            assert wanted
            assert repr(module_client.dequeue(queue)) == repr(model.dequeue(queue))
