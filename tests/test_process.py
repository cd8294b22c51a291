"""The helpers that start servers: ready when they say so, gone when they say so, and honest when a start fails."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import redis

from spoold.testing import process as process_module
from spoold.testing.process import (
    LOOPBACK,
    ManagedProcess,
    ProcessError,
    RealRedis,
    ServerProcess,
    StartFailed,
    free_port,
    redis_server_path,
)

# Answers each connection's first bytes with the given reply; argv: port, reply, what to do at SIGTERM.
PLAYER = """
import signal, socket, sys
port, reply, at_term = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3]
if at_term == "ignore":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("listening soon")
print("a word of warning", file=sys.stderr, flush=True)
listener = socket.create_server(("127.0.0.1", port))
while True:
    connection, _ = listener.accept()
    with connection:
        connection.recv(100)
        connection.sendall(reply + b"\\r\\n")
"""


class Player(ManagedProcess):
    """A stand-in that answers whatever the test wants."""

    name = "player"

    def __init__(
        self,
        reply: str = "+PONG",
        at_term: str = "end",
        program: str = PLAYER,
        port: int | None = None,
        ready_timeout_s: float = process_module.READY_TIMEOUT_S,
    ) -> None:
        super().__init__(port=port, ready_timeout_s=ready_timeout_s)
        self.program, self.reply, self.at_term = program, reply, at_term

    def command(self) -> list[str]:
        return [sys.executable, "-c", self.program, str(self.port), self.reply, self.at_term]


def is_alive(pid: int) -> bool:
    return bool(psutil.pid_exists(pid))


def test_a_started_process_answers_and_is_gone_with_its_files_after_the_block() -> None:
    with Player() as player:
        home, pid = player.home, player.pid
        assert is_alive(pid)
        assert home.is_dir()
        with socket.create_connection((LOOPBACK, player.port), 5) as connection:
            connection.sendall(b"x")
            assert connection.recv(100) == b"+PONG\r\n"
    assert not is_alive(pid)
    assert not home.exists()


def test_a_server_that_asks_for_a_password_is_ready() -> None:
    with Player("-NOAUTH Authentication required.") as player:
        assert player.is_running


def test_a_process_that_ends_early_is_reported_with_its_code_and_what_it_printed() -> None:
    dies = Player(program="import sys; print('why it died', file=sys.stderr); sys.exit(3)")
    with pytest.raises(StartFailed, match="why it died") as failure, dies:
        pass
    assert failure.value.returncode == 3
    assert failure.value.stderr == "why it died\n"
    assert not dies.is_running


def test_a_process_that_is_never_ready_is_killed_at_the_deadline() -> None:
    loading = Player("-LOADING the dataset", ready_timeout_s=0.5)
    with pytest.raises(StartFailed, match="did not answer within") as failure:
        loading.start()
    assert failure.value.returncode is None
    assert "a word of warning" in failure.value.stderr
    assert not is_alive(loading.pid)
    loading.close()


def test_an_answer_from_somebody_else_on_the_port_does_not_count() -> None:
    with Player() as somebody:
        loser = Player(port=somebody.port)
        with pytest.raises(StartFailed, match="Address already in use"), loser:
            pass
        assert somebody.is_running


def test_a_port_lost_to_somebody_else_is_chosen_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    with Player() as somebody:
        choices = iter([somebody.port, free_port()])
        monkeypatch.setattr(process_module, "free_port", lambda: next(choices))
        with Player() as second_try:
            assert second_try.port != somebody.port
            assert second_try.is_running


def test_kill_ends_it_with_sigkill_and_restart_keeps_the_port() -> None:
    with Player() as player:
        port, pid = player.port, player.pid
        player.kill()
        assert player.returncode == -signal.SIGKILL
        player.restart()
        assert player.port == port
        assert player.pid != pid
        assert player.stderr_text().count("a word of warning") == 2


def test_restart_ends_a_running_process_first() -> None:
    with Player() as player:
        pid = player.pid
        player.restart()
        assert not is_alive(pid)
        assert player.is_running


def test_terminate_returns_the_exit_code() -> None:
    with Player() as player:
        assert player.terminate() == -signal.SIGTERM


def test_a_process_that_ignores_sigterm_is_killed_and_reported() -> None:
    with Player(at_term="ignore") as player:
        with pytest.raises(ProcessError, match="ignored SIGTERM"):
            player.terminate(timeout_s=0.3)
        assert player.returncode == -signal.SIGKILL


def test_a_stopped_process_does_not_outlive_its_block() -> None:
    with Player() as player:
        pid = player.pid
        os.kill(pid, signal.SIGSTOP)
    assert not is_alive(pid)


def test_wait_reports_a_process_that_goes_on() -> None:
    with Player() as player:
        with pytest.raises(ProcessError, match="still runs"):
            player.wait(timeout_s=0.05)
        os.kill(player.pid, signal.SIGTERM)
        assert player.wait() == -signal.SIGTERM


def test_nothing_can_be_asked_of_a_process_that_never_started() -> None:
    player = Player()
    with pytest.raises(ProcessError, match="not started"):
        _ = player.port
    with pytest.raises(ProcessError, match="not started"):
        _ = player.pid
    assert player.stderr_text() == ""
    player.close()
    player.close()


def test_a_running_process_is_not_started_twice() -> None:
    with Player() as player, pytest.raises(ProcessError, match="runs already"):
        player.start()


def test_a_port_is_told_once_while_it_is_not_bound_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "PORT_RANGE", range(20_000, 20_020))
    mine: list[int] = []
    with pytest.raises(ProcessError, match="no free port"):
        mine.extend(iter(free_port, 0))
    assert len(set(mine)) == len(mine) > 0
    program = f"from spoold.testing import process; process.PORT_RANGE = {mine}[:1]; print(process.free_port())"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert other.returncode, "another process is not told them either"
    assert not other.stdout


def test_free_ports_can_be_bound() -> None:
    with socket.create_server((LOOPBACK, free_port())) as listener:
        assert listener.getsockname()[1] in process_module.PORT_RANGE


def test_the_command_of_spoold_names_listener_and_data() -> None:
    server = ServerProcess("some/where", ["--durability", "interval", "--simple", "7001"], port=7000)
    quiet = [word for option in process_module.OTHER_LISTENERS if option != "--simple" for word in (option, "off")]
    assert server.command() == [
        *(sys.executable, "-m", "spoold", "serve", "--redis", "127.0.0.1:7000"),
        *quiet,
        *("--data", str(Path("some/where")), "--durability", "interval", "--simple", "7001"),
    ]
    assert "--data" not in ServerProcess(options=["--memory"], port=7000).command()


def test_only_the_redis_listener_is_open_unless_asked() -> None:
    assert "--simple" in ServerProcess(port=7000).command()
    assert "--simple" not in ServerProcess(port=7000, env={"SPOOLD_SIMPLE": "7001"}).command()


def test_settings_of_the_developers_own_server_do_not_reach_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOOLD_DATA", "precious")
    monkeypatch.setenv("SPOOLD_REDIS", "6379")
    environment = ServerProcess(env={"SPOOLD_REDIS": "7000", "HOME": None}).environment()
    assert "SPOOLD_DATA" not in environment
    assert environment["SPOOLD_REDIS"] == "7000"
    assert "HOME" not in environment


def test_spoold_serves_and_keeps_its_data_over_a_kill(spoold_server: ServerProcess) -> None:
    with redis.Redis.from_url(spoold_server.url) as client:
        assert client.info("server")["process_id"] == spoold_server.pid
        assert client.rpush("q", "a", "b") == 2
    spoold_server.kill()
    spoold_server.restart()
    with redis.Redis.from_url(spoold_server.url) as client:
        assert client.lrange("q", 0, -1) == [b"a", b"b"]
    assert spoold_server.terminate() == 0
    assert str(spoold_server.port) in spoold_server.stdout_text()


def test_spoold_in_memory_leaves_nothing() -> None:
    with ServerProcess(options=["--memory"]) as server:
        home = server.home
        assert not server.data_dir.exists()
        with redis.Redis.from_url(server.url) as client:
            assert client.set("k", "v") is True
    assert not home.exists()


def test_data_that_the_caller_placed_stays(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data"):
        pass
    assert (tmp_path / "data").is_dir()


def test_a_second_spoold_on_one_directory_fails_with_what_it_said(spoold_server: ServerProcess) -> None:
    with pytest.raises(StartFailed) as failure, ServerProcess(spoold_server.data_dir):
        pass
    assert failure.value.returncode == 1
    assert failure.value.stderr.startswith("spoold: ")
    assert failure.value.stderr.count("\n") == 1


@pytest.mark.needs_redis
def test_a_real_redis_serves_and_leaves_nothing(redis_server: RealRedis) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        assert client.rpush("q", "a", "b") == 2
        assert client.config_get("save") == {"save": ""}
        assert client.info("server")["process_id"] == redis_server.pid


@pytest.mark.needs_redis
def test_a_real_redis_takes_configuration_and_keeps_its_data_over_a_kill(redis_server: RealRedis) -> None:
    with RealRedis({"appendonly": "yes", "appendfsync": "always"}) as durable:
        home = durable.home
        with redis.Redis.from_url(durable.url) as client:
            client.set("k", "kept")
        durable.kill()
        durable.restart()
        with redis.Redis.from_url(durable.url) as client:
            assert client.get("k") == b"kept"
    assert not home.exists()


def test_a_missing_redis_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert redis_server_path() is None
    with pytest.raises(ProcessError, match="redis-server is not installed"), RealRedis():
        pass


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 error"), ("", "1 skipped"), ("false", "1 skipped")])
def test_a_missing_redis_skips_here_and_fails_in_ci(ci: str, outcome: str) -> None:
    """The fixture is run by a pytest of its own that finds no programs."""
    test = f"{__file__}::test_a_real_redis_serves_and_leaves_nothing"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        env={**os.environ, "PATH": "", "CI": ci},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert outcome in run.stdout, run.stdout
    assert "redis-server is not installed" in run.stdout
