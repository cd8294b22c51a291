"""A server with an HTTP listener, and what asks it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
import redis

from spoold.testing.process import LOOPBACK, ServerProcess, free_port

PASSWORD = "correct horse"
ACTION = {"x-spoold": "1"}


@dataclass
class Site:
    """A server, a client of its HTTP listener, and one of its Redis listener."""

    server: ServerProcess
    port: int
    http: httpx.Client
    redis: redis.Redis

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def get(self, path: str, **given: object) -> dict:
        response = self.http.get(f"/api/v1{path}", params=given)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, **body: object) -> dict:
        response = self.http.post(f"/api/v1{path}", json=body, headers=ACTION)
        assert response.status_code == 200, response.text
        return response.json()


def open_site(*options: str, password: str = "") -> Iterator[Site]:
    """options: of the server; it keeps nothing unless they say otherwise."""
    port = free_port()
    given = ["--http", f"{LOOPBACK}:{port}", *(options or ["--memory"])]
    if password:
        given += ["--password", password]
    with (
        ServerProcess(options=given) as server,
        httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=20) as http,
        redis.Redis(port=server.port, password=password or None) as client,
    ):
        yield Site(server, port, http, client)


@pytest.fixture(scope="module")
def shared_site() -> Iterator[Site]:
    yield from open_site()


@pytest.fixture
def site(shared_site: Site) -> Site:
    """A server without a password, empty; shared by the tests of a module."""
    shared_site.redis.flushall()
    return shared_site


@pytest.fixture(scope="module")
def shared_closed_site() -> Iterator[Site]:
    yield from open_site(password=PASSWORD)


@pytest.fixture
def closed_site(shared_closed_site: Site) -> Site:
    """A server with a password; no one is logged in."""
    shared_closed_site.redis.flushall()
    shared_closed_site.http.cookies.clear()
    return shared_closed_site


def text(value: str) -> dict[str, str]:
    return {"text": value}
