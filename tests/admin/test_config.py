"""CONFIG: what is answered, what takes effect, and that a refusal changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from spoold.admin.parameters import PARAMETERS
from support.server import Client, Error, Server


@pytest.fixture(autouse=True)
def _level_stays() -> Iterator[None]:
    log = logging.getLogger("spoold")
    level = log.level
    yield
    log.setLevel(level)


PORT_STAYS = "Unable to listen on this port: it is chosen at the start (--redis)"


def got(client: Client, *patterns: str) -> dict[bytes, bytes]:
    reply = client("CONFIG", "GET", *patterns)
    return dict(zip(reply[::2], reply[1::2], strict=True))


def refusal(name: str, reason: str) -> Error:
    return Error(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")


def test_patterns_and_names_in_any_case(a: Client) -> None:
    assert got(a, "MAXMEMORY", "max*-policy", "nosuch") == {b"maxmemory": b"0", b"maxmemory-policy": b"noeviction"}
    assert got(a, "nosuch*") == {}
    names = {parameter.name.encode() for parameter in PARAMETERS if not parameter.hidden}
    assert names <= got(a, "*").keys()
    assert got(a, "key-load-*") == {}
    assert got(a, "KEY-load-delay") == {b"key-load-delay": b"0"}


def test_resp3_gives_a_map(a: Client) -> None:
    a("HELLO", 3)
    assert a("CONFIG", "GET", "hz") == {b"hz": b"10"}


def test_every_parameter_takes_what_it_shows(a: Client) -> None:
    for parameter in PARAMETERS:
        shown = got(a, parameter.name)[parameter.name.encode()]
        if not parameter.fixed:
            assert a("CONFIG", "SET", parameter.name, shown) == b"OK", parameter.name
            assert got(a, parameter.name) == {parameter.name.encode(): shown}


def test_old_and_new_names_are_one_parameter(a: Client) -> None:
    assert a("CONFIG", "SET", "hash-max-ziplist-entries", 7) == b"OK"
    assert got(a, "hash-max-*-entries") == {b"hash-max-listpack-entries": b"7", b"hash-max-ziplist-entries": b"7"}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
        ("maxclients", "abc", "argument couldn't be parsed into an integer"),
        ("timeout", "-1", "argument must be between 0 and 2147483647 inclusive"),
        ("appendonly", "foo", "argument must be 'yes' or 'no'"),
        ("maxmemory", "abc", "argument must be a memory value"),
        ("proto-max-bulk-len", "1", "argument must be between 1048576 and 9223372036854775807 inclusive"),
        ("loglevel", "foo", "argument(s) must be one of the following: debug, verbose, notice, warning"),
        ("notify-keyspace-events", "Q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        ("save", "abc", "Invalid save parameters"),
        ("save", "900", "Invalid save parameters"),
        ("client-output-buffer-limit", "normal 1 2", "Wrong number of arguments in buffer limit configuration."),
        ("maxmemory-clients", "200%", "percentage argument must be less or equal to 100"),
        ("maxmemory-clients", "-1%", "argument must be a memory or percent value"),
        ("maxmemory-policy", "allkeys-lru", "nothing is ever evicted: 'noeviction' is the only policy"),
        ("databases", "3", "can't set immutable config"),
        ("dir", "/nowhere", "can't set protected config"),
    ],
)
def test_bad_values_are_refused_in_redis_words(a: Client, name: str, value: str, reason: str) -> None:
    assert a("CONFIG", "SET", name, value) == refusal(name, reason)


def test_values_are_shown_as_redis_shows_them(a: Client) -> None:
    a("CONFIG", "SET", "maxmemory", "2gb", "notify-keyspace-events", "KEA", "save", "900 1  60 10000")
    a("CONFIG", "SET", "latency-tracking-info-percentiles", "50 99.90", "client-output-buffer-limit", "pubsub 1k 2k 3")
    assert got(a, "maxmemory", "notify-*", "save", "*percentiles", "client-output*") == {
        b"maxmemory": b"2147483648",
        b"notify-keyspace-events": b"AKE",
        b"save": b"900 1 60 10000",
        b"latency-tracking-info-percentiles": b"50 99.9",
        b"client-output-buffer-limit": b"normal 0 0 0 slave 268435456 67108864 60 pubsub 1000 2000 3",
    }


def test_several_are_set_together_or_not_at_all(server: Server, a: Client) -> None:
    assert a("CONFIG", "SET", "maxclients", 5, "timeout", 30) == b"OK"
    assert (server.counts.max_clients, server.duties.idle_s) == (5, 30.0)
    for words, error in (
        (["maxclients", 6, "timeout", "x"], refusal("timeout", "argument couldn't be parsed into an integer")),
        (["maxclients", 6, "maxclients", 7], refusal("maxclients", "duplicate parameter")),
        (["maxclients", 6, "databases", 7], refusal("databases", "can't set immutable config")),
        (["maxclients", 6, "port", 7], refusal("port", PORT_STAYS)),
        (["maxclients", 6, "nosuch", 7], Error("ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'")),
        (["maxclients", 6, "timeout"], Error("ERR wrong number of arguments for 'config|set' command")),
    ):
        assert a("CONFIG", "SET", *words) == error
    assert (server.counts.max_clients, server.duties.idle_s) == (5, 30.0)
    assert got(a, "maxclients") == {b"maxclients": b"5"}


def test_limits_of_requests_reach_the_codecs_and_the_strings(server: Server, a: Client) -> None:
    a("CONFIG", "SET", "proto-max-bulk-len", "2mb")
    assert server.limited == [(2 * 1024**2, 128 * 1024**2)]
    assert a("SETRANGE", "k", 2 * 1024**2, "x").startswith("ERR string exceeds maximum allowed size")
    a("CONFIG", "SET", "client-query-buffer-limit", "4mb")
    assert server.limited[-1] == (2 * 1024**2, 4 * 1024**2)


def test_the_log_level_changes(a: Client) -> None:
    a("CONFIG", "SET", "loglevel", "warning")
    assert logging.getLogger("spoold").level == logging.WARNING
    a("CONFIG", "SET", "loglevel", "verbose")
    assert logging.getLogger("spoold").level == logging.INFO


def test_a_tool_may_write_back_the_address_that_it_read(a: Client) -> None:
    assert a("CONFIG", "SET", "port", 6379, "bind", "127.0.0.1", "maxmemory-clients", "50%") == b"OK"
    assert got(a, "port", "maxmemory-clients") == {b"port": b"6379", b"maxmemory-clients": b"50%"}
    assert a("CONFIG", "SET", "port", 7000) == refusal("port", PORT_STAYS)


def test_what_was_given_at_start_is_shown(server: Server, a: Client) -> None:
    assert got(a, "port", "bind", "unixsocket", "dir", "appendfsync", "maxclients") == {
        b"port": b"6379",
        b"bind": b"127.0.0.1",
        b"unixsocket": b"/tmp/s.sock",
        b"dir": str(server.directory).encode(),
        b"appendfsync": b"everysec",
        b"maxclients": b"10000",
    }


def test_when_the_journal_is_synced_can_be_changed(server: Server, a: Client) -> None:
    a("SET", "k", "v")
    assert server.commit.unsynced
    assert a("CONFIG", "SET", "appendfsync", "always") == b"OK"
    assert server.duties.interval_s == 0
    assert server.commit._log.synced
    assert a("CONFIG", "SET", "appendfsync", "everysec") == b"OK"
    assert server.duties.interval_s > 0
    assert not server.commit._log.synced
    reason = "with --memory nothing is synced, and without it the journal always is"
    assert a("CONFIG", "SET", "appendfsync", "no") == refusal("appendfsync", reason)


def test_a_promise_to_sync_needs_what_stands_before_on_the_disk(
    server: Server, a: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise OSError(5, "Input/output error")

    a("SET", "k", "v")
    monkeypatch.setattr(server.commit._log, "sync", fails)
    reply = a("CONFIG", "SET", "appendfsync", "always")
    assert "what was written before cannot be synced: journal sync failed: Input/output error" in str(reply)
    assert not server.commit._log.synced
    assert server.duties.interval_s > 0


def test_a_rewrite_has_no_file_to_go_to(a: Client) -> None:
    assert a("CONFIG", "REWRITE") == Error("ERR The server is running without a config file")
    assert a("CONFIG", "FOO") == Error("ERR unknown subcommand 'FOO'. Try CONFIG HELP.")


def test_resetstat_sets_counters_back(server: Server, a: Client) -> None:
    a("SET", "k", "v", "PX", 1)
    a("GET", "k", "x")
    server.advance_ms(10)
    a("GET", "k")
    before = a("INFO", "stats", "commandstats")
    assert b"\r\nexpired_keys:1\r\n" in before
    assert b"cmdstat_set:calls=1" in before
    assert b"cmdstat_get:calls=1,usec=" in before
    assert b"rejected_calls=1" in before
    assert a("CONFIG", "RESETSTAT") == b"OK"
    after = a("INFO", "stats", "commandstats")
    assert b"\r\nexpired_keys:0\r\n" in after
    assert b"total_connections_received:0" in after
    assert b"cmdstat_set:" not in after
    assert b"\r\ntotal_commands_processed:1\r\n" in after  # RESETSTAT itself


def test_an_exposed_listener_keeps_its_password(server: Server, a: Client) -> None:
    a("CONFIG", "SET", "requirepass", "geheim")
    server.exposed = True
    reason = "other machines can reach a listener, and it would have no password"
    assert a("CONFIG", "SET", "timeout", 7, "requirepass", "") == refusal("requirepass", reason)
    assert got(a, "timeout", "requirepass") == {b"timeout": b"0", b"requirepass": b"geheim"}
    assert a("CONFIG", "SET", "requirepass", "anders") == b"OK"


def test_the_limits_of_small_collections_are_what_object_encoding_follows(a: Client) -> None:
    a("HSET", "h", "f", "v", "g", "w")
    assert a("OBJECT", "ENCODING", "h") == b"listpack"
    assert a("CONFIG", "SET", "hash-max-ziplist-entries", 1) == b"OK"
    assert a("OBJECT", "ENCODING", "h") == b"hashtable"
    assert got(a, "hash-max-listpack-entries") == {b"hash-max-listpack-entries": b"1"}
