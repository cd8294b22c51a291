"""One line of CLIENT LIST."""

from __future__ import annotations

from collections.abc import Sequence

from spoold.command.table import Container
from spoold.dispatch.session import Session


def client_line(session: Session, now_s: float, *, asking: Sequence[bytes] = ()) -> bytes:
    """A connection as CLIENT LIST shows it, with the line end.

    now_s: monotonic. asking: the request of the one that asks, if it is this one.
    source: Redis's CLIENT LIST page. lib-name and lib-ver, which are newer than 7.0, only where the client told them;
        what Redis says of its own buffers (qbuf-free, rbs …) is 0. Only who asks has a request that is being run
        (qbuf, argv-mem).
    """
    peer = session.peer
    transaction = session.transaction
    queued = () if transaction is None else transaction.requests
    listens = session.subscriptions
    out_bytes = sum(map(len, session.out)) + session.waiting_bytes()
    queue_bytes = sum(len(word) for request in queued for word in request)
    fields: dict[str, object] = {
        "id": peer.id,
        "addr": peer.address,
        "laddr": peer.local_address,
        "fd": peer.fd,
        "name": peer.name.decode("ascii"),
        "age": int(now_s - peer.connected_s),
        "idle": int(now_s - session.active_s),
        "flags": _flags(session),
        "db": session.ctx.ks.index,
        "sub": 0 if listens is None else len(listens.channels),
        "psub": 0 if listens is None else len(listens.patterns),
        "ssub": 0 if listens is None else len(listens.shards),
        "multi": -1 if transaction is None else len(queued),
        "qbuf": _request_bytes(asking),
        "qbuf-free": 0,
        "argv-mem": sum(map(len, asking)),
        "multi-mem": queue_bytes,
        "rbs": 0,
        "rbp": 0,
        "obl": out_bytes,
        "oll": len(session.out),
        "omem": out_bytes,
        "tot-mem": out_bytes + queue_bytes,
        "events": "r" if not session.choked else "rw",
        "cmd": peer.last_command if asking else _last_command(session),
        "user": peer.user.decode("utf-8", "surrogateescape"),
        "redir": -1 if session.tracking is None else session.tracking.redirect_id,
        "resp": peer.protocol,
    }
    if peer.lib_name or peer.lib_version:
        fields["lib-name"] = peer.lib_name.decode("ascii")
        fields["lib-ver"] = peer.lib_version.decode("ascii")
    return (" ".join([f"{name}={value}" for name, value in fields.items()]) + "\n").encode()


def _request_bytes(words: Sequence[bytes]) -> int:
    """How long a request is on the wire, as an array of strings; 0 if there is none."""
    lengths = [len(words), *map(len, words)]
    return sum(len(str(length)) + 3 for length in lengths) + sum(len(word) + 2 for word in words) if words else 0


def _flags(session: Session) -> str:
    """The letters of Redis for what holds for a connection, in Redis's order; N if nothing does."""
    watch = session.watch
    tracker = session.tracking
    waits = session.waiter is not None or session in session.dispatcher.pause.held
    letters = (
        ("O", "monitor" in session.special),
        ("P", session.subscriptions is not None),
        ("x", session.transaction is not None),
        ("b", waits),
        ("d", watch is not None and watch.broken),
        ("c", session.closing),
        ("t", tracker is not None),
        ("R", tracker is not None and tracker.broken),
        ("B", tracker is not None and tracker.bcast),
        ("U", session.peer.address.endswith(":0")),
        ("e", session.peer.no_evict),
        ("T", session.peer.no_touch),
    )
    return "".join(letter for letter, holds in letters if holds) or "N"


def _last_command(session: Session) -> str:
    last = session.last
    if last is None:
        return "NULL"
    return session.peer.last_command if isinstance(last, Container) else last.name
