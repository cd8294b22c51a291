"""Any bytes at the memcached door: no exception, no hang, no value changed that no well-formed request names."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from spoold.protocol.codec import Limits
from support.memcached import Doorway
from support.room import Room

LIMITS = Limits(bulk_bytes=100)

# Keys that requests name; `guard` is not among them.
keys = st.sampled_from([b"a", b"b", b"k" * 250, b"k" * 251, b"\xff"])
numbers = st.sampled_from([b"0", b"1", b"5", b"-1", b"99", b"100", b"101", b"4294967296", b"x", b"1" * 30])
flags = st.sampled_from(
    [b"v", b"k", b"q", b"b", b"c", b"I", b"ME", b"MA", b"T9", b"N9", b"C1", b"O1", b"h", b"v1", b"M"]
)
blocks = st.binary(max_size=12) | st.sampled_from([b"hello", b"\r\n", b"set a 0 0 1\r\n"])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request whose words are right, or nearly."""
    verb = draw(
        st.sampled_from(
            [
                *(
                    b"get",
                    b"gets",
                    b"gat",
                    b"set",
                    b"add",
                    b"replace",
                    b"append",
                    b"prepend",
                    b"cas",
                    b"delete",
                    b"incr",
                ),
                *(
                    b"decr",
                    b"touch",
                    b"stats",
                    b"version",
                    b"verbosity",
                    b"mn",
                    b"mg",
                    b"ms",
                    b"md",
                    b"ma",
                    b"me",
                    b"x",
                ),
            ]
        )
    )
    words = [verb, draw(keys)]
    block = draw(blocks)
    if verb in {b"set", b"add", b"replace", b"append", b"prepend", b"cas", b"ms"}:
        length = b"%d" % len(block) if draw(st.integers(0, 4)) else draw(numbers)
        words += [length] if verb == b"ms" else [draw(numbers), draw(numbers), length]
        words += draw(st.lists(flags if verb == b"ms" else numbers, max_size=2))
        return b" ".join(words) + b"\r\n" + block + b"\r\n"
    words += draw(st.lists(flags if verb.startswith(b"m") else numbers | keys, max_size=3))
    words += draw(st.sampled_from([[], [b"noreply"]]))
    return b" ".join(words) + b"\r\n"


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Traffic with bytes changed, inserted, doubled or cut out."""
    stream = bytearray(b"".join(draw(st.lists(requests(), max_size=6))))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(stream)))
        until = draw(st.integers(at, min(at + 12, len(stream))))
        stream[at:until] = draw(
            st.sampled_from([b"", b"\r\n", b" ", b"\0", b"-", b"9", b"\x80"]) | st.binary(max_size=8)
        )
    return bytes(stream)


streams = damaged() | st.binary(max_size=300)


@given(stream=streams, cut=st.integers(0, 300))
def test_any_bytes_are_survived_and_change_nothing_that_they_do_not_name(stream: bytes, cut: int) -> None:
    with TemporaryDirectory() as directory, Room(Path(directory)) as room:
        doorway = Doorway(room, LIMITS)
        room("SET", "guard", "untouched")
        room("RPUSH", "queue", "job")
        client = doorway.client()
        replies = client(stream[:cut])
        if not client.closed:
            replies += client(stream[cut:])
        assert room.turn.aborted == 0
        assert replies == b"" or replies.endswith(b"\r\n")
        assert room("GET", "guard") == b"untouched"
        assert room("LRANGE", "queue", 0, -1) == [b"job"]
        assert doorway.client().ask("mn") == "MN"


@given(stream=streams, cuts=st.lists(st.integers(0, 300), max_size=5))
def test_replies_and_values_do_not_depend_on_how_the_stream_is_split(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    seen = []
    for pieces in ([stream], [stream[a:b] for a, b in pairwise(places)]):
        with TemporaryDirectory() as directory, Room(Path(directory)) as room:
            client = Doorway(room, LIMITS).client()
            replies = b""
            for piece in pieces:
                if not client.closed:
                    replies += client(piece)
            seen.append((without_moving_parts(replies), client.closed, sorted(room("KEYS", "*"))))
    assert seen[0] == seen[1]


def without_moving_parts(replies: bytes) -> list[bytes]:
    """The lines of the replies, without statistics, which tell of times and memory."""
    return [line for line in replies.split(b"\r\n") if not line.startswith(b"STAT ")]
