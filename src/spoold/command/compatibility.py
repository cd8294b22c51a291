"""The page that says which commands of Redis 7.0 there are, which there are not, and why.

What Redis has stands in `redis70.txt`, as its own COMMAND DOCS tells it (a test compares the two). What there is stands
in the declarations: options that their syntax lines lack are listed, and what their docstrings say behind `differs:`.
Why something is missing is written here, and nowhere else: whoever adds a command takes its reason away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from spoold.command.describe import section
from spoold.command.pages import GROUPS, command_link, in_words, is_shown
from spoold.command.spec import Spec
from spoold.command.table import CommandTable, Entry


@dataclass(frozen=True)
class Reason:
    """Why commands are not there. tag: one word for it."""

    tag: str
    text: str


_CLUSTER: Final = Reason(
    "cluster",
    "Redis Cluster spreads keys over many servers; spoold is one server. CLUSTER, READONLY, READWRITE and ASKING are"
    " refused as by a Redis that is no part of a cluster.",
)
_REPLICATION: Final = Reason(
    "replication", "Redis's replication protocol is not spoken: no Redis can copy a spoold, nor a spoold a Redis."
)
_MODULES: Final = Reason("modules", "Modules are C libraries for the process of Redis.")

# By command; a container's reason holds for all that is in it.
REASONS: Final = {
    "ASKING": _CLUSTER,
    "CLUSTER": _CLUSTER,
    "FAILOVER": _REPLICATION,
    "MIGRATE": Reason(
        "migration", "It would hold up all clients while another server answers; `DUMP` and `RESTORE` take a key along."
    ),
    "MODULE|LOAD": _MODULES,
    "MODULE|LOADEX": _MODULES,
    "MODULE|UNLOAD": _MODULES,
    "PSYNC": _REPLICATION,
    "READONLY": _CLUSTER,
    "READWRITE": _CLUSTER,
    "REPLCONF": _REPLICATION,
    "RESTORE-ASKING": _CLUSTER,
    "SYNC": _REPLICATION,
}
# These are declared, and only refuse.
REFUSED: Final = frozenset(
    {
        *("ASKING", "CLUSTER", "READONLY", "READWRITE"),
        *("FAILOVER", "PSYNC", "REPLCONF", "SYNC"),
        "MIGRATE",
        *("MODULE|LOAD", "MODULE|LOADEX", "MODULE|UNLOAD"),
    }
)
NOT_YET: Final = Reason("not yet", "Not there yet.")

# Words that Redis lists one by one, and a syntax line by a name for all of them.
_VALUES: Final = {
    "CLIENT|KILL": frozenset({"NORMAL", "MASTER", "SLAVE", "REPLICA", "PUBSUB"}),
    "CLIENT|LIST": frozenset({"NORMAL", "MASTER", "REPLICA", "PUBSUB"}),
    "REPLICAOF": frozenset({"NO", "ONE"}),
    "SLAVEOF": frozenset({"NO", "ONE"}),
}

_NOTE: Final = "<!-- Written by `spoold docs`; change command/compatibility.py, or the declarations, instead. -->"
_INTRODUCTION: Final = """# Compatibility with Redis 7.0

Of the {all} commands of Redis 7.0, subcommands counted, spoold has {present}. They take the same arguments and give the
same replies and errors: random requests are played to both servers and compared byte for byte
([architecture](architecture.md#how-it-is-known-to-work)). What is missing or differs on purpose stands below.
"""


@dataclass(frozen=True)
class Known:
    """One command of Redis. options: the words that its options begin with."""

    name: str
    group: str
    options: tuple[str, ...]


def redis_commands() -> list[Known]:
    """All commands of Redis 7.0, subcommands behind their containers, by group."""
    found = []
    group = ""
    for line in files("spoold.command").joinpath("redis70.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            group = line.strip("[]")
        elif line and not line.startswith("#"):
            name, *options = line.split()
            found.append(Known(name, group, tuple(options)))
    return found


def reason(name: str) -> Reason:
    """Why there is no such command."""
    return REASONS.get(name) or REASONS.get(name.partition("|")[0]) or NOT_YET


def refused(name: str) -> bool:
    """Whether a command is declared, and only refuses; a container of REFUSED stands for all that is in it."""
    return name in REFUSED or name.partition("|")[0] in REFUSED


def missing_options(known: Known, spec: Spec) -> list[str]:
    """The options of Redis that a declaration's syntax line lacks."""
    words = {word.upper() for word in re.findall(r"[^\s\[\]|]+", spec.syntax)}
    words |= _VALUES.get(known.name, frozenset())
    return [option for option in known.options if option not in words]


def compatibility_page(table: CommandTable) -> str:
    """The page's text."""
    entries = {entry.spec.name: entry for entry in table.entries.values()}
    for entry in table.entries.values():
        entries.update((sub.spec.name, sub) for sub in entry.subs.values())
    entries = {name: entry for name, entry in entries.items() if not refused(name)}
    known = redis_commands()
    parts = [
        _NOTE,
        _INTRODUCTION.format(all=len(known), present=sum(each.name in entries for each in known)).rstrip(),
        _absent([each for each in known if each.name not in entries]),
        _different([(each, entries[each.name].spec) for each in known if each.name in entries]),
        _further({each.name for each in known}, entries),
    ]
    for group, title in {**GROUPS, "cluster": "Cluster"}.items():
        rows = [_row(each, entries.get(each.name)) for each in known if each.group == group]
        parts.append(_table(f"## {title}", ("command", "there", "differs"), rows))
    return "\n\n".join(part for part in parts if part) + "\n"


def _absent(absent: list[Known]) -> str:
    """Commands by the reason why they are not there."""
    by_reason: dict[Reason, list[str]] = {}
    for each in absent:
        by_reason.setdefault(reason(each.name), []).append(f"`{_shown(each.name)}`")
    rows = [(why.tag, why.text, ", ".join(names)) for why, names in by_reason.items()]
    return _table("## What is not there, and why", ("", "why", "commands"), rows)


def _different(there: list[tuple[Known, Spec]]) -> str:
    """Commands that lack an option, or say of themselves that they differ."""
    rows = [(command_link(spec, "commands/"), text) for known, spec in there if (text := _difference(known, spec))]
    return _table("## What differs", ("command", "how"), rows)


def _difference(known: Known, spec: Spec) -> str:
    lacking = ", ".join(f"`{option}`" for option in missing_options(known, spec))
    text = in_words(section(spec, "differs"))
    text = text[:1].upper() + text[1:]
    return _cell(" ".join(part for part in (lacking and f"Without {lacking}.", text) if part))


def _further(names: set[str], entries: dict[str, Entry]) -> str:
    """Commands that Redis 7.0 has not."""
    rows = [
        (command_link(entry.spec, "commands/"), _cell(entry.spec.summary))
        for name, entry in sorted(entries.items())
        if name not in names and not name.endswith("|HELP") and is_shown(entry)
    ]
    return _table("## What Redis 7.0 has not", ("command", ""), rows)


def _row(known: Known, entry: Entry | None) -> tuple[str, str, str]:
    """One command in the list of its group."""
    if entry is None:
        return f"`{_shown(known.name)}`", f"no: {reason(known.name).tag}", ""
    name = command_link(entry.spec, "commands/") if is_shown(entry) else _shown(known.name)
    return name, "yes", "yes" if _difference(known, entry.spec) else ""


def _table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    lines = [title, "", "| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def _shown(name: str) -> str:
    return name.replace("|", " ")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
