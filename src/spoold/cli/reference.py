"""The page of the documentation that has every command line: what `--help` says, and nothing else."""

from __future__ import annotations

from typing import Final

import click

_NOTE: Final = "<!-- Written by `spoold docs`; change the commands in src/spoold/cli instead. -->"
_INTRODUCTION: Final = """# The command line

`spoold serve` runs a server; all else looks at one, talks to one, or works on a data directory. What is said here is
what `spoold COMMAND --help` says.

Commands that talk to a server take `--url`, or `SPOOLD_URL`; those that work on a data directory take `--data`, or
`SPOOLD_DATA`. With `--json` they write one JSON document for programs, in which bytes that are no UTF-8 are
`{"base64": "…"}`. Tables lose their rules and colours in a pipe. Errors are one line on the error stream.

| exit code | |
| --- | --- |
| 0 | done |
| 1 | refused, or something is not as it should be: an unhealthy server, a fault found by `verify`, an empty queue |
| 2 | the command line is wrong |
| 3 | no connection |
| 4 | wrong password, or not allowed |

[Backups](backup.md) and [moving from Redis](moving-from-redis.md) have pages of their own; the options of
`spoold serve` stand in [settings](settings.md)."""
# Its options are the settings page.
_ELSEWHERE: Final = frozenset({"serve"})


def commands_of(group: click.Group) -> list[tuple[str, click.Command]]:
    """The commands of a group with their names, in order; a group may import them only when they are asked for."""
    context = click.Context(group)
    found = [(name, group.get_command(context, name)) for name in sorted(group.list_commands(context))]
    return [(name, command) for name, command in found if command is not None]


def command_line_page(group: click.Group) -> str:
    """The text of `cli.md`."""
    parts = [_NOTE, _INTRODUCTION]
    for name, command in commands_of(group):
        if not command.hidden:
            parts += _command(f"spoold {name}", command, 2, brief=name in _ELSEWHERE)
    return "\n\n".join(parts) + "\n"


def _command(path: str, command: click.Command, level: int, *, brief: bool) -> list[str]:
    context = click.Context(
        command, info_name=path, terminal_width=100, max_content_width=100, help_option_names=["-h", "--help"]
    )
    text = command.get_help(context)
    if brief:
        text = text.partition("\nOptions:")[0].rstrip()
    parts = [f"{'#' * level} {path}", f"```text\n{text}\n```"]
    if isinstance(command, click.Group):
        for name, inner in commands_of(command):
            parts += _command(f"{path} {name}", inner, level + 1, brief=False)
    return parts
