"""What `spoold verify` says of a fault, and what its checks of elements share."""

from __future__ import annotations

from collections.abc import Iterator

from spoold.engine.snapshot import Snapshot
from spoold.keyspace.packing import after


class Miscounted(str):
    """A fault that writing the record back mends."""

    __slots__ = ()


class Wrong(str):
    """A fault in an element whose right value is known. mends: engine key → value, None for a deletion."""

    __slots__ = ("mends",)
    mends: dict[bytes, bytes | None]

    @classmethod
    def mended_by(cls, text: str, key: bytes, value: bytes | None) -> Wrong:
        """text: what is wrong. key, value: what mends it."""
        fault = cls(text)
        fault.mends = {key: value}
        return fault


Faults = Iterator[str]


def under(snapshot: Snapshot, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys that begin so, in order, with their values."""
    return snapshot.pairs(prefix, after(prefix))


def others(snapshot: Snapshot, prefix: bytes, kinds: bytes) -> Faults:
    """Elements of kinds that this type has not, the first of each kind."""
    cut = len(prefix)
    start, stop = prefix, after(prefix)
    while (pair := next(snapshot.pairs(start, stop), None)) is not None:
        kind = pair[0][cut : cut + 1]
        if not kind or kind not in kinds:
            yield stray(pair[0][cut:])
        start = after(prefix + kind) if kind else pair[0] + b"\0"


def stray(place: bytes) -> str:
    """Say that nothing leads to an element.    place: its key behind the object id."""
    return f"an element at {place[:24].hex()} belongs to nothing"


def shown(name: bytes) -> str:
    """A name for people to read, cut where it is long."""
    return repr(name[:48])[1:]
