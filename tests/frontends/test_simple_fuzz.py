"""Anything at all sent to the simple door: an answer or a closed connection, no turn rolled back, no changed value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.protocol.test_simple import pieces, scalars, values

from spoold.protocol.simple import Value, ValueReader, encode
from support.room import Room
from support.simple_link import SimpleLink

KEPT = {b"kept": [1, 2.5, {b"k": None}], 7: b"seven"}
NOT_FLUSHING = [b"ENQUEUE", b"DEQUEUE", b"REMOVE", b"LENGTH", b"FLUSH", b"ADD", b"READ", b"LENGTH_SCHEDULE", b"SET"]
NOT_FLUSHING += [b"GET", b"POP", b"DELETE", b"EXISTS", b"SETNX", b"MSET", b"MGET", b"MPOP", b"LENGTH_KV"]

# Names that are not those of what must not change.
words = st.one_of(values, st.sampled_from([b"q", b"2018-01-01 00:00:00", b"2018-01-01 00:00:00.5"])).filter(
    lambda word: word not in (b"kept", 7)
)
requests = st.one_of(
    st.tuples(st.sampled_from(NOT_FLUSHING), words).map(list),
    st.tuples(st.sampled_from(NOT_FLUSHING), words, words).map(list),
    st.lists(words, max_size=4),
    scalars,
    values,
)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """One server for all examples."""
    path: Path = tmp_path_factory.mktemp("fuzz")
    with Room(path) as made:
        link = SimpleLink(made)
        for key, value in KEPT.items():
            link("SET", key, value)
        link("ENQUEUE", "kept", b"item")
        yield made


def check(room: Room) -> None:
    """What no valid request changed is as it was, and no command failed in a way that no one expected."""
    assert room.turn.aborted == 0
    link = SimpleLink(room)
    assert {key: link("GET", key) for key in KEPT} == KEPT
    assert link("LENGTH", "kept") == 1


def talk(room: Room, data: bytes, cuts: list[int]) -> bytes:
    """Send `data` in pieces to a connection of its own; returns all that is answered."""
    link = SimpleLink(room)
    return b"".join(link.send(piece) for piece in pieces(data, cuts))


def replies(answer: bytes) -> list[Value]:
    """The replies in `answer`, which must hold nothing else."""
    reader = ValueReader()
    found = reader.feed(answer)
    assert reader.broken is None
    assert reader.is_between
    return found


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=4))
@example(data=b"*1\r\n-SHUTDOWN\r\n", cuts=[])
def test_random_bytes(room: Room, data: bytes, cuts: list[int]) -> None:
    replies(talk(room, data, cuts))
    check(room)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(some=st.lists(requests, max_size=5), cuts=st.lists(st.integers(0, 3000), max_size=6))
def test_any_requests_in_any_pieces(room: Room, some: list[Value], cuts: list[int]) -> None:
    assert len(replies(talk(room, b"".join(map(encode, some)), cuts))) == len(some)
    check(room)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    some=st.lists(requests, min_size=1, max_size=4),
    at=st.integers(0, 10_000),
    by=st.binary(max_size=4),
    drop=st.integers(0, 4),
)
def test_mutated_requests(room: Room, some: list[Value], at: int, by: bytes, drop: int) -> None:
    data = b"".join(map(encode, some))
    place = at % len(data)
    mutated = data[:place] + by + data[place + drop :]
    for name in (b"kept", b":7", b"FLUSH"):  # a valid request may have come about
        if name in mutated.upper() or name in mutated:
            return
    replies(talk(room, mutated, []))
    check(room)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(some=st.lists(requests, min_size=1, max_size=4), cut=st.integers(0, 10_000))
def test_truncated_requests_change_nothing_but_what_was_complete(room: Room, some: list[Value], cut: int) -> None:
    data = b"".join(map(encode, some))
    link = SimpleLink(room)
    answered = replies(link.send(data[: cut % len(data)]))
    assert len(answered) < len(some)
    link.close()
    check(room)


def test_a_request_cut_at_every_place_is_answered_the_same(room: Room) -> None:
    data = encode([b"SET", b"cut", [1, {b"a": b"\r\n"}]]) + encode([b"GET", b"cut"]) + b"+LENGTH q-none\r\n"
    whole = talk(room, data, [])
    for cut in range(len(data)):
        assert talk(room, data, [cut]) == whole
    assert talk(room, data, list(range(len(data)))) == whole
