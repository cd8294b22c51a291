"""CLIENT PAUSE and UNPAUSE: who waits, for how long, in which order."""

from __future__ import annotations

from support.server import Client, Error, Server


def test_writes_wait_and_reads_do_not(a: Client, b: Client) -> None:
    a("CLIENT", "PAUSE", 60_000, "WRITE")
    b.send("SET", "k", "v")
    assert b.replies() == []
    assert a("GET", "k") is None
    assert a("CLIENT", "UNPAUSE") == b"OK"
    assert b.replies() == [b"OK"]
    assert a("GET", "k") == b"v"


def test_everything_waits_until_the_time_is_up(server: Server, a: Client, b: Client) -> None:
    assert a("CLIENT", "PAUSE", 100) == b"OK"
    a.send("PING")
    b.send_many([("PING", 1), ("PING", 2)])
    b.send("PING", 3)
    server.advance_ms(99)
    assert a.replies() + b.replies() == []
    server.advance_ms(1)
    assert a.replies() == [b"PONG"]
    assert b.replies() == [b"1", b"2", b"3"]


def test_what_stands_behind_a_write_waits_too(a: Client, b: Client) -> None:
    a("CLIENT", "PAUSE", 60_000, "WRITE")
    b.send_many([("GET", "k"), ("SET", "k", 1), ("GET", "k")])
    b.send("PING")
    assert b.replies() == [None]
    a("CLIENT", "UNPAUSE")
    assert b.replies() == [b"OK", b"1", b"PONG"]


def test_clients_go_on_in_the_order_in_which_they_were_held(server: Server, a: Client, b: Client) -> None:
    c = server.client()
    a("CLIENT", "PAUSE", 60_000, "WRITE")
    c.send("RPUSH", "q", "c")
    b.send("RPUSH", "q", "b")
    a("CLIENT", "UNPAUSE")
    assert a("LRANGE", "q", 0, -1) == [b"c", b"b"]


def test_a_second_pause_never_shortens_or_loosens_the_first(server: Server, a: Client, b: Client) -> None:
    a.send_many([("CLIENT", "PAUSE", 1000, "WRITE"), ("CLIENT", "PAUSE", 50, "ALL")])
    b.send("PING")
    server.advance_ms(999)
    assert b.replies() == []
    server.advance_ms(1)
    assert b.replies() == [b"PONG"]


def test_a_longer_pause_is_longer(server: Server, a: Client, b: Client) -> None:
    a.send_many([("CLIENT", "PAUSE", 50, "WRITE"), ("CLIENT", "PAUSE", 200, "WRITE")])
    b.send("SET", "k", 1)
    server.advance_ms(100)
    assert b.replies() == []
    server.advance_ms(100)
    assert b.replies() == [b"OK"]


def test_transactions_wait_at_the_first_write(a: Client, b: Client) -> None:
    a("CLIENT", "PAUSE", 60_000, "WRITE")
    b.send_many([("MULTI",), ("GET", "k"), ("EXEC",), ("MULTI",), ("SET", "k", 1), ("EXEC",)])
    assert b.replies() == [b"OK", b"QUEUED", [None], b"OK"]
    a("CLIENT", "UNPAUSE")
    assert b.replies() == [b"QUEUED", [b"OK"]]


def test_exec_waits_if_its_writes_were_queued_before(a: Client, b: Client) -> None:
    b.send_many([("MULTI",), ("SET", "k", 1)])
    a("CLIENT", "PAUSE", 60_000, "WRITE")
    b.send("EXEC")
    assert b.replies() == [b"OK", b"QUEUED"]
    a("CLIENT", "UNPAUSE")
    assert b.replies() == [[b"OK"]]


def test_a_paused_client_may_go(a: Client, b: Client) -> None:
    a("CLIENT", "PAUSE", 60_000, "WRITE")
    b.send("SET", "k", 1)
    assert b" flags=b " in a("CLIENT", "LIST", "ID", 2)
    assert b"blocked_clients:1\r\n" in a("INFO", "clients")
    b.close()
    assert b"blocked_clients:0\r\n" in a("INFO", "clients")
    a("CLIENT", "UNPAUSE")
    assert a("GET", "k") is None


def test_pause_refuses(a: Client) -> None:
    assert a("CLIENT", "PAUSE", "x") == Error("ERR timeout is not an integer or out of range")
    assert a("CLIENT", "PAUSE", -1) == Error("ERR timeout is negative")
    assert a("CLIENT", "PAUSE", 2**63 - 1) == Error("ERR timeout is out of range")
    assert a("CLIENT", "PAUSE", 10, "FOO") == Error("ERR CLIENT PAUSE mode must be WRITE or ALL")
    assert a("CLIENT", "UNPAUSE") == b"OK"
    assert a("PING") == b"PONG"


def test_what_would_go_to_others_waits_like_a_write(a: Client, b: Client) -> None:
    a("PFADD", "h", "x")
    a("CLIENT", "PAUSE", 60_000, "WRITE")
    b.send_many([("PFCOUNT", "h"), ("PUBLISH", "channel", "message")])
    assert b.replies() == []
    a("CLIENT", "UNPAUSE")
    assert b.replies() == [1, 0]
