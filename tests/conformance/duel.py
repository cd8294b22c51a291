"""Play the same steps to two servers and report every reply that is not the same."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.conformance.differences import STEERED, same
from tests.conformance.script import Step, join
from tests.conformance.wire import REPLY_TIMEOUT_S, Link, Node, NoReply, encode

POLL_TIMEOUT_S = 10.0
DUMPED_DATABASES = (0, 1, 2)

PARKED = Node(b"(waits)", b"")

# How the value of each type is read for comparing two stores; to add a type, add its line.
READERS: dict[bytes, tuple[bytes, ...]] = {
    b"string": (b"GET",),
    b"list": (b"LRANGE", b"0", b"-1"),
    b"set": (b"SMEMBERS",),
    b"hash": (b"HGETALL",),
    b"zset": (b"ZRANGE", b"0", b"-1", b"WITHSCORES"),
    b"stream": (b"XRANGE", b"-", b"+"),
}


@dataclass
class Side:
    """One of the two servers, with the connections of the example that is being played."""

    name: str
    port: int
    links: dict[str, Link] = field(default_factory=dict)
    ids: dict[str, bytes] = field(default_factory=dict)
    queued: dict[str, list[tuple[bytes, ...]]] = field(default_factory=dict)
    protocol: int = 2
    _observer: Link | None = None

    @property
    def observer(self) -> Link:
        """A connection of the tests themselves, in RESP2, that lives through all examples."""
        if self._observer is None:
            self._observer = Link(self.port)
        return self._observer

    def link(self, connection: str) -> Link:
        """Give a connection of the example, opened at its first use."""
        if connection not in self.links:
            link = self.links[connection] = Link(self.port, self.protocol)
            self.queued[connection] = []
            if connection != "a":  # only the others ever park
                self.ids[connection] = _text(link.call(b"CLIENT", b"ID"))
        return self.links[connection]

    def is_parked(self, connection: str) -> bool:
        """Tell whether a connection waits in a blocking command; false as soon as its reply has arrived."""
        link = self.link(connection)
        deadline_s = time.monotonic() + POLL_TIMEOUT_S
        while time.monotonic() < deadline_s:
            if link.has_reply():
                return False
            row = _text(self.observer.call(b"CLIENT", b"LIST", b"ID", self.ids[connection]))
            if re.search(rb" flags=\w*b", row):
                return True
        raise NoReply(f"connection {connection} is neither answered nor parked")

    def fresh(self, protocol: int) -> None:
        """Drop the connections of the last example, empty the store."""
        self.close()
        self.protocol = protocol
        flushed = self.observer.call(b"FLUSHALL")
        assert flushed.kind == b"+", f"{self.name}: FLUSHALL answered {flushed}"

    def close(self) -> None:
        """Close the connections of the example."""
        for link in self.links.values():
            link.close()
        self.links.clear()
        self.ids.clear()
        self.queued.clear()


class Silence(Exception):
    """A server does not answer any more; what differed is noted, the example is over."""


class Duel:
    """spoold and a real Redis, given the same requests."""

    def __init__(self, ours: Side, theirs: Side) -> None:
        self.ours = ours
        self.theirs = theirs
        self.transcript: list[str] = []
        self.mismatches: list[str] = []
        self.last: tuple[Node, Node] = (PARKED, PARKED)

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.ours, self.theirs

    @contextmanager
    def example(self, protocol: int = 2) -> Iterator[Duel]:
        """Play one example on fresh connections and empty stores; fail with all that differed."""
        self.transcript, self.mismatches = [], []
        for side in self.sides:
            side.fresh(protocol)
        try:
            yield self
            self.compare_stores()
        except Exception:
            if not self.mismatches:
                raise
        finally:
            for side in self.sides:
                side.close()
        if self.mismatches:
            log = "\n".join(self.transcript[-60:])
            raise AssertionError(f"RESP{protocol}\n" + "\n".join(self.mismatches) + f"\nafter:\n{log}")

    def play(self, step: Step) -> None:
        """Take one step on both sides and compare."""
        self.transcript.append(f"  {step.line or f'{step.connection}: {join(step.args)}'}")
        plays: dict[str, Callable[[Side, Step], Node]] = {
            "park": _park,
            "take": lambda side, step: side.link(step.connection).reply(),
            "waits": lambda side, step: Node(b":", b"%d" % side.is_parked(step.connection)),
            "until": _until,
            "scan": _scan,
            "close": _close,
        }
        if step.action == "call":
            self.call(step.connection, step.args)
            return
        ours, theirs = (_guarded(plays[step.action], side, step) for side in self.sides)
        compared_as = (b"SMEMBERS",) if step.action == "scan" else step.args
        self._compare(step.connection, compared_as, ours, theirs)

    def call(self, connection: str, args: Sequence[bytes]) -> Node:
        """Send one request to both and compare the replies."""
        ours = _guarded(_call, self.ours, connection, args)
        steer = STEERED.get(args[0].upper()) if args else None
        if steer and not self.ours.queued[connection] and ours.value != b"QUEUED":
            theirs = _guarded(steer, args, ours, self.theirs.link(connection))
        else:
            theirs = _guarded(_call, self.theirs, connection, args)
        self._compare(connection, args, ours, theirs)
        return ours

    def pipeline(self, connection: str, requests: Sequence[Sequence[bytes]]) -> None:
        """Send several requests in one piece to both, and compare the replies one by one."""
        data = b"".join(encode(*request) for request in requests)
        replies = []
        for side in self.sides:
            link = side.link(connection)
            link.send_raw(data)
            replies.append([_guarded(lambda link: link.reply(), link) for _ in requests])
        for request, ours, theirs in zip(requests, *replies, strict=True):
            self.transcript.append(f"  {connection}| {join(tuple(request))}")
            self._compare(connection, request, ours, theirs)

    def compare_stores(self) -> None:
        """Compare everything that both servers now hold, with expiry times."""
        ours, theirs = (dump(side.observer) for side in self.sides)
        for key in sorted(ours.keys() | theirs.keys()):
            mine, yours = ours.get(key), theirs.get(key)
            if mine is None or yours is None or mine[:2] != yours[:2] or abs(mine[2] - yours[2]) > 5_000:
                self.mismatches.append(
                    f"stores differ at database {key[0]}, key {key[1]!r}:\n{self._both(mine, yours)}"
                )

    def _compare(self, connection: str, args: Sequence[bytes], ours: Node, theirs: Node) -> None:
        self.last = ours, theirs
        queued = self.ours.queued.setdefault(connection, [])
        silent = b"(none)" in (ours.kind, theirs.kind)  # also if both are: a case must not pass by their silence
        if silent or not same(args, ours, theirs, queued):
            inside = f" (queued: {'; '.join(join(tuple(each)) for each in queued)})" if queued else ""
            asked = f"{len(self.transcript)}. {connection}: {join(tuple(args))}{inside}"
            self.mismatches.append(f"{asked}\n{self._both(ours, theirs)}")
        if silent:
            raise Silence  # waiting for more replies that never come helps nobody
        for side, reply in ((self.ours, ours), (self.theirs, theirs)):
            if reply == Node(b"+", b"QUEUED"):
                side.queued.setdefault(connection, []).append(tuple(args))
                continue
            ended = bool(args) and args[0].upper() in {b"EXEC", b"DISCARD", b"RESET", b"MULTI"} and reply.kind != b"-"
            if ended or (reply.value and reply.value[:9] == b"EXECABORT"):
                side.queued[connection] = []

    def _both(self, ours: object, theirs: object) -> str:
        return f"    {self.ours.name + ':':14} {ours}\n    {self.theirs.name + ':':14} {theirs}"


def dump(link: Link) -> dict[tuple[int, bytes], tuple[bytes, object, int]]:
    """Read a whole store: (database, key) → type, value, expiry in Unix milliseconds (-1 for none)."""
    found: dict[tuple[int, bytes], tuple[bytes, object, int]] = {}
    for database in DUMPED_DATABASES:
        link.call(b"SELECT", b"%d" % database)
        names = link.call(b"KEYS", b"*").value
        for name in names if isinstance(names, tuple) else ():
            key = name.value
            assert isinstance(key, bytes)
            kind = _text(link.call(b"TYPE", key))
            if kind not in READERS:
                continue
            command, *rest = READERS[kind]
            value = link.call(command, key, *rest).value
            if kind == b"zset" and isinstance(value, tuple):  # the sign of a zero: see `unsigned_zeros`
                value = tuple(
                    Node(b"$", b"0") if at % 2 and node.value == b"-0" else node for at, node in enumerate(value)
                )
            if kind in {b"set", b"hash"} and isinstance(value, tuple):
                value = tuple(sorted(value, key=repr))  # type: ignore[assignment]
            found[database, key] = kind, value, int(_text(link.call(b"PEXPIRETIME", key)))
    link.call(b"SELECT", b"0")
    return found


def _guarded(act: Callable[..., Node], *args: object) -> Node:
    """A side that fails to answer takes part with its failure as the reply."""
    try:
        return act(*args)
    except (NoReply, OSError) as error:
        return Node(b"(none)", str(error).encode())
    except ValueError as error:
        return Node(b"(broken)", str(error).encode())


def _call(side: Side, connection: str, args: Sequence[bytes]) -> Node:
    return side.link(connection).call(*args)


def _park(side: Side, step: Step) -> Node:
    side.link(step.connection).send(*step.args)
    return PARKED if side.is_parked(step.connection) else side.link(step.connection).reply()


def _close(side: Side, step: Step) -> Node:
    """Close a connection and wait until the server knows."""
    side.links.pop(step.connection).close()
    client_id = side.ids.pop(step.connection, None)
    deadline_s = time.monotonic() + POLL_TIMEOUT_S
    while client_id and _text(side.observer.call(b"CLIENT", b"LIST", b"ID", client_id)):
        if time.monotonic() > deadline_s:
            return Node(b"(none)", b"the closed connection is still listed")
    return Node(b"+", b"closed")


def _until(side: Side, step: Step) -> Node:
    expected = Node(step.expected[:1], step.expected[1:])
    deadline_s = time.monotonic() + POLL_TIMEOUT_S
    while (reply := side.link(step.connection).call(*step.args)) != expected:
        if time.monotonic() > deadline_s:
            return Node(b"(none)", b"still %b%b" % (reply.kind, repr(reply.value).encode()))
    return reply


def _scan(side: Side, step: Step) -> Node:
    """Follow a cursor to its end; what came more than once counts once, as Redis promises no more."""
    at = 1 if step.args[0].upper() == b"SCAN" else 2
    command, rest = step.args[:at], step.args[at:]
    cursor, found = b"0", set()
    deadline_s = time.monotonic() + REPLY_TIMEOUT_S
    while time.monotonic() < deadline_s:
        reply = side.link(step.connection).call(*command, cursor, *rest)
        if reply.kind != b"*" or not isinstance(reply.value, tuple) or len(reply.value) != 2:
            return reply
        cursor = _text(reply.value[0])
        page = reply.value[1].value
        found.update(page if isinstance(page, tuple) else ())
        if cursor == b"0":
            return Node(b"*", tuple(sorted(found, key=repr)))
    return Node(b"(none)", b"the cursor never came back to 0")


def _text(node: Node) -> bytes:
    return node.value if isinstance(node.value, bytes) else b""
