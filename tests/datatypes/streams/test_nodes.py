"""Nodes as approximate trimming sees them; the figures are Redis 7.0.15's. More of them in tests/conformance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core.rdb import element_bytes, encode_listpack, integer_bytes
from spoold.datatypes.streams import nodes
from support.room import Room

_FRAME = len(encode_listpack([]))
_BORDERS = [
    border + step for power in (7, 12, 15, 23, 31, 63) for border in (2**power, -(2**power)) for step in (-1, 0)
]


@given(st.integers(-(2**63), 2**63 - 1) | st.sampled_from([each for each in _BORDERS if -(2**63) <= each < 2**63]))
def test_an_integer_takes_what_it_takes_in_a_listpack(number: int) -> None:
    assert integer_bytes(number) == len(encode_listpack([number])) - _FRAME
    assert element_bytes(b"%d" % number) == integer_bytes(number)


@given(st.binary(max_size=70) | st.sampled_from([b"x" * size for size in (125, 126, 4095, 4096, 16378, 16379, 70000)]))
def test_a_string_takes_what_it_takes_in_a_listpack(text: bytes) -> None:
    try:
        if b"%d" % int(text) == text:
            return
    except ValueError:
        pass
    assert element_bytes(text) == len(encode_listpack([text])) - _FRAME


def fill(room: Room, count: int, size: int, first: int = 1) -> None:
    for number in range(first, first + count):
        room("XADD", "s", f"{number}-1", "f", "y" * size)


def nodes_of(room: Room) -> int:
    count: int = room("XINFO", "STREAM", "s")[b"radix-tree-keys"]
    return count


@pytest.mark.parametrize(
    ("size", "count", "trimmed", "later", "trimmed_later"),
    [
        (50, 1, 0, 3, 136),
        (62, 2, 56, 3, 112),
        (100, 2, 36, 4, 108),
        (126, 3, 58, 5, 116),
        (1000, 15, 56, 31, 120),
        (5000, 60, 59, 121, 120),
    ],
)
def test_a_node_ends_where_it_would_have_4096_bytes(
    room: Room, size: int, count: int, trimmed: int, later: int, trimmed_later: int
) -> None:
    fill(room, 60, size)
    assert nodes_of(room) == count
    assert room("XTRIM", "s", "MAXLEN", "~", 1) == trimmed
    fill(room, 60, size, first=61)  # measured as they come in
    room.dbs[0].write()
    room.dbs[0].cache.clear()
    fill(room, 60, size, first=121)  # and read back
    assert nodes_of(room) == later
    assert room("XTRIM", "s", "MAXLEN", "~", 1) == trimmed_later


def test_the_most_bytes_of_a_node_can_be_set(room: Room) -> None:
    room.dbs.stream_node_bytes = 300
    fill(room, 20, 10)
    assert room("XTRIM", "s", "MAXLEN", "~", 5) == 14
    assert nodes_of(room) == 1
    room.dbs.stream_node_bytes = 1 << 30
    fill(room, 200, 1000, first=100)
    assert room("XTRIM", "s", "MAXLEN", "~", 150) == 0
    assert nodes_of(room) == 3


def test_deleted_entries_count_where_only_their_number_ends_a_node(room: Room) -> None:
    fill(room, 100, 1)
    room("XDEL", "s", *(f"{number}-1" for number in range(2, 101, 2)))
    fill(room, 60, 1, first=101)
    assert nodes_of(room) == 2
    assert room("XTRIM", "s", "MAXLEN", "~", 60) == 50


def test_a_long_stream_keeps_the_nodes_that_the_number_of_entries_made(room: Room) -> None:
    fill(room, nodes.MOST_MEASURED + 1, 1000)
    assert nodes_of(room) == 21
    assert room("XTRIM", "s", "MAXLEN", "~", nodes.MOST_MEASURED - 98) == 0
    assert room("XTRIM", "s", "MAXLEN", "~", nodes.MOST_MEASURED - 99) == 100
    left = nodes.MOST_MEASURED - 99
    assert nodes_of(room) == -(-left // 4)


def test_a_stream_of_large_entries_keeps_them_too(room: Room) -> None:
    fill(room, 60, 80_000)
    assert nodes_of(room) == 1
    assert room("XTRIM", "s", "MAXLEN", "~", 10) == 0
    fill(room, 60, 80_000, first=61)
    assert nodes_of(room) == 2
    assert room("XTRIM", "s", "MAXLEN", "~", 10) == 100


def test_asking_is_no_change_to_who_watches(room: Room) -> None:
    fill(room, 60, 100)
    room("WATCH", "s")
    assert room("XTRIM", "s", "MAXLEN", "~", 59) == 0
    room("MULTI")
    room("PING")
    assert room("EXEC") is not None
