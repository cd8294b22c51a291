"""Random sequences of memcached requests: spoold against a dict, and, where it is installed, a real memcached too.

A sequence is made of operations that do not know cas ids: each side fills in its own (`Side.cas`), and replies are
compared with ids replaced by how old they are. What differs by design stays out of the sequences: numbers that become
shorter (memcached pads them), `l` (memcached's is rough), malformed lines.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import missing_peer

from spoold.testing.memcached import RealMemcached, memcached_path
from spoold.testing.process import LOOPBACK
from support.memcached import Doorway
from support.memcached_model import Model
from support.room import Room

KEYS = (b"a", b"b", b"c")
CLASSIC = (b"set", b"add", b"replace", b"append", b"prepend", b"cas")
# Which cas id a request carries: what the key has, what it had before, one that no value has yet.
CURRENT, EARLIER, NONE = 0, 1, 2

keys = st.sampled_from(KEYS)
# Numbers that no few decrements make shorter, and what does not change that if it is added to them.
values = st.sampled_from([b"500", b"555", b"text", b"", b"END\r\nEND\r\n", b"x" * 300])
additions = st.sampled_from([b"777", b"x", b""])
flag_numbers = st.sampled_from([0, 1, 4294967295])
exptimes = st.sampled_from([0, 0, 1000, 5000, -1, 2592001])
deltas = st.sampled_from([1, 5])
cas_choices = st.sampled_from([CURRENT, CURRENT, EARLIER, NONE])


class Operation(NamedTuple):
    """One request. flags: of meta commands; `C` stands for the chosen cas id. numbers: those of classic verbs."""

    verb: bytes
    key: bytes
    value: bytes = b""
    numbers: tuple[int, ...] = ()
    flags: tuple[bytes, ...] = ()
    cas: int = CURRENT


def operation(
    verbs: Sequence[bytes],
    value: st.SearchStrategy[bytes] = st.just(b""),  # noqa: B008
    numbers: Sequence[st.SearchStrategy[int]] = (),
    flags: Sequence[st.SearchStrategy[bytes]] = (),
) -> st.SearchStrategy[Operation]:
    """Operations of one kind; of the flags some, in any order."""
    some = st.lists(st.one_of(*flags), max_size=5, unique_by=lambda flag: flag[:1]) if flags else st.just([])
    parts = (st.sampled_from(verbs), keys, value, st.tuples(*numbers), some.map(tuple), cas_choices)
    return st.tuples(*parts).map(lambda made: with_long_number(Operation(*made)))


def with_long_number(operation: Operation) -> Operation:
    """Let a number that `ma` creates be long enough for a few decrements."""
    letters = {flag[:1] for flag in operation.flags}
    if operation.verb == b"ma" and b"N" in letters and b"J" not in letters:
        return operation._replace(flags=(*operation.flags, b"J500"))
    return operation


times = exptimes.map(lambda seconds: b"T%d" % seconds)
ttls = st.sampled_from([b"0", b"1000", b"5000"])
give_back = st.sampled_from([b"k", b"Oabc", b"q", b"c"])
show = st.sampled_from([b"v", b"s", b"t", b"f", b"u", b"h"])
operations = st.one_of(
    operation([b"set", b"add", b"replace", b"cas"], values, [flag_numbers, exptimes]),
    operation([b"append", b"prepend"], additions, [flag_numbers, exptimes]),
    operation([b"get", b"gets", b"delete"]),
    operation([b"gat", b"gats", b"touch"], numbers=[exptimes]),
    operation([b"incr", b"decr"], numbers=[deltas]),
    operation([b"mg"], flags=[give_back, show, times, ttls.map(b"N".__add__), ttls.map(b"R".__add__)]),
    operation(
        [b"ms"],
        values,
        flags=[
            give_back,
            times,
            st.sampled_from([b"ME", b"MR", b"MS", b"C", b"I"]),
            flag_numbers.map(lambda n: b"F%d" % n),
        ],
    ),
    operation([b"ms"], additions, flags=[give_back, st.just(b"C"), st.sampled_from([b"MA", b"MP"])]),
    operation([b"md"], flags=[give_back, times, st.sampled_from([b"C", b"I"])]),
    operation(
        [b"ma"],
        flags=[
            *(
                give_back,
                st.sampled_from([b"v", b"t", b"C", b"D5", b"J500"]),
                st.sampled_from([b"MI", b"MD", b"M+", b"M-"]),
            ),
            *(times, ttls.map(b"N".__add__)),
        ],
    ),
)


@dataclass
class Side:
    """One of those compared: sends requests, and knows the cas ids that it was given.

    answer: takes the bytes of a request and gives those of the reply.
    """

    answer: Callable[[bytes], bytes]
    prefix: bytes = b""
    ids: dict[bytes, list[int]] = field(default_factory=dict)

    def run(self, operation: Operation) -> tuple[bytes, ...]:
        """The reply, and what the key is afterwards, with ids replaced by their age."""
        key = self.prefix + operation.key
        reply = self.answer(request(operation, key, self.cas(operation)))
        after = self.answer(b"gets %b\r\n" % key if operation.verb == b"mg" else b"mg %b s t f c v h u\r\n" % key)
        return self.aged(reply, key), self.aged(after, key)

    def cas(self, operation: Operation) -> int:
        """The id that stands for the operation's choice."""
        ids = self.ids.get(self.prefix + operation.key, [])
        if operation.cas == NONE or not ids:
            return 2**61
        return ids[-1] if operation.cas == CURRENT else ids[0]

    def aged(self, reply: bytes, key: bytes) -> bytes:
        """Replace the cas id by the number of ids that the key had before, times in steps of a hundred seconds."""
        ids = self.ids.setdefault(key, [])

        def age(match: re.Match[bytes]) -> bytes:
            cas = int(match[2])
            if cas and cas not in ids:
                ids.append(cas)
            return match[1] + (b"id %d" % ids.index(cas) if cas else b"id none")

        def rounded(match: re.Match[bytes]) -> bytes:
            seconds = int(match[1])
            # memcached's clock stands still for a second, and what is past wraps around.
            return b" t%d" % (0 if seconds > 2**31 else round(seconds, -2))

        head, line_end, rest = reply.partition(b"\r\n")
        if not head.startswith((b"VALUE", b"VA", b"HD", b"EX", b"NF", b"NS")):
            return reply.replace(key, b"KEY")
        head = re.sub(rb"(VALUE \S+ \d+ \d+ )(\d+)", age, head)
        head = re.sub(rb"( c)(\d+)", age, head)
        head = re.sub(rb" t(\d+)", rounded, head)
        return head.replace(key, b"KEY") + line_end + rest


def request(operation: Operation, key: bytes, cas: int) -> bytes:
    """The bytes of an operation."""
    verb, _, value, numbers, flags, _ = operation
    if verb in CLASSIC:
        last = b" %d" % cas if verb == b"cas" else b""
        return b"%b %b %d %d %d%b\r\n%b\r\n" % (verb, key, *numbers, len(value), last, value)
    if verb in {b"gat", b"gats"}:
        return b"%b %d %b\r\n" % (verb, numbers[0], key)
    if numbers:
        return b"%b %b %d\r\n" % (verb, key, numbers[0])
    words = [b"C%d" % cas if flag == b"C" else flag for flag in flags]
    if verb == b"ms":
        return b" ".join([verb, key, b"%d" % len(value), *words]) + b"\r\n" + value + b"\r\n"
    return b" ".join([verb, key, *words]) + b"\r\n"


def model_answer(model: Model, data: bytes) -> bytes:
    """What the model makes of a request's bytes."""
    line, _, rest = data.partition(b"\r\n")
    verb, *words = line.split(b" ")
    if verb in CLASSIC:
        key, flags, exptime, _, *cas = words
        return model.store(verb, key, rest[:-2], int(flags), int(exptime), int(cas[0]) if cas else 0)
    if verb in {b"get", b"gets"}:
        return model.get(words, with_cas=verb == b"gets")
    if verb in {b"gat", b"gats"}:
        return model.get(words[1:], int(words[0]), with_cas=verb == b"gats")
    if verb in {b"incr", b"decr"}:
        return model.count(words[0], int(words[1]), up=verb == b"incr")
    if verb == b"touch":
        return model.touch(words[0], int(words[1]))
    if verb == b"delete":
        return model.delete(words[0])
    if verb == b"ms":
        return model.ms(words[0], rest[:-2], words[2:])
    run: dict[bytes, Callable[[bytes, list[bytes]], bytes]] = {b"mg": model.mg, b"md": model.md, b"ma": model.ma}
    return run[verb](words[0], words[1:])


class Wire:
    """A connection to a real memcached that reads replies up to that of `mn`."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((LOOPBACK, port), 10)

    def __call__(self, data: bytes) -> bytes:
        self.socket.sendall(data + b"mn\r\n")
        reply = b""
        while not reply.endswith(b"MN\r\n"):
            piece = self.socket.recv(65536)
            assert piece, f"closed behind {reply!r}"
            reply += piece
        return reply.removesuffix(b"MN\r\n")


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    if memcached_path() is None:
        missing_peer("memcached", "apt-get install memcached")
    with RealMemcached() as server:
        wire = Wire(server.port)
        yield wire
        wire.socket.close()


sequences = st.lists(operations, max_size=30)
_prefixes = count()


def spoold_side(directory: str) -> tuple[Side, Room]:
    room = Room(Path(directory))
    return Side(Doorway(room).client()), room


@given(sequence=sequences)
def test_spoold_answers_as_the_model_does(sequence: list[Operation]) -> None:
    with TemporaryDirectory() as directory:
        side, room = spoold_side(directory)
        model = Model(room.clock.unix_ms() // 1000)
        other = Side(lambda data: model_answer(model, data))
        with room:
            for operation in sequence:
                assert side.run(operation) == other.run(operation)
            assert room("DBSIZE") == sum(model.item(key) is not None for key in KEYS)


@given(sequence=sequences)
def test_memcached_answers_as_the_model_does(wire: Wire, sequence: list[Operation]) -> None:
    model = Model(1_900_000_000)
    prefix = b"%d:" % next(_prefixes)
    side, other = Side(wire, prefix), Side(lambda data: model_answer(model, data), prefix)
    for operation in sequence:
        assert side.run(operation) == other.run(operation)
