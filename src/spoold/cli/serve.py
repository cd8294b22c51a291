"""`spoold serve`: read the settings, run the server, say how to connect."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from spoold import __version__
from spoold.app import App
from spoold.cli.logs import formatter
from spoold.core.errors import EngineError, SettingsError
from spoold.settings import FIELDS, Settings, default_of, environment_name, flag_name, from_process

try:
    import uvloop

    _new_loop: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop
except ImportError:  # no uvloop on this platform: asyncio's own loop
    _new_loop = None


# Data, journal, listeners, log, the loop's own, and what a backup or a replica may need.
OWN_FILES: Final = 64


def _options(function: Callable[..., None]) -> Callable[..., None]:
    """One click option for each field of `Settings`."""
    for name, item in reversed(FIELDS.items()):
        meta = item.metadata
        default = default_of(name)
        shown = ",".join(default) if isinstance(default, tuple) else default
        text = f"{meta['text']}  [{environment_name(name)}"
        text += f"; default: {shown}]" if shown not in ("", False) else "]"
        keywords: dict[str, Any] = {"default": None, "help": text}
        if meta["kind"] == "flag":
            function = click.option(flag_name(name), name, is_flag=True, flag_value="yes", **keywords)(function)
        elif meta["kind"] in ("listen", "shares"):
            metavar = "ADDRESS" if meta["kind"] == "listen" else "NAME=N"
            function = click.option(flag_name(name), name, multiple=True, metavar=metavar, help=text)(function)
        else:
            function = click.option(flag_name(name), name, metavar=meta["kind"].upper(), **keywords)(function)
    return function


@click.command()
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="TOML file with the same options.  [SPOOLD_CONFIG]"
)
@_options
def serve(config_file: Path | None, **given: Any) -> None:
    """Serve until SIGTERM or SIGINT.

    Every option also has an environment variable and a key in the TOML file (its name without the dashes). Sizes take
    kb, mb and gb.
    """
    run_server(lambda: from_process(given, config_file))


def run_server(settings_of: Callable[[], Settings]) -> NoReturn:
    """Serve until stopped, then end the process; whatever makes it impossible to start is one line.

    settings_of: puts the settings together; may raise SettingsError.
    """
    try:
        settings = settings_of()
        _start_log(settings)
        _allow_files(settings.max_clients)
        code = _run(_serve(settings))
    except (SettingsError, EngineError) as error:
        click.echo(f"spoold: {error}", err=True)
        sys.exit(1)
    sys.exit(code)


async def _serve(settings: Settings) -> int:
    app = App(settings)
    # What exists by now lives as long as the server: keep the collector from walking over it again and again.
    gc.collect()
    gc.freeze()
    # Requests and replies hold no cycles: looking for some every 700 objects costs a few percent and finds nothing.
    gc.set_threshold(50_000, 20, 20)
    return await app.run(_announce)


def _run(main: Any) -> int:
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        result: int = runner.run(main)
    return result


def _announce(app: App) -> None:
    lines = [f"spoold {__version__}"]
    for kind, address in app.listeners:
        lines.append(f"  {kind:<12}{address}")
    for kind, reason in app.missing:
        lines.append(f"  {kind:<12}off: {reason}")
    for kind, option in app.withheld:
        lines.append(f"  {kind:<12}off: there is a password, and this protocol has none ({option} opens it)")
    if app.directory is None:
        lines.append("  data        in memory only: it dies with this process")
    else:
        lines.append(f"  data        {app.directory.resolve()}")
        lines.append(f"  durability  {app.settings.durability}")
    for first in [address for kind, address in app.listeners if kind == "redis"][:1]:
        url = f"unix://{first.path}" if first.path else f"redis{'s' * first.tls}://{_near(first.host)}:{first.port}/0"
        lines.append(f"  connect     {url}")
    click.echo("\n".join(lines))
    sys.stdout.flush()


def _near(host: str) -> str:
    """Where a client on this machine finds what listens on `host`; all addresses of the machine are none."""
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nothing is opened
    return f"[{near}]" if ":" in near else near


def _allow_files(max_clients: int) -> None:
    """Let the process have as many files open as its clients need, as far as the system allows it."""
    needed = max_clients + OWN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < needed:
        logging.getLogger("spoold").warning(
            "the system allows %d open files: some of --max-clients %d may not get in", allowed, max_clients
        )


def _start_log(settings: Settings) -> None:
    handler: logging.Handler
    if settings.log_file:
        try:
            handler = logging.FileHandler(settings.log_file)
        except OSError as error:
            raise SettingsError(f"--log-file {settings.log_file}: {error.strerror}") from error
    else:
        handler = logging.StreamHandler()
    handler.setFormatter(formatter(settings.log_format))
    root = logging.getLogger("spoold")
    root.addHandler(handler)
    root.setLevel(settings.log_level.upper())
