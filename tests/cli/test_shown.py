"""Tables fit the terminal; names and numbers read as people write them."""

from __future__ import annotations

import click
from click.testing import CliRunner
from rich.console import Console

from spoold.cli.main import main
from spoold.cli.queues import COLUMNS
from spoold.cli.serve import _near
from spoold.cli.server import _screen
from spoold.cli.shown import count_of, table

QUEUE = {
    "name": b"jobs:mail:very-important-customers",
    "type": b"list",
    "length": 1_234_567,
    "in": 1234.5,
    "out": 99.5,
    "waiting": 12,
    "leases": 3,
    "oldest-ms": None,
}


def drawn(what: object, width: int) -> list[str]:
    console = Console(width=width, height=50, force_terminal=False, color_system=None)
    with console.capture() as captured:
        console.print(what)
    return [line.rstrip() for line in captured.get().splitlines() if line.strip()]


def test_a_table_leaves_out_columns_from_the_right_and_breaks_no_number() -> None:
    row = (QUEUE["name"].decode(), "list", "1,234,567", "1,234", "99.5", "12", "3", "5min")  # type: ignore[attr-defined]
    whole = drawn(table(COLUMNS, [row], width=120), 120)
    assert whole[0].split() == [heading for heading, _ in COLUMNS]
    assert row[0] in whole[2]
    for width in (100, 60, 44, 30):
        lines = drawn(table(COLUMNS, [row], width=width), width)
        assert max(map(len, lines)) <= width
        headings = lines[0].split()
        assert headings == [heading for heading, _ in COLUMNS][: len(headings)]
        assert lines[2].split()[1:] == list(row[1:])[: len(headings) - 1]
        # A name that has no room is folded, not cut.
        assert "".join(line.split()[0] for line in lines[2:]) == row[0]


def test_top_fits_a_small_terminal() -> None:
    status = [(name, "x" * 200) for name in ("health", "server", "traffic", "clients", "memory", "disk", "queues")]
    for width, height in ((120, 40), (44, 14), (30, 8)):
        lines = drawn(_screen(status, [dict(QUEUE, name=b"q")] * 100, width, height), width)
        assert len(lines) + 2 <= height
        assert max(map(len, lines)) <= width
        assert sum(line.split()[0] == "q" for line in lines) >= 1


def test_help_lists_every_command_once_and_cuts_no_sentence_short() -> None:
    result = CliRunner().invoke(main, ["--help"])
    listed = [line.split(None, 1) for line in result.stdout.partition("\nServing:")[2].splitlines() if line[:2] == "  "]
    with click.Context(main) as context:
        assert sorted(name for name, _ in listed) == [
            name for name in main.list_commands(context) if not main.get_command(context, name).hidden
        ]
    assert all("..." not in text for _, text in listed)
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_one_thing_is_not_several() -> None:
    assert [count_of(number, "item") for number in (0, 1, 2000)] == ["0 items", "1 item", "2,000 items"]


def test_the_address_to_connect_to_is_one_that_can_be_connected_to() -> None:
    hosts = ["0.0.0.0", "::", "::1", "127.0.0.1", "queue.example"]  # noqa: S104 - nothing is opened
    assert [_near(host) for host in hosts] == ["127.0.0.1", "[::1]", "[::1]", "127.0.0.1", "queue.example"]
