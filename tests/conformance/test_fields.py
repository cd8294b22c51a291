"""Replies whose values are spoold's own but whose form clients parse: CLIENT LIST, INFO, HELLO, SLOWLOG, MONITOR."""

from __future__ import annotations

import re

import pytest
from tests.conformance.duel import Duel, Side
from tests.conformance.wire import Node

# What the clients and frameworks of shared/reference read, and what dashboards show first.
INFO_FIELDS = {
    "redis_version",
    "redis_mode",
    "os",
    "arch_bits",
    "process_id",
    "tcp_port",
    "uptime_in_seconds",
    "connected_clients",
    "blocked_clients",
    "maxclients",
    "used_memory",
    "used_memory_human",
    "maxmemory",
    "maxmemory_policy",
    "loading",
    "role",
    "total_connections_received",
    "total_commands_processed",
    "instantaneous_ops_per_sec",
    "expired_keys",
    "keyspace_hits",
    "keyspace_misses",
}

COUNTED = ("eval", "eval_ro", "get", "debug", "select", "set")

pytestmark = pytest.mark.needs_redis


def text(node: Node) -> str:
    assert isinstance(node.value, bytes), node
    return node.value.decode()


def info(side: Side, *sections: bytes) -> dict[str, str]:
    lines = text(side.observer.call(b"INFO", *sections)).split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def test_client_list_has_the_fields_of_redis_in_their_order(duel: Duel) -> None:
    names = []
    with duel.example():
        for side in duel.sides:
            row = text(side.link("a").call(b"CLIENT", b"INFO")).strip()
            names.append(re.findall(r"(\S+)=\S*", row))
            assert row.endswith(text(side.link("a").call(b"CLIENT", b"LIST")).strip().splitlines()[-1][-10:]) or row
    assert names[0] == names[1]


def test_who_asks_for_a_client_s_line_sees_how_long_the_own_request_is(duel: Duel) -> None:
    with duel.example():
        for request in ([b"CLIENT", b"INFO"], [b"CLIENT", b"LIST"], [b"CLIENT", b"LIST", b"TYPE", b"normal"]):
            shown = []
            for side in duel.sides:
                lines = text(side.link("a").call(*request)).splitlines()
                (own,) = [line for line in lines if " cmd=client|" in line]
                shown.append(re.findall(r" (?:qbuf|argv-mem)=\d+", own))
            assert shown[0] == shown[1]


def test_what_scripts_are_refused_is_counted_once(duel: Duel) -> None:
    scripts = (
        b"return redis.call('nosuch')",
        b"return redis.call('get')",
        b"return redis.call('debug', 'sleep', 0)",
        b"redis.pcall('debug', 'sleep', 0) return 1",
        b"redis.pcall('select', 99) return 1",
        b"return redis.pcall('select', 99)",
    )
    found = []
    with duel.example():
        for side in duel.sides:
            side.observer.call(b"CONFIG", b"RESETSTAT")
            for script in scripts:
                side.link("a").call(b"EVAL", script, b"0")
                side.link("a").call(b"EVAL_RO", b"return redis.call('set', 'k', 'v')", b"0")
            told = info(side, b"stats", b"commandstats", b"errorstats")
            counts = {name: re.sub(r"usec.*?,(?=rej)", "", told.get(f"cmdstat_{name}", "")) for name in COUNTED}
            found.append((counts, told["total_error_replies"], told["errorstat_ERR"]))
    assert found[0] == found[1]


def test_client_list_tells_state(duel: Duel) -> None:
    shown = []
    with duel.example():
        for side in duel.sides:
            link = side.link("b")
            link.call(b"CLIENT", b"SETNAME", b"worker-1")
            link.call(b"SELECT", b"3")
            link.call(b"WATCH", b"k")
            link.call(b"MULTI")
            link.call(b"PING")
            row = text(side.observer.call(b"CLIENT", b"LIST", b"ID", side.ids["b"]))
            shown.append(
                {field: _field(row, field) for field in ("name", "db", "flags", "multi", "cmd", "user", "resp")}
            )
    assert shown[0] == {name: value for name, value in shown[1].items() if name in shown[0]}


def test_info_has_what_clients_read_in_the_sections_of_redis(duel: Duel) -> None:
    ours, theirs = (info(side) for side in duel.sides)
    missing = sorted(INFO_FIELDS - ours.keys())
    assert not missing, f"INFO lacks {missing}"
    for field in ("redis_version", "maxmemory_policy", "loading", "role", "redis_mode"):
        assert ours[field] == theirs[field], field
    assert "spoold_version" in ours or duel.ours.name != "spoold"


def test_info_keyspace_counts_keys(duel: Duel) -> None:
    lines = []
    with duel.example():
        for side in duel.sides:
            link = side.link("a")
            link.call(b"MSET", b"a", b"1", b"b", b"2")
            link.call(b"EXPIRE", b"a", b"1000")
            link.call(b"SELECT", b"2")
            link.call(b"RPUSH", b"l", b"x")
            found = info(side, b"keyspace")
            lines.append({name: re.sub(r"avg_ttl=\d+", "avg_ttl=", value) for name, value in found.items()})
    assert lines[0] == lines[1]


def test_info_counts_blocked_and_connected_clients(duel: Duel) -> None:
    counts = []
    with duel.example():
        for side in duel.sides:
            before = info(side, b"clients")
            side.link("b").send(b"BLPOP", b"q", b"0")
            assert side.is_parked("b")
            after = info(side, b"clients")
            grown = {
                field: int(after[field]) - int(before[field]) for field in ("connected_clients", "blocked_clients")
            }
            counts.append(grown)
    assert counts[0] == counts[1] == {"connected_clients": 1, "blocked_clients": 1}


def test_config_get_knows_what_clients_ask_for(duel: Duel) -> None:
    ours, theirs = (side.observer.call(b"CONFIG", b"GET", b"maxmemory-policy") for side in duel.sides)
    assert ours == theirs


def test_monitor_shows_requests_in_the_form_of_redis(duel: Duel) -> None:
    lines = []
    with duel.example():
        for side in duel.sides:
            monitor = side.link("b")
            assert text(monitor.call(b"MONITOR")) == "OK"
            side.link("a").call(b"SET", b"k", b'a "b" \x00\n')
            lines.append(re.sub(r"^[\d.]+ \[(\d+) [\d.:]+\]", r"time [\1 address]", text(monitor.reply())))
    assert lines[0] == lines[1]


def test_unblocking_a_client_answers_it(duel: Duel) -> None:
    answers = []
    with duel.example():
        for side in duel.sides:
            said = []
            for how in ((), (b"TIMEOUT",), (b"ERROR",)):
                side.link("b").send(b"BLPOP", b"q", b"0")
                assert side.is_parked("b")
                said.append(side.link("a").call(b"CLIENT", b"UNBLOCK", side.ids["b"], *how))
                said.append(side.link("b").reply())
            said.append(side.link("b").call(b"PING"))
            answers.append(said)
    assert answers[0] == answers[1]


def test_killing_a_client_closes_it(duel: Duel) -> None:
    answers = []
    with duel.example():
        for side in duel.sides:
            side.link("b").send(b"BLPOP", b"q", b"0")
            assert side.is_parked("b")
            said = [side.link("a").call(b"CLIENT", b"KILL", b"ID", side.ids["b"])]
            rest, closed = side.link("b").rest()
            said += [side.link("a").call(b"CLIENT", b"KILL", b"ID", side.ids["b"])]
            answers.append((said, rest, closed))
    assert answers[0] == answers[1]


def test_reply_off_and_skip(duel: Duel) -> None:
    sent = [
        [b"CLIENT", b"REPLY", b"SKIP"],
        [b"SET", b"k", b"1"],
        [b"INCR", b"k"],
        [b"CLIENT", b"REPLY", b"OFF"],
        [b"INCR", b"k"],
        [b"GET"],
        [b"CLIENT", b"REPLY", b"ON"],
        [b"GET", b"k"],
    ]
    answers = []
    with duel.example():
        for side in duel.sides:
            link = side.link("a")
            for request in sent:
                link.send(*request)
            link.send(b"ECHO", b"marker")
            answers.append(link.rest(b"$6\r\nmarker\r\n"))
    assert answers[0] == answers[1]


def test_a_client_that_quits_is_closed_after_its_reply(duel: Duel) -> None:
    answers = []
    with duel.example():
        for side in duel.sides:
            side.link("a").send_raw(b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n")
            answers.append(side.link("a").rest())
    assert answers[0] == answers[1] == (b"+PONG\r\n+OK\r\n", True)


def _field(row: str, name: str) -> str:
    match = re.search(rf"\b{name}=(\S*)", row)
    return match[1] if match else "(missing)"
