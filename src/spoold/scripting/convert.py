"""Replies as Lua values, and Lua values as replies: Redis's rules in both directions.

    reply             → Lua with RESP2                  with RESP3 (redis.setresp(3))
    integer             number                          number
    string              string                          string
    nothing             false                           nil
    list                table                           table
    status, error       {ok=…}, {err=…}                 the same
    map, pairs          flat table                      {map={…}}; pairs: table of tables
    set                 table                           {set={member=true …}}
    double              string                          {double=…}
    truth value         1, 0                            true, false
    text with a format  string                          {verbatim_string={string=…, format=…}}

The way back is prepared in Lua (sandbox.lua, `flatten`): a result arrives as a flat list of tokens, since reading a
table from outside costs a crossing for each item.

source: Redis's page on Lua scripting, data type conversion; tried with redis 7.0.15.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from spoold.core.errors import CommandError
from spoold.core.numerals import INT64_MIN, format_decimals, format_float
from spoold.core.reply import (
    NULL_ARRAY,
    OK,
    Attributed,
    BigNumber,
    Decimals,
    Keyed,
    Pairs,
    Push,
    SetReply,
    Simple,
    Verbatim,
)
from spoold.core.script_errors import ScriptError

Table = Callable[[Any], Any]

_INT64_EDGE: Final = 2.0**63


def integer(number: float) -> int:
    """A Lua number as an integer reply: what lies behind the point is dropped, what does not fit is the least one."""
    return int(number) if -_INT64_EDGE <= number < _INT64_EDGE else INT64_MIN


class ToLua:
    """Makes Lua values of replies.

    table: makes a Lua table of a list or dict. protocol: 2, or 3 after redis.setresp(3).
    """

    def __init__(self, table: Table) -> None:
        """table: the runtime's `table_from`."""
        self._table = table
        self.protocol = 2

    def value(self, reply: Any) -> Any:
        """The Lua value of a reply. cost: O(items), a table each level."""
        kind = type(reply)
        if kind is bytes or kind is int:
            return reply
        if reply is None or reply is NULL_ARRAY:
            return False if self.protocol == 2 else None
        if kind is list or kind is tuple:
            return self._list(reply)
        if isinstance(reply, Simple):
            return self._table({b"ok": reply.text})
        if isinstance(reply, CommandError):
            return self.error(reply)
        return self._rare(reply) if self.protocol == 2 else self._rare3(reply)

    def error(self, error: CommandError) -> Any:
        """The table of an error."""
        return self._table({b"err": error.message, b"ignore_error_stats_update": True})

    def _list(self, items: Sequence[Any]) -> Any:
        value = self.value
        return self._table(
            [item if item.__class__ is bytes or item.__class__ is int else value(item) for item in items]
        )

    def _rare(self, reply: Any) -> Any:
        if isinstance(reply, bool):
            return int(reply)
        if isinstance(reply, float):
            return format_decimals(reply) if isinstance(reply, Decimals) else format_float(reply)
        if isinstance(reply, dict):
            return self._list([part for pair in reply.items() for part in pair])
        if isinstance(reply, Pairs):
            return self._list([part for pair in reply.items for part in pair])
        if isinstance(reply, (SetReply, Push)):
            return self._list(reply.items)
        return reply.text if isinstance(reply, (Verbatim, BigNumber)) else self._plain(reply)

    def _rare3(self, reply: Any) -> Any:
        value = self.value
        if isinstance(reply, bool):
            return reply
        if isinstance(reply, float):
            return self._table({b"double": reply})
        if isinstance(reply, dict):
            return self._table({b"map": self._table({value(key): value(item) for key, item in reply.items()})})
        if isinstance(reply, Keyed):
            return self._table({b"map": self._table({value(key): value(item) for key, item in reply})})
        if isinstance(reply, Pairs):
            return self._list(reply.items)
        if isinstance(reply, SetReply):
            return self._table({b"set": self._table(dict.fromkeys(map(value, reply.items), True))})
        if isinstance(reply, Verbatim):
            text = self._table({b"string": reply.text, b"format": reply.format})
            return self._table({b"verbatim_string": text})
        if isinstance(reply, BigNumber):
            return self._table({b"big_number": reply.text})
        return self._plain(reply)

    def _plain(self, reply: Any) -> Any:
        if isinstance(reply, Attributed):
            return self.value(reply.reply)  # there is no place for what is said about it
        if isinstance(reply, (list, tuple)):
            return self._list(reply)
        if isinstance(reply, int):
            return int(reply)
        return bytes(reply)


def from_tokens(tokens: Sequence[Any]) -> Any:
    """The reply that a result's tokens stand for. cost: O(tokens)."""
    return _read(tokens, 0)[0]


def _read(tokens: Sequence[Any], at: int) -> tuple[Any, int]:
    token = tokens[at]
    if token is not True:
        if token is False:
            return None, at + 1
        return (token if token.__class__ is bytes else integer(token)), at + 1
    letter = tokens[at + 1]
    if letter == b"t":
        return True, at + 2
    if letter == b"f":
        return False, at + 2
    payload = tokens[at + 2]
    at += 3
    if letter == b"a":
        return _items(tokens, at, payload)
    if letter == b"e":
        return ScriptError(payload), at
    if letter == b"o":
        return status(payload), at
    if letter == b"s":
        members, at = _items(tokens, at, payload)
        return SetReply(members), at
    if letter == b"m":
        return _map(tokens, at, payload)
    if letter == b"v":
        return Verbatim(payload, tokens[at]), at + 1
    if letter == b"b":
        return BigNumber(one_line(payload)), at
    return float(payload), at


def _items(tokens: Sequence[Any], at: int, count: int) -> tuple[list[Any], int]:
    items = []
    for _ in range(count):
        item, at = _read(tokens, at)
        items.append(item)
    return items, at


def _map(tokens: Sequence[Any], at: int, count: int) -> tuple[dict[Any, Any], int]:
    made: dict[Any, Any] = {}
    for _ in range(count):
        key, at = _read(tokens, at)
        value, at = _read(tokens, at)
        if isinstance(key, (list, dict)):
            key = _ListKey(key if isinstance(key, list) else [part for pair in key.items() for part in pair])
        elif key in made:
            key = _IntKey(key)  # 1 and true are two keys in Lua
        made[key] = value
    return made, at


class _ListKey(list[Any]):
    """A list as the key of a map: equal to itself only."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__  # type: ignore[assignment]


class _IntKey(int):
    """A number as the key of a map that has it already."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__


def status(text: bytes) -> Simple:
    """A status line; the usual one is shared, which the hot path looks for."""
    return OK if text == b"OK" else Simple(one_line(text))


def one_line(text: bytes) -> bytes:
    """What stands on a line of its own must not hold line breaks: they become blanks."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ")
