"""memcached's classic verbs on the strings of database 0.

A key of another type (a list, a set) is no value here: it is not found, not deleted and not touched; `add` takes its
name as taken, and only `set` puts a value in its place, as SET of Redis does.

Verbs take the client's context and the request as the codec gave it, and return the reply's bytes. One word more than
a verb needs at least is `noreply` or nothing: `_extra_word`. To add a verb, write a method and name it in `_table`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from spoold.command.context import Context
from spoold.datatypes.strings import marks, store
from spoold.dispatch.admission import Admission
from spoold.dispatch.dispatcher import OUT_BYTES
from spoold.dispatch.door import go_on_later
from spoold.dispatch.session import session_of
from spoold.frontends import memcached_words as words
from spoold.frontends.memcached_counts import Counts
from spoold.frontends.memcached_uses import keep_read, note_read, was_read
from spoold.frontends.memcached_words import (
    BAD_CHUNK_LINE,
    BAD_DELTA,
    BAD_EXPTIME,
    BAD_FORMAT,
    DELETED,
    END,
    ERROR,
    EXISTS,
    MAX_FLAGS,
    MAX_KEY_BYTES,
    MAX_UINT64,
    NOT_FOUND,
    NOT_NUMERIC,
    NOT_STORED,
    OK,
    STORED,
    TOO_LARGE_LINE,
    TOUCHED,
    parse_unsigned,
)
from spoold.frontends.refusals import refuse_write
from spoold.keyspace import events
from spoold.keyspace.keyspace import NEVER_MS, Keyspace
from spoold.keyspace.record import StringRecord
from spoold.protocol.memcached import BAD_CHUNK, BAD_LENGTH, EMPTY_LINE, MISCOUNTED, TOO_LARGE

VERSION: Final = b"VERSION 1.6.18\r\n"

# A request for very many keys goes on in the next turn after so many.
_KEYS_A_TURN: Final = 4096
# The rest of such a request; no client can write a word with a space.
_MORE: Final = b" more keys"

_NOREPLY: Final = b"noreply"
_BAD_DELETE: Final = b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"
_STORING: Final = frozenset((b"set", b"add", b"replace", b"append", b"prepend", b"cas"))
_ADDS: Final = _STORING | {b"incr", b"decr"}
_WRITES: Final = _ADDS | {b"touch", b"gat", b"gats", b"delete", b"flush_all"}

Verb = Callable[[Context, list[Any]], bytes]


class ValueVerbs:
    """The verbs of one server; `run` is what its door calls.

    counts: what `stats` shows. table: verbs by name; those of other files are put into it.
    """

    def __init__(self, counts: Counts, admission: Admission) -> None:
        """counts: where they count what they do. admission: knows whether there is too much data."""
        self.counts = counts
        self._admission = admission
        self.table: dict[bytes, Verb] = {
            b"get": self.get,
            b"gets": self.gets,
            b"bget": self.get,
            b"gat": self.gat,
            b"gats": self.gat,
            _MORE: self._more,
            b"set": self.set_,
            b"add": self.add,
            b"replace": self.replace,
            b"append": self.append,
            b"prepend": self.append,
            b"cas": self.cas,
            b"delete": self.delete,
            b"incr": self.arithmetic,
            b"decr": self.arithmetic,
            b"touch": self.touch,
            b"flush_all": self.flush_all,
            b"version": self.version,
            b"verbosity": self.verbosity,
            b"shutdown": self.shutdown,
            b"quit": self.quit_,
            EMPTY_LINE: self.wrong,
            MISCOUNTED: self.wrong,
            BAD_LENGTH: self.bad_length,
            BAD_CHUNK: self.bad_chunk,
            TOO_LARGE: self.too_large,
        }

    def run(self, ctx: Context, request: list[Any]) -> bytes:
        """Answer one request."""
        verb = self.table.get(request[0])
        if verb is None:
            return ERROR
        if (ctx.dbs.read_only or self._admission.over_limit) and request[0] in _WRITES:
            quiet = request[-2 if request[0] in _STORING else -1] == _NOREPLY
            if refuse_write(ctx, adds=request[0] in _ADDS, quiet=quiet):
                return b""
        return verb(ctx, request)

    # -- reading ------------------------------------------------------------------------------------------------

    def get(self, ctx: Context, request: list[bytes]) -> bytes:
        """Answer the values of the keys that have one."""
        if len(request) != 2:
            return self._get_many(ctx, iter(request[1:]), None, with_cas=False) if len(request) > 2 else ERROR
        key = request[1]
        if len(key) > MAX_KEY_BYTES:
            return BAD_FORMAT
        now_ms = ctx.dbs.now_ms
        record = ctx.ks.young.get(key)
        if record.__class__ is not StringRecord or (record.expire_ms and record.expire_ms <= now_ms):
            record = self.counts.look_up(ctx.ks, key)
            if record is None:
                self.counts.get_misses += 1
                return END
        self.counts.get_hits += 1
        record.used_ms = now_ms
        record.read_stamp = record.stamp
        value = record.value
        return b"VALUE %b %d %d\r\n%b\r\nEND\r\n" % (key, record.flags, len(value), value)

    def gets(self, ctx: Context, request: list[bytes]) -> bytes:
        """As get, with the cas id of each value."""
        return self._get_many(ctx, iter(request[1:]), None, with_cas=True) if len(request) > 1 else ERROR

    def gat(self, ctx: Context, request: list[bytes]) -> bytes:
        """As get or gets, giving each value a new expiry."""
        if len(request) < 2:
            return ERROR
        exptime_s = words.parse_exptime(request[1])
        if exptime_s is None:
            return BAD_EXPTIME
        return self._get_many(ctx, iter(request[2:]), exptime_s, with_cas=request[0] == b"gats")

    def _more(self, ctx: Context, request: list[Any]) -> bytes:
        _, keys, exptime_s, with_cas = request
        return self._get_many(ctx, keys, exptime_s, with_cas=with_cas)

    def _get_many(self, ctx: Context, keys: Iterator[bytes], exptime_s: int | None, *, with_cas: bool) -> bytes:
        """Answer the values of `keys`; of very many keys, or large values, the rest in the next turn."""
        parts: list[bytes] = []
        size = 0
        for count, key in enumerate(keys, 1):
            if len(key) > MAX_KEY_BYTES:
                return BAD_FORMAT
            record = self.counts.look_up(ctx.ks, key)
            self._count_get(exptime_s, hit=record is not None)
            if record is not None:
                note_read(record, ctx.dbs.now_ms)
                value = record.value
                if with_cas:
                    head = b"VALUE %b %d %d %d\r\n" % (key, record.flags, len(value), marks.cas_id(record))
                else:
                    head = b"VALUE %b %d %d\r\n" % (key, record.flags, len(value))
                parts += (head, value, b"\r\n")
                size += len(head) + len(value)
                if exptime_s is not None:
                    store.set_expiry(ctx.ks, key, record, words.expire_ms(exptime_s, ctx.now_ms))
            if size > OUT_BYTES or count >= _KEYS_A_TURN:
                go_on_later(ctx, [_MORE, keys, exptime_s, with_cas])
                return b"".join(parts)
        parts.append(END)
        return b"".join(parts)

    def _count_get(self, exptime_s: int | None, *, hit: bool) -> None:
        counts = self.counts
        if exptime_s is not None:
            counts.count_touch(hit)
        elif hit:
            counts.get_hits += 1
        else:
            counts.get_misses += 1

    # -- storing ------------------------------------------------------------------------------------------------

    def set_(self, ctx: Context, request: list[bytes]) -> bytes:
        """Store a value, whatever the key held."""
        if len(request) != 6:
            return _extra_word(self.set_, ctx, request)
        _, key, flags_word, exptime, _, value = request
        flags = 0 if flags_word == b"0" else parse_unsigned(flags_word, MAX_FLAGS)
        if flags < 0 or len(key) > MAX_KEY_BYTES:
            return BAD_FORMAT
        if exptime == b"0":
            due_ms = 0
        else:
            exptime_s = words.parse_exptime(exptime)
            if exptime_s is None:
                return BAD_FORMAT
            due_ms = words.expire_ms(exptime_s, ctx.now_ms)
        self.counts.cmd_set += 1
        ks = ctx.ks
        store.put(ks, key, value, due_ms, flags).used_ms = ks.dbs.now_ms
        if ks.notify:
            store.tell_put(ks, key, due_ms)
        return STORED

    def add(self, ctx: Context, request: list[bytes]) -> bytes:
        """Store a value unless the name is taken."""
        if len(request) != 6:
            return _extra_word(self.add, ctx, request)
        if (problem := _storage_problem(request)) is not None:
            return problem
        if ctx.ks.find(request[1]) is not None:
            self.counts.cmd_set += 1
            return NOT_STORED
        return self.set_(ctx, request)

    def replace(self, ctx: Context, request: list[bytes]) -> bytes:
        """Store a value if there is one already."""
        if len(request) != 6:
            return _extra_word(self.replace, ctx, request)
        if (problem := _storage_problem(request)) is not None:
            return problem
        if find(ctx.ks, request[1]) is None:
            self.counts.cmd_set += 1
            return NOT_STORED
        return self.set_(ctx, request)

    def cas(self, ctx: Context, request: list[bytes]) -> bytes:
        """Store a value if no one has changed it since the client read it."""
        if len(request) != 7:
            return _extra_word(self.cas, ctx, request)
        stored = [*request[:5], request[6]]
        cas_id = parse_unsigned(request[5], MAX_UINT64)
        if (problem := _storage_problem(stored)) is not None:
            return problem
        if cas_id < 0:
            return BAD_FORMAT
        record = find(ctx.ks, request[1])
        counts = self.counts
        if record is not None and marks.cas_id(record) == cas_id:
            counts.cas_hits += 1
            return self.set_(ctx, stored)
        counts.cmd_set += 1
        if record is None:
            counts.cas_misses += 1
            return NOT_FOUND
        counts.cas_badval += 1
        return EXISTS

    def append(self, ctx: Context, request: list[bytes]) -> bytes:
        """Add data behind a value (append) or before it (prepend), which keeps its flags and expiry."""
        if len(request) != 6:
            return _extra_word(self.append, ctx, request)
        if (problem := _storage_problem(request)) is not None:
            return problem
        verb, key, data = request[0], request[1], request[5]
        self.counts.cmd_set += 1
        record = find(ctx.ks, key)
        if record is None:
            return NOT_STORED
        return STORED if extend(ctx.ks, key, record, data, behind=verb == b"append") else TOO_LARGE_LINE

    # -- changing -----------------------------------------------------------------------------------------------

    def delete(self, ctx: Context, request: list[bytes]) -> bytes:
        """Delete a value."""
        if len(request) != 2:
            return self._delete_with_words(ctx, request)
        key = request[1]
        if len(key) > MAX_KEY_BYTES:
            return BAD_FORMAT
        if find(ctx.ks, key) is None:
            self.counts.delete_misses += 1
            return NOT_FOUND
        ctx.ks.remove(key)
        self.counts.delete_hits += 1
        return DELETED

    def _delete_with_words(self, ctx: Context, request: list[bytes]) -> bytes:
        """Old clients send a time behind the key, which may only be 0."""
        if not 2 < len(request) < 5:
            return ERROR
        quiet = request[-1] == _NOREPLY
        options = request[2:-1] if quiet else request[2:]
        reply = _BAD_DELETE if options not in ([], [b"0"]) else self.delete(ctx, request[:2])
        return b"" if quiet else reply

    def arithmetic(self, ctx: Context, request: list[bytes]) -> bytes:
        """Increment (incr) or decrement (decr) the number that a value holds, which keeps its flags and expiry."""
        if len(request) != 3:
            return _extra_word(self.arithmetic, ctx, request) if len(request) == 4 else ERROR
        verb, key, delta_word = request
        if len(key) > MAX_KEY_BYTES:
            return BAD_FORMAT
        delta = parse_unsigned(delta_word, MAX_UINT64)
        if delta < 0:
            return BAD_DELTA
        up = verb == b"incr"
        record = ctx.ks.find(key)
        self.counts.count_arithmetic(up, record is not None)
        if record is None:
            return NOT_FOUND
        if not isinstance(record, StringRecord) or not change_number(ctx.ks, key, record, delta, up=up):
            return NOT_NUMERIC
        return record.value + b"\r\n"

    def touch(self, ctx: Context, request: list[bytes]) -> bytes:
        """Give a value a new expiry."""
        if len(request) != 3:
            return _extra_word(self.touch, ctx, request) if len(request) == 4 else ERROR
        _, key, exptime = request
        if len(key) > MAX_KEY_BYTES:
            return BAD_FORMAT
        exptime_s = words.parse_exptime(exptime)
        if exptime_s is None:
            return BAD_EXPTIME
        record = find(ctx.ks, key)
        self.counts.count_touch(record is not None)
        if record is None:
            return NOT_FOUND
        note_read(record, ctx.now_ms)
        store.set_expiry(ctx.ks, key, record, words.expire_ms(exptime_s, ctx.now_ms))
        return TOUCHED

    def flush_all(self, ctx: Context, request: list[bytes]) -> bytes:
        """Drop all values, at once or when a delay is over; either takes the place of an order that still waits."""
        if len(request) > 3:
            return ERROR
        quiet = request[-1] == _NOREPLY
        options = request[1:-1] if quiet else request[1:]
        delay_s = words.parse_exptime(options[0]) if options else 0
        if delay_s is None:
            return b"" if quiet else BAD_EXPTIME
        self.counts.cmd_flush += 1
        flush_ms = words.expire_ms(delay_s, ctx.now_ms)
        if flush_ms > ctx.now_ms:
            ctx.dbs.set_flush_time(flush_ms)
        else:
            ctx.ks.flush_strings()
            ctx.dbs.set_flush_time(NEVER_MS)
        return b"" if quiet else OK

    # -- the connection -----------------------------------------------------------------------------------------

    def version(self, ctx: Context, request: list[bytes]) -> bytes:
        """Name the version of memcached whose protocol this is."""
        return VERSION

    def verbosity(self, ctx: Context, request: list[bytes]) -> bytes:
        """Accept a level, which changes nothing."""
        if not 1 < len(request) < 4:
            return ERROR
        reply = BAD_FORMAT if parse_unsigned(request[1], MAX_FLAGS) < 0 else OK
        return b"" if request[-1] == _NOREPLY else reply

    def shutdown(self, ctx: Context, request: list[bytes]) -> bytes:
        """Refuse."""
        return b"ERROR: shutdown not enabled\r\n"

    def quit_(self, ctx: Context, request: list[bytes]) -> bytes:
        """Close the connection once the replies before are sent."""
        session_of(ctx).closing = True
        return b""

    # -- requests that the codec found a fault in ---------------------------------------------------------------

    def wrong(self, ctx: Context, request: list[bytes]) -> bytes:
        """No words, or a number of them that the verb does not take."""
        return BAD_FORMAT if request[1:2] == [b"ms"] and len(request) > 2 else ERROR

    def bad_length(self, ctx: Context, request: list[bytes]) -> bytes:
        """The length of the block is no number."""
        return b"" if _is_quiet(request[1:]) else BAD_FORMAT

    def bad_chunk(self, ctx: Context, request: list[bytes]) -> bytes:
        """The block does not end where it should."""
        return b"" if _is_quiet(request[1:]) else BAD_CHUNK_LINE

    def too_large(self, ctx: Context, request: list[bytes]) -> bytes:
        """The value is too long: the client must not go on reading the one that it wanted to replace."""
        _, verb, key, *rest = request
        self.counts.store_too_large += 1
        replaces = verb == b"set" or (verb == b"ms" and not any(word[:1] in b"MC" for word in rest))
        if replaces and not ctx.dbs.read_only and find(ctx.ks, key) is not None:
            ctx.ks.remove(key)
        return b"" if _is_quiet(request[1:]) else TOO_LARGE_LINE


def find(ks: Keyspace, key: bytes) -> StringRecord | None:
    """The value's record; None if there is none, or something that is no value."""
    record = ks.find(key)
    return record if record.__class__ is StringRecord else None


def change_number(ks: Keyspace, key: bytes, record: StringRecord, delta: int, *, up: bool) -> bool:
    """Add to, or take from, the number in a value; returns False, and does nothing, if there is none in it."""
    number = words.parse_number(record.value)
    if number is None:
        return False
    text = b"%d" % words.add_delta(number, delta, up)
    # As in memcached, which changes a number in place as long as it does not become longer.
    in_place = len(text) <= len(record.value)
    kept = marks.marks(record) if in_place else 0
    read = in_place and was_read(record)
    store.edit(ks, key, record, text)
    if kept:
        marks.mark(record, kept)
    record.used_ms = ks.dbs.now_ms
    if read:
        keep_read(record)
    if ks.notify:
        ks.notify(events.STRING, b"incrby", key)
    return True


def extend(ks: Keyspace, key: bytes, record: StringRecord, data: bytes, *, behind: bool) -> bool:
    """Add data to a value; returns False, and does nothing, if it would be too long."""
    if len(record.value) + len(data) > ks.dbs.value_limit_bytes:
        return False
    store.edit(ks, key, record, record.value + data if behind else data + record.value)
    record.used_ms = ks.dbs.now_ms
    if ks.notify:
        ks.notify(events.STRING, b"append", key)
    return True


def _extra_word(verb: Verb, ctx: Context, request: list[bytes]) -> bytes:
    """Run a verb without the last word of its line, and say nothing if that was `noreply`."""
    at = -2 if request[0] in _STORING else -1
    reply = verb(ctx, request[:-2] + request[-1:] if at == -2 else request[:-1])
    return b"" if request[at] == _NOREPLY else reply


def _storage_problem(request: list[bytes]) -> bytes | None:
    """What is wrong with the words of a storing verb; None if nothing is."""
    if (
        len(request[1]) > MAX_KEY_BYTES
        or parse_unsigned(request[2], MAX_FLAGS) < 0
        or words.parse_exptime(request[3]) is None
    ):
        return BAD_FORMAT
    return None


def _is_quiet(line: list[bytes]) -> bool:
    """Whether no one reads the answer to a line with a block; errors of meta commands are always answered."""
    return line[0] != b"ms" and line[-1] == _NOREPLY
