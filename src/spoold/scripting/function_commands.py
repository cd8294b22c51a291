"""FUNCTION: libraries of functions, and the function that runs."""

from __future__ import annotations

from typing import Any, Final

from spoold.command.context import Context
from spoold.command.spec import ALLOW_BUSY, DENYOOM, NOSCRIPT, WRITE, command
from spoold.core.errors import BadSubcommand, CommandError
from spoold.core.patterns import compile_pattern
from spoold.core.reply import OK, Reply, SetReply, Simple
from spoold.scripting.libraries import Libraries, Library
from spoold.scripting.payload import decode, encode
from spoold.scripting.shebang import FLAGS

_GROUP: Final = "scripting"
_POLICIES: Final = (b"FLUSH", b"APPEND", b"REPLACE")


@command(
    "FUNCTION|LOAD",
    flags=WRITE | DENYOOM | NOSCRIPT,
    since="7.0.0",
    syntax="FUNCTION LOAD [REPLACE] function-code",
    usage="LOAD [REPLACE] <FUNCTION CODE>",
    group=_GROUP,
)
def function_load(ctx: Context, word: bytes, *words: bytes) -> bytes:
    """Keeps a library of functions, across restarts.

    word, words: REPLACE, to take the place of a library of this name; then the code, which begins with `#!lua name=…`.
    returns: the library's name.
    raises: CommandError: no sound code, or names that are taken; nothing is changed then.
    source: Redis's FUNCTION LOAD page; tried with redis 7.0.15.
    """
    *options, code = (word, *words)
    for option in options:
        if option.upper() != b"REPLACE":
            raise CommandError(b"Unknown option given: " + option)
    return ctx.parts.get(Libraries).load(code, replace=bool(options))


@command(
    "FUNCTION|DELETE",
    flags=WRITE | NOSCRIPT,
    since="7.0.0",
    syntax="FUNCTION DELETE library-name",
    usage="DELETE <LIBRARY NAME>",
    group=_GROUP,
)
def function_delete(ctx: Context, library_name: bytes) -> Reply:
    """Drops a library and its functions.

    raises: NoSuchLibrary.
    """
    ctx.parts.get(Libraries).delete(library_name)
    return OK


@command(
    "FUNCTION|FLUSH",
    flags=WRITE | NOSCRIPT,
    since="7.0.0",
    syntax="FUNCTION FLUSH [ASYNC | SYNC]",
    group=_GROUP,
)
def function_flush(ctx: Context, *mode: bytes) -> Reply:
    """Drops all libraries.

    mode: makes no difference.
    raises: BadSubcommand: several words; CommandError: another word.
    """
    if len(mode) > 1:
        raise BadSubcommand
    if mode and mode[0].upper() not in (b"ASYNC", b"SYNC"):
        raise CommandError("FUNCTION FLUSH only supports SYNC|ASYNC option")
    ctx.parts.get(Libraries).flush()
    return OK


@command(
    "FUNCTION|LIST",
    flags=NOSCRIPT,
    since="7.0.0",
    syntax="FUNCTION LIST [LIBRARYNAME library-name-pattern] [WITHCODE]",
    usage="LIST [LIBRARYNAME PATTERN] [WITHCODE]",
    group=_GROUP,
)
def function_list(ctx: Context, *options: bytes) -> Reply:
    """Tells of the libraries and their functions.

    options: LIBRARYNAME and a pattern as KEYS takes it; WITHCODE for the code too.
    returns: a map for each library, the oldest first.
    raises: CommandError: an option that is unknown, given twice, or without its pattern.
    """
    pattern: bytes | None = None
    with_code = False
    rest = iter(options)
    for option in rest:
        word = option.upper()
        if word == b"WITHCODE" and not with_code:
            with_code = True
        elif word == b"LIBRARYNAME" and pattern is None:
            pattern = next(rest, None)
            if pattern is None:
                raise CommandError("library name argument was not given")
        else:
            raise CommandError(b"Unknown argument " + option)
    matches = compile_pattern(b"*" if pattern is None else pattern, nocase=True)
    return [_told(library, with_code) for library in ctx.parts.get(Libraries) if matches(library.name)]


@command("FUNCTION|STATS", flags=NOSCRIPT | ALLOW_BUSY, since="7.0.0", syntax="FUNCTION STATS", group=_GROUP)
def function_stats(ctx: Context) -> Reply:
    """Tells of the function that runs, and how many there are.

    returns: running_script: name, command and duration in ms, nothing if none runs; engines: counts.
    raises: BusyScript: a script runs, no function.
    """
    libraries = ctx.parts.get(Libraries)
    running = libraries.runner.running()
    counts = {b"libraries_count": len(libraries), b"functions_count": libraries.function_count}
    told: Any = None
    if running is not None:
        name, request, ms = running
        told = {b"name": name, b"command": list(request), b"duration_ms": ms}
    return {b"running_script": told, b"engines": {b"LUA": counts}}


@command("FUNCTION|KILL", flags=NOSCRIPT | ALLOW_BUSY, since="7.0.0", syntax="FUNCTION KILL", group=_GROUP)
def function_kill(ctx: Context) -> Reply:
    """Ends the function that keeps the server busy, unless it has written.

    raises: NothingRuns; Unkillable; BusyScript: it is a script, see SCRIPT KILL.
    """
    ctx.parts.get(Libraries).runner.kill(function=True)
    return OK


@command("FUNCTION|DUMP", flags=NOSCRIPT, since="7.0.0", syntax="FUNCTION DUMP", group=_GROUP)
def function_dump(ctx: Context) -> bytes:
    """Returns all libraries as one string, which FUNCTION RESTORE takes, Redis's too."""
    return encode([library.code for library in ctx.parts.get(Libraries)])


@command(
    "FUNCTION|RESTORE",
    flags=WRITE | DENYOOM | NOSCRIPT,
    since="7.0.0",
    syntax="FUNCTION RESTORE serialized-value [FLUSH | APPEND | REPLACE]",
    usage="RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
    group=_GROUP,
)
def function_restore(ctx: Context, serialized_value: bytes, *policy: bytes) -> Reply:
    """Brings back the libraries of a FUNCTION DUMP, this server's or a Redis's; all of them or none.

    policy: APPEND (default) refuses names that are taken, REPLACE replaces libraries, FLUSH drops the present ones.
    raises: BadSubcommand: several policies; CommandError: another one, or as FUNCTION LOAD; BadPayload, BadFormat.
    """
    if len(policy) > 1:
        raise BadSubcommand
    word = policy[0].upper() if policy else b"APPEND"
    if word not in _POLICIES:
        raise CommandError("Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
    ctx.parts.get(Libraries).restore(decode(serialized_value), word)
    return OK


def _told(library: Library, with_code: bool) -> dict[bytes, Any]:
    functions = [
        {
            b"name": function.name,
            b"description": function.description,
            b"flags": SetReply([Simple(name) for name, flag in FLAGS.items() if function.flags & flag]),
        }
        for function in library.functions.values()
    ]
    told: dict[bytes, Any] = {b"library_name": library.name, b"engine": b"LUA", b"functions": functions}
    if with_code:
        told[b"library_code"] = library.code
    return told
