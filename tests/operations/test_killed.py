"""kill -9 in the middle of a backup, a restore, a compaction: nothing half-done has a good name, and data are sound."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spoold.core import crashpoints
from spoold.operations.backup import back_up
from spoold.operations.restore import compact, restore
from spoold.operations.verify import verify
from support.room import Room

POINTS = [name for name in crashpoints.NAMES if name.startswith(("backup-", "restore-", "compact-"))]


def spoold(*words: str | Path, crash_at: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SPOOLD_CRASH_AT": crash_at}
    command = [sys.executable, "-m", "spoold", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with Room(tmp_path / "data", "interval") as room:
        room("RPUSH", "q", *range(3000))
        room("DEL", "none")
    return tmp_path / "data"


def has_all(directory: Path) -> bool:
    assert verify(directory).faults == []
    with Room(directory, "interval") as room:
        return room("LLEN", "q") == 3000


def test_every_point_is_walked() -> None:
    assert len(POINTS) == 8


@pytest.mark.parametrize("point", [name for name in POINTS if name.startswith("backup-")])
def test_a_killed_backup_leaves_the_source_and_no_backup(data: Path, tmp_path: Path, point: str) -> None:
    assert spoold("backup", tmp_path / "b", "--data", data, crash_at=point).returncode == -9
    assert not (tmp_path / "b").exists()
    done = spoold("backup", tmp_path / "b", "--data", data)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / ".b.partial").exists()
    restore(tmp_path / "b", tmp_path / "r")
    assert has_all(tmp_path / "r")
    assert has_all(data)


@pytest.mark.parametrize("point", [name for name in POINTS if name.startswith("restore-")])
def test_a_killed_restore_is_done_or_done_again(data: Path, tmp_path: Path, point: str) -> None:
    back_up(data, tmp_path / "b")
    assert spoold("restore", tmp_path / "b", "--data", tmp_path / "r", crash_at=point).returncode == -9
    if not (tmp_path / "r" / "data.mdb").exists():
        done = spoold("restore", tmp_path / "b", "--data", tmp_path / "r")
        assert done.returncode == 0, done.stderr
    assert has_all(tmp_path / "r")


@pytest.mark.parametrize("point", [name for name in POINTS if name.startswith("compact-")])
def test_a_killed_compaction_leaves_the_old_file_or_the_new_one(data: Path, point: str) -> None:
    assert spoold("compact", "--data", data, crash_at=point).returncode == -9
    assert has_all(data)
    compact(data)
    assert has_all(data)
    assert [path.name for path in data.iterdir() if path.name.startswith(".compact")] == []


def test_pages_that_a_killed_reader_held_are_used_again(tmp_path: Path) -> None:
    """Else the data file would grow for ever behind a backup that was killed."""
    with Room(tmp_path / "data", "interval") as room:
        room("SET", "k", "x" * 1_000_000)
        room.commit.checkpoint()
        command = [sys.executable, "-c", _READER, str(tmp_path / "data")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"open\n"
            reader.kill()
        sizes = []
        for number in range(60):
            room("SET", "k", str(number) * 500_000)
            room.commit.checkpoint()
            sizes.append(room.commit.data_bytes)
        assert sizes[-1] == sizes[20]


_READER = """
import sys, time
from pathlib import Path
from spoold.engine.snapshot import Snapshot
snapshot = Snapshot(Path(sys.argv[1]))
print("open", flush=True)
time.sleep(60)
"""
