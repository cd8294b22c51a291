"""Random readers that wait at streams, alone and in groups, and what wakes them: who gets what is alike on both sides.

Nothing is removed here: of a stream that grew, but has nothing for who waits any more, Redis answers with no entries;
spoold lets it wait.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance import waiting
from tests.conformance.duel import Duel
from tests.conformance.generators import PATIENT, sequences

WAITING = """
    XREAD BLOCK 0 STREAMS {q} (0|$|$|1-1|3)
    XREAD COUNT 1 BLOCK 0 STREAMS {q} {q} ($|$|2-0) $
    XREADGROUP GROUP (g|g|h) (alice|bob|carol) BLOCK 0 STREAMS {q} >
    XREADGROUP GROUP g (alice|bob) COUNT 1 BLOCK 0 STREAMS {q} >
    XREADGROUP GROUP g (alice|bob) NOACK BLOCK 0 STREAMS {q} {q} > >
    BLPOP {q} 0
"""

WAKING = """
    XADD {q} (1-*|1-*|2-*|3-*|9-*) f (v|w)
    XADD {q} (1-*|1-*|2-*|3-*|9-*) f v
    XADD {q} MAXLEN 1 (2-*|4-*) f v
    XADD other 1-* f v
    XGROUP CREATE {q} (g|h) (0|$|$) MKSTREAM
    XGROUP CREATE {q} (g|h) $ MKSTREAM
    XGROUP CREATE other g 0 MKSTREAM
    XGROUP DESTROY {q} (g|h)
    XGROUP SETID {q} g (0|$)
    XGROUP DELCONSUMER {q} g alice
    XACK {q} g 1-0 1-1 2-0
    XAUTOCLAIM {q} g bob 0 0
    RENAME other {q}
    RENAME {q} other
    COPY other {q} REPLACE
    DEL {q}
    UNLINK {q}
    SET {q} string
    RPUSH {q} x
    EXPIRE {q} -1
    SELECT (0|0|1)
    MOVE {q} (0|1)
"""
# Alone only: which of several keys it wakes first hangs on Redis's hash tables.
FLUSHING = """
    FLUSHALL
"""


@pytest.mark.needs_redis
def test_random_readers_are_served_alike(duel: Duel) -> None:
    @PATIENT
    @given(sequences(waiting.actions(WAITING, WAKING, alone=FLUSHING)), st.sampled_from([2, 3]))
    def play(steps: list[waiting.Action], protocol: int) -> None:
        with duel.example(protocol):
            for name in ("q1", "q2", "q3"):
                duel.call("a", [b"XGROUP", b"CREATE", name.encode(), b"g", b"$", b"MKSTREAM"])
            waiting.play(duel, steps)

    play()
