"""MONITOR and SLOWLOG: watching what the server does."""

from __future__ import annotations

import math

from spoold.command.args import parse_at_least
from spoold.command.context import Context
from spoold.command.spec import ADMIN, LOADING, NOSCRIPT, STALE, Flag, command
from spoold.core.errors import BadSlowlogCount, BadSubcommand
from spoold.core.reply import NO_REPLY, OK, Reply
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.session import Session, session_of
from spoold.metrics.latency import Latency
from spoold.metrics.slowlog import SlowLog, monitor_line

_FLAGS = ADMIN | NOSCRIPT | LOADING | STALE
_SLOWLOG = ADMIN | LOADING | STALE
_UNSEEN = Flag.ADMIN | Flag.SKIP_MONITOR
# Their flags leave them out, since Redis shows them before what they run; so does spoold.
_SCRIPTS = frozenset({"eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "fcall_ro"})


class Monitor:
    """Who is shown all requests (MONITOR)."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        """No one is."""
        self._dispatcher = dispatcher
        self.sessions: dict[Session, None] = {}

    def admit(self, session: Session) -> None:
        """Show `session` all requests from here on."""
        session.special.add("monitor")
        session.settle()
        if not self.sessions:
            self._dispatcher.observers.append(self._show)
            self._dispatcher.set_alert("monitor", True)
        self.sessions[session] = None

    def forget(self, session: Session) -> None:
        """Show it no more."""
        if self.sessions.pop(session, ...) is ...:
            return
        session.special.discard("monitor")
        if not self.sessions:
            self._dispatcher.observers.remove(self._show)
            self._dispatcher.set_alert("monitor", False)

    def _show(self, session: Session, request: list[bytes]) -> None:
        entry = self._dispatcher.table.resolve(request)
        if entry is None or (entry.flags & _UNSEEN and entry.name not in _SCRIPTS):
            return  # as in Redis, administrative commands are not shown
        unix_us = self._dispatcher.turn.clock.unix_us()
        address = session.peer.address.encode() if session.peer.id else b"lua"  # the client of scripts
        line = monitor_line(unix_us, session.ctx.ks.index, address, request)
        data = b"+%b\r\n" % line
        for watcher in list(self.sessions):
            if watcher.closed:
                self.forget(watcher)
            else:
                watcher.push(data)


class SlowWatch:
    """Hands slow commands from the dispatcher to the slow log and to the latency events, each from its own time on."""

    def __init__(self, dispatcher: Dispatcher, slowlog: SlowLog, latency: Latency) -> None:
        """The dispatcher tells of nothing until one of the times is set."""
        self._dispatcher = dispatcher
        self._slowlog = slowlog
        self._latency = latency
        self._slowlog_s = self._latency_s = math.inf
        dispatcher.on_slow = self._note

    def log_from(self, micros: int) -> None:
        """CONFIG SET slowlog-log-slower-than: -1 = none."""
        self._slowlog_s = math.inf if micros < 0 else micros / 1e6
        self._settle()

    def tell_from(self, ms: int) -> None:
        """CONFIG SET latency-monitor-threshold: 0 = none."""
        self._latency_s = ms / 1000 if ms else math.inf
        self._settle()

    def _settle(self) -> None:
        self._dispatcher.slow_s = min(self._slowlog_s, self._latency_s)

    def _note(self, session: Session, request: list[bytes], seconds: float) -> None:
        entry = self._dispatcher.table.resolve(request)
        if entry is None:
            return
        if seconds >= self._latency_s:
            self._latency.note("fast-command" if entry.flags & Flag.FAST else "command", seconds)
        if seconds > self._slowlog_s and not entry.flags & Flag.SKIP_SLOWLOG:
            peer = session.peer
            unix_s = self._dispatcher.dbs.now_ms // 1000
            self._slowlog.add(unix_s, int(seconds * 1e6), request, peer.address.encode(), peer.name)


@command("MONITOR", flags=_FLAGS, since="1.0.0", syntax="MONITOR", group="server")
def monitor(ctx: Context) -> Reply:
    """Shows the connection every request that the server runs, until it is closed or RESET.

    Passwords are taken out, administrative commands left out. While anyone watches, all commands are slower.
    returns: OK, then one line a request; nothing if the connection watches already.
    source: Redis's MONITOR page; tried with redis 7.0.15.
    """
    watch = ctx.parts.get(Monitor)
    session = session_of(ctx)
    if session in watch.sessions:
        return NO_REPLY
    watch.admit(session)
    return OK


@command(
    "SLOWLOG|GET",
    flags=_SLOWLOG,
    since="2.2.12",
    syntax="SLOWLOG GET [count]",
    group="server",
)
def slowlog_get(ctx: Context, count: bytes = b"10", *more: bytes) -> Reply:
    """Returns the latest slow commands.

    count: how many, -1 = all.
    returns: for each its id, Unix seconds, microseconds, words, client address, client name.
    raises: BadSlowlogCount: no number, or below -1. BadSubcommand: more arguments.
    """
    if more:
        raise BadSubcommand
    number = parse_at_least(count, -1, BadSlowlogCount)
    return [list(entry) for entry in ctx.parts.get(SlowLog).latest(number)]


@command("SLOWLOG|LEN", flags=_SLOWLOG, since="2.2.12", syntax="SLOWLOG LEN", group="server")
def slowlog_len(ctx: Context) -> int:
    """Returns how many slow commands are kept."""
    return len(ctx.parts.get(SlowLog))


@command("SLOWLOG|RESET", flags=_SLOWLOG, since="2.2.12", syntax="SLOWLOG RESET", group="server")
def slowlog_reset(ctx: Context) -> Reply:
    """Forgets the slow commands."""
    ctx.parts.get(SlowLog).clear()
    return OK
