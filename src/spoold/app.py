"""Builds and wires every part: the one place that knows them all."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from spoold.acl.users import Users
from spoold.admin.data_limit import DataLimit
from spoold.admin.host import Host
from spoold.admin.rooms import ADMIN
from spoold.admin.wiring import install, load_users
from spoold.command.parts import Parts
from spoold.command.peer import Peer
from spoold.command.table import CommandTable
from spoold.console.porch import Console, Premises
from spoold.core.clock import Clock, SystemClock
from spoold.core.errors import SettingsError
from spoold.datatypes.rooms import ROOMS
from spoold.dispatch import multi
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.inner import install_scripts
from spoold.dispatch.session import Wire
from spoold.dispatch.turn import Turn
from spoold.engine.commit import Commit, Lost, open_commit
from spoold.frontends.memcached import MemcachedDoor, MemcachedFrontend
from spoold.frontends.memcached_queue import QueueDoor, QueueFrontend
from spoold.frontends.memcached_stats import ServerFacts
from spoold.frontends.redis import RedisFrontend
from spoold.frontends.simple import SimpleFrontend, SimpleVerbs
from spoold.keyspace.keyspace import Databases
from spoold.protocol.codec import Limits
from spoold.scripting.rooms import SCRIPTING
from spoold.server.busy import Busy
from spoold.server.connection import Connection, Connections, Frontend, Gate
from spoold.server.lifecycle import Lifecycle
from spoold.server.listener import Address, listen, parse_address
from spoold.server.queue_duties import QueueDuties
from spoold.server.ticker import Ticker
from spoold.server.tls import Keyring, TlsFiles
from spoold.settings import Settings, default_of, flag_name

log = logging.getLogger("spoold")

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a private directory is made in it


@dataclass(frozen=True)
class _Door:
    """One kind of listener.

    kind: as the start-up lines name it. setting: the field of `Settings` with its addresses.
    make: builds the frontend of one client; None for HTTP, which the console serves.
    refusal: what a client reads when there are too many.
    has_password: clients can be asked for the password; where they can't, only this machine may reach the listener.
    needed: False where the server starts without it if its default address is taken: two servers on one machine.
    """

    kind: str
    setting: str
    make: Callable[[App, Wire, Peer], Frontend] | None
    refusal: bytes = b""
    has_password: bool = True
    needed: bool = True

    @property
    def option(self) -> str:
        """The option that changes its address."""
        return flag_name(self.setting)


class App:
    """One server.

    listeners: (kind, address) of each that is open. withheld: (kind, option) of each that stays closed because there
        is a password, and its protocol has none. missing: (kind, why) of each that no one asked for and that could not
        be opened. commit, dbs, turn, dispatcher, connections: its parts.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        """Open the data and wire the parts; must run on the loop's thread.

        raises: SettingsError, EngineError: one line that says what to change.
        """
        loop = asyncio.get_running_loop()
        self.settings = settings
        self.clock = clock or SystemClock()
        self.listeners: list[tuple[str, Address]] = []
        self.withheld: list[tuple[str, str]] = []
        self.missing: list[tuple[str, str]] = []
        self.table = CommandTable((*ROOMS, *SCRIPTING, multi, *ADMIN))
        self.users = Users(self.table)
        load_users(self.users, settings)
        self._addresses = self._listener_addresses()
        self._gates = _gates(settings)
        self.keyring = self._load_keyring()
        self._private: Path | None = None
        self.commit = self._open_data()
        self.dbs = Databases(self.commit.batch)
        self.dbs.now_ms = self.clock.unix_ms()
        self.dbs.value_limit_bytes = settings.max_value
        self.parts = Parts()
        self.turn = Turn(self.commit, self.dbs, self.clock, loop.call_soon, self._lost)
        self.dispatcher = Dispatcher(self.table, self.dbs, self.turn, self.parts, loop.call_later, self.users)
        self.connections = Connections(self.clock, settings.max_clients, settings.max_output)
        self.ticker = Ticker(
            self.commit,
            self.dbs,
            self.turn,
            self.clock,
            self.connections,
            settings.sync_interval if settings.durability == "interval" and not settings.memory else 0.0,
            settings.idle_timeout,
        )
        self.lifecycle = Lifecycle(self.commit, self.turn, self.connections, self.ticker)
        if self.keyring is not None:
            self.lifecycle.on_hangup.append(self.keyring.reload)
        self.memcached_door = MemcachedDoor(self.dispatcher, _limits(settings), self._memcached_facts())
        self.queue_door = QueueDoor(self.dispatcher, _limits(settings))
        self.queue_duties = QueueDuties(self.dispatcher, self.clock)
        self.ticker.serve = self.dispatcher.serve
        self.ticker.each_tick += [self.queue_duties.tick, self.queue_door.reads.return_orphans]
        self.simple_verbs = SimpleVerbs(self.dispatcher, self.lifecycle.stop)
        self.console = Console(self._premises())
        self.limits = _limits(settings)
        self.scripts = install_scripts(self.dispatcher)
        self.busy = Busy(self.dispatcher, self.connections, loop)
        self.scripts.poll = self.busy.poll
        self.scripts.on_busy.append(lambda error: None if error else self.busy.end())
        self.config = install(self.parts, self.dispatcher, settings, self._host())
        self.config.on_set("lua-time-limit", lambda ms: setattr(self.scripts, "limit_s", ms / 1000))
        for part in (
            self.settings,
            self.commit,
            self.turn,
            self.dispatcher,
            self.table,
            self.connections,
            self.ticker,
            self.lifecycle,
        ):
            self.parts.add(part)

    async def run(self, on_ready: Callable[[App], None]) -> int:
        """Open the listeners and serve until stopped; returns the exit code."""
        self.queue_duties.recover()
        unix_mode = int(self.settings.unix_mode, 8)
        try:
            # Redis last: who gets an answer there finds the other doors open.
            for door, address in reversed(self._addresses):
                make = partial(self._make_connection, door)
                try:
                    listener = await listen(door.kind, address, door.option, make, self.keyring, unix_mode)
                except SettingsError as error:
                    if door.needed or getattr(self.settings, door.setting) != default_of(door.setting):
                        raise
                    self.missing.append((door.kind, str(error)))
                    continue
                self.lifecycle.listeners.append(listener)
                if door.kind == "redis" and not address.tls:
                    self.busy.listening += [(sock, cast("Callable[[], Connection]", make)) for sock in listener.sockets]
                self.listeners.insert(0, (door.kind, listener.address))
        except SettingsError:
            for listener in self.lifecycle.listeners:
                listener.close()
            self.commit.close()
            raise
        else:
            return await self.lifecycle.run(lambda: on_ready(self))
        finally:
            self.console.close()
            self.queue_door.reads.stop()
            if self._private is not None:
                shutil.rmtree(self._private, ignore_errors=True)

    @property
    def directory(self) -> Path | None:
        """Where the data is; None with `--memory`."""
        return None if self.settings.memory else self.settings.data

    def _host(self) -> Host:
        settings = self.settings
        return Host(
            connections=self.connections,
            duties=self.ticker,
            lifecycle=self.lifecycle,
            directory=self.directory,
            durability="memory" if settings.memory else settings.durability,
            redis_addresses=lambda: [(at.host, at.port, at.path) for kind, at in self.listeners if kind == "redis"],
            exposed=lambda: any(self._is_exposed(address) for door, address in self._addresses if door.has_password),
            limit_requests=self._limit_requests,
            used_bytes=lambda: self.commit.data_bytes,
        )

    def _premises(self) -> Premises:
        return Premises(
            dispatcher=self.dispatcher,
            parts=self.parts,
            new_id=self.connections.new_id,
            directory=self.directory,
            listeners=lambda: [(kind, str(address)) for kind, address in self.listeners],
        )

    def _memcached_facts(self) -> ServerFacts:
        return ServerFacts(
            connections=self.connections,
            addresses=lambda: [str(at) for kind, at in self.listeners if kind == "memcached"],
            used_bytes=lambda: self.commit.data_bytes,
            started_s=self.clock.monotonic_s(),
            idle_timeout_s=lambda: self.ticker.idle_s,
            limit_bytes=lambda: self.parts.get(DataLimit).limit_bytes,
            set_limit=lambda limit_bytes: self.config.set([(b"maxmemory", b"%d" % limit_bytes)]),
        )

    def _limit_requests(self, value_bytes: int, request_bytes: int) -> None:
        self.limits = replace(self.limits, bulk_bytes=value_bytes, request_bytes=request_bytes)
        for connection in self.connections.open.values():
            if isinstance(connection.frontend, RedisFrontend):
                connection.frontend.codec.set_limits(self.limits)

    def _open_data(self) -> Commit:
        if self.settings.memory:
            parent = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
            self._private = Path(tempfile.mkdtemp(prefix="spoold-", dir=parent))
            return open_commit(self._private, "memory", self.settings.journal_size)
        return open_commit(self.settings.data, self.settings.durability, self.settings.journal_size)

    def _listener_addresses(self) -> list[tuple[_Door, Address]]:
        found = []
        closed = not self.users.open or not self.users.default.unrestricted
        for door in _DOORS:
            addresses = getattr(self.settings, door.setting)
            if closed and not door.has_password and addresses == default_of(door.setting):
                # Whoever asks for a password, or forbids things, does not want a way around it that no one asked for.
                self.withheld.append((door.kind, door.option))
                continue
            for text in addresses:
                address = parse_address(text, door.option)
                if address is None:
                    continue
                if self._is_exposed(address):
                    self._protect(door, address)
                found.append((door, address))
        if not found:
            raise SettingsError("every listener is off: nothing to serve; give --redis an address")
        return found

    def _is_exposed(self, address: Address) -> bool:
        """Whether strangers on other machines can reach it: who must show a certificate of our CA is none."""
        return not address.is_local and not (address.tls and self.settings.tls_client_ca)

    def _protect(self, door: _Door, address: Address) -> None:
        """raises: SettingsError: no password would stand before an exposed listener."""
        if not door.has_password:
            insecure = f"insecure_{door.setting}"
            if getattr(self.settings, insecure):
                log.warning("%s %s can be reached from other machines, without a password", door.option, address)
                return
            raise SettingsError(
                f"{door.option} {address} can be reached from other machines, and the {door.kind} protocol "
                "has no passwords: listen on 127.0.0.1 or on unix:PATH, ask for certificates (tls:… and "
                f"--tls-client-ca), or let everyone in with {flag_name(insecure)}"
            )
        if self.users.open:
            raise SettingsError(
                f"{door.option} {address} can be reached from other machines, and there is no password: "
                "set one with SPOOLD_PASSWORD or --password, or listen on 127.0.0.1"
            )

    def _load_keyring(self) -> Keyring | None:
        """What TLS needs; None where no listener speaks it. raises: SettingsError."""
        settings = self.settings
        speaking = [(door, address) for door, address in self._addresses if address.tls]
        if not speaking:
            if settings.tls_cert or settings.tls_client_ca:
                raise SettingsError(
                    "--tls-cert is given, and no listener speaks TLS: ask for it with an address such as "
                    "--redis tls:6379"
                )
            return None
        if not settings.tls_cert:
            door, address = speaking[0]
            raise SettingsError(f"{door.option} {address}: TLS needs a certificate, --tls-cert FILE and --tls-key FILE")
        files = TlsFiles(settings.tls_cert, settings.tls_key, settings.tls_key_password, settings.tls_client_ca)
        return Keyring.load(files, self.clock)

    def _make_connection(self, door: _Door) -> asyncio.Protocol:
        make = door.make
        if make is None:
            return self.console.porch()
        return Connection(
            self.connections, lambda wire, peer: make(self, wire, peer), door.refusal, self._gates.get(door.setting)
        )

    def _lost(self, error: Lost) -> None:
        log.critical("stopping, the next start recovers from the journal: %s", error)
        self.lifecycle.stop(1)


def _gates(settings: Settings) -> dict[str, Gate]:
    """The limits of single listeners, by their setting. raises: SettingsError."""
    gates = {}
    for text in settings.listener_clients:
        name, _, most = text.partition("=")
        setting = name.strip().replace("-", "_")
        limited = {door.setting for door in _DOORS if door.make is not None}
        if setting not in limited or not (most.isascii() and most.isdecimal()):
            names = ", ".join(sorted(each.replace("_", "-") for each in limited))
            raise SettingsError(f"--listener-clients {text}: expected NAME=N, with one of {names}")
        gates[setting] = Gate(int(most))
    return gates


def _limits(settings: Settings) -> Limits:
    return Limits(bulk_bytes=settings.max_value, args=settings.max_args, request_bytes=settings.max_request)


def _redis(app: App, wire: Wire, peer: Peer) -> Frontend:
    return RedisFrontend(app.dispatcher, wire, peer, app.limits, authenticated=app.users.open)


def _memcached(app: App, wire: Wire, peer: Peer) -> Frontend:
    return MemcachedFrontend(app.dispatcher, wire, peer, app.memcached_door)


def _memcached_queue(app: App, wire: Wire, peer: Peer) -> Frontend:
    return QueueFrontend(app.dispatcher, wire, peer, app.queue_door)


def _simple(app: App, wire: Wire, peer: Peer) -> Frontend:
    return SimpleFrontend(app.dispatcher, app.simple_verbs, wire, peer, app.limits)


_DOORS = (
    _Door("redis", "redis", _redis, b"-ERR max number of clients reached\r\n"),
    _Door("memcached", "memcached", _memcached, b"ERROR Too many open connections\r\n", has_password=False),
    _Door(
        "queue",
        "memcached_queue",
        _memcached_queue,
        b"ERROR Too many open connections\r\n",
        has_password=False,
    ),
    _Door("simple", "simple", _simple, b"-max number of clients reached\r\n", has_password=False),
    _Door("http", "http", None, needed=False),
)
