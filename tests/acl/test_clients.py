"""Users as clients meet them: log-ins, changes while they are there, what is told of them, and what never is."""

from __future__ import annotations

import logging
import re

import pytest

from spoold.core.errors import SettingsError
from spoold.settings import Settings
from support.server import Client, Error, Server

WRONG = Error("WRONGPASS invalid username-password pair or user is disabled.")
NO_KEY = Error("NOPERM this user has no permissions to access one of the keys used as arguments")


def log(client: Client, count: str = "10") -> list[dict[bytes, object]]:
    return [dict(zip(entry[::2], entry[1::2], strict=True)) for entry in client("ACL", "LOG", count)]


def test_only_who_may_do_all_stays_on_the_hot_path(server: Server, a: Client, b: Client) -> None:
    assert a.session.plain
    a("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~k*")
    assert b("AUTH", "u", "x") == b"OK"
    assert not b.session.plain
    a("ACL", "SETUSER", "u", "allkeys", "allchannels")
    assert b.session.plain
    a("ACL", "SETUSER", "default", "-flushall")
    assert not a.session.plain
    a("ACL", "SETUSER", "default", "+@all")
    assert a.session.plain


def test_new_rules_hold_at_once(a: Client, b: Client) -> None:
    a("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~k*")
    b("AUTH", "u", "x")
    assert b("SET", "k", "v") == b"OK"
    a("ACL", "SETUSER", "u", "resetkeys", "~j*")
    assert b("SET", "k", "v") == NO_KEY
    assert b("SET", "j", "v") == b"OK"


def test_who_is_removed_is_disconnected_and_hears_no_more(a: Client, b: Client) -> None:
    a("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~*", "&*")
    b("HELLO", 3, "AUTH", "u", "x")
    b("SUBSCRIBE", "c")
    assert a("ACL", "DELUSER", "u") == 1
    assert b.closed
    assert a("PUBLISH", "c", "x") == 0
    assert a("CLIENT", "LIST").count(b"\n") == 1


def test_who_removes_itself_is_told_first(a: Client, b: Client) -> None:
    a("ACL", "SETUSER", "u", "on", "nopass", "+@all")
    b("AUTH", "u", "x")
    b.send_many([("ACL", "DELUSER", "u"), ("PING",)])
    assert b.replies() == [1]
    assert b.closed


def test_listeners_are_disconnected_when_a_channel_is_taken_from_them(server: Server, a: Client) -> None:
    a("ACL", "SETUSER", "u", "on", "nopass", "+@all", "&c*", "&d")
    channel, pattern, shard = (server.client() for _ in range(3))
    for client, words in (
        (channel, ("SUBSCRIBE", "c1")),
        (pattern, ("PSUBSCRIBE", "c*")),
        (shard, ("SSUBSCRIBE", "d")),
    ):
        client("AUTH", "u", "x")
        client(*words)
    a("ACL", "SETUSER", "u", "&more")
    a("ACL", "SETUSER", "u", "resetchannels", "&c*", "&d")
    assert (channel.closed, pattern.closed, shard.closed) == (False, False, False)
    a("ACL", "SETUSER", "u", "resetchannels", "&c1")
    assert (channel.closed, pattern.closed, shard.closed) == (False, True, True)


def test_a_listener_that_takes_its_own_channel_away_is_told_first(a: Client, b: Client) -> None:
    a("ACL", "SETUSER", "u", "on", "nopass", "+@all", "&c")
    b("HELLO", 3, "AUTH", "u", "x")
    b("SUBSCRIBE", "c")
    assert b("ACL", "SETUSER", "u", "resetchannels") == b"OK"
    assert b.closed


def test_scripts_may_do_what_their_caller_may(a: Client, b: Client) -> None:
    a("ACL", "SETUSER", "u", "on", "nopass", "+@all", "-keys", "~k*")
    b("AUTH", "u", "x")
    assert b("EVAL", "return redis.call('SET', KEYS[1], 'v').ok", 1, "k1") == b"OK"
    refused = str(b("EVAL", "return redis.call('GET', 'x')", 0))
    assert refused.startswith("ERR The user executing the script can't access at least one of the keys")
    refused = str(b("EVAL", "return redis.call('KEYS', '*')", 0))
    assert refused.startswith("ERR The user executing the script can't run this command or subcommand")
    assert b("EVAL", "return 1", 1, "x") == NO_KEY
    assert {entry[b"context"] for entry in log(a)} == {b"lua", b"toplevel"}
    assert a("EVAL", "return redis.call('KEYS', '*')", 0) == [b"k1"]


def test_denials_are_noted_and_counted(server: Server, a: Client, b: Client) -> None:
    a("ACL", "SETUSER", "u", "on", ">p", "+get", "~k")
    b("AUTH", "u", "wrong")
    b("AUTH", "u", "p")
    server.advance_ms(1000)
    b("GET", "x")
    b("GET", "x")
    b("SET", "k", "v")
    latest, before, first = log(a)
    assert (latest[b"reason"], latest[b"object"], latest[b"count"]) == (b"command", b"set", 1)
    assert (before[b"reason"], before[b"object"], before[b"count"]) == (b"key", b"x", 2)
    assert (first[b"reason"], first[b"object"], first[b"username"]) == (b"auth", b"AUTH", b"u")
    assert first[b"age-seconds"] == b"1"
    assert re.search(b" cmd=set user=u ", latest[b"client-info"])  # type: ignore[arg-type]
    server.advance_ms(61_000)
    b("GET", "x")
    assert [entry[b"count"] for entry in log(a)] == [1, 1, 2, 1]
    assert len(log(a, "2")) == 2
    a("CONFIG", "SET", "acllog-max-len", 1)
    assert len(log(a)) == 4
    b("CLIENT", "LIST")
    (only,) = log(a)
    assert re.search(rb" cmd=client\|list ", only[b"client-info"])  # type: ignore[arg-type]
    assert a("ACL", "LOG", "RESET") == b"OK"
    assert log(a) == []


def test_no_secret_is_told_or_logged(server: Server, a: Client, b: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    watcher = server.client()
    watcher("MONITOR")
    a("CONFIG", "SET", "slowlog-log-slower-than", 0)
    a("ACL", "SETUSER", "u", "on", ">hunter2", "+@all", "~*")
    a("ACL", "SETUSER", "u", "<hunter2", ">hunter2", "nosuch")
    b("AUTH", "u", "hunter2")
    b("AUTH", "u", "hunter2 wrong")
    b("HELLO", 2, "AUTH", "u", "hunter2")
    a("CONFIG", "SET", "requirepass", "hunter2")
    a("MULTI")
    a("AUTH", "hunter2")
    a("EXEC")
    seen = [watcher.raw, caplog.text.encode()]
    seen += [repr(a(*words)).encode() for words in (("SLOWLOG", "GET", -1), ("ACL", "LOG"), ("ACL", "LIST"))]
    seen += [repr(a("ACL", "GETUSER", "u")).encode(), a("CLIENT", "LIST"), a("INFO", "everything")]
    assert all(b"hunter2" not in text for text in seen)


def test_requirepass_is_the_password_of_default(server: Server, a: Client) -> None:
    a("CONFIG", "SET", "requirepass", "one")
    b = server.client()
    assert b("PING") == Error("NOAUTH Authentication required.")
    assert b("AUTH", "default", "one") == b"OK"
    a("ACL", "SETUSER", "default", ">two")
    c = server.client()
    assert (c("AUTH", "zero"), c("AUTH", "one"), c("AUTH", "two")) == (WRONG, b"OK", b"OK")
    a("CONFIG", "SET", "requirepass", "three")
    assert server.client()("AUTH", "two") == WRONG
    d = server.client()
    a("CONFIG", "SET", "requirepass", "")
    assert d("PING") == b"PONG"


def test_reset_makes_a_client_default_again(a: Client, b: Client) -> None:
    a("ACL", "SETUSER", "u", "on", "nopass")
    b("AUTH", "u", "x")
    b("RESET")
    assert b("ACL", "WHOAMI") == b"default"
    a("CONFIG", "SET", "requirepass", "p")
    b("RESET")
    assert b("PING") == Error("NOAUTH Authentication required.")


def test_the_last_password_stays_while_other_machines_can_reach_a_listener(server: Server, a: Client) -> None:
    a("CONFIG", "SET", "requirepass", "p")
    server.exposed = True
    refused = "ERR other machines can reach a listener, and it would have no password"
    assert a("ACL", "SETUSER", "default", "nopass") == Error(refused)
    assert a("ACL", "SETUSER", "default", "off") == b"OK"
    assert a("ACL", "SETUSER", "default", "on", ">q") == b"OK"


def test_new_users_get_the_channels_that_the_parameter_says(a: Client) -> None:
    a("ACL", "SETUSER", "u")
    a("CONFIG", "SET", "acl-pubsub-default", "allchannels")
    a("ACL", "SETUSER", "v", "(+get)")
    assert [line for line in a("ACL", "LIST") if b"default" not in line] == [
        b"user u off resetchannels -@all",
        b"user v off &* -@all (&* -@all +get)",
    ]


def test_users_come_from_a_file_and_are_saved_to_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("acl")
    path = home / "users.acl"
    path.write_text(
        "# who may do what\n\nuser worker on >secret ~jobs:* +@all -@dangerous\nuser default on nopass ~* &* +@all\n"
    )
    settings = Settings(acl_file=str(path))
    with Server(home / "one", "interval", settings) as server:
        a = server.client()
        assert a("ACL", "USERS") == [b"default", b"worker"]
        assert a("CONFIG", "GET", "aclfile") == [b"aclfile", str(path).encode()]
        worker = server.client()
        assert worker("AUTH", "worker", "secret") == b"OK"
        assert worker("RPUSH", "jobs:1", "x") == 1
        assert worker("RPUSH", "other", "x") == NO_KEY
        a("ACL", "SETUSER", "later", "on", ">p", "+get", "~*")
        assert a("ACL", "SAVE") == b"OK"
        assert b"secret" not in path.read_bytes()
    with Server(home / "two", "interval", settings) as server:
        a = server.client()
        assert a("ACL", "USERS") == [b"default", b"later", b"worker"]
        assert server.client()("AUTH", "worker", "secret") == b"OK"
        a("ACL", "SETUSER", "unsaved", "on")
        worker, later = server.client(), server.client()
        worker("AUTH", "worker", "secret")
        later("AUTH", "later", "p")
        path.write_text(path.read_text().replace("user later", "user latest"))
        assert a("ACL", "LOAD") == b"OK"
        assert a("ACL", "USERS") == [b"default", b"latest", b"worker"]
        assert (worker.closed, later.closed) == (False, True)
        path.write_text("user a on\nuser a off\nbad line\nuser b nosuch\n")
        refused = str(a("ACL", "LOAD"))
        for part in ("users.acl:2: Duplicate user 'a' found", "users.acl:3: ", "users.acl:4: ", "Syntax error"):
            assert part in refused
        assert a("ACL", "USERS") == [b"default", b"latest", b"worker"]
        path.unlink()
        assert "No such file" in str(a("ACL", "LOAD"))


def test_a_file_without_default_leaves_it_its_password(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("acl")
    path = home / "users.acl"
    path.write_text("user u on nopass +@all\n")
    with Server(home / "data", "interval", Settings(acl_file=str(path), password="p")) as server:
        a = server.client()
        assert a("PING") == Error("NOAUTH Authentication required.")
        assert a("AUTH", "p") == b"OK"
        assert a("ACL", "LOAD") == b"OK"
        assert server.client()("PING") == Error("NOAUTH Authentication required.")


@pytest.mark.parametrize("text", [None, "user\n", "user u +nosuch\n"])
def test_a_bad_file_keeps_the_server_from_starting(tmp_path_factory: pytest.TempPathFactory, text: str | None) -> None:
    home = tmp_path_factory.mktemp("acl")
    path = home / "users.acl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError, match="--acl-file"):
        Server(home / "data", "memory", Settings(acl_file=str(path)))
