"""Clients that keep exact books while a server is killed under them.

A load pushes numbered items or pops them, over pipelines, on raw connections. What was sent, what was acknowledged and
what was delivered is written down; when the server is gone, every number sent and not acknowledged is *open*: it may
have happened or not. After the restart `check` reads the store and settles the open ones for good, so nothing stays
vague for more than one round:

- items of a producer are pushed in order, so what survived of its open ones must be the first of them;
- an open pop may have taken an item whose reply was lost: as many acknowledged items as there are open pops may be
  missing, not one more, and they count as gone from then on.

To add a kind of load: subclass `Load`, give its workers, and `check` its books.
"""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.conformance.wire import Link, Node, NoReply, encode

DEPTHS = (1, 2, 8, 40)
BACKLOG_LIMIT = 4_000  # a producer that is so far ahead of the consumers lets them catch up


@dataclass
class Books:
    """What one named producer sent of the numbers 1, 2, 3 …"""

    sent: int = 0
    acknowledged: int = 0


class Gate:
    """Counts acknowledged requests of all workers, so that a round ends at a moment of the work."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0
        self.closing = False

    def passed(self, requests: int) -> None:
        with self._condition:
            self._count += requests
            self._condition.notify_all()

    def wait_for(self, target: int, timeout_s: float) -> bool:
        """Wait until `target` requests were acknowledged since the gate was made."""
        with self._condition:
            return self._condition.wait_for(lambda: self._count >= target, timeout_s)


@dataclass
class Worker:
    """One connection's work: pipelines of requests, until the server is gone or the round ends."""

    # next_batch() gives the requests of one pipeline (empty: nothing to do at the moment) and notes them as sent;
    # settle(replies) takes the replies that came, one by one, in order.
    next_batch: Callable[[random.Random], list[bytes]]
    settle: Callable[[Node], None]

    def run(self, port: int, gate: Gate, seed: int) -> None:
        chooser = random.Random(seed)
        try:
            link = Link(port)
        except OSError:
            return
        try:
            while not gate.closing:
                batch = self.next_batch(chooser)
                if not batch:
                    link.call(b"PING")  # lets the others go on, and notices the end of the server
                    continue
                link.send_raw(b"".join(batch))
                for _ in batch:
                    self.settle(link.reply())
                gate.passed(len(batch))
        except (NoReply, OSError):
            return
        finally:
            link.close()


class Load:
    """Some workers on keys of their own, and the check of what they left."""

    def workers(self) -> Iterator[Worker]:
        raise NotImplementedError

    def check(self, link: Link) -> None:
        """Compare the store with the books, and settle what is open. Raises AssertionError."""
        raise NotImplementedError

    def finish(self, link: Link) -> None:
        """At the very end: nothing is open any more; take what is left and compare everything."""


def text(node: Node) -> bytes:
    assert isinstance(node.value, bytes), node
    return node.value


def texts(node: Node) -> list[bytes]:
    assert node.kind != b"-", node
    return [text(child) for child in node.value] if isinstance(node.value, tuple) else []


@dataclass
class QueueLoad(Load):
    """Producers push `producer:number` to one key; consumers pop the oldest.

    push and pop build the requests; `ordered` reads everything that is left, oldest first.
    """

    key: bytes
    push: Callable[[bytes], bytes]
    pop: Callable[[random.Random], tuple[bytes, int]]  # the request, and the most items that it takes
    read_all: tuple[bytes, ...]
    producers: int = 2
    consumers: int = 2
    books: dict[int, Books] = field(default_factory=lambda: defaultdict(Books))
    delivered: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    # Items that an open pop took away for good, and items that were never written.
    lost: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    never: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    open_pops: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)

    def workers(self) -> Iterator[Worker]:
        for producer in range(self.producers):
            yield self._producer(producer)
        for consumer in range(self.consumers):
            yield self._consumer(consumer)

    def check(self, link: Link) -> None:
        assert not self.faults, self.faults[:5]
        left = self._left(link)
        open_pops = sum(sum(sizes) for sizes in self.open_pops.values())
        self.open_pops.clear()
        gone = 0
        for producer, books in self.books.items():
            queued = left.pop(producer, [])
            assert queued == sorted(set(queued)), f"{self.key!r}: items of producer {producer} out of order or twice"
            delivered = self.delivered[producer]
            came_back = set(queued) & (delivered | self.lost[producer] | self.never[producer])
            assert not came_back, f"{self.key!r}: items of producer {producer} came back: {_some(came_back)}"
            assert not queued or not delivered or max(delivered) < queued[0], f"{self.key!r}: overtaken"
            known = delivered | self.lost[producer] | self.never[producer] | set(queued)
            open_pushes = set(range(books.acknowledged + 1, books.sent + 1))
            missing = set(range(1, books.acknowledged + 1)) - known
            survived = sorted(open_pushes & known)
            # Popped ones may be missing in front of what survived, never in the middle or behind.
            if survived:
                missing |= set(range(books.acknowledged + 1, survived[-1])) - known
            if missing and queued:
                assert max(missing) < queued[0], f"{self.key!r}: lost behind the head: {_some(missing)}"
            gone += len(missing)
            self.lost[producer] |= missing
            self.never[producer] |= open_pushes - known - missing
            books.acknowledged = books.sent
        assert not left, f"{self.key!r}: items that nobody pushed: {left}"
        assert gone <= open_pops, f"{self.key!r}: {gone} acknowledged items are gone, {open_pops} pops were open"

    def finish(self, link: Link) -> None:
        self.check(link)
        while items := self._popped(link.call(*_args(self.pop(random.Random(0))[0]))):
            for item in items:
                self._deliver(item, -1)
        self.check(link)
        assert self._left(link) == {}
        for producer, books in self.books.items():
            settled = self.delivered[producer] | self.lost[producer] | self.never[producer]
            assert settled == set(range(1, books.sent + 1)), f"{self.key!r}: producer {producer}"
            assert len(self.delivered[producer]) > len(self.lost[producer])

    def _producer(self, producer: int) -> Worker:
        books = self.books[producer]

        def batch(chooser: random.Random) -> list[bytes]:
            if books.sent - len(self.delivered[producer]) > BACKLOG_LIMIT:
                return []
            count = chooser.choice(DEPTHS)
            first = books.sent + 1
            books.sent += count
            return [self.push(b"%d:%d" % (producer, n)) for n in range(first, first + count)]

        def settle(reply: Node) -> None:
            self._guard(reply, b":")
            books.acknowledged += 1

        return Worker(batch, settle)

    def _consumer(self, consumer: int) -> Worker:
        waiting = self.open_pops[consumer]

        def batch(chooser: random.Random) -> list[bytes]:
            pops = [self.pop(chooser) for _ in range(chooser.choice(DEPTHS[:3]))]
            # The list of this round: `check` clears them all.
            self.open_pops[consumer] = waiting
            waiting[:] = [size for _, size in pops]
            return [request for request, _ in pops]

        def settle(reply: Node) -> None:
            if reply.kind == b"-":
                self.faults.append(f"a pop was refused: {reply}")
            for item in self._popped(reply):
                self._deliver(item, consumer)
            waiting.pop(0)

        return Worker(batch, settle)

    def _popped(self, reply: Node) -> list[bytes]:
        if reply.value is None:
            return []
        if reply.kind == b"$":
            return [text(reply)]
        return [item for item in texts(reply) if item != self.key]  # BLPOP's reply names the key first

    def _deliver(self, item: bytes, consumer: int) -> None:
        producer, n = map(int, item.split(b":"))
        if n in self.delivered[producer]:
            self.faults.append(f"{item!r} was delivered twice")
        if n in self.lost[producer] or n in self.never[producer]:
            self.faults.append(f"{item!r} came back after it was gone")
        self.delivered[producer].add(n)
        previous = self._last.get((consumer, producer), 0)
        if n < previous:
            self.faults.append(f"consumer {consumer} got {item!r} after number {previous}")
        self._last[consumer, producer] = n

    def __post_init__(self) -> None:
        self._last: dict[tuple[int, int], int] = {}

    def _guard(self, reply: Node, kind: bytes) -> None:
        if reply.kind != kind:
            self.faults.append(f"{self.key!r}: {reply}")

    def _left(self, link: Link) -> dict[int, list[int]]:
        left = defaultdict(list)
        for item in texts(link.call(*self.read_all)):
            producer, n = map(int, item.split(b":"))
            left[producer].append(n)
        return dict(left)


def list_load(key: bytes) -> QueueLoad:
    """RPUSH, and LPOP, LPOP with a count, LMPOP or BLPOP."""

    def pop(chooser: random.Random) -> tuple[bytes, int]:
        return chooser.choice(
            [
                (encode(b"LPOP", key), 1),
                (encode(b"LPOP", key, b"7"), 7),
                (encode(b"BLPOP", key, b"0.001"), 1),
            ]
        )

    return QueueLoad(key, lambda item: encode(b"RPUSH", key, item), pop, (b"LRANGE", key, b"0", b"-1"))


def set_load(key: bytes) -> QueueLoad:
    """SADD, and SPOP with and without a count: a set is a queue, too."""

    def pop(chooser: random.Random) -> tuple[bytes, int]:
        return chooser.choice([(encode(b"SPOP", key), 1), (encode(b"SPOP", key, b"5"), 5)])

    return QueueLoad(key, lambda item: encode(b"SADD", key, item), pop, (b"SMEMBERS", key))


@dataclass
class ReliableLoad(Load):
    """Items are moved to a list of the consumer and removed from it when done: nothing may be lost at all."""

    key: bytes
    books: Books = field(default_factory=Books)
    done: set[int] = field(default_factory=set)
    open_done: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    at_hand: list[int] = field(default_factory=list)

    @property
    def processing(self) -> bytes:
        return self.key + b":processing"

    def workers(self) -> Iterator[Worker]:
        yield Worker(self._push, self._pushed)
        yield Worker(self._work, self._worked)

    def check(self, link: Link) -> None:
        assert not self.faults, self.faults[:5]
        queued = [int(item) for item in texts(link.call(b"LRANGE", self.key, b"0", b"-1"))]
        held = [int(item) for item in texts(link.call(b"LRANGE", self.processing, b"0", b"-1"))]
        assert queued == sorted(set(queued)), "out of order or twice"
        assert held == sorted(set(held)), "out of order or twice in the list of what is being processed"
        assert not set(queued) & set(held), "an item is in both lists"
        assert not (set(queued) | set(held)) & self.done, "a finished item came back"
        self.done |= {n for n in self.open_done if n not in set(held) | set(queued)}
        self.open_done.clear()
        seen = self.done | set(queued) | set(held)
        missing = set(range(1, self.books.acknowledged + 1)) - seen
        assert not missing, f"acknowledged items are gone: {_some(missing)}"
        survived = max(seen, default=0)
        assert seen == set(range(1, survived + 1)), "what survived of the last pipeline is not its beginning"
        # Numbers that were never written are used again: they are as good as never sent.
        self.books.sent = self.books.acknowledged = survived
        self.at_hand[:] = held

    def finish(self, link: Link) -> None:
        self.check(link)
        assert self.books.sent > 0

    def _push(self, chooser: random.Random) -> list[bytes]:
        if self.books.sent - len(self.done) > BACKLOG_LIMIT:
            return []
        first = self.books.sent + 1
        self.books.sent += chooser.choice(DEPTHS)
        return [encode(b"RPUSH", self.key, b"%d" % n) for n in range(first, self.books.sent + 1)]

    def _pushed(self, reply: Node) -> None:
        if reply.kind != b":":
            self.faults.append(f"RPUSH: {reply}")
        self.books.acknowledged += 1

    def _work(self, chooser: random.Random) -> list[bytes]:
        self.open_done[:] = self.at_hand
        self.at_hand.clear()
        removals = [encode(b"LREM", self.processing, b"1", b"%d" % n) for n in self.open_done]
        move = encode(b"LMOVE", self.key, self.processing, b"LEFT", b"RIGHT")
        return removals + [move] * chooser.choice(DEPTHS[:3])

    def _worked(self, reply: Node) -> None:
        if self.open_done:
            n = self.open_done.pop(0)
            if reply != Node(b":", b"1"):
                self.faults.append(f"item {n} was not in the list of what is being processed: {reply}")
            self.done.add(n)
        elif reply.kind == b"-":
            self.faults.append(f"LMOVE: {reply}")
        elif reply.value is not None:
            self.at_hand.append(int(text(reply)))


@dataclass
class TransactionLoad(Load):
    """MULTI, RPUSH, INCR, SADD, EXEC: the three always agree."""

    key: bytes
    books: Books = field(default_factory=Books)
    faults: list[str] = field(default_factory=list)

    def workers(self) -> Iterator[Worker]:
        yield Worker(self._push, self._pushed)

    def check(self, link: Link) -> None:
        assert not self.faults, self.faults[:5]
        items = [int(item) for item in texts(link.call(b"LRANGE", self.key, b"0", b"-1"))]
        counter = int(text(link.call(b"GET", self.key + b":count"))) if items else 0
        members = {int(member) for member in texts(link.call(b"SMEMBERS", self.key + b":set"))}
        assert items == list(range(1, len(items) + 1)), "transactions are missing or out of order"
        assert counter == len(items), f"half a transaction: counter {counter}, {len(items)} items"
        assert members == set(items), "half a transaction: the set differs from the list"
        assert self.books.acknowledged <= len(items) <= self.books.sent
        self.books.sent = self.books.acknowledged = len(items)

    def finish(self, link: Link) -> None:
        self.check(link)
        assert self.books.sent > 0

    def _push(self, chooser: random.Random) -> list[bytes]:
        requests = []
        for _ in range(chooser.choice(DEPTHS[:3])):
            self.books.sent += 1
            item = b"%d" % self.books.sent
            requests += [
                encode(b"MULTI"),
                encode(b"RPUSH", self.key, item),
                encode(b"INCR", self.key + b":count"),
                encode(b"SADD", self.key + b":set", item),
                encode(b"EXEC"),
            ]
        return requests

    def _pushed(self, reply: Node) -> None:
        if reply.kind == b"*":
            self.books.acknowledged += 1
        elif reply.kind != b"+":
            self.faults.append(f"in a transaction: {reply}")


@dataclass
class CounterLoad(Load):
    """INCR by two clients: a counter never runs backwards, and no value is given twice."""

    key: bytes
    clients: int = 2
    sent: int = 0
    highest: int = 0
    floor: int = 0  # the value at the start of the round
    given: set[int] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def workers(self) -> Iterator[Worker]:
        for _ in range(self.clients):
            yield Worker(self._increment, self._incremented)

    def check(self, link: Link) -> None:
        assert not self.faults, self.faults[:5]
        reply = link.call(b"GET", self.key)
        value = int(text(reply)) if reply.value is not None else 0
        assert value >= self.highest, f"the counter fell from {self.highest} to {value}"
        assert value <= self.sent, f"the counter stands at {value} after {self.sent} requests"
        self.sent = self.highest = self.floor = value

    def finish(self, link: Link) -> None:
        self.check(link)
        assert self.highest > 0

    def _increment(self, chooser: random.Random) -> list[bytes]:
        count = chooser.choice(DEPTHS)
        with self.lock:
            self.sent += count
        return [encode(b"INCR", self.key)] * count

    def _incremented(self, reply: Node) -> None:
        value = int(text(reply)) if reply.kind == b":" else 0
        with self.lock:
            if value <= self.floor or value in self.given:
                self.faults.append(f"not a new number: {reply}")
            self.given.add(value)
            self.highest = max(self.highest, value)


def run_round(loads: list[Load], port: int, requests: int, chooser: random.Random, stop: Callable[[], object]) -> None:
    """Let all workers of all loads run; after `requests` acknowledged requests, stop the server under them."""
    gate = Gate()
    threads = [
        threading.Thread(target=worker.run, args=(port, gate, chooser.getrandbits(32)), daemon=True)
        for load in loads
        for worker in load.workers()
    ]
    for thread in threads:
        thread.start()
    try:
        assert gate.wait_for(requests, 60), "the server does not answer"
        stop()
    finally:
        gate.closing = True
        for thread in threads:
            thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def _args(request: bytes) -> list[bytes]:
    """Take a request apart again."""
    return request.split(b"\r\n")[2::2]


def _some(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers)[:10])) + (" …" if len(numbers) > 10 else "")
