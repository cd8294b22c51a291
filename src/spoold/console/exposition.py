"""`/metrics`: what Prometheus collects.

Everything is counted where it happens and read here when someone asks. Names of queues are labels, so only the
longest `MOST_QUEUES` have some of their own. To add a metric, give it a line in one of the functions below, a panel in
`packaging/grafana-dashboard.json` if people should see it, and a row in docs/metrics.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from spoold import __version__
from spoold.admin.host import Host
from spoold.console.caller import CommandFailed, Silent
from spoold.console.census import Census, Count, Queue
from spoold.console.porch import Premises
from spoold.metrics.registry import Metrics

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

# Every second power of two from 1 µs to 4 s, so that a histogram stays small.
_TIME_STEPS: Final = range(0, 24, 2)
_SIZE_STEPS: Final = range(1, 14)
_NAME_CHARACTERS: Final = 128

Buckets = list[tuple[str, float]]


class Exposition:
    """Collects for one scrape."""

    def __init__(self, premises: Premises, census: Census) -> None:
        """census: counts the queues."""
        self._premises = premises
        self._census = census
        self._count = Count(complete=False)
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(self))
        ProcessCollector(registry=self._registry)

    async def text(self) -> bytes:
        """The metrics at this moment. cost: a sweep over the names, unless one was made just now; some milliseconds."""
        try:
            self._count = await self._census.count()
        except (Silent, CommandFailed):  # all commands are paused, for instance: everything else can be told
            self._count = Count(complete=False)
        return generate_latest(self._registry)

    def families(self) -> Iterator[Metric]:
        """All metrics of spoold's own."""
        yield from self._server()
        yield from self._turns()
        yield from self._commands()
        yield from self._clients()
        yield from self._storage()
        yield from _queues(self._count, self._premises.dispatcher.turn.clock.unix_ms())

    def _server(self) -> Iterator[Metric]:
        host = self._premises.parts.get(Host)
        metrics = self._premises.parts.get(Metrics)
        yield _gauge(
            "spoold_info", "Version and durability.", ("version", "durability"), [((__version__, host.durability), 1)]
        )
        yield _gauge("spoold_uptime_seconds", "Seconds since the start.", (), [((), metrics.uptime_s)])
        memory = metrics.memory()
        yield _gauge("spoold_memory_bytes", "Memory that the server itself holds.", (), [((), memory.used)])

    def _turns(self) -> Iterator[Metric]:
        turn = self._premises.dispatcher.turn
        commit = turn.commit
        yield _counter("spoold_turns", "Turns that ran.", (), [((), turn.turns)])
        yield _counter("spoold_turns_written", "Turns that wrote something.", (), [((), commit.turns)])
        yield _counter("spoold_turns_rolled_back", "Turns that were rolled back.", (), [((), turn.aborted)])
        steps: Buckets = [(str(1 << step), sum(turn.spread[: step + 1])) for step in _SIZE_STEPS]
        steps.append(("+Inf", sum(turn.spread)))
        yield HistogramMetricFamily("spoold_turn_commands", "Commands in a turn.", buckets=steps, sum_value=turn.ran)
        yield HistogramMetricFamily(
            "spoold_commit_seconds",
            "Time of an append to the journal, its sync included.",
            buckets=_time_buckets(commit.append_spread),
            sum_value=commit.append_s,
        )
        yield _counter("spoold_checkpoints", "Checkpoints.", (), [((), commit.checkpoints)])
        yield _gauge("spoold_checkpoint_seconds", "Time of the last checkpoint.", (), [((), commit.checkpoint_s)])
        refused = int(commit.refusing or commit.lost is not None)
        yield _gauge("spoold_writes_refused", "1 while the disk takes no writes.", (), [((), refused)])

    def _commands(self) -> Iterator[Metric]:
        entries = [entry for entry in self._premises.dispatcher.entries() if entry.calls or entry.rejected]
        label = ("command",)
        named = [((entry.name,), entry) for entry in entries]
        yield _counter("spoold_commands", "Commands that ran.", label, [(name, one.calls) for name, one in named])
        yield _counter(
            "spoold_commands_seconds", "Time that commands took.", label, [(name, one.usec) for name, one in named]
        )
        yield _counter(
            "spoold_commands_failed",
            "Commands that ended with an error.",
            label,
            [(name, one.failed) for name, one in named],
        )
        yield _counter(
            "spoold_commands_rejected",
            "Commands that did not run.",
            label,
            [(name, one.rejected) for name, one in named],
        )
        family = HistogramMetricFamily(
            "spoold_command_duration_seconds",
            "Time of commands; of those that a client sends in one piece the last is timed.",
            labels=label,
        )
        for name, entry in named:
            timed = sum(entry.spread)
            if timed:
                family.add_metric(name, _time_buckets(entry.spread), entry.usec * timed / max(entry.calls, 1))
        yield family

    def _clients(self) -> Iterator[Metric]:
        dispatcher = self._premises.dispatcher
        connections = self._premises.parts.get(Host).connections
        yield _gauge("spoold_clients", "Clients that are connected.", (), [((), len(dispatcher.sessions))])
        yield _gauge("spoold_clients_waiting", "Clients in blocking commands.", (), [((), dispatcher.parked)])
        yield _gauge("spoold_clients_max", "Clients that may be connected.", (), [((), connections.max_clients)])
        yield _counter("spoold_connections", "Connections since the start.", (), [((), connections.opened)])
        yield _counter("spoold_connections_rejected", "Clients that were too many.", (), [((), connections.rejected)])
        yield _counter(
            "spoold_connections_choked", "Clients that did not take their replies.", (), [((), connections.choked_out)]
        )
        yield _counter("spoold_received_bytes", "Bytes from clients.", (), [((), connections.bytes_in)])
        yield _counter("spoold_sent_bytes", "Bytes to clients.", (), [((), dispatcher.turn.bytes_out)])

    def _storage(self) -> Iterator[Metric]:
        dbs, commit = self._premises.dispatcher.dbs, self._premises.dispatcher.turn.commit
        directory = self._premises.directory
        yield _gauge("spoold_data_bytes", "Bytes of the data file in use.", (), [((), commit.data_bytes)])
        yield _gauge(
            "spoold_map_bytes", "What the data file may grow to before the map does.", (), [((), commit.map_bytes)]
        )
        since = commit.bytes_since_checkpoint
        yield _gauge("spoold_journal_bytes", "Bytes in the journal since the last checkpoint.", (), [((), since)])
        if directory is not None:
            disk = os.statvfs(directory)
            free = disk.f_bavail * disk.f_frsize
            yield _gauge("spoold_disk_free_bytes", "Bytes free on the disk of the data.", (), [((), free)])
        keys = [((str(keyspace.index),), keyspace.count) for keyspace in dbs.all if keyspace.count]
        yield _gauge("spoold_keys", "Keys in a database.", ("db",), keys)
        yield _counter("spoold_expired_keys", "Keys that fell due.", (), [((), dbs.expired)])
        yield _counter("spoold_expired_items", "Items of queues that fell due.", (), [((), dbs.expired_items)])
        yield _gauge(
            "spoold_reclaim_pending",
            "1 while space of what was deleted is given back.",
            (),
            [((), int(dbs.has_garbage))],
        )


class _Collector:
    """What the registry asks."""

    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition

    def collect(self) -> Iterable[Metric]:
        return self._exposition.families()

    def describe(self) -> Iterable[Metric]:
        return ()


def _queues(count: Count, now_ms: int) -> Iterator[Metric]:
    yield _gauge("spoold_queues", "Queues of all databases.", (), [((), count.queues)])
    items = [((kind,), number) for kind, number in count.by_type.items() if kind != "none"]
    yield _gauge("spoold_items", "Items in all queues of a type.", ("type",), items)
    yield _gauge("spoold_leases", "Items that were taken and are not settled.", (), [((), count.leases)])
    age = 0.0 if count.oldest_ms is None else max(now_ms - count.oldest_ms, 0) / 1000
    yield _gauge("spoold_oldest_item_age_seconds", "Age of the oldest item whose age is known.", (), [((), age)])
    yield _gauge(
        "spoold_queues_counted",
        "1 if all names were looked at, 0 if there are too many.",
        (),
        [((), int(count.complete))],
    )
    names: dict[tuple[str, str, str], Queue] = {}
    for queue in count.longest:
        names.setdefault((str(queue.db), _label(queue.name), queue.type), queue)
    label = ("db", "queue", "type")
    lengths = [(key, queue.length) for key, queue in names.items()]
    yield _gauge("spoold_queue_length", "Items in a queue; the longest queues only.", label, lengths)
    waiting = [(key, queue.waiting) for key, queue in names.items()]
    yield _gauge("spoold_queue_waiting", "Clients that wait for a queue; the longest queues only.", label, waiting)
    leased = [(key, queue.leases) for key, queue in names.items()]
    yield _gauge("spoold_queue_leases", "Unsettled items of a queue; the longest queues only.", label, leased)


def _label(name: bytes) -> str:
    text = name.decode("utf-8", "backslashreplace")
    return text if len(text) <= _NAME_CHARACTERS else text[: _NAME_CHARACTERS - 1] + "…"


def _time_buckets(spread: Sequence[int]) -> Buckets:
    found: Buckets = [(repr((1 << step) / 1e6), sum(spread[: step + 1])) for step in _TIME_STEPS]
    return [*found, ("+Inf", sum(spread))]


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values:
        family.add_metric(key, value)
    return family


def _counter(name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in values:
        family.add_metric(key, value)
    return family
