"""The "simple" protocol: typed values, each way the same, so that one reader serves server and client.

    +text           a string without line breaks          -message        an error
    :number         an integer; a float if it has a point  $n, n bytes     a string of bytes; $-1 is null
    *n, n values    a list                                 %n, n pairs     a dictionary

A line ends with CR LF; a lone LF is taken too. Nothing here recurses into what a peer sends, and nothing is kept that
has not arrived. What may be sent is bounded by `Limits`, by `MAX_DEPTH` and by `NUMBER_BYTES`.

source: docs/protocols/simple.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from spoold.core.errors import CommandError, ProtocolError
from spoold.protocol.codec import Limits

Value: TypeAlias = Any
"""None, bytes, int, float, Fault, or a list or dict of values; a writer also takes str, bool, tuples and mappings."""

# Lists and dictionaries within each other, the request's own list included: far below Python's recursion limit.
MAX_DEPTH: Final = 128
# Of a number's text: Python refuses to read integers of more than 4,300 digits.
NUMBER_BYTES: Final = 1024

_INTEGER: Final = re.compile(rb"[+-]?[0-9]+")
_FLOAT: Final = re.compile(rb"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_COUNT_DIGITS: Final = 18
# The lengths that most strings and lists have: one look-up in place of a check and a conversion.
_COUNTS: Final = {b"%d" % number: number for number in range(1024)}
# A request of a few short strings that comes alone, as most do, is split at its line ends.
_QUICK_BYTES: Final = 1024
_LISTS: Final = {b"*%d" % number: 2 * number + 2 for number in range(1, 10)}
_STRINGS: Final = {b"$%d" % number: number for number in range(_QUICK_BYTES)}

_PLUS, _MINUS, _COLON, _DOLLAR, _STAR, _PERCENT = b"+-:$*%"
_KINDS: Final = frozenset(b"+-:$*%")


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as a value: what `-message` stands for."""

    message: bytes


class ValueReader:
    """Reads the values of one byte stream, in whatever pieces they come.

    broken: why the stream can't be trusted any more; None while it can. faults: errors (`-`) read so far.
    """

    __slots__ = (
        "_announced",
        "_bytes",
        "_done",
        "_limits",
        "_max_depth",
        "_missing",
        "_quick_bytes",
        "_stack",
        "_string",
        "_tail",
        "broken",
        "faults",
    )

    def __init__(self, limits: Limits | None = None, max_depth: int = MAX_DEPTH) -> None:
        """limits: of one message (a value that is not part of another)."""
        self._limits = limits or Limits()
        self._max_depth = max_depth
        self._quick_bytes = min(_QUICK_BYTES, self._limits.bulk_bytes, self._limits.request_bytes, self._limits.args)
        self.broken: ProtocolError | None = None
        self.faults = 0
        self._done: list[Value] = []
        self._stack: list[_Open] = []
        self._announced = 0  # values that the open message has said it holds
        self._bytes = 0  # of its strings and lines
        self._tail = b""  # a line that has no end yet
        self._string: bytearray | None = None  # a string that has not come in full
        self._missing = 0  # bytes that it lacks, the two behind it included

    @property
    def pending_bytes(self) -> int:
        """How many bytes are kept of a message that is not complete."""
        return self._bytes + len(self._tail)

    @property
    def is_between(self) -> bool:
        """Whether the last message is complete and nothing of the next one has come."""
        return not (self._tail or self._stack or self._string is not None)

    def feed(self, data: bytes) -> list[Value]:
        """Take what has arrived.

        returns: every message that is now complete, in order; nothing once `broken` is set.
        cost: O(len(data)); a line that has no end yet is looked at again with each piece.
        """
        if self.broken is not None:
            return []
        if len(data) < self._quick_bytes and self.is_between:
            strings = _short_strings(data)
            if strings is not None:
                return [strings]
        try:
            position = 0
            if self._string is not None:
                position = self._go_on_with_string(data)
                if self._string is not None:
                    return []
            elif self._tail:
                data = self._tail + data
            self._tail = self._read(data, position)
        except ProtocolError as error:
            self.broken = error
            self._stack.clear()
            self._string = None
            self._tail = b""
        done, self._done = self._done, []
        return done

    def _read(self, data: bytes, position: int) -> bytes:
        """Read all that is complete; returns the line that is not. raises: ProtocolError."""
        size = len(data)
        bulk_bytes, request_bytes = self._limits.bulk_bytes, self._limits.request_bytes
        find = data.find
        counts = _COUNTS
        stack = self._stack
        while position < size:
            kind = data[position]
            end = find(b"\n", position)
            if end < 0:
                if kind not in _KINDS:
                    raise _unknown(kind)
                self._check_line(kind, size - position - 2)  # its last byte may be the CR
                return data[position:]
            line = data[position + 1 : end - 1 if data[end - 1] == 13 and end - 1 > position else end]
            position = end + 1
            if kind == _DOLLAR:
                value: Value
                if line == b"-1":
                    value = None
                else:
                    length = counts.get(line, -1)
                    if length < 0:
                        length = _count(line)
                    if length > bulk_bytes:
                        raise _broken("a string is too long")
                    self._bytes += length
                    if self._bytes > request_bytes:
                        raise _broken("a message is too long")
                    stop = position + length
                    if stop + 2 > size:
                        self._string = bytearray(memoryview(data)[position:])
                        self._missing = stop + 2 - size
                        return b""
                    if data[stop : stop + 2] != b"\r\n":
                        raise _unended()
                    value = data[position:stop]
                    position = stop + 2
            elif kind in (_STAR, _PERCENT):
                if len(stack) >= self._max_depth:
                    raise _broken("lists and dictionaries are nested too deep")
                count = _count(line)
                if count:
                    self._open(kind, count)
                    continue
                value = [] if kind == _STAR else {}
            else:
                value = self._line_value(kind, line)
            if stack:
                innermost = stack[-1]
                if len(innermost.items) + 1 < innermost.wanted:
                    innermost.items.append(value)
                else:
                    self._close(value)
            else:
                self._done.append(value)
                self._bytes = 0
        return b""

    def _line_value(self, kind: int, line: bytes) -> Value:
        """What a line of any kind but `$`, `*` and `%` stands for. raises: ProtocolError."""
        if kind not in _KINDS:
            raise _unknown(kind)
        self._check_line(kind, len(line))
        self._grow(len(line))
        if kind == _COLON:
            return _number(line)
        if kind == _PLUS:
            return line
        self.faults += 1
        return Fault(line)

    def _go_on_with_string(self, data: bytes) -> int:
        """Add to the open string; returns where in `data` the rest begins. raises: ProtocolError."""
        string = self._string
        assert string is not None  # noqa: S101 - the caller looked
        taken = min(self._missing, len(data))
        string += memoryview(data)[:taken]
        self._missing -= taken
        if not self._missing:
            if string[-2:] != b"\r\n":
                raise _unended()
            self._string = None
            value = bytes(memoryview(string)[:-2])
            if self._stack:
                self._close(value)
            else:
                self._done.append(value)
                self._bytes = 0
        return taken

    def _open(self, kind: int, count: int) -> None:
        """A list or a dictionary begins. raises: ProtocolError."""
        values = count if kind == _STAR else 2 * count
        self._announced += values
        if self._announced > self._limits.args:
            raise _broken("too many values in one message")
        self._stack.append(_Open(kind, values))

    def _close(self, value: Value) -> None:
        """Put a complete value where it belongs, and what becomes complete by it. raises: ProtocolError."""
        stack = self._stack
        while stack:
            innermost = stack[-1]
            items = innermost.items
            items.append(value)
            if len(items) < innermost.wanted:
                return
            stack.pop()
            value = items
            if innermost.kind == _PERCENT:
                try:
                    value = dict(zip(items[::2], items[1::2], strict=True))
                except TypeError:
                    raise _broken("a dictionary's key is a list or a dictionary") from None
        self._done.append(value)
        self._announced = 0
        self._bytes = 0

    def _grow(self, by: int) -> None:
        self._bytes += by
        if self._bytes > self._limits.request_bytes:
            raise _broken("a message is too long")

    def _check_line(self, kind: int, length: int) -> None:
        if length > (self._limits.inline_bytes if kind in (_PLUS, _MINUS) else NUMBER_BYTES):
            raise _broken("a line is too long")


def _short_strings(data: bytes) -> list[bytes] | None:
    """The only message in `data`, if that is a list of a few short strings; None leaves it to `_read`."""
    parts = data.split(b"\r\n")
    if _LISTS.get(parts[0]) != len(parts) or parts[-1]:
        return None
    strings = parts[2:-1:2]
    for header, string in zip(parts[1:-1:2], strings, strict=True):
        if _STRINGS.get(header) != len(string):
            return None
    return strings


class _Open:
    """A list or a dictionary that lacks values."""

    __slots__ = ("items", "kind", "wanted")

    def __init__(self, kind: int, wanted: int) -> None:
        self.kind = kind
        self.wanted = wanted
        self.items: list[Value] = []


class SimpleCodec(ValueReader):
    """The server's side of one connection: values in, replies out."""

    __slots__ = ()

    def encode(self, reply: Any) -> bytes:
        """Write one reply: a value, or a CommandError."""
        if isinstance(reply, CommandError):
            return b"-" + reply.message.removeprefix(b"ERR ") + b"\r\n"
        return encode(reply)


def encode(value: Value) -> bytes:
    """Write one value.

    raises: ValueError: nested deeper than MAX_DEPTH, an infinite or absurdly long number, text that is no Unicode, an
        error that is more than a line. TypeError: what no value can be made of.
    cost: O(size).
    """
    kind = value.__class__
    if kind is bytes:
        return b"$%d\r\n%b\r\n" % (len(value), value)
    parts: list[bytes] = []
    _write(value, parts.append, 0)
    return b"".join(parts)


def _write(value: Value, add: Any, depth: int) -> None:
    kind = value.__class__
    if kind is bytes:
        add(b"$%d\r\n%b\r\n" % (len(value), value))
    elif kind is str:
        data = value.encode()
        add(b"$%d\r\n%b\r\n" % (len(data), data))
    elif value is None:
        add(b"$-1\r\n")
    elif isinstance(value, int):
        add(_integer(value))
    elif isinstance(value, float):
        add(b":%b\r\n" % _point(value))
    elif isinstance(value, (list, tuple)):
        _check_depth(depth)
        add(b"*%d\r\n" % len(value))
        for item in value:
            _write(item, add, depth + 1)
    elif isinstance(value, Mapping):
        _check_depth(depth)
        add(b"%%%d\r\n" % len(value))
        for key, item in value.items():
            _write(key, add, depth + 1)
            _write(item, add, depth + 1)
    elif isinstance(value, Fault):
        if b"\n" in value.message:
            raise ValueError("an error is one line")
        add(b"-%b\r\n" % value.message)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        _write(bytes(memoryview(value)), add, depth)
    elif isinstance(value, str):
        _write(str.encode(value), add, depth)
    else:
        raise TypeError(f"a value of type {kind.__name__} can't be sent")


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise ValueError(f"lists and dictionaries are nested deeper than {MAX_DEPTH}")


def _integer(number: int) -> bytes:
    # Bits first: Python refuses to write very long integers, and takes its time for long ones.
    if number.bit_length() <= 4 * NUMBER_BYTES:
        data = b":%d\r\n" % number
        if len(data) <= NUMBER_BYTES + 3:
            return data
    raise ValueError(f"an integer of {number.bit_length()} bits is too long")


def _point(number: float) -> bytes:
    """The shortest text that gives the same float, always with a point: that is what makes it a float."""
    if not math.isfinite(number):
        raise ValueError(f"the protocol has no number {number}")
    text = repr(float(number))
    if "." not in text:
        mantissa, _, exponent = text.partition("e")
        text = f"{mantissa}.0e{exponent}"
    return text.encode()


def _broken(text: str | bytes) -> ProtocolError:
    """text: what is wrong; what a peer sent of it becomes one line."""
    data = text.encode() if isinstance(text, str) else text.replace(b"\r", b" ")
    return ProtocolError(data, farewell=b"-protocol error: " + data + b"\r\n")


def _number(line: bytes) -> int | float:
    if _INTEGER.fullmatch(line):
        return int(line)
    if _FLOAT.fullmatch(line) and math.isfinite(number := float(line)):
        return number
    raise _broken(b"not a number: " + line[:32])


def _count(line: bytes) -> int:
    if line.isdigit() and len(line) <= _COUNT_DIGITS:
        return int(line)
    raise _broken(b"not a length: " + line[:32])


def _unknown(kind: int) -> ProtocolError:
    return _broken(f"unknown type byte {bytes((kind,))!r}")


def _unended() -> ProtocolError:
    return _broken("a string is longer than it says")
