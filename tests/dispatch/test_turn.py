"""The turn on failing ground: what is rolled back leaves nothing, each request has its answer, and reads go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.engine.rig import LAST

from spoold.command.context import Context
from spoold.command.spec import WRITE, Keys, command
from spoold.core.errors import EngineError
from spoold.dispatch.session import Session
from spoold.engine import batch as batch_module
from spoold.engine.commit import Lost
from spoold.protocol.resp import encode2
from support.room import Room

INTERNAL = b"-ERR internal error: the turn was rolled back, see the server's log\r\n"


@command("TEST.BREAK", flags=WRITE, keys=Keys(1), since="7.0.0", syntax="TEST.BREAK key", group="generic")
def break_(ctx: Context, key: bytes) -> None:
    """Fails in a way that no one expects, behind a write."""
    ctx.ks.delete(key)
    ctx.ks.batch.put(b"half", b"done")
    raise ZeroDivisionError


class Hall(Room):
    """A room whose clients send bytes through the dispatcher, several in one turn if a test likes."""

    def __init__(self, directory: Path) -> None:
        module = ModuleType("breaking")
        module.__dict__.update(break_=break_)
        break_.__module__ = "breaking"
        super().__init__(directory, "always", (module,))
        self.lost: list[Lost] = []
        self.turn.on_lost = self.lost.append

    def client(self) -> Client:
        return Client(self)

    def end(self) -> None:
        self.turn.end()

    def state_bytes(self) -> dict[bytes, bytes]:
        return dict(self.commit.batch.scan(b"\0", LAST, 10_000))


class Client:
    """A session whose replies are bytes; they arrive when the turn ends."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self.session: Session = hall.connect()
        self.session.encode = encode2
        self.arrived: list[bytes] = []
        self.session.send = self.arrived.append

    def sends(self, *requests: str) -> None:
        """Give requests to the open turn, or begin one."""
        self.hall.turn.receive(self.session, [request.encode().split() for request in requests])

    def gets(self) -> bytes:
        """All that has arrived since the last call."""
        data = b"".join(self.arrived)
        self.arrived.clear()
        return data

    def asks(self, *requests: str) -> bytes:
        """A turn of its own."""
        self.sends(*requests)
        self.hall.end()
        return self.gets()


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    with Hall(tmp_path) as hall:
        yield hall


def fail_the_disk(monkeypatch: pytest.MonkeyPatch, hall: Hall) -> None:
    """Neither the journal nor LMDB take anything until `monkeypatch.undo`."""

    def fails(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    def commit_fails(*arguments: Any) -> None:
        raise batch_module.lmdb.DiskError("injected")

    for write in ("_write", "_write_direct"):
        monkeypatch.setattr(hall.commit._log.journal, write, fails)  # type: ignore[attr-defined]
    monkeypatch.setattr(batch_module, "write_turn", commit_fails)


def test_replies_leave_when_the_turn_has_ended(hall: Hall) -> None:
    client = hall.client()
    client.sends("SET k v", "GET k")
    assert client.gets() == b""
    hall.end()
    assert client.gets() == b"+OK\r\n$1\r\nv\r\n"


def test_an_exception_answers_every_command_of_the_turn_and_keeps_none(hall: Hall) -> None:
    one, other = hall.client(), hall.client()
    assert one.asks("SET k before", "RPUSH l a") == b"+OK\r\n:1\r\n"
    before = hall.state_bytes()
    one.sends("SET k during", "RPUSH l b", "LRANGE l 0 -1")
    other.sends("GET k", "TEST.BREAK k", "SET k behind")
    assert one.gets() == INTERNAL * 3
    assert other.gets() == INTERNAL * 2
    assert hall.state_bytes() == before
    assert other.session.queue == [[b"SET", b"k", b"behind"]], "what stood behind it waits for the next turn"
    hall.turn.resume([other.session])
    hall.end()
    assert other.gets() == b"+OK\r\n"
    assert one.asks("GET k", "LRANGE l 0 -1") == b"$6\r\nbehind\r\n*1\r\n$1\r\na\r\n"
    assert hall.turn.aborted == 1


def gather(client: Client, *requests: str) -> None:
    """What a connection does with a short piece."""
    if not client.hall.turn.open:
        client.hall.turn.begin()
    client.hall.dispatcher.gathered.append((client.session, [request.encode().split() for request in requests]))


def test_pieces_that_were_gathered_run_in_order_when_the_turn_ends(hall: Hall) -> None:
    one, other = hall.client(), hall.client()
    gather(one, "APPEND k a", "BLPOP q 0", "APPEND k d")
    gather(other, "APPEND k b", "RPUSH q x")
    gather(one, "GET k")
    gather(other, "APPEND k c")
    assert one.gets() == b""
    assert not hall.dispatcher.table.by_name[b"append"].calls
    hall.end()
    assert other.gets() == b":2\r\n:1\r\n:3\r\n"
    assert one.gets() == b":1\r\n*2\r\n$1\r\nq\r\n$1\r\nx\r\n"
    hall.turn.resume([one.session])
    hall.end()
    assert one.gets() == b":4\r\n$4\r\nabcd\r\n"


def test_a_piece_that_fails_leaves_those_behind_it_to_the_next_turn(hall: Hall) -> None:
    one, other, third = hall.client(), hall.client(), hall.client()
    gather(one, "SET k during")
    gather(other, "TEST.BREAK k", "SET k behind")
    gather(third, "SETNX k free", "GET k")
    hall.end()
    assert (one.gets(), other.gets()) == (INTERNAL, INTERNAL)
    assert third.gets() == b":1\r\n$4\r\nfree\r\n"
    hall.turn.resume([other.session])
    hall.end()
    assert other.gets() == b"+OK\r\n"
    assert third.asks("GET k") == b"$6\r\nbehind\r\n"


def test_a_client_that_is_thrown_out_in_the_turn_takes_nothing_any_more(hall: Hall) -> None:
    one, other = hall.client(), hall.client()
    one.asks("RPUSH q job")
    gather(one, "PING")
    gather(other, "BLPOP q 0")
    hall.dispatcher.leave(other.session)
    hall.end()
    assert other.gets() == b""
    assert one.asks("LRANGE q 0 -1").endswith(b"*1\r\n$3\r\njob\r\n")


def test_what_was_gathered_outlives_a_turn_that_a_duty_spoils(hall: Hall) -> None:
    one, other = hall.client(), hall.client()
    other.sends("SET k during")
    gather(one, "SETNAME", "SETNX k free", "GET k")

    def fails() -> None:
        raise ZeroDivisionError

    hall.turn.guard(fails)
    assert other.gets() == INTERNAL
    hall.end()
    assert one.gets().endswith(b":1\r\n$4\r\nfree\r\n")


def test_a_server_that_stops_answers_what_was_gathered_and_takes_no_more(hall: Hall) -> None:
    one = hall.client()
    gather(one, "SET k v")
    hall.turn.stop()
    assert one.gets() == b"+OK\r\n"
    one.sends("GET k")
    hall.end()
    assert one.gets() == b""


def test_a_refused_turn_is_answered_misconf_and_reads_go_on_from_the_next(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = hall.client(), hall.client()
    assert one.asks("SET k before", "SET due v PX 10") == b"+OK\r\n+OK\r\n"
    fail_the_disk(monkeypatch, hall)
    assert one.asks("SET k refused").startswith(b"-MISCONF Errors writing to the journal: journal append failed")
    assert one.asks("SET k refused").startswith(b"-MISCONF Errors writing to the journal: checkpoint failed")
    hall.clock.advance_ms(20)
    state = hall.state_bytes()
    for _ in range(3):
        one.sends("SET k refused", "GET k")
        other.sends("GET k", "GET due", "EXISTS due", "DBSIZE")
        hall.end()
        answer = one.gets()
        assert answer.startswith(b"-MISCONF")
        assert answer.endswith(b"\r\n$6\r\nbefore\r\n")
        assert other.gets() == b"$6\r\nbefore\r\n$-1\r\n:0\r\n:2\r\n"
        assert hall.expire() == 0
        hall.reclaim()
    assert hall.state_bytes() == state
    monkeypatch.undo()
    hall.commit.checkpoint()
    assert one.asks("SET k after", "GET due", "DBSIZE") == b"+OK\r\n$-1\r\n:1\r\n"


def test_a_transaction_with_writes_is_refused_and_one_that_reads_is_not(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    early, late = hall.client(), hall.client()
    early.asks("SET k v", "MULTI", "SET k refused")
    fail_the_disk(monkeypatch, hall)
    late.asks("SET k refused")
    late.asks("SET k refused")
    assert early.asks("EXEC").startswith(b"-EXECABORT Transaction discarded because of: MISCONF")
    assert late.asks("MULTI", "GET k", "EXEC") == b"+OK\r\n+QUEUED\r\n*1\r\n$1\r\nv\r\n"
    answers = late.asks("MULTI", "SET k x", "EXEC").split(b"\r\n")
    assert [answer[:10] for answer in answers] == [b"+OK", b"-MISCONF E", b"-EXECABORT", b""]
    monkeypatch.undo()
    hall.commit.checkpoint()
    assert early.asks("MULTI", "SET k after", "EXEC") == b"+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n"


def test_a_transaction_torn_by_a_roll_back_is_refused_at_its_end(hall: Hall) -> None:
    one, other = hall.client(), hall.client()
    one.asks("MULTI", "SET a 1")
    one.sends("SET b 2")
    other.sends("TEST.BREAK k")
    assert one.gets() == INTERNAL
    assert one.asks("SET c 3", "EXEC").startswith(b"+QUEUED\r\n-EXECABORT")
    assert one.asks("EXISTS a b c") == b":0\r\n"
    # One whose MULTI was answered with the error never began.
    one.sends("MULTI", "SET a 1")
    other.sends("TEST.BREAK k")
    assert one.gets() == INTERNAL * 2
    assert one.asks("EXEC").startswith(b"-ERR EXEC without MULTI")


def test_waiters_that_a_rolled_back_turn_served_wait_on(hall: Hall) -> None:
    waiting, pushing = hall.client(), hall.client()
    assert waiting.asks("BLPOP q 0") == b""
    pushing.sends("RPUSH q lost", "TEST.BREAK k")
    assert pushing.gets() == INTERNAL * 2
    assert waiting.gets() == b""
    assert pushing.asks("RPUSH q kept") == b":1\r\n"
    assert waiting.gets() == b"*2\r\n$1\r\nq\r\n$4\r\nkept\r\n"


def test_a_lost_engine_answers_no_more(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in memory can't be trusted, so nobody may be told of it; the server stops."""
    client = hall.client()
    client.asks("SET k v")
    fail_the_disk(monkeypatch, hall)
    client.asks("SET k refused")

    def broken(after: int, upto: int | None) -> Any:
        raise OSError(5, "injected")

    monkeypatch.setattr(hall.commit._log, "since", broken)
    assert client.asks("SET k refused", "GET k") == INTERNAL * 2
    assert len(hall.lost) >= 1
    assert client.asks("GET k") == INTERNAL
    monkeypatch.undo()
    assert client.asks("GET k") == INTERNAL


def test_a_roll_back_that_fails_is_the_end(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    client = hall.client()

    def fails() -> None:
        raise EngineError("injected")

    monkeypatch.setattr(hall.dbs, "rollback", fails)
    client.sends("TEST.BREAK k")
    assert client.gets() == INTERNAL
    assert "could not be rolled back: injected" in str(hall.lost[0])
    assert client.asks("GET k") == INTERNAL


def test_nothing_runs_for_a_client_that_is_being_closed(hall: Hall) -> None:
    client = hall.client()
    client.sends("QUIT")
    client.sends("SET k v")
    hall.end()
    assert client.gets() == b"+OK\r\n"
    assert hall.client().asks("EXISTS k") == b":0\r\n"


def test_a_turn_that_only_reads_writes_nothing(hall: Hall) -> None:
    client = hall.client()
    turn = hall.commit.turn
    for index in range(16):
        client.asks(f"SELECT {index}", "GET k", "DBSIZE", "KEYS *")
    assert hall.commit.turn == turn


def test_a_stopped_turn_takes_nothing_for_requests_that_still_wait_or_come(hall: Hall) -> None:
    client = hall.client()
    client.asks("RPUSH l a b")
    client.sends("GET k")
    client.session.queue.append([b"LPOP", b"l"])  # as behind replies that were too large for one turn
    hall.turn.stop()
    assert client.gets() == b"$-1\r\n"
    hall.turn.resume([client.session])
    client.sends("LPOP l")
    hall.end()
    assert client.gets() == b""
    assert hall("LRANGE", "l", "0", "-1") == [b"a", b"b"]
