"""The JSON API on a real server: what it shows, what it does, how it takes and gives bytes."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.console.conftest import ACTION, Site, text

BINARY = b"\xff\x00\n%"


def b64(value: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(value).decode()}


def names(listed: dict) -> list[str | None]:
    """Of the queues that there are: those that were emptied a moment ago are listed too."""
    return [queue["name"]["text"] for queue in listed["queues"] if queue["type"] != "none"]


def test_the_overview_tells_how_the_server_is(site: Site) -> None:
    site.redis.rpush("q", "a", "b")
    told = site.get("/overview")
    assert told["writable"] is True
    assert told["keys"] == 1
    assert told["clients"] >= 1
    assert {one["kind"] for one in told["listeners"]} == {"redis", "http"}
    assert {"queues", "items"} <= set(told["queues"])


def test_queues_are_sorted_filtered_and_paged(site: Site) -> None:
    for name, length in (("a1", 3), ("a2", 1), ("b", 2)):
        site.redis.rpush(name, *range(length))
    site.redis.set("string", "no queue")
    assert names(site.get("/queues")) == ["a1", "b", "a2"]
    assert names(site.get("/queues", sort="name", order="up")) == ["a1", "a2", "b"]
    assert names(site.get("/queues", match="a*", sort="length", order="up")) == ["a2", "a1"]
    page = site.get("/queues", count=1, offset=1)
    assert (names(page), page["total"], page["complete"]) == (["b"], 3, True)
    site.redis.sadd("s", "x")
    assert names(site.get("/queues", type="set")) == ["s"]


def test_one_queue_is_told_of_and_one_that_is_not_there_too(site: Site) -> None:
    site.redis.rpush("q", "a")
    site.redis.expire("q", 100)
    told = site.get("/queue", key="q")
    assert (told["type"], told["length"]) == ("list", 1)
    assert 0 < told["ttl_ms"] <= 100_000
    assert site.get("/queue", key="none")["type"] == "none"


def test_names_and_items_may_be_any_bytes(site: Site) -> None:
    pushed = site.http.post(
        "/api/v1/queue/push", json={"key": b64(BINARY), "items": [b64(BINARY), text("ü")]}, headers=ACTION
    )
    assert pushed.json() == {"type": "list", "length": 2}
    assert site.redis.lrange(BINARY, 0, -1) == [BINARY, "ü".encode()]
    shown = site.http.get("/api/v1/queue/items?key=%ff%00%0a%25").json()
    first, second = (item[0] for item in shown["items"])
    assert base64.b64decode(first["base64"]) == BINARY
    assert (first["text"], first["kind"]) == (None, "binary")
    assert second["text"] == "ü"
    (queue,) = site.get("/queues")["queues"]
    assert base64.b64decode(queue["name"]["base64"]) == BINARY


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (("RPUSH", "k", "a", "b"), [["a"], ["b"]]),
        (("SADD", "k", "a"), [["a"]]),
        (("ZADD", "k", "1.5", "a"), [["a", "1.5"]]),
        (("HSET", "k", "f", "v"), [["f", "v"]]),
        (("XADD", "k", "5-1", "f", "v"), [["5-1", "f", "v"]]),
        (("SET", "k", "v"), [["v"]]),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_items_of_every_type_are_shown_without_taking_them(site: Site, make: tuple[str, ...], expected: list) -> None:
    site.redis.execute_command(*make)
    shown = site.get("/queue/items", key="k")
    assert [[part["text"] for part in item] for item in shown["items"]] == expected
    assert site.redis.exists("k")


class Bomb:
    """Writes a file where it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return open, (self.path, "w")


def test_a_pickle_is_described_and_never_loaded(site: Site, tmp_path) -> None:
    trap = tmp_path / "trap"
    site.redis.rpush("q", pickle.dumps({"n": [1, 2.5, None, (True,)], "task": Bomb(str(trap))}), b"\x80\x04broken")
    first, second = (item[0] for item in site.get("/queue/items", key="q")["items"])
    assert first["kind"] == "pickle"
    assert first["outline"] == f"{{'n': [1, 2.5, None, (True,)], 'task': io.open('{trap}', 'w')}}"
    assert (second["kind"], second["outline"]) == ("binary", None)
    assert not trap.exists()


def test_what_is_compressed_is_shown_up_to_a_limit(site: Site) -> None:
    site.redis.rpush(
        "q", zlib.compress(b'{"a": 1}'), zlib.compress(bytes(100_000_000)), zlib.compress(pickle.dumps([1]))
    )
    small, large, pickled = (item[0] for item in site.get("/queue/items", key="q")["items"])
    assert (small["kind"], small["outline"]) == ("zlib", '{"a": 1}')
    assert len(large["outline"]) <= 65536
    assert pickled["outline"] == "[1]"


def test_json_and_large_items_are_told_apart_and_cut(site: Site) -> None:
    site.redis.rpush("q", json.dumps({"a": 1}), "{no json", "x" * 100_000, "")
    kinds = [(item[0]["kind"], item[0]["cut"], item[0]["size"]) for item in site.get("/queue/items", key="q")["items"]]
    assert kinds == [("json", False, 8), ("text", False, 8), ("text", True, 100_000), ("empty", False, 0)]


def test_items_are_pushed_to_each_end_and_by_score(site: Site) -> None:
    site.post("/queue/push", key=text("q"), items=[text("b")])
    site.post("/queue/push", key=text("q"), items=[text("a")], end="head")
    assert site.redis.lrange("q", 0, -1) == [b"a", b"b"]
    site.post("/queue/push", key=text("z"), items=[text("m")], type="zset", score=2.5)
    assert site.redis.zrange("z", 0, -1, withscores=True) == [(b"m", 2.5)]
    assert site.post("/queue/push", key=text("s"), items=[text("m"), text("m")], type="set") == {
        "type": "set",
        "length": 1,
    }


def test_a_push_to_a_hash_is_a_conflict(site: Site) -> None:
    site.redis.hset("h", "f", "v")
    refused = site.http.post("/api/v1/queue/push", json={"key": text("h"), "items": [text("a")]}, headers=ACTION)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "wrong-type")


@pytest.mark.parametrize("kind", ["list", "set", "zset"])
def test_items_are_moved_in_order(site: Site, kind: str) -> None:
    if kind == "list":
        site.redis.rpush("from", *range(5))
    elif kind == "set":
        site.redis.sadd("from", *range(5))
    else:
        site.redis.zadd("from", {str(n): n for n in range(5)})
    body = {"key": text("from"), "to": text("to"), "count": 3}
    assert site.post("/queue/move", **body) == {"moved": 3, "left": 2}
    moved = [item[0]["text"] for item in site.get("/queue/items", key="to")["items"]]
    assert moved == ["0", "1", "2"]
    assert site.post("/queue/move", **body) == {"moved": 2, "left": 0}
    assert site.post("/queue/move", **body) == {"moved": 0, "left": 0}


def test_items_are_not_moved_to_a_key_of_another_type_or_to_themselves(site: Site) -> None:
    site.redis.rpush("from", "a")
    site.redis.sadd("set", "b")
    for to, code in (("set", "wrongtype"), ("from", "same-queue")):
        body = {"key": text("from"), "to": text(to)}
        refused = site.http.post("/api/v1/queue/move", json=body, headers=ACTION)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, code)
    assert site.redis.lrange("from", 0, -1) == [b"a"]


def test_a_purge_deletes_the_key(site: Site) -> None:
    site.redis.rpush("q", *range(10))
    assert site.post("/queue/purge", key=text("q")) == {"deleted": 1}
    assert not site.redis.exists("q")


def test_keys_are_paged_by_type(site: Site) -> None:
    for number in range(250):
        site.redis.set(f"s{number}", "x" * 5)
    site.redis.hset("h", mapping={"a": "1", "b": "2"})
    found, cursor = [], "0"
    while True:
        page = site.get("/keys", type="string", cursor=cursor, count=50)
        found += [key["name"]["text"] for key in page["keys"]]
        cursor = page["cursor"]
        if cursor == "0":
            break
    assert sorted(found) == sorted(f"s{number}" for number in range(250))
    (hash_,) = site.get("/keys", type="hash")["keys"]
    assert (hash_["length"], hash_["ttl_ms"]) == (2, None)
    assert site.get("/key", key="s1")["length"] == 5
    assert site.post("/key/delete", key=text("h")) == {"deleted": 1}


def test_databases_are_told_apart(site: Site) -> None:
    site.post("/queue/push", db=3, key=text("q"), items=[text("a")])
    assert names(site.get("/queues")) == []
    assert names(site.get("/queues", db=3)) == ["q"]


def test_clients_are_listed_and_closed(site: Site) -> None:
    site.redis.client_setname("worker")
    (client,) = [one for one in site.get("/clients")["clients"] if one["name"] == "worker"]
    assert site.post("/clients/close", id=client["id"]) == {"closed": 1}
    gone = site.http.post("/api/v1/clients/close", json={"id": client["id"]}, headers=ACTION)
    assert gone.status_code == 404
    site.redis.ping()


def test_slow_commands_are_listed_and_cleared(site: Site) -> None:
    site.redis.config_set("slowlog-log-slower-than", 0)
    site.redis.set("k", BINARY)
    site.redis.config_set("slowlog-log-slower-than", 10_000)
    entries = site.get("/slowlog")["entries"]
    assert any(entry["words"][0]["text"] == "SET" for entry in entries)
    site.post("/slowlog/clear")
    assert site.get("/slowlog") == {"entries": []}


def test_the_configuration_is_shown_without_secrets_and_changed(site: Site) -> None:
    parameters = {one["name"]: one for one in site.get("/configuration")["parameters"]}
    assert parameters["requirepass"] == {"name": "requirepass", "value": None, "secret": True}
    assert site.post("/configuration", name="timeout", value="300")["value"] == "300"
    assert site.redis.config_get("timeout") == {"timeout": "300"}
    site.post("/configuration", name="timeout", value="0")
    for name, value, status in (("timeout", "no number", 409), ("nothing", "1", 404)):
        refused = site.http.post("/api/v1/configuration", json={"name": name, "value": value}, headers=ACTION)
        assert refused.status_code == status


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("PING", {"type": "bytes"}),
        ("SET \"a b\" 'c'", {"type": "bytes"}),
        ("INCR n", {"type": "integer", "integer": 1}),
        ("GET nothing", {"type": "null"}),
        ("LLEN", {"type": "error", "error": "ERR wrong number of arguments for 'llen' command"}),
        ("LRANGE nothing 0 -1", {"type": "array", "size": 0, "items": []}),
    ],
)
def test_the_command_box_runs_one_command_as_a_client(site: Site, line: str, expected: dict) -> None:
    reply = site.post("/command", line=line)["reply"]
    assert {**reply, **expected} == reply


def test_a_command_that_waits_is_given_up_and_takes_nothing_later(site: Site) -> None:
    refused = site.http.post("/api/v1/command", json={"line": "BLPOP q 0"}, headers=ACTION)
    assert (refused.status_code, refused.json()["error"]["code"]) == (504, "no-reply")
    site.redis.rpush("q", "a")
    assert site.redis.llen("q") == 1


def test_a_large_reply_of_a_command_is_cut(site: Site) -> None:
    site.redis.rpush("q", *range(20_000))
    reply = site.post("/command", line="LRANGE q 0 -1")["reply"]
    assert reply["size"] == 20_000
    assert len(reply["items"]) < 6000


def test_samples_of_the_last_minutes_come_one_after_the_other(site: Site) -> None:
    samples = site.get("/history")["samples"]
    assert samples == sorted(samples, key=lambda sample: sample["unix_ms"])
    if samples:
        assert site.get("/history", since=samples[-1]["unix_ms"])["samples"] in ([], samples[-1:0])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/queue", 400),
        ("/api/v1/queues?db=16", 400),
        ("/api/v1/queues?db=x", 400),
        ("/api/v1/queues?sort=%ff", 400),
        ("/api/v1/queues?count=0", 400),
        ("/api/v1/nothing", 404),
        ("/../../etc/passwd", 404),
        ("/static/app.js", 404),
    ],
)
def test_what_is_asked_wrongly_is_told_in_one_form(site: Site, path: str, status: int) -> None:
    response = site.http.get(path)
    assert response.status_code == status
    assert set(response.json()["error"]) == {"code", "message"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{", 400),
        (b'{"key": {"text": "q"}}', 400),
        (b'{"key": {"text": "q"}, "items": []}', 400),
        (b'{"key": {"text": "q"}, "items": [{"base64": "!"}]}', 400),
        (b'{"key": {"text": "\\ud800"}, "items": [{"text": "a"}]}', 400),
        (b'{"key": {"text": "q"}, "items": [{"text": "a"}], "more": 1}', 400),
        (b'{"key": {"text": "q"}, "items": [{"text": "a"}], "score": NaN}', 400),
        (b"[" * 100_000, 400),
        (b" " * (8 * 1024 * 1024 + 1), 413),
    ],
)
def test_a_body_that_is_wrong_changes_nothing(site: Site, body: bytes, status: int) -> None:
    headers = {**ACTION, "content-type": "application/json"}
    response = site.http.post("/api/v1/queue/push", content=body, headers=headers)
    assert response.status_code == status
    assert site.redis.dbsize() == 0


def test_other_clients_are_served_while_many_ask(site: Site) -> None:
    for number in range(3000):
        site.redis.rpush(f"q{number}", "a")

    def ask() -> None:
        for _ in range(5):
            if len(names(site.get("/queues", type="list", count=1000))) != 1000:
                raise AssertionError("queues are missing")

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask) for _ in range(4)]
        for _ in range(200):
            assert site.redis.ping()
        for one in asked:
            one.result()
