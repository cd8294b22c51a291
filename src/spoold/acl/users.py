"""Users: who they are, how they log in, what they may do.

A user that a client is logged in as is changed in place, so that new rules hold at once. The user `default` always
exists; a client that has not logged in is it. Passwords are kept as SHA-256 digests only.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Final

from spoold.acl.catalog import Catalog
from spoold.acl.rules import BadRule, Denial, Selector, has_blanks, weight
from spoold.command.table import CommandTable, Entry

DEFAULT: Final = b"default"

_HASH_CHARS: Final = 64
_NOT_THERE: Final = "The password you are trying to remove from the user does not exist"
_BAD_HASH: Final = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"


class User:
    """One user.

    on: may log in. nopass: with any password. passwords: digests in hexadecimal, in the order in which they came.
    payloads: `sanitize-payload` or `skip-sanitize-payload` if that was said; nothing depends on it.
    unrestricted: may do everything.
    """

    __slots__ = (
        "_all_channels",
        "_catalog",
        "name",
        "nopass",
        "on",
        "passwords",
        "payloads",
        "selectors",
        "unrestricted",
    )

    def __init__(self, name: bytes, catalog: Catalog, *, all_channels: bool = False) -> None:
        """A new user may not log in, and do nothing. all_channels: but that, then (acl-pubsub-default)."""
        self.name = name
        self._catalog = catalog
        self._all_channels = all_channels
        self.on = self.nopass = False
        self.passwords: dict[bytes, None] = {}
        self.payloads = b""
        self.selectors = [Selector(catalog, all_channels=all_channels)]
        self.unrestricted = False

    # -- changing -----------------------------------------------------------------------------------------------

    def changed(self, rules: Sequence[bytes]) -> User:
        """What this user would be with further rules.

        raises: BadRule: the message names the rule, in Redis's words; nothing has changed.
        """
        twin = User(self.name, self._catalog, all_channels=self._all_channels)
        twin.become(self)
        for rule in merge_selectors(rules):
            try:
                twin._apply(rule)
            except BadRule as error:
                shown = rule.partition(b"\0")[0].decode("utf-8", "surrogateescape")
                raise BadRule(f"Error in ACL SETUSER modifier '{shown}': {error}") from None
        return twin

    def become(self, other: User) -> None:
        """Take over all that another user is, but for the name."""
        self.on, self.nopass, self.payloads = other.on, other.nopass, other.payloads
        self.passwords = dict(other.passwords)
        self.selectors = [selector.copy() for selector in other.selectors]
        self.settle()

    def settle(self) -> None:
        """Work out `unrestricted` after the rules changed."""
        self.unrestricted = any(selector.unrestricted for selector in self.selectors)

    def _apply(self, rule: bytes) -> None:
        word = rule.lower()
        if not rule:
            return
        if word in (b"on", b"off"):
            self.on = word == b"on"
        elif word == b"nopass":
            self.nopass, self.passwords = True, {}
        elif word == b"resetpass":
            self.nopass, self.passwords = False, {}
        elif word in (b"sanitize-payload", b"skip-sanitize-payload"):
            self.payloads = word
        elif rule[:1] in (b">", b"#"):
            self.passwords[_digest(rule)] = None
            self.nopass = False
        elif rule[:1] in (b"<", b"!"):
            digest = _digest(rule)
            if digest not in self.passwords:
                raise BadRule(_NOT_THERE)
            del self.passwords[digest]
        elif rule[:1] == b"(" and rule[-1:] == b")":
            selector = Selector(self._catalog, all_channels=self._all_channels)
            for inner in rule[1:-1].split():
                selector.apply(inner)
            self.selectors.append(selector)
        elif word == b"clearselectors":
            del self.selectors[1:]
        elif word == b"reset":
            self.on = self.nopass = False
            self.passwords = {}
            self.payloads = b"sanitize-payload"
            self.selectors = [Selector(self._catalog, all_channels=self._all_channels)]
        else:
            self.selectors[0].apply(rule)

    # -- asking -------------------------------------------------------------------------------------------------

    def takes(self, password: bytes) -> bool:
        """Whether the user may log in with `password`; how long this takes does not tell how much of it is right."""
        given = hashlib.sha256(password).hexdigest().encode()
        right = [hmac.compare_digest(given, digest) for digest in self.passwords]
        return self.on and (self.nopass or any(right))

    def check(self, entry: Entry, request: Sequence[bytes]) -> Denial | None:
        """Why the request of command `entry` (the subcommand, where it names one) is not allowed; None if it is.

        cost: O(selectors, times keys and channels of the request, times patterns).
        """
        if self.unrestricted:
            return None
        worst: Denial | None = None
        for selector in self.selectors:
            denial = selector.check(entry, request)
            if denial is None:
                return None
            if worst is None or weight(denial) > weight(worst):
                worst = denial
        return worst

    def reads_everything(self, entry: Entry, request: Sequence[bytes]) -> bool:
        """Whether one selector allows the request and lets all keys be read."""
        return any(
            selector.reads_everything() and selector.check(entry, request) is None for selector in self.selectors
        )

    def allows_channel(self, name: bytes, *, is_pattern: bool) -> bool:
        """Whether one selector allows a channel, or exactly this pattern."""
        return any(selector.allows_channel(name, is_pattern=is_pattern) for selector in self.selectors)

    # -- describing ---------------------------------------------------------------------------------------------

    def flags(self) -> list[bytes]:
        """As ACL GETUSER lists them."""
        flags = [b"on" if self.on else b"off"]
        if self.nopass:
            flags.append(b"nopass")
        if self.payloads:
            flags.append(self.payloads)
        return flags

    def describe(self) -> bytes:
        """A line that makes this user, as ACL LIST shows it and ACL SAVE writes it; it holds digests, no passwords."""
        parts = [b"user", self.name, *self.flags()]
        parts += [b"#" + digest for digest in self.passwords]
        root, *further = self.selectors
        parts.append(root.describe())
        parts += [b"(" + selector.describe() + b")" for selector in further]
        return b" ".join(parts)


class Users:
    """All users of a server.

    default: the user that clients are before they log in. table, catalog: the commands that there are.
    open: who connects needs no password. all_channels: what new users may do with channels (acl-pubsub-default).
    on_change, on_removed: told of a user whose rules changed, and of one that is no more.
    guard: asked before the user `default` changes; raises CommandError to refuse it.
    """

    def __init__(self, table: CommandTable) -> None:
        """Only `default` exists, which may do everything without a password."""
        self.table = table
        self.catalog = Catalog(table)
        self.all_channels = False
        self.on_change: list[Callable[[User], None]] = []
        self.on_removed: list[Callable[[User], None]] = []
        self.guard: Callable[[User], None] = _allow
        self.default = self._fresh_default()
        self._users: dict[bytes, User] = {DEFAULT: self.default}

    @property
    def open(self) -> bool:
        """Whether clients need not log in."""
        return self.default.nopass and self.default.on

    def find(self, name: bytes) -> User | None:
        """The user of that name."""
        return self._users.get(name)

    def all(self) -> list[User]:
        """All users in the order of their names."""
        return [self._users[name] for name in sorted(self._users)]

    def log_in(self, name: bytes, password: bytes) -> User | None:
        """The user, if the password is right and it may log in; else None."""
        user = self._users.get(name)
        return user if user is not None and user.takes(password) else None

    def set(self, name: bytes, rules: Sequence[bytes]) -> None:
        """Make or change a user, by all rules or by none. raises: BadRule, CommandError."""
        known = self._users.get(name)
        user = known or User(name, self.catalog, all_channels=self.all_channels)
        wanted = user.changed(rules)
        if user is self.default:
            self.guard(wanted)
        self._users[name] = user
        user.become(wanted)
        if known is not None:
            self._tell(user)

    def remove(self, name: bytes) -> bool:
        """Remove a user, not `default`. returns: whether there was one."""
        user = self._users.pop(name, None)
        if user is None:
            return False
        for hook in self.on_removed:
            hook(user)
        return True

    def set_default_password(self, password: bytes) -> None:
        """Give `default` this one password, or none at all (requirepass)."""
        wanted = self.default.changed([b"resetpass", b">" + password if password else b"nopass"])
        self.default.become(wanted)
        self._tell(self.default)

    def replace_all(self, users: dict[bytes, User]) -> None:
        """Take over users that were read from a file; one who is the same as before notices nothing.

        A file without `default` leaves that as it is. raises: CommandError: the guard refuses the new `default`.
        """
        if DEFAULT in users:
            self.guard(users[DEFAULT])
        for name in [name for name in self._users if name not in users and name != DEFAULT]:
            self.remove(name)
        for name, wanted in users.items():
            known = self._users.get(name)
            if known is None:
                self._users[name] = wanted
            elif known.describe() != wanted.describe():
                known.become(wanted)
                self._tell(known)

    def new(self, name: bytes, rules: Sequence[bytes]) -> User:
        """A user that is not one of these yet. raises: BadRule."""
        user = User(name, self.catalog, all_channels=self.all_channels)
        user.become(user.changed(rules))
        return user

    def _fresh_default(self) -> User:
        return self.new(DEFAULT, [b"on", b"nopass", b"~*", b"&*", b"+@all"])

    def _tell(self, user: User) -> None:
        for hook in self.on_change:
            hook(user)


def merge_selectors(rules: Sequence[bytes]) -> list[bytes]:
    """Join the rules that belong to one selector, `(…` to `…)`. raises: BadRule: it does not end."""
    merged: list[bytes] = []
    first = begun = b""
    for rule in rules:
        if rule[:1] == b"(" and rule[-1:] != b")":
            first = begun = rule
        elif begun:
            begun += b" " + rule
            if rule[-1:] == b")":
                merged.append(begun)
                begun = b""
        else:
            merged.append(rule)
    if begun:
        shown = first.decode("utf-8", "surrogateescape")
        raise BadRule(f"Unmatched parenthesis in acl selector starting at '{shown}'.")
    return merged


def is_name(text: bytes) -> bool:
    """Whether a user may be called so."""
    return not has_blanks(text)


def _digest(rule: bytes) -> bytes:
    """The digest that a rule on passwords names, or that of the password that it names. raises: BadRule."""
    if rule[:1] in (b">", b"<"):
        return hashlib.sha256(rule[1:]).hexdigest().encode()
    digest = rule[1:]
    if len(digest) != _HASH_CHARS or any(byte not in b"0123456789abcdef" for byte in digest):
        raise BadRule(_BAD_HASH)
    return digest


def _allow(user: User) -> None:
    """Nothing is refused."""
