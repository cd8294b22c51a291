"""TLS as clients meet it: real servers, on both event loops, with the clients that people use."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pymemcache
import pytest
import redis

from spoold.server.tls import HANDSHAKE_TIMEOUT_S
from spoold.testing.process import ServerProcess, StartFailed, free_port
from support.certificates import Pair, certificates, client_context

WITHOUT_UVLOOP = "import sys; sys.modules['uvloop'] = None; from spoold.cli.main import main; main()"
DEADLINE_S = 20.0
LOOPS = ["uvloop", "asyncio"]


class TlsServer(ServerProcess):
    """A server with a plain door for the probe of the tests, and one with TLS."""

    def __init__(self, tmp_path: Path, pair: Pair, options: list[str], loop: str, env: dict[str, str | None]) -> None:
        self.cert, self.key = pair.write(tmp_path, "server")
        self.ca = tmp_path / "ca.pem"
        self.ca.write_bytes(certificates().ca)
        self.tls_port = free_port()
        self._loop = loop
        given = [
            "--redis",
            f"tls:{self.tls_port}",
            "--tls-cert",
            str(self.cert),
            "--tls-key",
            str(self.key),
            "--memory",
        ]
        super().__init__(options=[*given, *options], env=env)

    def command(self) -> list[str]:
        command = super().command()
        if self._loop == "asyncio":
            command[1:3] = ["-c", WITHOUT_UVLOOP]
        return command

    def tls_client(self, **options: object) -> redis.Redis:
        given = {"ssl_ca_certs": str(self.ca), "socket_timeout": DEADLINE_S, "retry": None, **options}
        return redis.Redis(host="localhost", port=self.tls_port, ssl=True, **given)  # type: ignore[arg-type]

    def plain_client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=DEADLINE_S)


@contextmanager
def tls_server(
    tmp_path: Path,
    *options: str,
    pair: Pair | None = None,
    loop: str = "uvloop",
    env: dict[str, str | None] | None = None,
) -> Iterator[TlsServer]:
    with TlsServer(tmp_path, pair or certificates().server, list(options), loop, env or {}) as server:
        yield server


@pytest.fixture(params=LOOPS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TlsServer]:
    with tls_server(tmp_path, "--tls-client-ca", "", loop=request.param) as running:
        yield running


def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_a_client_works_over_tls_as_without_it(server: TlsServer) -> None:
    assert f"tls:127.0.0.1:{server.tls_port}" in server.stdout_text()
    with server.tls_client() as client, server.plain_client() as plain:
        big = b"x" * 5_000_000
        assert client.set("big", big)
        assert client.get("big") == big
        assert plain.strlen("big") == len(big)
        with client.pipeline(transaction=False) as pipeline:
            for number in range(5_000):
                pipeline.rpush("queue", number)
            assert pipeline.execute()[-1] == 5_000
        with client.pubsub() as listening:
            listening.subscribe("news")
            assert listening.get_message(timeout=DEADLINE_S)["type"] == "subscribe"
            plain.publish("news", "hello")
            assert listening.get_message(timeout=DEADLINE_S)["data"] == b"hello"
        assert client.blpop("nothing", 0.05) is None
        assert plain.client_list()[0]["addr"].startswith("127.0.0.1:")


def test_many_replies_that_are_read_late_arrive_whole(server: TlsServer) -> None:
    with server.plain_client() as plain:
        plain.set("big", b"y" * 1_000_000)
        with raw(server) as late:
            late.sendall(b"*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n" * 40)
            # The server holds back what this client does not take, and serves others.
            assert plain.ping()
            expected = (b"$1000000\r\n" + b"y" * 1_000_000 + b"\r\n") * 40
            assert received(late, len(expected)) == expected


def test_who_is_sent_messages_and_does_not_take_them_is_disconnected(server: TlsServer) -> None:
    with server.plain_client() as plain, raw(server) as idle:
        plain.config_set("client-output-buffer-limit", "pubsub 4mb 0 0")
        idle.sendall(b"SUBSCRIBE news\r\n")
        assert received(idle, 4) == b"*3\r\n"
        until(lambda: plain.publish("news", b"z" * 1_000_000) == 0)
        assert "does not take its replies: disconnected" in server.stderr_text()
        assert len(plain.client_list()) == 1


def test_plain_text_on_the_tls_port_is_a_closed_connection(server: TlsServer) -> None:
    with socket.create_connection(("127.0.0.1", server.tls_port), DEADLINE_S) as plain:
        plain.sendall(b"*1\r\n$4\r\nPING\r\n")
        answer = everything(plain)
    assert b"PONG" not in answer
    until(lambda: "a TLS handshake failed (1 so far)" in server.stderr_text())
    with server.tls_client() as client:
        assert client.ping()
    assert "Traceback" not in server.stderr_text()


def test_a_handshake_in_single_bytes_succeeds(server: TlsServer) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context(certificates().ca).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", server.tls_port), DEADLINE_S) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def pump(step: Callable[[], object]) -> object:
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    for byte in outgoing.read():
                        wire.sendall(bytes([byte]))
                    incoming.write(wire.recv(65536))

        pump(client.do_handshake)
        client.write(b"PING\r\n")
        assert pump(client.read) == b"+PONG\r\n"


def test_clients_refuse_a_wrong_ca_a_wrong_name_and_an_expired_certificate(tmp_path: Path) -> None:
    for pair, ca, reason in (
        (certificates().server, certificates().other_ca, "unable to get local issuer"),
        (certificates().misnamed, certificates().ca, "Hostname mismatch"),
        (certificates().expired, certificates().ca, "certificate has expired"),
    ):
        with tls_server(tmp_path, pair=pair) as server:
            server.ca.write_bytes(ca)
            with server.tls_client() as client, pytest.raises(redis.ConnectionError, match=reason):
                client.ping()
            assert server.plain_client().ping()
            warned = "clients will refuse it: certificate has expired" in server.stderr_text()
            assert warned == (pair is certificates().expired)


def test_only_who_shows_a_certificate_of_the_client_ca_gets_in(tmp_path: Path) -> None:
    ca = tmp_path / "clients.pem"
    ca.write_bytes(certificates().ca)
    cert, key = certificates().client.write(tmp_path, "client")
    strange_cert, strange_key = certificates().stranger.write(tmp_path, "stranger")
    with tls_server(tmp_path, "--tls-client-ca", str(ca)) as server:
        with server.tls_client(ssl_certfile=str(cert), ssl_keyfile=str(key)) as client:
            assert client.ping()
        with server.tls_client() as bare, pytest.raises(redis.ConnectionError):
            bare.ping()
        with (
            server.tls_client(ssl_certfile=str(strange_cert), ssl_keyfile=str(strange_key)) as stranger,
            pytest.raises(redis.ConnectionError),
        ):
            stranger.ping()
        assert server.plain_client().info("stats")["total_connections_received"] >= 1


def test_old_versions_of_tls_are_refused(tmp_path: Path) -> None:
    with tls_server(tmp_path) as server:
        for version, welcome in (
            (ssl.TLSVersion.TLSv1_1, False),
            (ssl.TLSVersion.TLSv1_2, True),
            (ssl.TLSVersion.TLSv1_3, True),
        ):
            context = client_context(certificates().ca)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.TLSv1_1
                context.maximum_version = version
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            if welcome:
                with raw(server, context) as secure:
                    secure.sendall(b"PING\r\n")
                    assert received(secure, 7) == b"+PONG\r\n"
            else:
                with pytest.raises(ssl.SSLError), raw(server, context):
                    pass
                until(lambda: "unsupported protocol" in server.stderr_text())


def test_a_certificate_is_renewed_at_sighup_and_who_is_connected_stays(server: TlsServer) -> None:
    old, new = certificates().server, certificates().renewed
    assert shown_certificate(server) == ssl.PEM_cert_to_DER_cert(first_of(old.cert))
    with server.tls_client(single_connection_client=True) as staying:
        number = staying.client_id()
        server.cert.write_bytes(new.cert)  # its key has not come yet
        hang_up(server, "TLS goes on with the certificate that it had")
        assert shown_certificate(server) == ssl.PEM_cert_to_DER_cert(first_of(old.cert))
        server.key.write_bytes(new.key)
        hang_up(server, "new connections get the certificate in")
        assert shown_certificate(server) == ssl.PEM_cert_to_DER_cert(first_of(new.cert))
        assert staying.client_id() == number


def test_a_renewed_client_ca_shuts_others_out_at_once(tmp_path: Path) -> None:
    ca = tmp_path / "clients.pem"
    ca.write_bytes(certificates().ca)
    pair = certificates().client.write(tmp_path, "client")
    with tls_server(tmp_path, "--tls-client-ca", str(ca)) as server:
        context = client_context(certificates().ca, pair)
        with raw(server, context) as first:
            first.sendall(b"PING\r\n")
            assert received(first, 7) == b"+PONG\r\n"
            session = first.session
            ca.write_bytes(certificates().other_ca)
            hang_up(server, "new connections get the certificate in")
            first.sendall(b"PING\r\n")
            assert received(first, 7) == b"+PONG\r\n"
        # Neither anew nor with the session of an earlier connection.
        for earlier in (None, session):
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                ping(server, context, earlier)


def test_sighup_without_tls_does_nothing(spoold_server: ServerProcess) -> None:
    spoold_server._started_process().send_signal(signal.SIGHUP)
    until(lambda: "SIGHUP" in spoold_server.stderr_text())
    with redis.Redis.from_url(spoold_server.url) as client:
        assert client.ping()


def test_every_listener_speaks_tls(tmp_path: Path) -> None:
    ports = {option: free_port() for option in ("--memcached", "--memcached-queue", "--simple", "--http")}
    options = [word for option, port in ports.items() for word in (option, f"tls:{port}")]
    context = client_context(certificates().ca)
    with tls_server(tmp_path, *options) as server:
        for option in ("--memcached", "--memcached-queue"):
            client = pymemcache.Client(("localhost", ports[option]), tls_context=context, timeout=DEADLINE_S)
            assert client.set(option, b"value")
            assert client.get(option) == b"value"
            client.close()
        with raw(server, context, port=ports["--simple"]) as simple:
            simple.sendall(b"*1\r\n$4\r\nINFO\r\n")
            assert simple.recv(1)
        url = f"https://localhost:{ports['--http']}/healthz"
        with urllib.request.urlopen(url, context=context, timeout=DEADLINE_S) as answer:
            assert answer.status == 200


def test_redis_cli_connects_with_tls(tmp_path: Path) -> None:
    program = shutil.which("redis-cli")
    if program is None or "--tls" not in subprocess.run([program, "--help"], capture_output=True, text=True).stdout:
        pytest.skip("there is no redis-cli that was built with TLS")
    with tls_server(tmp_path) as server:
        command = [program, "-h", "localhost", "-p", str(server.tls_port), "--tls", "--cacert", str(server.ca), "PING"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S)
        assert done.stdout == "PONG\n"


def test_our_own_command_line_connects_with_tls(tmp_path: Path) -> None:
    with tls_server(tmp_path) as server:
        url = f"rediss://localhost:{server.tls_port}/0?ssl_ca_certs={server.ca}"
        command = [sys.executable, "-m", "spoold", "status", "--json", "--url", url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S)
        assert done.returncode == 0, done.stderr
        untrusted = [*command[:-1], f"rediss://localhost:{server.tls_port}/0"]
        refused = subprocess.run(untrusted, capture_output=True, text=True, timeout=DEADLINE_S)
        assert refused.returncode == 3
        assert "certificate verify failed" in refused.stderr


def test_a_client_with_tls_waits_while_a_script_runs_and_is_served_then(server: TlsServer) -> None:
    with server.plain_client() as plain, raw(server) as secure:
        plain.config_set("lua-time-limit", 50)
        with raw(server) as caller:
            script = b"local t = redis.call('TIME')[1] while redis.call('TIME')[1] - t < 2 do end return 1"
            caller.sendall(b"*3\r\n$4\r\nEVAL\r\n$%d\r\n%s\r\n$1\r\n0\r\n" % (len(script), script))
            until(lambda: is_busy(plain))
            secure.sendall(b"PING\r\n")
            plain.execute_command("SCRIPT", "KILL")
            assert received(secure, 7) == b"+PONG\r\n"
            assert b"Script killed" in caller.recv(1000)


def test_start_up_says_what_tls_lacks(tmp_path: Path) -> None:
    cert, key = certificates().server.write(tmp_path, "server")
    for options, text in (
        (["--redis", "tls:0"], "--redis tls:127.0.0.1:0: TLS needs a certificate, --tls-cert FILE and --tls-key FILE"),
        (["--tls-cert", str(cert), "--tls-key", str(key)], "--tls-cert is given, and no listener speaks TLS"),
        (["--redis", "tls:x"], "--redis tls:x: expected [HOST:]PORT, tls:[HOST:]PORT, unix:PATH or off"),
        (["--redis", "tls:unix:/x"], "--redis tls:unix:/x: expected [HOST:]PORT"),
        (["--redis", "tls:0", "--tls-cert", "/no/such"], "--tls-cert /no/such: no such file or directory"),
    ):
        with pytest.raises(StartFailed) as failure:
            ServerProcess(options=[*options, "--memory"]).start()
        lines = failure.value.stderr.strip().splitlines()
        assert len(lines) == 1
        assert lines[0].startswith(f"spoold: {text}")


@contextmanager
def raw(
    server: TlsServer, context: ssl.SSLContext | None = None, session: object = None, *, port: int = 0
) -> Iterator[ssl.SSLSocket]:
    context = context or client_context(certificates().ca)
    with (
        socket.create_connection(("127.0.0.1", port or server.tls_port), DEADLINE_S) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as secure,  # type: ignore[arg-type]
    ):
        yield secure


def ping(server: TlsServer, context: ssl.SSLContext, session: object) -> None:
    with raw(server, context, session) as secure:
        secure.sendall(b"PING\r\n")
        received(secure, 7)


def shown_certificate(server: TlsServer) -> bytes:
    with raw(server) as secure:
        return secure.getpeercert(binary_form=True) or b""


def first_of(pem: bytes) -> str:
    end = b"-----END CERTIFICATE-----"
    return (pem.partition(end)[0] + end).decode()


def received(wire: socket.socket, count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        piece = wire.recv(count - len(found))
        if not piece:
            raise ConnectionResetError
        found += piece
    return bytes(found)


def everything(wire: socket.socket) -> bytes:
    found = b""
    try:
        while piece := wire.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found


def hang_up(server: TlsServer, expected: str) -> None:
    before = server.stderr_text().count(expected)
    server._started_process().send_signal(signal.SIGHUP)
    until(lambda: server.stderr_text().count(expected) > before)


def is_busy(client: redis.Redis) -> bool:
    try:
        client.ping()
    except redis.exceptions.BusyLoadingError:
        return False
    except redis.ResponseError as error:
        return str(error).startswith("BUSY")
    return False


@pytest.mark.slow
def test_who_does_not_shake_hands_is_disconnected(tmp_path: Path) -> None:
    # Both loops at once, for the ten seconds are those that users have.
    with ExitStack() as open_:
        servers = [open_.enter_context(tls_server(tmp_path, loop=loop)) for loop in LOOPS]
        addresses = [("127.0.0.1", server.tls_port) for server in servers]
        silent = [open_.enter_context(socket.create_connection(each, HANDSHAKE_TIMEOUT_S * 3)) for each in addresses]
        assert [everything(each) for each in silent] == [b"", b""]
        for server in servers:
            with server.tls_client() as client:
                assert client.ping()
