"""A full disk: writes are refused, reads go on, and with room again so do writes; nothing acknowledged is lost.

Twice: with a limit on the size of the server's files, which every machine knows and which can be lifted while the
server runs; and on a small file system of its own, where the system lets us mount one.
"""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.conformance.wire import Link, Node

from spoold.testing.process import ServerProcess

ITEM_BYTES = 1000
SMALL_JOURNAL = ("--journal-size", "256kb")
# Longer than the second that lies between two attempts to write a checkpoint.
PATIENCE_S = 15.0


def refused(reply: Node, code: bytes = b"MISCONF") -> bool:
    """Whether a reply is the error `code`."""
    return reply.kind == b"-" and isinstance(reply.value, bytes) and reply.value.startswith(code)


class Client:
    """Pushes numbered items to `q` and remembers which were acknowledged."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.acknowledged: list[bytes] = []
        self.sent = 0
        self.link = Link(server.port)

    def push(self) -> Node:
        self.sent += 1
        item = (b"%d:" % self.sent).ljust(ITEM_BYTES, b".")
        reply = self.link.call(b"RPUSH", b"q", item)
        if reply.kind == b":":
            self.acknowledged.append(item)
            assert reply.value == b"%d" % len(self.acknowledged), "nothing refused was applied"
        return reply

    def push_until_refused(self, limit: int = 20_000) -> None:
        for _ in range(limit):
            reply = self.push()
            if reply.kind == b"-":
                assert refused(reply, b"MISCONF Errors writing to the journal: checkpoint failed"), reply
                return
        raise AssertionError("never refused")

    def push_until_accepted(self) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while self.push().kind == b"-":
            assert time.monotonic() < deadline_s, "still refused"

    def check(self) -> None:
        """All that was acknowledged can be read, and nothing else."""
        found = self.link.call(b"LRANGE", b"q", b"0", b"-1").value
        assert isinstance(found, tuple)
        assert [node.value for node in found] == self.acknowledged
        assert self.link.call(b"LLEN", b"q").value == b"%d" % len(self.acknowledged)

    def close(self) -> None:
        self.link.close()

    def reconnect(self) -> None:
        self.link.close()
        self.link = Link(self.server.port)


def refuses_writes_and_reads_on(client: Client) -> None:
    """What must hold while the disk is full, again and again."""
    with closing(Link(client.server.port)) as other:
        _refuses(client, other)
    client.check()


def _refuses(client: Client, other: Link) -> None:
    for _ in range(20):
        assert client.push().kind == b"-"
        assert other.call(b"GET", b"before").value == b"value"
        assert other.call(b"GET", b"due").value is None, "a key that fell due is hidden, though it can't be deleted"
        assert other.call(b"SELECT", b"7").value == b"OK"
        assert other.call(b"GET", b"before").value is None
        assert other.call(b"SELECT", b"0").value == b"OK"
    assert refused(other.call(b"DEL", b"before"))
    assert other.call(b"MULTI").value == b"OK"
    assert refused(other.call(b"SET", b"before", b"x"))
    assert refused(other.call(b"EXEC"), b"EXECABORT")
    # Reads and refused writes in one pass of the loop: each gets its own answer.
    other.send_raw(b"*2\r\n$3\r\nGET\r\n$6\r\nbefore\r\n*3\r\n$3\r\nSET\r\n$6\r\nbefore\r\n$1\r\nx\r\n" * 50)
    for _ in range(50):
        assert other.reply().value == b"value"
        assert refused(other.reply())


def fill_and_heal(client: Client, fill: Callable[[], None], heal: Callable[[], None]) -> None:
    """Fill the disk of a running server, look, make room, go on."""
    assert client.link.call(b"SET", b"before", b"value").value == b"OK"
    assert client.link.call(b"SET", b"due", b"value", b"PX", b"30").value == b"OK"
    for _ in range(100):
        client.push()
    fill()
    client.push_until_refused()
    refuses_writes_and_reads_on(client)
    heal()
    client.push_until_accepted()
    for _ in range(500):
        assert client.push().kind == b":"
    client.check()


def check_after_restarts(client: Client) -> None:
    """Everything acknowledged is there after a crash, and after an end in order."""
    client.server.kill()
    client.server.start()
    client.reconnect()
    client.check()
    client.server.restart()
    client.reconnect()
    client.check()
    assert client.push().kind == b":"


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data", SMALL_JOURNAL) as server, closing(Client(server)) as client:
        _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)

        def limit(size: int) -> None:
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, hard))

        fill_and_heal(client, lambda: limit(512 * 1024), lambda: limit(hard))
        check_after_restarts(client)
        assert "Traceback" not in server.stderr_text()
        assert server.stderr_text().count("the disk takes writes again") == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB, mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small file system can't be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_small_file_system(small_disk: Path) -> None:
    ballast = [small_disk / "ballast0", small_disk / "ballast1"]
    for file in ballast:
        file.write_bytes(bytes(1024 * 1024))
    with ServerProcess(small_disk / "data", SMALL_JOURNAL) as server, closing(Client(server)) as client:
        fill_and_heal(client, lambda: None, ballast[0].unlink)
        # Full once more, and now it ends and starts while there is no room.
        client.push_until_refused()
        for stop in (server.kill, server.terminate):
            stop()
            server.start()
            client.reconnect()
            client.push_until_refused()
            refuses_writes_and_reads_on(client)
        ballast[1].unlink()
        client.push_until_accepted()
        check_after_restarts(client)
        assert "Traceback" not in server.stderr_text()
        assert server.terminate() == 0


def test_a_disk_too_small_to_start_on_is_one_line(small_disk: Path) -> None:
    server = ServerProcess(small_disk / "data")  # two segments of 32 MiB
    with pytest.raises(Exception, match="No space left on device") as failure:
        server.start()
    assert "Traceback" not in str(failure.value)
    server.close()
