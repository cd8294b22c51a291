"""Digests of values and of everything, so that two servers, or one before and after, can be compared.

A digest is 20 bytes. `mixed` makes the order of its parts count, `added` does not: members of sets, fields of hashes,
names of keys may come in any order. Redis computes the same digests of the same data. Of a stream it is the entries
that count, not the groups.

source: Redis's DEBUG DIGEST; redis 7.0: src/debug.c, xorObjectDigest, computeDatasetDigest.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Final, cast

from spoold.core.errors import CommandError
from spoold.datatypes.keys import elements
from spoold.datatypes.streams import store as streams
from spoold.keyspace.keyspace import Databases, Keyspace
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

EMPTY: Final = bytes(20)
_NUMBER: Final = struct.Struct(">I")
_DOUBLE: Final = struct.Struct("<d")
_ID: Final = struct.Struct(">QQ")


def added(digest: bytes, data: bytes) -> bytes:
    """The digest with `data` in it, wherever it came."""
    return _xor(digest, hashlib.sha1(data, usedforsecurity=False).digest())


def mixed(digest: bytes, data: bytes) -> bytes:
    """The digest with `data` behind what is in it."""
    return hashlib.sha1(added(digest, data), usedforsecurity=False).digest()


def of_value(ks: Keyspace, name: bytes, start: bytes = EMPTY) -> bytes:
    """The digest of what a key holds, without its name; EMPTY if there is no such key.

    start: of what comes before it.
    raises: CommandError: the type has no digest.
    cost: O(elements).
    """
    record = ks.find(name)
    if record is None:
        return start
    if type(record) not in _TYPES:
        raise CommandError(f"no digest of a {record.kind.decode()} is known")
    number, digest_of = _TYPES[type(record)]
    digest = digest_of(ks, name, record, mixed(start, _NUMBER.pack(number)))
    return added(digest, b"!!expire!!") if record.expire_ms else digest


def of_all(dbs: Databases) -> bytes:
    """The digest of all keys of all databases. raises: as `of_value`. cost: O(everything)."""
    whole = EMPTY
    for ks in dbs.all:
        if ks.count:
            whole = mixed(whole, _NUMBER.pack(ks.index))
            for name in ks.names(b""):
                whole = added(whole, of_value(ks, name, mixed(EMPTY, name)))
    return whole


def _string(ks: Keyspace, name: bytes, record: StringRecord, digest: bytes) -> bytes:
    return mixed(digest, record.value)


def _list(ks: Keyspace, name: bytes, record: Record, digest: bytes) -> bytes:
    for element in elements.read(ks, record) or ():
        digest = mixed(digest, element)
    return digest


def _set(ks: Keyspace, name: bytes, record: Record, digest: bytes) -> bytes:
    for member in elements.read(ks, record) or ():
        digest = added(digest, member)
    return digest


def _hash(ks: Keyspace, name: bytes, record: Record, digest: bytes) -> bytes:
    return _pairs(digest, elements.parts(ks, record) or ())


def _zset(ks: Keyspace, name: bytes, record: Record, digest: bytes) -> bytes:
    parts = elements.parts(ks, record) or []
    scores = (b"%.17g" % number for (number,) in map(_DOUBLE.unpack, parts[1::2]))
    return _pairs(digest, chain.from_iterable(zip(parts[::2], scores, strict=True)))


def _stream(ks: Keyspace, name: bytes, record: StreamRecord, digest: bytes) -> bytes:
    for id_, fields in streams.read(ks, name, record, bytes(16), b"\xff" * 16, None):
        digest = mixed(digest, b"%d.%d" % _ID.unpack(id_))
        for part in fields:
            digest = mixed(digest, part)
    return digest


def _pairs(digest: bytes, parts: Iterable[bytes]) -> bytes:
    """Add pairs, which come one behind the other."""
    both = iter(parts)
    for first, second in zip(both, both, strict=True):
        digest = added(digest, mixed(mixed(EMPTY, first), second))
    return digest


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(20, "big")


# How Redis numbers the types, and what is in the digest of each.
_TYPES: Final = cast(
    "dict[type[Record], tuple[int, Callable[[Keyspace, bytes, Record, bytes], bytes]]]",
    {
        StringRecord: (0, _string),
        ListRecord: (1, _list),
        TaggedListRecord: (1, _list),
        SetRecord: (2, _set),
        ZsetRecord: (3, _zset),
        HashRecord: (4, _hash),
        StreamRecord: (6, _stream),
    },
)
