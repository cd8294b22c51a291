"""`spoold simple`: huey's simple server with the options that the old one had."""

from __future__ import annotations

from typing import Any

import click

from spoold.cli.serve import run_server
from spoold.settings import FIELDS, from_process

_THREADS = "-t/--use-threads has no effect: one event loop serves all clients, without gevent and without threads"


@click.command()
@click.option("-d", "--debug", is_flag=True, help="Log debug messages.")
@click.option("-e", "--errors", is_flag=True, help="Log errors only.")
@click.option(
    "-t",
    "--use-threads",
    is_flag=True,
    help="Taken for the sake of old start scripts: it chose threads in place of gevent. Here one event loop serves all "
    "clients, so there is nothing to choose.",
)
@click.option(
    "-H",
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. The protocol has no passwords, so it must be one of this machine's own.",
)
@click.option(
    "-m", "--max-clients", type=click.IntRange(min=1), default=64, show_default=True, help="Most clients at a time."
)
@click.option(
    "-p", "--port", type=click.IntRange(0, 65535), default=31337, show_default=True, help="Port to listen on."
)
@click.option("-l", "--log-file", help="Write the log to this file; standard error by default.")
@click.option("--data", help="Data directory; created if it does not exist.  [SPOOLD_DATA; default: spoold-data]")
@click.option("--memory", is_flag=True, help="Keep nothing, as the old server did: the data dies with the process.")
def simple(debug: bool, errors: bool, use_threads: bool, host: str, port: int, memory: bool, **given: Any) -> None:
    """Serve huey's simple protocol, and nothing else, until SIGTERM, SIGINT or SHUTDOWN.

    The options are those of huey's own simple server, so that its start scripts need no more than another first word.
    What the old server kept in memory is on disk now. All else (durability, limits) is set by environment variables:
    see `spoold serve --help`, which also serves this protocol beside the others.
    """
    off = {name: ("off",) for name, field in FIELDS.items() if field.metadata["kind"] == "listen"}
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    given |= {"simple": (address,), "memory": "yes" if memory else None}
    if debug or errors:
        given["log_level"] = "debug" if debug else "error"
    if use_threads:
        click.echo(f"spoold simple: {_THREADS}", err=True)
    run_server(lambda: from_process(off | given, None))
