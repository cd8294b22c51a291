"""Engines for tests: on a disk that fails on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.engine.rig import Rig


@pytest.fixture
def new_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def make(*arguments: Any, **options: Any) -> Rig:
        rigs.append(Rig(tmp_path, *arguments, **options))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture(params=[True, False], ids=["past the cache", "through the cache"])
def rig(new_rig: Callable[..., Rig], request: pytest.FixtureRequest) -> Rig:
    return new_rig(direct=request.param)
