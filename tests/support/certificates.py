"""Certificates for tests of TLS: a CA, what it signed, and what it did not.

Made once for a run: keys cost time. `Certificates.write` puts what a test needs into its directory.
"""

from __future__ import annotations

import datetime
import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import trustme

LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
NAMES = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Pair:
    """A certificate with its key, as PEM."""

    cert: bytes
    key: bytes

    def write(self, directory: Path, name: str) -> tuple[Path, Path]:
        """Write `name`.crt and `name`.key."""
        paths = directory / f"{name}.crt", directory / f"{name}.key"
        for path, text in zip(paths, (self.cert, self.key), strict=True):
            path.write_bytes(text)
        return paths


@dataclass(frozen=True)
class Certificates:
    """ca, other_ca: PEM of two CAs that know nothing of each other. server, renewed: for the server, by `ca`.

    expired, misnamed: by `ca`, of no use. client, stranger: for clients, by `ca` and by `other_ca`.
    """

    ca: bytes
    other_ca: bytes
    server: Pair
    renewed: Pair
    expired: Pair
    misnamed: Pair
    client: Pair
    stranger: Pair


@cache
def certificates() -> Certificates:
    """Those of this run."""
    ours, other = trustme.CA(), trustme.CA()
    return Certificates(
        ca=ours.cert_pem.bytes(),
        other_ca=other.cert_pem.bytes(),
        server=_pair(ours.issue_cert(*NAMES)),
        renewed=_pair(ours.issue_cert(*NAMES)),
        expired=_pair(
            ours.issue_cert(*NAMES, not_before=LONG_AGO, not_after=LONG_AGO + datetime.timedelta(days=90)),
        ),
        misnamed=_pair(ours.issue_cert("example.org")),
        client=_pair(ours.issue_cert("worker-1.example.org")),
        stranger=_pair(other.issue_cert("worker-1.example.org")),
    )


def client_context(ca: bytes, pair: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """What a careful client uses: trusts `ca` alone, checks names, shows `pair` if it is asked."""
    context = ssl.create_default_context(cadata=ca.decode())
    if pair is not None:
        context.load_cert_chain(*pair)
    return context


def _pair(issued: trustme.LeafCert) -> Pair:
    return Pair(b"".join(blob.bytes() for blob in issued.cert_chain_pems), issued.private_key_pem.bytes())
