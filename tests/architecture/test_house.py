"""The rules of the house that a program can check, each with planted faults that show it can fail.

A checker takes the root of a tree and lists what it found there as `file:line: what`; the same checker runs over this
repository and over a small tree built by the test. To add a rule, write its checker, name it in `CHECKERS`, and plant
at least one fault.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MAX_LINES = 600
NAMES_THAT_SAY_NOTHING = frozenset({"utils", "util", "common", "misc", "base", "helpers", "helper"})
BROAD_EXCEPT = frozenset({"src/spoold/dispatch/turn.py", "src/spoold/server/ticker.py"})
ENGINE_KEY_BUILDERS = frozenset({"src/spoold/keyspace/packing.py", "src/spoold/keyspace/layout.py"})
ENGINE_KEY_PREFIXES = frozenset({b"k", b"e", b"x", b"g", b"s", b"a", b"l", b"f", b"p"})
SKIPS = frozenset({"pytest.skip", "pytest.xfail", "pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"})

# Written apart, so that this file does not name what it forbids.
REGISTRY_HOSTS = tuple(
    name + "." + ending
    for name, ending in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("crates", "io"),
        ("golang", "org"),
        ("rubygems", "org"),
        ("packagist", "org"),
        ("maven", "org"),
        ("docker", "io"),
        ("ghcr", "io"),
        ("quay", "io"),
        ("conda", "anaconda.org"),
    ]
)
MACHINE_PATH = re.compile(r"(?<![\w.:/)}>-])(?:/(?:home|Users|work|root)/\w|[A-Z]:\\Users\\)")

Checker = Callable[[Path], list[str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def project_files(root: Path) -> list[Path]:
    """List the project's files: what git tracks or would track; without git, whatever is no product of a tool."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        listed = b""
    if listed:
        files = [root / name for name in listed.decode().split("\0") if name]
    else:
        products = {"__pycache__", "build", "dist", "node_modules"}
        names = [path.relative_to(root) for path in root.rglob("*")]
        files = [
            root / name
            for name in names
            if not products & set(name.parts) and (name.parts[0] == ".ci" or not name.parts[0].startswith("."))
        ]
    return sorted(path for path in files if path.is_file())


def sources(root: Path, *folders: str) -> Iterator[tuple[str, str]]:
    """Give name and text of every Python file in the folders."""
    for path in project_files(root):
        name = path.relative_to(root).as_posix()
        if path.suffix == ".py" and name.startswith(tuple(f"{folder}/" for folder in folders)):
            yield name, path.read_text("utf-8")


def trees(root: Path, *folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Give name and syntax tree of every Python file in the folders."""
    for name, text in sources(root, *folders):
        yield name, ast.parse(text, name)


def long_files(root: Path) -> list[str]:
    """No Python file has more than 600 lines."""
    return [
        f"{name}: {count} lines; give a family of functions its own named file"
        for name, text in sources(root, "src", "tests", "bench")
        if (count := text.count("\n")) > MAX_LINES
    ]


def filled_inits(root: Path) -> list[str]:
    """An `__init__.py` is empty; the top one holds the version, the client's its names."""
    allowed = {"src/spoold/__init__.py", "src/spoold/client/__init__.py"}
    return [
        f"{name}: an __init__.py is empty"
        for name, text in sources(root, "src")
        if name.endswith("/__init__.py") and name not in allowed and text.strip()
    ]


def empty_names(root: Path) -> list[str]:
    """No module or package is named after nothing."""
    return [
        f"{name}: says nothing of what is in it"
        for name, _ in sources(root, "src", "tests", "bench")
        if NAMES_THAT_SAY_NOTHING & {part.removesuffix(".py").removeprefix("test_") for part in name.split("/")}
    ]


def broad_excepts(root: Path) -> list[str]:
    """Everything is caught in two places only; a handler that raises it again at its end catches nothing."""
    found = []
    for name, tree in trees(root, "src"):
        for node in ast.walk(tree):
            if not isinstance(node, ast.ExceptHandler) or name in BROAD_EXCEPT:
                continue
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            caught = {kind.id if isinstance(kind, ast.Name) else "" for kind in kinds if kind is not None}
            broad = node.type is None or caught & {"Exception", "BaseException"}
            last = node.body[-1]
            if broad and not (isinstance(last, ast.Raise) and last.exc is None):
                found.append(f"{name}:{node.lineno}: catches everything; catch what you can name")
    return found


def engine_keys_built_elsewhere(root: Path) -> list[str]:
    """Nothing but the keyspace's layout puts a prefix of an engine key before other bytes.

    Finds `b"e" + …`, `b"".join((b"e", …))` and `b"e%b" % …`; what hides better is left to the reader of the change.
    """

    def is_prefix(node: ast.expr) -> bool:
        return isinstance(node, ast.Constant) and node.value in ENGINE_KEY_PREFIXES

    def builds(node: ast.expr) -> bool:
        match node:
            case ast.BinOp(left=left, op=ast.Add()):
                return is_prefix(left)
            case ast.BinOp(left=ast.Constant(value=bytes() as shape), op=ast.Mod()):
                return shape[:1] in ENGINE_KEY_PREFIXES and shape[1:2] == b"%"
            case ast.Call(
                func=ast.Attribute(attr="join", value=ast.Constant(value=b"")),
                args=[ast.Tuple(elts=[first, *_]) | ast.List(elts=[first, *_])],
            ):
                return is_prefix(first)
        return False

    return [
        f"{name}:{node.lineno}: builds an engine key; keyspace/layout.py does that"
        for name, tree in trees(root, "src")
        if name not in ENGINE_KEY_BUILDERS
        for node in ast.walk(tree)
        if isinstance(node, ast.expr) and builds(node)
    ]


def missing_docstrings(root: Path) -> list[str]:
    """Every module, public class, and public function or method of the source says what it is for.

    Exempt are the repeats: overloads, setters, and classes of nothing but a `text` (the errors: that is their text).
    """

    def is_repeat(node: Function) -> bool:
        names = [ast.unparse(decorator) for decorator in node.decorator_list]
        return any(name.split(".")[-1] in {"overload", "setter", "deleter", "override"} for name in names)

    def is_text_alone(node: ast.ClassDef) -> bool:
        assigned = {
            target.id
            for statement in node.body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
        return "text" in assigned and all(isinstance(statement, ast.Assign) for statement in node.body)

    def visit(name: str, node: ast.Module | ast.ClassDef) -> Iterator[str]:
        for child in node.body:
            if not isinstance(child, ast.ClassDef | Function) or child.name.startswith("_"):
                continue
            bare = ast.get_docstring(child) is None
            if isinstance(child, ast.ClassDef):
                if bare and not is_text_alone(child):
                    yield f"{name}:{child.lineno}: class {child.name} has no docstring"
                yield from visit(name, child)
            elif bare and not is_repeat(child):
                yield f"{name}:{child.lineno}: {child.name} has no docstring"

    found = []
    for name, tree in trees(root, "src"):
        if tree.body and ast.get_docstring(tree) is None and not name.endswith("__main__.py"):
            found.append(f"{name}:1: the module has no docstring")
        found.extend(visit(name, tree))
    return found


def skips_without_reason(root: Path) -> list[str]:
    """A skipped or expected-to-fail test says why, in words that are not empty."""
    found = []
    for name, tree in trees(root, "tests"):
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            function = node.func if isinstance(node, ast.Call) else node
            if not isinstance(function, ast.Attribute) or ast.unparse(function) not in SKIPS:
                continue
            kind = ast.unparse(function)
            if isinstance(node, ast.Call):
                given = [keyword.value for keyword in node.keywords if keyword.arg == "reason"]
                if kind in {"pytest.skip", "pytest.xfail", "pytest.mark.skip"}:
                    given += node.args[:1]
                empty = [isinstance(value, ast.Constant) and not str(value.value).strip() for value in given]
                silent = not given or all(empty)
            else:
                silent = id(node) not in called
            if silent:
                found.append(f"{name}:{function.lineno}: {kind} gives no reason")
    return found


def todos_without_issue(root: Path) -> list[str]:
    """A comment that leaves work for later names its issue: `TODO #12: …`."""
    found = []
    for name, text in sources(root, "src", "tests", "bench"):
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            later = re.search(r"\b(?:TODO|FIXME|XXX)\b(?!\s*\(?#\d)", token.string)
            if token.type == tokenize.COMMENT and later:
                found.append(f"{name}:{token.start[0]}: work for later without an issue number")
    return found


def places_of_one_machine(root: Path) -> list[str]:
    """No file names a package registry's host, or a path that exists on one machine only."""
    found = []
    for path in project_files(root):
        try:
            lines = path.read_text("utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture, a captured byte stream
        for number, line in enumerate(lines, 1):
            place = f"{path.relative_to(root).as_posix()}:{number}"
            found += [f"{place}: names the registry {host}" for host in REGISTRY_HOSTS if host in line]
            if MACHINE_PATH.search(line):
                found.append(f"{place}: names a path of one machine")
    return found


def misnamed_fragments(root: Path) -> list[str]:
    """A note in `changes/` is named `<subject>.<kind>.md`, as CONTRIBUTING.md says, and is not empty."""
    kinds = "added|changed|deprecated|removed|fixed|security"
    return [
        f"{path.relative_to(root).as_posix()}: a note is <subject>.<{kinds}>.md with text in it"
        for path in project_files(root)
        if path.parent == root / "changes" and path.name != "README.md"
        if not re.fullmatch(rf"[a-z0-9-]+\.(?:{kinds})\.md", path.name) or not path.read_text("utf-8").strip()
    ]


CHECKERS: list[Checker] = [
    long_files,
    filled_inits,
    empty_names,
    broad_excepts,
    engine_keys_built_elsewhere,
    missing_docstrings,
    skips_without_reason,
    todos_without_issue,
    places_of_one_machine,
    misnamed_fragments,
]


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.__name__)
def test_the_house_is_in_order(checker: Checker) -> None:
    assert checker(ROOT) == []


def test_the_files_of_this_project_were_looked_at() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in project_files(ROOT)}
    assert {"README.md", "src/spoold/core/errors.py", "tests/conftest.py", ".gitignore"} & names
    assert not any(name.startswith((".venv/", ".git/")) for name in names)


def plant(root: Path, file: str, text: str) -> Path:
    """Build a tree of one file."""
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8", "surrogateescape")
    return root


FOUND: list[tuple[Checker, str, str]] = [
    (long_files, "src/spoold/core/long.py", "x = 1\n" * (MAX_LINES + 1)),
    (filled_inits, "src/spoold/core/__init__.py", "from spoold.core import errors\n"),
    (empty_names, "src/spoold/core/utils.py", ""),
    (empty_names, "src/spoold/common/errors.py", ""),
    (empty_names, "tests/core/helpers.py", ""),
    (broad_excepts, "src/spoold/core/a.py", "try:\n    pass\nexcept Exception:\n    pass\n"),
    (broad_excepts, "src/spoold/core/a.py", "try:\n    pass\nexcept:\n    pass\n"),
    (broad_excepts, "src/spoold/core/a.py", "try:\n    pass\nexcept (OSError, BaseException) as e:\n    print(e)\n"),
    (engine_keys_built_elsewhere, "src/spoold/datatypes/lists/store.py", 'key = b"e" + object_id\n'),
    (engine_keys_built_elsewhere, "src/spoold/keyspace/expiry.py", 'key = b"".join((b"x", when))\n'),
    (engine_keys_built_elsewhere, "src/spoold/engine/env.py", 'key = b"s%b" % name\n'),
    (missing_docstrings, "src/spoold/core/a.py", "x = 1\n"),
    (missing_docstrings, "src/spoold/core/a.py", '"""A."""\ndef f(): ...\n'),
    (missing_docstrings, "src/spoold/core/a.py", '"""A."""\nclass A:\n    x = 1\n'),
    (missing_docstrings, "src/spoold/core/a.py", '"""A."""\nclass A:\n    """A."""\n    async def f(self): ...\n'),
    (missing_docstrings, "src/spoold/core/a.py", '"""A."""\nclass A:\n    text = "t"\n    def _f(self): ...\n'),
    (skips_without_reason, "tests/test_a.py", "pytest.skip()\n"),
    (skips_without_reason, "tests/test_a.py", 'pytest.skip(" ")\n'),
    (skips_without_reason, "tests/test_a.py", "@pytest.mark.skip\ndef test_a(): ...\n"),
    (skips_without_reason, "tests/test_a.py", "@pytest.mark.skipif(WINDOWS)\ndef test_a(): ...\n"),
    (skips_without_reason, "tests/test_a.py", "pytestmark = pytest.mark.xfail\n"),
    (todos_without_issue, "src/spoold/core/a.py", "x = 1  # TODO: more\n"),
    (todos_without_issue, "tests/test_a.py", "# FIXME later\n"),
    (places_of_one_machine, "README.md", f"pip install --index-url https://{REGISTRY_HOSTS[0]}/simple\n"),
    (places_of_one_machine, ".ci/run", "cd " + "/work" + "/main\n"),
    (places_of_one_machine, "docs/a.md", "see `" + "/home" + "/me/spoold`\n"),
    (misnamed_fragments, "changes/foundation.md", "- It exists.\n"),
    (misnamed_fragments, "changes/foundation.added.md", "\n"),
]

PASSED: list[tuple[Checker, str, str]] = [
    (long_files, "src/spoold/core/long.py", "x = 1\n" * MAX_LINES),
    (filled_inits, "src/spoold/__init__.py", '__version__ = "1"\n'),
    (filled_inits, "src/spoold/core/__init__.py", ""),
    (empty_names, "src/spoold/core/errors.py", ""),
    (broad_excepts, "src/spoold/dispatch/turn.py", "try:\n    pass\nexcept Exception:\n    pass\n"),
    (broad_excepts, "src/spoold/core/a.py", "try:\n    pass\nexcept BaseException:\n    print()\n    raise\n"),
    (broad_excepts, "src/spoold/core/a.py", "try:\n    pass\nexcept OSError:\n    pass\n"),
    (engine_keys_built_elsewhere, "src/spoold/keyspace/layout.py", 'key = b"e" + object_id\n'),
    (engine_keys_built_elsewhere, "src/spoold/protocol/resp.py", 'text = b"+" + status + b"%b" % x + b"".join(all)\n'),
    (missing_docstrings, "src/spoold/core/a.py", '"""A."""\ndef f():\n    """F."""\n    def g(): ...\n'),
    (missing_docstrings, "src/spoold/core/a.py", '"""A."""\nclass A(B):\n    text = "t"\ndef _f(): ...\n'),
    (missing_docstrings, "src/spoold/core/a.py", '"""A."""\n@typing.overload\ndef f(): ...\n'),
    (missing_docstrings, "src/spoold/core/__init__.py", ""),
    (skips_without_reason, "tests/test_a.py", 'pytest.skip("no redis")\npytest.importorskip("x")\n'),
    (skips_without_reason, "tests/test_a.py", '@pytest.mark.skipif(WINDOWS, reason="no fork")\ndef test_a(): ...\n'),
    (todos_without_issue, "src/spoold/core/a.py", "x = 1  # TODO #12: more\n# TODO(#13)\nTODO = 'TODO'\n"),
    (places_of_one_machine, "README.md", "jobs/work/done, https://example.org/home/me, /var/lib/spoold, /tmp/x\n"),
    (places_of_one_machine, "docs/picture.png", "\udc89PNG"),
    (misnamed_fragments, "changes/foundation.added.md", "- It exists.\n"),
    (misnamed_fragments, "changes/README.md", ""),
]


@pytest.mark.parametrize(("checker", "file", "text"), FOUND)
def test_a_planted_fault_is_found(tmp_path: Path, checker: Checker, file: str, text: str) -> None:
    faults = checker(plant(tmp_path, file, text))
    assert len(faults) == 1
    assert faults[0].startswith(f"{file}:")


@pytest.mark.parametrize(("checker", "file", "text"), PASSED)
def test_what_is_in_order_passes(tmp_path: Path, checker: Checker, file: str, text: str) -> None:
    assert checker(plant(tmp_path, file, text)) == []


def test_every_rule_has_a_planted_fault() -> None:
    assert {checker for checker, _, _ in FOUND} == set(CHECKERS)
