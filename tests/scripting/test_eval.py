"""EVAL and its kin: what goes in, what comes out, what stays."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core.errors import CommandError, Misconf
from spoold.core.numerals import INT64_MIN
from spoold.core.reply import OK, BigNumber, SetReply, Simple, Verbatim
from spoold.core.script_errors import ScriptError
from spoold.scripting.convert import from_tokens, integer
from support.room import Room

WRONG_TYPE = b"WRONGTYPE Operation against a key holding the wrong kind of value"


def plain(reply: Any) -> Any:
    """A reply as values that can be compared."""
    if isinstance(reply, CommandError):
        return ("error", reply.message)
    if isinstance(reply, Simple):
        return ("status", reply.text)
    if isinstance(reply, SetReply):
        return ("set", sorted(map(plain, reply.items)))
    if isinstance(reply, Verbatim):
        return ("text", reply.format, reply.text)
    if isinstance(reply, BigNumber):
        return ("big", reply.text)
    if isinstance(reply, list):
        return [plain(item) for item in reply]
    return reply


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("return 1", 1),
        ("return 3.99", 3),
        ("return -3.99", -3),
        ("return 1e300", INT64_MIN),
        ("return 0/0", INT64_MIN),
        ("return 'x'", b"x"),
        ("return 'a\\0b'", b"a\0b"),
        ("return nil", None),
        ("return false", None),
        ("return true", 1),
        ("return", None),
        ("return print == nil", None),
        ("return {}", []),
        ("return {1, 2.5, 'a'}", [1, 2, b"a"]),
        ("return {1, nil, 3}", [1]),
        ("return {1, false, 3}", [1, None, 3]),
        ("return {1, {2, {3, true}}}", [1, [2, [3, 1]]]),
        ("return {1, 2, x = 3}", [1, 2]),
        ("return {ok = 'fine'}", ("status", b"fine")),
        ("return {err = 'MY bad'}", ("error", b"MY bad")),
        ("return {ok = 'two\\nlines'}", ("status", b"two lines")),
        ("return {1, {ok = 'a'}, {err = 'b'}}", [1, ("status", b"a"), ("error", b"b")]),
        ("return {double = 1.5}", 1.5),
        ("return {big_number = '12'}", ("big", b"12")),
        ("return {map = {a = 1}}", {b"a": 1}),
        ("return {set = {a = true, b = true}}", ("set", [b"a", b"b"])),
        ("return {verbatim_string = {string = 'x', format = 'txt'}}", ("text", b"txt", b"x")),
        ("return {double = '1.5'}", []),
        ("return function() end", None),
        ("redis.setresp(3) return {true, false, nil}", [True, False]),
        ("redis.setresp(3) return true", True),
    ],
)
def test_results(room: Room, script: str, expected: Any) -> None:
    if script.startswith("return print"):
        assert isinstance(room("EVAL", script, 0), ScriptError)
    else:
        assert plain(room("EVAL", script, 0)) == expected


@given(number=st.floats())
def test_numbers_are_cut_to_integers_of_64_bits(number: float) -> None:
    cut = integer(number)
    assert -(2**63) <= cut < 2**63
    if abs(number) < 2**62:
        assert cut == int(number)


def test_a_long_array_comes_whole(room: Room) -> None:
    script = "local t = {} for i = 1, tonumber(ARGV[1]) do t[i] = {i, 'v' .. i} end return t"
    assert room("EVAL", script, 0, 20_000) == [[i, b"v%d" % i] for i in range(1, 20_001)]
    script = "local t = {} for i = 1, tonumber(ARGV[1]) do t[i] = i end return t"
    for count in (0, 1, 3999, 4000, 4001, 8100, 30_000):
        assert room("EVAL", script, 0, count) == list(range(1, count + 1))


def test_more_words_than_the_lua_stack_holds(room: Room) -> None:
    keys, args = [f"k{i}" for i in range(9000)], [f"a{i}" for i in range(9000)]
    script = "return {#KEYS, KEYS[1], KEYS[9000], #ARGV, ARGV[1], ARGV[9000]}"
    assert room("EVAL", script, 9000, *keys, *args) == [9000, b"k0", b"k8999", 9000, b"a0", b"a8999"]


def test_tokens_of_maps_with_keys_that_python_takes_for_one() -> None:
    reply = from_tokens([True, b"m", 3, 1, b"one", True, b"t", b"true", True, b"a", 1, b"x", b"list"])
    assert list(reply.values()) == [b"one", b"true", b"list"]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("redis.call('get', 'none')", [b"boolean", None]),
        ("redis.call('get', 's')", [b"string", b"v"]),
        ("redis.call('incr', 'n')", [b"number", 1]),
        ("redis.call('set', 's', 'v')", [b"table", ("status", b"OK")]),
        ("redis.call('lrange', 'l', 0, -1)", [b"table", [b"a", b"b"]]),
        ("redis.call('mget', 's', 'none')", [b"table", [b"v", None]]),
        ("redis.pcall('get', 'l')", [b"table", ("error", WRONG_TYPE)]),
        ("redis.call('lpop', 'none', 2)", [b"boolean", None]),
    ],
)
def test_replies_as_lua_values(room: Room, call: str, expected: Any) -> None:
    room("SET", "s", "v")
    room("RPUSH", "l", "a", "b")
    assert plain(room("EVAL", f"local r = {call} return {{type(r), r}}", 0)) == expected


def test_numbers_as_arguments(room: Room) -> None:
    for number, text in ((1, b"1"), (1.5, b"1.5"), ("1e15", b"1000000000000000"), ("0.1", b"0.10000000000000001")):
        room("EVAL", f"return redis.call('set', 'k', {number})", 0)
        assert room("GET", "k") == text


def test_select_ends_with_the_script(room: Room) -> None:
    room("EVAL", "redis.call('select', 3) redis.call('set', 'k', 'three')", 0)
    assert room("GET", "k") is None
    room("SELECT", 3)
    assert room("EVAL", "return redis.call('get', 'k')", 0) == b"three"


def test_what_a_failed_script_wrote_stays(room: Room) -> None:
    reply = room("EVAL", "redis.call('set', 'k', 'v') error('oops')", 0)
    assert reply.message.startswith(b"ERR user_script:1: oops script: ")
    assert room("GET", "k") == b"v"


def test_an_exception_that_no_one_expected_is_not_swallowed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the script makes of the error, the turn must be rolled back."""

    def broken(*words: Any) -> Any:
        raise ZeroDivisionError("a fault in a command")

    entry = room.table.find(b"GET")
    assert entry is not None
    monkeypatch.setattr(entry, "handler", broken)
    script = "redis.call('set', 'k', 'v') local ok, e = pcall(redis.call, 'get', 'k') return {tostring(ok), e}"
    with pytest.raises(ZeroDivisionError):
        room("EVAL", script, 0)
    monkeypatch.undo()
    room.turn.open = False
    assert room("EVAL", "return 1", 0) == 1


def test_a_disk_that_refuses_is_told_to_scripts_that_write(room: Room) -> None:
    room("SET", "k", "v")
    script = "return redis.call('set', 'k', 'w')"
    room("EVAL", script, 0)
    room.dbs.read_only = True
    room.turn.commit.__dict__["failing"] = "full"
    try:
        assert isinstance(room.scripts.refuses_writes(), Misconf)
    finally:
        room.dbs.read_only = False


def test_commands_that_scripts_may_not_run(room: Room) -> None:
    for name in ("EVAL", "MULTI", "SUBSCRIBE", "BLPOP", "SCRIPT", "CONFIG", "CLIENT"):
        words = {"SCRIPT": "'exists', 'x'", "CONFIG": "'get', 'x'", "CLIENT": "'id'", "MULTI": ""}.get(name, "'a', '0'")
        reply = room("EVAL", f"return redis.call('{name}'{words and ', ' + words})", 0)
        assert reply.message.startswith(b"ERR This Redis command is not allowed from script"), name


def test_a_script_breaks_watches_also_its_own_clients(room: Room) -> None:
    room("WATCH", "k")
    room("EVAL", "return redis.call('set', 'k', 'v')", 0)
    room("MULTI")
    room("PING")
    assert room("EXEC") is not OK
    assert room("GET", "k") == b"v"
