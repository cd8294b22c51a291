"""The libraries of scripts against Python's own: what is written must read back, and mean the same to others."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.room import Room

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NUMBERS = st.integers(-(2**40), 2**40) | st.floats(-1e6, 1e6).map(lambda number: float(f"{number:.6g}"))
VALUES = st.recursive(
    NUMBERS | TEXTS | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, min_size=1, max_size=4),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """One room for all examples."""
    with Room(tmp_path_factory.mktemp("libraries")) as made:
        yield made


def close(one: Any, other: Any) -> bool:
    """Whether two values are the same, numbers as far as 14 digits go; an empty list may have become an object."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, (int, float)) and isinstance(other, (int, float)) and not isinstance(one, bool):
        return abs(one - other) <= abs(one) * 1e-13
    return one == other or (one == [] and other == {})


@given(value=VALUES, ascii_=st.booleans(), indent=st.sampled_from([None, 2]))
def test_json_that_is_read_and_written_means_the_same(
    shared: Room, value: Any, ascii_: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_, indent=indent)
    written = shared("EVAL", "return cjson.encode(cjson.decode(ARGV[1]))", 0, text)
    assert close(value, json.loads(written))


@given(text=st.binary(max_size=30))
def test_json_of_any_bytes_is_read_or_refused(shared: Room, text: bytes) -> None:
    reply = shared(
        "EVAL", "local ok, value = pcall(cjson.decode, ARGV[1]) return {tostring(ok), tostring(value)}", 0, text
    )
    assert reply[0] in (b"true", b"false")


@given(value=VALUES)
def test_message_pack_reads_what_it_wrote(shared: Room, value: Any) -> None:
    script = """
        local value = cjson.decode(ARGV[1])
        return {cjson.encode(value), cjson.encode(cmsgpack.unpack(cmsgpack.pack(value)))}
    """
    before, after = shared("EVAL", script, 0, json.dumps(value))
    if b"null" not in before:  # cjson.null is packed as nothing, and nothing is no item of a table
        assert close(json.loads(before), json.loads(after)) or json.loads(after) in ({}, [])


@given(data=st.binary(max_size=40))
def test_message_pack_of_any_bytes_is_read_or_refused(shared: Room, data: bytes) -> None:
    reply = shared("EVAL", "return {tostring((pcall(cmsgpack.unpack, ARGV[1])))}", 0, data)
    assert reply[0] in (b"true", b"false")


# Letters of struct, and how many bits an integer of them has.
KINDS = [("b", 8), ("B", 8), ("h", 16), ("H", 16), ("i4", 32), ("I4", 32), ("l", 64), ("d", 0), ("f", 0)]


@given(
    order=st.sampled_from("<>"),
    values=st.lists(
        st.sampled_from(KINDS).flatmap(
            lambda kind: st.tuples(
                st.just(kind[0]),
                st.floats(width=32, allow_nan=False)
                if not kind[1]
                else st.integers(0, 2 ** min(kind[1], 53) - 1)
                if kind[0][0].isupper()
                else st.integers(-(2 ** min(kind[1] - 1, 53)), 2 ** min(kind[1] - 1, 53) - 1),
            )
        ),
        min_size=1,
        max_size=6,
    ),
)  # fmt: skip
def test_struct_packs_and_unpacks_as_python_does(shared: Room, order: str, values: list[tuple[str, Any]]) -> None:
    layout = order + "".join(kind for kind, _ in values)
    theirs = order + "".join({"i4": "i", "I4": "I", "l": "q"}.get(kind, kind) for kind, _ in values)
    numbers = [repr(value) for _, value in values]
    assert shared("EVAL", "return struct.pack(ARGV[1], unpack(ARGV, 2))", 0, layout, *numbers) == struct.pack(
        theirs, *[value for _, value in values]
    )
    script = "local packed = struct.pack(ARGV[1], unpack(ARGV, 2)) local r = {struct.unpack(ARGV[1], packed)}"
    script += " for i = 1, #r do r[i] = string.format('%.17g', r[i]) end return r"
    found = shared("EVAL", script, 0, layout, *numbers)
    assert [float(text) for text in found[:-1]] == [float(value) for _, value in values]
    assert int(found[-1]) == struct.calcsize(theirs) + 1


@given(data=st.binary(max_size=40), layout=st.text("<>!bBhHlLTiIfdsxc0123456789 ", max_size=8))
def test_struct_of_any_bytes_is_read_or_refused(shared: Room, data: bytes, layout: str) -> None:
    reply = shared("EVAL", "return {tostring((pcall(struct.unpack, ARGV[1], ARGV[2])))}", 0, layout, data)
    assert reply[0] in (b"true", b"false")


@given(a=st.integers(-(2**31), 2**32 - 1), b=st.integers(-(2**31), 2**32 - 1), by=st.integers(0, 31))
def test_bits_are_those_of_python(shared: Room, a: int, b: int, by: int) -> None:
    def signed(number: int) -> int:
        number &= 0xFFFFFFFF
        return number - 2**32 if number >= 2**31 else number

    script = """
        local a, b, by = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        return {bit.band(a, b), bit.bor(a, b), bit.bxor(a, b), bit.bnot(a), bit.lshift(a, by), bit.rshift(a, by),
                bit.arshift(a, by), bit.tobit(a), bit.tohex(a)}
    """
    assert shared("EVAL", script, 0, a, b, by) == [
        signed(a & b),
        signed(a | b),
        signed(a ^ b),
        signed(~a),
        signed(a << by),
        signed((a & 0xFFFFFFFF) >> by),
        signed(signed(a) >> by),
        signed(a),
        b"%08x" % (a & 0xFFFFFFFF),
    ]


def test_random_numbers_follow_their_seed(room: Room) -> None:
    """The numbers are those of a Redis 7.0.15."""
    script = "math.randomseed(ARGV[1]) return {tostring(math.random()), math.random(100), math.random(5, 10)}"
    assert room("EVAL", script, 0, 3) == [b"0.78323496216127", 87, 6]
    assert room("EVAL", script, 0, -3.7) == [b"0.55842111006306", 64, 10]
    assert room("EVAL", script, 0, 0) == [b"0.17082803611217", 75, 5]


def test_functions_have_the_libraries_too(tmp_path: Path) -> None:
    with Room(tmp_path) as room:
        work = "function(keys, args) return cjson.encode({a = cjson.decode(args[1])}) end"
        room("FUNCTION", "LOAD", f"#!lua name=lib\nredis.register_function('f', {work})")
        assert room("FCALL", "f", 0, "[1,2]") == b'{"a":[1,2]}'
