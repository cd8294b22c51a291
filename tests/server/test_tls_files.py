"""The files of TLS: what is taken, what is refused and in which words, and what a reload leaves in place."""

from __future__ import annotations

import logging
import ssl
import subprocess
from pathlib import Path

import pytest

from spoold.core.errors import SettingsError
from spoold.server.tls import FAILURE_LINE_S, Keyring, TlsFiles
from spoold.testing.clock import ManualClock
from support.certificates import Pair, certificates


def files(tmp_path: Path, pair: Pair, **others: str) -> TlsFiles:
    cert, key = pair.write(tmp_path, "server")
    return TlsFiles(cert=str(cert), **{"key": str(key), **others})


def refusal(given: TlsFiles) -> str:
    with pytest.raises(SettingsError) as refused:
        Keyring.load(given, ManualClock())
    text = str(refused.value)
    assert "\n" not in text
    return text


def encrypt(key: Path, password: str) -> None:
    command = ["openssl", "pkcs8", "-topk8", "-in", str(key), "-out", f"{key}.enc", "-passout", f"pass:{password}"]
    subprocess.run(command, check=True, capture_output=True)
    Path(f"{key}.enc").replace(key)


def test_a_pair_in_two_files_or_in_one_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pair = certificates().server
    Keyring.load(files(tmp_path, pair), ManualClock())
    both = tmp_path / "both.pem"
    both.write_bytes(pair.key + pair.cert)
    keyring = Keyring.load(TlsFiles(cert=str(both)), ManualClock())
    assert caplog.messages == []
    assert keyring.current.minimum_version == ssl.TLSVersion.TLSv1_2
    assert keyring.current.verify_mode == ssl.CERT_NONE


def test_a_file_that_is_not_there_is_named_with_its_option(tmp_path: Path) -> None:
    given = files(tmp_path, certificates().server)
    assert refusal(TlsFiles("/no/such.crt", given.key)) == "--tls-cert /no/such.crt: no such file or directory"
    assert refusal(TlsFiles(given.cert, "/no/such.key")) == "--tls-key /no/such.key: no such file or directory"
    missing_ca = TlsFiles(given.cert, given.key, client_ca="/no/ca.pem")
    assert refusal(missing_ca) == "--tls-client-ca /no/ca.pem: no such file or directory"
    assert refusal(TlsFiles(str(tmp_path), given.key)) == f"--tls-cert {tmp_path}: is a directory"


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    given = files(tmp_path, certificates().server)
    _, other = certificates().renewed.write(tmp_path, "other")
    text = refusal(TlsFiles(given.cert, str(other)))
    assert text == f"--tls-key {other}: the key does not belong to the certificate in {given.cert}"


def test_files_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    given = files(tmp_path, certificates().server)
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    assert "expected a certificate and its key" in refusal(TlsFiles(str(junk), given.key))
    assert "expected a certificate and its key" in refusal(TlsFiles(given.cert, str(junk)))
    assert "expected a certificate and its key" in refusal(TlsFiles(given.cert))
    wrong_ca = refusal(TlsFiles(given.cert, given.key, client_ca=str(junk)))
    assert wrong_ca.startswith(f"--tls-client-ca {junk}: expected CA certificates in PEM form")


def test_an_encrypted_key_needs_its_password_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    given = files(tmp_path, certificates().server)
    encrypt(Path(given.key), "sesame")
    Keyring.load(TlsFiles(given.cert, given.key, key_password="sesame"), ManualClock())
    option = "--tls-key-password (SPOOLD_TLS_KEY_PASSWORD)"
    assert refusal(given).endswith(f"the key is encrypted, and {option} is not given")
    assert refusal(TlsFiles(given.cert, given.key, key_password="x")).endswith(f"{option} is wrong")


def test_what_clients_will_refuse_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    given = files(tmp_path, certificates().expired)
    Keyring.load(given, ManualClock())
    assert caplog.messages == [f"--tls-cert {given.cert}: clients will refuse it: certificate has expired"]


def test_a_reload_takes_new_files_and_keeps_the_old_ones_if_they_are_bad(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    given = files(tmp_path, certificates().server)
    keyring = Keyring.load(given, ManualClock())
    first = keyring.current
    Path(given.key).write_bytes(certificates().renewed.key)
    assert not keyring.reload()
    assert keyring.current is first
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("TLS goes on with the certificate that it had: --tls-key")
    Path(given.cert).write_bytes(certificates().renewed.cert)
    assert keyring.reload()
    assert keyring.current is not first


def test_failed_handshakes_are_counted_and_rarely_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = ManualClock()
    keyring = Keyring.load(files(tmp_path, certificates().server), clock)

    def fail() -> None:
        incoming = ssl.MemoryBIO()
        incoming.write(b"*1\r\n$4\r\nPING\r\n")
        with pytest.raises(ssl.SSLError):
            keyring.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True).do_handshake()

    for _ in range(5):
        fail()
    assert len(caplog.messages) == 1
    clock.advance_ms(int(FAILURE_LINE_S * 1000))
    fail()
    assert keyring.failures == 6
    assert caplog.messages[1].startswith("a TLS handshake failed (6 so far): ")
