"""What was taken from queues and is not settled."""

from __future__ import annotations

from typing import Final

from spoold.console.endpoint import (
    DB,
    INTEGER,
    KEY,
    MAYBE_INTEGER,
    SHOWN,
    TEXT,
    TRUTH,
    Call,
    Field,
    Problem,
    endpoint,
    rows,
    table,
)
from spoold.console.shapes import Json, show

_LEASE: Final = table(
    queue=SHOWN,
    id=INTEGER,
    owner=SHOWN,
    bound=TRUTH,
    deadline_ms=MAYBE_INTEGER,
    attempts=INTEGER,
    bytes=INTEGER,
)


@endpoint(
    "GET",
    "/leases",
    DB,
    Field("queue", "bytes", "Only those of this queue.", None),
    Field("cursor", "text", "Where the last page ended; 0 to begin.", "0", 1, 20),
    Field("count", "integer", "How many a page.", 100, 1, 1000),
    returns=table(leases=rows(_LEASE), cursor=TEXT),
)
async def list_leases(call: Call) -> Json:
    """Lists leases in pages; the last page has the cursor 0."""
    await call.client.ask("SELECT", call["db"])
    narrowed = () if call["queue"] is None else ("QUEUE", call["queue"])
    cursor, page = await call.client.ask("SPOOLD", "LEASES", call["cursor"], *narrowed, "COUNT", call["count"])
    listed = []
    for flat in page:
        told = dict(zip(flat[::2], flat[1::2], strict=True))
        listed.append(
            {
                "queue": show(told[b"queue"]),
                "id": told[b"id"],
                "owner": show(told[b"owner"]),
                "bound": bool(told[b"bound"]),
                "deadline_ms": told[b"deadline-ms"] or None,
                "attempts": told[b"attempts"],
                "bytes": told[b"bytes"],
            }
        )
    return {"leases": listed, "cursor": cursor.decode()}


@endpoint(
    "POST",
    "/leases/settle",
    DB,
    KEY,
    Field("lease", "integer", "Its id.", low=0, high=2**53 - 1),
    Field("action", "text", "`retry`: back to the head of the queue; `drop`: forget it.", choices=("retry", "drop")),
    returns=table(settled=INTEGER),
)
async def settle(call: Call) -> Json:
    """Ends a lease: its item goes back to its queue, or is forgotten.

    raises: Problem: it has ended already.
    """
    await call.client.ask("SELECT", call["db"])
    word = {"retry": "RETURN", "drop": "DROP"}[call["action"]]
    settled = await call.client.ask("SPOOLD", word, call["key"], call["lease"])
    if not settled:
        raise Problem(404, "not-found", "the lease has ended already")
    return {"settled": settled}
