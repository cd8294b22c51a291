"""Backups: taken beside a server under full load, they hold what was acknowledged before they began."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spoold.core.errors import EngineError
from spoold.engine.snapshot import Snapshot
from spoold.operations.backup import LABEL, back_up, read_label
from spoold.operations.files import OperationError
from spoold.operations.restore import compact, restore
from spoold.operations.verify import verify
from spoold.testing.process import ServerProcess
from support.room import Room

redis = pytest.importorskip("redis")


class Load:
    """Pushes numbers to the tail of a list and takes them from its head, as fast as it can.

    pushed, taken: of which numbers that was acknowledged.
    """

    def __init__(self, port: int, key: str, *, takes: bool) -> None:
        self._client = redis.Redis(port=port)
        self._key = key
        self._takes = takes
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.pushed = 0
        self.taken = 0
        self.asked = 0

    def _run(self) -> None:
        while not self._stopping.is_set():
            pipe = self._client.pipeline(transaction=False)
            pipe.rpush(self._key, *(b"%d" % number for number in range(self.pushed, self.pushed + 50)))
            if self._takes:
                self.asked = self.taken + 49
                pipe.lpop(self._key, 49)
            pipe.execute()
            self.pushed += 50
            self.taken = self.asked

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._client.close()

    def wait_for(self, pushed: int) -> None:
        while self.pushed < pushed:
            assert self._thread.is_alive()


@pytest.fixture
def loads(spoold_server: ServerProcess) -> Iterator[list[Load]]:
    with Load(spoold_server.port, "kept", takes=False) as one, Load(spoold_server.port, "drained", takes=True) as other:
        yield [one, other]


def content(directory: Path) -> dict[str, list[int]]:
    with Room(directory, "interval") as room:
        return {name: [int(item) for item in room("LRANGE", name, 0, -1)] for name in ("kept", "drained")}


@pytest.mark.parametrize("place", ["backup", "snapshot"])
def test_it_holds_what_was_acknowledged_before_it_began(
    spoold_server: ServerProcess, loads: list[Load], tmp_path: Path, place: str
) -> None:
    kept, drained = loads
    for attempt in range(4):
        kept.wait_for(kept.pushed + 2000)
        before = kept.pushed, drained.pushed, drained.taken
        if place == "snapshot":
            with Snapshot(spoold_server.data_dir) as snapshot:
                after = kept.pushed
                assert before[0] <= sum(1 for _ in snapshot.pairs(b"e", b"f")) <= after + drained.pushed + 100
            continue
        label = back_up(spoold_server.data_dir, tmp_path / f"b{attempt}")
        after = kept.pushed + 50
        assert label.turn > 0
        restore(tmp_path / f"b{attempt}", tmp_path / f"r{attempt}")
        assert verify(tmp_path / f"r{attempt}").faults == []
        found = content(tmp_path / f"r{attempt}")
        assert found["kept"] == list(range(len(found["kept"])))  # whole commands, in their order
        assert before[0] <= len(found["kept"]) <= after
        numbers = found["drained"]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert before[1] <= numbers[-1] + 1
        assert before[2] <= numbers[0]
    assert verify(spoold_server.data_dir).faults == []


def test_a_backup_of_a_killed_server_has_what_its_journal_has(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server, redis.Redis(port=server.port) as client:
        client.rpush("q", *range(1000))
        server.kill()
        back_up(tmp_path / "data", tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "restored")
    with Room(tmp_path / "restored", "interval") as room:
        assert room("LLEN", "q") == 1000


def test_a_restored_directory_is_served_and_goes_on(spoold_server: ServerProcess, tmp_path: Path) -> None:
    with redis.Redis(port=spoold_server.port) as client:
        client.rpush("q", "a")
        back_up(spoold_server.data_dir, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "restored")
    with ServerProcess(tmp_path / "restored") as server, redis.Redis(port=server.port) as client:
        client.rpush("q", "b")
        server.kill()
        server.start()
        assert client.lrange("q", 0, -1) == [b"a", b"b"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with Room(tmp_path / "data", "interval") as room:
        for number in range(2000):
            room("SET", f"k{number}", "x" * 200)
        room.commit.checkpoint()
        for number in range(1900):
            room("DEL", f"k{number}")
    return tmp_path / "data"


def test_nothing_is_overwritten(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    target.mkdir()
    with pytest.raises(OperationError, match="exists already"):
        back_up(data, target)
    target.rmdir()
    back_up(data, target)
    before = (target / "data.mdb").read_bytes()
    with pytest.raises(OperationError, match="exists already"):
        back_up(data, target)
    assert (target / "data.mdb").read_bytes() == before
    assert sorted(path.name for path in target.iterdir()) == ["data.mdb", LABEL]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_is_no_data_directory_is_refused(tmp_path: Path, data: Path) -> None:
    with pytest.raises(EngineError, match=r"is no data directory of spoold"):
        back_up(tmp_path / "none", tmp_path / "backup")
    with pytest.raises(OperationError, match="does not exist: make the directory"):
        back_up(data, tmp_path / "no" / "such" / "place")
    (data / "data.mdb").write_bytes(b"x" * 10_000)
    with pytest.raises(EngineError, match="cannot be read"):
        back_up(data, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("pages", [2, 3, 4, 6, 10, 20])
def test_a_file_that_was_cut_off_is_damaged_and_kills_no_one(data: Path, tmp_path: Path, pages: int) -> None:
    with Room(data, "interval") as room:
        for number in range(500):
            room("SET", f"k{number}", "x" * 200)
    compact(data)
    with open(data / "data.mdb", "r+b") as file:
        file.truncate(pages * 4096)
    with pytest.raises(EngineError, match=r"damaged|not usable|cannot be"):
        back_up(data, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
    with pytest.raises(EngineError, match=r"damaged|not usable|cannot be"):
        verify(data)


def test_a_restore_needs_an_empty_directory_and_a_whole_backup(data: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    back_up(data, backup)
    with pytest.raises(OperationError, match="is not empty"):
        restore(backup, data)
    with pytest.raises(OperationError, match="is no backup"):
        restore(data, tmp_path / "r")
    whole = (backup / "data.mdb").read_bytes()
    (backup / "data.mdb").write_bytes(whole[:-1] + bytes((whole[-1] ^ 1,)))
    with pytest.raises(OperationError, match="is damaged"):
        restore(backup, tmp_path / "r")
    assert not (tmp_path / "r" / "data.mdb").exists()
    (backup / "data.mdb").write_bytes(whole)
    (backup / LABEL).write_text("{}")
    with pytest.raises(OperationError, match="is damaged"):
        read_label(backup)


def test_a_restore_into_a_directory_in_use_is_refused(data: Path, tmp_path: Path) -> None:
    back_up(data, tmp_path / "backup")
    with Room(tmp_path / "used", "interval"), pytest.raises(EngineError, match="in use"):
        restore(tmp_path / "backup", tmp_path / "used")


def test_a_restore_that_was_cut_short_is_not_served_as_empty(data: Path, tmp_path: Path) -> None:
    back_up(data, tmp_path / "backup")
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "data.mdb.restoring").write_bytes(b"half")
    with pytest.raises(EngineError, match="was cut short: run it again"), Room(tmp_path / "r", "interval"):
        pass
    restore(tmp_path / "backup", tmp_path / "r")
    with Room(tmp_path / "r", "interval") as room:
        assert room("DBSIZE") == 100


def test_compact_gives_space_back_and_keeps_everything(data: Path) -> None:
    with Room(data, "interval") as room:
        before = room.state()
    sizes = compact(data)
    assert sizes.after < sizes.before / 2
    with Room(data, "interval") as room:
        after = room.state()
    assert {key: value for key, value in after.items() if key != b"sturn"} == {
        key: value for key, value in before.items() if key != b"sturn"
    }
    assert verify(data).faults == []
    with Room(data, "interval"), pytest.raises(OperationError, match="in use"):
        compact(data)


def test_a_label_says_what_it_is_of(data: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    label = back_up(data, tmp_path / "backup", lambda done, total: told.append((done, total)))
    assert read_label(tmp_path / "backup") == label
    assert json.loads((tmp_path / "backup" / LABEL).read_text())["bytes"] == label.bytes
    assert told[-1] == (label.bytes, label.bytes)
    assert (tmp_path / "backup" / "data.mdb").stat().st_mode & 0o777 == 0o600


def test_two_backups_to_one_place_do_not_meet(data: Path, tmp_path: Path) -> None:
    results: list[Any] = []

    def attempt() -> None:
        try:
            results.append(back_up(data, tmp_path / "backup"))
        except OperationError as error:
            results.append(error)

    def inner(done: int, total: int) -> None:
        if not results:
            attempt()

    back_up(data, tmp_path / "backup", inner)
    assert "under way" in str(results[0])
