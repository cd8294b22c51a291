"""The verbs of the queue door on the lists of database 0.

`set` appends, `get` takes the head; docs/protocols/memcached-queue.md has the whole dialect. A key of another type is
no queue: SERVER_ERROR WRONGTYPE. Verbs take the client's context and the request as the codec gave it, and return the
reply's bytes, or a Wait. To add a verb, write a method and name it in `table`; if it writes, in `_WRITES` too.

source: shared reference, memcached-queue-dialect.md; compare kestrel MemcacheHandler.scala.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from spoold import __version__
from spoold.command.context import STILL_WAITING, Context, Wait
from spoold.core.errors import CommandError
from spoold.datatypes.jobs import fanout, leases
from spoold.datatypes.jobs import store as jobs
from spoold.datatypes.lists import editing
from spoold.datatypes.lists import store as lists
from spoold.datatypes.lists.store import HEAD, TAIL, Tag
from spoold.datatypes.lists.tags import is_due
from spoold.dispatch.admission import Admission
from spoold.dispatch.dispatcher import OUT_BYTES
from spoold.dispatch.door import go_on_later
from spoold.dispatch.session import session_of
from spoold.frontends import memcached_words as words
from spoold.frontends.memcached_queue_open import MORE_OF_MONITOR, OpenReads
from spoold.frontends.memcached_queue_totals import Totals
from spoold.frontends.memcached_queue_words import (
    BAD_NUMBER,
    BAD_WAIT,
    MAX_WAIT_MS,
    NO_DELAY,
    NOT_SO_MANY,
    OPEN_ALREADY,
    Read,
    name_problem,
    parent,
    parse_read,
)
from spoold.frontends.memcached_words import (
    BAD_CHUNK_LINE,
    BAD_FORMAT,
    DELETED,
    END,
    ERROR,
    MAX_FLAGS,
    NOT_FOUND,
    NOT_STORED,
    OK,
    STORED,
    TOO_LARGE_LINE,
    parse_unsigned,
)
from spoold.frontends.refusals import refuse_write
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.record import ListRecord, TaggedListRecord
from spoold.protocol.memcached import BAD_CHUNK, BAD_LENGTH, EMPTY_LINE, MISCOUNTED, TOO_LARGE

_NOREPLY: Final = b"noreply"
_MORE_OF_FLUSH: Final = b" more of flush_all"
_ADDS: Final = frozenset((b"set", b"add"))
_WRITES: Final = _ADDS | {b"delete", b"flush", b"flush_all", b"monitor", b"confirm", MORE_OF_MONITOR, _MORE_OF_FLUSH}
# Items that one turn gives to a `monitor`, and names that one turn of flush_all looks at.
_ITEMS_A_TURN: Final = 64
_NAMES_A_TURN: Final = 1000
# Open reads that one connection may gather on one queue with `monitor`.
MAX_OPEN: Final = 10_000
_MAX_SECONDS: Final = MAX_WAIT_MS // 1000

Verb = Callable[[Context, list[Any]], "bytes | Wait"]


class QueueVerbs:
    """The verbs of one server; `run` is what its door calls.

    totals: what `stats` shows. table: verbs by name; those of other files are put into it.
    """

    def __init__(self, reads: OpenReads, totals: Totals, admission: Admission) -> None:
        """reads: who holds which leases. admission: knows whether there is too much data."""
        self._reads = reads
        self._admission = admission
        self._totals = totals
        self.table: dict[bytes, Verb] = {
            b"get": self.get,
            b"set": self.set_,
            b"add": self.add,
            b"delete": self.delete,
            b"flush": self.flush,
            b"flush_all": self.flush_all,
            _MORE_OF_FLUSH: self._more_of_flush,
            b"monitor": self.monitor,
            MORE_OF_MONITOR: self._more_of_monitor,
            b"confirm": self.confirm,
            b"version": self.version,
            b"verbosity": self.verbosity,
            b"quit": self.quit_,
            EMPTY_LINE: self.wrong,
            MISCOUNTED: self.wrong,
            BAD_LENGTH: self.bad_length,
            BAD_CHUNK: self.bad_chunk,
            TOO_LARGE: self.too_large,
        }

    def run(self, ctx: Context, request: list[Any]) -> bytes | Wait:
        """Answer one request. raises: CommandError."""
        verb = self.table.get(request[0])
        if verb is None:
            return ERROR
        if (ctx.dbs.read_only or self._admission.over_limit) and (
            request[0] in _WRITES or (request[0] == b"get" and not _only_looks(request))
        ):
            adds = request[0] in _ADDS
            if refuse_write(ctx, adds=adds, quiet=request[-2 if adds else -1] == _NOREPLY):
                return b""
        return verb(ctx, request)

    # -- adding -------------------------------------------------------------------------------------------------

    def set_(self, ctx: Context, request: list[bytes]) -> bytes:
        """Append an item to a queue and to its children."""
        return self._store(ctx, request, only_new=False)

    def add(self, ctx: Context, request: list[bytes]) -> bytes:
        """Append an item unless an equal one waits. cost: O(items that wait)."""
        return self._store(ctx, request, only_new=True)

    def _store(self, ctx: Context, request: list[bytes], *, only_new: bool) -> bytes:
        if len(request) == 7:
            if request[5] != _NOREPLY:
                return ERROR
            with suppress(CommandError):  # no one reads the answer
                self._store(ctx, [*request[:5], request[6]], only_new=only_new)
            return b""
        _, queue, flags_word, exptime, _, value = request
        flags = parse_unsigned(flags_word, MAX_FLAGS)
        due_ms = 0
        if exptime != b"0":
            exptime_s = words.parse_exptime(exptime)
            if exptime_s is None:
                return BAD_FORMAT
            due_ms = words.expire_ms(exptime_s, ctx.now_ms)
        if flags < 0:
            return BAD_FORMAT
        if (problem := name_problem(queue)) is not None:
            return problem
        ks = ctx.ks
        targets = [queue, *fanout.children(ks, queue)]
        for target in targets:
            lists.find(ks, target)  # their types must be right before anything is added
        if b"+" in queue:
            _mention(ks, queue)
        if only_new and _waits(ks, queue, value):
            self._totals.of(queue).refused += 1
            return NOT_STORED
        for target in targets:
            self._totals.of(target).added += 1
            if 0 < due_ms <= ctx.now_ms:
                ctx.dbs.expired_items += 1
            elif flags or due_ms:
                lists.put(ks, target, TAIL, value, Tag(flags, due_ms, ctx.now_ms))
            else:
                lists.push(ks, target, TAIL, (value,))
        return STORED

    # -- taking -------------------------------------------------------------------------------------------------

    def get(self, ctx: Context, request: list[bytes]) -> bytes | Wait:
        """Take, open, close, give back or look at items, as the options behind the names say."""
        if len(request) != 2:
            return self._get_many(ctx, request)
        key = request[1]
        if b"/" in key or b"+" in key or len(key) > words.MAX_KEY_BYTES:
            read = parse_read(key)
            return read if isinstance(read, bytes) else self._read(ctx, read)
        taken = lists.take(ctx.ks, key, HEAD)
        if taken is None:
            self._totals.of(key).missed += 1
            return END
        self._totals.of(key).taken += 1
        value, tag = taken
        return b"VALUE %b %d %d\r\n%b\r\nEND\r\n" % (key, tag.flags, len(value), value)

    def _get_many(self, ctx: Context, request: list[bytes]) -> bytes:
        """As a get for each of the names, all or none; none may wait."""
        reads: list[Read] = []
        opened: set[bytes] = set()
        for key in request[1:]:
            read = parse_read(key)
            if isinstance(read, bytes):
                return read
            if read.wait_ms:
                return BAD_WAIT
            if read.open:
                if read.queue in opened:
                    return OPEN_ALREADY
                opened.add(read.queue)
            if (problem := self._problem(ctx, read)) is not None:
                return problem
            reads.append(read)
        if not reads:
            return ERROR
        values = []
        for read in reads:
            self._settle(ctx, read)
            if read.takes:
                values.append(self._take(ctx, read) or b"")
        return b"".join((*values, END))

    def _read(self, ctx: Context, read: Read) -> bytes | Wait:
        if (problem := self._problem(ctx, read)) is not None:
            return problem
        self._settle(ctx, read)
        if not read.takes:
            return END
        value = self._take(ctx, read)
        if value is not None:
            return value + END
        if read.wait_ms:
            return Wait((read.queue,), read.wait_ms / 1000, END, partial(self._serve, ctx, read))
        self._totals.of(read.queue).missed += 1
        return END

    def _problem(self, ctx: Context, read: Read) -> bytes | None:
        """Why a read is refused, before anything is changed. raises: WrongType."""
        lists.find(ctx.ks, read.queue)
        if read.open and len(self._reads.of(session_of(ctx), read.queue)) > read.close:
            return OPEN_ALREADY
        return None

    def _settle(self, ctx: Context, read: Read) -> None:
        """What a read does before it takes: confirm or give back what is open, note a new child."""
        queue = read.queue
        if b"+" in queue and not ctx.dbs.read_only:
            _mention(ctx.ks, queue)
        if read.close:
            self._totals.of(queue).confirmed += self._reads.confirm(session_of(ctx), queue, 1)
        elif read.abort:
            self._totals.of(queue).given_back += self._reads.give_back(session_of(ctx), queue, 1)

    def _take(self, ctx: Context, read: Read) -> bytes | None:
        """The block of the item that a read gets; None if no item waits."""
        if read.open:
            return self._open(ctx, read.key, read.queue)
        if read.peek:
            taken = lists.peek(ctx.ks, read.queue)
        else:
            taken = lists.take(ctx.ks, read.queue, HEAD)
            self._totals.of(read.queue).taken += taken is not None
        return None if taken is None else _block(read.key, taken[0], taken[1])

    def _open(self, ctx: Context, key: bytes, queue: bytes) -> bytes | None:
        lease = leases.grant(ctx.ks, queue, ctx.peer.address.encode(), bound=True)
        if lease is None:
            return None
        self._reads.add(session_of(ctx), lease)
        self._totals.of(queue).opened += 1
        return _block(key, lease.item, lease.tag)

    def _serve(self, ctx: Context, read: Read, queue: bytes) -> bytes | Wait:
        """Give an item that came to a client that waits."""
        value = self._take(ctx, read) if lists.holds_list(ctx.ks, queue) else None
        return STILL_WAITING if value is None else value + END

    # -- for a time ---------------------------------------------------------------------------------------------

    def monitor(self, ctx: Context, request: list[bytes]) -> bytes | Wait:
        """Open items as they come, for a number of seconds or up to a number of items."""
        if not 3 <= len(request) <= 4:
            return ERROR
        queue = request[1]
        seconds = parse_unsigned(request[2], _MAX_SECONDS)
        most = parse_unsigned(request[3], words.MAX_UINT64) if len(request) == 4 else MAX_OPEN
        if (problem := name_problem(queue)) is not None:
            return problem
        if seconds < 0 or most < 1:
            return BAD_NUMBER
        lists.find(ctx.ks, queue)
        if b"+" in queue:
            _mention(ctx.ks, queue)
        session = session_of(ctx)
        left = min(most, MAX_OPEN - len(self._reads.of(session, queue)))
        return self._go_on(ctx, queue, session.dispatcher.turn.now_s + seconds, left)

    def _more_of_monitor(self, ctx: Context, request: list[Any]) -> bytes | Wait:
        return self._go_on(ctx, *request[1:])

    def _go_on(self, ctx: Context, queue: bytes, until_s: float, left: int) -> bytes | Wait:
        """Give what waits, then wait for what comes.

        until_s: monotonic; left: how many items there may still be.
        """
        blocks: list[bytes] = []
        size = 0
        while left and len(blocks) < _ITEMS_A_TURN and size < OUT_BYTES:
            block = self._open(ctx, queue, queue) if lists.holds_list(ctx.ks, queue) else None
            if block is None:
                break
            blocks.append(block)
            size += len(block)
            left -= 1
        left_s = until_s - session_of(ctx).dispatcher.turn.now_s
        if not left or (not blocks and left_s <= 0):
            return b"".join((*blocks, END))
        if blocks:
            go_on_later(ctx, [MORE_OF_MONITOR, queue, until_s, left])
            return b"".join(blocks)
        return Wait((queue,), left_s, END, partial(self._serve_monitor, ctx, until_s, left))

    def _serve_monitor(self, ctx: Context, until_s: float, left: int, queue: bytes) -> bytes | Wait:
        block = self._open(ctx, queue, queue) if lists.holds_list(ctx.ks, queue) else None
        if block is None:
            return STILL_WAITING
        if left == 1:
            return block + END
        session_of(ctx).queue.insert(0, [MORE_OF_MONITOR, queue, until_s, left - 1])
        return block

    def confirm(self, ctx: Context, request: list[bytes]) -> bytes:
        """Confirm the oldest open reads of a queue: all that are asked for, or none."""
        if len(request) != 3:
            return ERROR
        _, queue, number_word = request
        number = parse_unsigned(number_word, words.MAX_UINT64)
        if number < 0:
            return BAD_NUMBER
        session = session_of(ctx)
        if number > len(self._reads.of(session, queue)):
            return NOT_SO_MANY
        self._totals.of(queue).confirmed += self._reads.confirm(session, queue, number)
        return END

    # -- dropping -----------------------------------------------------------------------------------------------

    def delete(self, ctx: Context, request: list[bytes]) -> bytes:
        """Drop a queue with its open items; a child gets no more copies."""
        if len(request) == 1:
            return ERROR
        _, queue, *options = request
        quiet = options[-1:] == [_NOREPLY]
        if options not in ([], [b"0"], [_NOREPLY], [b"0", _NOREPLY]):
            return BAD_FORMAT
        found = lists.holds_list(ctx.ks, queue) and ctx.ks.remove(queue)
        dropped = jobs.drop_queue(ctx.dbs, ctx.ks.index, queue)
        above = parent(queue)
        was_child = above is not None and fanout.remove(ctx.ks, above, queue)
        self._totals.forget(queue)
        if quiet:
            return b""
        return DELETED if found or dropped or was_child else NOT_FOUND

    def flush(self, ctx: Context, request: list[bytes]) -> bytes:
        """Drop the items of a queue that wait; those that are open stay so."""
        if len(request) != 2:
            return ERROR
        if lists.find(ctx.ks, request[1]) is not None:
            ctx.ks.remove(request[1])
        return END

    def flush_all(self, ctx: Context, request: list[bytes]) -> bytes:
        """Flush all queues, a slice of the names in each turn."""
        options = request[1:]
        quiet = options[-1:] == [_NOREPLY]
        if options not in ([], [b"0"], [_NOREPLY], [b"0", _NOREPLY]):
            return NO_DELAY
        return self._more_of_flush(ctx, [_MORE_OF_FLUSH, b"", b"" if quiet else OK])

    def _more_of_flush(self, ctx: Context, request: list[bytes]) -> bytes:
        _, place, reply = request
        found, place = ctx.ks.scan(place, _NAMES_A_TURN)
        for name, kind in found:
            if kind == ListRecord.kind:
                ctx.ks.remove(name)
        if not place:
            return reply
        go_on_later(ctx, [_MORE_OF_FLUSH, place, reply])
        return b""

    # -- the connection -----------------------------------------------------------------------------------------

    def version(self, ctx: Context, request: list[bytes]) -> bytes:
        """Name the version of spoold."""
        return b"VERSION %b\r\n" % __version__.encode()

    def verbosity(self, ctx: Context, request: list[bytes]) -> bytes:
        """Accept a level, which changes nothing."""
        return b"" if request[-1] == _NOREPLY else OK

    def quit_(self, ctx: Context, request: list[bytes]) -> bytes:
        """Close the connection once the replies before are sent."""
        session_of(ctx).closing = True
        return b""

    # -- requests that the codec found a fault in ---------------------------------------------------------------

    def wrong(self, ctx: Context, request: list[bytes]) -> bytes:
        """No words, or a number of them that the verb does not take."""
        return ERROR

    def bad_length(self, ctx: Context, request: list[bytes]) -> bytes:
        """The length of the block is no number."""
        return b"" if request[-1] == _NOREPLY else BAD_FORMAT

    def bad_chunk(self, ctx: Context, request: list[bytes]) -> bytes:
        """The block does not end where it should."""
        return b"" if request[-1] == _NOREPLY else BAD_CHUNK_LINE

    def too_large(self, ctx: Context, request: list[bytes]) -> bytes:
        """The item is longer than the limit."""
        return b"" if request[-1] == _NOREPLY else TOO_LARGE_LINE


def _block(key: bytes, value: bytes, tag: Tag) -> bytes:
    return b"VALUE %b %d %d\r\n%b\r\n" % (key, tag.flags, len(value), value)


def _mention(ks: Keyspace, queue: bytes) -> None:
    """A queue was named: if its name is that of a child, it gets copies from now on."""
    above = parent(queue)
    if above is not None:
        fanout.add(ks, above, queue)


def _waits(ks: Keyspace, queue: bytes, value: bytes) -> bool:
    """Whether an item with these bytes waits, and its time is not over."""
    found = editing.indexes(ks, queue, value, 1, 0, 0)
    record = ks.find(queue)
    if isinstance(record, TaggedListRecord):
        return any(not is_due(ks, record, record.head + index) for index in found)
    return bool(found)


def _only_looks(request: list[bytes]) -> bool:
    return all(isinstance(read := parse_read(key), bytes) or read.peek for key in request[1:])
