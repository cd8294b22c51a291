"""SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF and SHUTDOWN."""

from __future__ import annotations

from pathlib import Path

import pytest

from spoold.core.errors import WritesRefused
from spoold.engine.commit import open_commit
from support.server import Client, Error, Server


def test_save_answers_behind_a_checkpoint_of_all_that_was_written(server: Server, a: Client, b: Client) -> None:
    a.send_many([("SET", "k", "v"), ("SAVE",), ("GET", "k")])
    assert a.replies() == [b"OK", b"OK", b"v"]
    assert not server.commit.pending
    assert server.commit.checkpoints == 2  # one is made at the start
    b("SET", "k", "w")
    assert server.commit.pending
    assert b("BGSAVE") == b"Background saving started"
    assert b("BGSAVE", "SCHEDULE") == b"Background saving started"
    assert b("BGREWRITEAOF") == b"Background append only file rewriting started"
    assert not server.commit.pending


def test_a_disk_that_fails_is_answered(server: Server, a: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise WritesRefused("checkpoint failed: No space left on device")

    monkeypatch.setattr(server.commit, "checkpoint", fails)
    error = Error("MISCONF Errors writing to the journal: checkpoint failed: No space left on device")
    assert a("SAVE") == error
    assert a("BGSAVE") == b"Background saving started"
    assert a("PING") == b"PONG"


def test_in_memory_nothing_is_said_to_be_saved(tmp_path: Path) -> None:
    with Server(tmp_path / "m", "memory") as server:
        client = server.client()
        error = Error("ERR nothing can be saved: the server runs with --memory")
        assert client("SAVE") == client("BGSAVE") == client("BGREWRITEAOF") == error


def test_words_that_save_does_not_know(a: Client) -> None:
    assert a("SAVE", "x") == Error("ERR wrong number of arguments for 'save' command")
    assert a("BGSAVE", "FOO") == a("BGSAVE", "SCHEDULE", "x") == Error("ERR syntax error")
    a("MULTI")
    assert a("SAVE") == Error("ERR Command not allowed inside a transaction")


def test_one_who_was_unblocked_gets_no_late_answer(server: Server, a: Client, b: Client) -> None:
    server.turn.begin()
    b.frontend.receive(b.session, [[b"SAVE"]])
    a.frontend.receive(a.session, [[b"CLIENT", b"UNBLOCK", b"2", b"ERROR"]])
    server.settle()
    assert b.replies() == [Error("UNBLOCKED client unblocked via CLIENT UNBLOCK")]
    assert b("PING") == b"PONG"


def test_shutdown_stops_the_server_without_an_answer(server: Server, a: Client) -> None:
    a.send("SHUTDOWN", "NOW", "FORCE")
    assert a.replies() == []
    assert server.lifecycle.stopped
    assert server.lifecycle.save_at_exit


def test_shutdown_nosave_leaves_the_checkpoint_to_the_next_start(server: Server, a: Client, tmp_path: Path) -> None:
    a.send_many([("SET", "k", "v"), ("SHUTDOWN", "NOSAVE")])
    assert a.replies() == [b"OK"]
    assert not server.lifecycle.save_at_exit
    server.commit.close(save=False)
    commit = open_commit(tmp_path, "always", 4 * 1024 * 1024)
    assert commit.replayed == 1
    commit.close()
    server.commit = open_commit(tmp_path, "always", 4 * 1024 * 1024)


@pytest.mark.parametrize("words", [["FOO"], ["NOSAVE", "SAVE"], ["ABORT", "NOW"]])
def test_shutdown_refuses_what_it_does_not_know(server: Server, a: Client, words: list[str]) -> None:
    assert a("SHUTDOWN", *words) == Error("ERR syntax error")
    assert a("SHUTDOWN", "ABORT") == Error("ERR No shutdown in progress.")
    assert not server.lifecycle.stopped


def test_shutdown_stays_while_the_disk_refuses_unless_it_is_forced(server: Server, a: Client) -> None:
    server.commit.refusing = True
    assert a("SHUTDOWN") == Error("ERR Errors trying to SHUTDOWN. Check logs.")
    assert not server.lifecycle.stopped
    a.send("SHUTDOWN", "FORCE")
    assert server.lifecycle.stopped
    server.commit.refusing = False
