"""COMMAND: what commands there are, and what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.describe import access_of_request, categories, command_docs, command_info
from spoold.command.spec import LOADING, STALE, Flag, command
from spoold.command.table import CommandTable, Entry
from spoold.core.errors import BadArguments, BadNumberOfArguments, NoKeyArguments, NoSuchCommand, SyntaxFault
from spoold.core.patterns import compile_pattern
from spoold.core.reply import Reply, SetReply, Simple

_FLAGS = LOADING | STALE
_GROUP = "server"


@command("COMMAND", flags=_FLAGS, since="2.8.13", syntax="COMMAND", group=_GROUP, arity=-1)
def command_(ctx: Context) -> Reply:
    """Returns what is known of all commands, as COMMAND INFO does."""
    return [command_info(entry) for entry in ctx.parts.get(CommandTable).entries.values()]


@command("COMMAND|COUNT", flags=_FLAGS, since="2.8.13", syntax="COMMAND COUNT", group=_GROUP)
def command_count(ctx: Context) -> int:
    """Returns how many commands there are, subcommands not counted."""
    return len(ctx.parts.get(CommandTable).entries)


@command(
    "COMMAND|LIST",
    flags=_FLAGS,
    since="7.0.0",
    syntax="COMMAND LIST [FILTERBY MODULE module-name | ACLCAT category | PATTERN pattern]",
    group=_GROUP,
)
def command_list(ctx: Context, *options: bytes) -> Reply:
    """Returns the names of all commands and subcommands, or of those that a filter lets through.

    options: FILTERBY and MODULE, ACLCAT or PATTERN with its value. There are no modules, so none has commands.
    raises: SyntaxFault.
    """
    wanted: Callable[[Entry], bool] = _any
    if options:
        args = Args(options)
        if not args.skip(b"FILTERBY"):
            raise SyntaxFault
        wanted = _filter(args.word(), args.take())
        args.end()
    return [entry.name.encode() for entry in _all(ctx) if wanted(entry)]


@command(
    "COMMAND|INFO",
    flags=_FLAGS,
    since="2.8.13",
    syntax="COMMAND INFO [command-name [command-name ...]]",
    group=_GROUP,
)
def command_info_(ctx: Context, *names: bytes) -> Reply:
    """Returns arity, flags, key positions and access control categories of commands.

    names: all commands if there is none; a subcommand as `client|list`.
    returns: for each name an array, nothing for one that does not exist.
    source: Redis's COMMAND INFO and COMMAND pages.
    """
    if not names:
        return command_(ctx)
    entries = [_find(ctx, name) for name in names]
    return [None if entry is None else command_info(entry) for entry in entries]


@command(
    "COMMAND|DOCS",
    flags=_FLAGS,
    since="7.0.0",
    syntax="COMMAND DOCS [command-name [command-name ...]]",
    group=_GROUP,
)
def command_docs_(ctx: Context, *names: bytes) -> Reply:
    """Returns summary, version, group, cost and arguments of commands.

    names: all commands if there is none; those that do not exist are left out.
    returns: name → properties.
    source: Redis's COMMAND DOCS page.
    """
    table = ctx.parts.get(CommandTable)
    entries = [_find(ctx, name) for name in names] if names else list(table.entries.values())
    return {entry.name.encode(): command_docs(entry) for entry in entries if entry is not None}


@command(
    "COMMAND|GETKEYS",
    flags=_FLAGS,
    since="2.8.13",
    syntax="COMMAND GETKEYS command [arg [arg ...]]",
    group=_GROUP,
    arity=-4,
)
def command_getkeys(ctx: Context, *request: bytes) -> Reply:
    """Returns the keys in a request.

    raises: NoSuchCommand, NoKeyArguments, BadNumberOfArguments, BadArguments.
    """
    return [request[at] for at in _keys(ctx, request)[1]]


@command(
    "COMMAND|GETKEYSANDFLAGS",
    flags=_FLAGS,
    since="7.0.0",
    syntax="COMMAND GETKEYSANDFLAGS command [arg [arg ...]]",
    group=_GROUP,
    arity=-4,
)
def command_getkeysandflags(ctx: Context, *request: bytes) -> Reply:
    """Returns the keys in a request and how the command uses each.

    returns: pairs of a key and its flags (`RO access`, `RW update` …).
    raises: as COMMAND GETKEYS.
    """
    entry, _ = _keys(ctx, request)
    return [
        [request[at], SetReply([Simple(flag.encode()) for flag in flags.split()])]
        for at, flags in access_of_request(entry.spec, request)
    ]


def _all(ctx: Context) -> Iterator[Entry]:
    for entry in ctx.parts.get(CommandTable).entries.values():
        yield entry
        yield from entry.subs.values()


def _any(entry: Entry) -> bool:
    return True


def _filter(kind: bytes, value: bytes) -> Callable[[Entry], bool]:
    if kind == b"MODULE":
        return lambda entry: False
    if kind == b"ACLCAT":
        category = value.decode("latin-1").lower()
        return lambda entry: category in categories(entry)
    if kind == b"PATTERN":
        matches = compile_pattern(value, nocase=True)
        return lambda entry: matches(entry.name.encode())
    raise SyntaxFault


def _find(ctx: Context, name: bytes) -> Entry | None:
    """The command or, as `container|sub`, the subcommand of that name."""
    container, bar, sub = name.partition(b"|")
    entry = ctx.parts.get(CommandTable).find(container)
    return entry.subs.get(sub.upper()) if entry is not None and bar else entry


def _keys(ctx: Context, request: Sequence[bytes]) -> tuple[Entry, list[int]]:
    """The command of a request, and the places of its keys."""
    entry = ctx.parts.get(CommandTable).resolve(request)
    if entry is None:
        raise NoSuchCommand
    keys: Any = entry.spec.keys
    if not (keys.first or keys.numkeys or keys.extra or keys.finder) or keys.access == "not_key":
        raise NoKeyArguments
    if not entry.low <= len(request) <= entry.high:
        raise BadNumberOfArguments
    try:
        places: list[int] = keys.positions(request)
    except (ValueError, IndexError):
        places = []
    if not places and not entry.flags & Flag.NO_MANDATORY_KEYS:
        raise BadArguments
    return entry, places
