"""CONFIG GET, SET, RESETSTAT and REWRITE, and the values that they read and change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spoold.admin.info import totals
from spoold.admin.parameters import PARAMETERS, BadValueError, Parameter
from spoold.command.context import Context
from spoold.command.spec import ADMIN, LOADING, NOSCRIPT, STALE, command
from spoold.core.errors import CommandError, NoConfigFile, WrongArity
from spoold.core.patterns import compile_pattern
from spoold.core.reply import OK, Reply
from spoold.dispatch.dispatcher import Dispatcher
from spoold.metrics.registry import Metrics

_FLAGS = ADMIN | NOSCRIPT | LOADING | STALE

Apply = Callable[[Any], None]


class Config:
    """The parameters' values while the server runs."""

    def __init__(self) -> None:
        """Every parameter has its default."""
        self._by_name: dict[str, Parameter] = {}
        self._values: dict[str, Any] = {}
        self._apply: dict[str, list[Apply]] = {}
        self._checks: dict[str, Apply] = {}
        self._computed: dict[str, Callable[[], Any]] = {}
        for parameter in PARAMETERS:
            self._by_name[parameter.name] = parameter
            if parameter.alias:
                self._by_name[parameter.alias] = parameter
            self._values[parameter.name] = parameter.kind.parse(parameter.default)

    @property
    def password(self) -> bytes:
        """What AUTH asks for; empty = nothing."""
        return bytes(self._values["requirepass"])

    def value(self, name: str) -> Any:
        """A parameter's value, as its kind reads it. raises: KeyError: there is no such parameter."""
        return self._values[self._by_name[name].name]

    def start_with(self, name: str, value: Any) -> None:
        """Give a parameter the value that the server was started with."""
        self._values[name] = value

    def compute(self, name: str, ask: Callable[[], Any]) -> None:
        """Ask for a parameter's value each time it is shown."""
        self._computed[name] = ask

    def guard(self, name: str, check: Apply) -> None:
        """Let `check` see each value before it is set; it raises BadValueError with the reason to refuse it."""
        self._checks[name] = check

    def on_set(self, name: str, apply: Apply) -> None:
        """Call `apply` with each value that the parameter is set to from now on."""
        self._apply.setdefault(name, []).append(apply)

    def shown(self, patterns: list[bytes]) -> dict[bytes, bytes]:
        """Names that one of the patterns matches, and their values as CONFIG GET shows them."""
        matchers = [compile_pattern(pattern, nocase=True) for pattern in patterns]
        asked = {pattern.lower() for pattern in patterns}
        names = (name.encode() for name, each in self._by_name.items() if not each.hidden or name.encode() in asked)
        return {name: self._show(name) for name in names if any(matches(name) for matches in matchers)}

    def set(self, pairs: list[tuple[bytes, bytes]]) -> None:
        """Set parameters, all or none.

        raises: CommandError in Redis's words, before anything changed.
        """
        values: dict[str, Any] = {}
        for given, _ in pairs:
            parameter = self._by_name.get(given.decode("latin-1").lower())
            if parameter is None:
                raise CommandError(b"Unknown option or number of arguments for CONFIG SET - '" + given + b"'")
            if parameter.fixed:
                raise _refused(given, parameter.fixed)
            if parameter.name in values:
                raise _refused(given, "duplicate parameter")
            values[parameter.name] = None
        for given, text in pairs:
            parameter = self._by_name[given.decode("latin-1").lower()]
            try:
                values[parameter.name] = value = parameter.kind.parse(text)
                if parameter.settled and parameter.kind.show(value) != self._show(parameter.name.encode()):
                    raise BadValueError(parameter.settled)
                if parameter.name in self._checks:
                    self._checks[parameter.name](value)
            except BadValueError as error:
                raise _refused(given, str(error)) from None
        for name, value in values.items():
            self._values[name] = value
            for apply in self._apply.get(name, ()):
                apply(value)

    def _show(self, name: bytes) -> bytes:
        parameter = self._by_name[name.decode()]
        ask = self._computed.get(parameter.name)
        return parameter.kind.show(self._values[parameter.name] if ask is None else ask())


def _refused(name: bytes, reason: str) -> CommandError:
    return CommandError(
        b"CONFIG SET failed (possibly related to argument '" + name + b"') - " + reason.encode("latin-1")
    )


@command("CONFIG|GET", flags=_FLAGS, since="2.0.0", syntax="CONFIG GET parameter [parameter ...]", group="server")
def config_get(ctx: Context, parameter: bytes, *parameters: bytes) -> Reply:
    """Returns the values of the parameters whose names match.

    parameter: names, or patterns as KEYS takes them, in any case.
    returns: name → value.
    """
    return ctx.parts.get(Config).shown([parameter, *parameters])


@command(
    "CONFIG|SET",
    flags=_FLAGS,
    since="2.0.0",
    syntax="CONFIG SET parameter value [parameter value ...]",
    group="server",
)
def config_set(ctx: Context, parameter: bytes, value: bytes, *more: bytes) -> Reply:
    """Sets parameters while the server runs, all of them or none; a restart forgets them.

    raises: CommandError: unknown, fixed or given twice; a value that the parameter does not take.
    differs: many parameters have no meaning here; they are remembered, and do nothing (docs/settings.md).
    source: Redis's CONFIG SET page; the parameters and what they do here: docs/settings.md.
    """
    if len(more) % 2:
        raise WrongArity("config|set")
    words = (parameter, value, *more)
    ctx.parts.get(Config).set(list(zip(words[::2], words[1::2], strict=True)))
    return OK


@command("CONFIG|RESETSTAT", flags=_FLAGS, since="2.0.0", syntax="CONFIG RESETSTAT", group="server")
def config_resetstat(ctx: Context) -> Reply:
    """Sets the counters that INFO shows back to zero."""
    for entry in ctx.parts.get(Dispatcher).entries():
        entry.reset()
    ctx.parts.get(Dispatcher).errors.clear()
    ctx.parts.get(Metrics).reset(totals(ctx))
    return OK


@command("CONFIG|REWRITE", flags=_FLAGS, since="2.8.0", syntax="CONFIG REWRITE", group="server")
def config_rewrite(ctx: Context) -> Reply:
    """Refuses: spoold does not write its configuration file.

    raises: NoConfigFile, always.
    differs: always refused, as by a Redis that was started without a file.
    """
    raise NoConfigFile
