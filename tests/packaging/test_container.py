"""The Dockerfile, as far as it can be checked without docker: what it copies is there, what it runs is a command."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import click
import pytest

from spoold.cli.main import main
from spoold.core.errors import SettingsError
from spoold.settings import FIELDS, environment_name, load
from spoold.testing.process import ServerProcess, StartFailed

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "packaging" / "Dockerfile").read_text().replace("\\\n", " ")
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()


def instructions(name: str) -> list[str]:
    return re.findall(rf"^(?:{name}) +(.*)$", DOCKERFILE, re.MULTILINE)


def environment() -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(instructions("ENV"))))


def test_what_it_copies_exists_and_is_not_ignored() -> None:
    copied = [word for line in instructions("COPY") if "--from" not in line for word in line.split()[:-1]]
    assert {"pyproject.toml", "src"} <= set(copied)
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in IGNORED


def test_the_build_needs_nothing_that_is_ignored() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {project["project"]["readme"], *project["project"]["license-files"]}
    needed |= {path.split("/")[0] for path in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    assert {f"!{name}" for name in needed} <= set(IGNORED)


def test_its_commands_are_commands_of_the_program() -> None:
    assert instructions("ENTRYPOINT") == ['["spoold"]']
    (serve,) = json.loads(instructions("(?<!HEALTH)CMD")[-1])
    health = json.loads(instructions("HEALTHCHECK")[0].partition("CMD ")[2])
    assert health[0] == "spoold"
    with click.Context(main) as context:
        assert main.get_command(context, serve) is not None
        asking = main.get_command(context, health[1])
        assert asking is not None
        assert set(health[2:]) <= {flag for param in asking.params for flag in param.opts}


def test_its_settings_are_taken_and_the_data_is_in_the_volume() -> None:
    given = {name: text for name, text in environment().items() if name.startswith("SPOOLD_")}
    assert given.keys() - {"SPOOLD_URL"} <= {environment_name(name) for name in FIELDS}
    settings = load({}, given, None)
    assert instructions("VOLUME") == [str(settings.data)]
    assert settings.memcached == settings.memcached_queue == settings.simple == ("off",)
    exposed = instructions("EXPOSE")[0].split()
    assert [settings.redis[0], settings.http[0]] == [f"0.0.0.0:{port}" for port in exposed]
    assert given["SPOOLD_URL"] == "unix://" + settings.redis[1].removeprefix("unix:")


def test_it_does_not_run_as_root() -> None:
    assert instructions("USER") == ["spoold"]
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    assert last_stage.index("\nUSER ") > last_stage.rindex("\nRUN ") if "\nRUN " in last_stage else True


def test_without_a_password_it_says_what_is_missing() -> None:
    given: dict[str, str | None] = {"SPOOLD_HTTP": "off"}
    with pytest.raises(StartFailed) as failure:
        ServerProcess(options=["--redis", "0.0.0.0:0", "--memory"], env=given).start()
    assert "set one with SPOOLD_PASSWORD" in failure.value.stderr


def test_a_setting_that_is_wrong_is_named_by_its_variable() -> None:
    with pytest.raises(SettingsError, match="SPOOLD_UNIX_MODE: 'rw'"):
        load({}, {"SPOOLD_UNIX_MODE": "rw"}, None)
