"""Sketches are Redis's byte for byte; both forms hold the same marks; what is damaged is refused."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from spoold.core.errors import CorruptSketch
from spoold.datatypes.hyperloglog import sketch
from spoold.datatypes.hyperloglog.estimate import HIGHEST_MARK, REGISTERS, cardinality, mark

SPARSE_BYTES = 3000
DENSE_EMPTY = b"HYLL" + bytes(12 + 12288)

# As Redis 7.0.15 placed them.
MARKS = {
    b"": (5938, 2),
    b"a": (12711, 2),
    b"ab": (719, 1),
    b"abcdefg": (5634, 2),
    b"abcdefgh": (1383, 1),
    b"abcdefghi": (6903, 1),
    b"x" * 100: (15288, 1),
}

# Numbers from 0 on: bytes, the beginning of the digest of the registers, the estimate; as Redis 7.0.15 had them.
NUMBERS = [
    (10, 48, "09010d8a592a2d22844fa35bfd91ed5c", 10),
    (1000, 1923, "f13c3c41c52555e4693093aa693c6a7c", 1001),
    (3000, 12304, "5b496c65454c37dfd69753019e0522da", 3004),
    (100_000, 12304, "6a237f278d3e91f0e6f2e30f79661cf2", 99565),
]

marks = st.tuples(st.integers(0, REGISTERS - 1) | st.integers(0, 12), st.integers(1, HIGHEST_MARK) | st.integers(1, 3))


def added(value: bytes, marked: list[tuple[int, int]], sparse_bytes: int = SPARSE_BYTES) -> bytes:
    return sketch.add(value, marked, sparse_bytes) or value


def sparse(runs: bytes) -> bytes:
    """A sketch of these runs."""
    return b"HYLL\x01" + bytes(11) + runs


@pytest.mark.parametrize("element", MARKS)
def test_an_element_marks_the_register_that_it_marks_in_redis(element: bytes) -> None:
    assert mark(element) == MARKS[element]


@pytest.mark.parametrize(("count", "size", "digest", "estimate"), NUMBERS)
def test_numbers_make_the_sketch_that_they_make_in_redis(count: int, size: int, digest: str, estimate: int) -> None:
    value = sketch.EMPTY
    for start in range(0, count, 1000):
        value = added(value, [mark(b"%d" % number) for number in range(start, min(count, start + 1000))])
    assert len(value) == size
    assert sha256(value[16:]).hexdigest()[:32] == digest
    assert sketch.count(sketch.marks_of(value)) == estimate


def test_runs_are_merged_as_redis_merges_them() -> None:
    words = [b"a", b"b", b"c", b"hello", b"x" * 20, b""]
    value = added(sketch.EMPTY, [mark(word) for word in words])
    assert value[16:].hex() == "4dff8049308449c080430a804da5844bfb80425a"
    assert sketch.spelled(value)[:20] == b"Z:3584 v:1,1 Z:2353 "


def test_dense_registers_come_back() -> None:
    chance = random.Random(2)
    for highest in (1, 7, 63):
        data = bytes(chance.randrange(highest + 1) for _ in range(REGISTERS))
        value = sketch.dense_of(data, sketch.EMPTY)
        assert sketch.is_sketch(value)
        assert sketch.marks_of(value) == data


def test_the_union_takes_the_higher_mark_of_each_register() -> None:
    chance = random.Random(1)
    one, other = (bytes(chance.randrange(64) for _ in range(REGISTERS)) for _ in range(2))
    assert sketch.highest(one, other) == bytes(map(max, one, other))


@given(st.lists(marks, max_size=60), st.integers(0, 80))
def test_both_forms_hold_the_same_marks(marked: list[tuple[int, int]], sparse_bytes: int) -> None:
    registers = bytearray(REGISTERS)
    for register, each in marked:
        registers[register] = max(registers[register], each)
    for begin in (sketch.EMPTY, DENSE_EMPTY):
        for limit in (SPARSE_BYTES, sparse_bytes):
            assert sketch.marks_of(added(begin, marked, limit)) == registers
            value = begin
            for each_ in marked:
                value = added(value, [each_], limit)
            assert sketch.marks_of(value) == registers


def test_a_mark_above_32_makes_it_dense() -> None:
    assert added(sketch.EMPTY, [(5, 32)])[4] == sketch.SPARSE
    value = added(sketch.EMPTY, [(5, 32), (6, 33), (7, 3)])
    assert value[4] == sketch.DENSE
    assert sketch.marks_of(value)[4:9] == bytes((0, 32, 33, 3, 0))


def test_more_bytes_than_allowed_make_it_dense() -> None:
    assert added(sketch.EMPTY, [(5, 1)], 20)[4] == sketch.SPARSE
    assert added(sketch.EMPTY, [(5, 1)], 19)[4] == sketch.DENSE


def test_the_estimate_in_the_header_is_known_until_a_mark_comes() -> None:
    value = sketch.with_cached(added(sketch.EMPTY, [(1, 1)]), 1)
    assert sketch.cached(value) == 1
    assert sketch.add(value, [(1, 1)], SPARSE_BYTES) is None
    changed = added(value, [(1, 2)])
    assert sketch.cached(changed) is None
    assert changed[8:16] == b"\x01" + bytes(6) + b"\x80"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"HYLL",
        b"HYLX" + bytes(20),
        b"HYLL\x02" + bytes(20),
        b"HYLL\x00" + bytes(12298),
        b"HYLL\x00" + bytes(12300),
        b"hello",
    ],
)
def test_what_is_no_sketch_is_told(value: bytes) -> None:
    assert not sketch.is_sketch(value)


@pytest.mark.parametrize(
    "runs",
    [b"", b"\x7f", b"\x7f\xff\x00", b"\x7f\xfe", b"\x7f\xffhello", b"\x7f\xff" * 20_000, b"\x80" * REGISTERS + b"\x80"],
)
def test_damaged_runs_are_refused(runs: bytes) -> None:
    value = sparse(runs)
    assert sketch.is_sketch(value)
    with pytest.raises(CorruptSketch):
        sketch.marks_of(value)
    with pytest.raises(CorruptSketch):
        sketch.add(value, [(1, 1)], SPARSE_BYTES)


@given(st.binary(max_size=40))
def test_any_runs_are_read_or_refused(runs: bytes) -> None:
    value = sparse(runs)
    try:
        known = sketch.marks_of(value)
    except CorruptSketch:
        return
    assert len(known) == REGISTERS


def test_registers_that_no_hash_makes_have_an_estimate_too() -> None:
    assert cardinality([0] * HIGHEST_MARK + [REGISTERS]) == 2**63 - 1
    assert cardinality([REGISTERS] + [0] * HIGHEST_MARK) == 0
    assert sketch.count(b"\x3f" * REGISTERS) == 2**63 - 1


class Sketches(RuleBasedStateMachine):
    """One sketch against a dict of marks; what is kept between calls must never show."""

    def __init__(self) -> None:
        super().__init__()
        self.value = sketch.EMPTY
        self.older = [sketch.EMPTY]
        self.model: dict[int, int] = {}
        self.models: list[dict[int, int]] = [{}]

    @rule(marked=st.lists(marks, max_size=8), limit=st.sampled_from([100, SPARSE_BYTES]))
    def add(self, marked: list[tuple[int, int]], limit: int) -> None:
        """Some marks."""
        raised = False
        for register, each in marked:
            if self.model.get(register, 0) < each:
                self.model[register] = each
                raised = True
        changed = sketch.add(self.value, marked, limit)
        assert (changed is not None) == raised
        self.value = changed or self.value
        self.older.append(self.value)
        self.models.append(dict(self.model))

    @rule(data=st.data())
    def go_back(self, data: st.DataObject) -> None:
        """Add to an older sketch next, as after a rollback."""
        at = data.draw(st.integers(0, len(self.older) - 1))
        self.value, self.model = self.older[at], dict(self.models[at])

    @invariant()
    def agree(self) -> None:
        """All registers."""
        known = sketch.marks_of(self.value)
        assert {register: each for register, each in enumerate(known) if each} == self.model


TestSketches = Sketches.TestCase
TestSketches.settings = settings(max_examples=20, stateful_step_count=20)
