"""Random sequences of requests, family by family: spoold must answer, and end up, as Redis does.

How many examples: `--hypothesis-profile=long`, or SPOOLD_EXAMPLES=number. The requests go out one by one, a few at a
time or all in one piece, so that a turn holds one command or many.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.differences import STEERED
from tests.conformance.duel import Duel
from tests.conformance.generators import FAMILIES, PATIENT, requests, sequences, timed


@pytest.mark.needs_redis
@pytest.mark.parametrize("family", [*FAMILIES, "mixed"])
def test_random_sequences_have_the_same_replies_and_the_same_end(duel: Duel, family: str) -> None:
    @PATIENT
    @given(sequences(requests(family)), st.sampled_from([2, 3]), st.sampled_from([1, 5, 50]))
    def play(sequence: list[list[bytes]], protocol: int, depth: int) -> None:
        with duel.example(protocol):
            for start in range(0, len(sequence), depth):
                _play_together(duel, [timed(request) for request in sequence[start : start + depth]])

    play()


@pytest.mark.needs_redis
def test_random_transactions_over_two_connections(duel: Duel) -> None:
    @PATIENT
    @given(
        sequences(st.tuples(st.sampled_from("aaab"), requests("transactions"))),
        st.sampled_from([2, 3]),
    )
    def play(sequence: list[tuple[str, list[bytes]]], protocol: int) -> None:
        with duel.example(protocol):
            for connection, request in sequence:
                duel.call(connection, timed(request))
            for connection in "ab":
                duel.call(connection, [b"EXEC"])

    play()


def _play_together(duel: Duel, batch: list[list[bytes]]) -> None:
    """Send requests in one piece, but those one by one whose choice is steered."""
    waiting: list[list[bytes]] = []
    for request in batch:
        if request[0] in STEERED:
            duel.pipeline("a", waiting)
            waiting = []
            duel.call("a", request)
        else:
            waiting.append(request)
    duel.pipeline("a", waiting)
