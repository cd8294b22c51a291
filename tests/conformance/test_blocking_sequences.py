"""Random blocking pops by several connections, and pushes that serve them: who gets what is alike on both servers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance import waiting
from tests.conformance.duel import Duel
from tests.conformance.generators import PATIENT, sequences

BLOCKING = """
    BLPOP {q} 0
    BRPOP {q} 0
    BLPOP {q} {q} 0
    BRPOP {q} {q} {q} 0
    BLMOVE {q} {q} {e} {e} 0
    BRPOPLPUSH {q} {q} 0
    BLMPOP 0 1 {q} {e}
    BLMPOP 0 2 {q} {q} {e} COUNT 2
    BZPOPMIN {q} 0
    BZPOPMAX {q} {q} 0
    BZMPOP 0 2 {q} {q} (MIN|MAX) COUNT 2
"""

# Without SWAPDB: which of several keys it wakes first hangs on Redis's hash tables.
# Without SORT … STORE, ZUNIONSTORE and the like: Redis 7.0 forgets to wake who waits for a key that held another type
# before; spoold does not.
WAKING = """
    RPUSH {q} (x|y|z)+
    LPUSH {q} (x|y|z)+
    RPUSH {q} (x|y|z)
    RPUSH other (x|y|z)+
    RENAME other {q}
    RENAMENX other {q}
    COPY other {q} REPLACE
    LMOVE other {q} {e} {e}
    RPOPLPUSH other {q}
    LMOVE {q} {q} {e} {e}
    LPOP {q}
    DEL {q}
    SET {q} string
    SADD {q} member
    ZADD {q} (1|2) x (1|2) y
    ZADD other 1 x 2 y
    ZINCRBY {q} 1 (x|y|z)
    ZPOPMIN {q}
    ZREM {q} x
    EXPIRE {q} -1
    RPUSHX {q} x
    SELECT (0|0|1)
    MOVE {q} (0|1)
    FLUSHALL
"""


@pytest.mark.needs_redis
def test_random_waiters_are_served_alike(duel: Duel) -> None:
    @PATIENT
    @given(sequences(waiting.actions(BLOCKING, WAKING)), st.sampled_from([2, 3]))
    def play(steps: list[waiting.Action], protocol: int) -> None:
        with duel.example(protocol):
            waiting.play(duel, steps)

    play()
