"""Runs one script or function at a time: what it may call, how long, and how it ends.

A script runs inside the turn of its caller, through a client of its own (`inner`), so that SELECT and the protocol of
redis.setresp end with it. What it calls goes through `call`: one crossing from Lua, the checks that Redis makes, then
the dispatcher. Nothing blocks, and errors are values here: Lua raises them where redis.call wants that.

When a script has run for longer than `limit_s`, the server is **busy**: `look` then lets the clients be heard
(`poll`, server/busy.py), which find `busy` set and get only what may run beside a script. SCRIPT KILL marks the script,
and the next `tick` raises an error that it can't catch for long. A script that has written can't be killed, as in
Redis; SHUTDOWN NOSAVE abandons it, and rolls its turn back.

An exception that no one expected passes through Lua as an error; it is kept, and raised again when the script has
ended, whatever the script made of it: the turn is rolled back.

source: Redis's pages on EVAL, SCRIPT KILL and Lua scripting; docs/decisions/0008-scripts-on-the-loop.md.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from math import copysign
from time import monotonic
from typing import Any, Final, NoReturn

from spoold.command.context import Context
from spoold.command.spec import Flag
from spoold.command.table import CommandTable, Entry
from spoold.core.errors import CommandError, SpooldError, WrongArity
from spoold.core.reply import OK, Pairs, Push, Reply, SetReply
from spoold.core.script_errors import (
    BadScriptArguments,
    BusyFunction,
    BusyScript,
    NoScriptArguments,
    NotFromScript,
    NothingRuns,
    ReadOnlyScript,
    ScriptError,
    ScriptMemory,
    Unkillable,
    UnknownInScript,
    WrongArityInScript,
)
from spoold.scripting.convert import ToLua, from_tokens, integer
from spoold.scripting.state import DEFAULT_LIMIT_BYTES, LuaError, LuaMemoryError, LuaState

log = logging.getLogger("spoold.script")

_KILLED: Final = b"Script killed by user with SCRIPT KILL..."
_LOADING_TOO_LONG: Final = b"FUNCTION LOAD timeout"
_LOADING_S: Final = 0.5
_NOT_LOADING: Final = "redis.register_function can only be called on FUNCTION LOAD command"
_POLL_S: Final = 0.01
# How often `call` looks at the clock itself, and after how many calls (less one): a script of slow commands runs few
# instructions.
_LOOK_S: Final = 0.005
_LOOK_CALLS: Final = 7
# Words of a call beyond which it costs more to take them one by one: see lua/calls.lua.
_MANY_WORDS: Final = 300
# Strings up to this size go into the headroom; larger ones are asked about.
_SMALL_BYTES: Final = 64 * 1024
_CHECKED: Final = Flag.NOSCRIPT | Flag.WRITE | Flag.MAY_REPLICATE
# They change nothing here, but something elsewhere; their flags, as Redis tells them, do not say so.
_SENDING: Final = frozenset({"publish", "spublish", "pfcount"})
_NOSCRIPT: Final = Flag.NOSCRIPT
_WRITE: Final = Flag.WRITE
# redis.log's levels as those of the server's log.
_LEVELS: Final = (logging.DEBUG, logging.INFO, logging.INFO, logging.WARNING)

Check = Callable[[Context, Entry, list[bytes]], CommandError | None]
Run = Callable[[Context, Entry, list[bytes]], Any]


class Abandoned(SpooldError):
    """The server ends while a script runs: its turn is rolled back."""


class Runner:
    """The one place where scripts and functions run.

    state: the Lua state, made when it is first needed. limit_s: seconds after which the server is busy; 0 = never.
    run: runs one command inside the script's. refusal: further checks before it (access control, a disk that refuses).
    poll: lets clients be heard while a script runs for long.
    on_busy: told when that begins, with what clients are to be answered, and with None when it ends.
    refuses_writes: the error while the disk refuses writes.
    over_limit: whether there is more data than there may be. allow_oom: the script that is about to run may add to it.
    guarded: whether `refusal` is to be asked during the script that is about to run.
    on_refused: told what a script may not run, with the command if there is one of that name.
    all_allowed: scripts may run what is denied them as scripts (DEBUG SET-DISABLE-DENY-SCRIPTS).
    name, request, started_s: of what runs now; name is empty if nothing does. is_function: whether that is a function.
    """

    def __init__(self, table: CommandTable, inner: Context, run: Run, refusal: Check) -> None:
        """inner: a context for scripts alone."""
        self.limit_bytes = DEFAULT_LIMIT_BYTES
        self.limit_s = 5.0
        self.version = "7.0.15"
        self.poll: Callable[[], None] = _no_one_waits
        self.on_busy: list[Callable[[CommandError | None], None]] = []
        self.name = b""
        self.request: Sequence[bytes] = ()
        self.started_s = 0.0
        self.is_function = False
        self.busy = False
        self.refuses_writes: Callable[[], CommandError | None] = _takes_writes
        self.guarded: Callable[[], bool] = bool
        self.over_limit: Callable[[], bool] = bool
        self.allow_oom = False
        self.all_allowed = False
        self.on_refused: Callable[[Entry | None, CommandError], None] = _uncounted
        self._table = table
        self._by_name = table.by_name
        self._inner = inner
        self._run = run
        self._refusal = refusal
        self._state: LuaState | None = None
        self._used: Callable[[], int] = _nothing_used
        self._limit = 0
        self._calls = 0
        self._guarded = False
        self._to_lua = ToLua(_no_table)
        self._ok: Any = None
        self._read_only = False
        self._wrote = False
        self._killed = False
        self._loading = False
        self._look_at_s = 0.0
        self._problem: CommandError = UnknownInScript()
        self._failure: BaseException | None = None
        self._doomed: CommandError | None = None

    @property
    def state(self) -> LuaState:
        """The Lua state."""
        if self._state is None:
            self._state = LuaState(self, self.limit_bytes, self.version)
            self._used = self._state.used
            self._limit = self.limit_bytes
            self._to_lua = ToLua(self._state.table)
        return self._state

    @property
    def used_bytes(self) -> int:
        """Memory that scripts and functions hold, beyond the sandbox itself. cost: about a millisecond."""
        return 0 if self._state is None else self._state.live_bytes()

    # -- running ------------------------------------------------------------------------------------------------

    def script(
        self, ctx: Context, name: bytes, chunk: Any, keys: int, words: Sequence[bytes], *, read_only: bool
    ) -> Reply:
        """Run a compiled script. name: its SHA-1. keys: how many of `words` are keys.

        returns: what it returned; an error is raised.
        """
        self.is_function = False
        return self._finish(ctx, name, self.state.eval, chunk, keys, words, read_only)

    def function(
        self,
        ctx: Context,
        name: bytes,
        callback: Any,
        keys: int,
        words: Sequence[bytes],
        *,
        read_only: bool,
        request: Sequence[bytes],
    ) -> Reply:
        """Run a function of a library. request: as the client sent it, for FUNCTION STATS. As `script` otherwise."""
        self.is_function = True
        self.request = request
        return self._finish(ctx, name, self.state.call, callback, keys, words, read_only)

    def _finish(
        self,
        ctx: Context,
        name: bytes,
        enter: Callable[[Any, int, Sequence[bytes]], Any],
        code: Any,
        keys: int,
        words: Sequence[bytes],
        read_only: bool,
    ) -> Reply:
        state = self.state
        inner = self._inner
        inner.ks = ctx.ks
        inner.peer.protocol = self._to_lua.protocol = 2
        self._read_only = read_only
        self._wrote = self._killed = False
        self._failure = self._doomed = None
        self._guarded = self.guarded()
        self.name = name
        self.started_s = now_s = monotonic()
        self._look_at_s = now_s + _LOOK_S
        try:
            found = enter(code, keys, words)
        except LuaError as error:
            found = (True, self._lua_error(error), None, None)
        finally:
            self.name = b""
            if self.busy:
                self._end_busy()
        if self._failure is not None:
            raise self._failure
        if self._doomed is not None:
            found = (True, self._doomed.message, None, None)
        state.tidy_if_large()
        kind = found.__class__
        if kind is bytes or kind is int or found is None:
            return found  # type: ignore[no-any-return]
        if kind is float:
            return integer(found)
        first = found[0]
        if first is True:
            raise _located(name, *found[1:])
        if first == -1:
            return [integer(item) if item.__class__ is float else item for item in found[1:]]
        reply: Reply = from_tokens(self.state.tokens(found))
        if isinstance(reply, CommandError):
            raise reply  # returned by the script, and its failure as much as one that it raised
        return reply

    def load_library(self, text: bytes, register: Callable[..., str | None]) -> None:
        """Run a library's code.

        register: takes what is given to redis.register_function; returns what is wrong with it.
        raises: CommandError: what went wrong.
        """

        def raising(*given: Any) -> None:
            # A library may have kept the function for later.
            wrong = register(*given) if self._loading else _NOT_LOADING
            if wrong is not None:
                self._raise(CommandError(wrong))

        self._killed, self._doomed, self._failure = False, None, None
        self._loading = True
        self.started_s = monotonic()
        try:
            self.state.load_library(text, raising)
        except LuaError as error:
            raise CommandError(b"Error registering functions: " + self._lua_error(error)) from None
        finally:
            self._loading = False
        if self._failure is not None:
            raise self._failure

    def _lua_error(self, error: LuaError) -> bytes:
        """What ended a script beyond its own protection: memory, or the kill that met the code around it."""
        if isinstance(error, LuaMemoryError):
            self.state.tidy()
            return ScriptMemory().message
        if self._killed:
            return b"ERR " + _KILLED
        return b"ERR " + str(error).partition("\n")[0].encode("utf-8", "surrogateescape")

    # -- what scripts call --------------------------------------------------------------------------------------

    def call(self, *words: Any) -> Any:
        """redis.call: run one command. An error is raised in Lua. cost: a crossing, and the command's own."""
        try:
            reply = self._command(words)
            kind = reply.__class__
            if kind is int:
                return reply
            if kind is bytes:
                if self._used() + len(reply) > self._limit:
                    self._make_room(1, len(reply))
                return reply
            if isinstance(reply, CommandError):
                raise reply
            return self._value(reply)
        except CommandError as error:
            self._problem = error
            raise
        except BaseException as error:
            self._failure = self._failure or error
            raise

    def pcall(self, *words: Any) -> Any:
        """redis.pcall: as `call`, but an error is a table."""
        try:
            try:
                reply = self._command(words)
            except CommandError as error:
                reply = error
            return self._value(reply)
        except CommandError as error:
            self._problem = error
            raise
        except BaseException as error:
            self._failure = self._failure or error
            raise

    def call_waiting(self) -> Any:
        """redis.call with words that wait to be fetched."""
        return self.call(*self.state.waiting_words())

    def pcall_waiting(self) -> Any:
        """redis.pcall with words that wait to be fetched."""
        return self.pcall(*self.state.waiting_words())

    def _command(self, words: Sequence[Any]) -> Any:
        """The reply to a command; what Redis refuses in scripts is raised."""
        if len(words) > _MANY_WORDS:
            self.state.widen()
        self._calls += 1
        if not self._calls & _LOOK_CALLS:
            if monotonic() > self._look_at_s:
                self.look()
            if self._used() > self._limit:
                self._doomed = ScriptMemory()
        if self._doomed is not None:
            return None  # nothing is done any more: there is no room for an error either
        target: Entry | None = None
        try:
            request = list(words)
            for word in words:
                if word.__class__ is not bytes:
                    request = _texts(words)
                    break
            if not request:
                raise NoScriptArguments
            entry = self._by_name.get(request[0]) or self._table.find(request[0])
            if entry is None:
                raise UnknownInScript
            target = entry
            if entry.subs and len(request) > 1:
                found = entry.subs.get(request[1].upper())
                if found is None:
                    raise UnknownInScript
                target = found
            if not target.low <= len(request) <= target.high:
                # Redis has it so: a command of which there may be more words finds itself that there are too many.
                raise WrongArity(target.name) if len(request) > target.high > target.low else WrongArityInScript
            flags = target.flags
            if flags & _CHECKED:
                if flags & _NOSCRIPT and not self.all_allowed:
                    raise NotFromScript
                if self._read_only:
                    raise ReadOnlyScript
                if flags & _WRITE:
                    self._wrote = True
            elif self._read_only and target.name in _SENDING:
                raise ReadOnlyScript
            if self._guarded:
                refused = self._refusal(self._inner, target, request)
                if refused is not None:
                    raise refused
        except CommandError as error:
            self.on_refused(target, error)
            raise
        return self._run(self._inner, entry, request)

    def _value(self, reply: Any) -> Any:
        """The Lua value of a reply that is no plain one."""
        if reply is None:
            return False if self._to_lua.protocol == 2 else None
        kind = reply.__class__
        if kind is list:
            count, size = _extent(reply)
            if count * 64 + size > _SMALL_BYTES:
                self._make_room(count, size)
        elif kind is bytes:
            self._make_room(1, len(reply))
        elif kind is not int and reply is not OK:
            count, size = _extent(reply.items if isinstance(reply, (SetReply, Pairs, Push)) else reply)
            self._make_room(count, size)
        return self._to_lua.value(reply)

    def _make_room(self, count: int, size: int) -> None:
        state = self.state
        if not state.room_for(count, size):
            state.tidy()
            if not state.room_for(count, size):
                raise ScriptMemory

    def acl_check_cmd(self, *words: Any) -> Any:
        """redis.acl_check_cmd: whether the caller may run a command."""
        if not words:
            self._raise(NoScriptArguments())
        try:
            request = _texts(words)
        except CommandError as error:
            self._raise(error)
        entry = self._table.resolve(request)
        if entry is None or (entry.subs and len(request) > 1):
            self._raise(CommandError("Invalid command passed to redis.acl_check_cmd()"))
        return self._refusal(self._inner, entry, request) is None

    def log(self, *words: Any) -> None:
        """redis.log: write to the server's log."""
        if len(words) < 2:
            self._raise(CommandError("redis.log() requires two arguments or more."))
        level = words[0]
        if not isinstance(level, (int, float)) or isinstance(level, bool):
            self._raise(CommandError("First argument must be a number (log level)."))
        if not 0 <= level < len(_LEVELS):
            self._raise(CommandError("Invalid debug level."))
        text = b" ".join(_text(word) or b"" for word in words[1:])
        log.log(_LEVELS[int(level)], "%s", text.decode("utf-8", "backslashreplace"))

    def sha1hex(self, *words: Any) -> bytes:
        """redis.sha1hex."""
        if len(words) != 1:
            self._raise(CommandError("wrong number of arguments"))
        return hashlib.sha1(_text(words[0]) or b"", usedforsecurity=False).hexdigest().encode()

    def setresp(self, *words: Any) -> None:
        """redis.setresp: which shapes the replies to this script have."""
        if len(words) != 1:
            self._raise(CommandError("redis.setresp() requires one argument."))
        if _text(words[0]) not in (b"2", b"3"):
            self._raise(CommandError("RESP version must be 2 or 3."))
        version = int(words[0])
        self._inner.peer.protocol = self._to_lua.protocol = version
        self.state.set_protocol(version)

    def set_repl(self, *words: Any) -> None:
        """redis.set_repl: checked, and without effect: what a script writes is always kept whole."""
        if len(words) != 1:
            self._raise(CommandError("redis.set_repl() requires two arguments."))
        flags = words[0]
        if not isinstance(flags, (int, float)) or not 0 <= flags <= 3:
            self._raise(CommandError("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."))

    def problem(self) -> bytes:
        """The text of what was raised last."""
        if self._failure is not None:
            return b"ERR internal error"
        return self._problem.message

    def _raise(self, error: CommandError) -> NoReturn:
        self._problem = error
        raise error

    # -- time ---------------------------------------------------------------------------------------------------

    def tick(self) -> bytes | None:
        """About a millisecond went by. returns: the error that ends the script, if it is to end."""
        if self._loading:
            return _LOADING_TOO_LONG if monotonic() - self.started_s > _LOADING_S else None
        if not self.name:
            return None
        try:
            self.look()
        except BaseException as error:
            self._failure = self._failure or error
            raise
        return _KILLED if self._killed or self._doomed is not None else None

    def look(self) -> None:
        """Look at the clock; once the script has run for too long, let clients be heard."""
        now_s = monotonic()
        self._look_at_s = now_s + _LOOK_S
        if not self.busy:
            if not self.limit_s or not self.name or now_s - self.started_s < self.limit_s:
                return
            self.busy = True
            log.warning("slow script %s: the server is busy until it ends or is killed", self.name.decode("latin-1"))
            self._tell(BusyFunction() if self.is_function else BusyScript())
        self.poll()
        self._look_at_s = monotonic() + _POLL_S

    def _end_busy(self) -> None:
        self.busy = False
        self._tell(None)

    def _tell(self, error: CommandError | None) -> None:
        for hook in self.on_busy:
            hook(error)

    def kill(self, *, function: bool) -> None:
        """Mark what runs to be ended. function: as FUNCTION KILL, which spares scripts.

        raises: NothingRuns, Unkillable, BusyScript, BusyFunction.
        """
        if not self.name:
            raise NothingRuns
        if self.is_function is not function:
            raise BusyFunction if self.is_function else BusyScript
        if self._wrote:
            raise Unkillable
        self._killed = True

    def running(self) -> tuple[bytes, Sequence[bytes], int] | None:
        """(name, request, ms) of the function that runs; None if nothing does. raises: BusyScript: a script runs."""
        if not self.name:
            return None
        if not self.is_function:
            raise BusyScript
        return self.name, self.request, int((monotonic() - self.started_s) * 1000)

    def abandon(self) -> None:
        """The server ends: what runs is ended with it, whatever it has written."""
        self._failure = Abandoned("the server was shut down while a script ran")
        self._killed = True


def _located(name: bytes, text: bytes, source: bytes | None, line: int | None) -> ScriptError:
    """The error that a script's caller reads: what went wrong, in which script, where."""
    message = text + b" script: " + name
    if source:
        message += b", on %b:%d." % (source, line or 0)
    return ScriptError(message)


def _texts(words: Sequence[Any]) -> list[bytes]:
    """A request of strings and numbers. raises: CommandError: something else is among them."""
    request = []
    for word in words:
        text = _text(word)
        if text is None:
            raise BadScriptArguments
        request.append(text)
    return request


def _text(word: Any) -> bytes | None:
    """A string, or a number as Redis writes it; None for anything else."""
    kind = word.__class__
    if kind is bytes:
        return word  # type: ignore[no-any-return]
    if kind is int:
        return b"%d" % word if -(10**17) < word < 10**17 else b"%.17g" % word
    if kind is float:
        return b"-nan" if word != word and copysign(1.0, word) < 0 else b"%.17g" % word
    return None


def _extent(items: Any) -> tuple[int, int]:
    """How many values a reply holds, and about how many bytes. cost: O(values)."""
    if isinstance(items, dict):
        items = [part for pair in items.items() for part in pair]
    if not isinstance(items, (list, tuple)):
        return 1, len(items) if isinstance(items, bytes) else 0
    count, size = len(items), 0
    for item in items:
        if item.__class__ is bytes:
            size += len(item)
        elif isinstance(item, (list, tuple, dict)):
            more, bytes_ = _extent(item)
            count += more
            size += bytes_
    return count, size


def _no_table(value: Any) -> Any:
    """No state yet."""
    raise AssertionError(value)


def _nothing_used() -> int:
    """No state yet."""
    return 0


def _takes_writes() -> CommandError | None:
    """The disk does."""
    return None


def _uncounted(entry: Entry | None, error: CommandError) -> None:
    """No statistics here."""


def _no_one_waits() -> None:
    """No sockets here."""
