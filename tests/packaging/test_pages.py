"""The written pages tell the truth: commands and options exist, examples run, metrics and messages are the code's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import redis
from tests.test_readme import examples, run_session

from spoold.cli.main import main
from spoold.settings import FIELDS, environment_name
from spoold.testing.process import ServerProcess

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [DOCS / "tutorial.md", DOCS / "operations.md", DOCS / "security.md", *sorted((DOCS / "how-to").glob("*.md"))]
SOURCE = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "src").rglob("*.py")))
IDS = [page.stem for page in PAGES]


def shell_lines(text: str) -> list[str]:
    """Lines of indented blocks, with those that end in a backslash joined."""
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    joined = outside.replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.startswith("    ")]


def calls(text: str) -> list[list[str]]:
    """Each `spoold …` of a page's commands, as words."""
    found = []
    for line in shell_lines(text):
        words = shlex.split(line.partition(" #")[0])
        while words and words[0] in {"docker", "exec"}:
            words = words[2:] if words[0] == "exec" else words[1:]
        if words and words[0] == "spoold":
            found.append(words[1:])
    return found


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_its_commands_and_their_options_exist(page: Path) -> None:
    with click.Context(main) as context:
        for name, *words in calls(page.read_text("utf-8")):
            command = main.get_command(context, name)
            assert command is not None, name
            known = {flag for parameter in command.params for flag in parameter.opts}
            assert {word for word in words if word.startswith("--")} <= known, name


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_its_variables_exist(page: Path) -> None:
    known = {environment_name(name) for name in FIELDS} | {"SPOOLD_URL", "SPOOLD_CONFIG", "SPOOLD_NAME"}
    assert set(re.findall(r"\bSPOOLD_[A-Z_]+\b", page.read_text("utf-8"))) <= known


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_its_options_exist(page: Path) -> None:
    with click.Context(main) as context:
        known = {
            flag
            for name in main.list_commands(context)
            for parameter in getattr(main.get_command(context, name), "params", [])
            for flag in parameter.opts
        }
    named = set(re.findall(r"`(--[a-z-]+)[ `=]", page.read_text("utf-8")))
    # `--insecure-` is how some begin; the others are of docker and rq.
    assert named - known <= {"--insecure-", "--read-only", "--burst"}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_its_python_is_python(page: Path) -> None:
    for block in re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        compile(block, page.name, "exec")


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_its_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)[^):]*\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_the_tutorial_runs_as_it_stands_there(spoold_server: ServerProcess) -> None:
    with redis.Redis.from_url(spoold_server.url) as client:
        client.rpush("mail", "what the commands before left there")
    found = "".join(examples((DOCS / "tutorial.md").read_text("utf-8")))
    assert "blmove" in found
    assert run_session(found.replace("redis://localhost:6379", spoold_server.url), "tutorial.md") == ""


def test_the_metrics_that_are_named_are_there() -> None:
    text = (DOCS / "operations.md").read_text("utf-8")
    named = set(re.findall(r"`(spoold_[a-z_]+)`", text))
    assert len(named) > 5
    # prometheus-client appends _total to what only grows.
    assert [name for name in named if f'"{name.removesuffix("_total")}"' not in SOURCE] == []


def test_the_errors_that_are_listed_are_those_of_the_program() -> None:
    text = (DOCS / "operations.md").read_text("utf-8").partition("## Trouble")[2]
    for cell in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE):
        for message in re.findall(r"`([^`]+)`", cell):
            for part in re.split(r"…|127\.0\.0\.1:6379: address already in use|unix:", message):
                words = part.strip(" :,")
                assert not words or words in SOURCE or words in OF_THE_SYSTEM, words


# In the words of the operating system, or put together from pieces.
OF_THE_SYSTEM = {"address already in use", "permission denied", "the memcached protocol has no passwords"}


def test_the_example_of_rules_lets_a_worker_work_and_no_more(spoold_server: ServerProcess) -> None:
    (line,) = [
        line for line in shell_lines((DOCS / "security.md").read_text("utf-8")) if line.startswith("ACL SETUSER")
    ]
    with redis.Redis.from_url(spoold_server.url) as owner:
        owner.execute_command(*line.split())
        with redis.Redis(port=spoold_server.port, username="worker", password="a-long-secret") as worker:
            assert worker.rpush("jobs:mail", "a") == 1
            assert worker.blpop("jobs:mail", 1) == (b"jobs:mail", b"a")
            for refused in (
                ("RPUSH", "other", "a"),
                ("FLUSHALL",),
                ("KEYS", "*"),
                ("CONFIG", "GET", "*"),
                ("SHUTDOWN",),
            ):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    worker.execute_command(*refused)
