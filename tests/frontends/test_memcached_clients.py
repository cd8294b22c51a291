"""The clients that people use, against a real server process: pymemcache, python-memcached, aiomcache, libmemcached."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aiomcache
import memcache
import pytest
import redis
from pymemcache.client.base import Client, PooledClient
from pymemcache.exceptions import MemcacheClientError, MemcacheServerError
from pymemcache.serde import pickle_serde
from tests.conftest import missing_peer

from spoold.testing.process import LOOPBACK, ServerProcess, StartFailed, free_port


class Server(ServerProcess):
    """spoold with a memcached listener beside the Redis one."""

    def __init__(self, data: Path, *options: str) -> None:
        self.memcached_port = free_port()
        super().__init__(data, ("--memcached", f"{LOOPBACK}:{self.memcached_port}", *options))

    @property
    def address(self) -> tuple[str, int]:
        return LOOPBACK, self.memcached_port


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("memcached"), "--max-value", "2mb") as server:
        yield server


@pytest.fixture
def server(shared: Server) -> Server:
    """The server without a key."""
    with redis.Redis(port=shared.port) as r:
        r.flushall()
    return shared


# -- pymemcache -----------------------------------------------------------------------------------------------------


def test_pymemcache_sets_the_limit_that_redis_clients_see(server: Server) -> None:
    with closing(Client(server.address)) as client, redis.Redis(port=server.port, decode_responses=True) as r:
        assert client.cache_memlimit(64) is True
        assert r.config_get("maxmemory") == {"maxmemory": str(64 * 1024**2)}
        r.config_set("maxmemory", 0)
        assert client.stats("settings")[b"maxbytes"] == 0
        assert [value for name, value in client.stats("conns").items() if name.endswith(b":state")] == [
            b"conn_parse_cmd"
        ]


def test_pymemcache_does_all_it_can(server: Server) -> None:
    with closing(Client(server.address, default_noreply=False)) as client:
        assert client.set("k", b"v", expire=100, flags=5)
        assert client.get("k") == b"v"
        assert client.add("k", b"x") is False
        assert client.replace("k", b"w") is True
        assert client.append("k", b"2")
        assert client.prepend("k", b"0")
        value, cas = client.gets("k")
        assert value == b"0w2"
        assert client.cas("k", b"new", cas) is True
        assert client.cas("k", b"newer", cas) is False
        assert client.cas("none", b"x", cas) is None
        assert client.set_many({"a": b"1", "b": b"2"}) == []
        assert client.get_many(["a", "b", "c"]) == {"a": b"1", "b": b"2"}
        assert client.gets_many(["a"])["a"][0] == b"1"
        assert client.incr("a", 41) == 42
        assert client.decr("a", 2) == 40
        assert client.incr("none", 1) is None
        assert client.touch("k", 10)
        assert client.touch("none", 10) is False
        assert client.get("k") == b"new"
        assert client.delete("k") is True
        assert client.delete("k") is False
        assert client.delete_many(["a", "b"])
        assert client.version() == b"1.6.18"
        assert client.stats()[b"curr_items"] == 0
        assert client.stats("settings")[b"item_size_max"] == 2 * 1024**2
        assert client.flush_all()
        client.quit()


def test_pymemcache_without_replies(server: Server) -> None:
    with closing(Client(server.address, default_noreply=True)) as client:
        client.set("k", b"1")
        client.incr("k", 1, noreply=True)
        client.append("k", b"0")
        client.touch("k", 100)
        assert client.get("k") == b"20"
        client.flush_all()
        client.set("k", b"2")
        client.delete("k")
        assert client.get("k") is None


def test_pymemcache_with_pickled_values_and_a_pool(server: Server) -> None:
    client = PooledClient(server.address, serde=pickle_serde, max_pool_size=4)
    value = {"text": "ä", "list": [1, 2.5, None]}
    client.set("k", value)
    assert client.get("k") == value
    client.set("n", 7)
    assert client.get("n") == 7
    client.close()


def test_pymemcache_meets_the_limits(server: Server) -> None:
    with closing(Client(server.address, default_noreply=False)) as client:
        assert client.set("large", b"x" * 2 * 1024**2)
        with pytest.raises(MemcacheServerError, match="object too large for cache"):
            client.set("large", b"x" * (2 * 1024**2 + 1))
        assert client.get("large") is None
        client.set("k", b"x")
        with pytest.raises(MemcacheClientError, match="non-numeric"):
            client.incr("k", 1)
        assert client.get_many([f"key:{number:0200}" for number in range(5000)]) == {}
        assert client.raw_command("mn") == b"MN"
        assert client.raw_command("mg k v", "\r\n") == b"VA 1"


# -- python-memcached -----------------------------------------------------------------------------------------------


def test_python_memcached(server: Server) -> None:
    client = memcache.Client([f"{LOOPBACK}:{server.memcached_port}"], cache_cas=True)
    assert client.set("k", {"a": [1, 2]}, time=100)
    assert client.get("k") == {"a": [1, 2]}
    assert client.gets("k") == {"a": [1, 2]}
    assert client.cas("k", "text")
    assert client.set_multi({"x": 1, "y": "2"}) == []
    assert client.get_multi(["x", "y", "z"]) == {"x": 1, "y": "2"}
    assert client.incr("x", 5) == 6
    assert client.decr("x") == 5
    assert client.add("x", 1) == 0
    assert client.replace("x", 9)
    assert client.append("y", "3")
    assert client.prepend("y", "1")
    assert client.get("y") == "123"
    assert client.touch("y", 100)
    assert client.delete("y")
    assert client.delete_multi(["x", "k"])
    [(_, found)] = client.get_stats()
    assert found["version"] == "1.6.18"
    client.flush_all()
    client.disconnect_all()


# -- aiomcache ------------------------------------------------------------------------------------------------------


def test_aiomcache(server: Server) -> None:
    async def talk() -> None:
        client = aiomcache.Client(*server.address)
        assert await client.set(b"k", b"v", exptime=100)
        assert await client.get(b"k") == b"v"
        value, cas = await client.gets(b"k")
        assert value == b"v"
        assert cas is not None
        assert await client.cas(b"k", b"w", cas)
        assert not await client.add(b"k", b"x")
        assert await client.replace(b"k", b"5")
        assert await client.append(b"k", b"0")
        assert await client.prepend(b"k", b"1")
        assert await client.incr(b"k", 1) == 151
        assert await client.decr(b"k", 1) == 150
        assert await client.touch(b"k", 100)
        assert await client.multi_get(b"k", b"none") == (b"150", None)
        assert await client.delete(b"k")
        assert await client.version() == b"1.6.18"
        assert b"pid" in await client.stats()
        await asyncio.gather(*(client.set(b"k%d" % number, b"v") for number in range(50)))
        assert await client.multi_get(*(b"k%d" % number for number in range(50))) == (b"v",) * 50
        await client.flush_all()
        await client.close()

    asyncio.run(talk())


# -- libmemcached ---------------------------------------------------------------------------------------------------


def test_memccapable_finds_nothing_missing(server: Server) -> None:
    program = shutil.which("memccapable") or shutil.which("memcapable")
    if program is None:
        missing_peer("memccapable", "apt-get install libmemcached-tools")
    assert program is not None
    command = [program, "-a", "-h", LOOPBACK, "-p", str(server.memcached_port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    output = done.stdout + done.stderr
    assert "All tests passed" in output
    assert output.count("[pass]") >= 27
    assert "[FAIL]" not in output.upper()


def test_memcstat_and_memccat_read_what_redis_wrote(server: Server) -> None:
    if shutil.which("memccat") is None:
        missing_peer("memccat", "apt-get install libmemcached-tools")
    with redis.Redis(port=server.port) as r:
        r.set("k", "from redis")
    at = f"--servers={LOOPBACK}:{server.memcached_port}"
    assert subprocess.run(["memccat", at, "k"], capture_output=True, text=True, check=True).stdout == "from redis\n"
    assert "version: 1.6.18" in subprocess.run(["memcstat", at], capture_output=True, text=True, check=True).stdout


def test_memcdump_lists_the_keys(server: Server) -> None:
    if shutil.which("memcdump") is None:
        missing_peer("memcdump", "apt-get install libmemcached-tools")
    with redis.Redis(port=server.port) as r:
        r.flushall()
        r.mset({"a": 1, "b": 2})
        r.rpush("list", 3)
    at = f"--servers={LOOPBACK}:{server.memcached_port}"
    assert subprocess.run(["memcdump", at], capture_output=True, text=True, check=True).stdout.split() == ["a", "b"]


# -- the process ----------------------------------------------------------------------------------------------------


def test_an_acknowledged_value_survives_a_kill(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        with closing(Client(server.address, default_noreply=False)) as client:
            client.set("k", b"v", expire=1000, flags=3)
            client.set("gone", b"v")
            client.flush_all(delay=1_000_000)
            _, cas = client.gets("k")
        server.kill()
        server.start()
        with closing(Client(server.address, default_noreply=False)) as client:
            assert client.gets("k") == (b"v", cas)
            client.flush_all()
        server.kill()
        server.start()
        with closing(Client(server.address, default_noreply=False)) as client:
            assert client.get_many(["k", "gone"]) == {}


def test_a_unix_socket_serves_memcached_clients(tmp_path: Path) -> None:
    path = tmp_path / "m"
    with ServerProcess(tmp_path / "data", ("--memcached", f"unix:{path}")), closing(Client(f"unix:{path}")) as client:
        client.set("k", b"v")
        assert client.get("k") == b"v"


def test_an_address_that_other_machines_reach_is_refused_even_with_a_password(tmp_path: Path) -> None:
    options = ("--memcached", "0.0.0.0:11211", "--password", "secret")
    with pytest.raises(StartFailed, match=r"--memcached 0\.0\.0\.0:11211") as failure, ServerProcess(tmp_path, options):
        pass
    assert "has no passwords" in failure.value.stderr
    assert failure.value.stderr.count("\n") == 1


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as holder:
        port = holder.getsockname()[1]
        options = ("--memcached", f"{LOOPBACK}:{port}")
        with pytest.raises(StartFailed, match="memcached listener") as failure, ServerProcess(tmp_path, options):
            pass
    assert "choose another with --memcached" in failure.value.stderr
    assert failure.value.stderr.count("\n") == 1


def test_one_client_too_many_is_told_so(tmp_path: Path) -> None:
    refusal = b"ERROR Too many open connections\r\n"
    with Server(tmp_path / "data", "--max-clients", "1") as server:
        answer = refusal
        deadline_s = time.monotonic() + 10
        while answer == refusal and time.monotonic() < deadline_s:  # whoever asked whether it is up may be there yet
            first = socket.create_connection(server.address, 10)
            first.sendall(b"mn\r\n")
            answer = first.recv(100)
            if answer == refusal:
                first.close()
        assert answer == b"MN\r\n"
        with first, socket.create_connection(server.address, 10) as second:
            assert second.recv(100) == refusal
            assert second.recv(100) == b""


def test_fifty_clients_at_once(server: Server) -> None:
    sockets = [socket.create_connection(server.address, 10) for _ in range(50)]
    for number, each in enumerate(sockets):
        each.sendall(b"set k%d 0 0 2\r\n%02d\r\nget k%d\r\n" % (number, number, number))
    for number, each in enumerate(sockets):
        expected = b"STORED\r\nVALUE k%d 0 2\r\n%02d\r\nEND\r\n" % (number, number)
        reply = b""
        while len(reply) < len(expected):
            reply += each.recv(1000)
        assert reply == expected
        each.close()
