"""The journal alone: replay gives back exactly the acknowledged prefix, whatever happened to the files."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core.errors import EngineError
from spoold.engine.batch import Section
from spoold.engine.journal import (
    BLOCK_BYTES,
    HEADER_BYTES,
    KEY_BYTES,
    NAMES,
    Journal,
    JournalFull,
    decode_batch,
    encode_batch,
)

ID = b"sixteen bytes id"
SEGMENT = HEADER_BYTES + 8192


def turn_of(number: int) -> list[Section]:
    """A batch that is different for each turn, with a put, a delete and every second time a range."""
    key = b"key%d" % number
    mutations: Section = {key: b"value of %d" % number, b"gone%d" % number: None}
    return [mutations, (key, key + b"\xff"), {key: b"again"}] if number % 2 else [mutations]


class Segments:
    """A journal in a directory, opened anew as often as a test likes."""

    def __init__(self, directory: Path, segment_bytes: int = SEGMENT, *, direct: bool = False) -> None:
        self.directory = directory
        self.segment_bytes = segment_bytes
        self.direct = direct
        self.journal = Journal(directory, ID, segment_bytes, direct=direct)

    def append(self, *turns: int) -> None:
        for turn in turns:
            self.journal.append(turn, turn_of(turn), sync=True)

    def reopen(self, segment_bytes: int | None = None) -> Journal:
        self.journal.close()
        self.segment_bytes = segment_bytes or self.segment_bytes
        self.journal = Journal(self.directory, ID, self.segment_bytes, direct=self.direct)
        return self.journal

    def replayed(self, after: int = 0) -> list[int]:
        """The turns that a start would bring back; each must have its own batch."""
        found = list(self.reopen().replay(after))
        assert [sections for _, sections in found] == [turn_of(turn) for turn, _ in found]
        return [turn for turn, _ in found]

    def file(self, index: int = 0) -> Path:
        return self.directory / NAMES[index]

    def read(self, index: int = 0) -> bytes:
        return self.file(index).read_bytes()

    def write(self, data: bytes, index: int = 0) -> None:
        self.file(index).write_bytes(data)


@pytest.fixture(params=[False, True], ids=["through the cache", "past the cache"])
def segments(tmp_path: Path, request: pytest.FixtureRequest) -> Segments:
    return Segments(tmp_path, direct=request.param)


def records(data: bytes) -> list[tuple[int, int]]:
    """(start, end) of each record in a segment that nobody damaged."""
    found = []
    position = HEADER_BYTES
    while any(data[position : position + 16]):
        (length,) = struct.unpack_from("<I", data, position)
        found.append((position, position + 16 + length))
        position += 16 + length
    return found


def cuts(before: bytes, behind: bytes, first: int, last: int) -> list[int]:
    """All places from `first` to `last` at which a cut gives another file than at the place before it."""
    return [first, *(cut for cut in range(first + 1, last + 1) if before[cut - 1] != behind[cut - 1])]


# -- past the page cache --------------------------------------------------------------------------------------------


@pytest.fixture
def direct(tmp_path: Path) -> Segments:
    segments = Segments(tmp_path, HEADER_BYTES + (4 << 20), direct=True)
    if not segments.journal.direct:
        pytest.skip("this file system takes no writes past the page cache")
    return segments


def test_each_record_begins_a_block_and_is_filled_up_with_zeros(direct: Segments) -> None:
    direct.append(1, 2, 3)
    data = direct.read()
    for start, end in records(data):
        assert start % BLOCK_BYTES == 0
        assert end % BLOCK_BYTES == 0
        assert data[end - 1] == 0
    assert direct.replayed() == [1, 2, 3]


def test_a_block_that_holds_a_record_is_never_written_again(direct: Segments) -> None:
    direct.append(1)
    last = direct.journal.position - 1
    os.pwrite(direct.journal._fds[0], b"\xff", last)  # would be gone, were its block written again
    direct.append(2)
    assert direct.read()[last] == 0xFF


def test_a_record_too_large_for_one_write_past_the_cache_comes_back_between_small_ones(direct: Segments) -> None:
    large: list[Section] = [{b"large": b"v" * (3 << 19)}]
    direct.append(1)
    direct.journal.append(2, large, sync=True)
    direct.append(3)
    assert list(direct.reopen().replay(0)) == [(1, turn_of(1)), (2, large), (3, turn_of(3))]


def test_a_journal_written_through_the_cache_goes_on_past_it(tmp_path: Path) -> None:
    segments = Segments(tmp_path)
    segments.append(1, 2)
    segments.direct = True
    assert segments.replayed() == [1, 2]
    segments.journal.switch()
    segments.append(3)
    segments.direct = False
    assert segments.replayed() == [1, 2, 3]


def test_where_nothing_goes_past_the_cache_writes_go_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, buffers: Sequence[memoryview], offset: int) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwritev", refuse)
        segments = Segments(tmp_path, direct=True)
        assert not segments.journal.direct
        segments.append(1, 2)
    assert segments.replayed() == [1, 2]


# -- what is written comes back -------------------------------------------------------------------------------------


def test_turns_come_back_in_order(segments: Segments) -> None:
    segments.append(1, 2, 3, 4)
    assert segments.replayed() == [1, 2, 3, 4]
    assert segments.journal.damage is None


def test_turns_that_the_data_holds_are_left_out(segments: Segments) -> None:
    segments.append(1, 2, 3, 4)
    assert segments.replayed(after=2) == [3, 4]
    assert segments.replayed(after=4) == []


def test_replay_stops_where_it_is_told_to(segments: Segments) -> None:
    segments.append(1, 2, 3, 4)
    assert [turn for turn, _ in segments.journal.replay(1, 3)] == [2, 3]


def test_both_segments_are_replayed_the_earlier_turns_first(segments: Segments) -> None:
    segments.append(1, 2)
    segments.journal.switch()
    segments.append(3, 4)
    assert segments.replayed() == [1, 2, 3, 4]
    segments.journal.switch()  # a start begins the second one anew
    segments.append(5)
    assert segments.replayed(after=4) == [5]


def test_a_full_segment_takes_nothing_and_stays_sound(segments: Segments) -> None:
    large: list[Section] = [{b"large": bytes(5000)}]
    segments.journal.append(1, large, sync=True)
    before = segments.read()
    with pytest.raises(JournalFull):
        segments.journal.append(2, large, sync=True)
    assert segments.read() == before
    segments.append(2)
    assert [turn for turn, _ in segments.reopen().replay(0)] == [1, 2]


def test_a_record_may_end_where_its_segment_ends(segments: Segments) -> None:
    frame = 16 + sum(map(len, encode_batch([{b"key": b""}])))
    exact: list[Section] = [{b"key": bytes(SEGMENT - HEADER_BYTES - frame)}]
    assert segments.journal.append(1, exact, sync=True) == SEGMENT - HEADER_BYTES
    assert list(segments.reopen().replay(0)) == [(1, exact)]


def test_a_key_that_the_data_could_not_hold_is_refused_before_it_is_written(segments: Segments) -> None:
    segments.append(1)
    with pytest.raises(EngineError, match="512 bytes"):
        segments.journal.append(2, [{bytes(KEY_BYTES + 1): b""}], sync=True)
    assert segments.replayed() == [1]


# -- torn tails -----------------------------------------------------------------------------------------------------


def test_a_cut_at_every_byte_of_the_last_records_leaves_the_whole_ones(segments: Segments) -> None:
    segments.append(1, 2, 3, 4, 5)
    whole = segments.read()
    bounds = records(whole)
    for cut in cuts(whole, bytes(len(whole)), bounds[2][0], bounds[4][1]):
        segments.write(whole[:cut] + bytes(len(whole) - cut))
        # Where a record ends in zeros of its own, a cut among them takes nothing away.
        kept = sum(not any(whole[max(cut, start) : end]) for start, end in bounds)
        assert segments.replayed() == list(range(1, kept + 1)), cut
        assert segments.journal.damage is None, cut


def test_a_file_that_ends_in_a_record_is_filled_up_again(segments: Segments) -> None:
    segments.append(1, 2, 3)
    whole = segments.read()
    bounds = records(whole)
    padding = range(bounds[1][0], bounds[2][1], 97)  # the zeros that fill a block up: not all of their lengths
    for cut in sorted({*cuts(whole, bytes(len(whole)), bounds[1][0], bounds[2][1] - 1), *padding}):
        segments.write(whole[:cut])
        kept = sum(not any(whole[cut:end]) for _, end in bounds)  # zeros that fill a block up are no loss
        assert segments.replayed() == list(range(1, kept + 1))
        assert len(segments.read()) == SEGMENT


def test_a_write_cut_off_above_stale_records_ends_the_replay(segments: Segments) -> None:
    segments.append(1, 2, 3, 4, 5, 6)
    segments.journal.switch()
    segments.journal.switch()
    stale = segments.read()
    segments.append(7, 8, 9)
    fresh = segments.read()
    for cut in cuts(fresh, stale, HEADER_BYTES, records(fresh)[2][1]):
        segments.write(fresh[:cut] + stale[cut:])
        kept = sum(fresh[start:end] == (fresh[:cut] + stale[cut:])[start:end] for start, end in records(fresh)[:3])
        assert segments.replayed(after=6) == list(range(7, 7 + kept)), cut
        assert segments.journal.damage is None, cut


def test_a_lost_tail_does_not_come_back_behind_turns_of_the_same_numbers(segments: Segments) -> None:
    """Turns 3 and 4 were written and lost before a crash; after it other turns got their numbers."""
    segments.append(1, 2, 3, 4)
    lost = segments.read()
    end = records(lost)[2][1]
    segments.journal.switch()
    segments.journal.switch()  # the data holds 2, and the segment is begun anew
    frame = 16 + sum(map(len, encode_batch([{b"other": b""}])))
    segments.journal.append(3, [{b"other": bytes(end - HEADER_BYTES - frame)}], sync=True)
    fresh = segments.read()
    assert records(fresh)[0][1] == end
    segments.write(fresh[:end] + lost[end:])  # the old turn 4 stands exactly where the next one would
    assert [turn for turn, _ in segments.reopen().replay(2)] == [3]
    assert segments.journal.damage is None


def test_a_first_record_without_its_header_is_stale(segments: Segments) -> None:
    """The header is written with the first record of a pass; the disk may have taken either alone."""
    segments.append(1, 2)
    before = segments.read()
    segments.journal.switch()
    segments.journal.switch()
    segments.append(3)
    after = segments.read()
    segments.write(before[:HEADER_BYTES] + after[HEADER_BYTES:])
    assert segments.replayed(after=2) == []
    segments.write(after[:HEADER_BYTES] + before[HEADER_BYTES:])
    assert segments.replayed(after=2) == []
    assert segments.journal.damage is None


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 23, 24, 27, 28, 31])
def test_a_header_whose_first_writing_was_cut_off_is_written_again(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path, ID, SEGMENT)
    journal.close()
    path = tmp_path / NAMES[0]
    data = path.read_bytes()
    path.write_bytes(data[:cut] + bytes(len(data) - cut))
    segments = Segments(tmp_path)
    segments.append(1, 2)
    assert segments.replayed() == [1, 2]


# -- damage ---------------------------------------------------------------------------------------------------------


def test_a_flipped_bit_anywhere_in_the_last_records_drops_them(segments: Segments) -> None:
    segments.append(1, 2, 3, 4)
    whole = segments.read()
    bounds = records(whole)
    for position in range(bounds[2][0], bounds[3][1]):
        if position % 5 and not any(whole[position - 16 : position + 1]):
            continue  # of the zeros that fill a block up, some are enough
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        segments.write(bytes(damaged))
        last = 2 if position < bounds[3][0] else 3
        assert segments.replayed() == list(range(1, last + 1)), position
        # A sound record behind the damage tells it from a torn tail, even where the length is what was damaged.
        assert (segments.journal.damage is not None) == (last == 2), position


@pytest.mark.parametrize("broken", [1, 2, 5, 9])
def test_damage_with_sound_records_behind_it_is_reported_and_kept(segments: Segments, broken: int) -> None:
    segments.append(*range(1, 11))
    data = bytearray(segments.read())
    start, end = records(bytes(data))[broken - 1]
    data[start:end] = b"\xee" * (end - start)
    segments.write(bytes(data))
    assert segments.replayed() == list(range(1, broken))
    assert f"turn {broken} is damaged" in str(segments.journal.damage)
    copy = segments.directory / (NAMES[0] + ".damaged")
    assert copy.read_bytes() == bytes(data)


def test_several_damaged_records_in_a_row_are_reported(segments: Segments) -> None:
    segments.append(*range(1, 16))
    data = bytearray(segments.read())
    bounds = records(bytes(data))
    data[bounds[4][0] : bounds[11][1]] = bytes(bounds[11][1] - bounds[4][0])
    segments.write(bytes(data))
    assert segments.replayed() == [1, 2, 3, 4]
    assert segments.journal.damage is not None


def test_damage_in_turns_that_the_data_holds_is_no_damage(segments: Segments) -> None:
    segments.append(1, 2, 3)
    segments.journal.switch()
    segments.append(4, 5)
    data = bytearray(segments.read())
    data[records(bytes(data))[1][0] + 20] ^= 1
    segments.write(bytes(data))
    assert segments.replayed(after=3) == [4, 5]
    assert segments.journal.damage is None


def test_bytes_that_look_like_records_do_not_make_a_torn_tail_damage(segments: Segments) -> None:
    """A client may store what looks like the head of the next turns."""
    heads = b"".join(struct.pack("<IIQ", 0, zlib.crc32(b""), turn) for turn in range(1, 100))
    segments.append(1)
    segments.journal.append(2, [{b"key": heads}], sync=True)
    data = bytearray(segments.read())
    data[records(bytes(data))[1][0] + 4] ^= 1
    segments.write(bytes(data))
    assert segments.replayed() == [1]
    assert segments.journal.damage is None


def test_a_damaged_header_is_reported_and_the_segment_kept(segments: Segments) -> None:
    segments.append(1, 2)
    whole = segments.read()
    for position in range(32):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        segments.write(bytes(damaged))
        assert segments.replayed() == []
        segments.write(bytes(damaged))
        assert "header" in str(segments.reopen().damage)
        assert (segments.directory / (NAMES[0] + ".damaged")).read_bytes() == bytes(damaged)


def test_random_bytes_in_place_of_a_segment_are_no_turns(segments: Segments) -> None:
    segments.append(1, 2)
    header = segments.read()[:HEADER_BYTES]
    noise = bytes(zlib.crc32(b"%d" % number) & 0xFF for number in range(SEGMENT - HEADER_BYTES))
    segments.write(header + noise)
    assert segments.replayed() == []


# -- files that do not belong together -------------------------------------------------------------------------------


def test_a_segment_of_another_database_is_refused(segments: Segments) -> None:
    segments.append(1)
    segments.journal.close()
    with pytest.raises(EngineError, match="belongs to another database"):
        Journal(segments.directory, b"another database", SEGMENT)


def test_a_journal_that_does_not_follow_the_data_is_refused(segments: Segments) -> None:
    segments.append(5, 6)
    with pytest.raises(EngineError, match="begins at turn 5, but the data ends at turn 3"):
        segments.replayed(after=3)


def test_a_gap_between_the_segments_is_refused(segments: Segments) -> None:
    segments.append(1, 2)
    segments.journal.switch()
    segments.append(4, 5)
    with pytest.raises(EngineError, match="begins at turn 4"):
        segments.replayed()


def test_a_gap_inside_a_segment_ends_the_replay(segments: Segments) -> None:
    segments.append(1, 2, 4)
    assert [turn for turn, _ in segments.reopen().replay(0)] == [1, 2]


# -- sizes ----------------------------------------------------------------------------------------------------------


def test_a_larger_journal_keeps_the_turns_and_has_more_room(segments: Segments) -> None:
    segments.append(1, 2, 3)
    segments.reopen(SEGMENT * 4)
    assert segments.replayed() == [1, 2, 3]
    assert segments.file().stat().st_size == SEGMENT * 4
    segments.journal.switch()
    segments.journal.append(4, [{b"large": bytes(SEGMENT)}], sync=True)
    assert [turn for turn, _ in segments.reopen().replay(3)] == [4]


def test_a_growth_that_was_cut_off_is_finished(segments: Segments) -> None:
    segments.append(1, 2, 3)
    whole = segments.read()
    segments.write(whole + bytes(1000))
    segments.reopen(SEGMENT * 2)
    assert segments.replayed() == [1, 2, 3]


def test_a_smaller_journal_still_replays_what_the_larger_one_held(tmp_path: Path) -> None:
    segments = Segments(tmp_path, SEGMENT * 4)
    value = bytes(SEGMENT // 2)
    for turn in range(1, 7):
        segments.journal.append(turn, [{b"key%d" % turn: value}], sync=True)
    journal = segments.reopen(SEGMENT)
    assert [turn for turn, _ in journal.replay(0)] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(JournalFull):
        journal.append(7, [{b"key": bytes(SEGMENT)}], sync=True)


# -- the batch's bytes ----------------------------------------------------------------------------------------------

keys = st.binary(min_size=1, max_size=KEY_BYTES)
mutation_sections = st.dictionaries(keys, st.none() | st.binary(max_size=300), max_size=20)
batches = st.lists(mutation_sections | st.tuples(keys, keys), max_size=8)


@given(batch=batches)
def test_a_batch_survives_encoding_in_order(batch: list[Section]) -> None:
    assert decode_batch(b"".join(encode_batch(batch))) == batch


@given(batch=batches.filter(bool), data=st.data())
def test_a_batch_that_ends_early_is_an_error_or_shorter(batch: list[Section], data: st.DataObject) -> None:
    whole = b"".join(encode_batch(batch))
    cut = data.draw(st.integers(0, len(whole) - 1))
    try:
        decode_batch(whole[:cut])
    except EngineError:
        pass
    except ValueError:
        pytest.fail("an error without a name")


def test_an_unknown_section_is_an_error() -> None:
    with pytest.raises(EngineError, match="unknown section"):
        decode_batch(b"X")
