"""A server to talk to, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.server import Client, Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server without sockets, with a journal."""
    with Server(tmp_path, "interval") as made:
        yield made


@pytest.fixture
def a(server: Server) -> Client:
    """A client."""
    return server.client()


@pytest.fixture
def b(server: Server) -> Client:
    """Another client."""
    return server.client()
