"""XREAD and XREADGROUP: entries behind an id, of several streams, and waiting for them.

Who waits takes nothing away from others, so one XADD serves all who wait at a stream; of a group's consumers the first
gets what is new. Who waits for a group is told when the stream or the group goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final

from spoold.command.context import STILL_WAITING, Context, Wait
from spoold.command.spec import BLOCKING, MOVABLEKEYS, READONLY, WRITE, Keys, Keyword, command
from spoold.core.errors import BadIntegerTimeout, CommandError, NegativeTimeout, NoGroup, NotAnInteger, SyntaxFault
from spoold.core.numerals import INT64_MAX, parse_int
from spoold.core.reply import NULL_ARRAY, Keyed
from spoold.core.script_errors import BlockInScript
from spoold.datatypes.streams import groups, ids, progress, store
from spoold.datatypes.streams.commands import show_entries
from spoold.datatypes.streams.groups import Consumer, Group
from spoold.datatypes.streams.ids import LAST, ZERO
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import StreamRecord

# Who waits and does not say how many entries it wants gets at most so many.
_WAITING_COUNT: Final = 1000
# What is not larger is looked up among the requests that were parsed before.
_FEW_ARGUMENTS: Final = 16
_SHORT_BYTES: Final = 128


@dataclass(slots=True, frozen=True)
class Reading:
    """What was asked for.

    keys, after: the streams, and for each the id behind which to read, as written. count: of each stream; None = all.
    timeout_s: how long to wait, None = not at all. group, consumer: of XREADGROUP. no_ack: give without noting it.
    """

    keys: Sequence[bytes]
    after: Sequence[bytes]
    count: int | None
    timeout_s: float | None
    group: bytes | None
    consumer: bytes
    no_ack: bool


def _stream_keys(first: int, request: Sequence[bytes]) -> list[int]:
    """Where the keys stand: the first half of what follows STREAMS. raises: ValueError: there is no such word."""
    at = next((at for at in range(first, len(request)) if request[at].upper() == b"STREAMS"), None)
    if at is None or len(request) == at + 1:
        raise ValueError("STREAMS")
    return list(range(at + 1, at + 1 + (len(request) - at - 1) // 2))


@command(
    "XREAD",
    flags=READONLY | BLOCKING | MOVABLEKEYS,
    keys=Keys(finder=partial(_stream_keys, 1), access="RO access", keywords=(Keyword("STREAMS", 1, -1, 2),)),
    since="5.0.0",
    syntax="XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
    arity=-4,
)
def xread(ctx: Context, *arguments: bytes) -> Any:
    """Gives the entries behind an id of each of several streams, or waits for one.

    arguments: BLOCK with ms, 0 = for ever; an id for each stream, `$` for its last one.
    returns: stream → [id, [field, value, ...]] for those that have any; NULL_ARRAY for none, and at the deadline.
    raises: SyntaxFault, NotAnInteger, BadIntegerTimeout, NegativeTimeout, BadStreamId, WrongType, BlockInScript,
        CommandError.
    cost: O(streams and entries given).
    differs: who waits for entries that are added and removed again in one transaction goes on waiting; Redis answers
        with an empty list.
    """
    wanted = _parse("xread", arguments)
    if wanted.timeout_s is not None and ctx.in_script:
        raise BlockInScript("xread")
    ks = ctx.ks
    after = []
    for key, text in zip(wanted.keys, wanted.after, strict=True):
        record = store.find(ks, key)
        if text == b"$":
            after.append(ZERO if record is None else record.last)
        elif text == b">":
            raise CommandError(
                "The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
            )
        else:
            after.append(ids.parse(text))
    reply = Keyed()
    for key, id_ in zip(wanted.keys, after, strict=True):
        record = store.find(ks, key)
        entries = [] if record is None else store.read_after(ks, key, record, id_, wanted.count)
        if entries:
            reply.append([key, show_entries(entries)])
    if reply:
        return reply
    if wanted.timeout_s is None:
        return NULL_ARRAY
    behind = dict(zip(reversed(wanted.keys), reversed(after), strict=True))
    serve = partial(_serve, ks, behind, wanted.count or _WAITING_COUNT)
    return Wait(wanted.keys, wanted.timeout_s, NULL_ARRAY, serve)


def _serve(ks: Keyspace, behind: dict[bytes, bytes], count: int, key: bytes) -> Any:
    """What a waiting XREAD gets of the stream that has become ready."""
    if not store.holds_stream(ks, key):
        return STILL_WAITING
    record = store.find(ks, key)
    entries = [] if record is None else store.read_after(ks, key, record, behind[key], count)
    return Keyed([[key, show_entries(entries)]]) if entries else STILL_WAITING


@command(
    "XREADGROUP",
    flags=WRITE | BLOCKING | MOVABLEKEYS,
    keys=Keys(finder=partial(_stream_keys, 4), access="RO access", keywords=(Keyword("STREAMS", 4, -1, 2),)),
    since="5.0.0",
    syntax=(
        "XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]"
    ),
    arity=-7,
)
def xreadgroup(ctx: Context, *arguments: bytes) -> Any:
    """Gives a consumer entries that no other of its group has got, or waits for one; or those that it got before.

    arguments: an id for each stream: `>` for new entries, an id for what the consumer has not settled behind it; NOACK:
        new entries count as settled.
    returns: stream → [id, [field, value, ...]], or [id, NULL_ARRAY] where an entry that the consumer has is deleted;
        NULL_ARRAY for none, and at the deadline.
    raises: SyntaxFault, NotAnInteger, BadIntegerTimeout, NegativeTimeout, BadStreamId, WrongType, NoGroup,
        BlockInScript, CommandError.
    cost: O(streams and entries given), whatever the streams hold.
    """
    few = arguments[-1] == b">" and len(arguments) < _FEW_ARGUMENTS and max(map(len, arguments)) < _SHORT_BYTES
    wanted = _parse_usual(*arguments) if few else _parse("xreadgroup", arguments)
    if wanted.timeout_s is not None and ctx.in_script:
        raise BlockInScript("xreadgroup")
    ks = ctx.ks
    assert wanted.group is not None  # noqa: S101 - the parser looked
    found: list[tuple[bytes, StreamRecord, Group, bytes]] = []
    for key, text in zip(wanted.keys, wanted.after, strict=True):
        record = store.find(ks, key)
        group = None if record is None else groups.find(ks, key, record, wanted.group)
        if record is None or group is None:
            raise NoGroup(key, wanted.group, b" in XREADGROUP with GROUP option")
        if text == b"$":
            raise CommandError(
                "The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by"
                " specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty"
                " result set."
            )
        found.append((key, record, group, LAST if text == b">" else ids.parse(text)))
    reply = Keyed()
    for key, record, group, id_ in found:
        if id_ != LAST:
            consumer = groups.look_up_consumer(ks, key, record, group, wanted.consumer)
            reply.append([key, _history(ks, record, group, consumer, id_, wanted.count)])
            continue
        entries = _deliver(ks, key, record, group, wanted, wanted.count)
        if entries:
            reply.append([key, show_entries(entries)])
    if reply:
        return reply
    if wanted.timeout_s is None:
        return NULL_ARRAY
    return Wait(wanted.keys, wanted.timeout_s, NULL_ARRAY, partial(_serve_group, ks, wanted), needs_keys=True)


def _serve_group(ks: Keyspace, wanted: Reading, key: bytes) -> Any:
    """What a waiting XREADGROUP gets of the stream that has become ready, or went."""
    record = ks.find(key)
    if not isinstance(record, StreamRecord):
        raise CommandError("the stream key no longer exists", "UNBLOCKED")
    assert wanted.group is not None  # noqa: S101 - the parser looked
    group = groups.find(ks, key, record, wanted.group)
    if group is None:
        raise CommandError("the consumer group this client was blocked on no longer exists", "NOGROUP")
    entries = _deliver(ks, key, record, group, wanted, wanted.count or _WAITING_COUNT)
    return Keyed([[key, show_entries(entries)]]) if entries else STILL_WAITING


def _deliver(
    ks: Keyspace, key: bytes, record: StreamRecord, group: Group, wanted: Reading, count: int | None
) -> list[store.Entry]:
    """Give a consumer, which is made if needed, what is new to its group. cost: O(entries given)."""
    entries = store.read_after(ks, key, record, group.last, count)
    if not entries:
        return entries
    consumer = groups.look_up_consumer(ks, key, record, group, wanted.consumer)
    given = [id_ for id_, _ in entries]
    progress.advance(record, group, given)
    if wanted.no_ack:
        groups.save(ks, group)
    else:
        groups.give_new(ks, record, group, consumer, given)
    return entries


def _history(
    ks: Keyspace, record: StreamRecord, group: Group, consumer: Consumer, after: bytes, count: int | None
) -> list[Any]:
    """What a consumer has not settled behind an id; each counts as delivered once more."""
    limit = consumer.pending if count is None else count
    mine = []
    for id_ in groups.owned(ks, group, consumer, ids.following(after), limit=limit):
        mine.append(id_)
        if len(mine) == count:
            break
    shown: list[Any] = []
    for id_ in mine:
        fields = store.get(ks, record, id_)
        if fields is None:
            shown.append([ids.show(id_), NULL_ARRAY])
            continue
        shown.append([ids.show(id_), fields])
        known = groups.pending(ks, group, id_)
        assert known is not None  # noqa: S101 - both are written together
        groups.note(ks, group, known, ks.dbs.now_ms, known.deliveries + 1)
    return shown


def _parse(name: str, arguments: tuple[bytes, ...]) -> Reading:
    """Read options up to the ids, which are left as they are.

    name: the command, lower case.
    raises: SyntaxFault, NotAnInteger, BadIntegerTimeout, NegativeTimeout, CommandError.
    """
    of_group = name == "xreadgroup"
    count: int | None = None
    timeout_s: float | None = None
    group: bytes | None = None
    consumer = b""
    no_ack = False
    names: tuple[bytes, ...] = ()
    at, end = 0, len(arguments)
    while at < end:
        word = arguments[at].upper()
        at += 1
        left = end - at
        if word == b"STREAMS" and left:
            if left % 2:
                raise CommandError(
                    "Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
                )
            names = arguments[at:]
            break
        if word == b"COUNT" and left:
            count = max(parse_int(arguments[at]), 0) or None
            at += 1
        elif word == b"BLOCK" and left:
            timeout_s = _timeout_s(arguments[at])
            at += 1
        elif word == b"GROUP" and left >= 2:
            if not of_group:
                raise CommandError("The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
            group, consumer = arguments[at : at + 2]
            at += 2
        elif word == b"NOACK":
            if not of_group:
                raise CommandError("The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
            no_ack = True
        else:
            raise SyntaxFault
    if not names:
        raise SyntaxFault
    if of_group and group is None:
        raise CommandError("Missing GROUP option for XREADGROUP")
    half = len(names) // 2
    return Reading(names[:half], names[half:], count, timeout_s, group, consumer, no_ack)


@lru_cache(1024)
def _parse_usual(*arguments: bytes) -> Reading:
    """The same for XREADGROUP with new entries of one stream, which a worker sends over and over."""
    return _parse("xreadgroup", arguments)


def _timeout_s(text: bytes) -> float:
    """Read a time-out in milliseconds. raises: BadIntegerTimeout, NegativeTimeout."""
    try:
        timeout_ms = parse_int(text)
    except NotAnInteger:
        raise BadIntegerTimeout from None
    if timeout_ms < 0:
        raise NegativeTimeout
    return min(timeout_ms, INT64_MAX) / 1000
