"""A server that speaks the simple protocol, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spoold.simple import Client
from spoold.testing.process import LOOPBACK, ServerProcess, free_port


@pytest.fixture(scope="package")
def simple_server() -> Iterator[tuple[ServerProcess, int]]:
    """One server in memory for the whole package, and the port of its simple listener."""
    port = free_port()
    with ServerProcess(options=("--memory", "--simple", f"{LOOPBACK}:{port}")) as server:
        yield server, port


@pytest.fixture
def client(simple_server: tuple[ServerProcess, int]) -> Iterator[Client]:
    """A client of an empty server."""
    server, port = simple_server
    with Client(port=port) as made:
        made.flush_all()
        yield made
        assert "Traceback" not in server.stderr_text()
