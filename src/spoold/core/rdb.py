"""Redis's RDB format, as far as several kinds of payload need it: numbers, strings, listpacks, and what ends a payload.

Lengths are 6, 14, 32 or 64 bits, as their first bits say; strings are plain, integers or compressed (LZF). A listpack
is a sequence of strings and integers in one string.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator, Sequence
from typing import Final

from spoold.core.crc64 import crc64
from spoold.core.errors import BadFormat, BadPayload, NotAnInteger
from spoold.core.numerals import parse_int

# Redis 7.0's.
RDB_VERSION: Final = 10

_FOOTER: Final = struct.Struct("<HQ")

# No payload may unpack to more than this, whatever its lengths say: a compressed string can grow ninetyfold.
_MOST_BYTES: Final = 512 * 1024 * 1024

_INT_WIDTHS: Final = (1, 2, 4)
_COMPRESSED: Final = 3

# The number of a listpack's elements that means "count them".
_UNCOUNTED: Final = 0xFFFF
# The forms of a listpack's integers that are not small, and how many bytes follow.
_LISTPACK_INTEGERS: Final = ((0xF1, 2), (0xF2, 3), (0xF3, 4), (0xF4, 8))
# The longest integer of 64 bits, with its sign.
_INTEGER_DIGITS: Final = 20


def seal(body: bytes) -> bytes:
    """A payload of what `body` holds: it, the version, the checksum."""
    body += RDB_VERSION.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")


def unseal(payload: bytes) -> Reader:
    """A reader over what stands before the version and the checksum. raises: BadPayload."""
    if len(payload) < _FOOTER.size:
        raise BadPayload
    _, checksum = _FOOTER.unpack_from(payload, len(payload) - _FOOTER.size)
    if checksum != crc64(payload[:-8]):
        raise BadPayload
    return Reader(payload[: -_FOOTER.size])


def encode_length(number: int) -> bytes:
    """A length, or any number of up to 64 bits."""
    if number < 1 << 6:
        return bytes((number,))
    if number < 1 << 14:
        return (0x4000 | number).to_bytes(2, "big")
    if number < 1 << 32:
        return b"\x80" + number.to_bytes(4, "big")
    return b"\x81" + number.to_bytes(8, "big")


def encode_string(text: bytes) -> bytes:
    """A string, as an integer of 1, 2 or 4 bytes where it is one."""
    if 0 < len(text) <= 11:
        try:
            number = parse_int(text)
        except NotAnInteger:
            number = 1 << 31
        for form, width in enumerate(_INT_WIDTHS):
            if _fits(number, width):
                return bytes((0xC0 | form,)) + number.to_bytes(width, "little", signed=True)
    return encode_length(len(text)) + text


class Reader:
    """Reads bytes from left to right; whatever is not there is BadFormat."""

    def __init__(self, data: bytes, budget: int = _MOST_BYTES) -> None:
        """budget: bytes that strings may still take."""
        self._data = data
        self._at = 0
        self._budget = budget

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if not 0 <= count <= self.left:
            raise BadFormat
        self._at += count
        return self._data[self._at - count : self._at]

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def number(self, width: int, *, signed: bool = False) -> int:
        """The next `width` bytes, little-endian."""
        return int.from_bytes(self.take(width), "little", signed=signed)

    def length(self) -> int:
        """A length in RDB's own encoding."""
        first = self.byte()
        match first >> 6:
            case 0:
                return first
            case 1:
                return (first & 0x3F) << 8 | self.byte()
        if first not in {0x80, 0x81}:
            raise BadFormat
        return int.from_bytes(self.take(4 if first == 0x80 else 8), "big")

    def string(self) -> bytes:
        """A string: plain, an integer, or compressed."""
        if self.left and self._data[self._at] >> 6 == 3:
            form = self.byte() & 0x3F
            if form < len(_INT_WIDTHS):
                return b"%d" % self.number(_INT_WIDTHS[form], signed=True)
            if form != _COMPRESSED:
                raise BadFormat
            packed, unpacked = self.length(), self.length()
            self._pay(unpacked)
            return _inflate(self.take(packed), unpacked)
        count = self.length()
        self._pay(count)
        return self.take(count)

    def _pay(self, count: int) -> None:
        self._budget -= count
        if self._budget < 0:
            raise BadFormat


def _inflate(packed: bytes, length: int) -> bytes:
    """Undo LZF: runs of literal bytes, and references to what stands up to 8 KiB before."""
    reader = Reader(packed)
    out = bytearray()
    while reader.left:
        control = reader.byte()
        if control < 0x20:
            out += reader.take(control + 1)
        else:
            count = control >> 5
            if count == 7:
                count += reader.byte()
            count += 2
            start = len(out) - ((control & 0x1F) << 8 | reader.byte()) - 1
            if start < 0:
                raise BadFormat
            piece = out[start : start + count]
            # A reference may reach into what it makes: then the piece repeats.
            out += (piece * (count // len(piece) + 1))[:count]
        if len(out) > length:
            raise BadFormat
    if len(out) != length:
        raise BadFormat
    return bytes(out)


def listpack(data: bytes) -> Iterator[bytes]:
    """The elements of a listpack as text: bytes 4 | entries 2 | entries, each followed by its own length | 0xFF."""
    reader = Reader(data)
    if reader.number(4) != len(data):
        raise BadFormat
    reader.take(2)
    while (first := reader.byte()) != 0xFF:
        before = reader.left
        if first < 0x80:
            yield b"%d" % first
        elif first < 0xC0:
            yield reader.take(first & 0x3F)
        elif first < 0xE0:
            number = (first & 0x1F) << 8 | reader.byte()
            yield b"%d" % (number - (1 << 13) if number >= 1 << 12 else number)
        elif first < 0xF0:
            yield reader.take((first & 0x0F) << 8 | reader.byte())
        elif first == 0xF0:
            yield reader.take(reader.number(4))
        elif first <= 0xF4:
            yield b"%d" % reader.number((2, 3, 4, 8)[first - 0xF1], signed=True)
        else:
            raise BadFormat
        size = 1 + before - reader.left
        reader.take(_length_bytes(size))
    if reader.left:
        raise BadFormat


def encode_listpack(elements: Sequence[bytes | int]) -> bytes:
    """A listpack of strings and of integers, which are at most 64 bits with their sign."""
    body = b"".join([_element(each) for each in elements])
    head = (len(body) + 7).to_bytes(4, "little") + min(len(elements), _UNCOUNTED).to_bytes(2, "little")
    return head + body + b"\xff"


def _element(value: bytes | int) -> bytes:
    """One element of a listpack, and behind it its length, which is read from its end."""
    if isinstance(value, bytes):
        count = len(value)
        if count < 1 << 6:
            packed = bytes((0x80 | count,)) + value
        elif count < 1 << 12:
            packed = (0xE000 | count).to_bytes(2, "big") + value
        else:
            packed = b"\xf0" + count.to_bytes(4, "little") + value
    elif 0 <= value < 1 << 7:
        packed = bytes((value,))
    elif -(1 << 12) <= value < 1 << 12:
        packed = (0xC000 | value & 0x1FFF).to_bytes(2, "big")
    else:
        form, width = _large(value)
        packed = bytes((form,)) + value.to_bytes(width, "little", signed=True)
    size = len(packed)
    # From the high digit to the low one; all but the first, which who reads backwards meets last, say that one follows.
    last = _length_bytes(size) - 1
    digits = [size >> 7 * at & 0x7F for at in range(last, -1, -1)]
    return packed + bytes((digits[0], *(digit | 0x80 for digit in digits[1:])))


def _large(value: int) -> tuple[int, int]:
    """How a listpack writes an integer that is not small: the form, and how many bytes follow."""
    return next((form, width) for form, width in _LISTPACK_INTEGERS if _fits(value, width))


def _fits(number: int, width: int) -> bool:
    """Whether so many bytes hold an integer with its sign."""
    return -(1 << width * 8 - 1) <= number < 1 << width * 8 - 1


def integer_bytes(value: int) -> int:
    """What an integer takes in a listpack."""
    if 0 <= value < 1 << 7:
        return 2
    if -(1 << 12) <= value < 1 << 12:
        return 3
    return 2 + _large(value)[1]


def element_bytes(value: bytes) -> int:
    """What a string takes in a listpack: one that is an integer is written as that. cost: 0.1 µs."""
    count = len(value)
    if count > _INTEGER_DIGITS:
        if count < 1 << 6:
            return count + 2
        size = count + (2 if count < 1 << 12 else 5)
        return size + _length_bytes(size)
    if value[-1:].isdigit():
        with contextlib.suppress(NotAnInteger):
            return integer_bytes(parse_int(value))
    return count + 2


def _length_bytes(size: int) -> int:
    """In how many bytes the length of an element is written behind it; at a border Redis takes one more than needed."""
    if size < 1 << 7:
        return 1
    return 2 + sum(size >= border - 1 for border in (1 << 14, 1 << 21, 1 << 28))
