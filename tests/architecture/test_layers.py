"""One way down: a module imports only packages below its own.

The order stands in `LAYERS`, highest first; packages on one line do not know each other. An import under
`if TYPE_CHECKING` counts like any other, and one inside a function is a fault wherever it points.

To add a package, give it a line in `LAYERS` (or in `BESIDE`, if it is no part of the server) and say why there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "spoold"

LAYERS: tuple[tuple[str, ...], ...] = (
    ("__main__",),
    ("cli",),
    ("app", "embedded"),  # each puts the parts together: as a server, in a thread of someone else's process
    ("console", "server"),
    ("frontends", "admin"),
    ("dispatch",),
    ("operations",),  # what is done to a whole data directory, or to a whole server from outside
    ("scripting",),  # the dump of functions has the form of those of keys
    ("datatypes", "acl", "pubsub", "cluster", "metrics", "settings"),
    ("command",),
    ("keyspace",),
    ("engine", "client"),
    ("protocol",),
    ("core",),
)

# Not on the way from socket to disk: what each of these may import.
BESIDE: dict[str, frozenset[str]] = {
    "integrations": frozenset({"client", "protocol", "core"}),
    "contrib": frozenset({"client", "embedded"}),  # spoold behind other people's interfaces
    "simple": frozenset({"client"}),  # `from spoold.simple import Client`, as the old server's users write it
    "testing": frozenset({"core", "client"}),
}

# Each library has one home, so that replacing it is the work of one package.
HOMES: dict[str, frozenset[str]] = {
    "lmdb": frozenset({"engine"}),
    "hiredis": frozenset({"protocol"}),
    "click": frozenset({"cli"}),
    "rich": frozenset({"cli"}),
    "starlette": frozenset({"console"}),
    "uvicorn": frozenset({"console"}),
    "prometheus_client": frozenset({"console"}),
    "lupa": frozenset({"scripting"}),
    "uvloop": frozenset({"cli", "app", "embedded", "server"}),
}

# A handler is a plain function of its arguments: these stay outside, where a test can replace them.
OUTSIDE_ONLY = frozenset({"asyncio", "selectors", "socket", "threading", "time"})
PURE = frozenset({"command", "datatypes", "keyspace", "protocol"})


@dataclass(frozen=True)
class Import:
    """One imported module, fully named, at one line."""

    line: int
    target: str
    in_function: bool


def module_name(path: Path, root: Path) -> str:
    """Name the module in `path`, seen from the directory `root` that is the package spoold."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(("spoold", *parts)).removesuffix(".__init__")


def imports_of(path: Path, root: Path) -> Iterator[Import]:
    """Find every import of a module, at whatever depth it stands."""
    package = module_name(path, root).split(".")
    if path.name != "__init__.py":
        package.pop()

    def visit(node: ast.AST, in_function: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, alias.name, in_function)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(node.lineno, f"{base}.{alias.name}", in_function)
        inner = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inner)

    yield from visit(ast.parse(path.read_text("utf-8"), str(path)), False)


def packages_below(unit: str) -> frozenset[str] | None:
    """Say what a package (or top-level module) may import; None if it has no place in the order."""
    if unit in BESIDE:
        return BESIDE[unit]
    for height, layer in enumerate(LAYERS):
        if unit in layer:
            return frozenset(name for lower in LAYERS[height + 1 :] for name in lower)
    return None


def room_faults(module: str, target: str) -> str | None:
    """A room of `datatypes` may import another room's store, never its commands."""
    here, there = module.split("."), target.split(".")
    both_in_rooms = len(here) > 3 and len(there) > 3 and here[1] == there[1] == "datatypes"
    if both_in_rooms and here[2] != there[2] and there[3] != "store":
        return f"imports {'.'.join(there[1:4])}: of another room only its store.py"
    return None


def layer_faults(root: Path) -> list[str]:
    """List every import under `root` that does not point down."""
    units = {path.stem for path in root.iterdir() if path.is_dir() or path.suffix == ".py"} - {"__init__"}
    found = []
    for path in sorted(root.rglob("*.py")):
        module = module_name(path, root)
        unit = module.split(".")[1] if "." in module else ""
        below = frozenset[str]() if unit == "" else packages_below(unit)
        where = path.relative_to(root).as_posix()
        if below is None:
            found.append(f"{where}: package {unit} has no place in LAYERS")
            continue
        for imported in imports_of(path, root):
            place = f"{where}:{imported.line}"
            top, *rest = imported.target.split(".")
            if imported.in_function:
                found.append(f"{place}: imports {imported.target} inside a function")
            if top == "spoold":
                # `from spoold import __version__` names no package.
                target = rest[0] if rest and rest[0] in units else ""
                if target not in ("", unit) and target not in below:
                    found.append(f"{place}: {unit or 'spoold'} imports {target}, which is not below it")
                if (fault := room_faults(module, imported.target)) is not None:
                    found.append(f"{place}: {fault}")
            elif top in HOMES and unit not in HOMES[top]:
                found.append(f"{place}: {unit} imports {top}, which belongs to {'|'.join(sorted(HOMES[top]))}")
            elif top in OUTSIDE_ONLY and unit in PURE:
                found.append(f"{place}: {unit} imports {top}, which it must be given")
    return found


def test_every_import_points_down() -> None:
    assert layer_faults(SOURCE) == []


def test_the_source_was_looked_at() -> None:
    assert len(list(SOURCE.rglob("*.py"))) > 10
    seen = {imported.target for path in SOURCE.rglob("*.py") for imported in imports_of(path, SOURCE)}
    assert "spoold.core.errors.CommandError" in seen


def plant(root: Path, files: dict[str, str]) -> Path:
    """Build a small package spoold in which every layer exists."""
    for unit in [*(name for layer in LAYERS for name in layer), *BESIDE]:
        (root / unit).mkdir(parents=True)
        (root / unit / "__init__.py").touch()
    (root / "__init__.py").touch()
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("engine/env.py", "import lmdb\nfrom spoold.core.errors import EngineError\n"),
        ("engine/env.py", "from spoold.engine import batch\nfrom .journal import append\n"),
        ("cli/serve.py", "import click\nimport asyncio\nfrom spoold import __version__, app\n"),
        ("datatypes/sets/commands.py", "from spoold.datatypes.lists.store import ListStore\n"),
        ("datatypes/sets/commands.py", "from spoold.datatypes.sets.algebra import union\n"),
        ("datatypes/rooms.py", "from spoold.datatypes.lists import commands\n"),
        ("testing/process.py", "import socket\nfrom spoold.core.clock import Clock\n"),
        ("integrations/huey.py", "from spoold.client.sync import Client\n"),
        ("server/listener.py", "try:\n    import uvloop\nexcept ImportError:\n    uvloop = None\n"),
    ],
)
def test_imports_that_point_down_pass(tmp_path: Path, file: str, text: str) -> None:
    assert layer_faults(plant(tmp_path, {file: text})) == []


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("core/clock.py", "import spoold.engine.env", "core/clock.py:1: core imports engine, which is not below it"),
        ("engine/env.py", "from spoold import keyspace", "engine imports keyspace"),
        ("engine/env.py", "from ..keyspace.layout import key", "engine imports keyspace"),
        ("engine/__init__.py", "from ..keyspace import layout", "engine imports keyspace"),
        ("admin/config.py", "from spoold.frontends.redis import verbs", "admin imports frontends"),
        ("pubsub/hub.py", "from spoold.datatypes.lists.store import ListStore", "pubsub imports datatypes"),
        ("server/connection.py", "from spoold.app import App", "server imports app"),
        ("client/sync.py", "from spoold.engine.env import Env", "client imports engine"),
        ("testing/crash.py", "from spoold.engine.env import Env", "testing imports engine"),
        ("core/clock.py", "from spoold.testing.clock import ManualClock", "core imports testing"),
        ("__init__.py", "from spoold.core import errors", "spoold imports core"),
        (
            "command/context.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from spoold.dispatch.turn import Turn\n",
            "command/context.py:3: command imports dispatch",
        ),
        ("server/listener.py", "def f():\n    import json\n", "server/listener.py:2: imports json inside a function"),
        ("server/listener.py", "class A:\n    async def f(self):\n        from . import b\n", "inside a function"),
        ("datatypes/sets/commands.py", "from spoold.datatypes.lists.commands import lpop", "only its store.py"),
        ("datatypes/sets/commands.py", "from spoold.datatypes.lists import commands", "only its store.py"),
        ("keyspace/keyspace.py", "from lmdb import Transaction", "keyspace imports lmdb, which belongs to engine"),
        ("datatypes/keys/expire.py", "import time", "datatypes imports time, which it must be given"),
        ("utilities/text.py", "", "package utilities has no place in LAYERS"),
        ("shortcut.py", "", "package shortcut has no place in LAYERS"),
    ],
)
def test_a_planted_fault_is_found(tmp_path: Path, file: str, text: str, fault: str) -> None:
    faults = layer_faults(plant(tmp_path, {file: text}))
    assert len(faults) == 1
    assert fault in faults[0]
