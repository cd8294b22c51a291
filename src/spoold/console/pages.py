"""The page itself, and what machines ask: `/metrics`, `/healthz`, `/readyz`."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from spoold.console.endpoint import Problem
from spoold.console.exposition import CONTENT_TYPE, Exposition
from spoold.dispatch.dispatcher import Dispatcher

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}
_PAGE: Final = "index.html"

View = Callable[[Request], Awaitable[Response]]


def routes(exposition: Exposition, dispatcher: Dispatcher) -> list[Route]:
    """Everything that is not the API."""

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n", headers={"cache-control": "no-store"})

    async def readyz(request: Request) -> Response:
        commit = dispatcher.turn.commit
        ready = not commit.refusing and commit.lost is None
        text = "ready\n" if ready else f"not ready: writes are refused ({commit.lost or commit.failing})\n"
        return PlainTextResponse(text, 200 if ready else 503, {"cache-control": "no-store"})

    async def metrics(request: Request) -> Response:
        user = request.state.user
        if user is None:
            raise Problem(401, "no-log-in", "metrics need the password", {"www-authenticate": 'Basic realm="spoold"'})
        denied = None if user.unrestricted else user.check(dispatcher.table.entries["INFO"], [b"INFO"])
        if denied is not None:
            raise Problem(403, "noperm", "this user may not run INFO, and so not see metrics")
        return Response(await exposition.text(), media_type=CONTENT_TYPE, headers={"cache-control": "no-store"})

    machine = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
    return [*machine, *_assets()]


def _assets() -> list[Route]:
    """One route for each file of the package's `static`; the page is at `/`."""
    found = []
    for item in files("spoold.console").joinpath("static").iterdir():
        ending = item.name.rpartition(".")[2]
        if ending in _TYPES:
            path = "/" if item.name == _PAGE else f"/{item.name}"
            found.append(Route(path, _asset(item.read_bytes(), _TYPES[ending])))
    return found


def _asset(data: bytes, media_type: str) -> View:
    tag = f'"{hashlib.sha256(data).hexdigest()[:24]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}

    async def view(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=media_type, headers=headers)

    return view
