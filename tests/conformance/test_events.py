"""Keyspace events: random sequences must be told in the same words, in the same order, as Redis tells them.

Each request is followed by a message of its own, so that a difference names the request that made it. To let a family
take part, add it to `FAMILIES` once its commands tell their events.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.differences import STEERED
from tests.conformance.duel import Duel, Side
from tests.conformance.generators import PATIENT, requests, sequences, timed
from tests.conformance.script import join
from tests.conformance.wire import Node, encode

FAMILIES = ["strings", "bits", "lists", "sets", "zsets", "lex", "geo", "streams", "trimming", "keys", "sort"]

MARKER = b"(the next request)"

# Redis drops a key that is due when it comes to it; when that is, is its own business.
UNTIMED = (b"expired",)


@contextmanager
def telling(duel: Duel, letters: bytes) -> Iterator[None]:
    """Let both servers tell events of these classes to connection `z`, which listens to everything."""
    for side in duel.sides:
        assert side.observer.call(b"CONFIG", b"SET", b"notify-keyspace-events", letters) == Node(b"+", b"OK")
        side.link("z").call(b"PSUBSCRIBE", b"*")
    try:
        yield
    finally:
        for side in duel.sides:
            side.observer.call(b"CONFIG", b"SET", b"notify-keyspace-events", b"")


def told(side: Side, batch: list[list[bytes]]) -> list[list[tuple[object, ...]]]:
    """Send requests in one piece; for each of them the messages that it led to."""
    link, listener = side.link("a"), side.link("z")
    link.send_raw(b"".join(encode(*request) + encode(b"PUBLISH", MARKER, b"") for request in batch))
    refused = []
    for _ in batch:
        refused.append(link.reply().kind == b"-")
        link.reply()
    found = []
    for is_refused in refused:
        messages = []
        while (message := listener.reply()).value[2].value != MARKER:  # type: ignore[index,union-attr]
            words = tuple(word.value for word in message.value[2:])  # type: ignore[union-attr,index]
            if any(word in UNTIMED or str(word).endswith(":expired'") for word in words):
                continue
            if not (is_refused and words[0] == b"__keyevent@0__:keymiss"):
                messages.append(words)
        found.append(messages)
    return found


def compare(duel: Duel, batch: list[list[bytes]]) -> None:
    ours, theirs = (told(side, batch) for side in duel.sides)
    for request, mine, yours in zip(batch, ours, theirs, strict=True):
        duel.transcript.append(f"  {join(tuple(request))}")
        if mine != yours:
            duel.mismatches.append(f"{join(tuple(request))}\n    spoold told: {mine}\n    redis told:  {yours}")


@pytest.mark.needs_redis
@pytest.mark.parametrize("family", FAMILIES)
def test_random_sequences_are_told_alike(duel: Duel, family: str) -> None:
    # What SORT misses while it looks for BY and GET is not told. XREAD looks twice in Redis, and so misses twice.
    classes = [b"KEA", b"KAn"] if family in {"sort", "streams"} else [b"KEA", b"KAn", b"EAm"]

    @PATIENT
    @given(sequences(requests(family)), st.sampled_from(classes))
    def play(sequence: list[list[bytes]], letters: bytes) -> None:
        batch = [timed(request) for request in sequence if request[0] not in STEERED]
        with duel.example(2), telling(duel, letters):
            compare(duel, batch)

    play()


@pytest.mark.needs_redis
def test_what_a_parked_client_takes_is_told_alike(duel: Duel) -> None:
    lists = (b"BLPOP q 0", b"BRPOP q 0", b"BLMPOP 0 1 q LEFT COUNT 2", b"BLMOVE q r LEFT RIGHT 0")
    zsets = (b"BZPOPMIN q 0", b"BZPOPMAX q 0", b"BZMPOP 0 1 q MIN COUNT 2")
    for parked in (*lists, *zsets):
        for pushed in (b"RPUSH q 1", b"RPUSH q 1 2 3") if parked in lists else (b"ZADD q 1 a", b"ZADD q 1 a 2 b 3 c"):
            with duel.example(2), telling(duel, b"KEAn"):
                for side in duel.sides:
                    side.link("b").send(*parked.split())
                    assert side.is_parked("b")
                compare(duel, [pushed.split()])
                for side in duel.sides:
                    side.link("b").reply()
