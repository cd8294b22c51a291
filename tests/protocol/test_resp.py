"""Requests of the Redis protocol: what they are, however they are split, and what breaks a stream."""

from __future__ import annotations

import time
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from spoold.protocol.codec import Codec, Limits, Request
from spoold.protocol.inline import split_arguments
from spoold.protocol.resp import RespCodec

REQUESTS: list[tuple[bytes, list[Request]]] = [
    (b"*1\r\n$4\r\nPING\r\n", [[b"PING"]]),
    (b"*2\r\n$4\r\nLPOP\r\n$1\r\nq\r\n", [[b"LPOP", b"q"]]),
    (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n", [[b"SET", b"k", b""]]),
    (b"*2\r\n$4\r\nECHO\r\n$6\r\na\r\n$1\r\r\n", [[b"ECHO", b"a\r\n$1\r"]]),
    (b"*2\r\n$4\r\nECHO\r\n$5\r\n\0\xff\n*1\r\n", [[b"ECHO", b"\0\xff\n*1"]]),
    (b"*1\r\n$0\r\n\r\n", [[b""]]),
    (b"*12\r\n" + b"$1\r\na\r\n" * 12, [[b"a"] * 12]),
    (b"*2\r\n$3\r\nGET\r\n$2000\r\n" + b"v" * 2000 + b"\r\n", [[b"GET", b"v" * 2000]]),
    (b"*1\r\n$4\r\nPING\r\n" * 3, [[b"PING"]] * 3),
    (b"*2\r\n$1\r\na\r\n$1\r\nb\r\n*1\r\n$1\r\nc\r\n", [[b"a", b"b"], [b"c"]]),
    # The two bytes behind a string are not looked at, nor is the one behind a CR.
    (b"*2\r\n$1\r\naXX$1\r\nbYY*1\r\n$1\r\nc\r\n", [[b"a", b"b"], [b"c"]]),
    (b"*1\rX$4\rYPING\r\n", [[b"PING"]]),
    # Announced to be nothing.
    (b"*0\r\n", []),
    (b"*-1\r\n", []),
    (b"*-17\r\n*0\r\n*1\r\n$1\r\na\r\n*0\r\n", [[b"a"]]),
    # Inline.
    (b"PING\r\n", [[b"PING"]]),
    (b"PING\n", [[b"PING"]]),
    (b"\r\n\n  \r\nPING\r\n\r\n", [[b"PING"]]),
    (b"  set \t k  v \r\n", [[b"set", b"k", b"v"]]),
    (b"get k\r\n*1\r\n$1\r\na\r\nget *1\r\n", [[b"get", b"k"], [b"a"], [b"get", b"*1"]]),
    (b'set k "a b"\r\n', [[b"set", b"k", b"a b"]]),
    (b"$3\r\n+OK\r\n:7\r\n", [[b"$3"], [b"+OK"], [b":7"]]),
    (b"a\rb\r\r\n", [[b"a", b"b"]]),
]

BROKEN: list[tuple[bytes, str]] = [
    (b"*x\r\n", "invalid multibulk length"),
    (b"*\r\n", "invalid multibulk length"),
    (b"*+1\r\n", "invalid multibulk length"),
    (b"*01\r\n", "invalid multibulk length"),
    (b"*-0\r\n", "invalid multibulk length"),
    (b"* 1\r\n", "invalid multibulk length"),
    (b"*1 \r\n", "invalid multibulk length"),
    (b"*1\n\r\n", "invalid multibulk length"),
    (b"*2147483648\r\n", "invalid multibulk length"),
    (b"*99999999999999999999\r\n", "invalid multibulk length"),
    (b"*1\r\n+OK\r\n", "expected '$', got '+'"),
    (b"*1\r\n:1\r\n", "expected '$', got ':'"),
    (b"*1\r\n*1\r\n$1\r\na\r\n", "expected '$', got '*'"),
    (b"*1\r\n\r\n", "expected '$', got ' '"),
    (b"*1\r\n\n\r\n", "expected '$', got ' '"),
    (b"*1\r\n\xff\r\n", "expected '$', got '\ufffd'"),
    (b"*2\r\n$1\r\na\r\nPING\r\n", "expected '$', got 'P'"),
    (b"*1\r\n$\r\n", "invalid bulk length"),
    (b"*1\r\n$-1\r\n", "invalid bulk length"),
    (b"*1\r\n$x\r\n", "invalid bulk length"),
    (b"*1\r\n$01\r\n", "invalid bulk length"),
    (b"*1\r\n$+1\r\n", "invalid bulk length"),
    (b"*1\r\n$1 \r\n", "invalid bulk length"),
    (b"*1\r\n$536870913\r\n", "invalid bulk length"),
    (b"*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
    (b'"\r\n', "unbalanced quotes in request"),
    (b"set k 'a\r\n", "unbalanced quotes in request"),
    (b'set k "a"b\r\n', "unbalanced quotes in request"),
    (b"x" * 65537, "too big inline request"),
    (b"x" * 65537 + b"\r\n", "too big inline request"),
    (b"*" + b"1" * 65536, "too big mbulk count string"),
    (b"*1\r\n$" + b"1" * 65536, "too big bulk count string"),
]

WAITING = [
    b"*", b"*1", b"*1\r", b"*1\r\n", b"*1\r\n$", b"*1\r\n$4\r\n", b"*1\r\n$4\r\nPIN", b"*1\r\n$4\r\nPING",
    b"*1\r\n$4\r\nPING\r", b"*1000000\r\n", b"*x", b"*x\r", b"*1\r\nX", b"*1\r\nX\r", b"PING", b'"', b"x" * 65536,
    b"*" + b"1" * 65535, b"*1\r\n$" + b"1" * 65535, b"*1\0\r\n", b"*1\r\n$1\0\r\n", b"*1\r\n\0\r\n", b"PING\0\r\n",
]  # fmt: skip

LINES = [
    (b"", []),
    (b" \t\v\f ", []),
    (b"a b\tc", [b"a", b"b", b"c"]),
    (b"\va\vb\f", [b"a\vb\f"]),
    (b'""', [b""]),
    (b"''", [b""]),
    (b'a"b c"', [b"ab c"]),
    (b"a'b c' d", [b"ab c", b"d"]),
    (b'"a" "b"', [b"a", b"b"]),
    (b'"a"\vb', [b"a", b"b"]),
    (b'"\\x41\\x4g\\n\\r\\t\\b\\a\\\\\\"\\q"', [b'Ax4g\n\r\t\b\a\\"q']),
    (b"'\\'\\n\\\\ '", [b"'\\n\\\\ "]),
    (b"'a\"b'", [b'a"b']),
    (b'"a\'b"', [b"a'b"]),
    (b"\\n\\", [b"\\n\\"]),
]

UNBALANCED = [b'"', b"'", b'"a', b"'a", b'"a"b', b"'a'b", b"'a''b'", b"\"a\"'b'", b'"a\\', b"'a\\", b"'a\\'", b'"a\\"']

small_args = st.binary(max_size=12)
args = st.one_of(
    small_args,
    st.sampled_from(
        [b"", b"\r\n", b"*1\r\n", b"$1\r\n", b"+$", b"~1\r\n", b"*123456", b":7\r\n", b"x" * 1023, b"x" * 1024]
    ),
    st.builds(bytes.__mul__, st.binary(min_size=1, max_size=3), st.integers(300, 3000)),
)
request_lists = st.lists(st.lists(args, min_size=1, max_size=12), max_size=12)


def wire(request: Request) -> bytes:
    """Write one request as clients do."""
    return b"*%d\r\n" % len(request) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in request)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut `data`; a cut beyond its end counts from the start again."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:stop] for start, stop in pairwise(places)]


def feed_all(codec: Codec, chunks: list[bytes]) -> list[Request]:
    """Feed chunk by chunk; returns every request."""
    return [request for chunk in chunks for request in codec.feed(chunk)]


def bytewise(data: bytes) -> list[bytes]:
    """Cut between all bytes."""
    return [data[at : at + 1] for at in range(len(data))]


def strict(limits: Limits | None = None) -> RespCodec:
    """A codec that never takes the quick ways."""
    codec = RespCodec(limits)
    codec._quick_bytes = 0
    codec._settle()
    return codec


def outcome(codec: RespCodec, chunks: list[bytes]) -> tuple[list[Request], str | None, int]:
    """Everything that can be seen of a codec that was fed: requests, error, bytes kept."""
    requests = feed_all(codec, chunks)
    return requests, None if codec.broken is None else str(codec.broken), codec.pending_bytes


@pytest.mark.parametrize(("data", "requests"), REQUESTS)
def test_requests_are_read_in_one_piece(data: bytes, requests: list[Request]) -> None:
    assert outcome(RespCodec(), [data]) == (requests, None, 0)


@pytest.mark.parametrize(("data", "requests"), REQUESTS)
def test_requests_are_read_byte_by_byte(data: bytes, requests: list[Request]) -> None:
    assert outcome(RespCodec(), bytewise(data)) == (requests, None, 0)


@pytest.mark.parametrize(("data", "requests"), REQUESTS)
def test_what_follows_a_request_waits_for_its_end(data: bytes, requests: list[Request]) -> None:
    codec = RespCodec()
    tail = b"*2\r\n$4\r\nECHO\r\n$5\r\nhe"
    assert codec.feed(data + tail) == requests
    assert codec.pending_bytes == len(tail)
    assert codec.feed(b"llo\r\n" + data) == [[b"ECHO", b"hello"], *requests]
    assert codec.pending_bytes == 0


@pytest.mark.parametrize("split", [lambda data: [data], bytewise], ids=["whole", "bytewise"])
@pytest.mark.parametrize(("data", "error"), BROKEN)
def test_a_broken_stream_has_the_error_of_redis(data: bytes, error: str, split) -> None:  # type: ignore[no-untyped-def]
    good = wire([b"ECHO", b"first"]) * 2
    codec = RespCodec()
    assert feed_all(codec, split(good + data)) == [[b"ECHO", b"first"]] * 2
    assert str(codec.broken) == f"ERR Protocol error: {error}"
    assert codec.feed(wire([b"PING"])) == []
    assert codec.pending_bytes == 0


@pytest.mark.parametrize("data", WAITING)
def test_what_is_not_complete_waits(data: bytes) -> None:
    for chunks in ([data], bytewise(data)):
        assert outcome(RespCodec(), chunks) == ([], None, len(data))


@pytest.mark.parametrize("data", [b"*1\0\r\n", b"*1\r\n$1\0\r\n", b"*1\r\n\0\r\n", b"PING\0\r\n"])
def test_a_line_hidden_by_a_nul_breaks_at_the_limit(data: bytes) -> None:
    codec = RespCodec()
    assert feed_all(codec, [data, *[b"x" * 1000] * 66]) == []
    assert str(codec.broken).startswith("ERR Protocol error: too big")


@given(requests=request_lists, cuts=st.lists(st.integers(0, 100_000), max_size=8))
@example(requests=[[b"", b"", b"abc"]], cuts=[10])
def test_any_split_gives_the_same_requests(requests: list[Request], cuts: list[int]) -> None:
    data = b"".join(map(wire, requests))
    assert outcome(RespCodec(), pieces(data, cuts)) == (requests, None, 0)


@given(
    parts=st.lists(st.sampled_from([data for data, _ in REQUESTS] + [data for data, _ in BROKEN[:26]]), max_size=6),
    cuts=st.lists(st.integers(0, 100_000), max_size=8),
)
def test_any_split_of_good_and_bad_gives_the_same(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    assert outcome(RespCodec(), pieces(data, cuts)) == outcome(strict(), [data])


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=4))
def test_random_bytes_give_requests_or_break(data: bytes, cuts: list[int]) -> None:
    requests, broken, pending = outcome(RespCodec(), pieces(data, cuts))
    assert all(request and all(type(arg) is bytes for arg in request) for request in requests)
    assert broken is None or broken.startswith("ERR Protocol error: ")
    assert pending <= len(data)


tokens = st.lists(
    st.one_of(
        st.sampled_from([
            b"*1\r\n", b"*2\r\n", b"*0\r\n", b"*-1\r\n", b"$1\r\n", b"$0\r\n", b"$-1\r\n", b"a", b"a\r\n", b"\r\n",
            b"+a\r\n", b"+$\r\n", b":1\r\n", b"-E\r\n", b"~1\r\n", b">1\r\n", b"|1\r\n", b"%1\r\n", b"_\r\n", b"#t\r\n",
            b",1.5\r\n", b"(12\r\n", b"=5\r\ntxt:a\r\n", b"PING\r\n", b"*1\r\n$1\r\na\r\n", b"\0", b'"',
            b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n", b"*99999\r\n",
        ]),
        st.binary(max_size=3),
    ),
    max_size=12,
).map(b"".join)  # fmt: skip


@given(data=tokens, cuts=st.lists(st.integers(0, 200), max_size=3))
def test_the_quick_ways_agree_with_the_strict_parser(data: bytes, cuts: list[int]) -> None:
    # The one thing that hiredis lets through: a string in another form, with a `$` elsewhere to make up for it.
    assume(not any(mark in data for mark in (b"+$", b"+a", b"(12", b"=5")) or b"$" not in data.replace(b"\n$", b""))
    assert outcome(RespCodec(), pieces(data, cuts)) == outcome(strict(), [data])


@given(
    requests=st.lists(st.lists(small_args, min_size=1, max_size=4), min_size=1, max_size=20),
    changes=st.lists(st.tuples(st.integers(0, 5000), st.sampled_from(b"*$+:-~>|%_#,(=\r\n\0 0123456789")), max_size=4),
    cuts=st.lists(st.integers(0, 5000), max_size=3),
)
@example(requests=[[b"a"], [b"b"]], changes=[(11, ord("~"))], cuts=[])
@example(requests=[[b"a"], [b"b"]], changes=[(15, ord("+"))], cuts=[])
def test_changed_traffic_is_read_alike_in_every_way(
    requests: list[Request], changes: list[tuple[int, int]], cuts: list[int]
) -> None:
    data = bytearray(b"".join(map(wire, requests)))
    assume(b"$" not in b"".join(arg for request in requests for arg in request))
    for place, code in changes:
        data[place % len(data)] = code
    assert outcome(RespCodec(), pieces(bytes(data), cuts)) == outcome(strict(), [bytes(data)])


@pytest.mark.parametrize(
    "data",
    [
        b"*1\r\n$1\r\na\r\n~1\r\n$1\r\nb\r\n",
        b"*1\r\n$1\r\na\r\n|1\r\n$1\r\nb\r\n$1\r\nc\r\n*1\r\n$1\r\nd\r\n",
        b"*1\r\n$1\r\na\r\n%1\r\n$1\r\n*\r\n$1\r\nc\r\n",
        b"*1\r\n$1\r\n*\r\n>1\r\n$1\r\nb\r\n",
        b"*1\r\n$1\r\n$\r\n+b\r\n",
        b"*2\r\n$1\r\na\r\n*0\r\n",
        b"*1\r\n_\r\n",
        b"*2\r\n$1\r\na\r\n#t\r\n",
        b"*2\r\n$1\r\na\r\n-ERR\r\n",
        b"*2\r\n$1\r\na\r\n$-1\r\n",
        b"*1\r\n$1\r\na\r\n:7\r\n",
    ],
)
def test_what_only_replies_may_hold_is_never_taken_for_a_request(data: bytes) -> None:
    padding = wire([b"ECHO", b"x" * 300]) * 2
    for before in (b"", padding):
        for after in (b"", padding):
            assert outcome(RespCodec(), [before + data + after]) == outcome(strict(), [before + data + after])


@pytest.mark.parametrize(
    "head",
    [b"*1000000\r\n", b"*9999\r\n*9999\r\n*9999\r\n", b"*1\r\n~2000000000\r\n", b"*2\r\n$1\r\na\r\n>2000000000\r\n"],
)
def test_an_announced_length_takes_no_memory(head: bytes) -> None:
    codec = RespCodec()
    tracemalloc.start()
    codec.feed(wire([b"PING"]) * 2 + head)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_half_open_string_holds_only_what_has_arrived() -> None:
    codec = RespCodec()
    tracemalloc.start()
    codec.feed(b"*2\r\n$4\r\nECHO\r\n$67108864\r\n" + b"x" * 1000)
    for _ in range(100):
        codec.feed(b"x" * 1000)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 200_000
    assert codec.pending_bytes == 101_000 + len(b"*2\r\n$4\r\nECHO\r\n$67108864\r\n")


@pytest.mark.parametrize("size", [1, 2, 3, 1000, 65536])
def test_a_big_value_arrives_in_pieces(size: int) -> None:
    value = bytes(range(256)) * (64 if size < 10 else 16384)
    data = wire([b"SET", b"k", value]) + wire([b"PING"])
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    assert outcome(RespCodec(), chunks) == ([[b"SET", b"k", value], [b"PING"]], None, 0)


def test_a_big_value_costs_time_in_proportion_to_its_size() -> None:
    codec = RespCodec()
    value = b"x" * (48 << 20)
    data = wire([b"SET", b"k", value])
    started_s = time.perf_counter()
    requests = feed_all(codec, [data[at : at + 4096] for at in range(0, len(data), 4096)])
    # Copying what has come at each of the 12,000 chunks would take minutes.
    assert time.perf_counter() - started_s < 5
    assert requests == [[b"SET", b"k", value]]


def test_a_long_pipeline_in_chunks_of_any_size_is_complete() -> None:
    requests = [[b"RPUSH", b"q", b"%d" % number * (number % 30)] for number in range(5000)]
    data = b"".join(map(wire, requests))
    for size in (100, 1460, 65536, 1 << 20):
        chunks = [data[at : at + size] for at in range(0, len(data), size)]
        assert outcome(RespCodec(), chunks) == (requests, None, 0)


LIMITS = Limits(bulk_bytes=100, args=5, request_bytes=250, inline_bytes=80)


@pytest.mark.parametrize("make", [RespCodec, strict])
@pytest.mark.parametrize(
    ("within", "beyond", "error"),
    [
        (wire([b"x" * 100]), wire([b"x" * 101]), "invalid bulk length"),
        (wire([b"x"] * 5), wire([b"x"] * 6), "invalid multibulk length"),
        (wire([b"x" * 100, b"x" * 100, b"x" * 50]), wire([b"x" * 100, b"x" * 100, b"x" * 51]), "too big request"),
        (b"x" * 80 + b"\n", b"x" * 81 + b"\n", "too big inline request"),
        (b"x" * 79 + b"\r\n", b"x" * 80 + b"\r\n", "too big inline request"),
    ],
)
def test_each_limit_is_the_last_size_that_is_taken(make, within: bytes, beyond: bytes, error: str) -> None:  # type: ignore[no-untyped-def]
    for chunks in ([within * 3], bytewise(within * 3)):
        codec = make(LIMITS)
        assert len(feed_all(codec, chunks)) == 3
        assert codec.broken is None
    for chunks in ([within + beyond], bytewise(within + beyond)):
        codec = make(LIMITS)
        assert len(feed_all(codec, chunks)) == 1
        assert str(codec.broken) == f"ERR Protocol error: {error}"


def test_a_length_beyond_the_limit_is_refused_before_its_bytes_arrive() -> None:
    codec = RespCodec()
    codec.feed(b"*1\r\n$67108864\r\n")
    assert codec.broken is None
    codec = RespCodec()
    codec.feed(b"*1\r\n$67108865\r\n")
    assert codec.broken is not None
    codec = RespCodec()
    codec.feed(b"*1048577\r\n")
    assert codec.broken is not None


@pytest.mark.parametrize(
    ("within", "beyond", "error"),
    [
        (wire([b"x"] * 10), wire([b"x"] * 11), "unauthenticated multibulk length"),
        (wire([b"x" * 16384]), wire([b"x" * 16385]), "unauthenticated bulk length"),
        (wire([b"a", b"x" * 16384]), wire([b"a", b"x" * 16385]), "unauthenticated bulk length"),
    ],
)
def test_an_untrusted_client_sends_only_short_requests(within: bytes, beyond: bytes, error: str) -> None:
    codec = RespCodec()
    codec.trusted = False
    assert len(codec.feed(within)) == 1
    assert codec.feed(beyond) == []
    assert str(codec.broken) == f"ERR Protocol error: {error}"
    codec = RespCodec()
    assert len(codec.feed(beyond)) == 1


@pytest.mark.parametrize("long", [[b"x"] * 11, [b"a", b"x" * 16385]])
@pytest.mark.parametrize("size", [20, 1 << 20])
def test_a_login_and_a_long_request_may_come_together(long: Request, size: int) -> None:
    login = [b"AUTH", b"secret"]
    data = wire(login) + wire(long) + wire([b"PING"])
    codec = RespCodec()
    codec.trusted = False
    requests = []
    for at in range(0, len(data), size):
        for request in codec.feed(data[at : at + size]):
            requests.append(request)
            codec.trusted = True
        if codec.undecided:
            requests += codec.feed(b"")
    assert requests == [login, long, [b"PING"]]
    assert codec.pending_bytes == 0


def test_a_long_request_after_a_failed_login_is_refused() -> None:
    codec = RespCodec()
    codec.trusted = False
    assert codec.feed(wire([b"AUTH", b"wrong"]) + wire([b"x"] * 11)) == [[b"AUTH", b"wrong"]]
    assert codec.undecided
    assert codec.broken is None
    assert codec.feed(b"") == []
    assert not codec.undecided
    assert str(codec.broken) == "ERR Protocol error: unauthenticated multibulk length"


@pytest.mark.parametrize(("line", "arguments"), LINES)
def test_a_line_is_split_into_arguments(line: bytes, arguments: list[bytes]) -> None:
    assert split_arguments(line) == arguments


@pytest.mark.parametrize("line", UNBALANCED)
def test_quotes_must_be_balanced(line: bytes) -> None:
    codec = RespCodec()
    assert codec.feed(line + b"\r\n") == []
    assert str(codec.broken) == "ERR Protocol error: unbalanced quotes in request"


@given(arguments=st.lists(st.binary(max_size=10), min_size=1, max_size=5))
def test_quoted_arguments_come_back(arguments: list[bytes]) -> None:
    line = b" ".join(b'"' + b"".join(b"\\x%02x" % code for code in argument) + b'"' for argument in arguments)
    assert RespCodec().feed(line + b"\r\n") == [arguments]
