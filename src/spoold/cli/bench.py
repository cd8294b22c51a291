"""`spoold bench`: a small load test of a running server, from one process."""

from __future__ import annotations

import asyncio
import math
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import click

from spoold.cli.asking import NO_CONNECTION, asks, fail, json_option
from spoold.cli.shown import number_of, print_json, print_table, progress_bar
from spoold.client.redis import Client
from spoold.protocol.answers import AnswerReader, Refusal, pack_commands

try:
    import uvloop

    _new_loop: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop
except ImportError:  # no uvloop on this platform: asyncio's own loop
    _new_loop = None

_PERCENTILES: Final = (50, 99, 99.9)

# name → command by key and value. What is taken was added by an earlier one.
TESTS: Final[dict[str, Callable[[str, bytes], tuple[str | bytes, ...]]]] = {
    "ping": lambda key, value: ("PING",),
    "set": lambda key, value: ("SET", key + "string", value),
    "get": lambda key, value: ("GET", key + "string"),
    "incr": lambda key, value: ("INCR", key + "counter"),
    "push": lambda key, value: ("RPUSH", key + "list", value),
    "pop": lambda key, value: ("LPOP", key + "list"),
    "hset": lambda key, value: ("HSET", key + "hash", "field", value),
    "zadd": lambda key, value: ("ZADD", key + "zset", "1", value),
    "xadd": lambda key, value: ("XADD", key + "stream", "MAXLEN", "~", "1000", "*", "field", value),
}
DEFAULT: Final = ("ping", "set", "get", "push", "pop")


@dataclass
class Result:
    """What one test measured.

    times_s: how long each pipeline took, from its first byte to its last reply.
    """

    name: str
    requests: int
    elapsed_s: float = 0.0
    times_s: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.elapsed_s

    def percentile_ms(self, share: float) -> float:
        """The time in ms that `share` percent of the pipelines did not exceed."""
        ordered = sorted(self.times_s)
        return ordered[min(math.ceil(len(ordered) * share / 100), len(ordered)) - 1] * 1000


@click.command()
@asks
@json_option
@click.argument("tests", nargs=-1, type=click.Choice(list(TESTS)))
@click.option(
    "-n", "--requests", default=20_000, show_default=True, type=click.IntRange(1), help="Requests of each test."
)
@click.option(
    "-c",
    "--clients",
    "connections",
    default=20,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Clients at a time.",
)
@click.option(
    "-P",
    "--pipeline",
    default=1,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Requests that a client sends without waiting.",
)
@click.option("-d", "--size", default=100, show_default=True, type=click.IntRange(0, 1 << 26), help="Bytes of a value.")
def bench(
    client: Client, as_json: bool, tests: tuple[str, ...], requests: int, connections: int, pipeline: int, size: int
) -> None:
    """Measure how fast a server answers TESTS (ping set get push pop).

    The load comes from this one process, which for a fast server is the slower of the two, more so on the same machine.
    Keys are named spoold-bench:… and deleted at the end.
    """
    client.call("PING", repeat=True)
    prefix = f"spoold-bench:{secrets.token_hex(4)}:"
    results = []
    try:
        for name in tests or DEFAULT:
            with progress_bar(f"bench {name}") as progress:
                results.append(_run(client, name, prefix, requests, connections, pipeline, os.urandom(size), progress))
    finally:
        keys = {str(command(prefix, b"")[1]) for command in TESTS.values() if len(command(prefix, b"")) > 1}
        client.call("UNLINK", *keys)
    if as_json:
        print_json([_plain(result) for result in results])
        return
    columns = (("test", "left"), ("requests/s", "right"), *((f"p{share:g} ms", "right") for share in _PERCENTILES))
    rows = [
        (
            result.name,
            number_of(round(result.per_second)),
            *(f"{result.percentile_ms(share):.2f}" for share in _PERCENTILES),
        )
        for result in results
    ]
    title = f"{requests:,} requests each, {connections} clients, pipeline {pipeline}, values of {size} bytes"
    print_table(columns, rows, title)


def _plain(result: Result) -> dict[str, Any]:
    return {
        "test": result.name,
        "requests": result.requests,
        "requests_per_s": result.per_second,
        **{f"p{share:g}_ms": result.percentile_ms(share) for share in _PERCENTILES},
    }


def _run(
    client: Client,
    name: str,
    prefix: str,
    requests: int,
    connections: int,
    pipeline: int,
    value: bytes,
    progress: Callable[[int, int], None],
) -> Result:
    commands = [TESTS[name](prefix, value)] * pipeline
    result = Result(name, 0)
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_load(client, pack_commands(commands), pipeline, requests, connections, result, progress))
    return result


async def _load(
    client: Client,
    request: bytes,
    pipeline: int,
    requests: int,
    connections: int,
    result: Result,
    progress: Callable[[int, int], None],
) -> None:
    left = math.ceil(requests / pipeline)
    total = left * pipeline
    greeting = pack_commands(client.greeting) if client.greeting else b""

    async def work() -> None:
        nonlocal left
        if isinstance(client.address, str):
            reader, writer = await asyncio.open_unix_connection(client.address)
        else:
            reader, writer = await asyncio.open_connection(*client.address)
        answers = AnswerReader()
        try:
            if greeting:
                writer.write(greeting)
                await _take(reader, answers, len(client.greeting))
            await started.wait()
            while left > 0:
                left -= 1
                began_s = time.perf_counter()
                writer.write(request)
                await _take(reader, answers, pipeline)
                result.times_s.append(time.perf_counter() - began_s)
                result.requests += pipeline
                if left % 64 == 0:
                    progress(result.requests, total)
        finally:
            # What a server that refuses does not read any more is not waited for.
            writer.transport.abort()

    started = asyncio.Event()
    broken: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(connections, left)):
                group.create_task(work())
            await asyncio.sleep(0)
            began_s = time.perf_counter()
            started.set()
    except* (OSError, _Refused) as errors:
        broken = errors.exceptions[0]
    if broken is not None:
        if isinstance(broken, _Refused):
            fail(f"the server refused: {broken}")
        fail(f"the load broke off: {broken}", NO_CONNECTION)
    result.elapsed_s = time.perf_counter() - began_s


class _Refused(Exception):
    """The server answered with an error."""


async def _take(reader: asyncio.StreamReader, answers: AnswerReader, count: int) -> None:
    while count:
        data = await reader.read(1 << 18)
        if not data:
            raise ConnectionResetError("the server closed a connection")
        for answer in answers.feed(data):
            if answer.__class__ is Refusal:
                raise _Refused(answer)
            count -= 1
