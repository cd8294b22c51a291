"""Fixtures for the tests of other projects: a real spoold, and a client of it, in a millisecond a test.

    def test_my_queue(spoold_client):
        spoold_client.rpush("jobs", "a")

The server is started once for the whole run, on a free port of this machine, in memory; before each test that asks for
it everything is dropped: data, scripts, settings of other clients do not leak from one test to the next.

source: registered as the pytest plugin `spoold` in pyproject.toml.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from spoold.client.redis import Client
from spoold.testing.process import ServerProcess


@pytest.fixture(scope="session")
def spoold_process() -> Iterator[ServerProcess]:
    """The server of this run; in `pytest-xdist` each worker has its own. cost: a third of a second, once."""
    with ServerProcess(options=["--memory"]) as server:
        yield server


@pytest.fixture
def spoold_server(spoold_process: ServerProcess) -> ServerProcess:
    """An empty server: `spoold_server.url`, `.port`. One that a test killed is started again."""
    if spoold_process.returncode is not None:
        spoold_process.start()
    with Client("127.0.0.1", spoold_process.port) as client:
        client.run([("FLUSHALL",), ("SCRIPT", "FLUSH"), ("FUNCTION", "FLUSH")])
    return spoold_process


@pytest.fixture
def spoold_client(spoold_server: ServerProcess) -> Iterator[Any]:
    """A `redis.Redis` (of redis-py, which must be installed) on `spoold_server`."""
    try:
        redis = importlib.import_module("redis")
    except ModuleNotFoundError:
        pytest.fail("the fixture spoold_client needs redis-py: pip install redis", pytrace=False)
    client = redis.Redis.from_url(spoold_server.url)
    yield client
    client.close()
