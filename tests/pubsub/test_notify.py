"""Keyspace notifications: who is told what; the words of each command are compared with Redis in tests/conformance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from spoold.keyspace.expiry import expire_due
from spoold.pubsub.hub import Hub
from spoold.pubsub.notify import Notifier
from support.room import Room
from support.server import Client, Error, Server


@pytest.fixture
def ear(server: Server) -> Client:
    """A client that listens to everything."""
    client = server.client()
    client("PSUBSCRIBE", "*")
    return client


def told(ear: Client) -> list[tuple[str, str]]:
    return [(message[2].decode(), message[3].decode()) for message in ear.replies()]


def select(client: Client, letters: str) -> None:
    assert client("CONFIG", "SET", "notify-keyspace-events", letters) == b"OK"


def test_nothing_is_told_unless_asked_for(a: Client, ear: Client) -> None:
    a("SET", "k", "v")
    select(a, "KE")
    a("SET", "k", "v")
    select(a, "A")
    a("SET", "k", "v")
    select(a, "")
    a("SET", "k", "v")
    assert told(ear) == []


def test_by_key_then_by_event(a: Client, ear: Client) -> None:
    select(a, "KEA")
    a("SET", "k", "v")
    assert told(ear) == [("__keyspace@0__:k", "set"), ("__keyevent@0__:set", "k")]
    select(a, "KA")
    a("SET", "k", "v")
    assert told(ear) == [("__keyspace@0__:k", "set")]
    select(a, "EA")
    a("SET", "k", "v")
    assert told(ear) == [("__keyevent@0__:set", "k")]


def test_only_the_classes_that_are_named(a: Client, ear: Client) -> None:
    select(a, "Kl")
    a("SET", "k", "v")
    a("RPUSH", "l", "x")
    a("DEL", "l")
    select(a, "Kg")
    a("RPUSH", "l", "x")
    a("LPOP", "l")
    assert told(ear) == [("__keyspace@0__:l", "rpush"), ("__keyspace@0__:l", "del")]


def test_new_keys_and_misses_are_not_among_all(a: Client, ear: Client) -> None:
    select(a, "KA")
    a("SET", "k", "v")
    a("GET", "missing")
    assert told(ear) == [("__keyspace@0__:k", "set")]
    select(a, "Knm")
    a("SET", "k", "v")
    a("SET", "k2", "v")
    a("GET", "missing")
    a("MGET", "k", "m1", "m2")
    assert told(ear) == [
        ("__keyspace@0__:k2", "new"),
        ("__keyspace@0__:missing", "keymiss"),
        ("__keyspace@0__:m1", "keymiss"),
        ("__keyspace@0__:m2", "keymiss"),
    ]
    select(a, "")
    assert a.session.plain


def test_misses_are_told_inside_a_transaction_too(a: Client, ear: Client) -> None:
    select(a, "Em")
    a("MULTI")
    a("GET", "x")
    a("EXEC")
    assert told(ear) == [("__keyevent@0__:keymiss", "x")]


def test_the_database_is_in_the_channel(a: Client, ear: Client) -> None:
    select(a, "KEA")
    a("SELECT", 9)
    a("SET", "k", "v")
    assert told(ear) == [("__keyspace@9__:k", "set"), ("__keyevent@9__:set", "k")]
    a("MOVE", "k", 3)
    assert told(ear)[:3:2] == [("__keyspace@9__:k", "move_from"), ("__keyspace@3__:k", "move_to")]
    a("SWAPDB", 3, 4)
    a("SELECT", 4)
    a("DEL", "k")
    assert told(ear) == [("__keyspace@4__:k", "del"), ("__keyevent@4__:del", "k")]


def test_flushing_is_told_of_no_key(a: Client, ear: Client) -> None:
    a("SET", "k", "v")
    select(a, "KEA")
    a("FLUSHDB")
    a("FLUSHALL")
    assert told(ear) == []


def test_a_key_that_falls_due_is_told_when_it_is_looked_at(server: Server, a: Client, ear: Client) -> None:
    select(a, "KEA")
    a("SET", "k", "v", "PX", 100)
    assert told(ear)[1::2] == [("__keyevent@0__:set", "k"), ("__keyevent@0__:expire", "k")]
    server.advance_ms(200)
    assert told(ear) == []
    assert a("GET", "k") is None
    assert told(ear) == [("__keyspace@0__:k", "expired"), ("__keyevent@0__:expired", "k")]


def test_a_key_that_falls_due_is_told_though_no_one_looks_at_it(server: Server, a: Client, ear: Client) -> None:
    select(a, "Ex")
    a("SET", "k", "v", "PX", 100)
    server.advance_ms(200)
    server.turn.begin()
    expire_due(server.dbs, 10)
    server.turn.end()
    assert told(ear) == [("__keyevent@0__:expired", "k")]


def test_a_value_that_is_due_at_once_is_told_in_order(server: Server, a: Client, ear: Client) -> None:
    select(a, "EA")
    a("SET", "k", "v", "PXAT", 1)
    assert a("EXISTS", "k") == 0
    assert [event for event, _ in told(ear)] == [f"__keyevent@0__:{event}" for event in ("set", "expire", "expired")]
    a("SET", "k", "v")
    a("GETEX", "k", "PXAT", 1)
    assert [event for event, _ in told(ear)] == ["__keyevent@0__:set", "__keyevent@0__:del"]


def test_events_of_a_transaction_come_with_it(a: Client, b: Client, ear: Client) -> None:
    select(a, "EA")
    a("MULTI")
    a("SET", "k", "v")
    a("DEL", "k")
    assert told(ear) == []
    a("EXEC")
    assert told(ear) == [("__keyevent@0__:set", "k"), ("__keyevent@0__:del", "k")]


def test_a_turn_that_is_rolled_back_tells_nothing(
    server: Server, a: Client, ear: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    select(a, "KEA")
    whole = server.commit.commit_turn

    def broken() -> None:
        monkeypatch.setattr(server.commit, "commit_turn", whole)
        raise RuntimeError("planted")

    monkeypatch.setattr(server.commit, "commit_turn", broken)
    assert isinstance(a("SET", "k", "v"), Error)
    assert told(ear) == []


def test_unknown_classes_are_refused(a: Client) -> None:
    refused = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."
    assert a("CONFIG", "SET", "notify-keyspace-events", "KEq") == Error(
        f"ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - {refused}"
    )


@pytest.mark.parametrize(
    ("given", "shown"),
    [("KEA", "AKE"), ("gxE", "gxE"), ("AKEn", "AKE"), ("nKx", "xnK"), ("mE$", "$Em"), ("g$lshzxetd", "A"), ("", "")],
)
def test_the_classes_are_shown_in_redis_order(a: Client, given: str, shown: str) -> None:
    select(a, given)
    assert a("CONFIG", "GET", "notify-keyspace-events") == [b"notify-keyspace-events", shown.encode()]


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Room]:
    """A room in which no one listens."""
    with Room(tmp_path) as room:
        yield room


def test_while_nothing_is_selected_commands_have_no_one_to_tell(quiet: Room) -> None:
    notifier = Notifier(Hub(), quiet.dbs)
    notifier.select(b"AKE")
    assert all(keyspace.notify for keyspace in quiet.dbs.all)
    for letters in (b"", b"A", b"KE", b"g"):
        notifier.select(letters)
        assert not any(keyspace.notify for keyspace in quiet.dbs.all)
