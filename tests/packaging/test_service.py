"""The systemd unit: sound, hardened, and in step with the program."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from spoold.settings import FIELDS, environment_name, load
from spoold.testing.process import ServerProcess

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "packaging" / "spoold.service"
MOST_EXPOSED = 2.0  # of 10, as `systemd-analyze security` counts


def lines_of(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is here: systemd looks whether it exists."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text().replace("/opt/spoold/bin/spoold", sys.executable))
    return path


def test_systemd_finds_nothing_wrong_with_it(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_counts_it_as_little_exposed(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True)
    exposure = re.search(r"Overall exposure level for spoold.service: ([\d.]+)", done.stdout)
    assert exposure is not None, done.stderr
    assert float(exposure[1]) <= MOST_EXPOSED


def test_its_environment_is_one_that_the_program_takes() -> None:
    given = dict(line.partition("=")[::2] for line in lines_of("Environment"))
    assert given.keys() <= {environment_name(name) for name in FIELDS}
    settings = load({}, given, None)
    assert settings.data == Path("/var/lib") / lines_of("StateDirectory")[0]
    assert settings.redis == ("127.0.0.1:6379", f"unix:/run/{lines_of('RuntimeDirectory')[0]}/spoold.sock")
    assert int(lines_of("LimitNOFILE")[0]) > settings.max_clients
    assert lines_of("ExecStart") == ["/opt/spoold/bin/spoold serve"]


def test_the_supervisor_is_told_when_clients_are_served_and_when_it_ends(tmp_path: Path) -> None:
    assert lines_of("Type") == ["notify"]
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inlet:
        inlet.bind(str(path))
        inlet.settimeout(20)
        with ServerProcess(options=["--memory"], env={"NOTIFY_SOCKET": str(path)}) as server:
            assert inlet.recv(100) == b"READY=1"
            assert server.terminate() == 0
            assert inlet.recv(100) == b"STOPPING=1"


def test_a_supervisor_that_is_gone_does_not_stop_the_server(tmp_path: Path) -> None:
    with ServerProcess(options=["--memory"], env={"NOTIFY_SOCKET": str(tmp_path / "gone")}) as server:
        assert "can't tell the supervisor" in server.stderr_text()
