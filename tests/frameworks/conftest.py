"""The workshops of the framework tests.

A test module names its environment (`ENVIRONMENT = "redis8"`, a file of environments/) and gets the fixture `shop`.
`SPOOLD_FRAMEWORK_SERVER=redis` runs all of it against the real redis-server (appendfsync always): what fails there too
is no fault of spoold.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests.conftest import missing_peer
from tests.frameworks.workshop import Workshop, python_of

from spoold.testing.process import ManagedProcess, RealRedis, ServerProcess

AGAINST_REDIS = os.environ.get("SPOOLD_FRAMEWORK_SERVER") == "redis"


@pytest.fixture(scope="module")
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A fresh durable server and the environment of the module's framework."""
    environment: str = request.module.ENVIRONMENT
    if not python_of(environment).exists():
        missing_peer(f"the environment {environment}", "make frameworks")
    place = tmp_path_factory.mktemp("shop")
    server: ManagedProcess
    if AGAINST_REDIS:
        server = RealRedis({"appendonly": "yes", "appendfsync": "always"})
    else:
        server = ServerProcess(place / "data")
    with server:
        made = Workshop(environment, server, place)
        try:
            yield made
        finally:
            made.close()
