"""What the documentation's site needs beyond the pages as they are.

- Its first page is the README.
- Links to files of the repository outside docs/ become plain text: the site does not hold those files.
- A directory in the navigation (`commands/`) stands for all of its pages, README first; what is in it is generated.
- Pages that `nav` does not name yet, such as those of a part that is new, go to the end under "More".

source: https://www.mkdocs.org/user-guide/configuration/#hooks
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

LINK = re.compile(r"\[([^\]\n]+)\]\(([^)\s]+)\)")
MORE = "More"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the first page, and put the pages of directories into the navigation."""
    readme = Path(config.config_file_path).with_name("README.md").read_text("utf-8")
    files.append(File.generated(config, "index.md", content=readme.replace("](docs/", "](")))
    pages = sorted(file.src_uri for file in files.documentation_pages())
    nav = [_filled(entry, pages) for entry in config.nav or []]
    left = sorted(set(pages) - set(_pages(nav)))
    config.nav = [*nav, {MORE: left}] if left else nav
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Keep the text of links that lead out of docs/, and drop the links."""
    here = posixpath.dirname(page.file.src_uri)
    first = page.file.src_uri == "index.md"

    def keep(match: re.Match[str]) -> str:
        text, target = match.groups()
        path = target.partition("#")[0]
        if not path or ":" in target:
            return match[0]
        goal = posixpath.normpath(posixpath.join(here, path))
        if goal == "../README.md":
            return f"[{text}]({posixpath.relpath('index.md', here or '.')})"
        inside = (Path(page.file.abs_src_path or "docs/index.md").parent / path) if not first else Path("docs") / path
        if goal.startswith("..") or (first and not inside.exists()):
            return text
        # A directory is its first page.
        directory = (Path("docs") / goal).is_dir()
        if directory and not (Path("docs") / goal / "README.md").exists():
            return text
        return f"[{text}]({posixpath.join(path, 'README.md')})" if directory else match[0]

    return LINK.sub(keep, markdown)


def _filled(entry: Any, pages: list[str]) -> Any:
    if isinstance(entry, dict):
        return {title: _filled(value, pages) for title, value in entry.items()}
    if isinstance(entry, list):
        return [_filled(value, pages) for value in entry]
    if not entry.endswith("/"):
        return entry
    inside = [page for page in pages if page.startswith(entry)]
    return sorted(inside, key=lambda page: (not page.endswith("README.md"), page))


def _pages(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    values = nav.values() if isinstance(nav, dict) else nav
    return [page for value in values for page in _pages(value)]
