"""A small client of the Redis door: commands in, replies out, nothing in between.

    with Client.from_url("redis://127.0.0.1:6379/0") as client:
        client.call("RPUSH", "jobs", b"...")
        client.run([("MULTI",), ("INCR", "n"), ("RPUSH", "jobs", b"..."), ("EXEC",)])

Made for parts of spoold that talk to a server, such as the storage for huey: whoever wants a method for each command
takes redis-py. Strings and statuses come back as bytes, null as None, arrays as lists.

A client may be shared by threads, and be used after a fork: each call has a connection of its own while it lasts.

When the server is away, a call tries to connect for `patience_s`. If the connection breaks while a reply is awaited, no
one knows whether the commands were carried out: what the caller allowed to `repeat` is sent once more; all else raises
ConnectionFailed.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from spoold.client.errors import CommandError, ConnectionFailed, TimedOut
from spoold.client.link import Link, Pool, connect_within
from spoold.protocol.answers import AnswerReader, Refusal, Word, pack_commands

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 6379

Command = Sequence[Word]


class Client:
    """Speaks to one server.

    address: host and port, or the path of a unix socket. db: the database that its commands see.
    timeout_s: how long to wait for a connection, and then for the next bytes; None = for ever.
    patience_s: how long to go on trying while the server is away.
    greeting: what each connection begins with: who it is, which database.
    """

    def __init__(
        self,
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
        *,
        unix_path: str | None = None,
        db: int = 0,
        username: str | None = None,
        password: str | None = None,
        timeout_s: float | None = 30.0,
        patience_s: float = 0.0,
        name: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Connects with the first command. name: what CLIENT LIST shows. tls: speaks TLS with what it trusts."""
        self._tls = tls
        self.address: tuple[str, int] | str = unix_path or (host, port)
        self.db = db
        self.timeout_s = timeout_s
        self.patience_s = patience_s
        self.greeting: list[Command] = []
        if password is not None:
            self.greeting.append(("AUTH", username, password) if username else ("AUTH", password))
        if db:
            self.greeting.append(("SELECT", db))
        if name:
            self.greeting.append(("CLIENT", "SETNAME", name))
        self._pool = Pool(self._connect)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """A client of `redis://[[user]:password@]host[:port][/db]` or `unix://[user:password@]/path[?db=n]`.

        `rediss://` speaks TLS, with the parameters of redis-py's URLs: ssl_ca_certs (default: what the system trusts),
        ssl_certfile and ssl_keyfile (shown to the server), ssl_check_hostname, ssl_cert_reqs=none (trusts anyone).
        raises: ValueError: another scheme, a database that is no number, a file that can't be used.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise ValueError(f"{url!r} is no redis://, rediss:// or unix:// address")
        query = dict(parse_qsl(parts.query))
        database = query.get("db") or ("" if parts.scheme == "unix" else parts.path.strip("/")) or "0"
        if not database.isdigit():
            raise ValueError(f"{url!r}: {database!r} is no number of a database")
        found: dict[str, Any] = {"db": int(database)}
        if parts.username:
            found["username"] = unquote(parts.username)
        if parts.password:
            found["password"] = unquote(parts.password)
        if parts.scheme == "unix":
            found["unix_path"] = unquote(parts.path)
        else:
            found |= {"host": parts.hostname or DEFAULT_HOST, "port": parts.port or DEFAULT_PORT}
        if parts.scheme == "rediss":
            found["tls"] = _tls_context(query)
        return cls(**(found | options))

    def __repr__(self) -> str:
        return f"Client({self.address!r}, db={self.db})"

    def call(self, *words: Word, wait_s: float | None = 0.0, repeat: bool = False) -> Any:
        """Run one command.

        wait_s: how long a blocking command may wait by intention; None = for ever.
        repeat: it may be carried out twice: it changes nothing, or the second time no more than the first.
        raises: CommandError, ConnectionFailed, TimedOut; TypeError: a word that can't be sent.
        """
        return self.run((words,), wait_s=wait_s, repeat=repeat)[0]

    def run(self, commands: Sequence[Command], *, wait_s: float | None = 0.0, repeat: bool = False) -> list[Any]:
        """Send commands in one piece; returns their replies.

        wait_s, repeat: as `call` has them, for all of them.
        raises: CommandError: the first that there is, when all are done; else as `call`.
        """
        request = pack_commands(commands)
        count = len(commands)
        link = self._pool.take()
        try:
            replies = link.ask(request, count, wait_s)
        except TimedOut:
            raise
        except ConnectionFailed:
            if not repeat:
                raise
            link = self._connect()
            replies = link.ask(request, count, wait_s)
        self._pool.give(link)
        for reply in replies:
            if reply.__class__ is Refusal:
                raise CommandError(reply)
        return replies

    def listen(self, *words: Word) -> Iterator[Any]:
        """Run a command whose replies do not end (MONITOR, SUBSCRIBE), on a connection of its own; gives them.

        raises: CommandError, ConnectionFailed.
        """
        for reply in self._connect().listen(pack_commands([words])):
            if reply.__class__ is Refusal:
                raise CommandError(reply)
            yield reply

    def close(self) -> None:
        """Close the connections that no call uses; a later command opens a new one."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self) -> Link:
        return connect_within(self._connect_once, self.patience_s)

    def _connect_once(self) -> Link:
        """raises: ConnectionFailed, TimedOut; CommandError: the server does not let this client in."""
        link = Link(self.address, self.timeout_s, AnswerReader(), "the Redis protocol", self._tls)
        if self.greeting:
            for answer in link.ask(pack_commands(self.greeting), len(self.greeting)):
                if answer.__class__ is Refusal:
                    link.close()
                    raise CommandError(answer)
        return link


def _tls_context(query: dict[str, str]) -> ssl.SSLContext:
    """raises: ValueError."""
    ca, cert, key = (query.get(name) for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"))
    try:
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if cert:
            context.load_cert_chain(cert, key)
    except OSError as error:
        files = ", ".join(path for path in (ca, cert, key) if path)
        raise ValueError(f"TLS with {files or 'the certificates of the system'}: {error.strerror or error}") from error
    if query.get("ssl_check_hostname", "true").lower() in {"false", "no", "0"}:
        context.check_hostname = False
    if query.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
