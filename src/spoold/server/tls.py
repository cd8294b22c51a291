"""TLS for the listeners that ask for it: one certificate for all of them, replaceable while they run.

A listener keeps the context that it was opened with as long as it lives. So it is given a `Keyring`, which hands each
new connection to the context that was loaded last: after `reload` new clients meet the new certificate, and those that
are connected notice nothing. A set of files is tried out, in memory, before it is taken; one that does not hold up
leaves the old one in place.

Sessions are not resumed: each connection proves itself with its certificate, also after the client CA was changed, and
clients of a queue stay for long.

source: Python's ssl; RFC 8446; RFC 9325 (recommendations for TLS).
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from spoold.core.clock import Clock
from spoold.core.errors import SettingsError

log = logging.getLogger("spoold.server")

# A client that takes longer for its part of the handshake is disconnected: until then it counts as no client.
HANDSHAKE_TIMEOUT_S: Final = 10.0
# How long the other side may take to say good-bye, too.
SHUTDOWN_TIMEOUT_S: Final = 5.0
# Failed handshakes get one line in so many seconds: who scans ports must not fill a disk.
FAILURE_LINE_S: Final = 10.0
# From then on each start and reload warns.
EXPIRES_SOON_S: Final = 14 * 86_400

_OPTIONS: Final = (
    ssl.OP_NO_COMPRESSION
    | ssl.OP_NO_RENEGOTIATION
    | ssl.OP_NO_TICKET
    | ssl.OP_CIPHER_SERVER_PREFERENCE
    | ssl.OP_SINGLE_DH_USE
    | ssl.OP_SINGLE_ECDH_USE
)


@dataclass(frozen=True)
class TlsFiles:
    """What was configured.

    cert: PEM file with the certificate, then those between it and its CA. key: PEM file with its private key; empty
    where the key is in `cert`. key_password: what an encrypted key is opened with.
    client_ca: PEM file with the CAs of client certificates; empty = clients need none.
    """

    cert: str
    key: str = ""
    key_password: str = ""
    client_ca: str = ""


class Keyring(ssl.SSLContext):
    """The context that listeners are given: passes each connection to the one that was loaded last.

    failures: handshakes that did not succeed, since the start.
    """

    current: ssl.SSLContext
    failures: int

    @classmethod
    def load(cls, files: TlsFiles, clock: Clock) -> Keyring:
        """Read the files.

        raises: SettingsError: one line that names the option and what is wrong.
        """
        self = cls(ssl.PROTOCOL_TLS_SERVER)
        self._files = files
        self._clock = clock
        self.failures = 0
        self._noted_s = -FAILURE_LINE_S
        self.current = self._context()
        return self

    def reload(self) -> bool:
        """Read the files again; returns whether they are used now. What is wrong with them is logged."""
        try:
            self.current = self._context()
        except SettingsError as error:
            log.error("TLS goes on with the certificate that it had: %s", error)
            return False
        log.info("TLS: new connections get the certificate in %s", self._files.cert)
        return True

    def wrap_bio(self, *args: Any, **keywords: Any) -> ssl.SSLObject:
        """Begin a connection with the newest certificate. source: asyncio's and uvloop's sslproto call this."""
        made = self.current.wrap_bio(*args, **keywords)
        if isinstance(made, _Handshake):
            made.keyring = self
        return made

    def note_failure(self, error: ssl.SSLError) -> None:
        """Count a failed handshake; say why, but not too often."""
        self.failures += 1
        now_s = self._clock.monotonic_s()
        if now_s - self._noted_s >= FAILURE_LINE_S:
            self._noted_s = now_s
            log.info("a TLS handshake failed (%d so far): %s", self.failures, _reason(error))

    def _context(self) -> ssl.SSLContext:
        files = self._files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= _OPTIONS
        context.num_tickets = 0
        context.sslobject_class = _Handshake
        _load_pair(context, files)
        _try_out(files, self._clock.unix_ms() / 1000)
        if files.client_ca:
            try:
                context.load_verify_locations(cafile=files.client_ca)
            except (OSError, ValueError) as error:
                _refuse("--tls-client-ca", files.client_ca, error, "expected CA certificates in PEM form")
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    _files: TlsFiles
    _clock: Clock
    _noted_s: float


class _Handshake(ssl.SSLObject):
    """A connection's TLS; says why its beginning failed, which the event loops keep to themselves."""

    keyring: Keyring | None = None

    def do_handshake(self) -> None:
        """raises: ssl.SSLError, also when more bytes are needed."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            if self.keyring is not None:
                self.keyring.note_failure(error)
            raise


def _load_pair(context: ssl.SSLContext, files: TlsFiles) -> None:
    """raises: SettingsError."""
    # Without a function OpenSSL would ask for the password on the terminal.
    for option, path in (("--tls-cert", files.cert), ("--tls-key", files.key)):
        try:
            with open(path or files.cert, "rb") as file:
                file.read(1)
        except OSError as error:
            _refuse(option, path, error, "")
    try:
        context.load_cert_chain(files.cert, files.key or None, password=lambda: files.key_password)
    except (OSError, ValueError) as error:
        where = files.key or files.cert
        mismatch = isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH"
        if mismatch:
            raise SettingsError(
                f"--tls-key {where}: the key does not belong to the certificate in {files.cert}"
            ) from error
        if _is_encrypted(where):
            advice = "is wrong" if files.key_password else "is not given"
            raise SettingsError(
                f"--tls-key {where}: the key is encrypted, and --tls-key-password (SPOOLD_TLS_KEY_PASSWORD) {advice}"
            ) from error
        _refuse("--tls-cert", files.cert, error, f"expected a certificate and its key ({where}) in PEM form")


def _is_encrypted(path: str) -> bool:
    with open(path, "rb") as file:
        return b"ENCRYPTED" in file.read()


def _refuse(option: str, path: str, error: Exception, expected: str) -> NoReturn:
    if isinstance(error, ssl.SSLError) or not isinstance(error, OSError):
        raise SettingsError(f"{option} {path}: {expected} ({_reason(error)})") from error
    raise SettingsError(f"{option} {path}: {(error.strerror or str(error)).lower()}") from error


def _reason(error: Exception) -> str:
    """What OpenSSL says, without its numbers."""
    verify = getattr(error, "verify_message", "")
    reason = verify or getattr(error, "reason", "") or str(error).partition(" (_ssl.c")[0]
    return str(reason).replace("_", " ").lower()


def _try_out(files: TlsFiles, now_unix_s: float) -> None:
    """Shake hands with ourselves, in memory: warn of what clients will refuse.

    raises: SettingsError: no connection comes about with these files.
    """
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load_pair(serving, files)
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname = False
    asking.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself is trusted, whoever signed it
    asking.load_verify_locations(cafile=files.cert)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    client = asking.wrap_bio(to_client, to_server)
    try:
        _shake_hands(client, server)
    except ssl.SSLCertVerificationError as error:
        log.warning("--tls-cert %s: clients will refuse it: %s", files.cert, _reason(error))
        return
    except ssl.SSLError as error:
        raise SettingsError(f"--tls-cert {files.cert}: TLS can't be spoken with it ({_reason(error)})") from error
    shown = client.getpeercert() or {}
    ends_s = ssl.cert_time_to_seconds(str(shown["notAfter"])) if "notAfter" in shown else now_unix_s + EXPIRES_SOON_S
    if ends_s - now_unix_s < EXPIRES_SOON_S:
        log.warning("--tls-cert %s: the certificate expires on %s", files.cert, shown["notAfter"])


def _shake_hands(client: ssl.SSLObject, server: ssl.SSLObject) -> None:
    """raises: ssl.SSLError."""
    open_ends = [client, server]
    while open_ends:
        for end in list(open_ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            open_ends.remove(end)
