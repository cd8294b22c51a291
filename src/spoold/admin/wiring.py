"""Makes the parts that the commands of this package use, and binds CONFIG's live parameters to what they change."""

from __future__ import annotations

import logging
import math
from functools import partial
from pathlib import Path

from spoold.acl.file import AclFile
from spoold.acl.log import AclLog
from spoold.acl.users import User, Users
from spoold.admin.access import Access
from spoold.admin.config import Config
from spoold.admin.data_limit import DataLimit
from spoold.admin.host import Host
from spoold.admin.latency import LatencyWatch
from spoold.admin.monitor import Monitor, SlowWatch
from spoold.admin.parameters import BadValueError
from spoold.command.limits import PackedLimits
from spoold.command.parts import Parts
from spoold.core.errors import CommandError, WritesRefused
from spoold.dispatch.dispatcher import Dispatcher
from spoold.keyspace.keyspace import MOST_NODE_BYTES
from spoold.metrics.history import History, Totals
from spoold.metrics.latency import Latency
from spoold.metrics.registry import Metrics
from spoold.metrics.slowlog import SlowLog
from spoold.metrics.spread import total
from spoold.pubsub.commands import refuse_while_subscribed
from spoold.pubsub.hub import Hub
from spoold.pubsub.notify import Notifier, note_misses
from spoold.pubsub.tracking import Tracking
from spoold.settings import Settings

# Levels of the log as Redis names them. What it calls a notice is an info here.
_LEVELS = {b"debug": logging.DEBUG, b"verbose": logging.INFO, b"notice": logging.INFO, b"warning": logging.WARNING}
_LEVEL_NAMES = {"debug": b"debug", "info": b"notice", "warning": b"warning", "error": b"warning"}
_FSYNC_NAMES = {"always": b"always", "interval": b"everysec", "memory": b"no"}


# Where OBJECT ENCODING finds the limits that Redis has for small collections.
_PACKED = {
    "hll-sparse-max-bytes": "sketch_bytes",
    "set-max-intset-entries": "set_integers",
    "hash-max-listpack-entries": "hash_fields",
    "hash-max-listpack-value": "hash_bytes",
    "zset-max-listpack-entries": "zset_members",
    "zset-max-listpack-value": "zset_bytes",
}


def install(parts: Parts, dispatcher: Dispatcher, settings: Settings, host: Host) -> Config:
    """Add the parts to `parts`. Returns the configuration, for what else depends on it."""
    config = Config()
    slowlog = SlowLog()
    metrics = Metrics(dispatcher.turn.clock, dispatcher.turn.commit.checkpoints)
    hub = Hub()
    acl_log = AclLog()
    users = dispatcher.users
    acl_file = load_users(users, settings)
    access = Access(dispatcher, acl_log)
    users.guard = partial(_refuse_to_open, host)
    config.on_set("acllog-max-len", lambda count: setattr(acl_log, "max_entries", count))
    config.on_set("acl-pubsub-default", lambda word: setattr(users, "all_channels", word == b"allchannels"))
    for part in (host, config, slowlog, metrics, hub, Monitor(dispatcher), users, acl_log, acl_file, access):
        parts.add(part)
    parts.add(_install_tracking(config, dispatcher))
    dispatcher.on_leave.append(hub.forget)
    dispatcher.admission.checks.append(refuse_while_subscribed)
    notifier = Notifier(hub, dispatcher.dbs)

    def select_events(letters: bytes) -> None:
        notifier.select(letters)
        # What is missing is looked for before each command: that has its price, and is off the hot path.
        dispatcher.before[:] = [hook for hook in dispatcher.before if hook is not note_misses]
        if b"m"[0] in letters:
            dispatcher.before.append(note_misses)
        dispatcher.set_alert("key misses", b"m"[0] in letters)

    config.on_set("notify-keyspace-events", select_events)
    data_limit = DataLimit(dispatcher)
    parts.add(data_limit)
    config.on_set("maxmemory", data_limit.set_limit)
    _watch_latency(parts, config, dispatcher, slowlog, host)
    _start_values(config, settings, host)
    data_limit.set_limit(settings.max_data)
    _bind(config, dispatcher, slowlog, host, settings)
    limits = parts.own(PackedLimits)
    for name, attribute in _PACKED.items():
        config.on_set(name, partial(setattr, limits, attribute))
    host.duties.each_tick.append(data_limit.look)
    host.duties.each_tick.append(Sampler(metrics, dispatcher, host).tick)
    history = History(dispatcher.turn.clock, lambda: _totals(metrics, dispatcher, host))
    parts.add(history)
    host.duties.each_tick.append(history.tick)
    config.on_set("latency-tracking", lambda on: setattr(metrics, "tells_latency", on))
    config.on_set("latency-tracking-info-percentiles", metrics.tell_percentiles)
    return config


def _watch_latency(parts: Parts, config: Config, dispatcher: Dispatcher, slowlog: SlowLog, host: Host) -> None:
    latency = Latency(lambda: dispatcher.turn.clock.unix_ms() // 1000)
    parts.add(latency)
    slow = SlowWatch(dispatcher, slowlog, latency)
    slow.log_from(config.value("slowlog-log-slower-than"))
    config.on_set("slowlog-log-slower-than", slow.log_from)
    config.on_set("latency-monitor-threshold", slow.tell_from)
    config.on_set("latency-monitor-threshold", LatencyWatch(latency, dispatcher, host).set_threshold)


def _install_tracking(config: Config, dispatcher: Dispatcher) -> Tracking:
    tracking = Tracking(dispatcher.dbs, lambda: dispatcher.turn.running, dispatcher.sessions)

    def note_reads(on: bool) -> None:
        dispatcher.before[:] = [hook for hook in dispatcher.before if hook != tracking.note_read]
        if on:
            dispatcher.before.append(tracking.note_read)

    def close() -> None:
        tracking.deliver()
        dispatcher.turn.running = None  # what changes between turns is nobody's doing

    def join_turns(on: bool) -> None:
        turn = dispatcher.turn
        for hooks, hook in ((turn.on_closing, close), (turn.on_end, tracking.settle)):
            (hooks.append if on else hooks.remove)(hook)

    tracking.on_readers = note_reads
    tracking.on_clients = join_turns
    dispatcher.on_leave.append(tracking.end)
    config.on_set("tracking-table-max-keys", tracking.limit)
    return tracking


def load_users(users: Users, settings: Settings) -> AclFile:
    """Give `users` what the settings say: the password of `default`, then the file. May be done again.

    raises: SettingsError: the file is missing or has faults.
    """
    file = AclFile(users, Path(settings.acl_file) if settings.acl_file else None)
    if settings.password:
        users.set_default_password(settings.password.encode())
    file.start()
    return file


def _refuse_to_open(host: Host, default: User) -> None:
    """raises: CommandError: no password would be asked for, though other machines can reach a listener."""
    if default.on and default.nopass and host.exposed():
        raise CommandError("other machines can reach a listener, and it would have no password")


def _start_values(config: Config, settings: Settings, host: Host) -> None:
    """What the server was started with."""
    for name, value in (
        ("maxclients", settings.max_clients),
        ("maxmemory", settings.max_data),
        ("timeout", math.ceil(settings.idle_timeout)),
        ("requirepass", settings.password.encode()),
        ("aclfile", settings.acl_file.encode()),
        ("proto-max-bulk-len", settings.max_value),
        ("client-query-buffer-limit", settings.max_request),
        ("loglevel", _LEVEL_NAMES[settings.log_level]),
        ("logfile", settings.log_file.encode()),
        ("appendfsync", _FSYNC_NAMES[host.durability]),
        ("appendonly", host.directory is not None),
        ("dir", str(host.directory.absolute()).encode() if host.directory is not None else b""),
    ):
        config.start_with(name, value)
    config.compute("port", lambda: next((port for _, port, _ in host.redis_addresses() if port), 0))
    config.compute("bind", lambda: " ".join(name for name, port, _ in host.redis_addresses() if port).encode())
    config.compute("unixsocket", lambda: next((path for _, _, path in host.redis_addresses() if path), "").encode())


def _bind(config: Config, dispatcher: Dispatcher, slowlog: SlowLog, host: Host, settings: Settings) -> None:
    def limit(_: int) -> None:
        value = config.value("proto-max-bulk-len")
        dispatcher.dbs.value_limit_bytes = value
        host.limit_requests(value, config.value("client-query-buffer-limit"))

    def password_needed(text: bytes) -> None:
        if not text and host.exposed():
            raise BadValueError("other machines can reach a listener, and it would have no password")

    def durable_enough(word: bytes) -> None:
        if word != _FSYNC_NAMES[host.durability] and (host.directory is None or word == b"no"):
            raise BadValueError("with --memory nothing is synced, and without it the journal always is")
        if word == b"always":
            try:
                dispatcher.turn.commit.sync_due()
            except WritesRefused as error:
                raise BadValueError(f"what was written before cannot be synced: {error}") from error

    def durability(word: bytes) -> None:
        if host.directory is None:
            return
        dispatcher.turn.commit.set_synced(word == b"always")
        host.durability = "always" if word == b"always" else "interval"
        host.duties.interval_s = 0.0 if word == b"always" else settings.sync_interval

    config.guard("appendfsync", durable_enough)
    config.on_set("appendfsync", durability)
    config.guard("requirepass", password_needed)
    config.on_set("maxclients", lambda count: setattr(host.connections, "max_clients", count))
    config.on_set("timeout", lambda seconds: setattr(host.duties, "idle_s", float(seconds)))
    config.on_set("client-output-buffer-limit", lambda limits: host.connections.limit_pushes(*limits[b"pubsub"]))
    host.connections.limit_pushes(*config.value("client-output-buffer-limit")[b"pubsub"])
    config.on_set("requirepass", dispatcher.users.set_default_password)
    config.on_set("proto-max-bulk-len", limit)
    config.on_set("client-query-buffer-limit", limit)
    config.on_set("slowlog-max-len", slowlog.resize)
    config.on_set("stream-node-max-entries", lambda count: setattr(dispatcher.dbs, "stream_node_entries", count))
    config.on_set(
        "stream-node-max-bytes",
        lambda size: setattr(dispatcher.dbs, "stream_node_bytes", min(size, MOST_NODE_BYTES) or MOST_NODE_BYTES),
    )
    config.on_set("loglevel", lambda name: logging.getLogger("spoold").setLevel(_LEVELS[name]))


class Sampler:
    """Gives `Metrics` its samples."""

    def __init__(self, metrics: Metrics, dispatcher: Dispatcher, host: Host) -> None:
        """To be called at each tick."""
        self._metrics = metrics
        self._dispatcher = dispatcher
        self._host = host
        self._turns = -1
        self._commands = 0

    def tick(self) -> None:
        """Take a sample if one is due. cost: some µs; some 80 where turns have been, since all commands are counted."""
        if not self._metrics.due:
            return
        turn = self._dispatcher.turn
        if turn.turns != self._turns:
            self._turns = turn.turns
            self._commands = sum(entry.calls for entry in self._dispatcher.entries())
        self._metrics.sample(self._commands, self._host.connections.bytes_in, turn.bytes_out, turn.commit.checkpoints)


def _totals(metrics: Metrics, dispatcher: Dispatcher, host: Host) -> Totals:
    turn = dispatcher.turn
    entries = [entry for entry in dispatcher.entries() if entry.calls]
    return Totals(
        commands=sum(entry.calls for entry in entries),
        turns=turn.turns,
        bytes_in=host.connections.bytes_in,
        bytes_out=turn.bytes_out,
        command_spread=total(entry.spread for entry in entries),
        append_spread=tuple(turn.commit.append_spread),
        clients=len(dispatcher.sessions),
        waiting=dispatcher.parked,
        memory_bytes=metrics.memory().used,
        data_bytes=host.used_bytes(),
        items=metrics.items,
    )
