"""What needs a real process and real sockets: ending it, closing clients, limits of the codec, redis-py's own views."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from spoold.testing.process import ServerProcess, redis_server_path


def client_of(server: ServerProcess, **options: object) -> redis.Redis:
    # Without redis-py's own retries: it would wait for seconds before it tells that it was refused.
    never = Retry(NoBackoff(), 0)
    return redis.Redis(port=server.port, retry=never, decode_responses=True, **options)  # type: ignore[call-overload,no-any-return]


def test_shutdown_ends_the_process_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    for options in ({"nosave": True}, {"save": True}, {"now": True, "force": True}):
        with ServerProcess(tmp_path / "data") as server:
            client = client_of(server)
            client.incr("starts")
            client.shutdown(**options)
            assert server.wait() == 0
            client.close()
    with ServerProcess(tmp_path / "data") as server, client_of(server) as client:
        assert client.get("starts") == "3"


def test_a_password_over_redis_py(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data", options=["--password", "geheim"]) as server:
        with pytest.raises(redis.AuthenticationError), client_of(server) as stranger:
            stranger.ping()
        for protocol in (2, 3):
            with client_of(server, password="geheim", username="default", protocol=protocol) as client:
                assert client.ping()
                assert client.client_info()["resp"] == str(protocol)
        assert "geheim" not in server.stdout_text() + server.stderr_text()


def test_redis_py_reads_what_the_server_tells(spoold_server: ServerProcess) -> None:
    with client_of(spoold_server, protocol=3, client_name="me") as client:
        info = client.info()
        assert info["redis_version"] == "7.0.15"
        assert info["tcp_port"] == spoold_server.port
        assert info["process_id"] == spoold_server.pid
        client.set("k", "v", ex=1000)
        assert client.info("keyspace")["db0"]["expires"] == 1
        (row,) = client.client_list()
        assert (row["name"], row["lib-name"]) == ("me", "redis-py")
        assert int(row["fd"]) > 2
        assert client.config_get("maxmemory*")["maxmemory-policy"] == "noeviction"
        assert client.config_set("timeout", 0)
        assert client.command_count() == len(client.command())
        assert client.command_getkeys("MSET", "a", 1, "b", 2) == ["a", "b"]
        assert client.slowlog_len() == len(client.slowlog_get())
        assert client.lastsave()
        assert client.save()
        assert client.memory_usage("k") > 3
        assert client.time()[0] > 1_700_000_000
        assert client.role()[0] == "master"
        assert "spoold" in client.lolwut()


def test_monitor_over_redis_py(spoold_server: ServerProcess) -> None:
    with client_of(spoold_server) as client, client.monitor() as monitor:
        client.set("a key", 'a "b"\n')
        seen = monitor.next_command()
        while not seen["command"].startswith("SET"):
            seen = monitor.next_command()
        assert seen["db"] == 0
        assert "a key" in seen["command"]


def test_a_killed_client_sees_its_connection_closed(spoold_server: ServerProcess) -> None:
    with client_of(spoold_server) as client, socket.create_connection(("127.0.0.1", spoold_server.port)) as victim:
        victim.settimeout(10)
        victim.sendall(b"CLIENT ID\r\n")
        number = int(victim.recv(100)[1:])
        assert client.client_kill_filter(_id=number) == 1
        assert victim.recv(100) == b""
        assert str(number) not in [row["id"] for row in client.client_list()]


def test_limits_of_a_request_change_for_connections_that_are_there(spoold_server: ServerProcess) -> None:
    with socket.create_connection(("127.0.0.1", spoold_server.port)) as link, client_of(spoold_server) as client:
        link.settimeout(10)
        client.config_set("proto-max-bulk-len", "1mb")
        link.sendall(b"*2\r\n$4\r\nECHO\r\n$2000000\r\n")
        assert link.recv(100) == b"-ERR Protocol error: invalid bulk length\r\n"
        client.config_set("proto-max-bulk-len", "4mb")
        assert len(client.echo("x" * 2_000_000)) == 2_000_000


def test_the_most_clients_may_change(spoold_server: ServerProcess) -> None:
    with client_of(spoold_server) as client:
        client.ping()
        client.config_set("maxclients", 1)
        with socket.create_connection(("127.0.0.1", spoold_server.port)) as link:
            link.settimeout(10)
            assert link.recv(100) == b"-ERR max number of clients reached\r\n"
        assert client.info("stats")["rejected_connections"] == 1


@pytest.mark.needs_redis
def test_redis_cli_reads_help_and_docs(spoold_server: ServerProcess) -> None:
    server_program = redis_server_path()
    if server_program is None:
        pytest.skip("redis-cli is not installed (apt-get install redis-server)")
    program = Path(server_program).with_name("redis-cli")
    requests = "client help\nclient list\nconfig get maxclients\nacl whoami\nset k v\nget k\n"
    command = [str(program), "-p", str(spoold_server.port)]
    done = subprocess.run(command, input=requests, capture_output=True, text=True, timeout=30, check=True)
    assert "SETNAME <connection-name>" in done.stdout
    assert done.stdout.rstrip().endswith("OK\nv")
