"""Numbers come back in their order, however many runs they were written in."""

from __future__ import annotations

import random

import pytest

from spoold.operations.runs import SortedNumbers


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 1000])
def test_all_numbers_come_back_sorted(count: int) -> None:
    numbers = [random.Random(count).randrange(1 << 64) for _ in range(count)] + [0, (1 << 64) - 1, 5, 5]
    runs = SortedNumbers(10)
    for number in numbers:
        runs.add(number)
    assert list(runs) == sorted(numbers)
    assert list(runs) == sorted(numbers)
    runs.close()
