"""A snapshot sees what the engine sees, whatever stands in LMDB and whatever only in the journal."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core.errors import EngineError, UnknownFormat
from spoold.engine.commit import Commit, open_commit
from spoold.engine.snapshot import Snapshot

SEGMENT_BYTES = 1024 * 1024
KEYS = [b"e%02d" % number for number in range(40)]

# A turn is a list of mutations: (key, value or None), or a range to be deleted.
mutation = st.one_of(
    st.tuples(st.sampled_from(KEYS), st.one_of(st.none(), st.binary(max_size=20))),
    st.tuples(st.just("range"), st.sampled_from(KEYS), st.sampled_from(KEYS)),
    st.just("checkpoint"),
)


def play(commit: Commit, turns: list[list[object]]) -> dict[bytes, bytes]:
    """Apply turns, and return what there must be then."""
    model: dict[bytes, bytes] = {}
    for turn in turns:
        checkpoints = False
        for step in turn:
            if step == "checkpoint":
                checkpoints = True
            elif step[0] == "range":  # type: ignore[index]
                _, start, stop = step  # type: ignore[misc]
                commit.batch.delete_range(start, stop, 1000)
                model = {key: value for key, value in model.items() if not start <= key < stop}
            else:
                key, value = step  # type: ignore[misc]
                commit.batch.fresh[key] = value
                model.pop(key, None)
                if value is not None:
                    model[key] = value
        commit.commit_turn()
        if checkpoints:
            commit.checkpoint()
    return model


@given(turns=st.lists(st.lists(mutation, max_size=8), max_size=12), bounds=st.tuples(*[st.sampled_from(KEYS)] * 2))
def test_it_reads_what_was_committed(turns: list[list[object]], bounds: tuple[bytes, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        commit = open_commit(Path(name), "interval", SEGMENT_BYTES)
        model = play(commit, turns)
        turn = commit.turn
        commit.close(save=False)
        with Snapshot(Path(name)) as snapshot:
            assert snapshot.turn == turn
            assert dict(snapshot.pairs(b"e", b"f")) == dict(sorted(model.items()))
            assert {key: snapshot.get(key) for key in KEYS} == {key: model.get(key) for key in KEYS}
            start, stop = sorted(bounds)
            inside = [key for key in sorted(model) if start <= key < stop]
            assert snapshot.scan_keys(start, stop, 100) == inside
            assert snapshot.scan_keys(start, stop, 3, reverse=True) == inside[::-1][:3]
            assert snapshot.scan(start, stop, 4) == [(key, model[key]) for key in inside[:4]]
            assert snapshot.scan(start, stop, 4, reverse=True) == [(key, model[key]) for key in inside[::-1][:4]]


def test_it_changes_nothing_in_the_directory(tmp_path: Path) -> None:
    commit = open_commit(tmp_path, "interval", SEGMENT_BYTES)
    play(commit, [[(b"e1", b"x")], ["checkpoint"], [(b"e2", b"y")]])
    commit.close(save=False)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "lock.mdb"}
    with Snapshot(tmp_path) as snapshot:
        assert len(list(snapshot.pairs(b"e", b"f"))) == 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "lock.mdb"} == files


def test_a_torn_last_turn_is_left_out(tmp_path: Path) -> None:
    commit = open_commit(tmp_path, "interval", SEGMENT_BYTES)
    play(commit, [[(b"e1", b"x")], [(b"e2", b"y" * 100)]])
    commit.close(save=False)
    for name in ("journal.0", "journal.1"):
        data = (tmp_path / name).read_bytes()
        at = data.find(b"y" * 100)
        if at > 0:
            (tmp_path / name).write_bytes(data[: at + 50] + bytes(50) + data[at + 100 :])
    with Snapshot(tmp_path) as snapshot:
        assert dict(snapshot.pairs(b"e", b"f")) == {b"e1": b"x"}


def test_a_journal_that_does_not_belong_is_refused(tmp_path: Path) -> None:
    for name in ("one", "other"):
        commit = open_commit(tmp_path / name, "interval", SEGMENT_BYTES)
        play(commit, [[(b"e1", b"x")]])
        commit.close(save=False)
    for name in ("journal.0", "journal.1"):
        (tmp_path / "one" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(EngineError, match="belongs to another database"):
        Snapshot(tmp_path / "one")


def test_what_spoold_did_not_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="is no data directory of spoold"):
        Snapshot(tmp_path)
    commit = open_commit(tmp_path / "data", "interval", SEGMENT_BYTES)
    commit.batch.fresh[b"sformat"] = b"\x63\0\0\0"
    commit.commit_turn()
    commit.close()
    with pytest.raises(UnknownFormat, match="has data format 99"):
        Snapshot(tmp_path / "data")
