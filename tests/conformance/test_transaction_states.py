"""Transactions of clients whose state changes around and inside them: logged in as others, listening, tracked, paused.

Each piece of input goes out in parts, cut anywhere; the other client may change what the first one watches meanwhile.
Replies are compared in order, and beside them the messages that answer no request. Not drawn: CLIENT REPLY, which
leaves EXEC's array half written in Redis 7.0; maxmemory, beyond which Redis queues nothing, not even what reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.differences import same
from tests.conformance.duel import Duel, Side
from tests.conformance.generators import PATIENT, build, compile_form, sequences
from tests.conformance.script import join
from tests.conformance.wire import Node, NoReply, encode

EXAMPLES = int(os.environ.get("SPOOLD_EXAMPLES", "10"))

FORMS = """
    MULTI
    MULTI
    MULTI
    MULTI
    EXEC
    EXEC
    EXEC
    EXEC
    DISCARD
    WATCH (k|k|l|n)
    UNWATCH
    SET (k|k|n) (x|1) [EX 100]
    GET (k|n|l)
    INCR (n|k)
    LPUSH (l|k) x
    DEL (k|l)
    RENAME k n
    FLUSHDB
    BLPOP (l|none) 0.001
    EVAL (return|redis.call('SET','k','e')) 0
    NOSUCH
    GET
    OBJECT NOSUCH k
    EXEC x
    MULTI x
    SELECT (0|1|99)
    AUTH (default|limited|full|nobody) x
    AUTH x
    RESET
    QUIT
    HELLO (2|3) [AUTH (default|limited|full) x] [SETNAME me]
    HELLO 9
    CLIENT GETNAME
    CLIENT SETNAME (me|you)
    CLIENT TRACKING (ON|ON|OFF) [BCAST] [NOLOOP]
    CLIENT PAUSE (1|3) (WRITE|ALL)
    CLIENT UNPAUSE
    CLIENT NO-EVICT ON
    PING
    PING x
    ACL WHOAMI
    ACL SETUSER limited (+get|-get|~k|+set|-exec|+exec|-multi|+multi)
    READONLY
    WAIT 0 0
"""

# One listens, the other one tells: a message to oneself stands inside EXEC's array in Redis, where nothing counts it.
LISTENING = """
    SUBSCRIBE (c|d)
    PSUBSCRIBE c*
    UNSUBSCRIBE c
"""
TELLING = """
    PUBLISH c (x|y)
    PUBLISH c (x|y)
"""

# A watched key falls due, between two pieces: spoold's time stands still within one.
EXPIRING = (b"SET e x PX 5;WATCH e", b"DEBUG SLEEP 0.01", b"MULTI;PING;EXEC", b"DEL e")

Piece = tuple[str, list[list[bytes]], list[int]]

END: list[Piece] = [(connection, [[b"RESET"], [b"PING"]], []) for connection in "ab"]

# Kinds of messages that answer no request.
TOLD = (b"message", b"pmessage", b"invalidate")

KNOWN = {
    connection: [compile_form(line.strip()) for line in forms.splitlines() if line.strip()]
    for connection, forms in (("a", FORMS + LISTENING), ("b", FORMS + TELLING))
}


@st.composite
def pieces(draw: st.DrawFn) -> list[Piece]:
    """Draw who sends, which requests in one piece, and where in thousandths that is cut."""

    def below(n: int) -> int:
        return draw(st.integers(min_value=0, max_value=abs(n) - 1))

    connection = "aab"[below(3)]
    known = KNOWN[connection]
    found: list[list[bytes]] = []
    for _ in range(1 + below(6)):
        request = build(known[below(len(known))], below)
        # Inside EXEC's array the protocol would change from element to element.
        found += [[b"DISCARD"], request] if request[0] == b"HELLO" else [request]
    if below(20) == 19:
        return [(connection, [request.split() for request in piece.split(b";")], []) for piece in EXPIRING]
    cuts = draw(st.lists(st.integers(min_value=1, max_value=999), max_size=3, unique=True))
    return [(connection, found, sorted(cuts))]


@contextmanager
def users(duel: Duel) -> Iterator[None]:
    """Two users besides `default`: one who may do all, one who may do little."""
    try:
        for side in duel.sides:
            for user, rules in (
                (b"full", b"+@all"),
                (b"limited", b"+@transaction +@connection +set +del +debug +reset +quit"),
            ):
                made = side.observer.call(
                    b"ACL", b"SETUSER", user, b"reset", b"on", b">x", b"~*", b"&*", *rules.split()
                )
                assert made == Node(b"+", b"OK"), made
        yield
    finally:
        for side in duel.sides:
            side.observer.call(b"CLIENT", b"UNPAUSE")
            side.observer.call(b"ACL", b"DELUSER", b"full", b"limited")


def answers(side: Side, connection: str, requests: list[list[bytes]], cuts: list[int]) -> tuple[list[Node], list[Node]]:
    """Send requests in parts. returns: a reply for each, fewer if the server closed; and what was told besides."""
    link, data, at = side.link(connection), b"".join(encode(*request) for request in requests), 0
    for cut in cuts:
        link.send_raw(data[at : (at := len(data) * cut // 1000)])
        side.observer.call(b"PING")  # so that the parts are not read as one
    link.send_raw(data[at:])
    replies: list[Node] = []
    told: list[Node] = []
    while len(replies) < len(requests):
        try:
            node = link.reply(2.0)
        except NoReply as error:
            if "closed" not in str(error):
                raise
            side.links.pop(connection).close()
            break
        first = node.value[0].value if isinstance(node.value, tuple) and node.value else None
        if first not in TOLD:
            replies.append(node)
        else:
            told.append(node)
    return replies, told


def once(told: list[Node]) -> list[Node]:
    """Without what says the same again."""
    return [node for node, _ in groupby(told)]


@pytest.mark.needs_redis
def test_random_transactions_of_clients_in_all_states(duel: Duel) -> None:
    @settings(PATIENT, max_examples=EXAMPLES)
    @given(sequences(pieces()), st.sampled_from([2, 3]))
    def play(steps: list[list[Piece]], protocol: int) -> None:
        with duel.example(protocol), users(duel):
            heard: dict[str, tuple[list[Node], list[Node]]] = {"a": ([], []), "b": ([], [])}
            queued: dict[str, list[list[bytes]]] = {"a": [], "b": []}
            for connection, requests, cuts in [*chain(*steps), *END]:
                duel.transcript.append(f"  {connection}| " + "; ".join(join(tuple(request)) for request in requests))
                (ours, told), (theirs, also) = (answers(side, connection, requests, cuts) for side in duel.sides)
                heard[connection][0].extend(told)
                heard[connection][1].extend(also)
                for request, mine, yours in zip(requests, ours, theirs, strict=False):
                    if not same(request, mine, yours, queued[connection]):
                        duel.mismatches.append(f"{connection}: {join(tuple(request))}\n    {mine}\n    {yours}")
                    if yours == Node(b"+", b"QUEUED"):
                        queued[connection].append(request)
                    elif request[0] in {b"EXEC", b"DISCARD", b"RESET"}:
                        queued[connection] = []
                if len(theirs) < len(requests):  # closed
                    queued[connection] = []
                if len(ours) != len(theirs):
                    duel.mismatches.append(f"{connection}: only one closed: {ours} {theirs}")
                if duel.mismatches:
                    return
            for connection, (told, also) in heard.items():
                # Of two changes in one turn clients are told once; what falls due is told with them, or by itself.
                if once(told) != once(also):
                    duel.mismatches.append(f"{connection} was told\n    {told}\n    {also}")

    play()
