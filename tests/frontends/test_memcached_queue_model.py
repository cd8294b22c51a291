"""The queue door against a plain model: several clients, both doors, time, connections that go, servers that end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from spoold.core.errors import WritesRefused
from support.queue_server import QueueClient, QueueServer
from support.reachable import assert_nothing_is_left_over

QUEUES = ["q", "r", "q+c"]
CLIENTS = 3
OPEN_ALREADY = "CLIENT_ERROR an item of this queue is open on this connection already"

queues = st.sampled_from(QUEUES)
clients = st.integers(0, CLIENTS - 1)


@dataclass(frozen=True)
class Item:
    """One item; rank as in leases, 0 = never handed out."""

    value: str
    flags: int = 0
    due_ms: int = 0
    rank: int = 0


@dataclass
class Waiting:
    """A client that waits: for which key, until when."""

    key: str
    queue: str
    until_ms: int


@dataclass
class ModelClient:
    """One connection of the model."""

    link: QueueClient
    open: dict[str, list[Item]] = field(default_factory=dict)
    waiting: Waiting | None = None


class QueueMachine(RuleBasedStateMachine):
    """Lists of items, who holds what, who waits."""

    def __init__(self) -> None:
        super().__init__()
        self.home = TemporaryDirectory()
        self.start()
        self.items: dict[str, list[Item]] = {name: [] for name in QUEUES}
        self.children: list[str] = []
        self.number = 0
        self.rank = 0

    def start(self) -> None:
        self.server = QueueServer(Path(self.home.name), "interval")
        self.redis = self.server.client()
        self.clients = [ModelClient(self.server.queue()) for _ in range(CLIENTS)]
        self.waiters: list[ModelClient] = []

    @property
    def now_ms(self) -> int:
        return self.server.clock.unix_ms()

    # -- the model ----------------------------------------------------------------------------------------------

    def mention(self, name: str) -> None:
        if name == "q+c" and name not in self.children:
            self.children.append(name)

    def head(self, name: str) -> Item | None:
        """The item that a taker would get; overdue ones before it are dropped."""
        items = self.items[name]
        while items and 0 < items[0].due_ms <= self.now_ms:
            items.pop(0)
        return items[0] if items else None

    def take(self, client: ModelClient, key: str, name: str) -> str | None:
        """The block that a read by `key` gives."""
        item = self.head(name)
        if item is None:
            return None
        if "/peek" not in key:
            self.items[name].pop(0)
        if "/open" in key:
            self.rank += 1
            client.open.setdefault(name, []).append(replace(item, rank=item.rank or self.rank))
        return f"VALUE {key} {item.flags} {len(item.value)} {item.value}"

    def put_back(self, name: str, item: Item) -> None:
        items = self.items[name]
        at = 0
        while at < len(items) and 0 < items[at].rank < item.rank:
            at += 1
        items.insert(at, item)

    def serve(self) -> None:
        """Whoever waits gets what is there, in the order in which they came; the answers are checked."""
        for client in list(self.waiters):
            waiting = client.waiting
            assert waiting is not None
            block = self.take(client, waiting.key, waiting.queue)
            if block is not None:
                self.waiters.remove(client)
                client.waiting = None
                assert _text(client.link.read()) == f"{block} END"

    def ask(self, client: ModelClient, line: str, value: str | None = None) -> str:
        assert client.waiting is None
        return client.link(line, value)

    # -- rules --------------------------------------------------------------------------------------------------

    @rule(
        number=clients,
        name=queues,
        flags=st.sampled_from([0, 0, 7]),
        exptime=st.sampled_from([0, 0, 0, 1, 2, -1]),
        only_new=st.booleans(),
        same=st.booleans(),
    )
    def store(self, number: int, name: str, flags: int, exptime: int, only_new: bool, same: bool) -> None:
        client = self.clients[number]
        if client.waiting is not None:
            return
        self.number += not same
        value = f"v{self.number}"
        due_ms = exptime * 1000 + self.now_ms if exptime > 0 else -exptime
        verb = "add" if only_new else "set"
        self.mention(name)
        waits = any(item.value == value and not 0 < item.due_ms <= self.now_ms for item in self.items[name])
        reply = self.ask(client, f"{verb} {name} {flags} {exptime} {len(value)}", value)
        if only_new and waits:
            assert reply == "NOT_STORED"
            return
        assert reply == "STORED"
        if exptime >= 0:
            for target in [name, *(self.children if name == "q" else [])]:
                self.items[target].append(Item(value, flags, due_ms))
        self.serve()

    @rule(
        number=clients,
        name=queues,
        options=st.sampled_from(["", "/peek", "/open", "/close", "/abort", "/close/open", "/t=0"]),
    )
    def read(self, number: int, name: str, options: str) -> None:
        client = self.clients[number]
        if client.waiting is not None:
            return
        key = name + options
        self.mention(name)
        held = client.open.get(name, [])
        if "/open" in options and len(held) > ("/close" in options):
            assert self.ask(client, f"get {key}") == OPEN_ALREADY
            return
        if "/close" in options and held:
            held.pop(0)
        if "/abort" in options and held:
            self.put_back(name, held.pop(0))
        reply = self.ask(client, f"get {key}")
        if options in ("/close", "/abort"):
            assert reply == "END"
        else:
            block = self.take(client, key, name)
            assert reply == ("END" if block is None else f"{block} END")
        self.serve()

    @rule(number=clients, name=queues, options=st.sampled_from(["", "/open", "/peek"]), ms=st.sampled_from([500, 3000]))
    def wait_for(self, number: int, name: str, options: str, ms: int) -> None:
        client = self.clients[number]
        if client.waiting is not None or ("/open" in options and client.open.get(name)):
            return
        self.mention(name)
        key = f"{name}/t={ms}{options}"
        reply = self.ask(client, f"get {key}")
        block = self.take(client, key, name)
        if block is not None:
            assert reply == f"{block} END"
            return
        assert reply == ""
        client.waiting = Waiting(key, name, self.now_ms + ms)
        self.waiters.append(client)

    @rule(number=clients, name=queues, most=st.integers(1, 3))
    def monitor(self, number: int, name: str, most: int) -> None:
        client = self.clients[number]
        if client.waiting is not None:
            return
        self.mention(name)
        blocks = []
        while len(blocks) < most:
            self.rank += 1
            item = self.head(name)
            if item is None:
                break
            self.items[name].pop(0)
            client.open.setdefault(name, []).append(replace(item, rank=item.rank or self.rank))
            blocks.append(f"VALUE {name} {item.flags} {len(item.value)} {item.value}")
        assert self.ask(client, f"monitor {name} 0 {most}") == " ".join([*blocks, "END"])

    @rule(number=clients, name=queues, count=st.integers(0, 3))
    def confirm(self, number: int, name: str, count: int) -> None:
        client = self.clients[number]
        if client.waiting is not None:
            return
        held = client.open.get(name, [])
        reply = self.ask(client, f"confirm {name} {count}")
        if count > len(held):
            assert reply.startswith("CLIENT_ERROR fewer")
        else:
            assert reply == "END"
            del held[:count]

    @rule(number=clients)
    def go(self, number: int) -> None:
        client = self.clients[number]
        if client in self.waiters:
            self.waiters.remove(client)
        self.clients[number] = ModelClient(self.server.queue())
        self.orphan(client.open)
        client.link.leave()
        self.server.settle()
        self.serve()

    def orphan(self, held: dict[str, list[Item]]) -> None:
        for name, items in held.items():
            for item in sorted(items, key=lambda item: item.rank, reverse=True):
                self.put_back(name, item)

    @rule(name=queues)
    def push(self, name: str) -> None:
        self.number += 1
        self.redis("RPUSH", name, f"v{self.number}")
        self.items[name].append(Item(f"v{self.number}"))
        self.serve()

    @rule(name=queues)
    def pop(self, name: str) -> None:
        reply = self.redis("LPOP", name)
        item = self.head(name)
        if item is None:
            assert reply is None
        else:
            assert reply == item.value.encode()
            self.items[name].pop(0)

    @rule(number=clients, name=queues)
    def flush(self, number: int, name: str) -> None:
        client = self.clients[number]
        if client.waiting is None:
            assert self.ask(client, f"flush {name}") == "END"
            self.items[name] = []

    @rule(number=clients, name=queues)
    def delete(self, number: int, name: str) -> None:
        client = self.clients[number]
        if client.waiting is not None:
            return
        held = [each.open.pop(name, []) for each in self.clients]
        known = self.items[name] or any(held) or name in self.children
        self.items[name] = []
        self.children = [child for child in self.children if child != name]
        assert self.ask(client, f"delete {name}") == ("DELETED" if known else "NOT_FOUND")

    @rule(ms=st.sampled_from([100, 500, 1000, 2500]))
    def wait(self, ms: int) -> None:
        self.server.advance_ms(ms)
        for client in list(self.waiters):
            waiting = client.waiting
            assert waiting is not None
            if waiting.until_ms <= self.now_ms:
                self.waiters.remove(client)
                client.waiting = None
                assert client.link.read() == b"END\r\n"
        for name in QUEUES:
            self.head(name)  # the duty has dropped what is overdue at the heads

    @rule()
    def crash(self) -> None:
        clock = self.server.clock
        self.server.commit.close(save=False)
        held: dict[str, list[Item]] = {}
        for client in self.clients:
            for name, items in client.open.items():
                held.setdefault(name, []).extend(items)
        now_ms = clock.unix_ms()
        self.start()
        self.server.clock.advance_ms(now_ms - self.now_ms)
        self.orphan(held)

    @rule(number=clients, name=queues, key=st.sampled_from(["", "/open", "/close/open", "/abort"]))
    def fail(self, number: int, name: str, key: str) -> None:
        """A turn that can't be made durable changes nothing, whatever was asked in it."""
        client = self.clients[number]
        if client.waiting is not None:
            return
        kept = self.server.commit.commit_turn
        self.server.commit.commit_turn = _refuse  # type: ignore[method-assign]
        client.link.feed(f"get {name}{key}\r\nset {name} 0 0 1\r\nx\r\n".encode())
        self.server.settle()
        self.server.commit.commit_turn = kept  # type: ignore[method-assign]
        assert b"SERVER_ERROR MISCONF" in client.link.read()

    @invariant()
    def the_same(self) -> None:
        for name in QUEUES:
            shown = self.redis("LRANGE", name, 0, -1)
            assert shown == [item.value.encode() for item in self.items[name]]
        for client in self.clients:
            assert client.link.taken == b""

    def teardown(self) -> None:
        for client in self.clients:
            client.link.leave()
        self.server.settle()
        assert not [key for key in self.server.state() if key[:1] == b"l"]
        assert_nothing_is_left_over(self.server)
        self.server.commit.close()
        self.home.cleanup()


def _text(data: bytes) -> str:
    return data.decode().removesuffix("\r\n").replace("\r\n", " ")


def _refuse() -> bool:
    raise WritesRefused("no space")


TestQueue = QueueMachine.TestCase
