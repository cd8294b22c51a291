"""The JSON API under `/api/v1`: routes from the endpoints' declarations, and errors in one form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from spoold.console import access, clients, keys, leases, queues, server
from spoold.console.caller import Callers, CommandFailed, Silent
from spoold.console.census import Census
from spoold.console.endpoint import REQUIRED, Call, Endpoint, Problem
from spoold.console.guard import error_body
from spoold.console.logins import Logins
from spoold.console.openapi import describe
from spoold.console.porch import Premises

ROOT: Final = "/api/v1"
BODY_BYTES: Final = 8 * 1024 * 1024
_BODY_S: Final = 60.0
_MODULES: Final[tuple[ModuleType, ...]] = (access, server, queues, leases, keys, clients)

# What a command's error means for HTTP; all others are a conflict with what is there.
_STATUSES: Final = {"NOPERM": 403, "MISCONF": 503, "BUSY": 503, "LOADING": 503}


@dataclass(frozen=True)
class Parts:
    """What endpoints may use."""

    premises: Premises
    callers: Callers
    census: Census
    logins: Logins


def endpoints() -> list[Endpoint]:
    """All declared endpoints."""
    found = []
    for module in _MODULES:
        for function in vars(module).values():
            declared = getattr(function, "endpoint", None)
            if isinstance(declared, Endpoint) and function.__module__ == module.__name__:
                found.append(declared)
    return found


def routes(premises: Premises, callers: Callers, census: Census, logins: Logins) -> list[Route]:
    """Everything under `/api/v1`."""
    parts = Parts(premises, callers, census, logins)
    by_path: dict[str, dict[str, Endpoint]] = {}
    for declared in endpoints():
        by_path.setdefault(declared.path, {})[declared.method] = declared
    made = [Route(ROOT + path, _view(methods, parts), methods=list(methods)) for path, methods in by_path.items()]
    description = json.dumps(describe(endpoints(), ROOT)).encode()

    async def openapi(request: Request) -> Response:
        return Response(description, media_type="application/json", headers={"cache-control": "no-cache"})

    return [*made, Route(f"{ROOT}/openapi.json", openapi, methods=["GET"])]


def _view(methods: Mapping[str, Endpoint], parts: Parts) -> Callable[[Request], Awaitable[Response]]:
    async def view(request: Request) -> Response:
        declared = methods["GET" if request.method == "HEAD" else request.method]
        state = request.state
        if not declared.public and state.user is None:
            raise Problem(401, "no-log-in", "log in first", {"www-authenticate": "Bearer"})
        given = _from_url(declared, request) if declared.method == "GET" else await _from_body(declared, request)
        if state.user is None:
            call = Call(None, given, None, state.address, state.token, parts)
            return _respond(await declared.handler(call), request)
        with parts.callers.call(state.user, state.address) as caller:
            call = Call(caller, given, state.user, state.address, state.token, parts)
            return _respond(await declared.handler(call), request)

    return view


def _respond(found: Any, request: Request) -> Response:
    headers = access.take_cookie(found, request)
    return Response(
        json.dumps(found).encode(), media_type="application/json", headers={"cache-control": "no-store", **headers}
    )


def _from_url(declared: Endpoint, request: Request) -> dict[str, Any]:
    """The arguments in a URL; bytes that are no UTF-8 are percent-encoded. raises: Problem."""
    raw: dict[bytes, bytes] = {}
    for pair in request.scope["query_string"].split(b"&"):
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        raw[unquote_to_bytes(name)] = unquote_to_bytes(value)
    given = {}
    for field in declared.fields:
        value = raw.get(field.name.encode())
        if value is not None:
            given[field.name] = field.from_url(value)
        elif field.default is REQUIRED:
            raise field.wrong("is missing")
        else:
            given[field.name] = field.default
    return given


async def _from_body(declared: Endpoint, request: Request) -> dict[str, Any]:
    """The arguments in a JSON body. raises: Problem."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "not-json", "the body must be application/json")
    try:
        async with asyncio.timeout(_BODY_S):
            raw = await _whole_body(request)
    except TimeoutError:
        raise Problem(408, "too-slow", "the body did not come", {"connection": "close"}) from None
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "bad-request", f"the body is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise Problem(400, "bad-request", "the body is no JSON object")
    names = {field.name for field in declared.fields}
    unknown = [name for name in body if name not in names]
    if unknown:
        raise Problem(400, "bad-request", f"there is no argument {unknown[0]!r}")
    given = {}
    for field in declared.fields:
        if field.name in body:
            given[field.name] = field.from_body(body[field.name])
        elif field.default is REQUIRED:
            raise field.wrong("is missing")
        else:
            given[field.name] = field.default
    return given


async def _whole_body(request: Request) -> bytes:
    """raises: Problem: it is too large."""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > BODY_BYTES:
            raise Problem(413, "too-large", f"a body has at most {BODY_BYTES} bytes", {"connection": "close"})
        pieces.append(piece)
    return b"".join(pieces)


# -- errors -----------------------------------------------------------------------------------------------------------


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - as registered
    return _error(error)


async def _command_failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, CommandFailed)  # noqa: S101 - as registered
    code = error.text.partition(" ")[0]
    return _error(Problem(_STATUSES.get(code, 409), code.lower(), error.text))


async def _silent(request: Request, error: Exception) -> Response:
    return _error(Problem(504, "no-reply", str(error)))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as registered
    code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "refused")
    return _error(Problem(error.status_code, code, str(error.detail), error.headers))


def _error(problem: Problem) -> Response:
    headers = {"cache-control": "no-store", **problem.headers}
    return Response(error_body(problem), problem.status, headers, "application/json")


EXCEPTION_HANDLERS: Final[Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]]] = {
    Problem: _problem,
    CommandFailed: _command_failed,
    Silent: _silent,
    HTTPException: _http,
}


def tags(found: Iterable[Endpoint]) -> list[str]:
    """The groups of endpoints, in order."""
    return list(dict.fromkeys(declared.tag for declared in found))
