"""`stats` of the memcached door: fields that tools read, totals that add up."""

from __future__ import annotations

import os

import pytest

from spoold import __version__
from spoold.protocol.codec import Limits
from support.memcached import Client, Doorway
from support.room import Room


def stats(client: Client, kind: str = "") -> dict[str, str]:
    *lines, end = client.ask(f"stats {kind}").split("\r\n")
    assert end == "END"
    assert all(line.startswith("STAT ") for line in lines)
    found = dict(line.split(" ", 2)[1:] for line in lines)
    assert len(found) == len(lines)
    return found


def totals(client: Client) -> dict[str, int]:
    names = ("cmd_", "get_", "delete_", "incr_", "decr_", "cas_", "touch_")
    return {name: int(value) for name, value in stats(client).items() if name.startswith(names) and value != "0"}


def test_general_statistics_tell_how_the_server_is(client: Client, room: Room) -> None:
    room("SET", "k", "v")
    found = stats(client)
    assert found["pid"] == str(os.getpid())
    assert found["version"] == "1.6.18"
    assert found["spoold_version"] == __version__
    assert found["time"] == str(room.clock.unix_ms() // 1000)
    assert [found[name] for name in ("curr_items", "bytes", "bytes_read", "rejected_connections")] == [
        "1",
        "4096",
        "7",
        "3",
    ]
    assert float(found["rusage_user"]) > 0


def test_every_verb_is_counted(client: Client) -> None:
    client.ask("set k 0 0 1", "1", "add k 0 0 1", "1", "get k x", "gets k", "gat 9 k x", "touch k 9", "touch x 9")
    client.ask("incr k 1", "decr k 1", "incr x 1", "decr x 1", "cas k 0 0 1 99", "1", "cas x 0 0 1 9", "1", "flush_all")
    client.ask("set k 0 0 1", "1", "delete k", "delete k")
    assert totals(client) == {
        "cmd_get": 3,
        "get_hits": 2,
        "get_misses": 1,
        "cmd_set": 5,
        "cmd_flush": 1,
        "cmd_touch": 4,
        "touch_hits": 2,
        "touch_misses": 2,
        "delete_hits": 1,
        "delete_misses": 1,
        "incr_hits": 1,
        "incr_misses": 1,
        "decr_hits": 1,
        "decr_misses": 1,
        "cas_misses": 1,
        "cas_badval": 1,
    }


def test_meta_commands_are_counted(client: Client) -> None:
    client.ask("ms k 1", "1", "mg k v", "mg x v", "mg k T9", "ma k", "ma k MD", "md k", "md k", "me k")
    assert totals(client) == {
        "cmd_meta": 9,
        "cmd_set": 1,
        "cmd_get": 2,
        "get_hits": 1,
        "get_misses": 1,
        "cmd_touch": 1,
        "touch_hits": 1,
        "incr_hits": 1,
        "decr_hits": 1,
        "delete_hits": 1,
        "delete_misses": 1,
    }


def test_a_value_that_is_too_large_is_counted(room: Room) -> None:
    client = Doorway(room, Limits(bulk_bytes=1)).client()
    client.ask("set k 0 0 2", "vv")
    assert stats(client)["store_too_large"] == "1"


def test_a_reset_sets_totals_to_zero(client: Client) -> None:
    client.ask("set k 0 0 1", "1", "get k")
    assert client.ask("stats reset") == "RESET"
    assert totals(client) == {}
    assert stats(client)["curr_connections"] == "1"


def test_clients_are_counted_while_they_are_there(room: Room) -> None:
    doorway = Doorway(room)
    first, second = doorway.client(), doorway.client()
    second.frontend.close()
    assert [stats(first)[name] for name in ("curr_connections", "total_connections")] == ["1", "2"]


def test_who_is_gone_because_of_silence_is_counted(room: Room) -> None:
    doorway = Doorway(room)
    first, second, third = (doorway.client() for _ in range(3))
    room.clock.advance_ms(5_000)
    second.frontend.close()
    room.clock.advance_ms(1)
    third.frontend.close()
    assert stats(first)["idle_kicks"] == "1"


def test_a_miss_tells_whether_the_value_was_past_its_time_or_flushed(client: Client, room: Room) -> None:
    for key in "abcde":
        client.ask(f"set {key} 0 {9 * (key != 'e')} 1", "v")
    room.clock.advance_ms(9_000)
    client.ask("get a", "get x", "gets b c e", "delete d", "mg a", "flush_all", "get e", "get e", "set e 0 0 1", "v")
    client.ask("get e")
    found = stats(client)
    assert (found["get_expired"], found["get_flushed"], found["get_misses"]) == ("3", "1", "7")


def test_the_connections_are_listed(room: Room) -> None:
    doorway = Doorway(room)
    for address in ("127.0.0.1:5", "[::1]:5", "/run/m:0"):
        doorway.client(address)
    room.clock.advance_ms(7_900)
    found = stats(doorway.client("127.0.0.1:6"), "conns")
    assert [found[f"{fd}:addr"] for fd in range(20, 24)] == [
        "tcp:127.0.0.1:5",
        "tcp6:[::1]:5",
        "unix:/run/m",
        "tcp:127.0.0.1:6",
    ]
    assert found["22:listen_addr"] == "unix:/run/m"
    assert [found[f"{fd}:state"] for fd in (20, 23)] == ["conn_read", "conn_parse_cmd"]
    assert [found[f"{fd}:secs_since_last_cmd"] for fd in (20, 23)] == ["7", "0"]


def test_the_limit_of_the_data_is_shown_as_that_of_the_cache(room: Room) -> None:
    doorway = Doorway(room)
    client = doorway.client()
    assert (stats(client)["limit_maxbytes"], stats(client, "settings")["maxbytes"]) == ("0", "0")
    doorway.limit.set_limit(9_000_000)
    assert (stats(client)["limit_maxbytes"], stats(client, "settings")["maxbytes"]) == ("9000000", "9000000")


def test_settings_tell_what_holds(client: Client) -> None:
    found = stats(client, "settings")
    assert [found[name] for name in ("inter", "tcpport", "udpport", "domain_socket")] == [
        "127.0.0.1",
        "11211",
        "0",
        "/run/m",
    ]
    assert found["item_size_max"] == str(64 * 1024**2)
    assert [found[name] for name in ("cas_enabled", "evictions", "binding_protocol", "idle_timeout")] == [
        "yes",
        "off",
        "ascii",
        "5",
    ]


def test_items_slabs_and_sizes_are_those_of_a_server_without_slabs(client: Client, room: Room) -> None:
    assert stats(client, "items") == {}
    room("SET", "k", "v")
    assert stats(client, "items")["items:1:number"] == "1"
    assert stats(client, "slabs") == {"active_slabs": "0", "total_malloced": "0"}
    assert stats(client, "sizes") == {"sizes_status": "disabled"}


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        ("what", "ERROR"),
        ("noreply", "ERROR"),
        ("detail on", "CLIENT_ERROR stats detail not allowed"),
    ],
)
def test_what_there_is_no_statistics_of_is_refused(client: Client, kind: str, reply: str) -> None:
    assert client.ask(f"stats {kind}") == reply
