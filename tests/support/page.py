"""A page of docs/, whose tables and examples a test holds against the program."""

from __future__ import annotations

import re
from pathlib import Path

_DOCS = Path(__file__).parents[2] / "docs"


class Page:
    """One page.    text: all of it."""

    def __init__(self, name: str) -> None:
        """name: its place below docs/."""
        self.text = (_DOCS / name).read_text("utf-8")

    def rows(self, heading: str) -> list[list[str]]:
        """The cells of the first table behind a heading, without its head; `\\|` is no border."""
        table = re.search(r"(?:^\|.*\n)+", self.text.split(f"## {heading}\n")[1], re.MULTILINE)
        assert table is not None
        lines = table[0].splitlines()[2:]
        return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]
