"""redis.call with very many words: they cross at once where a script has `unpack`, or has made such a call before; see
lua/calls.lua.
"""

from __future__ import annotations

from typing import Any

import pytest

from spoold.core.errors import CommandError
from spoold.scripting.state import LuaState
from support.room import Room

MANY = 5000
FILL = f"local t = {{}} for i = 1, {MANY} do t[i] = 'item ' .. i end "
ITEMS = [b"item %d" % number for number in range(1, MANY + 1)]


@pytest.fixture(autouse=True)
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many words came that way, a call."""
    found: list[int] = []
    fetch = LuaState.waiting_words

    def counted(state: LuaState) -> list[Any]:
        words = fetch(state)
        found.append(len(words))
        return words

    monkeypatch.setattr(LuaState, "waiting_words", counted)
    return found


def test_all_words_come_in_order(room: Room, fetched: list[int]) -> None:
    script = FILL + "for i = 1, 3 do redis.call('rpush', KEYS[1], unpack(t)) end return redis.call('llen', KEYS[1])"
    assert room("EVAL", script, 1, "q") == 3 * MANY
    assert fetched == [MANY + 2] * 3
    assert room("LRANGE", "q", 0, -1) == ITEMS * 3


def test_a_script_that_hides_its_unpack_is_found_out(room: Room, fetched: list[int]) -> None:
    script = FILL + "local all = _G['un' .. 'pack'] for i = 1, 3 do redis.call('rpush', 'q', all(t)) end"
    room("EVAL", script, 0)
    assert fetched == [MANY + 2] * 2
    room("EVAL", script, 0)
    assert fetched == [MANY + 2] * 5
    assert room("LRANGE", "q", 0, -1) == ITEMS * 6


@pytest.mark.parametrize("count", [3998, 3999, 4000, 7998, 7999])
def test_as_many_words_as_unpack_gives(room: Room, count: int) -> None:
    script = f"local t = {{}} for i = 1, {count} do t[i] = i end\nreturn redis.call('rpush', 'q', unpack(t))"
    assert room("EVAL", script, 0) == count
    assert room("LRANGE", "q", 0, -1) == [b"%d" % number for number in range(1, count + 1)]


def test_a_few_words_are_handed_over(room: Room, fetched: list[int]) -> None:
    script = FILL + "for i = 1, 200 do redis.call('del', unpack(t, 1, i)) end"
    room("EVAL", script.replace("200", "99"), 0)
    assert fetched == []
    room("EVAL", script.replace("200", "102"), 0)
    assert fetched == [101, 102, 103]


def test_numbers_and_values_that_are_none(room: Room, fetched: list[int]) -> None:
    room("EVAL", FILL + "for i = 1, 2 do t[3], t[4] = 3.5, 7 redis.call('rpush', 'q' .. i, unpack(t)) end", 0)
    assert room("LRANGE", "q1", 0, 4) == room("LRANGE", "q2", 0, 4) == [*ITEMS[:2], b"3.5", b"7", ITEMS[4]]
    for wrong in ("nil", "{}", "true"):
        reply = room(
            "EVAL", FILL + f"redis.call('del', unpack(t)) t[9] = {wrong} redis.call('del', unpack(t, 1, 5000))", 0
        )
        assert isinstance(reply, CommandError)
        assert b"Lua redis lib command arguments must be strings or integers" in reply.message
    assert len(fetched) == 8


def test_errors_are_caught_and_raised_with_their_place(room: Room, fetched: list[int]) -> None:
    room("SET", "s", "text")
    caught = FILL + "local e for i = 1, 2 do e = redis.pcall('rpush', 's', unpack(t)) end return e.err"
    assert room("EVAL", caught, 0) == b"WRONGTYPE Operation against a key holding the wrong kind of value"
    raised = FILL + "\nredis.call('del', unpack(t))\nlocal reply = redis.call('rpush', 's', unpack(t))\nreturn reply"
    assert room("EVAL", raised, 0).message.endswith(b", on @user_script:3.")
    assert len(fetched) == 4
    last_act = FILL + "\n\nreturn redis.call('rpush', 's', unpack(t))"
    assert room("EVAL", last_act, 0).message.endswith(b", on @user_script:3.")
    assert room("EVAL", "local x = 1\nreturn redis.call('incr', 's')", 0).message.endswith(b", on @user_script:2.")


def test_in_a_coroutine(room: Room, fetched: list[int]) -> None:
    script = FILL + (
        "local work = coroutine.wrap(function() for i = 1, 3 do "
        "coroutine.yield(redis.call('rpush', 'q', unpack(t))) end end) "
        "return {work(), redis.call('llen', 'q'), work(), work()}"
    )
    assert room("EVAL", script, 0) == [MANY, MANY, 2 * MANY, 3 * MANY]
    assert len(fetched) == 3


def test_a_function_of_a_library(room: Room, fetched: list[int]) -> None:
    code = f"#!lua name=many\nredis.register_function('many', function(keys) {FILL} "
    room("FUNCTION", "LOAD", code + "for i = 1, 2 do redis.call('rpush', keys[1], unpack(t)) end return #t end)")
    assert room("FCALL", "many", 1, "q") == MANY
    assert room("FCALL", "many", 1, "q") == MANY
    assert len(fetched) == 4
    assert room("LRANGE", "q", 0, -1) == ITEMS * 4
