"""What a Redis answers that runs without a cluster and without modules: so does spoold."""

from __future__ import annotations

import pytest

from support.server import Client, Error


@pytest.mark.parametrize(
    "words", [("CLUSTER", "INFO"), ("CLUSTER", "MEET", "host", "7000"), ("READONLY",), ("READWRITE",), ("ASKING",)]
)
def test_there_is_no_cluster(a: Client, words: tuple[str, ...]) -> None:
    assert a(*words) == Error("ERR This instance has cluster support disabled")


def test_there_are_no_modules(a: Client) -> None:
    assert a("MODULE", "LIST") == []
    refused = Error("ERR MODULE command not allowed. spoold has no modules.")
    assert a("MODULE", "LOAD", "/lib/x.so", "arg") == refused
    assert a("MODULE", "LOADEX", "/lib/x.so", "CONFIG", "a", "b") == refused
    assert a("MODULE", "UNLOAD", "x") == refused


def test_the_allocator_tells_nothing(a: Client) -> None:
    assert a("MEMORY", "MALLOC-STATS") == b"Stats not supported for the current allocator"
