"""CLIENT PAUSE against a model: order within a client, who waits, who goes on first."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from support.server import Server

CLIENTS = 3


class PauseMachine(RuleBasedStateMachine):
    """Clients push numbers onto one list and read its length, while another one pauses and unpauses them."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.server = Server(Path(self.directory.name), "memory")
        self.control = self.server.client()
        self.clients = [self.server.client() for _ in range(CLIENTS)]
        self.waiting: list[list[int | None]] = [[] for _ in range(CLIENTS)]
        self.held: list[int] = []
        self.expected: list[list[int]] = [[] for _ in range(CLIENTS)]
        self.pushed: list[bytes] = []
        self.mode: str | None = None
        self.end_ms = self.now_ms = 0
        self.number = 0

    def run(self, client: int, request: int | None) -> None:
        """What running a request does: a number is pushed, None reads the length."""
        if request is not None:
            self.pushed.append(b"%d" % request)
        self.expected[client].append(len(self.pushed))

    def over(self) -> None:
        """The pause ends: the held go on, the longest-held first."""
        self.mode = None
        held, self.held = self.held, []
        for client in held:
            requests, self.waiting[client] = self.waiting[client], []
            for request in requests:
                self.run(client, request)

    @rule(client=st.integers(0, CLIENTS - 1), writes=st.lists(st.booleans(), min_size=1, max_size=4))
    def send(self, client: int, writes: list[bool]) -> None:
        requests: list[tuple[str | bytes | float, ...]] = []
        for write in writes:
            self.number += 1
            request = self.number if write else None
            requests.append(("RPUSH", "l", self.number) if write else ("LLEN", "l"))
            if self.waiting[client] or self.mode == "ALL" or (self.mode == "WRITE" and write):
                if not self.waiting[client]:
                    self.held.append(client)
                self.waiting[client].append(request)
            else:
                self.run(client, request)
        self.clients[client].send_many(requests)

    @precondition(lambda self: self.mode != "ALL")
    @rule(ms=st.integers(1, 100), mode=st.sampled_from(["ALL", "WRITE"]))
    def pause(self, ms: int, mode: str) -> None:
        assert self.control("CLIENT", "PAUSE", ms, mode) == b"OK"
        self.end_ms = max(self.end_ms, self.now_ms + ms) if self.mode else self.now_ms + ms
        self.mode = "ALL" if "ALL" in (mode, self.mode) else mode

    @precondition(lambda self: self.mode != "ALL")
    @rule()
    def unpause(self) -> None:
        assert self.control("CLIENT", "UNPAUSE") == b"OK"
        self.over()

    @rule(ms=st.integers(1, 60))
    def advance(self, ms: int) -> None:
        self.server.advance_ms(ms)
        self.now_ms += ms
        if self.mode and self.now_ms >= self.end_ms:
            self.over()

    @rule(client=st.integers(0, CLIENTS - 1))
    def leave(self, client: int) -> None:
        assert self.clients[client].replies() == self.expected[client]
        self.clients[client].close()
        self.clients[client] = self.server.client()
        self.waiting[client], self.expected[client] = [], []
        if client in self.held:
            self.held.remove(client)

    @invariant()
    def everyone_has_what_is_due(self) -> None:
        for client in range(CLIENTS):
            assert self.clients[client].replies() == self.expected[client]
            self.expected[client].clear()
        assert list(self.server.dispatcher.pause.held) == [self.clients[client].session for client in self.held]
        assert self.server.dispatcher.alert == (self.mode is not None)

    def teardown(self) -> None:
        self.server.commit.close()
        self.directory.cleanup()


TestPause = PauseMachine.TestCase
