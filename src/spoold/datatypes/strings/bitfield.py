"""BITFIELD: integers of 1 to 64 bits at any bit of a string.

A request is read into `_Step`s first, so that nothing is written if any of it is wrong. To add a subcommand: a word in
`_ARGUMENTS` and its case in `_run`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import DENYOOM, FAST, READONLY, WRITE, Keys, command
from spoold.core.errors import BadBitfieldType, BadOverflowRule, BitfieldReadOnly, NotAnInteger, SyntaxFault
from spoold.core.numerals import INT64_MAX, INT64_MIN, parse_int
from spoold.core.reply import Reply
from spoold.datatypes.strings import store
from spoold.datatypes.strings.bitmaps import parse_bit_offset
from spoold.keyspace import events

# How many arguments stand behind each subcommand.
_ARGUMENTS: Final = {b"GET": 2, b"SET": 3, b"INCRBY": 3}
_OVERFLOW_RULES: Final = frozenset({b"WRAP", b"SAT", b"FAIL"})
_LOW_64: Final = (1 << 64) - 1

_SYNTAX: Final = (
    "BITFIELD key GET encoding offset | [OVERFLOW WRAP | SAT | FAIL] SET encoding offset value"
    " | INCRBY encoding offset increment [GET encoding offset | [OVERFLOW WRAP | SAT | FAIL] SET encoding offset value"
    " | INCRBY encoding offset increment ...]"
)


class _Field(NamedTuple):
    """Where an integer stands, and how it is read: `bits` of them from bit `offset` on."""

    signed: bool
    bits: int
    offset: int


class _Step(NamedTuple):
    """One subcommand. amount: what SET stores or INCRBY adds. rule: what happens to a number that does not fit."""

    verb: bytes
    field: _Field
    amount: int
    rule: bytes


@command(
    "BITFIELD",
    flags=WRITE | DENYOOM,
    keys=Keys(1, access="RW access update variable_flags"),
    since="3.2.0",
    syntax=_SYNTAX,
    group="bitmap",
)
def bitfield(ctx: Context, key: bytes, *subcommands: bytes) -> Reply:
    """Read, set and increment integers of any width at any bit of a string, which grows as needed.

    returns: an item a GET (the number), SET (the one before) and INCRBY (the sum); None where OVERFLOW FAIL refused.
    raises: SyntaxFault, BadBitfieldType, BadBitOffset, BadOverflowRule, NotAnInteger; WrongType; StringTooLong.
    cost: O(subcommands), and O(length) if one of them writes: a value is written as a whole.
    """
    steps = _parse(ctx, subcommands)
    if all(step.verb == b"GET" for step in steps):
        return _read_all(ctx, key, steps)
    record = store.find(ctx.ks, key)
    old = b"" if record is None else record.value
    length = max((step.field.offset + step.field.bits + 7) // 8 for step in steps if step.verb != b"GET")
    store.check_length(ctx.ks, length)
    value = bytearray(old)
    value.extend(bytes(max(length - len(old), 0)))
    longer = len(value) > len(old)
    replies = []
    told = False
    for step in steps:
        reply, changed = _run(value, step)
        replies.append(reply)
        # As in Redis, a string that was only made longer, by steps that all failed, is no event.
        told = told or changed or (longer and step.verb != b"GET" and reply is not None)
    if value != old:
        store.edit(ctx.ks, key, record, bytes(value))
    if told and ctx.ks.notify:
        ctx.ks.notify(events.STRING, b"setbit", key)
    return replies


@command(
    "BITFIELD_RO",
    flags=READONLY | FAST,
    keys=Keys(1),
    since="6.0.0",
    syntax="BITFIELD_RO key GET encoding offset [GET encoding offset ...]",
    group="bitmap",
)
def bitfield_ro(ctx: Context, key: bytes, *subcommands: bytes) -> Reply:
    """Read integers of any width at any bit of a string.

    returns: the number of each GET.
    raises: as BITFIELD; BitfieldReadOnly: a subcommand writes.
    """
    steps = _parse(ctx, subcommands)
    if any(step.verb != b"GET" for step in steps):
        raise BitfieldReadOnly
    return _read_all(ctx, key, steps)


def _parse(ctx: Context, subcommands: tuple[bytes, ...]) -> list[_Step]:
    args = Args(subcommands)
    steps = []
    rule = b"WRAP"
    while args:
        verb = args.word()
        if verb == b"OVERFLOW":
            rule = args.word()
            if rule not in _OVERFLOW_RULES:
                raise BadOverflowRule
            continue
        if len(args) < _ARGUMENTS.get(verb, len(subcommands)):
            raise SyntaxFault
        signed, bits = _parse_type(args.take())
        offset = args.take()
        scaled = offset.startswith(b"#")
        place = parse_bit_offset(ctx, offset[1:], bits) if scaled else parse_bit_offset(ctx, offset)
        field = _Field(signed, bits, place)
        steps.append(_Step(verb, field, 0 if verb == b"GET" else args.int(), rule))
    return steps


@lru_cache(maxsize=128)
def _parse_type(text: bytes) -> tuple[bool, int]:
    """(whether signed, bits) of a type such as i16 or u8, of which there are 127. raises: BadBitfieldType."""
    signed = text.startswith(b"i")
    try:
        bits = parse_int(text[1:])
    except NotAnInteger:
        raise BadBitfieldType from None
    # Replies are signed 64-bit numbers, so there is no u64.
    if not (signed or text.startswith(b"u")) or not 1 <= bits <= 63 + signed:
        raise BadBitfieldType
    return signed, bits


def _read_all(ctx: Context, key: bytes, steps: list[_Step]) -> list[int | None]:
    value = store.get(ctx.ks, key) or b""
    return [_read(value, step.field) for step in steps]


def _run(value: bytearray, step: _Step) -> tuple[int | None, bool]:
    """Do one step on `value`, which is long enough. returns: its reply, and whether the number in the field changed."""
    verb, field, amount, rule = step
    old = _read(value, field)
    if verb == b"GET":
        return old, False
    if verb == b"INCRBY":
        amount += old
    elif not field.signed:
        amount &= _LOW_64  # a negative number stands for the unsigned one with the same 64 bits, as in C
    elif rule == b"SAT" and field.bits < 64 and amount < INT64_MIN + (1 << field.bits - 1):
        # Redis takes a number this close to the lowest of 64 bits for one that is too high: its check overflows.
        amount = INT64_MAX
    fitting = _fit(amount, field, rule)
    if fitting is None:
        return None, False
    _write(value, field, fitting)
    return old if verb == b"SET" else fitting, fitting != old


def _fit(number: int, field: _Field, rule: bytes) -> int | None:
    """The number itself if the field can hold it, else what the rule makes of it: None for FAIL."""
    bits = field.bits
    lowest = -(1 << bits - 1) if field.signed else 0
    highest = lowest + (1 << bits) - 1
    if lowest <= number <= highest:
        return number
    if rule == b"FAIL":
        return None
    if rule == b"SAT":
        return lowest if number < lowest else highest
    return (number - lowest & (1 << bits) - 1) + lowest


def _read(value: bytes | bytearray, field: _Field) -> int:
    """The number in a field; what lies behind the end of `value` is zero."""
    signed, bits, offset = field
    end = offset + bits
    stop = end + 7 >> 3
    chunk = value[offset >> 3 : stop].ljust(stop - (offset >> 3), b"\0")
    number = int.from_bytes(chunk, "big") >> (-end & 7) & (1 << bits) - 1
    return number - (1 << bits) if signed and number >> bits - 1 else number


def _write(value: bytearray, field: _Field, number: int) -> None:
    """Put a number that fits into a field of `value`, which is long enough."""
    _, bits, offset = field
    end = offset + bits
    start, stop, shift = offset >> 3, end + 7 >> 3, -end & 7
    mask = (1 << bits) - 1
    around = int.from_bytes(value[start:stop], "big") & ~(mask << shift)
    value[start:stop] = (around | (number & mask) << shift).to_bytes(stop - start, "big")
