"""Which doors open, to whom, and to how many: a password is no password if another door has none."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pymemcache
import pytest
import redis

from spoold.testing.process import ServerProcess, StartFailed, free_port
from support.certificates import certificates

EVERYWHERE = "0.0.0.0:0"
BARE_DOORS = ("memcached", "memcached-queue", "simple")
DEADLINE_S = 20.0


def refusal(*options: str) -> str:
    with pytest.raises(StartFailed) as failure:
        ServerProcess(options=[*options, "--memory"]).start()
    text = failure.value.stderr.strip()
    assert len(text.splitlines()) == 1
    return text


def test_a_password_keeps_doors_without_one_closed_unless_they_are_asked_for(tmp_path: Path) -> None:
    # The other listeners keep their defaults here, so nothing of this test binds a default port.
    environment = {"SPOOLD_MEMCACHED": "127.0.0.1:11211", "SPOOLD_SIMPLE": "127.0.0.1:31337"}
    environment["SPOOLD_MEMCACHED_QUEUE"] = "127.0.0.1:22133"
    with ServerProcess(tmp_path / "data", ["--password", "secret"], env=environment) as server:
        said = server.stdout_text()
        assert said.count("off: there is a password, and this protocol has none") == 3
        assert "127.0.0.1:11211" not in said


@pytest.mark.parametrize("door", BARE_DOORS)
def test_a_door_without_passwords_opens_to_other_machines_only_where_that_is_called_insecure(door: str) -> None:
    said = refusal(f"--{door}", EVERYWHERE, "--password", "secret")
    assert f"--{door} {EVERYWHERE} can be reached from other machines, and the " in said
    assert said.endswith(f"or let everyone in with --insecure-{door}")
    with ServerProcess(options=[f"--{door}", EVERYWHERE, f"--insecure-{door}", "--memory"]) as server:
        assert "0.0.0.0:" in server.stdout_text()
        warning = f"--{door} {EVERYWHERE} can be reached from other machines, without a password"
        assert warning in server.stderr_text()


def test_what_opens_one_door_does_not_open_another() -> None:
    said = refusal("--memcached", EVERYWHERE, "--insecure-simple", "--insecure-memcached-queue")
    assert said.endswith("--insecure-memcached")
    assert "there is no password" in refusal("--redis", EVERYWHERE, "--insecure-memcached")


def test_certificates_of_clients_take_the_place_of_a_password(tmp_path: Path) -> None:
    cert, key = certificates().server.write(tmp_path, "server")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificates().ca)
    tls = ["--tls-cert", str(cert), "--tls-key", str(key)]
    doors = [word for door in ("redis", *BARE_DOORS) for word in (f"--{door}", f"tls:{EVERYWHERE}")]
    with ServerProcess(options=[*doors, *tls, "--tls-client-ca", str(ca), "--memory"]) as server:
        assert server.stdout_text().count("tls:0.0.0.0:") == 4
    assert "there is no password" in refusal("--redis", f"tls:{EVERYWHERE}", *tls)
    # Without TLS on that door the CA protects nothing.
    assert "there is no password" in refusal(*doors, *tls, "--tls-client-ca", str(ca), "--redis", EVERYWHERE)


def test_a_listener_may_be_given_fewer_clients_than_there_may_be_in_all() -> None:
    port = free_port()
    options = ["--memcached", str(port), "--listener-clients", "memcached=2", "--listener-clients", "simple=1"]
    with ServerProcess(options=[*options, "--memory"]) as server:
        clients = [pymemcache.Client(("127.0.0.1", port), timeout=DEADLINE_S) for _ in range(2)]
        for client in clients:
            assert client.set("k", b"v")
        with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as third:
            assert third.recv(100) == b"ERROR Too many open connections\r\n"
            assert third.recv(100) == b""
        with redis.Redis.from_url(server.url) as other:
            assert other.get("k") == b"v"
            assert other.info("stats")["rejected_connections"] == 1
            clients.pop().close()
            deadline_s = time.monotonic() + DEADLINE_S
            while other.info("clients")["connected_clients"] > 2:
                assert time.monotonic() < deadline_s
        again = pymemcache.Client(("127.0.0.1", port), timeout=DEADLINE_S)
        assert again.get("k") == b"v"
        again.close()
        clients.pop().close()


def test_a_share_that_is_none_is_refused() -> None:
    for text in ("memcached", "memcached=", "memcached=x", "http=3", "door=1"):
        names = "memcached, memcached-queue, redis, simple"
        expected = f"spoold: --listener-clients {text}: expected NAME=N, with one of {names}"
        assert refusal("--listener-clients", text) == expected
