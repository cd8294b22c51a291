"""CLIENT: names, lists, killing, silence, unblocking."""

from __future__ import annotations

import re

import pytest

from support.server import Client, Error, Server

SYNTAX = Error("ERR syntax error")


def fields(line: bytes) -> dict[str, str]:
    return dict(re.findall(r"(\S+)=(\S*)", line.decode()))


def test_ids_rise_and_names_are_kept(a: Client, b: Client) -> None:
    assert (a("CLIENT", "ID"), b("CLIENT", "ID")) == (1, 2)
    assert a("CLIENT", "GETNAME") is None
    assert a("CLIENT", "SETNAME", "worker-1") == b"OK"
    assert a("client", "getname") == b"worker-1"
    assert a("CLIENT", "SETNAME", "") == b"OK"
    assert a("CLIENT", "GETNAME") is None


@pytest.mark.parametrize("name", [b"a b", b"a\nb", b"\x7f", b"\xff", b"a\0"])
def test_names_are_visible_ascii(a: Client, name: bytes) -> None:
    error = Error("ERR Client names cannot contain spaces, newlines or special characters.")
    assert a("CLIENT", "SETNAME", name) == error


def test_setinfo_is_shown_only_where_it_was_told(a: Client, b: Client) -> None:
    assert a("CLIENT", "SETINFO", "lib-name", "redis-py") == b"OK"
    assert a("CLIENT", "SETINFO", "LIB-VER", "8.1") == b"OK"
    assert a("CLIENT", "INFO").rstrip().endswith(b"resp=2 lib-name=redis-py lib-ver=8.1")
    assert b("CLIENT", "INFO").rstrip().endswith(b"resp=2")
    assert a("CLIENT", "SETINFO", "FOO", "x") == Error("ERR Unrecognized option 'FOO'")
    error = Error("ERR lib-name cannot contain spaces, newlines or special characters.")
    assert a("CLIENT", "SETINFO", "LIB-NAME", "a b") == error


def test_unknown_subcommands_are_refused_as_clients_expect(a: Client) -> None:
    error = Error("ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.")
    assert a("CLIENT", "MAINT_NOTIFICATIONS", "ON", "moving-endpoint-type", "internal-ip") == error
    assert a("CLIENT") == Error("ERR wrong number of arguments for 'client' command")
    assert a("CLIENT", "ID", "x") == Error("ERR wrong number of arguments for 'client|id' command")


def test_help_lists_the_subcommands_as_they_are_declared(a: Client) -> None:
    lines = a("CLIENT", "HELP")
    assert lines[0] == b"CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert b"SETNAME <connection-name>" in lines
    assert b"HELP" in lines


def test_the_list_has_a_line_for_each_client(server: Server, a: Client, b: Client) -> None:
    server.advance_ms(5000)
    b("SELECT", 3)
    server.advance_ms(7000)
    first, second = map(fields, a("CLIENT", "LIST").splitlines())
    assert (first["id"], first["cmd"], first["age"], first["idle"]) == ("1", "client|list", "12", "0")
    assert (second["id"], second["db"], second["cmd"], second["age"], second["idle"]) == ("2", "3", "select", "12", "7")
    assert second["addr"] == "127.0.0.1:50002"
    assert second["laddr"] == "127.0.0.1:6379"
    assert second["user"] == "default"


def test_the_list_says_what_a_client_is_about(a: Client, b: Client) -> None:
    def flags() -> str:
        return fields(a("CLIENT", "LIST", "ID", 2))["flags"]

    assert flags() == "N"
    b("WATCH", "k")
    b("MULTI")
    b("SET", "k", "v")
    line = fields(a("CLIENT", "LIST", "ID", 2))
    assert (line["flags"], line["multi"], line["multi-mem"], line["cmd"]) == ("x", "1", "5", "set")
    a("SET", "k", "w")
    assert flags() == "xd"
    b("DISCARD")
    assert fields(a("CLIENT", "LIST", "ID", 2))["multi"] == "-1"
    b("CLIENT", "NO-EVICT", "on")
    b("CLIENT", "NO-TOUCH", "on")
    assert flags() == "eT"
    b("RESET")
    b.send("BLPOP", "q", 0)
    assert flags() == "b"
    assert fields(a("CLIENT", "LIST", "ID", 2))["cmd"] == "blpop"


def test_the_last_command_is_told_with_its_subcommand(a: Client, b: Client) -> None:
    b("CLIENT", "GETNAME")
    assert fields(a("CLIENT", "LIST", "ID", 2))["cmd"] == "client|getname"
    b("NOSUCH")
    assert fields(a("CLIENT", "LIST", "ID", 2))["cmd"] == "NULL"


def test_a_unix_socket_has_its_letter(server: Server, a: Client) -> None:
    server.client("/tmp/s.sock:0")  # noqa: S108 - only shown
    assert fields(a("CLIENT", "LIST", "ID", 2))["flags"] == "U"


def test_the_list_can_be_narrowed(a: Client, b: Client) -> None:
    assert len(a("CLIENT", "LIST", "TYPE", "normal").splitlines()) == 2
    assert a("CLIENT", "LIST", "TYPE", "PUBSUB") == b""
    assert a("CLIENT", "LIST", "TYPE", "foo") == Error("ERR Unknown client type 'foo'")
    assert [fields(line)["id"] for line in a("CLIENT", "LIST", "ID", 2, 99).splitlines()] == ["2"]
    assert a("CLIENT", "LIST", "ID", "x") == Error("ERR Invalid client ID")
    for words in (["ID"], ["TYPE"], ["FOO"], ["TYPE", "normal", "ID", "1"]):
        assert a("CLIENT", "LIST", *words) == SYNTAX


def test_resp3_lists_are_verbatim_text(a: Client) -> None:
    a("HELLO", 3)
    a("CLIENT", "LIST")
    assert b"\r\ntxt:id=1 " in a.raw


# -- KILL


def test_killing_by_address_the_old_way(a: Client, b: Client) -> None:
    assert a("CLIENT", "KILL", "127.0.0.1:50002") == b"OK"
    assert b.closed
    assert a("CLIENT", "KILL", "127.0.0.1:50002") == Error("ERR No such client")


def test_killing_oneself_answers_first(a: Client) -> None:
    assert a("CLIENT", "KILL", "127.0.0.1:50001") == b"OK"
    assert a.closed


def test_filters_are_all_to_fit_and_spare_the_caller(server: Server, a: Client, b: Client) -> None:
    c = server.client()
    assert a("CLIENT", "KILL", "ID", 3, "ADDR", "127.0.0.1:50002") == 0
    assert a("CLIENT", "KILL", "ID", 3, "ADDR", "127.0.0.1:50003", "LADDR", "127.0.0.1:6379", "USER", "default") == 1
    assert c.closed
    assert a("CLIENT", "KILL", "TYPE", "normal") == 1
    assert b.closed
    assert not a.closed
    assert a("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no") == 1
    assert a.closed


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["ID", "x"], "ERR client-id should be greater than 0"),
        (["ID", "0"], "ERR client-id should be greater than 0"),
        (["TYPE", "foo"], "ERR Unknown client type 'foo'"),
        (["USER", "nobody"], "ERR No such user 'nobody'"),
        (["ADDR", "1:1", "SKIPME", "maybe"], "ERR syntax error"),
        (["FOO", "bar"], "ERR syntax error"),
        (["ID", "1", "FOO"], "ERR syntax error"),
        (["nonsense"], "ERR No such client"),
    ],
)
def test_kill_refuses(a: Client, words: list[str], error: str) -> None:
    assert a("CLIENT", "KILL", *words) == Error(error)


def test_a_client_killed_while_it_waits_gets_nothing(a: Client, b: Client) -> None:
    b.send("BLPOP", "q", 0)
    a.send_many([("CLIENT", "KILL", "ID", 2), ("RPUSH", "q", "x"), ("LLEN", "q")])
    assert a.replies() == [1, 1, 1]
    assert b.replies() == []


# -- REPLY


def test_reply_off_lasts_until_on(a: Client) -> None:
    a.send("CLIENT", "REPLY", "OFF")
    a.send_many([("SET", "k", 1), ("NOSUCH",), ("GET",), ("INCR", "k")])
    assert a.replies() == []
    a.send_many([("CLIENT", "REPLY", "ON"), ("GET", "k")])
    assert a.replies() == [b"OK", b"2"]


def test_reply_skip_swallows_one_reply(a: Client) -> None:
    a.send_many([("CLIENT", "REPLY", "SKIP"), ("SET", "k", 1), ("INCR", "k"), ("INCR", "k")])
    assert a.replies() == [2, 3]
    a.send_many([("CLIENT", "REPLY", "SKIP"), ("NOSUCH",), ("PING",)])
    assert a.replies() == [b"PONG"]


def test_reply_skip_holds_for_a_command_that_waits(a: Client, b: Client) -> None:
    a.send_many([("CLIENT", "REPLY", "SKIP"), ("BLPOP", "q", 0), ("PING",)])
    b("RPUSH", "q", "x")
    assert a.replies() == [b"PONG"]


def test_reply_skip_while_someone_monitors(a: Client, b: Client) -> None:
    b("MONITOR")
    a.send_many([("CLIENT", "REPLY", "SKIP"), ("PING", 1), ("PING", 2)])
    assert a.replies() == [b"2"]


def test_silence_inside_a_transaction_does_not_break_the_stream(a: Client) -> None:
    a.send_many([("MULTI",), ("CLIENT", "REPLY", "OFF"), ("SET", "k", "v"), ("EXEC",)])
    a.send_many([("CLIENT", "REPLY", "ON"), ("PING",)])
    assert a.replies()[-2:] == [b"OK", b"PONG"]


def test_reply_takes_no_other_mode(a: Client) -> None:
    assert a("CLIENT", "REPLY", "FOO") == SYNTAX
    assert a("CLIENT", "NO-EVICT", "FOO") == SYNTAX
    assert a("CLIENT", "NO-TOUCH", "FOO") == SYNTAX


# -- UNBLOCK


def test_unblock_ends_the_waiting(a: Client, b: Client) -> None:
    b.send("BLPOP", "q", 0)
    assert a("CLIENT", "UNBLOCK", 2) == 1
    assert b.replies() == [None]
    b.send("BLPOP", "q", 0)
    assert a("CLIENT", "UNBLOCK", 2, "ERROR") == 1
    assert b.replies() == [Error("UNBLOCKED client unblocked via CLIENT UNBLOCK")]
    assert a("CLIENT", "UNBLOCK", 2, "TIMEOUT") == 0
    assert a("CLIENT", "UNBLOCK", 2, "FOO") == Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    assert a("CLIENT", "UNBLOCK", "x") == Error("ERR value is not an integer or out of range")


def test_what_stood_behind_the_waiting_goes_on(a: Client, b: Client) -> None:
    b.send_many([("BLPOP", "q", 0), ("SET", "k", "v")])
    a("CLIENT", "UNBLOCK", 2)
    assert b.replies() == [None, b"OK"]
