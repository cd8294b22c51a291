"""Random rules for a user: both servers must take or refuse each alike, and then allow the same requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.duel import Duel
from tests.conformance.generators import PATIENT
from tests.conformance.wire import Node

NAMES = (
    "get", "set", "del", "mget", "client", "client|list", "client|id", "config", "config|get", "publish", "subscribe",
    "psubscribe", "select", "select|0", "copy", "sort", "exists", "eval", "auth", "object|encoding", "nosuch", "get|x",
    "acl", "acl|whoami", "client|list|x", "lmpop", "xread", "bitfield", "xadd",
)  # fmt: skip
CATEGORIES = (
    "all", "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "pubsub", "admin",
    "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting", "nosuch",
)  # fmt: skip
PATTERNS = ("a", "b*", "*", "?x", "ab", "[ab]", "", "a b")

SIGNS = st.sampled_from(["+", "+", "+", "-"])
SIMPLE = st.one_of(
    st.builds("{}{}".format, SIGNS, st.sampled_from(NAMES)),
    st.builds("{}@{}".format, SIGNS, st.sampled_from(CATEGORIES)),
    st.builds("{}{}".format, st.sampled_from(["~", "%R~", "%W~", "%RW~", "%~", "%x~"]), st.sampled_from(PATTERNS)),
    st.builds("&{}".format, st.sampled_from(PATTERNS)),
    st.sampled_from(
        [
            "allkeys",
            "resetkeys",
            "allchannels",
            "resetchannels",
            "allcommands",
            "nocommands",
            "resetkeys",
            "resetchannels",
        ]
    ),
)
RULES = st.one_of(
    SIMPLE,
    SIMPLE,
    SIMPLE,
    st.lists(SIMPLE.filter(lambda rule: " " not in rule), max_size=4).map(lambda rules: f"({' '.join(rules)})"),
    st.sampled_from(
        ["on", "off", "nopass", "resetpass", ">p", "<p", ">q", "#abc", "reset", "clearselectors", "foo", "", "("]
    ),
)

REQUESTS = [
    line.split()
    for line in """
    GET a
    GET bx
    GET abc
    SET a v
    SET bx v GET
    SET ab v EX 10
    DEL a bx
    MGET a bx ab
    COPY a bx
    COPY bx a
    EXISTS a
    EXISTS zz
    CLIENT LIST
    CLIENT ID
    CLIENT KILL x
    CONFIG GET x
    CONFIG SET x y
    PUBLISH a m
    PUBLISH bb m
    SUBSCRIBE a bx
    PSUBSCRIBE b*
    PSUBSCRIBE a
    SELECT 0
    SELECT 1
    SORT a STORE bx
    EVAL x 1 a
    AUTH p
    OBJECT ENCODING a
    LMPOP 2 a bx LEFT
    XREAD STREAMS a bx 0 0
    BITFIELD a GET u1 0
    BITFIELD a SET u1 0 1
    XADD a * f v
    SADD bx m
    HGET a f
    BLPOP a bx 0
    PING
    MULTI
    FLUSHALL
    KEYS *
    """.splitlines()
    if line.strip()
]


@pytest.mark.needs_redis
def test_random_rules_are_taken_alike_and_allow_the_same(duel: Duel) -> None:
    @PATIENT
    @given(st.lists(st.lists(RULES, min_size=1, max_size=3), max_size=8))
    def play(changes: list[list[str]]) -> None:
        with duel.example(2):
            duel.call("a", [b"ACL", b"SETUSER", b"u", b"reset"])
            for rules in changes:
                duel.call("a", [b"ACL", b"SETUSER", b"u", *(rule.encode() for rule in rules)])
            for request in REQUESTS:
                duel.call("a", [b"ACL", b"DRYRUN", b"u", *(word.encode() for word in request)])
            ours, theirs = (described(side.link("a").call(b"ACL", b"GETUSER", b"u")) for side in duel.sides)
            if ours != theirs:
                duel.mismatches.append(f"described as {ours} by spoold, as {theirs} by Redis")
            duel.call("a", [b"ACL", b"DELUSER", b"u"])

    play()


def described(user: Node) -> list[object]:
    """What a user is, but for the commands, of which spoold has more: flags, digests, keys and channels."""
    fields = user.value
    assert isinstance(fields, tuple)
    found: list[object] = []
    for name, value in zip(fields[::2], fields[1::2], strict=True):
        if name.value == b"selectors":
            assert isinstance(value.value, tuple)
            found += [described(selector) for selector in value.value]
        elif name.value != b"commands":
            found.append((name.value, repr(value)))
    return found
