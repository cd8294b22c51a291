"""Access control joined to clients: checks before commands, log-ins, what a change of rules does to who is there."""

from __future__ import annotations

from typing import Any, Final

from spoold.acl import rules
from spoold.acl.log import AclLog, Denied
from spoold.acl.rules import Denial
from spoold.acl.users import User
from spoold.admin.client_line import client_line
from spoold.command.table import Entry
from spoold.core.errors import CommandError, SortReadsKeys, WrongPassword
from spoold.dispatch.dispatcher import Dispatcher
from spoold.dispatch.session import Session

_REASONS: Final = {
    rules.COMMAND: "this user has no permissions to run the '{}' command",
    rules.KEY: "this user has no permissions to access one of the keys used as arguments",
    rules.CHANNEL: "this user has no permissions to access one of the channels used as arguments",
}
_IN_EXEC: Final = {
    rules.COMMAND: "no permission to execute the command or subcommand",
    rules.KEY: "no permission to touch the specified keys",
    rules.CHANNEL: "no permission to access one of the channels used as arguments",
}
_IN_SCRIPT: Final = {
    rules.COMMAND: "The user executing the script can't run this command or subcommand",
    rules.KEY: "The user executing the script can't access at least one of the keys mentioned in the command arguments",
    rules.CHANNEL: "The user executing the script can't publish to the channel mentioned in the command",
}
_EXEC: Final = (
    "ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no"
    " longer allowed for the following reason: "
)


class Access:
    """Decides for sessions, and notes in the log what it denies."""

    def __init__(self, dispatcher: Dispatcher, log: AclLog) -> None:
        """Take part in the dispatcher's checks from here on."""
        self._dispatcher = dispatcher
        self._log = log
        self._users = dispatcher.users
        admission = dispatcher.admission
        admission.checks.insert(0, self.check)
        admission.checks_inside.insert(0, self.check_in_script)
        dispatcher.check_queued = self.check_queued
        self._users.on_change.append(self._rules_changed)
        self._users.on_removed.append(self._removed)

    # -- requests -----------------------------------------------------------------------------------------------

    def check(self, session: Session, entry: Entry, request: list[bytes]) -> CommandError | None:
        """The error for a request that its user may not send; None if it may."""
        if session.user.unrestricted:
            return None
        denial = session.user.check(entry, request)
        if denial is None:
            return _sort_refusal(session.user, entry, request)
        context = b"toplevel" if session.transaction is None else b"multi"
        self._note(session, denial, context)
        return CommandError(_REASONS[denial.reason].format(entry.name), "NOPERM")

    def check_queued(self, session: Session, request: list[bytes]) -> CommandError | None:
        """The error for a request of a transaction that its user may not run any more; None if it may."""
        entry = self._dispatcher.table.resolve(request)
        if session.user.unrestricted or entry is None:
            return None
        denial = session.user.check(entry, request)
        if denial is None:
            return _sort_refusal(session.user, entry, request)
        self._note(session, denial, b"multi")
        return CommandError(_EXEC + _IN_EXEC[denial.reason], "NOPERM")

    def check_in_script(self, session: Session, entry: Entry, request: list[bytes]) -> CommandError | None:
        """The error for a request of a script that the script's user may not run; None if it may."""
        if session.user.unrestricted:
            return None
        denial = session.user.check(entry, request)
        if denial is None:
            return _sort_refusal(session.user, entry, request)
        self._note(session, denial, b"lua")
        return CommandError(_IN_SCRIPT[denial.reason])

    def _note(self, session: Session, denial: Denial, context: bytes) -> None:
        self._log.add(
            Denied(
                denial.reason.encode(),
                context,
                denial.object,
                session.user.name,
                self._line(session),
                self._dispatcher.dbs.now_ms,
            )
        )

    def _line(self, session: Session) -> bytes:
        return client_line(session, self._dispatcher.turn.now_s).rstrip(b"\n")

    # -- log-ins ------------------------------------------------------------------------------------------------

    def log_in(self, session: Session, name: bytes, password: bytes, command: bytes) -> None:
        """Let a session go on as another user. raises: WrongPassword, which is noted."""
        user = self._users.log_in(name, password)
        if user is None:
            now_ms = self._dispatcher.dbs.now_ms
            self._log.add(Denied(b"auth", b"toplevel", command, name, self._line(session), now_ms))
            raise WrongPassword
        session.log_in(user)

    def _rules_changed(self, user: User) -> None:
        for session in list(self._dispatcher.sessions):
            if session.user is not user:
                continue
            if user is self._users.default and self._users.open:
                session.authenticated = True
            session.settle()
            if session.subscriptions is not None and not _may_listen(user, session.subscriptions):
                disconnect(self._dispatcher, session)

    def _removed(self, user: User) -> None:
        for session in list(self._dispatcher.sessions):
            if session.user is user:
                disconnect(self._dispatcher, session)


def disconnect(dispatcher: Dispatcher, session: Session) -> None:
    """Close a connection: the one whose request is run behind its reply, any other at once."""
    if session is dispatcher.turn.running:
        session.closing = True
        return
    # It leaves here and now, not when the loop gets to it: nothing of this turn may go to it any more.
    dispatcher.leave(session)
    session.out.clear()
    session.wire.abort()


def _may_listen(user: User, subscriptions: Any) -> bool:
    if user.unrestricted:
        return True
    channels = (*subscriptions.channels, *subscriptions.shards)
    return all(user.allows_channel(name, is_pattern=False) for name in channels) and all(
        user.allows_channel(text, is_pattern=True) for text in subscriptions.patterns
    )


def _sort_refusal(user: User, entry: Entry, request: list[bytes]) -> CommandError | None:
    """BY and GET of SORT read keys that no declaration can name."""
    if entry.name not in ("sort", "sort_ro"):
        return None
    at = 2
    while at < len(request):
        word = request[at].upper()
        if word in (b"BY", b"GET") and at + 1 < len(request):
            reads = word == b"GET" or b"*" in request[at + 1]
            if reads and not user.reads_everything(entry, request):
                return SortReadsKeys(word.decode())
        at += 3 if word == b"LIMIT" else 2 if word in (b"BY", b"GET", b"STORE") else 1
    return None
