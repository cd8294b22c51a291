"""Records: what is encoded comes back, and damaged bytes are an EngineError."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core.errors import EngineError
from spoold.keyspace.packing import PLAIN_BYTES
from spoold.keyspace.record import ListRecord, Record, SetRecord, StringRecord, decode, outline

u64 = st.integers(0, 2**64 - 1)
expiries = st.just(0) | st.integers(1, 2**63 - 1)


def made(cls: type[Record], numbers: list[int], value: bytes, expire_ms: int) -> Record:
    """A record of class `cls` with all its fields set."""
    record: Record
    if cls is StringRecord:
        record = StringRecord(value, numbers[0], numbers[1] & 0xFFFFFFFF)
    elif cls is ListRecord:
        record = ListRecord(numbers[0])
        record.head, record.tail = numbers[1:3]
    else:
        record = SetRecord(numbers[0])
        record.members, record.head, record.next = numbers[1:4]
    record.expire_ms = expire_ms
    return record


IN_MEMORY = {"indexed_ms", "read_stamp", "used_ms"}


def fields(record: Record) -> dict[str, object]:
    """All that is stored of a record, by name."""
    slots = [name for cls in type(record).__mro__ for name in getattr(cls, "__slots__", ())]
    return {name: getattr(record, name) for name in slots if name not in IN_MEMORY} | {"type": type(record)}


records = st.builds(
    made,
    st.sampled_from([StringRecord, ListRecord, SetRecord]),
    st.lists(u64, min_size=4, max_size=4),
    st.binary(max_size=300),
    expiries,
)
names = st.binary(max_size=20) | st.integers(0, 700).map(lambda length: b"n" * length)


@given(records, names)
def test_a_record_comes_back_with_all_its_fields(record: Record, name: bytes) -> None:
    found, full_name = decode(record.encode(name))
    assert fields(found) == fields(record)
    assert full_name == (name if len(name) > PLAIN_BYTES else None)


@given(records)
def test_a_record_that_was_read_is_indexed_under_its_expiry(record: Record) -> None:
    found, _ = decode(record.encode(b"k"))
    assert found.indexed_ms == record.expire_ms


@pytest.mark.parametrize("length", [0, 1, 255, 256, PLAIN_BYTES, PLAIN_BYTES + 1, 100_000])
def test_the_length_of_the_name_makes_no_difference(length: int) -> None:
    name = b"\xff" * length
    for record in (StringRecord(b"v", 3, 4), ListRecord(5), SetRecord(6)):
        found, full_name = decode(record.encode(name))
        assert fields(found) == fields(record)
        assert full_name == (name if length > PLAIN_BYTES else None)


def test_a_collection_points_at_its_own_elements_after_reading() -> None:
    record = SetRecord(77)
    found, _ = decode(record.encode(b"k"))
    assert isinstance(found, SetRecord)
    assert found.prefix == record.prefix
    assert found.prefix != ListRecord(78).prefix


@given(records, names, st.integers(0, 40))
def test_a_record_that_is_cut_off_is_an_error_or_a_shorter_string(record: Record, name: bytes, cut: int) -> None:
    raw = record.encode(name)
    try:
        found, _ = decode(raw[: min(cut, len(raw) - 1)])
    except EngineError:
        return
    assert isinstance(found, StringRecord)


@given(records, names)
def test_the_outline_of_a_record_says_what_the_record_says(record: Record, name: bytes) -> None:
    full_name = name if len(name) > PLAIN_BYTES else None
    assert outline(record.encode(name)) == (record.kind, record.expire_ms, full_name)


@given(st.binary(max_size=60))
def test_random_bytes_are_a_record_or_an_engine_error_and_nothing_else(raw: bytes) -> None:
    with contextlib.suppress(EngineError):
        decode(raw)
    with contextlib.suppress(EngineError):
        outline(raw)


def test_an_unknown_type_is_an_engine_error() -> None:
    with pytest.raises(EngineError, match="damaged record"):
        decode(b"\x7f" + bytes(40))
