"""INFO: the sections, the fields that clients read, and that they tell the truth."""

from __future__ import annotations

import os

import pytest

from spoold import __version__
from support.server import Client, Server


def info(client: Client, *sections: str) -> dict[str, str]:
    lines = client("INFO", *sections).decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def titles(client: Client, *sections: str) -> list[str]:
    return [line[2:] for line in client("INFO", *sections).decode().split("\r\n") if line.startswith("# ")]


def test_what_clients_decide_by(a: Client) -> None:
    found = info(a)
    assert {name: found[name] for name in ("redis_version", "redis_mode", "maxmemory_policy", "loading", "role")} == {
        "redis_version": "7.0.15",
        "redis_mode": "standalone",
        "maxmemory_policy": "noeviction",
        "loading": "0",
        "role": "master",
    }
    assert not {"valkey_version", "dragonfly_version", "loading_eta_seconds"} & found.keys()
    assert found["spoold_version"] == __version__


def test_sections_are_chosen_in_any_case(a: Client) -> None:
    everything = titles(a, "everything")
    assert everything == [
        "Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU", "Modules", "Commandstats",
        "Errorstats", "Latencystats", "Cluster", "Keyspace",
    ]  # fmt: skip
    assert titles(a, "ALL") == everything
    timed = {"Commandstats", "Latencystats"}
    assert titles(a) == titles(a, "default") == [title for title in everything if title not in timed]
    assert titles(a, "clients", "SERVER") == ["Server", "Clients"]
    assert titles(a, "default", "commandstats", "latencystats") == everything
    assert a("INFO", "nosuch") == b""
    assert titles(a, "nosuch", "Memory") == ["Memory"]


def test_the_text_is_that_of_redis(a: Client) -> None:
    text = a("INFO", "cluster", "clients")
    assert text.startswith(b"# Clients\r\nconnected_clients:1\r\n")
    assert text.endswith(b"\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n")
    a("HELLO", 3)
    a("INFO", "cluster")
    assert b"\r\ntxt:# Cluster\r\n" in a.raw


def test_the_server_section(server: Server, a: Client) -> None:
    server.advance_ms(90_000_000)
    found = info(a, "server")
    assert found["process_id"] == str(os.getpid())
    assert found["tcp_port"] == "6379"
    assert (found["uptime_in_seconds"], found["uptime_in_days"]) == ("90000", "1")
    assert len(found["run_id"]) == 40


def test_clients_are_counted(server: Server, a: Client, b: Client) -> None:
    b.send("BLPOP", "q", 0)
    found = info(a, "clients")
    assert (found["connected_clients"], found["blocked_clients"], found["maxclients"]) == ("2", "1", "10000")


def test_memory_is_the_process_own(a: Client) -> None:
    found = info(a, "memory")
    assert 1_000_000 < int(found["used_memory"]) <= int(found["used_memory_peak"])
    assert int(found["used_memory_rss"]) >= int(found["used_memory"])
    assert found["used_memory_human"].endswith("M")
    assert found["used_memory_peak_human"].endswith("M")
    assert int(found["total_system_memory"]) > int(found["used_memory_rss"])


def test_persistence_tells_what_is_on_the_disk(server: Server, a: Client) -> None:
    a("SAVE")
    a.send_many([("SET", "k", 1), ("SET", "k", 2)])
    a.replies()
    a("SET", "k", 3)
    server.advance_ms(5000)
    found = info(a, "persistence")
    assert found["rdb_changes_since_last_save"] == "2"
    assert found["aof_enabled"] == "1"
    assert found["aof_last_write_status"] == found["rdb_last_bgsave_status"] == "ok"
    assert found["rdb_last_save_time"] == str(a("LASTSAVE")) == "1700000000"
    a("SAVE")
    assert info(a, "persistence")["rdb_changes_since_last_save"] == "0"
    assert a("LASTSAVE") == 1_700_000_005


def test_a_disk_that_fails_is_told(server: Server, a: Client) -> None:
    server.commit.failing = "checkpoint failed: planted"
    found = info(a, "persistence")
    assert found["aof_last_write_status"] == found["rdb_last_bgsave_status"] == "err"


def test_memory_mode_keeps_no_journal(tmp_path: object) -> None:
    with Server(tmp_path / "m", "memory") as server:  # type: ignore[operator]
        found = info(server.client(), "persistence")
    assert (found["aof_enabled"], found["spoold_durability"]) == ("0", "memory")


def test_commands_are_counted_under_their_subcommands(a: Client) -> None:
    for request in (
        ["PING"],
        ["pInG"],
        ["CLIENT", "ID"],
        ["client", "id"],
        ["GET"],
        ["CLIENT", "ID", "x"],
        ["CLIENT", "FOO"],
    ):
        a(*request)
    a.send_many([("MULTI",), ("SET", "k", "v"), ("LPUSH", "k", "x"), ("EXEC",)])
    a.replies()
    found = info(a, "commandstats")
    assert found["cmdstat_ping"].startswith("calls=2,usec=")
    assert found["cmdstat_client|id"].startswith("calls=2,")
    assert found["cmdstat_client|id"].endswith("rejected_calls=1,failed_calls=0")
    assert found["cmdstat_get"].startswith("calls=0,usec=0,usec_per_call=0.00,rejected_calls=1")
    assert found["cmdstat_set"].startswith("calls=1,")
    assert found["cmdstat_lpush"].endswith("rejected_calls=0,failed_calls=1")
    assert "cmdstat_config" not in found


def test_rates_are_sampled(server: Server, a: Client) -> None:
    for _ in range(20):
        for _ in range(50):
            a("PING")
        server.advance_ms(100)
    found = info(a, "stats")
    assert 450 <= int(found["instantaneous_ops_per_sec"]) <= 550
    assert int(found["total_commands_processed"]) >= 1000
    assert int(found["total_net_output_bytes"]) >= 7000
    assert float(found["instantaneous_output_kbps"]) > 3


def test_keys_are_counted(server: Server, a: Client) -> None:
    a("MSET", "a", 1, "b", 2, "c", 3)
    a("PEXPIRE", "a", 1000)
    a("PEXPIRE", "b", 3000)
    a("SELECT", 9)
    a("RPUSH", "l", 1)
    assert info(a, "keyspace") == {"db0": "keys=3,expires=2,avg_ttl=2000", "db9": "keys=1,expires=0,avg_ttl=0"}
    a("FLUSHALL")
    assert a("INFO", "keyspace") == b"# Keyspace\r\n"


@pytest.mark.parametrize("section", ["cpu", "replication", "modules"])
def test_small_sections(a: Client, section: str) -> None:
    assert a("INFO", section).lower().startswith(f"# {section}\r\n".encode())


def test_error_replies_are_counted_by_their_code(a: Client, b: Client) -> None:
    a("CONFIG", "RESETSTAT")
    a("SET", "k", "v")
    a("LPUSH", "k", "x")
    a("LPUSH", "k", "y")
    a("NOSUCH")
    a("GET")
    a.send_many([("MULTI",), ("LPUSH", "k", "z"), ("EXEC",)])
    a.replies()
    lines = a("INFO", "errorstats").decode().split("\r\n")
    assert lines[:3] == ["# Errorstats", "errorstat_ERR:count=2", "errorstat_WRONGTYPE:count=3"]
    a("CONFIG", "RESETSTAT")
    assert "errorstat" not in a("INFO").decode().replace("# Errorstats", "")


def test_errors_of_scripts_are_counted_once(a: Client) -> None:
    a("SET", "k", "v")
    a("CONFIG", "RESETSTAT")
    a("EVAL", "return redis.call('LPUSH', 'k', 'x')", 1, "k")
    a("EVAL", "redis.pcall('LPUSH', 'k', 'x') return 1", 1, "k")
    lines = a("INFO", "errorstats").decode().split("\r\n")
    assert lines[1:2] == ["errorstat_WRONGTYPE:count=2"]
    a("CONFIG", "RESETSTAT")
    a("EVAL", "return redis.error_reply('MINE is broken')", 0)
    a("EVAL", "return 1 + nil", 0)
    lines = a("INFO", "errorstats").decode().split("\r\n")
    assert lines[1:3] == ["errorstat_ERR:count=1", "errorstat_MINE:count=1"]
