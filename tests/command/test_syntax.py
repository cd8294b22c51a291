"""From a syntax line to the arguments of COMMAND DOCS."""

from __future__ import annotations

from typing import Any

import pytest

from spoold.admin.rooms import ADMIN
from spoold.command.syntax import arguments, usage
from spoold.command.table import CommandTable
from spoold.core.reply import SetReply
from spoold.datatypes.rooms import ROOMS
from spoold.dispatch import multi
from spoold.scripting.rooms import SCRIPTING


def short(items: list[dict[bytes, Any]]) -> str:
    """Arguments as one line: name:type, token in front, ? optional, + multiple."""
    parts = []
    for item in items:
        text = item[b"name"].decode() + ":" + item[b"type"].decode()
        if b"token" in item:
            text = item[b"token"].decode() + "=" + text
        if b"arguments" in item:
            text += "(" + short(item[b"arguments"]) + ")"
        flags = {flag.text for flag in item.get(b"flags", SetReply([])).items}
        parts.append(text + "?" * (b"optional" in flags) + "+" * (b"multiple" in flags))
    return " ".join(parts)


@pytest.mark.parametrize(
    ("syntax", "words", "expected"),
    [
        ("PING", 1, ""),
        ("GET key", 1, "key:key"),
        ("LPOP key [count]", 1, "key:key count:integer?"),
        ("DEL key [key ...]", 1, "key:key+"),
        ("MSET key value [key value ...]", 1, "key-value:block(key:key value:string)+"),
        ("X ON|OFF pivot", 1, "on-or-off:oneof(ON=on:pure-token OFF=off:pure-token) pivot:string"),
        ("X [EX seconds | KEEPTTL]", 1, "seconds-or-keepttl:oneof(EX=seconds:integer KEEPTTL=keepttl:pure-token)?"),
        ("X [MATCH pattern] [COUNT count]", 1, "MATCH=pattern:pattern? COUNT=count:integer?"),
        ("X [LIMIT offset count]", 1, "limit-offset-count:block(LIMIT=limit:pure-token offset:integer count:integer)?"),
        ("CLIENT REPLY ON | OFF", 2, "on-or-off:oneof(ON=on:pure-token OFF=off:pure-token)"),
        ("X [name [name ...]]", 1, "name:string?+"),
        ("BLPOP key [key ...] timeout", 1, "key:key+ timeout:string"),
    ],
)  # fmt: skip
def test_lines_are_read(syntax: str, words: int, expected: str) -> None:
    assert short(arguments(syntax, words)) == expected


@pytest.mark.parametrize(
    ("syntax", "expected"),
    [
        ("LOAD [REPLACE] function-code", "LOAD [REPLACE] <function-code>"),
        ("REPLY ON | OFF | SKIP", "REPLY (ON|OFF|SKIP)"),
        ("FLUSH [ASYNC | SYNC]", "FLUSH [ASYNC|SYNC]"),
        ("EXISTS sha1 [sha1 ...]", "EXISTS <sha1> [<sha1> ...]"),
        ("TRACKING ON | OFF [PREFIX prefix [PREFIX prefix ...]]", "TRACKING (ON|OFF) [PREFIX <prefix> ...]"),
        ("ENCODING <key>", "ENCODING <key>"),
    ],
)
def test_a_line_as_help_writes_it(syntax: str, expected: str) -> None:
    assert usage(syntax) == expected


def test_every_declared_line_is_read_to_its_end() -> None:
    for entry in CommandTable((*ROOMS, *SCRIPTING, multi, *ADMIN)).entries.values():
        for each in (entry, *entry.subs.values()):
            spec = each.spec
            assert spec.syntax.count("[") == spec.syntax.count("]"), spec.syntax
            assert spec.syntax.upper().startswith(spec.name.replace("|", " ")), spec.syntax
            words = len(spec.name.split("|"))
            listed = arguments(spec.syntax, words)
            if abs(spec.arity) > words:
                assert listed, spec.syntax
            assert spec.summary, spec.name
            assert spec.summary.endswith("."), spec.name
