"""A slow script: who is heard, with what, how it is ended, and that nothing is lost by it."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spoold.testing.process import ServerProcess

BUSY = b"-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n"
BUSY_FUNCTION = BUSY.replace(b"SCRIPT KILL", b"FUNCTION KILL")
SLOW = "while true do end"
PATIENCE_S = 60.0


class Client:
    """A connection that sends requests and reads lines."""

    def __init__(self, port: int, patience_s: float = PATIENCE_S) -> None:
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), patience_s)
        self.file = self.socket.makefile("rb")
        OPEN.append(self)

    @staticmethod
    def packed(*words: str) -> bytes:
        parts = [word.encode() for word in words]
        return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)

    def send(self, *words: str) -> None:
        self.socket.sendall(self.packed(*words))

    def line(self) -> bytes:
        return self.file.readline()

    def ask(self, *words: str) -> bytes:
        self.send(*words)
        return self.line()

    def close(self) -> None:
        self.file.close()
        self.socket.close()


OPEN: list[Client] = []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server on which scripts are slow soon; its clients are closed before it ends."""
    with ServerProcess(tmp_path / "data") as started:
        client = Client(started.port)
        assert client.ask("CONFIG", "SET", "lua-time-limit", "50") == b"+OK\r\n"
        yield started
        while OPEN:
            OPEN.pop().close()


def wait_until_busy(client: Client, answer: bytes = BUSY) -> None:
    """Ask until others are told so. Who asks in the very turn of the script waits for its end: not always the same."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        asking = Client(client.port, 1.0)
        try:
            if asking.ask("PING") == answer:
                return
        except TimeoutError:
            pass
        assert time.monotonic() < deadline_s


def test_others_are_answered_busy_and_may_kill(server: ServerProcess) -> None:
    early, runner = Client(server.port), Client(server.port)
    assert early.ask("PING") == b"+PONG\r\n"
    runner.send("EVAL", SLOW, "0")
    runner.send("ECHO", "behind it")
    wait_until_busy(early)
    late = Client(server.port)
    for client in (early, late):
        assert client.ask("PING") == BUSY
        assert client.ask("GET", "k") == BUSY
        assert client.ask("GET") == b"-ERR wrong number of arguments for 'get' command\r\n"
        assert client.ask("NOSUCH").startswith(b"-ERR unknown command")
        assert client.ask("FUNCTION", "KILL") == BUSY
        assert client.ask("SHUTDOWN") == BUSY
        assert client.ask("MULTI") == b"+OK\r\n"
        assert client.ask("PING") == BUSY
        assert client.ask("EXEC").startswith(b"-EXECABORT Transaction discarded because of: BUSY")
    assert late.ask("SCRIPT", "KILL") == b"+OK\r\n"
    assert runner.line().startswith(b"-ERR Script killed by user with SCRIPT KILL... script: ")
    assert runner.line() == b"$9\r\n"
    assert early.ask("SET", "k", "v") == b"+OK\r\n"
    assert late.ask("SET", "k", "w") == b"+OK\r\n"
    assert late.ask("SCRIPT", "KILL") == b"-NOTBUSY No scripts in execution right now.\r\n"


@pytest.mark.parametrize(
    "script",
    [
        "while true do pcall(function() while true do end end) end",
        "while true do redis.call('ping') end",
        "while true do redis.pcall('nosuch') end",
        "coroutine.wrap(function() while true do end end)()",
        "local c c = coroutine.wrap(function() pcall(c) while 1 do end end) pcall(c) while true do end",
        "while true do pcall(coroutine.wrap(function() while true do end end)) end",
        "local t = setmetatable({}, {__index = function(t, k) while true do end end}) return t.x",
        "xpcall(function() while true do end end, function() while true do end end)",
        "string.gsub(('x'):rep(1000), '.', function() while true do end end)",
        "table.sort({1, 2, 3}, function() while true do end end)",
        "while true do local ok, e = pcall(error, {err = 'x'}) end",
    ],
)
def test_no_script_escapes_its_end(server: ServerProcess, script: str) -> None:
    other, runner = Client(server.port), Client(server.port)
    runner.send("EVAL", script, "0")
    wait_until_busy(other)
    assert other.ask("SCRIPT", "KILL") == b"+OK\r\n"
    assert b"killed by user" in runner.line()
    assert other.ask("PING") == b"+PONG\r\n"
    assert runner.ask("EVAL", "return redis.call('incr', 'n')", "0") == b":1\r\n"


def test_who_was_first_in_a_turn_with_writes_and_a_script_has_its_pong(server: ServerProcess) -> None:
    early, runner, sleeper = Client(server.port), Client(server.port), Client(server.port)
    assert early.ask("PING") == runner.ask("PING") == b"+PONG\r\n"
    sleeper.send("DEBUG", "SLEEP", "0.2")  # what the others send meanwhile is one turn
    early.send("PING")
    runner.socket.sendall(Client.packed("SET", "k", "v") + Client.packed("EVAL", SLOW, "0"))
    assert early.line() in (b"+PONG\r\n", BUSY)
    assert early.ask("PING") == BUSY
    assert early.ask("SCRIPT", "KILL") == b"+OK\r\n"
    assert runner.line() == b"+OK\r\n"
    assert b"killed by user" in runner.line()


def test_a_script_that_has_written_runs_to_its_end(server: ServerProcess) -> None:
    other, runner = Client(server.port), Client(server.port)
    for _ in range(50):
        runner.send("EVAL", "redis.call('set', 'k', 'v') for i = 1, 1e8 do end return 7", "0")
        if other.ask("PING") == BUSY:
            break
        assert runner.line() == b":7\r\n"  # both came in one turn, and the answer waited for its end
    assert other.ask("SCRIPT", "KILL").startswith(b"-UNKILLABLE Sorry the script already executed write commands")
    assert runner.line() == b":7\r\n"
    assert other.ask("EXISTS", "k") == b":1\r\n"


def test_functions_are_killed_as_functions(server: ServerProcess) -> None:
    other, runner = Client(server.port), Client(server.port)
    library = f"#!lua name=lib\nredis.register_function('slow', function() {SLOW} end)"
    assert runner.ask("FUNCTION", "LOAD", library) == b"$3\r\n"
    runner.line()
    runner.send("FCALL", "slow", "0")
    wait_until_busy(other, BUSY_FUNCTION)
    assert other.ask("SCRIPT", "KILL") == BUSY_FUNCTION
    assert other.ask("FUNCTION", "STATS") == b"*4\r\n"
    late = Client(server.port)
    assert late.ask("FUNCTION", "KILL") == b"+OK\r\n"
    assert b"killed by user" in runner.line()


def test_a_server_with_a_slow_script_can_be_shut_down(server: ServerProcess) -> None:
    """What the script wrote was never acknowledged, and is gone; what was before is not."""
    other, runner = Client(server.port), Client(server.port)
    assert other.ask("SET", "before", "1") == b"+OK\r\n"
    runner.send("EVAL", f"redis.call('set', 'k', 'v') {SLOW}", "0")
    wait_until_busy(other)
    assert other.ask("SHUTDOWN", "SAVE") == BUSY
    other.send("SHUTDOWN", "NOSAVE")
    assert other.line() == b""
    server.wait(PATIENCE_S)
    server.start()
    client = Client(server.port)
    assert client.ask("EXISTS", "before") == b":1\r\n"
    assert client.ask("EXISTS", "k") == b":0\r\n"


def test_clients_that_came_or_went_meanwhile(server: ServerProcess) -> None:
    other, runner, leaving = Client(server.port), Client(server.port), Client(server.port)
    runner.send("EVAL", "for i = 1, 4e7 do end return 1", "0")
    wait_until_busy(other)
    leaving.close()
    came = [Client(server.port) for _ in range(20)]
    for client in came:
        assert client.ask("PING") in (BUSY, b"+PONG\r\n")
    came.pop().close()
    half = Client(server.port)
    half.socket.sendall(b"*2\r\n$4\r\nECHO\r\n$5\r\nhe")
    quitting = Client(server.port)
    assert quitting.ask("QUIT") == b"+OK\r\n"
    assert runner.line() == b":1\r\n"
    half.socket.sendall(b"llo\r\n")
    assert half.line() in (b"$5\r\n", BUSY)
    assert quitting.line() == b""
    for client in came:
        assert client.ask("INCR", "n").startswith(b":")
    assert other.ask("GET", "n") == b"$2\r\n"
    assert other.line() == b"19\r\n"


def test_a_transaction_with_a_slow_script_goes_on_behind_it(server: ServerProcess) -> None:
    other, runner = Client(server.port), Client(server.port)
    for words in (["MULTI"], ["SET", "q", "1"], ["EVAL", SLOW, "0"], ["SET", "q", "2"], ["EXEC"]):
        runner.send(*words)
    wait_until_busy(other)
    assert other.ask("SCRIPT", "KILL") == b"+OK\r\n"
    lines = [runner.line() for _ in range(8)]
    assert lines[4:6] == [b"*3\r\n", b"+OK\r\n"]
    assert b"killed by user" in lines[6]
    assert lines[7] == b"+OK\r\n"


def test_who_is_read_in_the_same_pass_of_the_loop_is_heard(server: ServerProcess) -> None:
    clients = [Client(server.port) for _ in range(5)]
    for client in clients:
        assert client.ask("PING") == b"+PONG\r\n"
    first, runner, second, parked, behind = clients
    os.kill(server.pid, signal.SIGSTOP)
    first.send("PING")
    runner.send("EVAL", SLOW, "0")
    second.send("GET", "k")
    second.send("SCRIPT", "KILL")
    parked.send("BLPOP", "q", "0")
    runner.send("ECHO", "behind it")
    behind.send("SCRIPT", "KILL")
    os.kill(server.pid, signal.SIGCONT)
    assert first.line() == b"+PONG\r\n"
    # Which socket the loop reads first is its own affair: whoever it reads behind the script is told so.
    assert second.line() in (BUSY, b"$-1\r\n")
    answers = [second.line(), behind.line()]
    assert b"+OK\r\n" in answers
    assert set(answers) <= {b"+OK\r\n", b"-NOTBUSY No scripts in execution right now.\r\n"}
    assert runner.line().startswith(b"-ERR Script killed by user with SCRIPT KILL... script: ")
    assert (runner.line(), runner.line()) == (b"$9\r\n", b"behind it\r\n")
    first.send("RPUSH", "q", "x")
    assert first.line() == b":1\r\n"
    assert parked.line() in (b"*2\r\n", BUSY)
    assert second.ask("PING") == b"+PONG\r\n"


def test_without_a_limit_no_one_is_told_busy(server: ServerProcess) -> None:
    other, runner = Client(server.port), Client(server.port)
    assert other.ask("CONFIG", "SET", "lua-time-limit", "0") == b"+OK\r\n"
    runner.send("EVAL", "for i = 1, 2e7 do end return 1", "0")
    assert other.ask("PING") == b"+PONG\r\n"
    assert runner.line() == b":1\r\n"


def test_replies_of_the_same_turn_do_not_wait_unless_something_was_written(server: ServerProcess) -> None:
    """A client that asked in the pass of the loop in which a slow script began."""
    reader, runner, other = Client(server.port), Client(server.port), Client(server.port)
    for _ in range(20):
        reader.send("PING")
        runner.send("EVAL", "for i = 1, 1e7 do end return 1", "0")
        assert reader.line() in (b"+PONG\r\n", BUSY)
        while other.ask("PING") == BUSY:
            pass
        assert runner.line() == b":1\r\n"
