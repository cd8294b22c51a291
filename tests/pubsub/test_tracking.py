"""CLIENT TRACKING: what the comparison with Redis can't show, or not as sharply."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from spoold.keyspace.expiry import expire_due
from spoold.pubsub.tracking import Tracking
from support.server import Client, Error, Server


def invalid(*names: bytes) -> list[object]:
    return [b"invalidate", list(names)]


@pytest.fixture
def reader(server: Server) -> Client:
    """A client that tracks what it reads."""
    client = server.client()
    client("HELLO", 3)
    client("CLIENT", "TRACKING", "ON")
    return client


def tracking(server: Server) -> Tracking:
    return server.parts.get(Tracking)


def break_the_next_commit(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = server.commit.commit_turn

    def broken() -> None:
        monkeypatch.setattr(server.commit, "commit_turn", whole)
        raise RuntimeError("planted")

    monkeypatch.setattr(server.commit, "commit_turn", broken)


def test_who_does_not_track_stays_on_the_hot_path_and_pays_nothing(server: Server, a: Client, reader: Client) -> None:
    assert a.session.plain
    assert not reader.session.plain
    a("GET", "k")
    assert not server.dbs[0].observed
    reader("CLIENT", "TRACKING", "OFF")
    assert reader.session.plain
    assert server.dbs.on_change is None
    assert not server.dispatcher.before
    reader("CLIENT", "TRACKING", "ON", "BCAST")
    assert reader.session.plain


def test_a_key_that_falls_due_is_told_even_with_noloop(server: Server, a: Client) -> None:
    a("HELLO", 3)
    a("CLIENT", "TRACKING", "ON", "NOLOOP")
    a("SET", "k", "v", "PX", 100)
    a("SET", "j", "v", "PX", 200)
    assert a("MGET", "k", "j") == [b"v", b"v"]
    server.advance_ms(150)
    a.send("GET", "k")
    assert a.replies() == [None, invalid(b"k")]
    server.advance_ms(100)
    server.turn.begin()
    expire_due(server.dbs, 10)
    server.turn.end()
    assert a.replies() == [invalid(b"j")]


def test_only_the_database_in_which_a_key_was_read_counts(a: Client, reader: Client) -> None:
    reader("GET", "k")
    a("SELECT", 3)
    a("SET", "k", "v")
    assert reader.replies() == []
    a("MOVE", "k", 0)
    assert reader.replies() == [invalid(b"k")]


def test_what_doors_and_scripts_read_and_change_counts(server: Server, a: Client, reader: Client) -> None:
    assert reader("EVAL", "return redis.call('GET', 'k')", 0) is None
    a("EVAL", "return redis.call('SET', 'k', 'v')", 0)
    assert reader.replies() == [invalid(b"k")]


def test_keys_that_a_script_declares_count_as_read_if_it_reads_anything(a: Client, reader: Client) -> None:
    reader("EVAL", "return redis.call('SET', 'x', 'y')", 1, "k")
    a("SET", "k", "v")
    assert reader.replies() == []
    reader("EVAL", "return redis.call('GET', 'x')", 1, "k")
    a("SET", "k", "v")
    assert reader.replies() == [invalid(b"k")]


def test_a_turn_that_is_rolled_back_tells_nothing_and_forgets_nothing(
    server: Server, a: Client, reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader("MGET", "k", "j")
    break_the_next_commit(server, monkeypatch)
    a.send_many([("SET", "k", "v"), ("FLUSHALL",)])
    assert all(isinstance(reply, Error) for reply in a.replies())
    assert reader.replies() == []
    assert tracking(server).items == tracking(server).keys == 2
    a("SET", "k", "v")
    assert reader.replies() == [invalid(b"k")]


@pytest.mark.parametrize("end", [("CLIENT", "TRACKING", "OFF"), ("CLIENT", "TRACKING", "ON", "BCAST"), ("RESET",)])
def test_what_changed_in_the_turn_before_tracking_ends_is_told(reader: Client, end: tuple[str, ...]) -> None:
    reader("GET", "k")
    off: list[tuple[str | bytes | float, ...]] = [("CLIENT", "TRACKING", "OFF")] * (end[-1] == "BCAST")
    reader.send_many([("SET", "k", "v"), *off, end])
    assert invalid(b"k") in reader.replies()
    reader("CLIENT", "TRACKING", "OFF")
    reader("HELLO", 3)
    reader("CLIENT", "TRACKING", "ON")
    reader.send_many([("FLUSHDB",), *off, end])
    assert [b"invalidate", None] in reader.replies()


def test_what_changed_before_the_protocol_did_is_told_in_the_old_one(a: Client) -> None:
    a("CLIENT", "TRACKING", "ON")
    a("GET", "k")
    a.send_many([("SET", "k", "v"), ("HELLO", 3), ("ECHO", "x")])
    assert len(a.replies()) == 3, "RESP2 knows no pushes"
    a.send_many([("GET", "k"), ("SET", "k", "v"), ("HELLO", 2), ("ECHO", "x")])
    assert invalid(b"k") in a.replies()


def test_who_says_goodbye_is_told_nothing_behind_it(a: Client) -> None:
    a("HELLO", 3)
    a("CLIENT", "TRACKING", "ON", "BCAST")
    a.send_many([("SET", "k", "v"), ("QUIT",)])
    assert a.replies() == [b"OK", b"OK"]


def test_what_is_read_behind_a_flush_of_the_same_turn_is_remembered(reader: Client) -> None:
    reader("GET", "j")
    reader.send_many([("FLUSHDB",), ("GET", "k")])
    assert reader.replies() == [b"OK", None, [b"invalidate", None]]
    reader.send("MSET", "j", "v", "k", "v")
    assert reader.replies() == [b"OK", invalid(b"k")]


def test_who_begins_behind_a_flush_of_the_same_turn_is_not_told_of_it(a: Client, reader: Client) -> None:
    a("HELLO", 3)
    a.send_many([("FLUSHDB",), ("CLIENT", "TRACKING", "ON")])
    assert a.replies() == [b"OK", b"OK"]
    assert reader.replies() == [[b"invalidate", None]]


def test_the_table_is_bounded_and_the_oldest_key_is_told(server: Server, a: Client, reader: Client) -> None:
    a("CONFIG", "SET", "tracking-table-max-keys", 2)
    reader("MGET", "k1", "k2")
    reader.send("GET", "k3")
    assert reader.replies() == [None, invalid(b"k1")]
    assert tracking(server).keys == 2
    a("CONFIG", "SET", "tracking-table-max-keys", 1)
    assert reader.replies() == [invalid(b"k2")]
    assert set(server.dbs[0].observed) == {b"k3"}


def test_the_table_is_empty_when_no_one_tracks_any_more(server: Server, a: Client, reader: Client) -> None:
    other = server.client()
    other("CLIENT", "TRACKING", "ON")
    other("GET", "k")
    reader("MGET", "k", "j")
    assert (tracking(server).keys, tracking(server).items, tracking(server).clients) == (2, 3, 2)
    assert b"tracking_total_items:3\r\n" in a("INFO", "stats")
    assert b"tracking_clients:2\r\n" in a("INFO", "clients")
    other.close()
    reader("RESET")
    assert (tracking(server).keys, tracking(server).items, tracking(server).clients) == (0, 0, 0)
    assert not server.dbs[0].observed


def test_another_connection_can_be_told_with_resp2(server: Server, a: Client) -> None:
    ear, writer = server.client(), server.client()
    number = ear.peer.id
    ear("SUBSCRIBE", "__redis__:invalidate")
    assert a("CLIENT", "TRACKING", "ON", "REDIRECT", number) == b"OK"
    assert a("CLIENT", "GETREDIR") == number
    assert b" redir=%d " % number in a("CLIENT", "INFO")
    a("GET", "k")
    writer("SET", "k", "v")
    assert ear.replies() == [[b"message", b"__redis__:invalidate", [b"k"]]]
    a("GET", "k")
    writer("FLUSHALL")
    assert ear.replies() == [[b"message", b"__redis__:invalidate", None]]


def test_who_redirects_hears_that_the_other_is_gone(server: Server, a: Client, b: Client) -> None:
    ear = server.client()
    a("HELLO", 3)
    a("CLIENT", "TRACKING", "ON", "REDIRECT", ear.peer.id)
    a("GET", "k")
    ear.close()
    b("SET", "k", "v")
    assert a.replies() == [[b"tracking-redir-broken", ear.peer.id]]
    assert b"broken_redirect" in a("CLIENT", "TRACKINGINFO")[b"flags"]
    flags = re.search(rb"flags=(\w+)", a("CLIENT", "INFO"))
    assert flags is not None
    assert flags[1] == b"tR"


def test_a_parked_client_is_told_behind_its_reply(server: Server, a: Client, reader: Client) -> None:
    a("RPUSH", "list2", "a")
    reader("LRANGE", "list2", 0, -1)
    reader.send("BLMOVE", "list1", "list2", "LEFT", "LEFT", 0)
    a("RPUSH", "list1", "foo")
    assert reader.replies() == [b"foo", invalid(b"list2")]


def test_prefixes_of_several_clients(server: Server, a: Client) -> None:
    wide, narrow = server.client(), server.client()
    for client, words in ((wide, ()), (narrow, ("PREFIX", "a:"))):
        client("HELLO", 3)
        client("CLIENT", "TRACKING", "ON", "BCAST", *words)
    a.send_many([("SET", "a:1", "v"), ("SET", "b:1", "v"), ("SET", "a:1", "w")])
    assert a.replies() == [b"OK"] * 3
    assert wide.replies() == [invalid(b"a:1", b"b:1")]
    assert narrow.replies() == [invalid(b"a:1")]
    wide.close()
    a("SET", "b:1", "v")
    assert narrow.replies() == []
    assert tracking(server).prefixes == 1


KEYS = st.sampled_from(["a", "b", "ab"])


class CacheMachine(RuleBasedStateMachine):
    """A client that caches what it reads, and drops what it is told to, never shows a value that is not the current."""

    @initialize(options=st.sampled_from([(), ("NOLOOP",)]))
    def start(self, options: tuple[str, ...]) -> None:
        self.home = TemporaryDirectory()
        self.server = Server(Path(self.home.name), "memory")
        self.writer, self.reader = self.server.client(), self.server.client()
        self.own_changes_are_told = not options
        self.reader("HELLO", 3)
        self.reader("CLIENT", "TRACKING", "ON", *options)
        self.cache: dict[str, object] = {}
        self.told: list[Any] = []

    def _ask(self, *words: str) -> Any:
        """The reply, behind which what is told comes with the same turn."""
        self.reader.send(*words)
        reply, *self.told = self.reader.replies()
        return reply

    def _hear(self) -> None:
        for message in [*self.told, *self.reader.replies()]:
            assert message[0] == b"invalidate"
            for name in list(self.cache) if message[1] is None else [name.decode() for name in message[1]]:
                self.cache.pop(name, None)
        self.told = []

    @rule(name=KEYS)
    def read(self, name: str) -> None:
        self.cache[name] = self._ask("GET", name)

    @rule(names=st.lists(KEYS, min_size=1, max_size=3))
    def read_in_a_transaction(self, names: list[str]) -> None:
        self.reader("MULTI")
        for name in names:
            self.reader("GET", name)
        self.cache.update(zip(names, self._ask("EXEC"), strict=True))

    @rule(name=KEYS, value=st.sampled_from("xy"))
    def write(self, name: str, value: str) -> None:
        self.writer("SET", name, value)

    @rule(name=KEYS)
    def delete(self, name: str) -> None:
        self.writer("DEL", name)

    @rule(name=KEYS, ms=st.integers(1, 50))
    def let_it_fall_due(self, name: str, ms: int) -> None:
        self.writer("SET", name, "z", "PX", ms)

    @rule(ms=st.integers(1, 60))
    def wait(self, ms: int) -> None:
        self.server.advance_ms(ms)
        self.server.turn.begin()
        expire_due(self.server.dbs, 100)
        self.server.turn.end()

    @rule(one=KEYS, other=KEYS)
    def rename(self, one: str, other: str) -> None:
        self.writer("RENAME", one, other)

    @rule(whole=st.booleans())
    def flush(self, whole: bool) -> None:
        self.writer("FLUSHALL" if whole else "FLUSHDB")

    @rule(name=KEYS, value=st.sampled_from("xy"))
    def write_itself(self, name: str, value: str) -> None:
        assert self._ask("SET", name, value) == b"OK"
        if self.own_changes_are_told:
            assert (name in self.cache) == bool(self.told)
        self.cache.pop(name, None)

    @rule(size=st.integers(1, 3))
    def bound_the_table(self, size: int) -> None:
        self.writer("CONFIG", "SET", "tracking-table-max-keys", size)

    @invariant()
    def what_is_cached_is_current(self) -> None:
        self._hear()
        for name, value in self.cache.items():
            assert self.writer("GET", name) == value

    def teardown(self) -> None:
        with self.home, self.server:
            pass


TestCache = CacheMachine.TestCase
