"""The server as a whole: how it is, how it was, its configuration, slow commands, and one command at a time."""

from __future__ import annotations

from typing import Any

from spoold import __version__
from spoold.console import shapes
from spoold.console.caller import CommandFailed, Silent
from spoold.console.census import Count
from spoold.console.endpoint import (
    DB,
    INTEGER,
    MAYBE_INTEGER,
    MAYBE_TEXT,
    NUMBER,
    SHOWN,
    TEXT,
    TRUTH,
    Call,
    Field,
    Problem,
    endpoint,
    rows,
    table,
)
from spoold.console.shapes import Json, show
from spoold.core.errors import ProtocolError
from spoold.metrics.history import History, Sample
from spoold.metrics.spread import quantile, total
from spoold.protocol.inline import split_arguments

_FIELDS = frozenset(Sample._fields)
_SAMPLE = table(**{name: MAYBE_INTEGER if name == "items" else NUMBER for name in Sample._fields})
_SECRET = frozenset({"requirepass", "masterauth", "tls-key-file-pass"})
_SECTIONS = ("server", "clients", "memory", "persistence", "stats")
_INFO_INTEGERS = {
    "process_id": "process_id",
    "uptime_s": "uptime_in_seconds",
    "clients": "connected_clients",
    "clients_waiting": "blocked_clients",
    "clients_max": "maxclients",
    "memory_bytes": "used_memory",
    "memory_peak_bytes": "used_memory_peak",
    "memory_total_bytes": "total_system_memory",
    "commands": "total_commands_processed",
    "connections": "total_connections_received",
    "rejected": "rejected_connections",
    "errors": "total_error_replies",
    "expired": "expired_keys",
    "turns": "spoold_turns",
    "turns_rolled_back": "spoold_turns_rolled_back",
    "data_bytes": "spoold_data_bytes",
    "journal_bytes": "aof_current_size",
    "checkpoints": "spoold_checkpoints",
}
_QUEUES = table(
    complete=TRUTH,
    queues=INTEGER,
    items=INTEGER,
    leases=INTEGER,
    oldest_ms=MAYBE_INTEGER,
)


@endpoint(
    "GET",
    "/overview",
    returns=table(
        version=TEXT,
        now_ms=INTEGER,
        durability=TEXT,
        directory=MAYBE_TEXT,
        writable=TRUTH,
        reclaiming=TRUTH,
        keys=INTEGER,
        map_bytes=INTEGER,
        disk_free_bytes=MAYBE_INTEGER,
        p50_us=NUMBER,
        p99_us=NUMBER,
        append_p99_us=NUMBER,
        listeners=rows(table(kind=TEXT, address=TEXT)),
        queues=_QUEUES,
        latest={"anyOf": [_SAMPLE, {"type": "null"}]},
        **dict.fromkeys(_INFO_INTEGERS, INTEGER),
    ),
)
async def overview(call: Call) -> Json:
    """Tells how the server is at this moment."""
    info = await _info(call)
    premises = call.parts.premises
    dispatcher = premises.dispatcher
    commit = dispatcher.turn.commit
    spread = total(entry.spread for entry in dispatcher.entries())
    history = premises.parts.get(History)
    count = await counted(call)
    return {
        "version": __version__,
        "now_ms": dispatcher.turn.clock.unix_ms(),
        "durability": info["spoold_durability"],
        "directory": None if premises.directory is None else str(premises.directory.absolute()),
        "writable": not commit.refusing and commit.lost is None,
        "reclaiming": dispatcher.dbs.has_garbage,
        "keys": sum(keyspace.count for keyspace in dispatcher.dbs.all),
        "map_bytes": commit.map_bytes,
        "disk_free_bytes": int(info["spoold_disk_free_bytes"]) if "spoold_disk_free_bytes" in info else None,
        "p50_us": quantile(spread, 0.5),
        "p99_us": quantile(spread, 0.99),
        "append_p99_us": quantile(commit.append_spread, 0.99),
        "listeners": [{"kind": kind, "address": address} for kind, address in premises.listeners()],
        "queues": {
            "complete": count.complete,
            "queues": count.queues,
            "items": count.items,
            "leases": count.leases,
            "oldest_ms": count.oldest_ms,
        },
        "latest": history.samples[-1]._asdict() if history.samples else None,
        **{name: int(info.get(field, 0)) for name, field in _INFO_INTEGERS.items()},
    }


async def counted(call: Call) -> Count:
    """What all queues hold; the last count, or none, while no new one can be made."""
    census = call.parts.census
    try:
        found: Count = await census.count()
    except (Silent, CommandFailed):
        found = census.last or Count(complete=False)
    return found


@endpoint(
    "GET",
    "/history",
    Field("since", "integer", "Only samples behind this moment, Unix ms.", 0, 0, 2**53),
    returns=table(samples=rows(_SAMPLE)),
)
async def history(call: Call) -> Json:
    """Gives the samples of the last quarter of an hour, one every two seconds."""
    await _info(call)
    kept = call.parts.premises.parts.get(History).samples
    return {"samples": [sample._asdict() for sample in kept if sample.unix_ms > call["since"]]}


@endpoint(
    "GET",
    "/slowlog",
    Field("count", "integer", "How many, the latest first.", 64, 1, 1000),
    returns=table(
        entries=rows(
            table(id=INTEGER, unix_s=INTEGER, usec=INTEGER, words=rows(SHOWN), address=TEXT, name=TEXT),
        )
    ),
)
async def slowlog(call: Call) -> Json:
    """Lists commands that took long."""
    entries = await call.client.ask("SLOWLOG", "GET", call["count"])
    return {
        "entries": [
            {
                "id": id_,
                "unix_s": unix_s,
                "usec": usec,
                "words": [show(word, 256) for word in words],
                "address": address.decode("utf-8", "replace"),
                "name": name.decode("utf-8", "replace"),
            }
            for id_, unix_s, usec, words, address, name in entries
        ]
    }


@endpoint("POST", "/slowlog/clear", returns=table(done=TRUTH))
async def clear_slowlog(call: Call) -> Json:
    """Forgets the slow commands."""
    await call.client.ask("SLOWLOG", "RESET")
    return {"done": True}


@endpoint(
    "GET",
    "/configuration",
    returns=table(parameters=rows(table(name=TEXT, value=MAYBE_TEXT, secret=TRUTH))),
)
async def configuration(call: Call) -> Json:
    """Lists the parameters and their values; secrets are left out."""
    flat = await call.client.ask("CONFIG", "GET", "*")
    pairs = sorted(zip(flat[::2], flat[1::2], strict=True))
    return {"parameters": [_parameter(name.decode(), value) for name, value in pairs]}


@endpoint(
    "POST",
    "/configuration",
    Field("name", "text", "Name of the parameter.", low=1, high=128),
    Field("value", "text", "Its new value.", high=65536),
    returns=table(name=TEXT, value=MAYBE_TEXT, secret=TRUTH),
)
async def configure(call: Call) -> Json:
    """Changes a parameter of the running server; as CONFIG SET does, until it ends."""
    name = call["name"].lower()
    known = await call.client.ask("CONFIG", "GET", "*")
    if name.encode() not in known[::2]:
        raise Problem(404, "not-found", f"there is no parameter {name!r}")
    await call.client.ask("CONFIG", "SET", name, call["value"])
    flat = await call.client.ask("CONFIG", "GET", name)
    return _parameter(name, dict(zip(flat[::2], flat[1::2], strict=True))[name.encode()])


_REPLY = table(
    reply={
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": ["null", "error", "integer", "bytes", "array"]}},
    },
    usec=INTEGER,
)


@endpoint(
    "POST",
    "/command",
    Field("line", "text", "The command as redis-cli takes it, with quotes and escapes.", low=1, high=65536),
    DB,
    returns=_REPLY,
)
async def command(call: Call) -> Json:
    """Runs one command as any client would, on a connection that ends with it.

    An error of the command is a reply like any other.
    """
    try:
        words = split_arguments(call["line"].strip().encode().replace(b"\0", b"\\x00"))
    except ProtocolError as error:
        return {"reply": {"type": "error", "error": f"ERR {error}"}, "usec": 0}
    if not words:
        return {"reply": {"type": "error", "error": "ERR no command"}, "usec": 0}
    return await _run(call, words)


@endpoint(
    "POST",
    "/command/words",
    Field("words", "values", "The command, word by word.", high=1000),
    DB,
    returns=_REPLY,
)
async def command_words(call: Call) -> Json:
    """Runs one command that may hold any bytes."""
    return await _run(call, call["words"])


async def _run(call: Call, words: list[bytes]) -> Json:
    clock = call.parts.premises.dispatcher.turn.clock
    started_us = clock.unix_us()
    _, reply = await call.client.run((b"SELECT", b"%d" % call["db"]), words)
    return {"reply": shapes.show_reply(reply), "usec": max(clock.unix_us() - started_us, 0)}


def _parameter(name: str, value: bytes) -> Json:
    secret = name in _SECRET
    return {"name": name, "value": None if secret else value.decode("utf-8", "replace"), "secret": secret}


async def _info(call: Call) -> dict[str, Any]:
    """INFO as a dict; who may not ask for it is told so."""
    text = await call.client.ask("INFO", *_SECTIONS)
    lines = (line.partition(":") for line in text.decode("utf-8", "replace").splitlines() if ":" in line)
    return {name: value for name, _, value in lines}
