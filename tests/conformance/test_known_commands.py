"""The list of Redis's commands, from which the compatibility page is made, is what Redis itself says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.conformance.duel import Duel
from tests.conformance.wire import Node

from spoold.command.compatibility import Known, redis_commands

pytestmark = pytest.mark.needs_redis


def fields(node: Node) -> dict[bytes, Node]:
    """A flat array of names and values."""
    assert isinstance(node.value, tuple)
    return {text(name): value for name, value in zip(node.value[::2], node.value[1::2], strict=True)}


def text(node: Node) -> bytes:
    assert isinstance(node.value, bytes)
    return node.value


def options(docs: dict[bytes, Node]) -> Iterator[str]:
    """The words that stand for themselves among a command's arguments, those of groups too."""
    listed = docs[b"arguments"].value if b"arguments" in docs else ()
    assert isinstance(listed, tuple)
    for argument in map(fields, listed):
        if b"token" in argument and text(argument[b"token"]) not in (b"", b'""'):
            yield text(argument[b"token"]).decode()
        yield from options(argument)


def commands(docs: dict[bytes, Node]) -> Iterator[Known]:
    """All of a COMMAND DOCS reply, subcommands included."""
    for name, node in docs.items():
        about = fields(node)
        yield Known(name.decode().upper(), text(about[b"group"]).decode(), tuple(dict.fromkeys(options(about))))
        if b"subcommands" in about:
            yield from commands(fields(about[b"subcommands"]))


def test_the_list_is_what_redis_says(duel: Duel) -> None:
    docs = fields(duel.theirs.observer.call(b"COMMAND", b"DOCS"))
    said = {known.name: known for known in commands(docs)}
    listed = {known.name: known for known in redis_commands()}
    assert listed.keys() == said.keys()
    assert [each for name, each in listed.items() if each != said[name]] == []
