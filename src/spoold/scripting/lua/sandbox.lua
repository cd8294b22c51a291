-- What scripts see, and how they are run: the sandbox of one Lua state.
--
-- Called once by state.py with `host`, a table of Python callbacks, and `extras`, the tables of the other files here.
-- Returns the functions that Python calls. Scripts never hold a Python object: callbacks live in upvalues, which
-- nothing without the debug library can reach, and all that passes through them is a string, number, boolean or table.
--
-- Every table of the environment is protected: a script gets an empty stand-in whose metatable finds what is in the
-- real one and refuses to be changed. Functions that would go past metatables (rawset, table.insert, …) know them.
--
-- To add a library: a file that returns its table, named in state.py, and a line in `libraries` below.

local host, files = ...

local error, type, tostring, rawget, rawset, rawequal = error, type, tostring, rawget, rawset, rawequal
local pairs, ipairs, next, select, unpack = pairs, ipairs, next, select, unpack
local setmetatable, getmetatable, setfenv, loadstring = setmetatable, getmetatable, setfenv, loadstring
local pcall, xpcall, collectgarbage = pcall, xpcall, collectgarbage
local getinfo, sethook = debug.getinfo, debug.sethook
local create, resume, running, status = coroutine.create, coroutine.resume, coroutine.running, coroutine.status
local find, sub, format, byte, gmatch = string.find, string.sub, string.format, string.byte, string.gmatch
local concat = table.concat

local READ_ONLY = "Attempt to modify a readonly table"
local OWN = "=spoold" -- the name of these chunks
local HOOK_INSTRUCTIONS = 100000 -- about a millisecond between looks at the clock

-- Protection ----------------------------------------------------------------------------------------------------

-- Stand-in → the real table. Keys are weak: each loading of a library has a stand-in of its own, which must not stay.
local real_of = setmetatable({}, { __mode = "k" })

local function refuse() error(READ_ONLY, 2) end

local function protect(real, metatable)
  local stand_in = {}
  real_of[stand_in] = real
  setmetatable(stand_in, { __index = real, __newindex = refuse, __metatable = metatable or false })
  return stand_in
end

local function copy(table_)
  local made = {}
  for key, value in next, table_ do made[key] = value end
  return made
end

local one_line -- "user_script" or "user_function" while something runs that has but one line; its place is known

-- The innermost frame that is the script's own, and the C function that stands before it, if one does. No frame is left
-- of a script that called a function of ours as its last act.
local function script_frame(level)
  local between
  while true do
    local frame = getinfo(level, "Slf")
    if not frame then return nil, between end
    if frame.what == "C" then
      between = between or frame.func
    elseif frame.what ~= "tail" and frame.source ~= OWN then
      return frame, between
    end
    level = level + 1
  end
end

-- Raises an error in the name of a library function: the text begins with the line of the script that called it, as
-- those of C functions do.
local function fault(text)
  local frame, between = script_frame(3)
  if between == nil and frame and frame.currentline > 0 then
    text = frame.short_src .. ":" .. frame.currentline .. ": " .. text
  elseif between == xpcall and one_line then
    text = one_line .. ":1: " .. text
  end
  error(text, 0)
end

local function bad_argument(position, name, expected, value, is_missing)
  local got = is_missing and "no value" or type(value)
  fault(format("bad argument #%d to '%s' (%s expected, got %s)", position, name, expected, got))
end

local null = newproxy(true) -- cjson.null: equal to itself only
getmetatable(null).__tostring = function() return "userdata: (nil)" end
getmetatable(null).__metatable = false

local kit = { fault = fault, bad_argument = bad_argument, null = null, host = host }
local extras = {}
for name, file in next, files do extras[name] = file(kit) end

-- What Python raised arrives as an exception object, which must not become a value in a script's hands.
local host_problem = host.problem

local function clean(value)
  if type(value) == "userdata" and value ~= null then
    return { err = host_problem(), ignore_error_stats_update = true }
  end
  return value
end

local hot = false -- a script is to be ended: every instruction of it raises

-- The base library ----------------------------------------------------------------------------------------------

local base = {
  _VERSION = _VERSION, assert = assert, error = error, gcinfo = gcinfo, ipairs = ipairs, rawequal = rawequal,
  select = select, tonumber = tonumber, tostring = tostring, type = type, unpack = unpack,
}

function base.next(table_, key)
  local real = real_of[table_]
  if real then return next(real, key) end
  if type(table_) ~= "table" then bad_argument(1, "next", "table", table_) end
  return next(table_, key)
end

function base.pairs(table_)
  local real = real_of[table_]
  if real then return next, copy(real), nil end
  if type(table_) ~= "table" then bad_argument(1, "pairs", "table", table_) end
  return next, table_, nil
end

function base.rawget(table_, key)
  if type(table_) ~= "table" then bad_argument(1, "rawget", "table", table_) end
  return rawget(real_of[table_] or table_, key)
end

function base.rawset(table_, key, value)
  if real_of[table_] then error(READ_ONLY, 0) end
  if type(table_) ~= "table" then bad_argument(1, "rawset", "table", table_) end
  return rawset(table_, key, value)
end

function base.getmetatable(value)
  if type(value) == "userdata" then return nil end
  return getmetatable(value) or nil
end

function base.setmetatable(table_, metatable)
  if real_of[table_] then error(READ_ONLY, 0) end
  if type(table_) ~= "table" then bad_argument(1, "setmetatable", "table", table_) end
  if metatable ~= nil and type(metatable) ~= "table" then
    fault("bad argument #2 to 'setmetatable' (nil or table expected)")
  end
  return setmetatable(table_, metatable)
end

local function caught(ok, problem, ...)
  if ok then return true, problem, ... end
  problem = clean(problem)
  if type(problem) == "table" then
    local text = rawget(problem, "err")
    if type(text) == "string" or type(text) == "number" then problem = text end
  end
  return false, problem
end

function base.pcall(...)
  if select("#", ...) == 0 then return false, "attempt to call a nil value" end
  return caught(pcall(...))
end

function base.xpcall(work, handler)
  return xpcall(work, function(problem)
    if hot then return problem end -- no hook can interrupt a handler that is called from one
    return handler(clean(problem))
  end)
end

function base.collectgarbage(option, argument)
  if option == "stop" or option == "restart" or option == "setpause" or option == "setstepmul" then return 0 end
  if option == nil or option == "collect" or option == "count" or option == "step" then
    return collectgarbage(option or "collect", argument)
  end
  if type(option) ~= "string" then bad_argument(1, "collectgarbage", "string", option) end
  fault(format("bad argument #1 to 'collectgarbage' (invalid option '%s')", option))
end

-- Compiled Lua is refused: what the compiler did not write can do anything.
local function compile(text, name, environment)
  if byte(text) == 27 then
    local shown = find(name, "^[=@]") and sub(name, 2) or '[string "' .. (find(name, "^[^\n]*") and name or "") .. '"]'
    return nil, shown .. ":1: unexpected symbol near 'char(27)'"
  end
  local chunk, problem = loadstring(text, name)
  if chunk then setfenv(chunk, environment) end
  return chunk, problem
end

-- Coroutines have hooks of their own: without one a script could run in there for ever. A hook is kept in a table that
-- is never swept, so a coroutine has it only while it runs.
local on_hook

local coroutines = { create = create, running = running, status = status, yield = coroutine.yield }

local function resumed(made, ok, problem, ...)
  sethook(made)
  if ok then return true, problem, ... end
  return false, clean(problem)
end

function coroutines.resume(made, ...)
  if type(made) ~= "thread" then fault("bad argument #1 to 'resume' (coroutine expected)") end
  if status(made) ~= "suspended" then return resume(made, ...) end -- it fails, and the hook of who runs must stay
  sethook(made, on_hook, "", HOOK_INSTRUCTIONS)
  return resumed(made, resume(made, ...))
end

local function unwrapped(made, ok, problem, ...)
  sethook(made)
  if ok then return problem, ... end
  problem = clean(problem)
  error(problem, type(problem) == "string" and 3 or 1)
end

function coroutines.wrap(work)
  if type(work) ~= "function" then fault("bad argument #1 to 'wrap' (Lua function expected)") end
  local made = create(work)
  return function(...)
    if status(made) ~= "suspended" then fault(select(2, resume(made))) end
    sethook(made, on_hook, "", HOOK_INSTRUCTIONS)
    return unwrapped(made, resume(made, ...))
  end
end

local tables = copy(table)

local function guarded(name)
  local plain = table[name]
  return function(table_, ...)
    if real_of[table_] then error(READ_ONLY, 0) end
    if type(table_) ~= "table" then bad_argument(1, name, "table", table_) end
    return plain(table_, ...)
  end
end

tables.insert, tables.setn = guarded("insert"), guarded("setn")

function tables.remove(table_, ...)
  if real_of[table_] then return nil end
  if type(table_) ~= "table" then bad_argument(1, "remove", "table", table_) end
  return table.remove(table_, ...)
end

-- Redis -----------------------------------------------------------------------------------------------------------

-- Functions of Python as C functions of Lua: see calls.lua.
local as_function, calls = python.as_function, extras.calls

local function single(field, prefix)
  return function(...)
    local text = ...
    if select("#", ...) ~= 1 or type(text) ~= "string" then return { err = "ERR wrong number or type of arguments" } end
    if prefix then
      if sub(text, 1, 1) == "-" then text = sub(text, 2) end
      if not find(text, " ", 1, true) then text = prefix .. text end
    end
    return { [field] = text }
  end
end

-- While a library is loaded there is nothing but this, and register_function.
local load_api = {
  REDIS_VERSION = host.version, REDIS_VERSION_NUM = host.version_number,
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
  log = as_function(host.log),
}

local api = copy(load_api)
for _, name in ipairs({ "acl_check_cmd", "sha1hex", "setresp", "set_repl" }) do
  api[name] = as_function(host[name])
end
api.call, api.pcall = calls.direct.call, calls.direct.pcall
api.error_reply, api.status_reply = single("err", "ERR "), single("ok")
api.REPL_NONE, api.REPL_AOF, api.REPL_SLAVE, api.REPL_REPLICA, api.REPL_ALL = 0, 1, 2, 2, 3

local eval_api = copy(api)

function eval_api.breakpoint() return false end

function eval_api.debug() end

function eval_api.replicate_commands() return true end

-- The environments ------------------------------------------------------------------------------------------------

local function missing(_, name)
  error(format("Script attempted to access nonexistent global variable '%s'", tostring(name)), 2)
end

local maths = copy(math)
maths.random, maths.randomseed = extras.random.random, extras.random.randomseed

local strings = protect(copy(string))

local libraries = {
  bit = protect(extras.bit), cjson = protect(extras.cjson), cmsgpack = protect(extras.cmsgpack),
  coroutine = protect(coroutines), math = protect(maths), string = strings, struct = protect(extras.struct),
  table = protect(tables),
}

local function environment(redis, with_base)
  local globals = {}
  if with_base then
    for name, value in next, base do globals[name] = value end
    for name, value in next, libraries do globals[name] = value end
  end
  globals.redis, globals.server = redis, redis -- `server` is Valkey's name for it
  setmetatable(globals, { __index = missing })
  local stand_in = protect(globals, protect({ __index = missing }))
  if with_base then
    globals._G = stand_in
    globals.loadstring = function(text, name)
      if type(text) ~= "string" and type(text) ~= "number" then bad_argument(1, "loadstring", "string", text) end
      text = tostring(text)
      return compile(text, name == nil and text or tostring(name), stand_in)
    end
    globals.load = function(more, name)
      if type(more) ~= "function" then bad_argument(1, "load", "function", more) end
      local pieces = {}
      while true do
        local piece = more()
        if piece == nil or piece == "" then break end
        if type(piece) ~= "string" then return nil, "reader function must return a string" end
        pieces[#pieces + 1] = piece
      end
      return compile(concat(pieces), name == nil and "=(load)" or tostring(name), stand_in)
    end
  end
  return stand_in, globals
end

local eval_environment, eval_globals = environment(protect(eval_api), true)
local _, function_globals = environment(protect(api), true)
local _, load_globals = environment(nil, false)

-- Functions of a library keep one environment, in which the loading sees less than the running.
local library_environment = {}
local library_metatable = { __newindex = refuse, __metatable = protect({ __index = missing }) }
setmetatable(library_environment, library_metatable)

local function show(globals)
  library_metatable.__index = globals
  real_of[library_environment] = globals
end

show(function_globals)
function_globals._G = library_environment

local string_metatable = getmetatable("")
string_metatable.__index = copy(string)
string_metatable.__metatable = protect({ __index = strings })

-- Results ---------------------------------------------------------------------------------------------------------

local FLAT = 4000 -- values that one return may carry
local SPECIAL = { "err", "ok", "double", "map", "set", "big_number", "verbatim_string" }
local DEEPEST = 200 -- tables in tables; Redis's limit is that of its stack

local protocol = 2
local pending -- what the current result has not delivered yet

-- A result as a flat list: `true` comes before a letter that says what follows, `false` is nothing.
local function flatten(value, out, count, depth)
  local kind = type(value)
  if kind == "string" or kind == "number" then
    out[count + 1] = value
    return count + 1
  end
  if kind == "boolean" then
    if value and protocol == 2 then
      out[count + 1] = 1
      return count + 1
    end
    if protocol == 2 then
      out[count + 1] = false
      return count + 1
    end
    out[count + 1], out[count + 2] = true, value and "t" or "f"
    return count + 2
  end
  if kind ~= "table" then
    out[count + 1] = false
    return count + 1
  end
  if depth > DEEPEST then
    out[count + 1], out[count + 2], out[count + 3] = true, "e", "ERR reached lua stack limit"
    return count + 3
  end
  local letter, payload
  local found = rawget(value, "err")
  if type(found) == "string" then
    letter, payload = "e", found
  else
    found = rawget(value, "ok")
    if type(found) == "string" then
      letter, payload = "o", found
    else
      found = rawget(value, "double")
      if type(found) == "number" then
        letter, payload = "d", found
      else
        found = rawget(value, "big_number")
        if type(found) == "string" then letter, payload = "b", found end
      end
    end
  end
  local map, set = rawget(value, "map"), rawget(value, "set")
  if letter == nil and type(map) == "table" then
    local size, head = 0, count
    count = count + 3
    for key, item in next, map do
      size = size + 1
      count = flatten(item, out, flatten(key, out, count, depth + 1), depth + 1)
    end
    out[head + 1], out[head + 2], out[head + 3] = true, "m", size
    return count
  end
  if letter == nil and type(set) == "table" then
    local size, head = 0, count
    count = count + 3
    for key in next, set do
      size = size + 1
      count = flatten(key, out, count, depth + 1)
    end
    out[head + 1], out[head + 2], out[head + 3] = true, "s", size
    return count
  end
  local verbatim = rawget(value, "verbatim_string")
  if letter == nil and type(verbatim) == "table" then
    local text, mark = rawget(verbatim, "string"), rawget(verbatim, "format")
    if type(text) == "string" and type(mark) == "string" then
      out[count + 1], out[count + 2], out[count + 3], out[count + 4] = true, "v", text, mark
      return count + 4
    end
  end
  if letter then
    out[count + 1], out[count + 2], out[count + 3] = true, letter, payload
    return count + 3
  end
  local size, head = 0, count
  count = count + 3
  local item = rawget(value, 1)
  while item ~= nil do
    size = size + 1
    count = flatten(item, out, count, depth + 1)
    item = rawget(value, size + 1)
  end
  out[head + 1], out[head + 2], out[head + 3] = true, "a", size
  return count
end

-- The next part of a result: how many values are left behind it, and its values.
local function more(first)
  local out, last = pending.values, pending.count
  if last - first >= FLAT then last = first + FLAT - 1 end
  local left = pending.count - last
  local values = pending.values
  if left == 0 then pending = nil end
  return left, unpack(values, first, last)
end

-- How many items a table has that is nothing but an array of strings and numbers, few enough for one return; or nil.
local function plain_length(value)
  local size = 0
  while true do
    local item = rawget(value, size + 1)
    local kind = type(item)
    if kind ~= "string" and kind ~= "number" then
      if item ~= nil or size == 0 then return nil end
      break
    end
    size = size + 1
    if size > FLAT then return nil end
  end
  if next(value, size) == nil then return size end -- mostly nothing comes behind the items
  for _, field in ipairs(SPECIAL) do
    if rawget(value, field) ~= nil then return nil end
  end
  return size
end

-- A result: a plain value; -1 and the items of a plain array; or how many tokens are left, and the first of them.
local function deliver(value)
  local kind = type(value)
  if kind == "string" or kind == "number" or value == nil then return value end
  if value == false and protocol == 2 then return nil end
  if kind == "table" then
    local size = plain_length(value)
    if size then return -1, unpack(value, 1, size) end
  end
  local values = {}
  pending = { values = values, count = flatten(value, values, 0, 1) }
  return more(1)
end

-- Running ---------------------------------------------------------------------------------------------------------

local host_tick = host.tick

function on_hook()
  local verdict = host_tick()
  if verdict then
    hot = true
    sethook(on_hook, "l", 1)
    error(verdict, 0)
  end
  if hot then
    hot = false
    sethook(on_hook, "", HOOK_INSTRUCTIONS)
  end
end

local code -- what runs
local last_acts = setmetatable({}, { __mode = "k" }) -- the one line where a script calls as its last act, if it is one

-- Where an error came from, for the text that the client reads.
local function located(problem)
  if hot then
    hot = false -- it is this handler's script that ends, and what follows is ours
    sethook(on_hook, "", HOOK_INSTRUCTIONS)
  end
  problem = clean(problem)
  local frame = script_frame(3)
  local source, line = frame and frame.source, frame and frame.currentline
  if not frame and one_line then
    source, line = "@" .. one_line, 1
  elseif not frame and last_acts[code] then
    source, line = "@user_script", last_acts[code]
  end
  if type(problem) ~= "table" then problem = { err = "ERR " .. tostring(problem) } end
  return { err = rawget(problem, "err"), source = source, line = line }
end

local function failed(problem)
  pending = nil
  if type(problem) ~= "table" then problem = { err = "ERR " .. tostring(problem) } end
  local text = problem.err
  if type(text) ~= "string" and type(text) ~= "number" then text = "ERR unknown error" end
  return true, tostring(text), problem.source, problem.line
end

local function finish(ok, value)
  if not ok then return failed(value) end
  return deliver(value)
end

local function split(keys, ...)
  local all = { ... }
  if keys == 0 then return {}, all end
  if keys == #all then return all, {} end
  return { unpack(all, 1, keys) }, { unpack(all, keys + 1) }
end

local exported = { more = more, null = null, fetch = calls.fetch }

local calls_wide = setmetatable({}, { __mode = "k" }) -- scripts and functions that call with many words
local is_wide -- what runs has the functions for that

local function widen(on)
  is_wide = on
  local chosen = on and calls.wide or calls.direct
  for _, each in ipairs({ api, eval_api }) do each.call, each.pcall = chosen.call, chosen.pcall end
end

-- What each way in begins with. line: as `one_line`.
local function begin(chunk, line)
  protocol, one_line, code = 2, line, chunk
  local wanted = calls_wide[chunk]
  if is_wide ~= wanted then widen(wanted) end
end

-- What runs calls with many words.
function exported.widen()
  if is_wide then return end
  calls_wide[code] = true
  widen(true)
end

local short = setmetatable({}, { __mode = "k" }) -- what has one line only, and its name

-- The number of the only line with a call of Redis as a last act; nothing if there are several.
local function only_last_act(text)
  local number, found = 0, nil
  for line in gmatch(text .. "\n", "(.-)\n") do
    number = number + 1
    if find(line, "return%s+%a+%.p?call%s*%(") then
      if found then return nil end
      found = number
    end
  end
  return found
end

-- A script, whose text is given, or a function of a library will call with many words.
function exported.expect_many(chunk, text)
  calls_wide[chunk] = true
  last_acts[chunk] = text and only_last_act(text)
end

function exported.eval(chunk, keys, ...)
  begin(chunk, short[chunk])
  eval_globals.KEYS, eval_globals.ARGV = split(keys, ...)
  return finish(xpcall(chunk, located))
end

-- The same with tables, for more words than the stack holds.
function exported.eval_tables(chunk, keys, arguments)
  begin(chunk, short[chunk])
  eval_globals.KEYS, eval_globals.ARGV = keys, arguments
  return finish(xpcall(chunk, located))
end

function exported.call_tables(callback, keys, arguments)
  begin(callback)
  return finish(xpcall(function() return (callback(keys, arguments)) end, located))
end

function exported.call(callback, keys, ...)
  return exported.call_tables(callback, split(keys, ...))
end

function exported.compile(text)
  local chunk, problem = compile(text, "@user_script", eval_environment)
  if not chunk then return nil, problem end
  if not find(text, "\n", 1, true) then short[chunk] = "user_script" end
  return chunk
end

-- Loads a library; `register` is told of each function. returns: nothing, or what went wrong and whether it compiled.
function exported.load_library(text, register)
  local chunk, problem = compile(text, "@user_function", library_environment)
  if not chunk then return problem, false end
  one_line = nil
  local loading = copy(load_api)
  loading.register_function = as_function(register)
  setmetatable(loading, { __index = missing })
  load_globals.redis = protect(loading)
  load_globals.server = load_globals.redis
  show(load_globals)
  local ok, found = xpcall(chunk, located)
  show(function_globals)
  load_globals.redis, load_globals.server = nil, nil
  if ok then return nil end
  local _, text_ = failed(found)
  return text_, true
end

function exported.set_protocol(version) protocol = version end

function exported.collect() collectgarbage() end

sethook(on_hook, "", HOOK_INSTRUCTIONS)

-- The table of globals that the state began with is out of reach, but lupa looks into it at each call; what could do
-- harm goes. It stays a plain table: an error there would end the process.
for _, name in ipairs({ "debug", "dofile", "io", "load", "loadfile", "module", "newproxy", "os", "package", "print", "python",
  "require" }) do
  _G[name] = nil
end

return exported
