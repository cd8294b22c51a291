"""PFDEBUG, PFSELFTEST: how a HyperLogLog is kept, for test suites and the curious."""

from __future__ import annotations

from spoold.command.context import Context
from spoold.command.spec import ADMIN, DENYOOM, WRITE, Keys, command
from spoold.core.errors import CommandError
from spoold.core.reply import OK, Reply, Simple
from spoold.datatypes.hyperloglog import sketch
from spoold.datatypes.hyperloglog.commands import find
from spoold.datatypes.hyperloglog.estimate import mark
from spoold.datatypes.strings import store as strings

_TESTED_ELEMENTS = 3000


@command(
    "PFDEBUG",
    flags=WRITE | DENYOOM | ADMIN,
    keys=Keys(2, access="RW access"),
    since="2.8.9",
    syntax="PFDEBUG subcommand key",
    group="hyperloglog",
)
def pfdebug(ctx: Context, subcommand: bytes, key: bytes) -> Reply:
    """Shows how a HyperLogLog is kept.

    subcommand: ENCODING (dense or sparse); TODENSE makes it dense (1 if it was not); GETREG lists all registers, and
        makes it dense too; DECODE lists the runs of a sparse one.
    raises: CommandError: there is no such key, or no such subcommand; WrongType; NotASketch; CorruptSketch.
    cost: O(16,384).
    """
    record = find(ctx.ks, key)
    if record is None:
        raise CommandError("The specified key does not exist")
    value = record.value
    is_sparse = value[4] == sketch.SPARSE
    match subcommand.upper():
        case b"ENCODING":
            return Simple(b"sparse" if is_sparse else b"dense")
        case b"DECODE":
            if not is_sparse:
                raise CommandError("HLL encoding is not sparse")
            return sketch.spelled(value)
        case b"GETREG" | b"TODENSE" as word:
            marks = sketch.marks_of(value)
            if is_sparse:
                strings.edit(ctx.ks, key, record, sketch.dense_of(marks, value))
            return list(marks) if word == b"GETREG" else int(is_sparse)
    raise CommandError(b"Unknown PFDEBUG subcommand '" + subcommand + b"'")


@command("PFSELFTEST", flags=ADMIN, since="2.8.9", syntax="PFSELFTEST", group="hyperloglog")
def pfselftest(ctx: Context) -> Reply:
    """Checks that registers come back as they were stored, and that an estimate is near the truth.

    raises: CommandError: TESTFAILED, and what.
    """
    marked = [mark(b"%d" % number) for number in range(_TESTED_ELEMENTS)]
    sparse = sketch.add(sketch.EMPTY, marked, 1 << 20) or b""
    dense = sketch.add(sketch.EMPTY, marked, 0) or b""
    if sketch.marks_of(sparse) != sketch.marks_of(dense):
        raise CommandError("Sparse and dense registers differ", "TESTFAILED")
    if abs(sketch.count(sketch.marks_of(dense)) - _TESTED_ELEMENTS) > _TESTED_ELEMENTS // 20:
        raise CommandError("The estimate is too far from the truth", "TESTFAILED")
    return OK
