"""Logging in and out."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from spoold.acl.users import Users
from spoold.console.endpoint import MAYBE_TEXT, TRUTH, Call, Field, Problem, endpoint, table
from spoold.console.guard import cookie_name, too_many
from spoold.console.logins import TooManyAttempts
from spoold.console.shapes import Json

# Taken out of what `log_in` and `log_out` return and put into a cookie: the page never sees a token.
_COOKIE = "\0session"

_SESSION = table(password_needed=TRUTH, user=MAYBE_TEXT)


@endpoint("GET", "/session", returns=_SESSION, public=True)
async def session(call: Call) -> Json:
    """Tells who is logged in, and whether a password is needed."""
    return _session(call, call.user)


@endpoint(
    "POST",
    "/session",
    Field("user", "text", "Name of the user.", "default", 1, 256),
    Field("password", "text", "Their password.", low=0, high=4096),
    returns=_SESSION,
    public=True,
)
async def log_in(call: Call) -> Json:
    """Logs in: the answer sets a cookie that no script can read.

    raises: Problem.
    """
    try:
        user = call.parts.logins.check(
            call["user"].encode(), call["password"].encode(), call.address.rpartition(":")[0]
        )
    except TooManyAttempts as error:
        raise too_many(error) from None
    if user is None:
        raise Problem(401, "wrong-password", "user or password is wrong")
    call.parts.logins.end(call.token)
    return {**_session(call, user), _COOKIE: call.parts.logins.begin(user)}


@endpoint("POST", "/session/end", returns=_SESSION, public=True)
async def log_out(call: Call) -> Json:
    """Logs out."""
    call.parts.logins.end(call.token)
    users = call.parts.premises.parts.get(Users)
    return {**_session(call, users.default if users.open else None), _COOKIE: ""}


def take_cookie(found: Any, request: Request) -> dict[str, str]:
    """Take the token of a log-in, if there is one, out of the body; returns the header with its cookie."""
    if not isinstance(found, dict) or _COOKIE not in found:
        return {}
    token = found.pop(_COOKIE)
    cookie = f"{cookie_name(request.scope)}={token}; Path=/; HttpOnly; SameSite=Strict"
    if not token:
        cookie += "; Max-Age=0"
    if request.state.secure:
        cookie += "; Secure"
    return {"set-cookie": cookie}


def _session(call: Call, user: Any) -> Json:
    users = call.parts.premises.parts.get(Users)
    name = None if user is None else user.name.decode("utf-8", "replace")
    return {"password_needed": not users.open, "user": name}
