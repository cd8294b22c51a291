"""Leases against a plain model: no item is ever lost or doubled, through crashes and rollbacks too."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from spoold.datatypes.jobs import leases, store
from spoold.datatypes.jobs.leases import Recovery
from spoold.datatypes.jobs.store import Handle
from spoold.datatypes.lists import store as lists
from spoold.datatypes.lists.store import TAIL, Tag
from support.machine import RoomMachine

QUEUES = [b"a", b"b", b"n" * 490]

queues = st.sampled_from(QUEUES)
choices = st.randoms(use_true_random=False)


@dataclass(frozen=True)
class Item:
    """An item of the model; due_ms as in its tag."""

    value: bytes
    due_ms: int = 0
    attempts: int = 0
    rank: int = 0


@dataclass(frozen=True)
class Held:
    """A lease of the model."""

    item: Item
    bound: bool
    deadline_ms: int


class LeasesMachine(RoomMachine):
    """Queues of items, and leases by handle."""

    durability = "interval"

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[bytes, list[Item]] = {queue: [] for queue in QUEUES}
        self.held: dict[Handle, Held] = {}
        self.number = 0

    def end(self, handle: Handle) -> None:
        """The item of a lease goes back, in the model."""
        item = self.held.pop(handle).item
        items = self.waiting[handle.queue]
        at = 0
        while at < len(items) and 0 < items[at].rank < item.rank:
            at += 1
        items.insert(at, item)

    def end_all(self, handles: list[Handle]) -> None:
        for handle in sorted(handles, key=lambda handle: self.held[handle].item.rank, reverse=True):
            self.end(handle)

    @rule(queue=queues, number=st.integers(1, 4), after_ms=st.sampled_from([0, 0, 20, 50]))
    def add(self, queue: bytes, number: int, after_ms: int) -> None:
        ks = self.room.session.ctx.ks
        self.room.turn.begin()
        for _ in range(number):
            self.number += 1
            item = Item(b"%d" % self.number, after_ms and self.now_ms + after_ms)
            self.waiting[queue].append(item)
            if after_ms:
                lists.put(ks, queue, TAIL, item.value, Tag(due_ms=item.due_ms))
            else:
                lists.push(ks, queue, TAIL, (item.value,))
        self.room.turn.end()

    @rule(queue=queues, bound=st.booleans(), lease_ms=st.sampled_from([0, 10, 30]))
    def grant(self, queue: bytes, bound: bool, lease_ms: int) -> None:
        items = self.waiting[queue]
        while items and 0 < items[0].due_ms <= self.now_ms:
            items.pop(0)
        deadline_ms = lease_ms and self.now_ms + lease_ms
        self.room.turn.begin()
        lease = leases.grant(self.room.session.ctx.ks, queue, b"x", bound=bound, deadline_ms=deadline_ms)
        self.room.turn.end()
        if not items:
            assert lease is None
            return
        item = items.pop(0)
        assert lease is not None
        assert (lease.item, lease.attempts) == (item.value, item.attempts + 1)
        assert lease.handle.rank == (item.rank or lease.handle.id)
        self.held[lease.handle] = Held(
            replace(item, attempts=lease.attempts, rank=lease.handle.rank), bound, deadline_ms
        )

    @precondition(lambda self: self.held)
    @rule(chooser=choices)
    def confirm(self, chooser: object) -> None:
        handle = chooser.choice(sorted(self.held))  # type: ignore[attr-defined]
        self.room.turn.begin()
        assert leases.confirm(self.room.dbs, handle)
        assert not leases.confirm(self.room.dbs, handle)
        self.room.turn.end()
        del self.held[handle]

    @precondition(lambda self: self.held)
    @rule(chooser=choices, number=st.integers(1, 4))
    def give_back(self, chooser: object, number: int) -> None:
        handles = chooser.sample(sorted(self.held), min(number, len(self.held)))  # type: ignore[attr-defined]
        self.end_all(handles)
        self.room.turn.begin()
        assert leases.give_back(self.room.dbs, handles) == len(handles)
        self.room.turn.end()

    @precondition(lambda self: self.held)
    @rule(chooser=choices, lease_ms=st.sampled_from([0, 15]))
    def extend(self, chooser: object, lease_ms: int) -> None:
        handle = chooser.choice(sorted(self.held))  # type: ignore[attr-defined]
        deadline_ms = lease_ms and self.now_ms + lease_ms
        self.room.turn.begin()
        leases.extend(self.room.dbs, handle, deadline_ms)
        self.room.turn.end()
        self.held[handle] = replace(self.held[handle], deadline_ms=deadline_ms)

    @rule(ms=st.sampled_from([5, 10, 40]))
    def wait(self, ms: int) -> None:
        self.room.clock.advance_ms(ms)
        due = [handle for handle, held in self.held.items() if 0 < held.deadline_ms <= self.now_ms]
        self.end_all(due)
        assert not due or self.room.dbs.next_deadline_ms <= self.now_ms
        self.room.turn.begin()
        assert leases.expire_due(self.room.dbs, 1000) >= len(due)
        self.room.turn.end()

    @rule(queue=queues)
    def drop(self, queue: bytes) -> None:
        gone = [handle for handle in self.held if handle.queue == queue]
        self.room.turn.begin()
        assert store.drop_queue(self.room.dbs, 0, queue) == len(gone)
        self.room.turn.end()
        for handle in gone:
            del self.held[handle]

    @rule(limit=st.integers(1, 5))
    def crash(self, limit: int) -> None:
        self.start_again(save=False)
        recovery = Recovery(self.room.dbs)
        bound = [handle for handle, held in self.held.items() if held.bound]
        assert recovery.left == len(bound)
        while recovery.left:
            self.room.turn.begin()
            number = recovery.step(limit)
            self.room.turn.end()
            assert 0 < number <= limit
            recovery.done(number)
        self.end_all(bound)

    @rule(queue=queues)
    def roll_back(self, queue: bytes) -> None:
        self.room.turn.begin()
        leases.grant(self.room.session.ctx.ks, queue, b"x", deadline_ms=1)
        leases.give_back(self.room.dbs, list(self.held))
        self.room.commit.abort_turn()
        self.room.dbs.rollback()
        self.room.turn.end()

    @invariant()
    def the_same(self) -> None:
        ks = self.room.session.ctx.ks
        for queue in QUEUES:
            shown = lists.between(ks, queue, 0, -1)
            assert shown == [item.value for item in self.waiting[queue]]
            mine = {handle: held for handle, held in self.held.items() if handle.queue == queue}
            stored = {lease.handle: lease for lease in store.of_queue(self.room.dbs, 0, queue)}
            assert stored.keys() == mine.keys()
            assert store.count(self.room.dbs, 0, queue) == len(mine)
            for handle, held in mine.items():
                lease = stored[handle]
                assert (lease.item, lease.attempts, lease.handle.rank) == (
                    held.item.value,
                    held.item.attempts,
                    held.item.rank,
                )
                assert (lease.bound, lease.deadline_ms) == (held.bound, held.deadline_ms)

    def check(self) -> None:
        state = self.room.state()
        assert len([key for key in state if key[:2] == b"ll"]) == len(self.held)
        assert len([key for key in state if key[:2] == b"lc"]) == len({handle.queue for handle in self.held})


TestLeases = LeasesMachine.TestCase
