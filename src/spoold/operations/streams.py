"""What a stream has besides its entries: ids, groups, consumers, pending entries; read of many streams together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from spoold.operations.asks import Asks, Command, read_all

# Pending entries that are asked for in one go.
_PIECE: Final = 1000
# Streams that are asked for in one round trip.
_TOGETHER: Final = 100


@dataclass(frozen=True)
class Group:
    """A consumer group.

    read: entries read, None where the server does not tell. pending: (id, consumer, ms ago, deliveries) each, of
    entries that exist.
    """

    name: bytes
    last: bytes
    read: int | None
    consumers: list[bytes]
    pending: list[tuple[bytes, bytes, int, int]]


@dataclass(frozen=True)
class StreamState:
    """What a stream has besides its entries. added, max_deleted: None where the server does not tell."""

    last: bytes
    added: int | None
    max_deleted: bytes | None
    groups: list[Group]

    def facts(self) -> list[Any]:
        """What must be equal on both sides: not how long ago something was, nor what only one of them tells."""
        return [
            self.last,
            *(
                repr((each.name, each.last, sorted(each.consumers), [(id_, who, n) for id_, who, _, n in each.pending]))
                for each in sorted(self.groups, key=lambda group: group.name)
            ),
        ]


def read_states(server: Asks, names: Sequence[bytes]) -> dict[bytes, StreamState]:
    """The states of streams; those that are gone, or no streams any more, are left out.

    cost: two round trips for `_TOGETHER` streams, and those for pending entries.
    """
    found: dict[bytes, StreamState] = {}
    for at in range(0, len(names), _TOGETHER):
        found |= _read_states(server, names[at : at + _TOGETHER])
    return found


def _read_states(server: Asks, names: Sequence[bytes]) -> dict[bytes, StreamState]:
    asked: list[Command] = []
    for name in names:
        asked += (("XINFO", "STREAM", name), ("XINFO", "GROUPS", name))
    replies = read_all(server, asked)
    infos = {
        name: (_map(info), [_map(group) for group in groups])
        for name, info, groups in zip(names, replies[::2], replies[1::2], strict=True)
        if info is not None and groups is not None
    }
    of_groups = [(name, group) for name, (_, groups) in infos.items() for group in groups]
    asked = []
    for name, group in of_groups:
        asked += (
            ("XINFO", "CONSUMERS", name, group[b"name"]),
            ("XPENDING", name, group[b"name"], "-", "+", _PIECE),
        )
    replies = read_all(server, asked)
    by_name: dict[bytes, list[Group]] = {name: [] for name in infos}
    for (name, group), consumers, pending in zip(of_groups, replies[::2], replies[1::2], strict=True):
        by_name[name].append(
            Group(
                group[b"name"],
                group[b"last-delivered-id"],
                group.get(b"entries-read"),
                [_map(consumer)[b"name"] for consumer in consumers or ()],
                _pending(server, name, group[b"name"], pending or []),
            )
        )
    return {
        name: StreamState(
            info[b"last-generated-id"], info.get(b"entries-added"), info.get(b"max-deleted-entry-id"), by_name[name]
        )
        for name, (info, _) in infos.items()
    }


def _pending(server: Asks, name: bytes, group: bytes, first: list[Any]) -> list[tuple[bytes, bytes, int, int]]:
    """All pending entries of a group, of which the `first` are read already."""
    pending: list[tuple[bytes, bytes, int, int]] = []
    found = first
    while found:
        # No command makes an entry pending that was deleted; whoever claims it forgets it anyway.
        there = read_all(server, [("XRANGE", name, entry[0], entry[0]) for entry in found])
        pending += (tuple(entry) for entry, exists in zip(found, there, strict=True) if exists)
        if len(found) < _PIECE:
            break
        found = read_all(server, [("XPENDING", name, group, b"(" + found[-1][0], "+", _PIECE)])[0]
    return pending


def _map(pairs: Sequence[Any]) -> dict[bytes, Any]:
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def stream_commands(name: bytes, state: StreamState, now_ms: int, *, tells: bool) -> Iterator[Command]:
    """The commands that give a stream, whose entries are there, its ids, groups and pending entries.

    tells: the server takes what Redis 7.0 has added to them.
    """
    if tells and state.added is not None and state.max_deleted is not None:
        yield ("XSETID", name, state.last, "ENTRIESADDED", state.added, "MAXDELETEDID", state.max_deleted)
    else:
        yield ("XSETID", name, state.last)
    for group in state.groups:
        read = ("ENTRIESREAD", group.read) if tells and group.read is not None else ()
        yield ("XGROUP", "CREATE", name, group.name, group.last, *read)
        if tells:
            yield from (("XGROUP", "CREATECONSUMER", name, group.name, consumer) for consumer in group.consumers)
        for id_, consumer, idle_ms, deliveries in group.pending:
            when = ("TIME", max(now_ms - idle_ms, 0), "RETRYCOUNT", deliveries, "FORCE", "JUSTID")
            yield ("XCLAIM", name, group.name, consumer, 0, id_, *when)
