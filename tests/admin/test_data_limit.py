"""`maxmemory`: what adds data is refused while there is too much of it, and nothing is lost for it."""

from __future__ import annotations

from pathlib import Path

from spoold.settings import Settings
from support.server import Client, Error, Server

REFUSED = Error("OOM command not allowed when used memory > 'maxmemory'.")


def test_more_data_is_refused_reading_and_taking_away_are_not(a: Client, b: Client) -> None:
    a("RPUSH", "q", "x", "y")
    assert a("CONFIG", "SET", "maxmemory", 1) == b"OK"
    for client in (a, b):
        assert client("SET", "k", "v") == REFUSED
        assert client("RPUSH", "q", "z") == REFUSED
    assert a("LPOP", "q") == b"x"
    assert a("LRANGE", "q", 0, -1) == [b"y"]
    assert a("CONFIG", "SET", "maxmemory", 0) == b"OK"
    assert a("RPUSH", "q", "z") == 2


def test_a_limit_may_be_given_at_the_start(tmp_path: Path) -> None:
    with Server(tmp_path, settings=Settings(max_data=1)) as server:
        client = server.client()
        assert client("SET", "k", "v") == REFUSED
        assert client("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"1"]
        assert client("CONFIG", "SET", "maxmemory", "1gb") == b"OK"
        assert client("SET", "k", "v") == b"OK"


def test_a_transaction_with_such_a_command_is_refused_whole(a: Client, b: Client) -> None:
    a.send_many([("MULTI",), ("DEL", "k"), ("SET", "k", "v")])
    a.replies()
    b("CONFIG", "SET", "maxmemory", 1)
    reason = "command not allowed when used memory > 'maxmemory'."
    assert a("EXEC") == Error(f"EXECABORT Transaction discarded because of: OOM {reason}")
    a.send_many([("MULTI",), ("SET", "k", "v"), ("EXEC",)])
    assert a.replies() == [
        b"OK",
        REFUSED,
        Error("EXECABORT Transaction discarded because of previous errors."),
    ]
    a.send_many([("MULTI",), ("GET", "k"), ("EXEC",)])
    assert a.replies()[-1] == [None]
    b("CONFIG", "SET", "maxmemory", 0)


def test_data_that_is_taken_away_makes_room_again(server: Server, a: Client) -> None:
    for number in range(20):
        a("SET", f"k{number}", "v" * 100_000)
    server.commit.checkpoint()
    a("CONFIG", "SET", "maxmemory", "1mb")
    assert a("SET", "k", "v") == REFUSED
    assert f"maxmemory:{1 << 20}" in a("INFO", "memory").decode()
    for number in range(20):
        a("DEL", f"k{number}")
    server.commit.checkpoint()
    for duty in server.duties.each_tick:
        duty()
    assert a("SET", "k", "v") == b"OK"


def test_scripts_may_not_add_data_either(a: Client) -> None:
    a("CONFIG", "SET", "maxmemory", 1)
    reply = a("EVAL", "return redis.call('SET', 'k', 'v')", 1, "k")
    assert "OOM command not allowed when used memory > 'maxmemory'." in str(reply)
    assert a("EVAL", "return redis.call('GET', 'k')", 1, "k") is None
    a("CONFIG", "SET", "maxmemory", 0)
    assert a("EVAL", "return redis.call('SET', 'k', 'v')", 1, "k") == b"OK"


def test_a_script_may_say_that_it_bears_with_it(a: Client) -> None:
    a("CONFIG", "SET", "maxmemory", 1)
    adding = "redis.call('SET', 'k', 'v') return 1"
    assert a("EVAL", "#!lua flags=\nreturn 1", 0) == REFUSED
    assert a("EVAL", f"#!lua flags=allow-oom\n{adding}", 1, "k") == 1
    assert a("EVAL", "#!lua flags=no-writes\nreturn redis.call('GET', 'k')", 1, "k") == b"v"
    assert "OOM command not allowed" in str(a("EVAL", adding, 1, "k"))
    a("CONFIG", "SET", "maxmemory", 0)
