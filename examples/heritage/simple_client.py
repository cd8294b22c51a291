"""Huey's simple server, as its client of 2018 used it: `spoold simple` takes its place."""

from __future__ import annotations

import os

from spoold.simple import Client

host, _, port = os.environ.get("SPOOLD_SIMPLE_AT", "127.0.0.1:31337").partition(":")
client = Client(host, int(port))
client.connect()
print(client.enqueue("queue", {"job": 1}))
print(client.enqueue("queue", ["job", 2]))
print(client.queue_size("queue"))
print(client.dequeue("queue"))
print(client.unqueue("queue", ["job", 2]))
print(client.dequeue("queue"))
print(client.set("key", 1.5))
print(client.get("key"))
print(client.mset({"a": 1, "b": [None]}))
print(client.mget("a", "b", "c"))
print(client.add_to_schedule("later", "2018-01-01 00:00:00"))
print(client.read_schedule("2018-01-01 00:00:00"))
client.close()
