"""The `spoold` command."""

from __future__ import annotations

import click

from spoold import __version__
from spoold.cli import bench, completion, data, docs, lines, moving, queues, serve, server, simple


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="spoold")
def main() -> None:
    """A durable queue server that speaks the protocols your clients already speak.

    \b
    spoold serve            serve Redis clients on 127.0.0.1:6379, data in ./spoold-data
    spoold serve --memory   the same, keeping nothing
    spoold simple           serve only huey's simple protocol, on 127.0.0.1:31337
    spoold status           ask the server at --url (SPOOLD_URL) how it is
    spoold backup DIR       copy the data of a server that runs, or does not
    """


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


for _command in (
    serve.serve,
    simple.simple,
    docs.docs,
    server.status,
    server.top,
    server.monitor,
    server.clients,
    server.config,
    queues.queues,
    queues.peek,
    queues.push,
    queues.pop,
    queues.move,
    queues.purge,
    queues.leases,
    bench.bench,
    data.backup,
    data.restore,
    data.verify,
    data.compact,
    lines.dump,
    lines.load,
    moving.import_,
    moving.export,
    completion.completion,
):
    main.add_command(_command)
