"""`spoold status`, `clients`, `config`, `monitor`, `top`: looking at a server."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Final

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from spoold.cli.asking import asks, fail, info_of, json_option
from spoold.cli.queues import COLUMNS as QUEUE_COLUMNS
from spoold.cli.queues import MOST_QUEUES, ORDERS, look, rate, row
from spoold.cli.shown import (
    console,
    count_of,
    number_of,
    print_json,
    print_pairs,
    print_table,
    size_of,
    span_of,
    table,
    text_of,
)
from spoold.client.redis import Client

_UNHEALTHY: Final = 1
# Lines of `top` besides those of the server and of queues: the table's head and rule, and blank ones.
_FRAME_LINES: Final = 5
# On a terminal with fewer lines `top` tells only the most important of the server.
_LOW_LINES: Final = 20
_ALWAYS_TOLD: Final = ("health", "traffic", "queues")


def status_of(client: Client, queues: list[dict[str, Any]], *, complete: bool) -> dict[str, Any]:
    """What there is to know of a server at one look.

    queues: of the database that the client uses; complete: whether these are all.
    """
    info = info_of(client, "server", "clients", "memory", "persistence", "stats", "keyspace")
    now_ms = time.time() * 1000
    ages_s = [(now_ms - queue["oldest-ms"]) / 1000 for queue in queues if queue["oldest-ms"] and queue["length"]]
    counts = [dict(part.split("=") for part in text.split(",")) for name, text in info.items() if _is_database(name)]
    healthy = info.get("spoold_writes_refused", "0") == "0" and info["aof_last_write_status"] == "ok"
    disk_free = info.get("spoold_disk_free_bytes")
    return {
        "healthy": healthy,
        "state": "takes reads and writes"
        if healthy
        else "refuses writes: its disk fails"
        if info.get("spoold_writes_refused") == "1"
        else "its disk fails; the journal takes writes while it has room",
        "version": info.get("spoold_version", info["redis_version"]),
        "uptime_s": int(info["uptime_in_seconds"]),
        "durability": info.get("spoold_durability"),
        "commands_per_s": int(info["instantaneous_ops_per_sec"]),
        "in_bytes_per_s": round(float(info["instantaneous_input_kbps"]) * 1024),
        "out_bytes_per_s": round(float(info["instantaneous_output_kbps"]) * 1024),
        "clients": int(info["connected_clients"]),
        "clients_waiting": int(info["blocked_clients"]),
        "clients_most": int(info["maxclients"]),
        "memory_bytes": int(info["used_memory_rss"]),
        "memory_total_bytes": int(info["total_system_memory"]),
        "data_bytes": int(info.get("spoold_data_bytes", 0)),
        "disk_free_bytes": None if disk_free is None else int(disk_free),
        "keys": sum(int(count["keys"]) for count in counts),
        "keys_expiring": sum(int(count["expires"]) for count in counts),
        "queues": len(queues),
        "queues_complete": complete,
        "items": sum(queue["length"] for queue in queues),
        "leases": sum(queue["leases"] for queue in queues),
        "oldest_item_s": max(ages_s, default=None),
    }


def status_lines(status: dict[str, Any]) -> list[tuple[str, str]]:
    """`status_of` for people."""
    free = status["disk_free_bytes"]
    oldest_s = status["oldest_item_s"]
    more = "" if status["queues_complete"] else "more than "
    came, went = size_of(status["in_bytes_per_s"]), size_of(status["out_bytes_per_s"])
    held = f"{count_of(status['items'], 'item')}, {count_of(status['leases'], 'lease')}"
    return [
        ("health", ("ok: " if status["healthy"] else "NOT OK: ") + status["state"]),
        ("server", f"{status['version']}, up for {span_of(status['uptime_s'])}, durability {status['durability']}"),
        (
            "traffic",
            f"{number_of(status['commands_per_s'])} commands/s, {came}/s in, {went}/s out",
        ),
        (
            "clients",
            f"{status['clients']:,} of {status['clients_most']:,}, {status['clients_waiting']:,} of them waiting",
        ),
        ("memory", f"{size_of(status['memory_bytes'])} of {size_of(status['memory_total_bytes'])}"),
        ("disk", size_of(status["data_bytes"]) + ("" if free is None else f", {size_of(free)} free")),
        ("keys", f"{status['keys']:,} in all databases, {status['keys_expiring']:,} expire"),
        ("queues", f"{more}{status['queues']:,} with {held}"),
        ("oldest", "not known" if oldest_s is None else f"item of {span_of(max(oldest_s, 0))} ago"),
    ]


@click.command()
@asks
@json_option
def status(client: Client, as_json: bool) -> None:
    """Tell how the server is: health, rates, memory, disk, queues, oldest item. Exit code 1 if it is not well.

    Queues are those of the database that --url names, the first 10,000 of them.
    """
    queues, complete = look(client, most=MOST_QUEUES)
    found = status_of(client, queues, complete=complete)
    if as_json:
        print_json(found)
    else:
        print_pairs(status_lines(found))
    if not found["healthy"]:
        sys.exit(_UNHEALTHY)


@click.command()
@asks
@json_option
def clients(client: Client, as_json: bool) -> None:
    """List the connected clients: where from, what they do, what waits for them."""
    text: bytes = client.call("CLIENT", "LIST")
    found = [dict(word.partition("=")[::2] for word in line.split(" ")) for line in text.decode().splitlines()]
    if as_json:
        print_json(found)
        return
    columns = (
        ("id", "right"),
        ("address", "left"),
        ("name", "left"),
        ("db", "right"),
        ("connected", "right"),
        ("idle", "right"),
        ("last command", "left"),
        ("output", "right"),
        ("library", "left"),
    )
    rows = [
        (
            each["id"],
            each["addr"],
            text_of(each.get("name", "").encode(), 40),
            each.get("db", ""),
            span_of(float(each.get("age", 0))),
            span_of(float(each.get("idle", 0))),
            each.get("cmd", "") + (" (waits)" if "b" in each.get("flags", "") else ""),
            size_of(int(each.get("omem", 0))),
            f"{each.get('lib-name', '')} {each.get('lib-ver', '')}".strip(),
        )
        for each in found
    ]
    print_table(columns, rows)


@click.group()
def config() -> None:
    """Read and change what can be changed while the server runs."""


@config.command("get")
@asks
@json_option
@click.argument("patterns", nargs=-1)
def config_get(client: Client, as_json: bool, patterns: tuple[str, ...]) -> None:
    """Show the parameters whose names match PATTERNS (all): `*max*`."""
    words: list[bytes] = client.call("CONFIG", "GET", *(patterns or ("*",)))
    found = {name.decode(): value for name, value in sorted(zip(words[::2], words[1::2], strict=True))}
    if as_json:
        print_json(found)
    elif found:
        print_pairs([(name, text_of(value)) for name, value in found.items()])
    else:
        fail(f"there is no parameter {' '.join(patterns)}")


@config.command("set")
@asks
@click.argument("name")
@click.argument("value")
def config_set(client: Client, name: str, value: str) -> None:
    """Set the parameter NAME to VALUE until the server ends. To keep it, put it into the configuration file too."""
    client.call("CONFIG", "SET", name, value)
    click.echo(f"{name} is {value}")


@click.command()
@asks
@json_option
def monitor(client: Client, as_json: bool) -> None:
    """Show every command that the server runs, as it runs, until interrupted. It costs the server some of its speed."""
    for line in client.listen("MONITOR"):
        if line == b"OK":
            continue
        if as_json:
            print_json(_monitored(line))
        else:
            click.echo(text_of(line))
        sys.stdout.flush()


@click.command()
@asks
@json_option
@click.option(
    "--interval", default=1.0, show_default=True, type=click.FloatRange(0.1, 3600), help="Seconds between two looks."
)
@click.option("--sort", "order", type=click.Choice(list(ORDERS)), default="in", show_default=True)
@click.option("--match", "pattern", help="Only queues whose names match.")
@click.option("--count", type=click.IntRange(1), help="End after so many looks.")
def top(client: Client, as_json: bool, interval: float, order: str, pattern: str | None, count: int | None) -> None:
    """Watch the server and its busiest queues until interrupted.

    In a pipe, or with --json, one document a look is written, one a line.
    """
    out = console()
    before, _ = look(client, pattern)
    before_s = time.monotonic()
    looks = 0
    with Live(console=out, screen=out.is_terminal and not as_json, auto_refresh=False, transient=True) as live:
        while count is None or looks < count:
            time.sleep(interval)
            queues, complete = look(client, pattern)
            now_s = time.monotonic()
            rate(before, queues, now_s - before_s)
            before, before_s = queues, now_s
            queues.sort(key=ORDERS[order])
            found = status_of(client, queues, complete=complete)
            looks += 1
            if as_json or not out.is_terminal:
                print_json({**found, "top": queues[:20]})
                sys.stdout.flush()
                continue
            live.update(_screen(status_lines(found), queues, out.width, out.height), refresh=True)


def _screen(status: list[tuple[str, str]], queues: list[dict[str, Any]], width: int, height: int) -> Group:
    """What `top` shows on a terminal of that size."""
    if height < _LOW_LINES:
        status = [pair for pair in status if pair[0] in _ALWAYS_TOLD]
    now_ms = time.time() * 1000
    lines = [Text(f"{name:<8}{value}", no_wrap=True, overflow="ellipsis") for name, value in status]
    rows = [row(queue, now_ms) for queue in queues[: max(height - len(lines) - _FRAME_LINES, 1)]]
    return Group(*lines, table(QUEUE_COLUMNS, rows, width=width))


def _is_database(name: str) -> bool:
    return name.startswith("db") and name[2:].isdigit()


def _monitored(line: bytes) -> dict[str, Any]:
    """`1700000000.5 [0 127.0.0.1:5] "GET" "k"` by its parts."""
    when, _, rest = line.decode("utf-8", "backslashreplace").partition(" [")
    place, _, command = rest.partition("] ")
    database, _, client = place.partition(" ")
    return {"time": json.loads(when), "db": int(database), "client": client, "command": command}
