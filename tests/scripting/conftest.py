"""A room to run scripts in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.room import Room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A server without sockets, in memory mode."""
    with Room(tmp_path) as made:
        yield made
