"""SUBSCRIBE, PUBLISH and PUBSUB: what the comparison with Redis can't show, or not as sharply."""

from __future__ import annotations

import re

import pytest

from support.server import Client, Error, Server


def field(client: Client, of: Client, name: str) -> str:
    line = client("CLIENT", "LIST", "ID", of.peer.id).decode()
    return str(dict(re.findall(r"(\S+)=(\S*)", line))[name])


def break_the_next_commit(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the turn that is ended next be rolled back by an exception that no one expects."""
    whole = server.commit.commit_turn

    def broken() -> None:
        monkeypatch.setattr(server.commit, "commit_turn", whole)
        raise RuntimeError("planted")

    monkeypatch.setattr(server.commit, "commit_turn", broken)


def test_a_channel_of_many_clients_reaches_each_once(server: Server, a: Client) -> None:
    clients = [server.client() for _ in range(300)]
    for number, client in enumerate(clients):
        if number % 2:
            client("HELLO", 3)
        assert client("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]
    assert a("PUBLISH", "c", "x") == 300
    assert all(client.replies() == [[b"message", b"c", b"x"]] for client in clients)


def test_many_channels_of_one_client_are_confirmed_one_by_one(a: Client, b: Client) -> None:
    names = [f"c{number}" for number in range(2000)]
    a.send("SUBSCRIBE", *names)
    assert a.replies() == [[b"subscribe", name.encode(), at + 1] for at, name in enumerate(names)]
    assert b("PUBLISH", "c1999", "x") == 1
    assert a.replies() == [[b"message", b"c1999", b"x"]]
    a.send("UNSUBSCRIBE")
    assert len(a.replies()) == 2000
    assert b("PUBSUB", "CHANNELS") == []


def test_messages_of_one_publisher_come_in_order(a: Client, b: Client) -> None:
    a("PSUBSCRIBE", "*")
    b.send_many([("PUBLISH", f"c{number % 3}", str(number)) for number in range(100)])
    assert [message[3] for message in a.replies()] == [b"%d" % number for number in range(100)]


def test_pushes_are_pushes_in_resp3_and_arrays_in_resp2(a: Client, b: Client) -> None:
    a("HELLO", 3)
    a.raw = b.raw = b""
    a("SUBSCRIBE", "c")
    b("SUBSCRIBE", "c")
    assert a.raw == b">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
    assert b.raw == b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
    a.raw = b.raw = b""
    a("PUBLISH", "nobody", "x")
    a.send("PUBLISH", "c", "x")
    assert a.raw == b":0\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n:2\r\n"
    assert b.raw == b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n"


def test_a_message_of_a_transaction_comes_before_the_reply_to_its_exec(a: Client) -> None:
    a("HELLO", 3)
    a("SUBSCRIBE", "c")
    a("MULTI")
    a("PUBLISH", "c", "x")
    a("INCR", "n")
    a.send("EXEC")
    assert a.replies() == [[b"message", b"c", b"x"], [1, 1]]


def test_a_turn_that_is_rolled_back_has_told_no_one(
    server: Server, a: Client, b: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    a("SUBSCRIBE", "c")
    break_the_next_commit(server, monkeypatch)
    b.send_many([("SET", "k", "v"), ("PUBLISH", "c", "x")])
    assert [str(reply)[:18] for reply in b.replies()] == ["ERR internal error"] * 2
    assert a.replies() == []
    assert b("PUBLISH", "c", "y") == 1
    assert a.replies() == [[b"message", b"c", b"y"]]


def test_a_subscription_holds_though_the_turn_is_rolled_back(
    server: Server, a: Client, b: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_the_next_commit(server, monkeypatch)
    a.send_many([("SET", "k", "v"), ("SUBSCRIBE", "c", "d"), ("PING",)])
    failed, first, second, pong = a.replies()
    assert isinstance(failed, Error)
    assert (first, second) == ([b"subscribe", b"c", 1], [b"subscribe", b"d", 2])
    assert isinstance(pong, Error)
    assert b("PUBLISH", "c", "x") == 1
    assert a.replies() == [[b"message", b"c", b"x"]]


def test_pushes_are_sent_to_who_asked_for_no_replies(a: Client, b: Client) -> None:
    a.send("CLIENT", "REPLY", "OFF")
    a.send("SUBSCRIBE", "c")
    b("PUBLISH", "c", "x")
    a.send("PING")
    assert a.replies() == [[b"subscribe", b"c", 1], [b"message", b"c", b"x"]]
    a.send("UNSUBSCRIBE")
    assert a.replies() == [[b"unsubscribe", b"c", 0]]
    a.send("GET", "k")
    assert a.replies() == []
    assert a("CLIENT", "REPLY", "ON") == b"OK"


def test_a_skipped_reply_does_not_skip_a_push(a: Client, b: Client) -> None:
    a("HELLO", 3)
    a.send("CLIENT", "REPLY", "SKIP")
    a.send("SUBSCRIBE", "c")
    assert a.replies() == [[b"subscribe", b"c", 1]]
    assert a("GET", "k") is None


def test_the_client_list_tells_who_listens(a: Client, b: Client) -> None:
    assert field(a, b, "flags") == "N"
    b("SUBSCRIBE", "c")
    b("PSUBSCRIBE", "p")
    b("SSUBSCRIBE", "s")
    assert [field(a, b, name) for name in ("flags", "sub", "psub", "ssub")] == ["P", "1", "1", "1"]
    assert a("CLIENT", "LIST", "TYPE", "pubsub").startswith(b"id=2 ")
    assert a("CLIENT", "LIST", "TYPE", "normal").startswith(b"id=1 ")
    b("UNSUBSCRIBE")
    b("PUNSUBSCRIBE")
    b("SUNSUBSCRIBE")
    assert [field(a, b, name) for name in ("flags", "sub", "psub", "ssub")] == ["N", "0", "0", "0"]


def test_listeners_are_killed_by_their_type(server: Server, a: Client, b: Client) -> None:
    b("SUBSCRIBE", "c")
    assert a("CLIENT", "KILL", "TYPE", "pubsub") == 1
    assert b.closed
    assert a("PUBLISH", "c", "x") == 0


def test_info_counts_what_is_listened_to(server: Server, a: Client, b: Client) -> None:
    server.client()("PSUBSCRIBE", "p")
    b.send("SUBSCRIBE", "c", "d")
    server.client()("SUBSCRIBE", "c")
    server.client()("SSUBSCRIBE", "s")
    text = a("INFO", "stats")
    assert b"pubsub_channels:2\r\n" in text
    assert b"pubsub_patterns:1\r\n" in text
    assert b"pubsubshard_channels:1\r\n" in text


def test_one_who_listens_in_resp2_may_send_little_else(a: Client) -> None:
    a("SUBSCRIBE", "c")
    error = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
    assert a("GET", "k") == Error(f"ERR Can't execute 'get': {error}")
    assert a("CLIENT", "ID") == Error(f"ERR Can't execute 'client|id': {error}")
    assert a("PING") == [b"pong", b""]
    assert a("PING", "x") == [b"pong", b"x"]
    assert a("UNSUBSCRIBE") == [b"unsubscribe", b"c", 0]
    assert a("PING") == b"PONG"


def test_reset_ends_subscriptions(a: Client, b: Client) -> None:
    a("HELLO", 3)
    a("SUBSCRIBE", "c")
    a("PSUBSCRIBE", "*")
    assert a("RESET") == b"RESET"
    assert b("PUBLISH", "c", "x") == 0
    assert a("GET", "k") is None


def test_help_lists_the_subcommands(a: Client) -> None:
    lines = a("PUBSUB", "HELP")
    assert lines[0] == b"PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert b"NUMSUB [<channel> ...]" in lines
