"""SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP: a string as a row of bits; bit 0 is the highest bit of the first byte.

Nothing here looks at a value byte by byte: whole slices are compared, or taken as one integer, at the speed of C.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Final

from spoold.command.context import Context
from spoold.command.spec import DENYOOM, FAST, READONLY, WRITE, Keys, command
from spoold.core.errors import BadBitOffset, BadBitValue, ManySourcesOfNot, NotAnInteger, NotZeroOrOne, SyntaxFault
from spoold.core.numerals import parse_int
from spoold.datatypes.strings import store
from spoold.keyspace import events

# Bytes that are taken as one integer, or compared, at a time: they stay in the processor's cache.
_SLICE_BYTES: Final = 16 * 1024

# What a byte looks like where it holds no bit of the kind that BITPOS looks for.
_EMPTY_SLICES: Final = (b"\xff" * _SLICE_BYTES, b"\0" * _SLICE_BYTES)

_INVERTED: Final = bytes(range(255, -1, -1))
_OPERATIONS: Final[dict[bytes, Callable[[int, int], int]]] = {
    b"AND": operator.and_,
    b"OR": operator.or_,
    b"XOR": operator.xor,
}


def parse_bit_offset(ctx: Context, text: bytes, scale: int = 1) -> int:
    """Read the position of a bit, in units of `scale` bits.

    raises: BadBitOffset: no integer, negative, or behind the last bit that a string may have.
    """
    try:
        offset = parse_int(text) * scale
    except NotAnInteger:
        raise BadBitOffset from None
    if not 0 <= offset < ctx.dbs.value_limit_bytes * 8:
        raise BadBitOffset
    return offset


@command(
    "SETBIT",
    flags=WRITE | DENYOOM,
    keys=Keys(1, access="RW access update"),
    since="2.2.0",
    syntax="SETBIT key offset value",
    group="bitmap",
)
def setbit(ctx: Context, key: bytes, offset: bytes, value: bytes) -> int:
    """Set or clear one bit of a string, which grows with zero bytes where it is too short.

    returns: the bit as it was.
    raises: BadBitOffset; BadBitValue; WrongType.
    cost: O(length) if anything changes: a value is written as a whole.
    """
    position = parse_bit_offset(ctx, offset)
    if value not in (b"0", b"1"):
        raise BadBitValue
    ks = ctx.ks
    record = store.find(ks, key)
    old = b"" if record is None else record.value
    index, mask = position >> 3, 0x80 >> (position & 7)
    exists = index < len(old)
    byte = old[index] if exists else 0
    changed = byte | mask if value == b"1" else byte & ~mask
    if changed != byte or not exists:
        store.edit(ks, key, record, store.splice(old, index, bytes((changed,))))
        if ks.notify:
            ks.notify(events.STRING, b"setbit", key)
    return 1 if byte & mask else 0


@command("GETBIT", flags=READONLY | FAST, keys=Keys(1), since="2.2.0", syntax="GETBIT key offset", group="bitmap")
def getbit(ctx: Context, key: bytes, offset: bytes) -> int:
    """Read one bit of a string.

    returns: 0 or 1; 0 behind its end.
    raises: BadBitOffset; WrongType.
    """
    position = parse_bit_offset(ctx, offset)
    value = store.get(ctx.ks, key) or b""
    index = position >> 3
    return value[index] >> (~position & 7) & 1 if index < len(value) else 0


@command(
    "BITCOUNT",
    flags=READONLY,
    keys=Keys(1),
    since="2.6.0",
    syntax="BITCOUNT key [start end [BYTE | BIT]]",
    group="bitmap",
)
def bitcount(ctx: Context, key: bytes, *range_: bytes) -> int:
    """Count the bits of a string, or of a range of it, that are set.

    range: first and last byte (or BIT), both included, negative counted from the end.
    returns: the number; 0 for a missing key, whatever the range says.
    raises: WrongType; SyntaxFault, NotAnInteger.
    cost: O(bytes of the range), about 1 ms a MiB.
    """
    value = store.get(ctx.ks, key)
    if value is None:
        return 0
    if not range_:
        return _count_ones(value, 0, len(value) * 8 - 1)
    if len(range_) not in (2, 3):
        raise SyntaxFault
    first, last = parse_int(range_[0]), parse_int(range_[1])
    # As in Redis, this comes before the unit is looked at.
    if first < 0 and last < 0 and first > last:
        return 0
    return _count_ones(value, *_bit_range(value, first, last, _unit_bits(range_[2:])))


@command(
    "BITPOS",
    flags=READONLY,
    keys=Keys(1),
    since="2.8.7",
    syntax="BITPOS key bit [start [end [BYTE | BIT]]]",
    group="bitmap",
)
def bitpos(ctx: Context, key: bytes, bit: bytes, *range_: bytes) -> int:
    """Find the first bit of a string, or of a range of it, that is set (1) or clear (0).

    range: as for BITCOUNT; the end may be left out.
    returns: the bit's position in the whole string, -1 if there is none. Without an end the string counts as followed
        by zeros, so that a clear bit is always found, but not in an empty range.
    raises: NotAnInteger, NotZeroOrOne; WrongType; SyntaxFault, NotAnInteger.
    cost: O(bytes up to the bit), at the speed of memcmp.
    """
    wanted = parse_int(bit)
    if wanted not in (0, 1):
        raise NotZeroOrOne
    value = store.get(ctx.ks, key)
    if value is None:
        return -1 if wanted else 0
    if len(range_) > 3:
        raise SyntaxFault
    first = parse_int(range_[0]) if range_ else 0
    unit_bits = _unit_bits(range_[2:])
    last = parse_int(range_[1]) if len(range_) > 1 else -1
    first, last = _bit_range(value, first, last, unit_bits)
    position = _find_bit(value, wanted, first, last)
    if position < 0 and not wanted and len(range_) < 2 and first <= last:
        return last + 1
    return position


@command(
    "BITOP",
    flags=WRITE | DENYOOM,
    keys=Keys(2, -1, access="OW update|RO access"),
    since="2.6.0",
    syntax="BITOP operation destkey key [key ...]",
    group="bitmap",
)
def bitop(ctx: Context, operation: bytes, destkey: bytes, key: bytes, *keys: bytes) -> int:
    """Combine strings bit by bit (AND, OR, XOR, or NOT of a single one) and store the result under another key.

    Shorter strings and missing keys count as padded with zero bytes; an empty result deletes the destination.
    returns: the length of the result in bytes, that of the longest source.
    raises: SyntaxFault; ManySourcesOfNot; WrongType (of a source).
    cost: O(bytes of all sources), about 2 ms a MiB.
    """
    name = operation.upper()
    if name != b"NOT" and name not in _OPERATIONS:
        raise SyntaxFault
    if name == b"NOT" and keys:
        raise ManySourcesOfNot
    sources = [store.get(ctx.ks, source) or b"" for source in (key, *keys)]
    result = sources[0].translate(_INVERTED) if name == b"NOT" else _combine(_OPERATIONS[name], sources)
    ks = ctx.ks
    if result:
        store.put(ks, destkey, result)
        if ks.notify:
            ks.notify(events.STRING, b"set", destkey)
    else:
        ks.remove(destkey)
    return len(result)


def _unit_bits(words: tuple[bytes, ...]) -> int:
    """Bits in the unit of a range: BYTE (if nothing is said) or BIT. raises: SyntaxFault."""
    word = words[0].upper() if words else b"BYTE"
    if word not in (b"BYTE", b"BIT"):
        raise SyntaxFault
    return 1 if word == b"BIT" else 8


def _bit_range(value: bytes, first: int, last: int, unit_bits: int) -> tuple[int, int]:
    """A client's range of units as positions of bits, both included; first > last if it is empty."""
    first, last = store.clip(first, last, len(value) * 8 // unit_bits)
    return first * unit_bits, last * unit_bits + unit_bits - 1


def _count_ones(value: bytes, first: int, last: int) -> int:
    """How many of the bits `first` to `last` of `value` are set; none if first > last."""
    if first > last:
        return 0
    start, stop = first >> 3, (last >> 3) + 1
    # Bits of the first and the last byte that lie outside.
    count = -(value[start] >> 8 - (first & 7)).bit_count() - (value[stop - 1] & 0x7F >> (last & 7)).bit_count()
    for begin in range(start, stop, _SLICE_BYTES):
        count += int.from_bytes(value[begin : min(begin + _SLICE_BYTES, stop)], "little").bit_count()
    return count


def _find_bit(value: bytes, bit: int, first: int, last: int) -> int:
    """The position of the first bit equal to `bit` from `first` to `last`, -1 if there is none."""
    if first > last:
        return -1
    index, stop = first >> 3, (last >> 3) + 1
    flip = 0 if bit else 0xFF
    byte = (value[index] ^ flip) & 0xFF >> (first & 7)
    if not byte:
        index = _skip(value, bit, index + 1, stop)
        if index == stop:
            return -1
        byte = value[index] ^ flip
    position = index * 8 + 8 - byte.bit_length()
    return position if position <= last else -1


def _skip(value: bytes, bit: int, start: int, stop: int) -> int:
    """The index of the first byte from `start` on that holds a bit equal to `bit`; `stop` if none before it does."""
    empty = _EMPTY_SLICES[bit]
    while value.startswith(empty, start, stop):
        start += _SLICE_BYTES
    rest = value[start : min(start + _SLICE_BYTES, stop)]
    return start + len(rest) - len(rest.lstrip(empty[:1]))


def _combine(operation: Callable[[int, int], int], sources: list[bytes]) -> bytes:
    """All sources combined, slice by slice; each is padded with zeros to the length of the longest."""
    length = max(map(len, sources))
    slices = []
    for begin in range(0, length, _SLICE_BYTES):
        end = begin + _SLICE_BYTES
        # Little-endian, so that what a shorter source lacks are leading zeros of its integer.
        numbers = (int.from_bytes(source[begin:end], "little") for source in sources)
        slices.append(reduce(operation, numbers).to_bytes(min(end, length) - begin, "little"))
    return b"".join(slices)
