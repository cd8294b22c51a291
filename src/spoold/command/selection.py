"""What commands are asked that return some of what there is: SCAN and its kin, SRANDMEMBER and its kin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from spoold.command.args import Args
from spoold.core.errors import OutOfLong, OutOfRange, SyntaxFault
from spoold.core.numerals import INT64_MAX, INT64_MIN, parse_int

_SCANNED: Final = 10
# One call looks at no more than this, whatever its COUNT says: some 50 ms for elements, 100 ms for names.
_MOST_SCANNED: Final = 100_000
# A negative count may ask for any number of repetitions; more than a request may have arguments are refused.
_MOST_REPEATED: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Slice:
    """What one call of SCAN or its kin looks at, and which of that it returns.

    pattern: of what is returned. count: how many are looked at, 1 to 100,000. kind: the type of the keys that are
    returned, b"" = all.
    """

    pattern: bytes
    count: int
    kind: bytes


def parse_slice(options: Sequence[bytes], *, kinds: bool = False) -> Slice:
    """Read [MATCH pattern] [COUNT count], and [TYPE type] where there are `kinds`; the last of each holds.

    raises: NotAnInteger, SyntaxFault.
    """
    pattern, count, kind = b"*", _SCANNED, b""
    args = Args(options)
    while args:
        match args.word():
            case b"MATCH":
                pattern = args.take()
            case b"COUNT":
                count = args.int()
                if count < 1:
                    raise SyntaxFault
            case b"TYPE" if kinds:
                kind = args.take().lower()
            case _:
                raise SyntaxFault
    return Slice(pattern, min(count, _MOST_SCANNED), kind)


def parse_draw(count: bytes | None, options: Sequence[bytes] = (), *, word: bytes = b"") -> tuple[int, bool]:
    """Read [count [word]]: how many elements to draw, and whether with what belongs to them.

    returns: the count, 1 where there is none, below 0 for elements that may repeat; whether `word` is there.
    raises: NotAnInteger; OutOfLong: the count has no opposite; SyntaxFault; OutOfRange: twice the count, which `word`
    makes the reply's length, is past 64 bits.
    """
    number = 1 if count is None else parse_int(count)
    if number == INT64_MIN:
        raise OutOfLong
    if not options:
        return number, False
    if len(options) > 1 or options[0].upper() != word:
        raise SyntaxFault
    if abs(number) > INT64_MAX // 2:
        raise OutOfRange
    return number, True


def check_repeated(number: int) -> None:
    """raises: OutOfRange: a draw with repetition of more elements than a reply should hold (below -1,048,576)."""
    if number < -_MOST_REPEATED:
        raise OutOfRange
