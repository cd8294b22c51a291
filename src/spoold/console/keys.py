"""Keys of any type."""

from __future__ import annotations

from typing import Any, Final

from spoold.console.endpoint import (
    DB,
    INTEGER,
    KEY,
    MAYBE_INTEGER,
    MAYBE_TEXT,
    SHOWN,
    TEXT,
    Call,
    Field,
    endpoint,
    rows,
    table,
)
from spoold.console.shapes import Json, show

_TYPES: Final = ("string", "list", "set", "zset", "hash", "stream", "schedule")
_LENGTHS: Final = {
    b"string": b"STRLEN",
    b"list": b"LLEN",
    b"set": b"SCARD",
    b"zset": b"ZCARD",
    b"hash": b"HLEN",
    b"stream": b"XLEN",
}
_KEY: Final = table(name=SHOWN, type=TEXT, length=MAYBE_INTEGER, ttl_ms=MAYBE_INTEGER)
# A page goes on until it has found what was asked for, but looks at no more names than that.
_MOST_LOOKED: Final = 20_000


@endpoint(
    "GET",
    "/keys",
    DB,
    Field("match", "bytes", "Glob pattern that names must match.", b"*"),
    Field("type", "text", "Only keys of this type.", None, choices=_TYPES),
    Field("cursor", "text", "Where the last page ended; 0 to begin.", "0", 1, 20),
    Field("count", "integer", "How many a page, roughly.", 100, 1, 1000),
    returns=table(keys=rows(_KEY), cursor=TEXT, total=INTEGER),
)
async def list_keys(call: Call) -> Json:
    """Lists keys in pages; the last page has the cursor 0. `total` is of the database."""
    _, total = await call.client.run((b"SELECT", b"%d" % call["db"]), (b"DBSIZE",))
    narrowed = () if call["type"] is None else ("TYPE", call["type"])
    names: list[bytes] = []
    cursor: Any = call["cursor"]
    step = max(call["count"], 100)
    for _ in range(0, _MOST_LOOKED, step):
        cursor, page = await call.client.ask("SCAN", cursor, "MATCH", call["match"], "COUNT", step, *narrowed)
        names += page
        if cursor == b"0" or len(names) >= call["count"]:
            break
    kinds = await call.client.run(*[(b"TYPE", name) for name in names]) if names else []
    told = await call.client.run(
        *[words for name, kind in zip(names, kinds, strict=True) for words in _asked(name, kind)]
    )
    pairs = zip(told[::2], told[1::2], strict=True)
    listed = [_row(name, kind, *pair) for name, kind, pair in zip(names, kinds, pairs, strict=True)]
    return {"keys": listed, "cursor": cursor.decode(), "total": total}


@endpoint(
    "GET",
    "/key",
    DB,
    KEY,
    returns=table(
        name=SHOWN,
        type=TEXT,
        length=MAYBE_INTEGER,
        ttl_ms=MAYBE_INTEGER,
        encoding=MAYBE_TEXT,
        memory_bytes=MAYBE_INTEGER,
    ),
)
async def key(call: Call) -> Json:
    """Tells of one key; type `none` if there is none."""
    await call.client.ask("SELECT", call["db"])
    name = call["key"]
    kind = await call.client.ask("TYPE", name)
    length, ttl_ms, encoding, used = await call.client.run(
        *_asked(name, kind), (b"OBJECT", b"ENCODING", name), (b"MEMORY", b"USAGE", name)
    )
    return {
        **_row(name, kind, length, ttl_ms),
        "encoding": encoding.decode() if isinstance(encoding, bytes) else None,
        "memory_bytes": used if isinstance(used, int) else None,
    }


@endpoint("POST", "/key/delete", DB, KEY, returns=table(deleted=INTEGER))
async def delete_key(call: Call) -> Json:
    """Deletes a key and all it holds."""
    await call.client.ask("SELECT", call["db"])
    return {"deleted": await call.client.ask("UNLINK", call["key"])}


def _asked(name: bytes, kind: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """The requests that tell of a key of a type; always two, so that replies can be paired."""
    return (_LENGTHS.get(kind, b"EXISTS"), name), (b"PTTL", name)


def _row(name: bytes, kind: bytes, length: Any, ttl_ms: Any) -> Json:
    return {
        "name": show(name),
        "type": kind.decode(),
        "length": length if isinstance(length, int) and kind in _LENGTHS else None,
        "ttl_ms": ttl_ms if isinstance(ttl_ms, int) and ttl_ms >= 0 else None,
    }
