"""Servers without sockets, and clients of them, for all tests; a module may put its own in their place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.room import Room
from support.server import Client, Server


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A server without sockets, in memory mode, whose replies are values."""
    with Room(tmp_path) as made:
        yield made


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server without sockets, with a journal, whose clients speak RESP."""
    with Server(tmp_path, "interval") as made:
        yield made


@pytest.fixture
def a(server: Server) -> Client:
    """A client of `server`."""
    return server.client()


@pytest.fixture
def b(server: Server) -> Client:
    """Another client of `server`."""
    return server.client()
