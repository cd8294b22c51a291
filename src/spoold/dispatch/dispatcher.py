"""From a parsed request to an encoded reply.

`run` is the hot path: one look-up, one call, one append a command. Whatever is not plain (a transaction, a missing
password, a wrong number of arguments, CLIENT PAUSE, MONITOR, …) goes through `_admit`, which asks `admission` first.

A handler that returns `Wait` parks its session; what the client sends meanwhile waits in its queue. After each command
(each whole transaction) `_serve` gives what it brought to those who wait: keys in the order in which they became ready,
the waiters of a key in the order in which they came, until the key is empty. What serving one brings to another key
(BLMOVE) is served in the next round. If the turn is rolled back, whom it served waits again, in his old place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from time import perf_counter
from typing import Any, Final

from spoold.acl.users import Users
from spoold.command.context import STILL_WAITING, Context, Wait
from spoold.command.parts import Parts
from spoold.command.table import CommandTable, Container, Entry, check_arity
from spoold.core.errors import CommandError, WrongType
from spoold.core.reply import NO_REPLY, OK, QUEUED, Pushes
from spoold.dispatch.admission import Admission
from spoold.dispatch.alarm import Alarm
from spoold.dispatch.pause import POSTPONED, Pause
from spoold.dispatch.session import Session, Transaction
from spoold.dispatch.turn import TURN_COMMANDS, Piece, Turn
from spoold.keyspace.keyspace import Databases, Keyspace
from spoold.keyspace.waiters import Waiter

_OK_LINE: Final = b"+OK\r\n"
_QUEUED_LINE: Final = b"+QUEUED\r\n"
# Replies longer than this are counted, so that a pipeline of large replies is stopped before memory runs out.
_COUNTED_BYTES: Final = 512
# Bytes of counted replies in one turn after which a client's further requests wait until it has taken them.
OUT_BYTES: Final = 1 << 20
# Scripts choose codes of their own: beyond so many, new ones are not counted.
_ERROR_CODES: Final = 128
_INTEGERS: Final = tuple(b":%d\r\n" % number for number in range(1024))

Observer = Callable[[Session, list[bytes]], None]
Finish = Callable[[Any], None]
Precursor = Callable[[Context, Entry, list[bytes]], Finish | None]
SlowObserver = Callable[[Session, list[bytes], float], None]


class Dispatcher:
    """Runs requests of sessions inside the turn.

    alert: something holds for all clients (MONITOR runs, writes are refused, the server is paused), so that no
        session is plain; change it through `set_alert`.
    observers: told of each request that has run while alert; of a script before the requests in it.
    users: who may log in.
    check_queued: asked again at EXEC whether the session's user may run a request.
    before: told of each request that is about to run while alert; what one returns is told its reply.
    on_leave: told of each client that is gone.
    gathered: what clients sent in this pass of the loop and has not run yet.
    errors: how many error replies there were, by their first word. noted_inside: one of the script that runs was.
    on_slow: told of requests slower than `slow_s` seconds, those inside EXEC and scripts too.
    """

    def __init__(
        self,
        table: CommandTable,
        dbs: Databases,
        turn: Turn,
        parts: Parts,
        call_later: Callable[..., Any],
        users: Users | None = None,
    ) -> None:
        """call_later: the loop's, for the deadlines of parked clients. users: only `default` if not given."""
        self.table = table
        self.dbs = dbs
        self.turn = turn
        self.parts = parts
        self.alarm = partial(Alarm, call_later, turn.clock.monotonic_s)
        self.users = users or Users(table)
        self.check_queued: Callable[[Session, list[bytes]], CommandError | None] = _allow
        self.gathered = turn.gather(self.run)
        self.admission = Admission(self)
        self.pause = Pause(self)
        self.alert = False
        self._alerts: set[str] = set()
        self.observers: list[Observer] = []
        self.before: list[Precursor] = []
        self.on_leave: list[Callable[[Session], None]] = []
        self.slow_s = 0.01
        self.on_slow: SlowObserver = _ignore_slow
        self.sessions: dict[Session, None] = {}
        self.parked = 0
        self.errors: dict[bytes, int] = {}
        self.noted_inside = False
        self._served: list[tuple[Waiter, int]] = []
        self._served_turn = -1
        dbs.on_rollback.append(self._unserve)
        turn.resume = self._resume
        turn.on_read_only = partial(self.set_alert, "read only")

    # -- sessions -----------------------------------------------------------------------------------------------

    def set_alert(self, reason: str, on: bool) -> None:
        """Take all clients off the hot path for `reason`, or let them go back."""
        (self._alerts.add if on else self._alerts.discard)(reason)
        self.alert = bool(self._alerts)
        for session in self.sessions:
            session.settle()

    def leave(self, session: Session) -> None:
        """The client is gone: nothing of it may wait, watch or be counted, and what was gathered of it must not run."""
        session.closed = session.closing = True
        if session.waiter is not None:
            self.unpark(session.waiter)
        self.unwatch(session)
        session.queue.clear()
        self.pause.held.pop(session, None)
        self.sessions.pop(session, None)
        for hook in self.on_leave:
            hook(session)

    def unwatch(self, session: Session) -> None:
        """Forget what the session watches."""
        watch = session.watch
        if watch is None:
            return
        session.watch = None
        for index, name in watch.keys:
            keyspace = self.dbs[index]
            watches = keyspace.watches[name]
            del watches[watch]
            if not watches:
                del keyspace.watches[name]
            keyspace.unobserve(name)

    # -- requests -----------------------------------------------------------------------------------------------

    def run(self, pieces: Iterator[Piece]) -> None:
        """Run the requests of clients in order; replies gather in `session.out`.

        pieces: the clients in order, each with its requests.
        cost: about a microsecond and the handler's own work, a request.
        """
        turn = self.turn
        dbs = self.dbs
        by_name = self.table.by_name
        started = perf_counter()
        for session, requests in pieces:
            # The same stands in door.py: a call for it would cost 3 to 5 % of a request.
            if session.waiter is not None or session.choked or session.queue or session.closing:
                if not session.closing:  # else its connection ends with this turn
                    session.queue += requests
                continue
            if turn.commands >= TURN_COMMANDS:
                turn.end()
                started = perf_counter()
            turn.running = session
            if not turn.open:
                turn.begin()
            turn.sessions.append(session)
            turn.commands += len(requests)
            session.active_s = turn.now_s
            session.rest = rest = iter(requests)
            append = session.out.append
            ctx = session.ctx
            slow_s = self.slow_s
            for request in rest:
                entry = by_name.get(request[0])
                words = len(request)
                if session.plain and entry is not None and entry.low <= words <= entry.high:
                    try:
                        if words == 3:
                            reply = entry.handler(ctx, request[1], request[2])
                        elif words == 2:
                            reply = entry.handler(ctx, request[1])
                        else:
                            reply = entry.handler(ctx, *request[1:])
                    except CommandError as error:
                        entry.failed += 1
                        reply = error
                elif (
                    session.transaction is not None
                    and session.usual
                    and entry is not None
                    and (entry.queued or entry.executes)
                    and entry.low <= words <= entry.high
                ):
                    reply, entry = self._in_transaction(session, session.transaction, entry, request)
                else:
                    reply, entry = self._admit(session, request)
                if dbs.ready:
                    # Before the reply is appended: if this fails, the request that failed has no reply yet.
                    self.serve()
                kind = reply.__class__
                if kind is int:
                    append(_INTEGERS[reply] if 0 <= reply < 1024 else b":%d\r\n" % reply)
                elif kind is bytes:
                    length = len(reply)
                    append(b"$%d\r\n%b\r\n" % (length, reply))
                    if length > _COUNTED_BYTES:
                        session.out_bytes += length
                elif reply is OK:
                    append(_OK_LINE)
                elif reply is QUEUED:
                    append(_QUEUED_LINE)
                elif kind is Wait:
                    session.last = entry or session.last
                    self.park(session, request, reply)
                    entry = None
                    break
                elif reply is not NO_REPLY:
                    if isinstance(reply, CommandError):
                        self._note_reply(entry, reply)
                    data = session.encode(reply)
                    append(data)
                    if len(data) > _COUNTED_BYTES:
                        session.out_bytes += len(data)
                now = perf_counter()
                spent = now - started
                started = now
                if entry is not None:
                    entry.calls += 1
                    entry.usec += spent
                    if spent > slow_s:
                        self.on_slow(session, request, spent)
                if session.out_bytes > OUT_BYTES or session.closing:
                    self.stop(session)
                    break
            session.last = entry or session.last
            if entry is not None:
                # One a piece of input, not one a request: in a pipeline that would cost some percent.
                entry.spread[int(spent * 1e6).bit_length()] += 1

    def _in_transaction(
        self, session: Session, transaction: Transaction, entry: Entry, request: list[bytes]
    ) -> tuple[Any, Entry | None]:
        """Queue a request of a session that is plain but for its transaction, or run its EXEC. returns: as `_admit`."""
        if entry.queued:
            session.last = entry
            return self.admission.queue(session, transaction, request), None
        try:
            return entry.handler(session.ctx), entry
        except CommandError as error:
            entry.failed += 1
            return error, entry

    def call(self, ctx: Context, request: list[bytes]) -> Any:
        """Run one request as part of another (EXEC, scripts): admission is done, blocking commands do not block.

        returns: the reply, a CommandError as a value.
        """
        entry = self.table.by_name.get(request[0]) or self.table.find(request[0])
        if entry is None:
            return self.table.unknown(request)
        if not entry.low <= len(request) <= entry.high:
            return check_arity(entry, request)
        return self.run_inside(ctx, entry, request)

    def run_inside(self, ctx: Context, entry: Entry, request: list[bytes]) -> Any:
        """The last part of `call`: the command is found, its words are counted, its caller may run it."""
        started = perf_counter()
        finish = self._precede(ctx, entry, request) if self.before else ()
        try:
            reply = entry.handler(ctx, *request[1:])
        except CommandError as error:
            entry.failed += 1
            self.note_error(error)
            self.noted_inside = ctx.in_script
            reply = error
        for tell in finish:
            tell(reply)
        spent = perf_counter() - started
        entry.calls += 1
        entry.usec += spent
        if spent > self.slow_s:
            self.on_slow(ctx.owner, request, spent)
        if self.alert:
            self._tell(ctx.owner, request)
        if reply.__class__ is Wait:
            return reply.denied_reply
        return OK if reply is NO_REPLY else reply  # a list of replies has no place for none

    def _admit(self, session: Session, request: list[bytes]) -> tuple[Any, Entry | None]:
        """Run one request of a session that is not plain.

        returns: its reply, NO_REPLY or a Wait; and the command, None if it was refused, queued or postponed.
        """
        session.last = entry = self.table.find(request[0])
        if entry is not None and len(request) > 1 and (sub := entry.subs.get(request[1].upper())) is not None:
            session.peer.last_command = sub.name
        reply = self.admission.refusal(session, entry, request)
        ran = None
        if reply is None:
            assert entry is not None  # noqa: S101 - admission refuses unknown commands
            ran = entry
            is_script = entry.spec.group == "scripting"
            if is_script:
                self._tell(session, request)
            finish = self._precede(session.ctx, entry, request) if self.before else ()
            try:
                reply = entry.handler(session.ctx, *request[1:])
            except CommandError as error:
                entry.failed += 1
                reply = error
            for tell in finish:
                tell(reply)
            if not is_script:
                self._tell(session, request)
        if (session.mute or session.skip_reply) and reply.__class__ is not Wait and _muted(session):
            reply = reply if reply.__class__ is Pushes else NO_REPLY
        return reply, ran

    def _precede(self, ctx: Context, entry: Entry, request: list[bytes]) -> list[Finish]:
        if entry.subs and len(request) > 1:
            entry = entry.subs.get(request[1].upper(), entry)
        found = (tell(ctx, entry, request) for tell in self.before)
        return [finish for finish in found if finish is not None]

    def answer_beside(self, session: Session, requests: list[list[bytes]]) -> bytes:
        """Run requests while a script runs, of which admission lets only those through that may run beside one.

        returns: the encoded replies, which need not wait for the turn.
        """
        session.rest = rest = iter(requests)
        replies = []
        for request in rest:
            reply, _ = self._admit(session, request)
            if reply.__class__ is Wait:
                self.park(session, request, reply)
                break
            if isinstance(reply, CommandError):
                self.note_error(reply)
            if reply is not NO_REPLY:
                replies.append(session.encode(reply))
            if session.closing:
                break
        return b"".join(replies)

    def _tell(self, session: Session, request: list[bytes]) -> None:
        for observer in self.observers:
            observer(session, request)

    def stop(self, session: Session) -> None:
        """Leave the rest of the session's requests for later: it must take its replies first, or is to be closed."""
        if session.closing:
            session.queue.clear()
            return
        session.queue[:0] = list(session.rest)
        self.turn.woken.append(session)

    def _resume(self, sessions: list[Session]) -> None:
        """Run what waited in the queues of sessions that may go on."""
        for session in dict.fromkeys(sessions):
            self.go_on(session)

    def go_on(self, session: Session) -> None:
        """Run what waits in a session's queue, unless it has to wait still."""
        if session.closed or session.waiter is not None or session.choked:
            return
        requests, session.queue = session.queue, []
        if requests:
            self.turn.receive(session, requests)
            session.wire.hold_reading(False)  # it was held if very many requests waited
        if session.farewell is not None and not session.held:
            self._say_farewell(session)

    def break_off(self, session: Session, farewell: bytes) -> None:
        """The client's stream is broken: answer what came before, then send `farewell`, then close."""
        session.farewell = farewell
        if not session.held:
            self._say_farewell(session)

    def _say_farewell(self, session: Session) -> None:
        if session.farewell is not None and not session.closing:
            session.out.append(session.farewell)
            session.closing = True
            self.turn.join(session)

    # -- waiting ------------------------------------------------------------------------------------------------

    def park(self, session: Session, request: list[bytes], wait: Wait) -> None:
        """Let a session wait for the keys of `wait`; what stands behind `request` waits in its queue."""
        if wait is POSTPONED:
            self.pause.hold(session, request)
            return
        keyspace = session.ctx.ks
        keys = [(keyspace.index, name) for name in dict.fromkeys(wait.keys)]
        waiter = Waiter(session, keys, request, wait.serve, wait.timeout_reply, needs_keys=wait.needs_keys)
        for _, name in keys:
            keyspace.waiting.add(name, waiter)
            keyspace.observe(name)
        if wait.timeout_s:
            waiter.timer = self.alarm(wait.timeout_s, self._timed_out, waiter)
        session.waiter = waiter
        session.queue[:0] = list(session.rest)
        self.parked += 1

    def unpark(self, waiter: Waiter) -> None:
        """Take a waiter out of all queues; its session goes on after this turn."""
        for index, name in waiter.keys:
            keyspace = self.dbs[index]
            keyspace.waiting.remove(name, waiter)
            keyspace.unobserve(name)
        if waiter.timer is not None:
            waiter.timer.cancel()
        session: Session = waiter.owner
        session.waiter = None
        self.parked -= 1
        if session.queue or session.farewell is not None:
            self.turn.woken.append(session)

    def answer(self, waiter: Waiter, reply: Any) -> None:
        """Unpark a waiter with a reply."""
        session: Session = waiter.owner
        self.turn.join(session)
        self.turn.commands += 1
        self.unpark(waiter)
        entry = self.table.find(waiter.request[0])
        if entry is not None:
            entry.calls += 1
            entry.failed += isinstance(reply, CommandError)
        if isinstance(reply, CommandError):
            self.note_error(reply)
        if not _muted(session):
            session.out.append(session.encode(reply))

    def _timed_out(self, waiter: Waiter) -> None:
        session: Session = waiter.owner
        if session.waiter is waiter:
            self.turn.guard(self.answer, waiter, waiter.timeout_reply)

    def serve(self) -> None:
        """Give what became ready to those who wait for it, until no one is left whom it can serve."""
        dbs = self.dbs
        while dbs.ready:
            ready, dbs.ready = dbs.ready, {}
            for index, name in ready:
                self._serve_key(dbs[index], name)

    def _serve_key(self, keyspace: Keyspace, name: bytes) -> None:
        queues = keyspace.waiting.queues
        needed = keyspace.waiting.needed
        passed = 0  # at the head of the queue: who waits for another type than the key now has
        while (queue := queues.get(name)) and (name in needed or keyspace.find(name) is not None):
            started = perf_counter()
            for waiter in islice(queue, passed, None):
                reply = self._try_again(waiter, name)
                if reply.__class__ is not Wait:
                    break
                passed += 1
            else:
                return
            if self._served_turn != self.turn.turns:
                self._served_turn = self.turn.turns
                self._served.clear()
            self._served.append((waiter, len(waiter.owner.out)))
            self.answer(waiter, reply)
            spent = perf_counter() - started
            if spent > self.slow_s:
                self.on_slow(waiter.owner, waiter.request, spent)

    def _try_again(self, waiter: Waiter, name: bytes) -> Any:
        """What a waiter gets from the key `name`; a Wait if nothing."""
        pusher, self.turn.running = self.turn.running, waiter.owner
        try:
            return self._take_for(waiter, name)
        finally:
            self.turn.running = pusher

    def _take_for(self, waiter: Waiter, name: bytes) -> Any:
        try:
            if waiter.serve is not None:
                return waiter.serve(name)
            entry = self.table.find(waiter.request[0])
            assert entry is not None  # noqa: S101 - it ran before
            try:
                return entry.handler(waiter.owner.ctx, *waiter.request[1:])
            except WrongType:
                return STILL_WAITING
        except CommandError as error:
            return error

    def _unserve(self) -> None:
        """The turn was rolled back, and with it what it gave to waiters: they wait again, before all others."""
        if self._served_turn != self.turn.turns:
            return
        for waiter, replies in reversed(self._served):
            session: Session = waiter.owner
            # Who has sent more meanwhile gets an error, as all of this turn do: replies keep their order.
            if session.closed or len(session.out) > replies + 1:
                continue
            del session.out[replies:]
            for index, name in waiter.keys:
                self.dbs[index].waiting.add_first(name, waiter)
                self.dbs[index].observe(name)
            if waiter.timer is not None:
                waiter.timer.set_again()
            session.waiter = waiter
            self.parked += 1
        self._served.clear()

    def _note_reply(self, entry: Entry | None, error: CommandError) -> None:
        """Count an error reply, but not that of a script which hands on one that was counted inside it."""
        if self.noted_inside and entry is not None and entry.spec.group == "scripting":
            self.noted_inside = False
        else:
            self.note_error(error)

    def note_error(self, error: CommandError) -> None:
        """Count an error reply under its code."""
        code = error.message.partition(b" ")[0]
        if code in self.errors or len(self.errors) < _ERROR_CODES:
            self.errors[code] = self.errors.get(code, 0) + 1

    def entries(self) -> list[Entry]:
        """All commands and subcommands with counters of their own, for statistics."""
        found: list[Entry] = []
        for entry in self.table.entries.values():
            found += (entry.own, *entry.subs.values()) if isinstance(entry, Container) else (entry,)
        return found


def _allow(session: Session, request: list[bytes]) -> CommandError | None:
    """No access control."""
    return None


def _ignore_slow(session: Session, request: list[bytes], seconds: float) -> None:
    """No slow log yet."""


def _muted(session: Session) -> bool:
    """Whether the client asked not to be sent the reply of the command that is just done (CLIENT REPLY)."""
    if session.skip_reply:
        session.skip_reply -= 1
        session.settle()
        return session.mute or not session.skip_reply
    return session.mute
