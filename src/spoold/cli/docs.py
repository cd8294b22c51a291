"""`spoold docs DIR`: write the pages of the documentation that derive from the program: commands and settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from spoold.admin.parameters import PARAMETERS, Parameter
from spoold.admin.rooms import ADMIN
from spoold.cli.reference import command_line_page
from spoold.command.compatibility import compatibility_page
from spoold.command.pages import command_pages
from spoold.command.table import CommandTable
from spoold.datatypes.rooms import ROOMS
from spoold.dispatch import multi
from spoold.scripting.rooms import SCRIPTING
from spoold.settings import FIELDS, environment_name, flag_name

_NOTE = "<!-- Written by `spoold docs`; change the table in settings.py or admin/parameters.py instead. -->"
_OPTIONS = """# Settings

Every option of `spoold serve` is a flag, an environment variable and a key of the TOML file that `--config` names. The
command line goes before the environment, the environment before the file. Sizes take `kb`, `mb` and `gb`.

| flag | environment | file | default | |
| --- | --- | --- | --- | --- |"""
_CONFIG = """
## CONFIG

`CONFIG GET` and `CONFIG SET` take these parameters. What is set holds until the server ends; the file is not written.

| parameter | default | what setting it does |
| --- | --- | --- |"""
_REMEMBERED = """
The following have no meaning in spoold. Test suites and tools of Redis set them and ask for them again, so they are
remembered and answered, and have no other effect.

| parameter | default |
| --- | --- |"""


def generated_pages() -> dict[str, str]:
    """The text of each generated page, by its path below `docs/`."""
    table = CommandTable((*ROOMS, *SCRIPTING, multi, *ADMIN))
    pages = {f"commands/{name}": text for name, text in command_pages(table).items()}
    pages["compatibility.md"] = compatibility_page(table)
    pages["settings.md"] = _settings_page()
    return pages


@click.command(hidden=True)
@click.argument("directory", type=click.Path(path_type=Path))
@click.pass_context
def docs(context: click.Context, directory: Path) -> None:
    """Write the generated pages into DIRECTORY (docs); pages that are written no more are removed."""
    pages = generated_pages()
    root = context.find_root().command
    if isinstance(root, click.Group):
        pages["cli.md"] = command_line_page(root)
    for name, text in pages.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    for path in (directory / "commands").glob("*.md"):
        if f"commands/{path.name}" not in pages:
            path.unlink()
    click.echo(f"{len(pages)} pages in {directory}")


def _settings_page() -> str:
    lines = [_NOTE, "", _OPTIONS]
    for name, item in FIELDS.items():
        default = item.default_factory() if callable(item.default_factory) else item.default
        row = (
            f"`{flag_name(name)}`",
            f"`{environment_name(name)}`",
            f"`{name.replace('_', '-')}`",
            _shown(default, item.metadata["kind"]),
            item.metadata["text"].replace("|", "\\|"),
        )
        lines.append("| " + " | ".join(row) + " |")
    lines.append(_CONFIG)
    for parameter in PARAMETERS:
        if parameter.text:
            effect = f"{parameter.text} Set at start only." if parameter.fixed or parameter.settled else parameter.text
            default = "" if parameter.fixed else f"`{parameter.default.decode()}`" if parameter.default else "none"
            lines.append(f"| {_names(parameter)} | {default} | {effect} |")
    lines.append(_REMEMBERED)
    for parameter in (each for each in PARAMETERS if not each.text and not each.hidden):
        default = f"`{parameter.default.decode()}`" if parameter.default else "empty"
        lines.append(f"| {_names(parameter)} | {default} |")
    return "\n".join(lines) + "\n"


def _names(parameter: Parameter) -> str:
    return " = ".join(f"`{name}`" for name in (parameter.name, parameter.alias) if name)


def _shown(default: Any, kind: str) -> str:
    if kind == "flag":
        return "no"
    if kind == "bytes":
        return f"`{default // 1024**2}mb`" if default and default % 1024**2 == 0 else f"`{default}`"
    text = ",".join(default) if isinstance(default, tuple) else str(default)
    return f"`{text}`" if text else "none"
