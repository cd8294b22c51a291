"""Which doors open: a password is no password if another door has none."""

from __future__ import annotations

from pathlib import Path

from spoold.testing.process import ServerProcess


def test_a_password_keeps_doors_without_one_closed_unless_they_are_asked_for(tmp_path: Path) -> None:
    # The other listeners keep their defaults here, so nothing of this test binds a default port.
    environment = {"SPOOLD_MEMCACHED": "127.0.0.1:11211", "SPOOLD_SIMPLE": "127.0.0.1:31337"}
    environment["SPOOLD_MEMCACHED_QUEUE"] = "127.0.0.1:22133"
    with ServerProcess(tmp_path / "data", ["--password", "secret"], env=environment) as server:
        said = server.stdout_text()
        assert said.count("off: there is a password, and this protocol has none") == 3
        assert "127.0.0.1:11211" not in said
