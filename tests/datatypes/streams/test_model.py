"""Stream commands against dicts: replies after every command, and what the engine holds at the end.

The same runs with all bounds so small that every window, slice and cache overflows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from spoold.core.reply import NULL_ARRAY, OK
from support.machine import RoomMachine

LONG = b"n" * 500
Id = tuple[int, int]

names = st.sampled_from([b"a", b"a", b"a", LONG])
groups = st.sampled_from([b"g", b"g", b"g", LONG])
consumers = st.sampled_from([b"alice", b"bob", LONG, LONG + b"x"])
values = st.sampled_from([b"", b"v", b"x" * 300])
counts = st.integers(1, 8)
places = st.tuples(st.integers(0, 12), st.integers(0, 3))


def show(id_: Id) -> bytes:
    return b"%d-%d" % id_


@dataclass
class Pending:
    consumer: bytes
    since_ms: int
    deliveries: int


@dataclass
class Group:
    last: Id
    pending: dict[Id, Pending] = field(default_factory=dict)
    consumers: set[bytes] = field(default_factory=set)


@dataclass
class Stream:
    entries: dict[Id, list[bytes]] = field(default_factory=dict)
    last: Id = (0, 0)
    groups: dict[bytes, Group] = field(default_factory=dict)
    nodes: dict[Id, int] = field(default_factory=dict)
    node: int = 0
    room_in_node: int = 0

    def append(self, id_: Id, fields: list[bytes], node_size: int) -> None:
        if not self.room_in_node or not self.entries:
            self.node += 1
            self.room_in_node = node_size
        self.room_in_node -= 1
        self.nodes[id_] = self.node
        self.entries[id_] = fields
        self.last = id_


class StreamsMachine(RoomMachine):
    """One client, commands on two streams."""

    node_size = 100

    def __init__(self) -> None:
        super().__init__()
        self.streams: dict[bytes, Stream] = {}
        for name in (b"a", LONG):
            self.create_group(name, b"g", False)
            self.add(name, [(number % 2, b"v") for number in range(5)])

    def expect(self, expected: Any, *words: str | bytes | int) -> None:
        """Run a command and compare its reply with what the model says. A text: an error that begins so."""
        reply = self.room(*words)
        if isinstance(expected, str):
            assert isinstance(reply, Exception), (words, reply)
            assert str(reply).startswith(expected), (words, reply)
        else:
            assert reply == expected, (words, reply, expected)

    def shown(self, stream: Stream, ids: list[Id]) -> list[Any]:
        return [[show(id_), stream.entries[id_]] for id_ in ids]

    # -- what happens below -------------------------------------------------------------------------------------

    @rule(what=st.integers(0, 9))
    def below(self, what: int) -> None:
        """Not too often: most of what can go wrong is in what is kept in memory."""
        if what > 6:
            self.room.dbs.rollback()
        elif what == 6:
            self.room.commit.checkpoint()
        else:
            self.room.clock.advance_ms(1000)

    # -- entries ------------------------------------------------------------------------------------------------

    @rule(name=names, steps=st.lists(st.tuples(st.integers(0, 2), values), min_size=1, max_size=8))
    def add(self, name: bytes, steps: list[tuple[int, bytes]]) -> None:
        for ahead, value in steps:
            stream = self.streams.setdefault(name, Stream())
            id_ = (stream.last[0] + ahead, 0 if ahead else stream.last[1] + 1)
            self.expect(show(id_), "XADD", name, show(id_), "f", value)
            stream.append(id_, [b"f", value], self.node_size)

    @rule(name=names)
    def add_what_is_too_small(self, name: bytes) -> None:
        if name in self.streams and self.streams[name].last != (0, 0):
            told = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
            self.expect(told, "XADD", name, show(self.streams[name].last), "f", "v")

    @rule(name=names, given=st.lists(places, min_size=1, max_size=4), mine=st.booleans())
    def delete(self, name: bytes, given: list[Id], mine: bool) -> None:
        stream = self.streams.get(name, Stream())
        if mine:
            there = list(stream.entries)
            given = [there[(ms * 4 + sequence) % len(there)] for ms, sequence in given] if there else given
        deleted = [id_ for id_ in dict.fromkeys(given) if stream.entries.pop(id_, None)]
        if deleted and stream.entries and stream.nodes[max(stream.entries)] != stream.node:
            stream.room_in_node = 0
        self.expect(len(deleted), "XDEL", name, *map(show, given))

    @rule(name=names, length=st.integers(0, 30))
    def trim_to_a_length(self, name: bytes, length: int) -> None:
        stream = self.streams.get(name, Stream())
        gone = list(stream.entries)[: max(len(stream.entries) - length, 0)]
        for id_ in gone:
            del stream.entries[id_]
        self.expect(len(gone), "XTRIM", name, "MAXLEN", length)

    @rule(name=names, back=st.integers(0, 6))
    def trim_before_an_id(self, name: bytes, back: int) -> None:
        stream = self.streams.get(name, Stream())
        least = (max(stream.last[0] - back, 0), 1)
        gone = [id_ for id_ in stream.entries if id_ < least]
        for id_ in gone:
            del stream.entries[id_]
        self.expect(len(gone), "XTRIM", name, "MINID", show(least))

    @rule(name=names, length=st.integers(0, 12))
    def trim_by_nodes(self, name: bytes, length: int) -> None:
        stream = self.streams.get(name, Stream())
        gone: list[Id] = []
        while len(stream.entries) > length:
            node = stream.nodes[min(stream.entries)]
            inside = [id_ for id_ in stream.entries if stream.nodes[id_] == node]
            if len(stream.entries) - len(inside) < length:
                break
            gone += inside
            for id_ in inside:
                del stream.entries[id_]
        self.expect(len(gone), "XTRIM", name, "MAXLEN", "~", length)

    @rule(name=names, rarely=st.integers(0, 4))
    def drop(self, name: bytes, rarely: int) -> None:
        if rarely == 4:
            self.expect(int(self.streams.pop(name, None) is not None), "DEL", name)

    @rule(name=names, other=names)
    def copy(self, name: bytes, other: bytes) -> None:
        """What was copied lives on its own."""
        if name in self.streams and name != other:
            self.expect(1, "COPY", name, other, "REPLACE")
            payload = self.room("DUMP", name)
            self.expect(OK, "RESTORE", other, 0, payload, "REPLACE")
            self.streams[other] = _twin(self.streams[name], self.node_size)

    @rule(name=names, start=places, end=places, count=st.none() | counts, reverse=st.booleans())
    def read_a_range(self, name: bytes, start: Id, end: Id, count: int | None, reverse: bool) -> None:
        stream = self.streams.get(name, Stream())
        found = [id_ for id_ in stream.entries if start <= id_ <= end]
        words: list[str | bytes | int] = ["XRANGE", name, show(start), show(end)]
        if reverse:
            found.reverse()
            words = ["XREVRANGE", name, show(end), show(start)]
        self.expect(self.shown(stream, found[:count]), *words, *(["COUNT", count] if count else []))

    @rule(name=names, after=places, count=st.none() | counts)
    def read_behind(self, name: bytes, after: Id, count: int | None) -> None:
        stream = self.streams.get(name, Stream())
        found = [id_ for id_ in stream.entries if id_ > after][:count]
        words = ["XREAD", *(["COUNT", count] if count else []), "STREAMS", name, show(after)]
        self.expect([[name, self.shown(stream, found)]] if found else NULL_ARRAY, *words)

    @rule(name=names)
    def look_at_both_ends(self, name: bytes) -> None:
        stream = self.streams.get(name)
        if stream is None:
            return
        told = self.room("XINFO", "STREAM", name)
        ends = (
            [[show(id_), stream.entries[id_]] for id_ in (min(stream.entries), max(stream.entries))]
            if stream.entries
            else [None, None]
        )
        assert [told[b"first-entry"], told[b"last-entry"]] == ends
        assert told[b"length"] == len(stream.entries)
        assert told[b"last-generated-id"] == show(stream.last)
        assert told[b"groups"] == len(stream.groups)

    # -- groups -------------------------------------------------------------------------------------------------

    @rule(name=names, group=groups, at_end=st.booleans())
    def create_group(self, name: bytes, group: bytes, at_end: bool) -> None:
        stream = self.streams.setdefault(name, Stream())
        words = ("XGROUP", "CREATE", name, group, "$" if at_end else "0", "MKSTREAM")
        if group in stream.groups:
            self.expect("BUSYGROUP", *words)
        else:
            self.expect(OK, *words)
            stream.groups[group] = Group(stream.last if at_end else (0, 0))

    @rule(name=names, group=groups, rarely=st.integers(0, 4))
    def destroy_group(self, name: bytes, group: bytes, rarely: int) -> None:
        if name in self.streams and rarely == 4:
            self.expect(int(self.streams[name].groups.pop(group, None) is not None), "XGROUP", "DESTROY", name, group)

    @rule(name=names, group=groups, at_end=st.booleans())
    def move_group(self, name: bytes, group: bytes, at_end: bool) -> None:
        found = self.group(name, group)
        if found:
            found.last = self.streams[name].last if at_end else (0, 0)
            self.expect(OK, "XGROUP", "SETID", name, group, "$" if at_end else "0")

    @rule(name=names, group=groups, consumer=consumers)
    def create_consumer(self, name: bytes, group: bytes, consumer: bytes) -> None:
        found = self.group(name, group)
        if found:
            self.expect(int(consumer not in found.consumers), "XGROUP", "CREATECONSUMER", name, group, consumer)
            found.consumers.add(consumer)

    @rule(name=names, group=groups, consumer=consumers)
    def delete_consumer(self, name: bytes, group: bytes, consumer: bytes) -> None:
        found = self.group(name, group)
        if found:
            mine = [id_ for id_, noted in found.pending.items() if noted.consumer == consumer]
            for id_ in mine:
                del found.pending[id_]
            found.consumers.discard(consumer)
            self.expect(len(mine), "XGROUP", "DELCONSUMER", name, group, consumer)

    @rule(name=names, group=groups, consumer=consumers, count=st.none() | counts, settled=st.booleans())
    def read_new(self, name: bytes, group: bytes, consumer: bytes, count: int | None, settled: bool) -> None:
        words = ["XREADGROUP", "GROUP", group, consumer, *(["COUNT", count] if count else [])]
        words += [*(["NOACK"] if settled else []), "STREAMS", name, ">"]
        found = self.group(name, group)
        if found is None:
            self.expect("NOGROUP", *words)
            return
        stream = self.streams[name]
        ids = [id_ for id_ in stream.entries if id_ > found.last][:count]
        self.expect([[name, self.shown(stream, ids)]] if ids else NULL_ARRAY, *words)
        if ids:
            found.consumers.add(consumer)
            found.last = ids[-1]
        if not settled:
            found.pending.update({id_: Pending(consumer, self.now_ms, 1) for id_ in ids})

    @rule(name=names, group=groups, consumer=consumers, count=st.none() | counts, after=places)
    def read_again(self, name: bytes, group: bytes, consumer: bytes, count: int | None, after: Id) -> None:
        found = self.group(name, group)
        if found is None:
            return
        stream = self.streams[name]
        mine = sorted(id_ for id_, noted in found.pending.items() if noted.consumer == consumer and id_ > after)[:count]
        shown = [[show(id_), stream.entries.get(id_, NULL_ARRAY)] for id_ in mine]
        words = ["XREADGROUP", "GROUP", group, consumer, *(["COUNT", count] if count else [])]
        self.expect([[name, shown]], *words, "STREAMS", name, show(after))
        found.consumers.add(consumer)
        for id_ in mine:
            if id_ in stream.entries:
                found.pending[id_].since_ms = self.now_ms
                found.pending[id_].deliveries += 1

    @rule(name=names, group=groups, given=st.lists(st.integers(0, 20), min_size=1, max_size=5))
    def settle(self, name: bytes, group: bytes, given: list[int]) -> None:
        found = self.group(name, group)
        if found:
            there = sorted(found.pending) or [(1, 1)]
            ids = [there[number % len(there)] for number in given]
            settled = [id_ for id_ in dict.fromkeys(ids) if found.pending.pop(id_, None)]
            self.expect(len(settled), "XACK", name, group, *map(show, ids))

    @rule(
        name=names,
        group=groups,
        consumer=consumers,
        given=st.lists(places, min_size=1, max_size=4),
        force=st.booleans(),
    )
    def claim(self, name: bytes, group: bytes, consumer: bytes, given: list[Id], force: bool) -> None:
        found = self.group(name, group)
        if found is None:
            return
        stream = self.streams[name]
        claimed = []
        for id_ in given:
            if id_ not in stream.entries:
                found.pending.pop(id_, None)
            elif id_ in found.pending or force:
                before = found.pending.get(id_)
                found.pending[id_] = Pending(consumer, self.now_ms, (before.deliveries if before else 1) + 1)
                claimed.append(id_)
        if claimed:
            found.consumers.add(consumer)
        words = ["XCLAIM", name, group, consumer, 0, *map(show, given), *(["FORCE"] if force else [])]
        self.expect(self.shown(stream, claimed), *words)

    @rule(
        name=names,
        group=groups,
        consumer=consumers,
        idle_ms=st.sampled_from([0, 1000, 2000]),
        start=places,
        count=counts,
    )
    def claim_the_idle(self, name: bytes, group: bytes, consumer: bytes, idle_ms: int, start: Id, count: int) -> None:
        found = self.group(name, group)
        if found is None:
            return
        stream = self.streams[name]
        claimed, deleted, go_on = [], [], (0, 0)
        attempts = 10 * count
        for id_ in sorted(found.pending):
            if id_ < start:
                continue
            if not attempts or len(claimed) + len(deleted) == count:
                go_on = id_
                break
            attempts -= 1
            if id_ not in stream.entries:
                deleted.append(id_)
            elif self.now_ms - found.pending[id_].since_ms >= idle_ms:
                claimed.append(id_)
        for id_ in deleted:
            del found.pending[id_]
        for id_ in claimed:
            found.pending[id_] = Pending(consumer, self.now_ms, found.pending[id_].deliveries + 1)
            found.consumers.add(consumer)
        expected = [show(go_on), self.shown(stream, claimed), [show(id_) for id_ in deleted]]
        self.expect(expected, "XAUTOCLAIM", name, group, consumer, idle_ms, show(start), "COUNT", count)

    @rule(name=names, group=groups, consumer=st.none() | consumers, start=places, count=counts)
    def list_pending(self, name: bytes, group: bytes, consumer: bytes | None, start: Id, count: int) -> None:
        found = self.group(name, group)
        if found is None:
            return
        rows = [
            [show(id_), noted.consumer, self.now_ms - noted.since_ms, noted.deliveries]
            for id_, noted in sorted(found.pending.items())
            if id_ >= start and consumer in {None, noted.consumer}
        ]
        words = ["XPENDING", name, group, show(start), "+", count, *([consumer] if consumer is not None else [])]
        self.expect(rows[:count], *words)
        owners = sorted({noted.consumer for noted in found.pending.values()})
        held = [[owner, b"%d" % sum(n.consumer == owner for n in found.pending.values())] for owner in owners]
        ends = [show(min(found.pending)), show(max(found.pending)), held] if found.pending else [None, None, NULL_ARRAY]
        self.expect([len(found.pending), *ends], "XPENDING", name, group)
        told = {each[b"name"]: each[b"pending"] for each in self.room("XINFO", "CONSUMERS", name, group)}
        assert told == {
            each: sum(noted.consumer == each for noted in found.pending.values()) for each in found.consumers
        }

    def group(self, name: bytes, group: bytes) -> Group | None:
        """The group in the model, if it and its stream exist."""
        return self.streams[name].groups.get(group) if name in self.streams else None

    def check(self) -> None:
        for name, stream in self.streams.items():
            self.expect(self.shown(stream, list(stream.entries)), "XRANGE", name, "-", "+")


class StreamsInSmallPieces(StreamsMachine):
    """The same, where a handful is many."""

    node_size = 3

    small: ClassVar[Mapping[str, object]] = {
        "spoold.datatypes.streams.windows.TAIL_IDS": 3,
        "spoold.datatypes.streams.windows._TAIL_KEPT": 2,
        "spoold.datatypes.streams.windows._TOLD_EACH": 1,
        "spoold.datatypes.streams.windows._FIRST_AHEAD": 2,
        "spoold.datatypes.streams.windows._MOST_AHEAD": 4,
        "spoold.datatypes.streams.windows._MOST_WINDOWS": 2,
        "spoold.datatypes.streams.store._FEW": 2,
        "spoold.datatypes.streams.store._MANY": 3,
        "spoold.datatypes.streams.trimming._FEW": 2,
        "spoold.datatypes.streams.trimming._SLICE": 3,
        "spoold.datatypes.streams.groups._GROUPS_KNOWN": 1,
        "spoold.datatypes.streams.groups._CONSUMERS_KNOWN": 1,
        "spoold.datatypes.streams.groups._SLICE": 3,
        "spoold.datatypes.streams.payload._SLICE": 3,
        "spoold.keyspace.keyspace.DEFAULT_NODE_ENTRIES": 3,
    }


def _twin(stream: Stream, node_size: int) -> Stream:
    """What RESTORE makes of a stream: the same, but for the room that deleted entries take in its last node."""
    copied = {
        name: Group(
            group.last, {id_: Pending(**vars(noted)) for id_, noted in group.pending.items()}, set(group.consumers)
        )
        for name, group in stream.groups.items()
    }
    last_node = [id_ for id_ in stream.entries if stream.nodes[id_] == stream.nodes[max(stream.entries)]]
    node = stream.nodes[last_node[0]] if last_node else 0
    nodes = {id_: stream.nodes[id_] for id_ in stream.entries}
    return Stream(dict(stream.entries), stream.last, copied, nodes, node, node_size - len(last_node))


TestStreams = StreamsMachine.TestCase
TestStreams.settings = settings(stateful_step_count=50)
TestStreamsInSmallPieces = StreamsInSmallPieces.TestCase
TestStreamsInSmallPieces.settings = settings(max_examples=4 * settings.default.max_examples, stateful_step_count=60)
