"""The doors beside Redis's, without sockets: a client of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.memcached import Client, Doorway
from support.queue_server import QueueClient, QueueServer
from support.room import Room
from support.server import Client as RedisClient
from support.simple_link import SimpleLink


@pytest.fixture
def client(room: Room) -> Client:
    """A client of the room's memcached door."""
    return Doorway(room).client()


@pytest.fixture
def link(room: Room) -> SimpleLink:
    """A client of the room's simple door."""
    return SimpleLink(room)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[QueueServer]:
    """A server with a queue door."""
    with QueueServer(tmp_path) as made:
        yield made


@pytest.fixture
def queue(server: QueueServer) -> QueueClient:
    """A client of its queue door."""
    return server.queue()


@pytest.fixture
def redis(server: QueueServer) -> RedisClient:
    """A client of its Redis door."""
    return server.client()
