"""Random sequences, a killed server between them: what replay brings back is what Redis, which lived on, holds.

Every command's mutations go through the journal here, with a checkpoint in the middle, at the end or not at all.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from tests.conformance.differences import STEERED
from tests.conformance.duel import Duel, Side
from tests.conformance.generators import FAMILIES, build, forms, timed

from spoold.testing.process import ServerProcess

# The durability of each round: the server that replays is not always of the kind that wrote.
ROUNDS = ["always", "interval", "interval", "always"]
REQUESTS = 400


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose data goes through all families."""
    with ServerProcess(tmp_path_factory.mktemp("restart") / "data", options(ROUNDS[0])) as server:
        yield server


def options(durability: str) -> tuple[str, ...]:
    return ("--journal-size", "1mb", "--durability", durability)


@pytest.mark.needs_redis
@pytest.mark.parametrize("family", FAMILIES)
def test_a_killed_server_comes_back_as_it_was(duel: Duel, mortal: ServerProcess, family: str) -> None:
    theirs = Side("redis", duel.theirs.port)
    theirs.fresh(2)
    chooser = random.Random(f"{family}")
    for number in range(len(ROUNDS)):
        ours = Side("spoold", mortal.port)
        if number == 0:
            ours.fresh(2)
        fight = Duel(ours, theirs)
        for _ in range(REQUESTS):
            part = chooser.choice(forms(family))
            args = timed(build(part, lambda n: chooser.randrange(abs(n))))
            if args[0] in STEERED:
                fight.call("a", args)
            else:
                fight.pipeline("a", [args])
        fight.call("a", [b"SELECT", b"0"])
        fight.compare_stores()
        before = list(fight.mismatches)
        for side in fight.sides:
            side.close()
        fight.ours.observer.close()
        mortal.kill()
        mortal.options = options(ROUNDS[(number + 1) % len(ROUNDS)])
        mortal.start()
        after = Duel(Side("spoold", mortal.port), theirs)
        after.compare_stores()
        after.ours.observer.close()
        assert not after.mismatches or before, "\n".join(after.mismatches)
        assert not before, f"before the kill, round {number}:\n" + "\n".join(before[:10])
    theirs.observer.close()
