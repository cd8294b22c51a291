"""Every reply shape, in both versions of the protocol."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core.errors import CommandError, ProtocolError, WrongType
from spoold.core.reply import NO_REPLY, NULL_ARRAY, OK, PONG, Keyed, Pairs, Push, SetReply, Simple, Verbatim
from spoold.protocol.resp import RespCodec, encode2, encode3


class Level(IntEnum):
    """An integer that is not of type int."""

    HIGH = 7


# Longer than any header that is kept ready.
LONG = b"x" * 1024

# The third is None where both versions write the same.
SHAPES: list[tuple[Any, bytes, bytes | None]] = [
    (0, b":0\r\n", b":0\r\n"),
    (1023, b":1023\r\n", b":1023\r\n"),
    (1024, b":1024\r\n", b":1024\r\n"),
    (-1, b":-1\r\n", b":-1\r\n"),
    (2**63 - 1, b":9223372036854775807\r\n", b":9223372036854775807\r\n"),
    (Level.HIGH, b":7\r\n", b":7\r\n"),
    (b"", b"$0\r\n\r\n", b"$0\r\n\r\n"),
    (b"a\r\nb", b"$4\r\na\r\nb\r\n", b"$4\r\na\r\nb\r\n"),
    (LONG, b"$1024\r\n" + LONG + b"\r\n", b"$1024\r\n" + LONG + b"\r\n"),
    (bytearray(b"ab"), b"$2\r\nab\r\n", b"$2\r\nab\r\n"),
    (None, b"$-1\r\n", b"_\r\n"),
    (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
    (True, b":1\r\n", b"#t\r\n"),
    (False, b":0\r\n", b"#f\r\n"),
    (OK, b"+OK\r\n", b"+OK\r\n"),
    (PONG, b"+PONG\r\n", b"+PONG\r\n"),
    (Simple(b"Background saving started"), b"+Background saving started\r\n", b"+Background saving started\r\n"),
    (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"),
    (3.0, b"$1\r\n3\r\n", b",3\r\n"),
    (math.inf, b"$3\r\ninf\r\n", b",inf\r\n"),
    (-math.inf, b"$4\r\n-inf\r\n", b",-inf\r\n"),
    ([], b"*0\r\n", b"*0\r\n"),
    ([b"ab"] * 9, b"*9" + b"\r\n$2\r\nab" * 9 + b"\r\n", None),
    ([b"\r\n"] * 8 + [b""], b"*9" + b"\r\n$2\r\n\r\n" * 8 + b"\r\n$0\r\n\r\n", None),
    ([b"ab"] * 8 + [[1, 2]], b"*9" + b"\r\n$2\r\nab" * 8 + b"\r\n*2\r\n:1\r\n:2\r\n", None),
    ([b"a", b""], b"*2\r\n$1\r\na\r\n$0\r\n\r\n", b"*2\r\n$1\r\na\r\n$0\r\n\r\n"),
    ([b"a", LONG], b"*2\r\n$1\r\na\r\n$1024\r\n" + LONG + b"\r\n", b"*2\r\n$1\r\na\r\n$1024\r\n" + LONG + b"\r\n"),
    ((b"a",), b"*1\r\n$1\r\na\r\n", b"*1\r\n$1\r\na\r\n"),
    ([b"a", None, 3], b"*3\r\n$1\r\na\r\n$-1\r\n:3\r\n", b"*3\r\n$1\r\na\r\n_\r\n:3\r\n"),
    ([[b"a"], [], (1,)], b"*3\r\n*1\r\n$1\r\na\r\n*0\r\n*1\r\n:1\r\n", b"*3\r\n*1\r\n$1\r\na\r\n*0\r\n*1\r\n:1\r\n"),
    ({b"a": 1, b"b": None}, b"*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n$-1\r\n", b"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n_\r\n"),
    ({}, b"*0\r\n", b"%0\r\n"),
    ([{b"a": [True]}], b"*1\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n", b"*1\r\n%1\r\n$1\r\na\r\n*1\r\n#t\r\n"),
    (Keyed([[b"a", [1]]]), b"*1\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n", b"%1\r\n$1\r\na\r\n*1\r\n:1\r\n"),
    (Pairs([(b"a", 1.5)]), b"*2\r\n$1\r\na\r\n$3\r\n1.5\r\n", b"*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n"),
    (SetReply([b"a", b"b"]), b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"~2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (
        Push([b"message", b"c", 1]),
        b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:1\r\n",
        b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:1\r\n",
    ),
    (Verbatim(b"text"), b"$4\r\ntext\r\n", b"=8\r\ntxt:text\r\n"),
    (Verbatim(b"# x", b"mkd"), b"$3\r\n# x\r\n", b"=7\r\nmkd:# x\r\n"),
    (CommandError("bad\r\nthing"), b"-ERR bad  thing\r\n", b"-ERR bad  thing\r\n"),
    (
        [WrongType(), OK],
        b"*2\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n+OK\r\n",
        b"*2\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n+OK\r\n",
    ),
    (ProtocolError("x"), b"-ERR Protocol error: x\r\n", b"-ERR Protocol error: x\r\n"),
    (NO_REPLY, b"", b""),
]

items = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=9), st.just(LONG)),
    lambda children: st.lists(children, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(("reply", "resp2", "resp3"), SHAPES)
def test_a_shape_is_written_in_both_versions(reply: Any, resp2: bytes, resp3: bytes | None) -> None:
    assert encode2(reply) == resp2
    assert encode3(reply) == (resp2 if resp3 is None else resp3)


@given(reply=items)
def test_clients_read_back_what_was_written(reply: Any) -> None:
    reader = hiredis.Reader()
    reader.feed(encode3(reply))
    assert reader.gets() == reply
    assert not reader.has_data()


def test_the_version_can_be_changed_at_any_time() -> None:
    codec = RespCodec()
    assert codec.encode(None) == b"$-1\r\n"
    codec.set_version(3)
    assert codec.encode(None) == b"_\r\n"
    codec.set_version(2)
    assert codec.encode(None) == b"$-1\r\n"
    assert RespCodec(version=3).encode(None) == b"_\r\n"


@pytest.mark.parametrize("reply", ["text", object(), [b"a", "text"], {b"a": object()}, {"a": 1}, [object()]])
def test_what_has_no_shape_is_a_fault(reply: Any) -> None:
    for encode in (encode2, encode3):
        with pytest.raises(TypeError):
            encode(reply)
