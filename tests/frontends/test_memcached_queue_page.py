"""docs/protocols/memcached-queue.md tells the truth: its example runs, its tables list what there is."""

from __future__ import annotations

import re
from pathlib import Path

from tests.test_readme import examples, run_session

from spoold.frontends.memcached_queue_verbs import MAX_OPEN
from spoold.frontends.memcached_queue_words import MAX_WAIT_MS
from spoold.testing.process import LOOPBACK, ServerProcess, free_port
from support.page import Page
from support.queue_server import QueueServer

PAGE = Page("protocols/memcached-queue.md")


def test_the_example_runs_as_it_stands_there() -> None:
    (session,) = examples(PAGE.text)
    port = free_port()
    with ServerProcess(options=("--memory", "--memcached-queue", f"{LOOPBACK}:{port}")):
        assert run_session(session.replace("22133", str(port)), "memcached-queue.md") == ""


def test_the_table_lists_every_verb(tmp_path: Path) -> None:
    with QueueServer(tmp_path) as server:
        verbs = {verb.decode() for verb in server.door.verbs.table if not verb.startswith(b" ")}
    listed = {request.split()[0] for row in PAGE.rows("Requests") for request in re.findall(r"`([^`]+)`", row[0])}
    assert listed == verbs


def test_the_table_lists_every_figure_of_stats(tmp_path: Path) -> None:
    with QueueServer(tmp_path) as server:
        queue = server.queue()
        queue.put("q", "a", flags=1)
        lines = queue.send(b"stats\r\n").decode().split("\r\n")
    answered = {line.split()[1] for line in lines if line.startswith("STAT")}
    listed = {name for row in PAGE.rows("Stats") for name in re.findall(r"`(\w+)`", row[0])}
    assert {f"queue_q{name}" if name.startswith("_") else name for name in listed} == answered


def test_the_figures_are_those_of_the_code() -> None:
    assert MAX_WAIT_MS == 2**31 - 1
    assert "at most 2³¹ − 1" in PAGE.text
    assert f"up to {MAX_OPEN:,}." in PAGE.text
