"""Kill the server while clients push and pop: what was acknowledged is kept, what was taken never comes back.

SPOOLD_CRASH_ROUNDS=number of rounds (10), SPOOLD_CRASH_SEED to play the same choices again (the moments differ).
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.conformance.wire import Link
from tests.faults.crash_rig import CounterLoad, Load, ReliableLoad, TransactionLoad, list_load, run_round, set_load

from spoold.testing.process import ServerProcess

ROUNDS = int(os.environ.get("SPOOLD_CRASH_ROUNDS", "10"))
SEED = int(os.environ.get("SPOOLD_CRASH_SEED", "0")) or random.SystemRandom().getrandbits(32)

# A segment so small that most rounds switch segments and write checkpoints.
SMALL_JOURNAL = ("--journal-size", "1mb")


def kill(server: ServerProcess) -> None:
    """End it as the kernel ends a process that takes too much memory."""
    server.kill()


def terminate(server: ServerProcess) -> None:
    """End it as a service manager does."""
    assert server.terminate() == 0, server.stderr_text()


@pytest.mark.parametrize(
    ("options", "stop", "rounds"),
    [
        pytest.param((), kill, ROUNDS, id="kill -9"),
        pytest.param(SMALL_JOURNAL, kill, ROUNDS, id="kill -9, small journal"),
        pytest.param(("--durability", "interval"), kill, max(3, ROUNDS // 2), id="kill -9, synced at intervals"),
        pytest.param((), terminate, max(3, ROUNDS // 3), id="SIGTERM"),
    ],
)
def test_nothing_acknowledged_is_lost(
    tmp_path: Path, options: tuple[str, ...], stop: Callable[[ServerProcess], None], rounds: int
) -> None:
    chooser = random.Random(SEED)
    loads: list[Load] = [
        list_load(b"queue"),
        set_load(b"unique"),
        ReliableLoad(b"reliable"),
        TransactionLoad(b"transactions"),
        CounterLoad(b"counter"),
    ]
    with ServerProcess(tmp_path / "data", options) as server:
        try:
            for _ in range(rounds):
                run_round(loads, server.port, chooser.randrange(1, 20_000), chooser, lambda: stop(server))
                server.start()
                _check(loads, server.port)
            with closing(Link(server.port)) as link:
                for load in loads:
                    load.finish(link)
        except AssertionError as error:
            raise AssertionError(f"{error} (SPOOLD_CRASH_SEED={SEED})\n{server.stderr_text()[-2000:]}") from error


def _check(loads: list[Load], port: int) -> None:
    with closing(Link(port)) as link:
        for load in loads:
            load.check(link)
