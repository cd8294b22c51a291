-- redis.call and redis.pcall: functions of Python as C functions of Lua, so that a script which calls one as its last act
-- keeps its line for error texts.
--
-- lupa collects the words of such a call one after the other in a tuple that it makes anew for each: 5,000 words take
-- 25 ms, and 8,000 are too many. What a Lua function returns crosses at once. So a script that calls with many words is
-- given other functions, which leave such words to be fetched; where it calls them as its last act, its frame is gone.

local kit = ...
local host, as_function = kit.host, python.as_function
local select, unpack = select, unpack

local FEW = 100 -- words that may as well cross one by one
local SLICE = 4000 -- words that a function may return at once

local waiting, count -- the words to be fetched, and how many they are

local function leaving(direct, fetching)
  return function(...)
    count = select("#", ...)
    if count <= FEW then return direct(...) end
    waiting = { ... }
    return fetching()
  end
end

local direct = { call = as_function(host.call), pcall = as_function(host.pcall) }
local wide = {
  call = leaving(direct.call, as_function(host.call_waiting)),
  pcall = leaving(direct.pcall, as_function(host.pcall_waiting)),
}

-- How many words there are, and a slice of them.
local function fetch(at)
  local words, last = waiting, at + SLICE - 1
  if last >= count then waiting, last = nil, count end
  return count, unpack(words, at, last)
end

return { direct = direct, wide = wide, fetch = fetch }
