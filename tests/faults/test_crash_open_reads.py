"""Kill the server under consumers with open reads: what was confirmed is gone, all else is back once and in order."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import closing
from pathlib import Path

import redis

from spoold.testing.process import ServerProcess, free_port

ITEMS = 3000
CONSUMERS = 20
ROUNDS = 4


class Consumer(threading.Thread):
    """Confirms an item and opens the next with each request, until the server or the queue ends.

    confirmed: items whose confirmation was answered. doubtful: the one whose confirmation was sent, and not answered.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self.confirmed: list[int] = []
        self.doubtful: int | None = None
        self.done = threading.Event()

    def run(self) -> None:
        with closing(socket.create_connection(("127.0.0.1", self._port), 20)) as link, link.makefile("rb") as answers:
            while True:
                try:
                    link.sendall(b"get q/close/open\r\n")
                    line = answers.readline()
                    if line == b"":
                        return
                    item = int(answers.readline()) if line.startswith(b"VALUE") else None
                    if item is not None and answers.readline() != b"END\r\n":
                        return
                except (OSError, ValueError):  # the server is gone, in the middle of an answer or before it
                    return
                if self.doubtful is not None:
                    self.confirmed.append(self.doubtful)
                self.doubtful = item
                self.done.set()
                if item is None:
                    return


def test_open_reads_under_kill(tmp_path: Path) -> None:
    port = free_port()
    chooser = random.Random()
    left = list(range(ITEMS))
    with ServerProcess(tmp_path / "data", ("--memcached-queue", f"127.0.0.1:{port}")) as server:
        with closing(redis.Redis(port=server.port)) as r:
            r.rpush("q", *left)
        for _ in range(ROUNDS):
            consumers = [Consumer(port) for _ in range(CONSUMERS)]
            for consumer in consumers:
                consumer.start()
            for consumer in consumers:
                consumer.done.wait(20)
            with closing(redis.Redis(port=server.port)) as r:
                target = max(r.llen("q") - chooser.randrange(50, 600), 1)
                while r.llen("q") > target:
                    pass
            server.kill()
            for consumer in consumers:
                consumer.join(20)
            server.start()
            with closing(redis.Redis(port=server.port)) as r:
                back = [int(item) for item in r.lrange("q", 0, -1)]
            confirmed = {item for consumer in consumers for item in consumer.confirmed}
            doubtful = {consumer.doubtful for consumer in consumers}
            assert back == sorted(set(back))
            assert confirmed.isdisjoint(back)
            assert set(left) - confirmed - doubtful <= set(back) <= set(left)
            left = back
