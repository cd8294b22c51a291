"""No way out: what scripts try to reach, and must not."""

from __future__ import annotations

from typing import Any

import pytest

from spoold.core.errors import CommandError
from spoold.core.script_errors import ScriptError
from support.room import Room

GONE = [
    "debug",
    "dofile",
    "getfenv",
    "io",
    "loadfile",
    "module",
    "newproxy",
    "os",
    "package",
    "print",
    "python",
    "require",
    "setfenv",
]


def run(room: Room, script: str, *words: str) -> Any:
    """Run a script without keys."""
    return room("EVAL", script, 0, *words)


@pytest.mark.parametrize("name", GONE)
def test_what_leads_out_is_not_there(room: Room, name: str) -> None:
    reply = run(room, f"return {name}")
    assert isinstance(reply, ScriptError)
    assert f"nonexistent global variable '{name}'".encode() in reply.message
    assert run(room, f"return rawget(_G, '{name}')") is None


def test_nothing_in_reach_is_a_python_object(room: Room) -> None:
    """Every value that pairs, metatables and results of functions lead to is Lua's own; one userdata is cjson.null."""
    found = run(
        room,
        """
        local seen, strange = {}, {}
        local function walk(value, path)
            local kind = type(value)
            if kind == 'userdata' and value ~= cjson.null then strange[#strange + 1] = path end
            if kind ~= 'table' or seen[value] then return end
            seen[value] = true
            for key, item in pairs(value) do walk(key, path .. '/key') walk(item, path .. '/' .. tostring(key)) end
            walk(getmetatable(value), path .. '/metatable')
        end
        walk(_G, '_G') walk(getmetatable(''), 'strings') walk(KEYS, 'KEYS') walk(ARGV, 'ARGV')
        for _, call in ipairs({redis.pcall, redis.call, redis.sha1hex, redis.log, redis.setresp, redis.set_repl}) do
            local ok, problem = pcall(call)
            walk(problem, 'pcall')
            xpcall(call, function(problem) walk(problem, 'xpcall') end)
            local _, resumed = coroutine.resume(coroutine.create(function() call() end))
            walk(resumed, 'resume')
            local _, wrapped = pcall(coroutine.wrap(function() call() end))
            walk(wrapped, 'wrap')
        end
        for _, library in ipairs({bit, struct, cmsgpack, cjson, math, table, string, coroutine}) do
            for name, work in pairs(library) do
                if type(work) == 'function' then
                    local ok, problem = pcall(work, {}, {}) walk(problem, name)
                    ok, problem = pcall(work) walk(problem, name)
                    ok, problem = pcall(work, 1/0, 0/0) walk(problem, name)
                end
            end
        end
        return strange
        """,
    )
    assert found == []


@pytest.mark.parametrize(
    "script",
    [
        "a = 1",
        "_G.a = 1",
        "_G = {}",
        "KEYS = {}",
        "redis = nil",
        "redis.call = 1",
        "string.rep = 1",
        "cjson.x = 1",
        "rawset(_G, 'a', 1)",
        "rawset(redis, 'call', 1)",
        "setmetatable(_G, {})",
        "setmetatable(redis, {})",
        "table.insert(redis, 1)",
        "getmetatable(_G).__index = nil",
        "getmetatable('').__index = nil",
        "getmetatable('').__index.rep = nil",
        "string.gsub = nil",
    ],
)
def test_what_all_scripts_share_can_not_be_changed(room: Room, script: str) -> None:
    reply = run(room, script)
    assert isinstance(reply, ScriptError)
    assert b"Attempt to modify a readonly table" in reply.message
    assert run(room, "return {type(redis.call), ('x'):rep(2), type(rawget(_G, 'a'))}") == [b"function", b"xx", b"nil"]


def test_no_trick_changes_what_the_next_script_sees(room: Room) -> None:
    run(room, "for name, value in pairs(redis) do end table.remove(redis) table.sort(redis) table.setn(redis, 0)")
    run(room, "local _, copy = pairs(redis) copy.call = nil copy.pcall = 5")
    run(room, "local key, value = next(redis)")
    run(room, "string.gsub('x', 'x', redis)")
    run(room, "getmetatable(cjson.null).__tostring = nil")
    run(room, "setmetatable(KEYS, {__index = function() return 1 end}) KEYS[1] = 2 ARGV.x = 3")
    assert run(room, "return {type(redis.call), type(redis.pcall), #KEYS, #ARGV}") == [b"function", b"function", 0, 0]


@pytest.mark.parametrize("loader", ["loadstring(code)", "load(function() local c = code code = nil return c end)"])
def test_compiled_lua_is_refused_and_loaded_text_sees_the_same_world(room: Room, loader: str) -> None:
    reply = run(
        room, f"local code = string.dump(function() return 1 end) local f, e = {loader} return {{tostring(f), e}}"
    )
    assert reply[0] == b"nil"
    assert b"unexpected symbol near 'char(27)'" in reply[1]
    reply = run(room, f"local code = 'return os' local f = {loader} return f()")
    assert b"nonexistent global variable 'os'" in reply.message
    assert b"readonly" in run(room, f"local code = 'x = 1' local f = {loader} return f()").message
    assert run(room, f"local code = 'return redis.call(\"ping\").ok' local f = {loader} return f()") == b"PONG"


def test_scripts_and_libraries_that_are_compiled_lua_are_refused(room: Room) -> None:
    compiled = run(room, "return string.dump(function() return 1 end)")
    assert compiled.startswith(b"\x1bLua")
    assert b"unexpected symbol" in room("EVAL", compiled, 0).message
    assert b"unexpected symbol" in room("SCRIPT", "LOAD", compiled).message


def test_more_values_than_the_stack_holds_can_not_be_unpacked(room: Room) -> None:
    """A script of dramatiq relies on the error."""
    reply = run(room, "local t = {} for i = 1, 9000 do t[i] = i end return {unpack(t)}")
    assert b"too many results to unpack" in reply.message
    assert run(room, "local t = {} for i = 1, 7970 do t[i] = i end return redis.call('rpush', 'l', unpack(t))") == 7970


@pytest.mark.parametrize(
    "script",
    [
        "return #string.rep('x', 1024 * 1024 * 1024)",
        "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1024) .. i end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = redis.call('get', 'big') .. #t end",
        "while true do local t = {} pcall(function() while true do t[#t + 1] = {} end end) redis.call('ping') end",
    ],
)
def test_a_script_that_takes_all_memory_fails_and_leaves_it(room: Room, script: str) -> None:
    room.scripts.limit_bytes = 12 * 1024 * 1024
    room("SET", "big", "v" * 1024 * 1024)
    reply = run(room, script)
    assert isinstance(reply, CommandError)
    assert b"not enough memory" in reply.message
    assert room.scripts.used_bytes < 4 * 1024 * 1024
    assert run(room, "return redis.call('strlen', 'big')") == 1024 * 1024


def test_what_does_not_fit_into_a_script_is_an_error_before_it_runs(room: Room) -> None:
    room.scripts.limit_bytes = 4 * 1024 * 1024
    assert b"not enough memory" in run(room, "return 1", "v" * 8 * 1024 * 1024).message
    room("SET", "big", "v" * 8 * 1024 * 1024)
    assert b"not enough memory" in run(room, "return #redis.call('get', 'big')").message
    for _ in range(9):
        room("RPUSH", "list", "v" * 1024 * 1024)
    assert b"not enough memory" in run(room, "return #redis.call('lrange', 'list', 0, -1)").message
    assert run(room, "return #redis.call('getrange', 'big', 0, 9)") == 10


def test_a_result_without_end_ends(room: Room) -> None:
    reply = run(room, "local t = {} t[1] = t return t")
    while isinstance(reply, list):
        (reply,) = reply
    assert reply.message == b"ERR reached lua stack limit"


def test_errors_of_strange_kinds_are_answered(room: Room) -> None:
    """The last two end a Redis 7.0.15."""
    assert run(room, "error()").message.startswith(b"ERR nil script: ")
    assert run(room, "error(true)").message.startswith(b"ERR true script: ")
    assert run(room, "error({1})").message.startswith(b"ERR unknown error script: ")
    assert run(room, "error({ok = 'x'})").message.startswith(b"ERR unknown error script: ")


def test_settings_of_one_script_do_not_end_the_tail_of_another(room: Room) -> None:
    assert run(room, "collectgarbage('stop') collectgarbage('setpause', 1000000) return 1") == 1
    for _ in range(20):
        run(room, "local t = {} for i = 1, 1000 do t[i] = {i} end")
    assert room.scripts.state.used() < 8 * 1024 * 1024
