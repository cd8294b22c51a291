"""Every case of `cases/*.txt`, played to spoold and to Redis, in both versions of the protocol."""

from __future__ import annotations

import pytest
from tests.conformance.duel import Duel
from tests.conformance.script import Case, all_cases

CASES = [
    pytest.param(case, protocol, id=f"{family}: {case.title} (RESP{protocol})")
    for family, case in all_cases()
    for protocol in case.protocols
]


@pytest.mark.needs_redis
@pytest.mark.parametrize(("case", "protocol"), CASES)
def test_both_servers_answer_alike(duel: Duel, case: Case, protocol: int) -> None:
    with duel.example(protocol):
        for step in case.steps:
            duel.play(step)
