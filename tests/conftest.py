"""What every test may ask for: servers, a clock, and how hard hypothesis tries.

`pytest --hypothesis-profile=long` runs the property tests for a long while; in CI the `ci` profile is the default.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from spoold.testing.clock import ManualClock
from spoold.testing.process import RealRedis, ServerProcess, redis_server_path
from support.fixtures import a, b, room, server

__all__ = ["a", "b", "room", "server"]  # fixtures

IN_CI = os.environ.get("CI", "").lower() not in {"", "0", "false", "no"}

# No deadline and no complaint about slow generation: both fail for a busy machine, not for a fault in the code.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("default", _PATIENT, max_examples=25)
settings.register_profile("ci", _PATIENT, max_examples=25)
settings.register_profile("long", _PATIENT, max_examples=5_000)
settings.load_profile("ci" if IN_CI else "default")


def missing_peer(program: str, install: str) -> None:
    """Skip the test that needs `program`; in CI, where `.ci/run` installs it, fail it instead."""
    reason = f"{program} is not installed ({install})"
    if IN_CI:
        pytest.fail(f"{reason}: in CI every peer must be there")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RealRedis]:
    """One real Redis, without persistence, for the whole run; a test that writes flushes it first."""
    if redis_server_path() is None:
        missing_peer("redis-server", "apt-get install redis-server")
    with RealRedis() as server:
        yield server


@pytest.fixture
def spoold_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A fresh durable `spoold serve` of this test alone."""
    with ServerProcess(tmp_path / "data") as server:
        yield server


@pytest.fixture
def manual_clock() -> ManualClock:
    """A clock that stands still until the test moves it."""
    return ManualClock()
