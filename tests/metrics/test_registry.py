"""Sampled figures, and how INFO's text is put together."""

from __future__ import annotations

import pytest

from spoold.metrics.info import human_bytes, render
from spoold.metrics.registry import Metrics, Rate, read_memory
from spoold.testing.clock import ManualClock


def test_a_rate_is_the_mean_of_the_last_samples() -> None:
    rate = Rate()
    assert rate.per_second == 0.0
    for at in range(40):
        rate.add(at * 0.1, 1000 if at < 20 else 1000 + (at - 19) * 7)
    assert rate.per_second == pytest.approx(70)
    rate.add(4.0, 3)
    assert rate.per_second == 0.0


def test_samples_are_due_ten_times_a_second() -> None:
    clock = ManualClock()
    metrics = Metrics(clock, 0)
    assert metrics.due
    metrics.sample(0, 0, 0, 0)
    clock.advance_ms(99)
    assert not metrics.due
    clock.advance_ms(1)
    assert metrics.due
    metrics.sample(10, 0, 0, 0)
    assert metrics.commands.per_second == pytest.approx(100)


def test_the_time_of_the_last_checkpoint_is_seen() -> None:
    clock = ManualClock()
    metrics = Metrics(clock, 5)
    start_ms = clock.unix_ms()
    clock.advance_ms(1000)
    metrics.sample(0, 0, 0, 5)
    assert metrics.saved_ms == start_ms
    metrics.sample(0, 0, 0, 6)
    assert metrics.saved_ms == start_ms + 1000


def test_totals_count_from_the_reset_on() -> None:
    metrics = Metrics(ManualClock(), 0)
    assert metrics.since_reset({"a": 5}) == {"a": 5}
    metrics.reset({"a": 5})
    assert metrics.since_reset({"a": 7, "b": 1}) == {"a": 2, "b": 1}


def test_memory_is_measured_and_its_peak_kept() -> None:
    metrics = Metrics(ManualClock(), 0)
    now = metrics.memory()
    assert 0 < now.used <= now.resident
    assert metrics.peak.used >= now.used
    assert read_memory().resident > 1_000_000


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1_500_000, "1.43M"), (3 << 30, "3.00G"), (5 << 40, "5.00T")],
)
def test_bytes_for_people(count: int, text: str) -> None:
    assert human_bytes(count) == text


def test_only_the_wanted_sections_are_asked() -> None:
    def fails() -> dict[str, object]:
        raise AssertionError("asked")

    sections = {"One": lambda: {"a": 1, "b": True, "c": 0.126}, "Two": fails, "Commandstats": fails}
    assert render(sections, ["one"]) == b"# One\r\na:1\r\nb:1\r\nc:0.13\r\n"
    assert render(sections, ["nosuch"]) == b""
    assert render({"One": dict, "Commandstats": fails}, []) == b"# One\r\n"
