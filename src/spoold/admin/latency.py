"""LATENCY HISTOGRAM: how long commands took, by powers of two."""

from __future__ import annotations

from collections.abc import Iterator

from spoold.command.context import Context
from spoold.command.spec import ADMIN, LOADING, NOSCRIPT, STALE, command
from spoold.command.table import Container, Entry
from spoold.core.reply import Reply
from spoold.dispatch.dispatcher import Dispatcher
from spoold.metrics.spread import cumulative


@command(
    "LATENCY|HISTOGRAM",
    flags=ADMIN | NOSCRIPT | LOADING | STALE,
    since="7.0.0",
    syntax="LATENCY HISTOGRAM [command [command ...]]",
    group="server",
)
def latency_histogram(ctx: Context, *commands: bytes) -> Reply:
    """Tells how long commands took: for each how many took less than 1, 2, 4, … microseconds.

    commands: a container stands for its subcommands; unknown ones are passed over; all that ran if none is named.
    returns: a map: command, then a map of `calls` (how many were timed) and `histogram_usec` (µs → how many took less).
    differs: of the requests that a client sends in one piece the last is timed, and what MULTI and scripts run is not.
    """
    table = ctx.parts.get(Dispatcher).table
    entries = ctx.parts.get(Dispatcher).entries() if not commands else _named(table.find(name) for name in commands)
    found: dict[bytes, Reply] = {}
    for entry in entries:
        steps = cumulative(entry.spread)
        if steps:
            histogram: dict[int, int] = {}
            seen = 0
            for limit_us, count in steps:
                if count != seen:
                    histogram[limit_us] = seen = count
            found[entry.name.encode()] = {b"calls": seen, b"histogram_usec": histogram}
    return found


def _named(entries: Iterator[Entry | None]) -> list[Entry]:
    found: list[Entry] = []
    for entry in entries:
        if isinstance(entry, Container):
            found += (entry.own, *entry.subs.values())
        elif entry is not None:
            found.append(entry)
    return found
