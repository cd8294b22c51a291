"""Read a declaration's syntax line into the arguments that COMMAND DOCS lists.

GET key                    words in lower case stand for values, others for themselves
[NX|XX]  [EX s | PX ms]    brackets: may be left out; `|`: one of these, tight between words, loose between groups
key [key ...]              `...`: what stands before it may be repeated
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

from spoold.core.reply import SetReply, Simple

Argument: TypeAlias = "dict[bytes, Any]"

_TOKENS: Final = re.compile(r"\[|\]|\.\.\.|[^\s\[\]]+")
_KEYS: Final = frozenset({"key", "key1", "key2", "newkey", "source", "destination", "destkey", "dstkey"})
_INTEGERS: Final = frozenset(
    {
        "count",
        "numkeys",
        "offset",
        "start",
        "stop",
        "end",
        "index",
        "index1",
        "index2",
        "db",
        "destination-db",
        "cursor",
    }
    | {"seconds", "milliseconds", "increment", "decrement", "rank", "num-matches", "len", "limit", "min-match-len"}
)


def arguments(syntax: str, words: int) -> list[Argument]:
    """The arguments behind the command's name.

    words: of which the name consists: 2 for a subcommand.
    returns: maps with name, type and what else holds, in order; the same shape inside `arguments` of a group.
    """
    reader = _Reader(_TOKENS.findall(syntax)[words:])
    return reader.group()


def usage(syntax: str) -> str:
    """A subcommand's syntax as HELP writes it: `ON | OFF [PREFIX prefix]` is `(ON|OFF) [PREFIX <prefix>]` there.

    syntax: what stands behind the container's name. cost: O(len(syntax)).
    """
    text = re.sub(r"\[([^\[\]]+) \[\1 \.\.\.\]\]", r"[\1 ...]", syntax)
    text = re.sub(r"(?<![^\s\[|])[a-z][a-z0-9:_-]*(?![^\s\]|])", r"<\g<0>>", text.replace(" | ", "|"))
    return re.sub(r"(?<= )[A-Z-]+(\|[A-Z-]+)+", lambda found: f"({found[0]})", text)


class _Reader:
    """Goes through the tokens once, from left to right."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0

    def group(self) -> list[Argument]:
        """Read up to the end, or to the bracket that closes the group."""
        alternatives: list[list[Argument]] = [[]]
        while self._at < len(self._words):
            word = self._words[self._at]
            self._at += 1
            match word:
                case "]":
                    break
                case "|":
                    alternatives.append([])
                case "...":
                    if alternatives[-1]:
                        _flag(alternatives[-1][-1], b"multiple")
                case "[":
                    self._optional(alternatives[-1])
                case _:
                    alternatives[-1].append(_word(word))
        folded = [_fold(items) for items in alternatives]
        if len(folded) == 1:
            return folded[0]
        return [_one_of([_single(items) for items in folded])]

    def _optional(self, before: list[Argument]) -> None:
        """Read a group in brackets; one that repeats what stands before it makes that repeatable instead."""
        items = self.group()
        repeats = bool(items) and b"multiple" in _flags(items[-1])
        names = [item[b"name"] for item in items]
        if repeats and names == [item[b"name"] for item in before[-len(names) :]]:
            tail = [dict(item) for item in before[-len(names) :]]
            del before[-len(names) :]
            repeated = _single(tail)
            _flag(repeated, b"multiple")
            before.append(repeated)
            return
        if items:
            item = _single(items)
            _flag(item, b"optional")
            before.append(item)


def _word(text: str) -> Argument:
    if "|" in text:
        return _one_of([_word(part) for part in text.split("|")])
    name = text.lower().encode()
    if text != text.lower() or not text[0].isalpha():
        return {b"name": name, b"type": b"pure-token", b"token": text.encode()}
    if text in _KEYS:
        return {b"name": name, b"type": b"key", b"key_spec_index": 0}
    if text in _INTEGERS:
        return {b"name": name, b"type": b"integer"}
    if text == "pattern":
        return {b"name": name, b"type": b"pattern"}
    return {b"name": name, b"type": b"string"}


def _fold(items: list[Argument]) -> list[Argument]:
    """Join a word that stands for itself with the one value behind it: `EX seconds`."""
    if len(items) == 2 and items[0][b"type"] == b"pure-token" and items[1][b"type"] in _VALUES:
        first, second = items
        return [{b"name": second[b"name"], b"type": second[b"type"], b"token": first[b"token"], **second}]
    return items


_VALUES: Final = frozenset({b"string", b"integer", b"pattern", b"key"})


def _single(items: list[Argument]) -> Argument:
    """One argument for a row of them."""
    if len(items) == 1:
        return items[0]
    return {b"name": b"-".join(item[b"name"] for item in items), b"type": b"block", b"arguments": items}


def _one_of(items: list[Argument]) -> Argument:
    return {b"name": b"-or-".join(item[b"name"] for item in items), b"type": b"oneof", b"arguments": items}


def _flags(item: Argument) -> list[bytes]:
    found = item.get(b"flags")
    return [] if found is None else [flag.text for flag in found.items]


def _flag(item: Argument, flag: bytes) -> None:
    item[b"flags"] = SetReply([Simple(name) for name in [*_flags(item), flag]])
