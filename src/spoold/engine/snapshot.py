"""A data directory as it is at one moment, read without taking it from the server that runs on it.

    LMDB's snapshot at its last checkpoint  +  the turns that the journal holds behind it  =  all that was acknowledged

Another process reads LMDB without a lock and without being noticed: its pages stay as they were while the snapshot is
open, so the file may grow meanwhile. The journal's segments are read between two looks at LMDB's turn: if that did not
change, no checkpoint came, so nothing that was read can have been overwritten. Else all is read again.

What the turns changed is kept in memory, in front of LMDB: as much as the journal holds. A snapshot answers the reads
of `Batch`, so what reads a keyspace reads it as well. It must be in another process than the server's: LMDB does not
open a file twice.

source: LMDB's documentation of mdb_env_copy2 and of long-lived read transactions (lmdb.h, Caveats).
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

import lmdb

from spoold.core.errors import EngineError, UnknownFormat
from spoold.engine.batch import MISSING, Mutations, Section
from spoold.engine.env import FORMAT_VERSION, SYSTEM_FORMAT, SYSTEM_ID, SYSTEM_TURN
from spoold.engine.journal import HEADER_BYTES, NAMES, Journal, sound_header

DATA: Final = "data.mdb"

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
# Under full load a checkpoint comes a few times a second, and the journal is read in less than a tenth of one.
_ATTEMPTS: Final = 200
# The file may grow between the opening and the look at it.
_ROOM_BYTES: Final = 1 << 30
# Pairs that are copied in one transaction.
_COPIED_PAIRS: Final = 10_000
_NO_TURN_IS_LATER: Final = (1 << 64) - 1
_END: Final = b"\xff" * 8


class Snapshot:
    """Reads one moment of a data directory.

    turn: the last turn in it. stored_turn: the last one that LMDB holds. database_id: 16 bytes.
    turns: those in between, with their mutations. entries: how many engine keys LMDB holds.
    """

    fresh: Mutations

    def __init__(self, directory: Path) -> None:
        """Open it; raises EngineError or UnknownFormat with one clear line."""
        self.directory = directory
        if not (directory / DATA).is_file():
            raise EngineError(f"{directory} is no data directory of spoold: it has no {DATA}")
        self.fresh = {}
        self._is_filled = False
        try:
            room = (directory / DATA).stat().st_size + _ROOM_BYTES
            self._env = lmdb.open(str(directory), readonly=True, create=False, max_dbs=0, map_size=room)
        except lmdb.Error as error:
            raise EngineError(f"{directory / DATA} cannot be read: {error}") from error
        try:
            self._freeze()
            self._changed, self._gone = _newest(self.turns)
            self._ordered = sorted(self._changed)
        except lmdb.Error as error:
            self._env.close()
            raise EngineError(f"{directory / DATA} is not usable: {error}") from error
        except BaseException:
            self._env.close()
            raise

    def _freeze(self) -> None:
        for attempt in range(_ATTEMPTS):
            self._txn = self._env.begin()
            self._check()
            try:
                self.turns = list(_read_turns(self.directory, self.database_id, self.stored_turn))
            except EngineError:
                if self._is_current() or attempt == _ATTEMPTS - 1:
                    raise
            else:
                if self._is_current():
                    self.turn = self.turns[-1][0] if self.turns else self.stored_turn
                    self.entries = int(self._txn.stat()["entries"])
                    return
            self._txn.abort()
        raise EngineError(f"{self.directory}: checkpoints follow each other too fast to read the journal between them")

    def _is_current(self) -> bool:
        """Whether no checkpoint came since the transaction began."""
        with self._env.begin() as txn:
            return txn.get(SYSTEM_TURN) == _U64.pack(self.stored_turn)

    def _check(self) -> None:
        self._fill_up()
        get = self._txn.get
        raw, id_, turn = get(SYSTEM_FORMAT), get(SYSTEM_ID), get(SYSTEM_TURN)
        if raw is None:
            raise UnknownFormat(f"{self.directory} holds an LMDB environment that spoold did not write")
        version = _U32.unpack(raw)[0] if len(raw) == _U32.size else -1
        if version != FORMAT_VERSION:
            raise UnknownFormat(f"{self.directory} has data format {version}, this spoold knows {FORMAT_VERSION}")
        if id_ is None or len(id_) != 16 or turn is None or len(turn) != _U64.size:
            raise EngineError(f"{self.directory / DATA} lacks its system records: it is damaged")
        self.database_id = bytes(id_)
        self.stored_turn: int = _U64.unpack(turn)[0]

    def _fill_up(self) -> None:
        """Make the file as long as it says it is, before anything is read: behind its end that would kill the process.

        LMDB does not write pages at the end that are free already, so a sound file may be short; so is one that was cut
        off, and what it lacks is found to be damaged when it is read. The server may make the file longer meanwhile, so
        this must not be able to shorten it.
        """
        path = self.directory / DATA
        used = (self._env.info()["last_pgno"] + 1) * self._env.stat()["psize"]
        size = path.stat().st_size
        if size >= used:
            return
        self._is_filled = True
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                os.posix_fallocate(descriptor, size, used - size)
            finally:
                os.close(descriptor)
        except (OSError, AttributeError) as error:
            raise EngineError(f"{path} is shorter than it says it is, and can't be made longer: {error}") from error

    # -- reading, as Batch does -----------------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """A range costs no more than single reads here."""
        return True

    @property
    def written(self) -> bool:
        """Nothing is ever written."""
        return False

    def get(self, key: bytes) -> bytes | None:
        """The value under `key`, or None."""
        value = self._changed.get(key, MISSING)
        if value is not MISSING:
            return cast("bytes | None", value)
        if self._gone and _covers(self._gone, key):
            return None
        try:
            return self._txn.get(key)
        except lmdb.Error as error:
            raise self._damaged(error) from error

    def get_many(self, prefix: bytes, stems: Iterable[bytes]) -> list[bytes | None]:
        """The value under each `prefix + stem`, or None."""
        return [self.get(prefix + stem) for stem in stems]

    def _damaged(self, error: lmdb.Error) -> EngineError:
        return EngineError(f"{self.directory / DATA} is damaged: {error}")

    def scan(self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False) -> list[tuple[bytes, bytes]]:
        """Up to `limit` pairs with start <= key < stop, ascending or (reverse) descending from the end."""
        if reverse:
            return [(key, self.get(key) or b"") for key in self.scan_keys(start, stop, limit, reverse=True)]
        return list(islice(self.pairs(start, stop), limit))

    def scan_keys(self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False) -> list[bytes]:
        """Up to `limit` keys with start <= key < stop, ascending or (reverse) descending."""
        if reverse:
            return list(islice(self._descending(start, stop), limit))
        return [key for key, _ in islice(self.pairs(start, stop, values=False), limit)]

    def scan_values(self, start: bytes, count: int) -> list[bytes]:
        """The values of `count` keys from `start` on, of which the caller knows that they are there."""
        return [value for _, value in islice(self.pairs(start), count)]

    def pairs(self, start: bytes = b"\0", stop: bytes = _END, *, values: bool = True) -> Iterator[tuple[bytes, bytes]]:
        """All pairs with start <= key < stop in order, one at a time in memory; empty values unless `values`."""
        try:
            yield from self._merged(start, stop, values=values)
        except lmdb.Error as error:
            raise self._damaged(error) from error

    def _merged(self, start: bytes, stop: bytes, *, values: bool) -> Iterator[tuple[bytes, bytes]]:
        """LMDB's pairs and what the turns changed, in one order."""
        ordered, changed, gone = self._ordered, self._changed, self._gone
        at, end = bisect_left(ordered, start), bisect_left(ordered, stop)
        with self._txn.cursor() as cursor:
            found = cursor.set_range(start)
            while found:
                key = cursor.key()
                if key >= stop:
                    break
                while at < end and ordered[at] < key:
                    value = changed[ordered[at]]
                    if value is not None:
                        yield ordered[at], value
                    at += 1
                if at < end and ordered[at] == key:
                    value = changed[key]
                    if value is not None:
                        yield key, value
                    at += 1
                elif gone and (behind := _covers(gone, key)):
                    found = cursor.set_range(behind)
                    continue
                else:
                    yield key, cursor.value() if values else b""
                found = cursor.next()
        for key in ordered[at:end]:
            value = changed[key]
            if value is not None:
                yield key, value

    def _descending(self, start: bytes, stop: bytes) -> Iterator[bytes]:
        ordered = self._ordered
        first, at = bisect_left(ordered, start), bisect_left(ordered, stop) - 1
        with self._txn.cursor() as cursor:
            found = cursor.prev() if cursor.set_range(stop) else cursor.last()
            while found and (key := cursor.key()) >= start:
                while at >= first and ordered[at] > key:
                    if self._changed[ordered[at]] is not None:
                        yield ordered[at]
                    at -= 1
                if at >= first and ordered[at] == key:
                    if self._changed[key] is not None:
                        yield key
                    at -= 1
                elif not _covers(self._gone, key):
                    yield key
                found = cursor.prev()
        while at >= first:
            if self._changed[ordered[at]] is not None:
                yield ordered[at]
            at -= 1

    # -- the whole ------------------------------------------------------------------------------------------------

    @property
    def bytes(self) -> int:
        """What a compact copy of LMDB's part takes, about."""
        stat = self._txn.stat()
        pages = stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"] + 2
        return int(pages * stat["psize"])

    def copy_stored(self, target: Path) -> None:
        """Write LMDB's part, without free pages, as `data.mdb` into the directory `target`; the turns are not in it.

        raises: EngineError: damaged, or the disk refuses.
        """
        try:
            if self._is_filled:
                # Pages may be missing: this way of reading finds them, LMDB's own trusts what it reads.
                self._copy_pairs(target)
            else:
                self._env.copy(str(target), compact=True, txn=self._txn)
            (target / DATA).chmod(0o600)
        except (lmdb.Error, OSError) as error:
            raise EngineError(f"{self.directory / DATA} cannot be copied to {target}: {error}") from error

    def _copy_pairs(self, target: Path) -> None:
        copy = lmdb.open(str(target), map_size=self.bytes * 2 + _ROOM_BYTES, max_dbs=0, sync=False)
        try:
            with self._txn.cursor() as cursor:
                found = cursor.first()
                while found:
                    with copy.begin(write=True) as txn, txn.cursor() as writer:
                        for _ in range(_COPIED_PAIRS):
                            writer.put(*cursor.item(), append=True)
                            found = cursor.next()
                            if not found:
                                break
        finally:
            copy.close()

    def close(self) -> None:
        """Let the server use the pages again."""
        self._txn.abort()
        self._env.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _JournalReader(Journal):
    """The journal of a directory that someone else may be writing; nothing is made or mended."""

    def __init__(self, directory: Path, database_id: bytes) -> None:
        """raises: OSError; EngineError: it belongs to another database."""
        self._paths = []
        self._fds = []
        self._direct_fds = []
        self._salts = []
        self._sizes = []
        self.damage = None
        try:
            for path in (directory / name for name in NAMES):
                if not path.exists():
                    continue
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                self._fds.append(fd)
                header = os.pread(fd, HEADER_BYTES, 0)
                if not sound_header(header):
                    os.close(self._fds.pop())  # it is just being made, and holds nothing
                    continue
                if header[8:24] != database_id:
                    raise EngineError(f"{path} belongs to another database than {DATA} beside it")
                self._paths.append(path)
                self._salts.append(header[24:28])
                self._sizes.append(os.fstat(fd).st_size)
        except BaseException:
            self.close()
            raise


def _read_turns(directory: Path, database_id: bytes, after: int) -> Iterator[tuple[int, list[Section]]]:
    try:
        journal = _JournalReader(directory, database_id)
        try:
            # An end means that it is not told of damage behind the last turn: that may be a turn being written now.
            yield from journal.replay(after, _NO_TURN_IS_LATER)
        finally:
            journal.close()
    except OSError as error:
        raise EngineError(f"the journal in {directory} cannot be read: {error.strerror}") from error


def _newest(turns: list[tuple[int, list[Section]]]) -> tuple[Mutations, list[tuple[bytes, bytes]]]:
    """What the turns leave: mutations by key, and the ranges, apart and in order, in which all else is gone."""
    changed: Mutations = {}
    gone: list[tuple[bytes, bytes]] = []
    for _, sections in reversed(turns):
        for section in reversed(sections):
            if not isinstance(section, dict):
                _add_range(gone, *section)
                continue
            for key, value in section.items():
                if key not in changed and not (gone and _covers(gone, key)):
                    changed[key] = value
    return changed, gone


def _add_range(ranges: list[tuple[bytes, bytes]], start: bytes, stop: bytes) -> None:
    first = bisect_left(ranges, (start, b""))
    if first and ranges[first - 1][1] >= start:
        first -= 1
    last = first
    while last < len(ranges) and ranges[last][0] <= stop:
        last += 1
    if first < last:
        start = min(start, ranges[first][0])
        stop = max(stop, ranges[last - 1][1])
    ranges[first:last] = [(start, stop)]


def _covers(ranges: list[tuple[bytes, bytes]], key: bytes) -> bytes | None:
    """The end of the range in which `key` lies; None if it lies in none."""
    at = bisect_right(ranges, (key, _END)) - 1
    return ranges[at][1] if at >= 0 and ranges[at][0] <= key < ranges[at][1] else None
