"""SUBSCRIBE and its kin, PUBLISH, SPUBLISH, PUBSUB.

A subscribing command answers one frame for each channel, as pushes in RESP3. With RESP2 a client that listens to
anything may send little else until it has unsubscribed: `refuse_while_subscribed` sees to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, cast

from spoold.command.context import Context
from spoold.command.spec import FAST, LOADING, MAY_REPLICATE, NOSCRIPT, PUBSUB, STALE, Keys, command
from spoold.command.table import Entry
from spoold.core.errors import BadSubcommand, CommandError, OnlyWhileSubscribed
from spoold.core.patterns import compile_pattern
from spoold.core.reply import Push, Pushes, Reply
from spoold.pubsub.hub import Hub, Listener, Subscriptions

_LISTENING: Final = PUBSUB | NOSCRIPT | LOADING | STALE
_ASKING: Final = PUBSUB | LOADING | STALE
_SENDING: Final = PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE

# Names in the places of keys, by which a cluster finds the node; they are no keys.
_SHARD_NAMES: Final = Keys(1, -1, access="not_key")

_ALLOWED: Final = frozenset(
    {
        "ping",
        "subscribe",
        "ssubscribe",
        "unsubscribe",
        "sunsubscribe",
        "psubscribe",
        "punsubscribe",
        "quit",
        "reset",
    }
)

_NOTHING: Final = Subscriptions()


def refuse_while_subscribed(listener: Listener, entry: Entry, request: Sequence[bytes]) -> CommandError | None:
    """The error for what a client that listens may not send in RESP2; None if it may."""
    if listener.subscriptions is None or listener.peer.protocol != 2 or entry.name in _ALLOWED:
        return None
    return OnlyWhileSubscribed(entry.name)


# -- listening --------------------------------------------------------------------------------------------------------


@command("SUBSCRIBE", flags=_LISTENING, since="2.0.0", syntax="SUBSCRIBE channel [channel ...]", group="pubsub")
def subscribe(ctx: Context, channel: bytes, *channels: bytes) -> Reply:
    """Lets the connection receive what is published to the given channels.

    returns: for each channel [subscribe, channel, number of channels and patterns that the connection listens to].
    """
    hub, me = _hub(ctx), _me(ctx)
    return _one_by_one(b"subscribe", (channel, *channels), lambda name: hub.subscribe(me, name), lambda: _count(me))


@command("PSUBSCRIBE", flags=_LISTENING, since="2.0.0", syntax="PSUBSCRIBE pattern [pattern ...]", group="pubsub")
def psubscribe(ctx: Context, pattern: bytes, *patterns: bytes) -> Reply:
    """Lets the connection receive what is published to channels whose names fit one of the patterns.

    pattern: as KEYS takes it. A message that fits several patterns comes once for each.
    returns: for each pattern [psubscribe, pattern, number of channels and patterns that the connection listens to].
    """
    hub, me = _hub(ctx), _me(ctx)
    return _one_by_one(
        b"psubscribe", (pattern, *patterns), lambda text: hub.subscribe_pattern(me, text), lambda: _count(me)
    )


@command(
    "SSUBSCRIBE",
    flags=_LISTENING,
    keys=_SHARD_NAMES,
    since="7.0.0",
    syntax="SSUBSCRIBE shardchannel [shardchannel ...]",
    group="pubsub",
)
def ssubscribe(ctx: Context, channel: bytes, *channels: bytes) -> Reply:
    """Lets the connection receive what is published to the given shard channels.

    returns: for each channel [ssubscribe, channel, number of shard channels that the connection listens to].
    """
    hub, me = _hub(ctx), _me(ctx)
    return _one_by_one(
        b"ssubscribe", (channel, *channels), lambda name: hub.subscribe_shard(me, name), lambda: _count_shards(me)
    )


@command("UNSUBSCRIBE", flags=_LISTENING, since="2.0.0", syntax="UNSUBSCRIBE [channel [channel ...]]", group="pubsub")
def unsubscribe(ctx: Context, *channels: bytes) -> Reply:
    """Ends the connection's listening to the given channels, or to all.

    returns: for each channel [unsubscribe, channel, number of channels and patterns that are left]; one with nothing
        in the channel's place if there was none to leave.
    """
    hub, me = _hub(ctx), _me(ctx)
    names = channels or tuple(_mine(me).channels)
    return _one_by_one(b"unsubscribe", names, lambda name: hub.unsubscribe(me, name), lambda: _count(me))


@command("PUNSUBSCRIBE", flags=_LISTENING, since="2.0.0", syntax="PUNSUBSCRIBE [pattern [pattern ...]]", group="pubsub")
def punsubscribe(ctx: Context, *patterns: bytes) -> Reply:
    """Ends the connection's listening to the given patterns, or to all.

    returns: as UNSUBSCRIBE, with `punsubscribe`.
    """
    hub, me = _hub(ctx), _me(ctx)
    texts = patterns or tuple(_mine(me).patterns)
    return _one_by_one(b"punsubscribe", texts, lambda text: hub.unsubscribe_pattern(me, text), lambda: _count(me))


@command(
    "SUNSUBSCRIBE",
    flags=_LISTENING,
    keys=_SHARD_NAMES,
    since="7.0.0",
    syntax="SUNSUBSCRIBE [shardchannel [shardchannel ...]]",
    group="pubsub",
)
def sunsubscribe(ctx: Context, *channels: bytes) -> Reply:
    """Ends the connection's listening to the given shard channels, or to all.

    returns: as UNSUBSCRIBE, with `sunsubscribe` and the number of shard channels.
    """
    hub, me = _hub(ctx), _me(ctx)
    names = channels or tuple(_mine(me).shards)
    return _one_by_one(b"sunsubscribe", names, lambda name: hub.unsubscribe_shard(me, name), lambda: _count_shards(me))


# -- sending ----------------------------------------------------------------------------------------------------------


@command("PUBLISH", flags=_SENDING, since="2.0.0", syntax="PUBLISH channel message", group="pubsub")
def publish(ctx: Context, channel: bytes, message: bytes) -> int:
    """Sends a message to all who listen to a channel.

    returns: how often it was sent.
    cost: O(receivers + patterns that anyone listens to).
    """
    return ctx.parts.get(Hub).publish(channel, message)


@command(
    "SPUBLISH",
    flags=_SENDING,
    keys=Keys(1, access="not_key"),
    since="7.0.0",
    syntax="SPUBLISH shardchannel message",
    group="pubsub",
)
def spublish(ctx: Context, channel: bytes, message: bytes) -> int:
    """Sends a message to all who listen to a shard channel.

    returns: how many they are.
    cost: O(receivers).
    """
    return ctx.parts.get(Hub).publish_shard(channel, message)


# -- asking -----------------------------------------------------------------------------------------------------------


@command("PUBSUB|CHANNELS", flags=_ASKING, since="2.8.0", syntax="PUBSUB CHANNELS [pattern]", group="pubsub")
def pubsub_channels(ctx: Context, pattern: bytes = b"*", *more: bytes) -> Reply:
    """Returns the channels that someone listens to, or those of them that fit a pattern.

    raises: BadSubcommand: more arguments.
    cost: O(channels).
    """
    if more:
        raise BadSubcommand
    return _fitting(_hub(ctx).channels, pattern)


@command("PUBSUB|NUMSUB", flags=_ASKING, since="2.8.0", syntax="PUBSUB NUMSUB [channel [channel ...]]", group="pubsub")
def pubsub_numsub(ctx: Context, *channels: bytes) -> Reply:
    """Returns how many connections listen to each of the given channels; those of patterns do not count.

    returns: channel, number, channel, number, …
    """
    table = _hub(ctx).channels
    return [item for name in channels for item in (name, len(table.get(name, ())))]


@command("PUBSUB|NUMPAT", flags=_ASKING, since="2.8.0", syntax="PUBSUB NUMPAT", group="pubsub")
def pubsub_numpat(ctx: Context) -> int:
    """Returns how many different patterns someone listens to."""
    return len(_hub(ctx).patterns)


@command("PUBSUB|SHARDCHANNELS", flags=_ASKING, since="7.0.0", syntax="PUBSUB SHARDCHANNELS [pattern]", group="pubsub")
def pubsub_shardchannels(ctx: Context, pattern: bytes = b"*", *more: bytes) -> Reply:
    """Returns the shard channels that someone listens to, or those of them that fit a pattern.

    raises: BadSubcommand: more arguments.
    cost: O(shard channels).
    """
    if more:
        raise BadSubcommand
    return _fitting(_hub(ctx).shards, pattern)


@command(
    "PUBSUB|SHARDNUMSUB",
    flags=_ASKING,
    since="7.0.0",
    syntax="PUBSUB SHARDNUMSUB [shardchannel [shardchannel ...]]",
    group="pubsub",
)
def pubsub_shardnumsub(ctx: Context, *channels: bytes) -> Reply:
    """Returns how many connections listen to each of the given shard channels.

    returns: channel, number, channel, number, …
    """
    table = _hub(ctx).shards
    return [item for name in channels for item in (name, len(table.get(name, ())))]


# -- inside -----------------------------------------------------------------------------------------------------------


def _hub(ctx: Context) -> Hub:
    return ctx.parts.get(Hub)


def _me(ctx: Context) -> Listener:
    return cast("Listener", ctx.owner)


def _mine(listener: Listener) -> Subscriptions:
    return listener.subscriptions or _NOTHING


def _count(listener: Listener) -> int:
    mine = _mine(listener)
    return len(mine.channels) + len(mine.patterns)


def _count_shards(listener: Listener) -> int:
    return len(_mine(listener).shards)


def _one_by_one(kind: bytes, names: Sequence[bytes], act: Callable[[bytes], None], count: Callable[[], int]) -> Pushes:
    """Do something for each name, and tell it with the number that is left; something is told in any case."""
    told = []
    for name in names:
        act(name)
        told.append(Push([kind, name, count()]))
    return Pushes(told or [Push([kind, None, count()])])


def _fitting(names: Iterable[bytes], pattern: bytes) -> list[bytes]:
    matches = compile_pattern(pattern)
    return [name for name in names if matches(name)]
