"""Pages that are written by hand keep up with the code: links resolve, the format's number has its page, every
dependency has its line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from spoold.engine import env, journal
from spoold.keyspace import packing, record

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("changes/README.md")])
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text("utf-8")


def broken_links(page: Path) -> list[str]:
    """The relative links of a page that lead nowhere."""
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))
    local = [target.split("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]
    return [target for target in local if not (page.parent / target).exists()]


def dependencies(pyproject: str) -> set[str]:
    """The names of everything that a pyproject.toml asks for, extras included."""
    project = tomllib.loads(pyproject)["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    return {re.split(r"[^A-Za-z0-9_.-]", name)[0] for name in wanted}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](gone.md#x) [b](page.md) [c](https://example.org/gone) [d](#here)")
    assert broken_links(page) == ["gone.md"]


def test_every_dependency_has_its_line() -> None:
    wanted = dependencies((ROOT / "pyproject.toml").read_text("utf-8"))
    assert {"lmdb", "pytest-timeout", "ruff"} <= wanted
    rows = ARCHITECTURE.split("## Dependencies")[1]
    named = {name for row in re.findall(r"^\| (.+?) \|", rows, re.MULTILINE) for name in row.split(", ")}
    assert wanted - named == set()
    assert named - wanted == {"package", "---"}


def test_every_module_named_in_the_reading_order_exists() -> None:
    order = ARCHITECTURE.split("## In which order")[1].split("## ")[0]
    names = re.findall(r"`([a-z_/]+(?:\.py|/))`", order)
    assert len(names) > 8
    assert [name for name in names if not (ROOT / "src/spoold" / name).exists()] == []


def test_the_format_has_its_page_with_the_figures_of_the_code() -> None:
    page = (ROOT / f"docs/formats/{env.FORMAT_VERSION}.md").read_text("utf-8")
    facts = [
        *(f"`{key.decode()}`" for key in (env.SYSTEM_FORMAT, env.SYSTEM_ID, env.SYSTEM_TURN)),
        *(f"`{name}`" for name in journal.NAMES),
        f"`{journal.MAGIC.decode()}`",
        f"{journal.HEADER_BYTES:,} bytes",
        f"Up to {packing.PLAIN_BYTES} bytes",
        f"always {packing.PLAIN_BYTES + 1} bytes",
        *(f"{kind.kind.decode()}, type {kind.type_byte} " for kind in record.Collection.__subclasses__()),
        f"string, type {record.StringRecord.type_byte} ",
    ]
    assert [fact for fact in facts if fact not in page] == []
