"""Commands that talk to a running server: where it is, how it is asked, and what goes wrong in one line.

exit code 0   done
          1   the server refused, or something was not as it should be
          2   the command line was wrong
          3   no connection
          4   wrong password, or not allowed
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn, TypeVar

import click

from spoold.client.errors import CommandError, ConnectionFailed
from spoold.client.redis import Client
from spoold.core.errors import EngineError, SettingsError, SpooldError
from spoold.operations.files import OperationError
from spoold.settings import from_process

DEFAULT_URL: Final = "redis://127.0.0.1:6379/0"
FAILED: Final = 1
NO_CONNECTION: Final = 3
NOT_ALLOWED: Final = 4

_DENIED: Final = ("NOAUTH", "WRONGPASS", "NOPERM")
_STOPPED: Final = 130

F = TypeVar("F", bound=Callable[..., Any])


def url_option(function: F) -> F:
    """`--url`, for a command that takes the address itself."""
    return click.option(
        "--url",
        envvar="SPOOLD_URL",
        show_envvar=True,
        default=DEFAULT_URL,
        show_default=True,
        metavar="URL",
        help="The server: redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], rediss:// with TLS (?ssl_ca_certs=FILE) or "
        "unix:///PATH[?db=N]. A password may also be given as SPOOLD_PASSWORD, or in the file SPOOLD_CONFIG.",
    )(function)


def json_option(function: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")(function)


def asks(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a `Client` as its first argument, from `--url`; its errors become one line and an exit code."""

    @url_option
    @functools.wraps(function)
    def run(url: str, **given: Any) -> None:
        with failing(), client_of(url) as client:
            function(client, **given)

    return run


def client_of(url: str, option: str = "--url", database: int | None = None) -> Client:
    """A client of the server at `url`; of another database of it if that is given.

    option: that named it; SPOOLD_PASSWORD, and that in SPOOLD_CONFIG, are for the server at `--url` alone.
    raises: click.BadParameter: `url` is no address.
    """
    given: dict[str, Any] = {"name": "spoold-cli"}
    if option == "--url" and "@" not in url and (password := _password()):
        given["password"] = password
    if database is not None:
        given["db"] = database
    try:
        return Client.from_url(url, **given)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def _password() -> str | None:
    """SPOOLD_PASSWORD; else that of the file that the server was started with, where we may read it (SPOOLD_CONFIG)."""
    password = os.environ.get("SPOOLD_PASSWORD")
    if password or not os.environ.get("SPOOLD_CONFIG"):
        return password
    try:
        return from_process({}, None).password
    except SettingsError:
        return None  # if the server asks for one, its refusal tells


class failing:  # noqa: N801 - reads as a word: `with failing():`
    """Turns errors that people can do something about into one line on the error stream and an exit code."""

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """raises: SystemExit in place of what it knows."""
        if isinstance(error, CommandError):
            denied = error.message.startswith(_DENIED)
            advice = "; give it in --url redis://:PASSWORD@HOST or SPOOLD_PASSWORD" if denied else ""
            if error.message.startswith("ERR unknown command") and "SPOOLD" in error.message:
                fail("the server at --url is no spoold: it answers as a Redis does, and does not know its queues")
            fail(error.message + advice, NOT_ALLOWED if denied else FAILED)
        if isinstance(error, ConnectionFailed):
            advice = "; is it running? (spoold serve) Another one is named with --url or SPOOLD_URL"
            fail(f"{error}{advice if str(error).startswith('can') else ''}", NO_CONNECTION)
        if isinstance(error, (OperationError, EngineError)):
            fail(str(error).removesuffix("; choose one with --data"))
        if isinstance(error, SpooldError):
            fail(str(error))
        if isinstance(error, KeyboardInterrupt):
            sys.exit(_STOPPED)
        if isinstance(error, BrokenPipeError):
            # Whoever read what is written here (head, less) has enough.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)


def fail(text: str, code: int = FAILED) -> NoReturn:
    """Say what went wrong, and end."""
    click.echo(f"spoold: {text}", err=True)
    sys.exit(code)


def info_of(client: Client, *sections: str) -> dict[str, str]:
    """INFO's fields."""
    text: bytes = client.call("INFO", *sections)
    fields = (line.partition(":") for line in text.decode("utf-8", "replace").splitlines() if not line.startswith("#"))
    return {name: value for name, _, value in fields if name}


def pages(client: Client, *words: str | bytes | int) -> Iterator[dict[str, Any]]:
    """What a SPOOLD command lists in pages: `words`, in which 0 stands for the cursor; maps by their fields."""
    cursor: bytes | int = 0
    at = words.index(0)
    while True:
        cursor, page = client.call(*words[:at], cursor, *words[at + 1 :], repeat=True)
        for pairs in page:
            yield {name.decode(): value for name, value in zip(pairs[::2], pairs[1::2], strict=True)}
        if cursor == b"0":
            return
