"""What makes a start impossible is one clear line on standard error and exit code 1; an end in order is exit code 0."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import lmdb
import pytest
from tests.conformance.wire import Link

from spoold.testing.process import LOOPBACK, OTHER_LISTENERS, ServerProcess, free_port


def failed_start(*options: str | Path, env: dict[str, str] | None = None, before: Sequence[str] = ()) -> str:
    """Start a server that must not come up.

    before: a program, with its arguments, that runs the server.
    returns: the line that it printed.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SPOOLD_")}
    others = [word for listener in OTHER_LISTENERS for word in (listener, "off")]
    ended = subprocess.run(
        [*before, sys.executable, "-m", "spoold", "serve", *others, *map(str, options)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**inherited, **(env or {})},
    )
    assert ended.returncode == 1, ended
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("spoold: ")
    return lines[0].removeprefix("spoold: ")


def on(port: int, data: Path) -> tuple[str, ...]:
    """The options of a server that would come up, were it not for the directory."""
    return ("--redis", f"{LOOPBACK}:{port}", "--data", str(data))


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def full_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose data and journal both hold something; its server was killed."""
    data = tmp_path_factory.mktemp("bad-start") / "data"
    with ServerProcess(data, ["--journal-size", "64kb"]) as server, closing(Link(server.port)) as link:
        for number in range(400):
            assert link.call(b"RPUSH", b"q", bytes(1000)).value == b"%d" % (number + 1)
        server.kill()
    return data


@pytest.fixture
def directory(full_directory: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(full_directory, tmp_path / "data")


# -- someone else has it --------------------------------------------------------------------------------------------


def test_a_second_server_on_a_directory_names_the_first(tmp_path: Path, port: int) -> None:
    with ServerProcess(tmp_path / "data") as server, closing(Link(server.port)) as link:
        line = failed_start(*on(port, server.data_dir))
        assert f"data directory {server.data_dir} is in use by another spoold (process {server.pid})" in line
        assert "--data" in line
        assert link.call(b"SET", b"k", b"v").value == b"OK", "the first one goes on"


def test_a_directory_is_free_again_after_a_kill(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server:
        server.kill()
        server.start()


def test_a_taken_port_names_the_listener_and_the_option(tmp_path: Path) -> None:
    with closing(socket.create_server((LOOPBACK, 0))) as taken:
        number = taken.getsockname()[1]
        line = failed_start(*on(number, tmp_path / "data"))
    assert "redis listener" in line
    assert f"{LOOPBACK}:{number}" in line
    assert "address already in use" in line
    assert "--redis" in line


def test_a_taken_port_leaves_the_data_as_it_was(directory: Path) -> None:
    with closing(socket.create_server((LOOPBACK, 0))) as taken:
        failed_start(*on(taken.getsockname()[1], directory), "--log-level", "error")
    with ServerProcess(directory) as server, closing(Link(server.port)) as link:
        assert link.call(b"LLEN", b"q").value == b"400"


# -- the directory can't be used ------------------------------------------------------------------------------------


def test_a_directory_below_a_file_is_refused(tmp_path: Path, port: int) -> None:
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path / "file", tmp_path / "file" / "data"):
        line = failed_start(*on(port, place))
        assert f"data directory {place} is not usable" in line
        assert "--data" in line


def test_an_unwritable_directory_is_refused(tmp_path: Path, port: int) -> None:
    place = tmp_path / "data"
    place.mkdir(mode=0o555)
    before: list[str] = []
    if os.geteuid() == 0:  # root may write anywhere, by a capability that can be given away
        if shutil.which("setpriv") is None:
            pytest.skip("nothing is unwritable for root, and there is no setpriv here")
        before = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    line = failed_start(*on(port, place), before=before)
    assert f"data directory {place} is not usable: Permission denied" in line


def test_a_read_only_data_file_is_refused(directory: Path, port: int) -> None:
    (directory / "data.mdb").unlink()
    (directory / "data.mdb").mkdir()
    assert "data.mdb cannot be opened: " in failed_start(*on(port, directory))


# -- the files are not what they should be --------------------------------------------------------------------------


def change(directory: Path, work: Callable[[lmdb.Transaction], object]) -> None:
    """Change the data file behind the server's back."""
    with lmdb.open(str(directory), max_dbs=4) as environment, environment.begin(write=True) as txn:
        work(txn)


def test_an_unknown_format_names_both_versions(directory: Path, port: int) -> None:
    change(directory, lambda txn: txn.put(b"sformat", (99).to_bytes(4, "little")))
    line = failed_start(*on(port, directory))
    assert "has data format 99, this spoold knows 1" in line


def test_an_unreadable_format_is_unknown(directory: Path, port: int) -> None:
    change(directory, lambda txn: txn.put(b"sformat", b"?"))
    assert "data format -1" in failed_start(*on(port, directory))


@pytest.mark.parametrize("key", [b"sid", b"sturn"])
def test_missing_system_records_are_damage(directory: Path, port: int, key: bytes) -> None:
    change(directory, lambda txn: txn.delete(key))
    assert "lacks its system records: it is damaged" in failed_start(*on(port, directory))
    change(directory, lambda txn: txn.put(key, b"short"))
    assert "lacks its system records: it is damaged" in failed_start(*on(port, directory))


def test_an_environment_of_another_program_is_left_alone(tmp_path: Path, port: int) -> None:
    data = tmp_path / "data"
    data.mkdir()
    change(data, lambda txn: txn.put(b"theirs", b"value"))
    before = (data / "data.mdb").read_bytes()
    assert "an LMDB environment that spoold did not write" in failed_start(*on(port, data))
    assert (data / "data.mdb").read_bytes() == before


def garbage(data: bytes) -> bytes:
    return bytes(range(256)) * (len(data) // 256)


def cut_off_in_the_headers(data: bytes) -> bytes:
    return data[:4096]


def cut_off_behind_the_headers(data: bytes) -> bytes:
    return data[:8192]


def cut_off_in_the_middle(data: bytes) -> bytes:
    return data[: len(data) // 2]


def zeros_behind_the_headers(data: bytes) -> bytes:
    return data[:8192] + bytes(len(data) - 8192)


def wild_headers(data: bytes) -> bytes:
    return data[:40] + b"\xff" * 200 + data[240 : 4096 + 40] + b"\xff" * 200 + data[4096 + 240 :]


@pytest.mark.parametrize(
    "damage",
    [
        garbage,
        cut_off_in_the_headers,
        cut_off_behind_the_headers,
        cut_off_in_the_middle,
        zeros_behind_the_headers,
        wild_headers,
    ],
)
def test_a_damaged_data_file_is_one_line(directory: Path, port: int, damage: Callable[[bytes], bytes]) -> None:
    path = directory / "data.mdb"
    path.write_bytes(damage(path.read_bytes()))
    assert "data.mdb" in failed_start(*on(port, directory))


def test_an_emptied_data_file_does_not_take_over_the_journal(directory: Path, port: int) -> None:
    (directory / "data.mdb").write_bytes(b"")
    assert "belongs to another database than data.mdb beside it" in failed_start(*on(port, directory))


def test_a_journal_that_does_not_follow_the_data_is_refused(directory: Path, port: int) -> None:
    change(directory, lambda txn: txn.put(b"sturn", (1).to_bytes(8, "little")))
    line = failed_start(*on(port, directory))
    assert "but the data ends at turn 1: the two do not belong together; restore both from one backup" in line


def test_a_journal_that_can_not_be_opened_is_one_line(directory: Path, port: int) -> None:
    (directory / "journal.1").unlink()
    (directory / "journal.1").mkdir()
    assert "cannot be written" in failed_start(*on(port, directory))


# -- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--max-clients", "many"], ["--max-clients", "'many'"]),
        (["--max-clients", "-1"], ["--max-clients", "'-1'"]),
        (["--idle-timeout", "soon"], ["--idle-timeout", "'soon'"]),
        (["--idle-timeout", "nan"], ["--idle-timeout", "'nan'"]),
        (["--journal-size", "1 parsec"], ["--journal-size", "64mb"]),
        (["--durability", "perhaps"], ["--durability", "always", "interval"]),
        (["--log-level", "loud"], ["--log-level", "warning"]),
        (["--log-file", "/nonexistent/log"], ["--log-file", "No such file"]),
        (["--redis", "nowhere"], ["--redis nowhere", "[HOST:]PORT, unix:PATH or off"]),
        (["--redis", "127.0.0.1:99999"], ["--redis 127.0.0.1:99999"]),
        (["--redis", "no.such.host.invalid:7000"], ["--redis no.such.host.invalid:7000", "password"]),
        (
            ["--password", "secret", "--redis", "no.such.host.invalid:7000"],
            ["redis listener", "no.such.host.invalid:7000", "--redis"],
        ),
        (["--redis", "0.0.0.0:7000"], ["--redis 0.0.0.0:7000", "SPOOLD_PASSWORD"]),
        (["--redis", "unix:/nonexistent/socket"], ["redis listener", "unix:/nonexistent/socket", "--redis"]),
        (["--redis", "off"], ["every listener is off"]),
        (["--config", "/nonexistent/spoold.toml"], ["/nonexistent/spoold.toml", "No such file"]),
    ],
)
def test_a_bad_option_is_named(tmp_path: Path, options: list[str], expected: list[str]) -> None:
    line = failed_start("--data", tmp_path / "data", *options)
    for part in expected:
        assert part in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max-clients = 'many'", ["max-clients", "'many'"]),
        ("max-customers = 5", ["no option 'max-customers'"]),
        ("max-clients =", ["Invalid value"]),
        ("durability = 'perhaps'", ["durability", "perhaps"]),
    ],
)
def test_a_bad_configuration_file_is_named(tmp_path: Path, text: str, expected: list[str]) -> None:
    path = tmp_path / "spoold.toml"
    path.write_text(text)
    for options, env in ((["--config", path], None), ([], {"SPOOLD_CONFIG": str(path)})):
        line = failed_start("--data", tmp_path / "data", *options, env=env)
        for part in (str(path), *expected):
            assert part in line


def test_a_bad_environment_variable_is_named(tmp_path: Path) -> None:
    line = failed_start("--data", tmp_path / "data", env={"SPOOLD_MAX_CLIENTS": "many"})
    assert "SPOOLD_MAX_CLIENTS: 'many'" in line


def test_nothing_is_left_behind_by_a_start_that_failed(tmp_path: Path) -> None:
    failed_start("--data", tmp_path / "data", "--redis", "nowhere")
    failed_start("--memory", "--redis", "unix:/nonexistent/socket")
    assert not (tmp_path / "data").exists()


# -- an end in order ------------------------------------------------------------------------------------------------


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with a write that no checkpoint has moved yet, and a client that is connected."""
    with ServerProcess(tmp_path / "data") as server, closing(Link(server.port)) as link:
        assert link.call(b"RPUSH", b"q", b"a", b"b").value == b"2"
        link.send(b"BLPOP", b"nothing", b"0")
        yield server


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(busy: ServerProcess, number: signal.Signals) -> None:
    os.kill(busy.pid, number)
    assert busy.wait() == 0
    assert busy.stderr_text() == ""
    busy.start()
    assert "recovered" not in busy.stderr_text(), "the checkpoint at the end left nothing to replay"
    with closing(Link(busy.port)) as link:
        assert link.call(b"LLEN", b"q").value == b"2"


def test_a_killed_one_says_what_it_recovered(busy: ServerProcess) -> None:
    busy.kill()
    busy.start()
    assert "recovered 1 turns from the journal" in busy.stderr_text()


def test_signals_that_come_again_and_again_change_nothing(busy: ServerProcess) -> None:
    for _ in range(20):
        os.kill(busy.pid, signal.SIGTERM)
        os.kill(busy.pid, signal.SIGINT)
    assert busy.wait() == 0
    assert "Traceback" not in busy.stderr_text()
