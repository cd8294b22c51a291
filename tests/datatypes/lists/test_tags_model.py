"""Lists with tags against plain Python lists: every command that moves, adds or removes items."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from spoold.core.reply import NULL_ARRAY
from spoold.datatypes.lists import store, tags
from spoold.datatypes.lists.overdue import drop_overdue
from spoold.datatypes.lists.store import HEAD, TAIL, Tag
from spoold.keyspace.record import TaggedListRecord
from support.machine import RoomMachine

NAMES = [b"a", b"b", b"n" * 490]
VALUES = [b"1", b"2", b"3"]
SIDES = {HEAD: "LEFT", TAIL: "RIGHT"}

names = st.sampled_from(NAMES)
values = st.sampled_from(VALUES)
sides = st.sampled_from([HEAD, TAIL])
indexes = st.integers(-6, 6)

Item = tuple[bytes, Tag | None]


class TagsMachine(RoomMachine):
    """One client; items are (value, tag)."""

    def __init__(self) -> None:
        super().__init__()
        self.lists: dict[bytes, list[Item]] = {name: [] for name in NAMES}
        self.flags = 0

    def is_due(self, item: Item) -> bool:
        return item[1] is not None and 0 < item[1].due_ms <= self.now_ms

    def take(self, name: bytes, side: int) -> bytes | None:
        """What a pop gives, in the model."""
        items = self.lists[name]
        while items:
            item = items.pop(-1 if side else 0)
            if not self.is_due(item):
                return item[0]
        return None

    def add(self, name: bytes, side: int, item: Item) -> None:
        items = self.lists[name]
        items.insert(len(items) if side else 0, item)

    @rule(name=names, side=sides, given=st.lists(values, min_size=1, max_size=3))
    def push(self, name: bytes, side: int, given: list[bytes]) -> None:
        for value in given:
            self.add(name, side, (value, None))
        assert self.room("RPUSH" if side else "LPUSH", name, *given) == len(self.lists[name])

    @rule(name=names, side=sides, value=values, after_ms=st.sampled_from([0, 0, 5, 10, 20]))
    def put(self, name: bytes, side: int, value: bytes, after_ms: int) -> None:
        self.flags += 1
        tag = Tag(self.flags, after_ms and self.now_ms + after_ms, self.now_ms)
        self.add(name, side, (value, tag))
        self.room.turn.begin()
        store.put(self.room.session.ctx.ks, name, side, value, tag)
        self.room.turn.end()

    @rule(name=names, value=values, rank=st.integers(1, 9))
    def put_back(self, name: bytes, value: bytes, rank: int) -> None:
        tag = Tag(rank=rank)
        items = self.lists[name]
        at = 0
        while at < len(items) and (other := items[at][1]) is not None and 0 < other.rank < rank:
            at += 1
        items.insert(at, (value, tag))
        self.room.turn.begin()
        store.put_back(self.room.session.ctx.ks, name, value, tag)
        self.room.turn.end()

    @rule(name=names, side=sides)
    def pop(self, name: bytes, side: int) -> None:
        assert self.room("RPOP" if side else "LPOP", name) == self.take(name, side)

    @rule(name=names, side=sides, count=st.integers(1, 4))
    def pop_many(self, name: bytes, side: int, count: int) -> None:
        taken = []
        while len(taken) < count and (value := self.take(name, side)) is not None:
            taken.append(value)
        reply = self.room("RPOP" if side else "LPOP", name, count)
        assert reply == (taken or NULL_ARRAY)

    @rule(source=names, destination=names, from_side=sides, to_side=sides)
    def move(self, source: bytes, destination: bytes, from_side: int, to_side: int) -> None:
        value = self.take(source, from_side)
        if value is not None:
            self.add(destination, to_side, (value, None))
        words = ("LMOVE", source, destination, SIDES[from_side], SIDES[to_side])
        assert self.room(*words) == value

    @rule(name=names, value=values, count=st.integers(-2, 2))
    def remove(self, name: bytes, value: bytes, count: int) -> None:
        items = self.lists[name]
        order = range(len(items)) if count >= 0 else range(len(items) - 1, -1, -1)
        found = [at for at in order if items[at][0] == value][: abs(count) or None]
        self.lists[name] = [item for at, item in enumerate(items) if at not in found]
        assert self.room("LREM", name, count, value) == len(found)

    @rule(name=names, pivot=values, value=values, behind=st.booleans())
    def insert(self, name: bytes, pivot: bytes, value: bytes, behind: bool) -> None:
        items = self.lists[name]
        found = [at for at, item in enumerate(items) if item[0] == pivot]
        reply = self.room("LINSERT", name, "AFTER" if behind else "BEFORE", pivot, value)
        if not items:
            assert reply == 0
        elif not found:
            assert reply == -1
        else:
            items.insert(found[0] + behind, (value, None))
            assert reply == len(items)

    @rule(name=names, index=indexes, value=values)
    def write(self, name: bytes, index: int, value: bytes) -> None:
        items = self.lists[name]
        self.room("LSET", name, index, value)
        if -len(items) <= index < len(items):
            items[index] = (value, None)

    @rule(name=names, start=indexes, stop=indexes)
    def trim(self, name: bytes, start: int, stop: int) -> None:
        items = self.lists[name]
        first = max(start + len(items) if start < 0 else start, 0)
        last = stop + len(items) if stop < 0 else stop
        self.lists[name] = items[first : last + 1] if last >= first else []
        self.room("LTRIM", name, start, stop)

    @rule(name=names, other=names)
    def rename(self, name: bytes, other: bytes) -> None:
        if self.lists[name]:
            self.room("RENAME", name, other)
            if name != other:
                self.lists[other], self.lists[name] = self.lists[name], []

    @rule(name=names, other=names)
    def copy(self, name: bytes, other: bytes) -> None:
        if self.lists[name] and name != other:
            assert self.room("COPY", name, other, "REPLACE") == 1
            self.lists[other] = list(self.lists[name])

    @rule(name=names)
    def delete(self, name: bytes) -> None:
        self.room("DEL", name)
        self.lists[name] = []

    @rule(ms=st.sampled_from([1, 5, 10]))
    def wait(self, ms: int) -> None:
        self.room.clock.advance_ms(ms)

    @rule(limit=st.sampled_from([1, 2, 100]))
    def duty(self, limit: int) -> None:
        due = self.room.dbs.next_alarm_ms <= self.now_ms
        heads = dict.fromkeys(NAMES, 0)
        for name in NAMES:
            while heads[name] < len(self.lists[name]) and self.is_due(self.lists[name][heads[name]]):
                heads[name] += 1
        assert due or not any(heads.values())
        self.room.turn.begin()
        dropped = drop_overdue(self.room.dbs, limit)
        self.room.turn.end()
        assert dropped == min(sum(heads.values()), limit) or limit < 100
        ks = self.room.session.ctx.ks
        for name in NAMES:
            gone = len(self.lists[name]) - store.length(ks, name)
            assert 0 <= gone <= heads[name]
            del self.lists[name][:gone]
            dropped -= gone
        assert dropped == 0

    @rule()
    def roll_back(self) -> None:
        ks = self.room.session.ctx.ks
        self.room.turn.begin()
        for name in NAMES:
            store.take(ks, name, HEAD)
            store.put(ks, name, TAIL, b"x", Tag(99, 1))
        self.room.commit.abort_turn()
        self.room.dbs.rollback()
        self.room.turn.end()

    @invariant()
    def the_same(self) -> None:
        ks = self.room.session.ctx.ks
        for name, items in self.lists.items():
            record = store.find(ks, name)
            if record is None:
                assert items == []
                continue
            assert store.read(ks, record, record.head, record.tail) == [value for value, _ in items]
            if isinstance(record, TaggedListRecord):
                found = [tags.get(ks, record, at) for at in range(record.head, record.tail)]
                assert found == [tag for _, tag in items]
                assert record.tags == sum(tag is not None for tag in found)
                due_ms = 0 if found[0] is None else found[0].due_ms
                assert not due_ms or 0 < record.alarm_ms <= due_ms
            else:
                assert not any(tag for _, tag in items)


TestTags = TagsMachine.TestCase
