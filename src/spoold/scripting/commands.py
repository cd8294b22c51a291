"""EVAL, EVALSHA, FCALL and their read-only forms."""

from __future__ import annotations

from typing import Any, Final

from spoold.command.context import Context
from spoold.command.spec import MOVABLEKEYS, NOSCRIPT, READONLY, STALE, Flag, Keys, command
from spoold.core.errors import CommandError, MoreKeysThanArguments, NotAnInteger, TooMuchData
from spoold.core.numerals import parse_int
from spoold.core.script_errors import BadNumkeys, NegativeNumkeys, WritesInReadOnly
from spoold.scripting.libraries import Libraries
from spoold.scripting.scripts import Script, Scripts
from spoold.scripting.shebang import ScriptFlag

_FLAGS: Final = NOSCRIPT | STALE | Flag.SKIP_MONITOR | Flag.NO_MANDATORY_KEYS | MOVABLEKEYS
_RW: Final = Keys(numkeys=2, access="RW access update")
_RO: Final = Keys(numkeys=2, access="RO access")
_GROUP: Final = "scripting"


@command(
    "EVAL",
    flags=_FLAGS,
    keys=_RW,
    since="2.6.0",
    syntax="EVAL script numkeys [key [key ...]] [arg [arg ...]]",
    group=_GROUP,
)
def eval_(ctx: Context, script: bytes, numkeys: bytes, *words: bytes) -> Any:
    """Runs a Lua script.

    script: Lua 5.1, with KEYS and ARGV; a first line `#!lua flags=…` may promise something.
    numkeys: how many of the words are keys.
    returns: what the script returns, after Redis's rules (scripting/convert.py).
    raises: NotAnInteger, NegativeNumkeys, MoreKeysThanArguments; CommandError: it can't be compiled, or failed.
    atomic: nothing else runs meanwhile. What it wrote before it failed stays written.
    source: Redis's EVAL page; tried with redis 7.0.15.
    """
    return _evaluate(ctx, script, numkeys, words, read_only=False)


@command(
    "EVAL_RO",
    flags=_FLAGS | READONLY,
    keys=_RO,
    since="7.0.0",
    syntax="EVAL_RO script numkeys [key [key ...]] [arg [arg ...]]",
    group=_GROUP,
)
def eval_ro(ctx: Context, script: bytes, numkeys: bytes, *words: bytes) -> Any:
    """Runs a Lua script that must not write. As EVAL otherwise."""
    return _evaluate(ctx, script, numkeys, words, read_only=True)


@command(
    "EVALSHA",
    flags=_FLAGS,
    keys=_RW,
    since="2.6.0",
    syntax="EVALSHA sha1 numkeys [key [key ...]] [arg [arg ...]]",
    group=_GROUP,
)
def evalsha(ctx: Context, sha1: bytes, numkeys: bytes, *words: bytes) -> Any:
    """Runs a script that the server knows.

    sha1: of its text, hexadecimal.
    raises: NoScript: it knows none; as EVAL otherwise.
    """
    keys = _count_keys(numkeys, words)
    return _run(ctx, ctx.parts.get(Scripts).find(sha1), keys, words, read_only=False)


@command(
    "EVALSHA_RO",
    flags=_FLAGS | READONLY,
    keys=_RO,
    since="7.0.0",
    syntax="EVALSHA_RO sha1 numkeys [key [key ...]] [arg [arg ...]]",
    group=_GROUP,
)
def evalsha_ro(ctx: Context, sha1: bytes, numkeys: bytes, *words: bytes) -> Any:
    """Runs a script that the server knows and that must not write. As EVALSHA otherwise."""
    keys = _count_keys(numkeys, words)
    return _run(ctx, ctx.parts.get(Scripts).find(sha1), keys, words, read_only=True)


@command(
    "FCALL",
    flags=_FLAGS,
    keys=_RW,
    since="7.0.0",
    syntax="FCALL function numkeys [key [key ...]] [arg [arg ...]]",
    group=_GROUP,
)
def fcall(ctx: Context, function: bytes, numkeys: bytes, *words: bytes) -> Any:
    """Runs a function of a library.

    function: its name, in any case. numkeys: how many of the words are keys.
    returns: what it returns, as with EVAL.
    raises: NoSuchFunction; BadNumkeys, NegativeNumkeys, MoreKeysThanArguments; CommandError: it failed.
    atomic: as EVAL.
    source: Redis's FCALL page; tried with redis 7.0.15.
    """
    return _call(ctx, b"fcall", function, numkeys, words, read_only=False)


@command(
    "FCALL_RO",
    flags=_FLAGS | READONLY,
    keys=_RO,
    since="7.0.0",
    syntax="FCALL_RO function numkeys [key [key ...]] [arg [arg ...]]",
    group=_GROUP,
)
def fcall_ro(ctx: Context, function: bytes, numkeys: bytes, *words: bytes) -> Any:
    """Runs a function that has the flag `no-writes`. As FCALL otherwise."""
    return _call(ctx, b"fcall_ro", function, numkeys, words, read_only=True)


def _evaluate(ctx: Context, body: bytes, numkeys: bytes, words: tuple[bytes, ...], *, read_only: bool) -> Any:
    keys = _count_keys(numkeys, words)
    scripts = ctx.parts.get(Scripts)
    script = scripts.of(body)
    try:
        return _run(ctx, script, keys, words, read_only=read_only)
    finally:
        scripts.keep(script, body)


def _run(ctx: Context, script: Script, keys: int, words: tuple[bytes, ...], *, read_only: bool) -> Any:
    script.used = True
    flags = script.flags
    runner = ctx.parts.get(Scripts).runner
    runner.allow_oom = False
    if flags is not None:
        read_only = _checked(ctx, flags, read_only=read_only)
    return runner.script(ctx, script.sha, script.chunk, keys, words, read_only=read_only)


def _call(
    ctx: Context, name: bytes, function: bytes, numkeys: bytes, words: tuple[bytes, ...], *, read_only: bool
) -> Any:
    libraries = ctx.parts.get(Libraries)
    found = libraries.function(function)
    try:
        keys = parse_int(numkeys)
    except NotAnInteger:
        raise BadNumkeys from None
    _check_keys(keys, words)
    read_only = _checked(ctx, found.flags, read_only=read_only)
    request = (name, function, numkeys, *words)
    return libraries.runner.function(ctx, found.name, found.callback, keys, words, read_only=read_only, request=request)


def _checked(ctx: Context, flags: ScriptFlag, *, read_only: bool) -> bool:
    """Whether code with these flags may not write.

    raises: WritesInReadOnly: it may, and was called to read; Misconf: the disk refuses writes; TooMuchData: there is
        more data than there may be, and it did not promise to bear with that.
    """
    runner = ctx.parts.get(Scripts).runner
    runner.allow_oom = bool(flags & ScriptFlag.ALLOW_OOM)
    if flags & ScriptFlag.NO_WRITES:
        return True
    if read_only:
        raise WritesInReadOnly
    if ctx.dbs.read_only:
        refused: CommandError | None = runner.refuses_writes()
        if refused is not None:
            raise refused
    if runner.over_limit() and not runner.allow_oom:
        raise TooMuchData
    return False


def _count_keys(numkeys: bytes, words: tuple[bytes, ...]) -> int:
    keys = parse_int(numkeys)
    _check_keys(keys, words)
    return keys


def _check_keys(keys: int, words: tuple[bytes, ...]) -> None:
    if keys > len(words):
        raise MoreKeysThanArguments
    if keys < 0:
        raise NegativeNumkeys
