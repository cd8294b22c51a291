"""Puts the console together: routes, guard, and the HTTP library that speaks to clients."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from spoold.acl.users import Users
from spoold.console import api, pages
from spoold.console.caller import Callers
from spoold.console.census import Census
from spoold.console.exposition import Exposition
from spoold.console.guard import Guard
from spoold.console.logins import Logins
from spoold.console.porch import Premises

_HEAD_BYTES: Final = 32 * 1024
_KEEP_ALIVE_S: Final = 75


def build(premises: Premises) -> Callable[[], asyncio.Protocol]:
    """Make everything that answers HTTP requests; returns what makes the protocol of one client."""
    dispatcher = premises.dispatcher
    users = premises.parts.get(Users)
    callers = Callers(dispatcher, premises.new_id)
    census = Census(callers, dispatcher)
    logins = Logins(users, dispatcher.turn.clock)
    exposition = Exposition(premises, census)
    routes = [*pages.routes(exposition, dispatcher), *api.routes(premises, callers, census, logins)]
    web = Guard(Starlette(routes=routes, exception_handlers=api.EXCEPTION_HANDLERS), users, logins)
    _join_logs()
    config = uvicorn.Config(
        web,
        http=H11Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        h11_max_incomplete_event_size=_HEAD_BYTES,
    )
    config.load()
    state = ServerState()
    return lambda: H11Protocol(config, state, {}, asyncio.get_running_loop())


class _Forward(logging.Handler):
    """Brings the library's errors into the server's log; what clients send wrong is not one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one on."""
        logging.getLogger("spoold.console").handle(record)


def _join_logs() -> None:
    theirs = logging.getLogger("uvicorn.error")
    theirs.setLevel(logging.ERROR)
    theirs.propagate = False
    theirs.handlers[:] = [_Forward()]
