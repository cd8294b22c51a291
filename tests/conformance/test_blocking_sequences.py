"""Random blocking pops by several connections, and pushes that serve them: who gets what is the same on both servers.

After every step all waiting connections are looked at: each still waits on both servers or was answered on both, with
the same reply. So the order of service, chains of moves, and wake-ups from transactions are all compared.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.duel import PARKED, Duel
from tests.conformance.generators import Part, build, compile_form, sequences
from tests.conformance.script import Step, join
from tests.conformance.test_sequences import PATIENT

WAITERS = "bcdefg"

POOL_FORMS = {"{q}": "(q1|q1|q2|q3)", "{e}": "(LEFT|RIGHT)"}

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


def parts(forms: str) -> list[Part]:
    """Compile forms with the pools of this file written out."""
    for pool, alternatives in POOL_FORMS.items():
        forms = forms.replace(pool, alternatives)
    return [compile_form(line.strip()) for line in forms.splitlines() if line.strip()]


BLOCKING_PARTS, WAKING_PARTS = parts(BLOCKING), parts(WAKING)


@st.composite
def drawn(draw: st.DrawFn, known: list[Part]) -> tuple[bytes, ...]:
    def below(n: int) -> int:
        return draw(st.integers(min_value=0, max_value=abs(n) - 1))

    return tuple(build(known[below(len(known))], below))


park = st.tuples(st.just("park"), st.sampled_from(WAITERS), drawn(BLOCKING_PARTS))
wake = st.tuples(st.just("wake"), st.just("a"), drawn(WAKING_PARTS))
transaction = st.tuples(st.just("transaction"), st.just("a"), st.lists(drawn(WAKING_PARTS), min_size=1, max_size=5))
pipeline = st.tuples(st.just("pipeline"), st.just("a"), st.lists(drawn(WAKING_PARTS), min_size=2, max_size=4))
leave = st.tuples(st.just("leave"), st.sampled_from(WAITERS), st.none())


@pytest.mark.needs_redis
def test_random_waiters_are_served_alike(duel: Duel) -> None:
    @PATIENT
    @given(sequences(st.one_of(park, park, park, wake, wake, transaction, pipeline, leave)), st.sampled_from([2, 3]))
    def play(steps: list[tuple], protocol: int) -> None:
        with duel.example(protocol):
            waiting: dict[str, tuple[bytes, ...]] = {}
            for kind, connection, what in steps:
                if kind == "park" and connection not in waiting:
                    if park_on_both(duel, connection, what):
                        waiting[connection] = what
                elif kind == "leave" and connection in waiting:
                    del waiting[connection]
                    duel.play(Step("close", connection, line=f"{connection}!"))
                elif kind == "wake":
                    duel.call("a", what)
                elif kind == "transaction":
                    for request in ([b"MULTI"], *what, [b"EXEC"]):
                        duel.call("a", request)
                elif kind == "pipeline":
                    duel.pipeline("a", what)
                take_answers(duel, waiting)
                if duel.mismatches:
                    return

    play()


def park_on_both(duel: Duel, connection: str, request: tuple[bytes, ...]) -> bool:
    """Send a blocking request to both; true if it waits on both."""
    step = Step("park", connection, request, line=f"{connection}> {join(request)}")
    duel.play(step)
    return duel.last == (PARKED, PARKED)


def take_answers(duel: Duel, waiting: dict[str, tuple[bytes, ...]]) -> None:
    for connection, request in list(waiting.items()):
        parked = [side.is_parked(connection) for side in duel.sides]
        if parked == [True, True]:
            continue
        del waiting[connection]
        if parked == [False, False]:
            duel.play(Step("take", connection, request, line=f"{connection}< ({join(request)})"))
        else:
            who = duel.sides[parked.index(True)].name
            duel.mismatches.append(f"{connection}: {join(request)}\n    only on {who} it still waits")
