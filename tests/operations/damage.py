"""Writes into a data directory past the keyspace, to plant what `verify` must find."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spoold.engine.batch import Batch
from spoold.engine.commit import open_commit
from spoold.keyspace import layout
from spoold.keyspace.packing import pack_name
from spoold.keyspace.record import Record, decode


class Raw:
    """The engine keys of a stopped directory."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def database_id(self, index: int = 0) -> int:
        return int.from_bytes((self.batch.get(layout.database_key(index)) or b"")[:8], "big")

    def record_key(self, name: bytes) -> bytes:
        return layout.names_prefix(self.database_id()) + pack_name(name)

    def record(self, name: bytes) -> Record:
        return decode(self.batch.get(self.record_key(name)) or b"")[0]

    def write(self, name: bytes, record: Record) -> None:
        self.batch.put(self.record_key(name), record.encode(name))

    def first(self, prefix: bytes) -> tuple[bytes, bytes]:
        return self.batch.scan(prefix, prefix + b"\xff" * 8, 1)[0]

    def last(self, prefix: bytes) -> tuple[bytes, bytes]:
        return self.batch.scan(prefix, prefix + b"\xff" * 8, 1, reverse=True)[0]


@contextmanager
def opened(directory: Path) -> Iterator[Raw]:
    """Write what the block does as one turn."""
    commit = open_commit(directory, "interval", 4 * 1024 * 1024)
    yield Raw(commit.batch)
    commit.commit_turn()
    commit.close()
