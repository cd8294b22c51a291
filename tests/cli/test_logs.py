"""Lines of the log: one JSON object each where that is asked for, whatever they hold."""

from __future__ import annotations

import json
import logging

from spoold.cli.logs import formatter
from spoold.testing.process import ServerProcess


def record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    told = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("spoold.x", logging.WARNING, "f", 1, message, arguments, told)


def test_a_line_holds_what_was_said() -> None:
    line = json.loads(formatter("json").format(record('a "%s"\nline', "quoted")))
    assert (line["level"], line["logger"], line["message"]) == ("warning", "spoold.x", 'a "quoted"\nline')
    assert line["time"].endswith("+00:00")
    assert "error" not in line


def test_a_traceback_is_part_of_its_line() -> None:
    text = formatter("json").format(record("failed", error=ValueError("why")))
    assert "\n" not in text
    assert "ValueError: why" in json.loads(text)["error"]


def test_text_is_for_people() -> None:
    assert formatter("text").format(record("said")).endswith("WARNING  spoold.x: said")


def test_every_line_of_a_server_is_an_object(tmp_path) -> None:
    log = tmp_path / "log"
    options = ("--log-format", "json", "--log-level", "debug", "--log-file", str(log))
    with ServerProcess(tmp_path / "data", options) as server:
        server.kill()
        server.start()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
