"""What people and programs read: tables on a terminal, plain columns in a pipe, JSON when asked.

Names and items come from anyone, so whatever is no printable text is written escaped, and nothing of it is taken for
markup.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from spoold.operations.files import Progress as Report
from spoold.operations.texts import to_json

_UNITS: Final = (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
_SPANS: Final = (("d", 86_400), ("h", 3_600), ("min", 60))

Column = tuple[str, str]
"""Heading, and `left` or `right`."""


def text_of(data: bytes, most: int = 0) -> str:
    """Bytes for people: text with everything unprintable escaped, cut to `most` characters (0: not)."""
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in data[: most * 4 or None].decode("utf-8", "backslashreplace")
    )
    return shown if not most or len(shown) <= most else shown[: most - 1] + "…"


def size_of(count: int) -> str:
    """A number of bytes for people: `512 B`, `1.5 MiB`."""
    for unit, size in _UNITS:
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def span_of(seconds: float) -> str:
    """A time for people: `0.4 s`, `12 min`, `3 d`."""
    for unit, size in _SPANS:
        if seconds >= size * 2:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


def number_of(count: float) -> str:
    """A number for people."""
    return f"{count:,.0f}" if count >= 100 or count == int(count) else f"{count:,.1f}"


def console(*, errors: bool = False) -> Console:
    """Where to write: it has no colours unless it is a terminal."""
    return Console(file=sys.stderr if errors else sys.stdout, highlight=False, markup=False, emoji=False)


# The first column, of names, is made no narrower for the sake of others.
_NAME_WIDTH: Final = 16
# Between two columns, and at the table's edges.
_GAP: Final = 3


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str = "", width: int = 80) -> Table:
    """A table for a terminal of so many characters: names are folded; columns that have no room are left out.

    Those further right go first, so the columns come in the order of what people want to know.
    """
    widths = [max(map(len, (heading, *(row[at] for row in rows)))) + _GAP for at, (heading, _) in enumerate(columns)]
    fit = len(columns)
    while fit > 2 and min(widths[0], _NAME_WIDTH) + sum(widths[1:fit]) > width:
        fit -= 1
    shown = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for at, (heading, side) in enumerate(columns[:fit]):
        room = max(width - sum(widths[1:fit]) - _GAP, 1) if not at else None
        justify: Literal["left", "right"] = "right" if side == "right" else "left"
        shown.add_column(heading, justify=justify, overflow="fold", no_wrap=bool(at), max_width=room)
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row[:fit]))
    return shown


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Write a table: ruled and as wide as the terminal; elsewhere in plain columns of which none is cut or broken."""
    out = console()
    if out.is_terminal:
        out.print(table(columns, rows, title, out.width))
        return
    if title:
        click.echo(title)
    lines = [[heading for heading, _ in columns], *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    for line in lines:
        cells = (
            cell.rjust(width) if side == "right" else cell.ljust(width)
            for cell, width, (_, side) in zip(line, widths, columns, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def count_of(count: int, what: str) -> str:
    """A number of things for people: `1 item`, `2,000 items`."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def print_pairs(pairs: Sequence[tuple[str, str]]) -> None:
    """Write names and values, one a line."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        click.echo(f"{name.ljust(width)}  {value}".rstrip())


def print_json(value: Any) -> None:
    """Write one JSON document; bytes as `operations.texts` writes them."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return to_json(value)
    raise TypeError(type(value).__name__)


@contextmanager
def progress_bar(what: str, *, in_bytes: bool = False, quiet: bool = False) -> Iterator[Report]:
    """A bar on the terminal's error stream while something takes its time; nothing where there is no terminal."""
    out = console(errors=True)
    amount = DownloadColumn(binary_units=True) if in_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True, disable=quiet or not out.is_terminal) as bar:
        task = bar.add_task(what, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        yield report
