"""The batches of a long random run are the whole truth: replayed, they give the same state byte for byte."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.generators import FAMILIES, build, forms
from tests.engine.rig import LAST, TinyMap

from spoold.core.errors import CommandError
from spoold.engine.batch import Batch, Section
from spoold.engine.commit import Commit, open_commit
from spoold.engine.env import SYSTEM_ID, SYSTEM_TURN
from spoold.engine.journal import decode_batch, encode_batch
from support.room import Room

TURNS = 2500
_TIME = re.compile(rb"@(s|ms)\+(\d+)")


class Planted(Exception):
    """What fails in the middle of a turn."""


def state_of(commit: Commit) -> dict[bytes, bytes]:
    """All engine keys, but for those that number the turns and name the database."""
    pairs = dict(commit.batch.scan(b"\0", LAST, 10**7))
    del pairs[SYSTEM_TURN], pairs[SYSTEM_ID]
    return pairs


def request_of(chooser: random.Random, unix_ms: int) -> list[bytes]:
    """One random request of any family; times ahead count from `unix_ms`."""
    part = chooser.choice(forms(chooser.choice(FAMILIES)))
    request = build(part, lambda number: chooser.randrange(abs(number)))
    return [
        b"%d" % (int(found[2]) + (unix_ms if found[1] == b"ms" else unix_ms // 1000))
        if (found := _TIME.fullmatch(word))
        else word
        for word in request
    ]


def run(room: Room, chooser: random.Random) -> None:
    """One turn: some random commands; a few turns fail in the middle, a few are duties of the server."""
    kind = chooser.randrange(40)
    if kind == 0:
        room.clock.advance_ms(chooser.randrange(40_000_000))
        room.expire()
        return
    if kind == 1:
        room.reclaim()
        return
    room.turn.begin()
    for _ in range(chooser.choice((1, 1, 1, 2, 5, 30))):
        request = request_of(chooser, room.clock.unix_ms())
        entry = room.table.find(request[0])
        if room.dispatcher.admission.refusal(room.session, entry, request) is None:
            assert entry is not None
            try:
                entry.handler(room.session.ctx, *request[1:])
            except CommandError:
                continue
    if kind == 2:
        room.turn.guard(_fail)
    else:
        room.turn.end()


def _fail() -> None:
    raise Planted


@pytest.fixture(scope="module", params=[1, 2])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    """A long run, with a map and a buffer so small that both are full now and then."""
    with TinyMap(256 * 1024, 64), Room(tmp_path_factory.mktemp("run")) as room:
        recording = Recording(room, request.param)
    # No log holds what the tests bring in, so a map that is full would lose it.
    with TinyMap(64 * 1024 * 1024, 64):
        yield recording


class Recording:
    """batches: of all turns that were kept, in order, as the journal has them. states: after some of them."""

    def __init__(self, room: Room, seed: int) -> None:
        self.batches: list[bytes] = []
        self.states: dict[int, dict[bytes, bytes]] = {}
        append = room.commit._log.append

        def recording(turn: int, sections: list[Section]) -> int:
            self.batches.append(b"".join(encode_batch(sections)))
            return append(turn, sections)

        room.commit._log.append = recording  # type: ignore[method-assign]
        chooser = random.Random(seed)
        for number in range(TURNS):
            run(room, chooser)
            if number % 500 == 499:
                self.states[len(self.batches)] = state_of(room.commit)
        self.states[len(self.batches)] = state_of(room.commit)

    def sections(self, start: int, stop: int) -> list[list[Section]]:
        """The batches of the turns from `start` up to `stop`."""
        return [decode_batch(batch) for batch in self.batches[start:stop]]


def replay(batch: Batch, turns: list[list[Section]]) -> None:
    """Bring turns in."""
    for turn, sections in enumerate(turns, 1):
        batch.replay(turn, sections)


def test_the_run_met_everything(recorded: Recording) -> None:
    kinds = b"".join(batch[:1] for batch in recorded.batches)
    assert kinds.count(b"M") > 1000
    assert any(isinstance(s, tuple) for sections in recorded.sections(0, 10**6) for s in sections), "range deletes"
    assert any(key[:1] == b"x" for state in recorded.states.values() for key in state), "expiries"
    assert any(key[:1] == b"e" for state in recorded.states.values() for key in state), "elements"
    assert len(recorded.states) > 4


def test_all_batches_replayed_into_an_empty_engine_give_the_same_state(recorded: Recording, tmp_path: Path) -> None:
    commit = open_commit(tmp_path / "all", "memory")
    done = 0
    for count, state in recorded.states.items():
        replay(commit.batch, recorded.sections(done, count))
        done = count
        assert state_of(commit) == state
    commit.close()


def test_batches_replayed_over_a_state_that_has_some_of_them_give_the_same_state(
    recorded: Recording, tmp_path: Path
) -> None:
    """LMDB may have been committed behind the turn that it is numbered with."""
    commit = open_commit(tmp_path / "twice", "memory")
    count, state = list(recorded.states.items())[-1]
    replay(commit.batch, recorded.sections(0, count))
    for start in (count - 1, count - 7, count // 2, 0):
        replay(commit.batch, recorded.sections(start, count))
        assert state_of(commit) == state
    commit.close()
