"""Kill the server under simple clients: what was acknowledged is kept, in order; what was taken never comes back."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from spoold.simple import Client, ConnectionFailed
from spoold.testing.process import LOOPBACK, ServerProcess, free_port

ROUNDS = int(os.environ.get("SPOOLD_CRASH_ROUNDS", "6"))
PRODUCERS, CONSUMERS = 3, 2
LONG_AGO, LATER = "2018-01-01 00:00:00", "2019-01-01 00:00:00.5"


class Producer(threading.Thread):
    """Counts up in the queue, the schedule and the store until the server is gone.

    queued, scheduled, stored: the last number of each that was acknowledged.
    """

    def __init__(self, number: int, port: int) -> None:
        super().__init__()
        self.number = number
        self.client = Client(port=port)
        self.queued = self.scheduled = self.stored = 0

    def run(self) -> None:
        """Until the connection breaks."""
        client, number = self.client, self.number
        try:
            while True:
                client.enqueue("q", [number, self.queued + 1])
                self.queued += 1
                client.add_to_schedule([number, self.scheduled + 1], LONG_AGO)
                self.scheduled += 1
                client.set(number, self.stored + 1)
                self.stored += 1
        except ConnectionFailed:
            pass
        finally:
            client.close()


class Consumer(threading.Thread):
    """Takes from the queue until the server is gone."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.client = Client(port=port)
        self.taken: list[Any] = []

    def run(self) -> None:
        """Until the connection breaks."""
        try:
            while True:
                value = self.client.dequeue("q")
                if value is not None:
                    self.taken.append(value)
        except ConnectionFailed:
            pass
        finally:
            self.client.close()


@pytest.mark.parametrize("options", [(), ("--durability", "interval"), ("--journal-size", "1mb")], ids=" ".join)
def test_nothing_acknowledged_is_lost_and_nothing_comes_twice(tmp_path: Path, options: tuple[str, ...]) -> None:
    chooser = random.SystemRandom()
    port = free_port()
    with ServerProcess(tmp_path / "data", (*options, "--simple", f"{LOOPBACK}:{port}")) as server:
        for _ in range(ROUNDS):
            producers = [Producer(number, port) for number in range(PRODUCERS)]
            consumers = [Consumer(port) for _ in range(CONSUMERS)]
            for thread in (*producers, *consumers):
                thread.start()
            producers[0].join(chooser.uniform(0.05, 0.5))
            server.kill()
            for thread in (*producers, *consumers):
                thread.join(30)
                assert not thread.is_alive()
            server.start()
            with Client(port=port) as client:
                check(client, producers, consumers)
                client.flush_all()


def check(client: Client, producers: list[Producer], consumers: list[Consumer]) -> None:
    """Compare what is there with what was acknowledged; what was under way may have happened or not."""
    left = []
    while (value := client.dequeue("q")) is not None:
        left.append(value)
    due = client.read_schedule(LATER)
    out = [tuple(value) for consumer in consumers for value in consumer.taken] + [tuple(value) for value in left]
    assert len(out) == len({*out})
    lost = 0
    for producer in producers:
        number = producer.number
        numbers = {count for who, count in out if who == number}
        lost += len({*range(1, producer.queued + 1)} - numbers)
        assert numbers <= {*range(1, producer.queued + 2)}
        assert (mine := [count for who, count in left if who == number]) == sorted(mine)
        scheduled = [count for who, count in due if who == number]
        assert scheduled in ([*range(1, producer.scheduled + extra)] for extra in (1, 2))
        assert (client.get(number) or 0) - producer.stored in (0, 1)
    # Each consumer may have taken one value whose reply the kill swallowed.
    assert lost <= len(consumers)
