"""What DUMP gives and RESTORE takes: one value in Redis's RDB format, its version, its CRC-64.

    payload    type 1 | value | RDB version 2 (little-endian) | CRC-64 of all before it 8 (little-endian)

Written are the plainest types: string, list and set of strings, hash (every Redis since 2.6 restores them), sorted set
with binary scores (since 4.0), stream (since 7.0). Read is whatever Redis 2.6 to 8 writes for these, packed forms and
compressed strings included; of streams what 5.0 to 7.4 write. The version is not looked at: a newer Redis marks
payloads of types that have not changed with its own, and other types are refused anyway.

To add a type: its kind and what reads it in `_READERS`, and a line in `encode`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Final

from spoold.core.errors import BadFormat, NotAFloat
from spoold.core.numerals import parse_float
from spoold.core.rdb import Reader, encode_length, encode_string, listpack, seal, unseal
from spoold.datatypes.streams import store as streams

_STRING: Final = 0
_LIST: Final = 1
_SET: Final = 2
_ZSET_TEXT: Final = 3
_HASH: Final = 4
_ZSET: Final = 5

_DOUBLE: Final = struct.Struct("<d")
# What stands for the length of a score's text.
_NAMED_SCORES: Final = {253: math.nan, 254: math.inf, 255: -math.inf}


@dataclass(frozen=True)
class Value:
    """What a payload holds. kind: as TYPE names it. parts: the string alone, or the elements in order, never none.

    Of a hash the parts are fields and values by turns, of a sorted set members and their scores (IEEE 754 double,
    little-endian, never NaN), of a stream what streams/payload.py makes of it.
    """

    kind: bytes
    parts: list[bytes]


def encode(value: Value) -> bytes:
    """The payload of a value. cost: O(bytes)."""
    if value.kind == b"stream":
        return seal(streams.encode(value.parts))
    if value.kind == b"string":
        body = bytes((_STRING,)) + encode_string(value.parts[0])
    elif value.kind == b"zset":
        pairs = zip(map(encode_string, value.parts[::2]), value.parts[1::2], strict=True)
        body = bytes((_ZSET,)) + encode_length(len(value.parts) // 2) + b"".join(chain.from_iterable(pairs))
    else:
        type_byte, width = {b"list": (_LIST, 1), b"set": (_SET, 1), b"hash": (_HASH, 2)}[value.kind]
        parts = map(encode_string, value.parts)
        body = b"".join((bytes((type_byte,)), encode_length(len(value.parts) // width), *parts))
    return seal(body)


def decode(payload: bytes) -> Value:
    """The value in a payload.

    raises: BadPayload (checksum), BadFormat (a type that is not known, a damaged value).
    cost: O(bytes of the value).
    """
    reader = unseal(payload)
    kind, read = _READERS.get(reader.byte(), (b"", None))
    if read is None:
        raise BadFormat
    parts = read(reader)
    if reader.left or not parts or (kind == b"set" and len(set(parts)) != len(parts)):
        raise BadFormat
    if kind in {b"hash", b"zset"} and (len(parts) % 2 or len(set(parts[::2])) * 2 != len(parts)):
        raise BadFormat
    return Value(kind, parts)


def _one(reader: Reader) -> list[bytes]:
    return [reader.string()]


def _strings(reader: Reader) -> list[bytes]:
    count = reader.length()
    if count > reader.left:
        raise BadFormat
    return [reader.string() for _ in range(count)]


def _pairs(reader: Reader) -> list[bytes]:
    count = reader.length()
    if count > reader.left:
        raise BadFormat
    return [reader.string() for _ in range(count * 2)]


def _scored(reader: Reader) -> list[bytes]:
    """Members, each with a double."""
    count = reader.length()
    if count > reader.left:
        raise BadFormat
    return [part for _ in range(count) for part in (reader.string(), _score(_DOUBLE.unpack(reader.take(8))[0]))]


def _scored_by_text(reader: Reader) -> list[bytes]:
    """Members, each with a score as text: its length 1, which is a number above 252 for what is no number."""
    count = reader.length()
    if count > reader.left:
        raise BadFormat
    parts = []
    for _ in range(count):
        parts.append(reader.string())
        length = reader.byte()
        number = _NAMED_SCORES.get(length)
        parts.append(_score_of(reader.take(length)) if number is None else _score(number))
    return parts


def _score(number: float) -> bytes:
    if math.isnan(number):
        raise BadFormat
    return _DOUBLE.pack(number)


def _score_of(text: bytes) -> bytes:
    try:
        return _DOUBLE.pack(parse_float(text))
    except NotAFloat:
        raise BadFormat from None


def _intset(reader: Reader) -> list[bytes]:
    """Width 4 | count 4 | integers."""
    packed = Reader(reader.string())
    width, count = packed.number(4), packed.number(4)
    if width not in {2, 4, 8} or packed.left != width * count:
        raise BadFormat
    return [b"%d" % packed.number(width, signed=True) for _ in range(count)]


def _ziplist(data: bytes) -> Iterator[bytes]:
    """Bytes 4 | tail 4 | entries 2 | entries, each behind the length of the one before | 0xFF."""
    reader = Reader(data)
    if reader.number(4) != len(data):
        raise BadFormat
    reader.take(6)
    while (before := reader.byte()) != 0xFF:
        if before == 0xFE:
            reader.take(4)
        first = reader.byte()
        match first >> 6:
            case 0:
                yield reader.take(first)
            case 1:
                yield reader.take((first & 0x3F) << 8 | reader.byte())
            case 2:
                yield reader.take(int.from_bytes(reader.take(4), "big"))
            case _:
                if 0xF1 <= first <= 0xFD:
                    yield b"%d" % ((first & 0x0F) - 1)
                elif first in _ZIPLIST_INTS:
                    yield b"%d" % reader.number(_ZIPLIST_INTS[first], signed=True)
                else:
                    raise BadFormat
    if reader.left:
        raise BadFormat


_ZIPLIST_INTS: Final = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}


def _one_listpack(reader: Reader) -> list[bytes]:
    return list(listpack(reader.string()))


def _one_ziplist(reader: Reader) -> list[bytes]:
    return list(_ziplist(reader.string()))


def _scored_listpack(reader: Reader) -> list[bytes]:
    return _with_scores(_one_listpack(reader))


def _scored_ziplist(reader: Reader) -> list[bytes]:
    return _with_scores(_one_ziplist(reader))


def _with_scores(parts: list[bytes]) -> list[bytes]:
    """Turn the text of the scores, every second part, into doubles."""
    parts[1::2] = map(_score_of, parts[1::2])
    return parts


def _ziplists(reader: Reader) -> list[bytes]:
    return [part for _ in range(_nodes(reader)) for part in _ziplist(reader.string())]


def _quicklist(reader: Reader) -> list[bytes]:
    """Nodes, each a plain element (1) or a listpack (2)."""
    parts: list[bytes] = []
    for _ in range(_nodes(reader)):
        container = reader.length()
        if container not in {1, 2}:
            raise BadFormat
        node = reader.string()
        parts += [node] if container == 1 else listpack(node)
    return parts


def _nodes(reader: Reader) -> int:
    count = reader.length()
    if count > reader.left:
        raise BadFormat
    return count


_READERS: Final[dict[int, tuple[bytes, Callable[[Reader], list[bytes]]]]] = {
    _STRING: (b"string", _one),
    _LIST: (b"list", _strings),
    _SET: (b"set", _strings),
    _ZSET_TEXT: (b"zset", _scored_by_text),
    _HASH: (b"hash", _pairs),
    _ZSET: (b"zset", _scored),
    10: (b"list", _one_ziplist),
    11: (b"set", _intset),
    12: (b"zset", _scored_ziplist),
    13: (b"hash", _one_ziplist),
    14: (b"list", _ziplists),
    16: (b"hash", _one_listpack),
    17: (b"zset", _scored_listpack),
    18: (b"list", _quicklist),
    20: (b"set", _one_listpack),
    **{kind: (b"stream", partial(streams.decode, type_byte=kind)) for kind in streams.RDB_TYPES},
}
