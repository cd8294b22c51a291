"""Who gets copies of what is added to a queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from spoold.datatypes.jobs import fanout
from support.room import Room


def test_children_stand_in_the_order_in_which_they_came(room: Room) -> None:
    ks = room.session.ctx.ks
    room.turn.begin()
    assert fanout.children(ks, b"q") == []
    assert fanout.add(ks, b"q", b"q+b")
    assert fanout.add(ks, b"q", b"q+a")
    assert not fanout.add(ks, b"q", b"q+b")
    assert fanout.children(ks, b"q") == [b"q+b", b"q+a"]
    assert fanout.remove(ks, b"q", b"q+b")
    assert not fanout.remove(ks, b"q", b"q+b")
    assert fanout.children(ks, b"q") == [b"q+a"]
    assert fanout.remove(ks, b"q", b"q+a")
    room.turn.end()
    assert not [key for key in room.state() if key[:1] == b"f"]


def test_children_outlive_the_server(tmp_path: Path) -> None:
    names = [b"q+" + bytes((number,)) * number for number in range(1, 200)]
    with Room(tmp_path, "always") as room:
        room.turn.begin()
        for name in names:
            fanout.add(room.session.ctx.ks, b"q", name)
        room.turn.end()
    with Room(tmp_path, "always") as room:
        assert fanout.children(room.session.ctx.ks, b"q") == names
        assert fanout.children(room.dbs[1], b"q") == []


@pytest.mark.parametrize("words", ["FLUSHALL", "FLUSHDB"])
def test_a_flushed_database_has_none(room: Room, words: str) -> None:
    room.turn.begin()
    fanout.add(room.session.ctx.ks, b"q", b"q+a")
    room.turn.end()
    room(words)
    assert fanout.children(room.session.ctx.ks, b"q") == []
