"""Packed bytes: their order is the order of what they stand for, and nothing is lost."""

from __future__ import annotations

import math

from hypothesis import example, given
from hypothesis import strategies as st

from spoold.keyspace import layout
from spoold.keyspace.packing import (
    HEAD_BYTES,
    PLAIN_BYTES,
    after,
    is_long,
    pack_double,
    pack_name,
    pack_u64,
    unpack_double,
    unpack_u64,
)

MOST_KEY_BYTES = 511  # LMDB's limit

u64 = st.integers(0, 2**64 - 1)
doubles = st.floats(allow_nan=False)
short_names = st.binary(max_size=PLAIN_BYTES)
long_names = st.builds(
    lambda head, tail, pad: (head * 600)[:HEAD_BYTES] + tail + bytes(pad),
    st.binary(min_size=1, max_size=3),
    st.binary(max_size=40),
    st.integers(16, 700),
)
names = short_names | long_names


@given(u64, u64)
def test_numbers_order_as_their_bytes_and_come_back(one: int, other: int) -> None:
    assert (pack_u64(one) < pack_u64(other)) == (one < other)
    assert unpack_u64(pack_u64(one)) == one


@given(doubles, doubles)
@example(-0.0, 0.0)
@example(-math.inf, -1.7976931348623157e308)
@example(5e-324, -5e-324)
def test_doubles_order_as_their_bytes_and_come_back(one: float, other: float) -> None:
    assert (pack_double(one) < pack_double(other)) == (one < other)
    assert (pack_double(one) == pack_double(other)) == (one == other)
    assert unpack_double(pack_double(one)) == one


def test_minus_zero_is_stored_as_zero() -> None:
    assert math.copysign(1.0, unpack_double(pack_double(-0.0))) == 1.0


@given(short_names)
def test_a_short_name_is_stored_as_it_is(name: bytes) -> None:
    assert pack_name(name) == name


@given(long_names)
def test_a_long_name_is_stored_under_its_head_and_a_digest(name: bytes) -> None:
    packed = pack_name(name)
    assert is_long(name)
    assert len(packed) == PLAIN_BYTES + 1
    assert packed[:HEAD_BYTES] == name[:HEAD_BYTES]
    assert packed != pack_name(name + b"x")
    assert packed != pack_name(name[:-1] + bytes((name[-1] ^ 1,)))


@given(names, names)
def test_different_names_are_stored_differently(one: bytes, other: bytes) -> None:
    assert (pack_name(one) == pack_name(other)) == (one == other)


@given(names, names)
def test_names_order_as_their_bytes_where_their_heads_differ(one: bytes, other: bytes) -> None:
    if one[:HEAD_BYTES] != other[:HEAD_BYTES]:
        assert (pack_name(one) < pack_name(other)) == (one < other)


@given(u64, u64, names)
def test_no_engine_key_is_too_long_for_the_engine(number: int, id_: int, name: bytes) -> None:
    assert len(layout.expiry_key(number, id_, name)) <= MOST_KEY_BYTES
    assert len(layout.names_prefix(id_) + pack_name(name)) <= MOST_KEY_BYTES
    # A sorted set's element behind its score, the longest key of any element.
    assert len(layout.elements_prefix(id_) + b"s" + pack_u64(number) + pack_name(name)) <= MOST_KEY_BYTES


@given(st.integers(0, 2**63 - 1), u64, names)
def test_an_expiry_entry_gives_back_what_it_was_made_of(when_ms: int, database_id: int, name: bytes) -> None:
    key = layout.expiry_key(when_ms, database_id, name)
    value = name if is_long(name) else b""
    assert layout.expiry_parts(key, value) == (when_ms, database_id, name)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**62), u64, names)
def test_expiry_entries_stand_before_the_stop_exactly_when_they_are_due(
    when_ms: int, now_ms: int, database_id: int, name: bytes
) -> None:
    key = layout.expiry_key(when_ms, database_id, name)
    assert (key < layout.expiry_stop(now_ms)) == (when_ms <= now_ms)
    assert layout.EXPIRY_FIRST <= key < layout.EXPIRY_STOP


@given(u64)
def test_a_garbage_mark_gives_back_its_id(id_: int) -> None:
    assert layout.garbage_id(layout.garbage_key(id_)) == id_
    assert layout.GARBAGE_FIRST <= layout.garbage_key(id_) < layout.GARBAGE_STOP


@given(st.binary(max_size=12).map(lambda rest: b"k" + rest), st.binary(max_size=20).map(lambda rest: b"k" + rest))
@example(b"k\xff", b"k\xff\xff")
@example(b"k\xff", b"l")
def test_after_stands_right_behind_all_that_starts_with_a_prefix(prefix: bytes, key: bytes) -> None:
    stop = after(prefix)
    assert key.startswith(prefix) == (prefix <= key < stop)
