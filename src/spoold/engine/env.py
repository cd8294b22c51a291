"""The data directory: who owns it, which format it has, the LMDB environment and the size of its map.

    DIR/spoold.lock    held with flock while a server runs: a second one is refused
    DIR/data.mdb       LMDB: the state up to the last checkpoint
    DIR/lock.mdb       LMDB's reader table
    DIR/journal.0, .1  the turns since then (journal.py)

Engine keys are 1 to 511 bytes. Keys that start with `s` belong to the system; three of them are the engine's own and
named here. The rest is `keyspace/layout.py`'s.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import lmdb

from spoold.core.crashpoints import reached
from spoold.core.errors import EngineError, InUse, UnknownFormat

FORMAT_VERSION: Final = 1
SYSTEM_FORMAT: Final = b"sformat"
SYSTEM_ID: Final = b"sid"
SYSTEM_TURN: Final = b"sturn"
# What a restore writes before it is complete; then it gets the data file's name.
RESTORING: Final = "data.mdb.restoring"

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")

# The map starts small and grows between turns. Between two checkpoints each page is copied once at most, and what is
# new is far less than the headroom: only very large values meet the end of the map, and then the turns since the last
# checkpoint are brought in again from the log. Of very large data no more is copied than the second number.
FIRST_MAP_BYTES: Final = 256 * 1024 * 1024
HEADROOM_BYTES: Final = 128 * 1024 * 1024
MOST_COPIED_BYTES: Final = 1024 * 1024 * 1024


class Environment:
    """One LMDB environment, held by this process alone.

    synced: whether a commit waits for the disk (`--memory` does not).
    raises: EngineError (not writable, in use, corrupt), UnknownFormat; the text is one clear line.
    source: shared design, section 4.
    """

    def __init__(self, directory: Path, *, synced: bool) -> None:
        """Open or create the environment in `directory`."""
        self.directory = directory
        self.synced = synced
        self._unmapped = False
        self._lock_fd = _own(directory)
        try:
            if (directory / RESTORING).exists() and not (directory / "data.mdb").exists():
                raise EngineError(
                    f"a restore into {directory} was cut short: run it again, or remove {RESTORING} to begin empty"
                )
            self.env = self._open(FIRST_MAP_BYTES)
            try:
                self._fill_up()
                # LMDB opens a larger file with a map that ends where the file does: nothing could be written.
                self.grow()
                self.database_id, self.turn = self._check_format()
            except BaseException:
                self.env.close()
                raise
        except BaseException:
            _release(self._lock_fd)
            raise

    def begin(self, parent: lmdb.Transaction | None = None) -> lmdb.Transaction:
        """Open a write transaction, or a child of `parent`. raises: lmdb.Error; EngineError after `grow` failed."""
        self._check_mapped()
        return self.env.begin(parent=parent, write=True)

    def grow(self, at_least_bytes: int = 0) -> None:
        """Make the map larger if its free part has become smaller than the headroom. No transaction may be open.

        raises: EngineError: the system gives no more address space; nothing can be read or written any more.
        """
        self._check_mapped()
        info = self.env.info()
        used = (info["last_pgno"] + 1) * self.env.stat()["psize"]
        wanted = max(used + min(used, MOST_COPIED_BYTES) + HEADROOM_BYTES, at_least_bytes)
        size = info["map_size"]
        if wanted <= size:
            return
        while size < wanted:
            size *= 2
        reached("map-before-grow")
        try:
            self.env.set_mapsize(size)
        except lmdb.Error as error:
            self._unmapped = True  # LMDB gave the old map back before it asked for the new one
            raise EngineError(f"{self.directory / 'data.mdb'}: no map of {size} bytes: {error}") from error
        reached("map-after-grow")

    def forget_dead_readers(self) -> None:
        """Let the pages be used again that a process which was killed (a backup) was reading. cost: about 1 µs."""
        self.env.reader_check()

    def double(self) -> None:
        """Make the map at least twice as large: a transaction met its end. raises: as `grow`."""
        self._check_mapped()
        self.grow(self.env.info()["map_size"] * 2)

    def used_bytes(self) -> int:
        """Bytes of the file in use at the last commit, free pages inside it included."""
        return int((self.env.info()["last_pgno"] + 1) * self.env.stat()["psize"])

    def live_bytes(self) -> int:
        """Bytes of the pages that held data at the last commit, free pages left out."""
        stat = self.env.stat()
        return int((stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]) * stat["psize"])

    def map_bytes(self) -> int:
        """Size of the map: what the file may grow to before it is made larger."""
        return int(self.env.info()["map_size"])

    def explain(self, error: lmdb.Error) -> str:
        """What went wrong with a commit, for people: LMDB calls a full disk an input/output error."""
        try:
            disk = os.statvfs(self.directory)
        except OSError:
            return str(error)
        return f"{error} ({disk.f_bavail * disk.f_frsize // 1024} KiB are free on the disk)"

    def close(self) -> None:
        """Close the environment and let go of the directory."""
        self.env.close()
        _release(self._lock_fd)

    def _open(self, map_bytes: int) -> lmdb.Environment:
        try:
            return lmdb.open(
                str(self.directory),
                map_size=map_bytes,
                max_dbs=0,
                sync=self.synced,
                metasync=self.synced,
                mode=0o600,
                max_readers=16,
            )
        except lmdb.Error as error:
            raise EngineError(f"{self.directory / 'data.mdb'} cannot be opened: {error}") from error

    def _check_mapped(self) -> None:
        if self._unmapped:
            raise EngineError(f"{self.directory / 'data.mdb'} is not mapped any more")

    def _fill_up(self) -> None:
        """Make a file that was cut short as long as it says it is: reading behind the end of a mapped file kills the
        process, reading zeros there is an error with a name.
        """
        path = self.directory / "data.mdb"
        try:
            if path.stat().st_size < self.used_bytes():
                os.truncate(path, self.used_bytes())
        except OSError as error:
            raise EngineError(f"{path} is shorter than it should be, and damaged: {error.strerror}") from error

    def _check_format(self) -> tuple[bytes, int]:
        """Read the format, or write it into an empty environment.

        returns: the database's 16-byte id and the last turn that the environment holds.
        """
        try:
            txn = self.begin()
            try:
                raw = txn.get(SYSTEM_FORMAT)
                if raw is None:
                    if txn.stat()["entries"]:
                        raise UnknownFormat(f"{self.directory} holds an LMDB environment that spoold did not write")
                    database_id = secrets.token_bytes(16)
                    txn.put(SYSTEM_FORMAT, _U32.pack(FORMAT_VERSION))
                    txn.put(SYSTEM_ID, database_id)
                    txn.put(SYSTEM_TURN, _U64.pack(0))
                    txn.commit()
                    return database_id, 0
                version = _U32.unpack(raw)[0] if len(raw) == _U32.size else -1
                if version != FORMAT_VERSION:
                    raise UnknownFormat(
                        f"{self.directory} has data format {version}, this spoold knows {FORMAT_VERSION}: "
                        "use the version that wrote it, or another --data directory"
                    )
                found_id, turn = txn.get(SYSTEM_ID), txn.get(SYSTEM_TURN)
                if found_id is None or len(found_id) != 16 or turn is None or len(turn) != _U64.size:
                    raise EngineError(f"{self.directory / 'data.mdb'} lacks its system records: it is damaged")
                return bytes(found_id), _U64.unpack(turn)[0]
            finally:
                txn.abort()
        except lmdb.Error as error:
            raise EngineError(f"{self.directory / 'data.mdb'} is not usable: {error}") from error


def write_turn(txn: lmdb.Transaction, turn: int) -> None:
    """Note in `txn` the number of the last turn that it holds."""
    txn.put(SYSTEM_TURN, _U64.pack(turn))


@contextmanager
def hold(directory: Path) -> Iterator[None]:
    """Keep everyone else from a data directory, which is made if needed. raises: EngineError, InUse."""
    descriptor = _own(directory)
    try:
        yield
    finally:
        _release(descriptor)


# The descriptors of the locks that this process holds.
_held: Final[set[int]] = set()


def disown() -> None:
    """Called in a fork: a lock ends with the process that took it, not with the last fork that inherited it."""
    while _held:
        os.close(_held.pop())


def _release(descriptor: int) -> None:
    if descriptor in _held:
        _held.remove(descriptor)
        os.close(descriptor)


def _own(directory: Path) -> int:
    """Create `directory` if needed and lock it for this process; returns the lock's descriptor."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(directory / "spoold.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EngineError(
            f"data directory {directory} is not usable: {error.strerror}; choose one with --data"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = ""
        with contextlib.suppress(OSError):
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        by = f" (process {holder})" if holder else ""
        raise InUse(f"data directory {directory} is in use by another spoold{by}; choose one with --data") from error
    except OSError as error:
        os.close(descriptor)
        raise EngineError(f"data directory {directory} cannot be locked: {error.strerror}") from error
    with contextlib.suppress(OSError):  # the number is only for the message above, and the disk may be full
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    _held.add(descriptor)
    return descriptor
