"""What stands before every request: who asks, from where, and with which right.

    Host        without a password only names of this machine: a page of elsewhere whose name was made to point here
                (DNS rebinding) is refused
    who         `Authorization: Bearer PASSWORD`, `Basic`, the cookie of a log-in, or no one
    actions     only by POST, with a JSON body, from a page of this very server: `Origin` must be its own, and the
                header `X-Spoold` must be there, which no form and no foreign page can send; Bearer stands for it
    answers     say what a browser may do with them: nothing but what the page itself needs

source: OWASP cheat sheets on cross-site request forgery and content security policy.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
from collections.abc import MutableMapping
from email.utils import formatdate
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spoold.acl.users import Users
from spoold.console.endpoint import Problem
from spoold.console.logins import Logins, TooManyAttempts

ACTION_HEADER: Final = b"x-spoold"

_LOCAL_NAMES: Final = frozenset({"localhost", "spoold.localhost"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _POLICY),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)

Headers = dict[bytes, bytes]


class Guard:
    """Plain ASGI around everything; what it found out stands in the scope's `state`: user, token, address, secure."""

    def __init__(self, inner: ASGIApp, users: Users, logins: Logins) -> None:
        """inner: what answers."""
        self._inner = inner
        self._users = users
        self._logins = logins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request and hand it on, or answer it."""
        if scope["type"] != "http":
            return
        headers: Headers = dict(scope["headers"])

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS, (b"date", formatdate(usegmt=True).encode())]
            await send(message)

        try:
            self._check_host(scope, headers)
            self._identify(scope, headers)
            if scope["method"] not in _SAFE:
                _check_action(headers, by_header=scope["state"]["by_header"])
        except Problem as problem:
            await answer(problem, send_guarded)
            return
        await self._inner(scope, receive, send_guarded)

    def _check_host(self, scope: Scope, headers: Headers) -> None:
        """raises: Problem."""
        name = _host_name(headers.get(b"host", b"").decode("latin-1"))
        if not name:
            raise Problem(400, "bad-request", "the request names no host")
        # With a password there is nothing that a foreign page could use: cookies and tokens belong to names.
        # With TLS a foreign name fails at the certificate.
        if self._users.open and scope.get("scheme") != "https" and not is_this_machine(name):
            raise Problem(
                403, "wrong-host", "without a password the console answers only to localhost and 127.0.0.1 in the URL"
            )

    def _identify(self, scope: Scope, headers: Headers) -> None:
        """Note who asks. raises: Problem: what was given is wrong."""
        client = scope.get("client")
        address = f"{client[0]}:{client[1]}" if client else "unix:0"
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        token = _cookie(headers.get(b"cookie", b""), cookie_name(scope))
        state.update(user=None, token=token, address=address, by_header=False, secure=scope.get("scheme") == "https")
        given = headers.get(b"authorization")
        if given is not None:
            name, password = _credentials(given)
            try:
                user = self._logins.check(name, password, address.rpartition(":")[0])
            except TooManyAttempts as error:
                raise too_many(error) from None
            if user is None:
                raise Problem(401, "wrong-password", "user or password is wrong", {"www-authenticate": "Bearer"})
            # Browsers send Basic of their own accord once someone typed it in, so it says nothing of who wants this.
            state.update(user=user, by_header=given.strip()[:6].lower() == b"bearer")
        elif self._users.open:
            state["user"] = self._users.default
        if given is None and (state["user"] is None or token):
            state["user"] = self._logins.find(token) or state["user"]


def cookie_name(scope: Scope) -> str:
    """Of the session's cookie. Browsers share cookies among the ports of a host, and there may be several servers."""
    server = scope.get("server")
    return f"spoold-{server[1]}" if server and server[1] else "spoold"


def too_many(error: TooManyAttempts) -> Problem:
    """What is said after too many wrong passwords."""
    return Problem(429, "too-many-attempts", str(error), {"retry-after": str(int(error.wait_s) + 1)})


def is_this_machine(name: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if name in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


async def answer(problem: Problem, send: Send) -> None:
    """Send an error as the API does."""
    body = error_body(problem)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    headers += [(b"cache-control", b"no-store")]
    headers += [(name.encode(), value.encode()) for name, value in problem.headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def error_body(problem: Problem) -> bytes:
    """`{"error": {"code": …, "message": …}}`."""
    return json.dumps({"error": {"code": problem.code, "message": problem.text}}).encode()


def _check_action(headers: Headers, *, by_header: bool) -> None:
    """raises: Problem: the request may come from a foreign page."""
    host = headers.get(b"host", b"").decode("latin-1").lower()
    origin = headers.get(b"origin")
    if origin is not None and origin.decode("latin-1").lower().partition("://")[2] != host:
        raise Problem(403, "wrong-origin", "the request comes from another page")
    if headers.get(b"sec-fetch-site", b"same-origin") not in (b"same-origin", b"none"):
        raise Problem(403, "wrong-origin", "the request comes from another page")
    if not by_header and ACTION_HEADER not in headers:
        raise Problem(403, "no-action-header", "an action needs the header X-Spoold, with any value")


def _credentials(given: bytes) -> tuple[bytes, bytes]:
    """(user, password) of an Authorization header. raises: Problem."""
    scheme, _, rest = given.strip().partition(b" ")
    if scheme.lower() == b"bearer":
        return b"default", rest.strip()
    if scheme.lower() == b"basic":
        try:
            name, _, password = base64.b64decode(rest.strip(), validate=True).partition(b":")
        except binascii.Error:
            raise Problem(401, "wrong-password", "the Authorization header can't be read") from None
        return name or b"default", password
    raise Problem(401, "wrong-password", "the Authorization header is neither Bearer nor Basic")


def _cookie(header: bytes, name: str) -> str:
    """The session's token, empty where there is none."""
    try:
        morsel = SimpleCookie(header.decode("latin-1")).get(name)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def _host_name(header: str) -> str:
    """The name in a Host header, without the port, in lower case."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower().rstrip(".")
