"""The storage for huey, call by call: what Huey's own tests do not ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from huey.constants import EmptyData
from huey.exceptions import ConfigurationError
from huey.signals import SIGNAL_REVOKED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contrib.conftest import Place

from spoold.client.errors import ConnectionFailed
from spoold.client.redis import Client
from spoold.contrib.huey import SimpleHuey, SimpleStorage, SpooldHuey, SpooldStorage
from spoold.contrib.huey_storage import CommandStorage, Order, microseconds
from spoold.embedded.engine import EmbeddedError
from spoold.testing.process import ServerProcess, free_port

KINDS = ("server", "embedded", "simple")
MAKE = {
    "server": lambda place, name, **more: SpooldStorage(name, port=place.server.port, **more),
    "embedded": lambda place, name, **more: SpooldStorage(name, path=place.server.home / "embedded", **more),
    "simple": lambda place, name, **more: SimpleStorage(name, port=place.simple_port, **more),
}


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, place: Place) -> Iterator[Callable[..., Any]]:
    """Build storages of each kind; the default name is this test's."""
    made: list[Any] = []

    def build(name: str = request.node.name, **options: Any) -> Any:
        storage = MAKE[request.param](place, name, **({"read_timeout": 0.2} | options))
        made.append(storage)
        return storage

    yield build
    for storage in made:
        storage.flush_all()
        storage.close()


@pytest.fixture
def storage(make: Callable[..., Any]) -> Any:
    """An empty storage."""
    return make()


@pytest.fixture
def ours(place: Place, request: pytest.FixtureRequest) -> Iterator[SpooldStorage]:
    """A storage on a server, and so on commands of Redis."""
    storage = SpooldStorage(request.node.name, url=place.server.url, read_timeout=0.2)
    yield storage
    storage.flush_all()
    storage.close()


# -- the queue --------------------------------------------------------------------------------------------------------


def test_a_dequeue_waits_and_is_woken(storage: Any) -> None:
    storage.read_timeout = 20.0
    got: list[Any] = []
    for priority in (None, 3, -3):
        thread = threading.Thread(target=lambda: got.append(storage.dequeue()))
        begun = time.monotonic()
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        storage.enqueue(b"job", priority)
        thread.join(10)
        assert time.monotonic() - begun < 5
    assert got == [b"job"] * 3


def test_a_dequeue_ends_with_its_time(storage: Any) -> None:
    begun = time.monotonic()
    assert storage.dequeue() is None
    assert 0.15 < time.monotonic() - begun < 5


def test_a_dequeue_that_does_not_block_answers_at_once(make: Callable[..., Any]) -> None:
    storage = make(blocking=False, read_timeout=20.0)
    begun = time.monotonic()
    assert storage.dequeue() is None
    storage.enqueue(b"plain")
    storage.enqueue(b"urgent", 1)
    assert [storage.dequeue() for _ in range(3)] == [b"urgent", b"plain", None]
    assert time.monotonic() - begun < 5


def test_priorities_of_any_number(storage: Any) -> None:
    priorities = [0.5, 1e-300, -1e-300, float("inf"), float("-inf"), 2**70, -(2**70), 0.0, -0.0, None, 0.5]
    for at, priority in enumerate(priorities):
        if isinstance(storage, SimpleStorage) and priority in (float("inf"), float("-inf")):
            continue  # the simple protocol has no infinities
        storage.enqueue(b"%d" % at, priority)
    wanted = [b"3", b"5", b"0", b"10", b"1", b"7", b"8", b"9", b"2", b"6", b"4"]
    if isinstance(storage, SimpleStorage):
        wanted = [item for item in wanted if item not in (b"3", b"4")]
    assert storage.enqueued_items() == wanted
    for count in range(1, len(wanted) + 1):
        assert storage.enqueued_items(count) == wanted[:count]
    assert [storage.dequeue() for _ in wanted] == wanted
    assert storage.dequeue() is None


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(st.none(), st.sampled_from([0, 1, -1, 2.5]), st.just("take")), max_size=30))
def test_any_history_of_a_queue_is_that_of_a_sorted_list(storage: Any, steps: list[Any]) -> None:
    storage.flush_queue()
    storage.read_timeout = 0.001
    model: list[tuple[float, int, bytes]] = []
    for at, step in enumerate(steps):
        if step == "take":
            wanted = model.pop(0)[2] if model else None
            assert storage.dequeue() == wanted
        else:
            storage.enqueue(b"%d" % at, step)
            model = sorted([*model, (-(step or 0), at, b"%d" % at)])
        assert storage.queue_size() == len(model)
    assert storage.enqueued_items() == [data for _, _, data in model]


def test_equal_jobs_are_jobs_of_their_own(storage: Any) -> None:
    moment = datetime(2030, 1, 1)
    for priority in (None, None, 1, 1, -1, -1):
        storage.enqueue(b"same", priority)
        storage.add_to_schedule(b"same", moment)
    assert storage.queue_size() == storage.schedule_size() == 6
    assert storage.read_schedule(moment) == [b"same"] * 6


def test_many_threads_take_each_job_once(storage: Any) -> None:
    for number in range(200):
        storage.enqueue(b"%d" % number, (None, 1, -1)[number % 3])
    got: list[bytes] = []

    def take() -> None:
        while (job := storage.dequeue()) is not None:
            got.append(job)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(got, key=int) == [b"%d" % number for number in range(200)]


@pytest.mark.parametrize("priority", [1, -1])
def test_a_job_whose_bell_was_lost_with_a_consumer_is_found(ours: SpooldStorage, priority: int) -> None:
    ours.enqueue(b"job", priority)
    bell = ours.urgent_bell if priority > 0 else ours.late_bell
    assert ours.commands.call("LPOP", bell) == b""
    assert ours.queue_size() == 1
    assert ours.dequeue() == b"job"
    assert ours.dequeue() is None


def test_a_bell_without_a_job_is_passed_over(ours: SpooldStorage) -> None:
    ours.commands.call("RPUSH", ours.urgent_bell, b"", b"")
    ours.enqueue(b"plain")
    assert ours.dequeue() == b"plain"


def test_the_queue_is_the_list_that_every_door_serves(ours: SpooldStorage, place: Place) -> None:
    ours.enqueue(b"job")
    with Client.from_url(place.server.url) as client:
        assert client.call("LRANGE", ours.queue_key, 0, -1) == [b"job"]
        client.call("RPUSH", ours.queue_key, b"from elsewhere")
    assert [ours.dequeue(), ours.dequeue()] == [b"job", b"from elsewhere"]


def test_apps_do_not_meet(make: Callable[..., Any]) -> None:
    names = ["a", "a:result", "a*", "a?", "[a]", "ä", "a b", "a:result:queue"]
    storages = [make(name) for name in names]
    for storage in storages:
        storage.enqueue(storage.name.encode())
        storage.add_to_schedule(storage.name.encode(), datetime(2000, 1, 1))
        for key in ("queue", "result:queue", "k"):
            storage.put_data(key, storage.name.encode())
        storage.incr("k")
    for storage in storages:
        assert storage.queue_size() == storage.schedule_size() == storage.incr("k", 0) == 1
        assert storage.result_items() == dict.fromkeys(("queue", "result:queue", "k"), storage.name.encode())
    storages[2].flush_all()
    for storage in (*storages[:2], *storages[3:]):
        assert storage.result_store_size() == 3
        assert storage.dequeue() == storage.name.encode()
        assert storage.read_schedule(datetime(2000, 1, 1)) == [storage.name.encode()]


# -- the schedule -----------------------------------------------------------------------------------------------------


def test_the_schedule_is_exact_to_the_microsecond_and_keeps_the_order_of_adding(storage: Any) -> None:
    moment = datetime(2030, 1, 1, 12, 0, 0, 999_999)
    step = timedelta(microseconds=1)
    for at, when in enumerate([moment + step, moment, moment - step, moment, datetime.min, datetime.max]):
        storage.add_to_schedule(b"%d" % at, when)
    assert storage.scheduled_items() == [b"4", b"2", b"1", b"3", b"0", b"5"]
    assert storage.scheduled_items(2) == [b"4", b"2"]
    assert storage.read_schedule(moment - step) == [b"4", b"2"]
    assert storage.read_schedule(moment) == [b"1", b"3"]
    assert storage.read_schedule(moment) == []
    assert storage.schedule_size() == 2


def test_moments_with_a_zone_are_compared_as_moments(storage: Any) -> None:
    storage.add_to_schedule(b"early", datetime(2030, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))))
    storage.add_to_schedule(b"late", datetime(2030, 1, 1, tzinfo=UTC))
    assert storage.read_schedule(datetime(2029, 12, 31, 23, tzinfo=UTC)) == [b"early"]
    assert storage.read_schedule(datetime(2030, 1, 1)) == [b"late"]


def test_microseconds_of_any_moment() -> None:
    assert microseconds(datetime(1970, 1, 1)) == 0
    assert microseconds(datetime(1969, 12, 31, 23, 59, 59, 999_999)) == -1
    assert microseconds(datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == 0


def test_numbers_of_order_rise_whatever_the_clock_does() -> None:
    order = Order()
    numbers = [order.next() for _ in range(10_000)]
    assert numbers == sorted(set(numbers))
    order._last = 2**62
    assert order.next() < order.next()


# -- results ----------------------------------------------------------------------------------------------------------


def test_values_and_keys_of_any_bytes(storage: Any) -> None:
    value = bytes(range(256)) * 10
    for key in ("text", b"bytes", "ü", b"", "k" * 2000, "*"):
        assert storage.peek_data(key) is EmptyData
        storage.put_data(key, value)
        assert storage.peek_data(key) == value
        assert storage.has_data_for_key(key)
    assert storage.result_store_size() == 6
    assert storage.peek_many(["text", "none", b"bytes"]) == {"text": value, b"bytes": value}
    assert storage.peek_many([]) == {}
    storage.put_data("text", b"")
    assert storage.pop_data("text") == b""
    assert storage.pop_data("text") is EmptyData


def test_only_one_of_many_puts_a_value_where_there_is_none(storage: Any) -> None:
    barrier = threading.Barrier(6)
    won: list[int] = []

    def put(number: int) -> None:
        for key in range(20):
            barrier.wait(20)
            if storage.put_if_empty(f"k{key}", b"%d" % number):
                won.append(key)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(won) == list(range(20))


def test_counters_count_each_call_once(storage: Any) -> None:
    threads = [threading.Thread(target=lambda: [storage.incr("c", 2) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert storage.incr("c", 0) == 400


def test_results_expire_where_that_is_asked_for(make: Callable[..., Any], place: Place) -> None:
    storage = make()
    if isinstance(storage, SimpleStorage):
        with pytest.raises(NotImplementedError, match="use SpooldHuey"):
            storage.put_if_empty("k", b"v", ttl=1)
        return
    storage.expire_time = 0.05
    storage.put_data("result", b"v", is_result=True)
    storage.put_data("flag", b"v")
    assert storage.put_if_empty("lock", b"v", ttl=0.05)
    deadline_s = time.monotonic() + 10
    while storage.result_items() != {"flag": b"v"}:
        assert time.monotonic() < deadline_s
    assert not storage.has_data_for_key("result")
    assert storage.put_if_empty("lock", b"v")


def test_all_who_wait_for_a_result_are_told(storage: Any) -> None:
    told: list[bool] = []
    threads = [threading.Thread(target=lambda: told.append(storage.wait_result("k", 20))) for _ in range(4)]
    for thread in threads:
        thread.start()
    threads[0].join(0.2)
    assert told == []
    storage.put_data("other", b"v", is_result=True)
    storage.put_data("k", b"v", is_result=True)
    for thread in threads:
        thread.join(10)
    assert told == [True] * 4
    assert storage.wait_result("k", 0)
    assert storage.wait_result("k")


def test_who_waits_in_vain_leaves_nothing_behind(ours: SpooldStorage) -> None:
    begun = time.monotonic()
    assert not ours.wait_result("k", 0.1)
    assert time.monotonic() - begun < 5
    thread = threading.Thread(target=lambda: ours.wait_result("k2", 20))
    thread.start()
    thread.join(0.1)
    ours.put_data("k2", b"v")
    thread.join(10)
    ours.delete_data("k2")
    assert ours._names(b"huey:" + ours.queue_key.split(b":")[1] + b":") == []


# -- in few round trips -----------------------------------------------------------------------------------------------


class Counted:
    """Carries out commands, and counts round trips."""

    def __init__(self, commands: Any) -> None:
        self.commands = commands
        self.trips = 0

    def call(self, *words: Any, **options: Any) -> Any:
        """One."""
        self.trips += 1
        return self.commands.call(*words, **options)

    def run(self, commands: Any, **options: Any) -> Any:
        """One, too."""
        self.trips += 1
        return self.commands.run(commands, **options)

    def close(self) -> None:
        """Both."""
        self.commands.close()


@pytest.fixture
def huey(place: Place, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A huey on a server whose round trips are counted."""
    made = SpooldHuey(request.node.name, url=place.server.url, read_timeout=0.2)
    made.storage.commands = Counted(made.storage.commands)
    yield made
    made.flush()
    made.storage.close()


def test_a_job_takes_two_round_trips(huey: Any) -> None:
    @huey.task()
    def double(number: int) -> int:
        return 2 * number

    result = double(4)
    huey.storage.commands.trips = 0
    huey.execute(huey.dequeue())
    assert huey.storage.commands.trips == 2
    assert result() == 8


def test_a_revocation_is_seen_and_cleared_all_the_same(huey: Any) -> None:
    heard = []

    @huey.task()
    def nothing(when: str) -> None:
        if when == "now":
            huey.revoke_by_id(running.id)  # while it runs: cleared at its end

    @huey.signal(SIGNAL_REVOKED)
    def revoked(signal: str, task: Any) -> None:
        heard.append(task.id)

    first = nothing("never")
    first.revoke()
    huey.execute(huey.dequeue())
    assert heard == [first.id]
    assert not first.is_revoked()
    running = nothing("now")
    huey.execute(huey.dequeue())
    assert not running.is_revoked()
    nothing.revoke()
    second = nothing("never")
    huey.execute(huey.dequeue())
    assert heard == [first.id, second.id]
    assert nothing.restore()
    assert not nothing.restore()
    assert huey.result_count() == 0


def test_a_revocation_that_comes_before_the_job_is_taken_is_seen(huey: Any) -> None:
    @huey.task()
    def nothing() -> int:
        return 1

    for _ in range(3):
        result = nothing()
        result.revoke()
        task = huey.dequeue()
        assert huey.is_revoked(task)
        huey.execute(task)
        assert result() is None


# -- configuration ----------------------------------------------------------------------------------------------------


def test_a_server_is_given_in_one_way(tmp_path: Path) -> None:
    for options in (
        {"url": "redis://localhost", "port": 1},
        {"url": "redis://localhost", "path": tmp_path},
        {"path": tmp_path, "host": "localhost"},
        {"durability": "interval"},
    ):
        with pytest.raises(ConfigurationError):
            SpooldHuey("app", **options)
    for options in ({"read_timeout": 0}, {"expire_time": 0}, {"url": "http://localhost"}, {"url": "redis://h/x"}):
        with pytest.raises(ValueError, match=r"."):
            SpooldHuey("app", **options)
    with pytest.raises(ValueError, match="durability"):
        SpooldHuey("app", path=tmp_path, durability="never")
    with pytest.raises(ValueError, match="read_timeout"):
        SimpleHuey("app", read_timeout=0)


def test_immediate_mode_needs_no_server() -> None:
    for kind in (SpooldHuey, SimpleHuey):
        huey = kind("app", immediate=True)

        @huey.task()
        def double(number: int) -> int:
            return 2 * number

        assert double(2)() == 4


def test_a_server_that_is_away_is_a_clear_error() -> None:
    port = free_port()
    for huey in (SpooldHuey("app", port=port, patience=0), SimpleHuey("app", port=port, patience=0)):
        with pytest.raises(ConnectionFailed, match=f"can't connect to 127.0.0.1:{port}"):
            len(huey)


def test_a_password_and_a_database() -> None:
    with ServerProcess(options=("--memory", "--password", "secret:/@")) as server:
        url = f"redis://:secret%3A%2F%40@127.0.0.1:{server.port}/3"
        for storage in (
            SpooldStorage("app", url),
            SpooldStorage("app", port=server.port, db=3, username="default", password="secret:/@"),
        ):
            storage.enqueue(b"job")
            storage.close()
        with Client.from_url(url) as client:
            assert client.call("LLEN", "huey:app:queue") == 2
            assert b" name=huey-app " not in client.call("CLIENT", "LIST")
        with pytest.raises(Exception, match="NOAUTH"):
            SpooldStorage("app", port=server.port).enqueue(b"job")


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with ServerProcess(options=("--memory", "--redis", f"unix:{path}")):
        storage = SpooldStorage("app", f"unix://{path}?db=1")
        storage.enqueue(b"job")
        assert storage.dequeue() == b"job"
        storage.close()


def test_storages_on_one_directory_share_it(tmp_path: Path) -> None:
    one, other = SpooldHuey("one", path=tmp_path), SpooldHuey("other", path=str(tmp_path))
    assert isinstance(one.storage, CommandStorage)
    assert one.storage.commands is other.storage.commands
    with pytest.raises(EmbeddedError, match="with durability 'always'"):
        SpooldHuey("third", path=tmp_path, durability="interval")
    one.storage.close()
    assert len(other) == 0
    one.storage.close()
