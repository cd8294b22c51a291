"""The reference pages of the documentation: one a group of commands, from declarations and docstrings alone.

What stands in a docstring behind `args:`, `returns:`, `raises:`, `cost:`, `atomic:`, `differs:` (from Redis, on
purpose) or the name of an argument becomes a line of its own, errors by their texts; `source:` is for those who work on
spoold and stays out.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Final

from spoold.command.describe import categories
from spoold.command.spec import Spec
from spoold.command.table import CommandTable, Entry
from spoold.core import errors

# Groups in the order of the index: title and file name.
GROUPS: Final = {
    "connection": "Connection",
    "generic": "Keys",
    "string": "Strings",
    "bitmap": "Bitmaps",
    "hyperloglog": "HyperLogLog",
    "list": "Lists",
    "set": "Sets",
    "hash": "Hashes",
    "sorted-set": "Sorted sets",
    "geo": "Geo",
    "stream": "Streams",
    "jobs": "Jobs",
    "pubsub": "Publish and subscribe",
    "transactions": "Transactions",
    "scripting": "Scripts",
    "server": "Server",
}

_NOTE: Final = "<!-- Written by `spoold docs`; change the declarations and docstrings instead. -->"
_INTRODUCTION: Final = """# Commands

The commands of the Redis listener. Names, arguments, replies and error texts are those of Redis 7.0; where spoold
differs, the command says so, and [compatibility](../compatibility.md) has all of it in one place. `COMMAND DOCS` tells
the same to clients.
"""
_LABELS: Final = {
    "returns": "Returns",
    "raises": "Errors",
    "cost": "Cost",
    "atomic": "Atomic",
    "args": "Arguments",
    "differs": "Differs from Redis",
}
_LEFT_OUT: Final = frozenset({"source"})
_NAMES: Final = re.compile(r"\b[A-Z]\w+\b")
_LABEL: Final = re.compile(r"^([a-z_]+):\s+(.*)$", re.DOTALL)


def command_pages(table: CommandTable) -> dict[str, str]:
    """The pages by file name: an index, and one for each group that has commands."""
    groups: dict[str, list[Entry]] = {}
    for entry in table.entries.values():
        groups.setdefault(entry.spec.group, []).append(entry)
    pages = {"README.md": _index(groups)}
    for group, entries in groups.items():
        parts = [_NOTE, f"# {GROUPS[group]}", *(_command(each) for each in _shown(entries))]
        pages[f"{group}.md"] = "\n\n".join(parts) + "\n"
    return pages


def _shown(entries: Iterable[Entry]) -> list[Entry]:
    """Commands by name, containers as their subcommands."""
    found = []
    for entry in sorted(entries, key=lambda entry: entry.name):
        if is_shown(entry):
            found.append(entry)
        if not _is_one(entry):
            found += sorted(entry.subs.values(), key=lambda sub: sub.name)
    return found


def is_shown(entry: Entry) -> bool:
    """Whether a command has a part of a page: containers have none, unless they do something by themselves."""
    return not entry.subs or entry.spec.arity == -1 or _is_one(entry)


def _is_one(container: Entry) -> bool:
    """Whether all that is in a container does the same as the container: CLUSTER refuses, whatever is asked."""
    return all(sub.handler is container.spec.handler for sub in container.subs.values())


def _index(groups: dict[str, list[Entry]]) -> str:
    lines = [_NOTE, "", _INTRODUCTION.rstrip()]
    for group, title in GROUPS.items():
        if group not in groups:
            continue
        lines += ["", f"## [{title}]({group}.md)", "", "| command | |", "| --- | --- |"]
        for entry in _shown(groups[group]):
            lines.append(f"| {command_link(entry.spec)} | {_cell(entry.spec.summary)} |")
    return "\n".join(lines) + "\n"


def command_link(spec: Spec, before: str = "") -> str:
    """A link to the part of a page that describes a command; before: the way to the pages."""
    name = _title(spec)
    return f"[{name}]({before}{spec.group}.md#{_anchor(name)})"


def in_words(text: str) -> str:
    """A docstring's text as clients understand it: errors by what they read of them."""
    return _NAMES.sub(_in_words, text)


def _command(entry: Entry) -> str:
    spec = entry.spec
    parts = [f"## {_title(spec)}", f"    {spec.syntax}", spec.summary]
    lines, texts = _described(spec)
    parts += texts
    marks = " ".join(f"`@{name}`" for name in categories(entry))
    parts.append("\n".join([*lines, f"- Since {spec.since}; {marks}"]))
    return "\n\n".join(parts)


def _described(spec: Spec) -> tuple[list[str], list[str]]:
    """What follows the docstring's first line: as list items what has a label, as paragraphs what has none."""
    lines: list[str] = []
    texts: list[str] = []
    for item in _items(spec):
        match = _LABEL.match(item)
        if match is None:
            texts.append(item)
        elif match[1] not in _LEFT_OUT:
            label = _LABELS.get(match[1], f"`{match[1]}`")
            lines.append(f"- {label}: {in_words(match[2])}")
    return lines, texts


def _in_words(name: re.Match[str]) -> str:
    """What clients see of a name that stands in a docstring: an error's code, and the text of one without a code of its
    own."""
    if name[0] == "NULL_ARRAY":
        return "a null array"
    error = getattr(errors, name[0], None)
    if not isinstance(error, type) or not issubclass(error, errors.CommandError):
        return name[0]
    return (
        f"`{error.code} {error.text}`"
        if error.code == "ERR" and error.text != errors.CommandError.text
        else f"`{error.code}`"
    )


def _items(spec: Spec) -> list[str]:
    """The docstring behind its first line, an item a label, lines joined."""
    body = inspect.cleandoc(spec.handler.__doc__ or "").partition("\n")[2]
    items: list[list[str]] = []
    for line in body.splitlines():
        if not line.strip():
            items.append([])
        elif not items or _LABEL.match(line):
            items.append([line.strip()])
        else:
            items[-1].append(line.strip())
    return [" ".join(item) for item in items if item]


def _title(spec: Spec) -> str:
    return spec.name.replace("|", " ")


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
