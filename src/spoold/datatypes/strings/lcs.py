"""LCS: the longest common subsequence of two strings.

The usual table of (bytes of one) x (bytes of the other) numbers is not built. Neighbours in a row of it differ by 0 or
1, so a row is one integer with a bit a column, and the next row follows from it with a few operations on whole
integers. Rows stand for the bytes of the shorter string, columns for those of the longer.

Many subsequences may be the longest. The one to answer is the one that Redis's walk through its table finds: from the
last bytes of both, over a match to both bytes before, else from a in front of b only where that alone keeps the
length, else from b. Whether the walk goes on along the row is one bit for each place too, so a row is crossed in one
operation.

source: M. Crochemore and others, "A fast and practical bit-vector algorithm for the longest common subsequence
problem" (2001); redis: src/t_string.c, lcsCommand, for the walk.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import READONLY, Keys, command
from spoold.core.errors import LcsLenWithIdx, LcsNeedsStrings, LcsTooLarge, SyntaxFault, WrongType
from spoold.core.reply import Reply
from spoold.datatypes.strings import store

# Redis's table has a 32-bit number for each pair of prefixes, and may be as large as the longest string.
_CELL_BYTES: Final = 4

_ZEROS: Final = b"0" * 256


class Match(NamedTuple):
    """Bytes that stand in both strings: `length` of them from position `a` of the first, `b` of the second."""

    a: int
    b: int
    length: int


@command(
    "LCS",
    flags=READONLY,
    keys=Keys(1, 2),
    since="7.0.0",
    syntax="LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
)
def lcs(ctx: Context, key1: bytes, key2: bytes, *options: bytes) -> Reply:
    """Find the longest common subsequence of two strings.

    returns: the subsequence; with LEN its length; with IDX a map of `matches`, the ranges that make it up from the
        last to the first (those of at least MINMATCHLEN bytes; WITHMATCHLEN adds the length to each), and `len`.
    raises: LcsNeedsStrings; SyntaxFault, NotAnInteger; LcsLenWithIdx; LcsTooLarge (Redis's bound: the product of the
        lengths is 128 million at most).
    cost: O(product of the lengths / 30); 0.2 s at the bound.
    """
    try:
        a, b = (store.get(ctx.ks, key) or b"" for key in (key1, key2))
    except WrongType:
        raise LcsNeedsStrings from None
    args = Args(options)
    wants_length = wants_ranges = with_lengths = False
    least = 0
    while args:
        word = args.word()
        if word == b"LEN":
            wants_length = True
        elif word == b"IDX":
            wants_ranges = True
        elif word == b"WITHMATCHLEN":
            with_lengths = True
        elif word == b"MINMATCHLEN":
            least = args.int()
        else:
            raise SyntaxFault
    if wants_length and wants_ranges:
        raise LcsLenWithIdx
    if (len(a) + 1) * (len(b) + 1) * _CELL_BYTES > ctx.dbs.value_limit_bytes:
        raise LcsTooLarge
    if wants_length:
        return common_length(a, b)
    matches = common_ranges(a, b)
    if not wants_ranges:
        return b"".join(a[match.a : match.a + match.length] for match in reversed(matches))
    shown: list[list[object]] = []
    for match in matches:
        if match.length >= least:
            ranges = [[start, start + match.length - 1] for start in (match.a, match.b)]
            shown.append([*ranges, match.length] if with_lengths else [*ranges])
    return {b"matches": shown, b"len": sum(match.length for match in matches)}


def common_length(a: bytes, b: bytes) -> int:
    """The length of a longest common subsequence."""
    short, long = sorted((a, b), key=len)
    columns = _columns(short, long)
    whole = (1 << len(long)) - 1
    level = whole
    for byte in short:
        hits = level & columns[byte]
        level = (level + hits | level ^ hits) & whole
    return len(long) - level.bit_count()


def common_ranges(a: bytes, b: bytes) -> list[Match]:
    """A longest common subsequence as ranges of both strings, from the last to the first.

    cost: besides the time, (product of the lengths) / 8 bytes.
    """
    short, long = (a, b) if len(a) < len(b) else (b, a)
    rows = _rows(short, long, a_is_short=short is a)
    row, column = len(short), len(long)
    matches = []
    length = 0
    while row and column:
        if short[row - 1] == long[column - 1]:
            row -= 1
            column -= 1
            length += 1
            continue
        if length:
            matches.append((row, column, length))
            length = 0
        # Up to the next column where the walk leaves the row, by a match or towards the row before.
        before = (1 << column) - 1
        column = (rows[row - 1] & before ^ before).bit_length()
        if column and short[row - 1] != long[column - 1]:
            row -= 1
    if length:
        matches.append((row, column, length))
    if short is a:
        return [Match(row, column, length) for row, column, length in matches]
    return [Match(column, row, length) for row, column, length in matches]


def _rows(short: bytes, long: bytes, *, a_is_short: bool) -> list[int]:
    """For each byte of `short`, the columns (bit 0 is the first) from which the walk goes on to the column before.

    `level` holds the columns where the length is the same as one column before. In the sum, a carry into a bit says
    that the length up to there is one more than in the row before. If the rows are a's, the walk goes along the row
    where that loses no length; if they are b's, only where the row before would lose.
    """
    columns = _columns(short, long)
    whole = (1 << len(long)) - 1
    others = {byte: whole ^ hits for byte, hits in columns.items()}
    level = whole
    rows = []
    for byte in short:
        hits = level & columns[byte]
        rest = level ^ hits
        total = level + hits
        carries = (total ^ rest) >> 1
        level = (total | rest) & whole
        rows.append((level if a_is_short else carries) & others[byte])
    return rows


def _columns(short: bytes, long: bytes) -> dict[int, int]:
    """For each byte that occurs in `short`: where it stands in `long`, bit 0 for the first position."""
    backwards = long[::-1]
    columns = {}
    for byte in set(short):
        digits = bytearray(_ZEROS)
        digits[byte] = 0x31
        columns[byte] = int(backwards.translate(digits) or b"0", 2)
    return columns
