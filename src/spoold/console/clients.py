"""Connections of all listeners but the console's own."""

from __future__ import annotations

from typing import Final

from spoold.console.endpoint import INTEGER, TEXT, Call, Field, Problem, endpoint, rows, table
from spoold.console.shapes import Json

_TEXTS: Final = {"address": "addr", "name": "name", "flags": "flags", "command": "cmd", "user": "user"}
_NUMBERS: Final = {"id": "id", "db": "db", "age_s": "age", "idle_s": "idle", "channels": "sub", "patterns": "psub"}
_CLIENT: Final = table(**dict.fromkeys(_TEXTS, TEXT), **dict.fromkeys(_NUMBERS, INTEGER))
_OWN: Final = "console:0"


@endpoint(
    "GET",
    "/clients",
    Field("count", "integer", "How many at most, those that were last active first.", 500, 1, 5000),
    returns=table(clients=rows(_CLIENT), total=INTEGER),
)
async def list_clients(call: Call) -> Json:
    """Lists connections."""
    text = (await call.client.ask("CLIENT", "LIST")).decode("utf-8", "replace")
    told = [dict(word.partition("=")[::2] for word in line.split(" ")) for line in text.splitlines()]
    others = [client for client in told if client.get("laddr") != _OWN]
    others.sort(key=lambda client: int(client["idle"]))
    listed = [
        {
            **{name: client.get(field, "") for name, field in _TEXTS.items()},
            **{name: int(client.get(field, 0)) for name, field in _NUMBERS.items()},
        }
        for client in others[: call["count"]]
    ]
    return {"clients": listed, "total": len(others)}


@endpoint(
    "POST", "/clients/close", Field("id", "integer", "Its number.", low=1, high=2**53), returns=table(closed=INTEGER)
)
async def close_client(call: Call) -> Json:
    """Closes a connection.

    raises: Problem: it is gone.
    """
    closed = await call.client.ask("CLIENT", "KILL", "ID", call["id"])
    if not closed:
        raise Problem(404, "not-found", "there is no such client")
    return {"closed": closed}
