"""SPOOLD RETURN and SPOOLD DROP: what operators do with items that were taken and are not settled.

A holder who is still there finds that its lease has ended, as after its deadline.
"""

from __future__ import annotations

from typing import Final

from spoold.command.context import Context
from spoold.command.spec import DANGEROUS, WRITE, Keys, command
from spoold.core.numerals import parse_int
from spoold.datatypes.jobs import leases
from spoold.datatypes.jobs.store import Handle, get

_FLAGS: Final = WRITE | DANGEROUS
_GROUP: Final = "jobs"
_SINCE: Final = "0.1.0"


@command(
    "SPOOLD|RETURN",
    flags=_FLAGS,
    keys=Keys(2),
    since=_SINCE,
    syntax="SPOOLD RETURN queue lease [lease ...]",
    group=_GROUP,
)
def spoold_return(ctx: Context, queue: bytes, lease: bytes, *more: bytes) -> int:
    """Ends leases and puts their items back at the head of the queue, those that were first handed out first.

    lease: its id, as SPOOLD LEASES tells it.
    returns: how many were there.
    raises: NotAnInteger.
    cost: O(leases).
    """
    found = [get(ctx.dbs, handle) for handle in _handles(ctx, queue, (lease, *more))]
    return leases.give_back(ctx.dbs, [one.handle for one in found if one is not None])


@command(
    "SPOOLD|DROP",
    flags=_FLAGS,
    keys=Keys(2),
    since=_SINCE,
    syntax="SPOOLD DROP queue lease [lease ...]",
    group=_GROUP,
)
def spoold_drop(ctx: Context, queue: bytes, lease: bytes, *more: bytes) -> int:
    """Ends leases and forgets their items, as if their holders had confirmed them.

    lease: its id, as SPOOLD LEASES tells it.
    returns: how many were there.
    raises: NotAnInteger.
    cost: O(leases).
    """
    return sum(leases.confirm(ctx.dbs, handle) for handle in _handles(ctx, queue, (lease, *more)))


def _handles(ctx: Context, queue: bytes, ids: tuple[bytes, ...]) -> list[Handle]:
    """Each once; no lease has a number below 0. raises: NotAnInteger."""
    numbers = dict.fromkeys(parse_int(id_) for id_ in ids)
    return [Handle(ctx.ks.index, queue, number) for number in numbers if number >= 0]
