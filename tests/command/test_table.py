"""The command table: spellings, containers, who is counted, HELP."""

from __future__ import annotations

from types import ModuleType

import pytest

from spoold.command.context import Context
from spoold.command.spec import FAST, command
from spoold.command.table import CommandTable, Container, unknown_subcommand
from spoold.core.errors import CommandError


def module(*functions: object) -> ModuleType:
    made = ModuleType("planted")
    for at, function in enumerate(functions):
        function.__module__ = "planted"  # type: ignore[attr-defined]
        setattr(made, f"f{at}", function)
    return made


@command("PLAIN", flags=FAST, since="1.0.0", syntax="PLAIN a [b]", group="server")
def plain(ctx: Context, a: bytes, b: bytes = b"") -> bytes:
    """Does something plain."""
    return a + b


@command("BOX|PUT", since="2.0.0", syntax="BOX PUT thing", group="server")
def box_put(ctx: Context, thing: bytes) -> bytes:
    """Puts a thing into the box."""
    return thing


@command("BOX|TAKE", since="1.2.0", syntax="BOX TAKE", group="server")
def box_take(ctx: Context) -> bytes:
    """Takes a thing out."""
    raise CommandError("empty")


@command("SHELF", since="1.0.0", syntax="SHELF", group="server", arity=-1)
def shelf(ctx: Context) -> bytes:
    """Shows the shelf."""
    return b"bare"


@command("SHELF|ADD", since="1.0.0", syntax="SHELF ADD", group="server")
def shelf_add(ctx: Context) -> bytes:
    """Adds to the shelf."""
    return b"added"


class Caller:
    """A context with nothing in it but who calls."""

    class peer:  # noqa: N801
        """Its last subcommand."""

        last_command = "NULL"


@pytest.fixture
def table() -> CommandTable:
    return CommandTable([module(plain, box_put, box_take, shelf, shelf_add)])


def test_a_name_is_found_in_any_spelling(table: CommandTable) -> None:
    entry = table.find(b"plain")
    assert entry is not None
    assert table.find(b"PLAIN") is table.find(b"pLaIn") is entry
    assert table.find(b"nosuch") is None
    assert (entry.name, entry.low, entry.high) == ("plain", 2, 3)


def test_a_request_resolves_to_its_subcommand(table: CommandTable) -> None:
    assert table.resolve([b"box", b"PUT", b"x"]) is table.entries["BOX"].subs[b"PUT"]
    assert table.resolve([b"box", b"nosuch"]) is table.entries["BOX"]
    assert table.resolve([b"nosuch"]) is None


def test_a_container_runs_counts_and_names_its_subcommand(table: CommandTable) -> None:
    box = table.entries["BOX"]
    assert isinstance(box, Container)
    caller = Caller()
    assert box.handler(caller, b"put", b"x") == b"x"
    assert caller.peer.last_command == "box|put"
    box.calls += 1
    box.usec += 0.5
    with pytest.raises(CommandError, match="empty"):
        box.handler(caller, b"TAKE")
    box.calls += 1
    box.failed += 1
    put, take = box.subs[b"PUT"], box.subs[b"TAKE"]
    assert (put.calls, put.usec, put.failed) == (1, 0.5, 0)
    assert (take.calls, take.usec, take.failed) == (1, 0.0, 1)
    assert box.own.calls == 0


def test_what_a_container_refuses_counts_for_no_call(table: CommandTable) -> None:
    box = table.entries["BOX"]
    for words in ([b"put"], [b"nosuch"], [b"put", b"a", b"b"]):
        with pytest.raises(CommandError):
            box.handler(Caller(), *words)
        box.calls += 1
        box.failed += 1
    put = box.subs[b"PUT"]
    assert (put.calls, put.failed, put.rejected) == (0, 0, 2)


def test_a_container_may_do_something_alone(table: CommandTable) -> None:
    entry = table.entries["SHELF"]
    assert isinstance(entry, Container)
    assert entry.handler(Caller()) == b"bare"
    entry.calls += 1
    assert entry.own.calls == 1
    assert entry.handler(Caller(), b"add") == b"added"
    assert entry.low == 1


def test_help_comes_from_the_declarations(table: CommandTable) -> None:
    lines = [line.text.decode() for line in table.entries["BOX"].handler(Caller(), b"help")]
    assert lines == [
        "BOX <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "PUT <thing>",
        "    Puts a thing into the box.",
        "TAKE",
        "    Takes a thing out.",
        "HELP",
        "    Lists the subcommands.",
    ]
    assert table.entries["BOX"].spec.since == "1.2.0"


def test_a_name_is_declared_once() -> None:
    with pytest.raises(ValueError, match="PLAIN is declared twice"):
        CommandTable([module(plain), module(plain)])


def test_the_words_for_what_is_unknown(table: CommandTable) -> None:
    text = table.unknown([b"x" * 200, b"a" * 200, b"b"]).message
    assert text == b"ERR unknown command '" + b"x" * 128 + b"', with args beginning with: '" + b"a" * 128 + b"' "
    assert unknown_subcommand("box", b"foo").message == b"ERR unknown subcommand 'foo'. Try BOX HELP."
