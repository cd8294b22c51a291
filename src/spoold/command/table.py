"""From a name on the wire to a handler, and to what is known of the command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any, Final

from spoold.command.context import Context
from spoold.command.spec import Flag, Keys, Spec
from spoold.command.syntax import usage
from spoold.core.errors import BadSubcommand, CommandError, WrongArity
from spoold.core.reply import Simple

ANY_NUMBER: Final = 1 << 30
_SHOWN_ARGUMENT_BYTES: Final = 128
# These act on the transaction itself, or end it; all else is queued.
NOT_QUEUED: Final = frozenset({"exec", "discard", "multi", "watch", "quit", "reset"})
# Doubling from a microsecond: the last holds what took more than six days.
SPREAD_BUCKETS: Final = 40


class Entry:
    """A command as the dispatcher runs it, with its counters.

    name: lower case, as in error texts. low, high: words in a request, the name included.
    queued: MULTI queues it, without a look at its arguments but for their number. executes: it is EXEC.
    subs: subcommands by upper-case name, for a container. calls, usec, rejected, failed: INFO commandstats.
    spread: how long requests took: at n those of less than 2^n µs that are not in an earlier one. Of the requests that
        a client sends in one piece the last is counted (Dispatcher.run).
    """

    __slots__ = (
        "calls",
        "executes",
        "failed",
        "flags",
        "handler",
        "high",
        "low",
        "name",
        "queued",
        "rejected",
        "spec",
        "spread",
        "subs",
        "usec",
    )

    def __init__(self, spec: Spec) -> None:
        """Make the entry of one declaration."""
        self.spec = spec
        self.name = spec.name.lower()
        self.handler: Callable[..., Any] = spec.handler
        self.low = abs(spec.arity)
        words = len(spec.name.split("|"))
        self.high = spec.arity if spec.arity > 0 else ANY_NUMBER if spec.max_args is None else spec.max_args + words
        self.flags = spec.flags
        self.executes = self.name == "exec"
        self.queued = self.name not in NOT_QUEUED and not spec.flags & Flag.NO_MULTI
        self.subs: dict[bytes, Entry] = {}
        self.reset()

    def reset(self) -> None:
        """Forget the counters (CONFIG RESETSTAT)."""
        self.calls = 0
        self.usec = 0.0
        self.rejected = 0
        self.failed = 0
        self.spread = [0] * SPREAD_BUCKETS


def _of_the_last(name: str) -> Any:
    """A counter of the entry that ran last."""

    def read(container: Container) -> Any:
        return getattr(container.ran, name)

    def write(container: Container, value: Any) -> None:
        setattr(container.ran, name, value)

    return property(read, write)


class Container(Entry):
    """A command with subcommands. What the dispatcher counts of requests that ran goes to the one that ran last.

    own: counts what named no subcommand (COMMAND alone). refused: counts for no one, requests that did not run.
    ran: one of these, or a subcommand.
    """

    __slots__ = ("own", "ran", "refused")

    calls = _of_the_last("calls")
    usec = _of_the_last("usec")
    failed = _of_the_last("failed")
    spread = _of_the_last("spread")

    def __init__(self, spec: Spec) -> None:
        """Make the entry of a declaration that has subcommands."""
        self.own = self.ran = Entry(spec)
        self.refused = Entry(spec)
        super().__init__(spec)
        self.queued = False


class CommandTable:
    """All commands by name, whatever the case."""

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        """Collect the declarations of `modules`."""
        self.entries: dict[str, Entry] = {}
        tops: dict[str, Spec] = {}
        subs: dict[str, list[Spec]] = {}
        for spec in _declarations(modules):
            container, bar, _ = spec.name.partition("|")
            if bar:
                subs.setdefault(container, []).append(spec)
            elif spec.name in tops:
                raise ValueError(f"{spec.name} is declared twice")
            else:
                tops[spec.name] = spec
        for name, spec in tops.items():
            if name not in subs:
                self.entries[name] = Entry(spec)
        for name, specs in subs.items():
            self.entries[name] = _container(name, tops.get(name), specs)
        # Names as they usually come: upper and lower case. Other spellings are looked up by `find`.
        self.by_name: dict[bytes, Entry] = {}
        for name, entry in self.entries.items():
            self.by_name[name.encode()] = entry
            self.by_name[name.lower().encode()] = entry

    def find(self, name: bytes) -> Entry | None:
        """The entry of a command in any spelling."""
        return self.by_name.get(name) or self.by_name.get(name.upper())

    def resolve(self, request: Sequence[bytes]) -> Entry | None:
        """The entry of a request, the subcommand's where it names one."""
        entry = self.find(request[0])
        if entry is not None and entry.subs and len(request) > 1:
            return entry.subs.get(request[1].upper(), entry)
        return entry

    def unknown(self, request: Sequence[bytes]) -> CommandError:
        """Redis's answer to a name that is not in the table."""
        shown = b""
        for argument in request[1:]:
            if len(shown) >= _SHOWN_ARGUMENT_BYTES:
                break
            shown += b"'" + argument[: _SHOWN_ARGUMENT_BYTES - len(shown)] + b"' "
        return CommandError(b"unknown command '" + request[0][:128] + b"', with args beginning with: " + shown)


def unknown_subcommand(container: str, sub: bytes) -> CommandError:
    """Redis's answer to a subcommand that the container has not."""
    return CommandError(
        b"unknown subcommand '" + sub.partition(b"\0")[0][:128] + b"'. Try " + container.upper().encode() + b" HELP."
    )


def check_arity(entry: Entry, request: Sequence[bytes]) -> CommandError | None:
    """The error for a request with too few or too many words; None if it fits."""
    if entry.low <= len(request) <= entry.high:
        return None
    return WrongArity(entry.name)


def _declarations(modules: Iterable[ModuleType]) -> Iterator[Spec]:
    """What the functions of `modules` are declared as."""
    for module in modules:
        for function in list(vars(module).values()):
            if getattr(function, "__module__", None) == module.__name__:
                yield from getattr(function, "commands", ())


def _container(name: str, declared: Spec | None, subs: list[Spec]) -> Container:
    """The entry of a container: its subcommands, HELP among them, and a handler that finds the one to run.

    declared: its own declaration, for the few that do something without a subcommand (COMMAND).
    """
    spec = declared or Spec(
        name=name,
        flags=0,
        keys=Keys(),
        since=min((sub.since for sub in subs), key=_version),
        syntax=f"{name} subcommand [argument ...]",
        arity=-2,
        max_args=None,
        summary=f"A container for the commands of {name}.",
        group=subs[0].group,
        handler=_no_handler,
    )
    entry = Container(spec)
    for sub in [*subs, _help(name, subs)]:
        entry.subs.setdefault(sub.name.partition("|")[2].encode(), Entry(sub))
    entry.handler = _router(entry, None if declared is None else declared.handler)
    if declared is not None:
        entry.high = ANY_NUMBER
    return entry


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def _help(container: str, subs: list[Spec]) -> Spec:
    """HELP lists the subcommands as they are declared."""

    def help_(ctx: Context) -> list[Simple]:
        lines = [f"{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
        for spec in (*sorted(subs, key=lambda spec: spec.name), made):
            lines += [spec.usage or usage(spec.syntax.partition(" ")[2]), f"    {spec.summary}"]
        return [Simple(line.encode()) for line in lines]

    made = Spec(
        name=f"{container}|HELP",
        flags=Flag.LOADING | Flag.STALE,
        keys=Keys(),
        since="5.0.0",
        syntax=f"{container} HELP",
        arity=2,
        max_args=0,
        summary="Lists the subcommands.",
        group=subs[0].group,
        handler=help_,
    )
    return made


def _no_handler(ctx: Context) -> None:
    """Stand in the place of a container's handler until its router is made."""
    raise AssertionError(ctx)


def _router(container: Container, bare: Callable[..., Any] | None) -> Callable[..., Any]:
    """The handler of a container: finds the subcommand, checks its arity, runs it.

    bare: runs where none is named.
    """

    def route(ctx: Context, *words: bytes) -> Any:
        if not words and bare is not None:
            container.ran = container.own
            return bare(ctx)
        container.ran = container.refused
        entry = container.subs.get(words[0].upper())
        if entry is None:
            raise unknown_subcommand(container.name, words[0])
        if not entry.low <= len(words) + 1 <= entry.high:
            entry.rejected += 1
            raise WrongArity(entry.name)
        container.ran = entry
        ctx.peer.last_command = entry.name
        try:
            return entry.handler(ctx, *words[1:])
        except BadSubcommand as error:
            raise BadSubcommand.of(container.name, words[0]) from error

    return route
