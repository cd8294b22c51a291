"""LATENCY HISTOGRAM: one count for each piece of input, cumulative, by powers of two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support.server import Server

Client = Callable[..., Any]


def pairs(flat: list[Any]) -> dict[Any, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def test_a_command_that_ran_has_a_histogram(server: Server, a: Client) -> None:
    a("CONFIG", "RESETSTAT")
    for _ in range(5):
        a("SET", "k", "v")
    found = pairs(a("LATENCY", "HISTOGRAM", "set"))
    assert set(found) == {b"set"}
    told = pairs(found[b"set"])
    assert told[b"calls"] == 5
    steps = pairs(told[b"histogram_usec"])
    assert list(steps.values())[-1] == 5
    assert all(limit & (limit - 1) == 0 for limit in steps)
    assert sorted(steps.values()) == list(steps.values())


def test_a_container_stands_for_its_subcommands_and_unknown_commands_for_nothing(server: Server, a: Client) -> None:
    a("CONFIG", "RESETSTAT")
    a("CLIENT", "ID")
    a("CLIENT", "GETNAME")
    found = pairs(a("LATENCY", "HISTOGRAM", "client", "blabla", "get"))
    assert set(found) == {b"client|id", b"client|getname"}
    assert set(pairs(a("LATENCY", "HISTOGRAM", "Client|Id", "client|nosuch", "get|id"))) == {b"client|id"}


def latencies(a: Client) -> dict[str, str]:
    lines = a("INFO", "latencystats").decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def test_info_tells_the_percentiles_that_are_asked_for(server: Server, a: Client) -> None:
    a("CONFIG", "RESETSTAT")
    for _ in range(20):
        a("SET", "k", "v")
    told = latencies(a)["latency_percentiles_usec_set"]
    times = dict(part.split("=") for part in told.split(","))
    assert list(times) == ["p50", "p99", "p99.9"]
    assert 0 < float(times["p50"]) <= float(times["p99"]) <= float(times["p99.9"])
    a("CONFIG", "SET", "latency-tracking-info-percentiles", "0 100")
    assert latencies(a)["latency_percentiles_usec_set"].startswith("p0=")
    a("CONFIG", "SET", "latency-tracking", "no")
    assert latencies(a) == {}


def test_all_commands_that_ran_are_told_where_none_is_named(server: Server, a: Client) -> None:
    a("CONFIG", "RESETSTAT")
    a("SET", "k", "v")
    a("GET", "k")
    assert {b"set", b"get"} <= set(pairs(a("LATENCY", "HISTOGRAM")))
