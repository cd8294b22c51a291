"""`spoold backup`, `restore`, `verify`, `compact`: what is done to a data directory. `dump` and `load`: lines.py."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from spoold.cli.asking import DEFAULT_URL, client_of, fail, failing, json_option
from spoold.cli.shown import print_json, progress_bar, size_of, text_of
from spoold.client.errors import CommandError, ConnectionFailed
from spoold.operations.backup import back_up
from spoold.operations.restore import compact as compact_directory
from spoold.operations.restore import restore as restore_directory
from spoold.operations.verify import Report
from spoold.operations.verify import verify as verify_directory
from spoold.settings import default_of

DEFAULT_DATA: Final = default_of("data")
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_SHOWN_FAULTS: Final = 50
# Where the address is kept for the option that needs it; the commands themselves do not get it.
_URL: Final = "spoold.url"

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SPOOLD_DATA",
    show_envvar=True,
    default=DEFAULT_DATA,
    show_default=True,
    help="The data directory, as `spoold serve` has it.",
)


def found_data(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path:
    """The directory that was named; else that of the server on this machine; else the default."""
    if value is not None:
        return value
    url = context.meta.get(_URL) or DEFAULT_URL
    client = client_of(url)
    if isinstance(client.address, tuple) and client.address[0] not in _LOCAL:
        fail(f"{url} is another machine: name the --data directory on this one")
    try:
        with client:
            answer = client.call("CONFIG", "GET", "dir")
    except ConnectionFailed:
        if DEFAULT_DATA.is_dir():
            return Path(DEFAULT_DATA)
        fail(f"no server at {url}, and no directory {DEFAULT_DATA} here: name the directory with --data")
    except CommandError as error:
        fail(f"{url}: {error.message}; name the directory with --data")
    if len(answer) != 2 or not answer[1]:
        fail(f"the server at {url} keeps its data in memory only: there is no directory")
    return Path(answer[1].decode("utf-8", "surrogateescape"))


def running_data_option(function: Any) -> Any:
    """`--data` and `--url`: a directory, or that of a running server on this machine."""
    function = click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="SPOOLD_DATA",
        show_envvar=True,
        callback=found_data,
        help="The data directory; by default that of the server at --url, which must be on this machine, else "
        f"{DEFAULT_DATA}.",
    )(function)
    return click.option(
        "--url",
        envvar="SPOOLD_URL",
        show_envvar=True,
        is_eager=True,
        expose_value=False,
        metavar="URL",
        help="The server that is asked for its directory if none is named.",
        callback=_keep,
    )(function)


def _keep(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    context.meta[_URL] = value
    return value


@click.command()
@json_option
@running_data_option
@click.argument("target", type=click.Path(path_type=Path))
def backup(as_json: bool, data: Path, target: Path) -> None:
    """Write a backup as the directory TARGET, which must not exist.

    The server may run, and is not held up: the backup holds everything that was acknowledged before it began, and is
    consistent. It is complete when it has its name.
    """
    with failing(), progress_bar("backup", in_bytes=True, quiet=as_json) as progress:
        label = back_up(data, target, progress)
    if as_json:
        print_json(asdict(label))
    else:
        click.echo(f"{target}: {size_of(label.bytes)}, up to turn {label.turn:,}")


@click.command()
@json_option
@data_option
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False))
def restore(as_json: bool, data: Path, source: Path) -> None:
    """Bring the backup SOURCE back as --data, which must be empty or not exist."""
    with failing(), progress_bar("restore", in_bytes=True, quiet=as_json) as progress:
        label = restore_directory(source, data, progress)
    if as_json:
        print_json(asdict(label))
    else:
        click.echo(f"{data}: {size_of(label.bytes)}, as of {label.made}; serve it with: spoold serve --data {data}")


@click.command()
@json_option
@data_option
def compact(as_json: bool, data: Path) -> None:
    """Write the data file of --data anew, without its free space. The server must be stopped."""
    with failing():
        sizes = compact_directory(data)
    if as_json:
        print_json(asdict(sizes))
    else:
        click.echo(f"{data}: {size_of(sizes.before)} before, {size_of(sizes.after)} now")


@click.command()
@json_option
@running_data_option
@click.option(
    "--repair", is_flag=True, help="Count again what was counted wrong, and mend indexes; the server must be stopped."
)
def verify(as_json: bool, data: Path, repair: bool) -> None:
    """Look whether everything in a data directory fits together. Exit code 1 if not.

    The server may run, and is not held up. With --repair counters and index entries are written anew, whose right value
    is known from the data; nothing that holds data is changed or removed.
    """
    with failing(), progress_bar("verify", quiet=as_json) as progress:
        report = verify_directory(data, repair=repair, progress=progress)
    if as_json:
        found = asdict(report)
        found["faults"] = [{"place": fault.place, "text": fault.text} for fault in report.faults]
        print_json({"sound": report.sound, **found})
    else:
        _print(report, repair=repair)
    if not report.sound:
        sys.exit(1)


def _print(report: Report, *, repair: bool) -> None:
    for fault in report.faults[:_SHOWN_FAULTS]:
        mark = " (mended)" if repair and fault.mends else " (--repair mends it)" if fault.mends else ""
        click.echo(f"{text_of(fault.place.encode())}: {text_of(fault.text.encode())}{mark}")
    if report.found > _SHOWN_FAULTS:
        click.echo(f"… and {report.found - _SHOWN_FAULTS:,} more")
    looked = f"{report.keys:,} keys, {report.elements:,} elements, {report.leases:,} leases"
    if not report.found:
        click.echo(f"{looked}: no fault")
    elif repair:
        click.echo(f"{looked}: {report.found:,} faults, {report.mended:,} mended")
    else:
        click.echo(f"{looked}: {report.found:,} faults")
