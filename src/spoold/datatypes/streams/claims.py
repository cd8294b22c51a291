"""XPENDING, XCLAIM, XAUTOCLAIM: what consumers were given and have not settled, and taking it over from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import FAST, READONLY, WRITE, Keys, command
from spoold.core.errors import BadStreamId, CommandError, NoGroup, NotAnInteger, SyntaxFault
from spoold.core.numerals import INT64_MAX, parse_int
from spoold.core.reply import NULL_ARRAY, Reply
from spoold.datatypes.streams import groups, ids, store
from spoold.datatypes.streams.groups import Consumer, Group, Pending
from spoold.datatypes.streams.ids import LAST, ZERO
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import StreamRecord

# XAUTOCLAIM looks at up to so many entries for each that it may give.
_ATTEMPTS: Final = 10
_AUTOCLAIM_COUNT: Final = 100
_MOST_COUNT: Final = INT64_MAX // 16
# XPENDING of one consumer, or with IDLE, looks at that many entries before it asks for more.
_LOOKED_AT: Final = 100


@command(
    "XPENDING",
    flags=READONLY,
    keys=Keys(1, access="RO access"),
    since="5.0.0",
    syntax="XPENDING key group [[IDLE min-idle-time] start end count [consumer]]",
)
def xpending(ctx: Context, key: bytes, group_name: bytes, *options: bytes) -> Reply:
    """Tells what a group's consumers were given and have not settled.

    options: a range of ids, how many at most, perhaps of one consumer; IDLE: given at least so many ms ago.
    returns: without options [how many, least id, greatest id, [[consumer, how many as text], ...]]; else [id, consumer,
        ms since it was given, how often it was given] for each.
    raises: SyntaxFault, NotAnInteger, BadStreamId, BadIntervalStart, BadIntervalEnd, WrongType, NoGroup.
    cost: O(consumers); O(entries that are looked at).
    """
    wanted = _parse_pending(options) if options else None
    ks = ctx.ks
    record, group = _find(ks, key, group_name)
    if wanted is None:
        return _summary(ks, record, group)
    consumer = None
    if wanted.consumer is not None:
        consumer = groups.find_consumer(ks, record, group, wanted.consumer)
        if consumer is None:
            return []
    return _list(ks, record, group, consumer, wanted)


@dataclass(slots=True)
class _Wanted:
    """A range of pending entries. consumer: None = of all. idle_ms: given at least so long ago."""

    start: bytes
    end: bytes
    count: int
    idle_ms: int
    consumer: bytes | None


def _parse_pending(options: tuple[bytes, ...]) -> _Wanted:
    if not 3 <= len(options) <= 6:
        raise SyntaxFault
    idle_ms = 0
    if options[0].upper() == b"IDLE":
        idle_ms = parse_int(options[1])
        if len(options) < 5:
            raise SyntaxFault
        options = options[2:]
    count = max(parse_int(options[2]), 0)
    start, end = ids.parse_start(options[0]), ids.parse_end(options[1])
    return _Wanted(start, end, count, idle_ms, options[3] if len(options) > 3 else None)


def _summary(ks: Keyspace, record: StreamRecord, group: Group) -> Reply:
    if not group.pending:
        return [0, None, None, NULL_ARRAY]
    least = next(groups.all_pending(ks, group, ZERO, limit=1)).id
    owners = [
        [consumer.name, b"%d" % consumer.pending]
        for consumer in groups.each_consumer(ks, record, group)
        if consumer.pending
    ]
    return [group.pending, ids.show(least), ids.show(groups.last_pending(ks, group)), owners]


def _list(ks: Keyspace, record: StreamRecord, group: Group, consumer: Consumer | None, wanted: _Wanted) -> list[Reply]:
    shown: list[Reply] = []
    if not wanted.count:
        return shown
    now_ms = ks.dbs.now_ms
    for found in _pending(ks, group, consumer, wanted):
        if wanted.idle_ms and now_ms - found.delivered_ms < wanted.idle_ms:
            continue
        owner = groups.consumer_of(ks, record, group, found.consumer)
        idle_ms = max(now_ms - found.delivered_ms, 0)
        shown.append([ids.show(found.id), owner.name, idle_ms, found.deliveries])
        if len(shown) == wanted.count:
            break
    return shown


def _pending(ks: Keyspace, group: Group, consumer: Consumer | None, wanted: _Wanted) -> Any:
    """What is pending in the range, of one consumer or of all."""
    limit = min(wanted.count, _LOOKED_AT)
    if consumer is None:
        return groups.all_pending(ks, group, wanted.start, wanted.end, limit)
    mine = groups.owned(ks, group, consumer, wanted.start, wanted.end, limit)
    return (found for id_ in mine if (found := groups.pending(ks, group, id_)) is not None)


@dataclass(slots=True)
class _Claim:
    """What XCLAIM is to note. delivered_ms, deliveries: None = as usual. last: the group has come at least so far."""

    delivered_ms: int | None = None
    deliveries: int | None = None
    force: bool = False
    just_ids: bool = False
    last: bytes = ZERO


@command(
    "XCLAIM",
    flags=WRITE | FAST,
    keys=Keys(1, access="RW update"),
    since="5.0.0",
    syntax=(
        "XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count]"
        " [FORCE] [JUSTID] [LASTID lastid]"
    ),
    arity=-6,
)
def xclaim(ctx: Context, key: bytes, group_name: bytes, consumer_name: bytes, *arguments: bytes) -> list[Reply]:
    """Gives a consumer entries that are another's.

    arguments: least time since they were given, in ms; ids; how to note it: given so long ago (IDLE), or then (TIME);
        so often (RETRYCOUNT); also what no one has (FORCE). JUSTID: reply with ids alone, and do not count a delivery.
    returns: the entries that were claimed. Those that are deleted are settled instead.
    raises: WrongType, NoGroup, NotAnInteger, BadStreamId, CommandError (options), before anything is claimed.
    cost: O(ids).
    """
    ks = ctx.ks
    record, group = _find(ks, key, group_name)
    idle_ms = _parse_idle(arguments[0], "XCLAIM")
    wanted, claim = _parse_claim(arguments[1:], ks.dbs.now_ms)
    now_ms = ks.dbs.now_ms
    advanced = claim.last > group.last
    group.last = max(group.last, claim.last)
    delivered_ms = claim.delivered_ms
    if delivered_ms is None or not 0 <= delivered_ms <= now_ms:
        delivered_ms = now_ms
    consumer = None
    touched: dict[int, Consumer] = {}
    shown: list[Reply] = []
    pending = group.pending
    for id_ in wanted:
        found = groups.pending(ks, group, id_)
        fields = store.get(ks, record, id_)
        if fields is None:
            if found is not None:
                _settle(ks, record, group, found, touched)
            continue
        if found is None:
            if not claim.force:
                continue
            deliveries = 1
        else:
            if idle_ms and now_ms - found.delivered_ms < idle_ms:
                continue
            deliveries = found.deliveries
        if claim.deliveries is not None:
            deliveries = claim.deliveries
        elif not claim.just_ids:
            deliveries += 1
        consumer = consumer or _claimer(ks, key, record, group, consumer_name, touched)
        _hand_over(ks, record, group, consumer, id_, found, delivered_ms, deliveries, touched)
        shown.append(ids.show(id_) if claim.just_ids else [ids.show(id_), fields])
    if shown or advanced or group.pending != pending:
        _save(ks, group, touched)
    return shown


def _parse_claim(arguments: tuple[bytes, ...], now_ms: int) -> tuple[list[bytes], _Claim]:
    """(ids, options). raises: NotAnInteger, BadStreamId, CommandError."""
    wanted: list[bytes] = []
    claim = _Claim()
    for text in arguments:
        try:
            wanted.append(ids.parse(text))
        except BadStreamId:
            break
    args = Args(arguments[len(wanted) :])
    while args:
        text = args.take()
        word = text.upper()
        if word == b"FORCE":
            claim.force = True
        elif word == b"JUSTID":
            claim.just_ids = True
        elif word in {b"IDLE", b"TIME", b"RETRYCOUNT"} and args:
            try:
                number = args.int()
            except NotAnInteger:
                raise CommandError(f"Invalid {word.decode()} option argument for XCLAIM") from None
            if word == b"RETRYCOUNT":
                claim.deliveries = number if number >= 0 else None
            else:
                number = now_ms - number if word == b"IDLE" else number
                claim.delivered_ms = None if number == -1 else number
        elif word == b"LASTID" and args:
            claim.last = ids.parse(args.take())
        else:
            raise CommandError(b"Unrecognized XCLAIM option '" + text.partition(b"\0")[0] + b"'")
    return wanted, claim


@command(
    "XAUTOCLAIM",
    flags=WRITE | FAST,
    keys=Keys(1, access="RW delete"),
    since="6.2.0",
    syntax="XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]",
)
def xautoclaim(
    ctx: Context, key: bytes, group_name: bytes, consumer_name: bytes, idle: bytes, start: bytes, *options: bytes
) -> list[Reply]:
    """Gives a consumer entries that others were given some time ago, a number of them at each call.

    idle: ms since they were given, at least. start: the id at which to begin, 0-0 or what the last call told.
    returns: [where to go on, 0-0 at the end; the entries that were claimed, ids alone with JUSTID; the ids of those
        that are deleted, which are settled].
    raises: NotAnInteger, BadStreamId, BadIntervalStart, SyntaxFault, CommandError, WrongType, NoGroup.
    cost: O(COUNT), 100 if it is not given.
    """
    idle_ms = _parse_idle(idle, "XAUTOCLAIM")
    first = ids.parse_start(start)
    count, just_ids = _parse_autoclaim(options)
    ks = ctx.ks
    record, group = _find(ks, key, group_name)
    consumer = None
    now_ms = ks.dbs.now_ms
    touched: dict[int, Consumer] = {}
    shown: list[Reply] = []
    deleted: list[Reply] = []
    go_on = ZERO
    attempts = count * _ATTEMPTS
    # What is noted while walking stands behind the walk, so it goes on undisturbed.
    for found in groups.all_pending(ks, group, first, LAST, count + 1):
        if not attempts or not count:
            go_on = found.id
            break
        attempts -= 1
        fields = store.get(ks, record, found.id)
        if fields is None:
            _settle(ks, record, group, found, touched)
            deleted.append(ids.show(found.id))
            count -= 1
            continue
        if idle_ms and now_ms - found.delivered_ms < idle_ms:
            continue
        deliveries = found.deliveries + (not just_ids)
        consumer = consumer or _claimer(ks, key, record, group, consumer_name, touched)
        _hand_over(ks, record, group, consumer, found.id, found, now_ms, deliveries, touched)
        shown.append(ids.show(found.id) if just_ids else [ids.show(found.id), fields])
        count -= 1
    if shown or deleted:
        _save(ks, group, touched)
    return [ids.show(go_on), shown, deleted]


def _parse_autoclaim(options: tuple[bytes, ...]) -> tuple[int, bool]:
    """(COUNT, JUSTID). raises: SyntaxFault, CommandError."""
    count, just_ids = _AUTOCLAIM_COUNT, False
    args = Args(options)
    while args:
        word = args.word()
        if word == b"COUNT" and args:
            try:
                count = args.int()
            except NotAnInteger:
                count = 0
            if not 1 <= count <= _MOST_COUNT:
                raise CommandError("COUNT must be > 0")
        elif word == b"JUSTID":
            just_ids = True
        else:
            raise SyntaxFault
    return count, just_ids


def _parse_idle(text: bytes, name: str) -> int:
    """A least time in ms; a negative one is none. raises: CommandError."""
    try:
        return max(parse_int(text), 0)
    except NotAnInteger:
        raise CommandError(f"Invalid min-idle-time argument for {name}") from None


def _find(ks: Keyspace, key: bytes, group_name: bytes) -> tuple[StreamRecord, Group]:
    """The stream and its group. raises: WrongType, NoGroup."""
    record = store.find(ks, key)
    group = None if record is None else groups.find(ks, key, record, group_name)
    if record is None or group is None:
        raise NoGroup(key, group_name)
    return record, group


def _claimer(
    ks: Keyspace, key: bytes, record: StreamRecord, group: Group, name: bytes, touched: dict[int, Consumer]
) -> Consumer:
    """Who claims, made if needed; whoever finds nothing to claim is not."""
    consumer = groups.look_up_consumer(ks, key, record, group, name)
    return touched.setdefault(consumer.number, consumer)


def _settle(ks: Keyspace, record: StreamRecord, group: Group, found: Pending, touched: dict[int, Consumer]) -> None:
    """Forget a pending entry, whoever has it."""
    owner = touched.get(found.consumer)
    if owner is None:
        owner = touched[found.consumer] = groups.consumer_of(ks, record, group, found.consumer)
    groups.settle(ks, group, owner, found.id)


def _hand_over(
    ks: Keyspace,
    record: StreamRecord,
    group: Group,
    consumer: Consumer,
    id_: bytes,
    found: Pending | None,
    delivered_ms: int,
    deliveries: int,
    touched: dict[int, Consumer],
) -> None:
    """Give an entry to `consumer`. found: what was noted of it. touched: consumers that are to be saved."""
    if found is not None:
        if found.consumer == consumer.number:
            groups.note(ks, group, found, delivered_ms, deliveries)
            return
        _settle(ks, record, group, found, touched)
    groups.give(ks, group, consumer, id_, delivered_ms, deliveries)


def _save(ks: Keyspace, group: Group, touched: dict[int, Consumer]) -> None:
    for each in touched.values():
        groups.save_consumer(ks, each)
    groups.save(ks, group)
