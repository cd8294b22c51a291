"""Random requests from the forms of `forms.py`: drawn by hypothesis, or each form with every value of a kind."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from tests.conformance.forms import FORMS, JUNK_NUMBERS, NAMES, NUMERIC, POOLS

T = TypeVar("T")

# The families of commands on data, by name.
FAMILIES = [family for family in FORMS if family != "transactions"]

_EXAMPLES = {"max_examples": int(os.environ["SPOOLD_EXAMPLES"])} if "SPOOLD_EXAMPLES" in os.environ else {}
# For a test that plays its examples on the session's duel.
PATIENT = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    # Explaining a failure replays it hundreds of times more, for little when two servers are involved.
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    **_EXAMPLES,
)


@dataclass(frozen=True)
class Slot:
    """A place in a form that takes a value: from pool `pool`, glued to what stands before and after it."""

    pool: str
    before: bytes = b""
    after: bytes = b""


# draw(n): a number from 0 to n-1; draw(-n): the same, asked for a number of repetitions
Draw = Callable[[int], int]
Part = Callable[[Draw], Iterator["bytes | Slot"]]

_TOKENS = re.compile(r"[\[\]()|]|\+(?=\s|\)|\]|$)|[^\s\[\]()|+]+")


def compile_form(form: str) -> Part:
    """Compile one form into a function that draws its words and slots."""
    tokens = _TOKENS.findall(form)
    position = 0

    def alternatives(closing: str) -> Part:
        nonlocal position
        options = [sequence()]
        while position < len(tokens) and tokens[position] == "|":
            position += 1
            options.append(sequence())
        assert position < len(tokens), f"unclosed in {form!r}"
        assert tokens[position] == closing, form
        position += 1
        if closing == "]":
            options = [lambda draw: iter(()), *options]
        return lambda draw: options[draw(len(options))](draw)

    def sequence() -> Part:
        nonlocal position
        parts: list[Part] = []
        while position < len(tokens) and tokens[position] not in ("]", ")", "|"):
            token = tokens[position]
            position += 1
            if token == "+":
                parts.append(_repeated(parts.pop()))
            elif token in "[(":
                parts.append(alternatives("]" if token == "[" else ")"))
            else:
                parts.append(_word(token))
        return lambda draw: (word for part in parts for word in part(draw))

    compiled = sequence()
    assert position == len(tokens), form
    return compiled


@cache
def forms(family: str) -> list[Part]:
    """Compile the forms of one family; `mixed` is all of them but the transactions."""
    if family == "mixed":
        return [part for each in FAMILIES for part in forms(each)]
    return [compile_form(line.strip()) for line in FORMS[family].splitlines() if line.strip()]


def fill(slot: Slot, draw: Draw) -> bytes:
    """Choose a value for a slot."""
    pool = POOLS[slot.pool]
    return slot.before + pool[draw(len(pool))] + slot.after


def timed(request: Sequence[bytes]) -> list[bytes]:
    """Turn `@s+N` and `@ms+N` into Unix time, N from now on: done last, so that an example can be played again."""
    return [_timed(arg) if arg.startswith((b"@s+", b"@ms+")) else arg for arg in request]


def _timed(value: bytes) -> bytes:
    unit, offset = value[1:].split(b"+")
    return b"%d" % (int(time.time() * (1000 if unit == b"ms" else 1)) + int(offset))


def build(part: Part, draw: Draw) -> list[bytes]:
    """Draw one request of a form."""
    return [fill(word, draw) if isinstance(word, Slot) else word for word in part(draw)]


@st.composite
def requests(draw: st.DrawFn, family: str, *, spoilt: bool = True) -> list[bytes]:
    """Draw one request of a family; one in ten is spoilt: an argument less, more, or another one."""
    known = forms(family)
    part = known[draw(_below(len(known)))]
    args = build(part, lambda n: draw(_below(abs(n))))
    if spoilt and draw(_below(10)) == 9 and len(args) > 1:
        at = 1 + draw(_below(len(args) - 1))
        how = draw(_below(4))
        if args[at - 1] == b"BY":  # a constant pattern over a set gives an order that nothing promises
            return args
        if args[0] == b"ZADD" and args[1] in POOLS["x"]:  # another score, and nothing promises what BYLEX gives
            return args
        if how == 0:
            del args[at]
        elif how == 1:
            args.append(args[at])
        elif how == 2:
            args[at] = JUNK_NUMBERS[draw(_below(len(JUNK_NUMBERS)))]
        else:
            args[at] = POOLS["any"][draw(_below(len(POOLS["any"])))]
    return args


def sequences(request: st.SearchStrategy[T]) -> st.SearchStrategy[list[T]]:
    """Draw some thirty requests: several lists, as hypothesis keeps a single one short; they shrink to nothing."""
    return st.lists(st.lists(request, max_size=30), min_size=6, max_size=6).map(lambda parts: list(chain(*parts)))


def numeric_variants(family: str) -> Iterator[list[bytes]]:
    """Give each form of a family with each of its numeric slots filled with each junk number, the rest plain."""
    for line in FORMS[family].splitlines():
        if not line.strip():
            continue
        part = compile_form(line.strip())
        for words in _plain_variants(part):
            numeric = [at for at, word in enumerate(words) if isinstance(word, Slot) and word.pool in NUMERIC]
            for at in numeric:
                for junk in JUNK_NUMBERS:
                    args = [fill(word, lambda n: 0) if isinstance(word, Slot) else word for word in words]
                    slot = words[at]
                    assert isinstance(slot, Slot)
                    args[at] = slot.before + junk + slot.after
                    yield timed(args)


def wrong_type_variants(family: str) -> Iterator[list[bytes]]:
    """Give each form of a family with each of its names replaced by a key of each type."""
    for line in FORMS[family].splitlines():
        if not line.strip():
            continue
        for words in _plain_variants(compile_form(line.strip())):
            for at, word in enumerate(words):
                for key in (b"s1", b"l1", b"t1", b"h1") if isinstance(word, Slot) and word.pool in NAMES else ():
                    args = [fill(each, lambda n: 0) if isinstance(each, Slot) else each for each in words]
                    args[at] = key
                    yield timed(args)


def _plain_variants(part: Part) -> Iterator[Sequence[bytes | Slot]]:
    """Walk through all alternatives of a form, repetitions once."""
    choices: list[tuple[int, int]] = []
    while True:
        at = -1

        def draw(n: int) -> int:
            nonlocal at
            if n < 0:
                return 0
            at += 1
            if at == len(choices):
                choices.append((0, n))
            return choices[at][0]

        yield tuple(part(draw))
        while choices and choices[-1][0] + 1 >= choices[-1][1]:
            choices.pop()
        if not choices:
            return
        taken, count = choices.pop()
        choices.append((taken + 1, count))


def _repeated(part: Part) -> Part:
    def repeat(draw: Draw) -> Iterator[bytes | Slot]:
        for _ in range(1 + draw(-4)):
            yield from part(draw)

    return repeat


def _word(token: str) -> Part:
    match = re.fullmatch(r"([^{}]*)\{(\w+)\}([^{}]*)", token)
    if match is None:
        word = token.encode()
        return lambda draw: iter((word,))
    before, pool, after = match.groups()
    assert pool in POOLS, token
    slot = Slot(pool, before.encode(), after.encode())
    return lambda draw: iter((slot,))


@cache
def _below(n: int) -> st.SearchStrategy[int]:
    return st.integers(min_value=0, max_value=n - 1)
