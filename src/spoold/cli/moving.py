"""`spoold import` and `export`: all keys of a Redis into spoold, and back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from spoold.cli.asking import client_of, fail, failing, info_of, json_option, url_option
from spoold.cli.shown import print_json, progress_bar, text_of
from spoold.client.redis import Client
from spoold.core.clock import SystemClock
from spoold.operations.transfer import Outcome, Transfer, size_of_target

_SHOWN: Final = 20
_STATE_HELP: Final = (
    "File that notes how far it is, so that the same command goes on after an interruption; by default it is named "
    "after both servers, and stands here."
)


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--state",
            type=click.Path(path_type=Path, dir_okay=False),
            help=_STATE_HELP,
        ),
        click.option("--match", "pattern", help="Only keys whose names match, as in KEYS."),
        click.option("--replace", is_flag=True, help="The target may hold keys; those of the same names are replaced."),
        click.option("--all-databases", is_flag=True, help="All databases, each into that of its number."),
        click.option("--no-compare", is_flag=True, help="Do not compare both sides at the end."),
        json_option,
        url_option,
    ):
        function = option(function)
    return function


@click.command("import")
@click.argument("source")
@_options
def import_(source: str, url: str, **given: Any) -> None:
    """Copy all keys of a running Redis, SOURCE (redis://HOST:PORT/DB), into the server at --url.

    Every type of Redis, with its expiry. Keys are read with the commands of their types, so the Redis may be of any
    version. A copy that is interrupted goes on when the same command is given again. At the end both sides are
    compared; exit code 1 if something differs or can't be copied.
    """
    _transfer(source, url, "SOURCE", "--url", **given)


@click.command()
@click.argument("target")
@_options
def export(target: str, url: str, **given: Any) -> None:
    """Copy all keys of the server at --url into a running Redis, TARGET (redis://HOST:PORT/DB).

    Schedules of the simple protocol have no like in Redis and are left out, flags of memcached's items are not kept,
    and what is under a lease is not copied. Else as `import`.
    """
    _transfer(url, target, "--url", "TARGET", **given)


def _transfer(
    source: str,
    target: str,
    source_name: str,
    target_name: str,
    *,
    as_json: bool,
    state: Path | None,
    pattern: str | None,
    replace: bool,
    all_databases: bool,
    no_compare: bool,
) -> None:
    with failing(), client_of(source, source_name) as first:
        databases = _databases(first) if all_databases else [None]
        if state is not None and len(databases) > 1:
            raise click.UsageError("--state is for one database: leave it out with --all-databases")
        whole = Outcome()
        for database in databases:
            with _in(source, source_name, database) as one, _in(target, target_name, database) as other:
                found = _one(one, other, state, pattern, replace=replace, compares=not no_compare, quiet=as_json)
            whole.copied += found.copied
            whole.compared += found.compared
            whole.differences += found.differences
            whole.resumed |= found.resumed
            whole.left_out += found.left_out
            whole.different += found.different
    _tell(whole, as_json=as_json, compared=not no_compare)
    if whole.differences or whole.left_out:
        sys.exit(1)


def _one(
    source: Client,
    target: Client,
    state: Path | None,
    pattern: str | None,
    *,
    replace: bool,
    compares: bool,
    quiet: bool,
) -> Outcome:
    names = (_place(source), _place(target))
    file = state or Path("spoold-" + "-to-".join(name.replace("/", "-").replace(":", "-") for name in names) + ".state")
    transfer = Transfer(source, target, names, SystemClock().unix_ms, file, pattern)
    if not transfer.resume() and not replace and (there := size_of_target(target)):
        fail(f"{names[1]} holds {there:,} keys: empty it, or give --replace")
    with progress_bar("copy", quiet=quiet) as progress:
        transfer.copy(progress)
    if compares:
        with progress_bar("compare", quiet=quiet) as progress:
            transfer.compare(progress)
    transfer.forget()
    return transfer.outcome


def _tell(outcome: Outcome, *, as_json: bool, compared: bool) -> None:
    if as_json:
        print_json(
            {
                "copied": outcome.copied,
                "resumed": outcome.resumed,
                "compared": outcome.compared,
                "differences": outcome.differences,
                "different": [{"key": name, "how": how} for name, how in outcome.different],
                "left_out": [{"key": name, "type": kind} for name, kind in outcome.left_out],
            }
        )
        return
    for name, kind in outcome.left_out[:_SHOWN]:
        click.echo(f"left out: {text_of(name)}, a {text_of(kind)} that can't be copied", err=True)
    for name, how in outcome.different[:_SHOWN]:
        click.echo(f"differs: {text_of(name)} {text_of(how.encode())}", err=True)
    words = [f"{outcome.copied:,} keys copied"]
    if outcome.resumed:
        words.append("some of them earlier")
    if compared:
        words.append(f"{outcome.compared:,} compared: {outcome.differences or 'no'} differences")
    if outcome.left_out:
        words.append(f"{len(outcome.left_out):,} left out")
    click.echo(", ".join(words))


def _databases(client: Client) -> list[int | None]:
    found = [int(name[2:]) for name in info_of(client, "keyspace") if name.startswith("db") and name[2:].isdigit()]
    return [*sorted(found)] or [0]


def _in(url: str, option: str, database: int | None) -> Client:
    return client_of(url, option, database)


def _place(client: Client) -> str:
    address = client.address
    return f"{address if isinstance(address, str) else ':'.join(map(str, address))}/{client.db}"
