"""`spoold queues`, `peek`, `push`, `pop`, `move`, `purge`, `leases`: looking at queues and into them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from io import BufferedReader
from itertools import islice
from typing import Any, Final, cast

import click

from spoold.cli.asking import asks, fail, json_option, pages
from spoold.cli.shown import count_of, number_of, print_json, print_table, progress_bar, size_of, span_of, text_of
from spoold.client.redis import Client

# Queues that are kept in memory by one look at them.
MOST_QUEUES: Final = 10_000
# Keys that the server looks at for one page.
_PAGE: Final = 2000
# Items, and about so many bytes of them, that are sent in one go.
_BATCH_ITEMS: Final = 1000
_BATCH_BYTES: Final = 1 << 20
# What stands in a table of an item, and of a name.
_ITEM_CHARACTERS: Final = 120
_NAME_CHARACTERS: Final = 80
# What a stream's only field is called unless someone says otherwise.
_FIELD: Final = "data"

COLUMNS: Final = (
    ("queue", "left"),
    ("type", "left"),
    ("length", "right"),
    ("in/s", "right"),
    ("out/s", "right"),
    ("waiting", "right"),
    ("leases", "right"),
    ("oldest", "right"),
)


def look(client: Client, pattern: str | None = None, most: int = MOST_QUEUES) -> tuple[list[dict[str, Any]], bool]:
    """The queues of the database, up to `most`, and whether these are all."""
    words: list[str | bytes | int] = ["SPOOLD", "QUEUES", 0, "COUNT", _PAGE]
    if pattern is not None:
        words += ["MATCH", pattern]
    found = list(islice(pages(client, *words), most + 1))
    return found[:most], len(found) <= most


def with_rates(
    client: Client, interval_s: float, pattern: str | None = None, most: int = MOST_QUEUES
) -> tuple[list[dict[str, Any]], bool]:
    """`look`, twice: each queue also has `in` and `out`, items a second (None where the server can't know)."""
    before, complete = look(client, pattern, most)
    began_s = time.monotonic()
    time.sleep(interval_s)
    after, complete_then = look(client, pattern, most)
    rate(before, after, time.monotonic() - began_s)
    return after, complete and complete_then


def rate(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]], elapsed_s: float) -> None:
    """Give the queues of `after` their rates since `before`."""
    known = {queue["name"]: queue for queue in before}
    for queue in after:
        was = known.get(queue["name"], {"added": 0, "taken": 0, "length": 0})
        if queue["added"] is None or was["added"] is None:
            # A sorted set tells nothing but its length.
            grown = queue["length"] - was["length"]
            added, taken = max(grown, 0), max(-grown, 0)
        else:
            added, taken = queue["added"] - was["added"], queue["taken"] - was["taken"]
        queue["in"] = max(added, 0) / elapsed_s
        queue["out"] = max(taken, 0) / elapsed_s


def row(queue: dict[str, Any], now_ms: float) -> tuple[str, ...]:
    """A queue's line in a table."""
    oldest_ms = queue["oldest-ms"]
    return (
        text_of(queue["name"], _NAME_CHARACTERS),
        queue["type"].decode().replace("none", "-"),
        number_of(queue["length"]),
        number_of(queue["in"]),
        number_of(queue["out"]),
        number_of(queue["waiting"]),
        number_of(queue["leases"]),
        "" if oldest_ms is None else span_of(max(now_ms - oldest_ms, 0) / 1000),
    )


ORDERS: Final = {
    "name": lambda queue: queue["name"],
    "length": lambda queue: -queue["length"],
    "in": lambda queue: -queue["in"],
    "out": lambda queue: -queue["out"],
    "waiting": lambda queue: -queue["waiting"],
    "leases": lambda queue: -queue["leases"],
    "oldest": lambda queue: queue["oldest-ms"] or float("inf"),
}


@click.command()
@asks
@json_option
@click.option("--match", "pattern", help="Only queues whose names match, as in KEYS: `mail:*`.")
@click.option("--sort", "order", type=click.Choice(list(ORDERS)), default="length", show_default=True)
@click.option(
    "--interval",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.05, 3600),
    help="Seconds between the two looks that rates come from.",
)
@click.option("--most", default=MOST_QUEUES, show_default=True, type=click.IntRange(1), help="Look at so many queues.")
def queues(client: Client, as_json: bool, pattern: str | None, order: str, interval: float, most: int) -> None:
    """List queues: length, items in and out a second, waiting clients, leases, age of the oldest item.

    Lists, sets, sorted sets, streams and schedules of the database that --url names. A list that is used as a stack,
    and what is deleted, does not count for the rates; of a sorted set they are the change of its length.
    """
    found, complete = with_rates(client, interval, pattern, most)
    found.sort(key=ORDERS[order])
    if as_json:
        print_json(found)
    else:
        now_ms = time.time() * 1000
        print_table(COLUMNS, [row(queue, now_ms) for queue in found])
    if not complete:
        click.echo(f"spoold: there are more than {most:,} queues (--most)", err=True)


@click.command()
@asks
@json_option
@click.argument("name")
@click.option("-n", "--number", default=10, show_default=True, type=click.IntRange(0, 1000), help="How many items.")
@click.option("--full", is_flag=True, help="Show items in full.")
def peek(client: Client, as_json: bool, name: str, number: int, full: bool) -> None:
    """Show the items that would be taken next from NAME, without taking them.

    Of a list from its head, of a set the oldest members, of a sorted set the lowest scores.
    """
    found = client.call("SPOOLD", "PEEK", name, number, repeat=True)
    if as_json:
        print_json(found)
        return
    for item in found:
        click.echo("  ".join(text_of(_bytes(part), 0 if full else _ITEM_CHARACTERS) for part in item))
    if not found and number:
        # A name that is mistyped looks like a queue that is empty.
        click.echo(f"spoold: nothing is in {text_of(name.encode('utf-8', 'surrogateescape'))}", err=True)


@click.command()
@asks
@json_option
@click.argument("name")
@click.argument("items", nargs=-1)
@click.option("--front", is_flag=True, help="At the head of a list: it is taken first.")
@click.option("--set", "as_set", is_flag=True, help="Make it a set, where each item is once, if it does not exist.")
@click.option("--score", type=float, help="Make it a sorted set, if it does not exist, and give items this score.")
@click.option("--stream", "as_stream", is_flag=True, help="Make it a stream, if it does not exist.")
@click.option("--field", default=_FIELD, show_default=True, help="Of a stream's entries, the field with the item.")
@click.option("-0", "--null", is_flag=True, help="Items on standard input end with NUL, not with a line break.")
def push(
    client: Client,
    as_json: bool,
    name: str,
    items: tuple[str, ...],
    front: bool,
    as_set: bool,
    score: float | None,
    as_stream: bool,
    field: str,
    null: bool,
) -> None:
    """Add ITEMS to the queue NAME; without any, the lines of standard input.

    Adds in the way that NAME's type has; a name that does not exist becomes a list, unless an option says otherwise.
    All of the items are added in their order; each thousand of them, or mebibyte, is durable as soon as it is sent.
    """
    kind = client.call("TYPE", name, repeat=True)
    if kind == b"none":
        kind = b"set" if as_set else b"zset" if score is not None else b"stream" if as_stream else b"list"
    if kind not in {b"list", b"set", b"zset", b"stream"}:
        fail(f"{name} is a {kind.decode()}: nothing can be added to it here")
    if kind == b"zset" and score is None:
        fail(f"{name} is a sorted set: give a --score")
    given: Iterator[bytes] = (item.encode("utf-8", "surrogateescape") for item in items)
    pushed = 0
    with progress_bar(f"push {name}") as progress:
        for batch in _batches(
            given if items else _split(cast("BufferedReader", sys.stdin.buffer), b"\0" if null else b"\n")
        ):
            if kind == b"stream":
                client.run([("XADD", name, "*", field, item) for item in batch])
            elif kind == b"zset":
                client.call("ZADD", name, *(word for item in batch for word in (repr(score), item)))
            else:
                client.call("SADD" if kind == b"set" else "LPUSH" if front else "RPUSH", name, *batch)
            pushed += len(batch)
            progress(pushed, len(items))
    if as_json:
        print_json({"pushed": pushed})
    else:
        click.echo(count_of(pushed, "item"))


@click.command()
@asks
@json_option
@click.argument("name")
@click.option("-n", "--number", default=1, show_default=True, type=click.IntRange(1, 100_000), help="At most so many.")
@click.option("--back", is_flag=True, help="From the tail of a list, or the highest scores.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0.001),
    help="Wait for the first item of a list or a sorted set, at most so many seconds.",
)
@click.option("-0", "--null", is_flag=True, help="End items with NUL, not with a line break.")
def pop(client: Client, as_json: bool, name: str, number: int, back: bool, wait_s: float | None, null: bool) -> None:
    """Take items from the queue NAME and write them, one a line. Exit code 1 if there was none.

    They are gone from the server before they are written here: a job that must not be lost belongs to a worker that
    confirms it.
    """
    kind = client.call("TYPE", name, repeat=True)
    if kind == b"none" and wait_s is not None:
        taken = _wait_for(client, name, wait_s, back=back)
    else:
        taken = _pop(client, kind, name, number, back=back)
    if as_json:
        print_json(taken)
    else:
        out = sys.stdout.buffer
        for item in taken:
            out.write(item + (b"\0" if null else b"\n"))
        out.flush()
    if not taken:
        sys.exit(1)


@click.command()
@asks
@json_option
@click.argument("source")
@click.argument("target")
@click.option("-n", "--number", type=click.IntRange(1), help="At most so many; all that are there now by default.")
def move(client: Client, as_json: bool, source: str, target: str, number: int | None) -> None:
    """Move items from the head of the queue SOURCE to the tail of TARGET: both lists, or both sets.

    Each item is moved as one step: it is never in both, or in neither. What others add to SOURCE meanwhile stays there.
    """
    kind = client.call("TYPE", source, repeat=True)
    if kind not in {b"list", b"set", b"none"}:
        fail(f"{source} is a {kind.decode()}: only items of lists and sets can be moved")
    if source == target:
        fail("SOURCE and TARGET are the same")
    there = client.call("SCARD" if kind == b"set" else "LLEN", source, repeat=True)
    wanted = there if number is None else min(number, there)
    moved = 0
    with progress_bar("move") as progress:
        while moved < wanted:
            count = min(_BATCH_ITEMS, wanted - moved)
            if kind == b"set":
                oldest = [item[0] for item in client.call("SPOOLD", "PEEK", source, count, repeat=True)]
                done = sum(client.run([("SMOVE", source, target, member) for member in oldest])) if oldest else 0
            else:
                replies = client.run([("LMOVE", source, target, "LEFT", "RIGHT")] * count)
                done = sum(reply is not None for reply in replies)
            moved += done
            progress(moved, wanted)
            if not done:
                break  # others took the rest
    if as_json:
        print_json({"moved": moved})
    else:
        click.echo(count_of(moved, "item"))


@click.command()
@asks
@json_option
@click.argument("names", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def purge(client: Client, as_json: bool, names: tuple[str, ...], yes: bool) -> None:
    """Delete the queues NAMES with all that they hold, after asking.

    What is under a lease stays with who has it, and comes back if it is given back.
    """
    lengths = {name: _length(client, name) for name in names}
    there = {name: length for name, length in lengths.items() if length is not None}
    if there and not yes:
        for name, length in there.items():
            click.echo(f"{text_of(name.encode('utf-8', 'surrogateescape'))}: {count_of(length, 'item')}", err=True)
        click.confirm("Delete them?", abort=True, err=True)
    deleted = client.call("UNLINK", *there) if there else 0
    if as_json:
        print_json({"deleted": deleted, "items": sum(there.values())})
    else:
        click.echo(f"{count_of(deleted, 'queue')}, {count_of(sum(there.values()), 'item')}")


@click.command()
@asks
@json_option
@click.argument("queue", required=False)
@click.option("--most", default=1000, show_default=True, type=click.IntRange(1), help="List so many.")
def leases(client: Client, as_json: bool, queue: str | None, most: int) -> None:
    """List what was taken from queues under a lease and is not settled; of one QUEUE if it is given.

    Leases come from open reads of the memcached queue protocol. An item whose holder fails goes back to its queue,
    however often: there is no queue for dead letters, so look for many attempts.
    """
    words: list[str | bytes | int] = ["SPOOLD", "LEASES", 0, "COUNT", min(most, _PAGE)]
    if queue is not None:
        words += ["QUEUE", queue]
    found = list(islice(pages(client, *words), most))
    if as_json:
        print_json(found)
        return
    now_ms = time.time() * 1000
    columns = (
        ("queue", "left"),
        ("lease", "right"),
        ("owner", "left"),
        ("attempts", "right"),
        ("ends", "right"),
        ("size", "right"),
    )
    rows = []
    for lease in found:
        deadline_ms = lease["deadline-ms"]
        ends = "in " + span_of(max(deadline_ms - now_ms, 0) / 1000) if deadline_ms else ""
        rows.append(
            (
                text_of(lease["queue"], _NAME_CHARACTERS),
                str(lease["id"]),
                text_of(lease["owner"], _NAME_CHARACTERS),
                str(lease["attempts"]),
                ends or ("with its client" if lease["bound"] else "never"),
                size_of(lease["bytes"]),
            )
        )
    print_table(columns, rows)


def _pop(client: Client, kind: bytes, name: str, number: int, *, back: bool) -> list[bytes]:
    if kind == b"none":
        return []
    if kind == b"list":
        return client.call("RPOP" if back else "LPOP", name, number) or []
    if kind == b"set":
        return list(client.call("SPOP", name, number))
    if kind == b"zset":
        return list(client.call("ZPOPMAX" if back else "ZPOPMIN", name, number)[::2])
    return fail(f"{name} is a {kind.decode()}: items are taken from lists, sets and sorted sets")


def _wait_for(client: Client, name: str, wait_s: float, *, back: bool) -> list[bytes]:
    """The first item of a list that does not exist yet."""
    found = client.call("BRPOP" if back else "BLPOP", name, wait_s, wait_s=wait_s)
    return [] if found is None else [found[1]]


def _length(client: Client, name: str) -> int | None:
    """How many items a key holds; None if there is no such key, 1 for a string."""
    kind: bytes = client.call("TYPE", name, repeat=True)
    command = {b"list": "LLEN", b"set": "SCARD", b"zset": "ZCARD", b"stream": "XLEN", b"hash": "HLEN"}.get(kind)
    if command is None:
        return None if kind == b"none" else 1
    length: int = client.call(command, name, repeat=True)
    return length


def _batches(items: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for item in items:
        batch.append(item)
        size += len(item)
        if len(batch) >= _BATCH_ITEMS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _split(stream: BufferedReader, end: bytes) -> Iterator[bytes]:
    """What stands before each `end`, and behind the last one."""
    rest = b""
    while data := stream.read1(_BATCH_BYTES):
        *complete, rest = (rest + data).split(end)
        yield from complete
    if rest:
        yield rest


def _bytes(part: Any) -> bytes:
    return part if isinstance(part, bytes) else str(part).encode()
