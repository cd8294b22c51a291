"""DEBUG, MEMORY, ROLE, REPLICAOF, WAIT, ACL WHOAMI, TIME, LOLWUT."""

from __future__ import annotations

import pytest

from support.server import Client, Error, Server


def test_debug_is_one_command(a: Client) -> None:
    assert a("DEBUG") == Error("ERR wrong number of arguments for 'debug' command")
    for words in (["FOO"], ["SLEEP"], ["OBJECT"], ["SLEEP", "0", "x"]):
        error = f"ERR unknown subcommand or wrong number of arguments for '{words[0]}'. Try DEBUG HELP."
        assert a("DEBUG", *words) == Error(error)
    lines = a("debug", "help")
    assert lines[0] == b"DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert b"LOADAOF" in lines
    assert all(line.startswith(b"    ") for line in lines[2::2])


def test_active_expiry_can_be_stopped(server: Server, a: Client) -> None:
    assert a("DEBUG", "SET-ACTIVE-EXPIRE", 0) == b"OK"
    assert not server.duties.active_expire
    assert a("DEBUG", "SET-ACTIVE-EXPIRE", 1) == b"OK"
    assert server.duties.active_expire
    assert a("DEBUG", "PAUSE-CRON", 1) == b"OK"
    assert not server.duties.active_expire
    assert a("DEBUG", "PAUSE-CRON", 0) == b"OK"
    assert server.duties.active_expire


def test_scripts_may_be_let_run_what_is_denied_them(a: Client) -> None:
    script = "return redis.call('debug', 'protocol', 'string')"
    refused = a("EVAL", script, 0)
    assert refused.startswith("ERR This Redis command is not allowed from script")
    assert a("DEBUG", "SET-DISABLE-DENY-SCRIPTS", 1) == b"OK"
    assert a("EVAL", script, 0) == b"Hello World"
    assert a("EVAL", script.replace("string", "attrib"), 0) == b"Some real reply following the attribute"
    assert a("DEBUG", "SET-DISABLE-DENY-SCRIPTS", 0) == b"OK"
    assert a("EVAL", script, 0) == refused


def test_a_reload_beside_what_is_there_needs_merge_for_functions(a: Client) -> None:
    assert a("DEBUG", "RELOAD", "NOFLUSH") == b"OK"
    a("FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return 1 end)")
    assert a("DEBUG", "RELOAD", "NOFLUSH").startswith("ERR Error trying to load the RDB dump")
    assert a("DEBUG", "RELOAD", "NOFLUSH", "MERGE") == b"OK"
    assert a("FCALL", "f", 0) == 1


def test_reload_reads_everything_anew(server: Server, a: Client) -> None:
    a.send_many([("SET", "k", "v"), ("RPUSH", "l", 1, 2), ("DEBUG", "RELOAD"), ("GET", "k"), ("LRANGE", "l", 0, -1)])
    assert a.replies() == [b"OK", 2, b"OK", b"v", [b"1", b"2"]]
    assert not server.commit.pending
    a.send_many([("MULTI",), ("SET", "k", "w"), ("DEBUG", "RELOAD"), ("GET", "k"), ("EXEC",)])
    assert a.replies()[-1] == [b"OK", b"OK", b"w"]


def test_object_shows_how_a_key_is_kept(a: Client) -> None:
    a("SET", "k", 12)
    assert a("DEBUG", "OBJECT", "k").startswith(b"Value at:0x0 refcount:1 encoding:int serializedlength:")
    assert a("DEBUG", "OBJECT", "nosuch") == Error("ERR no such key")


def test_object_shows_also_what_is_due_and_leaves_it(server: Server, a: Client) -> None:
    a("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    a("SET", "k", "v", "PX", 1)
    server.advance_ms(2)
    assert a("DEBUG", "OBJECT", "k").startswith(b"Value at:")
    assert a("DBSIZE") == 1
    assert a("EXISTS", "k") == 0
    assert a("DEBUG", "OBJECT", "k") == Error("ERR no such key")


@pytest.mark.parametrize("size", ["0", "100b", "1gb"])
def test_packed_threshold_is_accepted(a: Client, size: str) -> None:
    assert a("DEBUG", "QUICKLIST-PACKED-THRESHOLD", size) == b"OK"
    error = Error("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
    assert a("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "x") == error


def test_protocol_answers_in_each_shape(a: Client) -> None:
    a("HELLO", 3)
    assert a("DEBUG", "PROTOCOL", "map") == {0: False, 1: True, 2: False}
    assert a("DEBUG", "PROTOCOL", "double") == 3.141
    assert a("DEBUG", "PROTOCOL", "null") is None
    assert a("DEBUG", "PROTOCOL", "foo").startswith("ERR Wrong protocol type name.")
    assert a("DEBUG", "ERROR", "LOADING still") == Error("LOADING still")


def test_usage_grows_with_what_is_stored(a: Client) -> None:
    assert a("MEMORY", "USAGE", "k") is None
    a("SET", "k", "x")
    small = a("MEMORY", "USAGE", "k")
    a("SET", "k", "x" * 10_000)
    assert 10_000 < a("MEMORY", "USAGE", "k") < 10_100
    assert 1 < small < 100
    a("RPUSH", "l", *(["x" * 100] * 50))
    assert 50 * 100 < a("MEMORY", "USAGE", "l") < 50 * 150


def test_usage_of_large_collections_is_estimated_or_measured(a: Client) -> None:
    a("RPUSH", "l", *(["x" * 100] * 1000))
    exact = a("MEMORY", "USAGE", "l", "SAMPLES", 0)
    assert abs(a("MEMORY", "USAGE", "l") - exact) < exact / 100
    a("SADD", "s", *range(10_000, 12_000))
    exact = a("MEMORY", "USAGE", "s", "SAMPLES", 0)
    assert abs(a("MEMORY", "USAGE", "s", "SAMPLES", 300) - exact) < exact / 5


@pytest.mark.parametrize("words", [["SAMPLES"], ["SAMPLES", "-1"], ["FOO", "1"]])
def test_usage_refuses(a: Client, words: list[str]) -> None:
    assert a("MEMORY", "USAGE", "k", *words) == Error("ERR syntax error")
    assert a("MEMORY", "USAGE", "k", "SAMPLES", "x") == Error("ERR value is not an integer or out of range")


def test_memory_of_the_process(a: Client) -> None:
    a("MSET", "a", 1, "b", 2)
    a("HELLO", 3)
    stats = a("MEMORY", "STATS")
    assert stats[b"keys.count"] == 2
    assert stats[b"peak.allocated"] >= stats[b"total.allocated"] > 0
    assert isinstance(stats[b"fragmentation"], float)
    assert b"data file" in a("MEMORY", "DOCTOR")
    assert a("MEMORY", "PURGE") == b"OK"
    assert a("GET", "a") == b"1"


def test_one_server_without_replicas(server: Server, a: Client) -> None:
    assert a("ROLE") == [b"master", 0, []]
    assert a("REPLICAOF", "NO", "ONE") == a("SLAVEOF", "no", "one") == b"OK"
    assert a("REPLICAOF", "host", "x") == Error("ERR Invalid master port")
    assert a("REPLICAOF", "host", 6379) == Error("ERR spoold can't be the replica of another server")


def test_wait_waits_out_its_time(server: Server, a: Client) -> None:
    assert a("WAIT", 0, 0) == 0
    a.send("WAIT", 1, 100)
    assert a.replies() == []
    server.advance_ms(100)
    assert a.replies() == [0]
    assert a("WAIT", "x", 1) == Error("ERR value is not an integer or out of range")
    assert a("WAIT", 1, "x") == Error("ERR timeout is not an integer or out of range")
    assert a("WAIT", 1, -1) == Error("ERR timeout is negative")
    a.send_many([("MULTI",), ("WAIT", 1, 0), ("EXEC",)])
    assert a.replies()[-1] == [0]


def test_time_is_the_server_clock(server: Server, a: Client) -> None:
    server.clock.advance_ms(1)
    assert a("TIME") == [b"1700000000", b"1000"]


def test_lolwut_draws_a_spool(a: Client) -> None:
    assert b"spoold" in a("LOLWUT")
    assert b"Redis ver. 7." in a("LOLWUT")
    lines = a("LOLWUT", "VERSION", 5, 10, 3).splitlines()
    assert lines[0] == b"=" * 16
    assert len(lines) == 6
    assert a("LOLWUT", "foo").count(b"\n") == 9
    assert a("LOLWUT", "VERSION", "x") == Error("ERR value is not an integer or out of range")


def test_protocol_shows_attributes_and_pushes_to_who_understands_them(a: Client) -> None:
    assert a("DEBUG", "PROTOCOL", "attrib") == b"Some real reply following the attribute"
    assert a("DEBUG", "PROTOCOL", "push") == Error("ERR RESP2 is not supported by this command")
