"""docs/huey.md tells the truth about classes, options, keys and round trips."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from tests.contrib.conftest import Place
from tests.contrib.test_huey_storage import Counted

import spoold.contrib.huey as ours
from spoold.contrib.huey import SimpleHuey, SimpleStorage, SpooldHuey, SpooldStorage
from spoold.contrib.huey_storage import CommandStorage

PAGE = (Path(__file__).parents[2] / "docs/huey.md").read_text("utf-8")


def options(storage: type[Any]) -> dict[str, Any]:
    """The options of a storage with their defaults."""
    return {name: item.default for name, item in list(inspect.signature(storage).parameters.items())[1:]}


def test_the_options_are_those_of_the_storages() -> None:
    section = PAGE.split("## Options\n")[1].split("\n## ")[0]
    listed: dict[str, str] = {}
    for names, default, _ in re.findall(r"^\| (`.+?) \|(.*?)\| (.*) \|$", section, re.MULTILINE):
        found = re.findall(r"`(\w+)`", names)
        listed |= dict.fromkeys(found, default.strip() if len(found) == 1 else "")
    wanted = options(SpooldStorage)
    assert listed.keys() == wanted.keys()
    for name, default in listed.items():
        if wanted[name] is not None:
            assert float(default.strip("`").replace("True", "1")) == float(wanted[name])
    for name in options(SimpleStorage):
        assert f"`{name}`" in section or f"{name}=" in section


def test_the_classes_are_there() -> None:
    for name in ours.__all__:
        assert name == "Moved" or f"`{name}" in PAGE or f"import {name}" in PAGE
        assert hasattr(ours, name)


def test_the_keys_are_those_of_the_storage(place: Place) -> None:
    storage = SpooldStorage("shop", port=place.server.port)
    assert isinstance(storage, CommandStorage)
    for key in (storage.queue_key, storage.urgent_key, storage.late_key, storage.schedule_key, storage._result("ID")):
        assert f"`{key.decode()}`" in PAGE


def test_the_round_trips_of_a_job_are_as_many_as_it_says(place: Place) -> None:
    row = re.search(r"^\| round trips to run a job \| (\d) \| (\d) ", PAGE, re.MULTILINE)
    assert row is not None
    for huey, trips in (
        (SpooldHuey("page", port=place.server.port), int(row[1])),
        (SimpleHuey("page", port=place.simple_port), int(row[2])),
    ):

        @huey.task()
        def one() -> int:
            return 1

        one()
        counted: Any
        if isinstance(huey, SpooldHuey):
            counted = huey.storage.commands = Counted(huey.storage.commands)
        else:
            counted = _CountedClient(huey.storage.client)
            huey.storage.client._execute = counted
        huey.execute(huey.dequeue())
        assert counted.trips == trips
        huey.flush()
        huey.storage.close()


class _CountedClient:
    """In the place of a client's own way to run a command."""

    def __init__(self, client: Any) -> None:
        self.run = client._execute
        self.trips = 0

    def __call__(self, *arguments: Any) -> Any:
        self.trips += 1
        return self.run(*arguments)
