"""The hub against a plain model: who gets which message, in which order."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from spoold.command.peer import Peer
from spoold.core.patterns import compile_pattern
from spoold.pubsub.hub import Hub, Subscriptions

NAMES = st.sampled_from([b"a", b"b", b"ab", b"abc", b""])
PATTERNS = st.sampled_from([b"a", b"a*", b"*", b"?b", b"[ab]*", b"x"])
CLIENTS = st.integers(0, 3)


class Client:
    """Keeps what it is sent."""

    def __init__(self, number: int) -> None:
        self.peer = Peer(number, "", "", 0.0, protocol=2 + number % 2)
        self.subscriptions: Subscriptions | None = None
        self.got: list[bytes] = []
        self.settled = 0

    def push(self, data: bytes) -> None:
        self.got.append(data)

    def settle(self) -> None:
        self.settled += 1


def frame(client: Client, *words: bytes) -> bytes:
    mark = b"*" if client.peer.protocol == 2 else b">"
    return mark + b"%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class HubMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.hub = Hub()
        self.clients = [Client(number) for number in range(4)]
        # (kind, name) → clients in the order in which they came; the names in the order in which they appeared.
        self.model: dict[tuple[str, bytes], list[int]] = {}

    def _add(self, kind: str, name: bytes, who: int) -> None:
        listeners = self.model.setdefault((kind, name), [])
        if who not in listeners:
            listeners.append(who)

    def _remove(self, kind: str, name: bytes, who: int) -> None:
        listeners = self.model.get((kind, name), [])
        if who in listeners:
            listeners.remove(who)
        if not listeners:
            self.model.pop((kind, name), None)

    @rule(name=NAMES, who=CLIENTS)
    def subscribe(self, name: bytes, who: int) -> None:
        self.hub.subscribe(self.clients[who], name)
        self._add("channel", name, who)

    @rule(name=NAMES, who=CLIENTS)
    def subscribe_shard(self, name: bytes, who: int) -> None:
        self.hub.subscribe_shard(self.clients[who], name)
        self._add("shard", name, who)

    @rule(text=PATTERNS, who=CLIENTS)
    def subscribe_pattern(self, text: bytes, who: int) -> None:
        self.hub.subscribe_pattern(self.clients[who], text)
        self._add("pattern", text, who)

    @rule(name=NAMES, who=CLIENTS)
    def unsubscribe(self, name: bytes, who: int) -> None:
        self.hub.unsubscribe(self.clients[who], name)
        self._remove("channel", name, who)

    @rule(name=NAMES, who=CLIENTS)
    def unsubscribe_shard(self, name: bytes, who: int) -> None:
        self.hub.unsubscribe_shard(self.clients[who], name)
        self._remove("shard", name, who)

    @rule(text=PATTERNS, who=CLIENTS)
    def unsubscribe_pattern(self, text: bytes, who: int) -> None:
        self.hub.unsubscribe_pattern(self.clients[who], text)
        self._remove("pattern", text, who)

    @rule(who=CLIENTS)
    def forget(self, who: int) -> None:
        self.hub.forget(self.clients[who])
        for kind, name in list(self.model):
            self._remove(kind, name, who)

    @rule(name=NAMES)
    def publish(self, name: bytes) -> None:
        expected: list[list[bytes]] = [[] for _ in self.clients]
        for who in self.model.get(("channel", name), []):
            expected[who].append(frame(self.clients[who], b"message", name, b"text"))
        for (kind, text), listeners in self.model.items():
            if kind == "pattern" and compile_pattern(text)(name):
                for who in listeners:
                    expected[who].append(frame(self.clients[who], b"pmessage", text, name, b"text"))
        assert self.hub.publish(name, b"text") == sum(map(len, expected))
        self._got(expected)

    @rule(name=NAMES)
    def publish_shard(self, name: bytes) -> None:
        expected: list[list[bytes]] = [[] for _ in self.clients]
        for who in self.model.get(("shard", name), []):
            expected[who].append(frame(self.clients[who], b"smessage", name, b"text"))
        assert self.hub.publish_shard(name, b"text") == sum(map(len, expected))
        self._got(expected)

    def _got(self, expected: list[list[bytes]]) -> None:
        assert [client.got for client in self.clients] == expected
        for client in self.clients:
            client.got = []

    @invariant()
    def the_tables_hold_what_the_clients_do(self) -> None:
        for kind, table in (("channel", self.hub.channels), ("shard", self.hub.shards)):
            names = {name: [client.peer.id for client in listeners] for name, listeners in table.items()}
            assert names == {name: who for (a_kind, name), who in self.model.items() if a_kind == kind}
        for who, client in enumerate(self.clients):
            mine = client.subscriptions
            listens = any(who in listeners for listeners in self.model.values())
            assert (mine is not None) == listens
            assert mine is None or bool(mine)


TestHub = HubMachine.TestCase


def test_a_client_is_told_when_its_subscriptions_begin_and_end() -> None:
    hub, client = Hub(), Client(0)
    hub.subscribe(client, b"a")
    hub.subscribe(client, b"b")
    assert client.settled == 1
    hub.unsubscribe(client, b"a")
    assert client.settled == 1
    hub.unsubscribe(client, b"b")
    assert client.settled == 2


def test_what_is_sent_is_one_object_a_version_of_the_protocol() -> None:
    hub, clients = Hub(), [Client(number) for number in range(6)]
    for client in clients:
        hub.subscribe(client, b"a")
    hub.publish(b"a", b"x" * 1000)
    assert len({id(client.got[0]) for client in clients}) == 2
