"""Bytes and replies as JSON, both ways: whatever a key or an item holds can be shown, and sent back as it was.

{"base64": "/wA=", "text": null, "size": 2, "cut": false}      what is shown; text where it is UTF-8
{"text": "hello"} or {"base64": "/wA="}                        what is taken
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any, Final

from spoold.console.pickles import NotAPickle, outline
from spoold.protocol.answers import Refusal

Json = dict[str, Any]

NAME_BYTES: Final = 4096
ITEM_BYTES: Final = 64 * 1024
# What a reply is cut to: parts, and bytes.
_MOST_PARTS: Final = 5000
_MOST_BYTES: Final = 1 << 20
_DEEPEST: Final = 32
# What text does not hold, though it would be UTF-8.
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")

_SHOWN: Final[Json] = {
    "base64": {"type": "string"},
    "text": {"type": ["string", "null"]},
    "size": {"type": "integer"},
    "cut": {"type": "boolean"},
}
BYTES: Final[Json] = {
    "type": "object",
    "required": list(_SHOWN),
    "properties": _SHOWN,
    "additionalProperties": False,
    "description": "Bytes: `text` where they are UTF-8, else null; `cut` where only the first are given.",
}
ITEM: Final[Json] = {
    **BYTES,
    "required": [*_SHOWN, "kind", "outline"],
    "properties": {
        **_SHOWN,
        "kind": {"type": "string", "enum": ["empty", "json", "text", "pickle", "zlib", "binary"]},
        "outline": {"type": ["string", "null"]},
    },
    "description": "As bytes, with what they seem to be; `outline` says what a pickle holds, or compressed bytes.",
}
VALUE: Final[Json] = {
    "description": "Bytes that are taken: as text (UTF-8), or as Base64.",
    "oneOf": [
        {
            "type": "object",
            "required": ["text"],
            "properties": {"text": {"type": "string"}},
            "additionalProperties": False,
        },
        {
            "type": "object",
            "required": ["base64"],
            "properties": {
                "base64": {
                    "type": "string",
                    "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
                }
            },
            "additionalProperties": False,
        },
    ],
}


def show(data: bytes, limit_bytes: int = NAME_BYTES) -> Json:
    """Bytes as `BYTES`. limit_bytes: what is longer is cut."""
    cut = len(data) > limit_bytes
    kept = data[:limit_bytes] if cut else data
    return {"base64": base64.b64encode(kept).decode(), "text": _text(kept, cut), "size": len(data), "cut": cut}


def show_item(data: bytes, limit_bytes: int = ITEM_BYTES) -> Json:
    """Bytes as `ITEM`. limit_bytes: what is longer is cut."""
    kind, explained = _explain(data, limit_bytes)
    return {**show(data, limit_bytes), "kind": kind, "outline": explained}


def take(value: Any) -> bytes:
    """The bytes of a `VALUE`. raises: ValueError."""
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError('expected {"text": …} or {"base64": …}')
    ((form, text),) = value.items()
    if form not in ("text", "base64") or not isinstance(text, str):
        raise ValueError('expected {"text": …} or {"base64": …}')
    try:
        return text.encode() if form == "text" else base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError as error:
        raise ValueError(f"{form} can't be read: {error}") from error


def show_reply(reply: Any) -> Json:
    """A reply of a command as a tree: type, value; `cut` where it was too large."""
    return _Tree().show(reply, 0)


class _Tree:
    def __init__(self) -> None:
        self._parts = _MOST_PARTS
        self._bytes = _MOST_BYTES

    def show(self, reply: Any, depth: int) -> Json:
        self._parts -= 1
        if reply is None:
            return {"type": "null"}
        if isinstance(reply, Refusal):
            return {"type": "error", "error": str(reply)}
        if isinstance(reply, int):
            return {"type": "integer", "integer": reply}
        if isinstance(reply, bytes):
            limit = max(min(self._bytes, ITEM_BYTES), 0)
            self._bytes -= min(len(reply), limit)
            return {"type": "bytes", "bytes": show(reply, limit)}
        items = []
        for item in reply:
            if self._parts <= 0 or self._bytes <= 0 or depth >= _DEEPEST:
                break
            items.append(self.show(item, depth + 1))
        return {"type": "array", "size": len(reply), "items": items}


def _text(data: bytes, cut: bool) -> str | None:
    for shorter in range(4 if cut else 1):  # a character may have been cut in two
        try:
            return data[: len(data) - shorter].decode()
        except UnicodeDecodeError:
            continue
    return None


def _explain(data: bytes, limit_bytes: int) -> tuple[str, str | None]:
    """(kind, outline) of an item."""
    if not data:
        return "empty", None
    if data[:1] == b"\x80" and len(data) > 1 and data[1] <= 5:
        try:
            return "pickle", outline(data[: limit_bytes * 4])
        except NotAPickle:
            return "binary", None
    if data[:1] == b"\x78" and len(data) > 2 and (data[0] * 256 + data[1]) % 31 == 0:
        inside = _inflated(data, limit_bytes)
        if inside is not None:
            kind, explained = _explain_plain(inside)
            return "zlib", explained if kind == "pickle" else _text(inside, True)
    return _explain_plain(data)


def _explain_plain(data: bytes) -> tuple[str, str | None]:
    if data[:1] == b"\x80":
        try:
            return "pickle", outline(data)
        except NotAPickle:
            return "binary", None
    text = _text(data, False)
    if text is None or _CONTROLS.search(data):
        return "binary", None
    if text[0] in '{["' and len(data) <= ITEM_BYTES:
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return "text", None
        return "json", None
    return "text", None


def _inflated(data: bytes, limit_bytes: int) -> bytes | None:
    """What is compressed in `data`, up to a limit: a few bytes may stand for gigabytes."""
    try:
        return zlib.decompressobj().decompress(data[:limit_bytes], limit_bytes)
    except zlib.error:
        return None
