"""Replies as bytes: RESP2 and RESP3 differ here and nowhere else.

`spoold.core.reply` lists the shapes. Nearly all replies are an integer, a string, OK, nothing, or a flat list of
strings, so these come first and without recursion; everything else goes through one function per version.

To add a shape, give it a line in the table of `core/reply.py` and a branch in `_other2` and in `_other3`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final, TypeAlias

from spoold.core.errors import CommandError, ProtocolError
from spoold.core.numerals import format_decimals, format_float
from spoold.core.reply import (
    NO_REPLY,
    NULL_ARRAY,
    OK,
    Attributed,
    BigNumber,
    Decimals,
    Entries,
    Keyed,
    Lasting,
    Pairs,
    Push,
    Pushes,
    SetReply,
    Simple,
    Verbatim,
)

Encoder: TypeAlias = Callable[[Any], bytes]

# Integers from 0 that are kept ready; lengths and flags are mostly below.
_READY_INTS: Final = 1024
_INTS: Final = tuple(b":%d\r\n" % number for number in range(_READY_INTS))

_STRING: Final = b"$%d\r\n%b\r\n"

# Items of one length, from so many on, are joined by the line that stands between them.
_MANY: Final = 8

STRING_HEADERS: Final = tuple(b"$%d" % length for length in range(1024))
"""The first lines of short strings, by length; `spoold.protocol.resp` compares with them too."""


def encode2(reply: Any) -> bytes:
    """Write one reply in RESP2.

    returns: the bytes to send, none for NO_REPLY.
    raises: TypeError if the value has no shape of `core/reply.py`, which is a fault in a command.
    source: Redis serialization protocol specification, RESP2.
    """
    kind = type(reply)
    if kind is int:
        return _INTS[reply] if 0 <= reply < _READY_INTS else b":%d\r\n" % reply
    if kind is bytes:
        return _STRING % (len(reply), reply)
    if reply is None:
        return b"$-1\r\n"
    if reply is OK:
        return b"+OK\r\n"
    if kind is list:
        return _array(reply, encode2)
    if kind is Simple:
        return b"+%b\r\n" % reply.text
    if kind is float:
        text = format_float(reply)
        return _STRING % (len(text), text)
    return _other2(reply)


def encode3(reply: Any) -> bytes:
    """Write one reply in RESP3.

    returns: the bytes to send, none for NO_REPLY.
    raises: TypeError if the value has no shape of `core/reply.py`, which is a fault in a command.
    source: Redis serialization protocol specification, RESP3.
    """
    kind = type(reply)
    if kind is int:
        return _INTS[reply] if 0 <= reply < _READY_INTS else b":%d\r\n" % reply
    if kind is bytes:
        return _STRING % (len(reply), reply)
    if reply is None:
        return b"_\r\n"
    if reply is OK:
        return b"+OK\r\n"
    if kind is list:
        return _array(reply, encode3)
    if kind is Simple:
        return b"+%b\r\n" % reply.text
    if kind is float:
        return b",%b\r\n" % format_float(reply)
    return _other3(reply)


def _array(items: list[Any], encode: Encoder) -> bytes:
    """Write an array; mostly it holds short strings, which are joined in half the time that formatting each takes."""
    if items and items[0].__class__ is bytes:
        try:
            lengths = [*map(len, items)]
            header = STRING_HEADERS[lengths[0]]
            if len(lengths) >= _MANY and lengths.count(lengths[0]) == len(lengths):
                return b"*%d\r\n%b\r\n%b\r\n" % (len(items), header, (b"\r\n%b\r\n" % header).join(items))
            headers = map(STRING_HEADERS.__getitem__, lengths)
            return b"\r\n".join((b"*%d" % len(items), *chain.from_iterable(zip(headers, items, strict=True)), b""))
        except (TypeError, IndexError):
            pass  # an item is no string, or a long one; which and where does not matter here
    return _items(b"*%d\r\n", items, encode)


def _entries(entries: list[Any], encode: Encoder) -> bytes:
    """Write entries of streams."""
    parts = [b"*%d\r\n" % len(entries)]
    for id_, fields in entries:
        parts.append(b"*2\r\n$%d\r\n%b\r\n%b" % (len(id_), id_, encode(fields)))
    return b"".join(parts)


def _other2(reply: Any) -> bytes:
    if isinstance(reply, Entries):
        return _entries(reply, encode2)
    if isinstance(reply, Keyed):
        return b"*%d\r\n" % len(reply) + b"".join([b"*2\r\n" + encode2(key) + encode2(value) for key, value in reply])
    if isinstance(reply, bool):
        return b":1\r\n" if reply else b":0\r\n"
    if isinstance(reply, float):
        text = format_decimals(reply) if isinstance(reply, Decimals) else format_float(reply)
        return _STRING % (len(text), text)
    if isinstance(reply, dict):
        return encode2(list(chain.from_iterable(reply.items())))
    if isinstance(reply, (SetReply, Push)):
        return _items(b"*%d\r\n", reply.items, encode2)
    if isinstance(reply, Pairs):
        return _items(b"*%d\r\n", list(chain.from_iterable(reply.items)), encode2)
    if isinstance(reply, Attributed):
        return encode2(reply.reply)
    if isinstance(reply, (Verbatim, BigNumber)):
        return _STRING % (len(reply.text), reply.text)
    if reply is NULL_ARRAY:
        return b"*-1\r\n"
    return _shared(reply, encode2)


def _other3(reply: Any) -> bytes:
    if isinstance(reply, Entries):
        return _entries(reply, encode3)
    if isinstance(reply, Keyed):
        return b"%%%d\r\n" % len(reply) + b"".join([encode3(key) + encode3(value) for key, value in reply])
    if isinstance(reply, bool):
        return b"#t\r\n" if reply else b"#f\r\n"
    if isinstance(reply, float):
        return b",%b\r\n" % (format_decimals(reply) if isinstance(reply, Decimals) else format_float(reply))
    if isinstance(reply, dict):
        parts = encode3(list(chain.from_iterable(reply.items())))
        return b"%%%d\r\n" % len(reply) + parts[parts.index(b"\n") + 1 :]
    if isinstance(reply, SetReply):
        return _items(b"~%d\r\n", reply.items, encode3)
    if isinstance(reply, Pairs):
        return _items(b"*%d\r\n", reply.items, encode3)
    if isinstance(reply, Push):
        return _items(b">%d\r\n", reply.items, encode3)
    if isinstance(reply, Verbatim):
        # The length counts the format and its colon too.
        return b"=%d\r\n%b:%b\r\n" % (len(reply.text) + 4, reply.format, reply.text)
    if isinstance(reply, BigNumber):
        return b"(%b\r\n" % reply.text
    if isinstance(reply, Attributed):
        return b"|" + encode3(reply.attributes)[1:] + encode3(reply.reply)
    if reply is NULL_ARRAY:
        return b"_\r\n"
    return _shared(reply, encode3)


def _shared(reply: Any, encode: Encoder) -> bytes:
    """Write what looks the same in both versions and is too rare for the fast path."""
    if isinstance(reply, Simple):
        return b"+%b\r\n" % reply.text
    if isinstance(reply, (CommandError, ProtocolError)):
        return b"-%b\r\n" % reply.message
    if isinstance(reply, (list, tuple)):
        return _items(b"*%d\r\n", reply, encode)
    if reply is NO_REPLY:
        return b""
    if isinstance(reply, Pushes):
        return Lasting(b"".join(map(encode, reply.items)))
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, (bytes, bytearray, memoryview)):
        return _STRING % (len(reply), reply)
    raise TypeError(f"no reply shape: {type(reply).__name__}")


def _items(header: bytes, items: Iterable[Any], encode: Encoder) -> bytes:
    parts = [*map(encode, items)]
    return header % len(parts) + b"".join(parts)
