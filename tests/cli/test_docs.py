"""The generated pages are what `spoold docs docs` writes now."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from spoold.cli.docs import generated_pages
from spoold.cli.main import main

DOCS = Path(__file__).parents[2] / "docs"


def test_the_pages_say_what_the_program_says() -> None:
    pages = generated_pages()
    stale = [name for name, text in pages.items() if not (DOCS / name).exists() or (DOCS / name).read_text() != text]
    left = {f"commands/{path.name}" for path in (DOCS / "commands").glob("*.md")} - pages.keys()
    assert not stale, "run `make docs`"
    assert not left, "run `make docs`"


def test_every_link_of_the_index_has_its_heading() -> None:
    pages = generated_pages()
    links = re.findall(r"\]\((\w[\w-]*\.md)#([\w-]+)\)", pages["commands/README.md"])
    assert len(links) > 150
    for page, anchor in links:
        headings = re.findall(r"^## (.+)$", pages[f"commands/{page}"], re.MULTILINE)
        assert anchor in [heading.lower().replace(" ", "-") for heading in headings], anchor


def test_every_setting_and_parameter_has_a_row() -> None:
    page = generated_pages()["settings.md"]
    for words in (
        "`--max-clients`",
        "`SPOOLD_MAX_CLIENTS`",
        "`max-clients`",
        "`maxclients`",
        "`hash-max-ziplist-value`",
    ):
        assert words in page


def test_writing_them_removes_what_is_no_more(tmp_path: Path) -> None:
    (tmp_path / "commands").mkdir()
    (tmp_path / "commands" / "gone.md").touch()
    result = CliRunner().invoke(main, ["docs", str(tmp_path)])
    assert result.exit_code == 0
    assert not (tmp_path / "commands" / "gone.md").exists()
    assert (tmp_path / "settings.md").read_text() == generated_pages()["settings.md"]
    assert "docs" not in CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2]
