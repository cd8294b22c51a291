"""docs/protocols/memcached.md tells the truth: its example runs, its tables list what there is."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from tests.test_readme import examples, run_session

from spoold.frontends.memcached_meta import FLAGS
from spoold.frontends.memcached_words import MAX_KEY_BYTES
from spoold.protocol.memcached import KEYS_LINE_BYTES, LINE_BYTES
from spoold.settings import Settings
from spoold.testing.process import LOOPBACK, ServerProcess, free_port
from support.memcached import Doorway
from support.page import Page
from support.room import Room

PAGE = Page("protocols/memcached.md")


def test_the_example_runs_as_it_stands_there() -> None:
    (session,) = examples(PAGE.text)
    port = free_port()
    with ServerProcess(options=("--memory", "--memcached", f"{LOOPBACK}:{port}")):
        assert run_session(session.replace("11211", str(port)), "memcached.md") == ""


def test_the_table_lists_every_verb(tmp_path: Path) -> None:
    with Room(tmp_path) as room:
        verbs = {verb.decode() for verb in Doorway(room).door.verbs.table if not verb.startswith(b" ")}
    listed = {text.split()[0] for row in PAGE.rows("Requests") for text in re.findall(r"`([^`]+)`", row[0])}
    assert listed == verbs


def test_the_table_lists_every_flag_of_the_meta_commands() -> None:
    listed = {
        letter
        for row in PAGE.rows("Requests")
        if row[0].startswith("`m")
        for letter in re.findall(r"`([A-Za-z])`", row[1]) + ["M" for _ in re.findall(r"`M.`", row[1])]
    }
    # P and L are for routers, and mean nothing to a server.
    assert listed == {flag.decode() for flag in FLAGS} - {"P", "L"}


def test_the_verbs_that_are_left_out_are_not_there(tmp_path: Path) -> None:
    left_out = PAGE.text.split("no log to watch: ")[1].split(" are answered `ERROR`")[0]
    with Room(tmp_path) as room:
        client = Doorway(room).client()
        for verb in re.findall(r"`(\w+)`", left_out):
            assert client.ask(f"{verb} x") == "ERROR"


def test_the_options_that_replace_those_of_memcached_exist() -> None:
    options = {f"--{item.name.replace('_', '-')}" for item in dataclasses.fields(Settings)}
    named = re.findall(r"--[a-z][a-z-]*", PAGE.text.split("## Coming from memcached\n")[1].split("\n## ")[0])
    assert len(named) > 10
    assert set(named) <= options


def test_the_figures_are_those_of_the_code() -> None:
    assert f"more than {MAX_KEY_BYTES} bytes" in PAGE.text
    assert f"more than {LINE_BYTES:,} bytes, {KEYS_LINE_BYTES // 1024**2} MiB for" in PAGE.text
