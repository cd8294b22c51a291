"""Runs `spoold …` in this process, against a server of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from spoold.cli.main import main
from spoold.client.redis import Client
from spoold.testing.process import ServerProcess


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command line; nothing of the developer's own settings reaches it."""
    for name in ("SPOOLD_URL", "SPOOLD_DATA", "SPOOLD_PASSWORD", "SPOOLD_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    runner = CliRunner()
    return lambda *words, **options: runner.invoke(main, [str(word) for word in words], **options)


@pytest.fixture
def at(
    spoold_server: ServerProcess, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Run a command line against the server."""
    monkeypatch.setenv("SPOOLD_URL", spoold_server.url + "/0")
    return run


@pytest.fixture
def client(spoold_server: ServerProcess) -> Iterator[Client]:
    """A client of the same server."""
    with Client(port=spoold_server.port) as made:
        yield made


@pytest.fixture
def told(at: Callable[..., Result]) -> Callable[..., Any]:
    """Run a command with --json and take its document."""

    def ask(*words: Any, **options: Any) -> Any:
        result = at(*words, "--json", **options)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return ask
