"""What is shown of requests: secrets out, bytes quoted, lengths bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.metrics.slowlog import REDACTED, SlowLog, monitor_line, quoted, redact


@pytest.mark.parametrize(
    ("request_", "shown"),
    [
        ("GET k", "GET k"),
        ("auth s", "auth *"),
        ("AUTH default s", "AUTH * *"),
        ("AUTH", "AUTH"),
        ("HELLO 3 AUTH u s", "HELLO 3 AUTH * *"),
        ("hello 3 SETNAME auth auth u s", "hello 3 SETNAME auth * * s"),
        ("HELLO 3 SETNAME n", "HELLO 3 SETNAME n"),
        ("CONFIG SET requirepass s", "CONFIG SET requirepass *"),
        ("config set timeout 1 RequirePass s", "config set timeout 1 RequirePass *"),
        ("CONFIG SET masterauth s masteruser u", "CONFIG SET masterauth * masteruser *"),
        ("CONFIG GET requirepass", "CONFIG GET requirepass"),
        ("ACL SETUSER u >s", "ACL SETUSER * *"),
        ("ACL WHOAMI", "ACL WHOAMI"),
    ],
)
def test_secrets_are_taken_out(request_: str, shown: str) -> None:
    words = request_.encode().split()
    assert redact(words) == [REDACTED if word == b"*" else word for word in shown.encode().split()]
    assert words == request_.encode().split()


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=50))
def test_an_entry_is_bounded_whatever_the_request(words: list[bytes]) -> None:
    log = SlowLog()
    log.add(1, 2, words, b"a:1", b"")
    (entry,) = log.latest(1)
    assert 1 <= len(entry.words) <= 32
    assert all(len(word) <= 160 for word in entry.words)


@given(st.binary())
def test_quoted_bytes_are_one_printable_line_and_read_back(text: bytes) -> None:
    shown = quoted(text)
    assert all(0x20 <= byte < 0x7F for byte in shown)
    assert shown[1:-1].decode("ascii").encode().decode("unicode_escape").encode("latin-1") == text


def test_the_latest_come_first_and_the_oldest_go() -> None:
    log = SlowLog(3)
    for number in range(5):
        log.add(number, number, [b"%d" % number], b"", b"")
    assert [entry.id for entry in log.latest(-1)] == [4, 3, 2]
    assert [entry.id for entry in log.latest(2)] == [4, 3]
    log.resize(2)
    assert [entry.id for entry in log.latest(-1)] == [4, 3]
    log.resize(5)
    log.add(9, 9, [b"x"], b"", b"")
    assert [entry.id for entry in log.latest(-1)] == [5, 4, 3]
    log.clear()
    assert len(log) == 0


def test_a_line_of_monitor() -> None:
    line = monitor_line(1_700_000_000_000_042, 7, b"1.2.3.4:5", [b"SET", b'"\r'])
    assert line == rb'1700000000.000042 [7 1.2.3.4:5] "SET" "\"\r"'
