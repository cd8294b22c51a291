"""Keys as they go from one server to another: read with the commands of their type, written with those.

No RDB payload is involved, so versions do not matter, a collection larger than memory goes in pieces, and what a server
does not know is one clear refusal. Small keys are read many at a time, in as few round trips as there are steps.

    read    `describe` (type, expiry, size), then `read_small` for many keys, or `read_large` for one, piece by piece
    write   `writing`: the commands that make a piece; `streams.stream_commands`: what only a stream has

To add a type: its size command in `_SIZES`, and a line each in `_WHOLE`, `_PIECES` and `_WRITING`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from spoold.client.errors import CommandError
from spoold.operations.asks import Asks, Command, read_all
from spoold.operations.streams import StreamState, read_states

# A key with up to so many elements, or bytes of a string, is read whole together with others.
SMALL_ELEMENTS: Final = 1000
SMALL_BYTES: Final = 256 * 1024
# Elements, and bytes of strings, that one round trip may ask for.
_ROUND_ELEMENTS: Final = 20_000
_ROUND_BYTES: Final = 8 * 1024 * 1024
_PIECE: Final = 1000

Parts = list[Any]


@dataclass(frozen=True)
class Key:
    """What is known of a key before its value is read.

    kind: as TYPE has it. expires_ms: Unix ms, 0 = never. size: elements, or bytes of a string.
    """

    name: bytes
    kind: bytes
    expires_ms: int
    size: int

    @property
    def is_small(self) -> bool:
        """Whether it is read whole together with others."""
        return self.size <= (SMALL_BYTES if self.kind == b"string" else SMALL_ELEMENTS)


_SIZES: Final = {
    b"string": "STRLEN",
    b"list": "LLEN",
    b"set": "SCARD",
    b"hash": "HLEN",
    b"zset": "ZCARD",
    b"stream": "XLEN",
}
KNOWN: Final = frozenset(_SIZES)


class Reader:
    """Reads keys of one database of a server.

    now_ms: gives Unix ms; servers before Redis 7.0 tell how long a key has to live, and not until when.
    """

    def __init__(self, server: Asks, now_ms: Callable[[], int]) -> None:
        """raises: CommandError."""
        self._server = server
        self._now_ms = now_ms
        try:
            server.call("PEXPIRETIME", "x", repeat=True)
            self._tells_when = True
        except CommandError:
            self._tells_when = False

    def describe(self, names: Sequence[bytes]) -> list[Key]:
        """What is known of keys; those that do not exist (any more) are left out. cost: two round trips."""
        asked: list[Command] = []
        for name in names:
            asked += (("TYPE", name), ("PEXPIRETIME" if self._tells_when else "PTTL", name))
        before_ms = self._now_ms()
        replies = self._server.run(asked, repeat=True) if asked else []
        there = []
        for name, kind, when in zip(names, replies[::2], replies[1::2], strict=True):
            if kind != b"none" and when != -2:
                there.append((name, kind, 0 if when < 0 else when if self._tells_when else before_ms + when))
        sized: list[Command] = [(_SIZES.get(kind, "EXISTS"), name) for name, kind, _ in there]
        sizes = read_all(self._server, sized)
        return [
            Key(*known, size)
            for known, size in zip(there, sizes, strict=True)
            if size is not None and (size or known[1] in {b"stream", b"string"})
        ]

    def read_small(self, keys: Sequence[Key]) -> Iterator[tuple[Key, Parts]]:
        """Keys that are small, with their values; one that is gone, or of another type by now, is left out."""
        for some in _rounds(keys):
            replies = read_all(self._server, [_WHOLE[key.kind](key.name) for key in some])
            for key, reply in zip(some, replies, strict=True):
                if reply or (reply is not None and key.kind in {b"string", b"stream"}):
                    yield key, _parts(key.kind, reply)

    def read_large(self, key: Key) -> Iterator[Parts]:
        """The value of one key of any size, in pieces."""
        return _PIECES[key.kind](self._server, key)

    def stream_states(self, keys: Sequence[Key]) -> dict[bytes, StreamState]:
        """What those of the keys that are streams have besides their entries, by name; those that are gone left out.

        cost: O(groups, consumers, pending entries); a few round trips for many streams.
        """
        return read_states(self._server, [key.name for key in keys if key.kind == b"stream"])

    def digests_of_small(self, keys: Sequence[Key]) -> Iterator[tuple[Key, bytes]]:
        """Keys that are small, with the digests of their values; those that are gone are left out."""
        states = self.stream_states(keys)
        for key, parts in self.read_small(keys):
            if key.kind != b"stream" or key.name in states:
                yield key, _digest(key, iter([parts]), states.get(key.name))

    def digest_of_large(self, key: Key) -> bytes:
        """A digest of a value of any size, the same for the same value on another server."""
        return _digest(key, self.read_large(key), self.stream_states([key]).get(key.name))


# -- reading ----------------------------------------------------------------------------------------------------------

_WHOLE: Final[dict[bytes, Callable[[bytes], Command]]] = {
    b"string": lambda name: ("GET", name),
    b"list": lambda name: ("LRANGE", name, 0, -1),
    b"set": lambda name: ("SMEMBERS", name),
    b"hash": lambda name: ("HGETALL", name),
    b"zset": lambda name: ("ZRANGE", name, 0, -1, "WITHSCORES"),
    b"stream": lambda name: ("XRANGE", name, "-", "+"),
}


def _parts(kind: bytes, reply: Any) -> Parts:
    if kind == b"string":
        return [reply]
    if kind in {b"hash", b"zset"}:
        return list(zip(reply[::2], reply[1::2], strict=True))
    return list(reply)


def _pieces_of_string(server: Asks, key: Key) -> Iterator[Parts]:
    """In one command, so that it is of one moment."""
    value = server.call("GET", key.name, repeat=True)
    if value is not None:
        yield [value]


def _pieces_of_list(server: Asks, key: Key) -> Iterator[Parts]:
    start = 0
    while found := server.call("LRANGE", key.name, start, start + _PIECE - 1, repeat=True):
        yield found
        start += len(found)


def _pieces_by_scan(command: str) -> Callable[[Asks, Key], Iterator[Parts]]:
    def pieces(server: Asks, key: Key) -> Iterator[Parts]:
        cursor = b"0"
        while True:
            cursor, found = server.call(command, key.name, cursor, "COUNT", _PIECE, repeat=True)
            if found:
                yield _parts(key.kind, found)
            if cursor == b"0":
                return

    return pieces


def _pieces_of_stream(server: Asks, key: Key) -> Iterator[Parts]:
    start = b"-"
    while found := server.call("XRANGE", key.name, start, "+", "COUNT", _PIECE, repeat=True):
        yield found
        ms, _, sequence = found[-1][0].partition(b"-")
        last = int(sequence) == (1 << 64) - 1
        start = b"%d-0" % (int(ms) + 1) if last else b"%s-%d" % (ms, int(sequence) + 1)


_PIECES: Final[dict[bytes, Callable[[Asks, Key], Iterator[Parts]]]] = {
    b"string": _pieces_of_string,
    b"list": _pieces_of_list,
    b"set": _pieces_by_scan("SSCAN"),
    b"hash": _pieces_by_scan("HSCAN"),
    b"zset": _pieces_by_scan("ZSCAN"),
    b"stream": _pieces_of_stream,
}


def _rounds(keys: Sequence[Key]) -> Iterator[list[Key]]:
    """Keys whose values can be asked for in one round trip."""
    some: list[Key] = []
    elements = size = 0
    for key in keys:
        some.append(key)
        elements += 1 if key.kind == b"string" else key.size
        size += key.size if key.kind == b"string" else 0
        if elements >= _ROUND_ELEMENTS or size >= _ROUND_BYTES:
            yield some
            some, elements, size = [], 0, 0
    if some:
        yield some


# -- writing ----------------------------------------------------------------------------------------------------------


def writing(key: Key, parts: Parts) -> Iterator[Command]:
    """The commands that add a piece of a value to a key."""
    yield from _WRITING[key.kind](key.name, parts)


_WRITING: Final[dict[bytes, Callable[[bytes, Parts], Iterator[Command]]]] = {
    b"string": lambda name, parts: iter([("SET", name, parts[0])]),
    b"list": lambda name, parts: iter([("RPUSH", name, *parts)]),
    b"set": lambda name, parts: iter([("SADD", name, *parts)]),
    b"hash": lambda name, parts: iter([("HSET", name, *(word for pair in parts for word in pair))]),
    b"zset": lambda name, parts: iter([("ZADD", name, *(word for member, score in parts for word in (score, member)))]),
    b"stream": lambda name, parts: (("XADD", name, id_, *fields) for id_, fields in parts),
}


class _Digest:
    """Of parts in their order, or in any."""

    def __init__(self, *, ordered: bool) -> None:
        self._ordered = ordered
        self._hash = hashlib.blake2b(digest_size=16)
        self._sum = 0

    def add(self, kind: bytes, parts: Parts) -> None:
        """Take further parts."""
        for part in parts:
            data = repr((part[0], float(part[1])) if kind == b"zset" else part).encode()
            if self._ordered:
                self._hash.update(b"%d:" % len(data) + data)
            else:
                self._sum += int.from_bytes(hashlib.blake2b(data, digest_size=16).digest(), "big")

    def value(self) -> bytes:
        """The digest."""
        return self._hash.digest() if self._ordered else (self._sum % (1 << 128)).to_bytes(16, "big")


def _digest(key: Key, pieces: Iterator[Parts], state: StreamState | None) -> bytes:
    found = _Digest(ordered=key.kind in {b"string", b"list", b"stream"})
    for parts in pieces:
        found.add(key.kind, parts)
    if state is not None:
        found.add(b"state", state.facts())
    return found.value()
