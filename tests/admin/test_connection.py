"""HELLO, AUTH, RESET, SELECT, QUIT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from spoold.settings import Settings
from support.server import Client, Error, Server

NO_AUTH = Error("NOAUTH Authentication required.")
WRONG_PASS = Error("WRONGPASS invalid username-password pair or user is disabled.")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Server]:
    """A server that asks for the password `geheim`."""
    with Server(tmp_path / "guarded", "interval", settings=Settings(password="geheim")) as made:
        yield made


def pairs(reply: list[object]) -> dict[object, object]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


def test_hello_tells_what_server_this_is(a: Client) -> None:
    assert pairs(a("HELLO")) == {
        b"server": b"redis",
        b"version": b"7.0.15",
        b"proto": 2,
        b"id": 1,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }


def test_hello_changes_the_protocol_from_its_own_reply_on(a: Client) -> None:
    assert a("HELLO", 3)[b"proto"] == 3
    assert a.raw.startswith(b"%7\r\n")
    assert a("HELLO", 2)[4:6] == [b"proto", 2]
    assert a("HELLO")[4:6] == [b"proto", 2]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["1"], "NOPROTO unsupported protocol version"),
        (["4"], "NOPROTO unsupported protocol version"),
        (["x"], "ERR Protocol version is not an integer or out of range"),
        (["3", "FOO"], "ERR Syntax error in HELLO option 'FOO'"),
        (["3", "SETNAME"], "ERR Syntax error in HELLO option 'SETNAME'"),
        (["3", "AUTH", "default"], "ERR Syntax error in HELLO option 'AUTH'"),
        (["3", "SETNAME", "a b"], "ERR Client names cannot contain spaces, newlines or special characters."),
        (["3", "AUTH", "nobody", "x"], WRONG_PASS),
    ],
)
def test_hello_refuses_and_changes_nothing(a: Client, words: list[str], error: str) -> None:
    assert a("HELLO", *words) == Error(error)
    assert a("CLIENT", "GETNAME") is None
    assert a("HELLO")[5] == 2


def test_hello_logs_in_and_names_in_one_go(guarded: Server) -> None:
    client = guarded.client()
    reply = client("HELLO", 3, "SETNAME", "worker", "AUTH", "default", "geheim")
    assert reply[b"proto"] == 3
    assert client("CLIENT", "GETNAME") == b"worker"


def test_hello_needs_a_login_where_a_password_is_asked_for(guarded: Server) -> None:
    client = guarded.client()
    assert client("HELLO", 3).startswith("NOAUTH HELLO must be called with the client already authenticated")
    assert client("HELLO", 3, "AUTH", "default", "falsch") == WRONG_PASS
    assert client("PING") == NO_AUTH


def test_auth_opens_the_door(guarded: Server) -> None:
    client = guarded.client()
    assert client("GET", "k") == NO_AUTH
    assert client("CLIENT", "ID") == NO_AUTH
    assert client("AUTH", "falsch") == WRONG_PASS
    assert client("AUTH", "nobody", "geheim") == WRONG_PASS
    assert client("AUTH", "default", "falsch") == WRONG_PASS
    assert client("GET", "k") == NO_AUTH
    assert client("AUTH", "geheim") == b"OK"
    assert client("GET", "k") is None
    assert guarded.client()("AUTH", "default", "geheim") == b"OK"


def test_a_wrong_password_later_does_not_log_out(guarded: Server) -> None:
    client = guarded.client()
    client("AUTH", "geheim")
    assert client("AUTH", "falsch") == WRONG_PASS
    assert client("PING") == b"PONG"


def test_a_login_and_what_follows_it_may_come_in_one_piece(guarded: Server) -> None:
    client = guarded.client()
    client.send_many([("AUTH", "geheim"), ("SET", "k", "v"), ("GET", "k")])
    assert client.replies() == [b"OK", b"OK", b"v"]


def test_auth_without_a_password_to_give(a: Client) -> None:
    assert a("AUTH", "x").startswith("ERR AUTH <password> called without any password configured")
    assert a("AUTH", "default", "x") == b"OK"
    assert a("AUTH", "nobody", "x") == WRONG_PASS
    assert a("AUTH", "a", "b", "c") == Error("ERR syntax error")
    assert a("AUTH") == Error("ERR wrong number of arguments for 'auth' command")


def test_a_password_set_while_running_is_asked_of_who_comes_then(server: Server, a: Client) -> None:
    a("CONFIG", "SET", "requirepass", "neu")
    assert a("PING") == b"PONG"
    late = server.client()
    assert late("PING") == NO_AUTH
    a("CONFIG", "SET", "requirepass", "")
    assert late("PING") == b"PONG"


def test_reset_makes_the_connection_a_fresh_one(a: Client, b: Client) -> None:
    a("HELLO", 3, "SETNAME", "me")
    a("SELECT", 3)
    a("WATCH", "k")
    a("MULTI")
    a("SET", "k", "v")
    assert a("RESET") == b"RESET"
    assert a("CLIENT", "GETNAME") is None
    assert a("EXEC") == Error("ERR EXEC without MULTI")
    assert a("SET", "k", "v") == b"OK"
    assert b("GET", "k") == b"v"
    assert a("HELLO")[5] == 2
    b("SET", "k", "w")
    a("MULTI")
    a("PING")
    assert a("EXEC") == [b"PONG"]


def test_only_who_has_logged_in_has_requests_gathered_and_long_ones_read(guarded: Server) -> None:
    client = guarded.client()
    long = ("MSET", *range(20))
    assert client.frontend.gathered is None
    client.send_many([("AUTH", "geheim"), long])
    assert client.replies() == [b"OK", b"OK"]
    assert client.frontend.gathered is guarded.dispatcher.gathered
    assert client("RESET") == b"RESET"
    assert client.frontend.gathered is None
    client.send(*long)
    assert client.frontend.codec.broken is not None


def test_reset_logs_out_and_ends_silence(guarded: Server) -> None:
    client = guarded.client()
    client("AUTH", "geheim")
    client.send("CLIENT", "REPLY", "OFF")
    assert client("RESET") == b"RESET"
    assert client("PING") == NO_AUTH


def test_quit_closes_behind_the_replies_and_runs_nothing_more(a: Client, b: Client) -> None:
    a.send_many([("SET", "k", "1"), ("QUIT", "now"), ("SET", "k", "2")])
    assert a.replies() == [b"OK", b"OK"]
    assert a.closed
    assert b("GET", "k") == b"1"


def test_select_and_echo(a: Client, b: Client) -> None:
    assert a("SELECT", 15) == b"OK"
    a("SET", "k", "v")
    assert b("GET", "k") is None
    assert a("SELECT", 16) == Error("ERR DB index is out of range")
    assert a("SELECT", "x") == Error("ERR value is not an integer or out of range")
    assert a("ECHO", b"\0\xff") == b"\0\xff"
    assert a("PING", "hi") == b"hi"
