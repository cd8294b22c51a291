"""May this request run now? Asked only for what is off the hot path; the order of the checks is Redis's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from spoold.command.spec import Flag
from spoold.command.table import NOT_QUEUED, Entry, check_arity, unknown_subcommand
from spoold.core.errors import CommandError, Misconf, ProtocolError
from spoold.core.reply import NO_REPLY, QUEUED
from spoold.dispatch.pause import HELD_BY_WRITES, POSTPONED

if TYPE_CHECKING:
    from spoold.dispatch.dispatcher import Dispatcher
    from spoold.dispatch.session import Session, Transaction

# What these do is known only to who looks into the script; the read-only forms write nothing.
_RUN_SCRIPTS: Final = frozenset({"eval", "evalsha", "fcall"})

# A web page that makes a browser send commands here begins with one of these: the connection is closed without a word.
_HTTP: Final = frozenset({b"post", b"host:"})

Check = Callable[["Session", Entry, list[bytes]], CommandError | None]


class Admission:
    """Checks in order; the first refusal is the reply.

    checks: further ones that parts add (access control, pub/sub mode); checks_inside: those for a script's requests.
    busy: what is answered while a script keeps the server busy, to all that may not run beside one.
    over_limit: there is more data than there may be, so that what scripts run is checked too.
    lenient: the script that runs may add to it all the same.
    script_writes: whether a request to run a script or function may write; its declaration does not tell.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        """dispatcher: whose requests are checked."""
        self._dispatcher = dispatcher
        self.checks: list[Check] = []
        self.checks_inside: list[Check] = []
        self.busy: CommandError | None = None
        self.over_limit = self.lenient = False
        self.script_writes: Callable[[list[bytes]], bool] = _may_write

    def refusal(self, session: Session, entry: Entry | None, request: list[bytes]) -> Any:
        """What is answered in place of running the request: an error, QUEUED or POSTPONED; None if it may run."""
        if entry is None and request[0].lower() in _HTTP:
            session.out.clear()
            session.closing = True
            return NO_REPLY
        error = self._error(session, entry, request)
        if error is not None:
            if session.transaction is not None:
                session.transaction.broken = True
            if entry is not None:
                self._target(entry, request).rejected += 1
                if entry.name == "exec":
                    session.end_transaction()
                    reason = error.message.removeprefix(b"ERR ")
                    return CommandError(b"Transaction discarded because of: " + reason, "EXECABORT")
            return error
        assert entry is not None  # noqa: S101 - unknown commands were refused
        pause = self._dispatcher.pause
        if pause.on and pause.postpones(self._may_write(session, self._target(entry, request), request)):
            return POSTPONED
        if session.transaction is not None and entry.name not in NOT_QUEUED:
            return self.queue(session, session.transaction, request)
        return None

    def queue(self, session: Session, transaction: Transaction, request: list[bytes]) -> Any:
        """Keep a request for EXEC. returns: QUEUED; NO_REPLY if it is too big, and the client turned away."""
        transaction.requests.append(request)
        transaction.bytes += sum(map(len, request))
        if transaction.bytes > session.transaction_limit_bytes:
            session.end_transaction()
            self._dispatcher.break_off(session, ProtocolError("too big transaction").farewell)
            return NO_REPLY
        return QUEUED

    def _error(self, session: Session, entry: Entry | None, request: list[bytes]) -> CommandError | None:
        if entry is None:
            return self._dispatcher.table.unknown(request)
        if (error := check_arity(entry, request)) is not None:
            return error
        target = self._target(entry, request)
        if target is entry and entry.subs and len(request) > 1:
            return unknown_subcommand(entry.name, request[1])
        if (error := check_arity(target, request)) is not None:
            return error
        if not session.authenticated and not target.flags & Flag.NO_AUTH:
            return CommandError("Authentication required.", "NOAUTH")
        if session.transaction is not None and target.flags & Flag.NO_MULTI:
            return CommandError("Command not allowed inside a transaction")
        for check in self.checks:
            if (error := check(session, target, request)) is not None:
                return error
        if self._dispatcher.dbs.read_only and self.has_flags(session, target, Flag.WRITE):
            return Misconf(self._dispatcher.turn.commit.failing)
        if self.busy is not None and not target.flags & Flag.ALLOW_BUSY:
            return self.busy
        return None

    def refusal_inside(self, session: Session, entry: Entry, request: list[bytes]) -> CommandError | None:
        """Why a script may not run this request, which was found and counted; None if it may."""
        for check in self.checks_inside:
            if (error := check(session, entry, request)) is not None:
                return error
        if entry.flags & Flag.WRITE:
            return self.refuses_writes()
        return None

    def refuses_writes(self) -> CommandError | None:
        """The error while the disk takes no writes; None while it does."""
        return Misconf(self._dispatcher.turn.commit.failing) if self._dispatcher.dbs.read_only else None

    def _target(self, entry: Entry, request: list[bytes]) -> Entry:
        """The subcommand that the request names; else the entry itself."""
        if entry.subs and len(request) > 1:
            return entry.subs.get(request[1].upper(), entry)
        return entry

    def _may_write(self, session: Session, entry: Entry, request: list[bytes]) -> bool:
        """Whether a request may change data or send to others, those that it runs included."""
        if self.has_flags(session, entry, HELD_BY_WRITES):
            return True
        requests = [request]
        if entry.name == "exec" and session.transaction is not None:
            requests = session.transaction.requests
        find = self._dispatcher.table.find
        return any(
            (found := find(each[0])) is not None and found.name in _RUN_SCRIPTS and self.script_writes(each)
            for each in requests
        )

    def has_flags(self, session: Session, entry: Entry, flags: int) -> bool:
        """Whether running `entry`, or what EXEC would run, has one of `flags`."""
        if entry.flags & flags:
            return True
        if entry.name != "exec" or session.transaction is None:
            return False
        queued = (self._dispatcher.table.find(request[0]) for request in session.transaction.requests)
        return any(found is not None and found.flags & flags for found in queued)


def _may_write(request: list[bytes]) -> bool:
    """No one looks into scripts."""
    return True
