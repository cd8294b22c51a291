"""What is told of commands: COMMAND INFO, COMMAND DOCS, access control categories. All of it derives from declarations.

The shapes are those of Redis 7.0; texts are the docstrings'. Key specifications derive from `Keys`: one for each key
whose access is declared apart, the last one for all that follow.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any, Final

from spoold.command.spec import Flag, Keys, Keyword, Spec
from spoold.command.syntax import arguments
from spoold.command.table import Entry
from spoold.core.reply import SetReply, Simple

# Flags by their names on the wire, in the order in which Redis lists them.
_FLAG_NAMES: Final = (
    (Flag.WRITE, "write"),
    (Flag.READONLY, "readonly"),
    (Flag.DENYOOM, "denyoom"),
    (Flag.ADMIN, "admin"),
    (Flag.PUBSUB, "pubsub"),
    (Flag.NOSCRIPT, "noscript"),
    (Flag.BLOCKING, "blocking"),
    (Flag.LOADING, "loading"),
    (Flag.STALE, "stale"),
    (Flag.SKIP_MONITOR, "skip_monitor"),
    (Flag.SKIP_SLOWLOG, "skip_slowlog"),
    (Flag.FAST, "fast"),
    (Flag.NO_AUTH, "no_auth"),
    (Flag.NO_ASYNC_LOADING, "no_async_loading"),
    (Flag.NO_MULTI, "no_multi"),
    (Flag.NO_MANDATORY_KEYS, "no_mandatory_keys"),
    (Flag.MOVABLEKEYS, "movablekeys"),
    (Flag.ALLOW_BUSY, "allow_busy"),
)

# Groups of commands whose name is not that of their category.
_CATEGORY_OF_GROUP: Final = {"generic": "keyspace", "sorted-set": "sortedset", "transactions": "transaction"}
_GROUPS_WITHOUT_CATEGORY: Final = frozenset({"server", "jobs", "pubsub"})

# Commands of two groups; what Redis says of them.
_FURTHER_CATEGORIES: Final = {
    "SORT": ("set", "sortedset", "list"),
    "SORT_RO": ("set", "sortedset", "list"),
    "FLUSHDB": ("keyspace",),
    "FLUSHALL": ("keyspace",),
    "SWAPDB": ("keyspace",),
    "DBSIZE": ("keyspace",),
    "COMMAND": ("connection",),
    "ROLE": ("admin", "dangerous"),
    "LASTSAVE": ("admin", "dangerous"),
    "WAIT": ("connection",),
}
_NOT_OF_THEIR_GROUP: Final = frozenset({"SORT", "SORT_RO", "WAIT"})


def flag_names(entry: Entry) -> list[str]:
    """The flags of a command as COMMAND INFO names them."""
    flags = entry.flags
    keys = entry.spec.keys
    if keys.numkeys or keys.finder is not None:
        flags |= Flag.MOVABLEKEYS
    return [name for flag, name in _FLAG_NAMES if flags & flag]


def categories(entry: Entry) -> list[str]:
    """The access control categories of a command, without the `@`."""
    flags, spec = entry.flags, entry.spec
    container = spec.name.partition("|")[0]
    if entry.subs and not spec.flags:
        return ["slow"]  # a container says nothing of what is in it
    found = []
    if flags & Flag.WRITE:
        found.append("write")
    if flags & Flag.READONLY and spec.group not in ("scripting",):
        found.append("read")
    if flags & Flag.ADMIN:
        found += ["admin", "dangerous"]
    elif flags & Flag.DANGEROUS:
        found.append("dangerous")
    if flags & Flag.PUBSUB:
        found.append("pubsub")
    if flags & Flag.BLOCKING:
        found.append("blocking")
    found.append("fast" if flags & Flag.FAST else "slow")
    group = _CATEGORY_OF_GROUP.get(spec.group, spec.group)
    if group not in _GROUPS_WITHOUT_CATEGORY and spec.name not in _NOT_OF_THEIR_GROUP and group not in found:
        found.append(group)
    found += [name for name in _FURTHER_CATEGORIES.get(container, ()) if name not in found]
    return found


def key_access(spec: Spec) -> list[str]:
    """How each key specification's keys are used: `RO access`, `RW insert` …

    What a declaration does not say follows from its flags.
    """
    if spec.keys.access:
        return [part.strip() for part in spec.keys.access.split("|")]
    usual = "RW update" if spec.flags & Flag.WRITE else "RO access"
    return [usual, usual] if spec.keys.extra and spec.keys.numkeys else [usual]


def access_of(spec: Spec, count: int) -> list[str]:
    """The access of each of `count` keys of a request, in the order of `Keys.positions`."""
    access = key_access(spec)
    if spec.keys.finder is not None:
        access = [access[0], access[-1]]
    return [access[min(at, len(access) - 1)] for at in range(count)]


def access_of_request(spec: Spec, request: Sequence[bytes]) -> list[tuple[int, str]]:
    """The places of the keys in a request, and how each is used; none where the request names no sound ones."""
    keys = spec.keys
    if not (keys.first or keys.numkeys or keys.extra or keys.finder) or keys.access == "not_key":
        return []
    try:
        places = keys.positions(request)
    except (ValueError, IndexError):
        return []
    found = list(zip(places, access_of(spec, len(places)), strict=True))
    if "variable_flags" in keys.access:
        words = {word.upper() for word in request[2:]}
        # SET reads only with GET, BITFIELD writes only with SET or INCRBY.
        if spec.name == "SET" and b"GET" not in {word.upper() for word in request[3:]}:
            return [(at, "OW update") for at, _ in found]
        if spec.name == "BITFIELD" and not words & {b"SET", b"INCRBY"}:
            return [(at, "RO access") for at, _ in found]
        return [(at, uses.replace(" variable_flags", "")) for at, uses in found]
    return found


def command_info(entry: Entry) -> list[Any]:
    """A command as COMMAND INFO shows it, its subcommands included."""
    first, last, step = _fixed_keys(entry.spec.keys)
    return [
        entry.name.encode(),
        entry.spec.arity,
        _names(flag_names(entry)),
        first,
        last,
        step,
        _names([f"@{name}" for name in categories(entry)]),
        SetReply([]),
        SetReply(_key_specs(entry.spec)),
        SetReply([command_info(sub) for sub in entry.subs.values()]),
    ]


def command_docs(entry: Entry) -> dict[bytes, Any]:
    """A command as COMMAND DOCS shows it, its subcommands included."""
    spec = entry.spec
    docs: dict[bytes, Any] = {
        b"summary": spec.summary.encode(),
        b"since": spec.since.encode(),
        b"group": spec.group.encode(),
    }
    cost = section(spec, "cost")
    if cost:
        docs[b"complexity"] = cost.encode()
    listed = [] if entry.subs else arguments(spec.syntax, len(spec.name.split("|")))
    if listed:
        docs[b"arguments"] = listed
    if entry.subs:
        docs[b"subcommands"] = {sub.name.encode(): command_docs(sub) for sub in entry.subs.values()}
    return docs


def section(spec: Spec, name: str) -> str:
    """What a handler's docstring says behind `name:` (cost, returns, raises, source), as one line; empty if nothing."""
    text = inspect.cleandoc(spec.handler.__doc__ or "")
    match = re.search(rf"^{name}:(.*(?:\n[ \t]+.*)*)", text, re.MULTILINE)
    return " ".join(match[1].split()) if match else ""


def _names(names: list[str]) -> SetReply:
    return SetReply([Simple(name.encode()) for name in names])


def _fixed_keys(keys: Keys) -> tuple[int, int, int]:
    """First, last and step as COMMAND INFO shows them; a number of keys in the request counts for none."""
    if keys.numkeys:
        return (keys.extra, keys.extra, 1) if keys.extra else (0, 0, 0)
    if not keys.first:
        return 0, 0, 0
    return keys.first, keys.first if keys.last is None else keys.last, keys.step


def _key_specs(spec: Spec) -> list[dict[bytes, Any]]:
    keys = spec.keys
    access = key_access(spec)
    if keys.finder is not None or (spec.flags & Flag.MOVABLEKEYS and not keys.numkeys):
        specs = [_key_spec(access.pop(0), keys.first, _range(0, 1))] if keys.first else []
        if keys.keywords:
            return specs + [_keyword_spec(*each) for each in zip(access, keys.keywords, strict=True)]
        return specs + [_key_spec(each, 0, {b"type": b"unknown", b"spec": {}}) for each in access]
    if keys.numkeys:
        specs = [_key_spec(access[0], keys.extra, _range(0, 1))] if keys.extra else []
        counted = {b"type": b"keynum", b"spec": {b"keynumidx": 0, b"firstkey": 1, b"keystep": 1}}
        return [*specs, _key_spec(access[-1], keys.numkeys, counted)]
    if not keys.first:
        return []
    last = keys.first if keys.last is None else keys.last
    alone = [_key_spec(each, keys.first + at, _range(0, 1)) for at, each in enumerate(access[:-1])]
    begin = keys.first + len(alone)
    return [*alone, _key_spec(access[-1], begin, _range(last if last < 0 else last - begin, keys.step))]


def _range(last: int, step: int) -> dict[bytes, Any]:
    return {b"type": b"range", b"spec": {b"lastkey": last, b"keystep": step, b"limit": 0}}


def _key_spec(access: str, index: int, find: dict[bytes, Any]) -> dict[bytes, Any]:
    begin: dict[bytes, Any] = {b"type": b"index", b"spec": {b"index": index}}
    if not index:
        begin = {b"type": b"unknown", b"spec": {}}
    return {b"flags": _names(access.split()), b"begin_search": begin, b"find_keys": find}


def _keyword_spec(access: str, keyword: Keyword) -> dict[bytes, Any]:
    spec = _key_spec(access, 0, _range(keyword.last, 1))
    spec[b"begin_search"] = {
        b"type": b"keyword",
        b"spec": {b"keyword": keyword.word.encode(), b"startfrom": keyword.start},
    }
    spec[b"find_keys"][b"spec"][b"limit"] = keyword.limit
    return spec
