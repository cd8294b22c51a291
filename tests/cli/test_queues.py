"""`spoold queues`, `peek`, `push`, `pop`, `move`, `purge`, `leases`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from spoold.cli.queues import rate, row
from spoold.cli.shown import count_of
from spoold.client.redis import Client

Run = Callable[..., Result]


def test_items_go_in_by_arguments_and_come_out_in_their_order(at: Run, client: Client) -> None:
    assert at("push", "q", "one", "two words", "").output == "3 items\n"
    assert at("push", "q", "zero", "--front").exit_code == 0
    assert client.call("LRANGE", "q", 0, -1) == [b"zero", b"one", b"two words", b""]
    assert at("pop", "q").stdout_bytes == b"zero\n"
    assert at("pop", "q", "-n", 2).stdout_bytes == b"one\ntwo words\n"
    assert at("pop", "q", "-0").stdout_bytes == b"\0"
    empty = at("pop", "q")
    assert (empty.exit_code, empty.output) == (1, "")


@pytest.mark.parametrize(
    ("options", "text", "items"),
    [
        ((), b"a\nb\n", [b"a", b"b"]),
        ((), b"a\n\nb", [b"a", b"", b"b"]),
        (("-0",), b"a\nb\0c\0", [b"a\nb", b"c"]),
        ((), bytes(set(range(256)) - {10}) + b"\n", [bytes(sorted(set(range(256)) - {10}))]),
        ((), b"", []),
    ],
)
def test_lines_of_standard_input_become_items(
    at: Run, client: Client, options: tuple[str, ...], text: bytes, items: list[bytes]
) -> None:
    assert at("push", "q", *options, input=text).output == count_of(len(items), "item") + "\n"
    assert client.call("LRANGE", "q", 0, -1) == items


def test_very_many_lines_arrive_in_their_order(at: Run, client: Client) -> None:
    text = b"".join(b"%d\n" % number for number in range(25_000))
    assert at("push", "q", input=text).output == "25,000 items\n"
    assert client.call("LLEN", "q") == 25_000
    assert client.call("LINDEX", "q", 24_999) == b"24999"


def test_other_types_are_made_when_asked_for_and_kept_to_then(at: Run, client: Client) -> None:
    at("push", "set", "--set", "a", "a", "b")
    at("push", "set", "c")
    assert client.call("SMEMBERS", "set") == [b"a", b"b", b"c"]
    at("push", "zset", "--score", "1.5", "m")
    assert client.call("ZSCORE", "zset", "m") == b"1.5"
    at("push", "stream", "--stream", "x", "--field", "f")
    assert client.call("XRANGE", "stream", "-", "+")[0][1] == [b"f", b"x"]
    assert "give a --score" in at("push", "zset", "n").output
    client.call("SET", "string", "x")
    refused = at("push", "string", "x")
    assert (refused.exit_code, refused.output) == (
        1,
        "spoold: string is a string: nothing can be added to it here\n",
    )
    assert at("pop", "set").stdout == "a\n"
    assert at("pop", "zset", "--back").stdout == "m\n"
    assert "items are taken from lists, sets and sorted sets" in at("pop", "stream").output


def test_pop_waits_for_an_item(at: Run, client: Client) -> None:
    assert at("pop", "q", "--wait", "0.05").exit_code == 1
    client.call("RPUSH", "q", "x")
    assert at("pop", "q", "--wait", "5").stdout == "x\n"


def test_queues_are_listed_for_people_and_for_programs(at: Run, told: Callable[..., Any], client: Client) -> None:
    client.call("RPUSH", "mail:out", *range(1500))
    client.call("SADD", "unique", "a")
    client.call("SET", "no queue", "x")
    found = told("queues", "--interval", 0.05)
    assert [(each["name"], each["type"], each["length"]) for each in found] == [
        ("mail:out", "list", 1500),
        ("unique", "set", 1),
    ]
    assert [each["name"] for each in told("queues", "--interval", 0.05, "--match", "u*")] == ["unique"]
    assert [each["name"] for each in told("queues", "--interval", 0.05, "--sort", "name")] == ["mail:out", "unique"]
    table = at("queues", "--interval", 0.05).output.splitlines()
    assert table[0].split() == ["queue", "type", "length", "in/s", "out/s", "waiting", "leases", "oldest"]
    assert table[1].split()[:3] == ["mail:out", "list", "1,500"]
    assert "\x1b" not in "".join(table)
    some = at("queues", "--interval", 0.05, "--most", 1)
    assert "more than 1 queues" in some.stderr


def test_names_and_items_can_not_write_to_the_terminal(at: Run, client: Client) -> None:
    client.call("RPUSH", b"\x1b[31m[bold]\xff\n", b"\x1b]0;title\x07\r\n[red]x[/red]")
    shown = at("queues", "--interval", 0.05).output + at("peek", b"\x1b[31m[bold]\n".decode()).output
    assert "\x1b" not in shown
    assert "\\x1b[31m[bold]\\xff\\n" in shown


def test_rates_come_from_counters_or_else_from_lengths() -> None:
    before = [{"name": b"a", "added": 10, "taken": 5, "length": 5}, {"name": b"z", "added": None, "length": 9}]
    after: list[dict[str, Any]] = [
        {"name": b"a", "added": 30, "taken": 15, "length": 15},
        {"name": b"z", "added": None, "taken": None, "length": 4},
        {"name": b"new", "added": 6, "taken": 0, "length": 6},
        {"name": b"remade", "added": 0, "taken": 0, "length": 0},
    ]
    rate([*before, {"name": b"remade", "added": 9, "taken": 9, "length": 0}], after, 2.0)
    assert [(each["in"], each["out"]) for each in after] == [(10, 5), (0, 2.5), (3, 0), (0, 0)]
    line = {**after[0], "type": b"list", "waiting": 2, "leases": 0, "oldest-ms": 1000}
    assert row(line, 61_000.0) == ("a", "list", "15", "10", "5", "2", "0", "60.0 s")


def test_peek_shows_and_takes_nothing(at: Run, told: Callable[..., Any], client: Client) -> None:
    client.call("RPUSH", "q", "first", "x" * 500, b"\xff")
    assert at("peek", "q", "-n", 1).output == "first\n"
    assert at("peek", "q").output.splitlines()[1].endswith("x…")
    assert at("peek", "q", "--full").output.splitlines()[1] == "x" * 500
    assert told("peek", "q")[2] == [{"base64": "/w=="}]
    client.call("ZADD", "z", 2.5, "m")
    assert at("peek", "z").output == "m  2.5\n"
    nothing = at("peek", "none")
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "spoold: nothing is in none\n")
    assert client.call("LLEN", "q") == 3


def test_move_takes_from_one_end_to_the_other(at: Run, told: Callable[..., Any], client: Client) -> None:
    client.call("RPUSH", "a", *range(2500))
    client.call("RPUSH", "b", "there")
    assert told("move", "a", "b", "-n", 2) == {"moved": 2}
    assert client.call("LRANGE", "b", 0, -1) == [b"there", b"0", b"1"]
    assert at("move", "a", "b").output == "2,498 items\n"
    assert client.call("LRANGE", "b", -2, -1) == [b"2498", b"2499"]
    assert at("move", "a", "b").output == "0 items\n"
    client.call("SADD", "s", *range(1500))
    assert told("move", "s", "t") == {"moved": 1500}
    assert client.call("SPOP", "t") == b"0"
    assert "are the same" in at("move", "b", "b").output
    assert "WRONGTYPE" in at("move", "b", "t").output
    client.call("SET", "x", "x")
    assert "only items of lists and sets" in at("move", "x", "b").output


def test_purge_asks_first(at: Run, told: Callable[..., Any], client: Client) -> None:
    client.call("RPUSH", "q", *range(5))
    client.call("SADD", "s", "a")
    assert at("purge", "q", input="n\n").exit_code == 1
    assert at("purge", "q").exit_code == 1  # no one answers
    assert client.call("LLEN", "q") == 5
    asked = at("purge", "q", "none", input="y\n")
    assert "q: 5 items" in asked.stderr
    assert asked.stdout.endswith("1 queue, 5 items\n")
    assert told("purge", "s", "--yes") == {"deleted": 1, "items": 1}
    assert told("purge", "s", "--yes") == {"deleted": 0, "items": 0}
    assert client.call("DBSIZE") == 0


def test_leases_are_listed(at: Run, told: Callable[..., Any]) -> None:
    assert told("leases") == []
    assert at("leases", "q").output.split() == ["queue", "lease", "owner", "attempts", "ends", "size"]
