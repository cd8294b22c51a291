"""The shapes a command may return; only a codec knows how they look on the wire.

| value            | meaning           | RESP2                 | RESP3             |
| ---------------- | ----------------- | --------------------- | ----------------- |
| int              | integer           | :n                    | :n                |
| bytes            | binary string     | $                     | $                 |
| None             | nothing           | $-1                   | _                 |
| NULL_ARRAY       | no array          | *-1                   | _                 |
| list, tuple      | array             | *                     | *                 |
| dict             | map               | * flat, key then value| %                 |
| SetReply         | set               | *                     | ~                 |
| Pairs            | array of pairs    | * flat                | * of *2           |
| Keyed            | map               | * of *2           | %                 |
| Entries          | array of entries  | * of *2           | * of *2           |
| float            | double            | $ shortest text       | ,                 |
| Decimals         | double            | $ its exact decimals  | , the same        |
| bool             | truth value       | :1 :0                 | #t #f             |
| Simple           | status line       | +                     | +                 |
| Verbatim         | text with a format| $                     | =                 |
| BigNumber        | integer, any size | $                     | (                 |
| Push             | out of band       | *                     | >                 |
| Pushes           | several of these  | * each                | > each            |
| Attributed       | a word about it   | the reply alone       | a map with a pipe |
| CommandError     | an error in place | -                     | -                 |
| NO_REPLY         | nothing is sent   |                       |                   |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from spoold.core.errors import CommandError


class Simple:
    """A status line such as OK; compared by identity on the hot path, so share instances."""

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        """text: one line, no CR or LF."""
        self.text = text

    def __repr__(self) -> str:
        return f"Simple({self.text!r})"


class Verbatim:
    """Text for people with a three-letter format, `txt` or `mkd`."""

    __slots__ = ("format", "text")

    def __init__(self, text: bytes, format_: bytes = b"txt") -> None:
        """format_: exactly three bytes."""
        self.text = text
        self.format = format_


class BigNumber:
    """An integer of any size, as text."""

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        """text: one line, no CR or LF."""
        self.text = text


class Decimals(float):
    """A double that is told with as many decimals as it has, up to 17, and never with an exponent: coordinates."""

    __slots__ = ()


class SetReply:
    """Unique values without an order that means anything."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Any]) -> None:
        """items: the members, in the order to send them."""
        self.items = items


class Pairs:
    """Members with their scores, fields with their values: flat in RESP2."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[tuple[Any, Any]]) -> None:
        """items: the pairs, in the order to send them."""
        self.items = items


class Keyed(list[Any]):
    """What was read of several keys: a list of [key, value] in RESP2, a map in RESP3. Its items are such pairs."""

    __slots__ = ()


class Entries(list[Any]):
    """Entries of streams: a list of [id, [field, value, ...]]; a shape of its own as it is written faster so."""

    __slots__ = ()


class Push:
    """Out-of-band data: pub/sub messages, MONITOR lines, invalidations."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Any]) -> None:
        """items: the kind of push first."""
        self.items = items


class Pushes:
    """Several pushes as the answer to one request (SUBSCRIBE); sent also to who asked for no replies."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Push]) -> None:
        """items: in the order to send them."""
        self.items = items


class Attributed:
    """A reply with a word about it in front, which RESP2 leaves out."""

    __slots__ = ("attributes", "reply")

    def __init__(self, attributes: dict[Any, Any], reply: Any) -> None:
        """attributes: what is said about `reply`."""
        self.attributes = attributes
        self.reply = reply


class Unasked(bytes):
    """Encoded: answers no request. What a turn that is rolled back would have told others is dropped."""


class Lasting(bytes):
    """Encoded: answers a request that has no part in the turn's outcome, so that it holds also if that is undone."""


class _Marker:
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


OK: Final = Simple(b"OK")
PONG: Final = Simple(b"PONG")
QUEUED: Final = Simple(b"QUEUED")
NULL_ARRAY: Final = _Marker("NULL_ARRAY")
NO_REPLY: Final = _Marker("NO_REPLY")

Reply: TypeAlias = (
    "int | bytes | None | float | bool | list[Any] | tuple[Any, ...] | dict[Any, Any] | Simple | Verbatim | SetReply"
    " | Attributed | BigNumber | Pairs | Push | Pushes | CommandError | _Marker"
)
