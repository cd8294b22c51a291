"""The pytest plugin, as another project uses it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = """
import redis

def test_one(spoold_client):
    spoold_client.rpush("jobs", "a", "b")
    assert spoold_client.lpop("jobs") == b"a"

def test_another_sees_nothing_of_it(spoold_server, spoold_client):
    assert spoold_client.dbsize() == 0
    assert spoold_client.connection_pool.connection_kwargs["port"] == spoold_server.port

def test_a_server_that_was_killed(spoold_server):
    spoold_server.kill()

def test_comes_back(spoold_client):
    assert spoold_client.ping()
"""


def run(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    return subprocess.run([*command, str(project)], capture_output=True, text=True, cwd=project, timeout=100)


def test_each_test_has_an_empty_server(tmp_path: Path) -> None:
    (tmp_path / "test_project.py").write_text(PROJECT)
    ended = run(tmp_path)
    assert "4 passed" in ended.stdout, ended.stdout + ended.stderr


def test_who_has_no_redis_py_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "redis.py").write_text("raise ModuleNotFoundError('redis')")
    (tmp_path / "test_project.py").write_text("def test_one(spoold_client): pass")
    ended = run(tmp_path)
    assert "needs redis-py: pip install redis" in ended.stdout, ended.stdout + ended.stderr
