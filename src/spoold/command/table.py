"""From a name on the wire to a handler, and to what is known of the command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any, Final

from spoold.command.context import Context
from spoold.command.spec import Flag, Keys, Spec
from spoold.core.errors import CommandError, WrongArity

ANY_NUMBER: Final = 1 << 30
_SHOWN_ARGUMENT_BYTES: Final = 128


class Entry:
    """A command as the dispatcher runs it, with its counters.

    name: lower case, as in error texts. low, high: words in a request, the name included.
    subs: subcommands by upper-case name, for a container. calls, usec, rejected, failed: INFO commandstats.
    """

    __slots__ = ("calls", "failed", "flags", "handler", "high", "low", "name", "rejected", "spec", "subs", "usec")

    def __init__(self, spec: Spec) -> None:
        """Make the entry of one declaration."""
        self.spec = spec
        self.name = spec.name.lower()
        self.handler: Callable[..., Any] = spec.handler
        self.low = abs(spec.arity)
        words = len(spec.name.split("|"))
        self.high = spec.arity if spec.arity > 0 else ANY_NUMBER if spec.max_args is None else spec.max_args + words
        self.flags = spec.flags
        self.subs: dict[bytes, Entry] = {}
        self.reset()

    def reset(self) -> None:
        """Forget the counters (CONFIG RESETSTAT)."""
        self.calls = 0
        self.usec = 0.0
        self.rejected = 0
        self.failed = 0


class CommandTable:
    """All commands by name, whatever the case."""

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        """Collect the declarations of `modules`."""
        self.entries: dict[str, Entry] = {}
        subs: list[Spec] = []
        for module in modules:
            for function in list(vars(module).values()):
                if getattr(function, "__module__", None) != module.__name__:
                    continue
                for spec in getattr(function, "commands", ()):
                    if "|" in spec.name:
                        subs.append(spec)
                    elif spec.name in self.entries:
                        raise ValueError(f"{spec.name} is declared twice")
                    else:
                        self.entries[spec.name] = Entry(spec)
        for spec in subs:
            container, _, name = spec.name.partition("|")
            if container not in self.entries:
                self.entries[container] = Entry(_container(container, spec))
            entry = self.entries[container]
            entry.subs[name.encode()] = Entry(spec)
        for entry in self.entries.values():
            if entry.subs and entry.spec.handler is _no_handler:
                entry.handler = _router(entry)
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
    return CommandError(b"unknown subcommand '" + sub[:128] + b"'. Try " + container.upper().encode() + b" HELP.")


def check_arity(entry: Entry, request: Sequence[bytes]) -> CommandError | None:
    """The error for a request with too few or too many words; None if it fits."""
    if entry.low <= len(request) <= entry.high:
        return None
    return WrongArity(entry.name)


def _no_handler(ctx: Context) -> None:
    """Stand in the place of a container's handler until its router is made."""
    raise AssertionError(ctx)


def _container(name: str, sub: Spec) -> Spec:
    return Spec(
        name=name,
        flags=Flag(0),
        keys=Keys(),
        since=sub.since,
        syntax=f"{name} subcommand [argument ...]",
        arity=-2,
        max_args=None,
        summary=f"A container for the commands of {name}.",
        group=sub.group,
        handler=_no_handler,
    )


def _router(container: Entry) -> Callable[..., Any]:
    """The handler of a container: finds the subcommand, checks its arity, runs it."""

    def route(ctx: Context, sub: bytes, *arguments: bytes) -> Any:
        entry = container.subs.get(sub.upper())
        if entry is None:
            raise unknown_subcommand(container.name, sub)
        if not entry.low <= len(arguments) + 2 <= entry.high:
            raise WrongArity(entry.name)
        entry.calls += 1
        return entry.handler(ctx, *arguments)

    return route
