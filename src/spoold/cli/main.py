"""The `spoold` command.

What a command needs is imported when it is called: a server that starts would wait for tables and progress bars that
it never shows.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from spoold import __version__

# Where each command stands: a module of this package, and its name there.
_COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "serve": ("serve", "serve"),
    "simple": ("simple", "simple"),
    "status": ("server", "status"),
    "top": ("server", "top"),
    "monitor": ("server", "monitor"),
    "clients": ("server", "clients"),
    "config": ("server", "config"),
    "queues": ("queues", "queues"),
    "peek": ("queues", "peek"),
    "push": ("queues", "push"),
    "pop": ("queues", "pop"),
    "move": ("queues", "move"),
    "purge": ("queues", "purge"),
    "leases": ("queues", "leases"),
    "bench": ("bench", "bench"),
    "backup": ("data", "backup"),
    "restore": ("data", "restore"),
    "verify": ("data", "verify"),
    "compact": ("data", "compact"),
    "dump": ("lines", "dump"),
    "load": ("lines", "load"),
    "import": ("moving", "import_"),
    "export": ("moving", "export"),
    "completion": ("completion", "completion"),
    "docs": ("docs", "docs"),
}


class _OnDemand(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return sorted({*_COMMANDS, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None if there is none of this name."""
        if cmd_name not in self.commands and cmd_name in _COMMANDS:
            module, attribute = _COMMANDS[cmd_name]
            self.add_command(getattr(import_module(f"spoold.cli.{module}"), attribute), cmd_name)
        return super().get_command(ctx, cmd_name)


@click.group(cls=_OnDemand, context_settings={"help_option_names": ["-h", "--help"]})
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
