"""The small client of the Redis door, against a real server and against ones that do wrong."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.client.test_simple import answering, player

from spoold.client.errors import CommandError, ConnectionFailed, TimedOut
from spoold.client.redis import Client
from spoold.testing.process import ServerProcess, free_port


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """One server in memory for all tests."""
    with ServerProcess(options=("--memory",)) as made:
        yield made


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    """A client of an empty server."""
    with Client.from_url(server.url) as made:
        made.call("FLUSHALL")
        yield made


def test_replies_are_plain_values(client: Client) -> None:
    assert client.call("SET", "ü", b"\0\r\n") == b"OK"
    assert client.call("GET", "ü".encode()) == b"\0\r\n"
    assert client.call("GET", "none") is None
    assert client.call("RPUSH", "q", 1, 1.5, "x") == 3
    assert client.run([("LRANGE", "q", 0, -1), ("LLEN", "q"), ("BLPOP", "none", 0.01)]) == [
        [b"1", b"1.5", b"x"],
        3,
        None,
    ]
    assert client.run([("MULTI",), ("INCR", "n"), ("EXEC",)]) == [b"OK", b"QUEUED", [1]]


def test_a_large_value_comes_whole(client: Client) -> None:
    value = os.urandom(5_000_000)
    client.call("SET", "k", value)
    assert client.run([("GET", "k")] * 3) == [value] * 3


def test_an_error_is_raised_when_all_replies_are_there(client: Client) -> None:
    with pytest.raises(CommandError) as caught:
        client.run([("SET", "k", "v"), ("LPUSH", "k", "x"), ("NONE",), ("SET", "k2", "v")])
    assert caught.value.message == "WRONGTYPE Operation against a key holding the wrong kind of value"
    assert client.call("GET", "k2") == b"v"


@pytest.mark.parametrize("word", [None, True, [], {}])
def test_a_word_that_can_not_be_sent_is_refused_before_anything_is_sent(client: Client, word: Any) -> None:
    with pytest.raises(TypeError):
        client.run([("SET", "k", "v"), ("SET", "k", word)])
    assert client.call("EXISTS", "k") == 0


def push_one(port: int) -> None:
    """As someone else does it."""
    with Client(port=port) as client:
        client.call("RPUSH", "q", "x")


def test_a_wait_may_be_longer_than_the_time_out(server: ServerProcess) -> None:
    with Client(port=server.port, timeout_s=0.1) as client:
        assert client.call("BLPOP", "none", 0.4, wait_s=0.4) is None
        thread = threading.Timer(0.4, push_one, (server.port,))
        thread.start()
        assert client.call("BLPOP", "q", 0, wait_s=None) == [b"q", b"x"]
        thread.join()
        with pytest.raises(TimedOut):
            client.call("BLPOP", "none", 5)


@pytest.mark.parametrize(
    ("url", "address", "db"),
    [
        ("redis://", ("127.0.0.1", 6379), 0),
        ("redis://queue", ("queue", 6379), 0),
        ("redis://queue:7000/3", ("queue", 7000), 3),
        ("redis://queue/?db=4", ("queue", 6379), 4),
        ("redis://[::1]:7000/", ("::1", 7000), 0),
        ("unix:///run/spoold.sock", "/run/spoold.sock", 0),
        ("unix:///run/a%20b?db=2", "/run/a b", 2),
    ],
)
def test_addresses(url: str, address: Any, db: int) -> None:
    client = Client.from_url(url)
    assert client.address == address
    assert client.db == db
    assert repr(client) == f"Client({address!r}, db={db})"


@pytest.mark.parametrize("url", ["http://queue", "queue:6379", "redis://queue/x", "redis://queue/-1"])
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"is no "):
        Client.from_url(url)


def test_files_for_tls_that_can_not_be_used_are_named() -> None:
    with pytest.raises(ValueError, match=r"/no/such\.pem: No such file"):
        Client.from_url("rediss://queue?ssl_ca_certs=/no/such.pem")
    with pytest.raises(ValueError, match=r"/no/such\.crt"):
        Client.from_url("rediss://queue?ssl_certfile=/no/such.crt")


def test_passwords() -> None:
    with ServerProcess(options=("--memory", "--password", "p w")) as server:
        for url in (f"redis://:p%20w@127.0.0.1:{server.port}", f"redis://default:p%20w@127.0.0.1:{server.port}/2"):
            with Client.from_url(url, name="me") as client:
                assert b" name=me " in client.call("CLIENT", "LIST")
        with Client(port=server.port, password="wrong") as client, pytest.raises(CommandError, match="WRONGPASS"):
            client.call("PING")


def test_a_database_that_is_none_is_an_error(server: ServerProcess) -> None:
    with Client(port=server.port, db=99) as client, pytest.raises(CommandError, match="DB index is out of range"):
        client.call("PING")


def test_threads_share_a_client(client: Client) -> None:
    def work() -> None:
        for _ in range(100):
            client.call("INCR", "n")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert client.call("GET", "n") == b"800"
    assert len(client._pool) <= 8


def test_a_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server, Client(port=server.port, patience_s=30) as client:
        client.call("SET", "k", "v")
        server.kill()
        thread = threading.Timer(0.3, server.start)
        thread.start()
        assert client.call("GET", "k") == b"v"
        thread.join()


def test_patience_ends() -> None:
    begun = time.monotonic()
    with Client(port=free_port(), patience_s=0.2) as client, pytest.raises(ConnectionFailed, match="can't connect"):
        client.call("PING")
    assert 0.2 <= time.monotonic() - begun < 10


@pytest.mark.parametrize("repeat", [True, False])
def test_what_may_be_repeated_is_sent_once_more(repeat: bool) -> None:
    with player(answering(b""), answering(b"+OK\r\n")) as port, Client(port=port) as client:
        if repeat:
            assert client.call("SET", "k", "v", repeat=True) == b"OK"
        else:
            with pytest.raises(ConnectionFailed, match="closed the connection"):
                client.call("RPUSH", "k", "v")
            assert client.call("PING") == b"OK"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", r"does not speak the Redis protocol: .*\"H\""),
        (b":1\r\n:1\r\n", "does not speak the Redis protocol: too many replies"),
        (b"$10\r\nabc", "closed the connection"),
        (b"*2\r\n:1\r\n", "closed the connection"),
    ],
)
def test_a_server_that_speaks_something_else_is_a_clear_error(answer: bytes, text: str) -> None:
    with player(answering(answer)) as port, Client(port=port) as client:
        with pytest.raises(ConnectionFailed, match=text):
            client.call("PING")
        assert not client._pool


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_has_connections_of_its_own(client: Client) -> None:
    client.call("SET", "k", "parent")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if client.call("GETSET", "k", "child") == b"parent" else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert client.call("GET", "k") == b"child"


def test_every_split_of_a_reply_gives_the_reply() -> None:
    reply = b"*3\r\n$3\r\na\r\n\r\n:7\r\n*1\r\n$-1\r\n"

    def in_pieces(cut: int) -> Callable[[Any], None]:
        def play(connection: Any) -> None:
            answering(reply[:cut])(connection)
            connection.sendall(reply[cut:])

        return play

    for cut in range(1, len(reply)):
        with player(in_pieces(cut)) as port, Client(port=port) as client:
            assert client.call("X") == [b"a\r\n", 7, [None]]
