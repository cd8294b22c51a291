"""The ticker rests while nothing happens, and is there in time when something is due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from spoold.command.parts import Parts
from spoold.command.table import CommandTable
from spoold.core.clock import SystemClock
from spoold.datatypes.rooms import ROOMS
from spoold.datatypes.strings import store as strings
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.turn import Turn
from spoold.engine.commit import open_commit
from spoold.keyspace.keyspace import Databases
from spoold.server.connection import Connections
from spoold.server.queue_duties import QueueDuties
from spoold.server.ticker import CHECKPOINT_AFTER_S, REST_S, Ticker

# A rest that no test waits for: whatever comes sooner has ended it.
LONG_S = 1000.0


class Rig:
    """A ticker on a real loop and a real engine.

    ticks: how often it ticked.
    """

    def __init__(self, directory: Path, interval_s: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        clock = SystemClock()
        self.commit = open_commit(directory, "interval" if interval_s else "always", 1 << 20)
        self.dbs = Databases(self.commit.batch)
        self.turn = Turn(self.commit, self.dbs, clock, loop.call_soon, lambda error: None)
        table = CommandTable(ROOMS)
        duties = QueueDuties(Dispatcher(table, self.dbs, self.turn, Parts(), loop.call_later), clock)
        self.ticker = Ticker(self.commit, self.dbs, self.turn, clock, Connections(clock, 0, 0), interval_s, 0.0)
        self.ticks = 0
        self.ticker.each_tick += [duties.tick, self._count]

    def _count(self) -> None:
        self.ticks += 1

    def put(self, name: bytes, expire_in_ms: int = 0) -> None:
        """Set a string in a turn of its own."""
        self.turn.begin()
        strings.put(self.dbs[0], name, b"v", self.dbs.now_ms + expire_in_ms if expire_in_ms else 0)
        self.turn.end()

    async def rest(self) -> None:
        """Wait until the ticker rests, then let it do so without an end."""
        await until(lambda: self.ticker._resting)
        self.ticker.rest_s = LONG_S
        ticks = self.ticks
        await until(lambda: self.ticks > ticks)  # the last of the usual ones
        await until(lambda: self.ticker._resting)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what the ticker does of its own accord."""
    deadline_s = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline_s, "in vain"
        await asyncio.sleep(0.001)


def ticking(test: Callable[[Rig], Awaitable[None]], directory: Path, interval_s: float = 0.0) -> None:
    """Run `test` beside a ticker."""

    async def run() -> None:
        rig = Rig(directory, interval_s)
        task = asyncio.ensure_future(rig.ticker.run())
        try:
            await test(rig)
        finally:
            task.cancel()
            await asyncio.wait([task])
            rig.commit.close()

    asyncio.run(run())


def test_ticks_of_an_idle_server_are_rare(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        await until(lambda: rig.ticker._resting)
        started_s, ticks = time.monotonic(), rig.ticks
        await until(lambda: rig.ticks >= ticks + 3)
        assert time.monotonic() - started_s >= 2 * REST_S * 0.9

    ticking(test, tmp_path)


def test_a_turn_ends_the_rest(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        await rig.rest()
        ticks = rig.ticks
        rig.put(b"k")
        await until(lambda: rig.ticks > ticks)

    ticking(test, tmp_path)


def test_a_key_that_falls_due_in_a_rest_is_dropped_then(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        await rig.rest()
        rig.put(b"k", 300)
        due_s = time.monotonic() + 0.3
        await until(lambda: rig.dbs[0].count == 0)
        assert due_s - 0.01 <= time.monotonic()

    ticking(test, tmp_path)


def test_a_key_that_is_due_and_may_not_be_dropped_does_not_keep_the_ticker_awake(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        rig.ticker.active_expire = False
        rig.put(b"k", 1)
        await until(lambda: rig.turn.clock.unix_ms() > rig.dbs.now_ms + 1)
        await rig.rest()
        assert rig.dbs[0].count == 1

    ticking(test, tmp_path)


@pytest.mark.parametrize("interval_s", [0.0, 0.2])
def test_what_was_written_is_synced_and_checkpointed_in_a_rest(tmp_path: Path, interval_s: float) -> None:
    async def test(rig: Rig) -> None:
        await rig.rest()
        before = rig.commit.checkpoints
        seen: list[tuple[bool, int]] = []
        sync = rig.commit.sync_due

        def watched() -> None:
            seen.append((rig.commit.unsynced, rig.commit.checkpoints))
            sync()

        rig.commit.sync_due = watched  # type: ignore[method-assign]
        rig.put(b"k")
        started_s = time.monotonic()
        await until(lambda: rig.commit.checkpoints > before)
        assert time.monotonic() - started_s >= CHECKPOINT_AFTER_S
        # The sync did not wait for the checkpoint, which would have made it needless.
        assert ((True, before) in seen) is bool(interval_s)

    ticking(test, tmp_path, interval_s)


def test_whoever_wants_to_know_is_told_how_long_duties_took(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        told: dict[str, float] = {}
        rig.ticker.on_done = lambda event, seconds: told.update({event: seconds})
        rig.put(b"k", 1)
        await until(lambda: rig.dbs[0].count == 0 and "expire-cycle" in told)
        assert all(0 <= seconds < 10 for seconds in told.values())

    ticking(test, tmp_path)
