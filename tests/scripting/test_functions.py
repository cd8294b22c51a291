"""Libraries of functions: loading all or nothing, names, dumps that Redis takes and gives."""

from __future__ import annotations

import pytest
import redis
from tests.conftest import missing_peer

from spoold.core.errors import BadPayload, CommandError
from spoold.core.script_errors import NoSuchFunction
from spoold.testing.process import RealRedis, redis_server_path
from support.room import Room

CODE = "#!lua name={name}\nredis.register_function('{function}', function(keys, args) return '{name}' end)"


def library(name: str, function: str) -> str:
    return CODE.format(name=name, function=function)


def names(room: Room) -> list[bytes]:
    return [each[b"library_name"] for each in room("FUNCTION", "LIST")]


def test_a_library_that_fails_leaves_the_one_that_it_would_replace(room: Room) -> None:
    room("FUNCTION", "LOAD", library("lib", "f"))
    for broken in ("#!lua name=lib\nerror", "#!lua name=lib\nreturn 1", "#!lua name=lib\nx = 1", "#!lua name=lib\n+"):
        assert isinstance(room("FUNCTION", "LOAD", "REPLACE", broken), CommandError)
    assert room("FCALL", "f", 0) == b"lib"


def test_a_library_that_is_loaded_again_and_again_takes_no_more_memory(room: Room) -> None:
    def load_often() -> int:
        for _ in range(300):
            room("FUNCTION", "LOAD", "REPLACE", library("lib", "f"))
        return room.scripts.used_bytes

    assert load_often() + 100_000 > load_often()  # 380,000 bytes, when each loading left its table of functions
    assert room("FCALL", "f", 0) == b"lib"


def test_functions_of_other_libraries_are_not_taken_over(room: Room) -> None:
    room("FUNCTION", "LOAD", library("one", "f"))
    room("FUNCTION", "LOAD", library("two", "g"))
    assert room("FUNCTION", "LOAD", "REPLACE", library("two", "F")).message == b"ERR Function F already exists"
    assert room("FCALL", "G", 0) == b"two"
    assert room("FUNCTION", "LOAD", "REPLACE", library("one", "h")) == b"one"
    assert isinstance(room("FCALL", "f", 0), NoSuchFunction)


def test_functions_keep_what_their_library_keeps(room: Room) -> None:
    """Locals of the library last; globals can't be made."""
    code = """#!lua name=lib
    local count = 0
    redis.register_function('count', function() count = count + 1 return count end)
    redis.register_function('leak', function() counted = count end)
    """
    room("FUNCTION", "LOAD", code)
    assert [room("FCALL", "count", 0) for _ in range(3)] == [1, 2, 3]
    assert b"readonly" in room("FCALL", "leak", 0).message


@pytest.mark.parametrize("policy", [[], ["APPEND"], ["REPLACE"], ["FLUSH"]])
def test_a_dump_is_restored_whole_or_not_at_all(room: Room, policy: list[str]) -> None:
    room("FUNCTION", "LOAD", library("one", "f"))
    room("FUNCTION", "LOAD", library("two", "g"))
    dump = room("FUNCTION", "DUMP")
    room("FUNCTION", "FLUSH")
    room("FUNCTION", "LOAD", library("two", "h"))
    room("FUNCTION", "LOAD", library("three", "i"))
    reply = room("FUNCTION", "RESTORE", dump, *policy)
    if policy in ([], ["APPEND"]):
        assert reply.message == b"ERR Library two already exists"
        assert set(names(room)) == {b"two", b"three"}
        assert room("FCALL", "h", 0) == b"two"
    else:
        assert set(names(room)) == ({b"one", b"two"} if policy == ["FLUSH"] else {b"one", b"two", b"three"})
        assert room("FCALL", "g", 0) == b"two"
        assert isinstance(room("FCALL", "h", 0), NoSuchFunction)


def test_a_damaged_dump_changes_nothing(room: Room) -> None:
    room("FUNCTION", "LOAD", library("one", "f"))
    dump = room("FUNCTION", "DUMP")
    for at in range(len(dump)):
        damaged = dump[:at] + bytes((dump[at] ^ 1,)) + dump[at + 1 :]
        assert isinstance(room("FUNCTION", "RESTORE", damaged, "REPLACE"), BadPayload)
    assert isinstance(room("FUNCTION", "RESTORE", dump[:-1], "REPLACE"), BadPayload)
    room("SET", "k", "v")
    reply = room("FUNCTION", "RESTORE", room("DUMP", "k"), "REPLACE")
    assert reply.message == b"ERR given type is not a function"
    assert names(room) == [b"one"]


@pytest.mark.needs_redis
def test_redis_takes_our_dump_and_we_take_its(room: Room) -> None:
    if redis_server_path() is None:
        missing_peer("redis-server", "apt-get install redis-server")
    long = library("long", "f_long") + "\n-- " + "the same words again " * 200
    room("FUNCTION", "LOAD", long)
    room("FUNCTION", "LOAD", library("short", "f_short"))
    with RealRedis() as peer, redis.Redis(port=peer.port) as client:
        assert client.execute_command("FUNCTION", "RESTORE", room("FUNCTION", "DUMP"))
        assert client.execute_command("FCALL", "f_long", 0) == b"long"
        theirs = client.execute_command("FUNCTION", "DUMP")  # compressed
        client.execute_command("FUNCTION", "DELETE", "short")  # one clash only: Redis meets them in any order
        room("FUNCTION", "DELETE", "short")
        with pytest.raises(redis.ResponseError) as refused:
            client.execute_command("FUNCTION", "RESTORE", theirs)
        assert room("FUNCTION", "RESTORE", theirs).message == f"ERR {refused.value}".encode()
    room("FUNCTION", "FLUSH")
    room("FUNCTION", "RESTORE", theirs)
    assert set(names(room)) == {b"long", b"short"}
    assert room("FCALL", "f_long", 0) == b"long"
    assert room("FUNCTION", "LIST", "LIBRARYNAME", "long", "WITHCODE")[0][b"library_code"] == long.encode()
