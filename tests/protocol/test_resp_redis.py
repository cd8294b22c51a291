"""The Redis codec side by side with a real Redis, byte for byte.

Both sides get the same bytes and then the end of the stream. ECHO shows which arguments were read, any other request
shows as one error, and a protocol error ends the conversation.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import missing_peer

from spoold.core.errors import CommandError
from spoold.protocol.resp import RespCodec
from spoold.testing.process import LOOPBACK, RealRedis, redis_server_path

pytestmark = pytest.mark.needs_redis

FIRST = b"*2\r\n$4\r\nECHO\r\n$5\r\nfirst\r\n"
LAST = b"*2\r\n$4\r\nECHO\r\n$4\r\nlast\r\n"
NO_COMMAND = "some error"

# Each of these is framed by FIRST and LAST: LAST shows where Redis sees the next request.
FRAGMENTS = [
    b"",
    b"*0\r\n",
    b"*-1\r\n",
    b"*-100\r\n",
    b"*\r\n",
    b"*x\r\n",
    b"*1x\r\n",
    b"*+1\r\n",
    b"*01\r\n",
    b"*-0\r\n",
    b"* 1\r\n",
    b"*1 \r\n",
    b"*1\n\r\n",
    b"*1\n$4\nNOPE\n",
    b"*2147483647\r\n",
    b"*2147483648\r\n",
    b"*9223372036854775807\r\n",
    b"*9223372036854775808\r\n",
    b"*-9223372036854775808\r\n",
    b"*-9223372036854775809\r\n",
    b"*1\0\r\n",
    b"*\0",
    b"*1\r\n+OK\r\n",
    b"*1\r\n:1\r\n",
    b"*1\r\n*1\r\n",
    b"*1\r\n\r\n",
    b"*1\r\n\n\r\n",
    b"*1\r\n\r\r\n",
    b"*1\r\n\0\r\n",
    b"*1\r\n'\r\n",
    b"*1\r\n\\\r\n",
    b"*1\r\n%s\r\n",
    b"*1\r\n\xff\r\n",
    b"*1\r\nX\0\r\n",
    b"*2\r\n$4\r\nECHO\r\nhello\r\n",
    b"*1\r\n$\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$x\r\n",
    b"*1\r\n$01\r\n",
    b"*1\r\n$+1\r\n",
    b"*1\r\n$1 \r\n",
    b"*1\r\n$ 1\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$9223372036854775808\r\n",
    b"*1\r\n$1\0\r\n",
    b"*1\r\n$0\r\n\r\n",
    b"*2\r\n$4\r\nECHOXX$1\r\naYY",
    b"*2\r\n$4\r\nECHO\r\n$1\r\nab\r\n",
    b"*2\rX$4\rYECHO\r\n$1\r\na\r\n",
    b"*2\r\n$4\r\nECHO\r\n$6\r\na\r\n$1\r\r\n",
    b"*2\r\n$4\r\nECHO\r\n$10000\r\n" + b"x" * 10000 + b"\r\n",
    b"*2\r\n~1\r\n$4\r\nECHO\r\n$1\r\na\r\n",
    b"~1\r\n$4\r\nNOPE\r\n",
    b"$4\r\nNOPE\r\n",
    b"+OK\r\n",
    b":1\r\n",
    b"\r\n",
    b"\n",
    b"\n\n\r\n \r\n",
    b" \t\v\f\r\n",
    b"ECHO a\r\n",
    b"ECHO a\n",
    b"  ECHO \t a  \r\n",
    b"ECHO a\r\r\n",
    b"ECHO \r\n",
    b'ECHO "a b"\r\n',
    b"ECHO 'a b'\r\n",
    b'ECHO ""\r\n',
    b"ECHO ''\r\n",
    b'ECHO a"b c"\r\n',
    b"ECHO a'b'\r\n",
    b'ECHO "a"b\r\n',
    b"ECHO 'a'b\r\n",
    b'ECHO "a\r\n',
    b"ECHO 'a\r\n",
    b'ECHO "a\\\r\n',
    b"ECHO 'a\\\r\n",
    b'"\r\n',
    b'ECHO "\\x41\\x4g\\xA\\n\\r\\t\\b\\a\\\\\\"\\q"\r\n',
    b"ECHO '\\'\\n\\\\ '\r\n",
    b"ECHO '\\\\'\r\n",
    b"ECHO a\vb\r\n",
    b'ECHO "a"\vx\r\n',
    b"ECHO\va\r\n",
    b"ECHO \va\r\n",
    b"ECHO a\rb\r\n",
    b"ECHO \\x41\r\n",
    b"ECHO a\0b\r\n",
    b"\0\r\n",
    b'ECHO "a\xff\x80"\r\n',
    b"\xff\xfe\r\n",
    b"echo *1\r\n",
    b" *1\r\n",
]

# Alone, because what follows is part of the line; none is longer than what breaks the stream.
LONG_LINES = [
    b"x" * 65536, b"x" * 65537, b"ECHO " + b"x" * 65531 + b"\n", b"*" + b"1" * 65535, b"*" + b"1" * 65536,
    b"*1\r\n$" + b"1" * 65535, b"*1\r\n$" + b"1" * 65536, b"*1\r\n" + b"x" * 65537, b"*1\0\r\n" + b"1" * 65532,
    b"*1\0\r\n" + b"1" * 65533, b"PING\0\r\n" + b"1" * 65530, b"PING\0\r\n" + b"1" * 65531,
]  # fmt: skip

UNTRUSTED = [
    b"*10\r\n" + b"$1\r\nx\r\n" * 10,
    b"*11\r\n",
    b"*2147483648\r\n",
    b"*2\r\n$4\r\nECHO\r\n$16384\r\n" + b"x" * 16384 + b"\r\n",
    b"*2\r\n$4\r\nECHO\r\n$16385\r\n",
    b"*2\r\n$4\r\nECHO\r\n$536870913\r\n",
    b"ECHO 1 2 3 4 5 6 7 8 9 10 11 12\r\n",
    b"*-1\r\n",
    FIRST + b"*11\r\n",
]

LOGIN = b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n"

changes = st.lists(
    st.tuples(st.integers(0, 10_000), st.one_of(st.sampled_from(b"*$+:-\r\n\0 '\"\\0123456789"), st.integers(0, 255))),
    max_size=5,
)
echoes = st.lists(
    st.one_of(st.binary(max_size=20), st.sampled_from([b"", b"\r\n", b"*1\r\n$4\r\nNOPE\r\n"])), max_size=8
)


def converse(port: int, data: bytes) -> list[object]:
    """Send bytes and the end of the stream to a server; returns its replies, errors as text."""
    with socket.create_connection((LOOPBACK, port), timeout=10) as connection:
        received = bytearray()
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                received += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
    reader = hiredis.Reader(notEnoughData=...)
    reader.feed(bytes(received))
    replies: list[object] = []
    while (reply := reader.gets()) is not ...:
        text = str(reply)
        replies.append(
            text if text.startswith("ERR Protocol") else NO_COMMAND if isinstance(reply, hiredis.ReplyError) else reply
        )
    assert not reader.has_data()
    return replies


def expected(codec: RespCodec, data: bytes, trusted: bool = True) -> list[object]:
    """What a server with our codec replies."""
    codec.trusted = trusted
    replies: list[object] = []
    requests = codec.feed(data)
    while True:
        for request in requests:
            login = request == [b"AUTH", b"secret"]
            codec.trusted = codec.trusted or login
            if codec.trusted and len(request) == 2 and request[0].upper() == b"ECHO":
                replies.append(request[1])
            else:
                replies.append(b"OK" if login and not trusted else NO_COMMAND)
        if not codec.undecided:
            break
        requests = codec.feed(b"")
    if codec.broken is not None:
        replies.append(str(CommandError(codec.broken.message[4:])))
    return replies


@pytest.fixture(scope="module")
def locked_redis() -> Iterator[RealRedis]:
    """A Redis with a password."""
    if redis_server_path() is None:
        missing_peer("redis-server", "apt-get install redis-server")
    with RealRedis({"requirepass": "secret"}) as server:
        yield server


@pytest.mark.parametrize("after", [LAST, b""], ids=["followed", "alone"])
@pytest.mark.parametrize("before", [FIRST * 2, b""], ids=["after others", "first"])
@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_a_fragment_is_read_as_redis_reads_it(
    redis_server: RealRedis, fragment: bytes, before: bytes, after: bytes
) -> None:
    data = before + fragment + after
    # 2**31 - 1 arguments are within Redis's limit and beyond ours.
    if b"*2147483647" in data:
        assert converse(redis_server.port, data)[-1:] != expected(RespCodec(), data)[-1:]
        return
    assert expected(RespCodec(), data) == converse(redis_server.port, data)


@pytest.mark.parametrize("data", LONG_LINES, ids=lambda data: f"{data[:9]!r} {len(data)}")
def test_a_long_line_is_refused_where_redis_refuses_it(redis_server: RealRedis, data: bytes) -> None:
    assert expected(RespCodec(), data) == converse(redis_server.port, data)


@pytest.mark.parametrize("login", [LOGIN, b""], ids=["with login", "without"])
@pytest.mark.parametrize("data", UNTRUSTED)
def test_a_client_without_login_is_held_as_short_as_in_redis(
    locked_redis: RealRedis, data: bytes, login: bytes
) -> None:
    assert expected(RespCodec(), login + data, trusted=False) == converse(locked_redis.port, login + data)


@given(values=echoes, changes=changes)
def test_changed_traffic_is_read_as_redis_reads_it(
    redis_server: RealRedis, values: list[bytes], changes: list[tuple[int, int]]
) -> None:
    data = bytearray(FIRST + b"".join(b"*2\r\n$4\r\nECHO\r\n$%d\r\n%b\r\n" % (len(value), value) for value in values))
    for place, code in changes:
        data[place % len(data)] = code
    assert expected(RespCodec(), bytes(data)) == converse(redis_server.port, bytes(data))


@given(line=st.lists(st.sampled_from(b"ab \t\v\r'\"\\xn4\0\xff"), max_size=14).map(bytes))
def test_lines_are_split_as_redis_splits_them(redis_server: RealRedis, line: bytes) -> None:
    data = b"ECHO " + line + b"\r\nECHO next\r\n"
    assert expected(RespCodec(), data) == converse(redis_server.port, data)
