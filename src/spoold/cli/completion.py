"""`spoold completion SHELL`: what a shell needs to complete spoold's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

# Where each shell reads it from at its start.
_PLACES = {
    "bash": 'eval "$(spoold completion bash)"  in ~/.bashrc',
    "zsh": 'eval "$(spoold completion zsh)"  in ~/.zshrc',
    "fish": "spoold completion fish > ~/.config/fish/completions/spoold.fish",
}


@click.command(epilog="\b\n" + "\n".join(_PLACES.values()))
@click.argument("shell", type=click.Choice(list(_PLACES)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Write what lets SHELL complete spoold's commands and options."""
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click has these three
    click.echo(found(context.find_root().command, {}, "spoold", "_SPOOLD_COMPLETE").source())
