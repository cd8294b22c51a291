"""How a typed value of the simple protocol is kept where every other door sees bytes.

    a string                              its bytes: what one door pushes, another pops
    a string that begins with `ESCAPE`    ESCAPE, then the string as on the wire (`$n`, n bytes)
    any other value                       ESCAPE, then the value as on the wire

Bytes that begin with `ESCAPE` and are no such form were pushed by another door, and are a string like any other.
The same forms name queues and keys, so that the integer 1 and the text "1" are two; numbers that are equal are one.
"""

from __future__ import annotations

from typing import Final

from spoold.core.errors import CommandError
from spoold.protocol.codec import Limits
from spoold.protocol.simple import MAX_DEPTH, Fault, Value, ValueReader, encode

ESCAPE: Final = b"\0simple:"

# What is stored has passed the limits of a request once.
_STORED: Final = Limits(bulk_bytes=1 << 40, args=1 << 40, request_bytes=1 << 40, inline_bytes=1 << 20)


class Unstorable(CommandError):
    text = "an error can't be stored"


class BadName(CommandError):
    text = "the name of a key or a queue must be a string, a number or null"


def pack(value: Value) -> bytes:
    """The stored form of a value that a reader gave. raises: Unstorable. cost: O(size)."""
    if value.__class__ is bytes:
        return ESCAPE + encode(value) if value.startswith(ESCAPE) else value
    if holds_fault(value):
        raise Unstorable
    return ESCAPE + encode(value)


def unpack(stored: bytes) -> Value:
    """The value that is kept as `stored`. cost: O(1) for a string."""
    if not stored.startswith(ESCAPE):
        return stored
    # One level less than a message may have: lists of values are answered too.
    reader = ValueReader(_STORED, MAX_DEPTH - 1)
    values = reader.feed(stored[len(ESCAPE) :])
    if len(values) == 1 and reader.is_between and reader.broken is None and not reader.faults:
        return values[0]
    return stored


def pack_name(value: Value) -> bytes:
    """The stored form of a key or of a queue's name. raises: BadName."""
    if value.__class__ is float and value.is_integer():
        value = int(value)
    if value is not None and value.__class__ not in (bytes, int, float):
        raise BadName
    return pack(value)


def holds_fault(value: Value) -> bool:
    """Whether an error stands anywhere in a value. cost: O(size)."""
    if isinstance(value, list):
        return any(map(holds_fault, value))
    if isinstance(value, dict):
        return any(map(holds_fault, value)) or any(map(holds_fault, value.values()))
    return isinstance(value, Fault)
