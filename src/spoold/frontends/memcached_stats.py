"""memcached's `stats`: what this server has of it, under memcached's names.

What memcached tells of mechanisms that spoold has not (slabs, eviction, hash tables, LRU) is left out, or answered as
by a memcached that does not use them. spoold's own fields begin with `spoold_`. To add a field, give it a line.
"""

from __future__ import annotations

import os
import resource
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from spoold import __version__
from spoold.command.context import Context
from spoold.dispatch.session import Session, session_of
from spoold.frontends.memcached_counts import Counts
from spoold.frontends.memcached_dump import Dumps
from spoold.frontends.memcached_verbs import VERSION
from spoold.frontends.memcached_words import END, ERROR

_POINTER_BITS: Final = struct.calcsize("P") * 8

Row = tuple[str, object]


class ConnectionCounts(Protocol):
    """The connections of all listeners: `server.connection.Connections`."""

    max_clients: int
    rejected: int

    @property
    def bytes_in(self) -> int:
        """Bytes received since the start."""
        ...


@dataclass(frozen=True)
class ServerFacts:
    """What the statistics tell of the server around the door.

    connections: of all listeners. addresses: where memcached clients come in, as text. used_bytes: of the data file.
    started_s: monotonic. idle_timeout_s: 0 = never. limit_bytes, set_limit: how much data there may be, 0 = no limit.
    """

    connections: ConnectionCounts
    addresses: Callable[[], Sequence[str]]
    used_bytes: Callable[[], int]
    started_s: float
    idle_timeout_s: Callable[[], float]
    limit_bytes: Callable[[], int]
    set_limit: Callable[[int], None]


class StatsVerb:
    """`stats` and its kinds."""

    def __init__(self, counts: Counts, facts: ServerFacts, dumps: Dumps, sessions: Iterable[Session]) -> None:
        """counts: what the verbs did. dumps: lists keys. sessions: of all clients of the door."""
        self._counts = counts
        self._sessions = sessions
        self._dumps = dumps
        self._facts = facts
        self._kinds: dict[bytes, Callable[[Context], Iterable[Row]]] = {
            b"settings": self._settings,
            b"items": _items,
            b"slabs": _slabs,
            b"sizes": _sizes,
            b"conns": self._connections,
        }

    def stats(self, ctx: Context, request: list[bytes]) -> bytes:
        """Tell how the server is; the word behind says which kind of statistics, `reset` sets totals to zero."""
        if len(request) == 1:
            return _lines(self._general(ctx))
        kind = request[1]
        if kind == b"reset":
            self._counts.reset()
            return b"RESET\r\n"
        if kind == b"detail":
            return b"CLIENT_ERROR stats detail not allowed\r\n"
        if kind == b"cachedump":
            return self._dumps.cachedump(ctx, request)
        rows = self._kinds.get(kind)
        return ERROR if rows is None else _lines(rows(ctx))

    def _general(self, ctx: Context) -> list[Row]:
        counts, facts = self._counts, self._facts
        turn = session_of(ctx).dispatcher.turn
        used = resource.getrusage(resource.RUSAGE_SELF)
        return [
            ("pid", os.getpid()),
            ("uptime", int(turn.now_s - facts.started_s)),
            ("time", ctx.now_ms // 1000),
            ("version", VERSION.split()[1].decode()),
            ("spoold_version", __version__),
            ("pointer_size", _POINTER_BITS),
            ("rusage_user", f"{used.ru_utime:.6f}"),
            ("rusage_system", f"{used.ru_stime:.6f}"),
            ("max_connections", facts.connections.max_clients),
            ("curr_connections", counts.clients),
            ("total_connections", counts.total_clients),
            ("rejected_connections", facts.connections.rejected),
            ("cmd_get", counts.get_hits + counts.get_misses),
            ("cmd_set", counts.cmd_set),
            ("cmd_flush", counts.cmd_flush),
            ("cmd_touch", counts.touch_hits + counts.touch_misses),
            ("cmd_meta", counts.cmd_meta),
            *((name, getattr(counts, name)) for name in _PLAIN_COUNTS),
            ("auth_cmds", 0),
            ("auth_errors", 0),
            ("bytes_read", facts.connections.bytes_in),
            ("bytes_written", turn.bytes_out),
            ("limit_maxbytes", facts.limit_bytes()),
            ("accepting_conns", 1),
            ("threads", 1),
            ("bytes", facts.used_bytes()),
            ("curr_items", ctx.ks.count),
            ("total_items", counts.cmd_set),
            ("store_too_large", counts.store_too_large),
            ("evictions", 0),
        ]

    def _settings(self, ctx: Context) -> list[Row]:
        facts = self._facts
        addresses = facts.addresses()
        tcp = [address for address in addresses if not address.startswith("unix:")]
        paths = [address.removeprefix("unix:") for address in addresses if address.startswith("unix:")]
        host, _, port = tcp[0].rpartition(":") if tcp else ("NULL", "", "0")
        return [
            ("maxbytes", facts.limit_bytes()),
            ("maxconns", facts.connections.max_clients),
            ("tcpport", port),
            ("udpport", 0),
            ("inter", host),
            ("verbosity", 0),
            ("oldest", 0),
            ("evictions", "off"),
            ("domain_socket", paths[0] if paths else "NULL"),
            ("num_threads", 1),
            ("stat_key_prefix", ":"),
            ("detail_enabled", "no"),
            ("cas_enabled", "yes"),
            ("auth_enabled_sasl", "no"),
            ("auth_enabled_ascii", "no"),
            ("binding_protocol", "ascii"),
            ("item_size_max", ctx.dbs.value_limit_bytes),
            ("maxconns_fast", "yes"),
            ("flush_enabled", "yes"),
            ("dump_enabled", "yes"),
            ("idle_timeout", int(facts.idle_timeout_s())),
            ("track_sizes", "no"),
        ]

    def _connections(self, ctx: Context) -> Iterator[Row]:
        """The clients of this protocol, under the numbers of their sockets. cost: O(clients)."""
        asking = session_of(ctx)
        now_s = asking.dispatcher.turn.now_s
        for session in self._sessions:
            peer = session.peer
            state = "conn_parse_cmd" if session is asking else "conn_mwrite" if session.choked else "conn_read"
            yield f"{peer.fd}:addr", _transport(peer.address)
            yield f"{peer.fd}:listen_addr", _transport(peer.local_address)
            yield f"{peer.fd}:state", state
            yield f"{peer.fd}:secs_since_last_cmd", max(int(now_s - session.active_s), 0)


_PLAIN_COUNTS: Final = (
    *(
        "get_hits",
        "get_misses",
        "get_expired",
        "get_flushed",
        "idle_kicks",
        "delete_hits",
        "delete_misses",
        "incr_hits",
        "incr_misses",
        "decr_hits",
    ),
    *("decr_misses", "cas_hits", "cas_misses", "cas_badval", "touch_hits", "touch_misses"),
)


def _transport(address: str) -> str:
    """An address as memcached shows it. No TCP port is 0: that is the path of a unix socket."""
    if address.endswith(":0"):
        return "unix:" + address.removesuffix(":0")
    return ("tcp6:" if address.startswith("[") else "tcp:") + address


def _items(ctx: Context) -> list[Row]:
    """One class of items holds all; as memcached's, there is none while it is empty."""
    return [("items:1:number", ctx.ks.count), ("items:1:evicted", 0)] if ctx.ks.count else []


def _slabs(ctx: Context) -> list[Row]:
    return [("active_slabs", 0), ("total_malloced", 0)]


def _sizes(ctx: Context) -> list[Row]:
    """As a memcached that does not track sizes, which is the default there."""
    return [("sizes_status", "disabled")]


def _lines(rows: Iterable[Row]) -> bytes:
    return b"".join(f"STAT {name} {value}\r\n".encode() for name, value in rows) + END
