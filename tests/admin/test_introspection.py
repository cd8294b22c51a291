"""COMMAND on the wire."""

from __future__ import annotations

import pytest

from support.server import Client, Error, Server


def test_counts_and_lists(server: Server, a: Client) -> None:
    assert a("COMMAND", "COUNT") == len(server.table.entries) == len(a("COMMAND"))
    names = a("COMMAND", "LIST")
    assert {b"get", b"client", b"client|list"} <= set(names)
    assert a("COMMAND", "LIST", "FILTERBY", "PATTERN", "CLIENT|I*") == [b"client|id", b"client|info"]
    assert a("COMMAND", "LIST", "FILTERBY", "ACLCAT", "TRANSACTION") == [
        b"multi", b"discard", b"exec", b"watch", b"unwatch",
    ]  # fmt: skip
    assert a("COMMAND", "LIST", "FILTERBY", "MODULE", "json") == []


@pytest.mark.parametrize("words", [["FILTERBY"], ["FILTERBY", "FOO", "x"], ["FOO"], ["FILTERBY", "PATTERN", "x", "y"]])
def test_a_filter_that_there_is_not(a: Client, words: list[str]) -> None:
    assert a("COMMAND", "LIST", *words) == Error("ERR syntax error")


def test_info_of_some(a: Client) -> None:
    get, missing, sub = a("COMMAND", "INFO", "GeT", "nosuch", "client|ID")
    assert get[:2] == [b"get", 2]
    assert set(get[2]) == {b"readonly", b"fast"}
    assert get[3:6] == [1, 1, 1]
    assert set(get[6]) == {b"@read", b"@string", b"@fast"}
    assert missing is None
    assert sub[0] == b"client|id"
    assert len(a("COMMAND", "INFO")) == a("COMMAND", "COUNT")


def test_docs_of_some(a: Client) -> None:
    a("HELLO", 3)
    docs = a("COMMAND", "DOCS", "lpop", "nosuch")
    assert docs.keys() == {b"lpop"}
    assert docs[b"lpop"][b"since"] == b"1.0.0"
    assert docs[b"lpop"][b"arguments"][0] == {b"name": b"key", b"type": b"key", b"key_spec_index": 0}
    assert len(a("COMMAND", "DOCS")) == a("COMMAND", "COUNT")


def test_keys_of_a_request(a: Client) -> None:
    assert a("COMMAND", "GETKEYS", "MSET", "a", 1, "b", 2) == [b"a", b"b"]
    assert a("COMMAND", "GETKEYS", "LMPOP", 2, "a", "b", "LEFT") == [b"a", b"b"]
    assert a("COMMAND", "GETKEYS", "SORT", "l", "STORE", "d") == [b"l", b"d"]
    assert a("COMMAND", "GETKEYS", "MEMORY", "USAGE", "k") == [b"k"]
    assert a("COMMAND", "GETKEYSANDFLAGS", "LMOVE", "a", "b", "LEFT", "RIGHT") == [
        [b"a", [b"RW", b"access", b"delete"]],
        [b"b", [b"RW", b"insert"]],
    ]
    assert a("COMMAND", "GETKEYSANDFLAGS", "SORT", "l", "STORE", "d")[1] == [b"d", [b"OW", b"update"]]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["FOO", "a"], "ERR Invalid command specified"),
        (["PING", "a"], "ERR The command has no key arguments"),
        (["GET", "a", "b"], "ERR Invalid number of arguments specified for command"),
        (["LMPOP", "4", "a", "b", "LEFT"], "ERR Invalid arguments specified for command"),
        (["LMPOP", "x", "a", "LEFT"], "ERR Invalid arguments specified for command"),
        (["GET"], "ERR wrong number of arguments for 'command|getkeys' command"),
    ],
)
def test_requests_without_sound_keys(a: Client, words: list[str], error: str) -> None:
    assert a("COMMAND", "GETKEYS", *words) == Error(error)
