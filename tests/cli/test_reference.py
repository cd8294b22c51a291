"""docs/cli.md is what the commands' --help says now."""

from __future__ import annotations

from pathlib import Path

import click

from spoold.cli.main import main
from spoold.cli.reference import command_line_page, commands_of

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_says_what_help_says() -> None:
    assert PAGE.read_text() == command_line_page(main), "run `make docs`"


def test_every_command_has_its_heading_and_says_what_it_does() -> None:
    page = PAGE.read_text()
    for name, command in commands_of(main):
        assert (f"\n## spoold {name}\n" in page) is not command.hidden
        assert command.help
    assert "### spoold config set" in page


def test_every_option_is_explained() -> None:
    silent = [
        f"{name} {option.name}"
        for name, command in main.commands.items()
        for option in command.params
        if isinstance(option, click.Option) and not option.help and not isinstance(option.type, click.Choice)
    ]
    assert silent == []


def test_a_command_is_listed_once_however_often_it_was_called() -> None:
    names = [name for name, _ in commands_of(main)]
    assert names == [name for name, _ in commands_of(main)]
    assert len(names) == len(set(names))
