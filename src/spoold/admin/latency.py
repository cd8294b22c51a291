"""LATENCY: how long commands took, by powers of two, and events that took too long."""

from __future__ import annotations

from collections.abc import Sequence

from spoold.admin.host import Host
from spoold.command.context import Context
from spoold.command.spec import ADMIN, LOADING, NOSCRIPT, STALE, command
from spoold.command.table import CommandTable, Container, Entry
from spoold.core.errors import CommandError
from spoold.core.reply import Reply, Verbatim
from spoold.dispatch.dispatcher import Dispatcher
from spoold.metrics.latency import Latency, graph, report
from spoold.metrics.spread import cumulative

_FLAGS = ADMIN | NOSCRIPT | LOADING | STALE


class LatencyWatch:
    """Sees how long commits, checkpoints and duties take, while there is a threshold; commands are `SlowWatch`'s.

    Without one nothing is hooked in anywhere, so that it costs nothing.
    """

    def __init__(self, latency: Latency, dispatcher: Dispatcher, host: Host) -> None:
        """Watches nothing yet."""
        self._latency = latency
        self._turn = dispatcher.turn
        self._host = host
        self._duties = host.duties
        self._append_s = 0.0
        self._checkpoints = 0
        self._watching = False

    def set_threshold(self, ms: int) -> None:
        """CONFIG SET latency-monitor-threshold: 0 = watch nothing."""
        self._latency.threshold_ms = ms
        if bool(ms) is self._watching:
            return
        self._watching = bool(ms)
        if ms:
            commit = self._turn.commit
            self._append_s, self._checkpoints = commit.append_s, commit.checkpoints
            self._turn.on_end.append(self._look)
            self._duties.each_tick.append(self._look)
            self._duties.on_done = self._latency.note
        else:
            self._turn.on_end.remove(self._look)
            self._duties.each_tick.remove(self._look)
            self._duties.on_done = None

    def _look(self) -> None:
        """After each turn, and after each tick's duties: what did the journal and a checkpoint take? cost: O(1)."""
        commit = self._turn.commit
        if commit.append_s != self._append_s:
            spent_s, self._append_s = commit.append_s - self._append_s, commit.append_s
            self._latency.note("aof-fsync-always" if self._host.durability == "always" else "aof-write", spent_s)
        if commit.checkpoints != self._checkpoints:
            self._checkpoints = commit.checkpoints
            self._latency.note("checkpoint", commit.checkpoint_s)


@command(
    "LATENCY|HISTOGRAM",
    flags=_FLAGS,
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
    entries = ctx.parts.get(Dispatcher).entries() if not commands else _named(table, commands)
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


def _named(table: CommandTable, names: Sequence[bytes]) -> list[Entry]:
    found: list[Entry] = []
    for name in names:
        whole, _, sub = name.partition(b"|")
        entry = table.find(whole)
        if isinstance(entry, Container):
            if not sub:
                found += (entry.own, *entry.subs.values())
                continue
            entry = entry.subs.get(sub.upper())
            sub = b""
        if entry is not None and not sub:
            found.append(entry)
    return found


@command("LATENCY|LATEST", flags=_FLAGS, since="2.8.13", syntax="LATENCY LATEST", group="server")
def latency_latest(ctx: Context) -> Reply:
    """Returns the latest sample of each latency event.

    returns: for each its name, Unix seconds and milliseconds of the latest sample, most milliseconds so far.
    source: Redis's page on latency monitoring.
    """
    events = ctx.parts.get(Latency).events
    return [[name.encode(), *event.samples[-1], event.max_ms] for name, event in events.items()]


@command("LATENCY|HISTORY", flags=_FLAGS, since="2.8.13", syntax="LATENCY HISTORY event", group="server")
def latency_history(ctx: Context, event: bytes) -> Reply:
    """Returns the samples of a latency event.

    returns: Unix seconds and milliseconds of each, the oldest first; at most one a second, and 160.
    """
    found = ctx.parts.get(Latency).events.get(_name(event))
    return [] if found is None else [list(sample) for sample in found.samples]


@command("LATENCY|RESET", flags=_FLAGS, since="2.8.13", syntax="LATENCY RESET [event [event ...]]", group="server")
def latency_reset(ctx: Context, *events: bytes) -> int:
    """Forgets latency events.

    event: all if none is named.
    returns: how many there were.
    """
    return ctx.parts.get(Latency).reset([_name(event) for event in events])


@command("LATENCY|DOCTOR", flags=_FLAGS, since="2.8.13", syntax="LATENCY DOCTOR", group="server")
def latency_doctor(ctx: Context) -> Reply:
    """Says in words what the latency events tell, and what can be done about them.

    differs: the words are spoold's own.
    """
    return Verbatim(report(ctx.parts.get(Latency)).encode())


@command("LATENCY|GRAPH", flags=_FLAGS, since="2.8.13", syntax="LATENCY GRAPH event", group="server")
def latency_graph(ctx: Context, event: bytes) -> Reply:
    """Draws the samples of a latency event, for people.

    raises: CommandError: there is no such event.
    differs: the drawing is spoold's own.
    """
    name = _name(event)
    found = ctx.parts.get(Latency).events.get(name)
    if found is None:
        raise CommandError(b"No samples available for event '" + event + b"'")
    return Verbatim(graph(name, found, ctx.now_ms // 1000).encode())


def _name(event: bytes) -> str:
    return event.decode("latin-1")
