"""The process ends at each named place as a power cut would end it; the next start finds what was acknowledged.

`SPOOLD_CRASH_AT=name:3` kills the server the third time it comes to the place. Pushes are numbered and sent one by one,
so it is known of each whether it was acknowledged; the one that was under way at the end may be there or not, unless
the place says which.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance.wire import Link, NoReply

from spoold.core import crashpoints
from spoold.testing.process import ServerProcess, StartFailed

KILLED = -9
JOURNAL = tuple(name for name in crashpoints.NAMES if name.startswith("journal-"))
CHECKPOINT = tuple(name for name in crashpoints.NAMES if name.startswith("checkpoint-"))
MAP = tuple(name for name in crashpoints.NAMES if name.startswith("map-"))
# Of the smallest size that a few pushes fill.
SMALL_JOURNAL = ("--journal-size", "32kb")
PADDING = bytes(500)
# Two of these and the map is made larger.
HUGE = bytes(48 * 1024 * 1024)


class Life:
    """The servers that follow each other on one data directory, and what was pushed to `q` in all their lives."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.acknowledged: list[bytes] = []
        self.under_way: list[bytes] = []
        self.sent = 0

    def server(self, crash_at: str = "", options: tuple[str, ...] = SMALL_JOURNAL) -> ServerProcess:
        return ServerProcess(self.directory, options, env={"SPOOLD_CRASH_AT": crash_at or None})

    def dies_at_start(self, crash_at: str, options: tuple[str, ...] = SMALL_JOURNAL) -> None:
        server = self.server(crash_at, options)
        with pytest.raises(StartFailed) as failure:
            server.start()
        assert failure.value.returncode == KILLED
        server.close()

    def push_until_it_dies(self, server: ServerProcess, limit: int = 2000) -> None:
        """Push numbered items one by one; the last one has no reply."""
        link = Link(server.port)
        try:
            for _ in range(limit):
                self.sent += 1
                item = b"%d:" % self.sent + PADDING
                try:
                    reply = link.call(b"RPUSH", b"q", item)
                except NoReply:
                    self.under_way = [item]
                    break
                assert reply.value == b"%d" % (len(self.acknowledged) + 1)
                self.acknowledged.append(item)
            else:
                raise AssertionError("the server never came to the place")
        finally:
            link.close()
        assert server.wait() == KILLED

    def check(self, server: ServerProcess) -> None:
        """Everything acknowledged is there, in order, and nothing else but perhaps the item that was under way."""
        link = Link(server.port)
        found = link.call(b"LRANGE", b"q", b"0", b"-1").value
        link.close()
        assert isinstance(found, tuple)
        items = [node.value for node in found]
        assert items in (self.acknowledged, self.acknowledged + self.under_way)
        self.acknowledged += self.under_way[: len(items) - len(self.acknowledged)]


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path / "data")


def test_all_places_are_tried_here() -> None:
    # Those of backup, restore and compact are walked in tests/operations/test_killed.py.
    server = {name for name in crashpoints.NAMES if not name.startswith(("backup-", "restore-", "compact-"))}
    assert {*JOURNAL, *CHECKPOINT, *MAP} == server


@pytest.mark.parametrize("count", [1, 2, 41])
@pytest.mark.parametrize("name", JOURNAL)
def test_a_crash_around_an_append(life: Life, name: str, count: int) -> None:
    with life.server(f"{name}:{count}") as server:
        life.push_until_it_dies(server)
    pushed = len(life.acknowledged)
    with life.server() as server:
        life.check(server)
    # What was written is in the kernel's hands, and a process's end does not touch it.
    assert len(life.acknowledged) - pushed == (0 if name == "journal-before-append" else 1)


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("name", CHECKPOINT)
def test_a_crash_around_a_checkpoint(life: Life, name: str, count: int) -> None:
    """The first checkpoint belongs to the start; the others come when the segment is full, or a second has passed."""
    with life.server(f"{name}:{count}") as server:
        life.push_until_it_dies(server)
    with life.server(f"{name}:{count}") as server:
        life.check(server)
        life.push_until_it_dies(server)
    with life.server() as server:
        life.check(server)


@pytest.mark.parametrize("durability", ["always", "interval"])
def test_crashes_during_recovery_follow_each_other(life: Life, durability: str) -> None:
    options = (*SMALL_JOURNAL, "--durability", durability)
    with life.server("journal-after-append:73", options) as server:
        life.push_until_it_dies(server)
    for _ in range(2):
        for name in CHECKPOINT:
            life.dies_at_start(name, options)
    with life.server(options=options) as server:
        life.check(server)


def test_a_crash_while_the_map_grows(life: Life) -> None:
    with life.server(f"{MAP[0]}:1") as server:
        link = Link(server.port)
        assert link.call(b"SET", b"first", HUGE).value == b"OK"
        with pytest.raises(NoReply):
            link.call(b"SET", b"second", HUGE)
        link.close()
        assert server.wait() == KILLED
    for name in MAP:
        life.dies_at_start(name)
    with life.server() as server:
        link = Link(server.port)
        assert link.call(b"STRLEN", b"first").value == b"%d" % len(HUGE)
        # It was committed to the data before the map was made larger for what follows.
        assert link.call(b"STRLEN", b"second").value == b"%d" % len(HUGE)
        assert link.call(b"RPUSH", b"q", b"goes on").value == b"1"
        link.close()
