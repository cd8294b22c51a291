"""ROLE, REPLICAOF, WAIT: one server without replicas, and answers that say so."""

from __future__ import annotations

from spoold.command.context import Context, Wait
from spoold.command.spec import ADMIN, FAST, LOADING, NO_ASYNC_LOADING, NOSCRIPT, STALE, command
from spoold.core.errors import BadIntegerTimeout, BadMasterPort, CommandError, NegativeTimeout, NotAnInteger
from spoold.core.numerals import parse_int
from spoold.core.reply import OK, Reply

_FLAGS = ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING
_MAX_PORT = 65535


@command(
    "ROLE",
    flags=NOSCRIPT | LOADING | STALE | FAST,
    since="2.8.12",
    syntax="ROLE",
    group="server",
)
def role(ctx: Context) -> Reply:
    """Tells that this is a master without replicas.

    returns: `master`, the replication offset (0), the replicas (none).
    """
    return [b"master", 0, []]


@command("REPLICAOF", flags=_FLAGS, since="5.0.0", syntax="REPLICAOF host port", group="server")
def replicaof(ctx: Context, host: bytes, port: bytes) -> Reply:
    """Refuses to copy another server; NO ONE is what is anyway.

    raises: BadMasterPort; CommandError.
    differs: no other server is copied: all but NO ONE is refused.
    """
    if host.upper() == b"NO" and port.upper() == b"ONE":
        return OK
    try:
        number = parse_int(port)
    except NotAnInteger:
        raise BadMasterPort from None
    if not 0 <= number <= _MAX_PORT:
        raise BadMasterPort
    raise CommandError("spoold can't be the replica of another server")


@command("SLAVEOF", flags=_FLAGS, since="1.0.0", syntax="SLAVEOF host port", group="server")
def slaveof(ctx: Context, host: bytes, port: bytes) -> Reply:
    """Does what REPLICAOF does, under its older name.

    differs: no other server is copied: all but NO ONE is refused.
    """
    return replicaof(ctx, host, port)


@command("WAIT", flags=NOSCRIPT, since="3.0.0", syntax="WAIT numreplicas timeout", group="generic")
def wait(ctx: Context, numreplicas: bytes, timeout: bytes) -> int | Wait:
    """Waits for replicas to have the connection's writes; there are none, so it waits out its time.

    timeout: milliseconds, 0 = for ever.
    returns: 0, at once if no replica is asked for.
    raises: NotAnInteger, BadIntegerTimeout, NegativeTimeout.
    differs: there are never replicas to wait for.
    source: Redis's WAIT page. Writes themselves are on the disk of this server when they are answered.
    """
    wanted = parse_int(numreplicas)
    try:
        timeout_ms = parse_int(timeout)
    except NotAnInteger:
        raise BadIntegerTimeout from None
    if timeout_ms < 0:
        raise NegativeTimeout
    return 0 if wanted <= 0 else Wait((), timeout_ms / 1000, 0)
