"""docs/protocols/simple.md tells the truth: its example runs, its table lists every command, its options exist."""

from __future__ import annotations

import re

from tests.test_readme import examples, run_session

from spoold.cli.simple import simple
from spoold.client.simple import Client
from spoold.frontends.simple_verbs import PRIORITIES, STORES, VERBS
from spoold.protocol.simple import MAX_DEPTH, NUMBER_BYTES
from spoold.protocol.typed import ESCAPE, pack
from spoold.testing.process import LOOPBACK, ServerProcess, free_port
from support.page import Page

PAGE = Page("protocols/simple.md")


def test_the_example_runs_as_it_stands_there() -> None:
    (session,) = examples(PAGE.text)
    port = free_port()
    with ServerProcess(options=("--memory", "--simple", f"{LOOPBACK}:{port}")):
        assert run_session(session.replace("31337", str(port)), "simple.md") == ""


def test_the_table_lists_every_command_with_its_arguments_and_its_method() -> None:
    listed = {}
    for request, methods, _ in PAGE.rows("Requests"):
        name, *arguments = request.split()
        optional = sum(argument.startswith("[") for argument in arguments)
        most = float("inf") if "…" in arguments else len(arguments)
        listed[name] = (1 if "…" in arguments else len(arguments) - optional, most, methods)
    assert listed.keys() == {name.decode() for name in VERBS} | {"SHUTDOWN"}
    for name, verb in VERBS.items():
        assert listed[name.decode()][1] == verb.most
        assert verb.most == float("inf") or listed[name.decode()][0] == verb.least
    for *_, methods in listed.values():
        for method in re.findall(r"`(\w+)", methods.replace("`Client(", "`__init__(")):
            assert callable(getattr(Client, method))


def test_the_options_exist() -> None:
    listed = {option for row in PAGE.rows("`spoold simple`") for option in re.findall(r"`(-[^`]+)`", row[0])}
    assert listed == {option for parameter in simple.params for option in parameter.opts}


def test_the_figures_are_those_of_the_code() -> None:
    for fact in (
        f"up to {MAX_DEPTH} deep",
        f"{NUMBER_BYTES:,}\nbytes",
        *(f"`{name.decode()}`" for name in (*STORES, PRIORITIES + b":q")),
        f"`{ESCAPE.decode()}`".replace("\0", "\\0"),
        f"`{pack(7).decode()}`".replace("\0", "\\0").replace("\r\n", "\\r\\n"),
    ):
        assert fact in PAGE.text
