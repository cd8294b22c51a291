"""memcached's meta commands (mn, mg, ms, md, ma, me) on the strings of database 0.

Flags are read once, into a dict in their order (`_read_flags`); replies give back what was asked for in that order.
When a value was last read (`l`) and whether ever (`h`) is answered as it was before this request, which is a read too
unless it says `u`: memcached_uses.py.
A value that is stale, or that a client was told to renew, is marked in its record (datatypes/strings/marks.py).

source: memcached 1.6.18, doc/protocol.txt, and its behaviour as measured.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from spoold.command.context import Context
from spoold.datatypes.strings import marks, store
from spoold.frontends import memcached_words as words
from spoold.frontends.memcached_counts import Counts
from spoold.frontends.memcached_uses import keep_read, note_read, used_ms, was_read
from spoold.frontends.memcached_verbs import Verb, change_number, extend, find
from spoold.frontends.memcached_words import (
    BAD_FORMAT,
    ERROR,
    MAX_FLAGS,
    MAX_KEY_BYTES,
    MAX_UINT64,
    NOT_NUMERIC,
    TOO_LARGE_LINE,
    parse_unsigned,
)
from spoold.frontends.refusals import refuse_write
from spoold.keyspace.record import StringRecord

_MOST_WORDS: Final = 19
_OPAQUE_BYTES: Final = 31

_TOO_MANY_FLAGS: Final = b"CLIENT_ERROR options flags are too long\r\n"
_DUPLICATE: Final = b"CLIENT_ERROR duplicate flag\r\n"
_INVALID: Final = b"CLIENT_ERROR invalid flag\r\n"
_INVALID_OR_DUPLICATE: Final = b"CLIENT_ERROR invalid or duplicate flag\r\n"
_BAD_KEY: Final = b"CLIENT_ERROR error decoding key\r\n"
_BAD_TOKEN: Final = b"CLIENT_ERROR bad token in command line format\r\n"
_BAD_MODE_LENGTH: Final = b"CLIENT_ERROR incorrect length for M token\r\n"
_BAD_INITIAL: Final = b"CLIENT_ERROR invalid numeric initial value\r\n"
_BAD_DELTA: Final = b"CLIENT_ERROR invalid numeric delta value\r\n"
_LONG_OPAQUE: Final = b"CLIENT_ERROR opaque token too long\r\n"
_BAD_SET_MODE: Final = b"CLIENT_ERROR invalid mode for ms M token\r\n"
_BAD_ARITHMETIC_MODE: Final = b"CLIENT_ERROR invalid mode for ma M token\r\n"

# Flags without a token, or with one that only routers read.
_PLAIN: Final = frozenset(b"bkstcfvuqhlIPL"[at : at + 1] for at in range(14))
_TIMES: Final = frozenset((b"N", b"T", b"R"))
_NUMBERS: Final = {
    b"F": (MAX_FLAGS, BAD_FORMAT),
    b"C": (MAX_UINT64, _BAD_TOKEN),
    b"J": (MAX_UINT64, _BAD_INITIAL),
    b"D": (MAX_UINT64, _BAD_DELTA),
}
FLAGS: Final = _PLAIN | _TIMES | _NUMBERS.keys() | {b"M", b"O"}
"""Every flag that is read."""

_UPWARDS: Final = {None: True, b"I": True, b"+": True, b"D": False, b"-": False}

Flags = dict[bytes, Any]


class MetaVerbs:
    """The meta commands of one server; `table` is for `ValueVerbs`."""

    def __init__(self, counts: Counts, started_ms: int) -> None:
        """counts: where they count what they do. started_ms: when the server started, Unix ms."""
        self.counts = counts
        self._started_ms = started_ms
        self.table: dict[bytes, Verb] = {
            b"mn": self.noop,
            b"mg": self.get,
            b"ms": self.set_,
            b"md": self.delete,
            b"ma": self.arithmetic,
            b"me": self.debug,
        }

    def noop(self, ctx: Context, request: list[bytes]) -> bytes:
        """Answer at once: a client then knows that all before is done."""
        return b"MN\r\n"

    # -- mg -----------------------------------------------------------------------------------------------------

    def get(self, ctx: Context, request: list[bytes]) -> bytes:
        """Read a value and what else is asked for; renew its expiry, or create it, if that is asked for."""
        if len(request) < 2:
            return ERROR
        if len(request[1]) > MAX_KEY_BYTES:
            return BAD_FORMAT
        if len(request) > _MOST_WORDS:
            return _TOO_MANY_FLAGS
        flags, problem = _read_flags(request[2:])
        if problem is not None:
            return problem
        key = _key(request[1], flags)
        if key is None:
            return _BAD_KEY
        ks = ctx.ks
        now_ms = ctx.dbs.now_ms
        record = ks.young.get(key)
        if record.__class__ is not StringRecord or (record.expire_ms and record.expire_ms <= now_ms):
            record = self.counts.look_up(ks, key)
        created = False
        if record is None and b"N" in flags and ks.find(key) is None:
            refuse_write(ctx, adds=True)
            record = store.put(ks, key, b"")
            record.used_ms = now_ms
            store.tell_put(ks, key)
            created = True
        self._count_get(flags, hit=record is not None)
        if record is None:
            return b"" if b"q" in flags else b"EN%b\r\n" % _tail(request[1], flags)
        value = record.value
        shown = self._show(ctx, key, record, request[1], flags, created=created)
        if b"u" not in flags:
            note_read(record, now_ms)
        return b"VA %d%b\r\n%b\r\n" % (len(value), shown, value) if b"v" in flags else b"HD%b\r\n" % shown

    def _show(
        self, ctx: Context, key: bytes, record: StringRecord, key_word: bytes, flags: Flags, *, created: bool
    ) -> bytes:
        """What a hit answers to each flag, in their order; the flags that change the value do so."""
        now_ms = ctx.now_ms
        had = marks.marks(record)
        due_ms = record.expire_ms
        won = created
        parts = []
        for letter, token in flags.items():
            if letter == b"T" or (letter == b"N" and created):
                due_ms = words.expire_ms(token, now_ms)
            elif letter == b"R":
                won = won or (not had & marks.WON and 0 < due_ms < words.expire_ms(token, now_ms))
            elif letter == b"h":
                parts.append(b" h%d" % was_read(record))
            elif letter == b"l":
                parts.append(b" l%d" % self._idle_s(record, now_ms))
            else:
                parts.append(_part(letter, token, key_word, flags, record, due_ms, now_ms))
        if had & marks.WON:
            parts.append(b" Z")
        if had & marks.STALE:
            parts.append(b" X")
            won = won or not had & marks.WON
        if won:
            refuse_write(ctx)
            parts.append(b" W")
            marks.mark(record, had | marks.WON)
            ctx.ks.changed(key, record)
        if due_ms != record.expire_ms:
            refuse_write(ctx)
            store.set_expiry(ctx.ks, key, record, due_ms)
        return b"".join(parts)

    def _idle_s(self, record: StringRecord, now_ms: int) -> int:
        """Seconds since the value was last read or stored."""
        return max(now_ms - used_ms(record, self._started_ms), 0) // 1000

    def _count_get(self, flags: Flags, *, hit: bool) -> None:
        counts = self.counts
        counts.cmd_meta += 1
        if b"T" in flags:
            counts.count_touch(hit)
        elif hit:
            counts.get_hits += 1
        else:
            counts.get_misses += 1

    # -- ms -----------------------------------------------------------------------------------------------------

    def set_(self, ctx: Context, request: list[bytes]) -> bytes:
        """Store a value, in the way that the mode says."""
        if len(request[1]) > MAX_KEY_BYTES:
            return BAD_FORMAT
        if len(request) > _MOST_WORDS + 1:
            return b"CLIENT_ERROR options flags too long\r\n"
        flags, problem = _read_flags(request[3:-1])
        if problem is not None:
            return problem
        key = _key(request[1], flags)
        if key is None:
            return _BAD_KEY
        refuse_write(ctx, adds=True)
        self.counts.cmd_meta += 1
        self.counts.cmd_set += 1
        mode = flags.get(b"M", b"S")
        if mode in _ADDING:
            code = self._append(ctx, key, request[-1], flags, behind=mode == b"A")
        elif mode in _STORING:
            code = self._store(ctx, key, request[-1], flags, mode)
        else:
            return _BAD_SET_MODE
        if len(code) > 2:
            return code
        if code == b"HD" and b"q" in flags:
            return b""
        # What was just stored has the latest stamp, also if it was due at once and is gone again.
        return b"%b%b\r\n" % (code, _tail(request[1], flags, ctx.dbs.stamp if code == b"HD" else 0))

    def _store(self, ctx: Context, key: bytes, value: bytes, flags: Flags, mode: bytes) -> bytes:
        """Set, add or replace a value, which a cas id may stand in the way of; returns the reply's code."""
        ks = ctx.ks
        exists = ks.find(key) is not None
        record = find(ks, key)
        due_ms = words.expire_ms(flags.get(b"T", 0), ctx.now_ms)
        wanted_marks = 0
        if mode == b"E":
            if exists:
                return b"NS"
        elif b"C" in flags:
            if record is None:
                self.counts.cas_misses += 1
                return b"NF"
            current, given = marks.cas_id(record), flags[b"C"]
            if given == current:
                self.counts.cas_hits += 1
            elif b"I" in flags and 0 < given < current:
                # Too late to be the truth, but better than what was there: kept as stale, for no longer than that.
                due_ms = record.expire_ms
                wanted_marks = marks.STALE | marks.marks(record) & marks.WON
            else:
                self.counts.cas_badval += 1
                return b"EX"
        elif mode == b"R" and record is None:
            return b"NS"
        stored = store.put(ks, key, value, due_ms, flags.get(b"F", 0))
        stored.used_ms = ctx.now_ms
        if wanted_marks:
            marks.mark(stored, wanted_marks)
        store.tell_put(ks, key, due_ms)
        return b"HD"

    def _append(self, ctx: Context, key: bytes, data: bytes, flags: Flags, *, behind: bool) -> bytes:
        """Add data to a value; returns the reply's code, or a whole error line."""
        record = find(ctx.ks, key)
        if record is None:
            return b"NS"
        if flags.get(b"C", 0) not in (0, marks.cas_id(record)):
            return b"EX"
        return b"HD" if extend(ctx.ks, key, record, data, behind=behind) else TOO_LARGE_LINE

    # -- md -----------------------------------------------------------------------------------------------------

    def delete(self, ctx: Context, request: list[bytes]) -> bytes:
        """Delete a value, or mark it stale."""
        flags, key, problem = _read_request(request)
        if problem is not None:
            return problem
        refuse_write(ctx)
        counts = self.counts
        counts.cmd_meta += 1
        record = find(ctx.ks, key)
        if record is None:
            counts.delete_misses += 1
            code = b"NF"
        elif b"C" in flags and flags[b"C"] != marks.cas_id(record):
            counts.delete_misses += 1
            code = b"EX"
        else:
            if b"I" in flags:
                read = was_read(record)
                record.stamp = ctx.dbs.new_stamp()
                marks.mark(record, marks.STALE)
                if read:
                    keep_read(record)
                due_ms = words.expire_ms(flags[b"T"], ctx.now_ms) if b"T" in flags else record.expire_ms
                store.set_expiry(ctx.ks, key, record, due_ms)
            else:
                ctx.ks.remove(key)
                counts.delete_hits += 1
            if b"q" in flags:
                return b""
            code = b"HD"
        return b"%b%b\r\n" % (code, _tail(request[1], flags))

    # -- ma -----------------------------------------------------------------------------------------------------

    def arithmetic(self, ctx: Context, request: list[bytes]) -> bytes:
        """Increment or decrement the number that a value holds, or create it."""
        flags, key, problem = _read_request(request)
        if problem is not None:
            return problem
        up = _UPWARDS.get(flags.get(b"M"))
        if up is None:
            return _BAD_ARITHMETIC_MODE
        refuse_write(ctx, adds=True)
        ks = ctx.ks
        existing = ks.find(key)
        self.counts.cmd_meta += 1
        self.counts.count_arithmetic(up, existing is not None)
        if existing is None:
            if b"N" not in flags:
                return b"NF%b\r\n" % _tail(request[1], flags)
            store.put(ks, key, b"%d" % flags.get(b"J", 0)).used_ms = ctx.now_ms
            store.tell_put(ks, key)
        else:
            if not isinstance(existing, StringRecord):
                return NOT_NUMERIC
            # memcached sees that an empty value is no number before it looks at the cas id.
            if existing.value and flags.get(b"C", 0) not in (0, marks.cas_id(existing)):
                return b"EX%b\r\n" % _tail(request[1], flags)
            if not change_number(ks, key, existing, flags.get(b"D", 1), up=up):
                return NOT_NUMERIC
        record = find(ks, key)
        assert record is not None  # noqa: S101 - stored above, without an expiry that is past
        shown = self._show_number(ctx, key, record, request[1], flags, created=existing is None)
        if b"q" in flags and existing is not None:
            return b""
        return shown

    def _show_number(
        self, ctx: Context, key: bytes, record: StringRecord, key_word: bytes, flags: Flags, *, created: bool
    ) -> bytes:
        """The reply of a number that was changed; the flags that change its expiry do so."""
        value = record.value
        due_ms = record.expire_ms
        parts = []
        for letter, token in flags.items():
            if letter == b"T" or (letter == b"N" and created):
                due_ms = words.expire_ms(token, ctx.now_ms)
            elif letter not in (b"s", b"f"):
                parts.append(_part(letter, token, key_word, flags, record, due_ms, ctx.now_ms))
        if due_ms != record.expire_ms:
            store.set_expiry(ctx.ks, key, record, due_ms)
        shown = b"".join(parts)
        return b"VA %d%b\r\n%b\r\n" % (len(value), shown, value) if b"v" in flags else b"HD%b\r\n" % shown

    # -- me -----------------------------------------------------------------------------------------------------

    def debug(self, ctx: Context, request: list[bytes]) -> bytes:
        """Show what is known of a value, for people."""
        if len(request) < 2 or len(request[1]) > MAX_KEY_BYTES:
            return BAD_FORMAT
        key = _decode(request[1]) if request[2:3] == [b"b"] else request[1]
        if key is None:
            return BAD_FORMAT
        self.counts.cmd_meta += 1
        record = find(ctx.ks, key)
        if record is None:
            return b"EN\r\n"
        # As memcached shows it: -1 is for ever, and so is one second.
        left_s = -abs(words.seconds_left(record.expire_ms, ctx.now_ms))
        size = len(key) + len(record.value)
        idle_s = self._idle_s(record, ctx.now_ms)
        fetched = b"yes" if was_read(record) else b"no"
        shown = (request[1], left_s, idle_s, marks.cas_id(record), fetched, size)
        return b"ME %b exp=%d la=%d cas=%d fetch=%b cls=1 size=%d\r\n" % shown


_ADDING: Final = frozenset((b"A", b"P"))
_STORING: Final = frozenset((b"S", b"E", b"R"))


def _read_flags(flag_words: list[bytes]) -> tuple[Flags, bytes | None]:
    """The flags of a request by their letters, in order, and the error line if something is wrong with them."""
    flags: Flags = {}
    problem = None
    for word in flag_words:
        letter = word[:1]
        if letter in flags or letter >= b"\x7f":
            return flags, _DUPLICATE
        token = word[1:]
        flags[letter] = token
        if letter in _PLAIN:
            continue
        if letter == b"O":
            if len(token) > _OPAQUE_BYTES:
                problem = _LONG_OPAQUE
        elif letter in _TIMES:
            flags[letter] = words.parse_exptime(token)
            if flags[letter] is None:
                problem = _BAD_TOKEN
        elif letter in _NUMBERS:
            limit, fault = _NUMBERS[letter]
            flags[letter] = parse_unsigned(token, limit)
            if flags[letter] < 0:
                problem = fault
        elif letter == b"M":
            if len(token) != 1:
                problem = _BAD_MODE_LENGTH
        else:
            return flags, _INVALID
    return flags, problem


def _read_request(request: list[bytes]) -> tuple[Flags, bytes, bytes | None]:
    """Flags, key and error line of md and ma, which say little about what is wrong with a flag."""
    if len(request) < 2:
        return {}, b"", ERROR
    if len(request[1]) > MAX_KEY_BYTES:
        return {}, b"", BAD_FORMAT
    if len(request) > _MOST_WORDS:
        return {}, b"", b"CLIENT_ERROR options flags too long\r\n"
    flags, problem = _read_flags(request[2:])
    key = _key(request[1], flags)
    if problem == _LONG_OPAQUE:
        return flags, b"", problem
    if problem is not None or key is None:
        return flags, b"", _INVALID_OR_DUPLICATE
    return flags, key, None


def _key(word: bytes, flags: Flags) -> bytes | None:
    """The key that a request names; None if it is to be decoded and can't be."""
    return _decode(word) if b"b" in flags else word


def _decode(word: bytes) -> bytes | None:
    try:
        return base64.b64decode(word, validate=True) or None
    except binascii.Error:
        return None


def _tail(key_word: bytes, flags: Flags, cas_id: int = -1) -> bytes:
    """What every reply gives back: the opaque, the key, and where there is one, the cas id."""
    parts = []
    for letter, token in flags.items():
        if letter == b"O":
            parts.append(b" O" + token)
        elif letter == b"k":
            parts.append(_key_part(key_word, flags))
        elif letter == b"c" and cas_id >= 0:
            parts.append(b" c%d" % cas_id)
    return b"".join(parts)


def _key_part(key_word: bytes, flags: Flags) -> bytes:
    return b" k%b b" % key_word if b"b" in flags else b" k" + key_word


def _part(
    letter: bytes, token: bytes, key_word: bytes, flags: Flags, record: StringRecord, due_ms: int, now_ms: int
) -> bytes:
    """What one flag gives back for a value; nothing if it asks for nothing."""
    if letter == b"t":
        return b" t%d" % words.seconds_left(due_ms, now_ms)
    if letter == b"c":
        return b" c%d" % marks.cas_id(record)
    if letter == b"f":
        return b" f%d" % record.flags
    if letter == b"s":
        return b" s%d" % len(record.value)
    if letter == b"O":
        return b" O" + token
    return _key_part(key_word, flags) if letter == b"k" else b""
