"""The commands as access control sees them: names, subcommands, categories. All of it derives from the declarations."""

from __future__ import annotations

from typing import Final

from spoold.command.describe import categories
from spoold.command.table import CommandTable, Entry

# In the order in which ACL CAT lists them.
CATEGORIES: Final = (
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
)


class Catalog:
    """Names of commands, lower case, subcommands as `container|sub`.

    names: all, each container before its subcommands. declared: category → the commands that say they are in it.
    members: category → what a rule on it changes: with a container all its subcommands.
    known: the commands of Redis 7.0, by which the categories that describe a set of commands are chosen: what is newer
        or spoold's own must not change the choice.
    """

    def __init__(self, table: CommandTable) -> None:
        """table: complete."""
        self.names: dict[str, Entry] = {}
        self._with_subs: dict[str, frozenset[str]] = {}
        declared: dict[str, set[str]] = {category: set() for category in CATEGORIES}
        members: dict[str, set[str]] = {category: set() for category in CATEGORIES}
        for entry in table.entries.values():
            for one in (entry, *entry.subs.values()):
                self.names[one.name] = one
                self._with_subs[one.name] = frozenset({one.name, *(sub.name for sub in one.subs.values())})
                for category in categories(one):
                    if category in declared:
                        declared[category].add(one.name)
                        members[category] |= self._with_subs[one.name]
        self.known = frozenset(name for name, entry in self.names.items() if _is_of_redis_7(entry))
        self.declared = {category: frozenset(names) for category, names in declared.items()}
        self.members = {category: frozenset(names) for category, names in members.items()}

    def with_subs(self, name: str) -> frozenset[str]:
        """A command and, if it is a container, all its subcommands."""
        return self._with_subs[name]


def _is_of_redis_7(entry: Entry) -> bool:
    version = tuple(map(int, entry.spec.since.split(".")[:2]))
    return version <= (7, 0) and entry.spec.group != "jobs"
