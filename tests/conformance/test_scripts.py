"""Random requests from inside of scripts: what redis.call gives, and what becomes of it as a result.

The requests are those of the other random tests; families whose replies come in no order, or by chance, are left out.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.duel import Duel
from tests.conformance.generators import PATIENT, requests, sequences, timed

EXAMPLES = int(os.environ.get("SPOOLD_EXAMPLES", "12"))

SCRIPTS = [
    b"return redis.call(unpack(ARGV))",
    b"return redis.pcall(unpack(ARGV))",
    b"redis.setresp(3) return redis.call(unpack(ARGV))",
    b"redis.setresp(3) local r = redis.pcall(unpack(ARGV)) return {type(r), r}",
    b"local ok, r = pcall(redis.call, unpack(ARGV)) return {tostring(ok), type(r), r}",
    b"local r = redis.pcall(unpack(ARGV)) return {r, {r, type(r)}, redis.pcall(unpack(ARGV))}",
]

RANKS = frozenset({b"ZRANK", b"ZREVRANK"})
BY_CHANCE = frozenset({b"SRANDMEMBER", b"HRANDFIELD", b"ZRANDMEMBER", b"RANDOMKEY", b"SPOP"})

FAMILIES = ["strings", "bits", "lists", "zsets", "streams"]


@pytest.mark.needs_redis
@pytest.mark.parametrize("family", FAMILIES)
def test_commands_in_scripts_give_the_same_results_and_the_same_end(duel: Duel, family: str) -> None:
    @settings(PATIENT, max_examples=EXAMPLES)
    @given(sequences(st.tuples(st.sampled_from(SCRIPTS), requests(family))), st.sampled_from([2, 3]))
    def play(sequence: list[tuple[bytes, list[bytes]]], protocol: int) -> None:
        with duel.example(protocol):
            for script, request in sequence:
                # The sign of a zero: see differences.py. ZRANK takes WITHSCORE here, as it does since Redis 7.2.
                if request[0] in BY_CHANCE or b"-0" in request or (request[0] in RANKS and len(request) > 3):
                    continue
                duel.call("a", [b"EVAL", script, b"0", *timed(request)])

    play()
