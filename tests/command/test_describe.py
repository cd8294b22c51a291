"""COMMAND INFO, DOCS, GETKEYS: derived from declarations, and the same as a real Redis says."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import redis

from spoold.admin.rooms import ADMIN
from spoold.command.describe import categories, command_docs, command_info, flag_names
from spoold.command.table import CommandTable, Entry
from spoold.core.reply import SetReply, Simple
from spoold.datatypes.rooms import ROOMS
from spoold.dispatch import multi
from spoold.scripting.rooms import SCRIPTING
from spoold.testing.process import RealRedis

# Commands that Redis 7.0 has not: newer ones that clients send whatever the version, and spoold's own.
NEWER = {"client|setinfo", "client|no-touch"}


@pytest.fixture(scope="module")
def table() -> CommandTable:
    return CommandTable((*ROOMS, *SCRIPTING, multi, *ADMIN))


def every(table: CommandTable) -> list[Entry]:
    return [each for entry in table.entries.values() for each in (entry, *entry.subs.values())]


# Commands that take options which Redis has since 7.2.
WITH_LATER_OPTIONS = frozenset({"zrank", "zrevrank"})


def plain(value: Any) -> Any:
    """A reply as it arrives in RESP2."""
    if isinstance(value, Simple):
        return value.text
    if isinstance(value, SetReply):
        return [plain(item) for item in value.items]
    if isinstance(value, dict):
        return [plain(part) for pair in value.items() for part in pair]
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def real(redis_server: RealRedis) -> dict[str, list[Any]]:
    """COMMAND of a real Redis by name."""
    client = redis.Redis(port=redis_server.port, protocol=2)
    client.set_response_callback("COMMAND", lambda reply: reply)
    found: dict[str, list[Any]] = {}

    def note(info: list[Any]) -> None:
        found[info[0].decode()] = info
        for sub in info[9]:
            note(sub)

    for info in client.execute_command("COMMAND"):
        note(info)
    client.close()
    return found


@pytest.mark.needs_redis
@pytest.mark.parametrize("what", ["arity", "flags", "keys", "categories", "key specifications"])
def test_redis_says_the_same(table: CommandTable, real: dict[str, list[Any]], what: str) -> None:
    def told(info: list[Any]) -> Any:
        name = {"arity": slice(1, 2), "flags": slice(2, 3), "keys": slice(3, 6), "categories": slice(6, 7)}.get(what)
        if name is not None:
            return [sorted(part) if isinstance(part, list) else part for part in info[name]]
        return [
            {key: value for key, value in zip(spec[::2], spec[1::2], strict=True) if key != b"notes"}
            for spec in info[8]
        ]

    ours = {entry.name: told(plain(command_info(entry))) for entry in every(table)}
    theirs = {name: told(info) for name, info in real.items()}
    shared = ours.keys() & theirs.keys() - (WITH_LATER_OPTIONS if what == "arity" else frozenset())
    assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}
    assert len(shared) > 150


@pytest.mark.needs_redis
def test_what_redis_has_not_is_listed(table: CommandTable, real: dict[str, list[Any]]) -> None:
    own = {entry.name for entry in every(table) if entry.spec.group == "jobs"}
    assert {entry.name for entry in every(table)} - real.keys() - own == NEWER


def test_the_arity_fits_the_handler(table: CommandTable) -> None:
    """What arity lets through, the handler's signature takes."""
    for entry in every(table):
        parameters = list(inspect.signature(entry.spec.handler).parameters.values())[1:]
        least = sum(1 for each in parameters if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD)
        words = len(entry.spec.name.split("|"))
        assert entry.spec.name == "COMMAND" or entry.subs or entry.low - words >= least, entry.name


def test_a_container_tells_of_its_subcommands(table: CommandTable) -> None:
    info = command_info(table.entries["CLIENT"])
    assert info[1] == -2
    assert b"client|list" in [sub[0] for sub in info[9].items]
    docs = command_docs(table.entries["CLIENT"])
    assert docs[b"subcommands"][b"client|id"][b"since"] == b"5.0.0"
    assert categories(table.entries["CLIENT"]) == ["slow"]


def test_docs_come_from_the_docstring(table: CommandTable) -> None:
    docs = command_docs(table.entries["INFO"])
    assert docs[b"group"] == b"server"
    assert docs[b"complexity"].startswith(b"some 100")
    assert [argument[b"name"] for argument in docs[b"arguments"]] == [b"section"]


def test_flags_are_named_as_on_the_wire(table: CommandTable) -> None:
    assert flag_names(table.entries["LMPOP"]) == ["write", "movablekeys"]
    assert flag_names(table.entries["QUIT"])[-1] == "allow_busy"
