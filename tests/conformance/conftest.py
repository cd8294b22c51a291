"""The two servers that are compared, started once.

SPOOLD_CONFORMANCE_SUBJECT=redis puts a second Redis in spoold's place: it shows that the suite itself, its cases and
its list of differences do not depend on chance. SPOOLD_CONFORMANCE_OPTIONS are options for `spoold serve`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.duel import Duel, Side
from tests.conftest import missing_peer

from spoold.testing.process import ManagedProcess, RealRedis, ServerProcess, redis_server_path

# DEBUG SLEEP is compared too.
REDIS_CONFIG = {"enable-debug-command": "yes"}


@pytest.fixture(scope="session")
def duel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Duel]:
    """spoold beside a real Redis."""
    if redis_server_path() is None:
        missing_peer("redis-server", "apt-get install redis-server")
    with _subject(tmp_path_factory.mktemp("conformance")) as ours, RealRedis(REDIS_CONFIG) as theirs:
        fight = Duel(Side(ours.name, ours.port), Side("redis", theirs.port))
        yield fight
        for side in fight.sides:
            side.close()
            side.observer.close()


def _subject(home: Path) -> ManagedProcess:
    if os.environ.get("SPOOLD_CONFORMANCE_SUBJECT") == "redis":
        return RealRedis(REDIS_CONFIG)
    options = os.environ.get("SPOOLD_CONFORMANCE_OPTIONS", "--durability interval --max-value 512mb").split()
    return ServerProcess(home / "data", options)
