"""Where HTTP clients come in. What answers them is not loaded before the first of them is there.

The libraries of the console cost a tenth of a second and some megabytes, which a server that no one looks at need not
pay: neither its start nor its memory. So the listener opens with the others, at once, and its first client waits
until the rest is imported, in a thread, while everyone else is served.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from spoold.command.parts import Parts
from spoold.dispatch.dispatcher import Dispatcher

log = logging.getLogger("spoold.console")

# The module with `build`; named, not imported, for the reason above.
_REST: Final = "spoold.console.web"
MOST_CONNECTIONS: Final = 256
# What the first clients may send before anyone reads it.
_EARLY_BYTES: Final = 256 * 1024
# Who has sent no whole head of a request after that long is not a client.
SILENCE_S: Final = 30.0


@dataclass(frozen=True)
class Premises:
    """What the console may ask of the server.

    parts: configuration, users, metrics. new_id: the id of a new client. directory: of the data, None with `--memory`.
    listeners: (kind, address) of each that is open. used_bytes: of the data file.
    """

    dispatcher: Dispatcher
    parts: Parts
    new_id: Callable[[], int]
    directory: Path | None
    listeners: Callable[[], list[tuple[str, str]]]


class Console:
    """All HTTP clients of all listeners.

    connections: those that are there. refused: how many there was no room for.
    """

    def __init__(self, premises: Premises) -> None:
        """Nothing is loaded yet."""
        self.premises = premises
        self.connections: set[Porch] = set()
        self.refused = 0
        self._make: Callable[[], asyncio.Protocol] | None = None
        self._loading: asyncio.Task[Callable[[], asyncio.Protocol]] | None = None

    def porch(self) -> asyncio.Protocol:
        """The protocol of a new client."""
        return Porch(self)

    async def load(self) -> None:
        """Load the rest, unless it was done; what goes wrong is in the log, and `loaded` stays None."""
        if self._make is None:
            if self._loading is None:
                self._loading = asyncio.ensure_future(self._load())
                self._loading.add_done_callback(self._settle)
            await asyncio.wait([self._loading])

    @property
    def loaded(self) -> Callable[[], asyncio.Protocol] | None:
        """What makes the protocol of one client, None as long as nothing is loaded."""
        return self._make

    def close(self) -> None:
        """Disconnect everyone: the server ends."""
        for porch in list(self.connections):
            porch.abort()
        if self._loading is not None:
            self._loading.cancel()

    async def _load(self) -> Callable[[], asyncio.Protocol]:
        module = await asyncio.to_thread(importlib.import_module, _REST)
        make: Callable[[], asyncio.Protocol] = module.build(self.premises)
        return make

    def _settle(self, loading: asyncio.Task[Callable[[], asyncio.Protocol]]) -> None:
        if loading.cancelled():
            return
        error = loading.exception()
        if error is None:
            self._make = loading.result()
        else:
            log.error("no console: %s", error, exc_info=error)


_NOT_REDIS: Final = b"-ERR this port speaks HTTP (--http); Redis clients are served at the address of --redis\r\n"


class Porch(asyncio.Protocol):
    """One HTTP client: counts it, lets it wait until the rest is loaded, then hands everything on."""

    def __init__(self, console: Console) -> None:
        """Made for each connection."""
        self._console = console
        self._transport: asyncio.Transport | None = None
        self._inner: asyncio.Protocol | None = None
        self._opening: asyncio.Task[None] | None = None
        self._silence: asyncio.TimerHandle | None = None
        self._early: list[bytes] = []
        self._heard = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there: admit it, if there is room."""
        self._transport = cast("asyncio.Transport", transport)
        everyone = self._console
        if len(everyone.connections) >= MOST_CONNECTIONS:
            everyone.refused += 1
            self._transport.abort()
            return
        everyone.connections.add(self)
        self._silence = asyncio.get_running_loop().call_later(SILENCE_S, self.abort)
        if everyone.loaded is not None:
            self._enter(everyone.loaded)
        else:
            self._opening = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        await self._console.load()
        make = self._console.loaded
        if make is None:
            self.abort()
        elif self._transport is not None and not self._transport.is_closing():
            self._enter(make)

    def _enter(self, make: Callable[[], asyncio.Protocol]) -> None:
        self._inner = make()
        self._inner.connection_made(cast("Any", self._transport))
        early, self._early = self._early, []
        for data in early:
            self._inner.data_received(data)

    def data_received(self, data: bytes) -> None:
        """Hand it on, unless it is a Redis client's, who else would wait for the end of what is no request of HTTP."""
        if not self._heard:
            self._heard = True
            if data.startswith(b"*") and self._transport is not None:
                self._transport.write(_NOT_REDIS)
                self._transport.close()
                return
        if self._inner is not None:
            self._inner.data_received(data)
            # The library closes connections that are idle between requests, but none that never ends its first one.
            if self._silence is not None and getattr(self._inner, "cycle", True) is not None:
                self._silence.cancel()
                self._silence = None
            return
        # Kept, not held back: uvloop does not take up again what was paused while a connection was made.
        self._early.append(data)
        if sum(map(len, self._early)) > _EARLY_BYTES:
            self.abort()

    def eof_received(self) -> bool | None:
        """Hand it on."""
        return None if self._inner is None else self._inner.eof_received()

    def pause_writing(self) -> None:
        """Hand it on."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand it on."""
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._console.connections.discard(self)
        for waiting in (self._silence, self._opening):
            if waiting is not None:
                waiting.cancel()
        if self._inner is not None:
            self._inner.connection_lost(exc)
        self._transport = None

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()
