"""MONITOR, SLOWLOG; and that no password comes into any of them."""

from __future__ import annotations

import pytest

from support.server import Client, Error, Server


def shown(client: Client) -> list[bytes]:
    """The lines without their time."""
    return [line.partition(b" ")[2] for line in client.replies()]


def test_requests_are_shown_as_redis_shows_them(server: Server, a: Client, b: Client) -> None:
    assert a("MONITOR") == b"OK"
    server.advance_ms(1)
    b("set", "k", b'a "b" \\ \x00\n\xe4')
    assert a.replies() == [rb'1700000000.001000 [0 127.0.0.1:50002] "set" "k" "a \"b\" \\ \x00\n\xe4"']


def test_a_transaction_is_shown_when_it_runs(a: Client, b: Client) -> None:
    a("MONITOR")
    for request in (
        ["MULTI"],
        ["SET", "k", "v"],
        ["NOSUCH"],
        ["EXEC"],
        ["MULTI"],
        ["SELECT", 3],
        ["GET", "k"],
        ["EXEC"],
    ):
        b(*request)
    assert shown(a) == [
        b'[0 127.0.0.1:50002] "MULTI"',
        b'[0 127.0.0.1:50002] "EXEC"',
        b'[0 127.0.0.1:50002] "MULTI"',
        b'[3 127.0.0.1:50002] "SELECT" "3"',
        b'[3 127.0.0.1:50002] "GET" "k"',
        b'[3 127.0.0.1:50002] "EXEC"',
    ]


def test_secrets_and_administration_are_not_shown(a: Client, b: Client) -> None:
    a("MONITOR")
    b("CONFIG", "SET", "requirepass", "geheim")
    b("AUTH", "geheim")
    b("AUTH", "default", "geheim")
    b("HELLO", 2, "SETNAME", "n", "AUTH", "default", "geheim")
    b("CLIENT", "SETNAME", "n")
    b("CLIENT", "LIST")
    b("SLOWLOG", "LEN")
    b("NOSUCH")
    lines = shown(a)
    assert not any(b"geheim" in line for line in lines)
    assert [line.partition(b"] ")[2] for line in lines] == [
        b'"AUTH" "(redacted)"',
        b'"AUTH" "(redacted)" "(redacted)"',
        b'"HELLO" "2" "SETNAME" "n" "AUTH" "(redacted)" "(redacted)"',
        b'"CLIENT" "SETNAME" "n"',
    ]


def test_watching_ends_with_reset_or_the_connection(server: Server, a: Client, b: Client) -> None:
    a("MONITOR")
    c = server.client()
    c("MONITOR")
    assert server.dispatcher.alert
    a("RESET")
    c.close()
    a.replies()
    b("PING")
    assert a.replies() == []
    b("PING")
    assert not server.dispatcher.alert
    assert server.dispatcher.observers == []


def test_a_second_monitor_is_not_answered(a: Client) -> None:
    a("MONITOR")
    a.send("MONITOR")
    assert a.replies() == []


def test_what_a_rolled_back_turn_did_is_not_shown(
    server: Server, a: Client, b: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    a("MONITOR")

    def fails() -> bool:
        raise RuntimeError("planted")

    monkeypatch.setattr(server.commit, "commit_turn", fails)
    b.send("SET", "k", "v")
    assert b.replies()[0].startswith("ERR internal error")
    assert a.replies() == []


def test_slow_commands_are_kept_the_latest_first(server: Server, a: Client) -> None:
    a("CONFIG", "SET", "slowlog-log-slower-than", 0)
    a("SLOWLOG", "RESET")
    a("CLIENT", "SETNAME", "me")
    a("SET", "k", "v" * 200)
    a("SADD", "s", *range(40))
    sadd, set_, setname = a("SLOWLOG", "GET", 3)
    assert set_[0] > setname[0]
    assert set_[1] == 1_700_000_000
    assert set_[3:] == [[b"SET", b"k", b"v" * 128 + b"... (72 more bytes)"], b"127.0.0.1:50001", b"me"]
    assert len(sadd[3]) == 32
    assert sadd[3][-1] == b"... (11 more arguments)"


def test_what_runs_inside_a_transaction_is_kept_by_itself(a: Client) -> None:
    a("CONFIG", "SET", "slowlog-log-slower-than", 0)
    a.send_many([("SLOWLOG", "RESET"), ("MULTI",), ("GET", "k"), ("EXEC",)])
    a.replies()
    assert [entry[3] for entry in a("SLOWLOG", "GET", 2)] == [[b"GET", b"k"], [b"MULTI"]]


def test_secrets_are_not_kept(a: Client) -> None:
    a("CONFIG", "SET", "slowlog-log-slower-than", 0)
    a("CONFIG", "SET", "timeout", 0, "REQUIREPASS", "geheim")
    a("AUTH", "geheim")
    a("hello", 2, "auth", "default", "geheim")
    words = [entry[3] for entry in a("SLOWLOG", "GET", 3)]
    assert words == [
        [b"hello", b"2", b"auth", b"(redacted)", b"(redacted)"],
        [b"AUTH", b"(redacted)"],
        [b"CONFIG", b"SET", b"timeout", b"0", b"REQUIREPASS", b"(redacted)"],
    ]


def test_the_log_has_a_length(a: Client) -> None:
    a("CONFIG", "SET", "slowlog-log-slower-than", 0, "slowlog-max-len", 3)
    for number in range(5):
        a("PING", number)
    assert a("SLOWLOG", "LEN") == 3
    assert [entry[3] for entry in a("SLOWLOG", "GET", -1)] == [[b"SLOWLOG", b"LEN"], [b"PING", b"4"], [b"PING", b"3"]]
    assert a("SLOWLOG", "GET", 0) == []
    a("CONFIG", "SET", "slowlog-max-len", 1)
    assert a("SLOWLOG", "LEN") == 1
    a("CONFIG", "SET", "slowlog-log-slower-than", -1)
    a("SLOWLOG", "RESET")
    assert a("SLOWLOG", "LEN") == 0


def test_only_slow_commands_are_kept(server: Server, a: Client) -> None:
    a("CONFIG", "SET", "slowlog-log-slower-than", 5000)
    a("PING")
    a("DEBUG", "SLEEP", "0.006")
    (entry,) = a("SLOWLOG", "GET")
    assert entry[3] == [b"DEBUG", b"SLEEP", b"0.006"]
    assert 6000 <= entry[2] < 5_000_000


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["GET", "-2"], "ERR count should be greater than or equal to -1"),
        (["GET", "x"], "ERR count should be greater than or equal to -1"),
        (["GET", "1", "2"], "ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP."),
        (["LEN", "x"], "ERR wrong number of arguments for 'slowlog|len' command"),
        (["FOO"], "ERR unknown subcommand 'FOO'. Try SLOWLOG HELP."),
    ],
)
def test_slowlog_refuses(a: Client, words: list[str], error: str) -> None:
    assert a("SLOWLOG", *words) == Error(error)


def test_who_waited_is_logged_when_he_is_served(a: Client, b: Client) -> None:
    a("CONFIG", "SET", "slowlog-log-slower-than", 0)
    b.send("BLPOP", "q", 0)
    a.send_many([("SLOWLOG", "RESET"), ("RPUSH", "q", "x")])
    a.replies()
    assert b.replies() == [[b"q", b"x"]]
    logged = [entry[3] for entry in a("SLOWLOG", "GET", 10)]
    assert [b"BLPOP", b"q", b"0"] in logged
