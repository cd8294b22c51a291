"""The programs in examples/heritage print what they printed with the servers that spoold takes the place of."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import missing_peer

from spoold.client.redis import Client
from spoold.testing.process import LOOPBACK, ServerProcess, free_port

HERITAGE = Path(__file__).parents[2] / "examples/heritage"
PRINTED = {
    "redis_client.py": "1\n1\n2\n0\n1\nb'12'\nb'15'\nNone\n",
    "redis_client.php": "int(1)\nint(1)\nint(2)\nbool(false)\nbool(true)\n"
    'string(2) "12"\nstring(2) "15"\nbool(false)\n',
    "memcached_client.py": "None\nTrue\n123\n",
    "memcached_client.php": "bool(false)\nbool(true)\nint(123)\n",
    "memcached_queue.php": 'string(5) "first"\nstring(6) "second"\nbool(false)\nbool(false)\n',
    "simple_client.py": "1\n1\n2\n{b'job': 1}\n1\nNone\n1\n1.5\n2\n[1, [None], None]\n1\n[b'later']\n",
}
EXTENSIONS = {"redis_client.php": "redis", "memcached_client.php": "memcached", "memcached_queue.php": "memcached"}


@pytest.fixture(scope="module", params=[(), ("--memory",)], ids=["durable", "in memory"])
def doors(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """A server with all its doors open: the variables that name them."""
    memcached, queue, simple = (f"{LOOPBACK}:{free_port()}" for _ in range(3))
    options = ("--memcached", memcached, "--memcached-queue", queue, "--simple", simple)
    with ServerProcess(options=(*options, *request.param)) as server:
        yield {
            "SPOOLD_URL": server.url,
            "SPOOLD_MEMCACHED_AT": memcached,
            "SPOOLD_QUEUE_AT": queue,
            "SPOOLD_SIMPLE_AT": simple,
        }


def php(extension: str) -> str:
    """PHP with an extension; without it the test is left out, in CI it fails."""
    program = shutil.which("php")
    loaded = subprocess.run([program, "-m"], capture_output=True, text=True, check=True).stdout if program else ""
    if program is None or extension not in loaded.split():
        missing_peer(f"PHP's {extension}", f"apt-get install php-cli php-{extension}")
    assert program is not None
    return program


@pytest.mark.parametrize("name", PRINTED)
def test_it_prints_what_it_always_printed(name: str, doors: dict[str, str]) -> None:
    with Client.from_url(doors["SPOOLD_URL"]) as client:
        client.call("FLUSHALL")
    program = php(EXTENSIONS[name]) if name in EXTENSIONS else sys.executable
    done = subprocess.run(
        [program, str(HERITAGE / name)], env={**os.environ, **doors}, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout == PRINTED[name]
    assert done.returncode == 0


def test_every_program_is_run_and_listed() -> None:
    programs = {path.name for path in HERITAGE.iterdir()} - {"README.md"}
    assert programs == PRINTED.keys()
    listed = (HERITAGE / "README.md").read_text()
    assert all(f"`{name}`" in listed for name in programs)
