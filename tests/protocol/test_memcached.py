"""Framing of the memcached protocol: lines, blocks, how faults are told, however the stream is split."""

from __future__ import annotations

import time
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spoold.core.errors import CommandError
from spoold.protocol.codec import Codec, Limits, Request
from spoold.protocol.memcached import (
    BAD_CHUNK,
    BAD_LENGTH,
    EMPTY_LINE,
    KEYS_LINE_BYTES,
    LINE_BYTES,
    MISCOUNTED,
    TOO_LARGE,
    MemcachedCodec,
)

LIMITS = Limits(bulk_bytes=64)

REQUESTS: list[tuple[bytes, list[Request]]] = [
    (b"get a\r\n", [[b"get", b"a"]]),
    (b"get a\n", [[b"get", b"a"]]),
    (b"get a b c\r\n", [[b"get", b"a", b"b", b"c"]]),
    (b"  get   a  \r\n", [[b"get", b"a"]]),
    (b"get a\r\r\n", [[b"get", b"a\r"]]),
    (b"get \xff\x80\x01\r\n", [[b"get", b"\xff\x80\x01"]]),
    (b"get a\tb\r\n", [[b"get", b"a\tb"]]),
    (b"get\ta\r\n", [[b"get\ta"]]),
    (b"get\r\n", [[b"get"]]),
    (b"get a\r\nget b\r\n", [[b"get", b"a"], [b"get", b"b"]]),
    (b"GET a\r\n", [[b"GET", b"a"]]),
    (b"what is this\r\n", [[b"what", b"is", b"this"]]),
    # A NUL hides the rest of its line.
    (b"get a\0b c\r\nmn\r\n", [[b"get", b"a"], [b"mn"]]),
    (b"\0get a\r\n", [[EMPTY_LINE]]),
    # Blocks.
    (b"set k 0 0 5\r\nhello\r\n", [[b"set", b"k", b"0", b"0", b"5", b"hello"]]),
    (b"set k 0 0 5\nhello\r\n", [[b"set", b"k", b"0", b"0", b"5", b"hello"]]),
    (b"set  k 0 0  5 \r\nhello\r\n", [[b"set", b"k", b"0", b"0", b"5", b"hello"]]),
    (b"set k 0 0 0\r\n\r\n", [[b"set", b"k", b"0", b"0", b"0", b""]]),
    (b"set k 0 0 5 noreply\r\nhello\r\n", [[b"set", b"k", b"0", b"0", b"5", b"noreply", b"hello"]]),
    (b"set k 0 0 9\r\n\r\nget a\r\n\r\n", [[b"set", b"k", b"0", b"0", b"9", b"\r\nget a\r\n"]]),
    (b"set k 0 0 4\r\n\0\xff\r\n\r\n", [[b"set", b"k", b"0", b"0", b"4", b"\0\xff\r\n"]]),
    (b"set k 0 0 007\r\n1234567\r\n", [[b"set", b"k", b"0", b"0", b"007", b"1234567"]]),
    *((b"%b k 1 2 1\r\nx\r\n" % verb, [[verb, b"k", b"1", b"2", b"1", b"x"]])
      for verb in (b"add", b"replace", b"append", b"prepend")),
    (b"cas k 0 0 1 77\r\nx\r\n", [[b"cas", b"k", b"0", b"0", b"1", b"77", b"x"]]),
    (b"cas k 0 0 1 77 noreply\r\nx\r\n", [[b"cas", b"k", b"0", b"0", b"1", b"77", b"noreply", b"x"]]),
    (b"ms k 1\r\nx\r\n", [[b"ms", b"k", b"1", b"x"]]),
    (b"ms k 1 c T0 F5\r\nx\r\nmn\r\n", [[b"ms", b"k", b"1", b"c", b"T0", b"F5", b"x"], [b"mn"]]),
    (b"mg k v\r\n", [[b"mg", b"k", b"v"]]),
    (b"set k x -y 1\r\nv\r\n", [[b"set", b"k", b"x", b"-y", b"1", b"v"]]),
    # Faults of one request.
    (b"\r\n\n \r\n", [[EMPTY_LINE], [EMPTY_LINE], [EMPTY_LINE]]),
    (b"set k 0 0\r\nmn\r\n", [[MISCOUNTED, b"set", b"k", b"0", b"0"], [b"mn"]]),
    (b"set k 0 0 1 2 3\r\nmn\r\n", [[MISCOUNTED, b"set", b"k", b"0", b"0", b"1", b"2", b"3"], [b"mn"]]),
    (b"cas k 0 0 1\r\nmn\r\n", [[MISCOUNTED, b"cas", b"k", b"0", b"0", b"1"], [b"mn"]]),
    (b"ms k\r\nms\r\n", [[MISCOUNTED, b"ms", b"k"], [MISCOUNTED, b"ms"]]),
    *((b"set k 0 0 %b\r\nmn\r\n" % length, [[BAD_LENGTH, b"set", b"k", b"0", b"0", length], [b"mn"]])
      for length in (b"-1", b"x", b"1x", b"+1", b"2147483646", b"99999999999", b"9" * 21, b"1" * 1000)),
    (b"ms k S1\r\n", [[BAD_LENGTH, b"ms", b"k", b"S1"]]),
    (b"set k 0 0 3\r\nabcdef\r\n", [[BAD_CHUNK, b"set", b"k", b"0", b"0", b"3"], [b"f"]]),
    (b"set k 0 0 3\r\na\r\nmn\r\n", [[BAD_CHUNK, b"set", b"k", b"0", b"0", b"3"], [EMPTY_LINE]]),
    (b"set k 0 0 3\r\nabc\n\r\n", [[BAD_CHUNK, b"set", b"k", b"0", b"0", b"3"], [EMPTY_LINE]]),
    (b"set k 0 0 64\r\n" + b"v" * 64 + b"\r\n", [[b"set", b"k", b"0", b"0", b"64", b"v" * 64]]),
    (b"set k 0 0 65\r\n" + b"v" * 65 + b"\r\nmn\r\n", [[TOO_LARGE, b"set", b"k", b"0", b"0", b"65"], [b"mn"]]),
    (b"ms k 5000 q\r\n" + b"\n" * 5000 + b"\r\nmn\r\n", [[TOO_LARGE, b"ms", b"k", b"5000", b"q"], [b"mn"]]),
    # Lines at their limit.
    (b"x" * LINE_BYTES + b"\n", [[b"x" * LINE_BYTES]]),
    (b"get " + b"k " * 5000 + b"\r\n", [[b"get", *[b"k"] * 5000]]),
    (b" gats 0 " + b"k " * 5000 + b"\r\n", [[b"gats", b"0", *[b"k"] * 5000]]),
]  # fmt: skip

BROKEN: list[tuple[bytes, bytes]] = [
    (b"x" * (LINE_BYTES + 1), b"CLIENT_ERROR line too long\r\n"),
    (b"x" * (LINE_BYTES + 1) + b"\r\nmn\r\n", b"CLIENT_ERROR line too long\r\n"),
    (b"delete " + b"k" * LINE_BYTES, b"CLIENT_ERROR line too long\r\n"),
    (b" " * LINE_BYTES + b"get k\r\n", b"CLIENT_ERROR line too long\r\n"),
    (b"getx " + b"k" * LINE_BYTES + b"\r\n", b"CLIENT_ERROR line too long\r\n"),
    (b"\x80", b""),
    (b"\x80" + b"\0" * 23, b""),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nset k 0 0 1\r\nx\r\n", b""),
    (b"GET /k HTTP/1.0\r\nget k\r\n", b""),
    (b"DELETE HTTP/1.1\r\n", b""),
    (b"Host: localhost\r\n\r\n", b"ERROR\r\n"),
]

WAITING = [
    *(b"g", b"get", b"get a", b"get a\r", b"set k 0 0 5\r\n", b"set k 0 0 5\r\nhell", b"set k 0 0 5\r\nhello\r"),
    *(b"x" * LINE_BYTES, b"get " + b"k" * LINE_BYTES * 2, b"ms k 0\r\n", b"ms k 0\r\n\r"),
]

words = st.binary(min_size=1, max_size=8).filter(lambda word: not set(word) & set(b" \r\n\0"))
values = st.binary(max_size=70) | st.sampled_from([b"\r\n", b"\r\nget a\r\n", b"\r", b"\n"])


@st.composite
def valid_requests(draw: st.DrawFn) -> bytes:
    """The bytes of one request that is well-formed, or nearly."""
    verb = draw(st.sampled_from([b"get", b"gets", b"set", b"add", b"cas", b"ms", b"mg", b"delete", b"incr"]))
    key = draw(words)
    if verb not in {b"set", b"add", b"cas", b"ms"}:
        return b" ".join([verb, key, *draw(st.lists(words, max_size=3))]) + b"\r\n"
    value = draw(values)
    length = b"%d" % len(value)
    line = [verb, key, length] if verb == b"ms" else [verb, key, b"0", b"0", length]
    line += [b"5"] if verb == b"cas" else []
    line += draw(st.sampled_from([[], [b"noreply"]]))
    return b" ".join(line) + b"\r\n" + value + b"\r\n"


streams = st.lists(valid_requests(), max_size=6).map(b"".join)


@st.composite
def damaged_streams(draw: st.DrawFn) -> bytes:
    """Valid traffic with bytes changed, inserted, doubled or cut out."""
    stream = bytearray(draw(streams))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(stream)))
        until = draw(st.integers(at, min(at + 12, len(stream))))
        with_ = draw(st.sampled_from([b"", b"\r\n", b" ", b"\0", b"-1", b"9", b"\x80", b"set a 0 0 3\r\n"]) | words)
        stream[at:until] = with_
    return bytes(stream)


any_stream = st.one_of(streams, damaged_streams(), st.binary(max_size=200))


def read(codec: MemcachedCodec, pieces: list[bytes]) -> tuple[list[Request], bytes | None]:
    """All requests of the pieces, and the farewell if the stream broke."""
    requests = [request for piece in pieces for request in codec.feed(piece)]
    return requests, None if codec.broken is None else codec.broken.farewell


def whole(stream: bytes) -> tuple[list[Request], bytes | None]:
    return read(MemcachedCodec(LIMITS), [stream])


def bytewise(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


def test_it_is_a_codec() -> None:
    codec: Codec = MemcachedCodec()
    assert codec.broken is None


@pytest.mark.parametrize(("stream", "requests"), REQUESTS)
def test_requests_are_read(stream: bytes, requests: list[Request]) -> None:
    assert whole(stream) == (requests, None)


@pytest.mark.parametrize(("stream", "requests"), REQUESTS)
def test_requests_behind_others_are_read_the_same(stream: bytes, requests: list[Request]) -> None:
    codec = MemcachedCodec(LIMITS)
    assert codec.feed(b"mn\r\n") == [[b"mn"]]
    assert read(codec, [stream]) == (requests, None)
    assert read(codec, [b"mn\r\n" + stream]) == ([[b"mn"], *requests], None)
    assert codec.pending_bytes == 0


@pytest.mark.parametrize(("stream", "requests"), REQUESTS)
def test_requests_are_read_byte_by_byte(stream: bytes, requests: list[Request]) -> None:
    assert read(MemcachedCodec(LIMITS), bytewise(stream)) == (requests, None)


@pytest.mark.parametrize(("stream", "farewell"), BROKEN)
def test_a_stream_that_can_not_be_trusted_is_broken(stream: bytes, farewell: bytes) -> None:
    for pieces in ([stream], bytewise(stream)):
        codec = MemcachedCodec(LIMITS)
        assert read(codec, pieces) == ([], farewell)
        assert codec.feed(b"mn\r\n") == []
        assert codec.pending_bytes == 0


def test_what_comes_before_a_fault_is_read() -> None:
    codec = MemcachedCodec()
    assert codec.feed(b"mn\r\nget k\r\nPOST / HTTP/1.1\r\nmn\r\n") == [[b"mn"], [b"get", b"k"]]
    assert codec.broken is not None


def test_the_magic_of_the_binary_protocol_is_none_later_on() -> None:
    codec = MemcachedCodec()
    assert codec.feed(b"mn\r\n\x80x\r\n") == [[b"mn"], [b"\x80x"]]


@pytest.mark.parametrize("stream", WAITING)
def test_half_a_request_waits(stream: bytes) -> None:
    codec = MemcachedCodec()
    assert codec.feed(stream) == []
    assert codec.broken is None


def test_pending_bytes_are_what_has_arrived_not_what_was_announced() -> None:
    codec = MemcachedCodec()
    codec.feed(b"set k 0 0 1000000\r\n")
    assert codec.pending_bytes == 0
    codec.feed(b"x" * 1000)
    assert codec.pending_bytes == 1000
    codec.feed(b"x" * 999_000 + b"\r\nget")
    assert codec.pending_bytes == 3
    codec.feed(b" a\r\n")
    assert codec.pending_bytes == 0


def test_a_line_of_many_keys_has_a_limit_too() -> None:
    for pieces in ([b"get " + b"k" * KEYS_LINE_BYTES], [b"get ", *[b"k" * 1000] * (KEYS_LINE_BYTES // 1000 + 1)]):
        codec = MemcachedCodec()
        assert read(codec, pieces) == ([], b"CLIENT_ERROR line too long\r\n")


@given(stream=any_stream, cuts=st.lists(st.integers(0, 200), max_size=6))
@example(b"set k 0 0 3\r\nabc\r\n", [3, 14, 17])
def test_any_split_gives_the_same_requests(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:stop] for start, stop in pairwise(places)]
    expected = whole(stream)
    assert read(MemcachedCodec(LIMITS), pieces) == expected
    assert read(MemcachedCodec(LIMITS), bytewise(stream)) == expected


@given(stream=streams)
def test_every_place_to_split_two_pieces_gives_the_same_requests(stream: bytes) -> None:
    expected = whole(stream)
    for cut in range(len(stream)):
        assert read(MemcachedCodec(LIMITS), [stream[:cut], stream[cut:]]) == expected


@given(stream=any_stream)
def test_any_bytes_give_requests_of_bytes_or_a_broken_stream(stream: bytes) -> None:
    codec = MemcachedCodec(LIMITS)
    for request in codec.feed(stream):
        assert request
        assert all(type(word) is bytes for word in request)
    assert codec.pending_bytes <= len(stream)
    assert codec.broken is None or codec.feed(b"mn\r\n") == []


@given(stream=streams, rest=any_stream)
def test_what_follows_does_not_change_what_was_read(stream: bytes, rest: bytes) -> None:
    requests, farewell = whole(stream)
    assert farewell is None
    assert whole(stream + rest)[0][: len(requests)] == requests


def test_a_block_in_small_pieces_is_read_in_time_that_grows_with_its_size() -> None:
    codec = MemcachedCodec()
    codec.feed(b"set k 0 0 8000000\r\n")
    piece = b"x" * 1000
    started = time.perf_counter()
    for _ in range(8000):
        codec.feed(piece)
    assert codec.feed(b"\r\n")[0][-1] == b"x" * 8_000_000
    assert time.perf_counter() - started < 5


def test_a_line_in_tiny_pieces_is_read_in_time_that_grows_with_its_size() -> None:
    codec = MemcachedCodec()
    started = time.perf_counter()
    codec.feed(b"get ")
    for _ in range(200_000):
        codec.feed(b"k ")
    assert len(codec.feed(b"\r\n")[0]) == 200_001
    assert time.perf_counter() - started < 10


def test_a_block_that_is_too_large_is_not_kept() -> None:
    codec = MemcachedCodec(Limits(bulk_bytes=1000))
    tracemalloc.start()
    try:
        assert codec.feed(b"set k 0 0 10000000\r\n") == [[TOO_LARGE, b"set", b"k", b"0", b"0", b"10000000"]]
        for _ in range(100):
            assert codec.feed(b"x" * 100_000) == []
        assert codec.pending_bytes == 0
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert codec.feed(b"\r\nmn\r\n") == [[b"mn"]]


def test_replies_are_bytes_as_they_are_and_errors_of_the_server_as_memcached_names_them() -> None:
    codec = MemcachedCodec()
    assert codec.encode(b"STORED\r\n") == b"STORED\r\n"
    assert codec.encode(CommandError("no such thing")) == b"SERVER_ERROR no such thing\r\n"
    assert codec.encode(CommandError("disk full", "MISCONF")) == b"SERVER_ERROR MISCONF disk full\r\n"
