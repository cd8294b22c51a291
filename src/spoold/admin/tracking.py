"""CLIENT TRACKING and its kin: caches that clients keep. Who is told of which change is pubsub/tracking.py's."""

from __future__ import annotations

from typing import Final

from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import LOADING, NOSCRIPT, STALE, command
from spoold.core.errors import CommandError, SyntaxFault, TrackingIsOff
from spoold.core.reply import OK, Reply, SetReply
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.session import Session, session_of
from spoold.pubsub.tracking import Tracker, Tracking

_FLAGS: Final = NOSCRIPT | LOADING | STALE
_GROUP: Final = "connection"

_SWITCH: Final = (
    "You can't switch {} mode {}before disabling tracking for this client, and then re-enabling it with a"
    " different mode."
)


@command(
    "CLIENT|TRACKING",
    flags=_FLAGS,
    since="6.0.0",
    syntax="CLIENT TRACKING ON | OFF [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT]"
    " [NOLOOP]",
    group=_GROUP,
)
def client_tracking(ctx: Context, mode: bytes, *options: bytes) -> Reply:
    """Lets the connection be told when keys change that it has read, so that it can keep them in a cache.

    options: REDIRECT: tell another connection. BCAST: tell of all keys, or of those with a PREFIX, read or not.
        OPTIN, OPTOUT: only of keys read behind CLIENT CACHING YES, or not behind CLIENT CACHING NO. NOLOOP: not of
        what the connection changes itself.
    raises: SyntaxFault, NotAnInteger; CommandError: options that exclude each other, no such connection.
    differs: a key is tracked in the database in which it was read, not in all.
    source: Redis's CLIENT TRACKING page.
    """
    session = session_of(ctx)
    tracker = _parse(ctx, session, options)
    word = mode.upper()
    if word == b"ON":
        _check(session, tracker)
        ctx.parts.get(Tracking).begin(session, tracker)
    elif word == b"OFF":
        ctx.parts.get(Tracking).end(session)
    else:
        raise SyntaxFault
    return OK


def _parse(ctx: Context, session: Session, options: tuple[bytes, ...]) -> Tracker:
    """raises: SyntaxFault, NotAnInteger, CommandError."""
    tracker = Tracker(session)
    args = Args(options)
    while args:
        word = args.word()
        if word == b"REDIRECT" and args:
            if tracker.redirect is not None:
                raise CommandError("A client can only redirect to a single other client")
            tracker.redirect_id = args.int()
            wanted = tracker.redirect_id
            sessions = ctx.parts.get(Dispatcher).sessions
            tracker.redirect = next((one for one in sessions if one.peer.id == wanted), None)
            if tracker.redirect is None:
                raise CommandError("The client ID you want redirect to does not exist")
        elif word == b"PREFIX" and args:
            tracker.prefixes[args.take()] = None
        elif word == b"BCAST":
            tracker.bcast = True
        elif word == b"OPTIN":
            tracker.optin = True
        elif word == b"OPTOUT":
            tracker.optout = True
        elif word == b"NOLOOP":
            tracker.noloop = True
        else:
            raise SyntaxFault
    return tracker


def _check(session: Session, tracker: Tracker) -> None:
    """raises: CommandError: options that exclude each other, or what the connection does already."""
    before = session.tracking
    if tracker.prefixes and not tracker.bcast:
        raise CommandError("PREFIX option requires BCAST mode to be enabled")
    if before is not None and before.bcast is not tracker.bcast:
        raise CommandError(_SWITCH.format("BCAST", "on/off "))
    if tracker.bcast and (tracker.optin or tracker.optout):
        raise CommandError("OPTIN and OPTOUT are not compatible with BCAST")
    if tracker.optin and tracker.optout:
        raise CommandError("You can't specify both OPTIN mode and OPTOUT mode")
    if before is not None and ((tracker.optin and before.optout) or (tracker.optout and before.optin)):
        raise CommandError(_SWITCH.format("OPTIN/OPTOUT", ""))
    if tracker.bcast:
        _check_prefixes(() if before is None else tuple(before.prefixes), tuple(tracker.prefixes))
        tracker.prefixes = tracker.prefixes or {b"": None}


def _check_prefixes(known: tuple[bytes, ...], given: tuple[bytes, ...]) -> None:
    """raises: CommandError: two of one connection would tell the same key twice."""
    for at, prefix in enumerate(given):
        for others, kind in ((known, b"an existing"), (given[at + 1 :], b"another provided")):
            for other in others:
                if prefix.startswith(other) or other.startswith(prefix):
                    raise CommandError(
                        b"Prefix '%b' overlaps with %b prefix '%b'. Prefixes for a single client must not overlap."
                        % (prefix, kind, other)
                    )


@command("CLIENT|CACHING", flags=_FLAGS, since="6.0.0", syntax="CLIENT CACHING YES | NO", group=_GROUP)
def client_caching(ctx: Context, mode: bytes) -> Reply:
    """Says of the next command of the connection whether what it reads is tracked.

    mode: YES with OPTIN, NO with OPTOUT.
    raises: TrackingIsOff; SyntaxFault; CommandError: not with this option.
    """
    tracker = session_of(ctx).tracking
    if tracker is None:
        raise TrackingIsOff
    word = mode.upper()
    if word not in (b"YES", b"NO"):
        raise SyntaxFault
    option = "OPTIN" if word == b"YES" else "OPTOUT"
    if not (tracker.optin if word == b"YES" else tracker.optout):
        shown = word.decode()
        raise CommandError(f"CLIENT CACHING {shown} is only valid when tracking is enabled in {option} mode.")
    tracker.caching = True
    return OK


@command("CLIENT|GETREDIR", flags=_FLAGS, since="6.0.0", syntax="CLIENT GETREDIR", group=_GROUP)
def client_getredir(ctx: Context) -> int:
    """Returns which connection is told in the place of this one: 0 for none, -1 if this one does not track."""
    tracker = session_of(ctx).tracking
    return -1 if tracker is None else tracker.redirect_id


@command("CLIENT|TRACKINGINFO", flags=_FLAGS, since="6.2.0", syntax="CLIENT TRACKINGINFO", group=_GROUP)
def client_trackinginfo(ctx: Context) -> Reply:
    """Tells how the connection tracks keys.

    returns: flags, redirect (as GETREDIR), prefixes.
    """
    tracker = session_of(ctx).tracking
    if tracker is None:
        return {b"flags": SetReply([b"off"]), b"redirect": -1, b"prefixes": []}
    return {
        b"flags": SetReply(tracker.flags()),
        b"redirect": tracker.redirect_id,
        b"prefixes": sorted(tracker.prefixes),
    }
