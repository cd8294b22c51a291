"""CLIENT PAUSE holds the clients of protocols with verbs of their own too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spoold.command.context import Context
from spoold.dispatch.door import Door
from support.server import Server


def test_verbs_wait_in_order_and_go_on_at_the_end(tmp_path: Path) -> None:
    with Server(tmp_path, "memory") as server:
        ran: list[Any] = []

        def verb(ctx: Context, request: Any) -> bytes:
            ran.append(request)
            return b"done"

        door = Door(server.dispatcher, verb)
        control, other = server.client(), server.client()
        other.session.run = door.run
        control("CLIENT", "PAUSE", 1000, "WRITE")
        server.turn.receive(other.session, ["a", "b"])
        server.turn.receive(other.session, ["c"])
        server.settle()
        assert (ran, door.requests) == ([], 0)
        server.advance_ms(1000)
        assert (ran, door.requests) == (["a", "b", "c"], 3)
        assert len(other.replies()) == 3
