"""OBJECT: what Redis 7.0 would answer for the same values."""

from __future__ import annotations

import pytest

from spoold.command.limits import PackedLimits
from spoold.core.reply import Simple
from spoold.datatypes.hashes import store as hashes
from support.room import Room


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        ("0", b"int"),
        ("-9223372036854775808", b"int"),
        ("9223372036854775807", b"int"),
        ("9223372036854775808", b"embstr"),
        ("01", b"embstr"),
        ("", b"embstr"),
        ("x" * 44, b"embstr"),
        ("x" * 45, b"raw"),
    ],
)
def test_a_string_is_encoded_by_its_length_and_content(room: Room, value: str, encoding: bytes) -> None:
    room("SET", "k", value)
    assert room("OBJECT", "ENCODING", "k") == encoding
    assert room("object", "encoding", "k") == encoding


def test_a_list_is_a_quicklist(room: Room) -> None:
    room("RPUSH", "l", "a")
    assert room("OBJECT", "ENCODING", "l") == b"quicklist"


@pytest.mark.parametrize(
    ("value", "count"), [("0", 2**31 - 1), ("9999", 2**31 - 1), ("10000", 1), ("-1", 1), ("007", 1), ("", 1)]
)
def test_small_integers_are_shared_as_in_redis(room: Room, value: str, count: int) -> None:
    room("SET", "k", value)
    assert room("OBJECT", "REFCOUNT", "k") == count


@pytest.mark.parametrize("sub", ["ENCODING", "FREQ", "IDLETIME", "REFCOUNT"])
def test_a_missing_key_has_nothing_to_tell(room: Room, sub: str) -> None:
    assert room("OBJECT", sub, "missing") is None
    room("SET", "k", "v")
    room("PEXPIRE", "k", 1)
    room.clock.advance_ms(1)
    assert room("OBJECT", sub, "k") is None


def test_use_is_not_counted(room: Room) -> None:
    room("SET", "k", "v")
    assert room("OBJECT", "IDLETIME", "k") == 0
    assert room("OBJECT", "REFCOUNT", "k") == 1
    assert room("OBJECT", "FREQ", "k").message.startswith(b"ERR An LFU maxmemory policy is not selected,")


def test_help_is_lines_of_text(room: Room) -> None:
    lines = room("OBJECT", "HELP")
    assert all(isinstance(line, Simple) for line in lines)
    assert lines[0].text.startswith(b"OBJECT <subcommand>")


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (["OBJECT"], b"ERR wrong number of arguments for 'object' command"),
        (["OBJECT", "FOO", "k"], b"ERR unknown subcommand 'FOO'. Try OBJECT HELP."),
        (["OBJECT", "ENCODING"], b"ERR wrong number of arguments for 'object|encoding' command"),
        (["OBJECT", "freq", "k", "l"], b"ERR wrong number of arguments for 'object|freq' command"),
        (["OBJECT", "HELP", "x"], b"ERR wrong number of arguments for 'object|help' command"),
    ],
)
def test_what_makes_no_sense_is_refused(room: Room, request_: list[str], error: bytes) -> None:
    assert room(*request_).message == error


@pytest.mark.parametrize(
    ("members", "encoding"),
    [
        (["1", "-2", "300"], b"intset"),
        (["1", "a"], b"hashtable"),
        (["01"], b"hashtable"),
        (list(range(512)), b"intset"),
        (list(range(513)), b"hashtable"),
    ],
)
def test_a_set_is_encoded_by_what_is_in_it(room: Room, members: list[str | int], encoding: bytes) -> None:
    room("SADD", "s", *members)
    assert room("OBJECT", "ENCODING", "s") == encoding


@pytest.mark.parametrize(
    ("fields", "value", "encoding"),
    [(128, b"v" * 64, b"listpack"), (129, b"v", b"hashtable"), (1, b"v" * 65, b"hashtable")],
)
def test_a_hash_is_encoded_by_its_size(room: Room, fields: int, value: bytes, encoding: bytes) -> None:
    room.turn.begin()
    hashes.put_many(room.dbs[0], b"h", [(b"%d" % number, value) for number in range(fields)])
    room.turn.end()
    assert room("OBJECT", "ENCODING", "h") == encoding
    assert room("SORT", "h").message.startswith(b"WRONGTYPE ")
    assert room("COPY", "h", "copied") == 1
    assert room("TYPE", "copied").text == b"hash"


def test_encodings_follow_the_limits_that_config_sets(room: Room) -> None:
    room("HSET", "h", "f", "0123456789", "g", "v")
    room("SADD", "s", "1", "2", "3")
    limits = room.parts.own(PackedLimits)
    for name, value, hash_, set_ in (
        ("hash_bytes", 10, b"listpack", b"intset"),
        ("hash_bytes", 9, b"hashtable", b"intset"),
        ("hash_bytes", 64, b"listpack", b"intset"),
        ("hash_fields", 1, b"hashtable", b"intset"),
        ("set_integers", 2, b"hashtable", b"hashtable"),
    ):
        setattr(limits, name, value)
        assert room("OBJECT", "ENCODING", "h") == hash_, (name, value)
        assert room("OBJECT", "ENCODING", "s") == set_, (name, value)
