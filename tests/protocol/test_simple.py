"""Values of the simple protocol: what they look like, however they are split, and what breaks a stream."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spoold.core.errors import CommandError, ProtocolError, WrongType
from spoold.protocol.codec import Limits
from spoold.protocol.simple import MAX_DEPTH, NUMBER_BYTES, Fault, SimpleCodec, Value, ValueReader, encode

# The same bytes both ways.
VALUES: list[tuple[bytes, Value]] = [
    (b"-no such thing\r\n", Fault(b"no such thing")),
    (b"-\r\n", Fault(b"")),
    (b":0\r\n", 0),
    (b":1337\r\n", 1337),
    (b":-1\r\n", -1),
    (b":1.5\r\n", 1.5),
    (b":-0.0\r\n", -0.0),
    (b":3.0\r\n", 3.0),
    (b":1.0e+16\r\n", 1e16),
    (b":1.0e-300\r\n", 1e-300),
    (b":1.7976931348623157e+308\r\n", 1.7976931348623157e308),
    (b":" + b"9" * NUMBER_BYTES + b"\r\n", 10**NUMBER_BYTES - 1),
    (b"$0\r\n\r\n", b""),
    (b"$3\r\nabc\r\n", b"abc"),
    (b"$5\r\n\r\n$1\r\r\n", b"\r\n$1\r"),
    (b"$-1\r\n", None),
    (b"*0\r\n", []),
    (b"*2\r\n:1\r\n$1\r\na\r\n", [1, b"a"]),
    (b"*2\r\n*1\r\n*0\r\n$-1\r\n", [[[]], None]),
    (b"%0\r\n", {}),
    (b"%2\r\n$1\r\na\r\n:1\r\n:1\r\n*1\r\n%0\r\n", {b"a": 1, 1: [{}]}),
    (b"*1\r\n" * MAX_DEPTH + b":1\r\n", eval("[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH)),  # noqa: S307
    (b"*1\r\n" * (MAX_DEPTH - 1) + b"%0\r\n", eval("[" * (MAX_DEPTH - 1) + "{}" + "]" * (MAX_DEPTH - 1))),  # noqa: S307
]

# Read, but never written so.
READ_ONLY: list[tuple[bytes, Value]] = [
    (b"+OK\r\n", b"OK"),
    (b"+\r\n", b""),
    (b"+a\rb c\r\n", b"a\rb c"),
    (b"+OK\n", b"OK"),
    (b":7\n", 7),
    (b"*1\n$1\na\r\n", [b"a"]),
    (b":+7\r\n", 7),
    (b":007\r\n", 7),
    (b":-0\r\n", 0),
    (b":5.\r\n", 5.0),
    (b":.5\r\n", 0.5),
    (b":1.e3\r\n", 1000.0),
    (b":1.0E-2\r\n", 0.01),
    (b"$03\r\nabc\r\n", b"abc"),
    (b"%2\r\n:1\r\n:2\r\n:1.0\r\n:3\r\n", {1: 3}),
]

# Written, but read as something else.
WRITE_ONLY: list[tuple[bytes, Value]] = [
    (b"$5\r\nna\xc3\xafv\r\n", "naïv"),
    (b":1\r\n", True),
    (b":0\r\n", False),
    (b"*2\r\n:1\r\n:2\r\n", (1, 2)),
    (b"$2\r\nab\r\n", bytearray(b"ab")),
    (b"$2\r\nab\r\n", memoryview(b"ab")),
    (b"%1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n", {"a": ("b",)}),
]

BROKEN: list[tuple[bytes, str]] = [
    (b"PING\r\n", "unknown type byte b'P'"),
    (b"P", "unknown type byte b'P'"),
    (b"\r\n", "unknown type byte b'\\r'"),
    (b"\0", "unknown type byte b'\\x00'"),
    (b"*1\r\nX", "unknown type byte b'X'"),
    (b":\r\n", "not a number: "),
    (b":x\r\n", "not a number: x"),
    (b": 1\r\n", "not a number:  1"),
    (b":1_000\r\n", "not a number: 1_000"),
    (b":.\r\n", "not a number: ."),
    (b":1e5\r\n", "not a number: 1e5"),
    (b":nan\r\n", "not a number: nan"),
    (b":inf\r\n", "not a number: inf"),
    (b":1.0e999\r\n", "not a number: 1.0e999"),
    (b":0x10\r\n", "not a number: 0x10"),
    (b":\xd9\xa1\r\n", "not a number: \u0661"),
    (b":" + b"9" * (NUMBER_BYTES + 1) + b"\r\n", "a line is too long"),
    (b":" + b"9" * (NUMBER_BYTES + 2), "a line is too long"),
    (b"$\r\n", "not a length: "),
    (b"$-2\r\n", "not a length: -2"),
    (b"$+1\r\n", "not a length: +1"),
    (b"$1.5\r\n", "not a length: 1.5"),
    (b"$99999999999999999999\r\n", "not a length: 99999999999999999999"),
    (b"$67108865\r\n", "a string is too long"),
    (b"$3\r\nabcd\r\n", "a string is longer than it says"),
    (b"$3\r\nabc\n\n", "a string is longer than it says"),
    (b"*-1\r\n", "not a length: -1"),
    (b"%-1\r\n", "not a length: -1"),
    (b"*1048577\r\n", "too many values in one message"),
    (b"%524289\r\n", "too many values in one message"),
    (b"*2\r\n*1048575\r\n", "too many values in one message"),
    (b"%1\r\n*0\r\n:1\r\n", "a dictionary's key is a list or a dictionary"),
    (b"%1\r\n%0\r\n:1\r\n", "a dictionary's key is a list or a dictionary"),
    (b"*1\r\n" * (MAX_DEPTH + 1), "lists and dictionaries are nested too deep"),
    (b"*1\r\n" * MAX_DEPTH + b"*0\r\n", "lists and dictionaries are nested too deep"),
    (b"%1\r\n:1\r\n" * (MAX_DEPTH + 1), "lists and dictionaries are nested too deep"),
    (b"+" + b"x" * 65538, "a line is too long"),
    (b"+" + b"x" * 65537 + b"\r\n", "a line is too long"),
]

numbers = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
scalars = st.one_of(st.none(), numbers, st.binary(max_size=30))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(scalars, inner, max_size=4)),
    max_leaves=15,
)


def named(cases: list[tuple[bytes, Any]]) -> list[Any]:
    """Test cases under the beginning of their bytes: the values are too large for names."""
    return [pytest.param(*case, id=repr(case[0][:24])) for case in cases]


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    """`data` cut at the given places."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, stop in pairwise(places):
        yield data[start:stop]


def read_all(data: bytes, cuts: list[int], limits: Limits | None = None) -> tuple[list[Value], str]:
    """The messages in `data`, and what broke the stream ("" if nothing did)."""
    reader = ValueReader(limits)
    found: list[Value] = []
    for piece in pieces(data, cuts):
        found += reader.feed(piece)
    return found, str(reader.broken or "").removeprefix("ERR Protocol error: ")


def same(one: Any, other: Any) -> bool:
    """Equal in type and value, down to the sign of zero and the order of a dictionary."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same([*one.items()], [*other.items()])
    if isinstance(one, tuple):
        return all(map(same, one, other))
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


@pytest.mark.parametrize(("data", "value"), named(VALUES + READ_ONLY))
def test_bytes_are_read_as_the_value_they_stand_for(data: bytes, value: Value) -> None:
    found, broken = read_all(data, [])
    assert broken == ""
    assert same(found, [value])


@pytest.mark.parametrize(("data", "value"), named(VALUES + WRITE_ONLY))
def test_a_value_is_written_as_its_bytes(data: bytes, value: Value) -> None:
    assert encode(value) == data


@pytest.mark.parametrize(("data", "value"), named(VALUES + READ_ONLY))
def test_a_value_cut_anywhere_is_read_the_same(data: bytes, value: Value) -> None:
    step = max(1, len(data) // 200)
    for cut in range(0, len(data), step):
        found, broken = read_all(data + data, [cut, cut + len(data)])
        assert broken == ""
        assert same(found, [value, value])
    found, broken = read_all(data * 2, list(range(len(data) * 2)))
    assert same(found, [value, value])


@pytest.mark.parametrize(("data", "message"), named(BROKEN))
def test_a_broken_stream_says_why(data: bytes, message: str) -> None:
    assert read_all(data, []) == ([], message)
    assert read_all(b":1\r\n*0\r\n" + data, []) == ([1, []], message)


@pytest.mark.parametrize(("data", "message"), named([case for case in BROKEN if len(case[0]) < 2000]))
def test_a_broken_stream_is_broken_however_it_is_cut(data: bytes, message: str) -> None:
    assert read_all(b":1\r\n" + data, list(range(len(data) + 4))) == ([1], message)


def test_nothing_is_read_behind_a_fault() -> None:
    reader = ValueReader()
    assert reader.feed(b":1\r\nX:2\r\n") == [1]
    assert reader.feed(b":3\r\n") == []
    assert isinstance(reader.broken, ProtocolError)


def test_an_unknown_type_byte_is_refused_before_its_line_ends() -> None:
    reader = ValueReader()
    reader.feed(b"*1\r\n")
    reader.feed(b"G")
    assert reader.broken is not None


@given(messages=st.lists(values, max_size=4), cuts=st.lists(st.integers(0, 10_000), max_size=8))
def test_any_split_gives_the_same_values(messages: list[Value], cuts: list[int]) -> None:
    data = b"".join(map(encode, messages))
    found, broken = read_all(data, cuts)
    assert broken == ""
    assert same(found, messages)


@given(messages=st.lists(values, min_size=1, max_size=3), data=st.data())
def test_a_truncated_stream_gives_the_messages_before_the_cut_and_waits(
    messages: list[Value], data: st.DataObject
) -> None:
    wire = b"".join(map(encode, messages))
    cut = data.draw(st.integers(0, len(wire) - 1))
    reader = ValueReader()
    found = reader.feed(wire[:cut])
    assert reader.broken is None
    assert same(found, messages[: len(found)])
    assert same(found + reader.feed(wire[cut:]), messages)
    assert reader.is_between
    assert reader.pending_bytes == 0


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 300), max_size=5))
@example(data=b"*1\r\n%1\r\n-\n*0\r\n", cuts=[])
def test_random_bytes_give_values_or_a_protocol_error_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    whole, cut = read_all(data, []), read_all(data, cuts)
    assert same(whole[0], cut[0])
    assert bool(whole[1]) == bool(cut[1])


_ALPHABET = st.sampled_from(
    [b"+", b"-", b":", b"$", b"*", b"%", b"\r\n", b"\n", b"\r", b"0", b"1", b"2", b"3", b".", b"a"]
)


@given(parts=st.lists(_ALPHABET, max_size=60), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_bytes_that_look_like_values_give_values_or_a_protocol_error(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    whole, cut = read_all(data, []), read_all(data, cuts)
    assert same(whole[0], cut[0])
    assert bool(whole[1]) == bool(cut[1])
    for value in whole[0]:
        again, broken = read_all(encode(value), [])
        assert broken == ""
        assert same(again, [value])


@given(message=values, at=st.integers(0, 10_000), by=st.binary(max_size=3), drop=st.integers(0, 3))
def test_mutated_values_are_read_or_refused(message: Value, at: int, by: bytes, drop: int) -> None:
    data = encode([message])
    place = at % len(data)
    mutated = data[:place] + by + data[place + drop :]
    for value in read_all(mutated, [])[0]:
        assert same(read_all(encode(value), [])[0], [value])


def test_limits_are_on_one_message() -> None:
    limits = Limits(bulk_bytes=10, args=3, request_bytes=15, inline_bytes=12)
    fits = [
        b"$10\r\n" + b"x" * 10 + b"\r\n",
        b"*3\r\n" + b":1\r\n" * 3,
        b"+" + b"x" * 12 + b"\r\n",
        b"%1\r\n:1\r\n:2\r\n",
    ]
    assert read_all(b"".join(fits) * 2, [], limits)[1] == ""
    assert read_all(b"$11\r\n", [], limits)[1] == "a string is too long"
    assert read_all(b"*4\r\n", [], limits)[1] == "too many values in one message"
    assert read_all(b"*2\r\n*2\r\n", [], limits)[1] == "too many values in one message"
    assert read_all(b"*2\r\n$10\r\n" + b"x" * 10 + b"\r\n$6\r\n", [], limits)[1] == "a message is too long"
    assert read_all(b"+" + b"x" * 14, [], limits)[1] == "a line is too long"


def test_what_is_announced_takes_no_memory() -> None:
    reader = ValueReader()
    tracemalloc.start()
    try:
        reader.feed(b"*1048000\r\n*500\r\n$67108864\r\nabc")
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert reader.broken is None
    assert not reader.is_between


def test_a_long_string_in_small_pieces_takes_linear_time() -> None:
    reader = ValueReader()
    size = 16 * 1024 * 1024
    assert reader.feed(b"*2\r\n$%d\r\n" % size) == []
    piece = b"x" * 4096
    for _ in range(size // 4096):
        assert reader.feed(piece) == []
    assert reader.feed(b"\r\n:1\r\n") == [[b"x" * size, 1]]


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (float("nan"), ValueError, "no number nan"),
        (float("-inf"), ValueError, "no number -inf"),
        ([1, {2: float("inf")}], ValueError, "no number inf"),
        pytest.param(10**NUMBER_BYTES, ValueError, "too long", id="a long integer"),
        pytest.param(1 << 100_000_000, ValueError, "too long", id="a very long integer"),
        ("\ud800", ValueError, "surrogates"),
        (Fault(b"a\r\nb"), ValueError, "one line"),
        (object(), TypeError, "object can't be sent"),
        ({1, 2}, TypeError, "set can't be sent"),
        ([1j], TypeError, "complex can't be sent"),
    ],
)
def test_what_no_value_can_be_made_of_is_refused(value: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        encode(value)


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {1: inner}, lambda inner: (inner,)])
def test_values_that_are_nested_too_deep_are_not_written(wrap: Callable[[Any], Any]) -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = wrap(value)
    encode(value)
    with pytest.raises(ValueError, match="nested deeper than 128"):
        encode(wrap(value))


def test_a_value_that_holds_itself_is_not_written() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ValueError, match="nested"):
        encode(value)


def test_subclasses_are_written_as_what_they_are() -> None:
    class Number(int):
        def __repr__(self) -> str:
            return "a number"

    class Text(str):
        def __str__(self) -> str:
            return "plain"

    class Point(float):
        def __repr__(self) -> str:
            return "a float"

    class Data(bytes):
        pass

    assert encode([Number(5), Point(1.5), Data(b"d")]) == b"*3\r\n:5\r\n:1.5\r\n$1\r\nd\r\n"
    assert encode(Text("text")) == b"$4\r\ntext\r\n"


def test_errors_of_commands_are_one_line() -> None:
    codec = SimpleCodec()
    assert codec.encode(CommandError("no\r\nway")) == b"-no  way\r\n"
    assert codec.encode(WrongType()) == b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
    assert codec.encode([1, None]) == b"*2\r\n:1\r\n$-1\r\n"


def test_faults_are_counted() -> None:
    reader = ValueReader()
    reader.feed(b":1\r\n*2\r\n-a\r\n%1\r\n-b\r\n:1\r\n")
    assert reader.faults == 2
