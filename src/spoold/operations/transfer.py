"""Transfer: all keys of one database into that of another server: from a Redis into spoold, and back.

    copy      SCAN the source; each batch of keys is read, and written whole before its cursor is noted
    compare   SCAN the source again; each key is read on both sides

Keys are written anew: a target key of the same name is deleted first, so a batch may be written twice. What was done is
noted in a state file after each batch. A transfer that was cut short goes on there, if the source is still the same
life of the same server: SCAN's promise holds across connections. If not, it begins again, and writes the same keys.

Keys that come or change while it runs are copied as they are met; for an exact copy the source must be at rest. The
comparison tells. Types that the other side has not (modules' types, spoold's schedules) are told and left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from spoold.client.errors import CommandError
from spoold.operations.asks import Asks, Command
from spoold.operations.files import OperationError, Progress, quiet, remove_if_there, write_whole
from spoold.operations.keys import KNOWN, Key, Parts, Reader, writing
from spoold.operations.streams import StreamState, stream_commands

# Keys of one batch.
BATCH_KEYS: Final = 500
# Bytes of commands that are sent in one go, about.
_SEND_BYTES: Final = 1 << 20
# Two clocks, and the time a command takes, where the source does not tell when a key falls due.
_CLOCK_MS: Final = 2000
_MOST_DIFFERENCES: Final = 100
# What a Redis takes by default.
_USUAL_LIMIT_BYTES: Final = 512 * 1024 * 1024


@dataclass
class State:
    """How far a copy is.

    source, target: the addresses, without passwords. run: the source's life. cursor: where SCAN goes on; `0` before the
    first batch. copied: keys written. ended: all were.
    """

    source: str
    target: str
    run: str
    cursor: str = "0"
    copied: int = 0
    ended: bool = False


@dataclass
class Outcome:
    """What became of a transfer.

    copied: keys written, those of earlier attempts too. left_out: (key, type) of those that can't be. compared: keys
    looked at on both sides; different: the first of those that are not equal, and differences: how many there are.
    """

    copied: int = 0
    resumed: bool = False
    left_out: list[tuple[bytes, bytes]] = field(default_factory=list)
    compared: int = 0
    differences: int = 0
    different: list[tuple[bytes, str]] = field(default_factory=list)


class Transfer:
    """One transfer between two servers."""

    def __init__(
        self,
        source: Asks,
        target: Asks,
        names: tuple[str, str],
        now_ms: Callable[[], int],
        state_file: Path | None,
        pattern: str | None = None,
    ) -> None:
        """names: of source and target, for the state file. now_ms: gives Unix ms.

        state_file: None notes nothing. pattern: only keys that match it.
        raises: CommandError.
        """
        self._source = source
        self._target = target
        self._reader = Reader(source, now_ms)
        self._target_reader = Reader(target, now_ms)
        self._now_ms = now_ms
        self._file = state_file
        self._match: tuple[str, ...] = () if pattern is None else ("MATCH", pattern)
        self._state = State(*names, _life(source))
        self._tells = _takes_entries_read(target)
        self._limit_bytes = _longest_value(target)
        self._pending: list[Command] = []
        self._pending_bytes = 0
        self.outcome = Outcome()

    # -- copying ----------------------------------------------------------------------------------------------------

    def resume(self) -> bool:
        """Go on where an earlier transfer ended; returns whether there is one. raises: OperationError."""
        if self._file is None or not self._file.exists():
            return False
        try:
            found = State(**json.loads(self._file.read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise OperationError(f"{self._file} is no state of a transfer: {error}") from error
        if (found.source, found.target) != (self._state.source, self._state.target):
            raise OperationError(
                f"{self._file} belongs to another transfer, from {found.source} to {found.target}: remove it, or name "
                "another with --state"
            )
        if found.run != self._state.run:
            # Its cursors mean nothing any more; what was copied is copied again.
            self.outcome.resumed = True
            return True
        self._state = found
        self.outcome.copied = found.copied
        self.outcome.resumed = True
        return True

    def copy(self, progress: Progress = quiet) -> None:
        """Copy all keys. progress: told keys. raises: CommandError, ConnectionFailed, OperationError."""
        state = self._state
        total = self._total()
        while not state.ended:
            following, names = self._source.call("SCAN", state.cursor, *self._match, "COUNT", BATCH_KEYS, repeat=True)
            copied = self._copy_batch(list(dict.fromkeys(names)))
            state.copied += copied
            state.cursor = following.decode()
            state.ended = following == b"0"
            self._note()
            self.outcome.copied = state.copied
            progress(min(state.copied, total), total)

    def _copy_batch(self, names: Sequence[bytes]) -> int:
        keys = self._reader.describe(names)
        known = [key for key in keys if self._can_go(key)]
        self.outcome.left_out += [(key.name, key.kind) for key in keys if not self._can_go(key)]
        copied = 0
        small = [key for key in known if key.is_small]
        states = self._reader.stream_states(small)
        for key, parts in self._reader.read_small(small):
            if key.kind == b"stream" and key.name not in states:
                continue  # it went between the two
            self._send(("DEL", key.name))
            self._write(key, iter([parts]), states.get(key.name))
            copied += 1
        self._flush()
        for key in known:
            if not key.is_small:
                copied += self._copy_large(key)
        return copied

    def _can_go(self, key: Key) -> bool:
        return key.kind in KNOWN and (key.kind != b"string" or key.size <= self._limit_bytes)

    def _copy_large(self, key: Key) -> int:
        try:
            state = self._reader.stream_states([key]).get(key.name)
            if key.kind == b"stream" and state is None:
                return 0  # it went before
            self._send(("DEL", key.name))
            self._write(key, self._reader.read_large(key), state)
            self._flush()
        except CommandError:
            if self._reader.describe([key.name]):
                raise
            return 0  # it went while it was read
        return 1

    def _write(self, key: Key, pieces: Iterator[Parts], state: StreamState | None) -> None:
        if state is not None and not key.size:
            # Only an entry makes a stream that then may be empty.
            self._send(("XADD", key.name, "0-1", "f", "v"))
            self._send(("XTRIM", key.name, "MAXLEN", 0))
        for parts in pieces:
            for command in writing(key, parts):
                self._send(command)
        if state is not None:
            for command in stream_commands(key.name, state, self._now_ms(), tells=self._tells):
                self._send(command)
        if key.expires_ms:
            self._send(("PEXPIREAT", key.name, key.expires_ms))

    def _send(self, command: Command) -> None:
        for word in command:
            if isinstance(word, bytes) and len(word) > self._limit_bytes:
                raise OperationError(
                    f"{command[1]!r} holds an item of {len(word):,} bytes, "
                    f"and the target takes {self._limit_bytes:,}: raise its --max-value"
                )
        self._pending.append(command)
        self._pending_bytes += sum(len(word) if isinstance(word, (bytes, str)) else 8 for word in command)
        if self._pending_bytes >= _SEND_BYTES or len(self._pending) >= 2 * BATCH_KEYS:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            pending, self._pending, self._pending_bytes = self._pending, [], 0
            # Again after a broken connection: only whole batches are noted, and those begin with DEL.
            self._target.run(pending)

    def _note(self) -> None:
        if self._file is not None:
            try:
                write_whole(self._file, json.dumps(asdict(self._state)) + "\n")
            except OSError as error:
                raise OperationError(f"{self._file} can't be written: {error.strerror}") from error

    def forget(self) -> None:
        """All is done: the state file is not needed any more."""
        if self._file is not None:
            remove_if_there(self._file)

    def _total(self) -> int:
        total: int = self._source.call("DBSIZE", repeat=True)
        return total

    # -- comparing --------------------------------------------------------------------------------------------------

    def compare(self, progress: Progress = quiet) -> None:
        """Read every key of the source on both sides; fills `outcome`. raises: as `copy`."""
        total = self._total()
        cursor = b"0"
        while True:
            cursor, names = self._source.call("SCAN", cursor, *self._match, "COUNT", BATCH_KEYS, repeat=True)
            self._compare_batch(list(dict.fromkeys(names)))
            progress(min(self.outcome.compared, total), total)
            if cursor == b"0":
                return

    def _compare_batch(self, names: Sequence[bytes]) -> None:
        ours = {key.name: key for key in self._reader.describe(names)}
        theirs = {key.name: key for key in self._target_reader.describe(names)}
        small: list[Key] = []
        for name, key in ours.items():
            if not self._can_go(key):
                continue
            self.outcome.compared += 1
            other = theirs.get(name)
            if other is None:
                self._differs(name, "is missing")
            elif other.kind != key.kind:
                self._differs(name, f"is a {other.kind.decode()}, not a {key.kind.decode()}")
            elif other.size != key.size:
                self._differs(name, f"has {other.size} elements or bytes, not {key.size}")
            elif bool(other.expires_ms) != bool(key.expires_ms) or abs(other.expires_ms - key.expires_ms) > _CLOCK_MS:
                self._differs(name, f"expires at {other.expires_ms}, not at {key.expires_ms}")
            elif key.is_small:
                small.append(key)
            elif self._reader.digest_of_large(key) != self._target_reader.digest_of_large(key):
                self._differs(name, "has another value")
        found = {key.name: digest for key, digest in self._reader.digests_of_small(small)}
        for key, digest in self._target_reader.digests_of_small(small):
            if found.pop(key.name, None) != digest:
                self._differs(key.name, "has another value")
        for name in found:
            self._differs(name, "is missing")

    def _differs(self, name: bytes, how: str) -> None:
        self.outcome.differences += 1
        if len(self.outcome.different) < _MOST_DIFFERENCES:
            self.outcome.different.append((name, how))


def _life(server: Asks) -> str:
    """What is another after each start of a server."""
    text: bytes = server.call("INFO", "server", repeat=True)
    for line in text.splitlines():
        if line.startswith(b"run_id:"):
            return line[7:].decode()
    return ""


def _takes_entries_read(server: Asks) -> bool:
    """Whether a server knows what Redis 7.0 has added to streams."""
    text: bytes = server.call("INFO", "server", repeat=True)
    version = next((line[14:] for line in text.splitlines() if line.startswith(b"redis_version:")), b"0")
    return int(version.split(b".")[0]) >= 7


def _longest_value(server: Asks) -> int:
    """How long one value of a request may be."""
    try:
        found = server.call("CONFIG", "GET", "proto-max-bulk-len", repeat=True)
    except CommandError:
        found = ()
    return int(found[1]) if len(found) == 2 else _USUAL_LIMIT_BYTES


def size_of_target(server: Asks) -> int:
    """How many keys there are already."""
    found: Any = server.call("DBSIZE", repeat=True)
    return int(found)
