"""Clients that send nonsense, too much or half of it, or never listen: each gets an error or a closed connection.

Behind every test a bystander, connected all the time, must be served at once, the server must not have grown much, and
its log must not hold a traceback.
"""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import pytest
from tests.conformance.wire import Link, encode

from spoold.testing.process import LOOPBACK, ServerProcess

MIB = 1024 * 1024
# What a client may make the server hold for it: its output, its queue, a request under way, and what malloc keeps.
GROWTH_BYTES = 48 * MIB


def anonymous_bytes(pid: int) -> int:
    """Memory of a process that no file stands behind."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no RssAnon")


_numbers = count()


class Bystander:
    """A client like any other, who must not notice anything."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.link = Link(server.port)
        self.key = b"bystander:%d" % next(_numbers)
        self.count = 0
        self.is_served()
        self.memory_before = anonymous_bytes(server.pid)

    def is_served(self) -> None:
        """It gets its answers, and soon."""
        started_s = time.monotonic()
        self.count += 1
        assert self.link.call(b"INCR", self.key).value == b"%d" % self.count
        assert self.link.call(b"PING").value == b"PONG"
        assert time.monotonic() - started_s < 5.0

    def grown_bytes(self) -> int:
        """How much the server grew."""
        return anonymous_bytes(self.server.pid) - self.memory_before


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    options = ("--max-request", "4mb", "--max-value", "2mb", "--max-args", "1000")
    with ServerProcess(tmp_path_factory.mktemp("hostile") / "data", options) as server:
        yield server


@pytest.fixture
def bystander(server: ServerProcess) -> Iterator[Bystander]:
    found = Bystander(server)
    with closing(found.link):
        yield found
        found.is_served()
        assert found.grown_bytes() < GROWTH_BYTES
    assert "Traceback" not in server.stderr_text()


@pytest.fixture
def link(server: ServerProcess, bystander: Bystander) -> Iterator[Link]:
    with closing(Link(server.port)) as link:
        yield link


def push_bytes(link: Link, data: bytes, limit: int, patience_s: float = 0.3) -> int:
    """Send `data` over and over without reading, until `limit` bytes are gone or the server takes no more.

    returns: the bytes that were taken.
    """
    link.socket.setblocking(False)
    sent = 0
    view = memoryview(data)
    while sent < limit:
        if not select.select([], [link.socket], [], patience_s)[1]:
            break
        try:
            sent += link.socket.send(view[sent % len(data) :])
        except OSError:
            break
    return sent


# -- nonsense -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"*1\r\n$-5\r\n", b"invalid bulk length"),
        (b"*2\r\n$3\r\nGET\r\n$2097153\r\n", b"invalid bulk length"),
        (b"*2\r\n$3\r\nGET\r\n$99999999999999999999\r\n", b"invalid bulk length"),
        (b"*2\r\n$3\r\nGET\r\n$9223372036854775807\r\n", b"invalid bulk length"),
        (b"*1\r\n$1e3\r\n", b"invalid bulk length"),
        (b"*1001\r\n", b"invalid multibulk length"),
        (b"*2147483648\r\n", b"invalid multibulk length"),
        (b"*99999999999999999999\r\n", b"invalid multibulk length"),
        (b"*x\r\n", b"invalid multibulk length"),
        (b"*1\r\n:5\r\n", b"expected '$', got ':'"),
        (b"*1\r\n+PING\r\n", b"expected '$', got '+'"),
        (b"*1\r\n*1\r\n$4\r\nPING\r\n", b"expected '$', got '*'"),
        (b"*1\r\n%1\r\n", b"expected '$', got '%'"),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$-1\r\n", b"invalid bulk length"),
        (b'SET k "unbalanced\r\n', b"unbalanced quotes in request"),
        (b"x" * 70_000, b"too big inline request"),
        (b"*" + b"1" * 70_000, b"too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 70_000, b"too big bulk count string"),
        (b"*4\r\n$3\r\nSET\r\n" + b"$2000000\r\n%b\r\n" % bytes(2_000_000) * 3, b"too big request"),
    ],
)
def test_a_stream_that_can_not_be_trusted_gets_an_error_and_is_closed(link: Link, data: bytes, error: bytes) -> None:
    link.send_raw(data)
    answer, closed = link.rest()
    assert closed
    assert answer == b"-ERR Protocol error: " + error + b"\r\n"


def test_what_stands_before_the_nonsense_is_answered(link: Link) -> None:
    link.send_raw(encode(b"RPUSH", b"before", b"x") * 3 + b"*1\r\n:5\r\n" + encode(b"RPUSH", b"before", b"never"))
    answer, closed = link.rest()
    assert closed
    assert answer == b":1\r\n:2\r\n:3\r\n-ERR Protocol error: expected '$', got ':'\r\n"


@pytest.mark.parametrize("data", [b"*0\r\n", b"*-1\r\n", b"*-99\r\n", b"\r\n", b"   \r\n", b"\n"])
def test_an_empty_request_is_no_request(link: Link, data: bytes) -> None:
    link.send_raw(data * 100)
    assert link.call(b"PING").value == b"PONG"


def test_nul_bytes_are_bytes_like_any_other_in_names_and_values(link: Link) -> None:
    name, value = b"\0na\0me\0", b"\0" * 1000
    assert link.call(b"SET", name, value).value == b"OK"
    assert link.call(b"GET", name).value == value
    assert link.call(b"\0\0", b"\0").kind == b"-"
    assert link.call(b"DEL", name).value == b"1"


def test_nul_bytes_in_place_of_requests_do_no_harm(link: Link) -> None:
    link.send_raw(bytes(100_000))
    answer, closed = link.rest()
    assert closed
    assert answer.startswith(b"-ERR")


def test_every_byte_value_in_place_of_a_request_is_answered_or_closed(server: ServerProcess, link: Link) -> None:
    for first in range(256):
        with closing(Link(server.port)) as other:
            other.send_raw(bytes((first,)) * 3 + b"\r\n")
            other.socket.shutdown(socket.SHUT_WR)
            answer, closed = other.rest()
            assert closed
            assert answer == b"" or answer.startswith(b"-ERR")


# -- halves ---------------------------------------------------------------------------------------------------------


def test_halves_that_are_left_open_wait_for_their_other_half(server: ServerProcess, bystander: Bystander) -> None:
    whole = encode(b"SET", b"half", b"value")
    with ExitStack() as stack:
        links = [stack.enter_context(closing(Link(server.port))) for _ in range(len(whole) * 2)]
        for cut, link in enumerate(links):
            link.send_raw(whole[: cut % len(whole)])
        bystander.is_served()
        for cut, link in enumerate(links):
            link.send_raw(whole[cut % len(whole) :])
            assert link.reply().value == b"OK"


def test_large_halves_cost_what_was_sent(server: ServerProcess, bystander: Bystander) -> None:
    """A header that promises much reserves nothing."""
    with ExitStack() as stack:
        for _ in range(100):
            link = stack.enter_context(closing(Link(server.port)))
            link.send_raw(b"*1000\r\n$3\r\nDEL\r\n$2000000\r\nonly a little")
        bystander.is_served()
        assert bystander.grown_bytes() < 16 * MIB


def test_a_request_that_comes_byte_by_byte_is_understood(link: Link) -> None:
    link.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in encode(b"ECHO", b"slowly\r\n$5"):
        link.send_raw(bytes((byte,)))
    assert link.reply().value == b"slowly\r\n$5"


# -- gone -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rudely", [False, True])
def test_a_client_that_leaves_in_the_middle_of_a_pipeline_had_whole_requests_run(
    server: ServerProcess, bystander: Bystander, rudely: bool
) -> None:
    name = b"pipeline:%d" % rudely
    for _ in range(10):
        link = Link(server.port)
        link.send_raw(b"".join(encode(b"RPUSH", name, b"%d" % number) for number in range(500)) + b"*3\r\n$5\r\nRPU")
        if rudely:  # a reset, in place of an end
            link.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        link.close()
        bystander.is_served()
    found = bystander.link.call(b"LRANGE", name, b"0", b"-1").value
    assert isinstance(found, tuple)
    numbers = [int(node.value) for node in found if isinstance(node.value, bytes)]
    # Each pipeline ran from its beginning up to some place, in order.
    for before, number in zip([0, *numbers], numbers, strict=False):
        assert number in (before + 1, 0)
    assert bystander.link.call(b"DEL", name).value == (b"1" if numbers else b"0")


def test_clients_that_leave_while_they_wait_are_forgotten(server: ServerProcess, bystander: Bystander) -> None:
    links = [Link(server.port) for _ in range(50)]
    for link in links:
        link.send(b"BLPOP", b"waited for", b"0")
    bystander.is_served()
    for link in links:
        link.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        link.close()
    with closing(Link(server.port)) as last:
        assert last.call(b"PING").value == b"PONG"  # one pass of the loop further
        assert last.call(b"RPUSH", b"waited for", b"x").value == b"1"
        assert last.call(b"LLEN", b"waited for").value == b"1", "no one who left took it"
        assert last.call(b"DEL", b"waited for").value == b"1"


def test_a_client_that_only_shuts_down_its_side_is_let_go(link: Link) -> None:
    link.send_raw(encode(b"PING"))
    link.socket.shutdown(socket.SHUT_WR)
    answer, closed = link.rest()
    assert closed
    assert answer in (b"", b"+PONG\r\n")


# -- too much -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 400, 4096, MIB])
def test_a_client_that_never_reads_its_replies_is_held_back(
    server: ServerProcess, bystander: Bystander, size: int
) -> None:
    """It is not read from any more, so that what it asked for does not gather; and it loses nothing by that."""
    assert bystander.link.call(b"SET", b"large", bytes(size)).value == b"OK"
    reply = b"$%d\r\n%b\r\n" % (size, bytes(size))
    with closing(Link(server.port)) as link:
        taken = push_bytes(link, b"GET large\r\n" * 60_000, 64 * MIB)
        assert taken < 64 * MIB, "the server stopped reading"
        bystander.is_served()
        assert bystander.grown_bytes() < GROWTH_BYTES
        link.socket.setblocking(True)
        wanted = 20 * len(reply)
        link.socket.settimeout(10)
        got = b""
        while len(got) < wanted:
            got += link.socket.recv(MIB)
        assert got.startswith(reply * 20)
    bystander.is_served()


def test_many_clients_that_never_read_are_held_back_each(server: ServerProcess, bystander: Bystander) -> None:
    assert bystander.link.call(b"SET", b"large", bytes(100_000)).value == b"OK"
    with ExitStack() as stack:
        for _ in range(10):
            link = stack.enter_context(closing(Link(server.port)))
            push_bytes(link, b"GET large\r\n" * 1000, 100_000)
        bystander.is_served()
        assert bystander.grown_bytes() < GROWTH_BYTES


def test_what_a_waiting_client_sends_does_not_gather_without_bound(server: ServerProcess, bystander: Bystander) -> None:
    with closing(Link(server.port)) as link:
        link.send(b"BLPOP", b"nothing", b"0")
        taken = push_bytes(link, encode(b"SET", b"k", bytes(MIB)), 200 * MIB)
        assert taken < 100 * MIB, "the server stopped reading"
        bystander.is_served()
        assert bystander.grown_bytes() < GROWTH_BYTES


def test_a_waiting_client_s_requests_run_when_it_is_served(server: ServerProcess, bystander: Bystander) -> None:
    with closing(Link(server.port)) as link:
        link.send(b"BLPOP", b"something", b"0")
        sent = push_bytes(link, encode(b"PING"), 2 * MIB)
        assert bystander.link.call(b"RPUSH", b"something", b"x").value == b"1"
        link.socket.setblocking(True)
        assert str(link.reply()) == "*[$'something', $'x']"
        whole = sent // len(encode(b"PING"))
        for _ in range(whole):
            assert link.reply().value == b"PONG"


def test_a_transaction_does_not_gather_without_bound(server: ServerProcess, bystander: Bystander) -> None:
    with closing(Link(server.port)) as link:
        assert link.call(b"MULTI").value == b"OK"
        request = encode(b"SET", b"k", bytes(MIB))
        for _ in range(3):
            link.send_raw(request)
            assert link.reply().value == b"QUEUED"
        link.send_raw(request * 20)
        answer, closed = link.rest()
        assert closed
        assert answer == b"-ERR Protocol error: too big transaction\r\n"
    assert bystander.link.call(b"EXISTS", b"k").value == b"0"


def test_very_many_arguments_are_understood(link: Link) -> None:
    names = [b"name%d" % number for number in range(998)]
    assert link.call(b"DEL", *names).value == b"0"


# -- too many -------------------------------------------------------------------------------------------------------


def test_one_client_too_many_is_told_so_and_the_others_go_on(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data", ["--max-clients", "20"]) as server, ExitStack() as stack:
        links = [stack.enter_context(closing(Link(server.port))) for _ in range(20)]
        for link in links:
            assert link.call(b"PING").value == b"PONG"
        for _ in range(5):
            with closing(Link(server.port)) as late:
                late.send(b"PING")
                answer, closed = late.rest()
                assert closed
                assert answer in (b"-ERR max number of clients reached\r\n", b"")
        for link in links:
            assert link.call(b"PING").value == b"PONG"
        links[0].close()
        wait_for_a_place(server)


def wait_for_a_place(server: ServerProcess) -> None:
    """Others have left, which the server may not have noticed yet: soon a new client is served."""
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        with closing(Link(server.port)) as again:
            again.send(b"PING")
            if again.rest(marker=b"+PONG\r\n")[0] == b"+PONG\r\n":
                return
    raise AssertionError("the place that became free was not given away")


@pytest.fixture
def open_files() -> Iterator[Callable[[int], None]]:
    """Sets how many files this process may have open; the servers that it starts inherit that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda number: resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_ten_thousand_clients_and_one(tmp_path: Path, open_files: Callable[[int], None]) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    needed = 11_000  # with those that the rest of the run has open
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"only {hard} files may be open here")
    open_files(1024)  # the usual limit: the server raises its own
    with ServerProcess(tmp_path / "data") as server, ExitStack() as stack:
        open_files(needed)
        sockets = [stack.enter_context(socket.create_connection((LOOPBACK, server.port), 10)) for _ in range(10_000)]
        for one in sockets:
            one.sendall(b"PING\r\n")
        for one in sockets:
            assert one.recv(100) == b"+PONG\r\n"
        with closing(Link(server.port)) as late:
            answer, closed = late.rest()
            assert closed
            assert answer == b"-ERR max number of clients reached\r\n"
        sockets[0].sendall(b"PING\r\n")
        assert sockets[0].recv(100) == b"+PONG\r\n"
        assert "Traceback" not in server.stderr_text()


def test_a_server_without_files_for_more_clients_serves_those_it_has(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server, ExitStack() as stack:
        early = stack.enter_context(closing(Link(server.port)))
        assert early.call(b"PING").value == b"PONG"
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (48, 48))
        with ExitStack() as crowd:
            for _ in range(100):
                crowd.enter_context(socket.create_connection((LOOPBACK, server.port), 10))
            for _ in range(100):
                assert early.call(b"PING").value == b"PONG"
        wait_for_a_place(server)
        assert "Traceback" not in server.stderr_text()


# -- silent ---------------------------------------------------------------------------------------------------------


def test_who_says_nothing_for_too_long_is_disconnected(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data", ["--idle-timeout", "1"]) as server, ExitStack() as stack:
        idle, half, waiting, busy = (stack.enter_context(closing(Link(server.port))) for _ in range(4))
        half.send_raw(b"*2\r\n$3\r\nGET\r\n$5\r\nha")
        waiting.send(b"BLPOP", b"q", b"0")
        started_s = time.monotonic()
        while not (gone(idle) and gone(half)):
            assert busy.call(b"PING").value == b"PONG"
            assert time.monotonic() - started_s < 10
        assert time.monotonic() - started_s > 0.9
        assert busy.call(b"RPUSH", b"q", b"x").value == b"1"
        assert str(waiting.reply()) == "*[$'q', $'x']"


def gone(link: Link) -> bool:
    """Whether the server closed the connection."""
    if not select.select([link.socket], [], [], 0)[0]:
        return False
    with contextlib.suppress(ConnectionResetError):
        return link.socket.recv(1, socket.MSG_PEEK) == b""
    return True
