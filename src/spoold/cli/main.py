"""The `spoold` command."""

from __future__ import annotations

import click

from spoold import __version__
from spoold.cli.docs import docs
from spoold.cli.serve import serve
from spoold.cli.simple import simple


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="spoold")
def main() -> None:
    """A durable queue server that speaks the protocols your clients already speak.

    \b
    spoold serve            serve Redis clients on 127.0.0.1:6379, data in ./spoold-data
    spoold serve --memory   the same, keeping nothing
    spoold simple           serve only huey's simple protocol, on 127.0.0.1:31337
    """


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


main.add_command(serve)
main.add_command(docs)
main.add_command(simple)
