"""Start and stop: listeners open last and close first, the data closes behind the last reply."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable

from spoold.core.errors import WritesRefused
from spoold.dispatch.turn import Turn
from spoold.engine.commit import Commit
from spoold.server.connection import Connections
from spoold.server.listener import Listener
from spoold.server.supervisor import tell_supervisor
from spoold.server.ticker import Ticker

log = logging.getLogger("spoold.server")


class Lifecycle:
    """Runs until asked to stop.

    stop: asks; the exit code is 0 unless something was lost. save_at_exit: whether a checkpoint ends it.
    listeners: closed at the end. on_hangup: what is done at SIGHUP, which is how an operator says that files changed.
    """

    def __init__(self, commit: Commit, turn: Turn, connections: Connections, ticker: Ticker) -> None:
        """Made by `app.py`."""
        self._commit = commit
        self._turn = turn
        self._connections = connections
        self._ticker = ticker
        self._stopping = asyncio.Event()
        self._exit_code = 0
        self.listeners: list[Listener] = []
        self.on_hangup: list[Callable[[], object]] = []
        self.save_at_exit = True

    def stop(self, exit_code: int = 0) -> None:
        """Ask the server to finish the turn, commit, close and end with `exit_code`."""
        self._exit_code = max(self._exit_code, exit_code)
        self._stopping.set()

    async def run(self, on_ready: Callable[[], None]) -> int:
        """Serve until stopped; returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, self.stop)
        with contextlib.suppress(NotImplementedError, AttributeError):
            # Also with nothing to do: otherwise it would end the process.
            loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        ticking = asyncio.ensure_future(self._ticker.run())
        ticking.add_done_callback(self._ticker_ended)
        on_ready()
        tell_supervisor("READY=1")
        await self._stopping.wait()
        tell_supervisor("STOPPING=1")
        ticking.cancel()
        for listener in self.listeners:
            listener.close()
        # What waits behind a long pipeline, or comes while connections close, must not take what no reply can bring.
        self._turn.stop()
        for connection in list(self._connections.open.values()):
            connection.close()
        # One pass of the loop, so that replies that fit into the sockets' buffers leave.
        await asyncio.sleep(0)
        self._turn.end()  # what those who are gone held open has come back
        try:
            self._commit.close(save=self.save_at_exit)
        except WritesRefused as error:
            log.error("the last checkpoint failed (%s): the journal holds what it would have saved", error)
        return self._exit_code

    def _hang_up(self) -> None:
        log.info("SIGHUP: files are read again")
        for action in self.on_hangup:
            action()

    def _ticker_ended(self, ticking: asyncio.Future[None]) -> None:
        if not ticking.cancelled() and (error := ticking.exception()) is not None:
            log.critical("stopping: %s", error)
            self.stop(1)
