"""The journal: two preallocated segments that are overwritten in turn, one record a turn, one sync a record.

    segment  header, 4,096 bytes:  magic 8 | database id 16 | salt 4 | CRC-32 of the three 4 | zeros
             records:              length 4 | CRC-32 4 | turn 8 | batch (length bytes)
    batch    sections, each:       'M' puts 4 | deletes 4 | key lengths 2 each | value lengths 4 each
                                       | delete-key lengths 2 each | keys | values | delete keys
                                   'R' start length 2 | stop length 2 | start | stop
                                   NUL nothing more: what follows are zeros, so that the next record begins a block
    all numbers little-endian; the record's CRC covers salt, turn and batch

Invariants: the segments are written full of zeros once, so that a record never changes a file's size and its sync
costs no metadata. Each pass over a segment has a salt of its own, and within it the turn numbers rise by exactly one:
what an earlier pass left behind the last record (a *stale* record) can't be taken for its successor, not even one of
the same turn number that was written and lost before a crash. The salt is written with the pass's first record and
synced with it. A segment is begun anew only after the LMDB commit that covers it, and at every start.

A synced append goes past the page cache where the system and the file system can do that (O_DIRECT with O_DSYNC): one
call instead of two, and a third less time (docs/benchmarks.md). Such a write covers whole blocks, so records are filled
up with zeros; a block that holds an acknowledged record is never written again in the same pass.

To change the format: raise `env.FORMAT_VERSION`, keep a reader for the old one, and write `docs/formats/`.

source: the salts follow SQLite's write-ahead log (its file format page, section 4).
"""

from __future__ import annotations

import errno
import logging
import mmap
import os
import secrets
import shutil
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from spoold.core.crashpoints import ARMED, reached
from spoold.core.errors import EngineError
from spoold.engine.batch import Mutations, Section

log = logging.getLogger("spoold.journal")

MAGIC: Final = b"SPOOLDJ1"
HEADER_BYTES: Final = 4096
# Large enough that checkpoints at full speed come a few times a second, small enough to be written full of zeros in
# a few hundredths of a second when the directory is made.
SEGMENT_BYTES: Final = 32 * 1024 * 1024
NAMES: Final = ("journal.0", "journal.1")
# What a write past the page cache must be a multiple of. Devices that ask for more are written through the cache.
BLOCK_BYTES: Final = 512
# Larger records go through the page cache, where the disk may take them in the order it likes.
_DIRECT_BYTES: Final = 1 << 20
_ZEROS: Final = bytes(BLOCK_BYTES)
# LMDB's limit.
KEY_BYTES: Final = 511
# One record is read and written in one call; a larger batch goes to LMDB itself.
RECORD_BYTES: Final = 1 << 30
# Where the successors of a broken record are searched for: the next one, and those behind what one bad page can hold.
_NEXT_BYTES: Final = 1 << 20
_NEIGHBOURS: Final = 64
_NEIGHBOURHOOD_BYTES: Final = 1 << 14
# Bytes in a batch may look like the head of a record; each look costs a checksum.
_LOOKS: Final = 64

# Where there is none (macOS), fsync does the same and a little more.
_sync_data = getattr(os, "fdatasync", os.fsync)

_RECORD = struct.Struct("<IIQ")
_TURN = struct.Struct("<Q")
_COUNTS = struct.Struct("<II")
_RANGE = struct.Struct("<HH")
_U32 = struct.Struct("<I")
# A turn of one client has a few mutations: how such a section begins, by its puts and its deletes.
_FEW: Final = 8
_SHAPES: Final = [
    [struct.Struct(f"<cII{puts}H{puts}I{deletes}H") for deletes in range(_FEW + 1)] for puts in range(_FEW + 1)
]
_HEADER_SIZE = 8 + 16 + 4 + 4


class JournalFull(EngineError):
    """The record does not fit into what is left of the segment: a checkpoint makes room."""


class Journal:
    """Appends turns to the active segment; replays both at start.

    direct: whether synced appends go past the page cache.
    cost: a synced append is one write past the page cache; else one write, and one fdatasync if `sync`.
    """

    def __init__(
        self, directory: Path, database_id: bytes, segment_bytes: int = SEGMENT_BYTES, *, direct: bool = False
    ) -> None:
        """Open or create both segments.

        direct: go past the page cache if that works here.
        raises: EngineError: no room, or a segment belongs to another database.
        """
        self.segment_bytes = segment_bytes
        self._paths = [directory / name for name in NAMES]
        self._database_id = database_id
        self._fds: list[int] = []
        self._direct_fds: list[int] = []
        self._salts = [b"", b""]
        self.position = HEADER_BYTES
        self.damage: str | None = None  # set when opened or by replay: turns are lost, a copy of the segment is kept
        self._sizes = [segment_bytes, segment_bytes]
        self._active = 0
        try:
            for index in (0, 1):
                self._open_segment(index)
        except OSError as error:
            self.close()
            raise EngineError(f"journal {directory} cannot be written: {error.strerror}") from error
        except EngineError:
            self.close()
            raise
        if direct:
            self._page = memoryview(mmap.mmap(-1, _DIRECT_BYTES))  # aligned to pages, as such writes want it
        self.direct = direct and self._open_direct()

    # -- the running server -------------------------------------------------------------------------------------

    def append(self, turn: int, sections: Sequence[Section], *, sync: bool) -> int:
        """Write the batch of `turn` behind the last record, and wait for the disk if `sync`.

        returns: the record's size in bytes.
        raises: EngineError: LMDB can't hold one of the keys. JournalFull before anything is written. OSError: the
            segment must not be trusted any more.
        """
        parts = encode_batch(sections)
        size = _RECORD.size + sum(map(len, parts))
        if self.direct and size % BLOCK_BYTES:
            parts.append(_ZEROS[size % BLOCK_BYTES :])
            size += BLOCK_BYTES - size % BLOCK_BYTES
        length = size - _RECORD.size
        if self.position + size > self.segment_bytes or length > RECORD_BYTES:
            raise JournalFull(f"turn {turn} needs {size} bytes")
        batch = b"".join(parts)
        crc = zlib.crc32(batch, zlib.crc32(self._salts[self._active] + _TURN.pack(turn)))
        if ARMED:
            reached("journal-before-append")
        direct = self.direct and sync and size <= _DIRECT_BYTES
        if self.position == HEADER_BYTES:
            self._write(self._header(self._salts[self._active]), 0)
            if direct:
                _sync_data(self._fds[self._active])  # the record's own write syncs nothing but itself
        head = _RECORD.pack(length, crc, turn)
        if direct:
            self._write_direct(head, batch)
        else:
            self._write(head + batch, self.position)
            if ARMED:
                reached("journal-after-append")
            if sync:
                self.sync()
        self.position += size
        return size

    def sync(self) -> None:
        """Wait until what was appended is on the disk. raises: OSError."""
        _sync_data(self._fds[self._active])
        reached("journal-after-sync")

    def switch(self) -> None:
        """Begin the other segment anew: a durable checkpoint covers both."""
        self._active ^= 1
        self._salts[self._active] = secrets.token_bytes(4)
        self.position = HEADER_BYTES

    def blot(self) -> None:
        """Overwrite the head of the record that an append may have left behind the last good one. raises: OSError."""
        self._write(bytes(_RECORD.size), self.position)

    def _write(self, data: bytes, position: int) -> None:
        written = os.pwrite(self._fds[self._active], data, position)
        while written < len(data):
            written += os.pwrite(self._fds[self._active], data[written:], position + written)

    def _write_direct(self, head: bytes, batch: bytes) -> None:
        """Write a record behind the last one and wait for the disk, in one call."""
        size = len(head) + len(batch)
        page = self._page
        record = page[:size]
        record[:] = head + batch
        fd = self._direct_fds[self._active]
        written = os.pwritev(fd, (record,), self.position)
        while written < size:
            # What is left must begin a block.
            if written % BLOCK_BYTES:
                raise OSError(errno.EIO, "the disk took a part of a block")
            written += os.pwritev(fd, (page[written:size],), self.position + written)
        if ARMED:
            reached("journal-after-append")
            reached("journal-after-sync")

    # -- replay -------------------------------------------------------------------------------------------------

    def replay(self, after: int, upto: int | None = None) -> Iterator[tuple[int, list[Section]]]:
        """The turns behind `after`, in order, up to the first torn or stale record (or `upto`, inclusive).

        Without `upto`, sets `damage` if sound records of later turns stand behind that one.
        raises: EngineError: turns between `after` and the first record are missing.
        """
        expected = after + 1
        ends: list[tuple[int, int, int | None]] = []
        for index in self._by_first_turn():
            end = HEADER_BYTES
            previous: int | None = None
            for turn, start, length in self._records(index):
                end, previous = start + length, turn
                if turn < expected:
                    continue
                if turn != expected:
                    raise EngineError(
                        f"{self._paths[index]} begins at turn {turn}, but the data ends at turn {expected - 1}: "
                        "the two do not belong together; restore both from one backup"
                    )
                if upto is not None and turn > upto:
                    return
                yield turn, decode_batch(self._read(index, start, length))
                expected += 1
            ends.append((index, end, previous))
        if upto is not None:
            return
        for index, end, previous in ends:
            if (previous is None or previous + 1 == expected) and self._has_later(index, end, expected):
                self._keep_damaged(index, f"the record of turn {expected} is damaged, turns from there on")

    def _by_first_turn(self) -> list[int]:
        """The segments, the one with the earlier turns first; one without a sound record is the last."""
        firsts = {}
        for index in range(len(self._fds)):
            first = next(self._records(index), None)
            firsts[index] = 1 << 64 if first is None else first[0]
        return sorted(firsts, key=firsts.__getitem__)

    def _records(self, index: int) -> Iterator[tuple[int, int, int]]:
        """(turn, start of the batch, its length) of each sound record of a segment, in order."""
        position = HEADER_BYTES
        previous: int | None = None
        while (record := self._record_at(index, position)) is not None:
            turn, start, length = record
            if previous is not None and turn != previous + 1:
                return
            yield record
            previous = turn
            position = start + length

    def _record_at(self, index: int, position: int) -> tuple[int, int, int] | None:
        head = os.pread(self._fds[index], _RECORD.size, position)
        if len(head) < _RECORD.size:
            return None
        length, crc, turn = _RECORD.unpack(head)
        start = position + _RECORD.size
        # The segment may have been larger when it was written.
        if turn == 0 or start + length > self._sizes[index]:
            return None
        batch = self._read(index, start, length)
        if zlib.crc32(batch, zlib.crc32(self._salts[index] + _TURN.pack(turn))) != crc:
            return None
        return turn, start, length

    def _has_later(self, index: int, position: int, lost: int) -> bool:
        """Tell damage from a torn tail: whether sound records of turns behind `lost` follow the broken one of `lost`.

        The broken record's length may be what is damaged, so its successors are searched for by their turn numbers.
        """
        rest = self._read(index, position, min(_NEXT_BYTES, self._sizes[index] - position))
        if len(rest) < _RECORD.size or rest == bytes(len(rest)):
            return False
        (length,) = _U32.unpack_from(rest)
        behind = self._record_at(index, position + _RECORD.size + length)
        if behind is not None and behind[0] == lost + 1:
            return True
        for turn in range(lost + 1, lost + _NEIGHBOURS):
            stop = len(rest) if turn == lost + 1 else _NEIGHBOURHOOD_BYTES
            at = 0
            for _ in range(_LOOKS):
                at = rest.find(_TURN.pack(turn), max(at + 1, _TURN.size), stop)
                if at < 0:
                    break
                if self._record_at(index, position + at - _TURN.size) is not None:
                    return True
        return False

    def _read(self, index: int, start: int, length: int) -> bytes:
        return os.pread(self._fds[index], length, start)

    def _keep_damaged(self, index: int, what: str) -> None:
        """Note that turns are lost, and keep what is left of them before the segment is overwritten."""
        path = self._paths[index]
        copy = path.with_name(path.name + ".damaged")
        try:
            shutil.copyfile(path, copy)
            kept = f"a copy is kept as {copy.name}"
        except OSError as error:
            kept = f"no copy could be kept: {error.strerror}"
        self.damage = f"{path}: {what} are not in the data; {kept}"

    # -- files --------------------------------------------------------------------------------------------------

    def _open_segment(self, index: int) -> None:
        """Open or make one segment, and learn the salt of the pass that it holds."""
        path = self._paths[index]
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._fds.append(fd)
        header = os.pread(fd, HEADER_BYTES, 0)
        size = os.fstat(fd).st_size
        if sound_header(header):
            if header[8:24] != self._database_id:
                raise EngineError(f"{path} belongs to another database than data.mdb beside it; restore both together")
            salt = header[24:28]
        else:
            # The header is written last: a segment whose making was cut short is made anew.
            if any(header):
                self._keep_damaged(index, "its header is damaged, turns that it held since the last checkpoint")
            salt, size = secrets.token_bytes(4), 0
        if size < self.segment_bytes:
            self._fill(fd, size)
            os.pwrite(fd, self._header(salt), 0)
            os.fsync(fd)
            _sync_directory(path.parent)
        self._salts[index] = salt
        self._sizes[index] = max(size, self.segment_bytes)

    def _open_direct(self) -> bool:
        """Open both segments once more, for writes past the page cache; returns whether that works here."""
        try:
            for path in self._paths:
                fd = os.open(path, os.O_RDWR | os.O_DIRECT | os.O_DSYNC | os.O_CLOEXEC)
                self._direct_fds.append(fd)
                # The second block of the header, which is all zeros: nothing changes.
                if os.pwritev(fd, (self._page[:BLOCK_BYTES],), BLOCK_BYTES) != BLOCK_BYTES:
                    return False
        except (OSError, AttributeError) as error:
            log.info("journal: writes go through the page cache: %s", error)
            return False
        return True

    def _fill(self, fd: int, start: int) -> None:
        zeros = bytes(1 << 20)
        position = start
        while position < self.segment_bytes:
            position += os.pwrite(fd, zeros[: self.segment_bytes - position], position)
        os.fsync(fd)

    def _header(self, salt: bytes) -> bytes:
        head = MAGIC + self._database_id + salt
        return (head + _U32.pack(zlib.crc32(head))).ljust(HEADER_BYTES, b"\0")

    def close(self) -> None:
        """Close both segments."""
        for fd in (*self._fds, *self._direct_fds):
            os.close(fd)
        self._fds = []
        self._direct_fds = []


def sound_header(block: bytes) -> bool:
    """Whether a segment's first block is that of a journal."""
    header = block[:_HEADER_SIZE]
    return (
        len(header) == _HEADER_SIZE and header.startswith(MAGIC) and _U32.pack(zlib.crc32(header[:-4])) == header[-4:]
    )


def _sync_directory(directory: Path) -> None:
    """Make the names of new files durable."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def encode_batch(sections: Sequence[Section]) -> list[bytes]:
    """The batch as pieces to be written one behind the other. cost: O(mutations), in C for the most part."""
    parts: list[bytes] = []
    for section in sections:
        if isinstance(section, dict):
            _encode_mutations(section, parts)
        else:
            start, stop = section
            parts += (b"R", _RANGE.pack(len(start), len(stop)), start, stop)
    return parts


def _encode_mutations(mutations: Mutations, parts: list[bytes]) -> None:
    values = list(mutations.values())
    if None in values:
        keys = [key for key, value in mutations.items() if value is not None]
        deletes = [key for key, value in mutations.items() if value is None]
        values = [value for value in values if value is not None]
    else:
        keys = list(mutations)
        deletes = []
    puts: list[Any] = values
    key_lengths = [*map(len, keys)]
    if keys and max(key_lengths) > KEY_BYTES:
        # LMDB would refuse it after the turn was acknowledged, and again at each start.
        raise EngineError(f"engine key of {max(key_lengths)} bytes: {max(keys, key=len)[:32]!r}")
    if len(mutations) <= _FEW:
        shape = _SHAPES[len(keys)][len(deletes)]
        lengths = (*key_lengths, *map(len, puts), *map(len, deletes))
        parts.append(shape.pack(b"M", len(keys), len(deletes), *lengths))
        parts += (*keys, *puts, *deletes)
        return
    parts += (
        b"M",
        _COUNTS.pack(len(keys), len(deletes)),
        _lengths("H", key_lengths),
        _lengths("I", map(len, puts)),
        _lengths("H", map(len, deletes)),
        b"".join(keys),
        b"".join(puts),
        b"".join(deletes),
    )


def _lengths(code: str, lengths: Iterable[int]) -> bytes:
    numbers = array(code, lengths)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def decode_batch(data: bytes) -> list[Section]:
    """The sections of a batch that `encode_batch` wrote.

    raises: EngineError: the batch is not one (its CRC was right, so it was written so).
    """
    sections: list[Section] = []
    position = 0
    try:
        while position < len(data):
            kind = data[position : position + 1]
            position += 1
            if kind == b"M":
                mutations, position = _decode_mutations(data, position)
                sections.append(mutations)
            elif kind == b"R":
                n_start, n_stop = _RANGE.unpack_from(data, position)
                position += _RANGE.size
                start, position = data[position : position + n_start], position + n_start
                stop, position = data[position : position + n_stop], position + n_stop
                sections.append((start, stop))
            elif kind == b"\0":
                break
            else:
                raise EngineError(f"journal: unknown section {kind!r}")
    except struct.error as error:
        raise EngineError(f"journal: batch ends early: {error}") from error
    return sections


def _decode_mutations(data: bytes, position: int) -> tuple[Mutations, int]:
    n_puts, n_deletes = _COUNTS.unpack_from(data, position)
    position += _COUNTS.size
    key_lengths = struct.unpack_from(f"<{n_puts}H", data, position)
    position += 2 * n_puts
    value_lengths = struct.unpack_from(f"<{n_puts}I", data, position)
    position += 4 * n_puts
    delete_lengths = struct.unpack_from(f"<{n_deletes}H", data, position)
    position += 2 * n_deletes
    keys, position = _cut(data, position, key_lengths)
    values, position = _cut(data, position, value_lengths)
    deletes, position = _cut(data, position, delete_lengths)
    mutations: Mutations = dict(zip(keys, values, strict=True))
    mutations.update(dict.fromkeys(deletes))
    return mutations, position


def _cut(data: bytes, position: int, lengths: Sequence[int]) -> tuple[list[bytes], int]:
    pieces = []
    for length in lengths:
        pieces.append(data[position : position + length])
        position += length
    return pieces, position
