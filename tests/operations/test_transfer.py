"""All keys of a real Redis come into spoold, and back, equal; also in two goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.operations.material import fill

from spoold.client.errors import ConnectionFailed
from spoold.client.redis import Client
from spoold.core.clock import SystemClock
from spoold.operations.files import OperationError
from spoold.operations.transfer import Transfer
from spoold.operations.verify import verify
from spoold.testing.process import RealRedis, ServerProcess

redis = pytest.importorskip("redis")
pytestmark = pytest.mark.needs_redis

KEYS = 3000


@pytest.fixture
def source(redis_server: RealRedis) -> Iterator[Any]:
    client = redis.Redis(port=redis_server.port, protocol=2)
    client.flushall()
    yield client
    client.flushall()
    client.close()


@pytest.fixture
def target(spoold_server: ServerProcess) -> Iterator[Any]:
    with redis.Redis(port=spoold_server.port, protocol=2) as client:
        yield client


@pytest.fixture
def transfer() -> Iterator[Callable[..., Transfer]]:
    """Makes transfers between what redis-py's clients lead to."""
    with ExitStack() as stack:

        def client_of(of: Any) -> Client:
            return stack.enter_context(Client(port=of.connection_pool.connection_kwargs["port"]))

        def make(source: Any, target: Any, state: Path | None = None, **options: Any) -> Transfer:
            names = ("a", "b")
            return Transfer(client_of(source), client_of(target), names, SystemClock().unix_ms, state, **options)

        yield make


def test_every_key_arrives_as_it_was_and_goes_back(
    transfer: Callable[..., Transfer], source: Any, target: Any, spoold_server: ServerProcess
) -> None:
    fill(source, KEYS)
    told: list[tuple[int, int]] = []
    moving = transfer(source, target)
    moving.copy(lambda done, total: told.append((done, total)))
    moving.compare()
    assert moving.outcome.different == []
    assert moving.outcome.left_out == []
    assert moving.outcome.copied == moving.outcome.compared == source.dbsize() == target.dbsize()
    assert told[-1][0] == told[-1][1] == target.dbsize()
    assert verify(spoold_server.data_dir).faults == []
    # Beside the comparison's own reading, some of it by redis-py's.
    assert target.lrange("large:list", 0, -1) == source.lrange("large:list", 0, -1)
    assert abs(target.pttl("large:string") - source.pttl("large:string")) < 5000
    assert target.xinfo_stream("empty:stream")["last-generated-id"] == b"5-5"
    for name in list(source.scan_iter(count=1000, _type="stream"))[:100]:
        assert target.xinfo_stream(name)["entries-added"] == source.xinfo_stream(name)["entries-added"]
        for ours, theirs in zip(source.xinfo_groups(name), target.xinfo_groups(name), strict=True):
            assert (ours["last-delivered-id"], ours["consumers"]) == (theirs["last-delivered-id"], theirs["consumers"])
            if source.xlen(name) > 2:  # else some were trimmed away: what is pending of deleted entries stays behind
                assert target.xpending(name, "group") == source.xpending(name, "group")
    source.flushall()
    back = transfer(target, source)
    back.copy()
    back.compare()
    assert (back.outcome.different, back.outcome.left_out) == ([], [])
    assert source.dbsize() == target.dbsize()


def test_a_transfer_that_was_cut_short_goes_on(
    transfer: Callable[..., Transfer], source: Any, target: Any, tmp_path: Path
) -> None:
    fill(source, KEYS)
    state = tmp_path / "state"

    class CutError(Exception):
        pass

    def cut(done: int, total: int) -> None:
        if done > total / 2:
            raise CutError

    first = transfer(source, target, state)
    assert not first.resume()
    with pytest.raises(CutError):
        first.copy(cut)
    half = first.outcome.copied
    assert KEYS / 2 <= half < KEYS
    written: list[int] = []
    second = transfer(source, target, state)
    assert second.resume()
    second.copy(lambda done, total: written.append(done))
    assert written[0] > half
    second.compare()
    assert second.outcome.different == []
    assert target.dbsize() == source.dbsize()
    second.forget()
    assert not state.exists()


def test_a_state_of_another_transfer_is_refused(
    transfer: Callable[..., Transfer], source: Any, target: Any, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    moving = transfer(source, target, state)
    source.set("k", "v")
    moving.copy()
    text = json.loads(state.read_text())
    state.write_text(json.dumps({**text, "source": "elsewhere"}))
    with pytest.raises(OperationError, match="belongs to another transfer"):
        transfer(source, target, state).resume()
    state.write_text("?")
    with pytest.raises(OperationError, match="is no state"):
        transfer(source, target, state).resume()
    state.write_text(json.dumps({**text, "run": "another life", "cursor": "77"}))
    again = transfer(source, target, state)
    assert again.resume()
    again.copy()
    assert again.outcome.copied == 1


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (lambda client: client.delete("s"), "is missing"),
        (lambda client: client.append("s", "x"), "has 6 elements or bytes, not 5"),
        (lambda client: client.set("s", "VALUE"), "has another value"),
        (lambda client: (client.delete("s"), client.rpush("s", "x")), "is a list, not a string"),
        (lambda client: client.expire("s", 100), "expires at"),
        (lambda client: client.lset("l", 0, "changed"), "has another value"),
        (lambda client: client.hset("h", "f", "changed"), "has another value"),
        (lambda client: client.zadd("z", {"m": 9}), "has another value"),
        (lambda client: (client.srem("u", "a"), client.sadd("u", "c")), "has another value"),
        (lambda client: (client.srem("U", "1"), client.sadd("U", "x")), "has another value"),
        (lambda client: client.xgroup_destroy("x", "g"), "has another value"),
        (lambda client: (client.xdel("x", "1-1"), client.xadd("x", {"f": "v"})), "has another value"),
    ],
)
def test_the_comparison_finds_what_differs(
    transfer: Callable[..., Transfer], source: Any, target: Any, change: Any, how: str
) -> None:
    source.set("s", "value")
    source.rpush("l", "a", "b")
    source.hset("h", "f", "v")
    source.zadd("z", {"m": 1})
    source.sadd("u", "a", "b")
    source.sadd("U", *range(2000))
    source.xadd("x", {"f": "v"}, id="1-1")
    source.xgroup_create("x", "g")
    moving = transfer(source, target)
    moving.copy()
    moving.compare()
    assert moving.outcome.different == []
    change(target)
    moving.compare()
    assert moving.outcome.differences == 1
    assert how in moving.outcome.different[0][1]


def test_what_can_not_go_is_told_and_left_out(transfer: Callable[..., Transfer], source: Any, target: Any) -> None:
    target.config_set("proto-max-bulk-len", 1024 * 1024)
    source.set("long", b"x" * (1024 * 1024 + 1))
    source.set("k", "short")
    moving = transfer(source, target)
    moving.copy()
    moving.compare()
    assert moving.outcome.left_out == [(b"long", b"string")]
    assert moving.outcome.differences == 0
    source.rpush("list", b"x" * (1024 * 1024 + 1))
    with pytest.raises(OperationError, match="raise its --max-value"):
        transfer(source, target).copy()


def test_a_pattern_chooses_keys(transfer: Callable[..., Transfer], source: Any, target: Any) -> None:
    source.mset({"a:1": "x", "b:1": "y"})
    moving = transfer(source, target, pattern="a:*")
    moving.copy()
    assert target.keys() == [b"a:1"]


def test_a_target_that_goes_ends_it_and_the_next_attempt_goes_on(
    transfer: Callable[..., Transfer], source: Any, tmp_path: Path
) -> None:
    fill(source, 2000)
    state = tmp_path / "state"
    with ServerProcess(tmp_path / "data") as server, ExitStack() as stack:
        target = stack.enter_context(redis.Redis(port=server.port, protocol=2))
        moving = transfer(source, target, state)

        def kill(done: int, total: int) -> None:
            if done > 600 and server.is_running:
                server.kill()

        with pytest.raises(ConnectionFailed):
            moving.copy(kill)
        server.start()
        again = transfer(source, target, state)
        assert again.resume()
        again.copy()
        again.compare()
        assert again.outcome.different == []
        assert target.dbsize() == source.dbsize()
