"""The commands on entries: XADD, XLEN, XRANGE, XREVRANGE, XDEL, XTRIM, XSETID. XREAD is in reading.py."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import DENYOOM, FAST, READONLY, WRITE, Keys, command
from spoold.core.errors import CommandError, NoSuchKey, SyntaxFault, WrongArity
from spoold.core.reply import NULL_ARRAY, OK, Entries, Reply
from spoold.datatypes.streams import ids, store, trimming, windows
from spoold.datatypes.streams.ids import LAST, ZERO
from spoold.keyspace import events
from spoold.keyspace.record import StreamRecord

# Requests with so many words are not looked up among those that were parsed before.
_FEW_ARGUMENTS: Final = 64
_SHORT_BYTES: Final = 20


@command(
    "XADD",
    flags=WRITE | DENYOOM | FAST,
    keys=Keys(1, access="RW update"),
    since="5.0.0",
    syntax="XADD key [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT count]] *|id field value [field value ...]",
    arity=-5,
)
def xadd(ctx: Context, key: bytes, *arguments: bytes) -> bytes | None:
    """Adds an entry at the end of a stream, creating that if needed, and may remove the oldest ones.

    arguments: options, then the id (`*`: made from the time; `ms-*`: its sequence is made), then fields and values.
    returns: the entry's id; None if there is no stream and NOMKSTREAM is given.
    raises: BadStreamId, NotAnInteger, CommandError (options that do not go together; an id that is not greater than
        the last one), WrongArity, WrongType.
    cost: O(1), and what is removed.
    """
    id_ = trim = None
    make = has_sequence = True
    if arguments[0] == b"*":
        fields: Sequence[bytes] = arguments[1:]
    else:
        options = _parse_usual(arguments[:4]) if len(arguments) < _FEW_ARGUMENTS else None
        trim, make, id_, has_sequence, taken = options or _parse_add(arguments)
        fields = arguments[taken:]
    if not fields or len(fields) % 2:
        raise WrongArity("xadd")
    if id_ == ZERO and has_sequence:
        raise CommandError("The ID specified in XADD must be greater than 0-0")
    ks = ctx.ks
    record = ks.young.get(key)
    if record.__class__ is not StreamRecord or record.expire_ms:
        record = store.find(ks, key)
        if record is None and not make:
            return None
    last = ZERO if record is None else record.last
    if last == LAST:
        raise CommandError("The stream has exhausted the last possible ID, unable to add more items")
    if id_ is None:
        id_ = ids.next_after(last, ks.dbs.now_ms)
    else:
        if not has_sequence and id_[:8] == last[:8]:
            if last[8:] == LAST[8:]:
                raise CommandError("Elements are too large to be stored")  # what Redis says of it
            id_ = ids.following(last)
        if id_ <= last:
            raise CommandError("The ID specified in XADD is equal or smaller than the target stream top item")
    if record is None:
        record = store.create(ks, key)
    store.append(ks, key, record, id_, fields)
    if ks.notify:
        ks.notify(events.STREAM, b"xadd", key)
    if trim is not None and trim.given and trimming.trim_stream(ks, key, record, trim) and ks.notify:
        ks.notify(events.STREAM, b"xtrim", key)
    return ids.show(id_)


_AddOptions: TypeAlias = "tuple[trimming.Trim, bool, bytes | None, bool, int]"
"""Trimming; whether to make a stream; the id, None to make one; whether it has a sequence; how many words these are."""


def _parse_add(arguments: Sequence[bytes]) -> _AddOptions:
    """Read the options and the id of XADD. raises: NotAnInteger, BadStreamId, CommandError."""
    args = Args(arguments)
    trim = trimming.Trim()
    make = True
    id_, has_sequence = None, True
    while args:
        text = args.take()
        if text == b"*":
            break
        word = text.upper()
        if args and trimming.parse_option(args, word, trim):
            continue
        if word != b"NOMKSTREAM":
            id_, has_sequence = ids.parse_new(text)
            break
        make = False
    trimming.check(trim)
    return trim, make, id_, has_sequence, len(arguments) - len(args)


@lru_cache(256)
def _parse_usual(arguments: tuple[bytes, ...]) -> _AddOptions | None:
    """The same for `MAXLEN ~ count *`, which a producer sends over and over; None if it is not that."""
    if arguments[3:] != (b"*",) or len(arguments[2]) > _SHORT_BYTES or arguments[1] not in {b"~", b"="}:
        return None
    return _parse_add(arguments)


@command("XLEN", flags=READONLY | FAST, keys=Keys(1, access="RO"), since="5.0.0", syntax="XLEN key")
def xlen(ctx: Context, key: bytes) -> int:
    """Tells how many entries a stream has. raises: WrongType. cost: O(1)."""
    record = store.find(ctx.ks, key)
    return 0 if record is None else record.length


@command("XRANGE", flags=READONLY, keys=Keys(1), since="5.0.0", syntax="XRANGE key start end [COUNT count]")
def xrange(ctx: Context, key: bytes, start: bytes, end: bytes, *options: bytes) -> Reply:
    """Gives the entries of a range of ids, oldest first.

    start, end: ids, which are in the range but for `(id`; `-` and `+` for the least and the greatest.
    returns: [id, [field, value, ...]] for each; NULL_ARRAY where COUNT is not positive.
    raises: BadStreamId, BadIntervalStart, BadIntervalEnd, SyntaxFault, NotAnInteger, WrongType.
    cost: O(entries that are given).
    """
    return _range(ctx, key, start, end, options, reverse=False)


@command("XREVRANGE", flags=READONLY, keys=Keys(1), since="5.0.0", syntax="XREVRANGE key end start [COUNT count]")
def xrevrange(ctx: Context, key: bytes, end: bytes, start: bytes, *options: bytes) -> Reply:
    """Gives the entries of a range of ids, youngest first; otherwise as XRANGE, with the ends of the range turned.

    raises: BadStreamId, BadIntervalStart, BadIntervalEnd, SyntaxFault, NotAnInteger, WrongType.
    cost: O(entries that are given).
    """
    return _range(ctx, key, start, end, options, reverse=True)


def _range(ctx: Context, key: bytes, start: bytes, end: bytes, options: tuple[bytes, ...], *, reverse: bool) -> Reply:
    first, last = ids.parse_start(start), ids.parse_end(end)
    count: int | None = None
    args = Args(options)
    while args:
        if not args.skip(b"COUNT"):
            raise SyntaxFault
        count = max(args.int(), 0)
    record = store.find(ctx.ks, key)
    if record is None:
        return []
    if count == 0:
        return NULL_ARRAY
    return show_entries(store.read(ctx.ks, key, record, first, last, count, reverse=reverse))


def show_entries(entries: list[store.Entry]) -> Entries:
    """Entries as clients read them."""
    show = ids.show
    return Entries([[show(id_), fields] for id_, fields in entries])


@command("XDEL", flags=WRITE | FAST, keys=Keys(1, access="RW delete"), since="5.0.0", syntax="XDEL key id [id ...]")
def xdel(ctx: Context, key: bytes, id_: bytes, *more: bytes) -> int:
    """Removes entries. The stream stays, even without any.

    returns: how many there were.
    raises: WrongType, then BadStreamId.
    cost: O(ids).
    """
    ks = ctx.ks
    if store.find(ks, key) is None:
        return 0
    deleted = store.delete(ks, key, [ids.parse(each) for each in (id_, *more)])
    if deleted and ks.notify:
        ks.notify(events.STREAM, b"xdel", key)
    return deleted


@command(
    "XTRIM",
    flags=WRITE,
    keys=Keys(1, access="RW delete"),
    since="5.0.0",
    syntax="XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT count]",
    arity=-4,
)
def xtrim(ctx: Context, key: bytes, *options: bytes) -> int:
    """Removes the oldest entries, beyond a number or before an id.

    options: `~`: whole nodes only, so that up to one node more than the threshold says may stay.
    returns: how many were removed.
    raises: SyntaxFault, NotAnInteger, BadStreamId, CommandError (options that do not go together), then WrongType.
    cost: O(removed).
    differs: `MINID ~` looks at the entries of a node that are there, in Redis also at the last one if that was deleted.
    """
    args = Args(options)
    trim = trimming.Trim()
    while args:
        if not trimming.parse_option(args, args.word() if len(args) > 1 else b"", trim):
            raise SyntaxFault
    trimming.check(trim, needed=True)
    ks = ctx.ks
    record = store.find(ks, key)
    removed = 0 if record is None else trimming.trim_stream(ks, key, record, trim)
    if removed and ks.notify:
        ks.notify(events.STREAM, b"xtrim", key)
    return removed


@command(
    "XSETID",
    flags=WRITE | DENYOOM | FAST,
    keys=Keys(1, access="RW update"),
    since="5.0.0",
    syntax="XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
)
def xsetid(ctx: Context, key: bytes, last_id: bytes, *options: bytes) -> Reply:
    """Sets the last id of a stream, which the next entry's must exceed; for those who copy streams.

    raises: BadStreamId, NotAnInteger, SyntaxFault, NoSuchKey, WrongType; CommandError: the numbers contradict what the
        stream holds.
    cost: O(1).
    """
    last = ids.parse(last_id)
    added, max_deleted = _parse_setid(last, options)
    ks = ctx.ks
    record = store.find(ks, key)
    if record is None:
        raise NoSuchKey
    if record.length:
        if last < windows.last_id(ks, record):
            raise CommandError("The ID specified in XSETID is smaller than the target stream top item")
        if added is not None and added < record.length:
            raise CommandError("The entries_added specified in XSETID is smaller than the target stream length")
    record.last = last
    if added is not None:
        record.added = added
    if max_deleted != ZERO:
        record.max_deleted = max_deleted
    windows.forget(record)
    ks.changed(key, record)
    if ks.notify:
        ks.notify(events.STREAM, b"xsetid", key)
    return OK


def _parse_setid(last: bytes, options: tuple[bytes, ...]) -> tuple[int | None, bytes]:
    """(ENTRIESADDED, MAXDELETEDID or ZERO). raises: SyntaxFault, NotAnInteger, BadStreamId, CommandError."""
    added: int | None = None
    max_deleted = ZERO
    args = Args(options)
    while args:
        word = args.word()
        if not args:
            raise SyntaxFault
        if word == b"ENTRIESADDED":
            added = args.int()
            if added < 0:
                raise CommandError("entries_added must be positive")
        elif word == b"MAXDELETEDID":
            max_deleted = ids.parse(args.take())
            if last < max_deleted:
                raise CommandError("The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
        else:
            raise SyntaxFault
    return added, max_deleted
