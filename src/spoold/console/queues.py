"""Queues: lists, sets, sorted sets, streams and schedules, and what people do with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from spoold.console.census import Queue
from spoold.console.endpoint import (
    DB,
    INTEGER,
    KEY,
    MAYBE_INTEGER,
    MAYBE_TEXT,
    SHOWN,
    SHOWN_ITEM,
    TEXT,
    TRUTH,
    Call,
    Field,
    Problem,
    endpoint,
    rows,
    table,
)
from spoold.console.shapes import Json, show, show_item
from spoold.protocol.answers import Refusal

# Names that one request looks at.
MOST_KEYS: Final = 50_000
_PAGE_KEYS: Final = 1000
# If the first item is larger, it is shown alone: nobody reads a hundred of those.
_LARGE_ITEM_BYTES: Final = 1 << 20

_QUEUE: Final = table(
    db=INTEGER,
    name=SHOWN,
    type=TEXT,
    length=INTEGER,
    waiting=INTEGER,
    leases=INTEGER,
    added=MAYBE_INTEGER,
    taken=MAYBE_INTEGER,
    oldest_ms=MAYBE_INTEGER,
)
_SORTS: Final[dict[str, Callable[[Queue], Any]]] = {
    "name": lambda queue: queue.name,
    "type": lambda queue: (queue.type, queue.name),
    "length": lambda queue: queue.length,
    "waiting": lambda queue: queue.waiting,
    "leases": lambda queue: queue.leases,
    # The oldest item first means the smallest moment; what has none comes last.
    "age": lambda queue: -(queue.oldest_ms or 1 << 62),
}


@endpoint(
    "GET",
    "/queues",
    DB,
    Field("match", "bytes", "Glob pattern that names must match.", b"*"),
    Field("type", "text", "Only queues of this type.", None, choices=("list", "set", "zset", "stream", "schedule")),
    Field("sort", "text", "What to sort by.", "length", choices=tuple(_SORTS)),
    Field("order", "text", "Largest or smallest first.", "down", choices=("up", "down")),
    Field("offset", "integer", "Leave out so many.", 0, 0, MOST_KEYS),
    Field("count", "integer", "Give at most so many.", 100, 1, 1000),
    returns=table(queues=rows(_QUEUE), total=INTEGER, complete=TRUTH),
)
async def list_queues(call: Call) -> Json:
    """Lists queues: what they hold, who waits, what was added and taken.

    `complete` is false if there are so many keys that not all were looked at: `match` narrows the search.
    """
    await call.client.ask("SELECT", call["db"])
    cursor, found, looked = b"0", [], 0
    while looked < MOST_KEYS:
        words = ("SPOOLD", "QUEUES", cursor, "COUNT", _PAGE_KEYS, "MATCH", call["match"])
        cursor, page = await call.client.ask(*words)
        looked += _PAGE_KEYS
        found += [Queue.of(call["db"], flat) for flat in page]
        if cursor == b"0":
            break
    if call["type"] is not None:
        found = [queue for queue in found if queue.type == call["type"]]
    found.sort(key=lambda queue: queue.name)
    found.sort(key=_SORTS[call["sort"]], reverse=call["order"] == "down")
    start = call["offset"]
    shown = [_shown(queue) for queue in found[start : start + call["count"]]]
    return {"queues": shown, "total": len(found), "complete": cursor == b"0"}


@endpoint(
    "GET",
    "/queue",
    DB,
    KEY,
    returns=table(**_QUEUE["properties"], ttl_ms=MAYBE_INTEGER, encoding=MAYBE_TEXT),
)
async def queue(call: Call) -> Json:
    """Tells of one queue; one that does not exist, but may be waited for, is of type `none`."""
    await call.client.ask("SELECT", call["db"])
    name = call["key"]
    flat, ttl_ms, encoding, kind = await call.client.run(
        (b"SPOOLD", b"QUEUE", name), (b"PTTL", name), (b"OBJECT", b"ENCODING", name), (b"TYPE", name)
    )
    found = Queue.of(call["db"], _checked([flat])[0])
    shown = _shown(found)
    if found.type == "none":
        shown["type"] = kind.decode() if isinstance(kind, bytes) else "none"
    shown["ttl_ms"] = ttl_ms if isinstance(ttl_ms, int) and ttl_ms >= 0 else None
    shown["encoding"] = encoding.decode() if isinstance(encoding, bytes) else None
    return shown


@endpoint(
    "GET",
    "/queue/items",
    DB,
    KEY,
    Field("count", "integer", "How many at most.", 20, 1, 100),
    returns=table(type=TEXT, length=INTEGER, items=rows(rows(SHOWN_ITEM))),
)
async def peek(call: Call) -> Json:
    """Shows the items that would be taken next, without taking them.

    For each its parts: the item; of a sorted set the member and its score; of a hash the field and its value; of a
    stream the id, then fields and values; of a schedule the moment in µs since 1970, then the item.
    """
    await call.client.ask("SELECT", call["db"])
    name = call["key"]
    kind = (await call.client.ask("TYPE", name)).decode()
    if kind == "string":
        length, start = await call.client.run((b"STRLEN", name), (b"GETRANGE", name, b"0", b"65535"))
        item = {**show_item(start), "size": length, "cut": length > len(start)}
        return {"type": kind, "length": length, "items": [[item]]}
    items = await call.client.ask("SPOOLD", "PEEK", name, 1)
    if call["count"] > 1 and sum(_size(part) for item in items for part in item) < _LARGE_ITEM_BYTES:
        items = await call.client.ask("SPOOLD", "PEEK", name, call["count"])
    length = await _length(call, name, kind)
    return {"type": kind, "length": length, "items": [[show_item(_bytes(part)) for part in item] for item in items]}


@endpoint(
    "POST",
    "/queue/push",
    DB,
    KEY,
    Field("items", "values", "What to add.", high=1000),
    Field("type", "text", "Type of a queue that does not exist yet.", "list", choices=("list", "set", "zset")),
    Field("end", "text", "Of a list: to be taken last, or first.", "tail", choices=("tail", "head")),
    Field("score", "number", "Of a sorted set: the score of the items.", 0),
    returns=table(type=TEXT, length=INTEGER),
)
async def push(call: Call) -> Json:
    """Adds items to a queue; to a set those that it does not hold yet."""
    await call.client.ask("SELECT", call["db"])
    name = call["key"]
    kind = (await call.client.ask("TYPE", name)).decode()
    kind = call["type"] if kind == "none" else kind
    if kind == "list":
        await call.client.ask("LPUSH" if call["end"] == "head" else "RPUSH", name, *call["items"])
    elif kind == "set":
        await call.client.ask("SADD", name, *call["items"])
    elif kind == "zset":
        score = repr(float(call["score"]))
        await call.client.ask("ZADD", name, *[word for item in call["items"] for word in (score, item)])
    else:
        raise Problem(409, "wrong-type", f"the key holds a {kind}: items can be added to lists, sets and sorted sets")
    return {"type": kind, "length": await _length(call, name, kind)}


@endpoint(
    "POST",
    "/queue/move",
    DB,
    Field("key", "bytes", "Where to take items."),
    Field("to", "bytes", "Where to put them."),
    Field("count", "integer", "How many at most.", 1000, 1, 1000),
    returns=table(moved=INTEGER, left=INTEGER),
)
async def move(call: Call) -> Json:
    """Moves items from one queue to the end of another of the same type.

    They keep their order, and each is in one of the two at any time.
    """
    await call.client.ask("SELECT", call["db"])
    name, target, count = call["key"], call["to"], call["count"]
    if name == target:
        raise Problem(409, "same-queue", "a queue can't be moved to itself")
    kind = (await call.client.ask("TYPE", name)).decode()
    if kind == "none":
        return {"moved": 0, "left": 0}
    if kind == "list":
        count = min(count, await _length(call, name, kind))
        replies = await call.client.run(*[(b"LMOVE", name, target, b"LEFT", b"RIGHT")] * max(count, 1))
        moved = [reply for reply in _checked(replies) if reply is not None]
    elif kind == "set":
        members = [item[0] for item in await call.client.ask("SPOOLD", "PEEK", name, count)]
        replies = await call.client.run(*[(b"SMOVE", name, target, member) for member in members])
        moved = [reply for reply in _checked(replies) if reply]
    elif kind == "zset":
        moved = await _move_scored(call, name, target, count)
    else:
        raise Problem(409, "wrong-type", f"the key holds a {kind}: items of lists, sets and sorted sets can be moved")
    return {"moved": len(moved), "left": await _length(call, name, kind)}


@endpoint("POST", "/queue/purge", DB, KEY, returns=table(deleted=INTEGER))
async def purge(call: Call) -> Json:
    """Deletes a key and all it holds, whatever its type."""
    await call.client.ask("SELECT", call["db"])
    return {"deleted": await call.client.ask("UNLINK", call["key"])}


async def _move_scored(call: Call, name: bytes, target: bytes, count: int) -> list[Any]:
    """Members with their scores, all or none; again if someone else changed the queue meanwhile."""
    while True:
        await call.client.ask("WATCH", name)
        pairs = await call.client.ask("SPOOLD", "PEEK", name, count)
        if not pairs:
            return []
        add = [word for member, score in pairs for word in (score, member)]
        replies = await call.client.run(
            (b"MULTI",),
            (b"ZADD", target, *add),
            (b"ZREM", name, *[member for member, _ in pairs]),
            (b"EXEC",),
        )
        done = _checked(replies)[-1]
        if done is not None:
            _checked(done)
            return list(pairs)


def _checked(replies: list[Any]) -> list[Any]:
    """raises: Problem: one of them is an error."""
    for reply in replies:
        if reply.__class__ is Refusal:
            raise Problem(409, reply.partition(" ")[0].lower(), str(reply))
    return replies


async def _length(call: Call, name: bytes, kind: str) -> int:
    words = {"list": "LLEN", "set": "SCARD", "zset": "ZCARD", "stream": "XLEN", "hash": "HLEN", "string": "STRLEN"}
    if kind not in words:
        return 0
    length: int = await call.client.ask(words[kind], name)
    return length


def _shown(found: Queue) -> Json:
    return {
        "db": found.db,
        "name": show(found.name),
        "type": found.type,
        "length": found.length,
        "waiting": found.waiting,
        "leases": found.leases,
        "added": found.added,
        "taken": found.taken,
        "oldest_ms": found.oldest_ms,
    }


def _bytes(part: Any) -> bytes:
    return part if isinstance(part, bytes) else str(part).encode()


def _size(part: Any) -> int:
    return len(part) if isinstance(part, bytes) else 8
