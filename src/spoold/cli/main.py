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


# As the help groups them; what is missing here stands at the end.
_SUBJECTS: Final = {
    "Serving": ("serve", "simple"),
    "Looking": ("status", "top", "queues", "leases", "peek", "clients", "monitor", "config", "bench"),
    "Items": ("push", "pop", "move", "purge"),
    "Data": ("backup", "restore", "verify", "compact", "dump", "load", "import", "export"),
}
_SHORT_CHARACTERS: Final = 62


def _short(text: str) -> str:
    """The first sentence of a help, as much of it as fits a line and still makes sense."""
    sentence = text.strip().partition("\n\n")[0].replace("\n", " ").partition(". ")[0].rstrip(".")
    for mark in (": ", "; ", " (", ", "):
        if len(sentence) > _SHORT_CHARACTERS:
            sentence = sentence.partition(mark)[0]
    return sentence


class _OnDemand(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return sorted({*_COMMANDS, *self.commands})

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands by their subjects."""
        named = {name for names in _SUBJECTS.values() for name in names}
        others = tuple(name for name in self.list_commands(ctx) if name not in named)
        for subject, names in (*_SUBJECTS.items(), ("Other", others)):
            commands = [(name, self.get_command(ctx, name)) for name in names]
            rows = [(name, _short(each.help or "")) for name, each in commands if each is not None and not each.hidden]
            with formatter.section(subject):
                formatter.write_dl(rows, col_max=12)

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
    spoold serve            serve Redis clients on port 6379, data in spoold-data
    spoold serve --memory   the same, keeping nothing
    spoold simple           serve only huey's simple protocol, on port 31337
    spoold status           ask the server at --url (SPOOLD_URL) how it is
    spoold backup DIR       copy the data of a server that runs, or does not
    """


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)
