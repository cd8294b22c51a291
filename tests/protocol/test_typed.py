"""How typed values are kept: strings as their bytes, all else so that it comes back as it was."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.protocol.test_simple import numbers, same, values

from spoold.protocol.simple import MAX_DEPTH, Fault, Value, encode
from spoold.protocol.typed import ESCAPE, BadName, Unstorable, pack, pack_name, unpack

# Strings that look like what is stored for others.
tricky = st.one_of(
    st.binary(),
    st.binary().map(lambda tail: ESCAPE + tail),
    values.map(lambda value: ESCAPE + encode(value)),
    values.map(lambda value: ESCAPE + ESCAPE + encode(value)),
)


@given(value=st.one_of(values, tricky))
@example(value=ESCAPE)
@example(value=ESCAPE + b":1\r\n")
def test_what_is_packed_comes_back_as_it_was(value: Value) -> None:
    assert same(unpack(pack(value)), value)


@given(value=st.binary().filter(lambda data: not data.startswith(ESCAPE)))
@example(value=b"")
@example(value=ESCAPE[:-1])
def test_a_string_is_kept_as_its_bytes(value: bytes) -> None:
    assert pack(value) == value
    assert unpack(value) == value


@given(one=st.one_of(values, tricky), other=st.one_of(values, tricky))
@example(one=1, other=b"1")
@example(one=None, other=b"")
@example(one=1, other=1.0)
def test_different_values_are_kept_differently(one: Value, other: Value) -> None:
    assert (pack(one) == pack(other)) == same(one, other)


@pytest.mark.parametrize(
    "stored",
    [
        ESCAPE + b"no value",
        ESCAPE + b":1",
        ESCAPE + b":1\r\n:2\r\n",
        ESCAPE + b":1\r\nx",
        ESCAPE + b"$5\r\nabc",
        ESCAPE + b"-an error\r\n",
        ESCAPE + b"*1\r\n%1\r\n-an error\r\n:1\r\n",
        ESCAPE + b"*1\r\n" * MAX_DEPTH + b":1\r\n",
    ],
)
def test_bytes_of_another_door_that_only_begin_alike_are_a_string(stored: bytes) -> None:
    assert unpack(stored) == stored


def test_the_deepest_value_of_a_request_is_kept() -> None:
    value: Value = b"x"
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    assert unpack(pack(value)) == value


@pytest.mark.parametrize("value", [Fault(b"x"), [Fault(b"x")], {b"k": [Fault(b"x")]}, {Fault(b"x"): 1}])
def test_errors_are_not_kept(value: Value) -> None:
    with pytest.raises(Unstorable):
        pack(value)


@given(one=numbers, other=numbers)
@example(one=1, other=1.0)
@example(one=0, other=-0.0)
@example(one=10**300, other=1e300)
@example(one=int(1e300), other=1e300)
def test_numbers_name_the_same_if_they_are_equal(one: float, other: float) -> None:
    assert (pack_name(one) == pack_name(other)) == (one == other)


def test_an_integer_is_another_name_than_its_digits() -> None:
    assert len({pack_name(name) for name in (1, b"1", None, b"", 1.5, b"1.5", b":1\r\n", ESCAPE + b":1\r\n")}) == 8


@pytest.mark.parametrize("name", [[], [b"a"], {}, Fault(b"x")])
def test_lists_dictionaries_and_errors_are_no_names(name: Value) -> None:
    with pytest.raises(BadName):
        pack_name(name)
