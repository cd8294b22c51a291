"""What a user may do: the rules of access control, one by one and together.

A `Selector` is a set of rules that hold together: commands, keys, channels. A user has a root selector and may have
more; a command is allowed if one of them allows all of it. Rules are applied in the order in which they are given, to
what was allowed before; what they come to is described anew each time (`Selector.describe`), as in Redis 7.0.

To add a rule, give it a case in `Selector.apply`, and a word in `_describe_…`.
source: Redis's page on access control lists; tried with redis 7.0.15.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from spoold.acl.catalog import Catalog
from spoold.command.describe import access_of_request
from spoold.command.spec import Flag
from spoold.command.table import Entry
from spoold.core.errors import SpooldError
from spoold.core.patterns import Matcher, compile_pattern

READ: Final = 1
WRITE: Final = 2

_UNKNOWN: Final = "Unknown command or category name in ACL"
_SYNTAX: Final = "Syntax error"
_FIRST_ARG_OF_SUB: Final = "Allowing first-arg of a subcommand is not supported"
_AFTER_ALL: Final = (
    "Adding a pattern after the * pattern (or the '{0}' flag) is not valid and does not have any effect. Try '{1}' to"
    " start with an empty list of {2}"
)
_AFTER_ALL_KEYS: Final = _AFTER_ALL.format("allkeys", "resetkeys", "patterns")
_AFTER_ALL_CHANNELS: Final = _AFTER_ALL.format("allchannels", "resetchannels", "channels")

# What a command does to a key needs what permission.
_NEEDS: Final = {"access": READ, "insert": WRITE, "delete": WRITE, "update": WRITE}

# Where the channels of a request stand, and whether they are patterns.
_CHANNELS: Final = {
    "publish": (1, 2, False),
    "spublish": (1, 2, False),
    "subscribe": (1, None, False),
    "ssubscribe": (1, None, False),
    "psubscribe": (1, None, True),
}

# Containers here, but no container in Redis: what is not known of them may be named all the same.
_ANY_FIRST_ARG: Final = frozenset({"debug"})

COMMAND: Final = "command"
KEY: Final = "key"
CHANNEL: Final = "channel"
_WEIGHT: Final = {COMMAND: 1, KEY: 2, CHANNEL: 3}


class BadRule(SpooldError):
    """A rule that does not hold; the message says why, in Redis's words."""


class Denial(NamedTuple):
    """Why a request is not allowed.

    reason: COMMAND, KEY or CHANNEL. place: of the word that is not. object: the command's name, or that word.
    """

    reason: str
    place: int
    object: bytes


class KeyPattern:
    """A pattern of keys that may be read, written or both."""

    __slots__ = ("matches", "permission", "text")

    def __init__(self, text: bytes, permission: int) -> None:
        """permission: READ, WRITE or both."""
        self.text = text
        self.permission = permission
        self.matches: Matcher = compile_pattern(text)

    def describe(self) -> bytes:
        """The rule that makes it."""
        if self.permission == READ | WRITE:
            return b"~" + self.text
        return (b"%R~" if self.permission == READ else b"%W~") + self.text


class Selector:
    """Rules that hold together.

    commands: the names that are allowed, subcommands as `container|sub`. future: commands that do not exist yet are
        too. every_command: nothing was taken away since all were allowed.
    first_args: what else is allowed with a certain first argument: name → arguments.
    """

    __slots__ = (
        "_catalog",
        "all_channels",
        "all_keys",
        "channels",
        "commands",
        "every_command",
        "first_args",
        "future",
        "keys",
    )

    def __init__(self, catalog: Catalog, *, all_channels: bool = False) -> None:
        """Nothing is allowed, but maybe all channels."""
        self._catalog = catalog
        self.commands: set[str] = set()
        self.future = self.every_command = False
        self.first_args: dict[str, list[bytes]] = {}
        self.all_keys = False
        self.all_channels = all_channels
        self.keys: dict[bytes, KeyPattern] = {}
        self.channels: dict[bytes, Matcher] = {}

    @property
    def unrestricted(self) -> bool:
        """Whether all is allowed."""
        return self.every_command and self.all_keys and self.all_channels

    def copy(self) -> Selector:
        """The same rules, to be changed apart."""
        twin = Selector(self._catalog, all_channels=self.all_channels)
        twin.commands = set(self.commands)
        twin.future, twin.every_command, twin.all_keys = self.future, self.every_command, self.all_keys
        twin.first_args = {name: list(arguments) for name, arguments in self.first_args.items()}
        twin.keys = {text: KeyPattern(text, pattern.permission) for text, pattern in self.keys.items()}
        twin.channels = dict(self.channels)
        return twin

    # -- changing -----------------------------------------------------------------------------------------------

    def apply(self, rule: bytes) -> None:
        """Change what is allowed. raises: BadRule, and then nothing has changed."""
        word = rule.lower()
        if word in (b"allcommands", b"+@all"):
            self.commands = set(self._catalog.names)
            self.future = self.every_command = True
            self.first_args = {}
        elif word in (b"nocommands", b"-@all"):
            self.commands = set()
            self.future = self.every_command = False
            self.first_args = {}
        elif word in (b"allkeys", b"~*"):
            self.all_keys, self.keys = True, {}
        elif word == b"resetkeys":
            self.all_keys, self.keys = False, {}
        elif word in (b"allchannels", b"&*"):
            self.all_channels, self.channels = True, {}
        elif word == b"resetchannels":
            self.all_channels, self.channels = False, {}
        elif rule[:1] in (b"~", b"%"):
            self._add_keys(rule)
        elif rule[:1] == b"&":
            self._add_channels(rule[1:])
        elif rule[:1] in (b"+", b"-"):
            self._change_commands(rule[:1] == b"+", rule[1:])
        else:
            raise BadRule(_SYNTAX)

    def _add_keys(self, rule: bytes) -> None:
        if self.all_keys:
            raise BadRule(_AFTER_ALL_KEYS)
        letters, text = b"RW", rule[1:]
        if rule[:1] == b"%":
            letters, _, text = rule[1:].partition(b"~")
            letters = letters.upper()
            if letters not in (b"R", b"W", b"RW", b"WR"):
                raise BadRule(_SYNTAX)
        if has_blanks(text):
            raise BadRule(_SYNTAX)
        permission = (READ if b"R" in letters else 0) | (WRITE if b"W" in letters else 0)
        known = self.keys.get(text)
        if known is None:
            self.keys[text] = KeyPattern(text, permission)
        else:
            known.permission |= permission

    def _add_channels(self, text: bytes) -> None:
        if self.all_channels:
            raise BadRule(_AFTER_ALL_CHANNELS)
        if has_blanks(text):
            raise BadRule(_SYNTAX)
        self.channels[text] = compile_pattern(text)

    def _change_commands(self, allow: bool, text: bytes) -> None:
        name = text.decode("latin-1").lower()
        catalog = self._catalog
        if name.startswith("@"):
            members = catalog.members.get(name[1:])
            if members is None:
                raise BadRule(_UNKNOWN)
            self._set(members, allow)
            return
        if name in catalog.names:
            self._set(catalog.with_subs(name), allow)
            return
        container, bar, _ = name.rpartition("|")
        if not allow or not bar or container not in catalog.names:
            raise BadRule(_UNKNOWN)
        if "|" in container:
            raise BadRule(_FIRST_ARG_OF_SUB)
        argument = text[len(container) + 1 :]
        if not argument:
            raise BadRule(_SYNTAX)
        if len(catalog.with_subs(container)) > 1 and container not in _ANY_FIRST_ARG:
            raise BadRule(_UNKNOWN)
        known = self.first_args.setdefault(container, [])
        if argument not in known:
            known.append(argument)

    def _set(self, names: frozenset[str], allow: bool) -> None:
        if allow:
            self.commands |= names
        else:
            self.commands -= names
            self.every_command = False
        for name in names & self.first_args.keys():
            del self.first_args[name]

    # -- asking -------------------------------------------------------------------------------------------------

    def check(self, entry: Entry, request: Sequence[bytes]) -> Denial | None:
        """Why the request of command `entry` (the subcommand, where it names one) is not allowed; None if it is."""
        if not self.every_command and entry.name not in self.commands and not entry.flags & Flag.NO_AUTH:
            arguments = self.first_args.get(entry.name)
            if not arguments or len(request) < 2 or request[1].lower() not in map(bytes.lower, arguments):
                return Denial(COMMAND, 0, entry.name.encode())
        if not self.all_keys:
            for at, uses in access_of_request(entry.spec, request):
                if not self._allows_key(request[at], uses):
                    return Denial(KEY, at, request[at])
        if not self.all_channels and entry.name in _CHANNELS:
            start, stop, patterns = _CHANNELS[entry.name]
            for at, name in enumerate(request[start:stop], start):
                if not self.allows_channel(name, is_pattern=patterns):
                    return Denial(CHANNEL, at, name)
        return None

    def _allows_key(self, name: bytes, uses: str) -> bool:
        needed = 0
        for use in uses.split():
            needed |= _NEEDS.get(use, 0)
        return any(pattern.permission & needed == needed and pattern.matches(name) for pattern in self.keys.values())

    def allows_channel(self, name: bytes, *, is_pattern: bool) -> bool:
        """Whether a channel may be used; a pattern only if exactly this one was allowed."""
        if self.all_channels or (is_pattern and name in self.channels):
            return True
        return not is_pattern and any(matches(name) for matches in self.channels.values())

    def reads_everything(self) -> bool:
        """Whether any key may be read, as SORT's BY and GET need."""
        return self.all_keys or any(
            pattern.text == b"*" and pattern.permission & READ for pattern in self.keys.values()
        )

    # -- describing ---------------------------------------------------------------------------------------------

    def describe_keys(self) -> bytes:
        """The rules for keys, separated by blanks."""
        return b"~*" if self.all_keys else b" ".join(pattern.describe() for pattern in self.keys.values())

    def describe_channels(self) -> bytes:
        """The rules for channels, separated by blanks."""
        return b"&*" if self.all_channels else b" ".join(b"&" + text for text in self.channels)

    def describe_commands(self) -> bytes:
        """Rules that come to the same commands: the categories that fit best, then single commands.

        cost: some 0.1 ms.
        """
        op, inverse = ("-", "+") if self.future else ("+", "-")
        catalog = self._catalog
        made = set(catalog.names) if self.future else set[str]()
        left = set(self.commands)
        rules = ["+@all" if self.future else "-@all"]
        categories = list(catalog.declared)
        while (best := _best(categories, catalog, left, removing=self.future)) is not None:
            rules.append(f"{op}@{best}")
            categories.remove(best)
            made, left = _changed(made, catalog.members[best], op), _changed(left, catalog.members[best], inverse)
        for name in catalog.names:
            allowed = name in self.commands
            if allowed != (name in made):
                rules.append(("+" if allowed else "-") + name)
                made = _changed(made, catalog.with_subs(name), "+" if allowed else "-")
        text = " ".join(rules).encode("latin-1")
        for name, arguments in self.first_args.items():
            if name not in self.commands:
                text += b"".join(b" +%b|%b" % (name.encode(), argument) for argument in arguments)
        return text

    def describe(self) -> bytes:
        """All rules, so that `apply` makes the same of them, one by one, in a new selector."""
        channels = self.describe_channels()
        if not self.all_channels:
            channels = b"resetchannels " + channels if channels else b"resetchannels"
        return b" ".join(part for part in (self.describe_keys(), channels, self.describe_commands()) if part)


def weight(denial: Denial) -> tuple[int, int]:
    """What orders denials: of several selectors' the one that came furthest is told."""
    return _WEIGHT[denial.reason], denial.place


def has_blanks(text: bytes) -> bool:
    """Whether there is a blank or a zero byte in `text`."""
    return any(byte in b" \t\n\v\f\r\0" for byte in text)


def _changed(names: set[str], by: frozenset[str], op: str) -> set[str]:
    return names | by if op == "+" else names - by


def _best(categories: Sequence[str], catalog: Catalog, left: set[str], *, removing: bool) -> str | None:
    """The category that has more in common with what is to be described than not, and the least else."""
    best = None
    least, most = len(catalog.names) + 1, 0
    for category in categories:
        weighed = catalog.declared[category] & catalog.known
        on = len(weighed & left)
        off = len(weighed) - on
        differ, same = (on, off) if removing else (off, on)
        if same > differ and (differ < least or (differ == least and same > most)):
            best, least, most = category, differ, same
    return best
