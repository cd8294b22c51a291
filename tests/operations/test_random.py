"""Whatever commands do, `verify` finds no fault in it, and a dump that is loaded dumps as it was."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.conformance.generators import requests, sequences, timed

from spoold.operations.dump import dump
from spoold.operations.load import load
from spoold.operations.restore import compact
from spoold.operations.verify import verify
from support.room import Room

FAMILIES = ["strings", "lists", "sets", "hashes", "hyperloglog", "zsets", "geo", "streams", "trimming", "keys", "mixed"]
# No command of these changes keys, or it asks for more of a server than the room has.
LEFT_OUT = frozenset({b"DEBUG", b"SHUTDOWN", b"CONFIG"})


def facts(directory: Path, now_ms: int) -> list[Any]:
    lines: list[str] = []
    dump(directory, lines.append, now_ms)
    return [json.loads(line) for line in lines[1:]]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_random_commands_leave_is_sound_and_can_be_dumped(family: str) -> None:
    @settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(sequences(requests(family)))
    def play(sequence: list[list[bytes]]) -> None:
        with tempfile.TemporaryDirectory() as name:
            data, copy = Path(name) / "data", Path(name) / "copy"
            with Room(data, "interval") as room:
                for request in sequence:
                    if request[0].upper() not in LEFT_OUT:
                        room(*timed(request))
                now_ms = room.clock.unix_ms()
            assert verify(data).faults == []
            before = facts(data, now_ms)
            load(copy, [json.dumps({"spoold": "dump", "version": 1}), *map(json.dumps, before)], now_ms)
            assert facts(copy, now_ms) == before
            assert verify(copy).faults == []
            compact(data)
            assert facts(data, now_ms) == before

    play()
