"""LATENCY LATEST, HISTORY, RESET, DOCTOR, GRAPH: what took as long as the threshold, and nothing without one."""

from __future__ import annotations

from pathlib import Path

from spoold.metrics.latency import SAMPLES, Event, Latency, graph, report
from support.server import Client, Error, Server


def names(a: Client) -> set[bytes]:
    return {event[0] for event in a("LATENCY", "LATEST")}


def test_without_a_threshold_nothing_is_kept_and_nothing_hooked_in(server: Server, a: Client) -> None:
    hooks = list(server.turn.on_end)
    a("DEBUG", "SLEEP", "0.002")
    assert a("LATENCY", "LATEST") == []
    assert b"CONFIG SET latency-monitor-threshold" in a("LATENCY", "DOCTOR")
    a("CONFIG", "SET", "latency-monitor-threshold", 1)
    assert server.turn.on_end != hooks
    assert server.duties.on_done is not None
    a("CONFIG", "SET", "latency-monitor-threshold", 0)
    assert server.turn.on_end == hooks
    assert server.duties.on_done is None
    a("DEBUG", "SLEEP", "0.002")
    assert a("LATENCY", "LATEST") == []


def test_a_slow_command_is_an_event_with_a_history_that_a_reset_forgets(server: Server, a: Client) -> None:
    a("CONFIG", "SET", "latency-monitor-threshold", 20, "slowlog-log-slower-than", -1)
    at_s = server.clock.unix_ms() // 1000
    for pause_s in ("0.03", "0.05", "0.04", "0.001"):
        a("DEBUG", "SLEEP", pause_s)
    server.clock.advance_ms(2000)
    a("DEBUG", "SLEEP", "0.025")
    history = a("LATENCY", "HISTORY", "command")
    # Of one second the worst is kept.
    assert [when for when, _ in history] == [at_s, at_s + 2]
    assert history[0][1] >= 50
    latest = {event[0]: event[1:] for event in a("LATENCY", "LATEST")}[b"command"]
    assert latest[:2] == history[-1]
    assert latest[2] >= history[0][1]
    assert a("SLOWLOG", "LEN") == 0
    drawn = a("LATENCY", "GRAPH", "command")
    assert drawn.startswith(b"command - high ")
    assert b"command: 2 seconds" in a("LATENCY", "DOCTOR")
    assert a("LATENCY", "RESET", "nosuch", "command", "command") == 1
    assert a("LATENCY", "HISTORY", "command") == []
    assert a("LATENCY", "GRAPH", "command") == Error("ERR No samples available for event 'command'")


def test_the_slow_log_keeps_its_own_time_beside_the_threshold(a: Client) -> None:
    a("CONFIG", "SET", "slowlog-log-slower-than", 1000, "latency-monitor-threshold", 10_000)
    a("DEBUG", "SLEEP", "0.003")
    assert a("SLOWLOG", "LEN") == 1
    assert names(a) == set()
    a("CONFIG", "SET", "slowlog-log-slower-than", 10_000_000, "latency-monitor-threshold", 1)
    a("DEBUG", "SLEEP", "0.003")
    assert a("SLOWLOG", "LEN") == 1
    assert b"command" in names(a)


def test_journal_and_checkpoint_are_events(tmp_path: Path) -> None:
    with Server(tmp_path, "always") as server:
        a = server.client()
        a("CONFIG", "SET", "latency-monitor-threshold", 5)
        # As if the disk were slow: what the engine measured of itself is what is told.
        server.turn.on_closing.append(lambda: setattr(server.commit, "append_s", server.commit.append_s + 0.04))
        a("SET", "k", "v")
        assert a("LATENCY", "HISTORY", "aof-fsync-always")[0][1] >= 40
        server.commit.checkpoint()
        server.commit.checkpoint_s = 0.2
        for duty in server.duties.each_tick:
            duty()
        assert a("LATENCY", "HISTORY", "checkpoint")[0][1] == 200


def test_only_the_last_samples_are_kept_and_the_worst_is_remembered() -> None:
    now_s = 1000
    latency = Latency(lambda: now_s)
    latency.threshold_ms = 10
    latency.note("command", 0.0099)
    assert latency.events == {}
    for number in range(SAMPLES + 5):
        now_s = 1000 + number
        latency.note("command", 0.5 if number == 0 else 0.012)
    event = latency.events["command"]
    assert len(event.samples) == SAMPLES
    assert event.samples[0] == (1005, 12)
    assert event.max_ms == 500
    assert "500 ms at worst" in report(latency)


def test_a_graph_has_a_column_for_each_sample_and_its_age_below() -> None:
    event = Event()
    for when_s, ms in ((40, 10), (90, 80), (98, 45)):
        event.add(when_s, ms)
    lines = graph("command", event, 100).splitlines()
    assert lines[0] == "command - high 80 ms, low 10 ms (all time high 80 ms)"
    assert lines[2:] == [" #", " #", " ##", "_##", "112", "m0s", " s"]
