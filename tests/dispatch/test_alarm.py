"""An alarm rings once, at its time or behind it, whatever the loop's timers do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from spoold.core.clock import SystemClock
from spoold.dispatch.alarm import Alarm
from spoold.testing.clock import ManualClock


class Timers:
    """A loop whose timers a test lets fire."""

    def __init__(self) -> None:
        self.set: list[tuple[float, Callable[[], None]]] = []
        self.cancelled = 0

    def call_later(self, delay_s: float, work: Callable[[], None]) -> Timers:
        self.set.append((delay_s, work))
        return self

    def cancel(self) -> None:
        self.cancelled += 1

    def fire(self) -> None:
        self.set.pop()[1]()


def test_it_waits_on_where_the_timer_was_early() -> None:
    clock, timers, rung = ManualClock(), Timers(), list[str]()
    Alarm(timers.call_later, clock.monotonic_s, 1.0005, rung.append, "now")
    clock.advance_ms(990)
    timers.fire()
    assert rung == []
    assert timers.set[0][0] == pytest.approx(0.0105)
    clock.advance_ms(10)
    timers.fire()
    assert timers.set[0][0] == 0.001
    clock.advance_ms(1)
    timers.fire()
    assert rung == ["now"]
    assert timers.set == []


def test_the_timer_that_is_set_now_is_cancelled() -> None:
    clock, timers, rung = ManualClock(), Timers(), list[str]()
    alarm = Alarm(timers.call_later, clock.monotonic_s, 1.0, rung.append, "now")
    timers.fire()
    alarm.cancel()
    assert timers.cancelled == 1
    assert rung == []


@pytest.mark.parametrize("make_loop", ["uvloop", "asyncio"])
def test_it_is_never_early(make_loop: str) -> None:
    module = pytest.importorskip(make_loop)
    early: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        left = 100
        done = loop.create_future()

        def ring(deadline_s: float) -> None:
            nonlocal left
            early.append(deadline_s - time.monotonic())
            left -= 1
            if not left:
                done.set_result(None)

        for number in range(left):
            busy_until_s = time.monotonic() + 0.0003 * (number % 5)
            while time.monotonic() < busy_until_s:  # the loop's own clock stands still meanwhile
                pass
            delay_s = 0.001 + 0.0007 * (number % 20)
            Alarm(loop.call_later, SystemClock.monotonic_s, delay_s, ring, time.monotonic() + delay_s - 1e-6)
            await asyncio.sleep(0)
        await done

    with asyncio.Runner(loop_factory=module.new_event_loop) as runner:
        runner.run(main())
    assert max(early) <= 0
