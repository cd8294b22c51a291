"""Spreads: quantiles, differences, cumulative steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.metrics.spread import cumulative, less, quantile, total


def spread_of(times: list[int]) -> list[int]:
    spread = [0] * 40
    for time in times:
        spread[time.bit_length()] += 1
    return spread


@given(st.lists(st.integers(0, 10**6), min_size=1), st.sampled_from((0.5, 0.9, 0.99, 1.0)))
def test_a_quantile_lies_in_the_power_of_two_of_the_true_one(times: list[int], share: float) -> None:
    guess = quantile(spread_of(times), share)
    ordered = sorted(times)
    wanted = share * len(times)
    true = next(time for count, time in enumerate(ordered, 1) if count >= wanted)
    low, high = (0, 1) if true == 0 else (1 << true.bit_length() - 1, 1 << true.bit_length())
    assert low <= guess <= high


@given(st.lists(st.integers(0, 10**6)))
def test_the_steps_are_those_of_a_cumulative_histogram(times: list[int]) -> None:
    for limit, count in cumulative(spread_of(times)):
        assert count == sum(time < limit for time in times)


def test_an_empty_spread_has_no_steps_and_no_quantiles() -> None:
    assert cumulative([0] * 40) == []
    assert quantile([0] * 40, 0.5) == 0
    assert total([]) == []


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [([3, 2], [1, 2], [2, 0]), ([3, 2], [], [3, 2]), ([1, 0], [5, 5], [1, 0])],
    ids=["grown", "first look", "set back meanwhile"],
)
def test_what_was_counted_between_two_looks(now: list[int], before: list[int], expected: list[int]) -> None:
    assert less(now, before) == expected


def test_spreads_of_several_are_added() -> None:
    assert total([[1, 2], [3, 4]]) == [4, 6]
