"""Huey on spoold: the classes that an application names in place of RedisHuey, SqliteHuey or the SimpleHuey of 2018.

    from spoold.contrib.huey import SpooldHuey

    huey = SpooldHuey("app")                                 # the server of this machine: spoold serve
    huey = SpooldHuey("app", url="redis://:secret@queue:6379/1")
    huey = SpooldHuey("app", path="jobs")                    # no server: the data directory, for one process

source: huey 3.5, huey/storage.py; docs/huey.md.
"""

from __future__ import annotations

from os import PathLike
from typing import Any

from huey.api import Huey
from huey.exceptions import ConfigurationError

from spoold.client.redis import Client
from spoold.contrib.huey_moving import Moved, move
from spoold.contrib.huey_simple import SimpleStorage
from spoold.contrib.huey_storage import CommandStorage
from spoold.embedded.engine import share

__all__ = ["Moved", "SimpleHuey", "SimpleStorage", "SpooldHuey", "SpooldStorage", "move"]

_ONE_PROCESS = (
    "an embedded spoold serves the threads of one process, and worker_type={!r} is none of that: run a server "
    "(spoold serve --data {}) and give SpooldHuey its url in place of the path"
)


class SpooldStorage(CommandStorage):
    """A storage on a spoold server, or on a data directory of this process.

    path: the data directory, None where a server is used.
    """

    def __init__(
        self,
        name: str = "huey",
        url: str | None = None,
        *,
        path: str | PathLike[str] | None = None,
        host: str | None = None,
        port: int | None = None,
        db: int | None = None,
        username: str | None = None,
        password: str | None = None,
        blocking: bool = True,
        read_timeout: float = 1.0,
        expire_time: float | None = None,
        timeout: float | None = 30.0,
        patience: float = 3.0,
        durability: str | None = None,
    ) -> None:
        """Nothing is connected yet; a data directory is opened at once.

        url: `redis://[[user]:password@]host[:port][/db]` or `unix:///path`; host, port, db, username and password say
            the same in pieces.
        path: a data directory in place of a server. durability: `always` (its default) or `interval`.
        blocking: a consumer waits for jobs, `read_timeout` seconds at a time. expire_time: seconds after which a
            result that no one has read is dropped; None keeps it.
        timeout: seconds for the server to answer. patience: seconds to go on trying while it is away.
        raises: ConfigurationError: both a url and its pieces, or both a server and a directory; a directory that
            another process uses, or that can't be used.
        """
        pieces: dict[str, Any] = {"host": host, "port": port, "db": db, "username": username, "password": password}
        given = {key: value for key, value in pieces.items() if value is not None}
        if sum((url is not None, path is not None, bool(given))) > 1:
            raise ConfigurationError("give one of url, path, or host, port, db, username and password")
        if durability is not None and path is None:
            raise ConfigurationError("durability is the server's: give it to spoold serve")
        self.path = path
        if path is not None:
            commands: Any = share(path, durability or "always")
        elif url is not None:
            commands = Client.from_url(url, timeout_s=timeout, patience_s=patience, name=f"huey-{_plain(name)}")
        else:
            commands = Client(timeout_s=timeout, patience_s=patience, name=f"huey-{_plain(name)}", **given)
        super().__init__(name, commands, blocking=blocking, read_timeout=read_timeout, expire_time=expire_time)


class SpooldHuey(Huey):  # type: ignore[misc]
    """Huey on a spoold server, or on a data directory of this process."""

    storage_class = SpooldStorage

    def create_consumer(self, **options: Any) -> Any:
        """Make the consumer. raises: ConfigurationError: workers that can't share an embedded spoold."""
        path = getattr(self.storage, "path", None)
        kind = options.get("worker_type", "thread")
        if path is not None and kind != "thread":
            raise ConfigurationError(_ONE_PROCESS.format(kind, path))
        return super().create_consumer(**options)

    def _execute(self, task: Any, timestamp: Any) -> Any:
        """Run a job that is neither revoked nor expired; Huey's own, in as few round trips as it takes."""
        executing = getattr(self.storage, "executing", None)
        if executing is None:  # immediate mode has a storage of its own
            return super()._execute(task, timestamp)
        with executing(task.revoke_id):
            return super()._execute(task, timestamp)


class SimpleHuey(Huey):  # type: ignore[misc]
    """Huey over the simple protocol, as in 2018."""

    storage_class = SimpleStorage


def _plain(name: str) -> str:
    """What CLIENT SETNAME takes of a name."""
    return "".join(letter if "!" <= letter <= "~" else "-" for letter in name)
