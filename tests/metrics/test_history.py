"""The last minutes as samples: rates between looks, states at them."""

from __future__ import annotations

from spoold.metrics.history import EVERY_S, SAMPLES, History, Totals
from spoold.testing.clock import ManualClock


def totals(commands: int, spread: list[int] | None = None) -> Totals:
    return Totals(commands, commands, commands, commands, spread or [0] * 40, [0] * 40, 1, 0, 10, 20, None)


def test_a_sample_holds_the_rates_since_the_one_before(manual_clock: ManualClock) -> None:
    counts = iter((100, 500, 500))
    history = History(manual_clock, lambda: totals(next(counts)))
    for _ in range(3):
        manual_clock.advance_ms(int(EVERY_S * 1000))
        history.tick()
        history.tick()  # not due
    assert [sample.commands for sample in history.samples] == [400 / EVERY_S, 0]


def test_counters_that_were_set_back_give_no_negative_rates(manual_clock: ManualClock) -> None:
    counts = iter((100, 10))
    history = History(manual_clock, lambda: totals(next(counts)))
    for _ in range(2):
        manual_clock.advance_ms(int(EVERY_S * 1000))
        history.tick()
    assert history.samples[0].commands == 0


def test_old_samples_go(manual_clock: ManualClock) -> None:
    history = History(manual_clock, lambda: totals(1))
    for _ in range(SAMPLES + 10):
        manual_clock.advance_ms(int(EVERY_S * 1000))
        history.tick()
    assert len(history.samples) == SAMPLES
