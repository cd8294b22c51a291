"""What needs real sockets: clients that do not take their messages, and the clients that people use."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.cache import CacheConfig
from redis.connection import CacheProxyConnection
from redis.retry import Retry

from spoold.testing.process import ServerProcess

PATIENCE_S = 20.0
MESSAGE = b"x" * 50_000


def client_of(server: ServerProcess, **options: object) -> redis.Redis:
    # Without redis-py's own retries: it would wait for seconds before it tells that it was refused.
    never = Retry(NoBackoff(), 0)
    return redis.Redis(port=server.port, retry=never, **options)  # type: ignore[call-overload,no-any-return]


@contextmanager
def sleeper(server: ServerProcess, channel: bytes) -> Iterator[socket.socket]:
    """A client that listens to a channel and reads nothing."""
    with socket.create_connection(("127.0.0.1", server.port)) as one:
        one.sendall(b"SUBSCRIBE %b\r\n" % channel)
        assert one.recv(100).startswith(b"*3\r\n")
        yield one


def publish_until(client: redis.Redis, done: Callable[[int], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not done(client.publish("c", MESSAGE)):
        assert time.monotonic() < deadline_s


def waiting_bytes(client: redis.Redis) -> int:
    """What waits for the client that listens."""
    found = re.search(
        rb" sub=1 .*omem=(\d+)", client.execute_command("CLIENT", "LIST", "TYPE", "pubsub", NEVER_DECODE="")
    )
    return int(found[1]) if found else 0


def test_who_takes_no_messages_is_disconnected_at_the_limit(spoold_server: ServerProcess) -> None:
    with client_of(spoold_server) as client, sleeper(spoold_server, b"c"), sleeper(spoold_server, b"other"):
        client.config_set("client-output-buffer-limit", "pubsub 200000 0 0")
        most = 0

        def gone(receivers: int) -> bool:
            nonlocal most
            most = max(most, waiting_bytes(client))
            return receivers == 0

        publish_until(client, gone)
        assert 100_000 < most < 200_000 + 2 * len(MESSAGE)
        assert client.info("stats")["client_output_buffer_limit_disconnections"] == 1
        assert client.pubsub_numsub("c", "other") == [(b"c", 0), (b"other", 1)]


def test_who_takes_no_messages_for_long_is_disconnected(spoold_server: ServerProcess) -> None:
    with client_of(spoold_server) as client, sleeper(spoold_server, b"c"):
        client.config_set("client-output-buffer-limit", "pubsub 0 100000 1")
        publish_until(client, lambda receivers: waiting_bytes(client) > 100_000)
        begun_s = time.monotonic()
        while client.publish("c", b"x"):
            assert time.monotonic() - begun_s < PATIENCE_S
        assert time.monotonic() - begun_s > 0.9


def test_redis_py_listens_and_is_told(spoold_server: ServerProcess) -> None:
    for protocol in (2, 3):
        with client_of(spoold_server, protocol=protocol) as client, client.pubsub() as listener:
            listener.subscribe("c")
            listener.psubscribe("p*")
            listener.ssubscribe("s")
            assert [listener.get_message(timeout=5)["type"] for _ in range(3)] == [
                "subscribe",
                "psubscribe",
                "ssubscribe",
            ]
            assert (client.publish("c", "one"), client.publish("pq", "two")) == (1, 1)
            assert client.execute_command("SPUBLISH", "s", "three") == 1
            told = [listener.get_message(timeout=5) for _ in range(3)]
            assert [(message["type"], message["data"]) for message in told] == [
                ("message", b"one"),
                ("pmessage", b"two"),
                ("smessage", b"three"),
            ]
            assert client.pubsub_channels() == [b"c"]
            assert client.pubsub_numpat() == 1
            listener.ping()
            listener.unsubscribe()
            listener.punsubscribe()
            listener.sunsubscribe()


def test_redis_py_keeps_its_cache_right(spoold_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    # It asks for a later Redis than the one whose commands these are, "to maximize compatibility".
    monkeypatch.setattr(CacheProxyConnection, "MIN_ALLOWED_VERSION", "7.0.0")
    with (
        client_of(spoold_server) as writer,
        client_of(spoold_server, protocol=3, cache_config=CacheConfig(max_size=100)) as reader,
    ):
        writer.set("k", "one")
        assert reader.get("k") == reader.get("k") == b"one"
        writer.set("k", "two")
        deadline_s = time.monotonic() + PATIENCE_S
        while reader.get("k") != b"two":
            assert time.monotonic() < deadline_s


def test_redis_py_manages_users(tmp_path: Path) -> None:
    path = tmp_path / "users.acl"
    path.write_text("user default on >admin ~* &* +@all\n")
    options = ["--acl-file", str(path)]
    with ServerProcess(tmp_path / "data", options) as server:
        with pytest.raises(redis.AuthenticationError), client_of(server) as stranger:
            stranger.ping()
        with client_of(server, password="admin") as admin:
            assert admin.acl_setuser(
                "worker", enabled=True, passwords=["+geheim"], keys=["jobs:*"], commands=["+@list", "-@dangerous"]
            )
            assert admin.acl_users() == ["default", "worker"]
            user = admin.acl_getuser("worker")
            assert (user["flags"], user["categories"], user["enabled"]) == (["on"], ["-@all", "+@list"], True)
            assert admin.acl_dryrun("worker", "lpush", "jobs:1", "x") == b"OK"
            assert admin.acl_save()
        with client_of(server, username="worker", password="geheim") as worker:
            assert worker.lpush("jobs:1", "x") == 1
            for refused in (lambda: worker.lpush("other", "x"), lambda: worker.get("jobs:1")):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    refused()
        with client_of(server, password="admin") as admin:
            log = admin.acl_log()
            assert {entry["username"] for entry in log} == {"worker"}
            assert {"key", "command"} == {entry["reason"] for entry in log}
        server.kill()
        assert "geheim" not in server.stdout_text() + server.stderr_text()
    with ServerProcess(tmp_path / "data", options) as server, client_of(server, password="admin") as admin:
        assert admin.acl_users() == ["default", "worker"]


async def _listen_to_events(port: int) -> list[tuple[str, bytes]]:
    client = redis.asyncio.Redis(port=port, protocol=3)
    async with client, client.pubsub() as listener:
        await client.config_set("notify-keyspace-events", "Elx")
        await listener.psubscribe("__keyevent@0__:*")
        assert (await listener.get_message(timeout=5))["type"] == "psubscribe"
        await client.rpush("q", "a")
        await client.lpop("q")
        await client.set("k", "v", px=20)
        told = []
        while len(told) < 3:
            message = await listener.get_message(timeout=5)
            assert message is not None
            told.append((message["channel"].decode().partition(":")[2], message["data"]))
        return told


def test_redis_py_hears_keyspace_events(spoold_server: ServerProcess) -> None:
    assert asyncio.run(_listen_to_events(spoold_server.port)) == [("rpush", b"q"), ("lpop", b"q"), ("expired", b"k")]


def test_thousands_of_channels_and_hundreds_of_listeners(spoold_server: ServerProcess) -> None:
    with client_of(spoold_server, max_connections=1000) as client:
        listeners = [client.pubsub() for _ in range(200)]
        for listener in listeners:
            listener.subscribe("all", *(f"c{number}" for number in range(50)))
        many = client.pubsub()
        many.subscribe(*(f"many{number}" for number in range(5000)))
        deadline_s = time.monotonic() + PATIENCE_S
        while len(client.pubsub_channels()) < 5051 or client.pubsub_numsub("all") != [(b"all", 200)]:
            assert time.monotonic() < deadline_s
        assert client.publish("all", "x") == 200
        assert client.publish("many4999", "x") == 1
        for listener in listeners:
            while (message := listener.get_message(timeout=5))["type"] != "message":
                pass
            assert message["data"] == b"x"
        for listener in (*listeners, many):
            listener.close()
        deadline_s = time.monotonic() + PATIENCE_S
        while client.pubsub_channels():
            assert time.monotonic() < deadline_s
