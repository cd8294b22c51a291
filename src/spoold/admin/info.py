"""INFO: what clients and people ask about the server. How it is written is `metrics/info.py`'s.

Fields have Redis's names where spoold has the thing; what is spoold's own begins with `spoold_`. What Redis tells of
mechanisms that spoold has not (replication, forks, eviction, scripts' memory) is left out or, where clients read it,
answered as by a Redis that does not use them. To add a field, give it a line in the section's function.
"""

from __future__ import annotations

import os
import platform
import resource
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

from spoold import __version__
from spoold.admin.data_limit import DataLimit
from spoold.admin.host import Host
from spoold.command.context import Context
from spoold.command.spec import DANGEROUS, LOADING, STALE, command
from spoold.core.reply import Reply, Verbatim
from spoold.dispatch.dispatcher import Dispatcher
from spoold.engine.commit import Commit
from spoold.keyspace.expiry import count_expiring
from spoold.metrics.info import Fields, human_bytes, render
from spoold.metrics.registry import Metrics, total_memory
from spoold.metrics.spread import quantile
from spoold.pubsub.hub import Hub
from spoold.pubsub.tracking import Tracking
from spoold.scripting.libraries import Libraries
from spoold.scripting.runner import Runner
from spoold.scripting.scripts import Scripts

REDIS_VERSION = "7.0.15"
"""The version of Redis whose commands and replies these are: clients choose by it what they send."""

_LRU_CLOCK_BITS = 24


@command(
    "INFO", flags=LOADING | STALE | DANGEROUS, since="1.0.0", syntax="INFO [section [section ...]]", group="server"
)
def info(ctx: Context, *sections: bytes) -> Reply:
    """Tells how the server is: version, clients, memory, persistence, counters, keys.

    sections: names in any case; `all`, `everything` and `default` (also if none is named) stand for several.
    returns: `# Section` lines and `field:value` lines; nothing for sections that do not exist.
    cost: some 100 µs; `keyspace` up to 10 ms more: it counts expiries, at most 10,000.
    source: Redis's INFO page.
    """
    collectors = {
        "Server": lambda: _server(ctx),
        "Clients": lambda: _clients(ctx),
        "Memory": lambda: _memory(ctx),
        "Persistence": lambda: _persistence(ctx),
        "Stats": lambda: _stats(ctx),
        "Replication": lambda: _replication(ctx),
        "CPU": _cpu,
        "Modules": _nothing,
        "Commandstats": lambda: _commandstats(ctx),
        "Errorstats": lambda: _errorstats(ctx),
        "Latencystats": lambda: _latencystats(ctx),
        "Cluster": _cluster,
        "Keyspace": lambda: _keyspace(ctx),
    }
    return Verbatim(render(collectors, [section.decode("latin-1") for section in sections]))


def totals(ctx: Context) -> dict[str, int]:
    """Counters since the start that CONFIG RESETSTAT sets back."""
    host = ctx.parts.get(Host)
    return {
        "total_connections_received": host.connections.opened,
        "rejected_connections": host.connections.rejected,
        "total_net_input_bytes": host.connections.bytes_in,
        "total_net_output_bytes": ctx.parts.get(Dispatcher).turn.bytes_out,
        "expired_keys": ctx.dbs.expired,
        "client_output_buffer_limit_disconnections": host.connections.choked_out,
        "spoold_turns_rolled_back": ctx.parts.get(Dispatcher).turn.aborted,
    }


def _server(ctx: Context) -> Fields:
    metrics = ctx.parts.get(Metrics)
    system = platform.uname()
    clock = ctx.parts.get(Dispatcher).turn.clock
    ports = [port for _, port, _ in ctx.parts.get(Host).redis_addresses() if port]
    return {
        "redis_version": REDIS_VERSION,
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_mode": "standalone",
        "os": f"{system.system} {system.release} {system.machine}",
        "arch_bits": struct.calcsize("P") * 8,
        "process_id": os.getpid(),
        "process_supervised": "no",
        "run_id": metrics.run_id,
        "tcp_port": ports[0] if ports else 0,
        "server_time_usec": clock.unix_us(),
        "uptime_in_seconds": metrics.uptime_s,
        "uptime_in_days": metrics.uptime_s // 86400,
        "hz": 10,
        "configured_hz": 10,
        "lru_clock": ctx.now_ms // 1000 % (1 << _LRU_CLOCK_BITS),
        "executable": str(Path(sys.argv[0]).absolute()),
        "config_file": "",
        "io_threads_active": 0,
        "spoold_version": __version__,
        "python_version": platform.python_version(),
    }


def _clients(ctx: Context) -> Fields:
    dispatcher = ctx.parts.get(Dispatcher)
    return {
        "connected_clients": len(dispatcher.sessions),
        "cluster_connections": 0,
        "maxclients": ctx.parts.get(Host).connections.max_clients,
        "blocked_clients": dispatcher.parked + len(dispatcher.pause.held),
        "tracking_clients": ctx.parts.get(Tracking).clients,
    }


def _memory(ctx: Context) -> Fields:
    metrics = ctx.parts.get(Metrics)
    now, peak, total = metrics.memory(), metrics.peak, total_memory()
    stored = ctx.parts.get(Host).used_bytes()
    limit = ctx.parts.get(DataLimit).limit_bytes
    return {
        "used_memory": now.used,
        "used_memory_human": human_bytes(now.used),
        "used_memory_rss": now.resident,
        "used_memory_rss_human": human_bytes(now.resident),
        "used_memory_peak": peak.used,
        "used_memory_peak_human": human_bytes(peak.used),
        "used_memory_peak_perc": f"{now.used * 100 / peak.used:.2f}%",
        "total_system_memory": total,
        "total_system_memory_human": human_bytes(total),
        **_scripts(ctx),
        "maxmemory": limit,
        "maxmemory_human": human_bytes(limit),
        "maxmemory_policy": "noeviction",
        "mem_fragmentation_ratio": now.resident / now.used,
        "mem_allocator": "libc",
        "lazyfree_pending_objects": int(ctx.dbs.has_garbage),
        "spoold_data_bytes": stored,
        "spoold_data_human": human_bytes(stored),
    }


def _scripts(ctx: Context) -> Fields:
    """One Lua state serves scripts and functions, so its memory is told once, as that of scripts."""
    runner, scripts, libraries = ctx.parts.get(Runner), ctx.parts.get(Scripts), ctx.parts.get(Libraries)
    used = runner.used_bytes
    kept, functions = scripts.stored_bytes, sum(len(library.code) for library in libraries)
    return {
        "used_memory_lua": used,
        "used_memory_vm_eval": used,
        "used_memory_lua_human": human_bytes(used),
        "used_memory_scripts_eval": kept,
        "number_of_cached_scripts": len(scripts),
        "number_of_functions": libraries.function_count,
        "number_of_libraries": len(libraries),
        "used_memory_vm_functions": 0,
        "used_memory_vm_total": used,
        "used_memory_vm_total_human": human_bytes(used),
        "used_memory_functions": functions,
        "used_memory_scripts": kept + functions,
        "used_memory_scripts_human": human_bytes(kept + functions),
    }


def _persistence(ctx: Context) -> Fields:
    commit, host = ctx.parts.get(Commit), ctx.parts.get(Host)
    status = "ok" if commit.failing is None else "err"
    return {
        "loading": 0,
        "async_loading": 0,
        "rdb_changes_since_last_save": commit.turn - commit.durable_turn,
        "rdb_bgsave_in_progress": 0,
        "rdb_last_save_time": ctx.parts.get(Metrics).saved_ms // 1000,
        "rdb_last_bgsave_status": status,
        "rdb_last_bgsave_time_sec": 0 if commit.checkpoints else -1,
        "rdb_current_bgsave_time_sec": -1,
        "rdb_saves": commit.checkpoints,
        "aof_enabled": int(host.directory is not None),
        "aof_rewrite_in_progress": 0,
        "aof_rewrite_scheduled": 0,
        "aof_last_rewrite_time_sec": -1,
        "aof_current_rewrite_time_sec": -1,
        "aof_last_bgrewrite_status": "ok",
        "aof_last_write_status": status,
        "aof_current_size": commit.bytes_since_checkpoint,
        "spoold_durability": host.durability,
        "spoold_disk_free_bytes": _disk_free_bytes(host.directory),
        "spoold_turns": commit.turns,
        "spoold_checkpoints": commit.checkpoints,
        "spoold_writes_refused": int(commit.refusing),
    }


def _disk_free_bytes(directory: Path | None) -> int:
    """What is left for the data on its disk, 0 where there is no directory."""
    if directory is None:
        return 0
    disk = os.statvfs(directory)
    return disk.f_bavail * disk.f_frsize


def _stats(ctx: Context) -> Fields:
    dispatcher, metrics = ctx.parts.get(Dispatcher), ctx.parts.get(Metrics)
    hub, tracking = ctx.parts.get(Hub), ctx.parts.get(Tracking)
    entries = dispatcher.entries()
    counted = metrics.since_reset(totals(ctx))
    return {
        "total_connections_received": counted["total_connections_received"],
        "total_commands_processed": sum(entry.calls for entry in entries),
        "instantaneous_ops_per_sec": round(metrics.commands.per_second),
        "total_net_input_bytes": counted["total_net_input_bytes"],
        "total_net_output_bytes": counted["total_net_output_bytes"],
        "instantaneous_input_kbps": metrics.bytes_in.per_second / 1024,
        "instantaneous_output_kbps": metrics.bytes_out.per_second / 1024,
        "rejected_connections": counted["rejected_connections"],
        "sync_full": 0,
        "sync_partial_ok": 0,
        "sync_partial_err": 0,
        "expired_keys": counted["expired_keys"],
        "evicted_keys": 0,
        "evicted_clients": 0,
        # Not counted: that would cost every read. Clients that compute a ratio need the fields.
        "keyspace_hits": 0,
        "keyspace_misses": 0,
        "pubsub_channels": len(hub.channels),
        "pubsub_patterns": len(hub.patterns),
        "pubsubshard_channels": len(hub.shards),
        "migrate_cached_sockets": 0,
        "tracking_total_keys": tracking.keys,
        "tracking_total_items": tracking.items,
        "tracking_total_prefixes": tracking.prefixes,
        "latest_fork_usec": 0,
        "total_forks": 0,
        "total_error_replies": sum(dispatcher.errors.values()),
        "client_output_buffer_limit_disconnections": counted["client_output_buffer_limit_disconnections"],
        "spoold_turns_rolled_back": counted["spoold_turns_rolled_back"],
    }


def _replication(ctx: Context) -> Fields:
    return {
        "role": "master",
        "connected_slaves": 0,
        "master_failover_state": "no-failover",
        "master_replid": ctx.parts.get(Metrics).run_id,
        "master_replid2": "0" * 40,
        "master_repl_offset": 0,
        "second_repl_offset": -1,
        "repl_backlog_active": 0,
    }


def _cpu() -> Fields:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "used_cpu_sys": f"{own.ru_stime:.6f}",
        "used_cpu_user": f"{own.ru_utime:.6f}",
        "used_cpu_sys_children": f"{children.ru_stime:.6f}",
        "used_cpu_user_children": f"{children.ru_utime:.6f}",
    }


def _nothing() -> Fields:
    return {}


def _cluster() -> Fields:
    return {"cluster_enabled": 0}


def _commandstats(ctx: Context) -> Mapping[str, str]:
    found = {}
    for entry in ctx.parts.get(Dispatcher).entries():
        if entry.calls or entry.rejected:
            micros = round(entry.usec * 1e6)
            found[f"cmdstat_{entry.name}"] = (
                f"calls={entry.calls},usec={micros},usec_per_call={micros / max(entry.calls, 1):.2f},"
                f"rejected_calls={entry.rejected},failed_calls={entry.failed}"
            )
    return found


def _errorstats(ctx: Context) -> Mapping[str, str]:
    errors = ctx.parts.get(Dispatcher).errors
    return {f"errorstat_{code.decode('utf-8', 'replace')}": f"count={errors[code]}" for code in sorted(errors)}


def _latencystats(ctx: Context) -> Mapping[str, str]:
    """Percentiles in µs of each command that was timed; see LATENCY HISTOGRAM."""
    metrics = ctx.parts.get(Metrics)
    shares = metrics.percentiles if metrics.tells_latency else ()
    found = {}
    for entry in ctx.parts.get(Dispatcher).entries():
        if shares and any(entry.spread):
            # Where all took about as long, their mean says more than the power of two that they share.
            alone = sum(map(bool, entry.spread)) == 1
            times = [
                entry.usec * 1e6 / entry.calls if alone else quantile(entry.spread, share / 100) for share in shares
            ]
            told = ",".join(f"p{share:g}={time_us:.3f}" for share, time_us in zip(shares, times, strict=True))
            found[f"latency_percentiles_usec_{entry.name}"] = told
    return found


def _keyspace(ctx: Context) -> Mapping[str, str]:
    expiring = count_expiring(ctx.dbs)
    found = {}
    for keyspace in ctx.dbs.all:
        if keyspace.count:
            expires, mean_ttl_ms = expiring.get(keyspace.index, (0, 0))
            found[f"db{keyspace.index}"] = f"keys={keyspace.count},expires={expires},avg_ttl={mean_ttl_ms}"
    return found
