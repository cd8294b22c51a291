"""`spoold status`, `clients`, `config`, `monitor`, `top`, `bench`, `completion`; a server that is not there."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from spoold.client.redis import Client
from spoold.testing.process import ServerProcess, free_port

Run = Callable[..., Result]


def test_status_tells_how_it_is(at: Run, told: Callable[..., Any], client: Client) -> None:
    client.call("RPUSH", "q", *range(7))
    client.call("XADD", "x", "1-0", "f", "v")
    client.call("SET", "k", "v", "EX", 100)
    found = told("status")
    assert found["healthy"]
    assert (found["keys"], found["keys_expiring"], found["queues"], found["items"]) == (3, 1, 2, 8)
    assert found["durability"] == "always"
    assert found["oldest_item_s"] > 1e9
    lines = dict(line.split(None, 1) for line in at("status").output.splitlines())
    assert lines["health"] == "ok: takes reads and writes"
    assert lines["queues"] == "2 with 8 items, 0 leases"


def test_clients_are_listed(at: Run, told: Callable[..., Any], client: Client) -> None:
    client.call("CLIENT", "SETNAME", "tester")
    assert {each["name"] for each in told("clients")} == {"tester", "spoold-cli"}
    assert "tester" in at("clients").output


def test_config_is_read_and_set(at: Run, told: Callable[..., Any]) -> None:
    assert told("config", "get", "maxclients") == {"maxclients": "10000"}
    assert at("config", "set", "maxclients", "77").output == "maxclients is 77\n"
    assert at("config", "get", "maxclients").output == "maxclients  77\n"
    assert "timeout" in told("config", "get")
    assert at("config", "get", "nothing*").exit_code == 1
    bad = at("config", "set", "maxclients", "x")
    assert (bad.exit_code, bad.output.startswith("spoold: ERR")) == (1, True)


def test_top_writes_one_document_a_look_when_it_is_piped(at: Run, client: Client) -> None:
    client.call("RPUSH", "q", "x")
    lines = at("top", "--count", 2, "--interval", 0.1).output.splitlines()
    assert [json.loads(line)["top"][0]["name"] for line in lines] == ["q", "q"]


def test_monitor_shows_commands_as_they_run(spoold_server: ServerProcess, client: Client) -> None:
    command = [sys.executable, "-m", "spoold", "monitor", "--json", "--url", spoold_server.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        stop = threading.Event()

        def talk() -> None:
            while not stop.wait(0.02):
                client.call("SET", "key", "a value")

        talker = threading.Thread(target=talk)
        talker.start()
        try:
            assert process.stdout is not None
            line = json.loads(process.stdout.readline())
        finally:
            stop.set()
            talker.join()
            process.terminate()
    assert (line["db"], line["command"]) == (0, '"SET" "key" "a value"')


def test_bench_measures_and_cleans_up(at: Run, told: Callable[..., Any], client: Client) -> None:
    found = told("bench", "-n", 200, "-c", 3, "-P", 4)
    assert [each["test"] for each in found] == ["ping", "set", "get", "push", "pop"]
    assert all(each["requests"] == 200 and each["requests_per_s"] > 0 for each in found)
    assert at("bench", "zadd", "xadd", "hset", "incr", "-n", 10).output.splitlines()[1].split()[0] == "test"
    assert client.call("DBSIZE") == 0


def test_bench_tells_what_a_server_refuses(tmp_path: Path, run: Run) -> None:
    with ServerProcess(tmp_path / "data", ("--max-value", "1mb")) as server:
        refused = run("bench", "set", "-n", 2, "-d", 2 * 1024 * 1024, "--url", server.url)
    assert refused.exit_code in (1, 3)
    assert refused.output.startswith("spoold: ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_written_for_each_shell(run: Run, shell: str) -> None:
    assert "_SPOOLD_COMPLETE" in run("completion", shell).output


ASKING = [
    ("status",),
    ("queues",),
    ("peek", "q"),
    ("push", "q", "x"),
    ("pop", "q"),
    ("move", "a", "b"),
    ("purge", "q", "-y"),
    ("leases",),
    ("top",),
    ("monitor",),
    ("clients",),
    ("config", "get"),
    ("config", "set", "a", "b"),
    ("bench",),
]


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_a_server_that_is_not_there_is_one_line(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words, "--url", f"redis://127.0.0.1:{free_port()}")
    assert result.exit_code == 3
    assert result.output.count("\n") == 1
    assert "can't connect" in result.output
    assert "spoold serve" in result.output


@pytest.mark.parametrize("url", ["http://x", "redis://h:port", "redis://h/x", "nonsense"])
def test_what_is_no_address_is_refused(run: Run, url: str) -> None:
    result = run("status", "--url", url)
    assert result.exit_code == 2
    assert "--url" in result.output


def test_passwords(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with ServerProcess(tmp_path / "data", ("--password", "secret")) as server:
        none = run("status", "--url", server.url)
        assert (none.exit_code, none.output.count("\n")) == (4, 1)
        assert "SPOOLD_PASSWORD" in none.output
        wrong = run("status", "--url", f"redis://:wrong@127.0.0.1:{server.port}")
        assert (wrong.exit_code, "WRONGPASS" in wrong.output) == (4, True)
        assert run("status", "--url", f"redis://:secret@127.0.0.1:{server.port}").exit_code == 0
        assert run("bench", "ping", "-n", 10, "--url", f"redis://:secret@127.0.0.1:{server.port}").exit_code == 0
        monkeypatch.setenv("SPOOLD_PASSWORD", "secret")
        assert run("status", "--url", server.url).exit_code == 0
        monkeypatch.delenv("SPOOLD_PASSWORD")
        # As in a container that is given its password in a file: its health check must not fail for that.
        (tmp_path / "spoold.toml").write_text('password = "secret"\n')
        monkeypatch.setenv("SPOOLD_CONFIG", str(tmp_path / "spoold.toml"))
        assert run("status", "--url", server.url).exit_code == 0
        monkeypatch.setenv("SPOOLD_CONFIG", str(tmp_path / "nothing.toml"))
        assert run("status", "--url", server.url).exit_code == 4


def test_a_redis_that_is_no_spoold_is_told(run: Run, redis_server: Any) -> None:
    result = run("queues", "--url", redis_server.url)
    assert result.exit_code == 1
    assert result.stderr.startswith("spoold: the server at --url is no spoold")
