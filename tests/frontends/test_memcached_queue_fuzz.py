"""The queue door and bytes that no client should send: it answers or closes, and no item is lost."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from support.queue_server import QueueServer
from support.reachable import assert_nothing_is_left_over

REQUESTS = [
    b"set q 0 0 3\r\nabc\r\n",
    b"set q 7 100 1 noreply\r\nx\r\n",
    b"add q 0 0 1\r\nx\r\n",
    b"get q\r\n",
    b"get q/open\r\n",
    b"get q/close/open\r\n",
    b"get q/abort\r\n",
    b"get q/peek q\r\n",
    b"get q+c\r\n",
    b"monitor q 0 2\r\n",
    b"confirm q 1\r\n",
    b"flush q\r\n",
    b"delete q\r\n",
    b"stats\r\n",
    b"stats queue q\r\n",
    b"version\r\n",
]

words = st.sampled_from(
    b"get set add delete flush monitor confirm stats flush_all noreply q 0 1 -1 99999999999999999999 \xff / "
    b"q/open q/close q/abort q/peek q/t=0 q+c".split()
)
lines = st.lists(words, max_size=6).map(lambda found: b" ".join(found) + b"\r\n")
valid = st.sampled_from(REQUESTS)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Valid traffic with a few bytes changed, dropped or doubled."""
    data = bytearray(b"".join(draw(st.lists(valid, min_size=1, max_size=6))))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        match draw(st.sampled_from(["change", "drop", "double", "cut"])):
            case "change":
                data[at] = draw(st.integers(0, 255))
            case "drop":
                del data[at]
            case "double":
                data.insert(at, data[at])
            case _:
                del data[at:]
        if not data:
            break
    return bytes(data)


@given(pieces=st.lists(st.one_of(st.binary(max_size=40), lines, valid, mutated()), min_size=1, max_size=8))
def test_whatever_comes_the_server_goes_on_and_keeps_its_books(pieces: list[bytes]) -> None:
    with TemporaryDirectory() as home, QueueServer(Path(home)) as server:
        redis = server.client()
        redis("RPUSH", "safe", "1", "2")
        client = server.queue()
        for piece in pieces:
            if not client.closed:
                client.send(piece)
        if not client.closed:
            client.leave()
        server.settle()
        assert server.turn.aborted == 0
        if b"flush_all" not in b"".join(pieces):
            assert redis("LRANGE", "safe", 0, -1) == [b"1", b"2"]
        assert not [key for key in server.state() if key[:1] == b"l"]
        assert_nothing_is_left_over(server)


@given(data=st.lists(st.one_of(valid, lines), min_size=1, max_size=6).map(b"".join), cuts=st.lists(st.integers(0, 200)))
def test_any_split_gives_the_same_answers(data: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    answers = []
    for split in ([0, len(data)], places):
        with TemporaryDirectory() as home, QueueServer(Path(home)) as server:
            client = server.queue()
            got = b""
            for start, stop in pairwise(split):
                if not client.closed:
                    got += client.send(data[start:stop])
            answers.append(_without_figures(got))
    assert answers[0] == answers[1]


def _without_figures(answer: bytes) -> list[bytes]:
    return [line for line in answer.split(b"\r\n") if not line.startswith(b"STAT")]
