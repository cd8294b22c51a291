"""Random clients that wait, and what wakes them: who gets what must be the same on both servers.

After every step all waiting connections are looked at: each still waits on both servers or was answered on both, with
the same reply. So the order of service, chains of moves, and wake-ups from transactions are all compared.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from tests.conformance.duel import PARKED, Duel
from tests.conformance.generators import Part, build, compile_form
from tests.conformance.script import Step, join

WAITERS = "bcdefg"

POOL_FORMS = {"{q}": "(q1|q1|q2|q3)", "{e}": "(LEFT|RIGHT)"}

# What is done, by which connection, with what: a request, requests, or nothing.
Action = tuple[str, str, Any]


def parts(forms: str) -> list[Part]:
    """Compile forms with the pools of this file written out."""
    for pool, alternatives in POOL_FORMS.items():
        forms = forms.replace(pool, alternatives)
    return [compile_form(line.strip()) for line in forms.splitlines() if line.strip()]


def actions(waiting: str, waking: str, alone: str = "") -> st.SearchStrategy[Action]:
    """Draw one action: waiting, waking, leaving.    alone: forms that wake, but never beside others in one turn."""
    waits, wakes = _drawn(parts(waiting)), _drawn(parts(waking))
    park = st.tuples(st.just("park"), st.sampled_from(WAITERS), waits)
    wake = st.tuples(st.just("wake"), st.just("a"), wakes)
    transaction = st.tuples(st.just("transaction"), st.just("a"), st.lists(wakes, min_size=1, max_size=5))
    pipeline = st.tuples(st.just("pipeline"), st.just("a"), st.lists(wakes, min_size=2, max_size=4))
    leave = st.tuples(st.just("leave"), st.sampled_from(WAITERS), st.none())
    rare = [st.tuples(st.just("wake"), st.just("a"), _drawn(parts(alone)))] if alone else []
    return st.one_of(park, park, park, wake, wake, *rare, transaction, pipeline, leave)


@st.composite
def _drawn(draw: st.DrawFn, known: list[Part]) -> tuple[bytes, ...]:
    def below(n: int) -> int:
        return draw(st.integers(min_value=0, max_value=abs(n) - 1))

    return tuple(build(known[below(len(known))], below))


def play(duel: Duel, steps: list[Action]) -> None:
    """Play actions in an example until the servers differ."""
    waiting: dict[str, tuple[bytes, ...]] = {}
    for kind, connection, what in steps:
        if kind == "park" and connection not in waiting:
            duel.play(Step("park", connection, what, line=f"{connection}> {join(what)}"))
            if duel.last == (PARKED, PARKED):
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
        _take_answers(duel, waiting)
        if duel.mismatches:
            return


def _take_answers(duel: Duel, waiting: dict[str, tuple[bytes, ...]]) -> None:
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
