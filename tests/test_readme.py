"""The README tells the truth: its examples run against a real server as they stand there."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from spoold.settings import FIELDS, flag_name
from spoold.testing.process import ServerProcess

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
URL_IN_README = "redis://localhost:6379"


def examples(text: str) -> list[str]:
    """The interactive sessions in a Markdown text."""
    return re.findall(r"^```pycon\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run_session(session: str, name: str) -> str:
    """Run a session line by line; returns what differed from what it shows."""
    report: list[str] = []
    test = doctest.DocTestParser().get_doctest(session, {}, name, name, 0)
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(test, out=report.append, clear_globs=False)
    client = test.globs.get("r")
    if client is not None:
        client.close()
    return "".join(report)


def test_every_example_of_the_readme_runs_as_it_stands_there(spoold_server: ServerProcess) -> None:
    found = examples(README)
    assert len(found) >= 4
    session = "".join(found)
    assert URL_IN_README in session
    assert run_session(session.replace(URL_IN_README, spoold_server.url), "README.md") == ""


def test_an_example_that_shows_something_else_is_reported() -> None:
    assert "Expected:\n    3\nGot:\n    2" in run_session(">>> 1 + 1\n3\n", "wrong")


def test_the_readme_links_to_files_that_exist() -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", README)
    assert "LICENSE" in targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_readme_names_only_options_that_exist() -> None:
    flags = set(re.findall(r"--[a-z][a-z-]+", README)) - {"--help"}
    assert {"--redis", "--data", "--memory", "--durability", "--config"} <= flags
    assert flags - {flag_name(name) for name in FIELDS} == {"--config"}
