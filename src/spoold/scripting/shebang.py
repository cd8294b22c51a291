"""The first line of a script or library: `#!lua name=mylib flags=no-writes,allow-oom`.

source: Redis's pages on EVAL and FUNCTION LOAD; texts tried with redis 7.0.15.
"""

from __future__ import annotations

import enum
import re
from typing import Final

from spoold.core.errors import CommandError, ProtocolError
from spoold.protocol.inline import split_arguments


class ScriptFlag(enum.IntFlag):
    """What a script or function promises about itself."""

    NO_WRITES = enum.auto()
    ALLOW_OOM = enum.auto()
    ALLOW_STALE = enum.auto()
    NO_CLUSTER = enum.auto()
    ALLOW_CROSS_SLOT_KEYS = enum.auto()


NO_FLAGS: Final = ScriptFlag(0)

FLAGS: Final = {
    b"no-writes": ScriptFlag.NO_WRITES,
    b"allow-oom": ScriptFlag.ALLOW_OOM,
    b"allow-stale": ScriptFlag.ALLOW_STALE,
    b"no-cluster": ScriptFlag.NO_CLUSTER,
    b"allow-cross-slot-keys": ScriptFlag.ALLOW_CROSS_SLOT_KEYS,
}

_NAME: Final = re.compile(rb"[A-Za-z0-9_]+")


def is_name(text: bytes) -> bool:
    """Whether a library or function may be called so."""
    return _NAME.fullmatch(text) is not None


def script_head(body: bytes) -> tuple[ScriptFlag | None, bytes]:
    """The flags of a script's first line, None without one, and what is left to compile: its lines keep their numbers.

    raises: CommandError: a first line that is none of a Lua script, or names a flag that is not known.
    """
    if not body.startswith(b"#!"):
        return None, body
    line, newline, _ = body.partition(b"\n")
    if not newline:
        raise CommandError("Invalid script shebang")
    words = _words(line, "Invalid engine in script shebang")
    if not words or words[0] != b"#!lua":
        raise CommandError(b"Unexpected engine in script shebang: " + (words[0] if words else b"#!"))
    flags = NO_FLAGS
    for word in words[1:]:
        if not word.startswith(b"flags="):
            raise CommandError(b"Unknown lua shebang option: " + word)
        for name in filter(None, word[6:].split(b",")):
            if name not in FLAGS:
                raise CommandError(b"Unexpected flag in script shebang: " + name)
            flags |= FLAGS[name]
    return flags, body[len(line) :]


def library_head(code: bytes) -> tuple[bytes, bytes]:
    """The name in a library's first line, and what is left to compile: its lines keep their numbers.

    raises: CommandError: no such line, another engine, no name or a bad one.
    """
    if not code.startswith(b"#!"):
        raise CommandError("Missing library metadata")
    line, newline, _ = code.partition(b"\n")
    if not newline:
        raise CommandError("Invalid library metadata")
    words = _words(line, "Invalid library metadata")
    engine = words[0][2:]
    name: bytes | None = None
    for word in words[1:]:
        if not word.lower().startswith(b"name="):
            raise CommandError(b"Invalid metadata value given: " + word)
        if name is not None:
            raise CommandError("Invalid metadata value, name argument was given multiple times")
        name = word[5:]
    if name is None:
        raise CommandError("Library name was not given")
    check_name(name)
    if engine.lower() != b"lua":
        raise CommandError(b"Engine '" + engine + b"' not found")
    return name, code[len(line) :]


def check_name(name: bytes) -> None:
    """raises: CommandError: no library or function may be called so."""
    if not is_name(name):
        raise CommandError(
            "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"
        )


def _words(line: bytes, problem: str) -> list[bytes]:
    try:
        return split_arguments(line)
    except ProtocolError:
        raise CommandError(problem) from None
