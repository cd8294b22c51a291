"""`spoold backup`, `restore`, `verify`, `compact`, `dump`, `load`, `import`, `export` as people type them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.operations.damage import opened

from spoold.client.redis import Client
from spoold.testing.process import ServerProcess, free_port

Run = Callable[..., Result]


def test_a_server_is_backed_up_by_its_address_and_restored(
    at: Run, told: Callable[..., Any], client: Client, tmp_path: Path
) -> None:
    client.call("RPUSH", "q", "a", "b")
    assert "up to turn" in at("backup", tmp_path / "b").output
    again = at("backup", tmp_path / "b")
    assert (again.exit_code, again.output.startswith("spoold: ")) == (1, True)
    assert at("restore", tmp_path / "b", "--data", tmp_path / "r").exit_code == 0
    assert at("verify", "--data", tmp_path / "r").output == "1 keys, 2 elements, 0 leases: no fault\n"
    assert told("verify")["sound"]
    assert told("compact", "--data", tmp_path / "r")["after"] > 0
    assert "is not empty" in at("restore", tmp_path / "b", "--data", tmp_path / "r").output


def test_what_needs_the_directory_for_itself_is_refused_beside_a_server(
    at: Run, spoold_server: ServerProcess, tmp_path: Path
) -> None:
    (tmp_path / "lines").write_text("")
    for words in (
        ("compact", "--data", spoold_server.data_dir),
        ("verify", "--repair"),
        ("load", "--data", spoold_server.data_dir),
    ):
        result = at(*words, input="")
        assert result.exit_code == 1
        assert f"in use by another spoold (process {spoold_server.pid})" in result.output


def test_verify_tells_and_repairs(run: Run, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server, Client(port=server.port) as client:
        client.call("HSET", "h", "f", "v")
    with opened(tmp_path / "data") as raw:
        record = raw.record(b"h")
        record.fields = 5  # type: ignore[attr-defined]
        raw.write(b"h", record)
    found = run("verify", "--data", tmp_path / "data")
    assert found.exit_code == 1
    assert found.output.splitlines() == [
        "db0 'h': counts 5 fields, and has 1 (--repair mends it)",
        "1 keys, 1 elements, 0 leases: 1 faults",
    ]
    repaired = run("verify", "--repair", "--data", tmp_path / "data")
    assert (repaired.exit_code, "(mended)" in repaired.output) == (0, True)
    assert json.loads(run("verify", "--json", "--data", tmp_path / "data").stdout)["faults"] == []


def test_a_dump_goes_through_a_pipe_or_a_file(at: Run, client: Client, tmp_path: Path) -> None:
    client.call("RPUSH", "q", "a", b"\xff")
    piped = at("dump")
    assert json.loads(piped.stdout.splitlines()[-1]) == {"end": True, "keys": 1}
    assert at("dump", tmp_path / "file").exit_code == 0
    assert "exists already" in at("dump", tmp_path / "file").output
    assert at("load", tmp_path / "file", "--data", tmp_path / "one").output == "1 keys\n"
    assert at("load", "--data", tmp_path / "two", input=piped.stdout).output == "1 keys\n"
    assert "see --replace and --skip" in at("load", tmp_path / "file", "--data", tmp_path / "one").output
    assert "1 skipped" in at("load", "--skip", tmp_path / "file", "--data", tmp_path / "one").output
    text = (tmp_path / "file").read_text()
    (tmp_path / "half").write_text(text[: text.rindex('{"end"')])
    assert "is not whole" in at("load", tmp_path / "half", "--data", tmp_path / "three").output
    assert not (tmp_path / "three").exists()


@pytest.mark.parametrize("words", [("backup", "b"), ("verify",), ("dump",)])
def test_without_a_server_and_a_directory_there_is_one_line(
    run: Run, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*words, "--url", f"redis://127.0.0.1:{free_port()}")
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "--data" in result.output
    elsewhere = run(*words, "--url", "redis://192.0.2.1")
    assert "is another machine" in elsewhere.output


def test_a_server_in_memory_has_no_directory(run: Run, tmp_path: Path) -> None:
    with ServerProcess(options=("--memory",)) as server:
        assert "in memory only" in run("backup", tmp_path / "b", "--url", server.url).output


@pytest.mark.needs_redis
def test_a_redis_moves_in_and_out(
    at: Run,
    told: Callable[..., Any],
    client: Client,
    redis_server: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with Client(port=redis_server.port) as redis, Client(port=redis_server.port, db=3) as other:
        redis.call("FLUSHALL")
        redis.call("RPUSH", "q", "a", "b")
        redis.call("SET", "k", "v", "EX", 1000)
        other.call("SADD", "s", "m")
        source = redis_server.url + "/0"
        assert at("import", source).output == "2 keys copied, 2 compared: no differences\n"
        assert client.call("LRANGE", "q", 0, -1) == [b"a", b"b"]
        refused = at("import", source)
        assert (refused.exit_code, "holds 2 keys: empty it, or give --replace" in refused.output) == (1, True)
        assert told("import", redis_server.url, "--all-databases", "--replace")["copied"] == 3
        redis.call("FLUSHALL")
        assert told("export", source)["differences"] == 0
        assert redis.call("LRANGE", "q", 0, -1) == [b"a", b"b"]
        redis.call("FLUSHALL")
    assert list(tmp_path.glob("*.state")) == []
    assert at("import", "http://x").exit_code == 2
    assert at("import", f"redis://127.0.0.1:{free_port()}").exit_code == 3
