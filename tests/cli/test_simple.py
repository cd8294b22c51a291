"""`spoold simple`: the old server's options, and what they do here."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from spoold.cli.main import main
from spoold.protocol.simple import encode
from spoold.simple import Client, CommandError
from spoold.testing.process import LOOPBACK, ManagedProcess, ServerProcess


class SimpleServer(ManagedProcess):
    """`spoold simple` with the given options, in a directory of its own."""

    name = "spoold simple"

    def __init__(self, *options: str) -> None:
        """options: beside the port."""
        super().__init__()
        self.options = options

    def command(self) -> list[str]:
        """Build the command."""
        return [sys.executable, "-m", "spoold", "simple", "-p", str(self.port), *self._data(), *self.options]

    def _data(self) -> list[str]:
        return [] if "--memory" in self.options else ["--data", str(self.home / "data")]

    def environment(self) -> dict[str, str]:
        """Settings of the developer's own server are left out."""
        return {name: value for name, value in super().environment().items() if not name.startswith("SPOOLD_")}

    def is_ready_answer(self, answer: bytes) -> bool:
        """The simple protocol has no PING: it says so."""
        return answer.startswith(b"-unrecognized command: PING")


def test_only_the_simple_listener_is_open() -> None:
    with SimpleServer() as server:
        with Client(port=server.port) as client:
            assert client.enqueue("q", 1) == 1
        assert f"simple      127.0.0.1:{server.port}" in server.stdout_text()
        for other in ("redis", "memcached"):
            assert other not in server.stdout_text()
        assert server.terminate() == 0


def test_all_options_of_the_old_server_are_taken(tmp_path: Path) -> None:
    log = tmp_path / "simple.log"
    with SimpleServer("-d", "-t", "-H", "localhost", "-m", "2", "-l", str(log)) as server:
        assert "one event loop serves all clients" in server.stderr_text()
        assert log.exists()
        with Client(port=server.port) as first, Client(port=server.port) as second:
            first.get("k")
            second.get("k")
            with socket.create_connection((LOOPBACK, server.port), 10) as third:
                assert third.recv(100) == b"-max number of clients reached\r\n"
                assert third.recv(100) == b""


def test_long_names_of_the_options_are_taken_too(tmp_path: Path) -> None:
    log = str(tmp_path / "simple.log")
    options = ("--errors", "--use-threads", "--host", LOOPBACK, "--max-clients", "5", "--log-file", log, "--memory")
    with SimpleServer(*options) as server, Client(port=server.port) as client:
        assert client.set("k", 1) == 1
        with pytest.raises(CommandError):
            client.execute("NONE")


def test_shutdown_ends_it_and_the_data_is_kept() -> None:
    with SimpleServer() as server:
        with Client(port=server.port) as client:
            client.set("k", [1.5])
            assert client.shutdown() == 1
        assert server.wait() == 0
        server.start()
        with Client(port=server.port) as client:
            assert client.get("k") == [1.5]


def test_other_listeners_stay_off_whatever_the_environment_says() -> None:
    server = SimpleServer("--memory")
    server._env["SPOOLD_REDIS"] = "127.0.0.1:1"
    with server, Client(port=server.port) as client:
        assert client.set("k", 1) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104
def test_an_address_that_others_can_reach_is_refused(tmp_path: Path, host: str) -> None:
    command = [sys.executable, "-m", "spoold", "simple", "-H", host, "--data", str(tmp_path / "data")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "can be reached from other machines, and the simple protocol has no passwords" in ended.stderr
    assert not (tmp_path / "data").exists()


def test_the_listener_beside_others_is_refused_there_too_even_with_a_password(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "spoold", "serve", "--simple", "0.0.0.0:31337", "--password", "secret"]
    ended = subprocess.run([*command, "--data", str(tmp_path / "data")], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert "--simple 0.0.0.0:31337 can be reached from other machines" in ended.stderr


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "spoold", "simple", "-p", str(port), "--memory"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"the simple listener can't open 127.0.0.1:{port}" in ended.stderr


def test_a_unix_socket_serves_it_too(tmp_path: Path) -> None:
    path = tmp_path / "simple.sock"
    with ServerProcess(options=("--memory", "--simple", f"unix:{path}")) as server:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(encode(["SHUTDOWN"]))
            assert connection.recv(100) == b":1\r\n"
        assert server.wait() == 0


def test_help_explains_the_option_for_threads() -> None:
    text = CliRunner().invoke(main, ["simple", "--help"]).output
    for option in ("-d, --debug", "-e, --errors", "-t, --use-threads", "-H, --host", "-m, --max-clients", "-p, --port"):
        assert option in text
    assert "-l, --log-file" in text
    assert "one event loop serves all clients" in " ".join(text.split())
