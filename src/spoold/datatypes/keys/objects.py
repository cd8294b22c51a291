"""OBJECT: what Redis tells of its inner workings, answered as it would answer for the same value.

Clients and test suites ask for encodings. spoold has none of them; the answers follow the limits of Redis 7.0
(`command/limits.py`). To add a type, give it a line in `_ENCODINGS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from spoold.command.context import Context
from spoold.command.limits import PackedLimits
from spoold.command.spec import LOADING, READONLY, STALE, Keys, command
from spoold.core.errors import CommandError, NoFrequency
from spoold.core.numerals import parse_int
from spoold.core.reply import Simple
from spoold.datatypes.hashes import store as hashes
from spoold.datatypes.keys import elements
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import (
    HashRecord,
    ListRecord,
    Record,
    SetRecord,
    StreamRecord,
    StringRecord,
    TaggedListRecord,
    ZsetRecord,
)

# Bytes of the longest string that Redis keeps in one allocation with its header.
_EMBEDDED_BYTES: Final = 44

# Redis keeps the integers below 10,000 once, for all that need them.
_SHARED_DIGITS: Final = 4
_SHARED_BY: Final = 2**31 - 1

_HELP: Final = (
    b"OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    b"ENCODING <key>",
    b"    How Redis would keep the value of the key.",
    b"FREQ <key>",
    b"    How often the key is used; not kept, and refused as in Redis.",
    b"IDLETIME <key>",
    b"    Seconds since the key was last used; not kept, always 0.",
    b"REFCOUNT <key>",
    b"    How many refer to the value; 1, but for small integers.",
    b"HELP",
    b"    This text.",
)


@command(
    "OBJECT|ENCODING",
    flags=READONLY,
    keys=Keys(2, access="RO"),
    since="2.2.3",
    syntax="OBJECT ENCODING key",
    group="generic",
)
def object_encoding(ctx: Context, key: bytes) -> bytes | None:
    """Tells how Redis would keep the value of a key.

    differs: no value is kept that way; it is what Redis would choose for the value as it is now.
    """
    record = ctx.ks.find(key)
    if record is None:
        return None
    return _ENCODINGS.get(type(record), _other)(ctx.ks, record, ctx.parts.own(PackedLimits))


@command(
    "OBJECT|FREQ", flags=READONLY, keys=Keys(2, access="RO"), since="4.0.0", syntax="OBJECT FREQ key", group="generic"
)
def object_freq(ctx: Context, key: bytes) -> None:
    """Refuses, as Redis does unless it evicts by frequency of use."""
    if ctx.ks.find(key) is not None:
        raise NoFrequency


@command(
    "OBJECT|IDLETIME",
    flags=READONLY,
    keys=Keys(2, access="RO"),
    since="2.2.3",
    syntax="OBJECT IDLETIME key",
    group="generic",
)
def object_idletime(ctx: Context, key: bytes) -> int | None:
    """Tells how many seconds a key was not used; no time of last use is kept, so 0.

    differs: no time of last use is kept; always 0.
    """
    return None if ctx.ks.find(key) is None else 0


@command(
    "OBJECT|REFCOUNT",
    flags=READONLY,
    keys=Keys(2, access="RO"),
    since="2.2.3",
    syntax="OBJECT REFCOUNT key",
    group="generic",
)
def object_refcount(ctx: Context, key: bytes) -> int | None:
    """Tells how many refer to the value of a key: 1, but for integers that Redis shares.

    differs: nothing is shared; it is what Redis would answer for the value that it has set or counted.
    """
    record = ctx.ks.find(key)
    if record is None:
        return None
    if isinstance(record, StringRecord) and len(record.value) <= _SHARED_DIGITS and _is_integer(record.value):
        return 1 if record.value.startswith(b"-") else _SHARED_BY
    return 1


@command("OBJECT|HELP", flags=LOADING | STALE, since="6.2.0", syntax="OBJECT HELP", group="generic")
def object_help(ctx: Context) -> list[Simple]:
    """Describes the subcommands."""
    return [Simple(line) for line in _HELP]


def _string(ks: Keyspace, record: StringRecord, limits: PackedLimits) -> bytes:
    if _is_integer(record.value):
        return b"int"
    return b"embstr" if len(record.value) <= _EMBEDDED_BYTES else b"raw"


def _list(ks: Keyspace, record: ListRecord, limits: PackedLimits) -> bytes:
    return b"quicklist"


def _set(ks: Keyspace, record: SetRecord, limits: PackedLimits) -> bytes:
    if record.members <= limits.set_integers and all(map(_is_integer, elements.read(ks, record) or ())):
        return b"intset"
    return b"hashtable"


def _hash(ks: Keyspace, record: HashRecord, limits: PackedLimits) -> bytes:
    if record.fields <= limits.hash_fields and all(
        max(len(field), len(value)) <= limits.hash_bytes for field, value in hashes.each(ks, record)
    ):
        return b"listpack"
    return b"hashtable"


def _zset(ks: Keyspace, record: ZsetRecord, limits: PackedLimits) -> bytes:
    if record.members <= limits.zset_members and all(
        len(member) <= limits.zset_bytes for member in elements.read(ks, record) or ()
    ):
        return b"listpack"
    return b"skiplist"


def _stream(ks: Keyspace, record: StreamRecord, limits: PackedLimits) -> bytes:
    return b"stream"


def _other(ks: Keyspace, record: Record, limits: PackedLimits) -> bytes:
    return b"hashtable"


def _is_integer(text: bytes) -> bool:
    try:
        parse_int(text)
    except CommandError:
        return False
    return True


_ENCODINGS: Final[dict[type[Record], Callable[..., bytes]]] = {
    StringRecord: _string,
    ListRecord: _list,
    TaggedListRecord: _list,
    SetRecord: _set,
    HashRecord: _hash,
    ZsetRecord: _zset,
    StreamRecord: _stream,
}
